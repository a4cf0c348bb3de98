package generator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/digest"
	"freshet/internal/site"
	"freshet/templates"
)

// TestMemory follows pages that move and go: their addresses redirect, or say that they are gone.
func TestMemory(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -10), map[string]string{"": "Text of a."})
	s.put(newPost("b.md", "b", -9), map[string]string{"": "Text of b."})
	c := &site.Course{Meta: site.Meta{ID: "courses/c", Slug: "c", Title: "C"}, Modules: []site.Module{{Lessons: []site.Lesson{
		{ID: "courses/c/1.md", Slug: "one", Title: "One", Open: true}}}}}
	s.put(c, map[string]string{"courses/c/1.md": "The lesson."})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})

	status := func(path site.Path) string {
		t.Helper()
		e, ok := b.store.Current().Lookup(path)
		if !ok {
			return "404"
		}
		return strings.TrimSpace(fmt.Sprint(e.Status, " ", e.Location))
	}
	check := func(what string, want map[site.Path]string) {
		t.Helper()
		b.build(t, generator.Options{Changed: []string{}})
		for path, w := range want {
			if got := status(path); got != w {
				t.Errorf("%s: %s is %q, want %q", what, path, got, w)
			}
		}
	}
	slug := func(id, slug string) {
		s.put(newPost(id, slug, -10), map[string]string{"": "Text of a."})
	}

	slug("a.md", "a2")
	check("a renamed", map[site.Path]string{"/blog/a/": "301 /blog/a2/", "/blog/a2/": "200"})
	slug("a.md", "a3")
	check("renamed again", map[site.Path]string{"/blog/a/": "301 /blog/a3/", "/blog/a2/": "301 /blog/a3/", "/blog/a3/": "200"})
	s.drop("a.md")
	check("deleted", map[site.Path]string{"/blog/a3/": "410", "/blog/a/": "301 /blog/a3/"})
	slug("a.md", "a3")
	check("back again", map[site.Path]string{"/blog/a3/": "200", "/blog/a2/": "301 /blog/a3/"})
	slug("a.md", "a")
	check("named as at first", map[site.Path]string{"/blog/a/": "200", "/blog/a2/": "301 /blog/a/", "/blog/a3/": "301 /blog/a/"})

	s.drop("a.md")
	moved := newPost("elsewhere/a.md", "new", -10)
	moved.Title = "Title of a"
	s.put(moved, map[string]string{"": "Text of a."})
	check("moved to another file", map[site.Path]string{"/blog/a/": "301 /blog/new/"})

	draft := newPost("b.md", "b", -9)
	draft.Draft = true
	s.put(draft, map[string]string{"": "Text of b."})
	check("unpublished", map[site.Path]string{"/blog/b/": "410"})

	gone := *c
	gone.Modules = nil
	s.put(&gone, nil)
	check("lesson taken out", map[site.Path]string{"/courses/c/one/": "410", "/courses/c/": "200"})

	// A document that takes the address another had: its own old one leads there.
	s.put(newPost("0.md", "zero", -20), map[string]string{"": "Zero."})
	s.put(newPost("1.md", "one", -21), map[string]string{"": "One."})
	check("two more", map[site.Path]string{"/blog/zero/": "200", "/blog/one/": "200"})
	s.put(newPost("0.md", "one", -20), map[string]string{"": "Zero."})
	check("one takes the other's address", map[site.Path]string{"/blog/zero/": "301 /blog/one/", "/blog/one/": "200"})

	has(t, b.redirects(t), "/blog/a2/ /blog/new/ 301\n", "/blog/a/ /blog/new/ 301\n", "/feed /feed.xml 301\n")

	// Memory survives another process and a full build.
	b.end(t)
	b = newBench(t, benchOptions{source: s.copied(), dir: b.dir})
	b.build(t, generator.Options{Full: true})
	for path, want := range map[site.Path]string{"/blog/b/": "410", "/blog/a/": "301 /blog/new/"} {
		if got := status(path); got != want {
			t.Errorf("after a full build by another process %s is %q, want %q", path, got, want)
		}
	}
	// … and ends after a year.
	s2 := s.copied()
	s2.put(newPost("z.md", "z", -1), map[string]string{"": "z"})
	b.build(t, generator.Options{})
	b.end(t)
	b = newBench(t, benchOptions{source: s2, dir: b.dir})
	b.build(t, generator.Options{Now: day(367)})
	if got := status("/blog/b/"); got != "404" {
		t.Errorf("a year later /blog/b/ is %q, want it forgotten", got)
	}
}

