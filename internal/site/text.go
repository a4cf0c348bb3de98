package site

import (
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
