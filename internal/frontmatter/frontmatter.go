// Package frontmatter reads what stands before the text of a content file, in YAML, TOML or JSON, with the places of its fields, and
// writes that of documents which freshet stores. It knows languages and values, and nothing of posts.
package frontmatter

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
	"freshet/internal/site"
)

// A Dialect is the language of a front matter.
type Dialect uint8

// The dialects.
const (
	None Dialect = iota // no front matter
	YAML
	TOML
	JSON
)

// Parts are the two halves of a content file.
type Parts struct {
	Dialect   Dialect
	Front     []byte
	FrontLine int // line of the file at which Front begins, from 1
	Body      []byte
	BodyLine  int // line of the file at which Body begins, from 1
}

// A Kind is the type of a front-matter value.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Boolean
	Number
	Text
	Moment
	List
	Table
)

// A Value is what a front matter holds, whatever its language. Scalars keep their spelling, so that a title 1.10 is
// not the number 1.1.
type Value struct {
	Kind   Kind
	Plain  bool // text that stood without quotes
	Text   string
	Time   time.Time
	Clock  Clock // of a moment
	Items  []*Value
	Fields []Field
	line   int // in the file, from 1
	col    int
}

// A Clock is what a moment was written by.
type Clock uint8

// The clocks.
const (
	AtOffset  Clock = iota // with its offset
	OnWall                 // without one: Time is in UTC what the site's time zone is meant by
	AtInstant              // as a database keeps it: in no time zone
)

// A Field is a key with its value, and where the key stands in the file, from 1.
type Field struct {
	Key       string
	Val       *Value
	Line, Col int
}

// maxNesting bounds the depth of front matter, maxNodes its size once its aliases are followed, maxFrontBytes its length.
const (
	maxFrontBytes = 64 << 10 // no longer, because parsers recurse
	maxNesting    = 64
	maxNodes      = 100_000
	maxSimple     = 10_000 // fields of a stored document, because its reader compares each with all
	maxLineDepth  = 256    // of JSON on one line, which a parser without recursion reads
)

// Decode reads a front matter. The value is always a table. Problems have no File.
func (p *Parts) Decode() (v *Value, prob *diag.Problem) {
	defer func() {
		// The YAML library has panicked on malformed input before; for an author that is a mistake in the file.
		if r := recover(); r != nil {
			v, prob = nil, p.Problem(p.FrontLine, 1, "front matter cannot be read", "check its quotes, brackets and indentation")
		}
	}()
	if p.Dialect == YAML && p.Stored() {
		if v, ok := p.storedYAML(); ok {
			return v, nil
		}
	}
	if len(p.Front) > maxFrontBytes {
		return nil, p.Problem(p.FrontLine, 1, fmt.Sprintf("the front matter has more than %d KB", maxFrontBytes>>10), "move text into the body")
	}
	depth := 0
	for i, c := range p.Front {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > 4*maxNesting {
			line, col := p.position(i)
			return nil, p.Problem(line, col, "front matter is nested too deeply", "make it simpler")
		}
	}
	switch p.Dialect {
	case YAML:
		return p.fullYAML()
	case TOML:
		return p.decodeTOML()
	case JSON:
		return p.decodeJSON()
	}
	return &Value{Kind: Table, line: 1, col: 1}, nil
}

// Problem makes an error at a line of the file, clamped to the front matter.
func (p *Parts) Problem(line, col int, message, remedy string) *diag.Problem {
	last := p.FrontLine + bytes.Count(p.Front, []byte("\n"))
	line = min(max(line, p.FrontLine), last)
	return &diag.Problem{Severity: diag.Error, Line: line, Col: max(col, 1), Text: p.LineText(line), Message: message, Remedy: remedy}
}

// LineText returns a line of the front matter by its number in the file.
func (p *Parts) LineText(line int) string {
	rest := p.Front
	for range line - p.FrontLine {
		_, rest = cutLine(rest)
	}
	l, _ := cutLine(rest)
	return string(bytes.TrimRight(l, "\r\n"))
}

