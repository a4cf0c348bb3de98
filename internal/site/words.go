package site

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

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
