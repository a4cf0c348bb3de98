package markup

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"freshet/internal/site"
)

// newMarkdownParser is CommonMark with GFM's tables, strikethrough, task lists and, with plain set, plain addresses,
// footnotes, definition lists, and ids and classes after headings ("{#id}").
func newMarkdownParser(plain bool) parser.Parser {
	inline := []util.PrioritizedValue{
		util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
		util.Prioritized(parser.NewCodeSpanParser(), 100),
		util.Prioritized(footnoteLinks{}, 101),
		util.Prioritized(parser.NewLinkParser(), 200),
		util.Prioritized(parser.NewAutoLinkParser(), 300),
		util.Prioritized(parser.NewRawHTMLParser(), 400),
		util.Prioritized(emphasis{}, 500),
	}
	if plain {
		inline = append(inline, util.Prioritized(linkify{extension.NewLinkifyParser()}, 999))
	}
	return parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(inline...),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
		parser.WithHeadingAttribute(),
		parser.WithParagraphTransformers(util.Prioritized(tables{}, 200)),
		parser.WithASTTransformers(util.Prioritized(footnotes{}, 999)),
		parser.WithBlockParsers(
			util.Prioritized(extension.NewDefinitionListParser(), 101),
			util.Prioritized(extension.NewDefinitionDescriptionParser(), 102),
			util.Prioritized(footnoteBlocks{extension.NewFootnoteBlockParser()}, 999),
		),
	)
}

// linkify is goldmark's parser of plain addresses, which it asks at every blank, passed over where none can begin.
type linkify struct{ parser.InlineParser }

func (l linkify) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if len(line) > 0 {
		switch line[0] {
		case ' ', '*', '_', '~', '(':
			line = line[1:]
		}
	}
	if len(line) == 0 {
		return nil
	}
	begins := false
	switch line[0] {
	case 'h':
		begins = bytes.HasPrefix(line, []byte("http"))
	case 'f':
		begins = bytes.HasPrefix(line, []byte("ftp:"))
	case 'w':
		begins = bytes.HasPrefix(line, []byte("www."))
	}
	for i := 0; !begins && i < len(line) && line[i] > ' '; i++ {
		begins = line[i] == '@'
	}
	if !begins {
		return nil
	}
	return l.InlineParser.Parse(parent, block, pc)
}

// mayHoldAddresses reports whether plain addresses may stand in a body: a mark of one that does not stand where a
// link, a definition or an automatic link has its address.
func mayHoldAddresses(src []byte) bool {
	if bytes.IndexByte(src, '@') >= 0 {
		return true
	}
	for _, mark := range []string{"http", "www.", "ftp:"} {
		rest := src
		for {
			i := bytes.Index(rest, []byte(mark))
			if i < 0 {
				break
			}
			before := rest[:i]
			if i == 0 && len(rest) != len(src) || !bytes.HasSuffix(before, []byte("](")) && !bytes.HasSuffix(before, []byte("]: ")) &&
				!bytes.HasSuffix(before, []byte("<")) && !bytes.HasSuffix(before, []byte("//")) {
				return true
			}
			rest = rest[i+len(mark):]
		}
	}
	return false
}

// A markdown writes the syntax tree of a Markdown body. With plain set, there is no raw HTML in it, and it writes
// the final form; else it writes HTML that goes through the sanitiser.
type markdown struct {
	w      *writer
	src    []byte
	plain  bool
	inLink bool
	inCell bool
	filled int // cells of short rows that were filled up
}

func (r *Renderer) renderMarkdown(w *writer, src []byte) {
	if tooNested(src) {
		w.plain(src, site.Markdown, tooDeep, simplify)
		return
	}
	if len(src) > smallBody && tooCostly(src) {
		w.plain(src, site.Markdown, "a paragraph of the body is too intricate to render: the body became plain text",
			"divide the paragraph")
		return
	}
	md := r.md
	if mayHoldAddresses(src) {
		md = r.mdPlain
	}
	p := newParsing(w.watch, len(src))
	doc := md.Parse(text.NewReader(src), parser.WithContext(p))
	s := survey{w: w, src: src}
	s.look(doc, 0)
	if s.deep {
		w.plain(src, site.Markdown, tooDeep, simplify)
		return
	}
	if p.refused {
		w.problem("references", fmt.Sprintf("links by reference would add more than %d bytes to the body: those after that stay text", max(len(src), minExpansion)),
			"make the addresses of definitions shorter, or use them less often")
	}
	w.src = src
	m := markdown{w: w, src: src, plain: !s.raw}
	m.children(doc)
	if !s.raw {
		return
	}
	html := bytes.Clone(w.out)
	w.restart()
	w.html(html, site.Markdown, src)
}

