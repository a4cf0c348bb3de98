package shortcodes

import "strings"

// IsMDX reports whether a Markdown file is written for components: by its name, or because it begins with imports.
func IsMDX(name, body string) bool {
	if strings.HasSuffix(strings.ToLower(name), ".mdx") {
		return true
	}
	s := strings.TrimLeft(body, " \t\r\n")
	if !strings.HasPrefix(s, "import ") {
		return false
	}
	line, _, _ := strings.Cut(s, "\n")
	return importLine(line)
}

func importLine(line string) bool {
	line = strings.TrimRight(line, " \t\r;")
	if !strings.HasPrefix(line, "import ") || len(line) < 10 {
		return false
	}
	q := line[len(line)-1]
	return (q == '\'' || q == '"') && (strings.Contains(line, " from ") || line[7] == q)
}

// moduleLine returns where the import or export that begins at i ends; 0: it is text.
func (t *translator) moduleLine(i int) int {
	rest := t.src[i:]
	line, _, _ := strings.Cut(rest, "\n")
	if importLine(line) {
		return i + len(line)
	}
	multi := strings.HasPrefix(line, "import {") || strings.HasPrefix(line, "import * as ")
	for _, p := range [...]string{"export const ", "export default ", "export let ", "export var ", "export function ", "export {", "export * "} {
		multi = multi || strings.HasPrefix(line, p)
	}
	if !multi {
		return 0
	}
	// A statement goes on to the next blank line outside brackets.
	depth := 0
	for at := 0; at < len(rest) && at < maxSpanBytes; {
		l, _, more := strings.Cut(rest[at:], "\n")
		for j := range len(l) {
			switch l[j] {
			case '{', '(', '[':
				depth++
			case '}', ')', ']':
				depth--
			}
		}
		at += len(l)
		if depth <= 0 || !more {
			return i + at
		}
		at++
	}
	t.noModule = i + maxSpanBytes
	return 0
}

// braceEnd returns the length of the {…} that s begins with, on balanced braces; 0: none.
func braceEnd(s string) int {
	depth := 0
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote && s[i-1] != '\\' {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case c == '\n' && i+1 < len(s) && s[i+1] == '\n' && depth <= 1:
			return 0
		}
	}
	return 0
}

// jsx reads the tag that begins with "<" at i: a component, a fragment, or an HTML tag with JSX attributes.
func (t *translator) jsx(i int) (piece, bool) {
	s := t.src[i:min(len(t.src), i+maxTagBytes)]
	j := 1
	closing := false
	if j < len(s) && s[j] == '/' {
		closing = true
		j++
	}
	start := j
	for j < len(s) && (isLetter(s[j]) || s[j] >= '0' && s[j] <= '9' || s[j] == '.' || s[j] == '-' || s[j] == '_' || s[j] == ':') {
		j++
	}
	name := s[start:j]
	if strings.Contains(name, "://") || strings.HasSuffix(name, ":") || name == "" && !strings.HasPrefix(s[j:], ">") {
		return piece{}, false
	}
	var args []arg
	changed := false
	for {
		for j < len(s) && (s[j] == ' ' || s[j] == '\n' || s[j] == '\t' || s[j] == '\r') {
			j++
		}
		if j >= len(s) {
			return piece{}, false
		}
		if s[j] == '>' || strings.HasPrefix(s[j:], "/>") {
			break
		}
		if s[j] == '{' { // {...props}
			e := 0
			if t.within("}", i+j, maxTagBytes) {
				e = braceEnd(s[j:])
			}
			if e == 0 {
				return piece{}, false
			}
			j += e
			changed = true
			continue
		}
		k := j
		for k < len(s) && (isLetter(s[k]) || s[k] >= '0' && s[k] <= '9' || s[k] == '-' || s[k] == '_' || s[k] == ':') {
			k++
		}
		if k == j {
			return piece{}, false
		}
		a := arg{name: s[j:k], val: "true"}
		j = k
		if j < len(s) && s[j] == '=' {
			j++
			switch {
			case j < len(s) && (s[j] == '"' || s[j] == '\''):
				e := strings.IndexByte(s[j+1:], s[j])
				if e < 0 {
					return piece{}, false
				}
				a.val = s[j+1 : j+1+e]
				j += e + 2
			case j < len(s) && s[j] == '{':
				e := braceEnd(s[j:])
				if e == 0 {
					return piece{}, false
				}
				v := strings.TrimSpace(s[j+1 : j+e-1])
				j += e
				changed = true
				if len(v) >= 2 && strings.IndexByte("\"'`", v[0]) >= 0 && v[len(v)-1] == v[0] {
					a.val = v[1 : len(v)-1]
				} else if isNumber(v) {
					a.val = v
				} else {
					continue
				}
			default:
				k = j
				for k < len(s) && strings.IndexByte(" \t\n>", s[k]) < 0 {
					k++
				}
				a.val = s[j:k]
				j = k
			}
		}
		if a.name == "className" {
			a.name, changed = "class", true
		}
		args = append(args, a)
	}
	self := strings.HasPrefix(s[j:], "/>")
	end := j + 1
	if self {
		end++
	}
	tok := piece{syntax: component, start: i, end: i + end, name: name, args: args, close: closing, self: self}
	if name == "" {
		tok.syntax = replaced // <> and </>
		return tok, true
	}
	if c := name[0]; c >= 'A' && c <= 'Z' || strings.Contains(name, ".") {
		return tok, true
	}
	if !changed {
		return piece{}, false
	}
	var b strings.Builder
	b.WriteString("<" + name)
	for _, a := range args {
		b.WriteString(" " + a.name + `="` + attr(a.val) + `"`)
	}
	b.WriteString(">" + strings.Repeat("\n", strings.Count(s[:end], "\n")))
	return piece{syntax: replaced, start: i, end: i + end, text: b.String()}, true
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789.-") == "" }

// jsExpression translates {…} in MDX: comments vanish, strings stay, front matter is looked up.
func (t *translator) jsExpression(n *node) string {
	s := n.raw
	switch {
	case s == "", strings.HasPrefix(s, "/*"):
		return ""
	case len(s) >= 2 && strings.IndexByte("\"'`", s[0]) >= 0 && s[len(s)-1] == s[0]:
		return s[1 : len(s)-1]
	case strings.HasPrefix(s, "frontmatter."):
		if v, ok := t.value(strings.TrimPrefix(s, "frontmatter.")); ok {
			return v
		}
	}
	t.dropped("MDX expression", n.start, "write the value itself, or put it in code")
	return ""
}
