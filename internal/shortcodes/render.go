package shortcodes

import (
	"fmt"
	"html"
	"strings"
)

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
