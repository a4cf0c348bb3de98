package site

import (
	"encoding/json"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Characters is a line of text with HTML's character references resolved: "Tom &amp; Jerry" is "Tom & Jerry". Editors store titles
// and excerpts so. A line with code in it stays as it is, for it may be about references.
func Characters(s string) string {
	if strings.IndexByte(s, '&') < 0 || strings.IndexByte(s, ';') < 0 || strings.IndexByte(s, '`') >= 0 {
		return s
	}
	return html.UnescapeString(s)
}

// ExcerptRunes is about how long an excerpt made from a body is, in characters.
const ExcerptRunes = 220

// Reading speeds behind [Minutes].
const (
	wordsPerMinute      = 200
	ideographsPerMinute = 400
)

// MoreMark is the HTML comment with which an author ends the excerpt.
const MoreMark = "<!--more-->"

// Excerpt returns the beginning of a body as plain text: what stands before MoreMark, else the first real paragraph,
// cut at a word to about [ExcerptRunes] characters. It is empty when the body has no text.
func Excerpt(f Format, text string) string {
	if f == Markdown || f == HTML {
		if before, ok := beforeMore(text); ok {
			var parts []string
			for _, b := range blocks(f, before) {
				if b.kind == blockParagraph || b.kind == blockItem || b.kind == blockQuote {
					if s := b.plain(); s != "" {
						parts = append(parts, s)
					}
				}
			}
			if len(parts) > 0 {
				return CutText(strings.Join(parts, " "), 3*ExcerptRunes)
			}
		}
	}
	if f == Markdown {
		text = afterTitle(text)
	}
	// A greeting, a row of links or a line that only introduces a list is taken when nothing better follows soon.
	weak, tried := "", 0
	for b := range eachBlock(f, text) {
		if b.kind != blockParagraph && b.kind != blockItem && b.kind != blockQuote {
			continue
		}
		b.text = b.text[:runeStart(b.text, 8*ExcerptRunes)]
		s := b.plain()
		if !hasWords(s) {
			continue
		}
		if b.kind == blockParagraph && !b.mostlyLinks() && !looksLikeLeadIn(s) && width(s) > greetingWidth {
			return CutText(s, ExcerptRunes)
		}
		if weak == "" || b.kind == blockParagraph && tried == 0 {
			weak = s
		}
		if b.kind == blockParagraph {
			tried++
		}
		if tried == 5 {
			break
		}
	}
	return CutText(weak, ExcerptRunes)
}

// runeStart is n, or the start of the character there, or the end of s.
func runeStart(s string, n int) int {
	if n >= len(s) {
		return len(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// greetingWidth is the length up to which a paragraph is taken for a greeting: "Hello, Rustaceans!"
const greetingWidth = 60

// width is the number of characters, ideographs counting twice: they say about as much as two letters.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if ideographic(r) {
			n++
		}
	}
	return n
}

// afterTitle is what follows the first heading of the first level when it stands near the top; what is before it is
// badges and notices.
func afterTitle(text string) string {
	var f fence
	rest := text
	for range 80 {
		line, more, ok := strings.Cut(rest, "\n")
		if !f.line(line) && strings.HasPrefix(line, "# ") && ok {
			return more
		}
		if !ok {
			break
		}
		rest = more
	}
	return text
}

// CutText returns s cut to at most about n characters, ideographs counting twice, at the end of a word where the
// script has blanks, with "…" when something was cut off. Runs of white space become one blank.
func CutText(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n || width(s) <= n {
		return s
	}
	cut, runes := 0, 0
	for i, r := range s {
		if runes >= n && !unicode.IsMark(r) && r != '\u200d' && r != '\u200c' {
			before, _ := utf8.DecodeLastRuneInString(s[:i])
			if before != '\u200d' && !(unicode.IsMark(before) && unicode.Is(unicode.Diacritic, before)) { // not within a conjunct
				cut = i
				break
			}
		}
		runes++
		if ideographic(r) {
			runes++
		}
	}
	if cut == 0 {
		return s
	}
	if s[cut] != ' ' {
		if i := strings.LastIndexByte(s[:cut], ' '); i > cut*2/3 {
			cut = i
		}
	}
	return strings.TrimRightFunc(s[:cut], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:–—-(", r) }) + "…"
}

// PlainText returns the words of a body without markup, one block a line, code blocks left out.
func PlainText(f Format, text string) string {
	var out strings.Builder
	for b := range eachBlock(f, text) {
		if b.kind == blockCode || b.kind == blockNone {
			continue
		}
		if s := b.plain(); s != "" {
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(s)
		}
	}
	return out.String()
}

// PlainInline returns the words of one piece of inline Markdown, such as a heading.
func PlainInline(s string) string { return collapse(stripInline(s, true)) }

// Minutes returns the reading time of a body: 200 words or 400 ideographs a minute, rounded up; 0 when there are no
// words. Code is not counted.
func Minutes(f Format, text string) int {
	var c wordCount
	if f == Markdown {
		c.markdown(text)
	} else {
		for b := range eachBlock(f, text) {
			if b.kind != blockCode {
				c.text(b.text)
				c.end()
			}
		}
	}
	return c.minutes()
}

type wordCount struct {
	words, ideographs int
	in                bool
}

func (c *wordCount) end() { c.in = false }

func (c *wordCount) minutes() int {
	if c.words+c.ideographs == 0 {
		return 0
	}
	const perUnit = ideographsPerMinute / wordsPerMinute
	units := c.words*perUnit + c.ideographs // in 1/ideographsPerMinute of a minute
	return (units + ideographsPerMinute - 1) / ideographsPerMinute
}

// Classes of bytes, for counting words in one pass.
const (
	byteOther   = iota // punctuation: neither begins nor ends a word
	byteBlank          // ends a word
	byteWord           // letters and digits
	byteSpecial        // may begin markup
	byteWide           // part of a character beyond ASCII
)

var byteClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = byteWide
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			t[c] = byteBlank
		case isLetter(byte(c)) || c >= '0' && c <= '9':
			t[c] = byteWord
		case c == '`' || c == '<' || c == ']':
			t[c] = byteSpecial
		}
	}
	return t
}()

