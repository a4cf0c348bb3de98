package contentdir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/pelletier/go-toml/v2"

	"freshet/internal/diag"
)

// A dialect is the language of a front matter.
type dialect uint8

const (
	plain dialect = iota // no front matter
	yamlFront
	tomlFront
	jsonFront
)

// parts are the two halves of a content file.
type parts struct {
	dialect   dialect
	front     []byte
	frontLine int // line of the file at which front begins, from 1
	body      []byte
	bodyLine  int
}

// A kind is the type of a front-matter value.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	moment
	list
	table
)

// A value is what a front matter holds, whatever its language. Scalars keep their spelling, so that a title 1.10 is
// not the number 1.1.
type value struct {
	kind   kind
	plain  bool // text that stood without quotes
	s      string
	t      time.Time
	clock  clock // of a moment
	items  []*value
	fields []field
	line   int // in the file, from 1
	col    int
}

// A clock is what a moment was written by.
type clock uint8

const (
	atOffset  clock = iota // with its offset
	onWall                 // without one: t is in UTC what the site's time zone is meant by
	atInstant              // as a database keeps it: in no time zone
)

type field struct {
	key       string
	val       *value
	line, col int
}

// maxNesting bounds the depth of front matter, maxNodes its size once its aliases are followed, maxFrontBytes its length.
const (
	maxFrontBytes = 64 << 10 // no longer, because parsers recurse
	maxNesting    = 64
	maxNodes      = 100_000
	maxSimple     = 10_000 // fields of a stored document, because its reader compares each with all
	maxLineDepth  = 256    // of JSON on one line, which a parser without recursion reads
)

// decode reads a front matter. The value is always a table. Problems have no File.
func (p *parts) decode() (v *value, prob *diag.Problem) {
	defer func() {
		// The YAML library has panicked on malformed input before; for an author that is a mistake in the file.
		if r := recover(); r != nil {
			v, prob = nil, p.problem(p.frontLine, 1, "front matter cannot be read", "check its quotes, brackets and indentation")
		}
	}()
	if p.dialect == yamlFront && isStored(p) {
		if v, ok := p.storedYAML(); ok {
			return v, nil
		}
	}
	if len(p.front) > maxFrontBytes {
		return nil, p.problem(p.frontLine, 1, fmt.Sprintf("the front matter has more than %d KB", maxFrontBytes>>10), "move text into the body")
	}
	depth := 0
	for i, c := range p.front {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > 4*maxNesting {
			line, col := p.position(i)
			return nil, p.problem(line, col, "front matter is nested too deeply", "make it simpler")
		}
	}
	switch p.dialect {
	case yamlFront:
		return p.fullYAML()
	case tomlFront:
		return p.decodeTOML()
	case jsonFront:
		return p.decodeJSON()
	}
	return &value{kind: table, line: 1, col: 1}, nil
}

// problem makes an error at a line of the file, clamped to the front matter.
func (p *parts) problem(line, col int, message, remedy string) *diag.Problem {
	last := p.frontLine + bytes.Count(p.front, []byte("\n"))
	line = min(max(line, p.frontLine), last)
	return &diag.Problem{Severity: diag.Error, Line: line, Col: max(col, 1), Text: p.lineText(line), Message: message, Remedy: remedy}
}

// lineText returns a line of the front matter by its number in the file.
func (p *parts) lineText(line int) string {
	rest := p.front
	for range line - p.frontLine {
		_, rest = cutLine(rest)
	}
	l, _ := cutLine(rest)
	return string(bytes.TrimRight(l, "\r\n"))
}

func (p *parts) fullYAML() (*value, *diag.Problem) {
	if i := tabIndent(p.front); i >= 0 {
		line := p.frontLine + bytes.Count(p.front[:i], []byte("\n"))
		return nil, p.problem(line, 1, "a tab indents this line, which YAML forbids", "indent with blanks")
	}
	src := bytes.ReplaceAll(p.front, []byte("\r\n"), []byte("\n"))
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, p.yamlProblem(err)
	}
	c := yamlConverter{p: p, anchors: map[string]ast.Node{}}
	root := &value{kind: table, line: p.frontLine, col: 1}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v, prob := c.convert(doc.Body, 0)
		if prob != nil {
			return nil, prob
		}
		switch v.kind {
		case null:
		case table:
			root.fields = append(root.fields, v.fields...)
		default:
			return nil, p.problem(v.line, v.col, "front matter is not a list of keys and values", "write it as key: value, one a line")
		}
	}
	return root, nil
}

