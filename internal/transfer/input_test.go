package transfer_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"freshet/internal/transfer"
)

// TestFindInput tells files of mongoexport and content trees apart.
func TestFindInput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"blogs.ndjson", "post.md", "exports/b.jsonl", "exports/blogs-2.json", "exports/package.json", "exports/notes.md", "tree/data.json", "tree/post.md",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		files []string
		tree  string
		err   error
	}{
		{"blogs.ndjson", []string{"blogs.ndjson"}, "", nil},
		{"exports", []string{"exports/b.jsonl", "exports/blogs-2.json"}, "", nil},
		{"tree", nil, "tree", nil},
		{"post.md", nil, "", transfer.ErrMarkdown},
		{"none", nil, "", fs.ErrNotExist},
	} {
		in, err := transfer.FindInput(test.name)
		if !errors.Is(err, test.err) || !slices.Equal(in.Files, test.files) || in.Tree != test.tree {
			t.Errorf("FindInput(%q) = %+v, %v, want %q, %q, %v", test.name, in, err, test.files, test.tree, test.err)
		}
	}
}
