package markup

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
)

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
	m.w.within++
	m.wrap(open, n, "</li>\n")
	m.w.within--
}

// checkbox writes the box of a task.
func (w *writer) checkbox(done bool) {
	label, checked := w.label().open, ""
	if done {
		label, checked = w.label().done, ` checked=""`
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
		w.text([]byte(w.label().alerts[kind]))
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
