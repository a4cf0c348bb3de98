package mongodb

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// What is asked for of a server without change streams. updatedAt is a hint: clients set it by their own clocks, some not
// at all, and not in the order in which they write.
const (
	pollOverlap = time.Minute // so much before the newest update is asked for again
	pollAhead   = time.Minute // an update from further in the future does not move the time that is asked from
	pollMany    = 1000        // updates within the overlap: where there are more, a quiet minute ends it
	pollShare   = 10          // polling takes one part in so many of the time at most
	censusEvery = 12          // polls
	censusShare = 20          // as pollShare, for the census
)

// A memory is what polling knows of the documents.
type memory struct {
	token  string                 // of the positions that it goes on from
	docs   map[site.ID]digest.Sum // documents, and what their updatedAt was
	colls  map[string]*polled
	pages  digest.Sum          // of the settings
	names  map[string]struct{} // found to have changed, and not reported yet
	census time.Time           // when the ids of all are asked for again
	took   time.Duration       // by the newest poll
}

// polled is how far a collection is known.
type polled struct {
	index  string    // by updatedAt and _id; empty: there is none
	newest time.Time // update that is not in the future
	moved  time.Time // when that was found
	many   bool      // there are more than pollMany within the overlap
	docs   int       // documents that are known
	odd    int       // by how much the count differed that was made before the newest census; the same difference starts no other
}

// poll asks again and again; outage says that one has just ended. It returns nil when it is time to look for change
// streams again.
func (f *Feed) poll(ctx context.Context, at *position, outage bool, report func([]string, bool, string) error) error {
	again := time.Now().Add(streamAgain)
	known := f.memory != nil && at.Poll == f.memory.token
	everything := outage || !at.empty() && !known
	var out tries
	for {
		start := time.Now()
		err := f.look(ctx, start)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrUnavailable):
			if !out.wait(ctx, f, err) {
				return ctx.Err()
			}
			continue
		case err != nil:
			return err
		}
		m := f.memory
		everything = out.over(f) || everything || len(m.names) > maxReported
		if names := sortedNames(m.names); everything || !known || len(names) > 0 {
			if everything {
				names = nil
			}
			to := position{Poll: m.token}
			if err := report(names, everything, to.String()); err != nil {
				return err
			}
			*at, known, everything = to, true, false
			clear(m.names)
		}
		if time.Now().After(again) {
			return nil
		}
		timer := time.NewTimer(max(f.every, pollShare*m.took))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// look brings the memory up to the database. What has changed is in its names, also when look fails half-way.
func (f *Feed) look(ctx context.Context, now time.Time) error {
	if f.memory == nil {
		return f.remember(ctx, now)
	}
	m := f.memory
	for _, coll := range []string{blogs, courses} {
		if err := f.updated(ctx, m, coll, now); err != nil {
			return err
		}
	}
	pages, err := f.settings(ctx)
	if err != nil {
		return err
	}
	counts, err := f.counts(ctx)
	if err != nil {
		return err
	}
	m.took = time.Since(now)
	if pages != m.pages {
		m.pages, m.names[anySetting] = pages, struct{}{}
	}
	if now.Before(m.census) && !m.miscounted(counts) {
		return nil
	}
	start := time.Now()
	for _, coll := range append([]string{blogs, courses}, f.db.cfg.referred()...) {
		if err := f.census(ctx, m, coll, now); err != nil {
			return err
		}
		// The books of a server that has crashed, or of a sharded cluster, may be wrong for long.
		m.colls[coll].odd = counts[coll] - m.colls[coll].docs
	}
	m.census = time.Now().Add(max(censusEvery*f.every, censusShare*time.Since(start)))
	return nil
}

// counts are how many documents each collection has by its own books, which costs the server nothing to say.
func (f *Feed) counts(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, coll := range append([]string{blogs, courses}, f.db.cfg.referred()...) {
		n, err := f.db.count(ctx, coll)
		if err != nil {
			return nil, err
		}
		out[coll] = n
	}
	return out, nil
}

// miscounted reports whether a count is another than that of the documents which are known: some are gone, or have come
// without an updatedAt.
func (m *memory) miscounted(counts map[string]int) bool {
	for coll, n := range counts {
		if p := m.colls[coll]; n-p.docs != p.odd {
			return true
		}
	}
	return false
}