const (
	tooDeep  = "the body is nested too deeply to render: it became plain text"
	simplify = "nest quotes, lists and elements less deeply"
)

// tooNested reports whether a line of src opens more quotes and list items than are rendered, which also costs the
// parser time that grows with the square of their number.
func tooNested(src []byte) bool {
	for len(src) > 0 {
		line := src
		if i := bytes.IndexByte(src, '\n'); i >= 0 {
			line, src = src[:i], src[i+1:]
		} else {
			src = nil
		}
		if len(line) < maxDepth {
			continue
		}
		n, same := 0, true
		for i := 0; i < len(line); i++ {
			c := line[i]
			if c == ' ' || c == '\t' {
				continue
			}
			if '0' <= c && c <= '9' {
				for i < len(line) && '0' <= line[i] && line[i] <= '9' {
					i++
				}
				if i == len(line) || line[i] != '.' && line[i] != ')' {
					break
				}
			} else if c != '>' && c != '-' && c != '*' && c != '+' {
				same = false
				break
			}
			if n > 0 && c != line[0] || c == '>' || c == '+' || '0' <= c && c <= '9' {
				same = false // else it may be a long rule
			}
			n++
		}
		if n > maxDepth && !same {
			return true
		}
	}
	return false
}

// smallBody is the length in bytes up to which nothing that can be written costs the parser more than a moment.
const smallBody = 8 << 10

// tooCostly reports whether the parser would need seconds: its time grows with the square of the number of marks of
// emphasis in a paragraph, and of the length of addresses that never end.
func tooCostly(src []byte) bool {
	const budget = 2e9 // nanoseconds, about
	cost, marks, length, titles, depth := 0.0, 0.0, 0.0, 0.0, 0.0
	paragraph := func() float64 { return 4*marks*marks + titles*length }
	fence := byte(0)
	for len(src) > 0 && cost < budget {
		line := src
		if i := bytes.IndexByte(src, '\n'); i >= 0 {
			line, src = src[:i], src[i+1:]
		} else {
			src = nil
		}
		text := bytes.TrimLeft(line, " \t>")
		if len(text) >= 3 && (text[0] == '`' || text[0] == '~') && text[1] == text[0] && text[2] == text[0] {
			switch fence {
			case 0:
				fence = text[0]
			case text[0]:
				fence = 0
			}
			continue
		}
		if fence != 0 {
			continue
		}
		if len(text) == 0 {
			cost += paragraph()
			marks, length, titles, depth = 0, 0, 0, 0
			continue
		}
		length += float64(len(line))
		titles += float64(openTitles(text))
		for _, c := range text {
			switch c {
			case '*', '_', '~':
				marks++
			case '[':
				depth++
			case ']':
				cost += depth
				depth = max(0, depth-1)
			}
		}
		for word := range bytes.FieldsSeq(text) {
			if len(word) > 1000 {
				cost += 5 * float64(bytes.Count(word, []byte("]("))) * float64(len(word))
			}
		}
		cost += 2 * float64(bytes.Count(text, []byte("](<"))) * float64(len(text))
	}
	return cost+paragraph() > budget
}

// openTitles is the number of titles of links and definitions in a line that do not end in it.
func openTitles(line []byte) int {
	n := 0
	for at := 0; ; {
		i := bytes.IndexByte(line[at:], ']')
		if i < 0 {
			return n
		}
		at += i + 1
		if at == len(line) || line[at] != '(' && line[at] != ':' {
			continue
		}
		rest := bytes.TrimLeft(line[at+1:], " \t")
		end := bytes.IndexAny(rest, " \t]")
		if end < 0 || rest[end] == ']' {
			continue
		}
		title := bytes.TrimLeft(rest[end:], " \t")
		if len(title) > 0 && (title[0] == '"' || title[0] == '\'') && bytes.LastIndexByte(title, title[0]) == 0 {
			n++
		}
	}
}

