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

// sealed reports whether the log in dir is as the seal says.
func sealed(t testing.TB, dir string, s pagestore.Seal) bool {
	t.Helper()
	l, ok := pagestore.Unseal(dir, s)
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
func sealedSite(t testing.TB) (dir string, s pagestore.Seal) {
	t.Helper()
	dir = t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	if _, ok := w.Seal(); ok {
		t.Fatal("Seal of an empty log is ok")
	}
	commit(t, w, pages{"/": "home", "/a/": strings.Repeat("a", 700<<10), "/b/": strings.Repeat("b", 300<<10), "/c/": strings.Repeat("c", 300<<10)})
	commit(t, w, pages{"/": "new home", "/old/x": "/a/", "!/c/": ""})
	s, ok := w.Seal()
	if !ok {
		t.Fatal("Seal of a site that is up to date is not ok")
	}
	if len(s.Starts) < 2 {
		t.Fatalf("Seal has the starts %v, want some", s.Starts)
	}
	closeWriter(t, w)
	return dir, s
}

func TestUnseal(t *testing.T) {
	dir, s := sealedSite(t)
	for range 2 { // it changes nothing
		if !sealed(t, dir, s) {
			t.Fatal("a log that nobody has touched is not as it was sealed")
		}
	}
	w := openWriter(t, pagestore.Config{Dir: dir})
	if sealed(t, dir, s) {
		t.Error("a log that another process writes is as it was sealed")
	}
	closeWriter(t, w)
	l, ok := pagestore.Unseal(dir, s)
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
	dir, s := sealedSite(t)
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
		if sealed(t, dir, s) {
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
	if !sealed(t, dir, s) {
		t.Error("the whole log is not as it was sealed")
	}
	for _, other := range []string{"0000000000000002.seg", "0000000000000002.seg.tmp"} {
		other = filepath.Join(dir, "log", other)
		if err := os.WriteFile(other, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if sealed(t, dir, s) {
			t.Errorf("a log with %s beside it is as it was sealed", other)
		}
		if err := os.Remove(other); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSealWork asks for the seal of logs that leave something to do.
func TestSealWork(t *testing.T) {
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	commit(t, w, pages{"/": "home"})
	if _, ok := w.Seal(); !ok {
		t.Fatal("Seal is not ok")
	}
	b := w.Begin()
	if _, ok := w.Seal(); ok {
		t.Error("Seal is ok while a batch is open")
	}
	b.Abort()
	if _, ok := w.Seal(); !ok {
		t.Error("Seal is not ok after the batch")
	}
	b = w.Begin()
	if _, err := b.Commit(pagestore.CommitInfo{Now: now, Pinned: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.Seal(); ok {
		t.Error("Seal of a pinned site is ok")
	}
}
