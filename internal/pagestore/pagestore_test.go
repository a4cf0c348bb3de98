package pagestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

func TestEntryComesBackAsItWasPut(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	b := w.Begin()
	ref, err := b.Object([]byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	entries := []site.Entry{
		{Path: "/", Kind: site.KindList, Status: 200, Object: ref, Type: "text/html", Keys: []string{"list:*"}, Template: "home.html",
			Fingerprint: 9, Cause: "full build"},
		{Path: "/blog/नदी/", Kind: site.KindPage, Status: 200, Object: ref, Type: "text/html", Doc: "posts/नदी.md",
			Keys: []string{"blog:नदी", "tag:go", "tag:नदी-2"}, Fingerprint: ^digest.Sum(0)},
		{Path: "/old", Kind: site.KindRedirect, Status: 301, Location: "/blog/नदी/", Remembered: now, Source: 77},
		{Path: "/gone/", Kind: site.KindRedirect, Status: 410, Remembered: time.Unix(0, 0).UTC(), Doc: "x"},
		{Path: "/api/feed", Kind: site.KindHidden, Status: 200, Object: ref, Type: "application/json"},
	}
	docs := []site.DocRef{{ID: "posts/नदी.md", Revision: 5}, {ID: "", Revision: ^digest.Sum(0)}}
	for _, e := range entries {
		b.Put(e, docs[:len(e.Path)%3])
	}
	g, err := b.Commit(pagestore.CommitInfo{Cause: "why", Now: now, Pages: 1, Rendered: 2, Changed: 3, Removed: 4, Documents: 5})
	if err != nil {
		t.Fatal(err)
	}
	if g.ID != 1 || g.Len() != len(entries) || g.Pinned() || w.Current() != g {
		t.Errorf("generation %d has %d entries, pinned %v; want 1, %d, false", g.ID, g.Len(), g.Pinned(), len(entries))
	}
	check := func(name string, g *pagestore.Generation) {
		for _, want := range entries {
			want.Generation, want.Changed = 1, g.Commit.Time.Truncate(time.Second)
			got, ok := g.Lookup(want.Path)
			if !ok {
				t.Errorf("%s: Lookup(%q) finds nothing", name, want.Path)
				continue
			}
			want.Object.Offset, want.Keys = got.Object.Offset, append([]string(nil), want.Keys...)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("%s: Lookup(%q) (-want +got):\n%s", name, want.Path, diff)
			}
			gotDocs, err := g.Docs(got)
			if diff := cmp.Diff(append([]site.DocRef{}, docs[:len(want.Path)%3]...), gotDocs); diff != "" || err != nil {
				t.Errorf("%s: Docs(%q): %v (-want +got):\n%s", name, want.Path, err, diff)
			}
			if body, err := g.Object(got.Object); want.Status == 200 && (string(body) != "body" || err != nil) {
				t.Errorf("%s: Object(%q) = %q, %v", name, want.Path, body, err)
			}
		}
		for _, p := range []site.Path{"", "/blog", "/blog/नदी", "/x"} {
			if e, ok := g.Lookup(p); ok {
				t.Errorf("%s: Lookup(%q) = %v, want nothing", name, p, e)
			}
		}
		var paths []string
		for _, e := range g.Sorted() {
			paths = append(paths, string(e.Path))
		}
		if !slices.IsSorted(paths) || len(paths) != len(entries) {
			t.Errorf("%s: Sorted() = %q", name, paths)
		}
		c := g.Commit
		c.Time = time.Time{}
		want := pagestore.Commit{Generation: 1, Epoch: 1, CommitInfo: pagestore.CommitInfo{
			Cause: "why", Now: now, Pages: 1, Rendered: 2, Changed: 3, Removed: 4, Documents: 5}}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("%s: commit (-want +got):\n%s", name, diff)
		}
	}
	check("committed", g)
	closeWriter(t, w)
	check("writer closed", g)
	check("reader", openReader(t, dir).Current())
	w = openWriter(t, pagestore.Config{Dir: dir})
	check("reopened", w.Current())
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("compacted", w.Current())
	check("from before compaction", g)
	check("reader after compaction", openReader(t, dir).Current())
}

