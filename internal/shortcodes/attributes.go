package shortcodes

import (
	"strings"
)

// attributes reads {.class width=300} behind a link; pictures with an alternative text are read by picture.
func attributes(src string, i int) (piece, bool) {
	s := src[i:min(len(src), i+maxAttrBytes)]
	if len(s) < 2 || strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "{%") {
		return piece{}, false
	}
	end := tagEnd(s[1:], "}")
	if end < 0 || !attributeList(s[1:1+end], false) {
		return piece{}, false
	}
	return piece{syntax: replaced, start: i, end: i + end + 2, text: strings.Repeat("\n", strings.Count(s[:end+2], "\n"))}, true
}

// attributeLine returns the length of the {style="…"} that s begins with, if nothing else is on the line; 0: none.
func attributeLine(s string) int {
	line, _, _ := strings.Cut(s[:min(len(s), maxAttrBytes)], "\n")
	line = strings.TrimRight(line, " \t\r")
	if len(line) < 3 || line[len(line)-1] != '}' || !attributeList(line[1:len(line)-1], line[1] == ':') {
		return 0
	}
	return len(line)
}

// attributeEnd returns the length of the {:…} that s begins with; 0: it is text. Names of other lists, such as the toc
// of {:toc}, are known from text such as {:ok} only where a list may stand.
func attributeEnd(s string, names bool) int {
	line, _, _ := strings.Cut(s[:min(len(s), maxAttrBytes)], "\n")
	e := tagEnd(line[1:], "}")
	if e < 1 || !attributeList(line[1:1+e], names) {
		return 0
	}
	return e + 2
}

// attributeList reports whether s is a list of attributes: .class, #id, name=value, and for kramdown names of lists.
func attributeList(s string, names bool) bool {
	s = strings.TrimSpace(strings.TrimPrefix(s, ":"))
	if s == "" {
		return names
	}
	if s == "/" || strings.HasPrefix(s, "/") && identifier(s[1:]) {
		return names
	}
	for _, a := range parseArgs(s, 0) {
		switch {
		case a.name != "":
			if !identifier(a.name) {
				return false
			}
		case a.val == "":
			return false
		case a.val[0] == '.' || a.val[0] == '#' || a.val == "-":
			if strings.ContainsAny(a.val, ",;(){}") {
				return false
			}
		case !names || !identifier(a.val):
			return false
		}
	}
	return true
}

// spanAttributes reads the {.class} or {:.class} that follows a link, a picture, code or emphasis at i.
func (t *translator) spanAttributes(i int) (piece, bool) {
	if i >= len(t.src) || t.src[i] != '{' || !t.within("}", i, maxAttrBytes) {
		return piece{}, false
	}
	if strings.HasPrefix(t.src[i:], "{:") {
		n := attributeEnd(t.src[i:], true)
		return piece{syntax: replaced, start: i, end: i + n}, n > 0
	}
	return attributes(t.src, i)
}

// An extension of kramdown: {::comment} … {:/comment}, {::nomarkdown} … {:/}, {::options x="y" /}.
func (t *translator) extension(i int) (piece, bool) {
	s := t.src[i:min(len(t.src), i+maxAttrBytes)]
	e := strings.IndexByte(s, '}')
	if e < 4 || strings.Contains(s[:e], "\n") {
		return piece{}, false
	}
	name, _, _ := strings.Cut(strings.TrimSuffix(s[3:e], "/"), " ")
	if !identifier(name) {
		return piece{}, false
	}
	tok := piece{syntax: replaced, start: i, end: i + e + 1}
	if name == "comment" && s[e-1] != '/' {
		for _, closer := range [...]string{"{:/comment}", "{:/}"} {
			if t.within(closer, tok.end, maxSpanBytes) {
				n := strings.Index(t.src[tok.end:], closer)
				tok.end += n + len(closer)
				tok.text = strings.Repeat("\n", strings.Count(t.src[i:tok.end], "\n"))
				break
			}
		}
	}
	return tok, true
}

// bracketed reads Pandoc's [text]{#id .class}: the text, with its id.
func (t *translator) bracketed(i int) (piece, bool) {
	src := t.src
	s := src[i:min(len(src), i+maxAttrBytes)]
	end := strings.IndexAny(s[1:], "[]\n`{") + 1
	if end < 2 || s[end] != ']' || !strings.HasPrefix(s[end+1:], "{") || i > 0 && src[i-1] == '!' {
		return piece{}, false
	}
	attrs, ok := attributes(src, i+end+1)
	if !ok {
		return piece{}, false
	}
	text := s[1:end]
	for _, f := range strings.Fields(src[i+end+2 : attrs.end-1]) {
		if len(f) > 1 && f[0] == '#' {
			text = `<span id="` + attr(f[1:]) + `">` + text + "</span>"
			break
		}
	}
	return piece{syntax: replaced, start: i, end: attrs.end, text: text}, true
}
