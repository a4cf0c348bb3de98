package generator_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// garden is a site that is edited at random.
type garden struct {
	r       *rand.Rand
	source  *shelf
	posts   map[site.ID]*site.Post
	bodies  map[site.ID]string
	courses map[site.ID]*site.Course
	n       int
}

var gardenTags = []string{"Go", "go", "C++", "Rivers", "नदी", "Data Science", "data-science", "Ops", "Rare"}

func newGarden(seed uint64, posts int) *garden {
	g := &garden{
		r: rand.New(rand.NewPCG(seed, 7)), source: newShelf(), posts: map[site.ID]*site.Post{}, bodies: map[site.ID]string{},
		courses: map[site.ID]*site.Course{},
	}
	g.source.put(&site.Page{Meta: site.Meta{ID: "blog/_index.md", Source: "blog/_index.md", Title: "The Blog"}, Path: "/blog/", Section: true},
		map[string]string{"": "Hello, this is the blog."})
	g.source.put(&site.Page{Meta: site.Meta{ID: "pages/about.md", Source: "pages/about.md", Slug: "about", Title: "About"}, Path: "/about/", Nav: true},
		map[string]string{"": "See [one](../blog/p001.md) and ![pic](pic.png)."})
	g.source.putFile("blog/pic.png", []byte("0123"), "")
	g.source.putFile("static/robots.txt", []byte("User-agent: *\n"), "/robots.txt")
	for range posts {
		g.add()
	}
	for i := range 4 {
		g.course(i)
	}
	return g
}

