package pagestore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// golden is a log of three generations, those of generations(), as the first version of the format wrote it.
const golden = "testdata/format-1.seg"

func TestFormat(t *testing.T) {
	dir := putLog(t, readFile(t, golden))
	wants, _ := generations(t, t.TempDir())
	w := openWriter(t, pagestore.Config{Dir: dir})
	for i, want := range wants {
		g, err := w.At(uint64(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		wantContents(t, g, want)
	}
	wantContents(t, w.Current(), wants[len(wants)-1])
	e, ok := w.Current().Lookup("/blog/b/")
	if docs, err := w.Current().Docs(e); !ok || err != nil || len(docs) != 1 || docs[0].ID != "posts/blog/b/.md" {
		t.Errorf("Docs = %v, %v", docs, err)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// putLog makes a state folder whose log is b.
func putLog(t testing.TB, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log", "0000000000000001.seg"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// FuzzReadLog: a log whose bytes were replaced from some place on is one of its generations, or what can be read of them
// under a new number, or an error; and every object is what one of them had or an error.
func FuzzReadLog(f *testing.F) {
	whole := readFile(f, golden)
	wants, ends := generations(f, f.TempDir())
	f.Add(uint16(len(whole)), []byte{}, false)
	f.Add(uint16(100), []byte{}, false)
	f.Add(uint16(64), whole[64:], true)
	f.Add(uint16(0), whole[:200], false)
	f.Add(uint16(ends[0]), whole[ends[1]:], false)
	f.Add(uint16(ends[1]), whole[ends[0]:ends[1]], true)
	f.Add(uint16(70), []byte{0xff, 0xff, 0xff, 0x3f, 1}, true)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, rest bool) {
		n := min(int(at), len(whole))
		b := append(whole[:n:n], patch...)
		if rest && len(b) < len(whole) {
			b = append(b, whole[len(b):]...)
		}
		dir := putLog(t, b)
		r, err := pagestore.OpenReader(pagestore.Config{Dir: dir})
		if err != nil {
			return
		}
		check := func(g *pagestore.Generation) {
			if g == nil || g.ID == 0 {
				return
			}
			for e := range g.All() {
				had := slices.ContainsFunc(wants, func(want pages) bool { return e.Status != 200 && e.Location == want[string(e.Path)] })
				if e.Status == 200 {
					body, err := g.Object(e.Object)
					had = err != nil || slices.ContainsFunc(wants, func(want pages) bool { return string(body) == want[string(e.Path)] })
				}
				if !had {
					t.Errorf("%s of generation %d has what no generation had", e.Path, g.ID)
				}
			}
		}
		check(r.Current())
		w, err := pagestore.OpenWriter(pagestore.Config{Dir: dir})
		if err != nil {
			return
		}
		check(w.Current())
		if r.Current() != nil && w.Current().ID < r.Current().ID {
			t.Errorf("the writer has generation %d, a reader had %d", w.Current().ID, r.Current().ID)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzRecords: payloads that have their checksums and hold anything are an error or can be written again as they are.
func FuzzRecords(f *testing.F) {
	const off = 1000
	entry := site.Entry{Path: "/blog/a/", Kind: site.KindPage, Status: 200, Keys: []string{"blog:a", "list:blog"}, Cause: "why"}
	f.Add(pagestore.EncodeEntry(&entry, []site.DocRef{{ID: "a", Revision: 1}, {}}))
	f.Add(pagestore.EncodeEntry(&site.Entry{Path: "/x", Kind: site.KindRedirect, Status: 410, Remembered: now}, nil))
	f.Add(pagestore.EncodeCommit(pagestore.Commit{Generation: 1, CommitInfo: pagestore.CommitInfo{Cause: "why", Now: now, Pinned: true}}, off))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, docs, err := pagestore.DecodeEntry(b); err == nil {
			again, docsAgain, err := pagestore.DecodeEntry(pagestore.EncodeEntry(e, docs))
			if diff := cmp.Diff(e, again) + cmp.Diff(docs, docsAgain); diff != "" || err != nil {
				t.Errorf("entry, %v (-read +read again):\n%s", err, diff)
			}
		}
		if c, err := pagestore.ReencodeCommit(b, off); err == nil {
			if again, err := pagestore.ReencodeCommit(c, off); err != nil || !bytes.Equal(c, again) {
				t.Errorf("commit, %v: %q, again %q", err, c, again)
			}
		}
	})
}
