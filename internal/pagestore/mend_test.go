package pagestore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"freshet/internal/pagestore"
)

// TestLogRemoved takes the log away from a running writer in several ways. The next commit, and the next note that the
// site was verified, write it anew with all that was in it, say so, and the next start finds the same site.
func TestLogRemoved(t *testing.T) {
	home, next := pages{"/": "home", "/blog/a/": "a"}, pages{"/blog/b/": "b"}
	remove := func(parts ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(append([]string{dir}, parts...)...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	ways := map[string]func(*testing.T, string){
		"folder":       remove("log"),
		"file":         func(t *testing.T, dir string) { remove("log", filepath.Base(logFile(t, dir)))(t, dir) },
		"state folder": remove(),
		"another in its place": func(t *testing.T, dir string) {
			remove("log")(t, dir)
			other := t.TempDir()
			generations(t, other)
			copyLog(t, filepath.Join(other, "log"), filepath.Join(dir, "log"))
		},
	}
	notice := map[string]func(*testing.T, *pagestore.Writer) pages{
		"commit": func(t *testing.T, w *pagestore.Writer) pages {
			commit(t, w, next)
			return after(home, next)
		},
		"verified": func(t *testing.T, w *pagestore.Writer) pages {
			if err := w.SetVerified(time.Now()); err != nil {
				t.Error(err)
			}
			return home
		},
	}
	for name, way := range ways {
		for when, do := range notice {
			t.Run(name+"/"+when, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "state")
				var said strings.Builder
				w := openWriter(t, pagestore.Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil))})
				commit(t, w, pages{"/": "before"})
				old := commit(t, w, home)
				r := openReader(t, dir)
				id := w.SiteID()
				way(t, dir)
				want := do(t, w)
				if !strings.Contains(said.String(), "somebody removed it") {
					t.Errorf("the writer says nothing: %s", said.String())
				}
				wantContents(t, w.Current(), want)
				wantContents(t, old, home) // as long as somebody has it
				first, err := w.At(1)
				if err != nil {
					t.Fatal(err)
				}
				wantContents(t, first, pages{"/": "before"})
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _ = r.Run(ctx) }()
				wantContents(t, waitFor(t, r, w.Current().ID), want)
				cancel()
				if _, err := pagestore.OpenWriter(pagestore.Config{Dir: dir}); err == nil {
					t.Error("the lock is lost")
				}
				closeWriter(t, w)
				w = openWriter(t, pagestore.Config{Dir: dir})
				wantContents(t, w.Current(), want)
				if w.SiteID() != id {
					t.Errorf("the site is %s, it was %s", w.SiteID(), id)
				}
				wantContents(t, commit(t, w, pages{"/c": "c"}), after(want, pages{"/c": "c"}))
			})
		}
	}
}

// TestAnotherTookTheFolder: a writer whose state folder was removed stops writing where another process has begun a new one.
func TestAnotherTookTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	w := openWriter(t, pagestore.Config{Dir: dir})
	g := commit(t, w, pages{"/": "home"})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, other, pages{"/": "other"})
	b := w.Begin()
	_ = put(b, pages{"/": "mine"})
	_, _ = b.Commit(pagestore.CommitInfo{}) // it reaches nobody but this process
	b = w.Begin()
	if _, err := b.Commit(pagestore.CommitInfo{}); err == nil || !strings.Contains(err.Error(), "another freshet") {
		t.Errorf("Commit gives %v beside another writer", err)
	}
	wantContents(t, g, pages{"/": "home"})
	wantContents(t, commit(t, other, pages{"/x": "x"}), pages{"/": "other", "/x": "x"})
}

// TestFollowPastDamage: a reader that follows a log gets the commits behind an object whose length is damaged, and an
// error where a commit itself is.
func TestFollowPastDamage(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	r := openReader(t, dir)
	at := logSize(t, dir)
	want := pages{"/": "home"}
	for _, name := range []string{"/a/", "/b/", "/c/", "/d/"} {
		commit(t, w, pages{name: "text of " + name})
		want[name] = "text of " + name
	}
	file := logFile(t, dir)
	b := readFile(t, file)
	if !bytes.HasPrefix(b[at+pagestore.ObjectHead:], []byte("text of /a/")) {
		t.Fatal("there is no object behind the first commit")
	}
	b[at+2] ^= 1 << 4 // it is a megabyte longer now
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = r.Run(ctx) }()
	g := waitFor(t, r, 5)
	if g.Len() != len(want) {
		t.Errorf("the reader has %d entries, want %d", g.Len(), len(want))
	}
	e, _ := g.Lookup("/a/")
	if body, err := g.Object(e.Object); err == nil {
		t.Errorf("Object = %q of a damaged object", body)
	}
	if err := w.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if got := w.Distrusted(); len(got) != 1 || got[0] != "/a/" {
		t.Errorf("Distrusted = %v, want /a/", got)
	}
}

