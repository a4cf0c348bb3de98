package mongodb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// The collections of the content.
const (
	blogs   = "blogs"
	courses = "courses"
)

// A Source reads the documents of one database. Its methods may be called by several goroutines; scans wait for each
// other.
type Source struct {
	db  *DB
	dec *decoder
	log *slog.Logger

	mu      sync.Mutex      // protects what follows: one scan at a time
	pending map[string]bool // names of scans that failed: the next one reads them too
	all     bool            // the next scan reads everything
	must    func(coll string) bool
	shown   func(coll string) iter.Seq[site.ID]
	docs    map[site.ID]known
	slugs   map[docSlug][]site.ID
	total   map[string]int // of documents, by their collection

	shownDocs int                // posts and courses that are no drafts
	issues    map[site.ID]issues // of documents with any

	ahead readAhead
}

// known is what is remembered of a document. Its text and fields are not: they are the snapshot's.
type known struct {
	revision site.Revision
	slug     site.Slug
	shown    bool // it is no draft
	files    []fileRef
}

type docSlug struct {
	coll string
	slug site.Slug
}

// A fileRef is a file that a document holds as data.
type fileRef struct {
	id       site.ID
	name     string
	revision site.Revision
}

type issues struct {
	problems []diag.Problem
	skips    []site.Skip // of it, or of its lessons
	unsaid   bool        // it is a draft because nothing says that it is published
	guess    string      // the field that its text may be in, where it has none that is known
}

// NewSource returns a source of the database's documents. It reads nothing yet. language is that of documents that name none.
func NewSource(db *DB, summaries Summarizer, language string) (*Source, error) {
	if db == nil {
		return nil, errors.New("mongodb: there is no DB")
	}
	if summaries == nil {
		return nil, errors.New("mongodb: there is no Summarizer")
	}
	dec := newDecoder(blogs, courses, summaries)
	dec.zone, dec.cfg, dec.language = db.cfg.Zone, &db.cfg, language
	return &Source{db: db, dec: dec, log: db.log, all: true, pending: map[string]bool{}, docs: map[site.ID]known{},
		slugs: map[docSlug][]site.ID{}, total: map[string]int{}, issues: map[site.ID]issues{}}, nil
}

// Shown tells the source which documents of a collection the site has pages of: a scan that has met them all, and all it
// knew itself, takes nothing away and need not be counted. Without it every scan of all documents is. It is called before
// the first scan.
func (s *Source) Shown(shown func(coll string) iter.Seq[site.ID]) { s.shown = shown }

// Must makes a scan fail when one of the collections is missing that must says has to be there: one that the site has
// pages of. Without it a missing collection is an empty one. It is called before the first scan.
func (s *Source) Must(must func(coll string) bool) { s.must = must }

// Scan reports what is different from what was reported before; the first call reports every document. changed names
// what may have changed: a document's ID, blog:<slug> or course:<slug>, or a file's name; nil means anything. A name of
// another kind may mean any document.
//
// A document that cannot be understood is left out, with a problem and a Skip, and stops no other. Whatever keeps a
// collection from being read to its end fails the scan: then nothing is reported, and the next scan makes up for it.
func (s *Source) Scan(ctx context.Context, changed []string) (*site.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := time.Now()
	s.dec.referred.forget()
	if changed == nil {
		s.all = true
	}
	for _, name := range changed {
		s.pending[name] = true
	}
	r := &reading{s: s, read: map[site.ID]found{}, gone: map[site.ID]bool{}, issues: map[site.ID]issues{}}
	if !s.all {
		for name := range s.pending {
			if !r.want(name) {
				s.all = true
				break
			}
		}
	}
	var err error
	if s.all {
		err = r.everything(ctx)
	} else {
		err = r.wanted(ctx)
	}
	if err != nil {
		return nil, err
	}
	ch := r.commit()
	whole := s.all
	s.all = false
	clear(s.pending)
	s.log.Debug("scanned mongodb", "all", whole, "read", len(r.read), "put", len(ch.Put), "drop", len(ch.Drop), "skipped", len(ch.Skipped), "took", time.Since(start))
	return ch, nil
}