// A survey finds out what a syntax tree holds before it is written.
type survey struct {
	w    *writer
	src  []byte
	raw  bool // HTML other than comments
	deep bool
}

func (s *survey) look(n ast.Node, depth int) {
	s.w.watch.tick()
	if depth > maxDepth {
		s.deep = true
		return
	}
	for c := n.FirstChild(); c != nil && !s.deep; c = c.NextSibling() {
		switch c.Kind() {
		case ast.KindText, ast.KindString, ast.KindCodeSpan, ast.KindFencedCodeBlock, ast.KindCodeBlock:
			continue
		case ast.KindHTMLBlock:
			if !isComment(htmlBlock(c.(*ast.HTMLBlock), s.src)) {
				s.raw = true
			}
			continue
		case ast.KindRawHTML:
			if !isComment(c.(*ast.RawHTML).Segments.Value(s.src)) {
				s.raw = true
			}
			continue
		case ast.KindHeading:
			s.w.reserveID(headingID(c))
		case east.KindFootnote:
			s.w.reserveID("fn:" + strconv.Itoa(c.(*east.Footnote).Index))
		case east.KindFootnoteLink:
			s.w.reserveID(footnoteRef(c.(*east.FootnoteLink).Index, c.(*east.FootnoteLink).RefIndex))
		}
		s.look(c, depth+1)
	}
}

func htmlBlock(n *ast.HTMLBlock, src []byte) []byte {
	b := n.Lines().Value(src)
	if n.HasClosure() {
		b = append(b[:len(b):len(b)], n.ClosureLine.Value(src)...)
	}
	return b
}

// isComment reports whether HTML is one comment, so that it needs no parser to be dropped.
func isComment(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) >= len("<!---->") && bytes.HasPrefix(b, []byte("<!--")) && !bytes.HasPrefix(b, []byte("<!-->")) &&
		!bytes.HasPrefix(b, []byte("<!--->")) && bytes.HasSuffix(b, []byte("-->")) &&
		!bytes.Contains(b[4:len(b)-3], []byte("--")) && !bytes.Contains(b, []byte("--!>"))
}

// headingID is the id an author wrote after a heading; ids of footnotes are left to footnotes.
func headingID(n ast.Node) string {
	v, ok := n.AttributeString("id")
	if !ok {
		return ""
	}
	id := attributeString(v)
	if strings.HasPrefix(id, "fn:") || strings.HasPrefix(id, "fnref:") {
		return ""
	}
	return id
}

func attributeString(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	}
	return ""
}

func footnoteRef(index, ref int) string {
	id := "fnref:" + strconv.Itoa(index)
	if ref > 0 {
		id += "-" + strconv.Itoa(ref+1)
	}
	return id
}

// place notes where in the body a block begins, for problems.
func (m *markdown) place(n ast.Node) {
	if l := n.Lines(); l != nil && l.Len() > 0 {
		m.w.place = l.At(0).Start
	}
}

func (m *markdown) children(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		m.node(c)
	}
}

func (m *markdown) wrap(open string, n ast.Node, end string) {
	m.w.raw(open)
	m.children(n)
	m.w.raw(end)
}

// paragraph writes a paragraph that begins with the inline node c.
func (m *markdown) paragraph(c ast.Node) {
	w := m.w
	w.inWord = false
	mark := w.mark()
	w.raw("<p>")
	for ; c != nil; c = c.NextSibling() {
		m.node(c)
	}
	if w.paragraph(mark, len("<p>"), false) {
		w.raw("\n")
	}
}

