package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/site"
	"freshet/revalidator"
)

// to is a DB of a responder. Where something hangs, its times end soon; else they are those of a busy machine.
func to(r *responder, hangs bool) mongodb.Config {
	cfg := mongodb.Config{URI: mongodb.URI("mongodb://" + r.ln.Addr().String() + "/db"), BlogTimeout: 20 * time.Second, ListTimeout: 20 * time.Second}
	if hangs {
		cfg.BlogTimeout, cfg.ListTimeout = time.Second, time.Second
	}
	return cfg
}

// TestScanFaults breaks a scan of several batches at every command that it sends. A scan is whole or an error, and what
// the source reports after a fault is what it would have reported without one.
func TestScanFaults(t *testing.T) {
	const posts = 2500 // three batches
	kinds := []struct {
		name  string
		fault fault
		once  bool // a read that fails so once is tried again, and succeeds
	}{
		{"hang", fault{hang: true}, false},
		{"slow", fault{slow: time.Minute}, false},
		{"cut", fault{cut: true}, true},
		{"half", fault{half: true}, true},
		{"code 50", fault{code: 50}, false},
		{"code 91", fault{code: 91}, true},
		{"code 189", fault{code: 189}, true},
		{"code 11000", fault{code: 11000}, false},
	}
	points := []struct {
		command string
		n       int
		repeats bool // every command of the name from the nth on fails
	}{
		{"listCollections", 1, true}, {"find", 2, true}, {"getMore", 1, true}, {"find", 1, false}, {"find", 2, false}, {"count", 1, true}, {"count", 1, false}, {"getMore", 2, false},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for _, point := range points {
				label := fmt.Sprintf("%s %d repeats %v", point.command, point.n, point.repeats)
				r := newResponder(t)
				r.fill(0, posts)
				cfg := to(r, kind.fault.hang || kind.fault.slow > 0)
				cfg.Breaker.Failures = 100
				db := open(t, cfg)
				s := newSource(t, db)
				r.set(func(name string, n int) fault {
					if name == point.command && (n == point.n || point.repeats && n > point.n) {
						return kind.fault
					}
					return fault{}
				})
				start := time.Now()
				ch, err := s.Scan(t.Context(), nil)
				if took := time.Since(start); took > 15*time.Second {
					t.Errorf("%s: the scan took %v, want an end within its deadlines", label, took)
				}
				// A batch cannot be asked for again: the server may have given it already.
				recovers := kind.once && !point.repeats && point.command != "getMore"
				if kind.fault.code == 50 && (point.command == "getMore" || point.command == "find" && point.n == 1) {
					recovers = true // what takes too long is read in parts, without getMore
				}
				switch {
				case recovers && err != nil:
					t.Errorf("%s: error %v, want none: one more try succeeds", label, err)
				case !recovers && err == nil:
					t.Errorf("%s: no error, %d documents", label, len(ch.Put))
				case !recovers && ch != nil:
					t.Errorf("%s: changes beside the error %v", label, err)
				case !recovers && errors.Is(err, mongodb.ErrUnavailable) != (kind.fault.code != 11000):
					t.Errorf("%s: error %v, want one that is ErrUnavailable, unless the server has answered", label, err)
				}
				r.set(nil)
				if recovers {
					if len(ch.Put) != posts {
						t.Errorf("%s: %d documents, want %d", label, len(ch.Put), posts)
					}
					continue
				}
				again := scan(t, s, string(postID(1))) // names one, but nothing is known yet
				if len(again.Put) != posts || len(again.Drop) != 0 {
					t.Errorf("%s: after it the scan put %d and dropped %d, want %d and 0", label, len(again.Put), len(again.Drop), posts)
				}
			}
		})
	}
}

