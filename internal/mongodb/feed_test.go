package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/mongodb"
)

// A report is what a feed says at once.
type report struct {
	names      []string
	everything bool
	position   string
}

func (r report) String() string {
	if r.everything {
		return "everything"
	}
	return strings.Join(r.names, " ")
}

// A watch is a Watch that runs.
type watch struct {
	t       *testing.T
	reports chan report
	refuse  chan error   // what report answers once, if anything
	end     func() error // ends it and returns what it returned
	ended   func() error // waits until it ends by itself
	last    string
}

// patience is how long a test waits for what must come, on a busy machine; quiet, for what must not.
const (
	patience = time.Minute
	quiet    = 300 * time.Millisecond
)

func watching(t *testing.T, f *mongodb.Feed, position string) *watch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watch{t: t, reports: make(chan report, 1000), refuse: make(chan error, 1), last: position}
	done := make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, position, func(names []string, everything bool, position string) error {
			select {
			case err := <-w.refuse:
				return err
			default:
			}
			w.reports <- report{slices.Clone(names), everything, position}
			return nil
		})
	}()
	wait := sync.OnceValue(func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("it does not end")
		}
	})
	w.end = func() error {
		cancel()
		return wait()
	}
	w.ended = wait
	t.Cleanup(func() { _ = w.end() })
	return w
}

// next is the next report that says something.
func (w *watch) next(what string) report {
	w.t.Helper()
	select {
	case r := <-w.reports:
		w.last = r.position
		return r
	case <-time.After(patience):
		w.t.Fatalf("%s: no report", what)
		return report{}
	}
}

func (w *watch) want(what, want string) {
	w.t.Helper()
	var got []string
	for { // events that come close together may come in several reports
		r := w.next(what)
		if s := r.String(); s != "" {
			got = append(got, strings.Fields(s)...)
		} else if want == "" {
			return
		}
		slices.Sort(got)
		if text := strings.Join(slices.Compact(got), " "); text == want {
			return
		} else if len(text) >= len(want) {
			w.t.Fatalf("%s: reported %q, want %q", what, text, want)
		}
	}
}

// silent says that nothing is reported but how far the feed has come.
func (w *watch) silent(what string) {
	w.t.Helper()
	deadline := time.After(quiet)
	for {
		select {
		case r := <-w.reports:
			w.last = r.position
			if s := r.String(); s != "" {
				w.t.Errorf("%s: reported %q, want nothing", what, s)
			}
		case <-deadline:
			return
		}
	}
}