// TestHeaderDamaged: each commit has what the header has, so a log whose header is damaged is written anew as it was.
func TestHeaderDamaged(t *testing.T) {
	base := t.TempDir()
	wants, _ := generations(t, base)
	whole := readFile(t, logFile(t, base))
	for name, damage := range map[string]func(b []byte){
		"zeros":   func(b []byte) { clear(b[:pagestore.HeaderSize]) },
		"salt":    func(b []byte) { b[40] ^= 1 },
		"version": func(b []byte) { b[8] ^= 4 },
	} {
		b := bytes.Clone(whole)
		damage(b)
		dir := putLog(t, b)
		wantContents(t, openReader(t, dir).Current(), wants[2])
		w := openWriter(t, pagestore.Config{Dir: dir})
		wantContents(t, w.Current(), wants[2])
		if aside, err := filepath.Glob(filepath.Join(dir, "log", "*.aside")); err != nil || len(aside) != 1 {
			t.Errorf("%s: put aside are %v, %v", name, aside, err)
		}
		closeWriter(t, w)
	}
}

// TestLaterVersionIsLeftAlone: a whole header of another version is no damage, whatever commits there are behind it.
func TestLaterVersionIsLeftAlone(t *testing.T) {
	base := t.TempDir()
	generations(t, base)
	b := readFile(t, logFile(t, base))
	b[8] = 2
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli)))
	dir := putLog(t, b)
	_, werr := pagestore.OpenWriter(pagestore.Config{Dir: dir})
	_, rerr := pagestore.OpenReader(pagestore.Config{Dir: dir})
	for _, err := range []error{werr, rerr} {
		if err == nil || !strings.Contains(err.Error(), "another version of freshet") {
			t.Errorf("a log of another version gives %v", err)
		}
	}
	if got := readFile(t, logFile(t, dir)); !bytes.Equal(got, b) {
		t.Error("the file was changed")
	}
}

// TestCompactionOfDamagedEntries: where the log cannot be read any more, memory has the newest generation.
func TestCompactionOfDamagedEntries(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	g := commit(t, w, pages{"/": "home", "/a/": "a"})
	commit(t, w, pages{"/b/": "b"})
	f, err := os.OpenFile(logFile(t, dir), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), pagestore.Offset(g, "/a/")+20); err != nil {
		t.Fatal(err)
	}
	want := pages{"/": "home", "/a/": "a", "/b/": "b"}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantContents(t, w.Current(), want)
	closeWriter(t, w)
	wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), want)
}

// TestRollbackToDamage: no generation is made of objects that cannot be read.
func TestRollbackToDamage(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	g := commit(t, w, pages{"/": "home", "/a/": "a as it was"})
	commit(t, w, pages{"/": "home 2"})
	now := commit(t, w, pages{"/a/": "a as it is"})
	e, _ := g.Lookup("/a/")
	f, err := os.OpenFile(logFile(t, dir), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("X"), e.Object.Offset+pagestore.ObjectHead); err != nil {
		t.Fatal(err)
	}
	_, err = w.Rollback(1, pagestore.CommitInfo{})
	if d, ok := errors.AsType[*pagestore.DamageError](err); !ok || d.Offset != e.Object.Offset || !strings.Contains(err.Error(), "/a/") {
		t.Errorf("Rollback gives %v", err)
	}
	if w.Current().ID != now.ID {
		t.Errorf("generation %d after a rollback that failed, want %d", w.Current().ID, now.ID)
	}
	// What the newest generation has as well needs no reading.
	if _, err := w.Rollback(3, pagestore.CommitInfo{}); err != nil {
		t.Error(err)
	}
}