func (p *Parts) fullYAML() (*Value, *diag.Problem) {
	if i := tabIndent(p.Front); i >= 0 {
		line := p.FrontLine + bytes.Count(p.Front[:i], []byte("\n"))
		return nil, p.Problem(line, 1, "a tab indents this line, which YAML forbids", "indent with blanks")
	}
	src := bytes.ReplaceAll(p.Front, []byte("\r\n"), []byte("\n"))
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, p.yamlProblem(err)
	}
	c := yamlConverter{p: p, anchors: map[string]ast.Node{}}
	root := &Value{Kind: Table, line: p.FrontLine, col: 1}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v, prob := c.convert(doc.Body, 0)
		if prob != nil {
			return nil, prob
		}
		switch v.Kind {
		case Null:
		case Table:
			root.Fields = append(root.Fields, v.Fields...)
		default:
			return nil, p.Problem(v.line, v.col, "front matter is not a list of keys and values", "write it as key: value, one a line")
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

func (p *Parts) yamlProblem(err error) *diag.Problem {
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
	return p.Problem(p.FrontLine+line-1, col, msg, remedy)
}

type yamlConverter struct {
	p       *Parts
	anchors map[string]ast.Node
	nodes   int
}

func (c *yamlConverter) convert(n ast.Node, depth int) (*Value, *diag.Problem) {
	v := &Value{line: c.p.FrontLine, col: 1}
	if n == nil {
		return v, nil
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		v.line, v.col = c.p.FrontLine+tk.Position.Line-1, tk.Position.Column
	}
	if c.nodes++; depth > maxNesting || c.nodes > maxNodes {
		return nil, c.p.Problem(v.line, v.col, "front matter is nested too deeply", "make it simpler")
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		v.Kind, v.Text = Boolean, strconv.FormatBool(n.Value)
	case *ast.IntegerNode:
		v.Kind, v.Text = Number, n.Token.Value
	case *ast.FloatNode:
		v.Kind, v.Text = Number, n.Token.Value
	case *ast.InfinityNode, *ast.NanNode:
		v.Kind, v.Text = Text, n.GetToken().Value
	case *ast.StringNode:
		v.Kind, v.Text = Text, n.Value
		v.Plain = n.Token != nil && n.Token.Type == token.StringType
	case *ast.LiteralNode:
		v.Kind, v.Text = Text, n.Value.Value
	case *ast.TagNode:
		inner, prob := c.convert(n.Value, depth+1)
		if prob == nil && (inner.Kind == Number || inner.Kind == Boolean) && strings.HasSuffix(n.Start.Value, "str") {
			inner.Kind = Text
		}
		return inner, prob
	case *ast.AnchorNode:
		c.anchors[n.Name.GetToken().Value] = n.Value
		return c.convert(n.Value, depth+1)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := c.anchors[name]
		if !ok {
			return nil, c.p.Problem(v.line, v.col, fmt.Sprintf("alias *%s has no anchor &%s before it", name, name), "write the value itself")
		}
		return c.convert(target, depth+1)
	case *ast.SequenceNode:
		v.Kind = List
		for _, item := range n.Values {
			iv, prob := c.convert(item, depth+1)
			if prob != nil {
				return nil, prob
			}
			v.Items = append(v.Items, iv)
		}
	case *ast.MappingNode:
		v.Kind = Table
		for _, mv := range n.Values {
			if prob := c.entry(v, mv, depth); prob != nil {
				return nil, prob
			}
		}
	case *ast.MappingValueNode:
		v.Kind = Table
		if prob := c.entry(v, n, depth); prob != nil {
			return nil, prob
		}
	case *ast.CommentGroupNode:
	default:
		return nil, c.p.Problem(v.line, v.col, "front matter uses YAML that is not understood here", "write it as key: value")
	}
	return v, nil
}

func (c *yamlConverter) entry(v *Value, mv *ast.MappingValueNode, depth int) *diag.Problem {
	val, prob := c.convert(mv.Value, depth+1)
	if prob != nil {
		return prob
	}
	tk := mv.Key.GetToken()
	if mv.Key.IsMergeKey() {
		for _, f := range val.Fields {
			if v.Get(f.Key) == nil {
				v.Fields = append(v.Fields, f)
			}
		}
		return nil
	}
	key := tk.Value
	if s, ok := mv.Key.(*ast.StringNode); ok {
		key = s.Value
	}
	f := Field{Key: key, Val: val, Line: c.p.FrontLine + tk.Position.Line - 1, Col: tk.Position.Column}
	if i := slices.IndexFunc(v.Fields, func(o Field) bool { return o.Key == key }); i >= 0 {
		v.Fields[i] = f // one that was merged
		return nil
	}
	v.Fields = append(v.Fields, f)
	return nil
}

func (p *Parts) decodeTOML() (*Value, *diag.Problem) {
	var m map[string]any
	if err := toml.Unmarshal(p.Front, &m); err != nil {
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, col := e.Position()
			msg := strings.TrimPrefix(e.Error(), "toml: ")
			remedy := "check the quotes and brackets of this line; text stands in quotes"
			if strings.Contains(msg, "already") {
				remedy = "keep one of them"
			}
			return nil, p.Problem(p.FrontLine+line-1, col, "front matter is not valid TOML: "+msg, remedy)
		}
		return nil, p.Problem(p.FrontLine, 1, "front matter is not valid TOML: "+strings.TrimPrefix(err.Error(), "toml: "), "check the quotes and brackets")
	}
	lines := p.tomlLines()
	return fromGo(m, "", lines, p.FrontLine), nil
}

