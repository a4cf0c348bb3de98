package markup

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inline are the elements that do not end a sentence.
var inline = map[string]bool{
	"a": true, "abbr": true, "b": true, "bdi": true, "bdo": true, "cite": true, "code": true, "del": true, "dfn": true, "em": true, "i": true,
	"img": true, "ins": true, "kbd": true, "mark": true, "q": true, "s": true, "samp": true, "small": true, "span": true, "strong": true,
	"sub": true, "sup": true, "time": true, "u": true, "var": true, "wbr": true,
}

// Sentences yields the sentences of safe HTML as plain text: what ends with a full stop, a question mark or the like, a
// block's end, or a line's end in preformatted text.
func Sentences(h []byte, yield func(string)) {
	var text []byte
	end := func() {
		if s := strings.Join(strings.Fields(html.UnescapeString(string(text))), " "); s != "" {
			yield(s)
		}
		text = text[:0]
	}
	pre := 0
	for len(h) > 0 {
		if h[0] == '<' {
			close := bytes.IndexByte(h, '>')
			if close < 0 {
				break
			}
			name, closing := tagName(h[1:close])
			if name == "pre" && !closing {
				pre++
			} else if name == "pre" {
				pre--
			}
			if !inline[name] {
				end()
			}
			h = h[close+1:]
			continue
		}
		r, n := utf8.DecodeRune(h)
		next, _ := utf8.DecodeRune(h[n:])
		text = append(text, h[:n]...)
		h = h[n:]
		switch r {
		case '.', '!', '?', '…':
			if unicode.IsSpace(next) {
				end()
			}
		case '。', '！', '？', '।', '؟':
			end()
		case '\n':
			if pre > 0 {
				end()
			}
		}
	}
	end()
}

func tagName(tag []byte) (name string, closing bool) {
	if len(tag) > 0 && tag[0] == '/' {
		tag, closing = tag[1:], true
	}
	if i := bytes.IndexAny(tag, " \t\n/"); i >= 0 {
		tag = tag[:i]
	}
	return string(tag), closing
}
