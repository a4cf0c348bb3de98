package mongodb

import (
	"cmp"
	"html"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxBlockDepth bounds nested lists of block editors.
const maxBlockDepth = 32

// A blockWriter writes the blocks of an editor as HTML, which the generator sanitises like any other.
type blockWriter struct {
	b       strings.Builder
	unknown string // the first kind of block that was not known
}

func (w *blockWriter) element(tag, inner string) {
	if inner != "" {
		w.b.WriteString("<" + tag + ">" + inner + "</" + tag + ">\n")
	}
}

func (w *blockWriter) code(language, code string) {
	class := ""
	if language != "" {
		class = ` class="language-` + html.EscapeString(language) + `"`
	}
	w.b.WriteString("<pre><code" + class + ">" + html.EscapeString(code) + "</code></pre>\n")
}

func (w *blockWriter) image(src, alt, caption string) {
	if src == "" {
		return
	}
	w.b.WriteString(`<figure><img src="` + html.EscapeString(src) + `" alt="` + html.EscapeString(alt) + `">`)
	if caption != "" {
		w.b.WriteString("<figcaption>" + caption + "</figcaption>")
	}
	w.b.WriteString("</figure>\n")
}

func (w *blockWriter) unknownBlock(kind string) {
	if w.unknown == "" {
		w.unknown = kind
	}
}

// str is a field's text; "" when it has none.
func (f fields) str(names ...string) string {
	s, _ := text(f.get(names...).v)
	return s
}

// editorJS writes the blocks of EditorJS. Their text is HTML.
func editorJS(blocks []bson.RawValue) (out, unknown string) {
	var w blockWriter
	for _, v := range blocks {
		block := object(v)
		data := object(block.get("data").v)
		switch kind := block.str("type"); kind {
		case "paragraph":
			w.element("p", data.str("text"))
		case "header":
			level := data.str("level")
			if len(level) != 1 || level < "1" || level > "6" {
				level = "2"
			}
			w.element("h"+level, data.str("text"))
		case "list", "checklist", "nestedList":
			tag := "ul"
			if data.str("style") == "ordered" {
				tag = "ol"
			}
			w.list(tag, items(data.get("items").v), 0)
		case "quote":
			quote := "<p>" + data.str("text") + "</p>"
			if by := data.str("caption"); by != "" {
				quote += "<p>" + by + "</p>"
			}
			w.element("blockquote", quote)
		case "warning":
			w.element("blockquote", "<p><strong>"+data.str("title")+"</strong></p><p>"+data.str("message")+"</p>")
		case "code":
			w.code(data.str("language"), data.str("code"))
		case "image", "simpleImage":
			src := data.str("url")
			if file := object(data.get("file").v); src == "" {
				src = file.str("url")
			}
			w.image(src, data.str("alt"), data.str("caption"))
		case "delimiter":
			w.b.WriteString("<hr>\n")
		case "raw":
			w.b.WriteString(data.str("html") + "\n")
		case "embed":
			w.b.WriteString(`<iframe src="` + html.EscapeString(data.str("source", "embed")) + "\"></iframe>\n")
		case "linkTool":
			link := html.EscapeString(data.str("link"))
			w.element("p", `<a href="`+link+`">`+link+"</a>")
		case "table":
			w.b.WriteString("<table>")
			for i, row := range items(data.get("content").v) {
				cell := "td"
				if i == 0 && data.str("withHeadings") == "true" {
					cell = "th"
				}
				w.b.WriteString("<tr>")
				for _, c := range items(row) {
					s, _ := text(c)
					w.b.WriteString("<" + cell + ">" + s + "</" + cell + ">")
				}
				w.b.WriteString("</tr>")
			}
			w.b.WriteString("</table>\n")
		default:
			w.unknownBlock(kind)
			w.element("p", data.str("text"))
		}
	}
	return w.b.String(), w.unknown
}

func (w *blockWriter) list(tag string, list []bson.RawValue, depth int) {
	if len(list) == 0 || depth > maxBlockDepth {
		return
	}
	w.b.WriteString("<" + tag + ">")
	for _, it := range list {
		s, plain := text(it)
		item := object(it)
		if !plain {
			s = item.str("content", "text")
		}
		w.b.WriteString("<li>" + s)
		w.list(tag, items(item.get("items").v), depth+1)
		w.b.WriteString("</li>")
	}
	w.b.WriteString("</" + tag + ">\n")
}

// portableText writes the blocks of Portable Text.
func portableText(blocks []bson.RawValue) (out, unknown string) {
	var w blockWriter
	var lists []string // the open lists, outermost first
	closeTo := func(n int) {
		for ; len(lists) > n; lists = lists[:len(lists)-1] {
			w.b.WriteString("</li></" + lists[len(lists)-1] + ">\n")
		}
	}
	for _, v := range blocks {
		block := object(v)
		kind := block.str("_type")
		tag := ""
		switch block.str("listItem") {
		case "":
		case "number":
			tag = "ol"
		default:
			tag = "ul"
		}
		if kind != "block" || tag == "" {
			closeTo(0)
		}
		switch kind {
		case "block":
			inner := portableSpans(block)
			if tag != "" {
				level, _ := strconv.Atoi(block.str("level"))
				level = min(max(level, 1), maxBlockDepth)
				closeTo(level)
				if len(lists) == level && lists[level-1] != tag {
					closeTo(level - 1)
				}
				if len(lists) == level {
					w.b.WriteString("</li><li>" + inner)
					continue
				}
				for len(lists) < level {
					w.b.WriteString("<" + tag + "><li>")
					lists = append(lists, tag)
				}
				w.b.WriteString(inner)
				continue
			}
			switch style := block.str("style"); style {
			case "h1", "h2", "h3", "h4", "h5", "h6", "blockquote":
				w.element(style, inner)
			default:
				w.element("p", inner)
			}
		case "image":
			asset := object(block.get("asset").v)
			w.image(cmp.Or(asset.str("url"), block.str("url", "src")), block.str("alt"), html.EscapeString(block.str("caption")))
		case "code", "codeBlock":
			w.code(block.str("language"), block.str("code"))
		case "break", "divider":
			w.b.WriteString("<hr>\n")
		default:
			w.unknownBlock(kind)
		}
	}
	closeTo(0)
	return w.b.String(), w.unknown
}

// portableMarks are the decorators of Portable Text.
var portableMarks = map[string]string{"strong": "strong", "em": "em", "code": "code", "underline": "u", "strike-through": "s", "sub": "sub", "sup": "sup"}

func portableSpans(block fields) string {
	links := map[string]string{}
	for _, v := range items(block.get("markDefs").v) {
		if def := object(v); def.str("_type") == "link" {
			links[def.str("_key")] = def.str("href", "url")
		}
	}
	var b strings.Builder
	for _, v := range items(block.get("children").v) {
		span := object(v)
		var s string
		for i := range span { // blanks are text here
			if string(span[i].key) == "text" {
				s, _ = text(span[i].v)
			}
		}
		s = strings.ReplaceAll(html.EscapeString(s), "\n", "<br>")
		if s == "" {
			continue
		}
		for _, m := range items(span.get("marks").v) {
			mark, _ := text(m)
			if tag, ok := portableMarks[mark]; ok {
				s = "<" + tag + ">" + s + "</" + tag + ">"
			} else if href := links[mark]; href != "" {
				s = `<a href="` + html.EscapeString(href) + `">` + s + "</a>"
			}
		}
		b.WriteString(s)
	}
	return b.String()
}
