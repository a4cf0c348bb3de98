package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/pelletier/go-toml/v2/unstable"

	"freshet/internal/diag"
)

// A node is a value of a settings file and its position. It is the same for YAML, TOML and JSON.
type node struct {
	key       string // its name in the mapping around it
	line, col int    // of the key, from 1; col counts characters
	shape     shape
	text      string // of a scalar: as written, without quotes
	valLine   int    // of a scalar
	valCol    int
	children  []*node // of a mapping; of a list, without keys
}

type shape int

const (
	scalar shape = iota
	mapping
	list
	null
)

// A settingsFile is the text of a settings file. Problems show its lines.
type settingsFile struct {
	name  string
	lines []string
}

// problem makes a problem at a position of the file.
func (f *settingsFile) problem(line, col int, message, remedy string) diag.Problem {
	p := diag.Problem{Severity: diag.Error, File: f.name, Line: line, Col: col, Message: message, Remedy: remedy}
	if line > 0 && line <= len(f.lines) {
		p.Text = strings.TrimRight(f.lines[line-1], "\r")
		p.Col = min(col, utf8.RuneCountInString(p.Text)+1)
	}
	return p
}

// parseSettingsFile parses data, the content of the file called name. A syntax error is the only problem of its file.
func parseSettingsFile(name string, data []byte) (*settingsFile, *node, []diag.Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	f := &settingsFile{name: filepath.ToSlash(name), lines: strings.Split(string(data), "\n")}
	if !utf8.Valid(data) {
		return f, nil, []diag.Problem{f.problem(0, 0, "the file is not UTF-8 text", "save it as UTF-8")}
	}
	var root *node
	var err error
	switch strings.ToLower(filepath.Ext(name)) {
	case ".toml":
		root, err = parseTOML(data)
	case ".json":
		root, err = parseJSON(data)
	default:
		root, err = parseYAML(data)
	}
	if err != nil {
		if se, ok := errors.AsType[*syntaxError](err); ok {
			return f, nil, []diag.Problem{f.problem(se.line, se.col, se.message, "")}
		}
		return f, nil, []diag.Problem{f.problem(0, 0, err.Error(), "")}
	}
	return f, root, nil
}

// A syntaxError is the first syntax error of a file.
type syntaxError struct {
	line, col int
	message   string
}

func (e *syntaxError) Error() string { return e.message }

func parseYAML(data []byte) (*node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		// goccy's syntax errors have these two methods; their type is internal to it.
		if at, ok := err.(interface {
			GetToken() *token.Token
			GetMessage() string
		}); ok && at.GetToken() != nil && at.GetToken().Position != nil {
			pos := at.GetToken().Position
			return nil, &syntaxError{pos.Line, pos.Column, at.GetMessage()}
		}
		return nil, err
	}
	root := &node{shape: mapping}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			pos := doc.Body.GetToken().Position
			return nil, &syntaxError{pos.Line, pos.Column, "a settings file holds one document, not several"}
		}
		n, err := yamlNode(doc.Body)
		if err != nil {
			return nil, err
		}
		switch n.shape {
		case mapping:
			root = n
		case null:
		default:
			return nil, &syntaxError{n.valLine, n.valCol, "settings are keys with values, such as listen: \":8080\""}
		}
	}
	return root, nil
}

func yamlNode(v ast.Node) (*node, error) {
	tk := v.GetToken()
	n := &node{valLine: tk.Position.Line, valCol: tk.Position.Column}
	switch v := v.(type) {
	case *ast.MappingNode:
		n.shape = mapping
		for _, pair := range v.Values {
			child, err := yamlPair(pair)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		}
	case *ast.MappingValueNode:
		n.shape = mapping
		child, err := yamlPair(v)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, child)
	case *ast.SequenceNode:
		n.shape = list
		for _, item := range v.Values {
			child, err := yamlNode(item)
			if err != nil {
				return nil, err
			}
			child.line, child.col = child.valLine, child.valCol
			n.children = append(n.children, child)
		}
	case *ast.NullNode:
		n.shape = null
	case *ast.StringNode:
		n.text = v.Value
	case *ast.LiteralNode:
		n.text = strings.TrimSuffix(v.Value.Value, "\n")
	case *ast.AnchorNode:
		return yamlNode(v.Value)
	case *ast.TagNode:
		return yamlNode(v.Value)
	case *ast.AliasNode:
		return nil, &syntaxError{n.valLine, n.valCol, "settings cannot refer to other values with *"}
	default: // numbers and booleans, as written
		n.text = tk.Value
	}
	return n, nil
}

func yamlPair(pair *ast.MappingValueNode) (*node, error) {
	tk := pair.Key.GetToken()
	if pair.Key.IsMergeKey() {
		return nil, &syntaxError{tk.Position.Line, tk.Position.Column, "settings cannot be merged with <<"}
	}
	n, err := yamlNode(pair.Value)
	if err != nil {
		return nil, err
	}
	n.key, n.line, n.col = tk.Value, tk.Position.Line, tk.Position.Column
	return n, nil
}

