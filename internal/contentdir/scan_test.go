package contentdir_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/contentdir"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A world is a tree on disk that edits change at random.
type world struct {
	t     *testing.T
	dir   string
	rng   *rand.Rand
	files map[string]bool
	clock time.Time
}

var places = []string{
	"", "blog", "blog/2024", "blog/bundle", "blog/alone", "posts", "_posts", "pages", "pages/deep", "courses", "courses/a", "courses/a/1-m", "courses/a/2-n", "courses/b",
	"notes", "notes/deep", "notes/1-x", "notes/2-y", "en", "en/blog", "en/notes", "ja", "ja/blog", "ja/notes", "static", "lessons", "lessons/01-a", "lessons/02-b", "mixed/blog", "mixed/docs",
	"blog/it", "blog/it/2024", "mixed/ja/blog", "mixed/ja/blog/2024", "posts/ar", "ar/blog", "ja/courses/a", "pages/fr",
}

var fileNames = []string{
	"index.md", "_index.md", "README.md", "a.md", "b.md", "1-one.md", "2-two.md", "2024-01-02-dated.md", "1.1 x.md", "2.1 y.md", "index.hi.md", "a.hi.md", "a.ar.md", "a.en.md", "pic.svg", "CONTRIBUTING.md",
}

func (w *world) content(name string) []byte {
	n := w.rng.IntN(1000)
	switch {
	case strings.HasSuffix(name, ".svg"):
		return fmt.Appendf(nil, `<svg width="%d" height="7"/>`, n+1)
	}
	switch w.rng.IntN(9) {
	case 8:
		return fmt.Appendf(nil, "---\ntitle: Translated %d\nslug: s%d\nlang: %s\ndate: 2024-01-%02d\n---\nText.\n", n, n%4, []string{"hi", "ar", "en", "en-GB"}[n%4], 1+n%3)
	case 0:
		return fmt.Appendf(nil, "---\ntitle: Dated %d\ndate: 2024-01-%02d\ntags: [a, t%d]\n---\nText %d.\n", n, 1+n%28, n%5, n)
	case 1:
		return fmt.Appendf(nil, "---\ntitle: \"Broken %d\n---\n", n)
	case 2:
		return fmt.Appendf(nil, "---\ntitle: Plain %d\nslug: s%d\n---\nText {{< odd%d >}}.\n", n, n%4, n%3)
	case 3:
		return nil
	case 4:
		return fmt.Appendf(nil, "+++\npath = \"2024/01/02/p%d\"\ntitle = \"P\"\ndraft = %v\n+++\n{{ x%d(a=1) }}", n%9, n%2 == 0, n%3)
	case 5:
		return fmt.Appendf(nil, "---\ntitle: Near %d\npublishedat: 2024-01-02\n---\n", n)
	case 6:
		return fmt.Appendf(nil, "---\nfree: false\nweight: %d\n---\n# Weighted\n", n%7)
	}
	return fmt.Appendf(nil, "# Heading %d\n\nText that goes on for a while, so that there is something to say about it, number %d.\n", n, n)
}

func (w *world) pick() (string, bool) {
	if len(w.files) == 0 {
		return "", false
	}
	names := slices.Sorted(maps.Keys(w.files))
	return names[w.rng.IntN(len(names))], true
}

func (w *world) random() string {
	return path.Join(places[w.rng.IntN(len(places))], fileNames[w.rng.IntN(len(fileNames))])
}

func (w *world) put(name string, data []byte) string {
	w.t.Helper()
	write(w.t, w.dir, name, data)
	// Each write has a time of its own, as on a disk with a fine clock.
	w.clock = w.clock.Add(time.Second)
	if err := os.Chtimes(filepath.Join(w.dir, filepath.FromSlash(name)), w.clock, w.clock); err != nil {
		w.t.Fatal(err)
	}
	w.files[name] = true
	return name
}

