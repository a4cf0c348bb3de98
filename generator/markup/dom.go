package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// attributeOrder is the order in which attributes are written, after an element's address.
var attributeOrder = []string{
	"type", "disabled", "checked", "start", "reversed", "value", "open", "span", "width", "colspan", "rowspan", "scope", "datetime",
	"title", "target", "rel", "id", "class", "lang", "dir", "tabindex", "role", "aria-label",
}

// flags are attributes that are written even when empty.
var flags = map[string]bool{"disabled": true, "checked": true, "open": true, "reversed": true}

// body writes a sanitised body.
func (w *writer) body(root *html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			if id := get(n, "id"); id != "" {
				w.reserveID(id)
			}
		}
	}
	w.nodes(root)
}

func (w *writer) nodes(n *html.Node) {
	w.step()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !w.node(c) && c.NextSibling != nil && c.NextSibling.Type == html.TextNode {
			// The line that it stood on goes with it.
			c = c.NextSibling
			w.textString(strings.TrimPrefix(c.Data, "\n"))
		}
	}
}

// node writes one node, and reports whether it is there: headings and paragraphs may be dropped. What is not on the allow-list is
// not written, whatever the sanitiser let through.
func (w *writer) node(n *html.Node) bool {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		m := w.mark()
		w.nodes(n)
		return w.heading(m, int(n.Data[1]-'0'), get(n, "id"), get(n, "class"), get(n, "lang"), get(n, "dir"))
	case atom.P:
		m := w.mark()
		w.inWord = false
		w.raw("<p")
		w.attributes(n)
		w.raw(">")
		start := len(w.out) - m.out
		w.nodes(n)
		return w.paragraph(m, start, get(n, "id") != "")
	}
	w.other(n)
	return true
}

func (w *writer) other(n *html.Node) {
	if n.Type == html.TextNode {
		w.textString(n.Data)
		return
	}
	if n.Type != html.ElementNode || n.Namespace != "" || !allowedElement(n.Data) {
		return
	}
	switch n.DataAtom {
	case atom.Img:
		w.imageNode(n)
		return
	case atom.Pre:
		code := find(n, atom.Code)
		if code == nil {
			code = n
		}
		lang := ""
		for c := range strings.FieldsSeq(get(code, "class")) {
			if l, ok := strings.CutPrefix(c, "language-"); ok {
				lang = l
			}
		}
		var b strings.Builder
		flatText(&b, code)
		w.code(lang, []byte(b.String()))
		return
	case atom.Iframe:
		if address, _, ok := embedded(get(n, "src")); ok {
			w.raw("<iframe")
			w.attr("src", address)
			w.attr("title", get(n, "title"))
			w.raw(` loading="lazy" allow="fullscreen; picture-in-picture; encrypted-media" allowfullscreen=""` +
				` referrerpolicy="strict-origin-when-cross-origin"` +
				` sandbox="allow-scripts allow-same-origin allow-presentation allow-popups allow-popups-to-escape-sandbox"></iframe>`)
		}
		return
	case atom.A:
		w.anchor(n)
		return
	case atom.Br, atom.Hr, atom.Wbr, atom.Col, atom.Input:
		if n.DataAtom == atom.Input && get(n, "type") != "checkbox" {
			return
		}
		w.inWord = false
		w.raw("<" + n.Data)
		w.attributes(n)
		w.raw(">")
		return
	case atom.Li, atom.Td, atom.Th, atom.Dt, atom.Dd, atom.Div, atom.Blockquote, atom.Figcaption, atom.Caption, atom.Summary:
		w.inWord = false
	}
	within := w.within
	if n.DataAtom == atom.Li || n.DataAtom == atom.Blockquote || n.DataAtom == atom.Div && hasClass(n, "alert") {
		w.within++
	}
	w.raw("<" + n.Data)
	w.attributes(n)
	w.raw(">")
	w.nodes(n)
	w.raw("</" + n.Data + ">")
	w.within = within
}

func (w *writer) textString(s string) {
	w.buf = append(w.buf[:0], s...)
	w.text(w.buf)
}

func (w *writer) attributes(n *html.Node) {
	if len(n.Attr) == 0 {
		return
	}
	for _, key := range attributeOrder {
		for i := range n.Attr {
			if n.Attr[i].Key != key {
				continue
			}
			v := n.Attr[i].Val
			if key == "id" {
				v = w.takeID(v)
			}
			if flags[key] {
				w.raw(" " + key + `=""`)
			} else {
				w.attr(key, v)
			}
			break
		}
	}
}

