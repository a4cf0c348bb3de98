package prose

import (
	"cmp"
	"html"
	"strconv"
	"strings"

	"freshet/internal/extjson"
)

// maxBlockDepth bounds nested lists of block editors.
const maxBlockDepth = 32

// A blockWriter writes the blocks of an editor as HTML, which the generator sanitises like any other.
type blockWriter struct {
	b       strings.Builder
	unknown string   // the first kind of block that was not known, and was left out
	shown   []string // kinds of nodes that were not known, and of which the text is shown
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

// editorJS writes the blocks of EditorJS. Their text is HTML.
func editorJS(blocks []extjson.Value) (out, unknown string) {
	var w blockWriter
	for _, v := range blocks {
		block := v.Doc
		data := value(block, "data").Doc
		switch kind := str(block, "type"); kind {
		case "paragraph":
			w.element("p", str(data, "text"))
		case "header":
			level := str(data, "level")
			if len(level) != 1 || level < "1" || level > "6" {
				level = "2"
			}
			w.element("h"+level, str(data, "text"))
		case "list", "checklist", "nestedList":
			tag := "ul"
			if str(data, "style") == "ordered" {
				tag = "ol"
			}
			w.list(tag, value(data, "items").Items, 0)
		case "quote":
			quote := "<p>" + str(data, "text") + "</p>"
			if by := str(data, "caption"); by != "" {
				quote += "<p>" + by + "</p>"
			}
			w.element("blockquote", quote)
		case "warning":
			w.element("blockquote", "<p><strong>"+str(data, "title")+"</strong></p><p>"+str(data, "message")+"</p>")
		case "code":
			w.code(str(data, "language"), str(data, "code"))
		case "image", "simpleImage":
			src := str(data, "url")
			if file := value(data, "file").Doc; src == "" {
				src = str(file, "url")
			}
			w.image(src, str(data, "alt"), str(data, "caption"))
		case "delimiter":
			w.b.WriteString("<hr>\n")
		case "raw":
			w.b.WriteString(str(data, "html") + "\n")
		case "embed":
			w.b.WriteString(`<iframe src="` + html.EscapeString(str(data, "source", "embed")) + "\"></iframe>\n")
		case "linkTool":
			link := html.EscapeString(str(data, "link"))
			w.element("p", `<a href="`+link+`">`+link+"</a>")
		case "table":
			w.b.WriteString("<table>")
			for i, row := range value(data, "content").Items {
				cell := "td"
				if i == 0 && str(data, "withHeadings") == "true" {
					cell = "th"
				}
				w.b.WriteString("<tr>")
				for _, c := range row.Items {
					s, _ := lineOf(c)
					w.b.WriteString("<" + cell + ">" + s + "</" + cell + ">")
				}
				w.b.WriteString("</tr>")
			}
			w.b.WriteString("</table>\n")
		default:
			w.unknownBlock(kind)
			w.element("p", str(data, "text"))
		}
	}
	return w.b.String(), w.unknown
}

func (w *blockWriter) list(tag string, list []extjson.Value, depth int) {
	if len(list) == 0 || depth > maxBlockDepth {
		return
	}
	w.b.WriteString("<" + tag + ">")
	for _, it := range list {
		s, plain := lineOf(it)
		item := it.Doc
		if !plain {
			s = str(item, "content", "text")
		}
		w.b.WriteString("<li>" + s)
		w.list(tag, value(item, "items").Items, depth+1)
		w.b.WriteString("</li>")
	}
	w.b.WriteString("</" + tag + ">\n")
}

// portableText writes the blocks of Portable Text.
func portableText(blocks []extjson.Value) (out, unknown string) {
	var w blockWriter
	var lists []string // the open lists, outermost first
	closeTo := func(n int) {
		for ; len(lists) > n; lists = lists[:len(lists)-1] {
			w.b.WriteString("</li></" + lists[len(lists)-1] + ">\n")
		}
	}
	for _, v := range blocks {
		block := v.Doc
		kind := str(block, "_type")
		tag := ""
		switch str(block, "listItem") {
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
				level, _ := strconv.Atoi(str(block, "level"))
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
			switch style := str(block, "style"); style {
			case "h1", "h2", "h3", "h4", "h5", "h6", "blockquote":
				w.element(style, inner)
			default:
				w.element("p", inner)
			}
		case "image":
			asset := value(block, "asset").Doc
			w.image(cmp.Or(str(asset, "url"), str(block, "url", "src")), str(block, "alt"), html.EscapeString(str(block, "caption")))
		case "code", "codeBlock":
			w.code(str(block, "language"), str(block, "code"))
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

func portableSpans(block extjson.Doc) string {
	links := map[string]string{}
	for _, v := range value(block, "markDefs").Items {
		if def := v.Doc; str(def, "_type") == "link" {
			links[str(def, "_key")] = str(def, "href", "url")
		}
	}
	var b strings.Builder
	for _, v := range value(block, "children").Items {
		span := v.Doc
		var s string
		if v, ok := span.Get("text"); ok { // blanks are text here
			s, _ = lineOf(v)
		}
		s = strings.ReplaceAll(html.EscapeString(s), "\n", "<br>")
		if s == "" {
			continue
		}
		for _, m := range value(span, "marks").Items {
			mark, _ := lineOf(m)
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