// position turns a byte offset into a line and a column in characters.
func position(data []byte, offset int) (line, col int) {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

func parseJSON(data []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	root, err := jsonNode(d, data)
	if err == nil && root.shape != mapping {
		err = &syntaxError{1, 1, "settings are an object: {\"listen\": \":8080\"}"}
	}
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			line, col := position(data, int(d.InputOffset()))
			err = &syntaxError{line, col, "there is more after the settings' closing brace"}
		}
	}
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, col := position(data, int(max(se.Offset-1, 0)))
		return nil, &syntaxError{line, col, se.Error()}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		line, col := position(data, len(data))
		return nil, &syntaxError{line, col, "the file ends in the middle of a value"}
	}
	return root, err
}

// nextValue returns the offset of the next token at or after offset.
func nextValue(data []byte, offset int) int {
	for offset < len(data) && strings.ContainsRune(" \t\r\n,:", rune(data[offset])) {
		offset++
	}
	return offset
}

func jsonNode(d *json.Decoder, data []byte) (*node, error) {
	n := &node{}
	n.valLine, n.valCol = position(data, nextValue(data, int(d.InputOffset())))
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		n.shape = list
		if tok == '{' {
			n.shape = mapping
		}
		for d.More() {
			line, col := position(data, nextValue(data, int(d.InputOffset())))
			key := ""
			if n.shape == mapping {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				key, _ = k.(string) // an object's keys are strings: Token has checked
			}
			child, err := jsonNode(d, data)
			if err != nil {
				return nil, err
			}
			child.key, child.line, child.col = key, line, col
			n.children = append(n.children, child)
		}
		_, err = d.Token()
	case nil:
		n.shape = null
	default:
		n.text = fmt.Sprint(tok)
	}
	return n, err
}

func parseTOML(data []byte) (*node, error) {
	var p unstable.Parser
	p.Reset(data)
	root := &node{shape: mapping}
	table := root
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			if e.Kind == unstable.Table {
				table = tomlDescend(data, root, e.Key(), true)
				continue
			}
			table = tomlItem(data, root, e.Key())
		case unstable.KeyValue:
			tomlPair(data, table, e)
		}
	}
	if err := p.Error(); err != nil {
		if pe, ok := errors.AsType[*unstable.ParserError](err); ok {
			line, col := position(data, max(cap(data)-cap(pe.Highlight), 0)) // Highlight is a part of data
			return nil, &syntaxError{line, col, pe.Message}
		}
		return nil, err
	}
	return root, nil
}

// tomlDescend follows a dotted key from parent, and adds the mappings that are missing. It always adds a new node for the
// last part, unless reopen is set: the loader then sees a key that is given twice.
func tomlDescend(data []byte, parent *node, key unstable.Iterator, reopen bool) *node {
	for key.Next() {
		k := key.Node()
		name := string(k.Data)
		i := slices.IndexFunc(parent.children, func(c *node) bool { return c.key == name && c.shape == mapping })
		if i >= 0 && (reopen || !key.IsLast()) {
			parent = parent.children[i]
			continue
		}
		n := tomlNode(data, k, mapping)
		parent.children = append(parent.children, n)
		parent = n
	}
	return parent
}

// tomlItem adds a mapping to the list of tables that a dotted key names.
func tomlItem(data []byte, root *node, key unstable.Iterator) *node {
	var names []*unstable.Node
	for key.Next() {
		names = append(names, key.Node())
	}
	last := names[len(names)-1]
	parent := root
	for _, k := range names[:len(names)-1] {
		i := slices.IndexFunc(parent.children, func(c *node) bool { return c.key == string(k.Data) && c.shape == mapping })
		if i < 0 {
			parent.children = append(parent.children, tomlNode(data, k, mapping))
			i = len(parent.children) - 1
		}
		parent = parent.children[i]
	}
	i := slices.IndexFunc(parent.children, func(c *node) bool { return c.key == string(last.Data) && c.shape == list })
	if i < 0 {
		parent.children = append(parent.children, tomlNode(data, last, list))
		i = len(parent.children) - 1
	}
	item := tomlNode(data, last, mapping)
	item.key = ""
	parent.children[i].children = append(parent.children[i].children, item)
	return item
}

func tomlNode(data []byte, k *unstable.Node, s shape) *node {
	n := &node{key: string(k.Data), shape: s}
	n.line, n.col = position(data, int(k.Raw.Offset))
	n.valLine, n.valCol = n.line, n.col
	return n
}

func tomlPair(data []byte, table *node, pair *unstable.Node) {
	n := tomlDescend(data, table, pair.Key(), false)
	v := pair.Value()
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if child := it.Node(); child.Kind == unstable.KeyValue {
				tomlPair(data, n, child)
			}
		}
	case unstable.Array:
		n.shape = list
		for it := v.Children(); it.Next(); {
			item := it.Node()
			child := &node{text: string(item.Data)}
			child.valLine, child.valCol = position(data, int(item.Raw.Offset))
			child.line, child.col = child.valLine, child.valCol
			switch item.Kind {
			case unstable.Array:
				child.shape = list
			case unstable.InlineTable:
				child.shape = mapping
				for pairs := item.Children(); pairs.Next(); {
					if p := pairs.Node(); p.Kind == unstable.KeyValue {
						tomlPair(data, child, p)
					}
				}
			}
			n.children = append(n.children, child)
		}
	default:
		n.shape = scalar
		n.text = string(v.Data)
		n.valLine, n.valCol = position(data, int(v.Raw.Offset))
	}
}