// text counts plain text.
func (c *wordCount) text(s string) { c.count(s, false) }

// inline counts Markdown text, without code, link targets and tags.
func (c *wordCount) inline(s string) { c.count(s, true) }

func (c *wordCount) count(s string, markup bool) {
	in, words := c.in, c.words
	for i := 0; i < len(s); {
		switch byteClass[s[i]] {
		case byteBlank:
			in = false
			i++
		case byteWord:
			if !in {
				in = true
				words++
			}
			i++
		case byteSpecial:
			if markup {
				i += max(1, markupLen(s[i:]))
			} else {
				i++
			}
		case byteWide:
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			switch {
			case ideographic(r):
				c.ideographs++
				in = false
			case unicode.IsSpace(r):
				in = false
			case !in && (unicode.IsLetter(r) || unicode.IsDigit(r)):
				in = true
				words++
			}
		default:
			i++
		}
	}
	c.in, c.words = in, words
}

// markupLen returns the length of the code span, tag or link target that s begins with; 0: none.
func markupLen(s string) int {
	switch s[0] {
	case '`':
		n := runLen(s, '`')
		if j := codeSpanEnd(s[n:], n); j >= 0 {
			return n + j
		}
		return n
	case '<':
		return tagLen(s)
	case ']':
		if len(s) > 1 && s[1] == '(' {
			if n := targetLen(s[1:]); n > 0 {
				return 1 + n
			}
		}
	}
	return 0
}

// markdown counts what is outside code, link targets and tags in one pass.
func (c *wordCount) markdown(s string) {
	var f fence
	blank, list := true, false
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		if f.line(line) {
			blank = false
			continue
		}
		trimmed := strings.TrimLeft(line, " \t")
		if strings.TrimRight(trimmed, "\r") == "" {
			blank = true
			continue
		}
		if blank && !list && (len(line)-len(trimmed) >= 4 || line[0] == '\t') {
			continue // indented code goes on until text begins at the margin
		}
		if n := markerLen(trimmed); n > 0 {
			list = true
		} else if len(trimmed) == len(line) && blank {
			list = false
		}
		blank = false
		if isRefDef(trimmed) {
			continue
		}
		c.inline(line)
		c.in = false
	}
}

func ideographic(r rune) bool {
	return r >= 0x2e80 && r < 0x40000 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

func hasWords(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if letters++; letters >= 3 || ideographic(r) {
				return true
			}
		}
	}
	return false
}

// looksLikeLeadIn reports a short line that only introduces what follows, such as "In this lesson, we'll cover:".
func looksLikeLeadIn(s string) bool {
	return utf8.RuneCountInString(s) < 80 && (strings.HasSuffix(s, ":") || strings.HasSuffix(s, "："))
}

func beforeMore(text string) (string, bool) {
	i := strings.Index(text, "<!--")
	for i >= 0 {
		rest := text[i+4:]
		end := strings.Index(rest[:min(len(rest), 40)], "-->") // none but a short comment is the mark
		if end >= 0 && strings.EqualFold(strings.TrimSpace(rest[:end]), "more") {
			return text[:i], true
		}
		j := strings.Index(rest, "<!--")
		if j < 0 {
			break
		}
		i += 4 + j
	}
	return "", false
}

