package publictree_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/pagestore"
	"freshet/internal/pagestore/pagetest"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

type pages = pagetest.Pages

var (
	kindOf       = pagetest.Kind
	put          = pagetest.Put
	commit       = pagetest.Commit
	after        = pagetest.After
	openWriter   = pagetest.OpenWriter
	openReader   = pagetest.OpenReader
	closeWriter  = pagetest.CloseWriter
	wantContents = pagetest.WantContents
)

// stepped returns opt with *before as the function that is asked before every step.
func stepped(opt publictree.Options, before *func(step, name string) error) publictree.Options {
	return publictree.WithSteps(opt, func(step, name string) error {
		if *before != nil {
			return (*before)(step, name)
		}
		return nil
	})
}

func openTree(t testing.TB, dir string, w *pagestore.Writer, opt publictree.Options) *publictree.Tree {
	t.Helper()
	tree, err := publictree.Open(dir, w, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

func syncTree(t testing.TB, tree *publictree.Tree, g *pagestore.Generation) int {
	t.Helper()
	n, err := tree.Sync(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// files are the contents of a folder's files by name, the tree's own apart. A folder without files is listed with a
// slash.
func files(t testing.TB, dir string) pages {
	t.Helper()
	got := pages{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"))
		switch {
		case rel == "" || rel == ".freshet":
		case d.IsDir():
			if inside, err := os.ReadDir(name); err != nil || len(inside) == 0 {
				got[rel+"/"] = ""
			}
		default:
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			got[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// asFiles are the files that pages have.
func asFiles(all pages) pages {
	want := pages{}
	for path, body := range all {
		if kind := kindOf(path); kind == site.KindRedirect || kind == site.KindHidden {
			continue
		}
		name := strings.TrimPrefix(path, "/")
		if name == "" || strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		want[name] = body
	}
	return want
}

func wantFiles(t testing.TB, dir string, want pages) {
	t.Helper()
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func writeFiles(t testing.TB, dir string, all pages) {
	t.Helper()
	for name, body := range all {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// aSite has pages of every kind.
var aSite = pages{
	"/": "home", "/blog/": "list", "/blog/page/2/": "list 2", "/topic/go/": "go", "/blog/नदी/": "river", "/blog/b/": "b",
	"/courses/c/lesson/": "lesson", "/courses/c/": "course", "/about/": "about", "/404.html": "not found",
	"/assets/style.css": "css", "/assets/deep/er/logo.svg": "svg", "/feed.xml": "feed", "/_redirects": "redirects", "/empty/": "",
	"/old/x": "/blog/b/", "/api/feed": "json",
}

func TestTreeFollowsGenerations(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := filepath.Join(t.TempDir(), "deep", "public")
	tree := openTree(t, dir, w, publictree.Options{})
	want := pages{}
	steps := []struct {
		change pages
		files  int // written and removed
	}{
		{aSite, len(aSite) - 2},
		{pages{"/blog/b/": "b2"}, 1},
		{pages{"/blog/new/": "new", "/blog/new/er/": "newer", "/topic/": "topics", "/assets/style.css": "css2"}, 4},
		{pages{"!/courses/c/lesson/": "", "!/courses/c/": "", "!/assets/deep/er/logo.svg": ""}, 3},
		{pages{"/old/x": "/blog/new/", "/api/feed": "json 2"}, 0},
		{pages{"/blog/b/": "b2"}, 0},
		{pages{"!/404.html": "", "/404.html/x/": "a folder now"}, 2},
		{pages{"!/404.html/x/": "", "/404.html": "a file again", "!/blog/new/er/": "", "/blog/new/er": "too"}, 4},
		{pages{"!/about/": "", "/about/index.html": "about"}, 0},
	}
	for i, step := range steps {
		want = after(want, step.change)
		g := commit(t, w, step.change)
		if n := syncTree(t, tree, g); n != step.files {
			t.Errorf("step %d changed %d files, want %d", i, n, step.files)
		}
		wantFiles(t, dir, asFiles(want))
		stamps := modTimes(t, dir)
		if n := syncTree(t, tree, g); n != 0 {
			t.Errorf("step %d: a second Sync changed %d files", i, n)
		}
		if n, err := tree.Verify(t.Context(), g); n != 0 || err != nil {
			t.Errorf("step %d: Verify changed %d files, %v", i, n, err)
		}
		if i%3 == 0 { // another process
			tree = openTree(t, dir, w, publictree.Options{})
			if n := syncTree(t, tree, g); n != 0 {
				t.Errorf("step %d: Sync of a second process changed %d files", i, n)
			}
		}
		if diff := cmp.Diff(stamps, modTimes(t, dir)); diff != "" {
			t.Errorf("step %d: doing nothing has touched files: %s", i, diff)
		}
	}
	all := pages{}
	for path := range want {
		all["!"+path] = ""
	}
	syncTree(t, tree, commit(t, w, all))
	wantFiles(t, dir, pages{})
}

func modTimes(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name := range files(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = info.ModTime().String()
	}
	return out
}

// TestTreeOrder records the steps of a Sync: what is linked to comes first, removals come last.
func TestTreeOrder(t *testing.T) {
	var mu sync.Mutex
	var steps []string
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.WithSteps(publictree.Options{}, func(step, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if step == "rename" || step == "remove" || step == "marker" {
			steps = append(steps, step+" "+name)
		}
		return nil
	}))
	syncTree(t, tree, commit(t, w, after(aSite, pages{"/blog/z/": "z"})))
	steps = nil
	syncTree(t, tree, commit(t, w, pages{
		"/blog/b/": "b2", "/blog/": "list 3", "/feed.xml": "feed 2", "/assets/style.css": "css 2", "/": "home 2", "!/blog/z/": "",
		"!/about/": "", "/about.html": "about", "/blog/page/2/": "2", "/assets/new.css": "new", "/courses/d/": "d", "/topic/new/": "new",
	}))
	ranks := map[string]int{
		"rename assets/style.css": 1, "rename assets/new.css": 1,
		"rename blog/b/index.html": 2, "rename about.html": 2, "rename courses/d": 2,
		"rename blog/index.html": 3, "rename index.html": 3, "rename blog/page/2/index.html": 3, "rename topic/new": 3,
		"rename feed.xml":          4,
		"remove blog/z/index.html": 5, "remove about/index.html": 5,
	}
	if len(steps) != len(ranks)+2 || steps[0] != "marker .freshet" || steps[len(steps)-1] != "marker .freshet" {
		t.Fatalf("steps %q, want %d between two writes of the marker", steps, len(ranks))
	}
	last := 0
	for _, step := range steps[1 : len(steps)-1] {
		rank := ranks[step]
		if rank < last {
			t.Errorf("%q comes too late: %q", step, steps)
		}
		last = rank
	}
}

// TestTreeCrash stops a Sync before each of its steps. At any moment every file is whole, and where a list or page is
// the new one, the assets are too. The next Sync, of the same process or another, of the same generation or a later
// one, finishes what was begun.
func TestTreeCrash(t *testing.T) {
	first := after(aSite, pages{"/file": "file", "/folder/x/": "x", "/only-1/": "1"})
	second := pages{
		"/blog/b/": "b2", "/blog/": "list of 2", "/assets/style.css": "css 2", "/feed.xml": "feed 2", "!/about/": "", "!/only-1/": "",
		"/new/a/": "a", "/new/b/": "b", "/new/b/c/": "c", "/blog/only-2/": "2", "!/topic/go/": "",
		"!/file": "", "/file/x/": "now a folder", "!/folder/x/": "", "/folder": "now a file",
	}
	third := pages{"/blog/b/": "b3", "!/blog/only-2/": "", "/new/a/": "a3", "!/new/b/": "", "!/new/b/c/": "", "/third/": "3"}
	type variant struct {
		name                string
		reopen, third, boot bool
	}
	for _, v := range []variant{
		{"same process", false, false, false}, {"next process", true, false, false}, {"a later generation", true, true, false},
		{"a later generation, same process", false, true, false}, {"after a reboot", true, true, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			stateDir := t.TempDir()
			var before func(step, name string) error
			w := openWriter(t, pagestore.Config{Dir: stateDir})
			g1 := commit(t, w, first)
			g2 := commit(t, w, second)
			g3 := commit(t, w, third)
			is1, is2 := asFiles(first), asFiles(after(first, second))
			for n := 0; ; n++ {
				before = nil
				dir := t.TempDir()
				tree := openTree(t, dir, w, stepped(publictree.Options{}, &before))
				syncTree(t, tree, g1)
				var stopped func() bool
				before, stopped = pagetest.StopAt(n)
				_, err := tree.Sync(t.Context(), g2)
				before = nil
				if !stopped() {
					if err != nil {
						t.Fatal(err)
					}
					if n < 20 {
						t.Fatalf("only %d steps", n)
					}
					wantFiles(t, dir, is2)
					return
				}
				for name, body := range files(t, dir) {
					if strings.HasPrefix(name, ".freshet-new/") || name == ".freshet.tmp" {
						continue
					}
					if body != is1[name] && body != is2[name] {
						t.Errorf("step %d: %s holds %q", n, name, body)
					}
					if body == is2[name] && body != is1[name] && !strings.HasPrefix(name, "assets/") {
						if css, _ := os.ReadFile(filepath.Join(dir, "assets/style.css")); string(css) != "css 2" {
							t.Errorf("step %d: %s is there before its assets", n, name)
						}
					}
				}
				if v.reopen {
					tree = openTree(t, dir, w, stepped(publictree.Options{}, &before))
				}
				if v.boot { // and the crash has torn a file
					there := files(t, dir)
					for name, torn := range (pages{"blog/b/index.html": "\x00", "new/a/index.html": "", "feed.xml": "x"}) {
						if _, ok := there[name]; ok {
							writeFiles(t, dir, pages{name: torn})
						}
					}
					publictree.SetBoot(tree, "another")
				}
				g, want := g2, after(first, second)
				if v.third {
					g, want = g3, after(want, third)
				}
				if _, err := tree.Sync(t.Context(), g); err != nil {
					t.Fatalf("step %d: %v", n, err)
				}
				if diff := cmp.Diff(asFiles(want), files(t, dir)); diff != "" {
					t.Fatalf("step %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// TestTreeCrashKeepsForeignFiles: a file in the place of a page that is new is nobody's but its owner's, also when it is
// no new page any more for the Sync that finishes.
func TestTreeCrashKeepsForeignFiles(t *testing.T) {
	var before func(step, name string) error
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g1 := commit(t, w, pages{"/": "home", "/blog/a/": "a", "/x/y/": "y"})
	change := pages{"/favicon.ico": "icon", "/blog/b/": "b", "/": "home 2", "/new/": "new", "!/x/y/": "", "/x": "x"}
	g2 := commit(t, w, change)
	for n := 0; ; n++ {
		before = nil
		dir := t.TempDir()
		tree := openTree(t, dir, w, stepped(publictree.Options{}, &before))
		syncTree(t, tree, g1)
		mine := pages{"favicon.ico": "mine", "blog/b/index.html": "mine", "x/mine.txt": "mine"}
		writeFiles(t, dir, mine)
		var stopped func() bool
		before, stopped = pagetest.StopAt(n)
		_, _ = tree.Sync(t.Context(), g2)
		before = nil
		for range 2 {
			tree = openTree(t, dir, w, stepped(publictree.Options{}, &before))
			_, err := tree.Sync(t.Context(), g2)
			if f, ok := errors.AsType[*publictree.ForeignError](err); !ok || len(f.Files) != 3 {
				t.Errorf("step %d: Sync gives %v, want a ForeignError of three", n, err)
			}
			wantFiles(t, dir, after(mine, pages{"index.html": "home 2", "blog/a/index.html": "a", "new/index.html": "new"}))
		}
		if !stopped() {
			return
		}
	}
}

// TestTreeRandomly makes random generations, brings the tree up to some of them, sometimes stopped halfway, and
// compares.
func TestTreeRandomly(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		var before func(step, name string) error
		w := openWriter(t, pagestore.Config{Dir: t.TempDir(), Keep: 3})
		dir := t.TempDir()
		tree := openTree(t, dir, w, stepped(publictree.Options{}, &before))
		names := []string{"/", "/a/", "/a/b/", "/a/b/c/", "/a/c/", "/assets/x", "/assets/y/z", "/feed.xml", "/blog/", "/blog/p/", "/blog/q/",
			"/topic/t/", "/x", "/x/y", "/x/y/", "/old/x", "/api/x"}
		want := pages{}
		for i := range 60 {
			change := pages{}
			for range 1 + r.IntN(6) {
				name := names[r.IntN(len(names))]
				if r.IntN(3) == 0 {
					change["!"+name] = ""
					delete(change, name)
					continue
				}
				change[name] = fmt.Sprint(name, r.IntN(4))
				delete(change, "!"+name)
				// "/x" is a file or a folder.
				for other := range want {
					if strings.HasPrefix(other, "/x") && strings.HasPrefix(name, "/x") && other != name {
						change["!"+other] = ""
						delete(change, other)
					}
				}
				for other := range change {
					if strings.HasPrefix(other, "/x") && strings.HasPrefix(name, "/x") && other != name {
						delete(change, other)
					}
				}
			}
			want = after(want, change)
			g := commit(t, w, change)
			if r.IntN(3) == 0 {
				continue
			}
			if r.IntN(3) == 0 {
				before, _ = pagetest.StopAt(r.IntN(10))
				_, _ = tree.Sync(t.Context(), g)
				before = nil
				if r.IntN(2) == 0 {
					tree = openTree(t, dir, w, stepped(publictree.Options{}, &before))
				}
				if r.IntN(2) == 0 {
					continue
				}
			}
			if _, err := tree.Sync(t.Context(), g); err != nil {
				t.Fatalf("seed %d, generation %d: %v", seed, i+1, err)
			}
			if diff := cmp.Diff(asFiles(want), files(t, dir)); diff != "" {
				t.Fatalf("seed %d, generation %d (-want +got):\n%s", seed, i+1, diff)
			}
		}
	}
}

func TestTreeVerifyMends(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	damage := func(dir string) {
		writeFiles(t, dir, pages{"blog/b/index.html": "c", "about/index.html": "longer than before", "mine.txt": "mine"})
		for _, name := range []string{"topic", "feed.xml"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := commit(t, w, aSite)
	want := after(asFiles(aSite), pages{"mine.txt": "mine"})
	tests := map[string]func(dir string, tree *publictree.Tree) (int, error){
		"Verify": func(_ string, tree *publictree.Tree) (int, error) { return tree.Verify(t.Context(), g) },
		"after a reboot": func(_ string, tree *publictree.Tree) (int, error) {
			publictree.SetBoot(tree, "another")
			return tree.Sync(t.Context(), g)
		},
		"torn marker": func(dir string, _ *publictree.Tree) (int, error) {
			writeFiles(t, dir, pages{".freshet": "\x00\x00"})
			return openTree(t, dir, w, publictree.Options{}).Sync(t.Context(), g)
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tree := openTree(t, dir, w, publictree.Options{})
			syncTree(t, tree, g)
			damage(dir)
			if n := syncTree(t, tree, g); n != 0 {
				t.Errorf("Sync changed %d files: it compares them without need", n)
			}
			if n, err := do(dir, tree); n != 4 || err != nil {
				t.Errorf("%d files were mended, %v, want 4", n, err)
			}
			wantFiles(t, dir, want)
			if n := syncTree(t, openTree(t, dir, w, publictree.Options{}), g); n != 0 {
				t.Errorf("the next Sync changed %d files", n)
			}
		})
	}
}

// TestTreeOfForgottenGeneration: the generation that the tree holds is not kept any more.
func TestTreeOfForgottenGeneration(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir(), Keep: 2})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.Options{})
	syncTree(t, tree, commit(t, w, after(aSite, pages{"/blog/z/": "z"})))
	commit(t, w, pages{"/blog/b/": "b2"})
	commit(t, w, pages{"/blog/b/": "b3", "/feed.xml": "feed 3", "!/blog/z/": "", "/blog/y/": "y"})
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := w.Current()
	tree = openTree(t, dir, w, publictree.Options{})
	if n := syncTree(t, tree, g); n != 4 {
		t.Errorf("%d files were changed, want 4", n)
	}
	wantFiles(t, dir, asFiles(after(aSite, pages{"/blog/b/": "b3", "/feed.xml": "feed 3", "/blog/y/": "y"})))
}

func TestTreeOwnership(t *testing.T) {
	tests := []struct {
		name   string
		before pages // in the folder
		adopt  bool
		refuse bool
		other  bool
	}{
		{"empty", nil, false, false, false},
		{".gitignore alone", pages{".gitignore": "*"}, false, false, false},
		{"somebody's file", pages{"index.html": "mine"}, false, true, false},
		{"somebody's folder", pages{"a/b": "mine"}, false, true, false},
		{"adopted", pages{"index.html": "mine", "a/b": "mine"}, true, false, false},
		{"another site", pages{".freshet": `{"site":"0123456789abcdef","generation":4}`, "index.html": "mine"}, false, true, true},
		{"another site adopted", pages{".freshet": `{"site":"0123456789abcdef","generation":4}`, "index.html": "mine"}, true, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
			g := commit(t, w, pages{"/": "home", "/x/": "x"})
			dir := t.TempDir()
			writeFiles(t, dir, tt.before)
			was := files(t, dir)
			tree, err := publictree.Open(dir, w, publictree.Options{Adopt: tt.adopt})
			own, ok := errors.AsType[*publictree.NotOwnError](err)
			if ok != tt.refuse || !tt.refuse && err != nil {
				t.Fatalf("Open gives %v", err)
			}
			if tt.refuse {
				if own.Dir != dir || own.Other != tt.other || !strings.Contains(err.Error(), "--adopt") {
					t.Errorf("Open gives %v", err)
				}
				wantFiles(t, dir, was)
				return
			}
			syncTree(t, tree, g)
			wantFiles(t, dir, after(was, pages{"index.html": "home", "x/index.html": "x"}))
			syncTree(t, tree, commit(t, w, pages{"!/x/": "", "!/": ""}))
			delete(was, "index.html")
			wantFiles(t, dir, was)
		})
	}
}

func TestTreeForeignFiles(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g1 := commit(t, w, pages{"/": "home", "/blog/a/": "a"})
	g2 := commit(t, w, pages{"/favicon.ico": "icon", "/blog/b/": "b", "/same.txt": "same", "/x/y/": "y", "/dir": "dir",
		"/link/z/": "z", "/ok/": "ok"})
	g3 := commit(t, w, pages{"/favicon.ico": "icon 2", "/": "home 3"})
	g4 := commit(t, w, pages{"!/favicon.ico": "", "!/same.txt": "", "!/blog/b/": ""})
	mine := pages{"favicon.ico": "mine", "blog/b/index.html": "mine", "same.txt": "same", "x": "a file", "dir/mine.txt": "mine"}

	dir, outside := t.TempDir(), t.TempDir()
	open := func(adopt bool) *publictree.Tree { return openTree(t, dir, w, publictree.Options{Adopt: adopt}) }
	tree := open(false)
	syncTree(t, tree, g1)
	writeFiles(t, dir, mine)
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	foreign := func(err error, want ...string) {
		t.Helper()
		f, ok := errors.AsType[*publictree.ForeignError](err)
		if !ok || !slices.Equal(f.Files, want) {
			t.Errorf("Sync gives %v, want a ForeignError of %q", err, want)
		}
	}
	check := func(want pages) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		wantFiles(t, dir, want)
		wantFiles(t, outside, pages{})
		if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
	}

	all := []string{"blog/b/index.html", "dir", "favicon.ico", "link", "x"}
	_, err := tree.Sync(t.Context(), g2)
	foreign(err, all...)
	want := after(mine, pages{"index.html": "home", "blog/a/index.html": "a", "ok/index.html": "ok"})
	check(want)
	_, err = tree.Verify(t.Context(), g2)
	foreign(err, all...)
	check(want)

	tree = open(false)
	_, err = tree.Sync(t.Context(), g3) // favicon.ico is another now, and still not freshet's
	foreign(err, all...)
	want["index.html"] = "home 3"
	check(want)

	// What is moved away is written.
	if err := os.Remove(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	_, err = tree.Sync(t.Context(), g3)
	foreign(err, "blog/b/index.html", "dir", "favicon.ico", "link")
	delete(want, "x")
	want["x/y/index.html"] = "y"
	check(want)

	// What has no page any more is not in anybody's way, and stays. What was equal has become freshet's.
	_, err = tree.Sync(t.Context(), g4)
	foreign(err, "dir", "link")
	delete(want, "same.txt")
	check(want)

	// Adopting overwrites files, not folders.
	tree = open(true)
	_, err = tree.Sync(t.Context(), g3)
	foreign(err, "dir", "link")
	maps.Copy(want, pages{"favicon.ico": "icon 2", "blog/b/index.html": "b", "same.txt": "same"})
	check(want)
}

// TestTreeKeepsWhatOthersChanged: a file that somebody else has put in a page's place is not removed with the page.
func TestTreeKeepsWhatOthersChanged(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.Options{})
	syncTree(t, tree, commit(t, w, pages{"/a/": "a", "/b/": "b", "/c/": "c"}))
	writeFiles(t, dir, pages{"a/index.html": "mine", "b/mine.txt": "mine"})
	syncTree(t, tree, commit(t, w, pages{"!/a/": "", "!/b/": "", "!/c/": ""}))
	wantFiles(t, dir, pages{"a/index.html": "mine", "b/mine.txt": "mine"})
}

func TestTreeOnFoldingDisk(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g1 := commit(t, w, pages{"/assets/Logo.png": "upper", "/assets/logo.png": "lower", "/x/": "x"})
	g2 := commit(t, w, pages{"!/assets/Logo.png": "", "!/x/": "", "/X/": "X"})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.Options{})
	publictree.SetFolds(tree)
	for range 2 {
		_, err := tree.Sync(t.Context(), g1)
		c, ok := errors.AsType[*pagestore.CollisionError](err)
		if !ok || c.A != "/assets/Logo.png" || c.B != "/assets/logo.png" {
			t.Errorf("Sync gives %v, want a CollisionError", err)
		}
		wantFiles(t, dir, pages{"assets/Logo.png": "upper", "x/index.html": "x"})
	}
	syncTree(t, tree, g2)
	wantFiles(t, dir, pages{"assets/logo.png": "lower", "X/index.html": "X"})

	for a, b := range map[string]string{"a/É": "A/é", "e\u0301": "É", "straße": "STRASSE", "ς": "Σ", "नदी": "नदी"} {
		if equal := publictree.Fold(a) == publictree.Fold(b); equal != (a != "straße") {
			t.Errorf("Fold(%q) = Fold(%q) is %v", a, b, equal)
		}
	}
}

// TestTreeRemovedByHand: what was removed is written again, whatever was left.
func TestTreeRemovedByHand(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g := commit(t, w, aSite)
	dir := filepath.Join(t.TempDir(), "public")
	tree := openTree(t, dir, w, publictree.Options{})
	syncTree(t, tree, g)
	for name, remove := range map[string]func() error{
		"the folder": func() error { return os.RemoveAll(dir) },
		"its files": func() error {
			all, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
			for _, name := range all {
				err = errors.Join(err, os.RemoveAll(name))
			}
			return err
		},
		"the folder, made anew": func() error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if n := syncTree(t, tree, g); n != len(asFiles(aSite)) {
			t.Errorf("%s: %d files were written, want %d", name, n, len(asFiles(aSite)))
		}
		wantFiles(t, dir, asFiles(aSite))
	}
}

func TestTreeStops(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.Options{})
	g := commit(t, w, aSite)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Sync(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync gives %v, want %v", err, context.Canceled)
	}
	syncTree(t, tree, g)
	wantFiles(t, dir, asFiles(aSite))
}

// TestTreeAfterCompaction: a tree that is up to date has nothing to do when generations are in a new segment.
func TestTreeAfterCompaction(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	dir := t.TempDir()
	tree := openTree(t, dir, w, publictree.Options{})
	syncTree(t, tree, commit(t, w, aSite))
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := syncTree(t, tree, w.Current()); n != 0 {
		t.Errorf("%d files changed", n)
	}
	if n := syncTree(t, tree, commit(t, w, pages{"/blog/b/": "b2"})); n != 1 {
		t.Errorf("%d files changed, want 1", n)
	}
}
