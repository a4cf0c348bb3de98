package generator_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/site"
)

// prose is a text of about so many words, the same for the same seed.
func prose(seed uint64, words int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for i := range words {
		if i%120 == 0 {
			fmt.Fprintf(&b, "\n\n## Heading %d\n\n", i/120)
		}
		fmt.Fprintf(&b, "w%d ", r.IntN(5000))
	}
	b.WriteString("\n\n```go\nfunc main() {\n\tfmt.Println(\"hello\", 42)\n}\n```\n\n| a | b |\n| - | - |\n| 1 | 2 |\n")
	return b.String()
}

// library is a source of n posts with tags and authors. Their texts come from a few dozen, so that they take no room.
func library(n int) *shelf {
	s := newShelf()
	var texts []string
	for i := range 50 {
		texts = append(texts, prose(uint64(i), 700))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		p := newPost(fmt.Sprintf("blog/%06d.md", i), fmt.Sprintf("post-%06d", i), 0)
		p.Published = day(i*4000/n - 4000)
		p.Excerpt = texts[i%50][20:220]
		for range 3 {
			p.Tags = append(p.Tags, fmt.Sprintf("tag %d", r.IntN(200)))
		}
		p.Authors = []site.Author{{Name: fmt.Sprintf("Author %d", r.IntN(40))}}
		s.put(p, map[string]string{"": texts[i%50]})
	}
	return s
}

// BenchmarkEdit measures the time from a changed document to a committed generation in a running process, fsync
// included, and the memory that the site takes.
func BenchmarkEdit(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := library(n)
		bench := newBench(b, benchOptions{source: s, noTree: true, memo: openMemo(b)})
		bench.build(b, generator.Options{})
		var after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&after)
		perDoc := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		for _, edit := range []struct {
			name string
			make func(i int, p *site.Post) string
		}{
			{"body", func(i int, p *site.Post) string { return fmt.Sprint("version ", i, "\n\n", prose(1, 700)) }},
			{"title", func(i int, p *site.Post) string { p.Title = fmt.Sprint("Title ", i); return prose(2, 700) }},
		} {
			b.Run(fmt.Sprintf("%s/posts=%d", edit.name, n), func(b *testing.B) {
				rendered := 0
				for i := 0; b.Loop(); i++ {
					old := s.docs[site.ID(fmt.Sprintf("blog/%06d.md", (i*7919)%n))].(*site.Post)
					p := *old
					s.put(&p, map[string]string{"": edit.make(i, &p)})
					rendered += bench.build(b, generator.Options{Changed: []string{}}).Rendered
				}
				b.ReportMetric(float64(rendered)/float64(b.N), "pages/op")
				b.ReportMetric(perDoc, "heapB/doc")
			})
		}
		b.Run(fmt.Sprintf("publish/posts=%d", n), func(b *testing.B) {
			rendered := 0
			for i := 0; b.Loop(); i++ {
				p := newPost(fmt.Sprintf("new/%d-%d.md", b.N, i), fmt.Sprintf("new-%d-%d", b.N, i), 0, "tag 1", "tag 2")
				p.Published = p.Published.Add(time.Duration(i) * time.Second) // the newest of all, not one among others of its time
				s.put(p, map[string]string{"": prose(3, 700)})
				rendered += bench.build(b, generator.Options{Now: day(1), Changed: []string{}}).Rendered
			}
			b.ReportMetric(float64(rendered)/float64(b.N), "pages/op")
		})
	}
}
