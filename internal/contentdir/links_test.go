package contentdir_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/site"
)

// TestLinksWithin follows links that stay within the tree, however they are written, and no others.
func TestLinksWithin(t *testing.T) {
	base := t.TempDir()
	for name, text := range map[string]string{
		"real/..2024_1/a.md": "# A\n\nText.", "real/..2024_1/sub/b.md": "# B\n\nText.", "real/.worktrees/x/blog/c.md": "# C\n\nText.",
		"real/notes/d.md": "# D\n\nText.", "real/deep/e.md": "# E\n\nText.", "real/.git/secret.md": "# Secret", "out/f.md": "# F",
		"real/static/one.txt": "one",
	} {
		write(t, base, name, []byte(text))
	}
	for _, l := range [][2]string{
		{"..2024_1", "real/..data"}, {"..data/a.md", "real/a.md"}, {"..data/sub", "real/sub"}, {".worktrees/x", "real/current"},
		{filepath.Join(base, "real/notes/d.md"), "real/full.md"}, {"../deep", "real/notes/linked"}, {"../notes", "real/deep/back"},
		{".git/secret.md", "real/hidden.md"}, {"../out/f.md", "real/out.md"}, {"../out", "real/outside"}, {"real", "content"},
		{"one.txt", "real/static/two.txt"},
	} {
		if err := os.Symlink(l[0], filepath.Join(base, l[1])); err != nil {
			t.Skip(err)
		}
	}
	for _, dir := range []string{"real", "content"} {
		s := newSource(t, filepath.Join(base, dir), nil)
		ch := scan(t, s, nil)
		var got []string
		for _, d := range ch.Put {
			got = append(got, string(d.DocID()))
			if m := site.MetaOf(d); m != nil {
				if _, err := s.Body(t.Context(), m.Body); err != nil && !m.Body.IsZero() {
					t.Errorf("%s: %v", m.ID, err)
				}
			} else if f, err := s.Open(t.Context(), d.(*site.File)); err != nil {
				t.Error(err)
			} else if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, want := range []string{"a.md", "current/blog/c.md", "full.md", "static/one.txt", "static/two.txt"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q is not among %q", dir, want, got)
			}
		}
		for _, name := range got {
			if strings.Contains(name, "out") || strings.Contains(name, "hidden") || strings.HasPrefix(name, ".") {
				t.Errorf("%s: %q is read", dir, name)
			}
		}
		refused := 0
		for _, p := range ch.Problems {
			if strings.Contains(p.Message, "out of the content tree") || strings.Contains(p.Message, "hidden file") {
				refused++
			}
		}
		if refused != 3 {
			t.Errorf("%s: %d links are refused, want 3: %v", dir, refused, ch.Problems)
		}
	}
}

// TestSwap has all of a tree change with one link.
func TestSwap(t *testing.T) {
	base := t.TempDir()
	write(t, base, "releases/1/content/blog/a.md", []byte("# One\n\nText."))
	write(t, base, "releases/2/content/blog/a.md", []byte("# Two\n\nText."))
	current := filepath.Join(base, "current")
	swap := func(to string) {
		t.Helper()
		if err := errors.Join(os.Symlink(to, current+".tmp"), os.Rename(current+".tmp", current)); err != nil {
			t.Skip(err)
		}
	}
	swap("releases/1")
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: filepath.Join(current, "content")})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"One", "Two", "One"} {
		swap([]string{"releases/1", "releases/2"}[i%2])
		ch := scan(t, s, nil)
		if len(ch.Put) != 1 || ch.Put[0].(*site.Post).Title != want {
			t.Errorf("scan %d: %v, want %q", i, ch.Put, want)
		}
	}
}
