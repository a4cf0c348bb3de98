package publictree_test

import (
	"os"
	"path/filepath"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
)

func TestSeal(t *testing.T) {
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
		public := filepath.Join(t.TempDir(), "public")
		w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
		tree := openTree(t, public, w, publictree.Options{})
		g := commit(t, w, pages{"/": "home"})
		if _, ok := tree.Seal(g); ok {
			t.Fatal("Seal is ok before the tree is at the newest generation")
		}
		syncTree(t, tree, g)
		s, ok := tree.Seal(g)
		if !ok || !s.Holds(public) {
			t.Fatalf("Seal of a tree that is up to date is %v, %v, or does not hold", s, ok)
		}
		if s.Holds("") {
			t.Error("a site without a tree is as one with a tree was sealed")
		}
		if (publictree.Seal{}).Holds(public) || !(publictree.Seal{}).Holds("") {
			t.Error("the zero Seal is not that of a site without a tree")
		}
		if err := tt.change(public); err != nil {
			t.Fatal(err)
		}
		if s.Holds(public) {
			t.Errorf("%s: the tree is as it was sealed", tt.name)
		}
	}
}

// TestSealBoot seals a tree on a machine that is then booted anew: what it holds is not certain any more.
func TestSealBoot(t *testing.T) {
	public := filepath.Join(t.TempDir(), "public")
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	tree := openTree(t, public, w, publictree.Options{})
	publictree.SetBoot(tree, "an earlier boot")
	g := commit(t, w, pages{"/": "home"})
	syncTree(t, tree, g)
	s, ok := tree.Seal(g)
	if !ok {
		t.Fatal("Seal is not ok")
	}
	if s.Holds(public) {
		t.Error("after another boot the tree is as it was sealed")
	}
}
