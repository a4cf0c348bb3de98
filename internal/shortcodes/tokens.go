package shortcodes

import (
	"slices"
	"strings"
)

// within reports whether closer follows at from within a distance. It remembers where the next one is, so that tags
// that nothing closes cost nothing.
func (t *translator) within(closer string, from, distance int) bool {
	known, ok := t.next[closer]
	if !ok || from < known.Start || known.End >= 0 && known.End < from {
		known = Span{from, strings.Index(t.src[from:], closer)}
		if known.End >= 0 {
			known.End += from
		}
		if t.next == nil {
			t.next = map[string]Span{}
		}
		t.next[closer] = known
	}
	return known.End >= 0 && known.End-from <= distance
}

// tokens cuts the source into text, code and tags.
func (t *translator) tokens() []piece {
	var toks []piece
	src := t.src
	lit := 0
	flush := func(to int) {
		if lit < to {
			toks = append(toks, piece{syntax: literal, start: lit, end: to, text: src[lit:to]})
		}
	}
	add := func(tok piece) {
		t.locate(&tok)
		flush(tok.start)
		toks = append(toks, tok)
		lit = tok.end
	}
	code := append(slices.Clone(t.code), Span{len(src), len(src)})
	at := 0
	for _, c := range code {
		for at < c.Start {
			i := at
			switch b := src[i]; b {
			case '`':
				n := run(src[i:], '`')
				if end := spanEnd(src[i+n:c.Start], n); end >= 0 {
					t.unescape(i, i+n+end, add)
					at = i + n + end
					if tok, ok := t.spanAttributes(at); ok {
						add(tok)
						at = max(tok.end, at+1)
					}
				} else {
					at = i + n
				}
				continue
			case '\\':
				at += 2
				continue
			case '{':
				if tok, ok := t.tag(i); ok {
					if tok.syntax == statement && tok.name == "raw" {
						at = t.rawBlock(tok, add)
						continue
					}
					add(tok)
					at = max(tok.end, at+1)
					if held, ok := t.opaque[i]; ok && held.Start == tok.end {
						at = held.End
					}
					continue
				}
				if n := run(src[i:], '{'); n > 1 {
					at += n
					continue
				}
			case '<':
				if strings.HasPrefix(src[i:], "<!--") && t.within("-->", i, maxSpanBytes) {
					if e := strings.Index(src[i:], "-->"); e >= 0 {
						at = i + e + 3
						continue
					}
				}
				if end := t.inlineCode(i, c.Start); end > 0 {
					t.unescape(i, end, add)
					at = end
					continue
				}
				if t.mdx && t.within(">", i, maxTagBytes) {
					if tok, ok := t.jsx(i); ok {
						add(tok)
						at = max(tok.end, at+1)
						continue
					}
				}
				if i >= t.attrs.End && i >= t.noTag && tagName(src[i:min(len(src), i+32)]) != "" && t.within(">", i, maxTagBytes) {
					end := tagEndHTML(src, i)
					if end == 0 {
						t.noTag = i + maxTagBytes/8
						break
					}
					if tok, ok := t.element(i, end); ok {
						add(tok)
						at = end
						continue
					}
					t.attrs = Span{i, end}
				}
			case ':':
				if t.begins(i) && strings.HasPrefix(src[i:], ":::") {
					if tok, ok := divTag(src, i); ok {
						add(tok)
						at = max(tok.end, at+1)
						continue
					}
					at += run(src[i:], ':')
					continue
				}
				if tok, ok := t.directive(i); ok {
					add(tok)
					at = max(tok.end, at+1)
					continue
				}
			case ']':
				if end, ok := t.labels[i]; ok {
					add(piece{syntax: directive, start: i, end: end, close: true})
					at = end
					continue
				}
				if i+1 < len(src) && src[i+1] == '(' && i >= t.url.End {
					t.url = Span{i + 1, t.urlEnd(i + 1)}
				}
				// Zola's internal links begin at the content folder: [x](@/blog/y.md).
				for _, open := range [...]string{"](@/", "](<@/", "]: @/"} {
					if strings.HasPrefix(src[i:], open) {
						add(piece{syntax: replaced, start: i, end: i + len(open), text: strings.Replace(open, "@", "", 1)})
						at = i + len(open) - 1
						break
					}
				}
			case ')':
				if tok, ok := t.spanAttributes(i + 1); ok {
					add(tok)
					at = max(tok.end, at+1)
					continue
				}
			case '@', '$', '%', '_':
				if end := t.contents(i); end > 0 {
					add(piece{syntax: replaced, start: i, end: end})
					at = end
					continue
				}
			case '*', '-', '+', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
				if end := t.contentsItem(i); end > 0 {
					add(piece{syntax: replaced, start: i, end: end})
					at = end
					continue
				}
			case '[':
				if end := t.contents(i); end > 0 {
					add(piece{syntax: replaced, start: i, end: end})
					at = end
					continue
				}
				if tok, ok := t.bracketed(i); ok {
					add(tok)
					at = max(tok.end, at+1)
					continue
				}
				if i+1 < len(src) && src[i] == '[' && i > 0 && src[i-1] == '!' {
					if tok, ok := picture(src[:c.Start], i-1); ok {
						flush(i - 1)
						lit = i - 1
						add(tok)
						at = max(tok.end, at+1)
						continue
					}
				}
			case 'i', 'e':
				if t.mdx && (i == 0 || src[i-1] == '\n') && at >= lit && i >= t.noModule {
					if end := t.moduleLine(i); end > 0 {
						add(piece{syntax: replaced, start: i, end: end, text: strings.Repeat("\n", strings.Count(src[i:end], "\n"))})
						at = end
						continue
					}
				}
			}
			at++
		}
		if c.Start < c.End && at <= c.Start {
			t.unescape(c.Start, c.End, add)
		}
		at = max(at, c.End)
	}
	flush(len(src))
	return toks
}