func (m *markdown) node(n ast.Node) {
	w := m.w
	w.step()
	switch n.Kind() {
	case ast.KindText:
		m.text(n.(*ast.Text))
	case ast.KindString:
		w.text(n.(*ast.String).Value)
	case ast.KindParagraph:
		m.place(n)
		m.paragraph(n.FirstChild())
	case ast.KindTextBlock:
		m.place(n)
		w.inWord = false
		m.children(n)
		if n.NextSibling() != nil && n.FirstChild() != nil {
			w.raw("\n")
		}
	case ast.KindHeading:
		m.heading(n.(*ast.Heading))
	case ast.KindBlockquote:
		if !m.alert(n) {
			m.wrap("<blockquote>\n", n, "</blockquote>\n")
		}
	case ast.KindList:
		m.list(n.(*ast.List))
	case ast.KindListItem:
		m.listItem(n)
	case ast.KindThematicBreak:
		w.raw("<hr>\n")
	case ast.KindFencedCodeBlock:
		m.code(fenceLanguage(n.(*ast.FencedCodeBlock), m.src), n)
	case ast.KindCodeBlock:
		m.code("", n)
	case ast.KindHTMLBlock:
		if b := htmlBlock(n.(*ast.HTMLBlock), m.src); !m.plain && !isComment(b) {
			w.out = append(w.out, b...)
			m.tags(n.Lines())
		}
	case ast.KindRawHTML:
		if b := n.(*ast.RawHTML).Segments.Value(m.src); !m.plain && !isComment(b) {
			w.out = append(w.out, b...)
			m.tags(n.(*ast.RawHTML).Segments)
		}
	case ast.KindEmphasis:
		if n.(*ast.Emphasis).Level == 2 {
			m.wrap("<strong>", n, "</strong>")
		} else {
			m.wrap("<em>", n, "</em>")
		}
	case ast.KindCodeSpan:
		m.codeSpan(n)
	case ast.KindLink:
		l := n.(*ast.Link)
		m.link(resolve(l.Destination), m.decode(l.Title), func() { m.children(n) })
	case ast.KindAutoLink:
		l := n.(*ast.AutoLink)
		url := string(l.URL(m.src))
		if l.AutoLinkType == ast.AutoLinkEmail && (len(url) < 7 || !strings.EqualFold(url[:7], "mailto:")) {
			url = "mailto:" + url
		}
		m.link(url, "", func() { w.text(l.Label(m.src)) })
	case ast.KindImage:
		i := n.(*ast.Image)
		m.image(resolve(i.Destination), m.alt(i), m.decode(i.Title))
	case ast.KindLinkReferenceDefinition:
	case east.KindStrikethrough:
		m.wrap("<del>", n, "</del>")
	case east.KindTaskCheckBox:
		w.checkbox(n.(*east.TaskCheckBox).IsChecked)
		w.raw(" ")
	case east.KindTable:
		m.wrap("<div class=\"table-wrap\" tabindex=\"0\"><table>\n", n, "</table></div>\n")
	case east.KindTableHeader:
		m.inCell = true
		m.wrap("<thead>\n<tr>\n", n, "</tr>\n</thead>\n")
		m.inCell = false
		if n.NextSibling() != nil {
			w.raw("<tbody>\n")
		}
	case east.KindTableRow:
		m.row(n.(*east.TableRow))
		if n.NextSibling() == nil {
			w.raw("</tbody>\n")
		}
	case east.KindTableCell:
		m.cell(n.(*east.TableCell))
	case east.KindDefinitionList:
		m.wrap("<dl>\n", n, "</dl>\n")
	case east.KindDefinitionTerm:
		w.inWord = false
		m.wrap("<dt>", n, "</dt>\n")
	case east.KindDefinitionDescription:
		w.inWord = false
		m.wrap("<dd>", n, "</dd>\n")
	case east.KindFootnoteLink:
		m.footnoteLink(n.(*east.FootnoteLink))
	case east.KindFootnoteBacklink:
		l := n.(*east.FootnoteBacklink)
		w.raw(` <a href="#`)
		w.raw(footnoteRef(l.Index, l.RefIndex))
		w.raw(`" class="footnote-backref" role="doc-backlink" aria-label="`)
		w.raw(w.labels.back)
		w.raw(" ")
		w.raw(strconv.Itoa(l.Index))
		if l.RefIndex > 0 {
			w.raw("-")
			w.raw(strconv.Itoa(l.RefIndex + 1))
		}
		w.raw(`">↩</a>`)
	case east.KindFootnoteList:
		w.raw("<section class=\"footnotes\" role=\"doc-endnotes\" aria-label=\"")
		w.raw(w.labels.footnotes)
		m.wrap("\">\n<ol>\n", n, "</ol>\n</section>\n")
	case east.KindFootnote:
		w.inWord = false
		w.raw("<li")
		m.id("fn:" + strconv.Itoa(n.(*east.Footnote).Index))
		m.wrap(">\n", n, "</li>\n")
	default:
		m.children(n)
	}
}