func (b *bench) redirects(t *testing.T) string {
	t.Helper()
	e, ok := b.store.Current().Lookup("/_redirects")
	if !ok {
		t.Fatal("no /_redirects")
	}
	data, err := b.store.Current().Object(e.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestCauseWithoutBaseline changes a site while no process runs whose last one was killed: what is said of the cause is
// true of pages that show what changed, of their neighbours, and of all when it was a setting.
func TestCauseWithoutBaseline(t *testing.T) {
	s := newShelf()
	for i := range 12 {
		s.put(newPost(fmt.Sprintf("%02d.md", i), fmt.Sprintf("p%02d", i), -i-1), map[string]string{"": "Text."})
	}
	s.putFile("unused.png", []byte("1"), "")
	s.put(&site.Page{Meta: site.Meta{ID: "blog/_index.md", Revision: 1, Title: "All posts"}, Path: "/blog/", Section: true}, nil)
	opt := benchOptions{source: s}
	b := newBench(t, opt)
	opt.dir = b.dir
	b.build(t, generator.Options{})
	check := func(what string, want map[site.Path]string) {
		t.Helper()
		b.end(t)
		if err := os.Remove(filepath.Join(b.dir, "state", "baseline")); err != nil {
			t.Fatal(err)
		}
		opt.source = s.copied()
		b = newBench(t, opt)
		rep := b.build(t, generator.Options{})
		if !rep.Planned {
			t.Errorf("%s: not all pages were planned", what)
		}
		for path, cause := range want {
			if e, _ := b.store.Current().Lookup(path); e == nil || e.Generation != rep.Generation || e.Cause != cause {
				t.Errorf("%s: %s is %+v, want the cause %q", what, path, e, cause)
			}
		}
	}
	const other = ", or template, setting or program changed"
	s.drop("04.md")
	check("a post that is gone", map[site.Path]string{
		"/blog/p05/": "changed 04.md", // its neighbour
		"/blog/p04/": "its document is gone or not published", "/blog/page/2/": "changed 04.md" + other, "/sitemap.xml": "changed 04.md" + other,
	})
	s.put(newPost("new.md", "new", -100), map[string]string{"": "Text."})
	edited := newPost("00.md", "p00", -1)
	edited.Title = "Another title"
	s.put(edited, map[string]string{"": "Text."})
	check("one new and one edited", map[site.Path]string{
		"/blog/new/": "new page", "/blog/p00/": "changed 00.md", "/blog/p11/": "changed new.md", "/blog/": "changed 00.md",
	})
	opt.title = "Another name"
	check("a setting", map[site.Path]string{"/blog/p07/": "template, setting or program changed", "/blog/": "template, setting or program changed"})
}

// TestPictures follows a picture from its first use until it is dropped a day after its last.
func TestPictures(t *testing.T) {
	s := newShelf()
	s.putFile("pic.png", []byte("1"), "")
	s.put(newPost("a.md", "a", -1), map[string]string{"": "![x](pic.png)"})
	s.put(newPost("b.md", "b", -2), map[string]string{"": "Nothing."})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	asset := func() site.Path {
		t.Helper()
		page := b.page(t, "/blog/a/")
		i := strings.Index(page, "/assets/pic.")
		if i < 0 {
			t.Fatalf("no picture on the page:\n%s", page)
		}
		return site.Path(page[i : i+strings.IndexByte(page[i:], '"')])
	}
	first := asset()
	has(t, b.page(t, "/blog/a/"), `width="10" height="1"`)
	kind := func(p site.Path) site.Kind {
		e, ok := b.store.Current().Lookup(p)
		if !ok {
			return 0
		}
		return e.Kind
	}
	if kind(first) != site.KindAsset {
		t.Fatalf("%s is not published", first)
	}
	s.putFile("pic.png", []byte("22"), "")
	b.build(t, generator.Options{Changed: []string{}})
	second := asset()
	if second == first || kind(second) != site.KindAsset {
		t.Errorf("a changed picture is at %s, was at %s", second, first)
	}
	if kind(first) != site.KindHidden {
		t.Errorf("the picture that old pages show is %v, want it still answered", kind(first))
	}
	// Another page uses it; then the first no longer does.
	s.put(newPost("b.md", "b", -2), map[string]string{"": "![y](pic.png)"})
	b.build(t, generator.Options{Changed: []string{}})
	s.put(newPost("a.md", "a", -1), map[string]string{"": "None."})
	b.build(t, generator.Options{Changed: []string{}})
	if kind(second) != site.KindAsset {
		t.Error("a picture that one page uses went with another page")
	}
	s.put(newPost("b.md", "b", -2), map[string]string{"": "None."})
	b.build(t, generator.Options{Now: day(3), Changed: []string{}})
	if kind(first) != 0 {
		t.Error("an unused picture is still there after three days")
	}
	if kind(second) != site.KindHidden {
		t.Error("a picture just dropped is no longer answered")
	}
}

// TestPictureOfDocument: a document that lies in no tree, as those of a database, names its pictures from the root.
func TestPictureOfDocument(t *testing.T) {
	s := newShelf()
	s.putFile("blogs/66d1/0123/cover.png", []byte("1"), "")
	p := newPost("blogs:66d1", "a", -1)
	p.Source, p.Cover = "", site.Picture{Src: "/blogs/66d1/0123/cover.png"}
	s.put(p, map[string]string{"": "Text."})
	b := newBench(t, benchOptions{source: s})
	rep := b.build(t, generator.Options{})
	if len(rep.Problems) > 0 {
		t.Errorf("problems %+v", rep.Problems)
	}
	page := b.page(t, "/blog/a/")
	has(t, page, "/assets/cover."+digest.Bytes([]byte("1")).String()+".png")
	has(t, page, `width="10" height="1"`)
}

func TestShrinkIsRefused(t *testing.T) {
	s := newShelf()
	for i := range 40 {
		s.put(newPost(fmt.Sprintf("%02d.md", i), fmt.Sprintf("p%02d", i), -i), map[string]string{"": "x"})
	}
	b := newBench(t, benchOptions{source: s})
	first := b.build(t, generator.Options{})
	drop := func(from, to int) {
		for i := from; i < to; i++ {
			s.drop(site.ID(fmt.Sprintf("%02d.md", i)))
		}
	}
	drop(0, 9)
	if rep := b.build(t, generator.Options{}); rep.Documents != 31 {
		t.Errorf("nine of forty dropped: %d documents, want 31", rep.Documents)
	}
	drop(9, 20)
	_, err := b.Build(t.Context(), generator.Options{Now: day(0)})
	var shrink *generator.ShrinkError
	if !errors.As(err, &shrink) || shrink.Before != 31 || shrink.After != 20 || len(shrink.Lost) != 11 {
		t.Fatalf("eleven of 31 dropped: error %v, want a ShrinkError that lists them", err)
	}
	if b.store.Current().ID != first.Generation+1 {
		t.Error("a refused build committed")
	}
	if rep := b.build(t, generator.Options{AllowShrink: true}); rep.Documents != 20 || rep.Removed == 0 {
		t.Errorf("allowed to shrink: %+v", rep)
	}
}

func TestSourceFailureKeepsEverything(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "first"})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	before := b.pages(t)
	away := errors.New("the database is away")
	s.bodyErr = func(site.BodyRef) error { return away }
	s.put(newPost("a.md", "a", -1), map[string]string{"": "second"})
	if _, err := b.Build(t.Context(), generator.Options{Now: day(0)}); !errors.Is(err, away) {
		t.Fatalf("Build = %v, want the source's error", err)
	}
	comparePages(t, "after a failed build", before, b.pages(t))
	s.bodyErr = nil
	b.build(t, generator.Options{})
	has(t, b.page(t, "/blog/a/"), "second")
}