func newFeed(t *testing.T, db *mongodb.DB, every time.Duration) *mongodb.Feed {
	t.Helper()
	f, err := mongodb.NewFeed(db, every)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func id(n int) string { return string(postID(n)) }

// TestStream reads events of every kind.
func TestStream(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	w := watching(t, newFeed(t, open(t, to(r, false)), 0), "")
	w.want("the beginning", "")
	for _, test := range []struct {
		name   string
		events []change
		want   string
	}{
		{"an insert", []change{event("insert", "blogs", oid(1))}, id(1)},
		{"a replacement, a deletion", []change{event("replace", "blogs", oid(1)), event("delete", "courses", "by-hand")}, id(1) + " courses:by-hand"},
		{"an update", []change{updated("blogs", oid(2), "content", "updatedAt")}, id(2)},
		{"of a part", []change{updated("courses", oid(2), "curriculum.0.lessons")}, "courses:" + oid(2).Hex()},
		{"a field that is gone", []change{event("update", "blogs", oid(2), bson.E{Key: "updated", Value: bson.A{"views"}}, bson.E{Key: "removed", Value: bson.A{"tags"}})}, id(2)},
		{"a list that is shorter", []change{event("update", "blogs", oid(2), bson.E{Key: "updated", Value: bson.A{}}, bson.E{Key: "truncated", Value: bson.A{"tags"}})}, id(2)},
		{"an update that says nothing", []change{updated("blogs", oid(2))}, id(2)},
		{"a setting", []change{updated("pages", 7, "content.hero.title")}, "pages:blog"},
		{"a collection is dropped", []change{event("drop", "blogs", nil)}, "everything"},
		{"a collection is renamed", []change{event("rename", "blogs", nil, bson.E{Key: "to", Value: bson.D{{Key: "coll", Value: "old"}}})}, "everything"},
		{"what nobody knows", []change{event("reshardCollection", "blogs", nil)}, "everything"},
	} {
		l.add(test.events...)
		w.want(test.name, test.want)
	}
	l.add(updated("blogs", oid(1), "views", "updatedAt"), updated("blogs", oid(1), "likes"), updated("courses", oid(1), "viewsCount", "updatedAt"))
	w.silent("counters")
	if err := w.end(); err != nil {
		t.Errorf("Watch ends with %v, want nil", err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cmd := range l.whole {
		if text := cmd.String(); strings.Contains(text, "fullDocument") || !strings.Contains(text, "$project") || cmd.Lookup("maxTimeMS").IsZero() {
			t.Errorf("a stream of whole documents, or one without a time: %s", text)
		}
	}
}

// TestStreamResumes goes on after the newest event that was reported: in another process, after connections were cut,
// after the server has lost the cursor, and after an event that ends the stream.
func TestStreamResumes(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	db := open(t, to(r, false))
	w := watching(t, newFeed(t, db, 0), "")
	w.want("the beginning", "")
	l.add(event("insert", "blogs", oid(1)))
	w.want("an insert", id(1))
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	l.add(event("insert", "blogs", oid(2)))
	w = watching(t, newFeed(t, db, 0), w.last)
	w.want("the beginning of another process", "")
	w.want("what happened in between", id(2))

	r.set(func(name string, n int) fault { return fault{cut: name == "getMore" && n == 1} })
	l.add(event("insert", "blogs", oid(3)))
	w.want("after a connection was cut", id(3))
	r.set(nil)
	l.set(func(l *changeLog) { clear(l.cursors) })
	l.add(event("insert", "blogs", oid(4)))
	w.want("after the cursor was lost", id(4))

	l.add(event("insert", "blogs", oid(5)), event("dropDatabase", "", nil), event("invalidate", "", nil))
	w.want("the database is dropped", "everything")
	l.add(event("insert", "blogs", oid(6)))
	w.want("after it", id(6))
	if starts := l.started(); starts[len(starts)-1].Lookup("startAfter").IsZero() {
		t.Errorf("the stream was opened with %s, want startAfter", starts[len(starts)-1])
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	// The same with nothing between that event and the end of the process.
	w = watching(t, newFeed(t, db, 0), w.last)
	w.want("another process", "")
	l.add(event("invalidate", "", nil))
	invalidated := w.next("invalidated")
	if err := w.end(); err != nil || !invalidated.everything {
		t.Fatalf("%v, %v", invalidated, err)
	}
	w = watching(t, newFeed(t, db, 0), invalidated.position)
	w.want("another process after the end of a stream", "")
}

// TestStreamIdle keeps the token of batches without events.
func TestStreamIdle(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	f := newFeed(t, open(t, to(r, false)), 0)
	f.SetIdle(0)
	w := watching(t, f, "")
	first := w.next("the beginning")
	l.set(func(l *changeLog) { l.noise++ })
	if now := w.next("other collections change"); now.String() != "" || now.position == first.position {
		t.Errorf("reported %v, want another position only", now)
	}
}

// TestStreamHistoryLost asks for what the server has forgotten. The new stream is open before everything is looked at.
func TestStreamHistoryLost(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	db := open(t, to(r, false))
	w := watching(t, newFeed(t, db, 0), "")
	w.want("the beginning", "")
	l.add(event("insert", "blogs", oid(1)))
	w.want("an insert", id(1))
	position := w.last

	// While it runs: the cursor is lost, and so is the history.
	l.add(event("insert", "other", oid(1)))
	l.set(func(l *changeLog) {
		clear(l.cursors)
		l.forgot = len(l.events) + 1
		l.events = append(l.events, event("insert", "blogs", oid(2)))
	})
	w.want("the history is lost", "everything")
	opened := len(l.started())
	l.add(event("insert", "blogs", oid(3)))
	w.want("after it", id(3))
	if len(l.started()) != opened {
		t.Error("the stream was opened after everything was asked for, want before")
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	// When it starts.
	for name, position := range map[string]string{"long ago": position, "nonsense": "x", "of polling": `{"poll":"abc"}`,
		"of another server": `{"streams":{"db":{"token":{"a":1}}}}`, "of another database": strings.ReplaceAll(w.last, `"db"`, `"other"`)} {
		w := watching(t, newFeed(t, db, 0), position)
		w.want(name, "everything")
		l.add(event("insert", "blogs", oid(4)))
		w.want(name, id(4))
		if err := w.end(); err != nil {
			t.Error(err)
		}
	}
}

// TestStreamStuck has an event that the server cannot give: the stream goes on behind it once, and then is broken.
func TestStreamStuck(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	db := open(t, to(r, false))
	f := newFeed(t, db, 0)
	ended := make(chan error, 1)
	reports := make(chan report, 100)
	go func() {
		ended <- f.Watch(t.Context(), "", func(names []string, everything bool, position string) error {
			reports <- report{names, everything, position}
			return nil
		})
	}()
	<-reports
	l.set(func(l *changeLog) { l.broken = 10334 })
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, mongodb.ErrUnavailable) {
			t.Errorf("Watch ended with %v, want the server's error", err)
		}
	case <-time.After(patience):
		t.Fatal("a stream that cannot go on goes on")
	}
	n := 0
	for len(reports) > 0 {
		if r := <-reports; r.everything {
			n++
		}
	}
	if n != 1 {
		t.Errorf("everything was asked for %d times, want once", n)
	}
}

// TestStreamTwoDatabases follows settings in a database of their own.
func TestStreamTwoDatabases(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	cfg := to(r, false)
	cfg.SettingsDB = "look"
	db := open(t, cfg)
	w := watching(t, newFeed(t, db, 0), "")
	w.want("the beginning", "")
	e := updated("pages", 7, "content")
	l.add(change{"look", e.body})
	w.want("a setting", "pages:blog")
	l.add(event("insert", "blogs", oid(1)))
	w.want("a post", id(1))
	_ = w.end()
	l.add(change{"look", e.body}, event("insert", "blogs", oid(2)))
	w = watching(t, newFeed(t, db, 0), w.last)
	w.want("another process", "")
	w.want("what happened in between", id(2)+" pages:blog")
}

// TestStreamRefusedReport ends Watch, and the next one tells again what was not taken.
func TestStreamRefusedReport(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	l := r.stream()
	f := newFeed(t, open(t, to(r, false)), 0)
	w := watching(t, f, "")
	w.want("the beginning", "")
	full := errors.New("the disk is full")
	w.refuse <- full
	l.add(event("insert", "blogs", oid(1)))
	if err := w.ended(); !errors.Is(err, full) {
		t.Errorf("Watch ends with %v, want report's error", err)
	}
	w = watching(t, f, w.last)
	w.want("again", "")
	w.want("again", id(1))
}

// TestStreamOutage takes the server away: Watch waits, the breaker keeps it from asking, nothing is lost, and when the
// outage ends everything is reported.
func TestStreamOutage(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault{{cut: true}, {hang: true}, {code: 91}} {
		t.Run(fmt.Sprintf("%+v", kind), func(t *testing.T) {
			t.Parallel()
			r := newResponder(t)
			r.fill(0, 3)
			l := r.stream()
			cfg := to(r, kind.hang)
			cfg.AggregateTimeout = time.Second
			cfg.Breaker = mongodb.BreakerConfig{Failures: 2, Open: 300 * time.Millisecond}
			db := open(t, cfg)
			w := watching(t, newFeed(t, db, 0), "")
			w.want("the beginning", "")
			r.set(func(name string, _ int) fault {
				if name == "aggregate" || name == "getMore" {
					return kind
				}
				return fault{}
			})
			l.set(func(l *changeLog) { clear(l.cursors) })
			deadline := time.Now().Add(patience)
			for db.Stats().Breaker.Opened < 2 {
				if time.Now().After(deadline) {
					t.Fatalf("the breaker is %+v, want it opened by who tries to open the stream again", db.Stats().Breaker)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n := r.sent("aggregate"); n > 20 {
				t.Errorf("%d tries until the breaker opened twice", n)
			}
			l.add(event("insert", "blogs", oid(1)))
			r.set(nil)
			w.want("the outage ends", "everything")
			w.want("what happened meanwhile", id(1))
			if b := db.Stats().Breaker; b.State != "closed" {
				t.Errorf("breaker %+v after it", b)
			}
		})
	}
}

// TestStreamWaitIsNoTrial holds a stream open while the breaker opens by others: reading on is no trial, and the server
// may be asked again as soon as it is half-open.
func TestStreamWaitIsNoTrial(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 3)
	r.stream()
	cfg := to(r, false)
	cfg.Breaker = mongodb.BreakerConfig{Failures: 3, Open: 500 * time.Millisecond}
	db := open(t, cfg)
	w := watching(t, newFeed(t, db, 0), "")
	w.want("the beginning", "")
	time.Sleep(1200 * time.Millisecond) // an empty wait or two
	if b := db.Stats().Breaker; b.Failures != 0 {
		t.Errorf("waiting for events counts as a failure: %+v", b)
	}
	if stats := db.Stats(); slices.ContainsFunc(stats.Commands, func(c mongodb.Command) bool { return c.Name == "getMore" }) ||
		!slices.ContainsFunc(stats.Commands, func(c mongodb.Command) bool { return c.Name == "await" && c.Outcome == "ok" }) {
		t.Errorf("waiting for events is not counted by itself: %+v", stats.Commands)
	}
	for range 3 {
		_ = db.Run(t.Context(), func(context.Context) error { return context.DeadlineExceeded })
	}
	w.want("the outage ends", "everything")
	if b := db.Stats().Breaker; b.State != "closed" || b.HalfOpen != 1 {
		t.Errorf("breaker %+v, want closed by one trial", b)
	}
}

// TestPoll finds what changes of a server without change streams, with and without updatedAt.
func TestPoll(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40573, 115, 59, 238, 13} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r := newResponder(t)
			r.fill(0, 20)
			r.stream().refuse = code
			log := &watchedLog{}
			cfg := to(r, false)
			cfg.Logger = log.logger()
			db := open(t, cfg)
			f := newFeed(t, db, 20*time.Millisecond)
			w := watching(t, f, "")
			w.want("the beginning", "")
			edit := func(f func(docs []bson.Raw) []bson.Raw) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.docs["blogs"] = f(r.docs["blogs"])
			}
			put := func(n int, at any) {
				edit(func(docs []bson.Raw) []bson.Raw {
					d := postDoc(n, "text")
					if at == nil {
						d = d[:len(d)-1]
					} else {
						d[len(d)-1].Value = at
					}
					if n < len(docs) {
						docs[n] = raw(d)
						return docs
					}
					return append(docs, raw(d))
				})
			}
			now := time.Now().UTC().Truncate(time.Millisecond)
			put(1, now)
			w.want("an update", id(1))
			put(1, now.Add(time.Millisecond))
			w.want("again", id(1))
			w.silent("no update")
			put(2, now.Add(-30*time.Second))
			w.want("one by a clock that is late", id(2))
			put(20, nil)
			w.want("a new one without a time", id(20))
			put(21, "2026-01-01")
			w.want("a new one with a text for a time", id(21))
			put(22, now.Add(1000*time.Hour))
			w.want("a new one from the future", id(22))
			put(3, time.Now().UTC())
			w.want("an update after it", id(3))
			edit(func(docs []bson.Raw) []bson.Raw { return slices.Delete(docs, 22, 23) })
			w.want("a deletion", id(22))
			r.mu.Lock()
			r.docs["pages"] = []bson.Raw{raw(bson.D{{Key: "_id", Value: 1}, {Key: "slug", Value: "blog"},
				{Key: "content", Value: bson.D{{Key: "hero", Value: bson.D{{Key: "title", Value: "Notes"}}}}}})}
			r.mu.Unlock()
			w.want("a setting", "pages:blog")
			w.silent("nothing more")

			full := errors.New("the disk is full")
			w.refuse <- full
			put(4, time.Now().UTC())
			if err := w.ended(); !errors.Is(err, full) {
				t.Errorf("Watch ends with %v, want report's error", err)
			}
			w = watching(t, f, w.last)
			w.want("what was not taken is told again", id(4))
			put(5, time.Now().UTC())
			w.want("and it goes on", id(5))
			_ = w.end()
			w = watching(t, newFeed(t, db, 20*time.Millisecond), w.last)
			w.want("another process knows nothing", "everything")

			edit(func(docs []bson.Raw) []bson.Raw { return docs[:3] })
			var gone []string
			for n := 3; n < 22; n++ {
				gone = append(gone, id(n))
			}
			slices.Sort(gone)
			w.want("many deletions", strings.Join(gone, " "))
			if n := strings.Count(log.String(), "polled for changes"); n != 2 { // by either feed once
				t.Errorf("it was said %d times that there are no change streams:\n%s", n, log.String())
			}
		})
	}
}

