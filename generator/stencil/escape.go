package stencil

import (
	"fmt"
	"html/template"
	"reflect"
	"strconv"
	"strings"
)

// These are the names by which html/template puts its escapers at the ends of pipelines.
const escaperPrefix = "_html_template_"

func isEscaper(name string) bool { return strings.HasPrefix(name, escaperPrefix) }

// writer returns what appends a value of the type, escaped by the escapers one after another.
func writer(typ reflect.Type, escapers []string) func(dst []byte, v value) []byte {
	names := make([]string, len(escapers))
	for i, e := range escapers {
		names[i] = strings.TrimPrefix(e, escaperPrefix)
	}
	chain := strings.Join(names, " ")
	switch {
	case typ == reflect.TypeFor[template.HTML]() && chain == "htmlescaper",
		typ == reflect.TypeFor[template.JS]() && chain == "jsvalescaper":
		return func(dst []byte, v value) []byte { return append(dst, v.String()...) }
	case typ.PkgPath() == "html/template":
		panic(unsupported(fmt.Sprintf("a %v that is not written as what it is", typ)))
	case typ.Implements(reflect.TypeFor[fmt.Stringer]()), typ.Implements(reflect.TypeFor[error]()),
		reflect.PointerTo(typ).Implements(reflect.TypeFor[fmt.Stringer]()), reflect.PointerTo(typ).Implements(reflect.TypeFor[error]()):
		panic(unsupported(fmt.Sprintf("a %v that is written without a format", typ)))
	case isInt(typ):
		switch chain {
		case "htmlescaper", "attrescaper", "rcdataescaper":
			return func(dst []byte, v value) []byte {
				if n := v.Int(); n >= 0 {
					return strconv.AppendInt(dst, n, 10)
				}
				return appendText(dst, strconv.FormatInt(v.Int(), 10))
			}
		}
	case typ.Kind() == reflect.String:
		switch chain {
		case "htmlescaper", "attrescaper", "rcdataescaper":
			return func(dst []byte, v value) []byte { return appendText(dst, v.String()) }
		case "urlfilter urlnormalizer attrescaper":
			return func(dst []byte, v value) []byte {
				s := v.String()
				if !safeURL(s) {
					s = "#ZgotmplZ"
				}
				return appendURL(dst, s, true)
			}
		case "urlnormalizer attrescaper":
			return func(dst []byte, v value) []byte { return appendURL(dst, v.String(), true) }
		case "urlescaper attrescaper":
			return func(dst []byte, v value) []byte { return appendURL(dst, v.String(), false) }
		}
	}
	panic(unsupported(fmt.Sprintf("a %v in %s", typ, placeOf(chain))))
}

// placeOf says where a chain of escapers writes.
func placeOf(chain string) string {
	switch {
	case strings.Contains(chain, "nospaceescaper"):
		return "an attribute without quotes"
	case strings.Contains(chain, "js"):
		return "a script"
	case strings.Contains(chain, "css"):
		return "a style"
	case strings.Contains(chain, "srcset"):
		return "a srcset"
	case strings.Contains(chain, "url"):
		return "an address"
	}
	return "this place"
}

// entity is what stands for a byte in text and in quoted attributes; empty: itself.
var entity = [256]string{0: "\uFFFD", '"': "&#34;", '&': "&amp;", '\'': "&#39;", '+': "&#43;", '<': "&lt;", '>': "&gt;"}

func appendText(dst []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); i++ {
		if e := entity[s[i]]; e != "" {
			dst = append(append(dst, s[done:i]...), e...)
			done = i + 1
		}
	}
	return append(dst, s[done:]...)
}

// safeURL reports whether an address has no scheme, or one that cannot run anything.
func safeURL(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return !ok || strings.Contains(scheme, "/") ||
		strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "mailto")
}

// The classes of bytes in addresses.
const (
	plainByte  = 1 + iota // stands for itself
	syntaxByte            // stands for itself in a whole address, not in a part of one
)

var urlClass = func() (class [256]byte) {
	for c := range class {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			class[c] = plainByte
		case strings.IndexByte("!#$&*+,/:;=?@[]", byte(c)) >= 0 && c < 0x80:
			class[c] = syntaxByte
		}
	}
	return class
}()

// appendURL appends an address, or with whole false a part of one, for a quoted attribute.
func appendURL(dst []byte, s string, whole bool) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch class := urlClass[c]; {
		case class == plainByte, c == '%' && whole && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			dst = append(dst, c)
		case class == syntaxByte && whole:
			if e := entity[c]; e != "" {
				dst = append(dst, e...)
			} else {
				dst = append(dst, c)
			}
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
