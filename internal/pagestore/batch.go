package pagestore

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// A Batch gathers the differences between the next generation and the current one. Object, Put and Remove may be called from any
// goroutine; they must have returned before Commit or Abort. Every Batch ends with Commit or Abort; Abort after either
// does nothing, so that it can be deferred.
type Batch struct {
	w       *Writer
	seg     *segment
	failure int // of the writer when the batch began

	mu    sync.Mutex
	puts  map[site.Path]pending
	docs  []uint32      // of all entries, as numbers of refs
	refs  []site.DocRef // each document once: a page names a dozen
	known map[site.DocRef]uint32
	buf   []byte // scratch of Put
	err   error  // the first thing that was wrong: Commit returns it
	done  bool
}

// pending is the change at a path: a new entry with the indexes of its documents in the batch, or a removal.
type pending struct {
	node     *node
	from, to uint32
	origin   string
}

// Begin begins a batch. Several may be open; each Commit makes a generation of its own.
func (w *Writer) Begin() *Batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := &Batch{w: w, puts: map[site.Path]pending{}, known: map[site.DocRef]uint32{}}
	if !w.closed {
		b.err = w.mend()
	}
	b.seg, b.failure = w.out.seg, w.failure
	w.open++
	return b
}

// Object keeps data and returns its reference, for an entry of this batch. Where the log has the same bytes already it
// appends nothing. Data is copied.
func (b *Batch) Object(data []byte) (site.ObjectRef, error) {
	ref, err := b.w.object(b, data)
	if err != nil {
		err = fmt.Errorf("keep an object: %w", err)
		b.fail(err)
	}
	return ref, err
}

func (b *Batch) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
}

// Put sets the entry at e.Path. Its Object must come from this batch's Object or from an entry of the current
// generation. Commit sets Generation and Changed: to those of the new generation, or, if readers get the same response
// as before, to what they were. docs are the documents that made the page; they and the Origin are kept for
// [Generation.Docs] and [Generation.Origin], and in memory only until the batch ends. Commit returns the error of a wrong entry.
func (b *Batch) Put(e site.Entry, docs []site.DocRef) {
	if err := checkEntry(&e); err != nil {
		b.fail(err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = encodeEntry(b.buf[:0], &e, nil)
	n, err := decodeEntry(b.buf, 0, &b.w.names) // as the next process will read it
	if err != nil {
		if b.err == nil {
			b.err = fmt.Errorf("entry %s: %w", e.Path, err)
		}
		return
	}
	from := uint32(len(b.docs))
	for _, d := range docs {
		i, ok := b.known[d]
		if !ok {
			i = uint32(len(b.refs))
			b.known[d] = i
			b.refs = append(b.refs, d)
		}
		b.docs = append(b.docs, i)
	}
	b.puts[n.path()] = pending{n, from, uint32(len(b.docs)), clip(e.Origin, maxOriginBytes)}
}

// Remove leaves the new generation without an entry at p. It is no error if there is none.
func (b *Batch) Remove(p site.Path) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts[p] = pending{}
}

// Abort ends the batch without a generation.
func (b *Batch) Abort() {
	w := b.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.done {
		return
	}
	w.end(b)
}

// end removes a batch from the writer's open ones. After the last one, bytes that are not committed are cut off. The caller holds mu.
func (w *Writer) end(b *Batch) {
	b.done = true
	w.open--
	if w.open > 0 {
		return
	}
	if w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
	if w.closed || w.out.end() == w.committed() {
		return
	}
	written := w.out.size > w.committed()
	w.objects = nil
	w.out.cut(w.committed())
	if written {
		w.torn = w.truncate() != nil
	}
}

// Commit makes the next generation: the current one with the batch's changes. It is on the disk when Commit
// returns. After an error there is no new generation, and the batch has ended.
func (b *Batch) Commit(c CommitInfo) (*Generation, error) {
	gen, err := b.commit(c)
	if err != nil {
		return nil, err
	}
	b.w.restore()
	if now := b.w.Current(); now.ID == gen.ID {
		gen = now // the log may have been written anew
	}
	return gen, nil
}

func (b *Batch) commit(c CommitInfo) (*Generation, error) {
	w := b.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.done {
		return nil, errors.New("commit: the batch has ended")
	}
	defer w.end(b)
	err := b.err
	if err == nil {
		err = w.usable(b.failure)
	}
	if err == nil {
		err = w.settle(b)
	}
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	gen, err := w.commit(b, c)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", w.cutBack(err))
	}
	w.recent = append(w.recent[max(0, len(w.recent)-maxRecent+1):len(w.recent):len(w.recent)], w.current.Load())
	w.current.Store(gen)
	return gen, nil
}