// TestChangeWhileReading changes a document between its scan and its rendering.
func TestChangeWhileReading(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "first"})
	b := newBench(t, benchOptions{source: s})
	tries := 0
	s.bodyErr = func(site.BodyRef) error {
		if tries++; tries == 1 {
			go s.put(newPost("a.md", "a", -1), map[string]string{"": "second"})
			return fmt.Errorf("a.md: %w", site.ErrChanged)
		}
		return nil
	}
	b.build(t, generator.Options{})
	if tries < 2 {
		t.Errorf("the body was read %d times", tries)
	}
	b.build(t, generator.Options{})
	has(t, b.page(t, "/blog/a/"), "second")
}

func TestTemplateErrors(t *testing.T) {
	_, err := generator.LoadTheme(overlay(map[string]string{}), nil, "")
	if err == nil {
		t.Error("a theme without templates loads")
	}
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "x"})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	before := b.pages(t)
	b.SetTheme(loadTheme(t, map[string]string{"partials/body.html": "line one\n{{.Nothing}}\n"}))
	_, err = b.Build(t.Context(), generator.Options{Now: day(0)})
	var theme *generator.ThemeError
	if !errors.As(err, &theme) {
		t.Fatalf("Build = %v, want a ThemeError", err)
	}
	p := theme.Problems[0]
	if p.File != "partials/body.html" || p.Line != 2 || p.Text != "{{.Nothing}}" || !strings.Contains(p.Message, "/blog/a/") {
		t.Errorf("problem %+v, want file, line, text and the page", p)
	}
	comparePages(t, "after a template error", before, b.pages(t))
}