// TestFaultDropsNothing breaks the scans after a good one: what is known stays.
func TestFaultDropsNothing(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 1500)
	db := open(t, to(r, false))
	s := newSource(t, db)
	scan(t, s)
	r.set(func(name string, n int) fault { return fault{cut: name == "getMore" && n == 1} })
	if ch, err := s.Scan(t.Context(), nil); err == nil {
		t.Fatalf("a cut scan gave %d documents and no error", len(ch.Put))
	}
	stats := db.Stats()
	if !slices.ContainsFunc(stats.Commands, func(c mongodb.Command) bool { return c.Name == "getMore" && c.Outcome == "network" }) || stats.Pool.Cleared == 0 {
		t.Errorf("stats are %+v, want a getMore that ended with a network error, and a cleared pool", stats)
	}
	r.set(func(name string, _ int) fault { return fault{code: map[string]int{"find": 91}[name]} })
	if _, err := s.Scan(t.Context(), []string{string(postID(3))}); !errors.Is(err, mongodb.ErrUnavailable) {
		t.Fatalf("a partial scan of a server that shuts down gave %v, want ErrUnavailable", err)
	}
	r.set(nil)
	r.mu.Lock()
	r.docs["blogs"] = slices.Delete(r.docs["blogs"], 3, 4)
	r.mu.Unlock()
	put, drop := summary(scan(t, s, string(postID(7))))
	if len(put) != 0 || !slices.Equal(drop, []site.ID{postID(3)}) {
		t.Errorf("after the faults: put %q, dropped %q; want nothing put, and what is gone dropped", put, drop)
	}
}

// TestShortScan lets a scan end early without any error, as a killed cursor can: the census knows better.
func TestShortScan(t *testing.T) {
	for _, test := range []struct {
		posts, found int
		fails        bool
		cut          int // the query that is cut; 0: none
	}{{3000, 100, true, 0}, {3000, 2900, false, 0}, {900, 0, false, 0}, {3000, 2900, true, 2}, {3000, 2900, true, 3}, {3000, 2900, true, 4}} {
		r := newResponder(t)
		r.fill(0, test.posts)
		db := open(t, to(r, false))
		s := newSource(t, db)
		r.hide("blogs", test.found)
		r.set(func(name string, n int) fault { return fault{cut: test.cut > 0 && name == "find" && n >= test.cut} })
		ch, err := s.Scan(t.Context(), nil)
		switch {
		case test.fails && !errors.Is(err, mongodb.ErrUnavailable):
			t.Errorf("a scan that finds %d of %d, cut %d: error %v, want ErrUnavailable", test.found, test.posts, test.cut, err)
		case !test.fails && err != nil:
			t.Errorf("a scan that finds %d of %d: %v", test.found, test.posts, err)
		case !test.fails && len(ch.Put) != test.posts:
			t.Errorf("a scan that finds %d of %d reports %d, want all: the others are read by their ids", test.found, test.posts, len(ch.Put))
		}
	}
}

// TestShownIsNotLost lets first scans end early, of a site that has pages already: what it shows is looked for, and where
// nothing of it is missing nothing is counted.
func TestShownIsNotLost(t *testing.T) {
	for _, test := range []struct{ shown, found, counts int }{{0, 300, 0}, {300, 300, 0}, {300, 299, 1}, {1, 300, 0}} {
		r := newResponder(t)
		r.fill(0, 300)
		r.hide("blogs", test.found)
		s := newSource(t, open(t, to(r, false)))
		s.Shown(func(coll string) iter.Seq[site.ID] {
			return func(yield func(site.ID) bool) {
				for n := 0; coll == "blogs" && n < test.shown && yield(postID(n)); n++ {
				}
			}
		})
		r.set(nil)
		if ch := scan(t, s); len(ch.Put) != 300 || r.sent("count") != test.counts {
			t.Errorf("%d shown, %d found: %d put after %d counts, want 300 and %d", test.shown, test.found, len(ch.Put), r.sent("count"), test.counts)
		}
	}
}

