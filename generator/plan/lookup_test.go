package plan

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// linkTree is a content tree with one of everything that links may name, in the spellings of several tools.
func linkTree() *site.Snapshot {
	meta := func(id string, slug string, aliases ...string) site.Meta {
		return site.Meta{ID: site.ID(id), Revision: digest.String(id), Source: id, Slug: site.Slug(slug), Title: slug, Aliases: aliases}
	}
	post := func(id, slug string, aliases ...string) site.Document {
		return &site.Post{Meta: meta(id, slug, aliases...)}
	}
	page := func(id string, path site.Path) site.Document {
		return &site.Page{Meta: meta(id, "x"), Path: path}
	}
	lesson := func(source, slug string, open bool) site.Lesson {
		return site.Lesson{ID: site.ID(source), Source: source, Slug: site.Slug(slug), Open: open, Body: site.BodyRef{Hash: 1}}
	}
	file := func(name string, public site.Path) site.Document {
		return &site.File{ID: site.ID(name), Name: name, Revision: 7, Public: public}
	}
	course := &site.Course{Meta: meta("book", "book"), Modules: []site.Module{{Lessons: []site.Lesson{
		lesson("book/ch01-00-start.md", "start", true), lesson("book/ch01-02-loops.md", "loops", true), lesson("book/ch02-00-closed.md", "closed", false),
	}}}}
	course.Source = "book/_index.md"
	s, _ := site.NewSnapshot(time.Unix(0, 0), false).Apply(&site.Changes{Put: []site.Document{
		post("blog/l.md", "l", "/posts/l/"), post("blog/m.mdx", "m", "/posts/m/"), post("blog/k.markdown", "k"), post("blog/bundle/index.mdx", "bundle"),
		post("blog/cafe\u0301.md", "caf\u00e9"), post("blog/two words.md", "two-words"), post("blog/100%.md", "100"), post("blog/twin.md", "twin"), post("blog/twin/index.md", "twin-2"),
		post("_posts/news/2024-01-05-first.markdown", "first"), post("de/blog/only.md", "only"), post("site/posts/same.md", "same"), post("blog/same.md", "same-2"),
		page("pages/about.md", "/about/"), page("guides/setup.md", "/guides/setup/"), page("guides/_index.md", "/guides/"), course,
		&site.Page{Meta: meta("_index.md", "home"), Path: "/", Section: true},
		file("blog/weir.png", ""), file("blog/u\u0308ber.png", ""), file("static/img/s.png", "/img/s.png"), file("blog/page.html", ""), file("blog/@2x.png", ""),
	}}, time.Unix(0, 0))
	return s
}

