package shortcodes

import (
	"slices"
	"strings"
)

// A Span is a range of bytes.
type Span struct{ Start, End int }

// A lineKind says what Markdown makes of a line.
type lineKind uint8

const (
	textLine lineKind = iota
	codeLine          // fenced and indented code, <pre>, <script>, comments
	htmlLine          // inside an HTML block: Markdown is not read there
)

// A layout is the block structure of a text, as far as translating needs it. All spans are in order and apart.
type layout struct {
	code, html, table []Span
	lines             []lineStartAt
	opaque            map[int]Span // by the offset of a tag: what it holds as it stands, such as the code of {% highlight %}
}

// A lineStartAt is where a line begins, and where its content does, after the marks of quotes and list items.
type lineStartAt struct{ line, content int }

// CodeBlocks finds the lines of a Markdown text in which nothing is translated: fenced and indented code, raw HTML
// such as <pre> and <script>, and comments. The spans are in order and apart.
func CodeBlocks(src string) []Span { return scan(src, nil).code }

// scan finds the structure of a text. opaque, where it is not nil, finds the end of a tag at an offset whose content is
// no Markdown; the scan goes on behind it.
func scan(src string, opaque func(i int) (content Span, end int)) layout {
	var (
		l layout
		c blockScanner
	)
	grow := func(spans []Span, start, end int) []Span {
		if n := len(spans); n > 0 && spans[n-1].End == start {
			spans[n-1].End = end
			return spans
		}
		return append(spans, Span{start, end})
	}
	rows := 0 // lines of the table so far; 0: there is none
	previous := Span{}
	for at := 0; at < len(src); {
		end := strings.IndexByte(src[at:], '\n')
		if end < 0 {
			end = len(src)
		} else {
			end += at + 1
		}
		line := strings.TrimSuffix(src[at:end], "\n")
		tags := opaque != nil && strings.Contains(line, "{")
		before := c.clone(tags)
		kind := c.line(line)
		l.lines = append(l.lines, lineStartAt{at, at + c.offset})
		if kind != codeLine && tags {
			if i, content, stop := firstOpaque(src, at, at+len(line), opaque); stop > 0 {
				// The tag is one word of its line; what it holds is none of the text's lines.
				c = before
				kind = c.line(line[:i-at] + "x")
				if l.opaque == nil {
					l.opaque = map[int]Span{}
				}
				l.opaque[i] = content
				end = stop
				if rest := strings.IndexByte(src[stop:], '\n'); rest < 0 {
					end = len(src)
				} else {
					end = stop + rest + 1
				}
				line = ""
			}
		}
		switch kind {
		case codeLine:
			l.code = grow(l.code, at, end)
		case htmlLine:
			l.html = grow(l.html, at, end)
		}
		switch text := strings.TrimRight(line, " \r\t"); {
		case kind != textLine || strings.TrimSpace(text) == "":
			rows = 0
		case rows > 0:
			l.table = grow(l.table, at, end)
		case isDelimiterRow(text[min(c.offset, len(text)):]) && previous.End == at && strings.Contains(src[previous.Start:previous.End], "|"):
			l.table = append(l.table, Span{previous.Start, end})
			rows = 1
		}
		previous = Span{at, end}
		at = end
	}
	return l
}

// firstOpaque finds the first tag on a line, outside code spans, that holds what is no Markdown.
func firstOpaque(src string, at, end int, opaque func(i int) (Span, int)) (start int, content Span, stop int) {
	for i := at; i < end; i++ {
		switch src[i] {
		case '`':
			n := run(src[i:end], '`')
			if e := spanEnd(src[i+n:], n); e >= 0 {
				i += n + e - 1
			} else {
				i += n - 1
			}
		case '\\':
			i++
		case '{':
			if content, stop := opaque(i); stop > 0 {
				if strings.Contains(src[i:stop], "\n") {
					return i, content, stop
				}
				i = stop - 1
			}
		}
	}
	return 0, Span{}, 0
}

// isDelimiterRow reports the line under the head of a table, such as | --- | :-: |.
func isDelimiterRow(s string) bool {
	return strings.Contains(s, "-") && strings.Contains(s, "|") && strings.Trim(s, "|-: \t") == ""
}

// in reports whether an offset is in one of the spans.
func in(spans []Span, i int) (Span, bool) {
	n, found := slices.BinarySearchFunc(spans, i, func(s Span, i int) int {
		switch {
		case s.End <= i:
			return -1
		case s.Start > i:
			return 1
		}
		return 0
	})
	if !found {
		return Span{}, false
	}
	return spans[n], true
}

// content is where the content of the line begins that holds the offset i.
func (l *layout) content(i int) int {
	n, found := slices.BinarySearchFunc(l.lines, i, func(s lineStartAt, i int) int { return s.line - i })
	if !found {
		n--
	}
	if n < 0 {
		return 0
	}
	return l.lines[n].content
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
	html       bool // an HTML block is open, which the next blank line ends
	offset     int  // where the content of the last line begins, as far as no tab stands before it
}

// clone is a copy that lines of c do not change.
func (c *blockScanner) clone(needed bool) blockScanner {
	if !needed {
		return blockScanner{}
	}
	copied := *c
	copied.containers = slices.Clone(c.containers)
	return copied
}