// tags notes where in the body raw HTML stands, for problems.
func (m *markdown) tags(lines *text.Segments) {
	for i := range lines.Len() {
		m.w.spans = append(m.w.spans, span{lines.At(i).Start, lines.At(i).Stop})
	}
}

// id writes an id of freshet's own.
func (m *markdown) id(id string) {
	if m.plain {
		id = m.w.takeID(id)
	}
	m.w.attr("id", id)
}

func (m *markdown) footnoteLink(n *east.FootnoteLink) {
	if m.inLink {
		return // links do not nest
	}
	w := m.w
	w.raw("<sup")
	m.id(footnoteRef(n.Index, n.RefIndex))
	w.raw(`><a href="#fn:`)
	w.raw(strconv.Itoa(n.Index))
	w.raw(`" class="footnote-ref" role="doc-noteref">`)
	w.raw(strconv.Itoa(n.Index))
	w.raw("</a></sup>")
}

// text writes running text. A newline between characters of scripts that are written without blanks is no blank.
func (m *markdown) text(n *ast.Text) {
	v := n.Segment.Value(m.src)
	if n.IsRaw() {
		m.w.text(v)
	} else {
		m.running(v)
	}
	switch {
	case n.HardLineBreak():
		m.w.inWord = false
		m.w.raw("<br>\n")
	case n.SoftLineBreak():
		m.w.inWord = false
		if len(v) > 0 && v[len(v)-1] >= 0x80 {
			if next, ok := n.NextSibling().(*ast.Text); ok {
				last, _ := utf8.DecodeLastRune(v)
				first, _ := utf8.DecodeRune(next.Segment.Value(m.src))
				if unspaced(last) && unspaced(first) {
					return
				}
			}
		}
		m.w.raw("\n")
	}
}

// unspaced reports whether a character belongs to a script that is written without blanks between words.
func unspaced(r rune) bool {
	return 0x3001 <= r && r <= 0x30ff || 0x3400 <= r && r <= 0x9fff || 0xf900 <= r && r <= 0xfaff ||
		0xff00 <= r && r <= 0xffef || 0x20000 <= r && r <= 0x3ffff
}

// running writes text in which backslashes and character references mean something.
func (m *markdown) running(v []byte) {
	if bytes.IndexByte(v, '\\') < 0 && bytes.IndexByte(v, '&') < 0 {
		m.w.text(v)
		return
	}
	m.w.text([]byte(m.decode(v)))
}

