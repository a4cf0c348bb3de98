package shortcodes

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Use is one kind of template syntax that was left out of a file, with the first place where it stands.
type Use struct {
	Kind   string // as reported: Hugo shortcode "tabpane"
	Line   int    // in the file, from 1
	Col    int    // in characters, from 1
	Text   string // the line
	Count  int    // in this file
	Remedy string
}

// Options say how a text is translated.
type Options struct {
	MDX   bool                             // the text may hold components and expressions of MDX
	Param func(name string) (string, bool) // front-matter values; nil: there are none
	Line  int                              // the line of the file at which the text begins
}

// Translate returns src with the template syntax of other tools translated or left out, and what was left out. Code
// stays as it is.
func Translate(src string, o Options) (string, []Use) {
	t := translator{mdx: o.MDX, param: o.Param}
	return t.translate(src, o.Line), t.uses
}

// Inline translates one line of text, such as a title.
func Inline(s string, o Options) (string, []Use) {
	t := translator{param: o.Param}
	return t.inline(s, o.Line), t.uses
}

// A translator turns the template syntax of other tools into Markdown and HTML, outside code. Lines keep their
// numbers as far as the result allows.
type translator struct {
	mdx   bool
	param func(name string) (string, bool) // front-matter values
	uses  []Use
	src   string
	next  map[string]Span // for within: from where, and the next one from there, -1: none
	layout
	attrs     Span           // the HTML tag that was entered last
	url       Span           // the address of a link that was entered last
	noTag     int            // before it, no HTML tag ends that begins after the last that did not
	labels    map[int]int    // by the offset of the bracket that ends a directive's label: where its attributes end
	elements  map[string]int // by name: open elements, while one of them asks for Markdown
	undentEnd int            // up to here, lines of an HTML block lose their indentation, since Markdown stands among them
	undent    int            // as many columns at most
	// noModule is where imports and exports may be looked for again after one that did not end.
	noModule int
	line0    int // line of the file at which src begins
}

// Needed reports whether a text may have anything to translate, cheaply.
func Needed(s string, mdx bool) bool {
	if mdx {
		return true
	}
	for i := 0; ; {
		j := strings.IndexAny(s[i:], "{:[@m$%_<")
		if j < 0 {
			return false
		}
		i += j + 1
		rest := s[i:]
		switch s[i-1] {
		case '{':
			if rest != "" && strings.IndexByte("{%#:", rest[0]) >= 0 || i == 1 || strings.IndexByte("\n )]*_`>", s[i-2]) >= 0 {
				return true
			}
		case ':':
			if strings.HasPrefix(rest, ":") && (i == 1 || strings.IndexByte("\n >", s[i-2]) >= 0) || directiveName(s, i-1) > 0 {
				return true
			}
		case '[', '$', '%', '_', '<':
			if contentsMark(s, i-1) > 0 {
				return true
			}
		case '@':
			if strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "[") {
				return true
			}
		case 'm':
			if strings.HasPrefix(rest, "arkdown=") {
				return true
			}
		}
	}
}

// translate returns the text with all template syntax gone.
func (t *translator) translate(src string, line0 int) string {
	if !Needed(src, t.mdx) {
		return src
	}
	for range maxPasses {
		out, changed := t.pass(src, line0)
		if !changed || !Needed(out, t.mdx) {
			return out
		}
		src = out // what was left out may have brought two halves of a tag together
	}
	return src
}

// maxPasses bounds how often a text is translated again.
const maxPasses = 4

// pass translates the tags of a text and reports whether there were any.
func (t *translator) pass(src string, line0 int) (string, bool) {
	*t = translator{mdx: t.mdx, param: t.param, uses: t.uses, src: src, line0: line0}
	t.layout = scan(src, t.opaqueTag)
	toks := t.tokens()
	nodes := pair(toks)
	var b strings.Builder
	b.Grow(len(src) + 64)
	t.render(&b, nodes)
	return b.String(), len(toks) > 1 || len(toks) == 1 && toks[0].syntax != literal
}