// line takes the next line and says what it is.
func (c *blockScanner) line(line string) lineKind {
	rest, kind := c.take(line)
	c.offset = 0
	if !strings.Contains(line, "\t") {
		c.offset = len(line) - len(strings.TrimLeft(rest, " "))
	}
	return kind
}

// maxContainers bounds the depth that is followed.
const maxContainers = 100

// take is line; it also returns what is left of the line behind the marks of its containers.
func (c *blockScanner) take(s string) (string, lineKind) {
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
	if !all && (c.fenceLen > 0 || c.until != "" || c.html) {
		c.fenceLen, c.until, c.paragraph, c.html = 0, "", false, false // it ends with its container
	}
	if c.until != "" {
		if strings.Contains(strings.ToLower(s), c.until) {
			c.until = ""
		}
		return s, codeLine
	}
	if c.fenceLen > 0 {
		if t := strings.TrimLeft(s, " "); len(s)-len(t) < 4 {
			if k := run(t, c.fence); k >= c.fenceLen && strings.TrimSpace(t[k:]) == "" {
				c.fenceLen = 0
			}
		}
		return s, codeLine
	}
	if c.html {
		if strings.TrimSpace(s) != "" {
			if until := preformatted(s); until != "" {
				c.until = until
				return s, codeLine
			}
			return s, htmlLine
		}
		c.html = false
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
			return s, textLine
		}
		if w >= 4 {
			if lazy {
				return s, textLine
			}
			c.containers = c.containers[:open]
			return s, codeLine
		}
		if t[0] == '>' && open < maxContainers {
			enter(0)
			s = strings.TrimPrefix(t[1:], " ")
			continue
		}
		if k := run(t, t[0]); k >= 3 && (t[0] == '~' || t[0] == '`' && strings.IndexByte(t[k:], '`') < 0) {
			c.containers, c.paragraph = c.containers[:open], false
			c.fence, c.fenceLen = t[0], k
			return s, codeLine
		}
		if isThematic(t) || isATX(t) || lazy && all && setext(t) {
			c.containers, c.paragraph = c.containers[:open], false
			return s, textLine
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
				return s, codeLine
			}
			if until != "-->" || strings.HasSuffix(strings.TrimSpace(t), "-->") && strings.Count(t, "-->") == 1 {
				c.paragraph = false
				return s, codeLine
			}
		}
		if startsHTML(t, lazy) {
			c.containers = c.containers[:open]
			c.html, c.paragraph = true, false
			if until := preformatted(t); until != "" {
				c.until = until
			}
			return s, htmlLine
		}
		if !(lazy && !all) {
			c.containers = c.containers[:open]
		}
		c.paragraph = true
		return s, textLine
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

// htmlBlockNames are the elements that begin an HTML block wherever a line begins with their tag (CommonMark's sixth kind).
const htmlBlockNames = " address article aside base basefont blockquote body caption center col colgroup dd details dialog dir div dl dt fieldset figcaption figure " +
	"footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link main menu menuitem nav noframes ol optgroup option p param search " +
	"section summary table tbody td tfoot th thead title tr track ul "

// startsHTML reports whether a line begins an HTML block that goes on to the next blank line. Where a paragraph is
// open, only those of htmlBlockNames do; elsewhere a line with one whole tag does too.
func startsHTML(t string, paragraph bool) bool {
	if len(t) < 3 || t[0] != '<' {
		return false
	}
	name := tagName(t)
	if name == "" {
		return false
	}
	if strings.Contains(htmlBlockNames, " "+name+" ") {
		return true
	}
	if paragraph {
		return false
	}
	end := tagEndHTML(t, 0)
	return end > 0 && strings.TrimSpace(t[end:]) == ""
}

// tagName is the name of the tag that s begins with, in lower case; empty: it begins with none.
func tagName(s string) string {
	i := 1
	if i < len(s) && s[i] == '/' {
		i++
	}
	j := i
	for j < len(s) && (isLetter(s[j]) || j > i && (s[j] >= '0' && s[j] <= '9' || s[j] == '-')) {
		j++
	}
	if j == i || j < len(s) && strings.IndexByte(" \t\r\n/>", s[j]) < 0 {
		return ""
	}
	return strings.ToLower(s[i:j])
}

// tagEndHTML returns the end of the HTML tag that begins at i, over template tags in it; 0: there is none.
func tagEndHTML(s string, i int) int {
	quote := byte(0)
	for j, most := i+1, min(len(s), i+maxTagBytes); j < most; j++ {
		switch c := s[j]; {
		case c == '{' && j+1 < most && (s[j+1] == '{' || s[j+1] == '%'):
			closer := map[byte]string{'{': "}}", '%': "%}"}[s[j+1]]
			if e := strings.Index(s[j+2:most], closer); e >= 0 {
				j += e + 3
			}
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return j + 1
		case c == '<' || c == '\n' && j+1 < most && s[j+1] == '\n':
			return 0
		}
	}
	return 0
}

// preformatted returns what ends the preformatted text that a line of an HTML block opens; empty: it opens none.
func preformatted(s string) string {
	low := strings.ToLower(s)
	for _, n := range [...]string{"pre", "script", "style", "textarea"} {
		i := strings.LastIndex(low, "<"+n)
		if i < 0 || tagName(low[i:]) != n || strings.Contains(low[i:], "</"+n) {
			continue
		}
		return "</" + n
	}
	return ""
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
