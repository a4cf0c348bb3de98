package shortcodes

import (
	"html"
	"regexp"
	"strings"
)

// maxRawBytes is the longest a back-quoted argument may be, maxRawArgs how many a tag may have, and maxClosers how
// often the name of a closing tag is looked at before none is taken to be there.
const (
	maxRawBytes = 256 << 10
	maxRawArgs  = 20
	maxClosers  = 20
)

// rawString returns the length of the Go action that src has at i and that holds a back-quoted text, which may go over
// lines; 0: it is none. For example: {{raw `<pre>…</pre>`}}
func rawString(src string, i int) int {
	if !strings.HasPrefix(src[i:], "{{") || strings.HasPrefix(src[i:], "{{<") || strings.HasPrefix(src[i:], "{{%") {
		return 0
	}
	at := i + 2
	for range maxRawArgs {
		head := src[at:min(len(src), at+200)]
		quote := strings.IndexByte(head, '`')
		end := strings.Index(head, "}}")
		if quote < 0 || end >= 0 && end < quote {
			if end >= 0 && at > i+2 && !strings.Contains(head[:end], "\n\n") {
				return at + end + 2 - i
			}
			return 0
		}
		if strings.ContainsAny(head[:quote], "{}") || strings.Contains(head[:quote], "\n\n") {
			return 0
		}
		at += quote + 1
		closing := strings.IndexByte(src[at:min(len(src), i+maxRawBytes)], '`')
		if closing < 0 {
			return 0
		}
		at += closing + 1
	}
	return 0
}

// opaqueTag finds the end of a tag at i that holds what is no Markdown: code, a comment, a back-quoted text.
func (t *translator) opaqueTag(i int) (content Span, end int) {
	src := t.src
	if n := rawString(src, i); n > 0 {
		return Span{i + n, i + n}, i + n
	}
	rest := src[i:min(len(src), i+maxTagBytes)]
	if strings.HasPrefix(rest, "{{/*") || strings.HasPrefix(rest, "{{- /*") {
		if e := strings.Index(rest, "*/"); e >= 0 {
			if c := strings.Index(rest[e:], "}}"); c >= 0 && strings.Trim(rest[e+2:e+c], " -") == "" {
				return Span{i + e + c + 2, i + e + c + 2}, i + e + c + 2
			}
		}
		return Span{}, 0
	}
	tag, ok := t.tag(i)
	if !ok || tag.close || tag.self || tag.call || tag.syntax != shortcode && tag.syntax != statement || !holdsCode(&tag) {
		return Span{}, 0
	}
	closer := "end" + tag.name
	if tag.syntax == shortcode {
		closer = "/" + tag.name
	}
	at := tag.end
	for range maxClosers {
		if !t.within(closer, at, len(src)) {
			break
		}
		at += strings.Index(src[at:], closer)
		from := max(tag.end, at-12)
		start := strings.LastIndexByte(src[from:at], '{')
		if tag.syntax == shortcode {
			start-- // its second brace
		}
		if start >= 0 {
			start += from
			if c, ok := t.tag(start); ok && c.syntax == tag.syntax && c.closes() && strings.HasSuffix(closer, c.name) {
				return Span{tag.end, start}, c.end
			}
		}
		at += len(closer)
	}
	return Span{}, 0
}

// holdsCode reports whether what a tag holds is shown or left out as it stands.
func holdsCode(tag *piece) bool {
	switch base := tag.base(); base {
	case "raw", "comment":
		return tag.syntax == statement
	default:
		return codeTags[base] != ""
	}
}

// codeTags are the tags that hold code, with its language where the tag says it.
var codeTags = map[string]string{
	"highlight": "lang", "code": "lang", "codeblock": "lang", "code-block": "lang", "prism": "lang", "command": "lang", "console": "lang", "terminal": "lang", "sourcecode": "lang",
	"mermaid": "mermaid", "plantuml": "plantuml", "graphviz": "graphviz", "dot": "dot",
}

var (
	rawTags      = regexp.MustCompile(`\{%-?\s*(?:end)?raw\s*-?%\}`)
	escapedTags  = regexp.MustCompile(`(\{\{[<%])/\*(.*?)\*/([>%]\}\})`)
	nestedValues = regexp.MustCompile(`\{\{-?\s*([^{}]*?)\s*-?\}\}`)
)

