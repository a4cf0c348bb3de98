package prose

import (
	"cmp"
	"html"
	"slices"
	"strconv"
	"strings"

	"freshet/internal/extjson"
)

// Many editors store a tree of nodes whose parts are in "children": Slate and Plate, Strapi's blocks, Keystone's documents, and
// Lexical, which Payload has. They differ in the names of nodes and attributes only, so one writer reads them all.

// childKinds are the kinds of nodes by their names, in lower case without hyphens and underscores.
var childKinds = map[string]string{
	"": "box", "root": "box", "doc": "box", "document": "box", "layout": "box", "layoutarea": "box", "column": "box", "columngroup": "box",
	"columnitem": "box", "section": "box", "div": "box", "container": "box", "block": "box", "lic": "box", "listitemtext": "box",
	"listitemcontent": "box", "listitemchild": "box", "fragment": "box", "default": "p", "unstyled": "p",
	"p": "p", "paragraph": "p", "text": "text", "extendedtext": "text",
	"ul": "ul", "bulletedlist": "ul", "unorderedlist": "ul", "bulletlist": "ul", "listunordered": "ul",
	"ol": "ol", "numberedlist": "ol", "orderedlist": "ol", "listordered": "ol", "list": "list", "checklist": "tasks", "todolist": "tasks", "tasklist": "tasks",
	"li": "li", "listitem": "li", "checklistitem": "task", "todoli": "task", "todo": "task", "todoitem": "task", "actionitem": "task", "taskitem": "task",
	"quote": "blockquote", "blockquote": "blockquote", "callout": "blockquote",
	"code": "pre", "codeblock": "pre", "pre": "pre", "codeline": "line", "codehighlight": "text",
	"a": "a", "link": "a", "autolink": "a", "hyperlink": "a",
	"image": "img", "img": "img", "imageblock": "img", "inlineimage": "img", "upload": "img", "picture": "img",
	"table": "table", "thead": "thead", "tablehead": "thead", "tbody": "tbody", "tablebody": "tbody", "tr": "tr", "tablerow": "tr", "td": "td", "tablecell": "td", "th": "th", "tableheader": "th", "tableheadercell": "th",
	"linebreak": "br", "break": "br", "softbreak": "br", "hardbreak": "br", "br": "br", "tab": "tab",
	"hr": "hr", "horizontalrule": "hr", "divider": "hr", "thematicbreak": "hr", "separator": "hr",
	"video": "frame", "youtube": "frame", "embed": "frame", "mediaembed": "frame", "media": "frame", "iframe": "frame", "audio": "frame",
	"figure": "figure", "figcaption": "figcaption", "caption": "figcaption",
	"inlineequation": "formula", "equation": "formula", "inlinemath": "formula", "blockmath": "formula",
}

var wordLevels = map[string]string{"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}

// childKind is the kind of a node; level is a heading's. Empty: no editor that is known has it.
func childKind(n extjson.Doc) (kind, level string) {
	name := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(str(n, "type", "component")))
	rest, heading := strings.CutPrefix(name, "heading")
	if !heading && len(name) == 2 && name[0] == 'h' {
		rest, heading = name[1:], true
	}
	if heading && name != "hr" {
		level = cmp.Or(wordLevels[rest], rest, str(n, "level"), strings.TrimPrefix(str(n, "tag"), "h"))
		if len(level) != 1 || level < "1" || level > "6" {
			level = "2"
		}
		return "h", level
	}
	if _, ok := n.Get("text"); ok && name == "" {
		return "text", ""
	}
	return childKinds[name], ""
}

// childrenBlocks writes a tree of nodes.
func childrenBlocks(nodes []extjson.Value) (out, unknown string) {
	var w blockWriter
	w.blocks(nodes, 0)
	return w.b.String(), strings.Join(w.shown, `", "`)
}

// isInline reports whether a node is part of running text.
func isInline(n extjson.Doc) bool {
	switch kind, _ := childKind(n); kind {
	case "text", "a", "br", "tab", "formula":
		return true
	case "":
		inline := value(n, "inline")
		return inline.Type == extjson.Bool && inline.Int != 0 || hasText(n)
	}
	return false
}

func hasText(n extjson.Doc) bool {
	v, ok := n.Get("text")
	return ok && v.Type == extjson.String
}

