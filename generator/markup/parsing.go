package markup

import (
	"bytes"
	"slices"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// minExpansion is how many bytes reference links may add to any body, however short: cmark's number.
const minExpansion = 100_000

// maxFilled is how many cells of short rows are filled up in one body. Rows beyond it stay short, as HTML allows.
const maxFilled = 100_000

// maxSteps is how many open blocks goldmark looks at, line by line, which takes about a second: a line within n quotes and list
// items is looked at n times, even when it is blank.
const maxSteps = 2_000_000

// maxBackLinks is how many links back a footnote has.
const maxBackLinks = 50

// An unfit is the panic that ends the parsing of a body that is beyond bounds.
type unfit struct{ message, remedy string }

// A parsing is goldmark's context for one body. Our parsers keep their state in it. It stops goldmark when the time of
// the rendering is over, and bounds what links by reference add: the address and title of a definition of n bytes that
// is used n times make n² bytes.
type parsing struct {
	parser.Context
	watch     *watch
	steps     int  // what is left of maxSteps
	expansion int  // bytes that links by reference may still add
	refused   bool // some of them were not made for that reason
	emphasis  delimiters
	strike    delimiters
	notes     map[string]*east.Footnote // by label, the first of each
	list      *east.FootnoteList
	links     []*east.FootnoteLink
}

func newParsing(w *watch, size int) *parsing {
	return &parsing{
		Context: parser.NewContext(), watch: w, steps: maxSteps, expansion: max(size, minExpansion),
		emphasis: delimiters{watch: w}, strike: delimiters{watch: w, strike: true},
	}
}

// Get, SetBlockOffset and RemoveDelimiter are what goldmark calls most often.

func (p *parsing) Get(key parser.ContextKey) any {
	p.watch.tick()
	return p.Context.Get(key)
}

func (p *parsing) SetBlockOffset(n int) {
	p.watch.tick()
	p.Context.SetBlockOffset(n)
}

func (p *parsing) RemoveDelimiter(d *parser.Delimiter) {
	p.watch.tick()
	p.Context.RemoveDelimiter(d)
}

// OpenedBlocks is what goldmark asks at every line.
func (p *parsing) OpenedBlocks() []parser.Block {
	blocks := p.Context.OpenedBlocks()
	if p.steps -= len(blocks); p.steps < 0 || len(blocks) > 2*maxDepth {
		panic(unfit{tooDeep, simplify})
	}
	return blocks
}

// Reference finds the definition of a link, unless the links before it have used up what all of them may add.
func (p *parsing) Reference(label string) (parser.Reference, bool) {
	p.watch.tick()
	ref, ok := p.Context.Reference(label)
	if !ok {
		return nil, false
	}
	size := len(ref.Destination()) + len(ref.Title())
	if size > p.expansion {
		p.refused = true
		return nil, false
	}
	p.expansion -= size
	return ref, true
}

// delimiters are runs of '*' and '_', or of '~'.
type delimiters struct {
	watch  *watch
	strike bool
}

// IsDelimiter implements parser.DelimiterProcessor.
func (d *delimiters) IsDelimiter(c byte) bool {
	if d.strike {
		return c == '~'
	}
	return c == '*' || c == '_'
}

// CanOpenCloser implements parser.DelimiterProcessor.
func (d *delimiters) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	d.watch.tick()
	return opener.Char == closer.Char
}

// OnMatch implements parser.DelimiterProcessor.
func (d *delimiters) OnMatch(consumes int) ast.Node {
	if d.strike {
		return east.NewStrikethrough()
	}
	return ast.NewEmphasis(consumes)
}

// emphasis parses runs of '*', '_' and '~'. Chinese, Japanese and Korean are written without blanks, so that CommonMark's
// rule on punctuation would leave the marks of "**重点，**后" as they are. Here punctuation of these scripts does
// not count as punctuation, and a character of theirs on the other side is as good as a blank (the amendment known as
// markdown-cjk-friendly).
type emphasis struct{}

// Trigger implements parser.InlineParser.
func (emphasis) Trigger() []byte { return []byte{'*', '_', '~'} }

// Parse implements parser.InlineParser.
func (emphasis) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	p := pc.(*parsing)
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	c, n := line[0], 1
	for n < len(line) && line[n] == c {
		n++
	}
	of := &p.emphasis
	if c == '~' {
		if n > 2 || before == '~' {
			return nil
		}
		of = &p.strike
	}
	after := ' '
	if n < len(line) {
		after = util.ToRune(line, n)
	}
	left, right := flanking(before, after)
	if c == '_' {
		left, right = left && (!right || util.IsPunctRune(before)), right && (!left || util.IsPunctRune(after))
	}
	d := parser.NewDelimiter(left, right, n, c, of)
	d.Segment = segment.WithStop(segment.Start + n)
	block.Advance(n)
	p.PushDelimiter(d)
	return d
}

