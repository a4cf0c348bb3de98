// Package highlight colours code: it turns it into escaped text in which tokens stand in spans with short classes.
//
// The tokens are chroma's, to the letter; only the way to them and the writing are our own, because most of the cost of a
// Markdown body is its code. Unknown languages, code beyond a bound, and code on which a lexer fails stay plain:
// highlighting never fails.
package highlight

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/chroma/v2"
)

// maxCode is the longest code, in bytes, that is highlighted.
const maxCode = 200 << 10

// maxForeign is the longest code that chroma itself highlights.
const maxForeign = 20 << 10

// A Highlighter highlights code. It may be used by many goroutines at once.
type Highlighter struct{ lexers lexerSet }

// New returns a Highlighter.
func New() *Highlighter { return &Highlighter{lexers: lexerSet{byName: map[string]*lexer{}}} }

// Language is the name of the language in the info of a code block: "go", also of "go {linenos=table}",
// "Rust,ignore" and "{.python}". It holds nothing that would need escaping; empty: none is named.
func Language(info string) string {
	s := strings.TrimLeft(strings.TrimSpace(info), "{.")
	end := 0
	for end < len(s) {
		c := s[end]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '#' || c == '-' || c == '_' ||
			c == '.' {
			end++
			continue
		}
		break
	}
	if end > 40 {
		return ""
	}
	return strings.ToLower(strings.TrimRight(s[:end], "."))
}

// Append appends code as HTML to dst. The code stays plain once stop returns true; nil never does.
func (h *Highlighter) Append(dst []byte, lang string, code []byte, stop func() bool) []byte {
	if len(code) > maxCode {
		return appendEscaped(dst, string(code))
	}
	l := h.lexers.get(lang)
	if l == nil {
		return appendEscaped(dst, string(code))
	}
	text := string(code)
	w := writer{dst: dst, left: utf8.RuneCountInString(text)}
	if err := w.tokens(l, text, stop); err != nil {
		return appendEscaped(dst, text)
	}
	return w.end()
}

// A writer writes tokens as HTML.
type writer struct {
	dst  []byte
	open string // class of the open span; empty: none is open
	left int    // characters of the code that are to come
}

// tokens writes the tokens of code: by our own run of the lexer's rules, or where that cannot be by chroma's.
func (w *writer) tokens(l *lexer, code string, stop func() bool) (err error) {
	defer func() {
		if p := recover(); p != nil { // a lexer's own mistake
			err = fmt.Errorf("tokenise: %v", p)
		}
	}()
	r := &run{emit: w.token, work: maxWork, stop: stop}
	if l.compile() == nil {
		return r.tokenise(l, code)
	}
	if len(code) > maxForeign {
		return errTooMuch
	}
	return r.chroma(l, nil, code)
}

// token writes a token. A line break that the lexer added at the end is left out.
func (w *writer) token(t chroma.TokenType, text []rune) {
	if len(text) > w.left {
		text = text[:w.left]
	}
	if len(text) == 0 {
		return
	}
	w.left -= len(text)
	if class := classTable.class(t); class != w.open {
		w.close()
		if class != "" {
			w.dst = append(w.dst, `<span class="`...)
			w.dst = append(w.dst, class...)
			w.dst = append(w.dst, `">`...)
		}
		w.open = class
	}
	for _, ch := range text {
		switch {
		case ch >= utf8.RuneSelf:
			w.dst = utf8.AppendRune(w.dst, ch)
		case ch == '<':
			w.dst = append(w.dst, "&lt;"...)
		case ch == '>':
			w.dst = append(w.dst, "&gt;"...)
		case ch == '&':
			w.dst = append(w.dst, "&amp;"...)
		default:
			w.dst = append(w.dst, byte(ch))
		}
	}
}

func (w *writer) close() {
	if w.open != "" {
		w.dst = append(w.dst, "</span>"...)
		w.open = ""
	}
}

func (w *writer) end() []byte {
	w.close()
	return w.dst
}

// appendEscaped appends text with '<', '>' and '&' escaped.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		var esc string
		switch s[i] {
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '&':
			esc = "&amp;"
		default:
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, esc...)
		start = i + 1
	}
	return append(dst, s[start:]...)
}
