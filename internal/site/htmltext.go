package site

import (
	"encoding/json"
	"html"
	"strings"
	"unicode"
)

// htmlBlocks gives the text between block elements.
func htmlBlocks(text string, yield func(block) bool) {
	var cur strings.Builder
	endless := map[string]bool{} // elements that do not end in what follows
	kind := blockParagraph
	flush := func() bool {
		s := html.UnescapeString(cur.String())
		cur.Reset()
		if strings.TrimSpace(s) == "" {
			return true
		}
		return yield(block{kind: kind, text: s, ready: true})
	}
	for i := 0; i < len(text); {
		if text[i] != '<' {
			j := strings.IndexByte(text[i:], '<')
			if j < 0 {
				j = len(text) - i
			}
			cur.WriteString(text[i : i+j])
			i += j
			continue
		}
		n := tagLen(text[i:])
		if n == 0 {
			cur.WriteByte('<')
			i++
			continue
		}
		tag := strings.ToLower(text[i : i+n])
		i += n
		closing := strings.HasPrefix(tag, "</")
		name := strings.TrimLeft(tag, "</")
		if k := strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII || !isNameByte(byte(r)) }); k >= 0 {
			name = name[:k]
		}
		switch name {
		case "script", "style", "pre", "template", "svg", "iframe", "noscript", "title":
			if closing {
				continue
			}
			if !flush() {
				return
			}
			end := -1
			if !endless[name] {
				end = indexEndTag(text[i:], name)
				endless[name] = end < 0
			}
			switch {
			case end >= 0 && !strings.HasSuffix(tag, "/>"):
				i += end
			case name == "script" || name == "style":
				i = len(text) // its text is none of the document's, closed or not
			}
		case "p", "div", "section", "article", "ul", "ol", "table", "tr", "figure", "figcaption", "blockquote", "li", "dt", "dd", "td", "th",
			"h1", "h2", "h3", "h4", "h5", "h6", "hr", "details", "summary", "header", "footer", "aside", "main", "nav":
			if !flush() {
				return
			}
			kind = blockParagraph
			if !closing {
				switch {
				case name[0] == 'h' && len(name) == 2 && name[1] >= '1' && name[1] <= '6':
					kind = blockHeading
				case name == "li":
					kind = blockItem
				case name == "blockquote":
					kind = blockQuote
				case name == "td" || name == "th" || name == "figcaption" || name == "summary":
					kind = blockTable
				}
			}
		case "br":
			cur.WriteByte(' ')
		}
	}
	flush()
}

// tiptapBlocks gives the text of TipTap/ProseMirror JSON; nothing when it is not valid.
func tiptapBlocks(text string, yield func(block) bool) {
	type node struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Content []node `json:"content"`
	}
	var doc node
	if json.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	var inline func(b *strings.Builder, n *node)
	inline = func(b *strings.Builder, n *node) {
		b.WriteString(n.Text)
		if n.Type == "hardBreak" {
			b.WriteByte(' ')
		}
		for i := range n.Content {
			inline(b, &n.Content[i])
		}
	}
	var walk func(n *node, kind blockKind, depth int) bool
	walk = func(n *node, kind blockKind, depth int) bool {
		switch n.Type {
		case "codeBlock":
			kind = blockCode
		case "heading":
			kind = blockHeading
		case "listItem", "taskItem":
			kind = blockItem
		case "blockquote":
			kind = blockQuote
		case "tableCell", "tableHeader":
			kind = blockTable
		}
		if n.Type == "paragraph" || n.Type == "heading" || n.Type == "codeBlock" {
			var b strings.Builder
			inline(&b, n)
			return strings.TrimSpace(b.String()) == "" || yield(block{kind: kind, text: b.String(), ready: true})
		}
		for i := range n.Content {
			if !walk(&n.Content[i], kind, depth+1) {
				return false
			}
		}
		return true
	}
	walk(&doc, blockParagraph, 0)
}
