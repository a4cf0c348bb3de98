package markup

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"freshet/generator/markup/highlight"
	"freshet/internal/site"
)

// html renders HTML that was made from text, of the given format: DOM transforms, allow-list, then the writer.
// Where the result would not survive another parser unchanged (elements nested as no parser nests them), it goes
// round again until it does.
func (w *writer) html(src []byte, format site.Format, text []byte) {
	const rounds = 6
	w.known = 0
	if tangled(src) {
		w.plain(text, format, "the HTML of the body is too tangled to render: the body became plain text",
			"close elements such as b, i and font where their text ends")
		return
	}
	defer func() { w.needles = nil }()
	body, ok := w.clean(src)
	w.known = len(w.embedded)
	for n := 0; ok; n++ {
		root, err := w.parseFragment(body)
		if err != nil || depth(root, 0) > maxDepth {
			ok = false
			break
		}
		if wellNested(root) {
			w.body(root)
			return
		}
		again, fine := w.clean(body)
		if !fine || n == rounds {
			ok = false
			break
		}
		if bytes.Equal(again, body) {
			w.body(root)
			return
		}
		body = again
	}
	w.plain(text, format, tooDeep, simplify)
}

// clean transforms HTML and passes it through the allow-list.
func (w *writer) clean(src []byte) ([]byte, bool) {
	root, err := w.parseFragment(src)
	if err != nil || depth(root, 0) > maxDepth {
		return nil, false
	}
	t := transform{w: w}
	t.unwrapOuter(root)
	t.children(root)
	var b bytes.Buffer
	b.Grow(len(src) + len(src)/8)
	for c := root.FirstChild; c != nil; c = c.NextSibling {
		w.watch.tick()
		if err := html.Render(&b, c); err != nil {
			return nil, false
		}
	}
	var safe bytes.Buffer
	safe.Grow(b.Len())
	if err := policy().SanitizeReaderToWriter(&watchedReader{b.Bytes(), w.watch}, &safe); err != nil {
		w.watch.look()
		return nil, false
	}
	return safe.Bytes(), true
}

// tangled reports whether the tree of the HTML would be many times as large as the HTML, or take time that grows with the square
// of its length. The parser opens elements such as b that were not closed again in every block that follows; it joins texts
// between which no element begins; and it compares the attributes of such elements with each other.
func tangled(src []byte) bool {
	const (
		small         = 4 << 10 // bytes: nothing in it is large enough
		few           = 8       // elements: so many times the HTML is bearable
		maxReopened   = 200_000 // elements
		maxCopied     = 1 << 30 // bytes
		maxAttributes = 500     // of one element
	)
	if len(src) < small {
		return false
	}
	z := html.NewTokenizer(bytes.NewReader(src))
	open := map[string]int{}
	formatting, reopened, run, copied := 0, 0, 0, 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.TextToken:
			copied += run
			run += len(z.Raw())
			reopened += max(0, formatting-few)
		case html.StartTagToken, html.SelfClosingTagToken:
			run = 0
			name, more := z.TagName()
			tag := string(name)
			if n := 0; more {
				for ; more && n <= maxAttributes; n++ {
					_, _, more = z.TagAttr()
				}
				if n > maxAttributes {
					return true
				}
			}
			if isFormatting(tag) {
				open[tag]++
				formatting++
			}
			reopened += max(0, formatting-few)
		case html.EndTagToken:
			name, _ := z.TagName()
			if tag := string(name); open[tag] > 0 {
				run = 0
				open[tag]--
				formatting--
			} else if elements[tag] {
				run = 0
			}
		}
		if reopened > maxReopened || copied > maxCopied {
			return true
		}
	}
}

// isFormatting reports whether the parser opens an element again that was not closed.
func isFormatting(tag string) bool {
	switch tag {
	case "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u":
		return true
	}
	return false
}

// parseFragment returns a node whose children are the nodes of an HTML fragment, or of a document's body.
func (w *writer) parseFragment(src []byte) (*html.Node, error) {
	context := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(&watchedReader{src, w.watch}, context)
	if err != nil {
		w.watch.look() // the parser makes errors of panics
		return nil, err
	}
	root := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	return root, nil
}

