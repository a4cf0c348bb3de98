package pagestore

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
)

// ShouldCompact reports whether compaction is worth its while: more than half of the log, and more than 64 MB, is
// what no kept generation needs, or it lists many more generations than are kept.
func (w *Writer) ShouldCompact() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest := max(0, len(w.spans)-w.cfg.Keep)
	if w.closed || oldest == 0 {
		return false
	}
	return worthCompacting(w.spans[oldest].dead, w.out.end(), len(w.spans), w.cfg.Keep)
}

func worthCompacting(garbage, size int64, commits, keep int) bool {
	return garbage > 64<<20 && garbage > size-garbage || commits > 10*keep+1000
}

// Compact writes the log anew with only the kept generations and what they need, while batches and readers go on, and
// replaces the old segment by the new one in a moment when no batch is open. An error or a stop leaves the old log.
func (w *Writer) Compact(ctx context.Context) error {
	w.compacting.Lock()
	defer w.compacting.Unlock()
	if err := w.compact(ctx); err != nil {
		return fmt.Errorf("compact page log: %w", err)
	}
	return nil
}

func (w *Writer) compact(ctx context.Context) error {
	w.mu.Lock()
	from, spans, err := w.out.seg, w.spans, w.usable(w.failure)
	w.mu.Unlock()
	if err != nil || len(spans) == 0 {
		return err
	}
	err = w.compactFrom(ctx, from, spans, nil)
	if !isDamage(err) {
		return err
	}
	w.cfg.Logger.Error("page log: generations before the newest are damaged and are left out", "error", err)
	w.mu.Lock()
	spans, gen := w.spans, w.current.Load()
	w.mu.Unlock()
	return w.compactFrom(ctx, from, spans, gen)
}

// compactFrom writes a new segment, and puts it in the place of the old one. The first generation in it is gen as memory
// has it; nil: the oldest of those that are kept, as the log has it.
func (w *Writer) compactFrom(ctx context.Context, from *segment, spans []*span, gen *Generation) error {
	seqs, _, err := listSegments(w.dir)
	if err != nil {
		return err
	}
	to, err := w.createSegment(header{site: from.site, seq: max(from.seq, slices.Max(append(seqs, 0))) + 1})
	if err != nil {
		return err
	}
	c := newCompaction(ctx, w, from, to)
	c.gen = gen
	if err := w.replace(c, spans); err != nil {
		w.discard(to)
		return err
	}
	return nil
}

// discard removes a segment that has no name of its own yet.
func (w *Writer) discard(s *segment) {
	if w.cfg.before("remove", s.name+tmpSuffix) == nil {
		_ = os.Remove(s.name + tmpSuffix) // else the next writer does it
	}
	_ = s.f.Close()
}

