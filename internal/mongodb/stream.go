package mongodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

// Times and sizes of change streams.
const (
	awaitTime   = time.Second      // how long the server waits for an event before it says that there is none
	streamBatch = 500              // events
	idleReport  = 10 * time.Second // how often a stream without events of ours says how far it has come

	giveUpInterval = time.Minute // a stream that cannot go on again so soon is broken
)

// A stream follows the changes of some collections of one database.
type stream struct {
	f     *Feed
	db    string
	colls []string
	what  string // is being done, for messages

	cs     *mongo.ChangeStream
	mark   mark
	opened bool // since when mark is where the stream is
	lost   bool // changes may have been missed: that is still to be reported
	stuck  bool // the server could not go on from mark
	gaveUp time.Time
	out    tries
}

// errReport says that a change could not be accepted.
type errReport struct{ error }

func (e errReport) Unwrap() error { return e.error }

// stream follows change streams. It returns *noStreams when there are none.
func (f *Feed) stream(ctx context.Context, at *position, report func([]string, bool, string) error) error {
	streams := []*stream{{f: f, db: f.db.name, colls: append([]string{f.db.cfg.real(blogs), f.db.cfg.real(courses)}, f.db.cfg.referred()...)}}
	if f.db.settings == f.db.name {
		streams[0].colls = append(streams[0].colls, settings)
	} else {
		streams = append(streams, &stream{f: f, db: f.db.settings, colls: []string{settings}})
	}
	defer func() {
		for _, s := range streams {
			s.close(ctx, nil)
		}
	}()
	begun := position{Streams: map[string]mark{}}
	lost := false
	for _, s := range streams {
		s.what = "watch the changes of " + s.db
		s.mark = at.Streams[s.db]
		s.lost = !at.empty() && s.mark.token == nil
		if err := s.open(ctx); err != nil {
			return err
		}
		begun.Streams[s.db] = s.mark
		lost = lost || s.lost
		s.lost = false
	}
	// All streams are open: what changes while everything is looked at is in them.
	if err := report(nil, lost, begun.String()); err != nil {
		return errReport{err}
	}
	*at, f.memory = begun, nil
	var mu sync.Mutex
	say := func(s *stream, names []string, everything bool) error {
		mu.Lock()
		defer mu.Unlock()
		at.Streams[s.db] = s.mark
		if err := report(names, everything, at.String()); err != nil {
			return errReport{err}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range streams {
		g.Go(func() error { return s.follow(ctx, say) })
	}
	return g.Wait()
}

// follow reads the open stream and opens it again where it breaks.
func (s *stream) follow(ctx context.Context, say func(*stream, []string, bool) error) error {
	for {
		err := s.read(ctx, say)
		if _, refused := errors.AsType[errReport](err); refused {
			return err
		}
		s.close(ctx, err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil: // the server has ended the stream
		case errors.Is(err, ErrUnavailable):
		case s.stuck && time.Since(s.gaveUp) < giveUpInterval:
			return err
		case s.stuck: // it has failed here before
			s.giveUp(err)
		default:
			s.stuck = true
		}
		if err != nil && !s.out.wait(ctx, s.f, err) {
			return ctx.Err()
		}
		if err := s.open(ctx); err != nil {
			return err
		}
		if s.lost {
			if err := say(s, nil, true); err != nil {
				return err
			}
			s.lost = false
		}
	}
}

// giveUp makes the stream begin anew from now on, because the server does not go on from its mark.
func (s *stream) giveUp(err error) {
	s.f.log.Warn("mongodb cannot tell any more what has changed since it was asked last, so every document is looked at", "error", err)
	s.mark, s.stuck, s.gaveUp, s.lost = mark{}, false, time.Now(), true
}

// open opens the stream at its mark, or from now on where that is not possible. It waits while MongoDB is away.
func (s *stream) open(ctx context.Context) error {
	for {
		err := s.begin(ctx)
		switch {
		case err == nil:
			s.lost = s.lost || s.opened && s.mark.token == nil
			s.opened = true
			if token := s.cs.ResumeToken(); !bytes.Equal(token, s.mark.token) {
				s.mark = mark{token: slices.Clone(token)}
			}
			if s.out.over(s.f) {
				s.lost = true
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrUnavailable):
			if !s.out.wait(ctx, s.f, err) {
				return ctx.Err()
			}
		case hasCode(err, signIn...):
			return err
		case s.mark.token != nil:
			s.giveUp(err)
		default:
			return &noStreams{err, s.out.over(s.f)}
		}
	}
}

func (s *stream) begin(ctx context.Context) error {
	db := s.f.db
	opts := options.ChangeStream().SetBatchSize(streamBatch).SetMaxAwaitTime(awaitTime).
		SetCustom(bson.M{"maxTimeMS": db.limit(aggregate).Milliseconds()})
	switch {
	case s.mark.token == nil:
	case s.mark.after:
		opts.SetStartAfter(s.mark.token)
	default:
		opts.SetResumeAfter(s.mark.token)
	}
	return db.run(ctx, aggregate, s.what, func(ctx context.Context) (err error) {
		// With a deadline in its context the driver would try again and again until then, without a pause.
		s.cs, err = db.client.Database(s.db).Watch(undated{ctx}, s.pipeline(), opts)
		return err
	})
}

// pipeline leaves what has happened to which document of the collections: no event holds a document, and of an update
// only the names of the fields.
func (s *stream) pipeline() mongo.Pipeline {
	ours := bson.D{{Key: "$in", Value: s.colls}}
	names := bson.D{{Key: "$map", Value: bson.D{
		{Key: "input", Value: bson.D{{Key: "$objectToArray", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$updateDescription.updatedFields", bson.D{}}}}}}},
		{Key: "in", Value: "$$this.k"},
	}}}
	return mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "ns.coll", Value: ours}},
			bson.D{{Key: "to.coll", Value: ours}},
			bson.D{{Key: "operationType", Value: bson.D{{Key: "$in", Value: bson.A{"dropDatabase", "invalidate"}}}}},
		}}}}},
		{{Key: "$project", Value: bson.D{
			{Key: "operationType", Value: 1}, {Key: "ns", Value: 1}, {Key: "documentKey._id", Value: 1}, {Key: "updated", Value: names},
			{Key: "removed", Value: "$updateDescription.removedFields"}, {Key: "truncated", Value: "$updateDescription.truncatedArrays.field"},
		}}},
	}
}

