package publictree_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/encoding"
	"freshet/internal/pagestore"
	"freshet/internal/pagestore/pagetest"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

var compressed = publictree.Options{Precompress: true}

// long is a body that shrinks.
func long(s string) string { return strings.Repeat(s+" flows to the sea. ", 40) }

// theEncoder is one for all tests: they are costly to set up.
var theEncoder = sync.OnceValues(func() (*encoding.Encoder, error) { return encoding.New(1) })

// withForms adds to files the forms that they have in a tree that keeps forms.
func withForms(t testing.TB, all pages) pages {
	t.Helper()
	x, err := theEncoder()
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(all)
	for name, body := range all {
		if len(body) < encoding.LeastBytes || strings.HasPrefix(name, "_") {
			continue
		}
		for c := encoding.Gzip; c < encoding.Count; c++ {
			form, err := x.Encode(c, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if _, taken := all[name+c.Ext()]; !taken && len(form) < len(body) {
				want[name+c.Ext()] = string(form)
			}
		}
	}
	return want
}

// diffFiles tells how the files of a folder differ from those wanted; bodies are cut short.
func diffFiles(t testing.TB, dir string, want pages) string {
	t.Helper()
	short := func(all pages) pages {
		out := pages{}
		for name, body := range all {
			if len(body) > 60 || strings.ContainsRune(body, 0) {
				body = fmt.Sprintf("%d bytes %q", len(body), body[:min(len(body), 24)])
			}
			out[name] = body
		}
		return out
	}
	got := files(t, dir)
	if maps.Equal(got, want) {
		return ""
	}
	return cmp.Diff(short(want), short(got)) + "\nor the ends of bodies"
}

// checkForms fails if a form is of anything but the file beside it.
func checkForms(t testing.TB, dir string, foreign ...string) {
	t.Helper()
	all := files(t, dir)
	for name, form := range all {
		plain, c := encoding.Split(name)
		if c == encoding.Identity || strings.HasPrefix(name, ".freshet-new/") || slices.Contains(foreign, name) {
			continue
		}
		body, ok := all[plain]
		if !ok || !encoding.Holds(c, []byte(form), []byte(body)) {
			t.Errorf("%s is not of the file beside it (which is there: %v)", name, ok)
		}
	}
}

func TestFormsFollowGenerations(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	want := pages{}
	tree := openTree(t, dir, w, compressed)
	noise := make([]byte, 400)
	for i, r := 0, rand.New(rand.NewPCG(1, 1)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	steps := []struct {
		what   string
		change pages
		on     bool
		files  int // written and removed
	}{
		{"first", pages{"/": long("home"), "/blog/a/": long("a"), "/blog/b/": long("b"), "/small/": "small", "/noise/": string(noise),
			"/assets/a.css": long("css"), "/_redirects": long("redirects"), "/feed.xml": long("feed")}, true, 8 + 5*3},
		{"change", pages{"/blog/a/": long("a2")}, true, 4},
		{"a new page in a folder that is there", pages{"/blog/c/": long("c"), "/about.html": long("about")}, true, 8},
		{"shrink", pages{"/blog/b/": "b"}, true, 4},
		{"grow", pages{"/blog/b/": long("b3"), "/small/": long("s")}, true, 8},
		{"not smaller any more", pages{"/small/": string(noise[1:])}, true, 4},
		{"remove", pages{"!/blog/c/": "", "!/feed.xml": ""}, true, 8},
		{"off", nil, false, 5 * 3},
		{"change while off", pages{"/blog/a/": long("a4")}, false, 1},
		{"on", nil, true, 5 * 3},
		{"off and remove and change", pages{"!/blog/a/": "", "/blog/b/": long("b4"), "/new/": long("new")}, false, 4 + 4 + 1 + 3*3},
		{"on and change", pages{"/blog/b/": long("b5")}, true, 4 + 4*3},
		{"a page that has the name of a form", pages{"/assets/a.css.gz": "mine"}, true, 1},
		{"its file changes", pages{"/assets/a.css": long("css2")}, true, 3},
		{"and goes", pages{"!/assets/a.css.gz": ""}, true, 2},
		{"a folder that has the name of a form", pages{"/about.html.br/x/": long("x")}, true, 1 + 3},
		{"its file changes", pages{"/about.html": long("about 2")}, true, 3},
		{"and goes", pages{"!/about.html.br/x/": ""}, true, 4 + 1},
		{"all go", pages{"!/": "", "!/blog/b/": "", "!/small/": "", "!/noise/": "", "!/assets/a.css": "", "!/_redirects": "", "!/about.html": "",
			"!/new/": ""}, true, 8 + 5*3},
	}
	on := true
	for i, step := range steps {
		want = after(want, step.change)
		if len(step.change) > 0 {
			commit(t, w, step.change)
		}
		if on != step.on || i%4 == 3 {
			on = step.on
			tree = openTree(t, dir, w, publictree.Options{Precompress: on})
		}
		if n := syncTree(t, tree, w.Current()); n != step.files {
			t.Errorf("%d: %s: %d files were changed, want %d", i, step.what, n, step.files)
		}
		there := asFiles(want)
		if on {
			there = withForms(t, there)
			if _, ok := there["about.html.br/x/index.html"]; ok {
				delete(there, "about.html.br")
			}
		}
		if diff := diffFiles(t, dir, there); diff != "" {
			t.Fatalf("%d: %s (-want +got):\n%s", i, step.what, diff)
		}
		stamps := modTimes(t, dir)
		if n := syncTree(t, tree, w.Current()); n != 0 {
			t.Errorf("%d: %s: a second Sync changed %d files", i, step.what, n)
		}
		if n, err := tree.Verify(t.Context(), w.Current()); n != 0 || err != nil {
			t.Errorf("%d: %s: Verify changed %d files, %v", i, step.what, n, err)
		}
		if diff := cmp.Diff(stamps, modTimes(t, dir)); diff != "" {
			t.Errorf("%d: %s: doing nothing has touched files: %s", i, step.what, diff)
		}
	}
}

// TestFormsAreOfOneVersion: forms that other encoders made are made anew, once.
func TestFormsAreOfOneVersion(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	g := commit(t, w, pages{"/": long("home")})
	syncTree(t, openTree(t, dir, w, compressed), g)
	marker, err := os.ReadFile(filepath.Join(dir, ".freshet"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := theEncoder()
	if err != nil {
		t.Fatal(err)
	}
	form, err := x.Encode(encoding.Gzip, []byte("another form of the home page"))
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, pages{".freshet": strings.Replace(string(marker), `"forms":"`, `"forms":"older `, 1), "index.html.gz": string(form)})
	tree := openTree(t, dir, w, compressed)
	if n := syncTree(t, tree, g); n != 1 {
		t.Errorf("%d files were changed, want 1", n)
	}
	if n := syncTree(t, tree, g); n != 0 {
		t.Errorf("the next Sync changed %d files", n)
	}
	if diff := diffFiles(t, dir, withForms(t, pages{"index.html": long("home")})); diff != "" {
		t.Error(diff)
	}
}

func TestFormsVerifyMends(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g := commit(t, w, pages{"/": long("home"), "/a/": long("a"), "/b/": long("b"), "/small/": "small"})
	want := withForms(t, asFiles(pages{"/": long("home"), "/a/": long("a"), "/b/": long("b"), "/small/": "small"}))
	tests := map[string]func(dir string, tree *publictree.Tree) (int, error){
		"Verify": func(_ string, tree *publictree.Tree) (int, error) { return tree.Verify(t.Context(), g) },
		"after a reboot": func(_ string, tree *publictree.Tree) (int, error) {
			publictree.SetBoot(tree, "another")
			return tree.Sync(t.Context(), g)
		},
		"torn marker": func(dir string, _ *publictree.Tree) (int, error) {
			writeFiles(t, dir, pages{".freshet": "\x00\x00"})
			return openTree(t, dir, w, compressed).Sync(t.Context(), g)
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tree := openTree(t, dir, w, compressed)
			syncTree(t, tree, g)
			writeFiles(t, dir, pages{"a/index.html.br": "", "a/index.html.gz": want["b/index.html.gz"], "b/index.html": "torn"})
			if err := os.Remove(filepath.Join(dir, "index.html.zst")); err != nil {
				t.Fatal(err)
			}
			if n, err := do(dir, tree); n != 3+4 || err != nil {
				t.Errorf("%d files were mended, %v, want 7", n, err)
			}
			if diff := diffFiles(t, dir, want); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("torn marker and off", func(t *testing.T) {
		dir := t.TempDir()
		syncTree(t, openTree(t, dir, w, compressed), g)
		writeFiles(t, dir, pages{".freshet": "\x00\x00", "mine.br": "mine"})
		syncTree(t, openTree(t, dir, w, publictree.Options{}), g)
		wantFiles(t, dir, pages{"index.html": long("home"), "a/index.html": long("a"), "b/index.html": long("b"), "small/index.html": "small",
			"mine.br": "mine"})
	})
}

// TestFormsCrash stops a Sync before each of its steps, with forms kept, begun and given up. At any moment a form is of
// the file beside it, and the next Sync finishes, whatever it is asked for.
func TestFormsCrash(t *testing.T) {
	first := pages{"/": long("home"), "/blog/a/": long("a"), "/assets/a.css": long("css"), "/gone/": long("gone"), "/x/y/": long("y"),
		"/tiny/": long("tiny"), "/same/": long("same")}
	second := pages{"/": long("home 2"), "/blog/a/": long("a2"), "/assets/a.css": long("css 2"), "!/gone/": "", "!/x/y/": "", "/x": long("x"),
		"/tiny/": "tiny", "/new/a/": long("new"), "/new/a/b/": "small", "/assets/a.css.br/z/": long("z")}
	third := pages{"/": long("home"), "/new/a/": long("new 3"), "!/new/a/b/": "", "/tiny/": long("tiny"), "!/assets/a.css.br/z/": ""}
	for _, way := range []struct{ before, during, then, later bool }{
		{true, true, true, false}, {false, true, true, true}, {true, false, false, false}, {false, true, false, true}, {true, false, true, true},
	} {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			t.Parallel()
			var before func(step, name string) error
			w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
			g1 := commit(t, w, first)
			g2 := commit(t, w, second)
			g3 := commit(t, w, third)
			for n := 0; ; n++ {
				before = nil
				dir := t.TempDir()
				syncTree(t, openTree(t, dir, w, stepped(publictree.Options{Precompress: way.before}, &before)), g1)
				mine := pages{"same/index.html.br": "mine"} // in the place of a form, unless freshet has written it
				foreign := !way.before
				if foreign {
					writeFiles(t, dir, mine)
				}
				tree := openTree(t, dir, w, stepped(publictree.Options{Precompress: way.during}, &before))
				var stopped func() bool
				before, stopped = pagetest.StopAt(n)
				_, _ = tree.Sync(t.Context(), g2)
				before = nil
				if foreign {
					checkForms(t, dir, "same/index.html.br")
				} else {
					checkForms(t, dir)
				}
				tree = openTree(t, dir, w, stepped(publictree.Options{Precompress: way.then}, &before))
				g, want := g2, after(first, second)
				if way.later {
					g, want = g3, after(want, third)
				}
				_, err := tree.Sync(t.Context(), g)
				if f, ok := errors.AsType[*publictree.ForeignError](err); err != nil && (!ok || !foreign || len(f.Files) != 1) {
					t.Fatalf("step %d: %v", n, err)
				} else if foreign && way.then && !ok {
					t.Errorf("step %d: no ForeignError", n)
				}
				there := asFiles(want)
				if way.then {
					there = withForms(t, there)
					if _, ok := there["assets/a.css.br/z/index.html"]; ok {
						delete(there, "assets/a.css.br")
					}
				}
				if foreign {
					there = after(there, mine)
				}
				if diff := diffFiles(t, dir, there); diff != "" {
					t.Fatalf("step %d (-want +got):\n%s", n, diff)
				}
				if !stopped() {
					if n < 15 {
						t.Fatalf("only %d steps", n)
					}
					return
				}
			}
		})
	}
}

// TestFormsRandomly switches forms on and off between random generations, some of them written halfway.
func TestFormsRandomly(t *testing.T) {
	names := []string{"/", "/a/", "/a/b/", "/a/index.html.gz", "/assets/x", "/assets/x.br", "/assets/x.zst/y/", "/feed.xml", "/blog/p/"}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		var before func(step, name string) error
		w := openWriter(t, pagestore.Config{Dir: t.TempDir(), Keep: 3})
		dir := t.TempDir()
		opt := stepped(compressed, &before)
		tree := openTree(t, dir, w, opt)
		want := pages{}
		for i := range 60 {
			change := pages{}
			for range 1 + r.IntN(4) {
				switch name := names[r.IntN(len(names))]; r.IntN(4) {
				case 0:
					change["!"+name] = ""
					delete(change, name)
				case 1:
					change[name] = fmt.Sprint(name, r.IntN(3))
					delete(change, "!"+name)
				default:
					change[name] = long(fmt.Sprint(name, r.IntN(3)))
					delete(change, "!"+name)
				}
			}
			want = after(want, change)
			g := commit(t, w, change)
			if r.IntN(4) == 0 {
				opt.Precompress = !opt.Precompress
				tree = openTree(t, dir, w, opt)
			}
			if r.IntN(2) == 0 {
				before, _ = pagetest.StopAt(r.IntN(15))
				_, _ = tree.Sync(t.Context(), g)
				before = nil
				if r.IntN(2) == 0 {
					continue
				}
				if r.IntN(2) == 0 {
					opt.Precompress = r.IntN(2) == 0
					tree = openTree(t, dir, w, opt)
				}
			}
			if _, err := tree.Sync(t.Context(), g); err != nil {
				t.Fatalf("seed %d, generation %d: %v", seed, i+1, err)
			}
			there := asFiles(want)
			if opt.Precompress {
				there = withForms(t, there)
				if _, ok := there["assets/x.zst/y/index.html"]; ok {
					delete(there, "assets/x.zst")
				}
			}
			if diff := diffFiles(t, dir, there); diff != "" {
				t.Fatalf("seed %d, generation %d (-want +got):\n%s", seed, i+1, diff)
			}
		}
	}
}

func TestForeignForms(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	g1 := commit(t, w, pages{"/a/": long("a"), "/b/": long("b"), "/c/": "c"})
	open := func(on, adopt bool) *publictree.Tree {
		return openTree(t, dir, w, publictree.Options{Precompress: on, Adopt: adopt})
	}
	syncTree(t, open(false, false), g1)
	mine := pages{"a/index.html.br": "mine", "c/index.html.gz": "mine", "mine.br": "mine"}
	writeFiles(t, dir, mine)
	foreign := func(tree *publictree.Tree, g *pagestore.Generation, want ...string) {
		t.Helper()
		for _, do := range []string{"Sync", "Sync again", "Verify"} {
			f := tree.Sync
			if do == "Verify" {
				f = tree.Verify
			}
			_, err := f(t.Context(), g)
			e, ok := errors.AsType[*publictree.ForeignError](err)
			switch {
			case len(want) == 0 && err != nil, len(want) > 0 && !ok:
				t.Errorf("%s gives %v", do, err)
			case ok && !slices.Equal(e.Files, want):
				t.Errorf("%s names %q, want %q", do, e.Files, want)
			}
		}
	}
	check := func(want pages) {
		t.Helper()
		if diff := diffFiles(t, dir, want); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	// On: others' files stay, all else gets its forms. A page that has no forms has nothing in its way.
	foreign(open(true, false), g1, "a/index.html.br")
	want := pages{"a/index.html": long("a"), "b/index.html": long("b"), "c/index.html": "c"}
	check(after(withForms(t, want), mine))

	// Also when pages change, and when one comes to have forms.
	g2 := commit(t, w, pages{"/a/": long("a2"), "/c/": long("c2")})
	foreign(open(true, false), g2, "a/index.html.br", "c/index.html.gz")
	want = pages{"a/index.html": long("a2"), "b/index.html": long("b"), "c/index.html": long("c2")}
	check(after(withForms(t, want), mine))

	// Off: what freshet wrote goes, save what somebody has changed.
	writeFiles(t, dir, pages{"b/index.html.zst": "mine too"})
	foreign(open(false, false), g2)
	mine["b/index.html.zst"] = "mine too"
	check(after(want, mine))

	// What is moved away is written, what is adopted is overwritten. A page that goes takes its own forms along.
	foreign(open(true, false), g2, "a/index.html.br", "b/index.html.zst", "c/index.html.gz")
	if err := os.Remove(filepath.Join(dir, "a/index.html.br")); err != nil {
		t.Fatal(err)
	}
	delete(mine, "a/index.html.br")
	foreign(open(true, false), g2, "b/index.html.zst", "c/index.html.gz")
	check(after(withForms(t, want), mine))
	foreign(open(true, false), commit(t, w, pages{"!/b/": ""}), "c/index.html.gz")
	delete(want, "b/index.html")
	check(after(withForms(t, want), mine))
	foreign(open(true, true), w.Current())
	delete(mine, "c/index.html.gz")
	check(after(withForms(t, want), mine))

	// A form that somebody made better is right, until its page changes.
	x, err := theEncoder()
	if err != nil {
		t.Fatal(err)
	}
	other, err := x.Encode(encoding.Zstd, []byte(long("a2")[:7]))
	if err != nil {
		t.Fatal(err)
	}
	rest, err := x.Encode(encoding.Zstd, []byte(long("a2")[7:]))
	if err != nil {
		t.Fatal(err)
	}
	other = append(other, rest...) // two frames
	writeFiles(t, dir, pages{"a/index.html.zst": string(other)})
	foreign(open(true, false), w.Current())
	check(after(after(withForms(t, want), mine), pages{"a/index.html.zst": string(other)}))
	g := commit(t, w, pages{"/a/": long("a3")})
	syncTree(t, open(true, false), g)
	want["a/index.html"] = long("a3")
	check(after(withForms(t, want), mine))
}

// TestFormsByType: forms are made of what shrinks, whatever its size.
func TestFormsByType(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	put := func(types map[string]string) *pagestore.Generation {
		b := w.Begin()
		ref, err := b.Object([]byte(long("a")))
		if err != nil {
			t.Fatal(err)
		}
		for path, contentType := range types {
			b.Put(site.Entry{Path: site.Path(path), Kind: site.KindAsset, Status: 200, Type: contentType, Object: ref}, nil)
		}
		g, err := b.Commit(pagestore.CommitInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	tree := openTree(t, dir, w, compressed)
	formed := func() (got []string) {
		for name := range files(t, dir) {
			if plain, c := encoding.Split(name); c == encoding.Brotli {
				got = append(got, plain)
			}
		}
		slices.Sort(got)
		return got
	}
	syncTree(t, tree, put(map[string]string{"/a.json": "application/json", "/a.png": "image/png", "/a.svg": "image/svg+xml", "/a.zip": "application/zip",
		"/a.css": "text/css", "/a.js": "text/javascript; charset=utf-8", "/a.webmanifest": "application/manifest+json", "/a": "text/plain"}))
	if diff := cmp.Diff([]string{"a", "a.css", "a.js", "a.json", "a.svg", "a.webmanifest"}, formed()); diff != "" {
		t.Errorf("files with forms (-want +got):\n%s", diff)
	}
	// A type changes, and the bytes do not.
	syncTree(t, tree, put(map[string]string{"/a": "application/octet-stream", "/a.zip": "text/plain"}))
	if diff := cmp.Diff([]string{"a.css", "a.js", "a.json", "a.svg", "a.webmanifest", "a.zip"}, formed()); diff != "" {
		t.Errorf("files with forms (-want +got):\n%s", diff)
	}
}
