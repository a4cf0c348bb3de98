package pagestore_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
)

func TestChanges(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	first := commit(t, w, pages{"/blog/a/": "one", "/blog/b/": "two", "/blog/c/": "three", "/old/x": "/blog/a/", "/feed.xml": "f"})
	b := w.Begin()
	defer b.Abort()
	if err := put(b, pages{"/blog/a/": "ONE", "!/blog/b/": "", "/blog/d/": "new", "/old/x": "/blog/d/"}); err != nil {
		t.Fatal(err)
	}
	again, _ := first.Lookup("/blog/c/")
	same := *again // rendered for another reason, to the same bytes
	same.Cause, same.Fingerprint = "template changed", digest.String("else")
	b.Put(same, nil)
	feed, _ := first.Lookup("/feed.xml")
	keys := *feed
	keys.Keys = []string{"list:feed"}
	b.Put(keys, nil)
	second, err := b.Commit(pagestore.CommitInfo{Cause: "test", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	of := func(g, old *pagestore.Generation) map[string]string {
		got := map[string]string{}
		for was, is := range g.Changes(old) {
			switch {
			case was == nil:
				got[string(is.Path)] = "new"
			case is == nil:
				got[string(was.Path)] = "gone"
			default:
				got[string(is.Path)] = "changed"
			}
		}
		return got
	}
	want := map[string]string{"/blog/a/": "changed", "/blog/b/": "gone", "/blog/d/": "new", "/old/x": "changed", "/feed.xml": "changed"}
	if diff := cmp.Diff(want, of(second, first)); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
	reread := openReader(t, w.Dir()).Current()
	if diff := cmp.Diff(want, of(reread, first)); diff != "" {
		t.Errorf("Changes of a generation from the disk (-want +got):\n%s", diff)
	}
	if got := of(second, second); len(got) != 0 {
		t.Errorf("a generation differs from itself: %v", got)
	}
	if got := of(first, nil); len(got) != first.Len() {
		t.Errorf("%d changes since nothing, want %d", len(got), first.Len())
	}
}

// BenchmarkChanges compares two generations of 100,000 pages of which one differs.
func BenchmarkChanges(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	all := pages{}
	for i := range 100_000 {
		all[fmt.Sprintf("/blog/post-%d/", i)] = "x"
	}
	first := commit(b, w, all)
	second := commit(b, w, pages{"/blog/post-7/": "y"})
	for b.Loop() {
		n := 0
		for range second.Changes(first) {
			n++
		}
		if n != 1 {
			b.Fatalf("%d changes, want 1", n)
		}
	}
}