// edit changes something and returns the paths that a watcher would report.
func (w *world) edit() []string {
	w.t.Helper()
	file := func(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }
	switch w.rng.IntN(10) {
	case 0, 1, 2, 3:
		name := w.random()
		return []string{w.put(name, w.content(name))}
	case 4, 5:
		if name, ok := w.pick(); ok {
			return []string{w.put(name, w.content(name))}
		}
	case 6:
		if name, ok := w.pick(); ok {
			if err := os.Remove(file(name)); err != nil {
				w.t.Fatal(err)
			}
			delete(w.files, name)
			return []string{name}
		}
	case 7:
		if name, ok := w.pick(); ok {
			to := w.random()
			if err := os.MkdirAll(filepath.Dir(file(to)), 0o755); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Rename(file(name), file(to)); err != nil {
				w.t.Fatal(err)
			}
			delete(w.files, name)
			w.files[to] = true
			return []string{name, to}
		}
	case 8:
		// A whole folder goes, or changes its name.
		if name, ok := w.pick(); ok && path.Dir(name) != "." {
			from := path.Dir(name)
			to := places[1+w.rng.IntN(len(places)-1)] + fmt.Sprintf("-%d", w.rng.IntN(3))
			gone := w.rng.IntN(2) == 0
			if strings.HasPrefix(to+"/", from+"/") || strings.HasPrefix(from+"/", to+"/") {
				return nil // not into itself
			}
			for f := range maps.Clone(w.files) {
				if !gone && strings.HasPrefix(f, to+"/") {
					delete(w.files, f)
				}
			}
			for f := range maps.Clone(w.files) {
				if rest, ok := strings.CutPrefix(f, from+"/"); ok {
					delete(w.files, f)
					if !gone {
						w.files[to+"/"+rest] = true
					}
				}
			}
			if gone {
				if err := os.RemoveAll(file(from)); err != nil {
					w.t.Fatal(err)
				}
				return []string{from}
			}
			if err := os.MkdirAll(filepath.Dir(file(to)), 0o755); err != nil {
				w.t.Fatal(err)
			}
			if err := os.RemoveAll(file(to)); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Rename(file(from), file(to)); err != nil {
				w.t.Fatal(err)
			}
			return []string{from, to}
		}
	case 9:
		// Only the time changes.
		if name, ok := w.pick(); ok {
			w.clock = w.clock.Add(time.Second)
			if err := os.Chtimes(file(name), w.clock, w.clock); err != nil {
				w.t.Fatal(err)
			}
			return []string{name}
		}
	}
	return nil
}

// TestIncremental edits trees at random and holds every state that incremental scans lead to against a fresh scan.
func TestIncremental(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 7)), files: map[string]bool{}, clock: old}
			for range 40 {
				w.edit()
			}
			memo := newMapMemo()
			s := newSource(t, w.dir, memo)
			state := map[site.ID]site.Document{}
			apply := func(ch *site.Changes) {
				t.Helper()
				for _, id := range ch.Drop {
					if state[id] == nil {
						t.Errorf("dropped %s, which was not there", id)
					}
					delete(state, id)
				}
				for _, d := range ch.Put {
					if o := state[d.DocID()]; o != nil && cmp.Equal(o, d) {
						t.Errorf("reported %s, which has not changed", d.DocID())
					}
					state[d.DocID()] = d
				}
			}
			apply(scan(t, s, nil))
			for step := range 60 {
				changed := []string{}
				for range 1 + w.rng.IntN(3) {
					changed = append(changed, w.edit()...)
				}
				if step%17 == 16 {
					changed = nil
				}
				ch := scan(t, s, changed)
				apply(ch)
				for len(ch.Again) > 0 { // gone a moment ago
					time.Sleep(100 * time.Millisecond)
					ch = scan(t, s, ch.Again)
					apply(ch)
				}
				var use contentdir.Memo
				if step%2 == 0 {
					use = memo
				}
				fresh := scan(t, newSource(t, w.dir, use), nil)
				want := map[site.ID]site.Document{}
				for _, d := range fresh.Put {
					want[d.DocID()] = d
				}
				if diff := cmp.Diff(want, state); diff != "" {
					t.Fatalf("step %d, after %q: documents (-fresh +incremental):\n%s", step, changed, diff)
				}
				if diff := cmp.Diff(fresh.Problems, ch.Problems); diff != "" {
					t.Fatalf("step %d, after %q: problems (-fresh +incremental):\n%s", step, changed, diff)
				}
				if diff := cmp.Diff(fresh.Skipped, ch.Skipped); diff != "" {
					t.Fatalf("step %d, after %q: skipped (-fresh +incremental):\n%s", step, changed, diff)
				}
			}
		})
	}
}

