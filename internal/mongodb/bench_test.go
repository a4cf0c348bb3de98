package mongodb_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"freshet/internal/mongodb"
)

// benchmarkPosts is how many posts of 3 KB the benchmarks read. Some servers take long to be filled.
const benchmarkPosts = 5000

func benchDocs(n int) []bson.D {
	var docs []bson.D
	for n := range n {
		docs = append(docs, postDoc(n, strings.Repeat("Some *text* of a post. ", 130)))
	}
	return docs
}

func benchmarkDB(b *testing.B) *mongodb.DB {
	db := onServer(b)
	insert(b, db, "blogs", benchDocs(benchmarkPosts)...)
	return db
}

// BenchmarkScan reads all documents, as the first build does, and reports what a known document takes in memory.
func BenchmarkScan(b *testing.B) {
	db := benchmarkDB(b)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := newSource(b, db)
		start := time.Now()
		ch := scan(b, s)
		b.ReportMetric(float64(len(ch.Put))/time.Since(start).Seconds(), "docs/s")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(ch.Put)), "B/doc")
		runtime.KeepAlive(ch)
		runtime.KeepAlive(s)
	}
}

// BenchmarkBareScan is the driver alone over the same documents and fields, which it decodes and drops.
func BenchmarkBareScan(b *testing.B) {
	db := benchmarkDB(b)
	for b.Loop() {
		start := time.Now()
		n := 0
		cur, err := db.Client().Database(db.Name()).Collection("blogs").Find(b.Context(), bson.D{}, options.Find().SetBatchSize(1000).SetProjection(mongodb.PostProjection()))
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
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "docs/s")
	}
}