// TestPollCounts takes a document away: the next poll or the one after it tells, and not the census that is due much
// later. Books that are wrong start one census, not one at each poll.
func TestPollCounts(t *testing.T) {
	t.Parallel()
	const polls = 2 // each counts two collections
	const every = 20 * time.Millisecond
	for _, miscount := range []int{0, 3} {
		r := newResponder(t)
		r.fill(0, 20)
		r.miscount = miscount
		r.stream().refuse = 40573
		w := watching(t, newFeed(t, open(t, to(r, false)), every), "")
		w.want("the beginning", "")
		asked := func(name string) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.counts[name]
		}
		counted := func(n int) { // waits for so many counts
			for from, end := asked("count"), time.Now().Add(patience); asked("count") < from+n; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nothing is counted")
				}
			}
		}
		counted(4) // a census because of wrong books is over
		r.mu.Lock()
		r.docs["blogs"] = slices.Delete(r.docs["blogs"], 7, 8)
		r.mu.Unlock()
		before := asked("count")
		w.want("a deletion", id(7))
		if n := asked("count") - before; n > 2*(polls+1) { // and what was under way
			t.Errorf("books wrong by %d: the deletion was told after %d counts, want %d polls", miscount, n, polls)
		}
		counted(4)
		before = r.wholeFinds("blogs")
		start := time.Now()
		counted(10)
		n, due := r.wholeFinds("blogs")-before, 1+int(time.Since(start)/(12*every)) // polls take longer on a busy machine
		if n > due {
			t.Errorf("books wrong by %d: %d censuses in five polls without a change, want at most the %d that are due", miscount, n, due)
		}
		_ = w.end()
	}
}

