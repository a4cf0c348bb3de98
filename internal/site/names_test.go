package site_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"freshet/internal/site"
)

func TestMakeSlug(t *testing.T) {
	long := strings.Repeat("abcdefghi ", 30)
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"Rivers", "rivers"},
		{"Rust-1.85.1", "rust-1-85-1"},
		{"  Hello,   World!  ", "hello-world"},
		{"Don't stop — it’s fine", "dont-stop-its-fine"},
		{"..", ""},
		{"../../etc/passwd", "etc-passwd"},
		{"a/b\\c", "a-b-c"},
		{"nul\x00byte", "nul-byte"},
		{"bad\xffutf", "bad-utf"},
		{"tab\tand\nline", "tab-and-line"},
		{"\u202eright\u202c", "right"},
		{"so\u00adft", "soft"},
		{"page", "page-1"},
		{"Index", "index-1"},
		{"index.html", "index-html-1"},
		{"404", "404-1"},
		{"feed.xml", "feed-xml-1"},
		{"API", "api-1"},
		{"pages", "pages"},
		{"CON", "con"},
		{"Ärger", "ärger"},
		{"A\u0308RGER", "ärger"}, // NFD
		{"ÉCOLE", "école"},
		{"ΟΔΟΣ ΑΒΓ", "οδος-αβγ"},
		{"οδος αβγ", "οδος-αβγ"},
		{"Straße", "straße"},
		{"हिन्दी में लेख", "हिन्दी-में-लेख"},
		{"श्री क्ष", "श्री-क्ष"},
		{"क\u094d\u200dष", "क\u094d\u200dष"}, // a joiner after a virama asks for another form
		{"क\u094d\u200c ष", "क\u094d-ष"},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"a\u200db", "ab"},
		{"عنوان المقال", "عنوان-المقال"},
		{"日本語 の タイトル", "日本語-の-タイトル"},
		{"❤️ love", "love"},
		{"1️⃣ first", "1-first"},
		{"🙂", ""},
		{"\u0301leading mark", "leading-mark"},
		{"a'\u0308", "ä"}, // the apostrophe goes, the mark finds its letter
		{long, strings.TrimSuffix(strings.Repeat("abcdefghi-", 12), "-")},
		{strings.Repeat("x", 400), strings.Repeat("x", 120)},
		{strings.Repeat("क्षि", 40), strings.Repeat("क्षि", 10)},
	} {
		if got := site.MakeSlug(test.in); string(got) != test.want {
			t.Errorf("MakeSlug(%q) = %q, want %q", test.in, got, test.want)
		}
		checkSlug(t, test.in)
	}
}

