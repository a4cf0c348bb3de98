package site

import (
	"strings"
	"unicode/utf8"
)

const (
	blockNone blockKind = iota
	blockParagraph
	blockHeading
	blockItem
	blockQuote
	blockTable
	blockCode
)

// A block is a piece of a body: raw text of one kind. Text that is already plain is marked so.
type block struct {
	kind  blockKind
	text  string
	ready bool // text is plain
}

func (b block) plain() string {
	if b.ready {
		return collapse(b.text)
	}
	s := collapse(stripInline(b.text, false))
	if b.kind == blockParagraph && strings.Contains(b.text, "\n") {
		return joinIdeographs(s)
	}
	return s
}

// joinIdeographs drops the blanks that line ends leave within Chinese and Japanese text.
func joinIdeographs(s string) string {
	if !strings.ContainsFunc(s, wide) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == ' ' {
			before, _ := utf8.DecodeLastRuneInString(s[:i])
			after, _ := utf8.DecodeRuneInString(s[i+1:])
			if wide(before) && wide(after) {
				continue
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wide reports ideographs and their punctuation.
func wide(r rune) bool {
	return ideographic(r) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef
}

// mostlyLinks reports a paragraph that is little but links, such as a row of badges, languages or contributors.
func (b block) mostlyLinks() bool {
	if b.ready || strings.Count(b.text, "](") < 1 {
		return false
	}
	return len(dropLinks(b.text)) < 6*len(stripInline(b.text, false))/10
}

func dropLinks(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '[' {
			if end := bracketEnd(s[i:]); end > 0 && i+end < len(s) && s[i+end] == '(' {
				if n := targetLen(s[i+end:]); n > 0 {
					i += end + n
					continue
				}
			}
		}
		out.WriteByte(s[i])
		i++
	}
	return stripInline(out.String(), false)
}

func blocks(f Format, text string) []block {
	var out []block
	for b := range eachBlock(f, text) {
		out = append(out, b)
	}
	return out
}

func eachBlock(f Format, text string) func(yield func(block) bool) {
	switch f {
	case HTML:
		return func(yield func(block) bool) { htmlBlocks(text, yield) }
	case TipTap:
		return func(yield func(block) bool) { tiptapBlocks(text, yield) }
	}
	return func(yield func(block) bool) { markdownBlocks(text, yield) }
}

// markdownBlocks gives the blocks of a Markdown text. It need not be exact: it serves excerpts and word counts.
func markdownBlocks(text string, yield func(block) bool) {
	var (
		para    []string
		kind    = blockNone
		f       fence
		comment bool
		raw     string // an HTML element whose content is not text, while inside
	)
	flush := func() bool {
		if len(para) == 0 {
			return true
		}
		b := block{kind: kind, text: strings.Join(para, "\n")}
		para, kind = para[:0], blockNone
		return yield(b)
	}
	blank, list := true, false
	for len(text) > 0 {
		line := text
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		line = strings.TrimRight(line, "\r")
		if !comment && raw == "" && f.line(line) {
			if !flush() {
				return
			}
			blank = false
			continue
		}
		if comment {
			i := strings.Index(line, "-->")
			if i < 0 {
				continue
			}
			comment, line = false, line[i+3:]
		}
		for {
			i := strings.Index(line, "<!--")
			if i < 0 || strings.Count(line[:i], "`")%2 == 1 {
				break
			}
			if j := strings.Index(line[i:], "-->"); j >= 0 {
				line = line[:i] + line[i+j+3:]
				continue
			}
			comment, line = true, line[:i]
			break
		}
		trimmed := strings.TrimLeft(line, " \t")
		if raw != "" {
			if strings.Contains(strings.ToLower(trimmed), "</"+raw) {
				raw = ""
			}
			continue
		}
		if strings.TrimSpace(trimmed) == "" {
			if !flush() {
				return
			}
			blank = true
			continue
		}
		if blank && !list && kind == blockNone && (len(line)-len(trimmed) >= 4 || line[0] == '\t') {
			continue // indented code
		}
		wasBlank := blank
		blank = false
		if name := rawElement(trimmed); name != "" {
			if !flush() {
				return
			}
			if !strings.Contains(strings.ToLower(trimmed), "</"+name) {
				raw = name
			}
			continue
		}
		if h := atxHeading(trimmed); h > 0 {
			if !flush() || !yield(block{kind: blockHeading, text: strings.TrimSpace(strings.TrimRight(strings.TrimSpace(trimmed[h:]), "#"))}) {
				return
			}
			continue
		}
		if u := setextUnderline(trimmed); u && len(para) > 0 && kind == blockParagraph {
			kind = blockHeading
			if !flush() {
				return
			}
			continue
		}
		if isRule(trimmed) || strings.HasPrefix(trimmed, ":::") {
			if !flush() {
				return
			}
			continue
		}
		if isRefDef(trimmed) && len(para) == 0 {
			continue
		}
		switch {
		case trimmed[0] == '>':
			if kind != blockQuote && !flush() {
				return
			}
			kind = blockQuote
			inner := strings.TrimSpace(strings.TrimLeft(trimmed, "> "))
			if strings.HasPrefix(inner, "[!") && strings.Contains(inner, "]") {
				_, inner, _ = strings.Cut(inner, "]")
				inner = strings.TrimLeft(inner, "+- ")
			}
			if inner != "" && atxHeading(inner) > 0 {
				continue
			}
			inner = inner[markerLen(inner):]
			para = append(para, inner)
		case markerLen(trimmed) > 0 && (wasBlank || kind != blockParagraph || trimmed[0] < '0' || trimmed[0] > '9'):
			if !flush() {
				return
			}
			kind, list = blockItem, true
			para = append(para, trimmed[markerLen(trimmed):])
		case trimmed[0] == '|' || kind == blockTable:
			if kind != blockTable && !flush() {
				return
			}
			kind = blockTable
			if strings.Trim(trimmed, "|-: \t") != "" {
				para = append(para, strings.ReplaceAll(trimmed, "|", " "))
			}
		default:
			if kind == blockNone {
				kind = blockParagraph
				if len(trimmed) == len(line) {
					list = false
				} else if list {
					kind = blockItem
				}
			}
			para = append(para, trimmed)
		}
	}
	flush()
}

// indexEndTag is where the end tag of an element begins in any letter case; -1: nowhere.
func indexEndTag(s, name string) int {
	for at := 0; ; {
		i := strings.Index(s[at:], "</")
		if i < 0 {
			return -1
		}
		at += i
		if rest := s[at+2:]; len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			return at
		}
		at += 2
	}
}

func rawElement(s string) string {
	if s[0] != '<' {
		return ""
	}
	low := strings.ToLower(s[:min(len(s), 12)])
	for _, n := range [...]string{"script", "style", "pre", "svg", "iframe", "figure", "table"} {
		if strings.HasPrefix(low[1:], n) && (len(low) == 1+len(n) || !isNameByte(low[1+len(n)])) {
			return n
		}
	}
	return ""
}

func isNameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == ':'
}

