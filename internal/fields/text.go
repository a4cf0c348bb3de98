package fields

import (
	"html"
	"strings"

	tokens "golang.org/x/net/html"
)

// Characters is a line of text with HTML's character references resolved: "Tom &amp; Jerry" is "Tom & Jerry". Editors store titles
// and excerpts so. A line with code in it stays as it is, for it may be about references.
func Characters(s string) string {
	if strings.IndexByte(s, '&') < 0 || strings.IndexByte(s, ';') < 0 || strings.IndexByte(s, '`') >= 0 {
		return s
	}
	return html.UnescapeString(s)
}

// PlainText is the text of a field that holds a little HTML, one line for each block: "<p>Open <b>today</b></p>" is "Open today".
func PlainText(s string) string {
	var out []string
	var line strings.Builder
	end := func() {
		if text := strings.Join(strings.Fields(line.String()), " "); text != "" {
			out = append(out, text)
		}
		line.Reset()
	}
	z := tokens.NewTokenizer(strings.NewReader(s))
	hidden := "" // the element that is open and shows no text
	for kind := z.Next(); kind != tokens.ErrorToken; kind = z.Next() {
		if kind == tokens.TextToken && hidden == "" {
			line.Write(z.Text())
		}
		if kind != tokens.StartTagToken && kind != tokens.EndTagToken && kind != tokens.SelfClosingTagToken {
			continue
		}
		b, _ := z.TagName()
		name := string(b)
		switch {
		case hidden != "":
			if kind == tokens.EndTagToken && name == hidden {
				hidden = ""
			}
		case name == "br":
			line.WriteByte(' ')
		case unshown[name]:
			end()
			if kind == tokens.StartTagToken {
				hidden = name
			}
		case blocks[name]:
			end()
		}
	}
	end()
	return strings.Join(out, "\n")
}

// unshown are the elements that hold no running text, and blocks those that part it.
var (
	unshown = words("script style pre template svg iframe noscript title")
	blocks  = words(`p div section article ul ol table tr figure figcaption blockquote li dt dd td th h1 h2 h3 h4 h5 h6 hr details summary
		header footer aside main nav`)
)
