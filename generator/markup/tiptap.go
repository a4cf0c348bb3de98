package markup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/site"
)

// tiptap renders the JSON of TipTap and ProseMirror by way of the HTML that stands for it.
func (w *writer) tiptap(src []byte, in Input) error {
	fail := func(message string) error {
		return &diag.Problem{
			Severity: diag.Error, File: in.File, Line: in.Body.Line, Message: "read the editor's JSON: " + message,
			Remedy: "store the document that the editor's getJSON returns: {\"type\": \"doc\", \"content\": […]}",
		}
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(src))
	var doc any
	if err := d.Decode(&doc); err != nil {
		return fail(err.Error())
	}
	if d.More() {
		return fail("there is more behind the document")
	}
	switch v := doc.(type) {
	case []any:
		doc = map[string]any{"type": "doc", "content": v}
	case map[string]any:
		if t, _ := v["type"].(string); t == "" {
			return fail("the document has no type")
		}
	case nil:
		return nil
	default:
		return fail("the document is no object")
	}
	if jsonDepth(doc, 0) > 2*maxDepth {
		w.plain(src, site.TipTap, tooDeep, simplify)
		return nil
	}
	e := editor{w: w}
	e.node(doc.(map[string]any))
	w.html(e.b.Bytes(), site.TipTap, src)
	return nil
}

func jsonDepth(v any, d int) int {
	deepest := d
	switch v := v.(type) {
	case []any:
		for _, c := range v {
			deepest = max(deepest, jsonDepth(c, d+1))
		}
	case map[string]any:
		if c, ok := v["content"]; ok {
			deepest = max(deepest, jsonDepth(c, d+1))
		}
	}
	return deepest
}

// tiptapText is the text of a document's nodes, blocks apart.
func tiptapText(src []byte) []byte {
	var doc any
	if json.Unmarshal(src, &doc) != nil {
		return nil
	}
	var b bytes.Buffer
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, c := range v {
				walk(c)
			}
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				b.WriteString(s)
			}
			walk(v["content"])
			if v["type"] != "text" {
				b.WriteString("\n\n")
			}
		}
	}
	walk(doc)
	return b.Bytes()
}

// An editor writes an editor's nodes as HTML; the sanitiser judges it afterwards.
type editor struct {
	w *writer
	b bytes.Buffer
}

// editorNodes are the nodes that are one element; ProseMirror's own schema spells names with underscores.
var editorNodes = map[string]string{
	"doc": "", "paragraph": "p", "bulletList": "ul", "listItem": "li", "blockquote": "blockquote", "table": "table",
	"tableRow": "tr", "details": "details", "detailsSummary": "summary", "detailsContent": "div", "figure": "figure",
	"figcaption": "figcaption", "descriptionList": "dl", "descriptionTerm": "dt", "descriptionDetails": "dd",
}

var editorMarks = map[string]string{
	"bold": "strong", "strong": "strong", "italic": "em", "em": "em", "strike": "s", "strikethrough": "s", "code": "code",
	"underline": "u", "subscript": "sub", "superscript": "sup",
}

func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

func (e *editor) open(tag string, attrs ...string) {
	e.b.WriteByte('<')
	e.b.WriteString(tag)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			e.b.WriteByte(' ')
			e.b.WriteString(attrs[i])
			e.b.WriteString(`="`)
			e.b.Write(appendAttr(e.b.AvailableBuffer(), attrs[i+1]))
			e.b.WriteByte('"')
		}
	}
	e.b.WriteByte('>')
}

func (e *editor) end(tag string) {
	e.b.WriteString("</")
	e.b.WriteString(tag)
	e.b.WriteByte('>')
}

func (e *editor) text(s string) { e.b.Write(appendText(e.b.AvailableBuffer(), []byte(s))) }

