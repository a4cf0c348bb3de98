package shortcodes

import (
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
