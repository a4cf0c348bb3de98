package pagestore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

// names returns the files below dir, sorted.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	if err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTreePathSafety: whatever a generation holds, nothing is written outside the tree.
func TestTreePathSafety(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "public")
	w := openWriter(t, pagestore.Config{Dir: t.TempDir()})
	tree, err := publictree.Open(dir, w, publictree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	long := strings.Repeat("x", 300)
	for _, p := range []site.Path{
		"/../a", "/x/../../a", "a", "", "//a", "/a\x00b", `/..\a`, "/" + site.Path(long) + "/", "/.freshet", "/.", "/..",
	} {
		b := w.Begin()
		ref, err := b.Object([]byte("evil"))
		if err != nil {
			t.Fatal(err)
		}
		pagestore.PutUnchecked(b, site.Entry{Path: p, Kind: site.KindPage, Status: 200, Object: ref})
		b.Put(site.Entry{Path: "/fine/", Kind: site.KindPage, Status: 200, Object: ref}, nil)
		g, err := b.Commit(pagestore.CommitInfo{})
		if err != nil {
			t.Fatal(err)
		}
		for _, do := range []func(context.Context, *pagestore.Generation) (int, error){tree.Sync, tree.Verify, tree.Sync} {
			_, err := do(t.Context(), g)
			if e, ok := errors.AsType[*pagestore.PathError](err); !ok || e.Path != p {
				t.Errorf("%q: %v, want a PathError", p, err)
			}
			if got, want := names(t, parent), []string{"public/.freshet", "public/fine/index.html"}; !slices.Equal(got, want) {
				t.Errorf("%q: the files are %q, want %q", p, got, want)
			}
		}
		commit(t, w, pages{"!" + string(p): ""})
		if _, err := tree.Sync(t.Context(), w.Current()); err != nil {
			t.Fatal(err)
		}
	}
}
