package contentdir_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/site"
)

// TestBeside takes files of folders beside the tree for those of its static/: the tree's own come first, what goes away is
// told, and links that lead elsewhere are not followed.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "content/blog/a.md", []byte("# A\n"))
	write(t, dir, "content/static/both.txt", []byte("inner"))
	write(t, dir, "static/both.txt", []byte("outer"))
	write(t, dir, "static/img/s.txt", []byte("s"))
	write(t, dir, "public/img/s.txt", []byte("later"))
	write(t, dir, "public/p.txt", []byte("p"))
	write(t, dir, "static/.secret", []byte("x"))
	write(t, dir, "elsewhere.txt", []byte("x"))
	if err := os.Symlink("../elsewhere.txt", filepath.Join(dir, "static", "link.txt")); err != nil {
		t.Fatal(err)
	}
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: filepath.Join(dir, "content"),
		Beside: []string{filepath.Join(dir, "static"), filepath.Join(dir, "public"), filepath.Join(dir, "none")}})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*site.File{}
	take := func(ch *site.Changes) {
		for _, id := range ch.Drop {
			delete(files, string(id))
		}
		for _, d := range ch.Put {
			if f, ok := d.(*site.File); ok {
				files[f.Name] = f
			}
		}
	}
	take(scan(t, s, nil))
	holds := func(want map[string]string) {
		t.Helper()
		if len(files) != len(want) {
			t.Errorf("%d files, want %d: %v", len(files), len(want), files)
		}
		for name, text := range want {
			f := files["static/"+name]
			if f == nil || f.Public != site.Path("/"+name) {
				t.Fatalf("static/%s is %+v", name, f)
			}
			r, err := s.Open(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || string(got) != text {
				t.Errorf("static/%s is %q, %v, want %q", name, got, err, text)
			}
		}
	}
	holds(map[string]string{"both.txt": "inner", "img/s.txt": "s", "p.txt": "p"})

	// A scan for another file finds what has changed beside the tree.
	write(t, dir, "static/new.txt", []byte("new"))
	if err := os.Remove(filepath.Join(dir, "content", "static", "both.txt")); err != nil {
		t.Fatal(err)
	}
	take(scan(t, s, []string{"static/both.txt"}))
	holds(map[string]string{"both.txt": "outer", "img/s.txt": "s", "p.txt": "p", "new.txt": "new"})
	if err := os.Remove(filepath.Join(dir, "static", "new.txt")); err != nil {
		t.Fatal(err)
	}
	take(scan(t, s, []string{"static/new.txt"}))
	holds(map[string]string{"both.txt": "outer", "img/s.txt": "s", "p.txt": "p"})
}