// TestScanOfNames takes a post away and names it in every way that webhooks do: what is named by its id or slug is asked for
// by that, and what may be anything has everything looked at. Nothing is left unread.
func TestScanOfNames(t *testing.T) {
	for _, test := range []struct {
		doc   revalidator.Doc
		whole bool // everything is read
	}{
		{revalidator.Doc{Given: string(postID(1))}, false},
		{revalidator.Doc{Given: "blog:post-1"}, false},
		{revalidator.Doc{Coll: "blogs", ID: oid(1).Hex()}, false},
		{revalidator.Doc{Coll: "post", ID: oid(1).Hex()}, false},
		{revalidator.Doc{Coll: "blogPost", Slug: "post-1"}, false},
		{revalidator.Doc{Coll: "Article", Slug: "another-by-now", ID: oid(1).Hex()}, false},
		{revalidator.Doc{Coll: "post", Slug: "post-1", ID: "6KntaYXaHSyIw8M6eo26OK"}, false},
		{revalidator.Doc{Coll: "story", ID: oid(1).Hex()}, true},
		{revalidator.Doc{Coll: "blog-post", Slug: "post-1"}, true},
		{revalidator.Doc{Given: "nonsense"}, true},
	} {
		r := newResponder(t)
		r.fill(0, 30)
		s := newSource(t, open(t, to(r, false)))
		scan(t, s)
		r.mu.Lock()
		r.docs["blogs"] = slices.Delete(r.docs["blogs"], 1, 2)
		r.commands = nil
		r.mu.Unlock()
		ch := scan(t, s, test.doc.Names()...)
		whole := slices.ContainsFunc(r.commands, func(cmd bson.Raw) bool {
			filter, isFind := cmd.Lookup("filter").DocumentOK()
			return isFind && cmd.Lookup("find").StringValue() == "blogs" && len(filter) <= 5
		})
		if len(ch.Put) > 0 || !slices.Equal(ch.Drop, []site.ID{postID(1)}) || whole != test.whole {
			t.Errorf("%+v: %d put, %v dropped, everything read: %t, want it dropped and %t", test.doc, len(ch.Put), ch.Drop, whole, test.whole)
		}
	}
}

// TestBreakerOverTheWire counts what reaches a server for which every query takes too long.
func TestBreakerOverTheWire(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 10)
	cfg := to(r, false)
	cfg.Breaker.Open = 200 * time.Millisecond
	db := open(t, cfg)
	s := newSource(t, db)
	scan(t, s)
	ref := site.BodyRef{Doc: postID(1), Format: site.Markdown, Hash: 1}
	_, _ = s.Body(t.Context(), ref) // those after it come along, so that each further call is one query
	r.set(func(name string, _ int) fault { return fault{code: map[string]int{"find": 50}[name]} })
	for i := range 10 {
		if state := db.Stats().Breaker.State; state != "closed" {
			t.Fatalf("breaker is %s after %d failures, want closed", state, i)
		}
		if _, err := s.Body(t.Context(), ref); !errors.Is(err, mongodb.ErrUnavailable) || errors.Is(err, site.ErrNotFound) {
			t.Fatalf("body from a server that is too slow: %v, want ErrUnavailable", err)
		}
	}
	_, err := s.Body(t.Context(), ref)
	// A heartbeat at this very moment lets one try.
	if want := 10 + int(db.Stats().Breaker.HalfOpen); !errors.Is(err, mongodb.ErrUnavailable) || r.sent("find") != want {
		t.Errorf("open breaker: %d queries sent and error %v, want %d and ErrUnavailable", r.sent("find"), err, want)
	}
	r.set(nil)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := s.Scan(t.Context(), []string{string(postID(1))}); err == nil {
			break
		}
	}
	stats := db.Stats()
	if stats.Breaker.State != "closed" || stats.Breaker.Closed != 1 {
		t.Errorf("breaker is %+v after the server is well again, want closed", stats.Breaker)
	}
	if !slices.ContainsFunc(stats.Commands, func(c mongodb.Command) bool { return c.Name == "find" && c.Outcome == "timeout" && c.Count >= 10 }) {
		t.Errorf("commands are %+v, want 10 finds that took too long", stats.Commands)
	}
}

// TestBreakerAfterAnOutage lets a server be away in several ways and come back: a command may try as soon as it is seen
// again, whatever the breaker's time.
func TestBreakerAfterAnOutage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  func(name string, n int) fault
		hangs  bool   // the fault lasts until a command has tried, and then nothing is answered for seconds
		trials uint64 // at most
	}{
		{"cut", func(string, int) fault { return fault{cut: true} }, false, 2},
		{"cut, but not its heartbeats", func(name string, _ int) fault { return fault{cut: name != "hello"} }, false, 3},
		{"is slow, shortly", func(name string, _ int) fault { return fault{hang: name == "find"} }, false, 1},
		{"is slow, then hangs", func(name string, _ int) fault { return fault{hang: name == "find"} }, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newResponder(t)
			r.fill(0, 10)
			cfg := to(r, false)
			cfg.Breaker.Open = time.Hour
			db := open(t, cfg)
			s := newSource(t, db)
			scan(t, s)
			r.set(test.fault)
			for b := db.Stats().Breaker; b.State == "closed" || test.hangs && (b.HalfOpen == 0 || b.State != "open"); b = db.Stats().Breaker {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := db.Run(ctx, func(ctx context.Context) error {
					ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel()
					return db.Client().Database("db").Collection("blogs").FindOne(ctx, bson.D{}).Err()
				})
				cancel()
				if !errors.Is(err, mongodb.ErrUnavailable) {
					t.Fatalf("find by a server that is away: %v, want ErrUnavailable", err)
				}
			}
			held := make(chan struct{})
			if test.hangs {
				r.set(func(string, int) fault { return fault{held: held} })
				time.Sleep(6 * time.Second)
			}
			r.set(nil)
			close(held)
			back := time.Now()
			for time.Since(back) < patience {
				if _, err := s.Scan(t.Context(), []string{string(postID(1))}); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond) // until a heartbeat: the time belongs to the driver
			}
			if b := db.Stats().Breaker; b.State != "closed" || b.HalfOpen > test.trials {
				t.Errorf("breaker is %+v %v after the server came back, want closed after at most %d trials", b, time.Since(back), test.trials)
			}
		})
	}
}

