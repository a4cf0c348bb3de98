package contentdir

import "strings"

// A span is a range of bytes.
type span struct{ start, end int }

// codeBlocks finds the lines of a Markdown text in which nothing is translated: fenced and indented code, raw HTML
// such as <pre> and <script>, and comments. The spans are in order and apart.
func codeBlocks(src string) []span {
	var (
		spans []span
		c     blockScanner
	)
	for at := 0; at < len(src); {
		end := strings.IndexByte(src[at:], '\n')
		if end < 0 {
			end = len(src)
		} else {
			end += at + 1
		}
		if c.line(strings.TrimSuffix(src[at:end], "\n")) {
			if n := len(spans); n > 0 && spans[n-1].end == at {
				spans[n-1].end = end
			} else {
				spans = append(spans, span{at, end})
			}
		}
		at = end
	}
	return spans
}

// A blockScanner follows the block structure of Markdown as far as code needs it.
type blockScanner struct {
	fence      byte
	fenceLen   int
	fenceQuote int
	fenceList  int   // content column of the list item the fence is in
	lists      []int // content columns of the open list items
	paragraph  bool  // the last line was text that the next may continue
	blank      bool  // the last line was blank
	until      string
}

// line takes the next line and reports whether it is code.
func (c *blockScanner) line(s string) bool {
	if c.until != "" {
		if strings.Contains(strings.ToLower(s), c.until) {
			c.until = ""
			c.paragraph, c.blank = false, false
		}
		return true
	}
	quote := 0
	rest, col := s, 0
	for {
		n, w := indentOf(rest, col)
		if n < len(rest) && rest[n] == '>' && w <= 3 {
			quote++
			rest = rest[n+1:]
			col += w + 1
			if rest != "" && (rest[0] == ' ') {
				rest = rest[1:]
				col++
			}
			continue
		}
		break
	}
	col0 := col
	if quote == 0 {
		col0 = 0
	}
	n, w := indentOf(rest, col)
	t := rest[n:]
	blank := strings.TrimSpace(t) == ""
	if c.fenceLen > 0 {
		if quote >= c.fenceQuote && (blank || w >= c.fenceList) {
			if len(t) > 0 && t[0] == c.fence && w-c.fenceList < 4 {
				if k := run(t, c.fence); k >= c.fenceLen && strings.TrimSpace(t[k:]) == "" {
					c.fenceLen = 0
					c.paragraph, c.blank = false, false
				}
			}
			return true
		}
		c.fenceLen = 0 // its quote or list item has ended
		c.paragraph = false
	}
	if blank {
		c.blank, c.paragraph = true, false
		return false
	}
	_ = col0
	for len(c.lists) > 0 && w < c.lists[len(c.lists)-1] {
		if c.paragraph && !c.blank && !startsBlock(t) {
			break // a lazy continuation of the item's paragraph
		}
		c.lists = c.lists[:len(c.lists)-1]
	}
	defer func() { c.blank = false }()
	for {
		base := 0
		if len(c.lists) > 0 {
			base = c.lists[len(c.lists)-1]
		}
		if w-base >= 4 && !c.paragraph {
			return true
		}
		if len(t) >= 3 && (t[0] == '`' || t[0] == '~') && w-base < 4 {
			if k := run(t, t[0]); k >= 3 && (t[0] == '~' || strings.IndexByte(t[k:], '`') < 0) {
				c.fence, c.fenceLen, c.fenceQuote, c.fenceList = t[0], k, quote, min(base, w)
				c.paragraph = false
				return true
			}
		}
		m := listMarker(t)
		if m == 0 || isThematic(t) || c.paragraph && !c.blank && !(len(c.lists) > 0) && t[0] >= '0' && t[0] <= '9' && !strings.HasPrefix(t, "1.") && !strings.HasPrefix(t, "1)") {
			break
		}
		if len(c.lists) == 0 || w >= c.lists[len(c.lists)-1] {
			// a deeper item
		} else {
			c.lists = c.lists[:len(c.lists)-1]
		}
		sp, sw := indentOf(t[m:], 0)
		if m+sp >= len(t) {
			c.lists = append(c.lists, w+m+1)
			c.paragraph = false
			return false
		}
		c.paragraph = false
		if sw > 4 {
			c.lists = append(c.lists, w+m+1)
		} else {
			c.lists = append(c.lists, w+m+sw)
		}
		w += m + sw
		t = t[m+sp:]
		if len(c.lists) > 100 {
			break
		}
	}
	if until := rawUntil(t); until != "" {
		if i := strings.IndexByte(t, '>'); until == "-->" || i >= 0 || !c.paragraph {
			if !strings.Contains(strings.ToLower(t), until) {
				c.until = until
				c.paragraph = false
				return true
			}
			if strings.HasPrefix(t, "<!--") && strings.HasSuffix(strings.TrimSpace(t), "-->") && strings.Count(t, "-->") == 1 {
				c.paragraph = false
				return true
			}
			if until != "-->" {
				c.paragraph = false
				return true
			}
		}
	}
	c.paragraph = !(run(t, '#') >= 1 && run(t, '#') <= 6 && (len(t) == run(t, '#') || t[run(t, '#')] == ' ')) && !isThematic(t)
	return false
}

// startsBlock reports whether a line begins a block that interrupts a paragraph.
func startsBlock(t string) bool {
	return listMarker(t) > 0 || t[0] == '#' || strings.HasPrefix(t, "```") || strings.HasPrefix(t, "~~~") || isThematic(t)
}

func rawUntil(t string) string {
	if t[0] != '<' {
		return ""
	}
	if strings.HasPrefix(t, "<!--") {
		return "-->"
	}
	low := strings.ToLower(t[:min(len(t), 12)])
	for _, n := range [...]string{"pre", "script", "style", "textarea"} {
		if strings.HasPrefix(low[1:], n) && (len(low) == 1+len(n) || low[1+len(n)] == '>' || low[1+len(n)] == ' ' || low[1+len(n)] == '\t') {
			return "</" + n
		}
	}
	return ""
}

// indentOf returns the bytes and columns of the blanks a line begins with, at column col.
func indentOf(s string, col int) (n, width int) {
	for n < len(s) {
		switch s[n] {
		case ' ':
			width++
		case '\t':
			width += 4 - (col+width)%4
		default:
			return n, width
		}
		n++
	}
	return n, width
}

func run(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}

// listMarker returns the length of a list marker, without blanks; 0: none.
func listMarker(t string) int {
	n := 0
	switch {
	case t == "":
		return 0
	case t[0] == '-' || t[0] == '*' || t[0] == '+':
		n = 1
	default:
		for n < len(t) && n < 9 && t[n] >= '0' && t[n] <= '9' {
			n++
		}
		if n == 0 || n == len(t) || t[n] != '.' && t[n] != ')' {
			return 0
		}
		n++
	}
	if n < len(t) && t[n] != ' ' && t[n] != '\t' {
		return 0
	}
	return n
}

func isThematic(t string) bool {
	c := t[0]
	if c != '-' && c != '*' && c != '_' {
		return false
	}
	k := 0
	for i := range len(t) {
		switch t[i] {
		case c:
			k++
		case ' ', '\t', '\r':
		default:
			return false
		}
	}
	return k >= 3
}
