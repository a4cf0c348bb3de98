package pagestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// follow runs a reader until the test ends.
func follow(t testing.TB, r *pagestore.Reader) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ends with %v", err)
		}
	})
}

// waitFor waits until the reader has a generation.
func waitFor(t testing.TB, r *pagestore.Reader, id uint64) *pagestore.Generation {
	t.Helper()
	for {
		if g := r.Current(); g != nil && g.ID == id {
			return g
		}
		select {
		case <-r.Changed():
		case <-t.Context().Done():
			t.Fatalf("generation %d did not come", id)
		}
	}
}

func TestReaderFollows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	r := openReader(t, dir) // before there is anything
	if g := r.Current(); g != nil {
		t.Fatalf("generation %d of no log", g.ID)
	}
	if h, err := r.History(); err != nil || len(h) != 0 {
		t.Errorf("History() = %v, %v of no log", h, err)
	}
	if _, err := r.At(1); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("At(1) = %v of no log", err)
	}
	follow(t, r)
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
	want := pages{}
	var held []*pagestore.Generation
	var wants []pages
	for i := range 6 {
		step := pages{"/": fmt.Sprint("home ", i), fmt.Sprintf("/p%d/", i): strings.Repeat("p", i*5000), fmt.Sprintf("!/p%d/", i-2): ""}
		want = after(want, step)
		commit(t, w, step)
		g := waitFor(t, r, uint64(i+1))
		wantContents(t, g, want)
		held, wants = append(held, g), append(wants, want)
		if i == 3 {
			if err := w.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i == 4 { // a writer that came and went
			closeWriter(t, w)
			w = openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
		}
	}
	for i, g := range held {
		wantContents(t, g, wants[i]) // also those of the segment that is gone
	}
	h, err := r.History()
	if err != nil || len(h) != 4 || h[0].Generation != 6 {
		t.Errorf("History() = %v, %v, want generations 6 to 3", h, err)
	}
	g, err := r.At(3)
	if err != nil {
		t.Fatal(err)
	}
	wantContents(t, g, wants[2])
	if _, err := r.At(2); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("At(2) = %v, want not found", err)
	}
}

// TestReadersAreQuick: whoever follows a log has each generation within 250 ms of its commit, also after a compaction and
// with another writer, however many follow it.
func TestReadersAreQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
		commit(t, w, pages{"/": "first"})
		readers := []*pagestore.Reader{openReader(t, dir), openReader(t, dir)}
		for _, r := range readers {
			follow(t, r)
		}
		for i := range 40 {
			time.Sleep(time.Duration(i) * 7 * time.Millisecond) // at any moment between two looks
			switch i % 10 {
			case 3:
				if err := w.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 7:
				closeWriter(t, w)
				w = openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
			}
			commit(t, w, pages{"/": fmt.Sprint("edition ", i)})
			time.Sleep(250 * time.Millisecond)
			for n, r := range readers {
				if got, want := r.Current().ID, w.Current().ID; got != want {
					t.Errorf("250 ms after commit %d reader %d has generation %d", want, n, got)
				}
			}
		}
	})
}

// TestReaderSeesTakenBackCommit: what a writer cuts off and writes anew replaces what a reader has read.
func TestReaderSeesTakenBackCommit(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	size := logSize(t, dir)
	commit(t, w, pages{"/": "taken back"})
	r := openReader(t, dir)
	wantContents(t, r.Current(), pages{"/": "taken back"})
	closeWriter(t, w)
	if err := os.Truncate(logFile(t, dir), size); err != nil {
		t.Fatal(err)
	}
	w = openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "and written"}) // of the same length
	follow(t, r)
	for e, _ := r.Current().Lookup("/"); ; e, _ = r.Current().Lookup("/") {
		body, err := r.Current().Object(e.Object)
		if err == nil && string(body) == "and written" {
			break
		}
		if t.Context().Err() != nil {
			t.Fatalf("the reader still has %q (%v)", body, err)
		}
	}
	commit(t, w, pages{"/": "more"})
	wantContents(t, waitFor(t, r, 3), pages{"/": "more"})
}

// TestReaderMovesToNewLog: the state folder was removed and made anew.
func TestReaderMovesToNewLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	commit(t, w, pages{"/": "home 2"})
	r := openReader(t, dir)
	follow(t, r)
	closeWriter(t, w)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	wantContents(t, r.Current(), pages{"/": "home 2"})
	w = openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "new site"})
	wantContents(t, waitFor(t, r, 1), pages{"/": "new site"})
}

// TestReadersAndCompaction lets readers look at everything while generations are committed, aborted and compacted away
// underneath them.
func TestReadersAndCompaction(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 2})
	commit(t, w, uniform(1))
	const last = 60
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		r := openReader(t, dir)
		follow(t, r)
		readers.Go(func() {
			var seen uint64
			for {
				g := r.Current()
				wantUniform(t, g)
				if g.ID < seen {
					t.Errorf("generation %d after %d", g.ID, seen)
				}
				if seen = g.ID; seen == last {
					return
				}
				select {
				case <-stop:
					return
				case <-r.Changed():
				default:
				}
			}
		})
	}
	var others sync.WaitGroup
	others.Go(func() {
		for w.Current().ID < last {
			if err := w.Compact(t.Context()); err != nil {
				t.Error(err)
				return
			}
			wantUniform(t, w.Current())
		}
	})
	others.Go(func() {
		for w.Current().ID < last {
			b := w.Begin()
			if err := put(b, uniform(99)); err != nil {
				t.Error(err)
			}
			b.Abort()
		}
	})
	for id := uint64(2); id <= last; id++ {
		if g := commit(t, w, uniform(id)); g.ID != id {
			t.Errorf("generation %d, want %d", g.ID, id)
		}
	}
	others.Wait()
	if t.Failed() {
		close(stop)
	}
	readers.Wait()
	closeWriter(t, w)
	wantUniform(t, openReader(t, dir).Current())
}

// uniform is a site whose every page has the number of its generation.
func uniform(id uint64) pages {
	all := pages{}
	for i := range 8 {
		all[fmt.Sprintf("/p%d/", i)] = fmt.Sprintf("%d %s", id, strings.Repeat("x", i*1000))
	}
	return all
}