// begins reports whether the content of a line begins at i, after the marks of its quotes and list items.
func (t *translator) begins(i int) bool {
	if i == 0 || t.content(i) == i {
		return true
	}
	for i > 0 && strings.IndexByte(" \t>", t.src[i-1]) >= 0 {
		i--
	}
	return i == 0 || t.src[i-1] == '\n'
}

// alone reports whether nothing follows on the line of i.
func (t *translator) alone(i int) bool {
	rest, _, _ := strings.Cut(t.src[i:min(len(t.src), i+maxAttrBytes)], "\n")
	return strings.TrimSpace(rest) == ""
}

// locate notes where a tag stands.
func (t *translator) locate(tok *piece) {
	if tok.syntax == literal || tok.syntax == replaced {
		return
	}
	_, html := in(t.html, tok.start)
	_, cell := in(t.table, tok.start)
	switch {
	case tok.start > t.attrs.Start && tok.start < t.attrs.End:
		tok.place = inTag
	case tok.start > t.url.Start && tok.start < t.url.End:
		tok.place = inURL
	case html:
		tok.place = inHTML
		line := t.src[strings.LastIndexByte(t.src[:tok.start], '\n')+1 : tok.start]
		if strings.TrimLeft(line, " ") == "" {
			tok.indent = len(line)
		}
	case cell:
		tok.place = inCell
	}
}

// urlEnd returns the end of the address in parentheses that begins at i, over tags in it.
func (t *translator) urlEnd(i int) int {
	depth := 0
	for j, most := i, min(len(t.src), i+maxAttrBytes); j < most; j++ {
		switch c := t.src[j]; {
		case c == '{' && j+1 < most && (t.src[j+1] == '{' || t.src[j+1] == '%'):
			closer := map[byte]string{'{': "}}", '%': "%}"}[t.src[j+1]]
			if e := strings.Index(t.src[j+2:most], closer); e >= 0 {
				j += e + 3
			}
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return j
			}
		case c == '\n':
			return i
		}
	}
	return i
}

// inlineCode returns the end of the code element that begins at i; 0: none does. Such code ends before most.
func (t *translator) inlineCode(i, most int) int {
	name := tagName(t.src[i:min(len(t.src), i+16)])
	switch name {
	case "code", "pre", "samp", "tt", "textarea", "script", "style":
	default:
		return 0
	}
	if t.src[i+1] == '/' || !t.within("</", i, maxTagBytes) {
		return 0
	}
	text := t.src[i:min(most, i+maxTagBytes)]
	for at := 0; ; {
		e := strings.Index(text[at:], "</")
		if e < 0 {
			return 0
		}
		if at += e; tagName(text[at:min(len(text), at+16)]) == name {
			if end := strings.IndexByte(text[at:], '>'); end >= 0 {
				return i + at + end + 1
			}
			return 0
		}
		at += 2
	}
}

// spanEnd finds the end of a code span opened by n backticks, within its paragraph; -1: it has none.
func spanEnd(s string, n int) int {
	s = s[:min(len(s), maxSpanBytes)]
	if i := strings.Index(s, "\n\n"); i >= 0 {
		s = s[:i]
	}
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '`')
		if j < 0 {
			return -1
		}
		i += j
		m := run(s[i:], '`')
		i += m
		if m == n {
			return i
		}
	}
	return -1
}