// inline translates one line of text, such as a title.
func (t *translator) inline(s string, line int) string {
	if !strings.Contains(s, "{{") && !strings.Contains(s, "{%") && !strings.Contains(s, "{:") && !strings.Contains(s, "]{") {
		return s
	}
	out := t.translate(s, line)
	out = strings.NewReplacer("&#123;", "{", "&#125;", "}", "&lt;", "<", "&gt;", ">").Replace(out)
	return strings.Join(strings.Fields(out), " ")
}

// maxKinds bounds the kinds of dropped syntax that one file reports; what is beyond counts as one more.
const maxKinds = 100

// dropped notes that something of a kind was left out at an offset of the source.
func (t *translator) dropped(kind string, off int, remedy string) {
	for i := range t.uses {
		if t.uses[i].Kind == kind {
			t.uses[i].Count++
			return
		}
	}
	if len(t.uses) >= maxKinds && kind != "template syntax" {
		t.dropped("template syntax", off, remedy)
		return
	}
	before := t.src[:min(off, len(t.src))]
	start := strings.LastIndexByte(before, '\n') + 1
	end := strings.IndexByte(t.src[start:], '\n')
	if end < 0 {
		end = len(t.src) - start
	}
	t.uses = append(t.uses, Use{Kind: kind, Line: t.line0 + strings.Count(before, "\n"), Col: utf8.RuneCountInString(before[start:]) + 1,
		Text: clipLine(strings.TrimRight(t.src[start:start+end], "\r")), Count: 1, Remedy: remedy})
}