// A reading is what one scan has found. Nothing of it is the source's before all was read.
type reading struct {
	s      *Source
	ids    map[site.ID]bool // documents to read, when not all are
	by     map[docSlug]bool // slugs to read
	refs   []site.ID        // documents that others refer to
	pages  bool             // the settings are read
	read   map[site.ID]found
	gone   map[site.ID]bool // documents that are known not to be there, or cannot be understood
	issues map[site.ID]issues
}

// found is a document that was read and understood.
type found struct {
	known
	put []site.Document // it and its files, as far as they are not what they were
}

// want notes what a name stands for. It reports whether that is known.
func (r *reading) want(name string) bool {
	if r.ids == nil {
		r.ids, r.by = map[site.ID]bool{}, map[docSlug]bool{}
	}
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "blog":
		r.by[docSlug{blogs, site.Slug(rest)}] = true
		return true
	case "course":
		r.by[docSlug{courses, site.Slug(rest)}] = true
		return true
	case settings:
		r.pages = true
		return true
	}
	if coll, _, err := parseDocumentID(site.ID(name)); err == nil {
		switch ours := r.s.db.cfg.ours(coll); {
		case ours == blogs || ours == courses:
			id := ownerID(site.ID(name)) // a file is its document's
			if ours != coll {
				_, tail, _ := strings.Cut(string(id), ":")
				id = site.ID(ours + ":" + tail)
			}
			r.ids[id] = true
			return true
		case slices.Contains(r.s.db.cfg.referred(), coll):
			r.refs = append(r.refs, site.ID(name))
			return true
		}
	}
	for id, k := range r.s.docs { // files seldom change while they are read
		if slices.ContainsFunc(k.files, func(f fileRef) bool { return f.name == name }) {
			r.ids[id] = true
			return true
		}
	}
	return false
}

// wanted reads what was named. What a query that ran to its end does not find is gone.
func (r *reading) wanted(ctx context.Context) error {
	for _, id := range r.refs {
		if err := r.referring(ctx, id); err != nil {
			return err
		}
	}
	for _, coll := range []string{blogs, courses} {
		var slugs bson.A
		for by := range r.by {
			if by.coll == coll {
				slugs = append(slugs, string(by.slug))
				for _, id := range r.s.slugs[by] {
					r.ids[id] = true // it may have another slug by now
				}
			}
		}
		if len(slugs) > 0 {
			q := query{db: r.s.db.name, coll: coll, class: blog, filter: among(r.s.db.cfg.refPath("slug"), slugs), projection: r.s.db.cfg.projection(), batch: batchSize}
			if err := r.takeAll(ctx, q); err != nil {
				return err
			}
		}
		if err := r.byID(ctx, coll, r.ids); err != nil {
			return err
		}
	}
	if err := r.believe(ctx); err != nil || !r.pages {
		return err
	}
	return r.sections(ctx)
}