// TestBreakerOfASlowServer leaves a server alone that answers heartbeats, but is too slow for what is asked of it: one
// command tries early, and then none until the breaker's time is over. A heartbeat that took too long is a server that is
// back, and lets one more try: a machine that is too busy for heartbeats may see some. TestBreakerHeartbeats needs no luck.
func TestBreakerOfASlowServer(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 10)
	cfg := to(r, false)
	cfg.Breaker = mongodb.BreakerConfig{Failures: 3, Open: time.Hour}
	db := open(t, cfg)
	s := newSource(t, db)
	scan(t, s)
	late, last := 0, time.Now() // heartbeats that may have taken too long, with the lock of the responder
	r.set(func(name string, _ int) fault {
		if name == "hello" {
			if time.Since(last) > mongodb.HeartbeatMax {
				late++
			}
			last = time.Now()
		}
		return fault{code: map[string]int{"find": 50}[name]}
	})
	beats, enough := func() int { return r.sent("hello") }, 0 // that many heartbeats are two after the early trial
	for end := time.Now().Add(patience); (enough == 0 || beats() < enough) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := s.Scan(t.Context(), []string{string(postID(1))}); !errors.Is(err, mongodb.ErrUnavailable) {
			t.Fatalf("scan of a server that is too slow: %v, want ErrUnavailable", err)
		}
		if enough == 0 && db.Stats().Breaker.HalfOpen > 0 {
			enough = beats() + 2
		}
	}
	n, trials := r.sent("find"), int(db.Stats().Breaker.HalfOpen)
	r.mu.Lock()
	defer r.mu.Unlock()
	if enough == 0 || n < 4 || n > 3+trials || trials > 1+late {
		t.Errorf("%d queries and %d trials in the time of %d heartbeats, %d of them late; want 3 until the breaker opened and one early trial",
			n, trials, r.counts["hello"], late)
	}
}

// TestPoolExhausted asks for more at once than the pool has connections.
func TestPoolExhausted(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 1)
	cfg := to(r, true)
	cfg.MaxPool, cfg.ListTimeout = 1, time.Minute
	db := open(t, cfg)
	s := newSource(t, db)
	scan(t, s)
	r.set(func(name string, _ int) fault { return fault{hang: name == "find"} })
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() { // has the connection longer than the others wait for it
		_, err := s.Scan(ctx, []string{string(postID(0))})
		errs <- err
	}()
	defer func() { cancel(); <-errs }()
	for r.sent("find") == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		go func() {
			_, err := s.Body(t.Context(), site.BodyRef{Doc: postID(0)})
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, mongodb.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
	}
	if p := db.Stats().Pool; p.Timeouts == 0 || p.Max != 1 || p.InUse > 1 {
		t.Errorf("pool is %+v, want time-outs and at most one connection in use", p)
	}
}