// replace fills the new segment and puts it in the place of the old one.
func (w *Writer) replace(c *compaction, spans []*span) error {
	oldest := max(0, len(spans)-w.cfg.Keep)
	var err error
	if c.gen == nil {
		err = c.base(spans[:oldest+1])
	} else {
		oldest = len(spans) - 1
		s := *spans[oldest]
		err = c.whole(c.gen, &s)
	}
	if err != nil {
		return err
	}
	done := oldest + 1
	catchUp := func(spans []*span) error {
		for ; done < len(spans); done++ {
			if err := c.further(spans[done-1], spans[done]); err != nil {
				return err
			}
		}
		return c.out.flush()
	}
	if err := catchUp(spans); err != nil {
		return err
	}
	if err := w.sync(c.out.seg); err != nil { // the bulk of it, before others have to wait
		return err
	}
	l := &follower{seg: c.out.seg, names: &w.names}
	if err := l.load(); err != nil {
		return err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	for w.open > 0 { // an open batch has objects in the old segment
		if w.idle == nil {
			w.idle = make(chan struct{})
		}
		idle := w.idle
		w.mu.Unlock()
		select {
		case <-idle:
		case <-c.ctx.Done():
		}
		w.mu.Lock()
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	if err := w.usable(w.failure); err != nil {
		return err
	}
	if err := catchUp(w.spans); err != nil {
		return err
	}
	if _, err := l.poll(c.out.size); err != nil {
		return err
	}
	if want := w.current.Load(); l.gen == nil || l.gen.ID != want.ID || l.gen.n != want.n {
		return fmt.Errorf("the new segment %s does not hold generation %d", c.out.seg.name, want.ID)
	}
	if err := w.nameSegment(c.out.seg); err != nil {
		// If the name is there but may not stay, commits to the new segment could be lost with it.
		if rerr := os.Remove(c.out.seg.name); rerr != nil && !os.IsNotExist(rerr) {
			w.broken = fmt.Errorf("compaction has failed half-way: %w", err)
		}
		return err
	}
	w.adopt(l)
	for _, off := range c.damaged {
		w.distrust(off)
	}
	// Readers move over when the old segment is gone; until then they would miss what is committed.
	if err := w.remove(c.from.name); err != nil {
		w.cfg.Logger.Warn("page log: the old segment cannot be removed", "error", err)
	}
	return nil
}

// A compaction copies commits from one segment to another.
type compaction struct {
	ctx   context.Context
	from  *segment
	out   appender
	gen   *Generation     // what to begin with, from memory; nil: what the log has
	moved map[int64]int64 // where the objects of from are in the new segment
	last  *span           // the last commit written
	buf   []byte

	damaged []int64 // objects, in the new segment
}

func newCompaction(ctx context.Context, w *Writer, from, to *segment) *compaction {
	return &compaction{
		ctx: ctx, from: from,
		out:   appender{before: w.cfg.before, seg: to, size: headerSize},
		moved: map[int64]int64{},
	}
}

// whole writes a generation as the first of the new segment. What memory does not have of an entry, it has not
// afterwards if the log cannot be read.
func (c *compaction) whole(gen *Generation, s *span) error {
	nodes := slices.SortedFunc(gen.nodes(), func(a, b *node) int { return cmp.Compare(a.off, b.off) })
	s.dead, s.entries = 0, len(nodes)
	return c.write(s, len(nodes), func(visit func(kind byte, payload []byte) error) error {
		for _, n := range nodes {
			payload, _, err := c.from.record(n.off, typeEntry)
			if isDamage(err) {
				e := n.entry()
				payload, err = encodeEntry(nil, e, nil), nil
			}
			if err == nil {
				err = visit(typeEntry, payload)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// base writes the generation of the last of the commits, which are all from the first on, as the first of the new
// segment.
func (c *compaction) base(spans []*span) error {
	// Where the entries are is all that is held of them.
	at := map[string]int64{}
	for _, s := range spans {
		err := c.from.delta(s, func(off int64, kind byte, payload []byte) error {
			if kind == typeRemoval {
				delete(at, string(payload))
				return nil
			}
			r := bytesReader{b: payload[min(entryFixed, len(payload)):]}
			if path := r.bytes(); !r.bad {
				at[string(path)] = off
				return nil
			}
			return errMalformed
		})
		if err != nil {
			return err
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	records := make([]int64, 0, len(at))
	for _, off := range at {
		records = append(records, off)
	}
	slices.Sort(records)
	s := *spans[len(spans)-1]
	s.dead = 0
	return c.write(&s, len(records), func(visit func(kind byte, payload []byte) error) error {
		for _, off := range records {
			payload, _, err := c.from.record(off, typeEntry)
			if err != nil {
				return err
			}
			if err := visit(typeEntry, payload); err != nil {
				return err
			}
		}
		return nil
	})
}

// further writes a commit that follows another.
func (c *compaction) further(was, is *span) error {
	s := *is
	s.dead = c.last.dead + max(0, is.dead-was.dead)
	return c.write(&s, is.records, func(visit func(kind byte, payload []byte) error) error {
		return c.from.delta(is, func(_ int64, kind byte, payload []byte) error { return visit(kind, payload) })
	})
}

// write writes the objects of records that the new segment does not have, then the records, then the commit.
func (c *compaction) write(s *span, n int, records func(visit func(kind byte, payload []byte) error) error) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	var objects []place
	err := records(func(kind byte, payload []byte) error {
		if kind != typeEntry {
			return nil
		}
		if len(payload) < entryFixed {
			return errMalformed
		}
		if ref, status := objectOf(payload); status == 200 {
			if _, ok := c.moved[ref.Offset]; !ok {
				objects = append(objects, place{ref.Offset, ref.Size})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(objects, func(a, b place) int { return cmp.Compare(a.off, b.off) })
	for _, p := range slices.Compact(objects) {
		if err := c.object(p); err != nil {
			return err
		}
	}
	s.start, s.prev, s.records = c.out.end(), 0, n
	if c.last != nil {
		s.prev = c.last.off
	}
	err = records(func(kind byte, payload []byte) error {
		if kind == typeEntry {
			if ref, status := objectOf(payload); status == 200 {
				setObjectOffset(payload, c.moved[ref.Offset])
			}
		}
		var head [headSize]byte
		_, err := c.out.append(appendHead(head[:0], c.out.seg.salt, kind, payload), payload)
		return err
	})
	if err != nil {
		return err
	}
	if err := c.out.appendCommit(s); err != nil {
		return err
	}
	c.last = s
	return nil
}

// object copies an object's record. One that is damaged stays damaged: it gets a wrong checksum.
func (c *compaction) object(p place) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	n := int(objectHead + p.size)
	c.buf = slices.Grow(c.buf[:0], n)[:n]
	err := c.from.read(c.buf, p.off)
	if err != nil && !isDamage(err) {
		return err
	}
	size, kind, sum := parseHead(c.buf)
	damaged := err != nil || kind != typeObject || size != p.size+8 || recordSum(c.from.salt, c.buf, c.buf[headSize:]) != sum
	appendHead(c.buf[:0], c.out.seg.salt, typeObject, c.buf[headSize:])
	if damaged {
		c.buf[headSize-1] ^= 0xff
	}
	off, err := c.out.append(c.buf)
	if err != nil {
		return err
	}
	if damaged {
		c.damaged = append(c.damaged, off)
	}
	c.moved[p.off] = off
	return nil
}
