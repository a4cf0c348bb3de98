package contentdir

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A textRank orders the files that are their folder's own text: the lowest is taken.
type textRank uint8

const (
	noText     textRank = iota
	sectionOwn          // _index.md
	indexOwn            // index.md, which is also how bundles name their text
	readmeOwn           // README.md
)

// A fileName is what the name of a Markdown file tells.
type fileName struct {
	stem string // without extension, language and, for texts of folders, empty
	lang string // BCP 47; empty: the name says nothing of it
	text textRank
}

// markdownName reads the name of a Markdown file; ok false: it is none.
func markdownName(name string) (n fileName, ok bool) {
	ext := path.Ext(name)
	switch strings.ToLower(ext) {
	case ".md", ".markdown", ".mdx", ".mkd":
	default:
		return n, false
	}
	n.stem = strings.TrimSuffix(name, ext)
	if i := strings.LastIndexByte(n.stem, '.'); i > 0 {
		if lang := languageOf(n.stem[i+1:]); lang != "" {
			n.lang, n.stem = lang, n.stem[:i]
		}
	}
	switch strings.ToLower(n.stem) {
	case "_index":
		n.text = sectionOwn
	case "index":
		n.text = indexOwn
	case "readme":
		n.text = readmeOwn
	}
	return n, true
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// housekeeping files of repositories are no pages. Their names are written in capitals.
var housekeeping = set("CONTRIBUTING", "CODE_OF_CONDUCT", "CODE-OF-CONDUCT", "CHANGELOG", "CHANGES", "HISTORY", "LICENSE", "LICENCE", "LICENSES", "COPYING", "NOTICE", "SECURITY",
	"SUPPORT", "GOVERNANCE", "MAINTAINERS", "AUTHORS", "CONTRIBUTORS", "PULL_REQUEST_TEMPLATE", "ISSUE_TEMPLATE", "CODEOWNERS", "TODO", "CITATION", "RELEASING", "AGENTS",
	"CLAUDE", "SUMMARY", "TRANSLATING", "TRANSLATION", "TRANSLATIONS")

// skippedFolders hold no content, whatever is in them.
var skippedFolders = set("node_modules", "_layouts", "_includes", "_sass", "_data", "_site", "_plugins", "__pycache__", "__MACOSX", "lost+found")

// skipped reports whether a file or folder is none of the tree's: hidden, an editor's, or another tool's.
func skipped(name string, dir bool) bool {
	if name == "" || name[0] == '.' || name[0] == '#' || strings.HasSuffix(name, "~") {
		return true
	}
	if dir {
		return skippedFolders[name]
	}
	if name[0] == '_' {
		// A partial of Astro or Jekyll; only the text of a section begins so.
		n, ok := markdownName(name)
		return ok && n.text == noText
	}
	switch name {
	case "Thumbs.db", "desktop.ini":
		return true
	}
	return false
}

// A zone is what a folder's name makes of what is in it.
type zone uint8

const (
	freeZone zone = iota
	blogZone
	draftZone // _drafts: posts that are not published
	pageZone
	courseZone
	staticZone
)

func zoneOf(name string, parentIsRoot bool) zone {
	switch name {
	case "blog", "posts", "_posts":
		return blogZone
	case "_drafts":
		return draftZone
	case "pages":
		return pageZone
	case "courses":
		return courseZone
	case "static":
		if parentIsRoot {
			return staticZone
		}
	}
	return freeZone
}

// containers are folders of a course that only gather its lessons.
var containers = set("lessons", "lesson", "episodes", "_episodes", "modules", "chapters", "units", "weeks", "days", "sections", "src", "content", "course", "lectures", "book")

// A number is how a name is ordered: "3-spatial", "1.2 Title", "lesson-04",
// "ch01-02-loops". Parts holds 3; 1 and 2; 4; 1 and 2.
type numbering struct {
	parts []int
	rest  string // the name without its number
}

// numbered reads the number that a name begins with.
func numbered(name string) (n numbering, ok bool) {
	s := name
	low := strings.ToLower(s)
	for _, w := range [...]string{"lesson", "module", "chapter", "episode", "section", "lecture", "unit", "part", "week", "day", "step", "ch"} {
		if rest := strings.TrimLeft(low[min(len(w), len(low)):], "-_. "); strings.HasPrefix(low, w) && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			s = s[len(s)-len(rest):]
			break
		}
	}
	prefixed := len(s) != len(name)
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		start := i
		v := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' && i-start < 4 {
			v = v*10 + int(s[i]-'0')
			i++
		}
		if i-start > 3 || i < len(s) && s[i] >= '0' && s[i] <= '9' {
			return n, false // a year, or an address
		}
		n.parts = append(n.parts, v)
		if i+1 < len(s) && digit(s[i+1]) && len(n.parts) < 4 &&
			(s[i] == '.' || i-start == 2 && (prefixed || s[start] == '0') && twoDigits(s[i:])) {
			i++
			continue
		}
		break
	}
	if len(n.parts) == 0 {
		return n, false
	}
	n.rest = strings.TrimLeft(s[i:], "-_.) :")
	if i < len(s) && n.rest == s[i:] {
		return numbering{}, false // 3d-models
	}
	if n.rest == "" {
		n.rest = name
		if !prefixed {
			n.rest = s
		}
	}
	return n, true
}

// natural compares names with numbers in them by value: "2-a" before "10-a".
func natural(a, b string) int {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			i, j := 0, 0
			for i < len(a) && digit(a[i]) {
				i++
			}
			for j < len(b) && digit(b[j]) {
				j++
			}
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// twoDigits reports whether s begins with another part of a number, as in "ch01-02-loops": a hyphen and two digits, with
// a name behind them.
func twoDigits(s string) bool {
	return len(s) > 4 && (s[0] == '-' || s[0] == '_') && digit(s[1]) && digit(s[2]) && (s[3] == '-' || s[3] == '_')
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// A place is where something stands among its siblings.
type place struct {
	weight   int
	weighted bool
	number   []int
	name     string
}

func placeOf(name string, p *parsed) place {
	pl := place{name: name}
	if n, ok := numbered(name); ok {
		pl.number = n.parts
	}
	if p != nil {
		pl.weight, pl.weighted = p.weight, p.weighted
	}
	return pl
}

// compare orders by weight, then number, then name; what has none comes after what has one.
func (p place) compare(q place) int {
	first := func(a, b bool) int {
		switch {
		case a && !b:
			return -1
		case b && !a:
			return 1
		}
		return 0
	}
	c := first(p.weighted, q.weighted)
	if c == 0 && p.weighted {
		c = cmp.Compare(p.weight, q.weight)
	}
	return cmp.Or(c, first(p.number != nil, q.number != nil), slices.Compare(p.number, q.number), natural(strings.ToLower(p.name), strings.ToLower(q.name)),
		cmp.Compare(p.name, q.name))
}

// titleOf makes a title of a file's or folder's name: "3-spatial-design" is "Spatial design".
func titleOf(name string) string {
	if n, ok := numbered(name); ok {
		name = n.rest
	}
	if _, rest, ok := dateName(name); ok {
		name = rest
	}
	if !strings.Contains(name, " ") {
		name = strings.NewReplacer("-", " ", "_", " ").Replace(name)
	}
	name = clean(name)
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r)) + name[n:]
}