func TestTagSlug(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"C", "c"}, {"C++", "c-plus-plus"}, {"C#", "c-sharp"}, {"#golang", "golang"}, {"# web dev", "web-dev"}, {"F#", "f-sharp"}, {"page", "page"}, {"Node.js", "node-js"},
		{"", ""}, {"+", "plus"}, {"हिन्दी", "हिन्दी"},
	} {
		if got := site.TagSlug(test.in); string(got) != test.want {
			t.Errorf("TagSlug(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestPathURL(t *testing.T) {
	for _, test := range []struct {
		in   site.Path
		want string
	}{
		{"/", "/"}, {"/blog/rivers/", "/blog/rivers/"}, {site.PostPath("ärger"), "/blog/%C3%A4rger/"}, {"/a b?c", "/a%20b%3Fc"}, {site.LessonPath("a", "b"), "/courses/a/b/"},
	} {
		if got := test.in.URL(); got != test.want {
			t.Errorf("Path(%q).URL() = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestUniqueTags(t *testing.T) {
	got := site.UniqueTags([]string{"Go", "go", "C", "C++", "c", "!", "!", " GO "})
	if want := []string{"Go", "C", "C++", "!"}; !slices.Equal(got, want) {
		t.Errorf("UniqueTags = %q, want %q", got, want)
	}
}

func TestWithSuffix(t *testing.T) {
	long := site.MakeSlug(strings.Repeat("a", 300))
	for _, test := range []struct {
		slug         site.Slug
		suffix, want string
	}{{"a", "2", "a-2"}, {"page-1", "2", "page-1-2"}, {long, "10", strings.Repeat("a", site.MaxSlugBytes-3) + "-10"}} {
		if got := test.slug.WithSuffix(test.suffix); string(got) != test.want {
			t.Errorf("%s.WithSuffix(%q) = %q, want %q", test.slug, test.suffix, got, test.want)
		}
	}
}

func TestOldPath(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"/2024/rivers/", "/2024/rivers/"}, {"blog/rivers.html", "/blog/rivers.html"}, {"/a%20b", "/a b"}, {"/a?b#c", "/a"}, {"/a//b/./c", "/a/b/c"},
		{"", ""}, {"/", ""}, {"//example.org/a", ""}, {"https://example.org/a", ""}, {"mailto:a", ""}, {"/../etc", ""}, {"/%2e%2e/etc", ""}, {"/a\\b", ""},
		{"/index.html", ""}, {"/a\x00", ""}, {"/:x", ""}, {"/blog/:slug/", ""}, {"/old/*", ""}, {"/{a}/", ""}, {"/wiki/Foo:Bar", "/wiki/Foo:Bar"},
	} {
		if got := site.OldPath(test.in); got != test.want {
			t.Errorf("OldPath(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, test := range []struct {
		in, want string
		ok       bool
	}{
		{"en", "en", true}, {" HI ", "hi", true}, {"pt_br", "pt-BR", true}, {"zh-hans", "zh-Hans", true}, {"es-419", "es-419", true},
		{"", "", false}, {"english", "", false}, {"e", "", false}, {"e<", "", false},
	} {
		if got, ok := site.Language(test.in); got != test.want || ok != test.ok {
			t.Errorf("Language(%q) = %q, %v, want %q, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for _, test := range []struct {
		in           string
		draft, known bool
	}{
		{"published", false, true}, {" Published ", false, true}, {"live", false, true}, {"draft", true, true}, {"scheduled", true, true},
		{"", true, false}, {"publishd", true, false},
	} {
		if draft, known := site.ParseStatus(test.in); draft != test.draft || known != test.known {
			t.Errorf("ParseStatus(%q) = %v, %v, want %v, %v", test.in, draft, known, test.draft, test.known)
		}
	}
}

func FuzzMakeSlug(f *testing.F) {
	for _, s := range []string{"", "Rivers", "..", "/", "a\u0308", "क\u094d\u200dष", "İstanbul", "ΣΑΣ", strings.Repeat("é", 100), "page", "\x00", "a'\u0308b", "1️⃣", "ſ", "ﬁ", "K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkSlug(t, s) })
}

func checkSlug(t *testing.T, in string) {
	t.Helper()
	for name, got := range map[string]site.Slug{"MakeSlug": site.MakeSlug(in), "TagSlug": site.TagSlug(in)} {
		s := string(got)
		if len(s) > site.MaxSlugBytes || !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) {
			t.Errorf("%s(%q) = %q: %d bytes, NFC %v", name, in, s, len(s), norm.NFC.IsNormalString(s))
		}
		if strings.ContainsAny(s, "./\\\x00 ?#%") || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") || strings.Contains(s, "--") {
			t.Errorf("%s(%q) = %q", name, in, s)
		}
		for _, r := range s {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '-' && r != '\u200c' && r != '\u200d' {
				t.Errorf("%s(%q) = %q has %q", name, in, s, r)
			}
			if unicode.IsUpper(r) && unicode.ToLower(r) != r {
				t.Errorf("%s(%q) = %q has the capital %q", name, in, s, r)
			}
		}
		if s == "" && strings.ContainsFunc(in, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			t.Errorf("%s(%q) is empty", name, in)
		}
	}
	s := site.MakeSlug(in)
	if again := site.MakeSlug(string(s)); again != s {
		t.Errorf("MakeSlug(%q) = %q, and of that %q", in, s, again)
	}
	if tag := site.TagSlug(in); site.TagSlug(string(tag)) != tag {
		t.Errorf("TagSlug(%q) = %q, and of that %q", in, tag, site.TagSlug(string(tag)))
	}
	if !utf8.ValidString(in) {
		return
	}
	if d := site.MakeSlug(norm.NFD.String(in)); d != s {
		t.Errorf("MakeSlug(%q) = %q, but %q for NFD", in, s, d)
	}
	if l := site.MakeSlug(strings.ToLower(in)); l != s {
		t.Errorf("MakeSlug(%q) = %q, but %q for lower case", in, s, l)
	}
}

func TestPathNamed(t *testing.T) {
	for name, want := range map[string]site.Path{
		"blog:a": "/blog/a/", "course:a": "/courses/a/", "page:about": "/about/", "page:/about/": "/about/", "lesson:a": "", "a": "", "blog/a.md": "",
	} {
		if got := site.PathNamed(name); got != want {
			t.Errorf("PathNamed(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPathIn(t *testing.T) {
	for address, want := range map[string]site.Path{
		"/blog/a/": "/blog/a/", "blog/a": "/blog/a", "https://example.com/blog/a/?q=1#x": "/blog/a/", "https://example.com": "/", "": "", "%": "", ":": "",
	} {
		if got, ok := site.PathIn(address); got != want || ok != (want != "") {
			t.Errorf("PathIn(%q) = %q, %t, want %q", address, got, ok, want)
		}
	}
}
