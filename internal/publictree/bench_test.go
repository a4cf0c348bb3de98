package publictree_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
)

// BenchmarkTree writes the files of 10,000 pages into a new folder, then looks at all of them, then changes one.
func BenchmarkTree(b *testing.B) {
	const n = 10_000
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	body := strings.Repeat("<p>Some words of a page that is as long as pages are.</p>\n", 170) // about 10 KB
	all := pages{}
	for i := range n {
		all[fmt.Sprintf("/blog/a-typical-slug-of-a-post-%d/", i)] = fmt.Sprint(i, body)
	}
	g := commit(b, w, all)
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			tree := openTree(b, b.TempDir(), w, publictree.Options{})
			if syncTree(b, tree, g) != n {
				b.Fatal("not all files were written")
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/file")
	})
	tree := openTree(b, filepath.Join(b.TempDir(), "public"), w, publictree.Options{})
	syncTree(b, tree, g)
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if n, err := tree.Verify(b.Context(), g); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/file")
	})
	b.Run("one", func(b *testing.B) {
		i := 0
		for b.Loop() {
			b.StopTimer()
			i++
			g := commit(b, w, pages{fmt.Sprintf("/blog/a-typical-slug-of-a-post-%d/", i%n): fmt.Sprint(-i, body)})
			b.StartTimer()
			if syncTree(b, tree, g) != 1 {
				b.Fatal("not one file was written")
			}
		}
	})
}