// depth is how deeply elements are nested, no more than just above maxDepth.
func depth(n *html.Node, d int) int {
	deepest := d
	for c := n.FirstChild; c != nil && deepest <= maxDepth; c = c.NextSibling {
		if c.FirstChild != nil || c.Type == html.ElementNode {
			deepest = max(deepest, depth(c, d+1))
		}
	}
	return deepest
}

// A transform changes a parsed body to what the allow-list and the writer know.
type transform struct{ w *writer }

// dropped are elements that go with all they hold: none of it is text to read.
var dropped = map[string]string{
	"script": "a script", "style": "a style sheet", "template": "a template", "noscript": "", "head": "", "title": "",
	"meta": "", "link": "", "base": "", "xmp": "", "plaintext": "", "noembed": "", "noframes": "", "textarea": "",
	"select": "", "datalist": "", "canvas": "a canvas", "applet": "an applet", "frame": "", "frameset": "", "map": "",
	"area": "", "param": "", "source": "", "track": "", "button": "a button", "dialog": "", "slot": "", "math": "a formula",
	"svg": "a drawing (svg)", "progress": "", "meter": "", "basefont": "", "bgsound": "", "command": "", "keygen": "",
	"image": "", "isindex": "", "listing": "", "nextid": "", "portal": "", "fencedframe": "", "selectedcontent": "",
}

// renamed are elements that become another one; "" leaves only what they hold.
var renamed = map[string]string{
	"strike": "s", "tt": "code", "acronym": "abbr", "main": "div", "header": "div", "footer": "div", "nav": "div",
	"article": "div", "aside": "div", "hgroup": "div", "center": "div", "dir": "ul", "menu": "ul", "search": "div",
	"fieldset": "div", "legend": "p", "font": "", "big": "", "nobr": "", "marquee": "", "blink": "", "form": "",
	"label": "", "output": "", "html": "", "body": "", "optgroup": "", "option": "", "rb": "", "rtc": "",
	"oembed": "", "picture": "", "multicol": "", "spacer": "",
}

// unwrapOuter removes an article that holds the whole body.
func (t *transform) unwrapOuter(root *html.Node) {
	for {
		var only *html.Node
		for c := root.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.CommentNode || c.Type == html.TextNode && isBlank(c.Data) {
				continue
			}
			if only != nil || c.Type != html.ElementNode || c.DataAtom != atom.Article {
				return
			}
			only = c
		}
		if only == nil {
			return
		}
		unwrap(only)
	}
}

// unwrap replaces n by its children and returns the node that follows n's place: its first child, if it has one.
func unwrap(n *html.Node) *html.Node {
	next := n.FirstChild
	if next == nil {
		next = n.NextSibling
	}
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		n.Parent.InsertBefore(c, n)
	}
	n.Parent.RemoveChild(n)
	return next
}

func isBlank(s string) bool { return strings.Trim(s, " \t\n\r\f\u00a0") == "" }

func (t *transform) children(n *html.Node) {
	for c := n.FirstChild; c != nil; {
		c = t.node(c)
	}
}