// remember begins a memory: what it finds is what is there.
func (f *Feed) remember(ctx context.Context, now time.Time) error {
	m := &memory{token: strconv.FormatInt(now.UnixNano(), 36), docs: map[site.ID]digest.Sum{}, colls: map[string]*polled{}, names: map[string]struct{}{}}
	for _, coll := range append([]string{blogs, courses}, f.db.cfg.referred()...) {
		p, before := &polled{}, len(m.docs)
		m.colls[coll] = p
		there, err := f.db.listIndexes(ctx, coll)
		if err != nil {
			return err
		}
		for _, w := range wantedIndexes {
			var line Index
			if w.coll == coll && w.name == byUpdate && w.among(there, &line) && line.State == IndexSame {
				p.index = line.Name
			}
		}
		if err := f.census(ctx, m, coll, now); err != nil {
			return err
		}
		if p.index == "" && len(m.docs) > before && (coll == blogs || coll == courses) {
			f.log.Warn("mongodb has no index to find changes by, so it reads whole collections for it", "collection", coll,
				"remedy", "freshet indexes creates it")
		}
	}
	var err error
	if m.pages, err = f.settings(ctx); err != nil {
		return err
	}
	clear(m.names)
	m.census = time.Now().Add(max(censusEvery*f.every, censusShare*time.Since(now)))
	f.memory = m
	return nil
}

// byUpdate is the name of the index that polls are served from.
const byUpdate = "updatedAt_1__id_1"

var pollProjection = bson.D{{Key: "_id", Value: 1}, {Key: "updatedAt", Value: 1}}

// updated asks for what was updated since shortly before the newest update that is known.
func (f *Feed) updated(ctx context.Context, m *memory, coll string, now time.Time) error {
	p := m.colls[coll]
	from, op := p.newest.Add(-pollOverlap), "$gte"
	if p.many && now.Sub(p.moved) > pollOverlap {
		from, op = p.newest, "$gt" // an import of a hundred thousand is not read every five seconds for ever
	}
	q := query{db: f.db.name, coll: coll, class: list, projection: pollProjection, hint: p.index, batch: censusBatch, batches: true,
		filter: bson.D{{Key: "updatedAt", Value: bson.D{{Key: op, Value: from}, {Key: "$lte", Value: now.Add(pollAhead)}}}}}
	n := 0
	err := f.db.find(ctx, q, func(raw bson.Raw) error {
		n++
		p.note(raw, now)
		m.note(p, documentID(coll, raw.Lookup("_id")), stampOf(raw))
		return nil
	})
	if err != nil {
		return p.without(err)
	}
	if op == "$gte" {
		p.many = n > pollMany
	}
	return nil
}

// note keeps the time of an update.
func (p *polled) note(raw bson.Raw, now time.Time) {
	if at, ok := raw.Lookup("updatedAt").TimeOK(); ok && at.After(p.newest) && !at.After(now.Add(pollAhead)) {
		p.newest, p.moved = at, now
	}
}

// without lets go of the index if the server does not know it any more: the next try goes without.
func (p *polled) without(err error) error {
	if !errors.Is(err, ErrUnavailable) {
		p.index = ""
	}
	return err
}

// note takes in a document as a poll or a census finds it.
func (m *memory) note(p *polled, id site.ID, stamp digest.Sum) {
	old, had := m.docs[id]
	if had && old == stamp {
		return
	}
	if !had {
		p.docs++
	}
	m.docs[id] = stamp
	m.names[string(id)] = struct{}{}
}

// stampOf is what updatedAt is, of whatever type.
func stampOf(raw bson.Raw) digest.Sum {
	v := raw.Lookup("updatedAt")
	h := digest.New()
	h.Uint64(uint64(v.Type))
	h.Bytes(v.Value)
	return h.Sum()
}

// census asks for the ids and updatedAt of all documents of a collection. That finds documents that are new or gone, and
// updates whose time is older than others, in the future, or no time.
func (f *Feed) census(ctx context.Context, m *memory, coll string, now time.Time) error {
	p := m.colls[coll]
	q := query{db: f.db.name, coll: coll, class: list, projection: pollProjection, hint: p.index, batch: censusBatch, batches: true}
	there := make(map[site.ID]struct{}, len(m.docs))
	err := f.db.find(ctx, q, func(raw bson.Raw) error {
		id := documentID(coll, raw.Lookup("_id"))
		there[id] = struct{}{}
		p.note(raw, now)
		m.note(p, id, stampOf(raw))
		return nil
	})
	if err != nil {
		return p.without(err)
	}
	for id := range m.docs {
		if _, has := there[id]; !has && collOf(id) == coll {
			delete(m.docs, id)
			p.docs--
			m.names[string(id)] = struct{}{}
		}
	}
	return nil
}

// settings is what the settings say, as far as pages show it.
func (f *Feed) settings(ctx context.Context) (digest.Sum, error) {
	r := &reading{s: &Source{db: f.db}, read: map[site.ID]found{}, gone: map[site.ID]bool{}, issues: map[site.ID]issues{}}
	if err := r.sections(ctx); err != nil {
		return 0, err
	}
	h := digest.New()
	revisions := map[string]uint64{}
	for id, found := range r.read {
		revisions[string(id)] = uint64(found.revision)
	}
	h.Value(revisions)
	return h.Sum(), nil
}