func TestLookup(t *testing.T) {
	p := New(Config{})
	p.snap = linkTree()
	from := func(source string, at site.Path, aliases ...string) base {
		return base{id: site.ID(source), source: source, near: source, at: at, aliases: aliases}
	}
	l, lesson, db := from("blog/l.md", "/blog/l/", "/posts/l/"), from("book/ch01-00-start.md", "/courses/book/start/"), base{id: "blogs:1", at: "/blog/db/"}
	deep := from("site/posts/deep.md", "/blog/deep/")
	for _, tt := range []struct {
		base
		raw, want string // "": nowhere
	}{
		// With and without an ending, whichever the file has.
		{l, "m", "/blog/m/"}, {l, "m.md", "/blog/m/"}, {l, "m.mdx", "/blog/m/"}, {l, "m.markdown", "/blog/m/"}, {l, "m.html", "/blog/m/"}, {l, "m/", "/blog/m/"},
		{l, "./k", "/blog/k/"}, {l, "./k.md#a", "/blog/k/#a"}, {l, "k?x=1#a", "/blog/k/?x=1#a"}, {l, "M.md", "/blog/m/"}, {l, "m#", "/blog/m/#"},
		// Bundles and the texts of folders.
		{l, "bundle", "/blog/bundle/"}, {l, "bundle/", "/blog/bundle/"}, {l, "bundle/index.md", "/blog/bundle/"}, {l, "bundle/index.html", "/blog/bundle/"}, {l, "bundle.md", "/blog/bundle/"},
		{l, "../guides", "/guides/"}, {l, "../guides/_index.md", "/guides/"}, {l, "../guides/index.html", "/guides/"}, {l, "../", "/"}, {l, "../_index.md", "/"},
		{l, "twin.md", "/blog/twin/"}, {l, "twin/index.md", "/blog/twin-2/"},
		// Spellings of one text.
		{l, "caf\u00e9.md", "/blog/caf%C3%A9/"}, {l, "cafe\u0301.md", "/blog/caf%C3%A9/"}, {l, "caf%C3%A9.md", "/blog/caf%C3%A9/"}, {l, "cafe%CC%81", "/blog/caf%C3%A9/"}, {l, "/blog/cafe\u0301/", "/blog/caf%C3%A9/"},
		{l, "two%20words.md", "/blog/two-words/"}, {l, "100%.md", "/blog/100/"}, {l, "100%25.md", "/blog/100/"}, {l, "%FF.md", ""},
		{l, "\u00fcber.png", "/assets/%C3%BCber.0000000000000007.png"}, {l, "u%CC%88ber.png", "/assets/%C3%BCber.0000000000000007.png"},
		// From the content folder, and from the root of a repository in a folder of it.
		{l, "blog/m.mdx", "/blog/m/"}, {l, "guides/setup", "/guides/setup/"}, {l, "/guides/setup.md", "/guides/setup/"}, {l, "/blog/m.mdx", "/blog/m/"},
		{l, "/book/ch01-02-loops", "/courses/book/loops/"}, {deep, "/posts/same.md", "/blog/same/"}, {deep, "posts/same", "/blog/same/"},
		// Addresses, present and former, however the file that answers them is called.
		{l, "/blog/m/", "/blog/m/"}, {l, "/blog/m", "/blog/m/"}, {l, "/blog/m/index.html", "/blog/m/"}, {l, "/blog/m.html", "/blog/m/"}, {l, "/posts/m/", "/blog/m/"}, {l, "/posts/m", "/blog/m/"},
		{l, "../m/", "/blog/m/"}, {l, "/img/s.png", "/img/s.png"}, {l, "/static/img/s.png", "/img/s.png"}, {l, "/about.html", "/about/"},
		{lesson, "../loops/", "/courses/book/loops/"}, {lesson, "loops", "/courses/book/loops/"}, {db, "m", "/blog/m/"}, {db, "/about", "/about/"},
		// Chapters: the number is how the file is called, not its address.
		{lesson, "ch01-02-loops.html#while", "/courses/book/loops/#while"}, {lesson, "ch01-02-loops.md", "/courses/book/loops/"}, {lesson, "index.html", "/courses/book/"},
		{lesson, "ch02-00-closed.md", "/courses/book/"}, {l, "/courses/book/closed/", ""},
		// References find a document wherever it lies, the nearest first.
		{l, "@m", "/blog/m/"}, {l, "@2024-01-05-first", "/blog/first/"}, {l, "@news/2024-01-05-first", "/blog/first/"}, {l, "@first", "/blog/first/"}, {l, "@only.md", "/blog/only/"},
		{l, "@/blog/m.mdx", "/blog/m/"}, {l, "@/blog/m", "/blog/m/"}, {l, "@other/only.md", ""}, {deep, "@same", "/blog/same/"}, {l, "@same", "/blog/same-2/"}, {l, "@setup#x", "/guides/setup/#x"},
		{db, "@2024-01-05-first.md", "/blog/first/"}, {l, "@2x.png", "/assets/2x.0000000000000007.png"}, {l, "only.md", ""}, {l, "@", ""},
		// Files before documents; what is nowhere.
		{l, "weir.png", "/assets/weir.0000000000000007.png"}, {l, "page.html", "/assets/page-1.0000000000000007.html"}, {l, "gone.md", ""}, {l, "../../../etc/passwd", ""}, {l, "a\\b", ""}, {l, "/gone/", ""},
		// What is no address of this site stands for itself.
		{l, "https://example.org/m.md", "https://example.org/m.md"}, {l, "//example.org/m", "//example.org/m"}, {l, "mailto:a@b.c", "mailto:a@b.c"}, {l, "#x", "#x"}, {l, "?q=1", "?q=1"}, {l, "", ""},
	} {
		got := p.resolve(tt.base, tt.raw)
		if missing := tt.want == "" && tt.raw != ""; got.missing != missing || !missing && got.target.URL != tt.want {
			t.Errorf("%q in %s leads to %q (missing: %v), want %q", tt.raw, tt.source, got.target.URL, got.missing, tt.want)
		}
	}
}