// flanking reports whether a run of marks between two characters is left-flanking and right-flanking.
func flanking(before, after rune) (left, right bool) {
	spaceBefore, spaceAfter := util.IsSpaceRune(before), util.IsSpaceRune(after)
	wideBefore, wideAfter := wideRune(before), wideRune(after)
	punctBefore, punctAfter := !wideBefore && util.IsPunctRune(before), !wideAfter && util.IsPunctRune(after)
	left = !spaceAfter && (!punctAfter || spaceBefore || punctBefore || wideBefore)
	right = !spaceBefore && (!punctBefore || spaceAfter || punctAfter || wideAfter)
	return left, right
}

// wideRune reports whether a character belongs to Chinese, Japanese or Korean, their punctuation and full-width forms included.
func wideRune(r rune) bool {
	switch {
	case r < 0x1100, util.IsSpaceRune(r):
		return false
	case r <= 0x11ff, 0x2e80 <= r && r <= 0xa4cf, 0xa960 <= r && r <= 0xa97f, 0xac00 <= r && r <= 0xd7ff, 0xf900 <= r && r <= 0xfaff,
		0xfe00 <= r && r <= 0xfe02, 0xfe10 <= r && r <= 0xfe1f, 0xfe30 <= r && r <= 0xfe6f, 0xff01 <= r && r <= 0xffe6,
		0x16fe0 <= r && r <= 0x1b2ff, 0x20000 <= r && r <= 0x3ffff, 0xe0100 <= r && r <= 0xe01ef:
		return true
	}
	return false
}

// footnoteBlocks are goldmark's definitions of footnotes, found by label in a map: its own list takes time that grows with the
// square of their number.
type footnoteBlocks struct{ parser.BlockParser }

// Close implements parser.BlockParser.
func (footnoteBlocks) Close(node ast.Node, _ text.Reader, pc parser.Context) {
	p := pc.(*parsing)
	note := node.(*east.Footnote)
	parent := node.Parent()
	if p.list == nil {
		p.list, p.notes = east.NewFootnoteList(), map[string]*east.Footnote{}
		parent.InsertBefore(parent, node, p.list)
	}
	parent.RemoveChild(parent, node)
	p.list.AppendChild(p.list, node)
	if _, ok := p.notes[string(note.Ref)]; !ok {
		p.notes[string(note.Ref)] = note
	}
}

// footnoteLinks are the references to footnotes: "[^label]".
type footnoteLinks struct{}

// Trigger implements parser.InlineParser. Before a '!' the parser of pictures would come first.
func (footnoteLinks) Trigger() []byte { return []byte{'!', '['} }

// Parse implements parser.InlineParser.
func (footnoteLinks) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	p := pc.(*parsing)
	p.watch.tick()
	if p.list == nil {
		return nil
	}
	line, segment := block.PeekLine()
	open := bytes.IndexByte(line[:min(2, len(line))], '[')
	if open < 0 || open+1 >= len(line) || line[open+1] != '^' {
		return nil
	}
	label := line[open+2:]
	n := labelEnd(label)
	if n <= 0 {
		return nil
	}
	note := p.notes[string(label[:n])]
	if note == nil {
		return nil
	}
	if note.Index < 0 {
		p.list.Count++
		note.Index = p.list.Count
	}
	block.Advance(open + 2 + n + 1)
	if open > 0 {
		parent.AppendChild(parent, ast.NewTextSegment(text.NewSegment(segment.Start, segment.Start+1)))
	}
	link := east.NewFootnoteLink(note.Index)
	p.links = append(p.links, link)
	return link
}

// labelEnd is the length of the label that text begins with, up to its "]"; -1: there is none.
func labelEnd(text []byte) int {
	const maxLabel = 999 // as CommonMark has it
	text = text[:min(len(text), maxLabel)]
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[', '\n':
			return -1
		case ']':
			return i
		}
	}
	return -1
}

// footnotes puts the footnotes that are referred to at the end of the body, in the order of their first references, each with
// links back.
type footnotes struct{}