// TestPollMany names no more than is cheaper than looking at everything, and does not read it again and again.
func TestPollMany(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 5)
	r.stream().refuse = 40573
	w := watching(t, newFeed(t, open(t, to(r, false)), 20*time.Millisecond), "")
	w.want("the beginning", "")
	r.fill(5, 1500)
	w.want("an import", "everything")
	w.silent("after it")
}

// TestPollOutage takes the server away.
func TestPollOutage(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 5)
	r.stream().refuse = 40573
	cfg := to(r, false)
	cfg.Breaker = mongodb.BreakerConfig{Failures: 2, Open: 300 * time.Millisecond}
	db := open(t, cfg)
	f := newFeed(t, db, 20*time.Millisecond)
	w := watching(t, f, "")
	w.want("the beginning", "")
	for _, kind := range []fault{{cut: true}, {code: 50}} {
		r.set(func(name string, _ int) fault {
			if name == "find" || name == "getMore" {
				return kind
			}
			return fault{}
		})
		opened := db.Stats().Breaker.Opened
		for deadline := time.Now().Add(patience); db.Stats().Breaker.Opened == opened; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the breaker does not open")
			}
		}
		w.silent("during the outage")
		r.set(nil)
		w.want("the outage ends", "everything")
	}
	// One failure is no outage, and loses nothing.
	r.set(func(name string, n int) fault { return fault{code: map[bool]int{true: 50}[name == "find" && n == 2]} })
	r.fill(5, 1)
	w.want("after one failure", id(5))
}

