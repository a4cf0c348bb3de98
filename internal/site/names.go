package site

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A Path is the path of a URL on the site, decoded: "/", "/blog/rivers/", "/feed.xml".
type Path string

// A Slug is one path segment made of lower-case letters, digits and hyphens of any script, at most [MaxSlugBytes]
// long, in NFC. Only [MakeSlug] makes them.
type Slug string

// MaxSlugBytes is the longest a slug may be. A file name holds 255 bytes on common disks.
const MaxSlugBytes = 120

// reserved are slugs that would clash with an address of freshet's own; they get a suffix.
var reserved = map[string]bool{
	"page": true, "index": true, "index-html": true, "api": true, "assets": true, "search": true, "404": true,
	"404-html": true, "feed": true, "feed-xml": true, "atom-xml": true, "feed-json": true, "sitemap-xml": true,
	"robots-txt": true, "llms-txt": true, "site-webmanifest": true, "blog": true, "courses": true, "topic": true,
	"author": true, "livez": true, "readyz": true, "static": true,
}

// MakeSlug makes a slug of any text: lower case, NFC, letters, marks and digits of every script kept, every other
// run a hyphen, at most MaxSlugBytes long. Names that freshet uses itself get the suffix "-1". It is empty when the
// text has no letter or digit. MakeSlug(string(MakeSlug(s))) == MakeSlug(s).
func MakeSlug(s string) Slug {
	out := slugify(s)
	if reserved[out] {
		out += "-1"
	}
	return Slug(out)
}

func slugify(s string) string {
	s = norm.NFC.String(strings.ToLower(norm.NFC.String(strings.ToValidUTF8(s, "-"))))
	var b strings.Builder
	var last, joiner rune // last is the rune before; joiner waits for one after
	hyphen := false
	for _, r := range s {
		switch {
		case r == 'ς':
			r = 'σ' // Σ may be either; see below
		case r == 'ſ':
			r = 's'
		case ignorable(r):
			continue
		case r == '\u200c' || r == '\u200d':
			// Joiners shape Indic conjuncts and Persian words; elsewhere they only make equal words differ.
			if !hyphen && (unicode.IsMark(last) || unicode.In(last, unicode.Arabic, unicode.Syriac, unicode.Mongolian)) {
				joiner = r
			}
			continue
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && b.Len() > 0 && !hyphen:
		default:
			hyphen, joiner = true, 0
			continue
		}
		if hyphen && b.Len() > 0 {
			b.WriteByte('-')
		}
		if joiner != 0 {
			b.WriteRune(joiner)
		}
		hyphen, joiner = false, 0
		b.WriteRune(r)
		last = r
	}
	out := norm.NFC.String(b.String()) // a mark may have come to stand behind its letter only now
	if len(out) > MaxSlugBytes {
		out = strings.TrimRight(out[:cutSlug(out)], "-\u200c\u200d")
	}
	if strings.Contains(out, "σ") {
		parts := strings.Split(out, "-")
		for i, p := range parts {
			if stem, ok := strings.CutSuffix(p, "σ"); ok && stem != "" {
				parts[i] = stem + "ς"
			}
		}
		out = strings.Join(parts, "-")
	}
	return out
}

// ignorable reports runes that change neither letters nor words: apostrophes ("don't" is dont), variation selectors,
// enclosing marks of emoji, soft hyphens and other invisible ones.
func ignorable(r rune) bool {
	switch r {
	case '\'', '’', '\u00ad', '\u034f', '\u200b', '\u2060', '\ufeff':
		return true
	}
	return unicode.In(r, unicode.Variation_Selector, unicode.Me)
}

// cutSlug returns where a slug that is too long is cut: after a word, else before a letter.
func cutSlug(s string) int {
	cut := MaxSlugBytes
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	if i := strings.LastIndexByte(s[:cut], '-'); i > MaxSlugBytes/2 {
		return i
	}
	for at := cut; at > MaxSlugBytes/2; {
		r, _ := utf8.DecodeRuneInString(s[at:])
		before, n := utf8.DecodeLastRuneInString(s[:at])
		if !unicode.IsMark(r) && r != '\u200c' && r != '\u200d' && before != '\u200c' && before != '\u200d' && !unicode.Is(unicode.Diacritic, before) {
			return at
		}
		at -= n
	}
	return cut
}

// WithSuffix is the slug with something behind it that tells it from another, shortened where it must be.
func (s Slug) WithSuffix(suffix string) Slug {
	out := string(s) + "-" + suffix
	if len(out) > MaxSlugBytes {
		out = string(MakeSlug(string(s)[:MaxSlugBytes-len(suffix)-1])) + "-" + suffix
	}
	return MakeSlug(out)
}

// TagSlug is the address of a tag: as [MakeSlug], but "C++" and "C#" stay apart from "C", and nothing is reserved.
// It is empty when the tag has no letter or digit.
func TagSlug(tag string) Slug {
	tag = strings.TrimLeft(tag, "# \t")
	return Slug(slugify(tagSigns.Replace(tag)))
}

// UniqueTags leaves out what has the address of a tag before it: "go" behind "Go".
func UniqueTags(tags []string) []string {
	var out []string
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		key := cmp.Or(string(TagSlug(t)), "\x00"+t) // no slug begins so
		if !seen[key] {
			seen[key] = true
			out = append(out, t)
		}
	}
	return out
}

// MaxTags and MaxAuthors are how many tags and authors of a document count. Each has a list of its own with the document on it,
// and the document's page names all of them.
const (
	MaxTags    = 100
	MaxAuthors = 50
)

