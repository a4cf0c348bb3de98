package redisdb_test

import (
	"crypto/rand"
	"testing"
	"time"

	"freshet/internal/redisdb"
)

// open opens a client of a prefix. It is closed with the test.
func open(t testing.TB, url, prefix string) *redisdb.DB {
	t.Helper()
	db, err := redisdb.New(redisdb.Config{URL: redisdb.URL(url), Prefix: prefix})
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

// ownPrefix is a prefix that nobody else uses.
func ownPrefix() string { return "freshet-test:" + rand.Text() + ":" }

// await waits until something is so, and returns for how long it was not.
func await(t testing.TB, most time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !so() {
		if time.Since(begin) > most {
			t.Fatalf("not within %s: %s", most, what)
		}
		<-time.After(2 * time.Millisecond)
	}
	return time.Since(begin)
}