// byID reads those of the documents that are of a collection and not read yet.
func (r *reading) byID(ctx context.Context, coll string, ids map[site.ID]bool) error {
	var values bson.A
	for id := range ids {
		of, filter, err := parseDocumentID(id)
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if _, has := r.read[id]; has || of != coll {
			continue
		}
		r.gone[id] = true
		values = append(values, filter[0].Value)
	}
	for part := range slices.Chunk(values, batchSize) {
		q := query{db: r.s.db.name, coll: coll, class: list, filter: among("_id", part), projection: r.s.db.cfg.projection(), batch: batchSize}
		if err := r.takeAll(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// among is the filter for documents whose field has one of the values.
func among(field string, values bson.A) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// everything reads both collections and the settings.
func (r *reading) everything(ctx context.Context) error {
	db := r.s.db
	types, others, err := db.collections(ctx, db.name, blogs, courses)
	if err != nil {
		return err
	}
	if len(types) == 0 {
		return db.noCollections(others)
	}
	documents := 0
	for _, coll := range []string{blogs, courses} {
		kind, has := types[coll]
		if kind == "view" {
			return db.isView(coll)
		}
		if !has {
			if r.s.must != nil && r.s.must(coll) {
				return db.missing(coll)
			}
			// One that is not listed may still be there: a user who may not read it is not told of it.
			if err := db.mayRead(ctx, db.name, coll); err != nil {
				return err
			}
			continue
		}
		n, err := r.collection(ctx, coll)
		if err != nil {
			return err
		}
		documents += n
	}
	if documents == 0 {
		return db.noDocuments()
	}
	for id := range r.s.docs {
		if _, has := r.read[id]; !has {
			r.gone[id] = true
		}
	}
	if db.settings != db.name {
		types, _, err := db.collections(ctx, db.settings, settings)
		if err == nil && len(types) == 0 {
			err = &Error{Message: fmt.Sprintf("the database %s (mongo.settingsDB) at %s has no collection %s", db.settings, db.uri.hosts(), settings),
				Remedy: "name the one that has it, or leave mongo.settingsDB out"}
		}
		if err != nil {
			return err
		}
	}
	return r.sections(ctx)
}

// collection reads all documents of a collection. Where everything that is known was among them nothing will be taken away.
// Else they are counted: where the server counts as many, the scan has come to its end. Else a census of the ids tells: what the
// scan missed is asked for by its id, and gone only if it is not found that way.
func (r *reading) collection(ctx context.Context, coll string) (int, error) {
	read := 0
	err := r.s.stream(ctx, coll, func(id site.ID, d decoded) {
		if r.note(id, d) {
			read++
		}
	})
	if err != nil {
		return 0, err
	}
	all := r.hasAll(coll)
	if all && r.hasShown(coll) {
		return read, nil
	}
	counted, err := r.s.db.count(ctx, coll)
	if err != nil || counted == read && all {
		return counted, err
	}
	ids, err := r.s.census(ctx, coll)
	if err != nil {
		return 0, err
	}
	counted = len(ids)
	maps.DeleteFunc(ids, func(id site.ID, _ bool) bool { return r.has(id) })
	if len(ids) > batchSize {
		return 0, &Error{Message: fmt.Sprintf("read %s.%s: the scan came to its end without %d of %d documents", r.s.db.name, coll, len(ids), counted),
			Remedy: "try again; nothing was changed", err: ErrUnavailable}
	}
	return max(read, counted), r.byID(ctx, coll, ids)
}

// has reports whether this reading knows of a document.
func (r *reading) has(id site.ID) bool {
	_, read := r.read[id]
	return read || r.gone[id]
}

// hasShown reports whether every document of a collection was met that the site has pages of.
func (r *reading) hasShown(coll string) bool {
	if r.s.shown == nil {
		return false
	}
	for id := range r.s.shown(coll) {
		if !r.has(id) {
			return false
		}
	}
	return true
}

// hasAll reports whether every document that was known of a collection was read.
func (r *reading) hasAll(coll string) bool {
	for id := range r.s.docs {
		if of, _, _ := strings.Cut(string(id), ":"); of == coll && !r.has(id) {
			return false
		}
	}
	return true
}

// census returns the ids of all documents of a collection, from the index alone.
func (s *Source) census(ctx context.Context, coll string) (map[site.ID]bool, error) {
	ids := map[site.ID]bool{}
	q := query{db: s.db.name, coll: coll, class: list, projection: bson.D{{Key: "_id", Value: 1}}, hint: idIndex, batch: censusBatch, batches: true}
	err := s.db.find(ctx, q, func(raw bson.Raw) error {
		ids[documentID(coll, raw.Lookup("_id"))] = true
		return nil
	})
	return ids, err
}

const (
	censusBatch = 10_000 // an id is some 30 bytes long
)

// A chunk is some documents of a scan, one after the other.
type chunk struct {
	data []byte
	ends []int
}

// raws are the documents of the chunk.
func (c *chunk) raws() []bson.Raw {
	out, at := make([]bson.Raw, len(c.ends)), 0
	for i, end := range c.ends {
		out[i], at = bson.Raw(c.data[at:end:end]), end
	}
	return out
}

// maxChunkBytes bounds what waits to be decoded.
const maxChunkBytes = 4 << 20

// stream reads a whole collection. One goroutine waits for the server while others decode what it has sent; each is
// called by the caller's, in the order of the scan.
func (s *Source) stream(ctx context.Context, coll string, each func(site.ID, decoded)) error {
	full, empty := make(chan *chunk, 1), make(chan *chunk, 3)
	for range cap(empty) {
		empty <- &chunk{}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(full)
		c := <-empty
		send := func() error {
			if err := s.lookUp(ctx, c.raws()); err != nil {
				return err
			}
			select {
			case full <- c:
				c = <-empty
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		q := query{db: s.db.name, coll: coll, class: list, projection: s.db.cfg.projection(), batch: batchSize, batches: true}
		err := s.db.find(ctx, q, func(raw bson.Raw) error {
			c.data = append(c.data, raw...)
			c.ends = append(c.ends, len(c.data))
			if len(c.ends) == batchSize || len(c.data) >= maxChunkBytes {
				return send()
			}
			return nil
		})
		if err != nil || len(c.ends) == 0 {
			return err
		}
		return send()
	})
	var ended error
	for c := range full {
		out, err := s.decode(ctx, coll, c.raws())
		if err != nil {
			ended, out = err, nil
		}
		for _, d := range out {
			each(d.id, d.decoded)
		}
		c.data, c.ends = c.data[:0], c.ends[:0]
		empty <- c
	}
	return cmp.Or(g.Wait(), ended)
}

// A result is what a stored document becomes, with its ID.
type result struct {
	id site.ID
	decoded
}

// decode decodes documents of a collection, several at a time. The error is that of ctx.
func (s *Source) decode(ctx context.Context, coll string, docs []bson.Raw) ([]result, error) {
	out := make([]result, len(docs))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(docs)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(docs) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				out[i].id = documentID(coll, docs[i].Lookup("_id"))
				if coll == courses {
					out[i].decoded = s.dec.course(ctx, docs[i])
				} else {
					out[i].decoded = s.dec.post(ctx, docs[i])
				}
			}
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// takeAll takes what a query finds, with what it refers to.
func (r *reading) takeAll(ctx context.Context, q query) error {
	var docs []bson.Raw
	bytes := 0
	flush := func() error {
		if err := r.s.lookUp(ctx, docs); err != nil {
			return err
		}
		out, err := r.s.decode(ctx, q.coll, docs)
		if err != nil {
			return err
		}
		for _, d := range out {
			r.note(d.id, d.decoded)
		}
		docs, bytes = docs[:0], 0
		return nil
	}
	err := r.s.db.find(ctx, q, func(raw bson.Raw) error {
		docs = append(docs, slices.Clone(raw))
		if bytes += len(raw); bytes >= maxChunkBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// note takes what was read of a document, in the place of what the same scan may have read of it before. It reports
// whether that was nothing.
func (r *reading) note(id site.ID, d decoded) (first bool) {
	first = !r.has(id)
	delete(r.issues, id)
	delete(r.read, id)
	delete(r.gone, id)
	if d.skip != nil {
		d.parts = []site.Skip{*d.skip}
	}
	if len(d.problems)+len(d.parts) > 0 || d.unsaid {
		r.issues[id] = issues{d.problems, d.parts, d.unsaid, d.guess}
	}
	if d.doc == nil {
		r.gone[id] = true
		return first
	}
	f := found{known: known{revision: d.doc.DocRevision()}}
	if m := site.MetaOf(d.doc); m != nil {
		f.slug, f.shown = m.Slug, !m.Draft
	}
	old, has := r.s.docs[id]
	for _, file := range d.files {
		ref := fileRef{file.ID, file.Name, file.Revision}
		f.files = append(f.files, ref)
		if !slices.Contains(old.files, ref) {
			f.put = append(f.put, file)
		}
	}
	if !has || old.revision != f.revision {
		f.put = append(f.put, d.doc)
	}
	r.read[id] = f
	return first
}

// commit makes the reading what is known, and returns the difference.
func (r *reading) commit() *site.Changes {
	s := r.s
	ch := &site.Changes{}
	for id, f := range r.read {
		for _, file := range s.docs[id].files {
			if !slices.ContainsFunc(f.files, func(now fileRef) bool { return now.id == file.id }) {
				ch.Drop = append(ch.Drop, file.id)
			}
		}
		s.forget(id)
		s.docs[id] = f.known
		s.count(id, f.known, 1)
		key := slugKey(id, f.slug)
		s.slugs[key] = append(s.slugs[key], id)
		ch.Put = append(ch.Put, f.put...)
	}
	for id := range r.gone {
		if old, had := s.docs[id]; had {
			ch.Drop = append(ch.Drop, id)
			for _, file := range old.files {
				ch.Drop = append(ch.Drop, file.id)
			}
		}
		s.forget(id)
	}
	if s.all { // what is gone has no problems any more
		clear(s.issues)
	}
	maps.Copy(s.issues, r.issues)
	told := s.tellMost(ch)
	for id, is := range s.issues {
		for _, p := range is.problems {
			if !told[mostLeft{collOf(id), p.Field}] {
				ch.Problems = append(ch.Problems, p)
			}
		}
		ch.Skipped = append(ch.Skipped, is.skips...)
	}
	slices.SortFunc(ch.Put, func(a, b site.Document) int { return cmp.Compare(a.DocID(), b.DocID()) })
	s.ahead.expect(ch.Put)
	slices.Sort(ch.Drop)
	slices.SortFunc(ch.Skipped, func(a, b site.Skip) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Field, b.Field)) })
	diag.Sort(ch.Problems)
	return ch
}

// forget takes a document out of what is known.
func (s *Source) forget(id site.ID) {
	delete(s.issues, id)
	old, had := s.docs[id]
	if !had {
		return
	}
	delete(s.docs, id)
	s.count(id, old, -1)
	key := slugKey(id, old.slug)
	if ids := slices.DeleteFunc(s.slugs[key], func(other site.ID) bool { return other == id }); len(ids) > 0 {
		s.slugs[key] = ids
	} else {
		delete(s.slugs, key)
	}
}

// count keeps how many documents are known, and how many of posts and courses are no drafts.
func (s *Source) count(id site.ID, k known, n int) {
	coll := collOf(id)
	s.total[coll] += n
	if k.shown && (coll == blogs || coll == courses) {
		s.shownDocs += n
	}
}

func slugKey(id site.ID, slug site.Slug) docSlug {
	coll, _, _ := strings.Cut(string(id), ":")
	return docSlug{coll, slug}
}

// one reads one document.
func (s *Source) one(ctx context.Context, id site.ID) (coll string, raw bson.Raw, err error) {
	coll, filter, err := parseDocumentID(id)
	if err != nil {
		return "", nil, err
	}
	q := query{db: s.db.name, coll: coll, class: blog, filter: filter, projection: s.db.cfg.projection(), limit: 1}
	err = s.db.find(ctx, q, func(found bson.Raw) error {
		raw = slices.Clone(found)
		return nil
	})
	if err == nil && raw == nil {
		err = site.ErrNotFound
	}
	return coll, raw, err
}

// Open reads a file out of the document that holds it. The error is site.ErrNotFound when the document is gone, and
// site.ErrChanged when the file is another by now.
func (s *Source) Open(ctx context.Context, f *site.File) (io.ReadCloser, error) {
	_, raw, err := s.one(ctx, ownerID(f.ID))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, err)
	}
	data, err := s.dec.file(ctx, raw, f.Name)
	if err != nil || digest.Bytes(data) != f.Revision {
		return nil, fmt.Errorf("open %s: %w", f.Name, site.ErrChanged)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