func clipLine(s string) string {
	if len(s) <= 200 {
		return s
	}
	cut := 200
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// A syntax is a way to write template tags.
type syntax uint8

const (
	literal    syntax = iota // text and code, as it stands
	replaced                 // text already translated
	shortcode                // {{< x >}} and {{% x %}}
	expression               // {{ x }}
	statement                // {% x %}
	fencedDiv                // ::: x
	component                // <X>
	element                  // an HTML element inside one that asks for Markdown, or that one
	directive                // :x[text]{…}, and ::x[text]{…} on a line
)

// A place is where a tag stands, which decides what may stand instead of it.
type place uint8

const (
	inText place = iota // Markdown
	inHTML              // an HTML block: Markdown is not read
	inCell              // a cell of a table: all is on one line
	inTag               // an HTML tag: an attribute's value
	inURL               // the address of a link or picture
)

// A piece is a piece of the source.
type piece struct {
	syntax      syntax
	start, end  int
	text        string // of literal and replaced
	name        string
	args        []arg
	raw         string // what stands between the delimiters
	close, self bool
	markdown    bool // {{% x %}}: the content is Markdown
	call        bool // x(…): Zola
	place       place
	indent      int // columns before it, if nothing else stands before it on its line
}

type arg struct{ name, val string }

// A node is a piece, with what stands between it and its closing tag.
type node struct {
	piece
	paired  bool
	inner   []node
	closing piece
}

// get returns a named argument, or the positional one at index i (from 0); i < 0: named only.
func (t *piece) get(i int, names ...string) string {
	for _, n := range names {
		for _, a := range t.args {
			if strings.EqualFold(a.name, n) {
				return a.val
			}
		}
	}
	for _, a := range t.args {
		if a.name == "" {
			if i == 0 {
				return a.val
			}
			i--
		}
	}
	return ""
}

// base is the name by which a tag is looked up: the last part, in lower case.
func (t *piece) base() string {
	n := t.name
	if i := strings.LastIndexByte(n, '/'); i >= 0 {
		n = n[i+1:]
	}
	n = strings.TrimSuffix(strings.TrimSuffix(n, ".html"), ".md")
	return strings.ReplaceAll(strings.ToLower(n), "_", "-")
}

// maxTagBytes is the longest a tag may be, maxSpanBytes a code span, a comment and an export, maxAttrBytes a list of
// attributes.
const (
	maxAttrBytes = 1 << 10
	maxTagBytes  = 8 << 10
	maxSpanBytes = 16 << 10
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

// picture reads ![](src){alt='…'} at i and puts the alternative text where Markdown has it.
func picture(src string, i int) (piece, bool) {
	mid := strings.Index(src[i:min(len(src), i+maxTagBytes)], "](")
	if mid < 0 || strings.Contains(src[i:i+mid], "\n\n") || strings.Contains(src[i+2:i+mid], "[") {
		return piece{}, false
	}
	alt := src[i+2 : i+mid]
	close := strings.IndexByte(src[i+mid:], ')')
	if close < 0 || close > maxTagBytes {
		return piece{}, false
	}
	end := i + mid + close + 1
	if end >= len(src) || src[end] != '{' {
		return piece{}, false
	}
	at, ok := attributes(src, end)
	if !ok {
		return piece{}, false
	}
	attrs := piece{args: parseArgs(src[end+1:at.end-1], 0)}
	if a := attrs.get(-1, "alt"); a != "" && alt == "" {
		alt = strings.NewReplacer("[", `\[`, "]", `\]`, "\n", " ").Replace(a)
	}
	return piece{syntax: replaced, start: i, end: at.end, text: "![" + alt + src[i+mid:end] + at.text}, true
}

// pair builds the tree of tags. Tags that are never closed stand alone. It takes time proportional to the tokens.
func pair(toks []piece) []node {
	match := make([]int, len(toks)) // index of the closing piece, from 1; 0: none
	var open []int
	waiting := map[string]int{}
	push := func(i int) {
		open = append(open, i)
		for _, k := range toks[i].closers() {
			waiting[k]++
		}
	}
	pop := func() int {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		for _, k := range toks[i].closers() {
			waiting[k]--
		}
		return i
	}
	for i := range toks {
		switch tok := &toks[i]; {
		case tok.closes():
			key := tok.closer()
			for waiting[key] > 0 {
				if o := pop(); slices.Contains(toks[o].closers(), key) {
					match[o] = i + 1
					break
				}
			}
		case tok.opens():
			push(i)
		}
	}
	return nest(toks, match, 0, len(toks), 0)
}

// maxDepth bounds the nesting of tags that is honoured.
const maxDepth = 40

func nest(toks []piece, match []int, from, to, depth int) []node {
	var nodes []node
	for i := from; i < to; i++ {
		if m := match[i]; m > 0 && depth < maxDepth {
			nodes = append(nodes, node{piece: toks[i], paired: true, inner: nest(toks, match, i+1, m-1, depth+1), closing: toks[m-1]})
			i = m - 1
			continue
		}
		nodes = append(nodes, node{piece: toks[i]})
	}
	return nodes
}

// closers are the names under which a closing tag may end this one.
func (t *piece) closers() []string {
	switch t.syntax {
	case fencedDiv:
		return []string{":::"}
	case statement:
		if t.call {
			return []string{"%end" + t.name, "%end"}
		}
		return []string{"%end" + t.name}
	case shortcode:
		return []string{"{" + strings.ToLower(t.name)}
	case element:
		return []string{"</" + t.name}
	case directive:
		return []string{":]"}
	}
	return []string{"<" + t.name}
}

// closer is the name under which a closing tag ends another.
func (t *piece) closer() string {
	switch t.syntax {
	case fencedDiv:
		return ":::"
	case statement:
		return "%" + t.name
	case shortcode:
		return "{" + strings.ToLower(t.name)
	case element:
		return "</" + t.name
	case directive:
		return ":]"
	}
	return "<" + t.name
}

func (t *piece) opens() bool {
	switch t.syntax {
	case shortcode, fencedDiv, component, element, directive:
		return !t.close && !t.self
	case statement:
		return !t.close && t.name != "else" && t.name != "elsif" && t.name != "when"
	}
	return false
}

func (t *piece) closes() bool {
	switch t.syntax {
	case shortcode, fencedDiv, component, element, directive:
		return t.close
	case statement:
		return strings.HasPrefix(t.name, "end")
	}
	return false
}

func (t *translator) render(b *strings.Builder, nodes []node) {
	for i := range nodes {
		n := &nodes[i]
		switch n.syntax {
		case literal:
			b.WriteString(t.outdented(n.start, n.text))
		case replaced:
			b.WriteString(n.text)
		default:
			b.WriteString(t.node(n, lineBefore(b)))
		}
	}
}

// outdented is text of the source without the indentation that would make code of it, where Markdown was put into the
// HTML block around it.
func (t *translator) outdented(start int, text string) string {
	if t.undent == 0 || start >= t.undentEnd {
		return text
	}
	most := min(len(text), t.undentEnd-start)
	lines := strings.SplitAfter(text[:most], "\n")
	for i, l := range lines {
		if i > 0 || start == 0 || t.src[start-1] == '\n' {
			w := len(l) - len(strings.TrimLeft(l, " "))
			lines[i] = l[min(w, t.undent):]
		}
	}
	return strings.Join(lines, "") + text[most:]
}

// splitHTML prepares for Markdown in the middle of the HTML block that n stands in: from here on its lines are read as
// Markdown does, which takes four blanks for code.
func (t *translator) splitHTML(n *node) {
	if block, ok := in(t.html, n.start); ok && n.indent > 0 {
		t.undentEnd, t.undent = max(block.End, n.closing.end), n.indent
	}
}

// lineBefore is what stands before the end on the last line written, its last 200 bytes at most.
func lineBefore(b *strings.Builder) string {
	s := b.String()
	s = s[max(0, len(s)-200):]
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func (t *translator) inner(nodes []node) string {
	var b strings.Builder
	t.render(&b, nodes)
	return b.String()
}

// newlines keeps the line numbers: the result gets as many line ends as the source had.
func newlines(out string, want int) string {
	if have := strings.Count(out, "\n"); have < want {
		out += strings.Repeat("\n", want-have)
	}
	return out
}

// node translates one tag, with what it holds, for where it stands. before is the beginning of its line.
func (t *translator) node(n *node, before string) string {
	lines := strings.Count(t.src[n.start:n.end], "\n")
	switch n.place {
	case inTag:
		return newlines(html.EscapeString(t.plain(n)), lines)
	case inURL:
		return strings.NewReplacer(" ", "%20", "(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "\n", "").Replace(t.plain(n))
	case inHTML:
		before = strings.TrimRight(before, " \t")
	}
	out := t.markdown(n, before, lines)
	if n.place == inCell {
		out = strings.ReplaceAll(strings.Trim(out, "\n"), "\n", " ")
		if !n.paired {
			out = strings.ReplaceAll(out, "|", "\\|")
		}
		return out
	}
	return newlines(out, lines)
}

// plain is a tag's result where only text may stand: the address it leads to, a value, the text that it holds.
func (t *translator) plain(n *node) string {
	out := strings.TrimSpace(t.markdown(n, "", 0))
	if !strings.ContainsAny(out, "<\n") && !strings.Contains(out, "](") {
		return html.UnescapeString(out)
	}
	for _, k := range [...]string{"src", "href", "url", "link", "id"} {
		if v := n.get(-1, k); v != "" {
			return v
		}
	}
	return plainArg(strings.Join(strings.Fields(out), " "))
}

func (t *translator) markdown(n *node, before string, lines int) string {
	switch n.syntax {
	case expression:
		return t.expression(n)
	case statement:
		if out, ok := t.liquid(n); ok {
			return out
		}
	case component:
		if n.name == "{" {
			return t.jsExpression(n)
		}
	case fencedDiv:
		if n.close && !n.paired {
			return ""
		}
	case element:
		return t.elementNode(n)
	}
	if out, ok := t.known(n, before); ok {
		return out
	}
	if !n.closes() {
		t.dropped(n.label(), n.start, n.remedy())
	}
	out := strings.Repeat("\n", lines)
	if n.paired {
		out += t.inner(n.inner)
	}
	return out
}

// label is the kind of a dropped tag as reports name it.
func (n *node) label() string {
	switch n.syntax {
	case shortcode:
		return fmt.Sprintf("Hugo shortcode %q", n.name)
	case statement:
		if n.call {
			return fmt.Sprintf("Zola shortcode %q", n.name)
		}
		return fmt.Sprintf("Liquid tag %q", n.name)
	case fencedDiv:
		return fmt.Sprintf("fenced div %q", n.name)
	case directive:
		return fmt.Sprintf("directive %q", n.name)
	case component:
		return "MDX component <" + n.name + ">"
	}
	return "template action"
}

func (n *node) remedy() string {
	if n.paired {
		return "its content stays; write the rest as Markdown or HTML"
	}
	return "write it as Markdown or HTML, or put it in code; shortcodes: off keeps all as text"
}

func attr(s string) string { return html.EscapeString(s) }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
