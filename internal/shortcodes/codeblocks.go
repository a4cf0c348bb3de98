package shortcodes

import "strings"

// A Span is a range of bytes.
type Span struct{ Start, End int }

// CodeBlocks finds the lines of a Markdown text in which nothing is translated: fenced and indented code, raw HTML
// such as <pre> and <script>, and comments. The spans are in order and apart.
func CodeBlocks(src string) []Span {
	var (
		spans []Span
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
			if n := len(spans); n > 0 && spans[n-1].End == at {
				spans[n-1].End = end
			} else {
				spans = append(spans, Span{at, end})
			}
		}
		at = end
	}
	return spans
}

// A blockScanner follows the block structure of Markdown as far as code needs it: each line first continues the open
// quotes and list items, then may open new ones.
type blockScanner struct {
	containers []int // 0: a quote; else a list item, by the columns its content is indented
	fence      byte  // of the fenced code that is open, in the innermost container
	fenceLen   int   // 0: none is open
	until      string
	paragraph  bool // the last line was text that the next may continue
	empty      bool // the last line began a list item and nothing else
}

// maxContainers bounds the depth that is followed.
const maxContainers = 100

// line takes the next line and reports whether it is code.
func (c *blockScanner) line(s string) bool {
	if strings.IndexByte(s, '\t') >= 0 {
		s = expandTabs(s)
	}
	if c.empty && strings.TrimSpace(strings.TrimLeft(s, "> ")) == "" {
		c.containers = c.containers[:len(c.containers)-1] // an item may begin with one blank line, not two
	}
	c.empty = false
	open := 0
	for ; open < len(c.containers); open++ {
		t := strings.TrimLeft(s, " ")
		w := len(s) - len(t)
		if need := c.containers[open]; need == 0 {
			if w > 3 || t == "" || t[0] != '>' {
				break
			}
			s = strings.TrimPrefix(t[1:], " ")
		} else if t == "" || t == "\r" {
			s = t
		} else if w >= need {
			s = s[need:]
		} else {
			break
		}
	}
	all := open == len(c.containers)
	if !all && (c.fenceLen > 0 || c.until != "") {
		c.fenceLen, c.until, c.paragraph = 0, "", false // it ends with its container
	}
	if c.until != "" {
		if strings.Contains(strings.ToLower(s), c.until) {
			c.until = ""
		}
		return true
	}
	if c.fenceLen > 0 {
		if t := strings.TrimLeft(s, " "); len(s)-len(t) < 4 {
			if k := run(t, c.fence); k >= c.fenceLen && strings.TrimSpace(t[k:]) == "" {
				c.fenceLen = 0
			}
		}
		return true
	}
	lazy := c.paragraph // a paragraph is open, which text continues even outside its containers
	enter := func(need int) {
		c.containers = append(c.containers[:open], need)
		open++
		all, lazy, c.paragraph = true, false, false
	}
	for {
		t := strings.TrimLeft(s, " ")
		w := len(s) - len(t)
		if strings.TrimSpace(t) == "" {
			c.containers, c.paragraph = c.containers[:open], false
			return false
		}
		if w >= 4 {
			if lazy {
				return false
			}
			c.containers = c.containers[:open]
			return true
		}
		if t[0] == '>' && open < maxContainers {
			enter(0)
			s = strings.TrimPrefix(t[1:], " ")
			continue
		}
		if k := run(t, t[0]); k >= 3 && (t[0] == '~' || t[0] == '`' && strings.IndexByte(t[k:], '`') < 0) {
			c.containers, c.paragraph = c.containers[:open], false
			c.fence, c.fenceLen = t[0], k
			return true
		}
		if isThematic(t) || isATX(t) || lazy && all && setext(t) {
			c.containers, c.paragraph = c.containers[:open], false
			return false
		}
		if m := ListMarker(t); m > 0 && open < maxContainers {
			rest := t[m:]
			content := strings.TrimLeft(rest, " ")
			empty := strings.TrimSpace(content) == ""
			if !(lazy && all && (empty || m > 1 && t[:m-1] != "1")) {
				blanks := len(rest) - len(content)
				if empty || blanks > 4 {
					blanks = 1
				}
				enter(w + m + blanks)
				c.empty = empty
				s = rest[min(blanks, len(rest)):]
				continue
			}
		}
		if n := footnoteMarker(t); n > 0 {
			enter(4)
			s = strings.TrimLeft(t[n:], " ")
			continue
		}
		if until := rawUntil(t); until != "" {
			c.containers = c.containers[:open]
			if !strings.Contains(strings.ToLower(t), until) {
				c.until, c.paragraph = until, false
				return true
			}
			if until != "-->" || strings.HasSuffix(strings.TrimSpace(t), "-->") && strings.Count(t, "-->") == 1 {
				c.paragraph = false
				return true
			}
		}
		if !(lazy && !all) {
			c.containers = c.containers[:open]
		}
		c.paragraph = true
		return false
	}
}

// footnoteMarker returns the length of the beginning of a footnote, "[^x]:"; 0: it is none.
func footnoteMarker(t string) int {
	if !strings.HasPrefix(t, "[^") {
		return 0
	}
	if i := strings.Index(t, "]:"); i > 2 && strings.IndexByte(t[:i], ' ') < 0 {
		return i + 2
	}
	return 0
}

// setext reports the line under a heading.
func setext(t string) bool {
	t = strings.TrimRight(t, " \r")
	return strings.Trim(t, "=") == "" || strings.Trim(t, "-") == ""
}

func isATX(t string) bool {
	n := run(t, '#')
	return n >= 1 && n <= 6 && (n == len(t) || t[n] == ' ' || t[n] == '\r')
}

// expandTabs writes tabs as the blanks they stand for.
func expandTabs(s string) string {
	var b strings.Builder
	col := 0
	for i := range len(s) {
		if s[i] == '\t' {
			n := 4 - col%4
			b.WriteString("    "[:n])
			col += n
			continue
		}
		b.WriteByte(s[i])
		col++
	}
	return b.String()
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

func run(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}

// ListMarker returns the length of a list marker, without blanks; 0: none.
func ListMarker(t string) int {
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
