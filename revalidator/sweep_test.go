package revalidator_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"freshet/revalidator"
)

// TestSweep finds every kind of change by looking at files, and nothing where nothing has changed.
func TestSweep(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	old := time.Now().Add(-time.Hour)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	save := func(name, text string, when time.Time) {
		t.Helper()
		must(os.MkdirAll(filepath.Dir(at(name)), 0o755))
		must(os.WriteFile(at(name), []byte(text), 0o644))
		must(os.Chtimes(at(name), when, when))
	}
	save("content/blog/a.md", "one", old)
	save("content/blog/b/index.md", "one", old)
	save("elsewhere/c.md", "one", old)
	must(os.Symlink(at("elsewhere"), at("content/linked")))
	must(os.Symlink(at("content"), at("content/blog/round"))) // a circle
	var s revalidator.Sweep
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"the first look", func() {}, []string{"content/blog/a.md", "content/blog/b/index.md", "content/linked/c.md"}},
		{"nothing", func() {}, nil},
		{"another size", func() { save("content/blog/a.md", "three", old) }, []string{"content/blog/a.md"}},
		{"another time", func() { save("content/blog/a.md", "seven", old.Add(time.Nanosecond)) }, []string{"content/blog/a.md"}},
		{"another file in its place", func() {
			save("content/blog/.new", "eight", old.Add(time.Nanosecond))
			must(os.Rename(at("content/blog/.new"), at("content/blog/a.md")))
		}, []string{"content/blog/a.md"}},
		{"behind a link", func() { save("elsewhere/c.md", "two", old) }, nil}, // same size and time: verification finds it
		{"behind a link, larger", func() { save("elsewhere/c.md", "three", old) }, []string{"content/linked/c.md"}},
		{"a new folder", func() { save("content/new/d.md", "one", old) }, []string{"content/new/d.md"}},
		{"an editor's file", func() { save("content/new/d.md~", "one", old) }, nil},
		{"moved", func() { must(os.Rename(at("content/new"), at("content/moved"))) }, []string{"content/moved/d.md", "content/new/d.md"}},
		{"gone", func() { must(os.RemoveAll(at("content/blog/b"))) }, []string{"content/blog/b/index.md"}},
		{"young", func() { save("content/blog/e.md", "one", time.Now().Add(time.Hour)) }, []string{"content/blog/e.md"}},
		{"still young", func() {}, []string{"content/blog/e.md"}},
		{"the whole folder", func() { must(os.RemoveAll(at("content"))) },
			[]string{"content/blog/a.md", "content/blog/e.md", "content/linked/c.md", "content/moved/d.md"}},
		{"an absent folder", func() {}, nil},
	} {
		step.do()
		got, err := s.Look([]string{at("content"), at("absent")})
		must(err)
		for i := range got {
			got[i], _ = filepath.Rel(root, got[i])
		}
		slices.Sort(got)
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}