// tagSigns spells out what tells tags apart and would else be lost.
var tagSigns = strings.NewReplacer("+", " plus ", "#", " sharp ")

// URL is the path as it stands in links: percent-encoded where it must be.
func (p Path) URL() string { return (&url.URL{Path: string(p)}).EscapedPath() }

// PostPath is the address of a post.
func PostPath(s Slug) Path { return Path("/blog/" + string(s) + "/") }

// CoursePath is the address of a course.
func CoursePath(s Slug) Path { return Path("/courses/" + string(s) + "/") }

// LessonPath is the address of a lesson.
func LessonPath(course, lesson Slug) Path {
	return Path("/courses/" + string(course) + "/" + string(lesson) + "/")
}

// TopicPath is the address of a tag's list.
func TopicPath(tag Slug) Path { return Path("/topic/" + string(tag) + "/") }

// AuthorPath is the address of an author's list.
func AuthorPath(author Slug) Path { return Path("/author/" + string(author) + "/") }

// PathNamed returns the address that a name such as blog:<slug>, course:<slug> or page:<path> means; "" if the name is of
// another kind.
func PathNamed(name string) Path {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "blog":
		return PostPath(Slug(rest))
	case "course":
		return CoursePath(Slug(rest))
	case "page":
		return Path("/" + strings.Trim(rest, "/") + "/")
	}
	return ""
}

// PathIn returns the path in an address that somebody wrote: a whole URL, or a path with or without its first slash. ok
// is false if it is no address.
func PathIn(address string) (p Path, ok bool) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return "", false
	}
	if !strings.HasPrefix(u.Path, "/") {
		return Path("/" + u.Path), true
	}
	return Path(u.Path), true
}

// ownFiles are the files at the top of a public tree that freshet writes, or may.
var ownFiles = map[string]bool{
	"feed": true, "feed.xml": true, "atom.xml": true, "feed.json": true, "sitemap.xml": true, "404.html": true, "robots.txt": true, "llms.txt": true,
	"site.webmanifest": true, "_headers": true, "_redirects": true, ".freshet": true, "livez": true, "readyz": true,
}

// FolderIsFile returns the folder of a file's address that is a file in public trees, so that nothing can lie in it: one of
// freshet's own, the feed of a topic, or the index.html of a page; "" where none is.
func FolderIsFile(p Path) Path {
	parts := strings.Split(strings.Trim(string(p), "/"), "/")
	for i, name := range parts[:len(parts)-1] {
		if name == "index.html" || i == 0 && ownFiles[name] || i == 2 && parts[0] == "topic" && name == "feed.xml" {
			return Path("/" + strings.Join(parts[:i+1], "/"))
		}
	}
	return ""
}

// CleanExt is a file name's extension as it may stand in an address: a dot and up to eight ASCII letters and digits,
// else nothing.
func CleanExt(ext string) string {
	if len(ext) < 2 || len(ext) > 9 || ext[0] != '.' {
		return ""
	}
	for _, c := range ext[1:] {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return ext
}

// OldPath makes an absolute path on this site of an address as an old system wrote it; "" when it is none.
func OldPath(s string) string {
	s = strings.TrimSpace(s)
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	if s == "" || strings.HasPrefix(s, "//") || strings.Contains(s, "://") || strings.Contains(s, ":") && !strings.HasPrefix(s, "/") {
		return ""
	}
	if d, err := url.PathUnescape(s); err == nil && utf8.ValidString(d) {
		s = d
	}
	if strings.ContainsAny(s, "\\{}*") || strings.Contains(s, "/:") || strings.ContainsFunc(s, unicode.IsControl) || len(s) > 1000 {
		return ""
	}
	for _, seg := range strings.Split(s, "/") {
		if seg == ".." {
			return ""
		}
	}
	dir := strings.HasSuffix(s, "/")
	s = path.Clean("/" + s)
	if dir && s != "/" {
		s += "/"
	}
	if s == "/" || s == "/index.html" || s == "/index/" {
		return ""
	}
	return s
}

// patternSign is what the readers of _redirects files take for more than itself.
var patternSign = regexp.MustCompile(`/:|[*{}]`)

// IsPattern reports whether a former address is the pattern of several: /blog/:slug/ or /old/*.
func IsPattern(s string) bool { return !strings.Contains(s, "://") && patternSign.MatchString(s) }

// ParseStatus reads the status of a document: whether it is a draft, and whether the word is known. What is not known
// is a draft.
func ParseStatus(s string) (draft, known bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "published", "publish", "public", "live":
		return false, true
	case "draft", "scheduled", "private", "archived", "pending", "hidden", "unpublished", "future":
		return true, true
	}
	return true, false
}

// LastSegment is the last part of an address, without the extensions of web pages; "" for none or an index.
func LastSegment(address string) string {
	s := OldPath(address)
	for s != "" {
		s = strings.TrimRight(s, "/")
		seg := s[strings.LastIndexByte(s, '/')+1:]
		bare := seg
		for _, ext := range [...]string{".html", ".htm", ".php", ".md", ".aspx"} {
			bare = strings.TrimSuffix(bare, ext)
		}
		if bare != "" && bare != "index" {
			return bare
		}
		s = s[:len(s)-len(seg)]
		if s == "/" {
			break
		}
	}
	return ""
}

// FirstSlug returns the slug of the first name that gives one.
func FirstSlug(names ...string) Slug {
	for _, n := range names {
		if s := MakeSlug(n); string(s) == n && s != "" {
			return Slug(n) // which is in memory as long as the document is
		} else if s != "" {
			return s
		}
	}
	return ""
}
