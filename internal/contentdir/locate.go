package contentdir

import (
	"html"
	"io"
	"net/url"
	"strings"

	"freshet/internal/frontmatter"
	"freshet/internal/shortcodes"
)

// Locate returns the line of a document's file that holds an address, in its front matter or its body, code apart; 0
// when it is not found there as it was written.
func (s *Source) Locate(name, address string, front bool) int {
	f, err := s.open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, frontmatter.MaxBytes+1))
	if err != nil {
		return 0
	}
	p, prob := frontmatter.Parse(data)
	if prob != nil {
		return 0
	}
	text, line := string(p.Body), p.BodyLine
	if front {
		text, line = string(p.Front), 2
		if cut, _, ok := strings.Cut(string(data), text); ok && text != "" {
			line = 1 + strings.Count(cut, "\n")
		}
	}
	code := shortcodes.CodeBlocks(text)
	if front {
		code = nil
	}
	for _, form := range writtenAs(address) {
		for at := 0; at < len(text); {
			i := strings.Index(text[at:], form)
			if i < 0 {
				break
			}
			i += at
			at = i + len(form)
			inCode := false
			for _, c := range code {
				inCode = inCode || i >= c.Start && i < c.End
			}
			if !inCode && stands(text, i, at) {
				return line + strings.Count(text[:i], "\n")
			}
		}
	}
	return 0
}

// writtenAs lists the ways in which an address may be written.
func writtenAs(address string) []string {
	out := []string{address, strings.TrimPrefix(address, "@")}
	if d, err := url.PathUnescape(address); err == nil {
		out = append(out, d, strings.TrimPrefix(d, "@"))
	}
	return append(out, html.EscapeString(address), strings.TrimPrefix(address, "./"))
}

// stands reports whether text[i:end] is a whole address, not part of a longer one.
func stands(text string, i, end int) bool {
	const around = " \t\r\n\"'`()<>[]{},=|"
	return (i == 0 || strings.IndexByte(around, text[i-1]) >= 0) && (end == len(text) || strings.IndexByte(around, text[end]) >= 0)
}
