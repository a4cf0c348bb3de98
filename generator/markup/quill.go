package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Quill writes the items of all lists into one flat ol (version 2), or into one flat list for each kind (version 1), and says in
// attributes and classes what they are and how deep they lie:
//
//	<ol><li data-list="bullet">one</li><li data-list="bullet" class="ql-indent-1">below it</li></ol>

// quillIndent is how deep an item of Quill's lies; 0: at the top, or it is no item of Quill's.
func quillIndent(n *html.Node) int {
	for c := range strings.FieldsSeq(get(n, "class")) {
		if s, ok := strings.CutPrefix(c, "ql-indent-"); ok {
			if level, err := strconv.Atoi(s); err == nil {
				return min(max(level, 0), 20)
			}
		}
	}
	return 0
}

// quillList replaces a flat list of Quill's by nested lists, and returns the first of them; nil: it is no such list.
func quillList(n *html.Node) *html.Node {
	known := n.DataAtom == atom.Ul && hasAttr(n, "data-checked")
	for c := n.FirstChild; c != nil && !known; c = c.NextSibling {
		known = c.DataAtom == atom.Li && (hasAttr(c, "data-list") || quillIndent(c) > 0)
	}
	if !known {
		return nil
	}
	type open struct {
		list, item *html.Node
		kind       string
	}
	var stack []open // outermost first
	var first *html.Node
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		if c.DataAtom != atom.Li {
			if len(stack) > 0 && c.Type == html.ElementNode {
				stack[len(stack)-1].item.AppendChild(c)
			}
			continue
		}
		kind := get(c, "data-list")
		if kind == "" {
			switch {
			case n.DataAtom == atom.Ol:
				kind = "ordered"
			case hasAttr(n, "data-checked"):
				kind = "unchecked"
				if get(n, "data-checked") == "true" {
					kind = "checked"
				}
			default:
				kind = "bullet"
			}
		}
		list := element(atom.Ul)
		item := element(atom.Li)
		switch kind {
		case "ordered":
			list = element(atom.Ol)
		case "checked", "unchecked":
			list = element(atom.Ul, "data-type", "taskList")
			item = element(atom.Li, "data-checked", strconv.FormatBool(kind == "checked"))
			kind = "task"
		}
		for _, key := range [...]string{"class", "style", "dir", "id"} {
			if v := get(c, key); v != "" {
				set(item, key, v)
			}
		}
		for in := c.FirstChild; in != nil; in = c.FirstChild {
			c.RemoveChild(in)
			if !hasClass(in, "ql-ui") {
				item.AppendChild(in)
			}
		}
		set(item, "class", strings.TrimSpace(strings.ReplaceAll(" "+get(item, "class")+" ", " ql-indent-"+strconv.Itoa(quillIndent(item))+" ", " ")))
		level := min(quillIndent(c), len(stack))
		stack = stack[:min(len(stack), level+1)]
		if len(stack) == level+1 && stack[level].kind != kind {
			stack = stack[:level]
		}
		if len(stack) == level {
			if level == 0 {
				n.Parent.InsertBefore(list, n)
				if first == nil {
					first = list
				}
			} else {
				stack[level-1].item.AppendChild(list)
			}
			stack = append(stack, open{list: list, kind: kind})
		}
		stack[level].list.AppendChild(item)
		stack[level].item = item
	}
	next := n.NextSibling
	n.Parent.RemoveChild(n)
	if first == nil {
		return next
	}
	return first
}

// quillCode makes Quill's container of lines of code a pre element.
func quillCode(n *html.Node) {
	code := element(atom.Code)
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		if l := get(c, "data-language"); l != "" && l != "plain" && get(code, "class") == "" {
			set(code, "class", "language-"+l)
		}
		n.RemoveChild(c)
		flatText(&b, &html.Node{Type: html.ElementNode, FirstChild: c, LastChild: c})
		b.WriteByte('\n')
	}
	code.AppendChild(textNode(b.String()))
	n.Data, n.DataAtom, n.Attr = "pre", atom.Pre, nil
	n.AppendChild(code)
}
