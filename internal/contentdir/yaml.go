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

// simpleYAML reads the YAML that nearly all front matter is written in: keys at the margin with plain or quoted
// scalars, lists of them in brackets or with dashes, and values that are JSON on one line. It is some forty times faster than the full parser. It gives up
// (ok false) on anything else, errors among them, so that only the full parser judges; a fuzz test holds both to the
// same values.
func (p *parts) simpleYAML() (v *value, ok bool) {
	root := &value{kind: table, line: p.frontLine, col: 1}
	line := p.frontLine - 1
	var open *value // the value of the last key while lines with dashes may follow
	rest := p.front
	for len(rest) > 0 {
		var raw []byte
		raw, rest = cutLine(rest)
		line++
		s := string(bytes.TrimRight(raw, "\r\n"))
		if strings.IndexByte(s, '\t') >= 0 || !printable(s) {
			return nil, false
		}
		t := strings.TrimLeft(s, " ")
		switch {
		case t == "":
			continue
		case t[0] == '#':
			continue
		case len(t) != len(s) || t[0] == '-':
			if open == nil || !strings.HasPrefix(t, "- ") || strings.HasPrefix(s, "---") {
				return nil, false
			}
			indent := len(s) - len(t)
			if open.kind == list && open.items[0].col != indent+3+len(t[2:])-len(strings.TrimLeft(t[2:], " ")) {
				return nil, false
			}
			arg := strings.TrimLeft(t[2:], " ")
			item, ok := simpleScalar(arg)
			if !ok || item.kind == null || strings.HasPrefix(arg, "- ") {
				return nil, false
			}
			item.line, item.col = line, len(s)-len(arg)+1
			open.kind = list
			open.items = append(open.items, item)
			continue
		}
		key, after, found := strings.Cut(s, ": ")
		if s[0] == '"' {
			if key, after, found = quotedKey(s); !found {
				return nil, false
			}
		} else {
			if !found {
				if key, found = strings.CutSuffix(s, ":"); !found {
					return nil, false
				}
			}
			if !simpleKey(key) {
				return nil, false
			}
		}
		after = " " + after
		if len(root.fields) >= maxSimple {
			return nil, false
		}
		for i := range root.fields {
			if root.fields[i].key == key {
				return nil, false
			}
		}
		arg := strings.Trim(after, " ")
		var val *value
		lines := 0
		switch {
		case strings.HasPrefix(arg, "["):
			if val, ok = simpleList(arg, line); !ok {
				val, ok = jsonLine(arg, line)
			}
		case strings.HasPrefix(arg, "{"), strings.HasPrefix(arg, `"`) && strings.IndexByte(arg, '\\') >= 0:
			val, ok = jsonLine(arg, line)
		case arg == ">-" || arg == "|-":
			val, rest, lines, ok = simpleBlock(rest, arg[0] == '>')
		default:
			val, ok = simpleScalar(arg)
		}
		if !ok {
			return nil, false
		}
		val.line, val.col = line, len(s)-len(strings.TrimLeft(after, " "))+1
		open = nil
		if val.kind == null && (arg == "" || arg[0] == '#') {
			open = val
		}
		root.fields = append(root.fields, field{key: key, val: val, line: line, col: 1})
		line += lines
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

// simpleBlock reads the lines of a block scalar that are all indented alike, without blank ones between.
func simpleBlock(b []byte, folded bool) (v *value, rest []byte, lines int, ok bool) {
	var parts []string
	indent := 0
	for len(b) > 0 {
		raw, more := cutLine(b)
		s := string(bytes.TrimRight(raw, "\r\n"))
		t := strings.TrimLeft(s, " ")
		n := len(s) - len(t)
		if t == "" || !printable(s) || len(more) == 0 && raw[len(raw)-1] != '\n' {
			return nil, nil, 0, false
		}
		if n == 0 {
			break
		}
		if indent == 0 {
			indent = n
		}
		if n != indent || strings.TrimRight(t, " ") != t || t[0] == '#' {
			return nil, nil, 0, false
		}
		parts = append(parts, t)
		b = more
	}
	if len(parts) == 0 {
		return nil, nil, 0, false
	}
	sep := "\n"
	if folded {
		sep = " "
	}
	return &value{kind: text, s: strings.Join(parts, sep)}, b, len(parts), true
}

// simpleList reads [a, "b", c] on one line.
func simpleList(s string, line int) (*value, bool) {
	if !strings.HasSuffix(s, "]") {
		return nil, false
	}
	v := &value{kind: list}
	inner := strings.Trim(s[1:len(s)-1], " ")
	if inner == "" {
		return v, true
	}
	for _, part := range strings.Split(inner, ",") {
		part = strings.Trim(part, " ")
		if part == "" {
			return nil, false
		}
		quoted := part[0] == '"' || part[0] == '\''
		if !quoted && strings.ContainsAny(part, "[]{}:&*#?|<>=!%@`\"'") {
			return nil, false
		}
		item, ok := simpleScalar(part)
		if !ok {
			return nil, false
		}
		item.line, item.col = line, 1
		v.items = append(v.items, item)
	}
	return v, true
}