// node transforms n, which may vanish, and returns the node to go on with.
func (t *transform) node(n *html.Node) *html.Node {
	t.w.watch.tick()
	next := n.NextSibling
	switch n.Type {
	case html.TextNode:
		return next
	case html.ElementNode:
	default:
		n.Parent.RemoveChild(n)
		return next
	}
	t.w.needles = append(t.w.needles[:0], "<"+n.Data)
	if what, ok := dropped[n.Data]; ok || n.Namespace != "" {
		if what != "" {
			t.w.problem("dropped "+n.Data, what+" in the body was dropped", "say it in text, or use a picture")
		}
		n.Parent.RemoveChild(n)
		return next
	}
	switch n.DataAtom {
	case atom.Iframe, atom.Object, atom.Embed, atom.Video, atom.Audio:
		t.embed(n)
		return next
	case atom.Input:
		if strings.EqualFold(get(n, "type"), "checkbox") {
			t.checkbox(n)
		} else {
			n.Parent.RemoveChild(n)
		}
		return next
	case atom.Pre:
		t.code(n)
		return next
	case atom.Figure:
		if t.media(n) {
			return next
		}
	case atom.Ul, atom.Ol:
		if first := quillList(n); first != nil {
			return first
		}
		t.taskList(n)
	case atom.Li:
		t.taskList(n)
	case atom.Span:
		if f := get(n, "data-value"); f != "" && hasClass(n, "ql-formula") {
			code := element(atom.Code)
			code.AppendChild(textNode(f))
			replace(n, code)
			return next
		}
	case atom.Div:
		if hasClass(n, "ql-code-block-container") {
			quillCode(n)
			t.code(n)
			return next
		}
		if hasClass(n, "embed") || hasAttr(n, "data-youtube-video") || hasAttr(n, "data-oembed-url") {
			if u := get(n, "data-oembed-url"); u != "" && find(n, atom.Iframe) == nil {
				t.embedURL(n, u, "")
				return next
			}
			return unwrap(n) // its frame makes a new one
		}
		if hasClass(n, "table-wrap") {
			return unwrap(n)
		}
	}
	if n.Data == "oembed" {
		t.embedURL(n, get(n, "url"), "")
		return next
	}
	style := parseStyle(get(n, "style"))
	if negated(n, style) {
		if get(n, "id") == "" || strings.HasPrefix(get(n, "id"), "docs-internal-") {
			return unwrap(n)
		}
		n.Data, n.DataAtom = "span", atom.Span
	}
	to, isRenamed := renamed[n.Data]
	if !isRenamed && !allowedElement(n.Data) {
		to, isRenamed = "", true // not known: only what it holds
	}
	class := t.classes(n, style)
	if isRenamed {
		if n.DataAtom == atom.Font && class != "" {
			to = "span"
		}
		if to == "" {
			return unwrap(n)
		}
		n.Data, n.DataAtom = to, atom.Lookup([]byte(to))
	}
	t.attributes(n, class)
	t.emphasis(n, style)
	if n.DataAtom == atom.Span && len(n.Attr) == 0 {
		return unwrap(n)
	}
	t.children(n)
	switch n.DataAtom {
	case atom.P:
		t.paragraph(n)
	case atom.Table:
		if !within(n, atom.Table) {
			wrap := &html.Node{
				Type: html.ElementNode, Data: "div", DataAtom: atom.Div,
				Attr: []html.Attribute{{Key: "class", Val: "table-wrap"}, {Key: "tabindex", Val: "0"}},
			}
			n.Parent.InsertBefore(wrap, n)
			n.Parent.RemoveChild(n)
			wrap.AppendChild(n)
		}
	}
	return next
}

// paragraph frees a frame that is alone in a paragraph.
func (t *transform) paragraph(n *html.Node) {
	var only *html.Node
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && isBlank(c.Data) || c.DataAtom == atom.Br {
			continue
		}
		if only != nil {
			return
		}
		only = c
	}
	if only != nil && only.DataAtom == atom.Span && get(only, "class") == "embed" {
		only.Data, only.DataAtom = "div", atom.Div
		n.RemoveChild(only)
		n.Parent.InsertBefore(only, n)
		n.Parent.RemoveChild(n)
	}
}

// embed replaces an embedding element by a frame from the list of sites, or by a link.
func (t *transform) embed(n *html.Node) {
	src := get(n, "src")
	switch {
	case src == "" && n.DataAtom == atom.Object:
		src = get(n, "data")
	case src == "":
		if s := find(n, atom.Source); s != nil {
			src = get(s, "src")
		}
	}
	if src == "" && n.DataAtom == atom.Iframe {
		src = get(n, "data-src")
	}
	title := get(n, "title")
	if title == "" {
		title = get(n, "aria-label")
	}
	if !t.play(n, src, title) {
		t.embedURL(n, src, title)
	}
}

