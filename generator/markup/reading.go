package markup

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"freshet/internal/site"
)

// Reading speeds.
const (
	wordsPerMinute      = 200
	ideographsPerMinute = 400
)

// A reading counts what there is to read in HTML that a writer wrote. A word begins with a letter or a digit. Code is not read.
type reading struct {
	format            site.Format
	words, ideographs int
	inWord            bool
}

// minutes is the reading time, rounded up; 0 when there is nothing to read.
func (r *reading) minutes() int {
	const perWord = ideographsPerMinute / wordsPerMinute
	return (r.words*perWord + r.ideographs + ideographsPerMinute - 1) / ideographsPerMinute
}

// html counts HTML.
func (r *reading) html(h []byte) {
	r.inWord = false
	for len(h) > 0 {
		i := bytes.IndexByte(h, '<')
		if i < 0 {
			r.text(h)
			return
		}
		r.text(h[:i])
		end := bytes.IndexByte(h[i:], '>') // attributes hold no '>'
		if end < 0 {
			return
		}
		tag := h[i+1 : i+end]
		h = h[i+end+1:]
		name := tag
		if j := bytes.IndexByte(tag, ' '); j >= 0 {
			name = tag[:j]
		}
		switch string(name) {
		case "code":
			if r.isMarkdown() { // in stored HTML it often marks names that are part of a sentence
				h = behind(h, "</code>")
			}
		case "pre":
			h = behind(h, "</pre>")
			r.inWord = false
		case "p":
			r.inWord = false
			if bytes.Contains(tag, []byte(` class="`+alertTitle+`"`)) { // a word, whatever its language
				h = behind(h, "</p>")
				r.words++
			}
		case "img":
			if r.isMarkdown() {
				if _, alt, ok := bytes.Cut(tag, []byte(` alt="`)); ok {
					alt, _, _ = bytes.Cut(alt, []byte{'"'})
					r.text(alt)
				}
			}
		default:
			if name = bytes.TrimPrefix(name, []byte{'/'}); !inlines[string(name)] || string(name) == "br" {
				r.inWord = false
			}
		}
	}
}

func (r *reading) isMarkdown() bool { return r.format == site.Markdown || r.format == "" }

// behind is what follows the next mark in HTML.
func behind(h []byte, mark string) []byte {
	i := bytes.Index(h, []byte(mark))
	if i < 0 {
		return nil
	}
	return h[i+len(mark):]
}

// Classes of bytes, for counting words in one pass.
const (
	byteOther = iota // punctuation: neither begins nor ends a word
	byteBlank        // ends a word
	byteWord         // letters and digits
	byteRef          // begins a character reference
	byteWide         // part of a character beyond ASCII
)

var byteClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = byteWide
		case c == ' ' || c == '\n' || c == '\t':
			t[c] = byteBlank
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			t[c] = byteWord
		case c == '&':
			t[c] = byteRef
		}
	}
	return t
}()

// text counts text between two tags.
func (r *reading) text(s []byte) {
	in, words := r.inWord, r.words
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
		case byteRef:
			i += max(1, bytes.IndexByte(s[i:], ';')+1)
		case byteWide:
			c, n := utf8.DecodeRune(s[i:])
			i += n
			switch {
			case ideographic(c):
				r.ideographs++
				in = false
			case unicode.IsSpace(c):
				in = false
			case !in && (unicode.IsLetter(c) || unicode.IsDigit(c)):
				in = true
				words++
			}
		default:
			i++
		}
	}
	r.inWord, r.words = in, words
}