func TestGenerations(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	if g := w.Current(); g.ID != 0 || g.Len() != 0 {
		t.Errorf("a new log has generation %d with %d entries, want 0 with none", g.ID, g.Len())
	}
	if g, err := w.At(0); err != nil || g.Len() != 0 {
		t.Errorf("At(0) = %v, %v", g, err)
	}
	steps := []pages{
		{"/": "home", "/blog/a/": "a", "/blog/b/": "b"},
		{"/blog/b/": "b2", "!/blog/a/": "", "!/not/there/": ""},
		{},
		{"/blog/a/": "a", "/old/x": "/blog/a/"},
		{"!/": "", "!/blog/a/": "", "!/blog/b/": "", "!/old/x": ""},
		{"/": "home again"},
	}
	var gens []*pagestore.Generation
	var wants []pages
	want := pages{}
	for i, step := range steps {
		if i == 3 { // in a second process
			closeWriter(t, w)
			w = openWriter(t, pagestore.Config{Dir: dir})
		}
		want = after(want, step)
		gens, wants = append(gens, commit(t, w, step)), append(wants, want)
		for j := range gens {
			wantContents(t, gens[j], wants[j])
			g, err := w.At(uint64(j + 1))
			if err != nil {
				t.Fatal(err)
			}
			wantContents(t, g, wants[j])
		}
	}
	history, err := w.History()
	if err != nil || len(history) != len(steps) {
		t.Fatalf("History() has %d commits, %v, want %d", len(history), err, len(steps))
	}
	for i, c := range history {
		epoch := uint64(1)
		if c.Generation > 3 {
			epoch = 2
		}
		if c.Generation != uint64(len(steps)-i) || c.Epoch != epoch {
			t.Errorf("History()[%d] is generation %d of epoch %d, want %d of %d", i, c.Generation, c.Epoch, len(steps)-i, epoch)
		}
	}
	for _, id := range []uint64{7, 100} {
		if _, err := w.At(id); !errors.Is(err, site.ErrNotFound) {
			t.Errorf("At(%d) = %v, want not found", id, err)
		}
	}
}

func TestUnchangedResponseKeepsItsDate(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	commit(t, w, pages{"/blog/a/": "a", "/blog/b/": "b", "/old/x": "/blog/a/"})
	g := commit(t, w, pages{"/blog/a/": "a", "/blog/b/": "b2", "/old/x": "/blog/b/"})
	for path, want := range map[site.Path]uint64{"/blog/a/": 1, "/blog/b/": 2, "/old/x": 2} {
		if e, _ := g.Lookup(path); e.Generation != want {
			t.Errorf("%s was changed in generation %d, want %d", path, e.Generation, want)
		}
	}
}

func TestDiff(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	first := pages{"/a/": "1", "/b/": "2", "/c/": "3"}
	for i := range 300 {
		first[fmt.Sprintf("/many/%d/", i)] = "same"
	}
	old := commit(t, w, first)
	commit(t, w, pages{"/b/": "2 changed"})
	g := commit(t, w, pages{"!/c/": "", "/d/": "4", "/b/": "2 again"})
	diff := func(g, old *pagestore.Generation) []string {
		var out []string
		for was, is := range g.Diff(old) {
			switch {
			case was == nil:
				out = append(out, "+"+string(is.Path))
			case is == nil:
				out = append(out, "-"+string(was.Path))
			default:
				out = append(out, "~"+string(is.Path))
			}
		}
		slices.Sort(out)
		return out
	}
	empty, err := w.At(0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.At(1) // shares nothing with what is in memory
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		g, old *pagestore.Generation
		want   []string
	}{
		{"forward", g, old, []string{"+/d/", "-/c/", "~/b/"}},
		{"backward", old, g, []string{"+/c/", "-/d/", "~/b/"}},
		{"itself", g, g, nil},
		{"replayed", again, old, nil},
		{"from replayed", g, again, []string{"+/d/", "-/c/", "~/b/"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, diff(tt.g, tt.old)); diff != "" {
			t.Errorf("%s: Diff (-want +got):\n%s", tt.name, diff)
		}
	}
	if n := len(diff(old, empty)); n != len(first) {
		t.Errorf("Diff with the empty generation has %d entries, want %d", n, len(first))
	}
	if n := len(diff(empty, old)); n != len(first) {
		t.Errorf("Diff of the empty generation has %d entries, want %d", n, len(first))
	}
	for range old.Diff(empty) {
		break // must not panic
	}
	for range empty.Diff(old) {
		break
	}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := diff(w.Current(), g); d != nil {
		t.Errorf("compaction made a difference: %q", d)
	}
}

func TestObjectsAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	body := strings.Repeat("x", 100_000)
	commit(t, w, pages{"/a/": body, "/b/": body})
	for range 3 { // against this batch, the current generation, and after reopening
		commit(t, w, pages{"/c/": body, "/d/": body})
		closeWriter(t, w)
		w = openWriter(t, pagestore.Config{Dir: dir})
	}
	if n := logSize(t, dir); n > 110_000 {
		t.Errorf("the log has %d bytes for one object of 100,000", n)
	}
}