func tabIndent(b []byte) int {
	for at := 0; at < len(b); {
		line, _ := cutLine(b[at:])
		t := bytes.TrimLeft(line, " \t")
		if lead := line[:len(line)-len(t)]; len(bytes.TrimSpace(t)) > 0 && bytes.IndexByte(lead, '\t') >= 0 {
			return at
		}
		at += len(line)
	}
	return -1
}

func (p *parts) yamlProblem(err error) *diag.Problem {
	line, col, msg := 1, 1, err.Error()
	var tk *token.Token
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		tk, msg = e.Token, e.Message
	} else if e, ok := errors.AsType[*yaml.DuplicateKeyError](err); ok {
		tk, msg = e.Token, e.Message
	}
	if tk != nil && tk.Position != nil {
		line, col = tk.Position.Line, tk.Position.Column
	}
	remedy := "check the quotes, brackets and indentation of this line and the one before"
	switch {
	case strings.Contains(msg, "already defined"):
		key := msg
		if _, after, ok := strings.Cut(msg, `"`); ok {
			key, _, _ = strings.Cut(after, `"`)
		}
		msg, remedy = fmt.Sprintf("key %q stands here twice", key), "keep one of them"
	case strings.Contains(msg, "mapping value is not allowed in this context"):
		msg, remedy = "a value with a colon must be quoted", "put the value in quotes"
	default:
		msg, _, _ = strings.Cut(msg, "\n")
		msg = "front matter is not valid YAML: " + msg
	}
	return p.problem(p.frontLine+line-1, col, msg, remedy)
}

type yamlConverter struct {
	p       *parts
	anchors map[string]ast.Node
	nodes   int
}

func (c *yamlConverter) convert(n ast.Node, depth int) (*value, *diag.Problem) {
	v := &value{line: c.p.frontLine, col: 1}
	if n == nil {
		return v, nil
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		v.line, v.col = c.p.frontLine+tk.Position.Line-1, tk.Position.Column
	}
	if c.nodes++; depth > maxNesting || c.nodes > maxNodes {
		return nil, c.p.problem(v.line, v.col, "front matter is nested too deeply", "make it simpler")
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		v.kind, v.s = boolean, strconv.FormatBool(n.Value)
	case *ast.IntegerNode:
		v.kind, v.s = number, n.Token.Value
	case *ast.FloatNode:
		v.kind, v.s = number, n.Token.Value
	case *ast.InfinityNode, *ast.NanNode:
		v.kind, v.s = text, n.GetToken().Value
	case *ast.StringNode:
		v.kind, v.s = text, n.Value
		v.plain = n.Token != nil && n.Token.Type == token.StringType
	case *ast.LiteralNode:
		v.kind, v.s = text, n.Value.Value
	case *ast.TagNode:
		inner, prob := c.convert(n.Value, depth+1)
		if prob == nil && (inner.kind == number || inner.kind == boolean) && strings.HasSuffix(n.Start.Value, "str") {
			inner.kind = text
		}
		return inner, prob
	case *ast.AnchorNode:
		c.anchors[n.Name.GetToken().Value] = n.Value
		return c.convert(n.Value, depth+1)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := c.anchors[name]
		if !ok {
			return nil, c.p.problem(v.line, v.col, fmt.Sprintf("alias *%s has no anchor &%s before it", name, name), "write the value itself")
		}
		return c.convert(target, depth+1)
	case *ast.SequenceNode:
		v.kind = list
		for _, item := range n.Values {
			iv, prob := c.convert(item, depth+1)
			if prob != nil {
				return nil, prob
			}
			v.items = append(v.items, iv)
		}
	case *ast.MappingNode:
		v.kind = table
		for _, mv := range n.Values {
			if prob := c.entry(v, mv, depth); prob != nil {
				return nil, prob
			}
		}
	case *ast.MappingValueNode:
		v.kind = table
		if prob := c.entry(v, n, depth); prob != nil {
			return nil, prob
		}
	case *ast.CommentGroupNode:
	default:
		return nil, c.p.problem(v.line, v.col, "front matter uses YAML that is not understood here", "write it as key: value")
	}
	return v, nil
}

