package server

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"freshet/internal/site"
)

// maxPathBytes is the longest path that is looked up: as long as a head may be.
const maxPathBytes = maxHeaderBytes

// vetPath reports whether decoded, a request's path after one decoding, can be meant honestly. raw is the path as
// it was sent, or empty if encoding decoded gives it back. What is refused has no page anywhere, and is read in
// different ways by different programs along the way: encoded separators, a second encoding, control
// characters, backslashes, overlong UTF-8.
func vetPath(decoded, raw string) bool {
	if decoded == "" || decoded[0] != '/' || !utf8.ValidString(decoded) {
		return false
	}
	for i := range len(decoded) {
		switch c := decoded[i]; {
		case c < 0x20, c == 0x7f, c == '\\':
			return false
		case c == '%' && i+2 < len(decoded) && isHex(decoded[i+1]) && isHex(decoded[i+2]):
			return false
		}
	}
	return raw == "" || !strings.Contains(raw, "%2f") && !strings.Contains(raw, "%2F")
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// hasDots reports whether a path has a segment . or .., which makes it another spelling of a path without (RFC 3986, 6.2.2.3).
// Such a path has no page of its own.
func hasDots(path string) bool {
	for i := strings.Index(path, "/."); i >= 0; {
		rest := strings.TrimPrefix(path[i+2:], ".")
		if rest == "" || rest[0] == '/' {
			return true
		}
		next := strings.Index(path[i+2:], "/.")
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}

// withoutDots resolves the segments . and .. of a path; those above the root lead to the root.
func withoutDots(path string) string {
	if !hasDots(path) {
		return path
	}
	var out []string
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		last := i == len(parts)-1
		switch part {
		case ".", "..":
			if part == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "") // what is meant is a folder
			}
		default:
			out = append(out, part)
		}
	}
	return "/" + strings.Join(out, "/")
}

// canonical finds the entry that an inexact path means: dot segments, doubled slashes, a missing or superfluous slash at the
// end, capitals, /index.html, another Unicode form. It makes at most ten look-ups.
func canonical(gen Generation, path string) (*site.Entry, bool) {
	folded := squeeze(withoutDots(path))
	lower := strings.ToLower(norm.NFC.String(folded))
	for i, p := range []string{folded, lower} {
		if i > 0 && p == folded {
			break
		}
		forms := [...]string{p, "", ""}
		if stem, ok := strings.CutSuffix(p, "/index.html"); ok {
			forms[1] = stem + "/"
		} else if stem, ok := strings.CutSuffix(p, "/"); ok {
			forms[1] = stem // a file was meant
			if stem, ok := strings.CutSuffix(stem, "/index.html"); ok {
				forms[2] = stem + "/"
			}
		} else {
			forms[1] = p + "/"
		}
		for _, form := range forms {
			if form == "" || form == path || form == string(notFoundPath) {
				continue
			}
			if e, ok := gen.Lookup(site.Path(form)); ok {
				return e, true
			}
		}
	}
	return nil, false
}

// squeeze makes every run of slashes one.
func squeeze(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b = append(b, path[i])
		}
	}
	return string(b)
}

// location makes the Location header of a redirect to target, with the request's query unless target has its own.
// A target without a scheme stays on this site whatever it looks like: "//evil.example" is a path.
func location(target, query string) string {
	if !isAbsolute(target) {
		target = "/" + strings.TrimLeft(target, "/\\")
	}
	if query != "" {
		stem, fragment, cut := strings.Cut(target, "#")
		if !strings.Contains(stem, "?") {
			target = stem + "?" + query
			if cut {
				target += "#" + fragment
			}
		}
	}
	return ascii(target)
}

// isAbsolute reports whether target is a whole http or https URL.
func isAbsolute(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// ascii percent-encodes what a header line or a URL cannot hold, so that nothing in a query ends the line.
func ascii(s string) string {
	clean := true
	for i := range len(s) {
		if unsafeByte(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unsafeByte(c) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unsafeByte(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0
}
