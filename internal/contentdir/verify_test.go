package contentdir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/contentdir"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A countingMemo counts what is new to it.
type countingMemo struct {
	mu   sync.Mutex // protects what follows
	kept map[digest.Sum]string
	news int
}

func (m *countingMemo) Get(key digest.Sum) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.kept[key]
	return []byte(v), ok
}

func (m *countingMemo) Put(key digest.Sum, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key] != string(value) {
		m.kept[key] = string(value)
		m.news++
	}
}

// TestVerify changes files without a trace in their size and time: only a scan that is told to verify finds it, and what
// has not changed costs no write.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	const post, picture = "---\ntitle: A\ndate: 2024-01-01\n---\n\n![](a.svg)\n\nThe text.\n", `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`
	for n := range 30 {
		write(t, dir, fmt.Sprintf("blog/p%d.md", n), []byte(post))
	}
	write(t, dir, "blog/a.svg", []byte(picture))
	write(t, dir, "static/robots.txt", []byte("User-agent: *\n"))
	memo := &countingMemo{kept: map[digest.Sum]string{}}
	s := newSource(t, dir, memo)
	scan(t, s, nil)
	names, err := s.Names(t.Context())
	if err != nil || len(names) != 32 {
		t.Fatalf("Names = %q, %v, want 32", names, err)
	}
	news := memo.news

	verify := func() (put, drop []site.ID) {
		t.Helper()
		names, err := s.Names(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Verify(names)
		ch := scan(t, s, names)
		for _, d := range ch.Put {
			put = append(put, d.DocID())
		}
		return put, ch.Drop
	}
	if put, drop := verify(); len(put)+len(drop) > 0 {
		t.Errorf("nothing changed: put %q, dropped %q", put, drop)
	}
	if memo.news != news {
		t.Errorf("verifying what has not changed wrote %d results", memo.news-news)
	}

	write(t, dir, "blog/p1.md", []byte(post[:len(post)-6]+"tExt.\n"))
	write(t, dir, "blog/a.svg", []byte(picture[:len(picture)-4]+`2"/>`))
	write(t, dir, "static/robots.txt", []byte("User-agent: x\n"))
	if ch := scan(t, s, nil); len(ch.Put) > 0 {
		t.Errorf("a scan that trusts times put %d documents, want none: else this test proves nothing", len(ch.Put))
	}
	put, drop := verify()
	if diff := cmp.Diff([]site.ID{"blog/a.svg", "blog/p1.md", "static/robots.txt"}, put); diff != "" || len(drop) > 0 {
		t.Errorf("verifying put (-want +got):\n%s and dropped %q", diff, drop)
	}
	if put, drop := verify(); len(put)+len(drop) > 0 {
		t.Errorf("once more: put %q, dropped %q", put, drop)
	}

	if err := os.Remove(filepath.Join(dir, "blog/p2.md")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "blog/new.md", []byte(post))
	calm(t, filepath.Join(dir, "blog"))
	put, drop = verify()
	if !slices.Equal(put, []site.ID{"blog/new.md"}) || !slices.Equal(drop, []site.ID{"blog/p2.md"}) {
		t.Errorf("one is gone, one is new: put %q, dropped %q", put, drop)
	}
}

// TestNamesManyMissing has so much gone that a scan of a few names looks at everything.
func TestNamesManyMissing(t *testing.T) {
	dir := t.TempDir()
	for n := range 30 {
		write(t, dir, fmt.Sprintf("blog/p%d.md", n), []byte("---\ntitle: A\ndate: 2024-01-01\n---\n\nText.\n"))
	}
	s := newSource(t, dir, nil)
	scan(t, s, nil)
	for n := range 20 {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("blog/p%d.md", n))); err != nil {
			t.Fatal(err)
		}
	}
	calm(t, filepath.Join(dir, "blog"))
	names, err := s.Names(t.Context())
	if err != nil || len(names) != 30 {
		t.Fatalf("%d names, %v, want those that are gone too", len(names), err)
	}
	if ch := scan(t, s, []string{"blog/p1.md"}); len(ch.Drop) != 20 {
		t.Errorf("dropped %d at once, want 20", len(ch.Drop))
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Names(t.Context()); err == nil {
		t.Error("the names of a tree that is gone: no error")
	}
	s, err = contentdir.New(contentdir.Config{Summaries: summaries, Dir: filepath.Join(dir, "none"), Only: []string{"pages"}})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := s.Names(t.Context()); len(names) > 0 || err != nil {
		t.Errorf("a tree that need not exist: %q, %v", names, err)
	}
}