// TestFeedBeginsLate starts a feed while the server is away.
func TestFeedBeginsLate(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 40573} {
		r := newResponder(t)
		r.fill(0, 5)
		r.stream().refuse = code
		cfg := to(r, false)
		log := &watchedLog{}
		cfg.Logger = log.logger()
		cfg.Breaker.Open = 200 * time.Millisecond
		db := open(t, cfg)
		r.set(func(name string, _ int) fault { return fault{cut: name != "hello"} })
		w := watching(t, newFeed(t, db, 20*time.Millisecond), "")
		for deadline := time.Now().Add(patience); !strings.Contains(log.String(), "waits until mongodb can be asked again"); {
			if w.silent("while the server is away"); time.Now().After(deadline) {
				t.Fatal("nothing is said of the outage")
			}
		}
		r.set(nil)
		w.want("when it is back", "everything")
	}
}

// TestFeedOnServer follows changes of a real server, whichever way it tells of them.
func TestFeedOnServer(t *testing.T) {
	t.Parallel()
	db := onServer(t)
	var docs []bson.D
	for n := range 120 {
		docs = append(docs, postDoc(n, "text"))
	}
	insert(t, db, "blogs", docs...)
	insert(t, db, "courses", courseDoc(1))
	if _, err := db.Indexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := newFeed(t, db, 50*time.Millisecond)
	w := watching(t, f, "")
	w.want("the beginning", "")
	now := time.Now().UTC()
	update(t, db, "blogs", oid(1), bson.D{{Key: "title", Value: "Edited"}, {Key: "updatedAt", Value: now}})
	w.want("an update", id(1))
	insert(t, db, "blogs", postDoc(200, "text")[:9])
	w.want("a new post without updatedAt", id(200))
	remove(t, db, "blogs", oid(2))
	w.want("a deletion", id(2))
	insert(t, db, "courses", bson.D{{Key: "_id", Value: "by-hand"}, {Key: "title", Value: "By hand"}})
	w.want("a course", "courses:by-hand")
	insert(t, db, "pages", bson.D{{Key: "_id", Value: 1}, {Key: "slug", Value: "blog"}, {Key: "content", Value: bson.D{{Key: "hero", Value: bson.D{{Key: "title", Value: "Notes"}}}}}})
	w.want("a setting", "pages:blog")
	update(t, db, "blogs", oid(3), bson.D{{Key: "title", Value: "Edited"}, {Key: "updatedAt", Value: "yesterday"}})
	w.want("an update with a text for a time", id(3))
	position := w.last
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	update(t, db, "blogs", oid(4), bson.D{{Key: "title", Value: "Edited"}, {Key: "updatedAt", Value: time.Now().UTC()}})
	w = watching(t, f, position)
	if strings.Contains(position, "streams") {
		w.want("goes on", "")
	}
	w.want("what happened in between", id(4))
}