// TestEntryThatOnlyDefines gives an entry without a frame the layout, as Hugo does with baseof.html.
func TestEntryThatOnlyDefines(t *testing.T) {
	for name, text := range map[string]string{
		"main alone":       `{{define "main"}}<h1>{{.Title}} of ours</h1>{{end}}`,
		"with head":        "{{define \"head\"}}<meta name=\"ours\">{{end}}\n{{define \"main\"}}<h1>{{.Title}} of ours</h1>{{end}}\n",
		"with comments":    "{{- /* ours */ -}}\n<!-- ours -->\n{{ define `main` }}<h1>{{.Title}} of ours</h1>{{ end }}",
		"with another one": `{{define "title"}}{{.Title}} of ours{{end}}{{define "main"}}<h1>{{template "title" .}}</h1>{{end}}`,
	} {
		s := newShelf()
		s.put(newPost("a.md", "a", -1), map[string]string{"": "x"})
		b := newBench(t, benchOptions{source: s, theme: overlay(map[string]string{"post.html": text})})
		b.build(t, generator.Options{})
		page := b.page(t, "/blog/a/")
		for _, want := range []string{"<html", `rel="canonical"`, " of ours</h1>", "</html>"} {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s: the page has %q %d times, want once:\n%s", name, want, strings.Count(page, want), page)
			}
		}
	}
}

// TestPageThatIsNone holds back pages that came out empty or without <html>, and builds again when the entry is mended.
func TestPageThatIsNone(t *testing.T) {
	for text, message := range map[string]string{
		"":                                "the page comes out empty",
		"\n \n":                           "the page comes out empty",
		"{{/* nothing */}}":               "the page comes out empty",
		"{{if false}}<html>{{end}}":       "the page comes out empty",
		"<h1>{{.Title}}</h1>":             "the page comes out without <html>",
		"<htmlx>{{.Title}}":               "the page comes out without <html>",
		`{{define "head"}}<b></b>{{end}}`: `it includes "main", which does not exist`,
	} {
		s := newShelf()
		s.put(newPost("a.md", "a", -1), map[string]string{"": "x"})
		b := newBench(t, benchOptions{source: s})
		b.build(t, generator.Options{})
		before := b.pages(t)
		broken, err := generator.LoadTheme(templates.FS, overlay(map[string]string{"post.html": text}), "own")
		if err == nil {
			b.SetTheme(broken)
			_, err = b.Build(t.Context(), generator.Options{Now: day(0)})
		}
		theme, ok := errors.AsType[*generator.ThemeError](err)
		if !ok || theme.Problems[0].File != "own/post.html" || !strings.HasPrefix(theme.Problems[0].Message, message) || theme.Problems[0].Remedy == "" {
			t.Errorf("post.html = %q: %v, want %q of own/post.html", text, err, message)
		}
		comparePages(t, fmt.Sprintf("after post.html = %q", text), before, b.pages(t))
		b.SetTheme(loadTheme(t, map[string]string{"post.html": `{{define "main"}}<h1>mended</h1>{{end}}`}))
		b.build(t, generator.Options{})
		has(t, b.page(t, "/blog/a/"), "mended")
	}
}

