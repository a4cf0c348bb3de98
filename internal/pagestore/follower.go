package pagestore

import "fmt"

// A follower holds the generation that a segment's commits have made, and reads further commits.
type follower struct {
	seg   *segment
	names *interner
	spans []*span     // all commits, oldest first
	gen   *Generation // of the last; nil: none
	next  int64       // where the next record begins
	lost  *span       // a last commit that load found whole but for its entries; nil: none
}

func (l *follower) last() *span {
	if len(l.spans) == 0 {
		return nil
	}
	return l.spans[len(l.spans)-1]
}

// end returns the offset behind the last commit.
func (l *follower) end() int64 {
	if last := l.last(); last != nil {
		return last.end
	}
	return headerSize
}

// load reads the segment from the beginning. What follows the last whole commit is ignored; damage before it is an
// error.
func (l *follower) load() error {
	info, err := l.seg.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	next, synced := size, false
	spans, ok, err := l.seg.chain(size, nil)
	if err == nil && !ok {
		spans, next, synced, err = l.seg.find(size, l.names)
	}
	if err != nil {
		return err
	}
	gen, kept, err := l.seg.replay(spans, l.names, !synced)
	if err != nil {
		return err
	}
	l.spans, l.gen, l.next, l.lost = spans[:kept], gen, next, nil
	if kept < len(spans) {
		l.next, l.lost = l.end(), spans[kept]
	}
	return nil
}

// find returns the commits of a file that ends with something else, and where the next record begins. A crash may have
// left such an end: what follows the last commit was being written. synced reports whether something whole follows the
// last commit, which was on the disk by then.
func (s *segment) find(size int64, names *interner) (spans []*span, next int64, synced bool, err error) {
	spans, next, bad, err := s.scan(headerSize, size, nil)
	if err != nil {
		return nil, 0, false, err
	}
	end, last := int64(headerSize), (*span)(nil)
	if len(spans) > 0 {
		last = spans[len(spans)-1]
		end = last.end
	}
	if !bad && next == size {
		return spans, next, next > end, nil
	}
	// A record says how long it is. If that is damaged, what follows it seems to be no record, or to be a part of it.
	v, err := s.survey(end, size, names)
	if err != nil {
		return nil, 0, false, err
	}
	if n := len(v.spans); n > 0 {
		more, err := s.back(v.spans[n-1], last)
		if err != nil {
			return nil, 0, false, s.damaged(next, "a commit follows what cannot be read")
		}
		spans = append(spans, more...)
		return spans, spans[len(spans)-1].end, false, nil
	}
	return spans, next, next > end, nil
}

// poll takes in what was committed since, and reports whether there was anything.
func (l *follower) poll(size int64) (bool, error) {
	last := l.last()
	if last != nil {
		// A writer that could not complete a commit cuts it off and may write another in its place.
		if c, err := l.seg.commitAt(last.off); err != nil && !isDamage(err) {
			return false, err
		} else if err != nil || c.sum != last.sum {
			return true, l.load()
		}
	}
	if size < l.next {
		l.next = l.end()
	}
	spans, ok, err := l.seg.chain(size, last)
	next := size
	if err == nil && !ok {
		var bad bool
		spans, next, bad, err = l.seg.scan(l.next, size, last)
		if err == nil && bad && l.next != l.end() {
			spans, next, _, err = l.seg.scan(l.end(), size, last)
		}
	}
	if err != nil {
		return false, err
	}
	if len(spans) == 0 {
		l.next = next
		return false, nil
	}
	table, n := new(shardTable), 0
	if l.gen != nil {
		*table, n = *l.gen.shards, l.gen.n
	}
	for _, c := range spans {
		changes, err := l.seg.changes(c, l.names)
		if err != nil {
			return false, err
		}
		n += table.apply(changes)
		if n != c.entries {
			return false, l.seg.damaged(c.off, fmt.Sprintf("the generation has %d entries, want %d", n, c.entries))
		}
	}
	c := spans[len(spans)-1]
	l.spans, l.next = append(l.spans, spans...), next
	l.gen = &Generation{ID: c.Generation, Commit: c.Commit, seg: l.seg, shards: table, n: n}
	return true, nil
}
