package pagestore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"freshet/internal/pagestore"
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
	tree := openTree(t, filepath.Join(dir, "public"), w, pagestore.TreeOptions{})
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
	logFile(t, w.Dir()) // nothing temporary is left
	less := pages{"!/x/": ""}
	g = commit(t, w, less)
	syncTree(t, tree, g)
	wantFiles(t, filepath.Join(dir, "public"), asFiles(after(want, less)))
	closeWriter(t, w)
	wantContents(t, openReader(t, w.Dir()).Current(), after(want, less))
}
