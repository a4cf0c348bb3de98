package prose

import (
	"html"
	"slices"
	"strings"

	"freshet/internal/extjson"
)

// quillDelta writes the operations that Quill stores as the HTML that Quill itself shows for them. A text ends its line with
// a line break, whose attributes are those of the line; all other attributes are of the text.
func quillDelta(ops []extjson.Value) (out, unknown string) {
	var b, line strings.Builder
	open := "" // the element that the lines before stand in
	closeTo := func(tag string) {
		if open != tag {
			if open != "" {
				b.WriteString("</" + open + ">\n")
			}
			if open = tag; open != "" {
				b.WriteString("<" + open + ">")
			}
		}
	}
	end := func(attrs extjson.Doc) {
		text := line.String()
		line.Reset()
		indent := ""
		if n := str(attrs, "indent"); len(n) == 1 && n >= "1" && n <= "8" {
			indent = ` class="ql-indent-` + n + `"`
		}
		list, level := str(attrs, "list"), str(attrs, "header")
		switch {
		case list != "":
			closeTo("ol")
			b.WriteString(`<li data-list="` + html.EscapeString(list) + `"` + indent + ">" + text + "</li>")
		case !value(attrs, "code-block").IsNull():
			closeTo("pre")
			b.WriteString(text + "\n")
		case len(level) == 1 && level >= "1" && level <= "6":
			closeTo("")
			b.WriteString("<h" + level + ">" + text + "</h" + level + ">\n")
		case str(attrs, "blockquote") == "true":
			closeTo("blockquote")
			b.WriteString("<p>" + text + "</p>")
		case text != "":
			closeTo("")
			b.WriteString("<p" + indent + ">" + text + "</p>\n")
		default:
			closeTo("")
		}
	}
	var kinds []string
	for _, op := range ops {
		insert, _ := op.Doc.Get("insert")
		attrs := value(op.Doc, "attributes").Doc
		if insert.Type == extjson.Object {
			src := func(name string) string { return html.EscapeString(str(insert.Doc, name)) }
			switch {
			case src("image") != "":
				line.WriteString(`<img src="` + src("image") + `" alt="` + html.EscapeString(str(attrs, "alt")) + `">`)
			case src("video") != "":
				line.WriteString(`<iframe src="` + src("video") + `"></iframe>`)
			case src("formula") != "":
				line.WriteString("<code>" + src("formula") + "</code>")
			default:
				line.WriteString(looseText(insert, 0))
				for _, f := range insert.Doc {
					if !slices.Contains(kinds, f.Key) && len(kinds) < 5 {
						kinds = append(kinds, f.Key)
					}
				}
			}
			continue
		}
		if insert.Type != extjson.String {
			continue
		}
		parts := strings.Split(valid(insert.Text), "\n")
		for i, part := range parts {
			if i > 0 {
				end(attrs)
			}
			if part != "" {
				line.WriteString(quillText(part, attrs))
			}
		}
	}
	end(nil)
	closeTo("")
	return b.String(), strings.Join(kinds, `", "`)
}

// quillText is a text with its marks.
func quillText(s string, attrs extjson.Doc) string {
	s = html.EscapeString(s)
	for _, m := range [...]struct{ name, is, tag string }{
		{"code", "true", "code"}, {"script", "sub", "sub"}, {"script", "super", "sup"}, {"strike", "true", "s"}, {"underline", "true", "u"}, {"italic", "true", "em"}, {"bold", "true", "strong"},
	} {
		if str(attrs, m.name) == m.is {
			s = "<" + m.tag + ">" + s + "</" + m.tag + ">"
		}
	}
	if link := str(attrs, "link"); link != "" {
		s = `<a href="` + html.EscapeString(link) + `">` + s + "</a>"
	}
	return s
}
