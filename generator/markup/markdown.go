package markup

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

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
	html, more := bytes.Clone(w.out), w.outset.more
	w.restart()
	w.html(html, site.Markdown, src)
	w.before(html, more)
}

const (
	tooDeep  = "the body is nested too deeply to render: it became plain text"
	simplify = "nest quotes, lists and elements less deeply"
)

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
		w.within++
		if !m.alert(n) {
			m.wrap("<blockquote>\n", n, "</blockquote>\n")
		}
		w.within--
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
		m.html(htmlBlock(n.(*ast.HTMLBlock), m.src), n.Lines())
	case ast.KindRawHTML:
		m.html(n.(*ast.RawHTML).Segments.Value(m.src), n.(*ast.RawHTML).Segments)
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
		w.raw(w.label().back)
		w.raw(" ")
		w.raw(strconv.Itoa(l.Index))
		if l.RefIndex > 0 {
			w.raw("-")
			w.raw(strconv.Itoa(l.RefIndex + 1))
		}
		w.raw(`">↩</a>`)
	case east.KindFootnoteList:
		w.raw("<section class=\"footnotes\" role=\"doc-endnotes\" aria-label=\"")
		w.raw(w.label().footnotes)
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

// html writes raw HTML. It notes where in the body that stands, for problems.
func (m *markdown) html(b []byte, lines *text.Segments) {
	if isComment(b) {
		m.w.comment(b)
		return
	}
	if m.plain {
		return
	}
	m.w.out = append(m.w.out, b...)
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
