package pagestore_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// now is what tests build for.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func openWriter(t testing.TB, cfg pagestore.Config) *pagestore.Writer {
	t.Helper()
	w, err := pagestore.OpenWriter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func openReader(t testing.TB, dir string) *pagestore.Reader {
	t.Helper()
	r, err := pagestore.OpenReader(pagestore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func closeWriter(t testing.TB, w *pagestore.Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// pages are bodies by path. A path that begins with "!" is removed. The path tells the kind: see kindOf.
type pages map[string]string

func kindOf(path string) site.Kind {
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

// put puts pages into a batch, in the order of their paths.
func put(b *pagestore.Batch, all pages) error {
	for _, path := range slices.Sorted(maps.Keys(all)) {
		body := all[path]
		if p, ok := strings.CutPrefix(path, "!"); ok {
			b.Remove(site.Path(p))
			continue
		}
		e := site.Entry{
			Path: site.Path(path), Kind: kindOf(path), Status: 200, Type: "text/html; charset=utf-8", Template: "post.html", Cause: "test",
			Keys: []string{"list:blog", "blog:" + filepath.Base(path)}, Doc: site.ID("posts" + path + ".md"), Fingerprint: digest.String(body),
		}
		if e.Kind == site.KindRedirect {
			e.Status, e.Location, e.Remembered = 301, body, now
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

func commit(t testing.TB, w *pagestore.Writer, all pages) *pagestore.Generation {
	t.Helper()
	b := w.Begin()
	defer b.Abort()
	if err := put(b, all); err != nil {
		t.Fatal(err)
	}
	g, err := b.Commit(pagestore.CommitInfo{Cause: "test", Now: now, Pages: len(all)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// contents is what a generation has: bodies of pages, locations of redirects.
func contents(t testing.TB, g *pagestore.Generation) pages {
	t.Helper()
	got := pages{}
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

func wantContents(t testing.TB, g *pagestore.Generation, want pages) {
	t.Helper()
	if diff := cmp.Diff(want, contents(t, g)); diff != "" {
		t.Errorf("generation %d (-want +got):\n%s", g.ID, diff)
	}
}

// after is what pages are when changes were made to them.
func after(was, changes pages) pages {
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

func logSize(t testing.TB, dir string) int64 {
	t.Helper()
	info, err := os.Stat(logFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// logFile is the only segment of a log.
func logFile(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the log has files %q (%v), want one", files, err)
	}
	return files[0]
}