func (g *garden) tags() []string {
	var out []string
	for range g.r.IntN(4) {
		if t := gardenTags[g.r.IntN(len(gardenTags))]; !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func (g *garden) text() string {
	var b strings.Builder
	for i := range 1 + g.r.IntN(3) {
		fmt.Fprintf(&b, "## Part %d\n\nSome words, number %d.\n\n", i, g.r.IntN(1000))
		switch g.r.IntN(5) {
		case 0:
			fmt.Fprintf(&b, "A [link](p%03d.md) to another.\n\n", g.r.IntN(g.n+3))
		case 1:
			b.WriteString("![a picture](pic.png)\n\n")
		case 2:
			fmt.Fprintf(&b, "Old [address](/old/%d/).\n\n", g.r.IntN(6))
		case 3:
			b.WriteString("```go\nfunc main() {}\n```\n\n")
		}
	}
	return b.String()
}

func (g *garden) add() {
	g.n++
	id := fmt.Sprintf("blog/p%03d.md", g.n)
	p := newPost(id, fmt.Sprintf("p%03d", g.n), -g.r.IntN(400), g.tags()...)
	p.Authors = []site.Author{{Name: []string{"Asha", "Ben", "Chitra"}[g.r.IntN(3)]}}
	if g.r.IntN(4) == 0 {
		p.Cover = site.Picture{Src: "pic.png", Alt: "cover"}
	}
	if g.r.IntN(6) == 0 {
		p.Aliases = []string{fmt.Sprintf("/old/%d/", g.r.IntN(6))}
	}
	g.save(p, g.text())
}

func (g *garden) save(p *site.Post, body string) {
	g.posts[p.ID], g.bodies[p.ID] = p, body
	g.source.put(p, map[string]string{"": body})
}

func (g *garden) course(i int) {
	id := site.ID(fmt.Sprintf("courses/c%d", i))
	c := &site.Course{Meta: site.Meta{
		ID: id, Source: string(id) + "/README.md", Slug: site.Slug(fmt.Sprintf("c%d", i)), Title: fmt.Sprintf("Course %d v%d", i, g.r.IntN(100)),
		Tags: g.tags(),
	}}
	bodies := map[string]string{"": "About the course. " + g.text()}
	m := site.Module{Title: "First"}
	for l := range 1 + g.r.IntN(4) {
		lid := site.ID(fmt.Sprintf("%s/%d.md", id, l))
		m.Lessons = append(m.Lessons, site.Lesson{
			ID: lid, Source: string(lid), Slug: site.Slug(fmt.Sprintf("lesson-%d", l)), Title: fmt.Sprintf("Lesson %d", l), Open: g.r.IntN(4) > 0,
		})
		bodies[string(lid)] = g.text()
	}
	c.Modules = []site.Module{m}
	g.courses[id] = c
	g.source.put(c, bodies)
}

func (g *garden) any() *site.Post {
	ids := make([]site.ID, 0, len(g.posts))
	for id := range g.posts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return g.posts[ids[g.r.IntN(len(ids))]]
}

// edit changes something and says what.
func (g *garden) edit() string {
	p := *g.any()
	body := g.bodies[p.ID]
	what := ""
	switch k := g.r.IntN(21); k {
	case 0, 1:
		g.add()
		return "add"
	case 2, 3:
		delete(g.posts, p.ID)
		g.source.drop(p.ID)
		return "delete " + string(p.ID)
	case 4:
		what, body = "body", g.text()
	case 5:
		p.Title += "!"
		what = "title"
	case 6:
		g.n++
		p.Slug = site.Slug(fmt.Sprintf("r%03d", g.n))
		what = "rename"
	case 7:
		p.Tags = g.tags()
		what = "retag"
	case 8:
		p.Published = day(g.r.IntN(30) - 400)
		what = "back-date"
	case 9:
		p.Published = day(g.r.IntN(40))
		what = "schedule"
	case 10:
		p.Draft = !p.Draft
		what = "draft"
	case 11:
		p.Expires = day(g.r.IntN(60))
		what = "expire"
	case 12:
		g.source.putFile("blog/pic.png", bytes.Repeat([]byte("x"), 1+g.r.IntN(9)), "")
		return "picture"
	case 13:
		i := g.r.IntN(5)
		if id := site.ID(fmt.Sprintf("courses/c%d", i)); g.courses[id] != nil && g.r.IntN(4) == 0 {
			delete(g.courses, id)
			g.source.drop(id)
			return "delete course"
		}
		g.course(i)
		return "course"
	case 16, 18, 19: // a file of its own, perhaps where a page, a list or a folder is
		places := []string{"notes", "img/x.png", "blog", "blog/" + string(p.Slug), "topic/go", "feed.xml", "old/1", "assets/pic.png", "blog/" + string(p.Slug) + "/pic.png",
			"blog/" + string(p.Slug) + "/index.html", "courses/c1/lesson-1", "courses/c2/lesson-0/index.html", "courses/c3", "feed.xml/a.png", "blog/index.html/a.png", "myindex.html",
			"topic/rare", "topic/rare/index.html", "topic/rare/feed.xml", "topic/ops/x.png", "author/dev", "author/dev/index.html", "blog/page/8/index.html", "topic/go/page/1", "topic/nosuch/index.html"}
		at := places[g.r.IntN(len(places))]
		if g.r.IntN(3) == 0 {
			g.source.drop(site.ID("static/" + at))
			return "delete static/" + at
		}
		g.source.putFile("static/"+at, bytes.Repeat([]byte("y"), 1+g.r.IntN(9)), site.Path("/"+at))
		return "static/" + at
	case 20: // content moves to another file, with another slug
		g.n++
		delete(g.posts, p.ID)
		g.source.drop(p.ID)
		p.ID = site.ID(fmt.Sprintf("zz/posts/m%03d.md", g.n)) // behind static/
		p.Source, p.Slug = string(p.ID), site.Slug(fmt.Sprintf("m%03d", g.n))
		what = "move"
	case 17:
		p.Draft, p.Hidden, p.Deleted = !p.Draft, "draft is true", g.r.IntN(2) == 0
		what = "hide"
	case 15:
		p.Lang, p.Group = []string{"", "hi", "ar", "en"}[g.r.IntN(4)], digest.Sum(g.r.IntN(4))
		what = "translate"
	case 14:
		p.Modified = p.Published.AddDate(0, 0, g.r.IntN(100))
		p.Authors = []site.Author{{Name: []string{"Asha", "Ben", "Dev"}[g.r.IntN(3)]}}
		what = "author"
	}
	g.save(&p, body)
	return what + " " + string(p.ID)
}

// TestIncrementalEqualsClean edits a site at random. After each step the incremental generation and its public tree
// must be byte for byte those of a clean build, and the pages rendered those whose bytes changed.
func TestIncrementalEqualsClean(t *testing.T) {
	seeds, steps := uint64(4), 15
	if testing.Short() {
		seeds, steps = 2, 10
	}
	var rendered, changed atomic.Int64
	t.Cleanup(func() {
		ratio := float64(rendered.Load()) / float64(changed.Load())
		t.Logf("content edits: %d pages rendered, %d with new bytes: ratio %.3f", rendered.Load(), changed.Load(), ratio)
		if ratio > 1.1 {
			t.Errorf("pages rendered are %.3f times those that changed, want at most 1.1", ratio)
		}
	})
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			results := openMemo(t)
			g := newGarden(seed, 120)
			inc := newBench(t, benchOptions{source: g.source, memo: results})
			now := 0
			inc.build(t, generator.Options{Now: day(now)})
			title := "Test"
			theme := map[string]string{}
			for step := range steps {
				var edits []string
				content := true
				switch g.r.IntN(12) {
				case 0:
					now += g.r.IntN(10)
					edits = append(edits, fmt.Sprint("time passes to day ", now))
				case 1: // a template
					name := []string{"partials/footer.html", "post.html", "partials/card.html"}[g.r.IntN(3)]
					theme[name] = templateText(t, name) + fmt.Sprintf("<!-- %d -->{{/* %d */}}<p>%d</p>", step, step, step)
					inc.SetTheme(loadTheme(t, theme))
					edits = append(edits, "template "+name)
					content = false
				case 2: // another process, perhaps with another setting
					if g.r.IntN(2) == 0 {
						title += "!"
						content = false
					}
					inc.end(t)
					g.source = g.source.copied()
					inc = newBench(t, benchOptions{source: g.source, memo: results, title: title, dir: inc.dir, theme: overlay(theme)})
					edits = append(edits, "restart, title "+title)
				}
				for range 1 + g.r.IntN(3) {
					edits = append(edits, g.edit())
				}
				before := inc.pages(t)
				rep := inc.build(t, generator.Options{Now: day(now), Changed: []string{}, AllowShrink: true})
				clean := newBench(t, benchOptions{source: g.source.copied(), memo: results, title: title, theme: overlay(theme), workers: 1 + step%3})
				clean.build(t, generator.Options{Now: day(now)})
				where := fmt.Sprintf("seed %d step %d after %v", seed, step, edits)
				comparePages(t, where, clean.pages(t), inc.pages(t))
				compareTrees(t, where, clean.public, inc.public)
				if t.Failed() {
					t.FailNow()
				}
				if content {
					rendered.Add(int64(rep.Rendered))
					changed.Add(int64(countPages(changedPages(before, inc.pages(t))) - 1))
				}
				if want := countPages(clean.pages(t)); rep.Pages != want {
					t.Fatalf("%s: report says %d pages, there are %d", where, rep.Pages, want)
				}
			}
		})
	}
}