// atxHeading returns the length of a heading's marker, with its blank; 0: not a heading.
func atxHeading(s string) int {
	n := runLen(s, '#')
	if n == 0 || n > 6 || n < len(s) && s[n] != ' ' && s[n] != '\t' {
		return 0
	}
	return n
}

func setextUnderline(s string) bool {
	s = strings.TrimRight(s, " \t")
	return s != "" && (strings.Trim(s, "=") == "" || strings.Trim(s, "-") == "")
}

func isRule(s string) bool {
	c := s[0]
	if c != '-' && c != '*' && c != '_' {
		return false
	}
	n := 0
	for i := range len(s) {
		switch s[i] {
		case c:
			n++
		case ' ', '\t':
		default:
			return false
		}
	}
	return n >= 3
}

// isRefDef reports a link reference or footnote definition: "[x]: …".
func isRefDef(s string) bool {
	if s[0] != '[' {
		return false
	}
	i := strings.IndexByte(s, ']')
	return i > 1 && i+1 < len(s) && s[i+1] == ':'
}

// markerLen returns the length of a list marker with its blanks; 0: none.
func markerLen(s string) int {
	n := 0
	switch {
	case s == "":
		return 0
	case s[0] == '-' || s[0] == '*' || s[0] == '+':
		n = 1
	default:
		for n < len(s) && n < 9 && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n == 0 || n == len(s) || s[n] != '.' && s[n] != ')' {
			return 0
		}
		n++
	}
	m := n
	for m < len(s) && (s[m] == ' ' || s[m] == '\t') {
		m++
	}
	if m == n && m < len(s) {
		return 0
	}
	return m
}

// A fence follows fenced code through the lines of a Markdown text.
type fence struct {
	char byte
	n    int
}

// line takes the next line and reports whether it belongs to fenced code, its fences included.
func (f *fence) line(s string) bool {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '>') {
		i++
	}
	s = s[i:]
	if f.n == 0 {
		if m := markerLen(s); m > 0 && m < len(s) {
			s = s[m:]
		}
	}
	if s == "" || s[0] != '`' && s[0] != '~' {
		return f.n > 0
	}
	n := runLen(s, s[0])
	if f.n == 0 {
		if n < 3 || s[0] == '`' && strings.IndexByte(s[n:], '`') >= 0 {
			return false
		}
		f.char, f.n = s[0], n
		return true
	}
	if s[0] == f.char && n >= f.n && strings.TrimSpace(s[n:]) == "" {
		f.n = 0
	}
	return true
}

func runLen(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}
