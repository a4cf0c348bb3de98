package mongodb_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// TestSlowCollection reads a collection that no cursor reads in the time of a batch, with ids of several kinds: it is read
// in parts, whole and each document once, and later scans begin so.
func TestSlowCollection(t *testing.T) {
	for _, budget := range []int{600, 70, 1} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			t.Parallel()
			r := newResponder(t)
			r.fill(0, 40)
			want := 40
			if budget > 1 {
				r.fill(40, 1960)
				want = 2000
			}
			for i, id := range []any{int32(7), int32(8), "a", "b", bson.D{{Key: "n", Value: int32(1)}}, true} {
				d := postDoc(5000+i, "text")
				d[0].Value = id
				r.docs["blogs"] = append(r.docs["blogs"], raw(d))
				want++
			}
			r.budget = budget
			cfg := to(r, false)
			cfg.BlogTimeout, cfg.ListTimeout, cfg.Breaker.Failures = 3*time.Second, 5*time.Second, 100
			db := open(t, cfg)
			s := newSource(t, db)
			ch := scan(t, s)
			ids := map[site.ID]bool{}
			for _, d := range ch.Put {
				if ids[d.DocID()] {
					t.Errorf("%s was reported twice", d.DocID())
				}
				ids[d.DocID()] = true
			}
			if len(ids) != want {
				t.Errorf("%d documents, want %d", len(ids), want)
			}
			r.set(nil)
			if ch := scan(t, s); len(ch.Put)+len(ch.Drop) != 0 {
				t.Errorf("a second scan put %d and dropped %d", len(ch.Put), len(ch.Drop))
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if n := r.counts["getMore"]; n > 0 {
				t.Errorf("the second scan asked for %d batches of a cursor, want parts from its beginning", n)
			}
			for _, cmd := range r.commands {
				if ms, ok := cmd.Lookup("maxTimeMS").AsInt64OK(); ok && ms > 5000 {
					t.Fatalf("maxTimeMS is %d, more than a batch may take: %.300s", ms, cmd)
				}
			}
		})
	}
}

// TestBodiesInBatches reads every body after a scan, as a first build does: with a query for many, and what is returned is
// what was asked for.
func TestBodiesInBatches(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 450)
	db := open(t, to(r, false))
	s := newSource(t, db)
	ch := scan(t, s)
	r.set(nil)
	for _, d := range ch.Put {
		post := d.(*site.Post)
		body, err := s.Body(t.Context(), post.Body)
		if err != nil || string(body.Text) != "text" {
			t.Fatalf("body of %s: %q, %v", post.ID, body.Text, err)
		}
	}
	r.mu.Lock()
	n := r.counts["find"]
	r.mu.Unlock()
	if n > 450/mongodb.BodyBatch+1 {
		t.Errorf("%d queries for 450 bodies, want one for each %d", n, mongodb.BodyBatch)
	}
	// A body that has changed since the scan is not the one that is held.
	r.mu.Lock()
	r.docs["blogs"][3] = raw(postDoc(3, "other"))
	r.mu.Unlock()
	if _, err := s.Body(t.Context(), ch.Put[3].(*site.Post).Body); err == nil {
		t.Error("a body that is another by now was returned without an error")
	}
}