// decode is text with backslash escapes and character references resolved.
func (m *markdown) decode(v []byte) string {
	if bytes.IndexByte(v, '\\') < 0 && bytes.IndexByte(v, '&') < 0 {
		return string(v)
	}
	var b strings.Builder
	b.Grow(len(v))
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\' && i+1 < len(v) && util.IsPunct(v[i+1]):
			i++
			b.WriteByte(v[i])
		case c == '&':
			n := reference(v[i:])
			if n == 0 {
				b.WriteByte('&')
				continue
			}
			b.WriteString(html.UnescapeString(string(v[i : i+n])))
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// reference is the length of the character reference that v begins with; 0: none. As CommonMark has it, it ends
// with a semicolon, and a name must be one of HTML's.
func reference(v []byte) int {
	end := bytes.IndexByte(v[:min(len(v), 40)], ';')
	if end < 2 {
		return 0
	}
	name := v[1:end]
	if name[0] == '#' {
		digits := name[1:]
		hex := len(digits) > 0 && (digits[0] == 'x' || digits[0] == 'X')
		if hex {
			digits = digits[1:]
		}
		if len(digits) == 0 || len(digits) > 7 || hex && len(digits) > 6 {
			return 0
		}
		for _, c := range digits {
			if !('0' <= c && c <= '9' || hex && isHex(c)) {
				return 0
			}
		}
		return end + 1
	}
	if _, ok := util.LookUpHTML5EntityByName(string(name)); !ok {
		return 0
	}
	return end + 1
}

// resolve is an address with backslash escapes and character references resolved.
func resolve(dest []byte) string {
	var m markdown
	return m.decode(dest)
}

func (m *markdown) heading(n *ast.Heading) {
	m.place(n)
	m.w.inWord = false
	var class, lang, dir string
	if n.Attributes() != nil {
		if v, ok := n.AttributeString("class"); ok {
			class = contentClasses(attributeString(v))
		}
		if v, ok := n.AttributeString("lang"); ok && isLang(attributeString(v)) {
			lang = attributeString(v)
		}
		if v, ok := n.AttributeString("dir"); ok && isDir(attributeString(v)) {
			dir = strings.ToLower(attributeString(v))
		}
	}
	if m.plain {
		mark := m.w.mark()
		m.children(n)
		if m.w.heading(mark, n.Level, headingID(n), class, lang, dir) {
			m.w.raw("\n")
		}
		return
	}
	w := m.w
	level := string(rune('0' + n.Level))
	w.raw("<h" + level)
	w.attr("id", headingID(n))
	w.attr("class", class)
	w.attr("lang", lang)
	w.attr("dir", dir)
	m.wrap(">", n, "</h"+level+">\n")
}

func (m *markdown) link(url, title string, content func()) {
	if m.inLink {
		content()
		return
	}
	open := true
	mark := m.w.mark()
	if m.plain {
		open = m.w.link(url)
	} else {
		m.w.raw(`<a href="`)
		m.w.out = appendAttr(m.w.out, url)
		m.w.raw(`"`)
	}
	if open {
		m.w.attr("title", title)
		m.w.raw(">")
	}
	start := len(m.w.out)
	m.inLink = true
	content()
	m.inLink = false
	if len(m.w.out) == start {
		m.w.back(mark) // nothing to click on
	} else if open {
		m.w.raw("</a>")
	}
}

func (m *markdown) image(src, alt, title string) {
	if m.plain {
		m.w.image(img{src: src, alt: alt, title: title})
		return
	}
	m.w.raw(`<img src="`)
	m.w.out = appendAttr(m.w.out, src)
	m.w.raw(`" alt="`)
	m.w.out = appendAttr(m.w.out, alt)
	m.w.raw(`"`)
	m.w.attr("title", title)
	m.w.raw(">")
}

// alt is the text within a node, for a picture.
func (m *markdown) alt(n ast.Node) string {
	var b strings.Builder
	m.altText(&b, n)
	return b.String()
}

func (m *markdown) altText(b *strings.Builder, n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			if c.IsRaw() {
				b.Write(c.Segment.Value(m.src))
			} else {
				b.WriteString(m.decode(c.Segment.Value(m.src)))
			}
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.AutoLink:
			b.Write(c.Label(m.src))
		default:
			m.altText(b, c)
		}
	}
}

func (m *markdown) codeSpan(n ast.Node) {
	w := m.w
	w.raw("<code>")
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		t, ok := c.(*ast.Text)
		if !ok {
			continue
		}
		v := t.Segment.Value(m.src)
		if m.inCell && bytes.Contains(v, []byte(`\|`)) {
			v = bytes.ReplaceAll(v, []byte(`\|`), []byte("|"))
		}
		if len(v) > 0 && v[len(v)-1] == '\n' {
			w.text(v[:len(v)-1])
			w.text([]byte{' '})
		} else {
			w.text(v)
		}
	}
	w.raw("</code>")
}

// fenceLanguage is the language after the fence: "go", also of "go {linenos=table}", "rust,ignore" and "{.python}".
func fenceLanguage(n *ast.FencedCodeBlock, src []byte) string {
	if n.Info == nil {
		return ""
	}
	return resolve(n.Info.Segment.Value(src))
}

func (m *markdown) code(info string, n ast.Node) {
	m.w.inWord = false
	if m.plain {
		m.w.code(info, n.Lines().Value(m.src))
		m.w.raw("\n")
		return
	}
	w := m.w
	w.raw(`<pre><code class="`)
	w.raw(languageClass(info))
	w.raw(`">`)
	w.out = appendText(w.out, n.Lines().Value(m.src))
	w.raw("</code></pre>\n")
}

func (m *markdown) list(n *ast.List) {
	w := m.w
	end := "</ul>\n"
	switch {
	case n.IsOrdered():
		end = "</ol>\n"
		w.raw("<ol")
		if n.Start != 1 {
			w.attr("start", strconv.Itoa(n.Start))
		}
	case isTaskList(n):
		w.raw(`<ul class="tasks"`)
	default:
		w.raw("<ul")
	}
	m.wrap(">\n", n, end)
}

// isTaskList reports whether an item of the list begins with a box.
func isTaskList(n ast.Node) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if isTask(c) {
			return true
		}
	}
	return false
}