func (w *writer) anchor(n *html.Node) {
	href := get(n, "href")
	m := w.mark()
	open := href != "" && w.link(href)
	if !open {
		// An anchor without an address is the aim of links; without an id it is nothing.
		if get(n, "id") == "" {
			w.nodes(n)
			return
		}
		w.raw("<a")
	}
	if get(n, "target") == "_blank" {
		rel := get(n, "rel")
		if !strings.Contains(" "+rel+" ", " noopener ") && !strings.Contains(" "+rel+" ", " noreferrer ") {
			set(n, "rel", strings.TrimSpace(rel+" noopener"))
		}
	}
	if open || get(n, "id") != "" {
		w.attributes(n)
	}
	w.raw(">")
	words, inWord, start := w.words, w.inWord, len(w.out)
	w.nodes(n)
	if len(w.out) == start && get(n, "id") == "" {
		w.back(m) // nothing to click on
		return
	}
	if c := get(n, "class"); c == "footnote-ref" || c == "footnote-backref" {
		w.words, w.inWord = words, inWord // numbers and arrows are no words
	}
	w.raw("</a>")
}

func (w *writer) imageNode(n *html.Node) {
	im := img{
		src: get(n, "src"), alt: get(n, "alt"), title: get(n, "title"), id: get(n, "id"), class: get(n, "class"),
		lang: get(n, "lang"), dir: get(n, "dir"),
	}
	// Numbers that the allow-list let through.
	im.width, _ = strconv.Atoi(get(n, "width"))
	im.height, _ = strconv.Atoi(get(n, "height"))
	if e, err := strconv.Atoi(get(n, "data-embedded")); err == nil && e > 0 && e <= len(w.embedded) {
		im.embedded = e
	}
	if im.src == "" && im.embedded == 0 {
		w.textString(im.alt)
		return
	}
	w.image(im)
}

// wellNested reports whether the tree of a sanitised body, written out, is parsed into the same tree again.
func wellNested(root *html.Node) bool {
	return nested(root, enclosing{})
}

// An enclosing is what encloses a node, as far as the parser's rules ask.
type enclosing struct{ p, a bool }

func nested(n *html.Node, in enclosing) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			if c.Type == html.TextNode && tablePart(n.DataAtom) && strings.Trim(c.Data, " \t\n\r\f") != "" {
				return false
			}
			continue
		}
		inner := in
		if tablePart(n.DataAtom) != tableChild(c.DataAtom) {
			return false
		}
		switch c.DataAtom {
		case atom.A:
			if in.a {
				return false
			}
			inner.a = true
		case atom.P:
			if in.p {
				return false
			}
			inner.p = true
		case atom.Li:
			if n.DataAtom != atom.Ul && n.DataAtom != atom.Ol {
				return false
			}
		case atom.Dt, atom.Dd:
			if n.DataAtom != atom.Dl && !(n.DataAtom == atom.Div && n.Parent != nil && n.Parent.DataAtom == atom.Dl) {
				return false
			}
		case atom.Rt, atom.Rp:
			if n.DataAtom != atom.Ruby {
				return false
			}
		case atom.Td, atom.Th, atom.Caption:
			inner = enclosing{}
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			switch n.DataAtom {
			case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				return false
			}
		}
		if in.p && closesParagraph(c.DataAtom) || !childOfTable(n.DataAtom, c.DataAtom) {
			return false
		}
		if !nested(c, inner) {
			return false
		}
	}
	return true
}

// tablePart reports whether an element holds only parts of a table.
func tablePart(a atom.Atom) bool {
	switch a {
	case atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Colgroup:
		return true
	}
	return false
}

func tableChild(a atom.Atom) bool {
	switch a {
	case atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Colgroup, atom.Caption, atom.Col, atom.Td, atom.Th:
		return true
	}
	return false
}

func childOfTable(parent, child atom.Atom) bool {
	switch child {
	case atom.Thead, atom.Tbody, atom.Tfoot, atom.Caption, atom.Colgroup:
		return parent == atom.Table
	case atom.Tr:
		return parent == atom.Thead || parent == atom.Tbody || parent == atom.Tfoot
	case atom.Td, atom.Th:
		return parent == atom.Tr
	case atom.Col:
		return parent == atom.Colgroup
	}
	return true
}

// closesParagraph reports whether the start tag of an element ends an open paragraph.
func closesParagraph(a atom.Atom) bool {
	switch a {
	case atom.Address, atom.Blockquote, atom.Details, atom.Div, atom.Dl, atom.Figcaption, atom.Figure, atom.Ol, atom.P,
		atom.Section, atom.Summary, atom.Ul, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Li,
		atom.Dd, atom.Dt, atom.Table, atom.Hr:
		return true
	}
	return false
}
