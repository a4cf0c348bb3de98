package contentdir

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// storedYAML reads the YAML that freshet writes documents of MongoDB in: keys at the margin, each with a scalar or with JSON on its line.
// Such a document may be long and deep, which the library's parser does not bear, and its JSON has escapes that YAML reads
// differently. It gives up (ok false) on anything else, errors among them, so that the library judges; a fuzz test holds both to the
// same values.
func (p *parts) storedYAML() (v *value, ok bool) {
	root := &value{kind: table, line: p.frontLine, col: 1}
	line := p.frontLine - 1
	rest := p.front
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
		if !found || len(root.fields) >= maxSimple || root.get(key) != nil {
			return nil, false
		}
		arg := strings.Trim(after, " ")
		if arg == "" || arg[0] == '#' {
			return nil, false
		}
		var val *value
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
		root.fields = append(root.fields, field{key: key, val: val, line: line, col: 1})
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
func jsonLine(s string, line int) (*value, bool) {
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

func jsonItem(d *json.Decoder, line, depth int) (*value, bool) {
	tok, err := d.Token()
	if err != nil || depth > maxLineDepth {
		return nil, false
	}
	v := &value{line: line, col: 1}
	switch tok := tok.(type) {
	case json.Delim:
		v.kind = list
		if tok == '{' {
			v.kind = table
		}
		for d.More() {
			f := field{line: line, col: 1}
			if v.kind == table {
				k, err := d.Token()
				if err != nil {
					return nil, false
				}
				f.key, _ = k.(string)
				if v.get(f.key) != nil || f.key == "<<" {
					return nil, false
				}
			}
			var ok bool
			if f.val, ok = jsonItem(d, line, depth+1); !ok {
				return nil, false
			}
			if v.kind == table {
				v.fields = append(v.fields, f)
			} else {
				v.items = append(v.items, f.val)
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, false
		}
	case string:
		v.kind, v.s = text, tok
	case json.Number:
		v.kind, v.s = number, tok.String()
		if !simpleNumber(v.s) {
			return nil, false
		}
	case bool:
		v.kind, v.s = boolean, strconv.FormatBool(tok)
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

// simpleTime reports a moment as this package writes it: 2006-01-02T15:04:05Z, with a fraction or without.
func simpleTime(s string) bool {
	if len(s) < 20 || len(s) > 30 || s[10] != 'T' || s[len(s)-1] != 'Z' {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// simpleScalar reads one scalar that ends with its line.
func simpleScalar(s string) (*value, bool) {
	s = strings.TrimRight(s, " ")
	if s == "" {
		return &value{}, true
	}
	switch c := s[0]; {
	case c == '"':
		if len(s) < 2 || strings.IndexByte(s[1:], '"') != len(s)-2 || strings.IndexByte(s, '\\') >= 0 {
			return nil, false
		}
		return &value{kind: text, s: s[1 : len(s)-1]}, true
	case c == '\'':
		if len(s) < 2 || strings.IndexByte(s[1:], '\'') != len(s)-2 {
			return nil, false
		}
		return &value{kind: text, s: s[1 : len(s)-1]}, true
	case isLetter(c) || c >= 0x80:
	case c >= '0' && c <= '9':
		if digits := strings.TrimLeft(s, "0123456789"); digits == "" && (len(s) == 1 || c != '0') && len(s) < 18 {
			return &value{kind: number, s: s}, true
		} else if len(s) == 10 && len(digits) == 6 && digits[0] == '-' && digits[3] == '-' && strings.Trim(digits, "0123456789-") == "" {
			return &value{kind: text, s: s, plain: true}, true // 2024-01-02
		} else if simpleNumber(s) {
			return &value{kind: number, s: s}, true
		} else if simpleTime(s) {
			return &value{kind: text, s: s, plain: true}, true
		}
		return nil, false
	case c == '-' && simpleNumber(s):
		return &value{kind: number, s: s}, true
	default:
		return nil, false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return nil, false
	}
	switch strings.ToLower(s) {
	case "on", "off":
		return &value{kind: text, s: s, plain: true}, true
	case "true", "false":
		if s == "true" || s == "false" {
			return &value{kind: boolean, s: s}, true
		}
		return nil, false
	case "null", "yes", "no", "y", "n", "nan", "inf":
		return nil, false
	}
	return &value{kind: text, s: s, plain: true}, true
}