func TestContestedSlugIsReported(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "same", -1), map[string]string{"": "of a"})
	s.put(newPost("b.md", "same", -2), map[string]string{"": "of b"})
	b := newBench(t, benchOptions{source: s})
	rep := b.build(t, generator.Options{})
	if len(rep.Skipped) != 1 || rep.Skipped[0].ID != "b.md" || !strings.Contains(rep.Skipped[0].Reason, "a.md") {
		t.Errorf("skipped %+v, want b.md because of a.md", rep.Skipped)
	}
	has(t, b.page(t, "/blog/same/"), "of a")
}

// TestWorkIsProportional edits one of many posts and counts what is looked at.
func TestWorkIsProportional(t *testing.T) {
	s := newShelf()
	for i := range 400 {
		s.put(newPost(fmt.Sprintf("%03d.md", i), fmt.Sprintf("p%03d", i), -400+i, fmt.Sprintf("t%d", i%7)), map[string]string{"": "x"})
	}
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	s.put(newPost("100.md", "p100", -300, "t2"), map[string]string{"": "another text"})
	if rep := b.build(t, generator.Options{Changed: []string{}}); rep.Rendered != 1 || rep.Changed != 1 {
		t.Errorf("a body edited: %d rendered, %d changed, want only its page", rep.Rendered, rep.Changed)
	}
	s.put(newPost("new.md", "new", -0, "t2"), map[string]string{"": "x"})
	// Its page, the one before it, up to four of its topic, home, blog and topic list, the numbered pages that
	// they may begin, feeds, llms.txt, sitemap and search.
	if rep := b.build(t, generator.Options{Changed: []string{}}); rep.Rendered > 25 {
		t.Errorf("a post published: %d rendered, want a number that does not grow with the site", rep.Rendered)
	}
}

func TestPathSafety(t *testing.T) {
	s := newShelf()
	for i, slug := range []string{"../../etc/passwd", "a/b", "nul\x00", "page", "index", "..", "CON", strings.Repeat("ä", 200), "e\u0301", "\u00e9", "É"} {
		p := newPost(fmt.Sprintf("%02d.md", i), "", -i)
		p.Slug = site.MakeSlug(slug)
		p.Title = fmt.Sprint("Post ", i)
		if p.Slug == "" {
			continue
		}
		s.put(p, map[string]string{"": "x"})
	}
	s.putFile("static/x", []byte("evil"), "/../outside.txt")
	b := newBench(t, benchOptions{source: s})
	_, err := b.Build(t.Context(), generator.Options{Now: day(0)})
	if err == nil {
		t.Fatal("a path with .. was committed")
	}
	s.drop("static/x")
	rep := b.build(t, generator.Options{})
	if len(rep.Skipped) != 2 {
		t.Errorf("skipped %+v, want the two posts whose slugs are é in another spelling", rep.Skipped)
	}
	for name := range readTree(t, b.dir) {
		if !strings.HasPrefix(name, "public/") && !strings.HasPrefix(name, "state/") {
			t.Errorf("written outside public: %s", name)
		}
	}
	if !strings.Contains(b.page(t, "/blog/"), "Post 0") {
		t.Error("the list was overwritten")
	}
}

