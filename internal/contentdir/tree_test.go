package contentdir_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"freshet/internal/testenv/recorded"
)

// TestTrees reads small trees and compares the documents with the archive's file "want". A first line "bodies" in
// the comment shows bodies too.
func TestTrees(t *testing.T) {
	archives, err := filepath.Glob("testdata/trees/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(archives, err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			if i < 0 {
				a.Files = append(a.Files, txtar.File{Name: "want"})
				i = len(a.Files) - 1
			}
			files := slices.Delete(slices.Clone(a.Files), i, i+1)
			dir := t.TempDir()
			writeTree(t, dir, files)
			bodies := strings.HasPrefix(string(a.Comment), "bodies\n")
			memo := newMapMemo()
			s := newSource(t, dir, memo)
			ch := scan(t, s, nil)
			got := describe(t, s, dir, ch, bodies)
			if recorded.Update() {
				a.Files[i].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(a.Files[i].Data), got); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}

			// A second process with the memo, and one without, in another place and written in another order, know
			// the same.
			again := scan(t, newSource(t, dir, memo), nil)
			if diff := cmp.Diff(ch, again); diff != "" {
				t.Errorf("with memo (-first +second):\n%s", diff)
			}
			other := t.TempDir()
			slices.Reverse(files)
			writeTree(t, other, files)
			moved := scan(t, newSource(t, other, nil), nil)
			if diff := cmp.Diff(ch.Put, moved.Put); diff != "" {
				t.Errorf("elsewhere (-first +second):\n%s", diff)
			}
			if ch := scan(t, s, nil); len(ch.Put)+len(ch.Drop) > 0 {
				t.Errorf("a second scan reports %d and drops %d", len(ch.Put), len(ch.Drop))
			}
		})
	}
}