// TestLookupIsRemembered: whatever decides where an address leads is among the names that plan its document again.
func TestLookupIsRemembered(t *testing.T) {
	p := New(Config{})
	p.snap = linkTree()
	b := base{id: "blog/l.md", source: "blog/l.md", near: "blog/l.md", at: "/blog/l/"}
	for _, raw := range []string{"m", "m.md", "bundle/", "/guides/setup.md", "@2024-01-05-first", "caf\u00e9.md", "/posts/m", "weir.png", "../", "ch01-02-loops.html"} {
		b.id = site.ID(raw)
		got := p.resolve(b, raw)
		if got.missing {
			continue
		}
		known := false
		for _, n := range site.Names(got.doc) {
			for _, id := range p.links.get(n) {
				known = known || id == b.id
			}
		}
		if !known {
			t.Errorf("%q leads to %s, and a change of it would not plan its document again", raw, got.target.URL)
		}
	}
}

// FuzzLookup: whatever stands in an address, it is looked up in the same way twice, and what is found is an address of
// this site that stands for the same when it is looked up itself.
func FuzzLookup(f *testing.F) {
	for _, s := range []string{"m", "../guides/b#x", "/blog/m/index.html", "@2024-01-05-first", "caf%C3%A9.md", "%", "%2e%2e/%2e%2e/m", "./././", "//x", "a?b#c", "@@", "/..", "index.html", "\u0301"} {
		f.Add("blog/l.md", s)
	}
	f.Add("", "m")
	snap := linkTree()
	f.Fuzz(func(t *testing.T, source, raw string) {
		p := New(Config{})
		p.snap = snap
		b := base{id: "d", source: source, near: source, at: "/blog/l/"}
		got := p.resolve(b, raw)
		if again := p.resolve(b, raw); again.target != got.target || again.missing != got.missing {
			t.Fatalf("%q in %q leads to %v, then to %v", raw, source, got.target, again.target)
		}
		if got.doc == nil {
			made, _, _ := strings.Cut(got.target.URL, "#")
			made, _, _ = strings.Cut(made, "?")
			if !got.missing && got.target.URL != raw && !p.made(made) && !slices.Contains([]string{"/blog/", "/topic/", "/courses/"}, made) {
				t.Fatalf("%q in %q became %q, though it was not found", raw, source, got.target.URL)
			}
			return
		}
		at := got.target.URL
		u, err := url.Parse(at)
		if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			if strings.ContainsAny(raw, "?#") {
				return // queries and fragments are the author's; markup has cleaned them
			}
			t.Fatalf("%q in %q leads to %q, which is no address of this site", raw, source, at)
		}
		if got.asset == nil {
			if there := p.resolve(b, (&url.URL{Path: u.Path}).EscapedPath()); there.missing || there.doc != got.doc {
				if _, section := got.doc.(*site.Page); !section {
					t.Fatalf("%q in %q leads to %q, where something else is", raw, source, at)
				}
			}
		}
	})
}