// blocks writes the children of a node that holds blocks; running text between them becomes paragraphs.
func (w *blockWriter) blocks(nodes []extjson.Value, depth int) {
	var lists []string // the open lists of paragraphs that say that they are items, outermost first
	closeTo := func(n int) {
		for ; len(lists) > n; lists = lists[:len(lists)-1] {
			w.b.WriteString("</li></" + lists[len(lists)-1] + ">")
		}
	}
	for i := 0; i < len(nodes); i++ {
		n := nodes[i].Doc
		if isInline(n) {
			closeTo(0)
			end := i + 1
			for end < len(nodes) && isInline(nodes[end].Doc) {
				end++
			}
			w.wrap("p", "", nodes[i:end], depth)
			i = end - 1
			continue
		}
		// Plate: {"type": "p", "indent": 2, "listStyleType": "decimal"}
		if style := str(n, "listStyleType"); style != "" {
			tag := "ol"
			switch style {
			case "disc", "circle", "square", "todo", "none":
				tag = "ul"
			}
			level, _ := strconv.Atoi(str(n, "indent"))
			level = min(max(level, 1), maxBlockDepth)
			closeTo(level)
			if len(lists) == level && lists[level-1] != tag {
				closeTo(level - 1)
			}
			if len(lists) == level {
				w.b.WriteString("</li><li>")
			}
			for len(lists) < level {
				w.b.WriteString("<" + tag + "><li>")
				lists = append(lists, tag)
			}
			w.inline(value(n, "children").Items, depth+1)
			continue
		}
		closeTo(0)
		w.node(n, depth)
	}
	closeTo(0)
}

func (w *blockWriter) inline(nodes []extjson.Value, depth int) {
	for _, v := range nodes {
		w.node(v.Doc, depth)
	}
}

// wrap writes an element with running text in it, or nothing when there is none.
func (w *blockWriter) wrap(tag, attrs string, nodes []extjson.Value, depth int) {
	w.b.WriteString("<" + tag + attrs + ">")
	w.inline(nodes, depth+1)
	w.b.WriteString("</" + tag + ">\n")
}

// mixed writes an element that holds running text or blocks.
func (w *blockWriter) mixed(tag, attrs string, nodes []extjson.Value, depth int) {
	w.b.WriteString("<" + tag + attrs + ">")
	if slices.ContainsFunc(nodes, func(v extjson.Value) bool { return !isInline(v.Doc) }) {
		if tag == "li" && isInline(nodes[0].Doc) { // the item's text, then lists in it
			end := slices.IndexFunc(nodes, func(v extjson.Value) bool { return !isInline(v.Doc) })
			w.inline(nodes[:end], depth+1)
			nodes = nodes[end:]
		}
		w.blocks(nodes, depth+1)
	} else {
		w.inline(nodes, depth+1)
	}
	w.b.WriteString("</" + tag + ">\n")
}

func (w *blockWriter) node(n extjson.Doc, depth int) {
	if depth > maxDepth {
		return
	}
	children := value(n, "children").Items
	kind, level := childKind(n)
	switch kind {
	case "text", "img", "br", "tab", "hr", "frame", "formula", "":
	default: // Payload's blocks have their text in fields instead of children
		if len(children) == 0 && looseText(extjson.Embedded(n), 0) != "" {
			w.unknownNode(n, nil, depth)
			return
		}
	}
	switch kind {
	case "box":
		w.blocks(children, depth+1)
	case "p":
		if slices.ContainsFunc(children, func(v extjson.Value) bool { k, _ := childKind(v.Doc); return !isInline(v.Doc) && k != "" && k != "img" }) {
			w.blocks(children, depth+1)
			return
		}
		w.wrap("p", alignment(n), children, depth)
	case "h":
		w.wrap("h"+level, alignment(n), children, depth)
	case "text":
		w.leaf(n)
	case "list", "ul", "ol", "tasks":
		w.listNode(kind, n, children, depth)
	case "li":
		w.mixed("li", checked(n), children, depth)
	case "task": // stands alone
		w.b.WriteString(`<ul data-type="taskList">`)
		w.mixed("li", cmp.Or(checked(n), ` data-checked="false"`), children, depth)
		w.b.WriteString("</ul>\n")
	case "blockquote", "td", "th", "figure", "figcaption":
		if state := str(n, "headerState"); kind == "td" && (str(n, "header") == "true" || state != "" && state != "0") {
			kind = "th"
		}
		attrs := ""
		for _, span := range [...][2]string{{"colSpan", "colspan"}, {"rowSpan", "rowspan"}} {
			if s := str(n, span[0], span[1]); s != "" && s != "1" {
				attrs += " " + span[1] + `="` + html.EscapeString(s) + `"`
			}
		}
		w.mixed(kind, attrs, children, depth)
	case "table", "thead", "tbody", "tr":
		w.b.WriteString("<" + kind + ">")
		w.inline(children, depth+1)
		w.b.WriteString("</" + kind + ">\n")
	case "pre":
		var code strings.Builder
		codeText(&code, n, depth)
		w.code(str(n, "language", "lang"), cmp.Or(strings.TrimSuffix(code.String(), "\n"), str(n, "code", "value")))
	case "line":
		w.inline(children, depth+1)
		w.b.WriteString("<br>")
	case "a":
		fields := value(n, "fields").Doc
		w.b.WriteString(`<a href="` + html.EscapeString(cmp.Or(str(n, "url", "href"), str(fields, "url"), str(value(n, "data").Doc, "url", "href"))) + `">`)
		w.inline(children, depth+1)
		w.b.WriteString("</a>")
	case "img":
		w.picture(n, children, depth)
	case "br":
		w.b.WriteString("<br>")
	case "tab":
		w.b.WriteString(" ")
	case "hr":
		w.b.WriteString("<hr>\n")
	case "frame":
		src := str(n, "url", "src")
		if id := str(n, "videoID", "videoId"); src == "" && id != "" {
			src = "https://www.youtube.com/watch?v=" + id
		}
		w.b.WriteString(`<iframe src="` + html.EscapeString(src) + "\"></iframe>\n")
		w.inline(children, depth+1)
	case "formula":
		w.b.WriteString("<code>" + html.EscapeString(str(n, "equation", "texExpression", "latex")) + "</code>")
	default:
		w.unknownNode(n, children, depth)
	}
}