func isTask(item ast.Node) bool {
	b := item.FirstChild()
	return b != nil && b.FirstChild() != nil && b.FirstChild().Kind() == east.KindTaskCheckBox
}

func (m *markdown) listItem(n ast.Node) {
	open := "<li>"
	if isTask(n) {
		open = `<li class="task">`
	}
	if c := n.FirstChild(); c != nil && c.Kind() != ast.KindTextBlock {
		open += "\n"
	}
	m.wrap(open, n, "</li>\n")
}

// checkbox writes the box of a task.
func (w *writer) checkbox(done bool) {
	label, checked := w.labels.open, ""
	if done {
		label, checked = w.labels.done, ` checked=""`
	}
	w.raw(`<input type="checkbox" disabled=""`)
	w.raw(checked)
	w.raw(` aria-label="`)
	w.raw(label)
	w.raw(`">`)
}

// row writes a row of a table's body, filled up to as many cells as its header has.
func (m *markdown) row(n *east.TableRow) {
	m.inCell = true
	m.w.raw("<tr>\n")
	m.children(n)
	if missing := len(n.Alignments) - n.ChildCount(); m.filled+missing <= maxFilled {
		m.filled += missing
		m.w.raw(strings.Repeat("<td></td>\n", missing))
	} else {
		m.w.problem("cells", fmt.Sprintf("more than %d cells are missing in short rows of tables: the rows after that stay short", maxFilled),
			"divide the table, or write its rows as long as its header")
	}
	m.w.raw("</tr>\n")
	m.inCell = false
}

func (m *markdown) cell(n *east.TableCell) {
	open, end := "<td", "</td>\n"
	if n.Parent().Kind() == east.KindTableHeader {
		open, end = "<th", "</th>\n"
	}
	m.place(n)
	m.w.inWord = false
	m.w.raw(open)
	switch n.Alignment {
	case east.AlignLeft:
		m.w.raw(` class="align-left"`)
	case east.AlignRight:
		m.w.raw(` class="align-right"`)
	case east.AlignCenter:
		m.w.raw(` class="align-center"`)
	}
	m.wrap(">", n, end)
}

// alert writes a quote that begins with "[!NOTE]" (or another kind, or with a title of its own behind it) as an
// alert, and reports whether it was one.
func (m *markdown) alert(n ast.Node) bool {
	p, ok := n.FirstChild().(*ast.Paragraph)
	if !ok || p.Lines().Len() == 0 {
		return false
	}
	first := p.Lines().At(0)
	line := bytes.TrimSpace(first.Value(m.src))
	if !bytes.HasPrefix(line, []byte("[!")) {
		return false
	}
	end := bytes.IndexByte(line, ']')
	if end < 0 || bytes.HasPrefix(line[end+1:], []byte("(")) || bytes.HasPrefix(line[end+1:], []byte("[")) {
		return false
	}
	kind, ok := alertKind(string(line[2:end]))
	if !ok {
		return false
	}
	// The inline nodes of the first line are the marker and the title; the rest is the first paragraph.
	title := bytes.IndexByte(m.src[first.Start:first.Stop], ']') + first.Start + 1
	for title < first.Stop && bytes.IndexByte([]byte("+- \t\n"), m.src[title]) >= 0 {
		title++
	}
	w := m.w
	m.place(p)
	w.raw(`<div class="alert alert-`)
	w.raw(alertKinds[kind])
	w.raw(`" role="note">` + "\n" + `<p class="alert-title">`)
	w.inWord = false
	if title >= first.Stop {
		w.text([]byte(w.labels.alerts[kind]))
	}
	c := p.FirstChild()
	for last := false; c != nil && !last; c = c.NextSibling() {
		t, ok := c.(*ast.Text)
		if !ok {
			m.node(c)
			continue
		}
		last = (t.SoftLineBreak() || t.HardLineBreak()) && t.Segment.Stop <= first.Stop
		if t.Segment.Stop > title {
			m.running(m.src[max(t.Segment.Start, title):t.Segment.Stop])
		}
	}
	w.raw("</p>\n")
	if c != nil {
		m.paragraph(c)
	}
	for b := p.NextSibling(); b != nil; b = b.NextSibling() {
		m.node(b)
	}
	w.raw("</div>\n")
	return true
}