// changedPages are the pages of is that was had not, or had with other bytes.
func changedPages(was, is map[site.Path]string) map[site.Path]string {
	out := map[site.Path]string{}
	for path, text := range is {
		if was[path] != text {
			out[path] = text
		}
	}
	return out
}

// countPages counts the addresses that readers get a page at, and the redirects file that pages leaves out.
func countPages(pages map[site.Path]string) int {
	n := 1 // _redirects
	for _, text := range pages {
		if strings.HasPrefix(text, "200 ") && !strings.Contains(strings.SplitN(text, "\n", 2)[0], fmt.Sprint("] ", site.KindAsset)) &&
			!strings.Contains(strings.SplitN(text, "\n", 2)[0], fmt.Sprint("] ", site.KindHidden)) {
			n++
		}
	}
	return n
}

func comparePages(t *testing.T, where string, want, got map[site.Path]string) {
	t.Helper()
	for path, text := range want {
		if g, ok := got[path]; !ok {
			t.Errorf("%s: %s is missing", where, path)
		} else if g != text {
			t.Errorf("%s: %s differs from a clean build:\n%s", where, path, firstDifference(text, g))
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s: %s is left over", where, path)
		}
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nclean:       %.600s\nincremental: %.600s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(w), len(g))
}

// compareTrees compares two public trees file by file, the marker and the redirects apart.
func compareTrees(t *testing.T, where, want, got string) {
	t.Helper()
	w, g := readTree(t, want), readTree(t, got)
	for name, data := range w {
		if g[name] != data {
			t.Errorf("%s: public file %s differs from a clean build's", where, name)
		}
	}
	for name := range g {
		if _, ok := w[name]; !ok {
			t.Errorf("%s: public file %s is left over", where, name)
		}
	}
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		if rel == ".freshet" || rel == "_redirects" {
			return nil
		}
		data, err := os.ReadFile(name)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDeterminism builds the same documents with one worker and with many, in whatever order the source gives them.
func TestDeterminism(t *testing.T) {
	g := newGarden(3, 150)
	var first map[string]string
	for _, workers := range []int{1, 2, 7} {
		b := newBench(t, benchOptions{source: g.source.copied(), workers: workers})
		b.build(t, generator.Options{Now: day(0)})
		tree := readTree(t, b.public)
		if first == nil {
			first = tree
			continue
		}
		for name, data := range first {
			if tree[name] != data {
				t.Errorf("%d workers: %s differs", workers, name)
			}
		}
		if len(tree) != len(first) {
			t.Errorf("%d workers: %d files, want %d", workers, len(tree), len(first))
		}
	}
}

// TestNothingChanged builds twice: the second build must not commit, and must not touch the tree.
func TestNothingChanged(t *testing.T) {
	g := newGarden(5, 50)
	b := newBench(t, benchOptions{source: g.source})
	first := b.build(t, generator.Options{Now: day(0)})
	again := b.build(t, generator.Options{Now: day(0)})
	if again.Committed || again.Rendered != 0 || again.Generation != first.Generation {
		t.Errorf("second build: %+v", again)
	}
	b.end(t)
	b = newBench(t, benchOptions{source: g.source.copied(), dir: b.dir})
	if rep := b.build(t, generator.Options{Now: day(0)}); rep.Committed || rep.Rendered != 0 {
		t.Errorf("build by another process: %+v", rep)
	}
	if rep := b.build(t, generator.Options{Now: day(0).Add(time.Minute), Full: true}); rep.Rendered < first.Pages-2 || rep.Changed != 0 || rep.Committed {
		t.Errorf("full build: %+v, want every page rendered and none changed", rep)
	}
}