// unknownNode writes what there is to read in a node of a kind that is not known.
func (w *blockWriter) unknownNode(n extjson.Doc, children []extjson.Value, depth int) {
	if name := str(n, "type", "component"); !slices.Contains(w.shown, name) && len(w.shown) < 5 {
		w.shown = append(w.shown, name)
	}
	if hasText(n) {
		w.leaf(n)
	}
	if len(children) > 0 {
		w.blocks(children, depth+1)
		return
	}
	for _, f := range n {
		switch f.Key {
		case "type", "component", "text", "version", "id", "key", "children":
		case "character", "label", "emoji", "name":
			w.b.WriteString(html.EscapeString(str(n, f.Key)))
		default:
			if s := looseText(f.Value, 0); s != "" {
				w.b.WriteString(s)
			}
		}
	}
}

// listNode writes a list, whose items may stand in lists of their own below it.
func (w *blockWriter) listNode(kind string, n extjson.Doc, children []extjson.Value, depth int) {
	tag, attrs := kind, ""
	if kind == "list" {
		tag = "ul"
		switch cmp.Or(str(n, "format"), str(n, "listType"), str(n, "tag"), str(n, "style")) {
		case "ordered", "number", "numbered", "ol":
			tag = "ol"
		case "check", "task":
			kind = "tasks"
		}
		if str(n, "ordered") == "true" {
			tag = "ol"
		}
	}
	if kind == "tasks" {
		tag, attrs = "ul", ` data-type="taskList"`
	}
	if start := str(n, "start"); tag == "ol" && start != "" && start != "1" {
		attrs = ` start="` + html.EscapeString(start) + `"`
	}
	w.b.WriteString("<" + tag + attrs + ">")
	for i := 0; i < len(children); i++ {
		item := children[i].Doc
		k, _ := childKind(item)
		nested := value(item, "children").Items
		switch {
		case k == "li" || k == "task":
			// Lexical: an item that holds a list alone belongs to the item before it. Strapi: a list among items does.
			attrs := checked(item)
			if kind == "tasks" && attrs == "" {
				attrs = ` data-checked="false"`
			}
			w.b.WriteString("<li" + attrs + ">")
			w.itemContent(nested, depth)
			for i+1 < len(children) && w.continues(children[i+1].Doc) {
				i++
				next := children[i].Doc
				if nk, _ := childKind(next); nk == "li" {
					w.inline(value(next, "children").Items, depth+1)
				} else {
					w.node(next, depth+1)
				}
			}
			w.b.WriteString("</li>")
		case isInline(item):
			w.b.WriteString("<li>")
			w.node(item, depth+1)
			w.b.WriteString("</li>")
		default:
			w.b.WriteString("<li>")
			w.blocks(children[i:i+1], depth+1)
			w.b.WriteString("</li>")
		}
	}
	w.b.WriteString("</" + tag + ">\n")
}

// continues reports whether a child of a list is a list, or an item that holds nothing but lists.
func (w *blockWriter) continues(n extjson.Doc) bool {
	isList := func(n extjson.Doc) bool {
		switch k, _ := childKind(n); k {
		case "list", "ul", "ol", "tasks":
			return true
		}
		return false
	}
	if isList(n) {
		return true
	}
	children := value(n, "children").Items
	return len(children) > 0 && !slices.ContainsFunc(children, func(v extjson.Value) bool { return !isList(v.Doc) })
}

