package contentdir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/digest"
)

// A mapMemo is a Memo in memory.
type mapMemo struct {
	mu sync.Mutex
	m  map[digest.Sum][]byte
}

func newMapMemo() *mapMemo { return &mapMemo{m: map[digest.Sum][]byte{}} }

func (m *mapMemo) Get(k digest.Sum) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.m[k]
	return v, ok
}

func (m *mapMemo) Put(k digest.Sum, v []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.m[k] = v
}

// writeBlog writes n posts of about 8 KB, half of them bundles.
func writeBlog(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	body := strings.Repeat("Rivers carry water from the hills to the sea, and with it what the hills are made of. See [the map](map.md).\n\n", 50) +
		"```go\n" + strings.Repeat("fmt.Println(\"flow\")\n", 60) + "```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
	for i := range n {
		name := fmt.Sprintf("blog/%d/post-%05d.md", 2010+i%15, i)
		if i%2 == 0 {
			name = fmt.Sprintf("blog/%d/post-%05d/index.md", 2010+i%15, i)
		}
		front := fmt.Sprintf("---\ntitle: \"Post %d on rivers\"\ndate: %d-%02d-%02d\nauthor: Ann %d\ntags: [rivers, water, t%d]\ndescription: A post about rivers number %d\ndraft: false\n---\n\n",
			i, 2010+i%15, 1+i%12, 1+i%28, i%40, i%100, i)
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(front+body), 0o644); err != nil {
			b.Fatal(err)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func scanAll(b *testing.B, dir string, memo contentdir.Memo, want int) *contentdir.Source {
	b.Helper()
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir, Memo: memo})
	if err != nil {
		b.Fatal(err)
	}
	ch, err := s.Scan(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	if len(ch.Put) != want {
		b.Fatalf("%d documents, want %d; problems %v", len(ch.Put), want, ch.Problems[:min(3, len(ch.Problems))])
	}
	return s
}

func BenchmarkScan(b *testing.B) {
	const n = 10_000
	dir := writeBlog(b, n)
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			scanAll(b, dir, nil, n)
		}
	})
	b.Run("memo", func(b *testing.B) {
		memo := newMapMemo()
		scanAll(b, dir, memo, n)
		b.ReportAllocs()
		for b.Loop() {
			scanAll(b, dir, memo, n)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		s := scanAll(b, dir, nil, n)
		for b.Loop() {
			if _, err := s.Scan(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one", func(b *testing.B) {
		s := scanAll(b, dir, nil, n)
		name := "blog/2011/post-00001.md"
		file := filepath.Join(dir, filepath.FromSlash(name))
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		i := 0
		for b.Loop() {
			i++
			if err := os.WriteFile(file, append(data, fmt.Sprintf("\nEdit %d.\n", i)...), 0o644); err != nil {
				b.Fatal(err)
			}
			ch, err := s.Scan(b.Context(), []string{name})
			if err != nil || len(ch.Put) != 1 {
				b.Fatal(ch, err)
			}
		}
	})
}

// BenchmarkVerify reads and compares all files of an unchanged tree in the slices of a round.
func BenchmarkVerify(b *testing.B) {
	const n = 10_000
	s := scanAll(b, writeBlog(b, n), newMapMemo(), n)
	for b.Loop() {
		names, err := s.Names(b.Context())
		if err != nil || len(names) != n {
			b.Fatalf("%d names, %v", len(names), err)
		}
		for slice := range slices.Chunk(names, 500) {
			s.Verify(slice)
			ch, err := s.Scan(b.Context(), slice)
			if err != nil || len(ch.Put)+len(ch.Drop) > 0 {
				b.Fatalf("%d documents have changed, %v", len(ch.Put)+len(ch.Drop), err)
			}
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "docs/s")
}