// unescape turns the escapes of shortcodes in code into the shortcodes they show: {{</* x */>}} is {{< x >}}.
func (t *translator) unescape(from, to int, add func(piece)) {
	s := t.src[from:to]
	if !strings.Contains(s, "*/>}}") && !strings.Contains(s, "*/%}}") {
		return
	}
	for i := 0; i < len(s); {
		j := strings.Index(s[i:], "{{")
		if j < 0 {
			return
		}
		i += j
		tok, ok := escaped(t.src, from+i)
		if !ok || tok.end > to {
			i += 2
			continue
		}
		open := t.src[from+i : from+i+3]
		tok.text = open + tok.text + map[byte]string{'<': ">}}", '%': "%}}"}[open[2]]
		add(tok)
		i = tok.end - from
	}
}

// escaped reads {{</* x */>}} at i; its text is what stands inside.
func escaped(src string, i int) (piece, bool) {
	for _, d := range [...][2]string{{"{{</*", "*/>}}"}, {"{{%/*", "*/%}}"}} {
		if strings.HasPrefix(src[i:], d[0]) {
			rest := src[i+5 : min(len(src), i+maxTagBytes)]
			if e := strings.Index(rest, d[1]); e >= 0 {
				return piece{syntax: replaced, start: i, end: i + 5 + e + 5, text: rest[:e]}, true
			}
		}
	}
	return piece{}, false
}

