package mongodb_test

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A changeLog answers change streams as a replica set does: events in order, resume tokens that are places among them,
// batches with a token of their own, histories that end. It has what a pipeline leaves of an event; the server's part of
// that is proved by real servers only.
type changeLog struct {
	mu      sync.Mutex // protects what follows
	changed chan struct{}
	events  []change
	forgot  int              // how many of the first events are history
	refuse  int              // the code that opening a stream fails with; 0: it does not
	broken  int              // the code that reading one fails with; 0: it does not
	cursors map[int64]*place // open streams
	next    int64
	opened  []bson.Raw // the first stage of every pipeline
	whole   []bson.Raw // the commands
	noise   int        // events of other collections: they move the tokens of batches and no more
}

type change struct {
	db   string
	body bson.D
}

type place struct {
	db string
	at int
}

func newChangeLog() *changeLog {
	return &changeLog{changed: make(chan struct{}), cursors: map[int64]*place{}}
}

// stream makes the responder one of a replica set.
func (r *responder) stream() *changeLog {
	l := newChangeLog()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = l
	return l
}

func (l *changeLog) add(c ...change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, c...)
	l.wake()
}

func (l *changeLog) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// set changes how the log behaves; open streams notice.
func (l *changeLog) set(f func(*changeLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
	l.wake()
}

// started is the options of the streams that were opened so far.
func (l *changeLog) started() []bson.Raw {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]bson.Raw{}, l.opened...)
}

func event(kind, coll string, id any, more ...bson.E) change {
	d := bson.D{{Key: "operationType", Value: kind}}
	if coll != "" {
		d = append(d, bson.E{Key: "ns", Value: bson.D{{Key: "db", Value: "db"}, {Key: "coll", Value: coll}}})
	}
	if id != nil {
		d = append(d, bson.E{Key: "documentKey", Value: bson.D{{Key: "_id", Value: id}}})
	}
	return change{"db", append(d, more...)}
}

func updated(coll string, id any, fields ...string) change {
	return event("update", coll, id, bson.E{Key: "updated", Value: fields}, bson.E{Key: "removed", Value: bson.A{}})
}

func (l *changeLog) token(n int) bson.Raw {
	return raw(bson.D{{Key: "_data", Value: fmt.Sprintf("%08d.%d", n, l.noise)}})
}

func tokenPlace(v bson.RawValue) (int, bool) {
	s, ok := v.Document().Lookup("_data").StringValueOK()
	if !ok || len(s) < 8 {
		return 0, false
	}
	n, err := strconv.Atoi(s[:8])
	return n, err == nil
}

func failure(code int, labels ...string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(code)}, {Key: "codeName", Value: "Code"}, {Key: "errmsg", Value: "as told"}, {Key: "errorLabels", Value: labels}}
}

// answer is the reply to what concerns change streams; nil: the command does not.
func (l *changeLog) answer(name string, cmd bson.Raw) bson.D {
	switch name {
	case "aggregate":
		return l.open(cmd)
	case "getMore":
		return l.more(cmd)
	}
	return nil
}

func (l *changeLog) open(cmd bson.Raw) bson.D {
	l.mu.Lock()
	defer l.mu.Unlock()
	options := cmd.Lookup("pipeline", "0", "$changeStream").Document()
	l.opened, l.whole = append(l.opened, options), append(l.whole, cmd)
	db := cmd.Lookup("$db").StringValue()
	p := &place{db: db, at: len(l.events)}
	if l.refuse != 0 {
		return failure(l.refuse)
	}
	for _, key := range []string{"resumeAfter", "startAfter"} {
		v := options.Lookup(key)
		if v.IsZero() {
			continue
		}
		n, ok := tokenPlace(v)
		switch {
		case !ok:
			return failure(9)
		case n < l.forgot:
			return failure(286)
		case key == "resumeAfter" && n > 0 && l.events[n-1].body[0].Value == "invalidate":
			return failure(260)
		}
		p.at = n
	}
	l.next++
	l.cursors[l.next] = p
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: l.next}, {Key: "ns", Value: db + ".$cmd.aggregate"}, {Key: "firstBatch", Value: bson.A{}},
		{Key: "postBatchResumeToken", Value: l.token(p.at)}}}, {Key: "ok", Value: 1.0}}
}

func (l *changeLog) more(cmd bson.Raw) bson.D {
	id := cmd.Lookup("getMore").AsInt64()
	wait := time.NewTimer(time.Duration(cmd.Lookup("maxTimeMS").AsInt64()) * time.Millisecond)
	defer wait.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		p := l.cursors[id]
		switch {
		case l.broken != 0:
			l.mu.Unlock()
			return failure(l.broken)
		case p == nil:
			l.mu.Unlock()
			return failure(43)
		}
		batch := bson.A{}
		for p.at < len(l.events) && id != 0 {
			e := l.events[p.at]
			p.at++
			if e.db == p.db {
				batch = append(batch, append(bson.D{{Key: "_id", Value: l.token(p.at)}}, e.body...))
				if e.body[0].Value == "invalidate" {
					delete(l.cursors, id)
					id = 0
				}
			}
		}
		reply := bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: id}, {Key: "ns", Value: p.db + ".$cmd.aggregate"}, {Key: "nextBatch", Value: batch},
			{Key: "postBatchResumeToken", Value: l.token(p.at)}}}, {Key: "ok", Value: 1.0}}
		l.mu.Unlock()
		if len(batch) > 0 {
			return reply
		}
		select {
		case <-changed:
		case <-wait.C:
			return reply
		}
	}
}