// tomlLines tells where each key of a TOML front matter stands, by its dotted name. Keys inside values that span
// lines may be missed: they are then reported at the first line.
func (p *Parts) tomlLines() map[string][2]int {
	at := map[string][2]int{}
	prefix := ""
	line := p.FrontLine - 1
	for rest := p.Front; len(rest) > 0; {
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
func fromGo(x any, name string, at map[string][2]int, first int) *Value {
	v := &Value{line: first, col: 1}
	if pos, ok := at[name]; ok {
		v.line, v.col = pos[0], pos[1]
	}
	switch x := x.(type) {
	case map[string]any:
		v.Kind = Table
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
			v.Fields = append(v.Fields, Field{Key: k, Val: val, Line: val.line, Col: val.col})
		}
		slices.SortStableFunc(v.Fields, func(a, b Field) int { return a.Line - b.Line })
	case []any:
		v.Kind = List
		for _, e := range x {
			v.Items = append(v.Items, fromGo(e, name, at, v.line))
		}
	case string:
		v.Kind, v.Text = Text, x
	case bool:
		v.Kind, v.Text = Boolean, strconv.FormatBool(x)
	case int64:
		v.Kind, v.Text = Number, strconv.FormatInt(x, 10)
	case float64:
		v.Kind, v.Text = Number, strconv.FormatFloat(x, 'g', -1, 64)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v.Kind = Text
		}
	case time.Time:
		v.Kind, v.Time, v.Text = Moment, x, x.Format(time.RFC3339)
	case toml.LocalDate:
		v.Kind, v.Time, v.Text, v.Clock = Moment, x.AsTime(time.UTC), x.String(), OnWall
	case toml.LocalDateTime:
		v.Kind, v.Time, v.Text, v.Clock = Moment, x.AsTime(time.UTC), x.String(), OnWall
	case toml.LocalTime:
		v.Kind, v.Text = Text, x.String()
	default:
		v.Kind, v.Text = Text, fmt.Sprint(x)
	}
	return v
}

func (p *Parts) decodeJSON() (*Value, *diag.Problem) {
	// The whole first: only it knows the offset of an error. The tokens then give places and duplicate keys.
	if err := json.Unmarshal(p.Front, new(any)); err != nil {
		off := 0
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			off = int(e.Offset) - 1
		}
		line, col := p.position(off)
		return nil, p.Problem(line, col, "front matter is not valid JSON: "+strings.TrimPrefix(err.Error(), "json: "), "check its quotes, commas and brackets")
	}
	d := json.NewDecoder(bytes.NewReader(p.Front))
	d.UseNumber()
	v, err := p.jsonValue(d, 0)
	if err != nil {
		if e, ok := errors.AsType[*diag.Problem](err); ok {
			return nil, e
		}
		line, col := p.position(int(d.InputOffset()))
		return nil, p.Problem(line, col, "front matter is not valid JSON: "+err.Error(), "check its quotes, commas and brackets")
	}
	return v, nil
}

