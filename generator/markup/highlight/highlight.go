// Package highlight colours code: it turns it into escaped text in which tokens stand in spans with short classes.
//
// The tokens are chroma's, to the letter; only the way to them and the writing are our own, because most of the cost of a
// Markdown body is its code. Unknown languages, code beyond a bound, and code on which a lexer fails stay plain:
// highlighting never fails.
package highlight

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// maxCode is the longest code, in bytes, that is highlighted.
const maxCode = 200 << 10

// A Highlighter highlights code. It may be used by many goroutines at once.
type Highlighter struct{}

// New returns a Highlighter.
func New() *Highlighter { return &Highlighter{} }

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

// Append appends code as HTML to dst.
func (h *Highlighter) Append(dst []byte, lang string, code []byte) []byte {
	lexer := lexers.Get(lang)
	if lexer == nil || len(code) > maxCode {
		return appendEscaped(dst, string(code))
	}
	start := len(dst)
	out, ok := appendTokens(dst, lexer, string(code))
	if !ok {
		return appendEscaped(dst[:start], string(code))
	}
	return out
}

func appendTokens(dst []byte, lexer chroma.Lexer, code string) (out []byte, ok bool) {
	defer func() {
		if recover() != nil { // a lexer's own mistake
			out, ok = dst, false
		}
	}()
	it, err := lexer.Tokenise(nil, code)
	if err != nil {
		return dst, false
	}
	out = dst
	last := ""
	for t := it(); t != chroma.EOF; t = it() {
		if t.Value == "" {
			continue
		}
		class := classTable.class(t.Type)
		if class != last {
			if last != "" {
				out = append(out, "</span>"...)
			}
			if class != "" {
				out = append(out, `<span class="`...)
				out = append(out, class...)
				out = append(out, `">`...)
			}
			last = class
		}
		out = appendEscaped(out, t.Value)
	}
	if last != "" {
		out = append(out, "</span>"...)
	}
	return out, true
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