func TestUnsettledTimesAreNotTrusted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "blog", "a.md")
	now := time.Now()
	put := func(text string, at time.Time) {
		write(t, dir, "blog/a.md", []byte(text))
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	memo := newMapMemo()
	put("# Aaaa", now)
	s := newSource(t, dir, memo)
	scan(t, s, nil)
	if len(memo.m) > 0 {
		t.Errorf("a file that was just written is in the memo")
	}
	put("# Bbbb", now) // the same size, time and inode
	ch := scan(t, s, nil)
	if len(ch.Put) != 1 || ch.Put[0].(*site.Post).Title != "Bbbb" {
		t.Errorf("a second write within the clock's tick was missed: %v", ch.Put)
	}

	put("# Cccc", old)
	scan(t, s, nil)
	if len(memo.m) != 1 {
		t.Errorf("the memo has %d results, want 1", len(memo.m))
	}
	put("# Dddd", old) // only a clock set back can do this
	if ch := scan(t, s, nil); len(ch.Put) != 0 {
		t.Errorf("a settled file was read again")
	}
}

func TestTimesChangeNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("# A"))
	write(t, dir, "blog/a.png", []byte("x"))
	s := newSource(t, dir, nil)
	scan(t, s, nil)
	later := old.Add(time.Hour)
	for _, name := range []string{"blog/a.md", "blog/a.png"} {
		if err := os.Chtimes(filepath.Join(dir, name), later, later); err != nil {
			t.Fatal(err)
		}
	}
	for _, changed := range [][]string{{"blog/a.md", "blog/a.png"}, nil} {
		if ch := scan(t, s, changed); len(ch.Put)+len(ch.Drop) > 0 {
			t.Errorf("Scan(%q) reports %v", changed, ch.Put)
		}
	}
}

func TestBody(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("\ufeff---\r\ntitle: A\r\n---\r\nOne\r\n\r\nTwo {{< x >}}\r\n"))
	write(t, dir, "blog/b/pic.gif", []byte("GIF89a\x02\x00\x03\x00\x00\x00\x00"))
	s := newSource(t, dir, nil)
	ch := scan(t, s, nil)
	post, file := ch.Put[0].(*site.Post), ch.Put[1].(*site.File)
	body, err := s.Body(t.Context(), post.Body)
	if err != nil || string(body.Text) != "One\n\nTwo \n" || body.Line != 4 {
		t.Errorf("Body = %q at %d, %v", body.Text, body.Line, err)
	}
	if file.Width != 2 || file.Height != 3 {
		t.Errorf("the picture has %dx%d, want 2x3", file.Width, file.Height)
	}
	r, err := s.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || digest.Bytes(data) != file.Revision {
		t.Errorf("Open gives %q, %v", data, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	// A title of its own does not touch the body; other text does.
	write(t, dir, "blog/a.md", []byte("---\ntitle: B\ndate: 2024-01-01\n---\nOne\n\nTwo {{< y >}}\n"))
	if body, err := s.Body(t.Context(), post.Body); err != nil || body.Line != 5 {
		t.Errorf("Body after another front matter = %v at %d", err, body.Line)
	}
	write(t, dir, "blog/a.md", []byte("Three\n"))
	if _, err := s.Body(t.Context(), post.Body); !errors.Is(err, site.ErrChanged) {
		t.Errorf("Body after a change = %v, want ErrChanged", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "blog")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Body(t.Context(), post.Body); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("Body after removal = %v, want ErrNotFound", err)
	}
	if _, err := s.Open(t.Context(), file); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("Open after removal = %v, want ErrNotFound", err)
	}
	if _, err := s.Open(t.Context(), &site.File{Name: "../" + filepath.Base(dir) + "/x"}); err == nil {
		t.Error("Open left the tree")
	}
}