// itemContent writes what an item holds: its text without a paragraph around it, then its blocks.
func (w *blockWriter) itemContent(nodes []extjson.Value, depth int) {
	end := 0
	for end < len(nodes) && isInline(nodes[end].Doc) {
		end++
	}
	w.inline(nodes[:end], depth+1)
	if end == 0 && len(nodes) > 0 {
		switch k, _ := childKind(nodes[0].Doc); k {
		case "p", "box":
			w.inline(value(nodes[0].Doc, "children").Items, depth+1)
			end = 1
		}
	}
	w.blocks(nodes[end:], depth+1)
}

func checked(n extjson.Doc) string {
	if v, ok := n.Get("checked"); ok && v.Type == extjson.Bool {
		return ` data-checked="` + strconv.FormatBool(v.Int != 0) + `"`
	}
	return ""
}

func alignment(n extjson.Doc) string {
	switch a := cmp.Or(str(n, "align"), str(n, "textAlign"), str(n, "format")); a {
	case "center", "right", "justify", "left", "start", "end":
		return ` style="text-align:` + a + `"`
	}
	return ""
}

// codeText appends the code that a node holds.
func codeText(b *strings.Builder, n extjson.Doc, depth int) {
	if v, ok := n.Get("text"); ok {
		s, _ := lineOf(v)
		b.WriteString(s)
	}
	switch kind, _ := childKind(n); kind {
	case "br":
		b.WriteByte('\n')
	case "tab":
		b.WriteByte('\t')
	case "line":
		defer b.WriteByte('\n')
	}
	if depth > maxDepth {
		return
	}
	for _, v := range value(n, "children").Items {
		codeText(b, v.Doc, depth+1)
	}
}

// picture writes a picture; what Slate has in its children is its caption.
func (w *blockWriter) picture(n extjson.Doc, children []extjson.Value, depth int) {
	of := n
	for _, inner := range [...]string{"image", "value", "file", "data"} {
		if d := value(n, inner).Doc; str(n, "url", "src") == "" && str(d, "url", "src") != "" {
			of = d
		}
	}
	caption := html.EscapeString(str(of, "caption"))
	if list := value(n, "caption"); list.Type == extjson.Array {
		children = list.Items
	}
	if caption == "" {
		var c blockWriter
		c.inline(children, depth+1)
		caption = strings.TrimSpace(c.b.String())
	}
	w.image(str(of, "url", "src"), str(of, "alternativeText", "alt", "altText", "name"), caption)
}

// leafMarks are the marks of a piece of text, innermost first, by their names and by their bits in Lexical's format.
var leafMarks = []struct {
	names []string
	bit   int64
	tag   string
}{
	{[]string{"code"}, 16, "code"}, {[]string{"subscript"}, 32, "sub"}, {[]string{"superscript"}, 64, "sup"}, {[]string{"highlight"}, 128, "mark"},
	{[]string{"kbd", "keyboard"}, 0, "kbd"}, {[]string{"strikethrough", "strike"}, 4, "s"}, {[]string{"underline"}, 8, "u"}, {[]string{"italic", "em"}, 2, "em"},
	{[]string{"bold", "strong"}, 1, "strong"},
}

// leaf writes a piece of text with its marks.
func (w *blockWriter) leaf(n extjson.Doc) {
	v, _ := n.Get("text")
	s, _ := lineOf(v)
	if s == "" {
		return
	}
	s = strings.ReplaceAll(html.EscapeString(s), "\n", "<br>")
	format, _ := n.Get("format")
	for _, m := range leafMarks {
		if format.Int&m.bit != 0 || slices.ContainsFunc(m.names, func(name string) bool { return str(n, name) == "true" }) {
			s = "<" + m.tag + ">" + s + "</" + m.tag + ">"
		}
	}
	w.b.WriteString(s)
}

// looseText is what there is to read in a document of an editor that is not known: paragraphs of the texts in it.
func looseText(v extjson.Value, depth int) string {
	var b strings.Builder
	if depth > maxDepth {
		return ""
	}
	for _, it := range v.Items {
		b.WriteString(looseText(it, depth+1))
	}
	for _, f := range v.Doc {
		switch f.Key {
		case "text", "title", "caption", "value", "content", "html", "markdown", "quote", "heading", "body", "paragraph", "description":
			if f.Value.Type == extjson.String {
				if s := strings.TrimSpace(valid(f.Value.Text)); s != "" {
					b.WriteString("<p>" + html.EscapeString(s) + "</p>\n")
				}
				continue
			}
		}
		b.WriteString(looseText(f.Value, depth+1))
	}
	return b.String()
}