// close gives the cursor back, unless err says that the server cannot be asked.
func (s *stream) close(ctx context.Context, err error) {
	if s.cs == nil {
		return
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if errors.Is(err, ErrUnavailable) {
		cancel() // it forgets the cursor by itself
	}
	_ = s.cs.Close(closing) // what matters was an error before
	s.cs = nil
}

// read reports events until the stream ends or breaks.
func (s *stream) read(ctx context.Context, say func(*stream, []string, bool) error) error {
	said := time.Now()
	for {
		more := false
		err := s.f.db.await(ctx, s.what, awaitTime, func(ctx context.Context) error {
			more = s.cs.TryNext(undated{ctx})
			return s.cs.Err()
		})
		if err != nil {
			return err
		}
		b := events{names: map[string]struct{}{}}
		for more {
			if err := b.take(s.cs.Current, &s.f.db.cfg); err != nil {
				return err
			}
			more = s.cs.RemainingBatchLength() > 0 && s.cs.TryNext(ctx)
		}
		if err := s.cs.Err(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		moved := false
		if token := s.cs.ResumeToken(); !bytes.Equal(token, s.mark.token) {
			s.mark, moved, s.stuck = mark{slices.Clone(token), b.invalidated}, true, false
		}
		if len(b.names) > 0 || b.everything || moved && time.Since(said) >= s.f.idle {
			if err := say(s, sortedNames(b.names), b.everything); err != nil {
				return err
			}
			said = time.Now()
		}
		if b.invalidated || s.cs.ID() == 0 {
			return nil
		}
	}
}

// events are what one batch says.
type events struct {
	names       map[string]struct{}
	everything  bool
	invalidated bool
}

// take takes in an event.
func (b *events) take(raw bson.Raw, cfg *Config) error {
	var e struct {
		Type string `bson:"operationType"`
		NS   struct {
			Coll string `bson:"coll"`
		} `bson:"ns"`
		Key       bson.Raw `bson:"documentKey"`
		Updated   []string `bson:"updated"`
		Removed   []string `bson:"removed"`
		Truncated []string `bson:"truncated"`
	}
	if err := bson.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	switch e.Type {
	case "insert", "replace", "delete":
	case "update":
		if fields := slices.Concat(e.Updated, e.Removed, e.Truncated); len(fields) > 0 && !slices.ContainsFunc(fields, func(f string) bool { return cfg.isShown(e.NS.Coll, f) }) {
			return nil
		}
	case "invalidate":
		b.everything, b.invalidated = true, true
		return nil
	default: // drop, rename, dropDatabase, and what later servers may have
		b.everything = true
		return nil
	}
	if e.NS.Coll == settings {
		b.names[anySetting] = struct{}{}
		return nil
	}
	b.names[string(documentID(cfg.ours(e.NS.Coll), e.Key.Lookup("_id")))] = struct{}{}
	return nil
}

// anySetting makes a scan read all settings.
var anySetting = string(sectionID("blog"))

// counted are fields that scans read and pages do not show. Every view of a post changes them.
var counted = []string{"_id", "views", "viewCount", "updatedAt"}

// isShown reports whether a field of a collection, as the database calls it, or a part of one, can appear on a page.
func (c *Config) isShown(coll, path string) bool {
	if coll == settings {
		return true
	}
	field, _, _ := strings.Cut(path, ".")
	if ours := c.ours(coll); ours != blogs && ours != courses {
		for _, ref := range c.Refs {
			if head, _, _ := strings.Cut(ref.Field, "."); ref.Collection == coll && head == field {
				return true
			}
		}
		return false
	}
	return !slices.Contains(counted, field) && (!slices.Contains(unread, field) || !slices.ContainsFunc(c.projection(), func(e bson.E) bool { return e.Key == field }))
}
