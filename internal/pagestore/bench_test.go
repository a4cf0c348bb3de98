package pagestore_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// benchEntry is a typical post's.
func benchEntry(i int) site.Entry {
	slug := fmt.Sprintf("a-typical-slug-of-a-post-%d", i)
	return site.Entry{
		Path: site.Path("/blog/" + slug + "/"), Kind: site.KindPage, Status: 200, Type: "text/html; charset=utf-8", Template: "post.html",
		Keys: []string{"blog:" + slug, fmt.Sprint("tag:topic-", i%300), fmt.Sprint("tag:topic-", i%301), "list:*"}, Cause: "new page",
		Fingerprint: digest.Sum(i), Doc: site.ID("blog/" + slug + ".md"), Source: digest.Sum(i * 7),
	}
}

var benchBody = []byte(strings.Repeat("<p>Some words of a page that is as long as pages are.</p>\n", 170)) // about 10 KB

// fill commits n posts, each with an object of its own.
func fill(b *testing.B, w *pagestore.Writer, n int) *pagestore.Generation {
	b.Helper()
	batch := w.Begin()
	for i := range n {
		body := append([]byte(fmt.Sprint(i, " ")), benchBody...)
		ref, err := batch.Object(body)
		if err != nil {
			b.Fatal(err)
		}
		e := benchEntry(i)
		e.Object = ref
		batch.Put(e, []site.DocRef{{ID: e.Doc, Revision: 1}})
	}
	g, err := batch.Commit(pagestore.CommitInfo{Cause: "fill"})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// fillSmall commits n posts with one object.
func fillSmall(b *testing.B, w *pagestore.Writer, n int) *pagestore.Generation {
	b.Helper()
	batch := w.Begin()
	ref, err := batch.Object(benchBody)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		e := benchEntry(i)
		e.Object = ref
		batch.Put(e, []site.DocRef{{ID: e.Doc, Revision: 1}})
	}
	g, err := batch.Commit(pagestore.CommitInfo{Cause: "fill"})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkAppend appends pages of 10 KB, all in one batch.
func BenchmarkAppend(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	batch := w.Begin()
	defer batch.Abort()
	body := append([]byte("00000000"), benchBody...)
	b.SetBytes(int64(len(body)))
	i := 0
	for b.Loop() {
		i++
		copy(body, fmt.Sprintf("%08d", i))
		ref, err := batch.Object(body)
		if err != nil {
			b.Fatal(err)
		}
		e := benchEntry(i)
		e.Object = ref
		batch.Put(e, []site.DocRef{{ID: e.Doc, Revision: 1}})
	}
}

// BenchmarkCommit commits one changed page, on the disk and in memory: the difference is the disk's.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, in := range []string{"", "/dev/shm"} {
			b.Run(fmt.Sprintf("%d%s", n, in), func(b *testing.B) {
				dir := b.TempDir()
				if in != "" {
					var err error
					if dir, err = os.MkdirTemp(in, "freshet"); err != nil {
						b.Skip(err)
					}
					defer os.RemoveAll(dir)
				}
				w := openWriter(b, pagestore.Config{Dir: dir})
				fillSmall(b, w, n)
				body := append([]byte("00000000"), benchBody...)
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					i++
					copy(body, fmt.Sprintf("%08d", i))
					batch := w.Begin()
					ref, err := batch.Object(body)
					if err != nil {
						b.Fatal(err)
					}
					e := benchEntry(i % n)
					e.Object = ref
					batch.Put(e, nil)
					if _, err := batch.Commit(pagestore.CommitInfo{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLookup looks up pages that are in the processor's caches, and all pages in turn, which are not.
func BenchmarkLookup(b *testing.B) {
	const n = 100_000
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	g := fillSmall(b, w, n)
	var text strings.Builder // the paths lie one after the other, as a request's path is at hand when it is looked up
	for i := range n {
		text.WriteString(string(benchEntry(i * 7919 % n).Path))
	}
	paths := make([]site.Path, n)
	for i, at := 0, 0; i < n; i++ {
		end := at + len(benchEntry(i*7919%n).Path)
		paths[i], at = site.Path(text.String()[at:end]), end
	}
	for name, of := range map[string]int{"hot": 500, "all": n} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := g.Lookup(paths[i]); !ok {
					b.Fatal(paths[i])
				}
				if i++; i == of {
					i = 0
				}
			}
		})
	}
}

func BenchmarkObject(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	g := fill(b, w, 1000)
	e, _ := g.Lookup(benchEntry(500).Path)
	b.SetBytes(e.Object.Size)
	for b.Loop() {
		if _, err := g.Object(e.Object); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a log of 100,000 pages, and says what memory a page takes.
func BenchmarkOpen(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	w := openWriter(b, pagestore.Config{Dir: dir})
	fillSmall(b, w, n)
	for i := range 100 {
		batch := w.Begin()
		ref, err := batch.Object(benchBody)
		if err != nil {
			b.Fatal(err)
		}
		e := benchEntry(i)
		e.Object = ref
		batch.Put(e, nil)
		if _, err := batch.Commit(pagestore.CommitInfo{}); err != nil {
			b.Fatal(err)
		}
	}
	closeWriter(b, w)
	w = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r *pagestore.Reader
	for b.Loop() {
		r = openReader(b, dir)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/n, "bytes/page")
	runtime.KeepAlive(r)
}

func BenchmarkCompact(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	fill(b, w, 10_000)
	for b.Loop() {
		if err := w.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkObjectsAtOnce appends from several goroutines, as rendering does.
func BenchmarkObjectsAtOnce(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	batch := w.Begin()
	defer batch.Abort()
	b.SetBytes(int64(len(benchBody)))
	var mu sync.Mutex
	workers := 0
	b.RunParallel(func(pb *testing.PB) {
		mu.Lock()
		workers++
		body := fmt.Appendf(nil, "%04d 00000000 %s", workers, benchBody)
		mu.Unlock()
		for i := 0; pb.Next(); i++ {
			copy(body[5:], fmt.Sprintf("%08d", i))
			if _, err := batch.Object(body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkVerify reads all objects of a site, as the first build of a process does beside its scan.
func BenchmarkVerify(b *testing.B) {
	w := openWriter(b, pagestore.Config{Dir: b.TempDir()})
	g := fill(b, w, 10_000)
	bytes := int64(0)
	for e := range g.All() {
		bytes += e.Object.Size
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Verify(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
