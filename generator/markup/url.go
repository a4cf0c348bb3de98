package markup

import (
	"strings"
	"unicode/utf8"
)

type urlClass uint8

const (
	urlRefused  urlClass = iota // a scheme that is not allowed
	urlEmpty                    // nothing there
	urlAbsolute                 // http, https, mailto, tel, or //host
	urlFragment                 // # and an id of the same page
	urlRelative                 // depends on the site
)

// cleanURL is an address as it may stand in an attribute, and its kind. It reads addresses as browsers do (blanks
// around them and tabs and newlines within do not count) and percent-encodes what does not belong into one, so that
// no spelling of a scheme slips through. cleanURL(cleanURL(s)) is the same.
func cleanURL(raw string) (string, urlClass) {
	s := raw
	if !plainURL(s) {
		s = encodeURL(s)
	}
	if s == "" {
		return "", urlEmpty
	}
	if s[0] == '#' {
		return s, urlFragment
	}
	if strings.HasPrefix(s, "//") {
		if len(strings.Trim(s, "/")) == 0 {
			return "", urlEmpty
		}
		return s, urlAbsolute
	}
	i := strings.IndexAny(s, ":/?#")
	if i < 0 || s[i] != ':' {
		return s, urlRelative
	}
	scheme := strings.ToLower(s[:i])
	switch scheme {
	case "http", "https":
		rest := strings.TrimLeft(s[i+1:], "/")
		if rest == "" {
			return "", urlEmpty
		}
		return scheme + "://" + rest, urlAbsolute
	case "mailto", "tel":
		return scheme + s[i:], urlAbsolute
	}
	if !isScheme(scheme) {
		return "./" + s, urlRelative // a colon in a file's name
	}
	return "", urlRefused
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// urlSafe says which bytes stand in a URL as they are; '%' is looked at apart.
var urlSafe = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = !strings.ContainsRune("\"%<>\\^`{|}", c)
	}
	return t
}()

func plainURL(s string) bool {
	for i := 0; i < len(s); i++ {
		if !urlSafe[s[i]] {
			return false
		}
	}
	return true
}

func encodeURL(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 || r == 0x3000 || r == 0xfeff })
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case urlSafe[c]:
			b.WriteByte(c)
			i++
		case c == '%':
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				b.WriteByte('%')
			} else {
				b.WriteString("%25")
			}
			i++
		case c < ' ' || c == 0x7f:
			i++ // as browsers do with tabs and newlines; no control character belongs into an address
		case c < 0x80:
			percent(&b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && n == 1, r < 0xa0:
			case urlLetter(r):
				b.WriteString(s[i : i+n])
			default:
				for j := range n {
					percent(&b, s[i+j])
				}
			}
			i += n
		}
	}
	return b.String()
}

// urlLetter reports whether a character beyond ASCII stays as it is: blanks, direction marks and others that cannot
// be seen do not.
func urlLetter(r rune) bool {
	switch {
	case r <= 0xa0, r == 0x1680, r == 0xad:
		return false
	case 0x2000 <= r && r <= 0x200f && r != 0x200c && r != 0x200d, 0x2028 <= r && r <= 0x202f, 0x205f <= r && r <= 0x206f:
		return false
	case r == 0x3000, r == 0xfeff, r == 0xfffd, 0xe000 <= r && r <= 0xf8ff, 0xfff0 <= r && r <= 0xffff, r >= 0xe0000:
		return false
	}
	return true
}

func percent(b *strings.Builder, c byte) {
	const hex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