// TestBodyOtherThanRemembered has a memo that remembers another body, as one that an older program wrote may: the scan
// after the failed Body mends it.
func TestBodyOtherThanRemembered(t *testing.T) {
	dir := t.TempDir()
	memo := newMapMemo()
	write(t, dir, "blog/a.md", []byte("# One"))
	scan(t, newSource(t, dir, memo), nil)
	write(t, dir, "blog/a.md", []byte("# Two")) // the same size, time and inode
	s := newSource(t, dir, memo)
	post := scan(t, s, nil).Put[0].(*site.Post)
	if _, err := s.Body(t.Context(), post.Body); !errors.Is(err, site.ErrChanged) {
		t.Fatalf("Body = %v, want ErrChanged", err)
	}
	ch := scan(t, s, []string{})
	if len(ch.Put) != 1 || ch.Put[0].(*site.Post).Title != "Two" {
		t.Fatalf("the scan reports %v", ch.Put)
	}
	if _, err := s.Body(t.Context(), ch.Put[0].(*site.Post).Body); err != nil {
		t.Error(err)
	}
	if ch := scan(t, newSource(t, dir, memo), nil); ch.Put[0].(*site.Post).Title != "Two" {
		t.Error("the memo still has the first text")
	}
}

func TestScanOfAMissingTree(t *testing.T) {
	s := newSource(t, filepath.Join(t.TempDir(), "none"), nil)
	if _, err := s.Scan(t.Context(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Scan = %v, want ErrNotExist", err)
	}
}

// TestFailedScan checks that a folder that cannot be listed is not taken for an empty one, and that the next scan
// makes up for what was not reported.
// A source that reads a part of its tree finds nothing else, however it is told of it, and begins without a tree.
func TestOnlyAPartOfTheTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "content")
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir, Only: []string{"pages", "_index.md"}})
	if err != nil {
		t.Fatal(err)
	}
	if ch := scan(t, s, nil); len(ch.Put)+len(ch.Drop)+len(ch.Problems) > 0 {
		t.Errorf("scan without a tree: %+v", ch)
	}
	for _, name := range []string{"_index.md", "pages/about.md", "blog/a.md", "about.md", "static/a.png"} {
		write(t, dir, name, []byte("# About\n\nText.\n"))
	}
	ids := func(ch *site.Changes) (ids []string) {
		for _, d := range ch.Put {
			ids = append(ids, string(d.DocID()))
		}
		return ids
	}
	if got, want := ids(scan(t, s, []string{"blog/a.md"})), []string{"_index.md", "pages/about.md"}; !slices.Equal(got, want) {
		t.Errorf("scan found %q, want %q", got, want)
	}
	write(t, dir, "blog/b.md", []byte("# B\n"))
	write(t, dir, "pages/b.md", []byte("# B\n"))
	if got, want := ids(scan(t, s, []string{"blog/b.md", "blog", "pages/b.md"})), []string{"pages/b.md"}; !slices.Equal(got, want) {
		t.Errorf("scan of what changed found %q, want %q", got, want)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if ch, err := s.Scan(t.Context(), nil); err == nil {
		t.Errorf("scan of a tree that is gone: %+v, want an error", ch)
	}
}

func TestFailedScan(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("# A"))
	write(t, dir, "blog/b.md", []byte("# B"))
	s := newSource(t, dir, nil)
	scan(t, s, nil)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Scan(t.Context(), nil); err == nil {
		t.Fatal("a scan of nothing succeeded")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "blog", "a.md")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "blog/b.md", []byte("# Bee"))
	calm(t, filepath.Join(dir, "blog"))
	ch := scan(t, s, []string{"blog/b.md"})
	if len(ch.Put) != 1 || ch.Put[0].DocID() != "blog/b.md" || len(ch.Drop) != 1 || ch.Drop[0] != "blog/a.md" {
		t.Errorf("after a failed scan: put %v, drop %v", ch.Put, ch.Drop)
	}
}

func TestSymbolicLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, dir, "shared/one.md", []byte("---\ndate: 2024-01-02\n---\n# One"))
	write(t, outside, "secret.md", []byte("# Secret"))
	for from, to := range map[string]string{
		"blog/link.md": "../shared/one.md", "blog/folder": "../shared", "blog/loop": "..", "blog/out.md": filepath.Join(outside, "secret.md"),
		"blog/gone.md": "nowhere.md", "blog/again": "folder",
	} {
		file := filepath.Join(dir, filepath.FromSlash(from))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.FromSlash(to), file); err != nil {
			t.Skip(err)
		}
	}
	s := newSource(t, dir, nil)
	ch := scan(t, s, nil)
	want := `post blog/again/one.md
  title: One
  slug: one
  published: 2024-01-02T00:00:00Z
  aliases: /blog/again/one/
  body at 4:
    |# One
post blog/folder/one.md
  title: One
  slug: one
  published: 2024-01-02T00:00:00Z
  aliases: /blog/folder/one/
  body at 4:
    |# One
post blog/link.md
  title: One
  slug: link
  published: 2024-01-02T00:00:00Z
  body at 4:
    |# One
post shared/one.md
  title: One
  slug: one
  published: 2024-01-02T00:00:00Z
  aliases: /shared/one/
  body at 4:
    |# One
error: blog/gone.md: this symbolic link leads nowhere (mend or remove it)
warning: blog/loop: this symbolic link leads in a circle or to another one, and is not followed (link to the folder itself)
error: blog/out.md: this symbolic link leads out of the content tree (copy the file into the tree)
skip blog/gone.md field "": this symbolic link leads nowhere
skip blog/out.md field "": this symbolic link leads out of the content tree
`
	if diff := cmp.Diff(want, describe(t, s, dir, ch, true)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	// What changes at the target changes behind the link.
	write(t, dir, "shared/one.md", []byte("---\ndate: 2024-01-02\n---\n# Three"))
	if ch := scan(t, s, []string{"shared/one.md"}); len(ch.Put) != 4 {
		t.Errorf("%d documents changed, want 4", len(ch.Put))
	}
}

func TestLargeAndUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/big.md", []byte("# Big\n\n"+strings.Repeat("x ", 3<<20)))
	write(t, dir, "blog/closed.md", []byte("# Closed"))
	if err := os.Chmod(filepath.Join(dir, "blog", "closed.md"), 0); err != nil {
		t.Fatal(err)
	}
	s := newSource(t, dir, nil)
	ch := scan(t, s, nil)
	got := describe(t, s, dir, ch, false)
	if !strings.Contains(got, "error: blog/big.md: the file has 5 MB or more") {
		t.Errorf("no problem for a large file:\n%s", got)
	}
	if os.Getuid() != 0 && !strings.Contains(got, "skip blog/closed.md") {
		t.Errorf("no skip for an unreadable file:\n%s", got)
	}
}

// TestHalfWritten keeps a post for a second whose file is empty or malformed, as it is while an editor writes it, in
// scans of all and of what changed.
// calm makes it long ago that something came or went in a folder.
func calm(t *testing.T, folder string) {
	t.Helper()
	if err := os.Chtimes(folder, old, old); err != nil {
		t.Fatal(err)
	}
}