// colliding returns two different texts with the same digest. A digest takes in 32 bytes at a time, in four lanes of
// 8 bytes, each by invertible steps: what the first 8 bytes change, bytes 32 to 40 can take back.
func colliding(t *testing.T) (a, b []byte) {
	const prime1, prime2 = 11400714785074694791, 14029467366897019727
	inverse := uint64(1) // of prime2 modulo 1<<64
	for range 6 {
		inverse *= 2 - prime2*inverse
	}
	p1, p2 := uint64(prime1), uint64(prime2)
	lane := func(x uint64) uint64 { // the first lane after x
		acc := p1 + p2
		acc += x * p2
		return (acc<<31 | acc>>33) * p1
	}
	const x1, y1, x2 = 0x6161616161616161, 0x6262626262626262, 0x6363636363636363
	y2 := uint64(x2) + (lane(x1)-lane(y1))*inverse
	text := func(first, second uint64) []byte {
		out := make([]byte, 64)
		for i := range 8 {
			out[i], out[32+i] = byte(first>>(8*i)), byte(second>>(8*i))
		}
		return out
	}
	a, b = text(x1, x2), text(y1, y2)
	if string(a) == string(b) || digest.Bytes(a) != digest.Bytes(b) {
		t.Fatalf("digests %v and %v do not collide", digest.Bytes(a), digest.Bytes(b))
	}
	return a, b
}

func TestCollidingObjectsStayApart(t *testing.T) {
	a, b := colliding(t)
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	want := pages{"/a/": string(a), "/b/": string(b), "/c/": string(a)}
	commit(t, w, pages{"/a/": string(a)})
	g := commit(t, w, pages{"/b/": string(b), "/c/": string(a)})
	wantContents(t, g, want)
	closeWriter(t, w)
	w = openWriter(t, pagestore.Config{Dir: dir})
	g = commit(t, w, pages{"/d/": string(b)})
	wantContents(t, g, after(want, pages{"/d/": string(b)}))
	was, _ := g.Lookup("/b/")
	is, _ := g.Lookup("/d/")
	if was.Object.ID != is.Object.ID {
		t.Errorf("equal objects have the names %v and %v", was.Object.ID, is.Object.ID)
	}
}