type blockKind uint8

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

// Inline markup is looked for within bounds, so that text made to have much of it open takes no more than linear time.
const (
	maxCodeSpan = 16 << 10
	maxLink     = 4 << 10
	maxTag      = 4 << 10
	maxNested   = 32
)

// codeSpanEnd returns where a code span opened by n backticks ends, its closing backticks included; -1: nowhere.
func codeSpanEnd(s string, n int) int {
	s = s[:min(len(s), maxCodeSpan)]
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '`')
		if j < 0 {
			return -1
		}
		i += j
		m := runLen(s[i:], '`')
		i += m
		if m == n {
			return i
		}
	}
	return -1
}

// tagLen returns the length of the HTML tag or comment that s begins with; 0: none.
func tagLen(s string) int {
	if strings.HasPrefix(s, "<!--") {
		if i := strings.Index(s[:min(len(s), maxCodeSpan)], "-->"); i >= 0 {
			return i + 3
		}
		return 0
	}
	if len(s) < 3 || s[1] != '/' && s[1] != '!' && !isLetter(s[1]) || s[1] == '/' && !isLetter(s[2]) {
		return 0
	}
	s = s[:min(len(s), maxTag)]
	quote := byte(0)
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if s[i-1] == '=' {
				quote = c
			}
		case c == '>':
			return i + 1
		case c == '<':
			return 0
		}
	}
	return 0
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// targetLen returns the length of the link target "(…)" that s begins with; 0: none.
func targetLen(s string) int {
	s = s[:min(len(s), maxLink)]
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			if depth++; depth > maxNested {
				return 0
			}
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\n':
			if i+1 < len(s) && s[i+1] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// bracketEnd returns the length of the bracketed text that s begins with; 0: none.
func bracketEnd(s string) int {
	s = s[:min(len(s), maxLink)]
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '`':
			n := runLen(s[i:], '`')
			if j := codeSpanEnd(s[i+n:], n); j >= 0 {
				i += n + j - 1
			} else {
				i += n - 1
			}
		case '[':
			if depth++; depth > maxNested {
				return 0
			}
		case ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stripInline drops inline markup. Pictures vanish unless keepAlt, which leaves their alternative text.
func stripInline(s string, keepAlt bool) string {
	if !strings.ContainsAny(s, "\\`*_~[]<>&!{") {
		return s
	}
	var out strings.Builder
	strip(&out, s, keepAlt, 0)
	return out.String()
}

const maxInlineDepth = 20

func strip(out *strings.Builder, s string, keepAlt bool, depth int) {
	marks := emphasisMarks(s)
	for i := 0; i < len(s); {
		c := s[i]
		switch c {
		case '\\':
			if i+1 < len(s) && s[i+1] < utf8.RuneSelf && unicode.IsPunct(rune(s[i+1])) || i+1 < len(s) && strings.IndexByte("`$+<=>^|~", s[i+1]) >= 0 {
				out.WriteByte(s[i+1])
				i += 2
				continue
			}
		case '`':
			n := runLen(s[i:], '`')
			if j := codeSpanEnd(s[i+n:], n); j >= 0 {
				out.WriteString(strings.TrimSpace(s[i+n : i+j]))
				i += n + j
				continue
			}
			out.WriteString(s[i : i+n])
			i += n
			continue
		case '*', '_', '~':
			n := runLen(s[i:], c)
			out.WriteString(s[i : i+max(n-marks[i], 0)])
			i += n
			continue
		case '{':
			if i+1 < len(s) && (s[i+1] == '#' || s[i+1] == '.') {
				if k := strings.IndexByte(s[i:min(len(s), i+256)], '}'); k > 0 && !strings.ContainsAny(s[i:i+k], " \n") {
					i += k + 1
					continue
				}
			}
		case '!', '[':
			j, picture := i, c == '!'
			if picture {
				if j++; j >= len(s) || s[j] != '[' {
					break
				}
			}
			end := bracketEnd(s[j:])
			if end == 0 || depth > maxInlineDepth {
				break
			}
			inner := s[j+1 : j+end-1]
			next := j + end
			isLink := false
			if next < len(s) && s[next] == '(' {
				if n := targetLen(s[next:]); n > 0 {
					next += n
					isLink = true
					if next < len(s) && s[next] == '{' { // attributes of a picture
						if k := strings.IndexByte(s[next:min(len(s), next+1024)], '}'); k > 0 && picture {
							next += k + 1
						}
					}
				}
			} else if next < len(s) && s[next] == '[' {
				if n := bracketEnd(s[next:]); n > 0 {
					next += n
					isLink = true
				}
			}
			switch {
			case strings.HasPrefix(inner, "^") && !isLink && !strings.ContainsAny(inner, " \n"): // footnote
			case picture:
				if keepAlt {
					strip(out, inner, keepAlt, depth+1)
				}
			default:
				if !isLink && (len(inner) <= 1 || inner == "x") {
					out.WriteString(s[j:next])
				} else {
					strip(out, inner, keepAlt, depth+1)
				}
			}
			i = next
			continue
		case '<':
			if n := autolinkLen(s[i:]); n > 0 {
				out.WriteString(strings.TrimPrefix(s[i+1:i+n-1], "mailto:"))
				i += n
				continue
			}
			if n := tagLen(s[i:]); n > 0 {
				low := strings.ToLower(s[i:min(len(s), i+4)])
				if strings.HasPrefix(low, "<br") || strings.HasPrefix(low, "<p") || strings.HasPrefix(low, "</p") || strings.HasPrefix(low, "<li") {
					out.WriteByte(' ')
				}
				i += n
				if name := rawElement(s[i-n:]); name == "script" || name == "style" { // its text is none
					if k := indexEndTag(s[i:], name); k >= 0 {
						i += k
					} else {
						i = len(s)
					}
				}
				continue
			}
		case '&':
			if k := strings.IndexByte(s[i:min(len(s), i+32)], ';'); k > 1 {
				if u := html.UnescapeString(s[i : i+k+1]); u != s[i:i+k+1] {
					out.WriteString(u)
					i += k + 1
					continue
				}
			}
		}
		out.WriteByte(c)
		i++
	}
}

// emphasisMarks finds the runs of '*', '_' and '~' that are marks of emphasis: how many of each run are, by where it begins. It pairs
// them as Markdown does, so that an underscore that begins and ends nothing stays text.
func emphasisMarks(s string) map[int]int {
	if !strings.ContainsAny(s, "*_~") {
		return nil
	}
	const maxOpen = 64 // runs that wait for their end; older ones end nothing any more
	type run struct {
		at, left int
		char     byte
	}
	marks := map[int]int{}
	var open []run
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '\\':
			i += 2
			continue
		case '`', '<', ']':
			i += max(1, markupLen(s[i:]))
			continue
		case '*', '_', '~':
			n := runLen(s[i:], c)
			canOpen, canClose := flanking(s, i, n)
			left := n
			for k := len(open) - 1; canClose && left > 0 && k >= 0; k-- {
				o := &open[k]
				if o.char != c || c == '~' && o.left != left {
					continue
				}
				both := min(o.left, left)
				marks[o.at] += both
				marks[i] += both
				o.left -= both
				left -= both
				open = open[:k+1]
				if o.left == 0 {
					open = open[:k]
				}
			}
			if canOpen && left > 0 && !(c == '~' && n > 2) {
				if len(open) == maxOpen {
					open = open[1:]
				}
				open = append(open, run{i, left, c})
			}
			i += n
			continue
		}
		i++
	}
	return marks
}