// TestQueriesHaveLimitsAndIndexes looks at every command that the program sends to MongoDB: each has a shape of the list
// below, its time at the server, and is served from an index or reads a whole collection.
func TestQueriesHaveLimitsAndIndexes(t *testing.T) {
	const idle = "" // what is not asked about
	type shape struct{ name, coll, filter, hint, projection string }
	const some, none = "some", "none" // of a projection
	allowed := map[shape]string{      // and what serves it
		{"find", "blogs", "_id", idle, some}:         "_id_: posts and bodies by their ids",
		{"find", "courses", "_id", idle, some}:       "_id_: courses and bodies by their ids",
		{"find", "blogs", "slug", idle, some}:        "slug_1: posts by their slugs",
		{"find", "courses", "slug", idle, some}:      "slug_1: courses by their slugs",
		{"find", "blogs", "", idle, some}:            "the whole collection: a full load",
		{"find", "courses", "", idle, some}:          "the whole collection: a full load",
		{"find", "blogs", "", "_id_", some}:          "_id_: a census",
		{"find", "pages", "", idle, some}:            "the whole collection: about ten documents",
		{"find", "blogs", "_id", idle, none}:         "_id_: import looks for what it would replace, whole",
		{"find", "blogs", "slug", idle, none}:        "slug_1: import looks for conflicts",
		{"find", "blogs", "", "_id_", none}:          "_id_: export reads whole documents in a fixed order",
		{"count", "blogs", "", idle, none}:           "the collection's own books",
		{"count", "courses", "", idle, none}:         "the collection's own books",
		{"update", "blogs", "_id", idle, none}:       "_id_: import replaces by ids",
		{"listCollections", "", "", idle, none}:      "the catalogue",
		{"listIndexes", "blogs", "", idle, none}:     "the catalogue",
		{"listIndexes", "courses", "", idle, none}:   "the catalogue",
		{"createIndexes", "blogs", "", idle, none}:   "nothing that runs in a build",
		{"createIndexes", "courses", "", idle, none}: "nothing that runs in a build",
	}
	r := newResponder(t)
	r.fill(0, 1200)
	r.docs["courses"] = append(r.docs["courses"], raw(courseDoc(1)))
	cfg := to(r, false)
	cfg.BlogTimeout, cfg.ListTimeout, cfg.AggregateTimeout = 3*time.Second, 5*time.Second, 10*time.Second
	db := open(t, cfg)
	s := newSource(t, db)
	scan(t, s)
	scan(t, s, string(postID(1)), "courses:"+oid(1).Hex(), "blog:post-2", "course:course-1", "pages:blog")
	scan(t, s, string(postID(9999)))
	r.hide("blogs", 1100)
	scan(t, s)
	_, _ = s.Body(t.Context(), site.BodyRef{Doc: postID(1)})
	_, _ = s.Body(t.Context(), site.BodyRef{Doc: site.ID("courses:" + oid(1).Hex())})
	_, _ = s.Open(t.Context(), &site.File{ID: postID(1) + "#picture/cover", Name: "blogs/x.png"})
	l, err := mongodb.NewLibrary(db)
	if err != nil {
		t.Fatal(err)
	}
	ignore := func(extjson.Doc, string, bool) error { return nil }
	if err := l.Find(t.Context(), "blogs", []extjson.Value{{Type: extjson.ObjectID, Text: oid(1).Hex()}}, []string{"post-2"}, ignore); err != nil {
		t.Error(err)
	}
	if err := l.Each(t.Context(), "blogs", func(extjson.Doc, string, error) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := l.Put(t.Context(), "blogs", []extjson.Doc{parse(t, `{"_id": 1, "title": "x"}`)}); err != nil {
		t.Log(err) // the responder knows no updates: the command counts
	}
	if _, err := db.Indexes(t.Context()); err != nil {
		t.Log(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[shape]bool{}
	for _, cmd := range r.commands {
		elems, _ := cmd.Elements()
		name := elems[0].Key()
		if api, _ := cmd.Lookup("apiVersion").StringValueOK(); api != "1" && name != "getMore" {
			t.Errorf("%s has no apiVersion: %s", name, cmd)
		}
		if name == "getMore" || name == "killCursors" {
			continue
		}
		at := shape{name: name, projection: none}
		at.coll, _ = elems[0].Value().StringValueOK()
		at.hint, _ = cmd.Lookup("hint").StringValueOK()
		if projected, ok := cmd.Lookup("projection").DocumentOK(); ok && len(projected) > 5 {
			at.projection = some
		}
		filter := cmd.Lookup("filter")
		if q := cmd.Lookup("query"); !q.IsZero() {
			filter = q
		}
		if updates, ok := cmd.Lookup("updates").ArrayOK(); ok {
			filter = bson.Raw(updates).Lookup("0", "q")
		}
		if d, ok := filter.DocumentOK(); ok {
			fields, _ := d.Elements()
			var keys []string
			for _, f := range fields {
				keys = append(keys, f.Key())
			}
			at.filter = strings.Join(keys, "+")
		}
		if allowed[at] == "" {
			t.Errorf("%+v is no shape that may be: %.500s", at, cmd)
		}
		if !cmd.Lookup("sort").IsZero() {
			t.Errorf("a sort, which no index of the list serves: %.500s", cmd)
		}
		seen[at] = true
		limits := slices.Collect(maxTimes(cmd))
		if name == "createIndexes" {
			continue // as long as it takes
		}
		if len(limits) != 1 && name != "update" || name == "update" && len(limits) > 1 {
			t.Errorf("not one maxTimeMS in %.500s", cmd)
			continue
		}
		if name == "find" && at.filter == "slug" && at.projection == some && limits[0] != 3000 {
			t.Errorf("maxTimeMS %d of a query for single documents: %.500s", limits[0], cmd)
		}
	}
	for at := range allowed {
		if !seen[at] {
			t.Errorf("there was no %+v: the test does not look at all commands, or the list has too much", at)
		}
	}
}

func maxTimes(cmd bson.Raw) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		elems, _ := cmd.Elements()
		for _, e := range elems {
			if e.Key() == "maxTimeMS" && !yield(e.Value().AsInt64()) {
				return
			}
		}
	}
}

// TestIndexesInTheWay tells what is as good as the index wanted from what is not. Nothing is created in its place.
func TestIndexesInTheWay(t *testing.T) {
	key := bson.E{Key: "key", Value: bson.D{{Key: "slug", Value: int32(1)}}}
	unique := bson.E{Key: "unique", Value: true}
	for _, test := range []struct {
		name    string
		options bson.D
		want    mongodb.IndexState
		says    string
	}{
		{"same", bson.D{unique}, mongodb.IndexSame, ""},
		{"made in the background", bson.D{unique, {Key: "background", Value: true}, {Key: "ns", Value: "db.blogs"}}, mongodb.IndexSame, ""},
		{"keys as doubles", bson.D{unique, {Key: "v", Value: 2.0}}, mongodb.IndexSame, ""},
		{"sparse", bson.D{unique, {Key: "sparse", Value: true}}, mongodb.IndexSame, ""},
		{"not unique", nil, mongodb.IndexConflicting, "unique: false"},
		{"partial", bson.D{unique, {Key: "partialFilterExpression", Value: bson.D{{Key: "status", Value: "published"}}}}, mongodb.IndexConflicting, "partialFilterExpression"},
		{"hidden", bson.D{unique, {Key: "hidden", Value: true}}, mongodb.IndexConflicting, "hidden: true"},
		{"of a collation", bson.D{unique, {Key: "collation", Value: bson.D{{Key: "locale", Value: "fr"}}}}, mongodb.IndexConflicting, "collation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newResponder(t)
			r.fill(0, 1)
			index := append(bson.D{key, {Key: "name", Value: "there"}}, test.options...)
			r.indexes["blogs"] = []bson.Raw{raw(index)}
			report, err := open(t, to(r, false)).Indexes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			line := report[0]
			if line.State != test.want || line.Name != "there" || !strings.Contains(line.Message, test.says) || (line.Remedy == "") != (test.says == "") {
				t.Errorf("%+v, want %s and %q", line, test.want, test.says)
			}
			if r.sent("createIndexes") != len(report)-1 {
				t.Errorf("%d of %d indexes were created, want all but that one", r.sent("createIndexes"), len(report))
			}
		})
	}
}

// TestFaultBesideOthers cuts one of many reads at once: all succeed, for the others only lose their connection.
func TestFaultBesideOthers(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 100)
	db := open(t, to(r, false))
	s := newSource(t, db)
	refs := make(chan site.BodyRef, 100)
	for _, d := range scan(t, s).Put {
		refs <- d.(*site.Post).Body
	}
	close(refs)
	r.set(func(name string, n int) fault {
		return fault{cut: name == "find" && n == 10, code: map[bool]int{true: 91}[name == "find" && n == 50]}
	})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for ref := range refs {
				if _, err := s.Body(t.Context(), ref); err != nil {
					t.Errorf("Body(%s): %v", ref.Doc, err)
				}
			}
		})
	}
	readers.Wait()
}