func (c *yamlConverter) entry(v *value, mv *ast.MappingValueNode, depth int) *diag.Problem {
	val, prob := c.convert(mv.Value, depth+1)
	if prob != nil {
		return prob
	}
	tk := mv.Key.GetToken()
	if mv.Key.IsMergeKey() {
		for _, f := range val.fields {
			if v.get(f.key) == nil {
				v.fields = append(v.fields, f)
			}
		}
		return nil
	}
	key := tk.Value
	if s, ok := mv.Key.(*ast.StringNode); ok {
		key = s.Value
	}
	f := field{key: key, val: val, line: c.p.frontLine + tk.Position.Line - 1, col: tk.Position.Column}
	if i := slices.IndexFunc(v.fields, func(o field) bool { return o.key == key }); i >= 0 {
		v.fields[i] = f // one that was merged
		return nil
	}
	v.fields = append(v.fields, f)
	return nil
}

func (p *parts) decodeTOML() (*value, *diag.Problem) {
	var m map[string]any
	if err := toml.Unmarshal(p.front, &m); err != nil {
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, col := e.Position()
			msg := strings.TrimPrefix(e.Error(), "toml: ")
			remedy := "check the quotes and brackets of this line; text stands in quotes"
			if strings.Contains(msg, "already") {
				remedy = "keep one of them"
			}
			return nil, p.problem(p.frontLine+line-1, col, "front matter is not valid TOML: "+msg, remedy)
		}
		return nil, p.problem(p.frontLine, 1, "front matter is not valid TOML: "+strings.TrimPrefix(err.Error(), "toml: "), "check the quotes and brackets")
	}
	lines := p.tomlLines()
	return fromGo(m, "", lines, p.frontLine), nil
}

// tomlLines tells where each key of a TOML front matter stands, by its dotted name. Keys inside values that span
// lines may be missed: they are then reported at the first line.
func (p *parts) tomlLines() map[string][2]int {
	at := map[string][2]int{}
	prefix := ""
	line := p.frontLine - 1
	for rest := p.front; len(rest) > 0; {
		var l []byte
		l, rest = cutLine(rest)
		line++
		s := strings.TrimSpace(string(l))
		if strings.HasPrefix(s, "[") && !strings.Contains(s, "=") {
			if name := strings.Trim(s, "[] "); name != "" {
				at[name] = [2]int{line, 1}
				prefix = name + "."
			}
			continue
		}
		key, _, ok := strings.Cut(s, "=")
		if !ok {
			continue
		}
		key = strings.Trim(strings.TrimSpace(key), `"'`)
		if _, dup := at[prefix+key]; !dup {
			at[prefix+key] = [2]int{line, 1 + len(l) - len(bytes.TrimLeft(l, " \t"))}
		}
	}
	return at
}

// fromGo turns decoded TOML into a value, keys in order.
func fromGo(x any, name string, at map[string][2]int, first int) *value {
	v := &value{line: first, col: 1}
	if pos, ok := at[name]; ok {
		v.line, v.col = pos[0], pos[1]
	}
	switch x := x.(type) {
	case map[string]any:
		v.kind = table
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			sub := k
			if name != "" {
				sub = name + "." + k
			}
			val := fromGo(x[k], sub, at, v.line)
			v.fields = append(v.fields, field{key: k, val: val, line: val.line, col: val.col})
		}
		slices.SortStableFunc(v.fields, func(a, b field) int { return a.line - b.line })
	case []any:
		v.kind = list
		for _, e := range x {
			v.items = append(v.items, fromGo(e, name, at, v.line))
		}
	case string:
		v.kind, v.s = text, x
	case bool:
		v.kind, v.s = boolean, strconv.FormatBool(x)
	case int64:
		v.kind, v.s = number, strconv.FormatInt(x, 10)
	case float64:
		v.kind, v.s = number, strconv.FormatFloat(x, 'g', -1, 64)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v.kind = text
		}
	case time.Time:
		v.kind, v.t, v.s = moment, x, x.Format(time.RFC3339)
	case toml.LocalDate:
		v.kind, v.t, v.s, v.clock = moment, x.AsTime(time.UTC), x.String(), onWall
	case toml.LocalDateTime:
		v.kind, v.t, v.s, v.clock = moment, x.AsTime(time.UTC), x.String(), onWall
	case toml.LocalTime:
		v.kind, v.s = text, x.String()
	default:
		v.kind, v.s = text, fmt.Sprint(x)
	}
	return v
}

