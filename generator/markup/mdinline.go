package markup

import (
	"bytes"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
)

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