// held is the code that a tag holds.
func (t *translator) held(n *node) string {
	s := t.src[n.end:n.closing.start]
	if n.syntax == statement {
		return rawTags.ReplaceAllString(s, "")
	}
	return escapedTags.ReplaceAllString(s, "$1$2$3")
}

// expand puts values in the place of {{ … }} in the text of a tag, since Liquid and Jinja know them there too:
// {% link {{ page.assets }}/fig.png %}
func (t *translator) expand(raw string) string {
	if !strings.Contains(raw, "{{") {
		return raw
	}
	return nestedValues.ReplaceAllStringFunc(raw, func(s string) string {
		inner := nestedValues.FindStringSubmatch(s)[1]
		if inner == "" {
			return ""
		}
		return t.expression(&node{piece: piece{syntax: expression, raw: inner}})
	})
}

// element reads the HTML tag from i to end if it asks for Markdown in it, as kramdown and Python-Markdown have it, or
// belongs to an element that does.
func (t *translator) element(i, end int) (piece, bool) {
	tag := t.src[i:end]
	name := tagName(tag)
	m := markdownAttr.FindStringSubmatch(tag)
	if tag[1] == '/' {
		if t.elements[name] == 0 {
			return piece{}, false
		}
		t.elements[name]--
		return piece{syntax: element, start: i, end: end, name: name, text: tag, close: true}, true
	}
	if m == nil && t.elements[name] == 0 {
		return piece{}, false
	}
	tok := piece{syntax: element, start: i, end: end, name: name, text: t.expand(markdownAttr.ReplaceAllString(tag, "$2"))}
	if strings.HasSuffix(tag, "/>") || strings.Contains(" area br col embed hr img input link meta source track wbr ", " "+name+" ") {
		tok.syntax = replaced
		return tok, true
	}
	if m != nil {
		tok.raw = "block"
		if how := strings.Trim(m[1], `"'`); how == "0" || how == "off" || how == "false" {
			tok.raw = ""
		} else if how == "span" || how != "block" && strings.Contains(spanElements, " "+name+" ") {
			tok.raw = "span"
		}
	}
	if t.elements == nil {
		t.elements = map[string]int{}
	}
	t.elements[name]++
	return tok, true
}

// markdownAttr finds markdown="1" in a tag, and what follows it.
var markdownAttr = regexp.MustCompile(`(?i)\s+markdown(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?([\s/>])`)

// spanElements hold a line of text and no blocks.
const spanElements = " p h1 h2 h3 h4 h5 h6 span a b i em strong small sub sup mark u s del ins q cite label summary dt figcaption caption legend td th abbr code kbd "

func (t *translator) elementNode(n *node) string {
	if !n.paired {
		return n.text
	}
	switch n.raw {
	case "block":
		t.splitHTML(n)
		return n.text + apart(dedent(t.inner(n.inner))) + n.closing.text
	case "span":
		return n.text + spanHTML(t.inner(n.inner)) + n.closing.text
	}
	return n.text + t.inner(n.inner) + n.closing.text
}

// apart gives Markdown in HTML the blank lines that it is recognised by.
func apart(s string) string {
	s = strings.TrimRight(s, " \t")
	if !strings.HasPrefix(s, "\n") {
		s = "\n" + s
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return "\n" + s + "\n"
}

// dedent takes the blanks away that all lines begin with.
func dedent(s string) string {
	lines := strings.Split(s, "\n")
	least := -1
	for _, l := range lines {
		if w := len(l) - len(strings.TrimLeft(l, " ")); w < len(l) && (least < 0 || w < least) {
			least = w
		}
	}
	if least <= 0 {
		return s
	}
	for i, l := range lines {
		w := len(l) - len(strings.TrimLeft(l, " "))
		lines[i] = l[min(w, least):]
	}
	return strings.Join(lines, "\n")
}

// preHTML is code as HTML without blank lines, which would end the HTML block around it.
func preHTML(code, lang string) string {
	code = strings.Trim(code, "\n")
	class := ""
	if lang != "" {
		class = ` class="language-` + attr(lang) + `"`
	}
	lines := strings.Split(html.EscapeString(code), "\n")
	var b strings.Builder
	for i, l := range lines {
		switch {
		case strings.TrimSpace(l) == "":
			b.WriteString("&#10;")
			continue
		case i > 0:
			b.WriteByte('\n')
		}
		b.WriteString(l)
	}
	return "<pre><code" + class + ">" + strings.NewReplacer("{", "&#123;", "}", "&#125;").Replace(b.String()) + "</code></pre>"
}
