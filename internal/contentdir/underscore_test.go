package contentdir_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"freshet/internal/site"
)

// TestCollectionsOfJekyll: which folders with an underscore are content changes with Jekyll's settings, whichever file is named.
func TestCollectionsOfJekyll(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "_talks/2024-01-02-go.md", []byte("---\ntitle: Go\n---\nText.\n"))
	write(t, dir, "_posts/2024-01-02-a.md", []byte("---\ntitle: A\n---\nText.\n"))
	s := newSource(t, dir, nil)
	if ch := scan(t, s, nil); len(ch.Put) != 1 {
		t.Errorf("%d documents, want the post", len(ch.Put))
	}
	for _, config := range []string{"collections:\n  talks:\n    output: true\n", "collections: [talks]\n"} {
		write(t, dir, "_config.yml", []byte(config))
		ch := scan(t, s, []string{"_config.yml"})
		if !slices.ContainsFunc(ch.Put, func(d site.Document) bool { return d.DocID() == "_talks/2024-01-02-go.md" }) {
			t.Errorf("with %q: %d documents, want the talk", config, len(ch.Put))
		}
		if err := os.Remove(filepath.Join(dir, "_config.yml")); err != nil {
			t.Fatal(err)
		}
		if ch := scan(t, s, []string{"_config.yml"}); !slices.Contains(ch.Drop, "_talks/2024-01-02-go.md") {
			t.Errorf("without settings: %q go, want the talk", ch.Drop)
		}
	}
	write(t, dir, "_config.yml", []byte("collections: {\n"))
	for _, d := range scan(t, s, []string{"_config.yml"}).Put {
		if d.DocID() != "_config.yml" {
			t.Errorf("with settings that cannot be read: %s", d.DocID())
		}
	}
	if ch := scan(t, s, []string{"_talks/2024-01-02-go.md"}); len(ch.Put) != 0 {
		t.Errorf("a file that is no content was named: %d documents", len(ch.Put))
	}
}
