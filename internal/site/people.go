package site

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SplitNames takes the names out of a line such as "[Ann](https://…) (Acme), [Bob](…) and Carl (Acme)". Next to
// linked names a bare one counts only when a company in brackets or an "and" shows that it is a person's.
func SplitNames(s string) []string {
	s = strings.Join(strings.Fields(s), " ")
	linked := strings.Contains(s, "](")
	if a, b, ok := strings.Cut(s, " and "); ok && !linked && person(a) && person(b) {
		return []string{a, b}
	}
	var out []string
	for _, part := range splitList(s, linked) {
		name, company, isLink := part.text, false, false
		if i := strings.IndexByte(name, '['); i >= 0 && strings.Contains(name[i:], "](") {
			end := strings.Index(name[i:], "](")
			name, isLink = name[i+1:i+end], true
		}
		if i := strings.Index(name, " ("); i > 0 {
			company = true
		}
		name = BareName(name)
		if name == "" || linked && !isLink && !company && !part.and {
			continue
		}
		if !isLink && len(out) > 0 && suffixes[strings.ToLower(strings.Trim(name, "."))] {
			out[len(out)-1] += ", " + name
			continue
		}
		out = append(out, name)
	}
	return out
}

// person reports whether a name is that of one person, and not of "The Docs" or of a team.
func person(s string) bool {
	words := strings.Fields(s)
	if len(words) < 2 || len(words) > 4 || strings.Contains(s, ",") {
		return false
	}
	for _, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		if groups[strings.ToLower(w)] || !unicode.IsUpper(r) {
			return false
		}
	}
	return true
}

// groups are words that names of groups have.
var groups = wordSet("the", "team", "teams", "group", "wg", "committee", "project", "working", "sig", "community", "maintainers", "developers", "authors", "contributors", "board")

// suffixes stand after a comma and belong to the name before it.
var suffixes = wordSet("inc", "ltd", "llc", "gmbh", "jr", "sr", "phd", "ph.d", "md", "ii", "iii")

func wordSet(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

type listPart struct {
	text string
	and  bool // "and" stood before it
}

// splitList parts a line at commas outside brackets and, among linked names or after a comma, at "and" and "&".
func splitList(s string, linked bool) []listPart {
	var out []listPart
	depth, start, and := 0, 0, false
	cut := func(end, next int, nextAnd bool) {
		if t := strings.TrimSpace(s[start:end]); t != "" {
			out = append(out, listPart{t, and})
		}
		start, and = next, nextAnd
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth = max(depth-1, 0)
		case ',', ';':
			if depth == 0 {
				cut(i, i+1, false)
			}
		case ' ':
			if depth > 0 {
				continue
			}
			for _, w := range [...]string{" and ", " & ", " with "} {
				if strings.HasPrefix(s[i:], w) && (linked || len(out) > 0) {
					cut(i, i+len(w), true)
					i += len(w) - 1
					break
				}
			}
		}
	}
	cut(len(s), len(s), false)
	return out
}

// BareName drops a company in brackets, an address in angle brackets and a leading "and" or "by".
func BareName(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if strings.HasPrefix(s, "[") {
		if i := strings.Index(s, "]("); i > 0 {
			s = s[1:i]
		}
	}
	for _, p := range [...]string{"and ", "by ", "By "} {
		s = strings.TrimPrefix(s, p)
	}
	for _, open := range [...]string{" (", " <"} {
		if i := strings.Index(s, open); i > 0 {
			s = s[:i]
		}
	}
	return strings.Trim(s, " *_`")
}