func (p *Parts) position(off int) (line, col int) {
	off = min(max(off, 0), len(p.Front))
	before := p.Front[:off]
	start := bytes.LastIndexByte(before, '\n') + 1
	return p.FrontLine + bytes.Count(before, []byte("\n")), utf8.RuneCount(before[start:]) + 1
}

func (p *Parts) jsonValue(d *json.Decoder, depth int) (*Value, error) {
	tok, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	v := &Value{}
	v.line, v.col = p.position(int(d.InputOffset()))
	if depth > maxNesting {
		return nil, p.Problem(v.line, v.col, "front matter is nested too deeply", "make it simpler")
	}
	switch tok := tok.(type) {
	case json.Delim:
		switch tok {
		case '{':
			v.Kind = Table
			for d.More() {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				key, _ := k.(string)
				line, col := p.position(int(d.InputOffset()) - len(key) - 2)
				if v.Get(key) != nil {
					return nil, p.Problem(line, col, fmt.Sprintf("key %q stands here twice", key), "keep one of them")
				}
				val, err := p.jsonValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				v.Fields = append(v.Fields, Field{Key: key, Val: val, Line: line, Col: col})
			}
		case '[':
			v.Kind = List
			for d.More() {
				val, err := p.jsonValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				v.Items = append(v.Items, val)
			}
		}
		if _, err := d.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	case string:
		v.Kind, v.Text = Text, tok
	case json.Number:
		v.Kind, v.Text = Number, tok.String()
	case bool:
		v.Kind, v.Text = Boolean, strconv.FormatBool(tok)
	}
	return v, nil
}

// PlainValue is what a value of Extended JSON stands for: its number or its date. Any other is itself.
func (v *Value) PlainValue() *Value {
	if v.Kind != Table || len(v.Fields) != 1 || !strings.HasPrefix(v.Fields[0].Key, "$") {
		return v
	}
	inner := v.Fields[0].Val
	out := &Value{Kind: Number, Text: inner.Text, line: v.line, col: v.col}
	switch v.Fields[0].Key {
	case "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal":
		return out
	case "$date":
		if inner.Kind == Table {
			inner = inner.PlainValue()
		}
		out.Kind, out.Text = Text, inner.Text
		if ms, err := strconv.ParseInt(inner.Text, 10, 64); err == nil {
			out.Kind, out.Time, out.Clock = Moment, time.UnixMilli(ms).UTC(), AtInstant
			out.Text = out.Time.Format(time.RFC3339Nano)
		}
		return out
	}
	return v
}

// Get returns the value of a key, or nil.
func (v *Value) Get(key string) *Value {
	for i := range v.Fields {
		if v.Fields[i].Key == key {
			return v.Fields[i].Val
		}
	}
	return nil
}

// Lookup follows a dotted name such as "notes.version", without regard to case.
func (v *Value) Lookup(name string) *Value {
	for _, part := range strings.Split(name, ".") {
		if v == nil || v.Kind != Table {
			return nil
		}
		next := v.Get(part)
		if next == nil {
			for i := range v.Fields {
				if strings.EqualFold(v.Fields[i].Key, part) {
					next = v.Fields[i].Val
				}
			}
		}
		v = next
	}
	return v
}

// Date returns the date that a value gives. zone is that of a moment without an offset.
func (v *Value) Date(zone *time.Location) (site.Date, bool) {
	if v.Kind != Moment {
		return site.ParseDate(v.Text, zone)
	}
	switch v.Clock {
	case OnWall:
		return site.Date{Time: site.OnWall(v.Time, zone)}, true
	case AtInstant:
		return site.Date{Time: site.In(v.Time, zone)}, true
	}
	_, offset := v.Time.Zone()
	return site.Date{Time: v.Time.In(site.Offset(offset))}, true
}

// Bool returns what a value says of true and false; ok is false if it says neither.
func (v *Value) Bool() (b, ok bool) {
	switch strings.ToLower(v.Text) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}
