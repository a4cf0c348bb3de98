package frontmatter

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"freshet/internal/extjson"
)

// OriginMongoDB is the value of the key origin in files that hold documents of MongoDB's.
const OriginMongoDB = "mongodb"

// Stored reports whether the front matter may be that of a document of MongoDB's.
func (p *Parts) Stored() bool {
	return p.Dialect != None && bytes.Contains(p.Front, []byte("origin")) && bytes.Contains(p.Front, []byte(OriginMongoDB))
}

// storedYAML reads the YAML that freshet writes documents of MongoDB in: keys at the margin, each with a scalar or with JSON on its line.
// Such a document may be long and deep, which the library's parser does not bear, and its JSON has escapes that YAML reads
// differently. It gives up (ok false) on anything else, errors among them, so that the library judges; a fuzz test holds both to the
// same values.
func (p *Parts) storedYAML() (v *Value, ok bool) {
	root := &Value{Kind: Table, line: p.FrontLine, col: 1}
	line := p.FrontLine - 1
	rest := p.Front
	for len(rest) > 0 {
		var raw []byte
		raw, rest = cutLine(rest)
		line++
		s := string(bytes.TrimRight(raw, "\r\n"))
		if strings.IndexByte(s, '\t') >= 0 || !printable(s) {
			return nil, false
		}
		if t := strings.TrimLeft(s, " "); t == "" || t[0] == '#' {
			continue
		}
		key, after, found := strings.Cut(s, ": ")
		if s[0] == '"' {
			key, after, found = quotedKey(s)
		} else {
			found = found && simpleKey(key)
		}
		if !found || len(root.Fields) >= maxSimple || root.Get(key) != nil {
			return nil, false
		}
		arg := strings.Trim(after, " ")
		if arg == "" || arg[0] == '#' {
			return nil, false
		}
		var val *Value
		switch {
		case arg[0] == '[', arg[0] == '{', arg[0] == '"' && strings.IndexByte(arg, '\\') >= 0:
			val, ok = jsonLine(arg, line)
		default:
			val, ok = simpleScalar(arg)
		}
		if !ok {
			return nil, false
		}
		val.line, val.col = line, len(s)-len(strings.TrimLeft(after, " "))+1
		root.Fields = append(root.Fields, Field{Key: key, Val: val, Line: line, Col: 1})
	}
	return root, true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return !strings.ContainsAny(s, "\u0085\u2028\u2029\ufeff")
}

