package prose

import "strings"

// blockTags are the elements that stored HTML begins with. Those with false need no end tag, so their depth is not
// counted.
var blockTags = map[string]bool{
	"article": true, "section": true, "div": true, "header": true, "footer": true, "main": true, "aside": true, "nav": true,
	"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "ul": true, "ol": true, "dl": true, "table": true,
	"figure": true, "blockquote": true, "pre": true, "details": true, "center": true, "form": true, "address": true,
	"p": false, "li": false, "dt": false, "dd": false, "tr": false, "td": false, "th": false, "thead": false, "tbody": false, "hr": false,
}

// rawTags are the elements within which nothing is markup.
var rawTags = map[string]bool{"pre": true, "script": true, "style": true, "textarea": true}

// looksLikeHTML tells stored HTML from Markdown, which may begin with HTML too. Text is HTML when it is a whole
// document, or when it begins with a block element and nothing in it is Markdown: outside of all elements no text
// follows a blank line and no line begins with a mark of Markdown (a heading, a list, a quotation, a fence); within
// them no such line follows a blank one. Text in pre, script and style is not looked at.
func looksLikeHTML(s string) bool {
	s = skipComments(s)
	if isWholeDocument(s) {
		return true
	}
	if name, closing, _ := tagAt(s); closing || !isBlock(name) {
		return false
	}
	depth, inP := 0, false
	newlines := 0 // since anything but blanks
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\n':
			newlines++
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r':
			i++
			continue
		case strings.HasPrefix(s[i:], "<!--"):
			i = len(s) - len(skipComment(s[i:]))
			continue
		}
		name, closing, size := tagAt(s[i:])
		if size < 0 {
			break // the rest is one unfinished tag
		}
		if size == 0 {
			line, _, _ := strings.Cut(s[i:], "\n")
			outside := depth == 0 && !inP
			if newlines > 1 && outside || (newlines > 1 || newlines == 1 && outside) && markdownMark(line) {
				return false
			}
			newlines = 0
			if k := strings.IndexAny(s[i+1:], "<\n"); k >= 0 {
				i += 1 + k
				continue
			}
			break
		}
		i += size
		newlines = 0
		if rawTags[name] && !closing {
			k := indexFold(s[i:], "</"+name)
			if k < 0 {
				break
			}
			i += k
			continue
		}
		switch nests, block := blockTags[name]; {
		case !block || rawTags[name]:
		case name == "p":
			inP = !closing
		case nests && closing:
			depth, inP = max(depth-1, 0), false
		case nests:
			depth, inP = depth+1, false
		}
	}
	return true
}

func isBlock(name string) bool {
	_, ok := blockTags[name]
	return ok
}

// isWholeDocument reports whether text begins like an HTML document.
func isWholeDocument(s string) bool {
	s = skipComments(s)
	if len(s) >= 9 && strings.EqualFold(s[:9], "<!doctype") {
		return true
	}
	name, closing, _ := tagAt(s)
	return !closing && (name == "html" || name == "head" || name == "body")
}

// markdownMark reports whether a line begins as only Markdown does.
func markdownMark(line string) bool {
	for _, mark := range [...]string{"# ", "## ", "### ", "#### ", "- ", "* ", "+ ", "> ", "```", "~~~", "1. ", "![", "| "} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	return false
}

// skipComments is what follows blanks and comments.
func skipComments(s string) string {
	for {
		s = strings.TrimSpace(s)
		if !strings.HasPrefix(s, "<!--") {
			return s
		}
		s = skipComment(s)
	}
}

func skipComment(s string) string {
	if i := strings.Index(s, "-->"); i >= 0 {
		return s[i+3:]
	}
	return ""
}

// tagAt reads the tag that s begins with: its name in lower case, and its length; 0: it is none, -1: it has no end.
func tagAt(s string) (name string, closing bool, size int) {
	if len(s) < 2 || s[0] != '<' {
		return "", false, 0
	}
	i := 1
	if s[i] == '/' {
		closing = true
		i++
	}
	start := i
	for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || i > start && s[i] >= '0' && s[i] <= '9') {
		i++
	}
	if i == start || i < len(s) && strings.IndexByte(" \t\r\n/>", s[i]) < 0 {
		return "", false, 0
	}
	name = strings.ToLower(s[start:i])
	for quote := byte(0); i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return name, closing, i + 1
		}
	}
	return name, closing, -1
}

// indexFold finds sub, which is in lower case ASCII, whatever the case in s.
func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		j := strings.IndexByte(s[i:], sub[0])
		if j < 0 || i+j+len(sub) > len(s) {
			return -1
		}
		i += j
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}
