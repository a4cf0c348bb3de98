package markup

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
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