// flanking reports whether a run of marks at s[i:i+n] can begin and end emphasis.
func flanking(s string, i, n int) (canOpen, canClose bool) {
	before, after := ' ', ' '
	if i > 0 {
		before, _ = utf8.DecodeLastRuneInString(s[:i])
	}
	if i+n < len(s) {
		after, _ = utf8.DecodeRuneInString(s[i+n:])
	}
	punct := func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
	narrow := func(r rune) bool { return punct(r) && !wide(r) }
	left := !unicode.IsSpace(after) && (!narrow(after) || unicode.IsSpace(before) || narrow(before) || wide(before))
	right := !unicode.IsSpace(before) && (!narrow(before) || unicode.IsSpace(after) || narrow(after) || wide(after))
	if s[i] == '_' {
		return left && (!right || punct(before)), right && (!left || punct(after))
	}
	return left, right
}

func autolinkLen(s string) int {
	if len(s) < 5 || !isLetter(s[1]) && (s[1] < '0' || s[1] > '9') {
		return 0
	}
	i := 1 + strings.IndexAny(s[1:min(len(s), 2048)], "<> \n")
	if i < 4 || s[i] != '>' {
		return 0
	}
	u := s[1:i]
	if strings.Contains(u, "://") || strings.HasPrefix(u, "mailto:") || strings.Contains(u, "@") && !strings.ContainsAny(u, "\"'=/") {
		return i + 1
	}
	return 0
}

func collapse(s string) string {
	s = strings.TrimSpace(s)
	if !strings.ContainsAny(s, "\n\t\r\u00a0\u200b") && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\u200b", "")), " ")
}

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
