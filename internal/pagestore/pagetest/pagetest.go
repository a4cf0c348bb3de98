// Package pagetest makes generations for tests: pages are a map of paths to bodies.
package pagetest

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// Now is the time that tests build for.
var Now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// OpenWriter opens a writer, which the end of the test closes.
func OpenWriter(t testing.TB, cfg pagestore.Config) *pagestore.Writer {
	t.Helper()
	w, err := pagestore.OpenWriter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// OpenReader opens a reader of the log in dir.
func OpenReader(t testing.TB, dir string) *pagestore.Reader {
	t.Helper()
	r, err := pagestore.OpenReader(pagestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// CloseWriter closes w, without an error.
func CloseWriter(t testing.TB, w *pagestore.Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// Pages maps paths to bodies; of a redirect, to its location. A path that begins with "!" is removed. [Kind] tells the kind of an entry.
type Pages map[string]string

// Kind returns the kind that an entry at path has in tests.
func Kind(path string) site.Kind {
	switch {
	case strings.HasPrefix(path, "/assets/"):
		return site.KindAsset
	case strings.HasPrefix(path, "/old/"):
		return site.KindRedirect
	case strings.HasPrefix(path, "/api/"):
		return site.KindHidden
	case strings.HasSuffix(path, ".xml"), strings.HasPrefix(path, "/_"):
		return site.KindFeed
	case path == "/", path == "/blog/", strings.HasPrefix(path, "/blog/page/"), strings.HasPrefix(path, "/topic/"):
		return site.KindList
	}
	return site.KindPage
}

// Put puts pages into a batch, in the order of their paths.
func Put(b *pagestore.Batch, all Pages) error {
	for _, path := range slices.Sorted(maps.Keys(all)) {
		body := all[path]
		if p, ok := strings.CutPrefix(path, "!"); ok {
			b.Remove(site.Path(p))
			continue
		}
		e := site.Entry{
			Path: site.Path(path), Kind: Kind(path), Status: 200, Type: "text/html; charset=utf-8", Template: "post.html", Cause: "test",
			Keys: []string{"list:blog", "blog:" + filepath.Base(path)}, Doc: site.ID("posts" + path + ".md"), Fingerprint: digest.String(body),
		}
		if e.Kind == site.KindRedirect {
			e.Status, e.Location, e.Remembered = 301, body, Now
		} else {
			ref, err := b.Object([]byte(body))
			if err != nil {
				return err
			}
			e.Object = ref
		}
		b.Put(e, []site.DocRef{{ID: e.Doc, Revision: digest.String(body)}})
	}
	return nil
}

// Commit commits all in a batch of its own.
func Commit(t testing.TB, w *pagestore.Writer, all Pages) *pagestore.Generation {
	t.Helper()
	b := w.Begin()
	defer b.Abort()
	if err := Put(b, all); err != nil {
		t.Fatal(err)
	}
	g, err := b.Commit(pagestore.CommitInfo{Cause: "test", Now: Now, Pages: len(all)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Contents returns what g holds.
func Contents(t testing.TB, g *pagestore.Generation) Pages {
	t.Helper()
	got := Pages{}
	for e := range g.All() {
		if e.Status != 200 {
			got[string(e.Path)] = e.Location
			continue
		}
		body, err := g.Object(e.Object)
		if err != nil {
			t.Fatalf("Object(%s) of generation %d: %v", e.Path, g.ID, err)
		}
		got[string(e.Path)] = string(body)
	}
	if g.Len() != len(got) {
		t.Errorf("generation %d has Len %d and %d entries", g.ID, g.Len(), len(got))
	}
	return got
}

// WantContents compares what g holds with want.
func WantContents(t testing.TB, g *pagestore.Generation, want Pages) {
	t.Helper()
	if diff := cmp.Diff(want, Contents(t, g)); diff != "" {
		t.Errorf("generation %d (-want +got):\n%s", g.ID, diff)
	}
}

// After returns was with the changes made.
func After(was, changes Pages) Pages {
	is := maps.Clone(was)
	for path, body := range changes {
		if p, ok := strings.CutPrefix(path, "!"); ok {
			delete(is, p)
		} else {
			is[path] = body
		}
	}
	return is
}

// StopAt returns a function that fails from its n-th call on, as a step does after the machine has stopped, and one that
// reports whether that happened.
func StopAt(n int) (before func(step, name string) error, stopped func() bool) {
	var count atomic.Int64
	return func(string, string) error {
		if count.Add(1) > int64(n) {
			return ErrCrash
		}
		return nil
	}, func() bool { return count.Load() > int64(n) }
}

// ErrCrash is the error of a step after [StopAt]'s machine has stopped.
var ErrCrash = errors.New("the machine has stopped")