// attrText is an attribute as text: numbers and booleans too.
func attrText(attrs map[string]any, key string) string {
	switch v := attrs[key].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (e *editor) node(n map[string]any) {
	name, _ := n["type"].(string)
	attrs, _ := n["attrs"].(map[string]any)
	kind := camel(name)
	id := attrText(attrs, "id")
	style := ""
	if a := attrText(attrs, "textAlign"); a != "" {
		style = "text-align:" + a
	}
	dir := attrText(attrs, "dir")
	if tag, ok := editorNodes[kind]; ok {
		if tag == "" {
			e.content(n)
			return
		}
		open := ""
		if kind == "details" && attrText(attrs, "open") == "true" {
			open = "open"
		}
		e.open(tag, "id", id, "style", style, "dir", dir, "open", open)
		if kind == "table" {
			e.columns(n)
		}
		e.content(n)
		e.end(tag)
		return
	}
	switch kind {
	case "text":
		s, _ := n["text"].(string)
		e.text(s)
	case "heading":
		level := attrText(attrs, "level")
		if len(level) != 1 || level < "1" || level > "6" {
			level = "2"
		}
		e.open("h"+level, "id", id, "style", style, "dir", dir)
		e.content(n)
		e.end("h" + level)
	case "orderedList":
		start := attrText(attrs, "start")
		if start == "" {
			start = attrText(attrs, "order")
		}
		if start == "1" {
			start = ""
		}
		e.open("ol", "start", start, "type", attrText(attrs, "type"))
		e.content(n)
		e.end("ol")
	case "taskList":
		e.open("ul", "data-type", "taskList")
		e.content(n)
		e.end("ul")
	case "taskItem", "todoItem":
		checked := attrText(attrs, "checked")
		if checked != "true" {
			checked = "false"
		}
		e.open("li", "data-checked", checked)
		e.content(n)
		e.end("li")
	case "codeBlock":
		lang := attrText(attrs, "language")
		if lang == "" {
			lang = attrText(attrs, "params")
		}
		e.b.WriteString("<pre>")
		e.open("code", "class", languageClass(lang))
		var code strings.Builder
		plainContent(&code, n)
		e.text(code.String())
		e.b.WriteString("</code></pre>")
	case "inlineMath", "mathInline", "math", "inlineMathematics", "blockMath", "mathBlock", "mathDisplay", "mathematics", "katex", "katexBlock", "latex", "equation", "formula":
		e.formula(kind, attrs, n)
	case "horizontalRule":
		e.b.WriteString("<hr>")
	case "hardBreak":
		e.b.WriteString("<br>")
	case "image", "imageBlock", "resizableImage", "imageResize":
		width := attrText(attrs, "width")
		if strings.HasSuffix(width, "%") {
			style, width = "width:"+width, ""
		}
		e.open("img", "src", attrText(attrs, "src"), "alt", attrText(attrs, "alt"), "title", attrText(attrs, "title"),
			"width", width, "height", attrText(attrs, "height"), "align", attrText(attrs, "align"), "style", style)
	case "tableCell", "tableHeader":
		tag := "td"
		if kind == "tableHeader" {
			tag = "th"
		}
		span := func(key string) string {
			if s := attrText(attrs, key); s != "1" {
				return s
			}
			return ""
		}
		if a := attrText(attrs, "align"); a != "" {
			style = "text-align:" + a
		}
		e.open(tag, "colspan", span("colspan"), "rowspan", span("rowspan"), "style", style)
		e.content(n)
		e.end(tag)
	case "youtube", "iframe", "video", "vimeo", "embed", "audio":
		src := attrText(attrs, "src")
		if src == "" {
			src = attrText(attrs, "url")
		}
		if start := attrText(attrs, "start"); start != "" && start != "0" && !strings.Contains(src, "start=") {
			if strings.Contains(src, "?") {
				src += "&start=" + start
			} else {
				src += "?start=" + start
			}
		}
		e.open("iframe", "src", src, "title", attrText(attrs, "title"))
		e.end("iframe")
	case "mention", "hashtag", "emoji":
		label := attrText(attrs, "label")
		if label == "" {
			label = attrText(attrs, "emoji")
		}
		if label == "" {
			label = attrText(attrs, "name")
		}
		if label == "" {
			label = id
		}
		if kind == "mention" && !strings.HasPrefix(label, "@") {
			label = "@" + label
		}
		e.text(label)
	case "tableHead", "tableBody":
		e.content(n)
	default:
		e.w.problem("node "+name, fmt.Sprintf("unknown editor node %q: only what it holds was kept", cutString(name, 60)),
			"replace it in the editor by a node that freshet knows")
		e.content(n)
	}
}

// formula writes a formula as its author wrote it: as code, which no reader takes for text.
func (e *editor) formula(kind string, attrs map[string]any, n map[string]any) {
	text := ""
	for _, key := range []string{"latex", "formula", "tex", "value", "content", "text", "equation"} {
		if text = strings.TrimSpace(attrText(attrs, key)); text != "" {
			break
		}
	}
	if text == "" {
		var b strings.Builder
		plainContent(&b, n)
		text = b.String()
	}
	if text == "" {
		return
	}
	block := strings.Contains(strings.ToLower(kind), "block") || kind == "mathDisplay" || attrText(attrs, "display") == "true"
	if block {
		e.b.WriteString("<pre>")
	}
	e.b.WriteString("<code>")
	e.text(text)
	e.b.WriteString("</code>")
	if block {
		e.b.WriteString("</pre>")
	}
}

// columns writes the widths of a table's columns, which its first row has, as shares of the whole.
func (e *editor) columns(table map[string]any) {
	rows, _ := table["content"].([]any)
	if len(rows) == 0 {
		return
	}
	row, _ := rows[0].(map[string]any)
	cells, _ := row["content"].([]any)
	var widths []float64
	total := 0.0
	for _, c := range cells {
		cell, _ := c.(map[string]any)
		attrs, _ := cell["attrs"].(map[string]any)
		list, _ := attrs["colwidth"].([]any)
		span, _ := attrs["colspan"].(float64)
		for i := range min(max(int(span), 1), 100) {
			w := 0.0
			if i < len(list) {
				w, _ = list[i].(float64)
			}
			if !(w > 0 && w < 1e5) {
				return // without the width of each column there is no share
			}
			widths, total = append(widths, w), total+w
		}
	}
	if len(widths) < 2 {
		return
	}
	e.b.WriteString("<colgroup>")
	for _, w := range widths {
		e.open("col", "width", strconv.Itoa(max(1, int(w*100/total+0.5)))+"%")
	}
	e.b.WriteString("</colgroup>")
}

// A markSpan is a mark that is open over several nodes.
type markSpan struct {
	key string // the mark with its attributes
	tag string
}

// content writes the children of a node; marks that neighbours share stay open between them.
func (e *editor) content(n map[string]any) {
	children, _ := n["content"].([]any)
	var open []markSpan
	for _, c := range children {
		child, ok := c.(map[string]any)
		if !ok {
			continue
		}
		marks, _ := child["marks"].([]any)
		want := e.marks(marks)
		keep := 0
		for keep < len(open) && keep < len(want) && open[keep].key == want[keep].key {
			keep++
		}
		for i := len(open) - 1; i >= keep; i-- {
			e.end(open[i].tag)
		}
		for _, m := range want[keep:] {
			e.b.WriteString(m.key)
		}
		open = want
		e.node(child)
	}
	for i := len(open) - 1; i >= 0; i-- {
		e.end(open[i].tag)
	}
}

// maxMarks is how many marks of a node count.
const maxMarks = 50

// marks are the marks of a node as start tags, links outermost, so that one link is one element.
func (e *editor) marks(marks []any) []markSpan {
	var spans []markSpan
	for _, v := range marks[:min(len(marks), maxMarks)] {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		name, _ := m["type"].(string)
		attrs, _ := m["attrs"].(map[string]any)
		var s markSpan
		start := e.b.Len()
		switch kind := camel(name); kind {
		case "link":
			s.tag = "a"
			e.open("a", "href", attrText(attrs, "href"), "title", attrText(attrs, "title"), "target", attrText(attrs, "target"),
				"rel", attrText(attrs, "rel"))
		case "highlight":
			s.tag = "mark"
			e.open("mark", "data-color", strings.ToLower(attrText(attrs, "color")))
		case "textStyle":
			s.tag = "span"
			style := ""
			if c := attrText(attrs, "color"); c != "" {
				style = "color:" + c
			}
			e.open("span", "style", style)
		default:
			tag, ok := editorMarks[kind]
			if !ok {
				e.w.problem("mark "+name, fmt.Sprintf("unknown editor mark %q was dropped", cutString(name, 60)),
					"use a mark that freshet knows")
				continue
			}
			s.tag = tag
			e.open(tag)
		}
		s.key = string(e.b.Bytes()[start:])
		e.b.Truncate(start)
		if s.tag == "a" {
			spans = append([]markSpan{s}, spans...)
		} else {
			spans = append(spans, s)
		}
	}
	return spans
}

// plainContent is the text within a node.
func plainContent(b *strings.Builder, n map[string]any) {
	children, _ := n["content"].([]any)
	for _, c := range children {
		child, ok := c.(map[string]any)
		if !ok {
			continue
		}
		if s, ok := child["text"].(string); ok {
			b.WriteString(s)
		}
		if camel(attrText(child, "type")) == "hardBreak" {
			b.WriteByte('\n')
		}
		plainContent(b, child)
	}
}
