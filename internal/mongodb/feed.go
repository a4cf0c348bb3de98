package mongodb

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Feed tells which documents of a database change while it is watched: by change streams where the server has them,
// else by asking for what was updated lately, and from time to time for the ids of all.
type Feed struct {
	db    *DB
	every time.Duration // of polls
	idle  time.Duration // of saying how far a stream without events has come
	log   *slog.Logger

	// What follows belongs to the one Watch that runs.
	memory *memory // of polling; nil: nothing was asked yet
	why    string  // there are no change streams, as it was logged last
}

// Times of a feed.
const (
	defaultPoll = 5 * time.Second
	streamAgain = 10 * time.Minute // a server without change streams is asked for them again
	waitMin     = 250 * time.Millisecond
	waitMax     = 4 * time.Second // so short that a recovery shows within seconds
)

// An outage is when so many tries in a row have failed, or the breaker has opened. One connection that is cut is none.
const outageFailures = 3

// maxReported is how many documents are named at once. More may mean anything.
const maxReported = 1000

// NewFeed returns a feed of the database's changes. poll is how often a server without change streams is asked; 0: 5 s.
func NewFeed(db *DB, poll time.Duration) (*Feed, error) {
	if db == nil {
		return nil, errors.New("mongodb: there is no DB")
	}
	if poll <= 0 {
		poll = defaultPoll
	}
	return &Feed{db: db, every: poll, idle: idleReport, log: db.log}, nil
}

// Watch reports changes until ctx ends (nil) or something fails that waiting does not mend. position is where an earlier
// Watch came to, as it was reported; empty: from now. names are as Scan takes them; everything says that changes may have
// been missed. The first report says that from here on none is. report returns once the change and position are durably
// accepted; its error ends Watch. One Watch at a time may run.
//
// While MongoDB is away Watch waits, and no longer than its breaker. When an outage ends everything is reported at once,
// so that what was not verified meanwhile is.
func (f *Feed) Watch(ctx context.Context, position string, report func(names []string, everything bool, position string) error) error {
	at := parsePosition(position)
	for {
		err := f.stream(ctx, &at, report)
		if none, ok := errors.AsType[*noStreams](err); ok {
			f.explainPolling(none.err)
			err = f.poll(ctx, &at, none.outage, report)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// noStreams says that a server gives no change streams.
type noStreams struct {
	err    error
	outage bool // one ended before the server said so
}

func (e *noStreams) Error() string { return e.err.Error() }

func (e *noStreams) Unwrap() error { return e.err }

// explainPolling says once why the database is polled.
func (f *Feed) explainPolling(err error) {
	if why := err.Error(); why != f.why {
		f.why = why
		if hasCode(err, codeUnauthorized) {
			f.log.Warn("mongodb refuses change streams to this user, so its documents are polled for changes", "every", f.every,
				"remedy", "grant the user of mongo.uri the role read on "+f.db.name+" and "+f.db.settings)
			return
		}
		f.log.Info("mongodb has no change streams, so its documents are polled for changes", "every", f.every, "reason", why,
			"remedy", "a replica set has them, of one member too")
	}
}

// A position is how far a feed has come: in the stream of each database, or what polling remembers.
type position struct {
	Streams map[string]mark `json:"streams,omitempty"`
	Poll    string          `json:"poll,omitempty"`
}

// A mark is a place in a change stream.
type mark struct {
	token bson.Raw
	after bool // the event there ended the stream
}

// JSON form of a mark. Tokens are documents that only servers understand.
type markJSON struct {
	Token json.RawMessage `json:"token"`
	After bool            `json:"after,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (m mark) MarshalJSON() ([]byte, error) {
	token, err := bson.MarshalExtJSON(m.token, true, false)
	if err != nil {
		return nil, err
	}
	return json.Marshal(markJSON{token, m.after})
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *mark) UnmarshalJSON(b []byte) error {
	var j markJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	m.after = j.After
	return bson.UnmarshalExtJSON(j.Token, true, &m.token)
}

// parsePosition reads a position. One that is not understood is one that nothing is known of.
func parsePosition(s string) position {
	var p position
	if s == "" {
		return p
	}
	if json.Unmarshal([]byte(s), &p) != nil || p.empty() {
		return position{Poll: "?"}
	}
	return p
}

func (p *position) empty() bool { return p.Poll == "" && len(p.Streams) == 0 }

func (p *position) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		return `{"poll":"?"}` // a token that cannot be written is as good as none
	}
	return string(b)
}

// tries counts what fails in a row.
type tries struct {
	failures int
	open     bool // the breaker was
	told     bool
	back     <-chan struct{} // as it was before the newest try
}

// wait lets a moment pass after a failure, and all the time that the breaker is open; when a server is seen again it ends.
// It reports false when ctx ends meanwhile.
func (t *tries) wait(ctx context.Context, f *Feed, err error) bool {
	t.failures++
	t.open = t.open || !f.db.breaker.cb.IsClosed()
	if t.outage() && !t.told {
		t.told = true
		f.log.Warn("the feed of changes waits until mongodb can be asked again", "error", err)
	}
	if t.back == nil {
		t.back = f.db.breaker.back()
	}
	for pause := min(waitMin<<min(t.failures-1, 10), waitMax); ; pause = waitMin {
		timer := time.NewTimer(pause + rand.N(waitMin))
		select {
		case <-timer.C:
		case <-t.back:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		t.back = f.db.breaker.back()
		if cb := f.db.breaker.cb; !cb.IsOpen() || cb.RemainingDelay() <= 0 {
			return true
		}
	}
}

func (t *tries) outage() bool { return t.open || t.failures >= outageFailures }

// over says that MongoDB has answered, and reports whether an outage has ended by that.
func (t *tries) over(f *Feed) bool {
	was := t.outage()
	if t.told {
		f.log.Info("the feed of changes goes on")
	}
	*t = tries{}
	return was
}

// await runs f, which waits at the server for what may never come, as long as the breaker is closed. It is no trial of a
// breaker that is half-open, and how it ends is not the breaker's: what f waits for says nothing about the server, and
// whoever tries again after a failure is counted.
func (db *DB) await(ctx context.Context, what string, wait time.Duration, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !db.breaker.cb.IsClosed() {
		return db.refuse(what)
	}
	limit := wait + db.limit(list)
	asked, cancel := context.WithTimeout(context.WithValue(ctx, awaiting{}, true), limit)
	defer cancel()
	err := f(asked)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return db.explain(what, limit, limited(asked, err))
}

// sortedNames makes a list of names.
func sortedNames(set map[string]struct{}) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