// Transform implements parser.ASTTransformer.
func (footnotes) Transform(doc *ast.Document, _ text.Reader, pc parser.Context) {
	p := pc.(*parsing)
	if p.list == nil {
		return
	}
	count := make([]int, p.list.Count+1)
	for _, l := range p.links {
		l.RefIndex = count[l.Index]
		count[l.Index]++
	}
	var used []*east.Footnote
	for c := p.list.FirstChild(); c != nil; c = p.list.FirstChild() {
		p.list.RemoveChild(p.list, c)
		if note := c.(*east.Footnote); note.Index > 0 {
			used = append(used, note)
		}
	}
	p.list.Parent().RemoveChild(p.list.Parent(), p.list)
	slices.SortFunc(used, func(a, b *east.Footnote) int { return a.Index - b.Index })
	for _, note := range used {
		p.list.AppendChild(p.list, note)
		var in ast.Node = note
		if last := note.LastChild(); last != nil && ast.IsParagraph(last) {
			in = last
		}
		for i := range min(count[note.Index], maxBackLinks) {
			back := east.NewFootnoteBacklink(note.Index)
			back.RefCount, back.RefIndex = count[note.Index], i
			in.AppendChild(in, back)
		}
	}
	if len(used) > 0 {
		doc.AppendChild(doc, p.list)
	}
}

// tables makes tables of GFM. Unlike goldmark's own it does not fill up short rows: a header of n columns before n short rows
// would make n² cells. The writer fills them up, within bounds.
type tables struct{}

// Transform implements parser.ParagraphTransformer.
func (tables) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	p := pc.(*parsing)
	src, lines := reader.Source(), node.Lines()
	for i := 1; i < lines.Len(); i++ {
		line := lines.At(i)
		columns := delimiterRow(line.Value(src))
		if columns == nil {
			continue
		}
		header := tableRow(lines.At(i-1), src, columns, true)
		if header.ChildCount() != len(columns) {
			return
		}
		table := east.NewTable()
		table.Alignments = columns
		table.AppendChild(table, east.NewTableHeader(header))
		for j := i + 1; j < lines.Len(); j++ {
			p.watch.tick()
			table.AppendChild(table, tableRow(lines.At(j), src, columns, false))
		}
		parent := node.Parent()
		parent.InsertAfter(parent, node, table)
		if i == 1 {
			parent.RemoveChild(parent, node)
			return
		}
		lines.SetSliced(0, i-1)
		last := lines.At(i - 2)
		lines.Set(i-2, last.TrimRightSpace(src))
		return
	}
}

// delimiterRow reads the row below a table's header; nil when the line is none.
func delimiterRow(line []byte) []east.Alignment {
	if width, _ := util.IndentWidth(line, 0); width > 3 || !bytes.ContainsAny(line, "|:") {
		return nil
	}
	line = bytes.TrimSpace(line)
	if len(bytes.Trim(line, "|:- \t")) > 0 {
		return nil
	}
	line = bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("|")), []byte("|"))
	var out []east.Alignment
	for cell := range bytes.SplitSeq(line, []byte("|")) {
		cell = bytes.TrimSpace(cell)
		left, right := bytes.HasPrefix(cell, []byte(":")), bytes.HasSuffix(cell, []byte(":"))
		dashes := bytes.TrimSuffix(bytes.TrimPrefix(cell, []byte(":")), []byte(":"))
		if len(dashes) == 0 || len(bytes.Trim(dashes, "-")) > 0 {
			return nil
		}
		switch {
		case left && right:
			out = append(out, east.AlignCenter)
		case left:
			out = append(out, east.AlignLeft)
		case right:
			out = append(out, east.AlignRight)
		default:
			out = append(out, east.AlignNone)
		}
	}
	return out
}

// tableRow reads a row: its cells, no more than there are columns unless it is the header.
func tableRow(line text.Segment, src []byte, columns []east.Alignment, header bool) *east.TableRow {
	row := east.NewTableRow(columns)
	line = line.TrimLeftSpace(src)
	line = line.TrimRightSpace(src)
	at, end := line.Start, line.Stop
	if at < end && src[at] == '|' {
		at++
	}
	if at < end && src[end-1] == '|' && (end-1 == line.Start || src[end-2] != '\\') {
		end--
	}
	for n := 0; at < end; n++ {
		if n >= len(columns) && !header {
			break
		}
		stop := at
		for stop < end && (src[stop] != '|' || stop > line.Start && src[stop-1] == '\\') {
			stop++
		}
		cell := east.NewTableCell()
		if n < len(columns) {
			cell.Alignment = columns[n]
		}
		seg := text.NewSegment(at, stop)
		seg = seg.TrimLeftSpace(src)
		cell.Lines().Append(seg.TrimRightSpace(src))
		row.AppendChild(row, cell)
		at = stop + 1
	}
	return row
}