func TestClockFlips(t *testing.T) {
	s := newShelf()
	p := newPost("a.md", "a", 5)
	p.Expires = day(10)
	s.put(p, map[string]string{"": "x"})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	if !b.NextFlip().Equal(day(5)) {
		t.Errorf("next flip %v, want %v", b.NextFlip(), day(5))
	}
	for _, tt := range []struct {
		now  time.Time
		want int
	}{{day(5).Add(-time.Second), 0}, {day(5), 200}, {day(10), 410}} {
		b.build(t, generator.Options{Now: tt.now, Changed: []string{}})
		got := 0
		if e, ok := b.store.Current().Lookup("/blog/a/"); ok {
			got = e.Status
		}
		if got != tt.want {
			t.Errorf("at %v status %d, want %d", tt.now, got, tt.want)
		}
	}
}

// TestFeedTextsAreMadeOnce counts how often the body of a post is asked for that is in all feeds.
func TestFeedTextsAreMadeOnce(t *testing.T) {
	s := newShelf()
	s.put(newPost("blog/a.md", "a", 0), map[string]string{"": "Some text."})
	var asked atomic.Int64
	s.bodyErr = func(site.BodyRef) error { asked.Add(1); return nil }
	b := newBench(t, benchOptions{source: s, noTree: true})
	b.build(t, generator.Options{})
	if got := asked.Load(); got != 2 {
		t.Errorf("the body was asked for %d times, want 2: for the post's page, and for all feeds", got)
	}
	for _, path := range []site.Path{"/feed.xml", "/atom.xml", "/feed.json"} {
		if text := b.pages(t)[path]; !strings.Contains(text, "Some text.") {
			t.Errorf("%s lacks the text", path)
		}
	}
}

// TestManyTermsAreBounded: the bytes of a site grow with a document's tags and authors, not with their square.
func TestManyTermsAreBounded(t *testing.T) {
	size := func(n int) int {
		s := newShelf()
		post := newPost("blog/a.md", "a", 0)
		for i := range n {
			post.Tags = append(post.Tags, fmt.Sprintf("tag%d", i))
			if len(post.Authors) < site.MaxAuthors {
				post.Authors = append(post.Authors, site.Author{Name: fmt.Sprintf("Ann %d", i)})
			}
		}
		s.put(post, map[string]string{"": "Some text."})
		b := newBench(t, benchOptions{source: s, noTree: true})
		b.build(t, generator.Options{})
		total := 0
		for _, text := range b.pages(t) {
			total += len(text)
		}
		return total
	}
	few, many := size(site.MaxTags/4), size(site.MaxTags)
	if many > 5*few {
		t.Errorf("4 times the tags and 2 the authors make %d bytes of %d", many, few)
	}
}

func TestFeedsLeaveLongTextsOut(t *testing.T) {
	s := newShelf()
	post := newPost("blog/a.md", "a", 0)
	post.Excerpt = "What it is about."
	s.put(post, map[string]string{"": strings.Repeat("Long words. ", 50_000)})
	b := newBench(t, benchOptions{source: s, noTree: true})
	b.build(t, generator.Options{})
	for _, path := range []site.Path{"/feed.xml", "/atom.xml", "/feed.json"} {
		if text := b.pages(t)[path]; strings.Contains(text, "Long words.") || strings.Count(text, "What it is about.") < 2 {
			t.Errorf("%s has %d bytes", path, len(text))
		}
	}
	has(t, b.page(t, "/blog/a/"), "Long words.")
}

// TestInterruptedBuild: a build whose context ends while it renders commits nothing, and the next one is as if it had not been.
func TestInterruptedBuild(t *testing.T) {
	s := newShelf()
	s.put(newPost("blog/a.md", "a", 0), map[string]string{"": strings.Repeat("[a](#top) *c*\n\n", 20_000)})
	ctx, cancel := context.WithCancel(t.Context())
	s.bodyErr = func(site.BodyRef) error { cancel(); return nil } // as soon as rendering begins
	b := newBench(t, benchOptions{source: s, noTree: true})
	if _, err := b.Build(ctx, generator.Options{Now: day(10)}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if id := b.store.Current().ID; id != 0 {
		t.Errorf("generation %d", id)
	}
	s.bodyErr = nil
	if rep := b.build(t, generator.Options{}); len(rep.Problems) > 0 || len(rep.Skipped) > 0 {
		t.Errorf("problems %v, skipped %v", rep.Problems, rep.Skipped)
	}
	has(t, b.page(t, "/blog/a/"), "<em>c</em>")
}