// embedURL replaces n by the frame of the page at src, or by a link to it.
func (t *transform) embedURL(n *html.Node, src, title string) {
	if address, what, ok := embedded(src); ok {
		if isBlank(title) {
			title = what
		}
		f := element(atom.Iframe, "src", address, "title", strings.TrimSpace(title))
		wrap := element(atom.Div, "class", "embed")
		if inParagraph(n) {
			wrap = element(atom.Span, "class", "embed")
		}
		wrap.AppendChild(f)
		replace(n, wrap)
		return
	}
	if src != "" {
		t.w.needles = []string{src, "<" + n.Data}
	}
	url, class := cleanURL(src)
	if class == urlRefused || class == urlEmpty || class == urlFragment {
		t.w.problem("embed "+n.Data, "an embedded "+n.Data+" without a usable address was dropped", "embed a page by its https address")
		n.Parent.RemoveChild(n)
		return
	}
	where := url
	if class == urlAbsolute {
		if _, rest, ok := strings.Cut(url, "//"); ok {
			where = rest
		}
		where, _, _ = strings.Cut(where, "/")
	}
	t.w.problem("embed "+where, "an embedded "+n.Data+" ("+where+") became a link",
		"only YouTube, Vimeo, Dailymotion, Spotify and CodePen are embedded; link to everything else")
	if isBlank(title) {
		title = url
	}
	a := element(atom.A, "href", url)
	a.AppendChild(textNode(strings.TrimSpace(title)))
	if inParagraph(n) {
		if within(n, atom.A) {
			replace(n, textNode(strings.TrimSpace(title)))
			return
		}
		replace(n, a)
		return
	}
	p := element(atom.P)
	p.AppendChild(a)
	replace(n, p)
}

// media replaces CKEditor's figure.media, which holds an oembed element or a preview.
func (t *transform) media(n *html.Node) bool {
	if !hasClass(n, "media") {
		return false
	}
	url, title := "", ""
	for d := range n.Descendants() {
		switch {
		case d.Data == "oembed":
			url = get(d, "url")
		case d.DataAtom == atom.Iframe && url == "":
			url, title = get(d, "src"), get(d, "title")
		case url == "" && get(d, "data-oembed-url") != "":
			url = get(d, "data-oembed-url")
		case url == "" && d.DataAtom == atom.A:
			url = get(d, "href")
		}
	}
	if url == "" {
		return false
	}
	t.embedURL(n, url, title)
	return true
}

// checkbox makes an input the box of a task.
func (t *transform) checkbox(n *html.Node) {
	checked := hasAttr(n, "checked")
	label := t.w.label().open
	if checked {
		label = t.w.label().done
	}
	if l := get(n, "aria-label"); l != "" && hasAttr(n, "disabled") && knownLabel(l) {
		label = l
	}
	n.Attr = []html.Attribute{{Key: "type", Val: "checkbox"}, {Key: "disabled"}}
	if checked {
		n.Attr = append(n.Attr, html.Attribute{Key: "checked"})
	}
	n.Attr = append(n.Attr, html.Attribute{Key: "aria-label", Val: label})
}

func knownLabel(s string) bool {
	for _, l := range allLabels {
		if s == l.done || s == l.open {
			return true
		}
	}
	return false
}

// taskList gives the task lists of editors the classes and the form of Markdown's.
func (t *transform) taskList(n *html.Node) {
	if n.DataAtom == atom.Ul {
		if get(n, "data-type") == "taskList" || hasClass(n, "todo-list") || hasClass(n, "contains-task-list") {
			set(n, "class", "tasks")
		}
		return
	}
	list := n.Parent
	if list == nil || list.DataAtom != atom.Ul || !hasClass(list, "tasks") || hasClass(n, "task") {
		return
	}
	box := find(n, atom.Input)
	state, known := get(n, "data-checked"), hasAttr(n, "data-checked")
	if box == nil && !known {
		return
	}
	checked := state == "true" || box != nil && hasAttr(box, "checked") && state != "false"
	// TipTap: li > label > (input, span), div > p …; CKEditor: li > label > (input, span).
	if box != nil {
		box.Parent.RemoveChild(box)
	}
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.DataAtom == atom.Label || c.DataAtom == atom.Div && known {
			next = unwrap(c)
		} else if c.DataAtom == atom.P && c.Parent == n && known && c.NextSibling == nil {
			unwrap(c)
			next = nil
		}
		c = next
	}
	for n.FirstChild != nil && n.FirstChild.Type == html.TextNode && isBlank(n.FirstChild.Data) {
		n.RemoveChild(n.FirstChild)
	}
	box = element(atom.Input, "type", "checkbox")
	if checked {
		box.Attr = append(box.Attr, html.Attribute{Key: "checked"})
	}
	n.InsertBefore(textNode(" "), n.FirstChild)
	n.InsertBefore(box, n.FirstChild)
	set(n, "class", "task")
}

