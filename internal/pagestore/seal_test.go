package pagestore_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/pagestore"
)

// sealed reports whether the log in dir and the public tree are as the seal says.
func sealed(t testing.TB, dir, public string, s pagestore.Seal) bool {
	t.Helper()
	l, ok := pagestore.Unseal(dir, public, s)
	if !ok {
		return false
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	return l.Intact(t.Context())
}

// sealedSite makes a site with two generations and objects of all sizes, and seals it.
func sealedSite(t testing.TB) (dir, public string, s pagestore.Seal) {
	t.Helper()
	dir, public = t.TempDir(), filepath.Join(t.TempDir(), "public")
	w := openWriter(t, pagestore.Config{Dir: dir})
	tree := openTree(t, public, w, pagestore.TreeOptions{})
	if _, ok := w.Seal(tree); ok {
		t.Fatal("Seal of an empty log is ok")
	}
	commit(t, w, pages{"/": "home", "/a/": strings.Repeat("a", 700<<10), "/b/": strings.Repeat("b", 300<<10), "/c/": strings.Repeat("c", 300<<10)})
	if _, ok := w.Seal(tree); ok {
		t.Fatal("Seal is ok before the tree is at the newest generation")
	}
	syncTree(t, tree, commit(t, w, pages{"/": "new home", "/old/x": "/a/", "!/c/": ""}))
	s, ok := w.Seal(tree)
	if !ok {
		t.Fatal("Seal of a site that is up to date is not ok")
	}
	if len(s.Starts) < 2 {
		t.Fatalf("Seal has the starts %v, want some", s.Starts)
	}
	closeWriter(t, w)
	return dir, public, s
}

func TestUnseal(t *testing.T) {
	dir, public, s := sealedSite(t)
	for range 2 { // it changes nothing
		if !sealed(t, dir, public, s) {
			t.Fatal("a log that nobody has touched is not as it was sealed")
		}
	}
	w := openWriter(t, pagestore.Config{Dir: dir})
	if sealed(t, dir, public, s) {
		t.Error("a log that another process writes is as it was sealed")
	}
	closeWriter(t, w)
	l, ok := pagestore.Unseal(dir, public, s)
	if !ok {
		t.Fatal("Unseal after a writer that wrote nothing is not ok")
	}
	if _, err := pagestore.OpenWriter(pagestore.Config{Dir: dir}); err == nil {
		t.Error("the log can be written while it is unsealed")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnsealDamage changes a sealed log in one byte after another, and in its length.
func TestUnsealDamage(t *testing.T) {
	dir, public, s := sealedSite(t)
	segments, err := filepath.Glob(filepath.Join(dir, "log", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %q, %v", segments, err)
	}
	name := segments[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if sealed(t, dir, public, s) {
			t.Errorf("a log with %s is as it was sealed", what)
		}
	}
	tail := len(whole) - 3000 // the entries and the commit of the second generation are behind it
	for i := 0; i < len(whole); {
		b := bytes.Clone(whole)
		b[i] ^= 0x40
		damage(fmt.Sprintf("another byte at %d", i), b)
		if i < 100 || i >= tail {
			i += 7
		} else {
			i = min(i+len(whole)/100, tail)
		}
	}
	damage("more at its end", append(bytes.Clone(whole), 0))
	damage("less at its end", whole[:len(whole)-1])
	damage("nothing in it", nil)
	if err := os.WriteFile(name, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if !sealed(t, dir, public, s) {
		t.Error("the whole log is not as it was sealed")
	}
	for _, other := range []string{"0000000000000002.seg", "0000000000000002.seg.tmp"} {
		other = filepath.Join(dir, "log", other)
		if err := os.WriteFile(other, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if sealed(t, dir, public, s) {
			t.Errorf("a log with %s beside it is as it was sealed", other)
		}
		if err := os.Remove(other); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnsealTree changes what Sync looks at in a public tree.
func TestUnsealTree(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(public string) error
	}{
		{"no home page", func(public string) error { return os.Remove(filepath.Join(public, "index.html")) }},
		{"no marker", func(public string) error { return os.Remove(filepath.Join(public, ".freshet")) }},
		{"no tree", os.RemoveAll},
		{"a stopped Sync", func(public string) error { return os.Mkdir(filepath.Join(public, ".freshet-new"), 0o755) }},
		{"another marker", func(public string) error {
			return os.WriteFile(filepath.Join(public, ".freshet"), []byte(`{"site":"0123456789abcdef"}`), 0o644)
		}},
	} {
		dir, public, s := sealedSite(t)
		if err := tt.change(public); err != nil {
			t.Fatal(err)
		}
		if sealed(t, dir, public, s) {
			t.Errorf("%s: the tree is as it was sealed", tt.name)
		}
		if sealed(t, dir, "", s) {
			t.Errorf("%s: a site without a tree is as one with a tree was sealed", tt.name)
		}
	}
}

// TestSealBoot seals a tree on a machine that is then booted anew: what it holds is not certain any more.
func TestSealBoot(t *testing.T) {
	dir, public := t.TempDir(), filepath.Join(t.TempDir(), "public")
	w := openWriter(t, pagestore.Config{Dir: dir})
	tree := openTree(t, public, w, pagestore.TreeOptions{})
	pagestore.SetBoot(tree, "an earlier boot")
	syncTree(t, tree, commit(t, w, pages{"/": "home"}))
	s, ok := w.Seal(tree)
	if !ok {
		t.Fatal("Seal is not ok")
	}
	closeWriter(t, w)
	if sealed(t, dir, public, s) {
		t.Error("after another boot the tree is as it was sealed")
	}
}

// TestSealWork asks for the seal of logs that leave something to do.
func TestSealWork(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	commit(t, w, pages{"/": "home"})
	if _, ok := w.Seal(nil); !ok {
		t.Fatal("Seal is not ok")
	}
	b := w.Begin()
	if _, ok := w.Seal(nil); ok {
		t.Error("Seal is ok while a batch is open")
	}
	b.Abort()
	if _, ok := w.Seal(nil); !ok {
		t.Error("Seal is not ok after the batch")
	}
	b = w.Begin()
	if _, err := b.Commit(pagestore.CommitInfo{Now: now, Pinned: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.Seal(nil); ok {
		t.Error("Seal of a pinned site is ok")
	}
}