func (p *parts) decodeJSON() (*value, *diag.Problem) {
	// The whole first: only it knows the offset of an error. The tokens then give places and duplicate keys.
	if err := json.Unmarshal(p.front, new(any)); err != nil {
		off := 0
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			off = int(e.Offset) - 1
		}
		line, col := p.position(off)
		return nil, p.problem(line, col, "front matter is not valid JSON: "+strings.TrimPrefix(err.Error(), "json: "), "check its quotes, commas and brackets")
	}
	d := json.NewDecoder(bytes.NewReader(p.front))
	d.UseNumber()
	v, err := p.jsonValue(d, 0)
	if err != nil {
		if e, ok := errors.AsType[*diag.Problem](err); ok {
			return nil, e
		}
		line, col := p.position(int(d.InputOffset()))
		return nil, p.problem(line, col, "front matter is not valid JSON: "+err.Error(), "check its quotes, commas and brackets")
	}
	return v, nil
}

func (p *parts) position(off int) (line, col int) {
	off = min(max(off, 0), len(p.front))
	before := p.front[:off]
	start := bytes.LastIndexByte(before, '\n') + 1
	return p.frontLine + bytes.Count(before, []byte("\n")), utf8.RuneCount(before[start:]) + 1
}

func (p *parts) jsonValue(d *json.Decoder, depth int) (*value, error) {
	tok, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	v := &value{}
	v.line, v.col = p.position(int(d.InputOffset()))
	if depth > maxNesting {
		return nil, p.problem(v.line, v.col, "front matter is nested too deeply", "make it simpler")
	}
	switch tok := tok.(type) {
	case json.Delim:
		switch tok {
		case '{':
			v.kind = table
			for d.More() {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				key, _ := k.(string)
				line, col := p.position(int(d.InputOffset()) - len(key) - 2)
				if v.get(key) != nil {
					return nil, p.problem(line, col, fmt.Sprintf("key %q stands here twice", key), "keep one of them")
				}
				val, err := p.jsonValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				v.fields = append(v.fields, field{key: key, val: val, line: line, col: col})
			}
		case '[':
			v.kind = list
			for d.More() {
				val, err := p.jsonValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				v.items = append(v.items, val)
			}
		}
		if _, err := d.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	case string:
		v.kind, v.s = text, tok
	case json.Number:
		v.kind, v.s = number, tok.String()
	case bool:
		v.kind, v.s = boolean, strconv.FormatBool(tok)
	}
	return v, nil
}

// plainValue is what a value of Extended JSON stands for: its number or its date. Any other is itself.
func (v *value) plainValue() *value {
	if v.kind != table || len(v.fields) != 1 || !strings.HasPrefix(v.fields[0].key, "$") {
		return v
	}
	inner := v.fields[0].val
	out := &value{kind: number, s: inner.s, line: v.line, col: v.col}
	switch v.fields[0].key {
	case "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal":
		return out
	case "$date":
		if inner.kind == table {
			inner = inner.plainValue()
		}
		out.kind, out.s = text, inner.s
		if ms, err := strconv.ParseInt(inner.s, 10, 64); err == nil {
			out.kind, out.t, out.clock = moment, time.UnixMilli(ms).UTC(), atInstant
			out.s = out.t.Format(time.RFC3339Nano)
		}
		return out
	}
	return v
}

// get returns the value of a key, or nil.
func (v *value) get(key string) *value {
	for i := range v.fields {
		if v.fields[i].key == key {
			return v.fields[i].val
		}
	}
	return nil
}

// lookup follows a dotted name such as "notes.version", without regard to case.
func (v *value) lookup(name string) *value {
	for _, part := range strings.Split(name, ".") {
		if v == nil || v.kind != table {
			return nil
		}
		next := v.get(part)
		if next == nil {
			for i := range v.fields {
				if strings.EqualFold(v.fields[i].key, part) {
					next = v.fields[i].val
				}
			}
		}
		v = next
	}
	return v
}