// showBraces writes template syntax so that Markdown shows it as text.
func showBraces(s string) string {
	return strings.NewReplacer("{", "&#123;", "}", "&#125;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// rawBlock takes {% raw %} … {% endraw %}: what is inside is text. It returns where to go on.
func (t *translator) rawBlock(open piece, add func(piece)) int {
	src := t.src
	held, end := t.opaqueTag(open.start)
	open.syntax, open.text = replaced, ""
	add(open)
	if end == 0 {
		return open.end
	}
	add(piece{syntax: replaced, start: held.Start, end: held.End, text: shown(src[held.Start:held.End])})
	add(piece{syntax: replaced, start: held.End, end: end})
	return end
}

// shown is a text in which template syntax is no syntax: outside code its braces are written as entities.
func shown(s string) string {
	braces := strings.NewReplacer("{{", "&#123;&#123;", "{%", "&#123;%")
	var b strings.Builder
	at := 0
	text := func(to int) {
		for at < to {
			i := strings.IndexByte(s[at:to], '`')
			if i < 0 {
				break
			}
			b.WriteString(braces.Replace(s[at : at+i]))
			at += i
			n := run(s[at:to], '`')
			if e := spanEnd(s[at+n:to], n); e >= 0 {
				n += e
			}
			b.WriteString(s[at : at+n])
			at += n
		}
		b.WriteString(braces.Replace(s[at:max(at, to)]))
		at = max(at, to)
	}
	for _, c := range CodeBlocks(s) {
		text(c.Start)
		b.WriteString(s[c.Start:c.End])
		at = c.End
	}
	text(len(s))
	return b.String()
}

// tag reads the tag that begins with the brace at i.
func (t *translator) tag(i int) (piece, bool) {
	src := t.src
	s := src[i:min(len(src), i+maxTagBytes)]
	if end := rawString(src, i); end > len(s) {
		s = src[i : i+end]
	}
	switch {
	case strings.HasPrefix(s, "{{<"), strings.HasPrefix(s, "{{%"):
		if tok, ok := escaped(src, i); ok {
			tok.text = showBraces(s[:3] + tok.text + map[byte]string{'<': ">}}", '%': "%}}"}[s[2]])
			return tok, true
		}
		closer := ">}}"
		if s[2] == '%' {
			closer = "%}}"
		}
		if !t.within(closer, i, maxTagBytes) {
			return piece{}, false
		}
		end := tagEnd(s[3:], closer)
		if end < 0 {
			return piece{}, false
		}
		tok := piece{syntax: shortcode, start: i, end: i + 3 + end + 3, raw: t.expand(s[3 : 3+end]), markdown: s[2] == '%'}
		tok.parse(true)
		return tok, true
	case strings.HasPrefix(s, "{{"):
		if !t.within("}}", i, len(s)) {
			return piece{}, false
		}
		if strings.HasPrefix(s, "{{{") {
			if e := tagEnd(s[3:], "}}}"); e >= 0 && strings.TrimSpace(s[3:3+e]) != "" {
				return piece{syntax: expression, start: i, end: i + 3 + e + 3, raw: strings.TrimSpace(s[3 : 3+e])}, true
			}
			return piece{}, false
		}
		end := tagEnd(s[2:], "}}")
		if end < 0 {
			return piece{}, false
		}
		raw := s[2 : 2+end]
		inner := strings.TrimSpace(strings.Trim(raw, "-~"))
		if inner == "" || strings.Contains(raw, "\n\n") && !strings.HasPrefix(inner, "/*") && !strings.Contains(raw, "`") {
			return piece{}, false
		}
		inner = t.expand(inner)
		if i > 0 && !strings.ContainsAny(raw, " .$\"'(") && (src[i-1] == '_' || src[i-1] == '^' || afterCommand(src, i)) {
			return piece{}, false // TeX: x_{{ab}}, \frac{{a}}{b}
		}
		tok := piece{syntax: expression, start: i, end: i + 2 + end + 2, raw: inner}
		if name, ok := callName(inner); ok {
			tok.call = true
			tok.name = name
			tok.args = parseArgs(strings.TrimSuffix(inner[strings.IndexByte(inner, '(')+1:], ")"), ',')
		}
		return tok, true
	case strings.HasPrefix(s, "{%"):
		if !t.within("%}", i, maxTagBytes) {
			return piece{}, false
		}
		end := tagEnd(s[2:], "%}")
		if end < 0 {
			return piece{}, false
		}
		raw := t.expand(strings.TrimSpace(strings.Trim(s[2:2+end], "-~")))
		tok := piece{syntax: statement, start: i, end: i + 2 + end + 2, raw: raw}
		if name, ok := callName(raw); ok {
			tok.call, tok.name = true, name
			tok.args = parseArgs(strings.TrimSuffix(raw[strings.IndexByte(raw, '(')+1:], ")"), ',')
		} else {
			tok.parse(false)
		}
		if tok.name == "" || !identifier(tok.name) {
			return piece{}, false
		}
		return tok, true
	case strings.HasPrefix(s, "{#"):
		// A comment of Tera and Jinja; {#id} of a heading is none.
		if len(s) > 2 && s[2] != ' ' && s[2] != '-' && s[2] != '\n' {
			return piece{}, false
		}
		if e := strings.Index(s[2:], "#}"); e >= 0 {
			return piece{syntax: replaced, start: i, end: i + 4 + e, text: strings.Repeat("\n", strings.Count(s[:e+4], "\n"))}, true
		}
	case strings.HasPrefix(s, "{::"):
		return t.extension(i)
	case t.begins(i) && t.within("}", i, maxAttrBytes) && attributeLine(s) > 0:
		// Attributes of the block before, as kramdown and Hugo have them.
		return piece{syntax: replaced, start: i, end: i + attributeLine(s)}, true
	case t.contents(i) > 0:
		return piece{syntax: replaced, start: i, end: t.contents(i)}, true
	case strings.HasPrefix(s, "{:") && t.within("}", i, maxAttrBytes):
		// An attribute list of kramdown; no result has a place for it.
		if n := attributeEnd(s, i > 0 && strings.IndexByte(")]*_`>}", src[i-1]) >= 0 || t.begins(i)); n > 0 {
			return piece{syntax: replaced, start: i, end: i + n}, true
		}
	case i > 0 && strings.IndexByte("*_`", src[i-1]) >= 0:
		return t.spanAttributes(i)
	}
	if t.mdx && s[0] == '{' && !strings.HasPrefix(s, "{{") && t.within("}", i, maxTagBytes) {
		if e := braceEnd(s); e > 0 {
			return piece{syntax: component, start: i, end: i + e, name: "{", raw: strings.TrimSpace(s[1 : e-1]), self: true}, true
		}
	}
	return piece{}, false
}

func afterCommand(src string, i int) bool {
	j := i
	for j > 0 && isLetter(src[j-1]) {
		j--
	}
	return j < i && j > 0 && src[j-1] == '\\' || i > 0 && src[i-1] == '}'
}

// tagEnd finds closer outside quotes; when quotes do not close, anywhere.
func tagEnd(s, closer string) int {
	quote := byte(0)
	for i := 0; i+len(closer) <= len(s); i++ {
		c := s[i]
		if quote != 0 {
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
			continue
		}
		if strings.HasPrefix(s[i:], closer) {
			return i
		}
		switch c {
		case '"', '`':
			quote = c
		case '\'':
			if i > 0 && (s[i-1] == '=' || s[i-1] == ' ' || s[i-1] == '(') {
				quote = c
			}
		}
	}
	return strings.Index(s, closer)
}

func callName(s string) (string, bool) {
	i := strings.IndexByte(s, '(')
	if i <= 0 || !strings.HasSuffix(s, ")") || !identifier(s[:i]) {
		return "", false
	}
	return s[:i], true
}

func identifier(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && c != '_' && c != '-' && c != '/' && c != '.' && c != ':' && !(c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// parse reads the name and arguments of a tag from its raw text.
func (t *piece) parse(hugo bool) {
	s := strings.TrimSpace(t.raw)
	if hugo {
		if strings.HasPrefix(s, "/") {
			t.close = true
			s = strings.TrimSpace(s[1:])
		}
		if strings.HasSuffix(s, "/") && !strings.Contains(s[strings.LastIndexAny(s, " \t\n\"`")+1:], ":") {
			if i := len(s) - 1; i == 0 || s[i-1] == ' ' || s[i-1] == '"' || s[i-1] == '`' || !strings.ContainsAny(s, " \t\n") {
				t.self = true
				s = strings.TrimSpace(s[:i])
			}
		}
	}
	i := strings.IndexAny(s, " \t\n")
	if i < 0 {
		t.name = s
		return
	}
	t.name = s[:i]
	t.args = parseArgs(s[i:], 0)
}

// parseArgs reads a b="c" d='e' f=`g` with blanks or sep between them.
func parseArgs(s string, sep byte) []arg {
	var args []arg
	isSep := func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || sep != 0 && c == sep }
	for i := 0; i < len(s) && len(args) < 50; {
		if isSep(s[i]) {
			i++
			continue
		}
		start := i
		for i < len(s) && !isSep(s[i]) && s[i] != '=' && s[i] != '"' && s[i] != '`' && s[i] != '\'' {
			i++
		}
		name := s[start:i]
		j := i
		for j < len(s) && (s[j] == ' ' || s[j] == '\n') {
			j++
		}
		if j < len(s) && s[j] == '=' && name != "" {
			i = j + 1
			for i < len(s) && (s[i] == ' ' || s[i] == '\n') {
				i++
			}
			var v string
			v, i = argValue(s, i, isSep)
			args = append(args, arg{name, v})
			continue
		}
		if i < len(s) && name == "" && (s[i] == '"' || s[i] == '`' || s[i] == '\'') {
			var v string
			v, i = argValue(s, i, isSep)
			args = append(args, arg{"", v})
			continue
		}
		for i < len(s) && !isSep(s[i]) {
			i++
		}
		if i == start {
			i++
			continue
		}
		args = append(args, arg{"", s[start:i]})
	}
	return args
}

func argValue(s string, i int, isSep func(byte) bool) (string, int) {
	if i >= len(s) {
		return "", i
	}
	if q := s[i]; q == '"' || q == '`' || q == '\'' {
		for j := i + 1; j < len(s); j++ {
			if s[j] == '\\' && q != '`' {
				j++
				continue
			}
			if s[j] == q {
				v := s[i+1 : j]
				if q != '`' {
					v = strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`).Replace(v)
				}
				return v, j + 1
			}
		}
		return s[i+1:], len(s)
	}
	j := i
	for j < len(s) && !isSep(s[j]) {
		j++
	}
	return s[i:j], j
}

// divTag reads a line of colons: the beginning or end of a fenced div.
func divTag(src string, i int) (piece, bool) {
	end := strings.IndexByte(src[i:], '\n')
	if end < 0 {
		end = len(src)
	} else {
		end += i
	}
	line := src[i:end]
	n := run(line, ':')
	rest := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line[n:]), ":"))
	tok := piece{syntax: fencedDiv, start: i, end: end, raw: rest}
	if rest == "" {
		tok.close = true
		return tok, true
	}
	name, title := rest, ""
	if name[0] == '{' {
		e := strings.IndexByte(name, '}')
		if e < 0 {
			return piece{}, false
		}
		for _, f := range strings.Fields(name[1:e]) {
			if f[0] == '.' && tok.name == "" {
				tok.name = f[1:]
			}
		}
		title = strings.TrimSpace(name[e+1:])
		if tok.name == "" {
			tok.name = "div"
		}
	} else {
		k := 0
		for k < len(name) && (isLetter(name[k]) || name[k] == '-' || name[k] == '_') {
			k++
		}
		if k == 0 {
			return piece{}, false
		}
		tok.name, title = name[:k], strings.TrimSpace(name[k:])
		if strings.HasPrefix(title, "[") {
			title = strings.Trim(title, "[]")
		} else if strings.HasPrefix(title, "{") {
			_, title, _ = strings.Cut(title, "}")
			title = strings.TrimSpace(title)
		}
	}
	if title != "" {
		tok.args = append(tok.args, arg{"title", title})
	}
	return tok, true
}
