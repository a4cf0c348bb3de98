package mongodb_test

import (
	"iter"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// benchmarkPosts is how many posts of 3 KB the benchmarks read: $FRESHET_BENCH_POSTS, else few, because some servers
// take long to be filled.
func benchmarkPosts(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("FRESHET_BENCH_POSTS"))
	if err != nil || n < 1 {
		return 5000
	}
	return n
}

// BenchmarkLoad reads all posts, as the first build of a process does, and by turns scans the same collection with the
// bare driver, which decodes the same fields into a struct and drops it. It reports both, and their ratio, which is to
// be 0.85; and what the load takes in memory, at its peak and when it is done.
func BenchmarkLoad(b *testing.B) {
	db := onServer(b)
	total := insertPosts(b, db)
	var load, bare time.Duration
	var peak, kept uint64
	rounds := 0
	for b.Loop() {
		runtime.GC()
		before := heap()
		watch := watchHeap()
		s := newSource(b, db)
		s.Shown(func(string) iter.Seq[site.ID] { return func(func(site.ID) bool) {} }) // as at a site's first build
		start := time.Now()
		ch := scan(b, s)
		load += time.Since(start)
		peak = max(peak, watch()-before)
		runtime.GC()
		kept = heap() - before
		if len(ch.Put) != total {
			b.Fatalf("read %d of %d posts", len(ch.Put), total)
		}
		runtime.KeepAlive(s)
		start = time.Now()
		if n := bareScan(b, db); n != total {
			b.Fatalf("the driver read %d of %d posts", n, total)
		}
		bare += time.Since(start)
		rounds++
	}
	b.ReportMetric(float64(total*rounds)/load.Seconds(), "docs/s")
	b.ReportMetric(float64(total*rounds)/bare.Seconds(), "bare-docs/s")
	b.ReportMetric(bare.Seconds()/load.Seconds(), "of-bare")
	b.ReportMetric(float64(kept)/float64(total), "B/doc")
	b.ReportMetric(float64(peak)/float64(total), "peak-B/doc")
}

func insertPosts(b *testing.B, db *mongodb.DB) (total int) {
	b.Helper()
	total = benchmarkPosts(b)
	for from := 0; from < total; from += 900 {
		var docs []bson.D
		for n := from; n < min(from+900, total); n++ {
			docs = append(docs, postDoc(n, strings.Repeat("Some *text* of a post. ", 130)))
		}
		insert(b, db, "blogs", docs...)
	}
	return total
}

// BenchmarkVerify compares all posts with the server, bodies included, in the slices of a round, when nothing has changed.
// It reports the processor time of this process beside the time that the server is waited for.
func BenchmarkVerify(b *testing.B) {
	db := onServer(b)
	total := insertPosts(b, db)
	s := newSource(b, db)
	scan(b, s)
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	rounds := 0
	for b.Loop() {
		names, err := s.Names(b.Context())
		if err != nil || len(names) != total+1 {
			b.Fatalf("%d names, %v", len(names), err)
		}
		for slice := range slices.Chunk(names, 500) {
			if ch := scan(b, s, slice...); len(ch.Put)+len(ch.Drop) > 0 {
				b.Fatal("something has changed")
			}
		}
		rounds++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(total*rounds)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(cpu)/float64(total*rounds)/1000, "cpu-µs/doc")
}

// bareScan is the driver alone.
func bareScan(b *testing.B, db *mongodb.DB) (n int) {
	b.Helper()
	cur, err := db.Client().Database(db.Name()).Collection("blogs").Find(b.Context(), bson.D{}, options.Find().SetBatchSize(1000).SetProjection(mongodb.Projection()))
	if err != nil {
		b.Fatal(err)
	}
	for cur.Next(b.Context()) {
		var post struct {
			ID                                            any `bson:"_id"`
			Title, Slug, Excerpt, Content, Author, Status string
			Tags                                          []string
			Views                                         int64
			PublishedAt, CreatedAt, UpdatedAt             time.Time
		}
		if err := cur.Decode(&post); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if err := cur.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkClient is the load without the time of a server: it answers at once, from memory.
func BenchmarkClient(b *testing.B) {
	r := newResponder(b)
	const posts = 20_000
	for n := range posts {
		r.docs["blogs"] = append(r.docs["blogs"], raw(postDoc(n, strings.Repeat("Some *text* of a post. ", 130))))
	}
	db := open(b, to(r, false))
	for b.Loop() {
		if ch := scan(b, newSource(b, db)); len(ch.Put) != posts {
			b.Fatalf("read %d posts", len(ch.Put))
		}
	}
	b.ReportMetric(float64(posts*b.N)/b.Elapsed().Seconds(), "docs/s")
}

// heap is how many bytes live objects have, and those that are not collected yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// watchHeap follows the heap until its result is called, which returns the most that there was.
func watchHeap() (most func() uint64) {
	stop := make(chan struct{})
	var peak uint64
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, heap())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	return func() uint64 {
		close(stop)
		watching.Wait()
		return peak
	}
}