// settle finds the objects of a batch's entries, and refuses entries that cannot be in one generation.
func (w *Writer) settle(b *Batch) error {
	w.gather()
	current := w.current.Load()
	there := func(p site.Path) bool {
		if put, ok := b.puts[p]; ok {
			return !fileOf(put.node).IsZero()
		}
		return !current.File(p).IsZero()
	}
	for p, put := range b.puts {
		n := put.node
		if n == nil {
			continue
		}
		if n.traits.Status == 200 {
			at, ok := w.objects[n.object.ID]
			if !ok || at.size != n.object.Size {
				return fmt.Errorf("entry %s: %w", p, errNoObject)
			}
			n.object.Offset = at.off
		} else {
			n.object.Offset = 0
		}
		if !HasFile(n.traits.Kind) {
			continue
		}
		if other := twin(p); other != "" && there(other) {
			return &CollisionError{A: min(p, other), B: max(p, other)}
		}
		// "/a" is a file and "/a/b" needs a folder of that name. The other way round shows in the tree.
		for i := 1; i < len(p); i++ {
			if p[i] == '/' && there(p[:i]) {
				return &CollisionError{A: p[:i], B: p}
			}
		}
	}
	return nil
}

// commit appends a batch's entries and its commit record, and syncs. The caller holds mu.
func (w *Writer) commit(b *Batch, info CommitInfo) (*Generation, error) {
	current := w.current.Load()
	now := time.Now()
	info.Cause = clip(info.Cause, maxCauseBytes)
	c := &span{
		start:   w.out.size + int64(len(w.out.buf)),
		records: len(b.puts),
		Commit:  Commit{Generation: max(current.ID, w.floor) + 1, Epoch: w.epoch, Time: now.UTC().Round(0), CommitInfo: info},
	}
	c.Now = info.Now.UTC().Round(0)
	if last := len(w.spans) - 1; last >= 0 {
		c.prev, c.dead = w.spans[last].off, w.spans[last].dead
	}
	var head [headSize]byte
	var buf []byte
	var e site.Entry
	var docs []site.DocRef
	changes := make([]change, 0, len(b.puts))
	for p, put := range b.puts {
		was := current.find(p)
		if was != nil {
			c.dead += headSize + entryFixed + int64(len(p))
			if was.traits.Status == 200 && (put.node == nil || put.node.object.Offset != was.object.Offset) {
				c.dead += objectHead + was.object.Size
			}
		}
		kind, payload := byte(typeRemoval), []byte(p)
		if n := put.node; n != nil {
			if was != nil && n.sameResponse(was) {
				n.traits = w.names.dated(n.traits, was.traits.Generation, was.traits.Changed)
			} else {
				n.traits = w.names.dated(n.traits, c.Generation, now.Unix())
			}
			docs = docs[:0]
			for _, i := range b.docs[put.from:put.to] {
				docs = append(docs, b.refs[i])
			}
			n.fill(&e)
			e.Origin = put.origin
			buf = encodeEntry(buf[:0], &e, docs)
			kind, payload = typeEntry, buf
		}
		off, err := w.out.append(appendHead(head[:0], w.out.seg.salt, kind, payload), payload)
		if err != nil {
			return nil, err
		}
		if put.node != nil {
			put.node.off = off
		}
		changes = append(changes, change{hash: digest.String(string(p)), path: p, node: put.node})
	}
	table := new(shardTable)
	*table = *current.shards
	n := current.n + table.apply(changes)
	c.entries = n
	if err := w.out.appendCommit(c); err != nil {
		return nil, err
	}
	if err := w.out.flush(); err != nil {
		return nil, err
	}
	if err := w.sync(w.out.seg); err != nil {
		return nil, fmt.Errorf("sync page log: %w", err)
	}
	w.spans = append(w.spans, c)
	return &Generation{ID: c.Generation, Commit: c.Commit, seg: w.out.seg, shards: table, n: n}, nil
}