func simpleKey(s string) bool {
	if s == "" || !isLetter(s[0]) && s[0] != '_' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '-' && !(c == ':' && i+1 < len(s) && isLetter(s[i+1])) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

// quotedKey reads a key in quotes and what follows its colon.
func quotedKey(s string) (key, after string, ok bool) {
	end := 1
	for ; end < len(s) && s[end] != '"'; end++ {
		if s[end] == '\\' {
			end++
		}
	}
	if end >= len(s) || json.Unmarshal([]byte(s[:end+1]), &key) != nil || surrogate(s[:end]) {
		return "", "", false
	}
	after, ok = strings.CutPrefix(s[end+1:], ": ")
	return key, after, ok && key != "<<"
}

// surrogate reports escapes that JSON and YAML may read differently.
func surrogate(s string) bool { return strings.Contains(s, `\ud`) || strings.Contains(s, `\uD`) }

// jsonLine reads a value that is JSON and ends with its line. All that is in it stands at the line's beginning.
func jsonLine(s string, line int) (*Value, bool) {
	if surrogate(s) {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	v, ok := jsonItem(d, line, 0)
	if !ok {
		return nil, false
	}
	_, err := d.Token()
	return v, errors.Is(err, io.EOF)
}

func jsonItem(d *json.Decoder, line, depth int) (*Value, bool) {
	tok, err := d.Token()
	if err != nil || depth > maxLineDepth {
		return nil, false
	}
	v := &Value{line: line, col: 1}
	switch tok := tok.(type) {
	case json.Delim:
		v.Kind = List
		if tok == '{' {
			v.Kind = Table
		}
		for d.More() {
			f := Field{Line: line, Col: 1}
			if v.Kind == Table {
				k, err := d.Token()
				if err != nil {
					return nil, false
				}
				f.Key, _ = k.(string)
				if v.Get(f.Key) != nil || f.Key == "<<" {
					return nil, false
				}
			}
			var ok bool
			if f.Val, ok = jsonItem(d, line, depth+1); !ok {
				return nil, false
			}
			if v.Kind == Table {
				v.Fields = append(v.Fields, f)
			} else {
				v.Items = append(v.Items, f.Val)
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, false
		}
	case string:
		v.Kind, v.Text = Text, tok
	case json.Number:
		v.Kind, v.Text = Number, tok.String()
		if !simpleNumber(v.Text) {
			return nil, false
		}
	case bool:
		v.Kind, v.Text = Boolean, strconv.FormatBool(tok)
	}
	return v, true
}

// simpleNumber reports a decimal number that all parsers read alike.
func simpleNumber(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if point && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return false
	}
	return whole != "" && strings.Trim(whole, "0123456789") == "" && (len(whole) == 1 || whole[0] != '0') && (len(s) < 18 || point && len(s) < 40) && s != "-0"
}

// SimpleTime reports a moment as this package writes it: 2006-01-02T15:04:05Z, with a fraction or without.
func SimpleTime(s string) bool {
	if len(s) < 20 || len(s) > 30 || s[10] != 'T' || s[len(s)-1] != 'Z' {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// simpleScalar reads one scalar that ends with its line.
func simpleScalar(s string) (*Value, bool) {
	s = strings.TrimRight(s, " ")
	if s == "" {
		return &Value{}, true
	}
	switch c := s[0]; {
	case c == '"':
		if len(s) < 2 || strings.IndexByte(s[1:], '"') != len(s)-2 || strings.IndexByte(s, '\\') >= 0 {
			return nil, false
		}
		return &Value{Kind: Text, Text: s[1 : len(s)-1]}, true
	case c == '\'':
		if len(s) < 2 || strings.IndexByte(s[1:], '\'') != len(s)-2 {
			return nil, false
		}
		return &Value{Kind: Text, Text: s[1 : len(s)-1]}, true
	case isLetter(c) || c >= 0x80:
	case c >= '0' && c <= '9':
		if digits := strings.TrimLeft(s, "0123456789"); digits == "" && (len(s) == 1 || c != '0') && len(s) < 18 {
			return &Value{Kind: Number, Text: s}, true
		} else if len(s) == 10 && len(digits) == 6 && digits[0] == '-' && digits[3] == '-' && strings.Trim(digits, "0123456789-") == "" {
			return &Value{Kind: Text, Text: s, Plain: true}, true // 2024-01-02
		} else if simpleNumber(s) {
			return &Value{Kind: Number, Text: s}, true
		} else if SimpleTime(s) {
			return &Value{Kind: Text, Text: s, Plain: true}, true
		}
		return nil, false
	case c == '-' && simpleNumber(s):
		return &Value{Kind: Number, Text: s}, true
	default:
		return nil, false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return nil, false
	}
	switch strings.ToLower(s) {
	case "on", "off":
		return &Value{Kind: Text, Text: s, Plain: true}, true
	case "true", "false":
		if s == "true" || s == "false" {
			return &Value{Kind: Boolean, Text: s}, true
		}
		return nil, false
	case "null", "yes", "no", "y", "n", "nan", "inf":
		return nil, false
	}
	return &Value{Kind: Text, Text: s, Plain: true}, true
}

// AppendField appends the line of a field to the front matter of a stored document.
func AppendField(b []byte, key string, v extjson.Value) []byte {
	if simpleKey(key) {
		b = append(b, key...)
	} else {
		b = extjson.Text(key).Append(b, extjson.Exact)
	}
	b = append(b, ": "...)
	return append(append(b, scalar(v)...), '\n')
}

// scalar writes a value as front matter has it: text and dates plain where they read back as they are, else JSON.
func scalar(v extjson.Value) string {
	switch v.Type {
	case extjson.String:
		return PlainText(v.Text)
	case extjson.Date:
		t := time.UnixMilli(v.Int).UTC()
		if s := t.Format("2006-01-02T15:04:05.999Z"); t.Year() >= 1 && t.Year() <= 9999 && SimpleTime(s) {
			return s
		}
	}
	return string(v.Append(nil, extjson.Exact))
}

// PlainText writes text without quotes where it reads back as it is, else as JSON.
func PlainText(s string) string {
	if s != "" && (isLetter(s[0]) || s[0] >= 0x80) && strings.TrimSpace(s) == s && printable(s) {
		if v, ok := simpleScalar(s); ok && v.Kind == Text && v.Plain && v.Text == s {
			return s
		}
	}
	return string(extjson.Text(s).Append(nil, extjson.Exact))
}