// TestAway moves a file away and looks at everything meanwhile: it stays for a second after it has gone, unless somebody
// names it, or it has another name.
func TestAway(t *testing.T) {
	dir := t.TempDir()
	const good = "---\ntitle: Rivers\nslug: rivers\n---\nText.\n"
	write(t, dir, "blog/a.md", []byte(good))
	write(t, dir, "blog/more/b.md", []byte("# B\n"))
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	scan(t, s, nil)
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, changed []string, put, drop int, again ...string) {
		t.Helper()
		if ch := scan(t, s, changed); len(ch.Put) != put || len(ch.Drop) != drop || !slices.Equal(ch.Again, again) {
			t.Errorf("%s: %d put, %v dropped, %q again; want %d, %d and %q", what, len(ch.Put), ch.Drop, ch.Again, put, drop, again)
		}
	}
	do(os.Rename(at("blog/a.md"), at("blog/a.md~")))
	want("away", nil, 0, 0, "blog/a.md")
	do(os.Rename(at("blog/a.md~"), at("blog/a.md")))
	want("back", nil, 0, 0)
	do(os.Remove(at("blog/a.md")))
	want("away again", nil, 0, 0, "blog/a.md")
	want("looked at again, too early", []string{"blog/a.md"}, 0, 0, "blog/a.md")
	write(t, dir, "blog/a.md", []byte(good))
	want("back again", nil, 0, 0)
	do(os.Remove(at("blog/a.md")))
	want("gone while it was to be looked at again", []string{"blog/a.md"}, 0, 0, "blog/a.md")
	do(os.Remove(at("blog/more/b.md")))
	want("named", []string{"blog/more/b.md"}, 0, 1)
	write(t, dir, "blog/more/b.md", []byte("# B\n"))
	want("there anew", []string{"blog/more/b.md"}, 1, 0)
	time.Sleep(time.Second)
	want("gone for a second", []string{"blog/a.md"}, 0, 1)
	write(t, dir, "blog/a.md", []byte(good))
	want("written anew", nil, 1, 0)
	do(os.Rename(at("blog/a.md"), at("blog/c.md")))
	want("with another name", nil, 1, 1)
	do(os.RemoveAll(at("blog/more")))
	want("a folder", nil, 0, 0, "blog/more/b.md")
	calm(t, at("blog"))
	want("a folder that went a while ago", nil, 0, 1)
	do(os.Remove(at("blog/c.md")))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		do(os.Chtimes(at("blog"), time.Now(), time.Now())) // somebody is always at work there
		if ch := scan(t, s, nil); len(ch.Drop) == 1 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("it is still waited for: %+v", ch)
		}
	}
}

func TestHalfWritten(t *testing.T) {
	const good = "---\ntitle: Rivers\n---\nText.\n"
	for _, changed := range [][]string{nil, {"blog/a.md"}} {
		for _, half := range []string{"", "---\ntitle: [\n"} {
			dir := t.TempDir()
			file := filepath.Join(dir, "blog", "a.md")
			write(t, dir, "blog/a.md", []byte(good))
			s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			scan(t, s, nil)
			save := func(text string, age time.Duration) {
				t.Helper()
				at := time.Now().Add(-age)
				if err := errors.Join(os.WriteFile(file, []byte(text), 0o666), os.Chtimes(file, at, at)); err != nil {
					t.Fatal(err)
				}
			}
			save(half, 0)
			if ch := scan(t, s, changed); len(ch.Put)+len(ch.Drop)+len(ch.Skipped) > 0 || !slices.Equal(ch.Again, []string{"blog/a.md"}) {
				t.Errorf("%q, just written, of %q: %+v, want it to be scanned again", half, changed, ch)
			}
			save(good+"More.\n", 0)
			if ch := scan(t, s, changed); len(ch.Put) != 1 || len(ch.Drop)+len(ch.Again) > 0 {
				t.Errorf("written whole: %+v, want the new text", ch)
			}
			save(half, 0)
			scan(t, s, changed)
			save(half, time.Second)
			ch := scan(t, s, changed)
			if len(ch.Again) > 0 || half != "" && (len(ch.Drop) != 1 || len(ch.Skipped) != 1) || half == "" && len(ch.Put) != 1 {
				t.Errorf("%q for a second: %+v, want it to be taken for what it is", half, ch)
			}
			write(t, dir, "blog/b.md", nil)
			if ch := scan(t, s, nil); len(ch.Again) > 0 {
				t.Errorf("a file that never was whole is waited for: %+v", ch)
			}
		}
	}
}