// TestEntriesArePacked holds what a page takes in memory to what docs/performance.md says.
func TestEntriesArePacked(t *testing.T) {
	const n, most = 20_000, 320
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	b := w.Begin()
	ref, err := b.Object([]byte("a page"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := benchEntry(i)
		e.Object = ref
		b.Put(e, nil)
	}
	if _, err := b.Commit(pagestore.CommitInfo{Cause: "test"}); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r := openReader(t, dir)
	if got := (float64(heap()) - float64(before)) / n; got > most {
		t.Errorf("an entry takes %.0f bytes, want at most %d", got, most)
	}
	if got := r.Current().Len(); got != n {
		t.Errorf("the generation has %d entries, want %d", got, n)
	}
}

func TestSharedStringsAreBounded(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	b := w.Begin()
	defer b.Abort()
	for i := range 100_000 {
		b.Put(site.Entry{Path: "/x", Kind: site.KindRedirect, Status: 410, Cause: fmt.Sprint("cause ", i)}, nil)
	}
	if n := pagestore.Interned(w); n > 40_000 {
		t.Errorf("%d strings are kept", n)
	}
}

func TestLockedByAnother(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	_, err := pagestore.OpenWriter(pagestore.Config{Dir: dir})
	locked, ok := errors.AsType[*pagestore.LockedError](err)
	if !ok || locked.PID != os.Getpid() {
		t.Errorf("a second OpenWriter gives %v, want a LockedError of process %d", err, os.Getpid())
	}
	if want := fmt.Sprintf("another freshet (pid %d) is writing %s", os.Getpid(), dir); err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
	commit(t, w, pages{"/": "home"})
	closeWriter(t, w)
	w = openWriter(t, pagestore.Config{Dir: dir})
	wantContents(t, w.Current(), pages{"/": "home"})
}

func TestClosedWriter(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	g := commit(t, w, pages{"/": "home"})
	late := w.Begin()
	closeWriter(t, w)
	closeWriter(t, w)
	if _, err := late.Object([]byte("x")); err == nil {
		t.Error("Object of a batch of a closed writer succeeds")
	}
	if _, err := late.Commit(pagestore.CommitInfo{}); err == nil {
		t.Error("Commit of a batch of a closed writer succeeds")
	}
	b := w.Begin()
	if _, err := b.Commit(pagestore.CommitInfo{}); err == nil {
		t.Error("Commit of a closed writer succeeds")
	}
	if _, err := w.History(); err == nil {
		t.Error("History of a closed writer succeeds")
	}
	if err := w.Compact(t.Context()); err == nil {
		t.Error("Compact of a closed writer succeeds")
	}
	wantContents(t, g, pages{"/": "home"})
}

func TestBatchEndsOnce(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	b := w.Begin()
	if _, err := b.Commit(pagestore.CommitInfo{}); err != nil {
		t.Fatal(err)
	}
	b.Abort()
	b.Abort()
	if _, err := b.Commit(pagestore.CommitInfo{}); err == nil {
		t.Error("a second Commit succeeds")
	}
	b = w.Begin()
	b.Abort()
	if _, err := b.Commit(pagestore.CommitInfo{}); err == nil {
		t.Error("Commit after Abort succeeds")
	}
	if w.Current().ID != 1 {
		t.Errorf("the current generation is %d, want 1", w.Current().ID)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	size := logSize(t, dir)
	b := w.Begin()
	if err := put(b, pages{"/": strings.Repeat("y", 3*pagestore.BufferBytes), "/x/": "x"}); err != nil {
		t.Fatal(err)
	}
	if logSize(t, dir) == size {
		t.Error("a large object stays in memory until the commit")
	}
	b.Abort()
	if got := logSize(t, dir); got != size {
		t.Errorf("the log has %d bytes after an abort, want %d", got, size)
	}
	// What was aborted must not be taken for there.
	wantContents(t, commit(t, w, pages{"/x/": "x"}), pages{"/": "home", "/x/": "x"})
}

func TestBatchesAtOnce(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	a, b, c := w.Begin(), w.Begin(), w.Begin()
	for _, x := range []struct {
		b *pagestore.Batch
		p pages
	}{{a, pages{"/a/": "a", "/both/": "a"}}, {b, pages{"/b/": "b", "/both/": "b"}}, {c, pages{"/c/": "c"}}} {
		if err := put(x.b, x.p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(pagestore.CommitInfo{}); err != nil {
		t.Fatal(err)
	}
	c.Abort()
	g, err := a.Commit(pagestore.CommitInfo{})
	if err != nil {
		t.Fatal(err)
	}
	want := pages{"/a/": "a", "/b/": "b", "/both/": "a"}
	wantContents(t, g, want)
	closeWriter(t, w)
	wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), want)
}

func TestRefusedEntries(t *testing.T) {
	ok := site.Entry{Path: "/blog/a/", Kind: site.KindPage, Status: 200, Type: "text/html"}
	with := func(change func(*site.Entry)) site.Entry { e := ok; change(&e); return e }
	at := func(p string) site.Entry { return with(func(e *site.Entry) { e.Path = site.Path(p) }) }
	redirect := func(p string) site.Entry {
		return with(func(e *site.Entry) { e.Path, e.Kind, e.Status = site.Path(p), site.KindRedirect, 301 })
	}
	long := strings.Repeat("x", 300)
	tests := []struct {
		name  string
		entry site.Entry
		path  bool // the error is a PathError
		fine  bool
	}{
		{"a page", ok, false, true},
		{"the home page", at("/"), false, true},
		{"a file", at("/favicon.ico"), false, true},
		{"255 bytes", at("/" + long[:255] + "/"), false, true},
		{"a hidden file", at("/.well-known/security.txt"), false, true},
		{"dots in a name", at("/a..b/...x/"), false, true},
		{"no slash", at("blog/a/"), true, false},
		{"nothing", at(""), true, false},
		{"dot dot", at("/blog/../../etc/passwd"), true, false},
		{"dot dot at the end", at("/blog/.."), true, false},
		{"dot", at("/blog/./a/"), true, false},
		{"empty segment", at("/blog//a/"), true, false},
		{"two slashes", at("//host/"), true, false},
		{"NUL", at("/blog/a\x00b/"), true, false},
		{"newline", at("/blog/a\nb/"), true, false},
		{"backslash", at(`/blog\..\a/`), true, false},
		{"not UTF-8", at("/blog/\xff/"), true, false},
		{"300 bytes", at("/blog/" + long + "/"), true, false},
		{"300 bytes at the end", at("/" + long), true, false},
		{"too long", at("/" + strings.Repeat("abc/", 1000)), true, false},
		{"the marker", at("/.freshet"), true, false},
		{"the staging folder", at("/.freshet-new/x"), true, false},
		{"a redirect of a long old name", redirect("/" + long + "//x"), false, true},
		{"a redirect of dot dot", redirect("/a/../b"), true, false},
		{"a redirect with NUL", redirect("/a\x00"), true, false},
		{"no kind", with(func(e *site.Entry) { e.Kind = 0 }), false, false},
		{"an unknown kind", with(func(e *site.Entry) { e.Kind = 99 }), false, false},
		{"status 500", with(func(e *site.Entry) { e.Status = 500 }), false, false},
		{"a page that is gone", with(func(e *site.Entry) { e.Status = 410 }), false, false},
		{"an object nobody kept", with(func(e *site.Entry) { e.Object = site.ObjectRef{ID: 4, Offset: 64, Size: 4} }), false, false},
		{"an object of another size", with(func(e *site.Entry) { e.Object.Size = 1 << 40 }), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
			commit(t, w, pages{"/": "home"})
			b := w.Begin()
			ref, err := b.Object([]byte("body"))
			if err != nil {
				t.Fatal(err)
			}
			e := tt.entry
			switch {
			case e.Status != 200 || e.Object.ID != 0:
			case e.Object.Size != 0:
				e.Object.ID = ref.ID
			default:
				e.Object = ref
			}
			b.Put(e, nil)
			g, err := b.Commit(pagestore.CommitInfo{})
			if (err == nil) != tt.fine {
				t.Errorf("Commit gives %v", err)
			}
			if _, ok := errors.AsType[*pagestore.PathError](err); ok != tt.path {
				t.Errorf("Commit gives %v, is it a PathError: %v", err, tt.path)
			}
			if (pagestore.CheckPath(e.Path, e.Kind) != nil) != tt.path {
				t.Errorf("CheckPath(%q, %d) = %v", e.Path, e.Kind, pagestore.CheckPath(e.Path, e.Kind))
			}
			if err != nil {
				wantContents(t, w.Current(), pages{"/": "home"})
				wantContents(t, commit(t, w, pages{"/b/": "b"}), pages{"/": "home", "/b/": "b"})
			} else if _, ok := g.Lookup(e.Path); !ok {
				t.Errorf("Lookup(%q) finds nothing", e.Path)
			}
		})
	}
}

func TestCollidingPathsAreRefused(t *testing.T) {
	tests := []struct {
		name       string
		was, is    pages
		wantA, end site.Path // "": no error
	}{
		{"page and its file", pages{}, pages{"/a/": "1", "/a/index.html": "2"}, "/a/", "/a/index.html"},
		{"file and its page", pages{"/a/index.html": "1"}, pages{"/a/": "2"}, "/a/", "/a/index.html"},
		{"home and its file", pages{"/": "1"}, pages{"/index.html": "2"}, "/", "/index.html"},
		{"file above", pages{"/a": "1"}, pages{"/a/b/": "2"}, "/a", "/a/b/"},
		{"file and folder", pages{}, pages{"/a": "1", "/a/": "2"}, "/a", "/a/"},
		{"one replaces the other", pages{"/a/index.html": "1"}, pages{"/a/": "2", "!/a/index.html": ""}, "", ""},
		{"a redirect has no file", pages{"/old/a": "/x"}, pages{"/old/a/b": "/x"}, "", ""},
		{"the API has no file", pages{"/api/feed": "1"}, pages{"/api/feed/x": "2"}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
			commit(t, w, tt.was)
			b := w.Begin()
			if err := put(b, tt.is); err != nil {
				t.Fatal(err)
			}
			_, err := b.Commit(pagestore.CommitInfo{})
			c, ok := errors.AsType[*pagestore.CollisionError](err)
			if ok != (tt.wantA != "") || ok && (c.A != tt.wantA || c.B != tt.end) {
				t.Errorf("Commit gives %v, want a collision of %q and %q", err, tt.wantA, tt.end)
			}
			if !ok && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		dir := t.TempDir()
		w := openWriter(t, pagestore.Config{Dir: dir})
		first := pages{"/a/": "a", "/b/": "b", "/c/": "c", "/old/x": "/a/"}
		commit(t, w, first)
		commit(t, w, pages{"/a/": "a2", "!/b/": "", "/d/": "d", "/old/x": "/c/"})
		commit(t, w, pages{"/a/": "a3"})
		if compacted {
			if err := w.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		g, err := w.Rollback(1, pagestore.CommitInfo{Now: now, Pinned: true})
		if err != nil {
			t.Fatal(err)
		}
		wantContents(t, g, first)
		if c := g.Commit; !g.Pinned() || g.ID != 4 || c.Changed != 3 || c.Removed != 1 || c.Cause != "rollback to generation 1" {
			t.Errorf("generation %d, commit %+v", g.ID, c)
		}
		e, _ := g.Lookup("/b/")
		if docs, err := g.Docs(e); err != nil || len(docs) != 1 || docs[0].Revision != digest.String("b") {
			t.Errorf("Docs(/b/) = %v, %v", docs, err)
		}
		closeWriter(t, w)
		w = openWriter(t, pagestore.Config{Dir: dir})
		wantContents(t, w.Current(), first)
		if !w.Current().Pinned() {
			t.Error("the pin is gone after reopening")
		}
		g, err = w.Rollback(4, pagestore.CommitInfo{Now: now, Cause: "release"})
		if err != nil || g.Pinned() || g.ID != 5 || g.Commit.Changed != 0 {
			t.Errorf("released: %+v, %v", g.Commit, err)
		}
		if _, err := w.Rollback(77, pagestore.CommitInfo{}); !errors.Is(err, site.ErrNotFound) {
			t.Errorf("Rollback(77) = %v, want not found", err)
		}
	}
}

func TestVerified(t *testing.T) {
	dir := t.TempDir()
	r := openReader(t, dir)
	if at := r.Verified(); !at.IsZero() {
		t.Errorf("Verified() = %v of a site that never was", at)
	}
	w := openWriter(t, pagestore.Config{Dir: dir})
	want := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 5*3600+1800))
	if err := w.SetVerified(want); err != nil {
		t.Fatal(err)
	}
	if got, own := r.Verified(), w.Verified(); !got.Equal(want) || !own.Equal(want) {
		t.Errorf("Verified() = %v and %v, want %v", got, own, want)
	}
	note := filepath.Join(dir, "verified")
	if err := errors.Join(os.Remove(note), os.Mkdir(note, 0o755)); err != nil {
		t.Fatal(err)
	}
	if got := r.Verified(); !got.Equal(want) {
		t.Errorf("Verified() = %v of a note that cannot be read, want what it said before", got)
	}
	if err := errors.Join(os.Remove(note), os.WriteFile(note, []byte("\x00\x00"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if at := r.Verified(); !at.IsZero() {
		t.Errorf("Verified() = %v of a torn note", at)
	}
}

func TestConfig(t *testing.T) {
	if _, err := pagestore.OpenWriter(pagestore.Config{}); err == nil {
		t.Error("OpenWriter without a folder succeeds")
	}
	if _, err := pagestore.OpenReader(pagestore.Config{}); err == nil {
		t.Error("OpenReader without a folder succeeds")
	}
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	id := w.SiteID()
	if len(id) != 16 || w.Dir() != dir {
		t.Errorf("SiteID() = %q, Dir() = %q", id, w.Dir())
	}
	closeWriter(t, w)
	w = openWriter(t, pagestore.Config{Dir: dir})
	if w.SiteID() != id {
		t.Errorf("SiteID() = %q after reopening, want %q", w.SiteID(), id)
	}
	if other := openWriter(t, pagestore.Config{Dir: t.TempDir()}); other.SiteID() == id {
		t.Error("two sites have one id")
	}
}
