package contentdir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"freshet/internal/contentdir"
)

// sealOf scans a tree and seals it.
func sealOf(t testing.TB, cfg contentdir.Config) contentdir.Seal {
	t.Helper()
	s, err := contentdir.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	scan(t, s, nil)
	seal, ok := s.Seal()
	if !ok {
		t.Fatal("Seal after a scan is not ok")
	}
	return seal
}

// unchanged asks a Source of its own whether the tree is as it was sealed.
func unchanged(t testing.TB, cfg contentdir.Config, seal contentdir.Seal) (contentdir.Seal, bool) {
	t.Helper()
	s, err := contentdir.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	now, ok, err := s.Unchanged(t.Context(), seal)
	if err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return now, ok
}

func TestUnchanged(t *testing.T) {
	const post = "---\ntitle: A\ndate: 2024-01-01\n---\n\nThe text.\n"
	rewrite := func(name, data string, at time.Time) error {
		return errors.Join(os.WriteFile(name, []byte(data), 0o644), os.Chtimes(name, at, at))
	}
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		want   bool
	}{
		{"nothing", func(string) error { return nil }, true},
		{"a file read", func(dir string) error { _, err := os.ReadFile(filepath.Join(dir, "blog/old.md")); return err }, true},
		{"an old file edited", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "blog/old.md"), []byte(strings.Replace(post, "text", "word", 1)), 0o644)
		}, false},
		{"an old file touched", func(dir string) error {
			return os.Chtimes(filepath.Join(dir, "blog/old.md"), old, old.Add(time.Second))
		}, false},
		{"an old file of another size", func(dir string) error { return rewrite(filepath.Join(dir, "blog/old.md"), post+"More.\n", old) }, false},
		{"an old file replaced", func(dir string) error {
			name := filepath.Join(dir, "blog/old.md")
			return errors.Join(rewrite(name+"~", post, old), os.Rename(name+"~", name))
		}, false},
		{"a new file edited, of the same size and time", func(dir string) error {
			name := filepath.Join(dir, "blog/new.md")
			info, err := os.Stat(name)
			return errors.Join(err, rewrite(name, strings.Replace(post, "text", "word", 1), info.ModTime()))
		}, false},
		{"a new file written again", func(dir string) error {
			name := filepath.Join(dir, "blog/new.md")
			info, err := os.Stat(name)
			return errors.Join(err, rewrite(name, post, info.ModTime()))
		}, true},
		{"a new picture edited, of the same size and time", func(dir string) error {
			name := filepath.Join(dir, "blog/new.svg")
			info, err := os.Stat(name)
			return errors.Join(err, rewrite(name, "<svg/ >", info.ModTime()))
		}, false},
		{"a file more", func(dir string) error { return rewrite(filepath.Join(dir, "blog/more.md"), post, old) }, false},
		{"a picture more", func(dir string) error { return rewrite(filepath.Join(dir, "blog/more.svg"), "<svg/>", old) }, false},
		{"a file less", func(dir string) error { return os.Remove(filepath.Join(dir, "blog/old.md")) }, false},
		{"a new file less", func(dir string) error { return os.Remove(filepath.Join(dir, "blog/new.md")) }, false},
		{"a file moved", func(dir string) error {
			return os.Rename(filepath.Join(dir, "blog/old.md"), filepath.Join(dir, "blog/older.md"))
		}, false},
		{"a folder moved", func(dir string) error { return os.Rename(filepath.Join(dir, "blog"), filepath.Join(dir, "posts")) }, false},
		{"a link more", func(dir string) error { return os.Symlink("old.md", filepath.Join(dir, "blog/link.md")) }, false},
		{"a link that leads nowhere", func(dir string) error { return os.Symlink("none", filepath.Join(dir, "blog/link.md")) }, false},
		{"a collection declared", func(dir string) error {
			return rewrite(filepath.Join(dir, "_config.yml"), "collections: [recipes]\n", old)
		}, false},
		{"a file beside the tree", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"-static", 0o755), rewrite(dir+"-static/a.txt", "a", old))
		}, false},
		{"no tree", os.RemoveAll, false},
	} {
		dir := filepath.Join(t.TempDir(), "content")
		write(t, dir, "blog/old.md", []byte(post))
		write(t, dir, "blog/new.md", []byte(post))
		write(t, dir, "blog/new.svg", []byte("<svg  />"[:7]))
		write(t, dir, "static/robots.txt", []byte("User-agent: *\n"))
		now := time.Now()
		for _, name := range []string{"blog/new.md", "blog/new.svg"} {
			if err := os.Chtimes(filepath.Join(dir, name), now, now); err != nil {
				t.Fatal(err)
			}
		}
		cfg := contentdir.Config{Dir: dir, Summaries: summaries, Beside: []string{dir + "-static"}}
		seal := sealOf(t, cfg)
		if len(seal.Fresh) != 2 {
			t.Fatalf("Seal has the new files %v, want two", seal.Fresh)
		}
		if err := tt.change(dir); err != nil {
			t.Fatal(err)
		}
		if _, got := unchanged(t, cfg, seal); got != tt.want {
			t.Errorf("%s: Unchanged = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestUnchangedLater has a new file grow old: the next seal trusts its time.
func TestUnchangedLater(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("---\ndate: 2024-01-01\n---\n\nThe text.\n"))
	at := func(now time.Time) *contentdir.Source {
		s := newSource(t, dir, nil)
		contentdir.SetNow(s, func() time.Time { return now })
		return s
	}
	s := at(old.Add(time.Second))
	scan(t, s, nil)
	seal, ok := s.Seal()
	if !ok || len(seal.Fresh) != 1 {
		t.Fatalf("Seal = %+v, %v, want one fresh file", seal, ok)
	}
	for _, tt := range []struct {
		age  time.Duration
		want int
	}{{time.Second, 1}, {-time.Hour, 1}, {2 * time.Second, 0}, {time.Hour, 0}} {
		now, ok, err := at(old.Add(tt.age)).Unchanged(t.Context(), seal)
		if err != nil || !ok || len(now.Fresh) != tt.want {
			t.Errorf("Unchanged of a file %v old = %+v, %v, %v, want %d fresh files", tt.age, now, ok, err, tt.want)
		}
		seal = now
	}
	for _, other := range []contentdir.Config{
		{Language: "de"}, {Only: []string{"blog"}}, {Zone: time.FixedZone("X", 3600)}, {Summaries: &counting{Summarizer: summaries, version: 1}},
	} {
		other.Dir = dir
		if other.Summaries == nil {
			other.Summaries = summaries
		}
		if _, ok := unchanged(t, other, seal); ok {
			t.Errorf("a source that reads otherwise is as it was sealed: %+v", other)
		}
	}
}

// TestSealOfWhatCannotBeRead has no seal: a file may be readable again without a trace in its size and time.
func TestSealOfWhatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("The text.\n"))
	if err := os.Chmod(filepath.Join(dir, "blog/a.md"), 0); err != nil {
		t.Fatal(err)
	}
	s := newSource(t, dir, nil)
	scan(t, s, nil)
	if _, ok := s.Seal(); ok {
		t.Error("Seal with a file that cannot be read is ok")
	}
}

// TestSealWithDoubts has no seal before the scan that doubts ask for.
func TestSealWithDoubts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/a.md", []byte("The text.\n"))
	s := newSource(t, dir, nil)
	if _, ok := s.Seal(); ok {
		t.Error("Seal before a scan is ok")
	}
	scan(t, s, nil)
	s.Verify([]string{"blog/a.md"})
	if _, ok := s.Seal(); ok {
		t.Error("Seal is ok while a file is in doubt")
	}
	scan(t, s, []string{"blog/a.md"})
	if _, ok := s.Seal(); !ok {
		t.Error("Seal is not ok after the file was read again")
	}
}
