package publictree_test

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
)

// TestFullDisk fills a real disk: a small one in memory, where the test may mount one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := openWriter(t, pagestore.Config{Dir: filepath.Join(dir, "state"), Keep: 1})
	tree := openTree(t, filepath.Join(dir, "public"), w, publictree.Options{})
	home := pages{"/": "home", "/blog/a/": strings.Repeat("a", 1000_000)}
	g := commit(t, w, home)
	syncTree(t, tree, g)

	b := w.Begin()
	err := put(b, pages{"/large/": strings.Repeat("z", 5<<20)})
	if _, cerr := b.Commit(pagestore.CommitInfo{}); !errors.Is(err, syscall.ENOSPC) && !errors.Is(cerr, syscall.ENOSPC) {
		t.Errorf("Object gives %v and Commit %v on a full disk", err, cerr)
	}
	wantContents(t, w.Current(), home)
	next := pages{"/x/": strings.Repeat("x", 1200_000), "/y/": "y"}
	g = commit(t, w, next) // it fits the log, not the tree
	if _, err := tree.Sync(t.Context(), g); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Sync gives %v on a full disk", err)
	}
	if err := w.Compact(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Compact gives %v on a full disk", err)
	}
	want := after(home, next)
	wantContents(t, w.Current(), want)
	if log, err := filepath.Glob(filepath.Join(w.Dir(), "log", "*")); err != nil || len(log) != 1 {
		t.Errorf("the log has files %q (%v), want one", log, err) // nothing temporary is left
	}
	less := pages{"!/x/": ""}
	g = commit(t, w, less)
	syncTree(t, tree, g)
	wantFiles(t, filepath.Join(dir, "public"), asFiles(after(want, less)))
	closeWriter(t, w)
	wantContents(t, openReader(t, w.Dir()).Current(), after(want, less))
}

// TestFormsOnFullDisk: where there is no room for a file's forms, or for it, the old one keeps its own.
func TestFormsOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	tree := openTree(t, dir, w, compressed)
	old := pages{"/": long("home"), "/a/": long("a"), "/b/": long("b")}
	syncTree(t, tree, commit(t, w, old))
	r := rand.New(rand.NewPCG(3, 3))
	body := make([]byte, 100_000)
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	next := after(old, pages{"/a/": hex.EncodeToString(body), "/new/": hex.EncodeToString(body[:50_000])})
	g := commit(t, w, next)
	want := withForms(t, asFiles(next))
	for _, room := range []int64{0, 100_000, 220_000, 320_000, 420_000, 520_000} {
		filler := make([]byte, 2<<20)
		_ = os.WriteFile(filepath.Join(dir, "mine"), filler, 0o644) // as much as there is room for
		info, err := os.Stat(filepath.Join(dir, "mine"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, "mine"), max(info.Size()-room, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Sync(t.Context(), g); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Sync gives %v with room for %d bytes", err, room)
		}
		checkForms(t, dir)
		there := files(t, dir)
		for _, name := range []string{"index.html", "index.html.br", "b/index.html.gz"} {
			if there[name] != want[name] {
				t.Errorf("%s has changed with room for %d bytes", name, room)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, "mine")); err != nil {
		t.Fatal(err)
	}
	syncTree(t, tree, g)
	if diff := diffFiles(t, dir, want); diff != "" {
		t.Error(diff)
	}
}
