package mongodb

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// Bounds of a readAhead.
const (
	bodyBatch    = 100      // documents of one query
	maxHeldBytes = 32 << 20 // documents that wait to be asked for
)

// A readAhead reads the bodies of documents that a scan has reported in batches, since a build asks for one after the other.
// For example after the first scan of 10,000 posts, the first body that is asked for brings the next 99 along.
//
// What is held may be older than what is stored. Body compares it with the digest of the scan, so it is used only where it
// is the text that was scanned.
type readAhead struct {
	fetching sync.Mutex // one batch at a time

	mu      sync.Mutex           // protects what follows
	waiting []site.ID            // reported, and not asked for yet, in order
	held    map[site.ID]bson.Raw // read, and not asked for yet
	bytes   int                  // of held
}

// expect takes in what a scan has reported. What an earlier one has reported is forgotten.
func (a *readAhead) expect(put []site.Document) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting, a.held, a.bytes = nil, map[site.ID]bson.Raw{}, 0
	for _, d := range put {
		if m := site.MetaOf(d); m != nil && !m.Body.IsZero() {
			a.waiting = append(a.waiting, m.ID)
		}
	}
}

// take returns a document that is held. A course is asked for once for each of its lessons, so it stays.
func (a *readAhead) take(id site.ID) bson.Raw {
	a.mu.Lock()
	defer a.mu.Unlock()
	raw := a.held[id]
	if raw != nil && collOf(id) != courses {
		delete(a.held, id)
		a.bytes -= len(raw)
	}
	return raw
}

// next are the ids to read with id: those that are expected after it. None: it is not expected.
func (a *readAhead) next(id site.ID) []site.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.Index(a.waiting, id)
	if at < 0 || a.bytes > maxHeldBytes/2 {
		return nil
	}
	to := at
	for to < len(a.waiting) && to-at < bodyBatch && collOf(a.waiting[to]) == collOf(id) {
		to++
	}
	batch := slices.Clone(a.waiting[at:to])
	a.waiting = slices.Delete(a.waiting, at, to)
	return batch
}

func (a *readAhead) hold(id site.ID, raw bson.Raw) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bytes+len(raw) <= maxHeldBytes {
		a.held[id] = slices.Clone(raw)
		a.bytes += len(raw)
	}
}

// Body reads a document's body again. The error is site.ErrChanged when it is not the one ref was made of, and
// site.ErrNotFound when the document is gone.
func (s *Source) Body(ctx context.Context, ref site.BodyRef) (site.Body, error) {
	coll := collOf(ref.Doc)
	raw, err := s.readAhead(ctx, ref.Doc)
	if err != nil {
		return site.Body{}, fmt.Errorf("read body of %s: %w", ref.Doc, err)
	}
	if raw != nil {
		if text, ok := s.bodyIn(coll, raw, ref); ok {
			return site.Body{Text: text}, nil
		}
	}
	_, raw, err = s.one(ctx, ref.Doc)
	if err != nil {
		return site.Body{}, fmt.Errorf("read body of %s: %w", ref.Doc, err)
	}
	text, ok := s.bodyIn(coll, raw, ref)
	if !ok {
		return site.Body{}, fmt.Errorf("read body of %s: %w", ref.Doc, site.ErrChanged)
	}
	return site.Body{Text: text}, nil
}

// bodyIn finds the body that ref was made of in a document; false: it has another by now.
func (s *Source) bodyIn(coll string, raw bson.Raw, ref site.BodyRef) ([]byte, bool) {
	text, format, ok := s.dec.body(coll, raw, ref.Part)
	return text, ok && format == ref.Format && max(digest.Bytes(text), 1) == ref.Hash
}

// readAhead returns the document, as far as it was read with others or can be; nil: it is to be read alone.
func (s *Source) readAhead(ctx context.Context, id site.ID) (bson.Raw, error) {
	if raw := s.ahead.take(id); raw != nil {
		return raw, nil
	}
	s.ahead.fetching.Lock()
	defer s.ahead.fetching.Unlock()
	if raw := s.ahead.take(id); raw != nil { // while this waited
		return raw, nil
	}
	batch := s.ahead.next(id)
	if len(batch) < 2 {
		return nil, nil
	}
	var values bson.A
	for _, id := range batch {
		if _, filter, err := parseDocumentID(id); err == nil {
			values = append(values, filter[0].Value)
		}
	}
	coll := collOf(id)
	q := query{db: s.db.name, coll: coll, class: list, filter: among("_id", values), projection: s.db.cfg.projection(), batch: bodyBatch}
	err := s.db.find(ctx, q, func(raw bson.Raw) error {
		s.ahead.hold(documentID(coll, raw.Lookup("_id")), raw)
		return nil
	})
	if err != nil && !tookTooLong(err) {
		return nil, err
	}
	return s.ahead.take(id), nil
}
