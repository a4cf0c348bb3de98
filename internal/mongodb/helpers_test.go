package mongodb_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/generator/markup"
	"freshet/internal/mongodb"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

// postDoc is a post with everything that a plain one has.
func postDoc(n int, content string) bson.D {
	at := time.Date(2024, 1, 1, 0, 0, n, 0, time.UTC)
	return bson.D{
		{Key: "_id", Value: oid(n)}, {Key: "title", Value: fmt.Sprintf("Post %d", n)}, {Key: "slug", Value: fmt.Sprintf("post-%d", n)},
		{Key: "excerpt", Value: "About it."}, {Key: "content", Value: content}, {Key: "author", Value: "Asha"}, {Key: "tags", Value: bson.A{"go"}},
		{Key: "status", Value: "published"}, {Key: "publishedAt", Value: at}, {Key: "views", Value: n}, {Key: "createdAt", Value: at}, {Key: "updatedAt", Value: at},
	}
}

func courseDoc(n int) bson.D {
	at := time.Date(2024, 1, 1, 0, 0, n, 0, time.UTC)
	return bson.D{
		{Key: "_id", Value: oid(n)}, {Key: "title", Value: fmt.Sprintf("Course %d", n)}, {Key: "slug", Value: fmt.Sprintf("course-%d", n)},
		{Key: "shortDescription", Value: "What it is."}, {Key: "fullDescription", Value: "What it is, at length."}, {Key: "price", Value: 499},
		{Key: "createdAt", Value: at}, {Key: "updatedAt", Value: at},
	}
}

func oid(n int) bson.ObjectID {
	var id bson.ObjectID
	copy(id[:], fmt.Sprintf("%012d", n))
	return id
}

func postID(n int) site.ID { return site.ID("blogs:" + oid(n).Hex()) }

// A watchedLog is what a DB has logged, and fails the test when a secret is in it.
type watchedLog struct {
	mu  sync.Mutex // protects what follows
	buf bytes.Buffer
}

func (l *watchedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *watchedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *watchedLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// open opens a DB that is closed when the test ends.
func open(t testing.TB, cfg mongodb.Config) *mongodb.DB {
	t.Helper()
	db, err := mongodb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// summaries makes summaries as the pages' renderer does.
var summaries = markup.New(markup.Config{})

func newSource(t testing.TB, db *mongodb.DB) *mongodb.Source {
	t.Helper()
	s, err := mongodb.NewSource(db, summaries, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onServer opens a database of the test's own on a real server. It is dropped when the test ends.
func onServer(t testing.TB, change ...func(*mongodb.Config)) *mongodb.DB {
	t.Helper()
	uri := testenv.Mongo(t)
	name := "freshet_test_" + strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, t.Name()))
	name = name[:min(len(name), 40)] + "_" + bson.NewObjectID().Hex()[16:]
	cfg := mongodb.Config{URI: mongodb.URI(uri), DB: name, BlogTimeout: 20 * time.Second, ListTimeout: 20 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	db := open(t, cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := db.Client().Database(name).Drop(ctx); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return db
}

// insert writes documents in batches below a hundred: some servers hang at more in one command.
func insert(t testing.TB, db *mongodb.DB, coll string, docs ...bson.D) {
	t.Helper()
	for part := range slices.Chunk(docs, 90) {
		if _, err := db.Client().Database(db.Name()).Collection(coll).InsertMany(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
}

func update(t testing.TB, db *mongodb.DB, coll string, id any, set bson.D) {
	t.Helper()
	_, err := db.Client().Database(db.Name()).Collection(coll).UpdateOne(t.Context(), bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$set", Value: set}})
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, db *mongodb.DB, coll string, id any) {
	t.Helper()
	if _, err := db.Client().Database(db.Name()).Collection(coll).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: id}}); err != nil {
		t.Fatal(err)
	}
}

// summary is the IDs of what was put, and of what was dropped.
func summary(ch *site.Changes) (put, drop []site.ID) {
	for _, d := range ch.Put {
		put = append(put, d.DocID())
	}
	return put, ch.Drop
}

func scan(t testing.TB, s *mongodb.Source, changed ...string) *site.Changes {
	t.Helper()
	ch, err := s.Scan(t.Context(), changed)
	if err != nil {
		t.Fatalf("Scan(%q): %v", changed, err)
	}
	return ch
}