func set(n *html.Node, key, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
}

// code makes a pre element pre > code > text: colours that another highlighter left go, ours come later.
func (t *transform) code(n *html.Node) {
	lang := highlight.Language(codeLanguage(n))
	var only *html.Node
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && isBlank(c.Data) && (c.PrevSibling == nil || c.NextSibling == nil) {
			continue
		}
		if only != nil || c.DataAtom != atom.Code {
			only = nil
			break
		}
		only = c
	}
	var b strings.Builder
	source := n
	if only != nil {
		source = only
	}
	flatText(&b, source)
	code := element(atom.Code)
	if lang != "" {
		code.Attr = []html.Attribute{{Key: "class", Val: "language-" + lang}}
	}
	code.AppendChild(textNode(b.String()))
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
	}
	n.Attr = nil
	n.AppendChild(code)
}

// flatText is the text within n, line breaks included.
func flatText(b *strings.Builder, n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(c.Data)
		case c.DataAtom == atom.Br:
			b.WriteByte('\n')
		case c.DataAtom == atom.Script || c.DataAtom == atom.Style:
		case c.Type == html.ElementNode:
			flatText(b, c)
		}
	}
}

// codeLanguage is the language that the classes or data of a pre element or its code name.
func codeLanguage(n *html.Node) string {
	for _, e := range []*html.Node{find(n, atom.Code), n, n.Parent} {
		if e == nil {
			continue
		}
		for c := range strings.FieldsSeq(get(e, "class")) {
			for _, p := range []string{"language-", "lang-", "highlight-source-"} {
				if l, ok := strings.CutPrefix(c, p); ok {
					return l
				}
			}
		}
		if l := get(e, "data-language"); l != "" {
			return l
		}
		if l := get(e, "data-lang"); l != "" {
			return l
		}
	}
	return ""
}

// plain renders a body that is beyond bounds as paragraphs of text, with the problem that says so.
func (w *writer) plain(text []byte, format site.Format, message, remedy string) {
	w.restart()
	w.src = nil // it is about the whole of it
	w.problem("plain", message, remedy)
	switch format {
	case site.HTML:
		text = htmlText(text)
	case site.TipTap:
		text = tiptapText(text)
	}
	for len(text) > 0 {
		p := text
		if i := bytes.Index(text, []byte("\n\n")); i >= 0 {
			p, text = text[:i], text[i+2:]
		} else {
			text = nil
		}
		if p = bytes.TrimSpace(p); len(p) > 0 {
			w.raw("<p>")
			w.text(p)
			w.raw("</p>\n")
		}
	}
}

// htmlText is the text of HTML: what stands between tags, blocks apart.
func htmlText(src []byte) []byte {
	z := html.NewTokenizer(bytes.NewReader(src))
	var b bytes.Buffer
	skip := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.Bytes()
		case html.TextToken:
			if skip == "" {
				b.WriteString(html.UnescapeString(string(bytes.TrimSpace(z.Raw()))))
				b.WriteByte(' ')
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "title", "textarea", "noscript", "iframe", "xmp", "noembed", "noframes", "template":
				if skip == "" {
					skip = string(name)
				}
			case "p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "blockquote", "pre", "table", "ul", "ol":
				b.WriteString("\n\n")
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == skip {
				skip = ""
			}
		}
	}
}
