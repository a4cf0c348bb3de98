package pagestore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

func TestCompact(t *testing.T) {
	tests := []struct {
		name        string
		keep, kept  int // of 6 generations
		commitAfter bool
	}{
		{"the last only", 1, 1, false},
		{"some", 3, 3, true},
		{"exactly all", 6, 6, true},
		{"more than there are", 100, 6, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := pagestore.Config{Dir: dir, Keep: tt.keep}
			w := openWriter(t, cfg)
			want := pages{}
			var wants []pages
			var held []*pagestore.Generation
			for i := range 6 {
				step := pages{
					"/":                                     fmt.Sprint("home ", i),
					fmt.Sprintf("/p%d/", i):                 strings.Repeat(fmt.Sprint(i), 100_000),
					fmt.Sprintf("!/p%d/", i-2):              "",
					fmt.Sprintf("/old/p%d/", i):             "/",
					fmt.Sprintf("/same-as-p%d/", i):         strings.Repeat(fmt.Sprint(i), 100_000),
					fmt.Sprintf("!/same-as-p%d/", i-1):      "",
					fmt.Sprintf("/again-as-p%d/", i%2):      strings.Repeat("0", 100_000),
					fmt.Sprintf("!/again-as-p%d/", (i+1)%2): "",
				}
				want = after(want, step)
				held, wants = append(held, commit(t, w, step)), append(wants, want)
			}
			before := logSize(t, dir)
			id := w.SiteID()
			for range 2 { // the second has nothing to do, and does it all the same
				if err := w.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, max := logSize(t, dir), before*int64(tt.kept+3)/6; got > max {
				t.Errorf("%d of %d bytes are left with %d of 6 generations, want at most %d", got, before, tt.kept, max)
			}
			if name := filepath.Base(logFile(t, dir)); name != "0000000000000003.seg" {
				t.Errorf("the log is %s", name)
			}
			check := func(w *pagestore.Writer) {
				t.Helper()
				if w.Current().ID != 6 || w.SiteID() != id {
					t.Errorf("generation %d of site %s, want 6 of %s", w.Current().ID, w.SiteID(), id)
				}
				for i := range wants {
					g, err := w.At(uint64(i + 1))
					if i < 6-tt.kept {
						if !errors.Is(err, site.ErrNotFound) {
							t.Errorf("At(%d) = %v, want not found", i+1, err)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					wantContents(t, g, wants[i])
					for e := range g.All() {
						if docs, err := g.Docs(e); err != nil || len(docs) != 1 {
							t.Errorf("Docs(%s) = %v, %v", e.Path, docs, err)
						}
					}
				}
			}
			check(w)
			for i, g := range held {
				wantContents(t, g, wants[i])
			}
			if tt.commitAfter {
				step := pages{"/": "last", "/p9/": strings.Repeat("5", 100_000)} // bytes that are there already
				size := logSize(t, dir)
				commit(t, w, step)
				if grown := logSize(t, dir) - size; grown > 2000 {
					t.Errorf("the log has grown by %d bytes: a live object was kept again after compaction", grown)
				}
				closeWriter(t, w)
				wantContents(t, openWriter(t, cfg).Current(), after(wants[5], step))
				return
			}
			closeWriter(t, w)
			check(openWriter(t, cfg))
		})
	}
}

func TestCompactKeepsOrigins(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 1})
	defer closeWriter(t, w)
	origin := strings.Repeat("ä", 400)
	for i := range 4 {
		b := w.Begin()
		ref, err := b.Object([]byte(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		path := site.Path(fmt.Sprintf("/%d/", i%3))
		b.Put(site.Entry{Path: path, Kind: site.KindPage, Status: 200, Object: ref, Origin: fmt.Sprint("job ", i, " ", origin)}, []site.DocRef{{ID: "a", Revision: 1}})
		if _, err := b.Commit(pagestore.CommitInfo{Cause: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, job := range []string{"job 3 ", "job 1 ", "job 2 "} {
		e, _ := w.Current().Lookup(site.Path(fmt.Sprintf("/%d/", i)))
		got, err := w.Current().Origin(e)
		docs, err2 := w.Current().Docs(e)
		if err != nil || err2 != nil || !strings.HasPrefix(got, job) || !strings.HasPrefix(job+origin, got) || len(got) < 490 || len(docs) != 1 {
			t.Errorf("/%d/ was asked for by %q and made of %v (%v, %v), want %q, cut", i, got, docs, err, err2, job)
		}
	}
}

func TestCompactEmptyLog(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.ShouldCompact() {
		t.Error("an empty log should be compacted")
	}
	wantContents(t, commit(t, w, pages{"/": "home"}), pages{"/": "home"})
}

// TestCompactWaitsForBatches: a batch that is open has objects in the old segment. Compaction waits for it or for its
// own end, and leaves nothing behind.
func TestCompactWaitsForBatches(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 1})
	commit(t, w, pages{"/": "home"})
	b := w.Begin()
	if err := put(b, pages{"/x/": "x"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Compact(ctx) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Compact gives %v, want %v", err, context.Canceled)
	}
	logFile(t, dir)

	go func() { done <- w.Compact(t.Context()) }()
	commit(t, w, pages{"/y/": "y"}) // a second batch comes and goes meanwhile
	g, err := b.Commit(pagestore.CommitInfo{})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := pages{"/": "home", "/x/": "x", "/y/": "y"}
	wantContents(t, g, want)
	wantContents(t, w.Current(), want)
	closeWriter(t, w)
	if name := filepath.Base(logFile(t, dir)); name != "0000000000000002.seg" {
		t.Errorf("the log is %s", name)
	}
	wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), want)
}

func TestShouldCompact(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name          string
		garbage, size int64
		commits, keep int
		want          bool
	}{
		{"small", 10 * mb, 12 * mb, 100, 20, false},
		{"mostly live", 70 * mb, 200 * mb, 100, 20, false},
		{"mostly garbage", 110 * mb, 200 * mb, 100, 20, true},
		{"long history", 0, mb, 1201, 20, true},
		{"history", 0, mb, 1200, 20, false},
	}
	for _, tt := range tests {
		if got := pagestore.WorthCompacting(tt.garbage, tt.size, tt.commits, tt.keep); got != tt.want {
			t.Errorf("%s: worthCompacting(%d, %d, %d, %d) = %v", tt.name, tt.garbage, tt.size, tt.commits, tt.keep, got)
		}
	}

	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
	body := func(i int) string { return strings.Repeat(fmt.Sprint(i), 24*mb) }
	for i := range 6 {
		commit(t, w, pages{"/": body(i)})
		// Of i+1 objects of 24 MB the kept generations need two.
		if got, want := w.ShouldCompact(), i >= 4; got != want {
			t.Errorf("after %d objects: ShouldCompact() = %v, want %v", i+1, got, want)
		}
	}
	closeWriter(t, w)
	w = openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
	if !w.ShouldCompact() {
		t.Error("what is garbage is forgotten after reopening")
	}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.ShouldCompact() {
		t.Error("ShouldCompact() right after compaction")
	}
	if size := logSize(t, dir); size > 49*mb {
		t.Errorf("%d bytes are left, want two objects of 24 MB", size)
	}
}
