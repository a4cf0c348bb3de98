package site

import (
	"net/url"
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
	hyphen := false
	for _, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && b.Len() > 0 && !hyphen, r == '\u200c' || r == '\u200d':
			if (r == '\u200c' || r == '\u200d') && (b.Len() == 0 || hyphen) {
				continue // a joiner belongs between letters
			}
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(r)
		case r == '\'' || r == '’':
			// "don't" is dont
		default:
			hyphen = true
		}
	}
	out := strings.TrimRight(b.String(), "\u200c\u200d")
	if len(out) > MaxSlugBytes {
		cut := MaxSlugBytes
		for !utf8.RuneStart(out[cut]) {
			cut--
		}
		if i := strings.LastIndexByte(out[:cut], '-'); i > MaxSlugBytes/2 {
			cut = i
		}
		out = strings.TrimRight(out[:cut], "-\u200c\u200d")
	}
	return out
}

// TagSlug is the address of a tag: as [MakeSlug], but "C++" and "C#" stay apart from "C", and nothing is reserved.
// It is empty when the tag has no letter or digit.
func TagSlug(tag string) Slug {
	tag = strings.TrimLeft(tag, "# \t")
	return Slug(slugify(strings.NewReplacer("+", " plus ", "#", " sharp ").Replace(tag)))
}

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
