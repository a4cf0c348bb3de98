package pagestore

import "fmt"

// A follower holds what a segment's commits have made, and takes in further ones.
type follower struct {
	seg   *segment
	names *interner
	spans []*span     // all commits, oldest first
	gen   *Generation // of the last; nil: none
	next  int64       // where the next record begins
}

func (l *follower) last() *span {
	if len(l.spans) == 0 {
		return nil
	}
	return l.spans[len(l.spans)-1]
}

// end is where what is committed ends.
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
	spans, ok, err := l.seg.chain(size)
	if err != nil {
		return err
	}
	next := size
	if !ok {
		var bad bool
		spans, next, bad, err = l.seg.scan(headerSize, size, nil)
		if err != nil {
			return err
		}
		end, gen := int64(headerSize), uint64(0)
		if len(spans) > 0 {
			end, gen = spans[len(spans)-1].end, spans[len(spans)-1].Generation
		}
		if bad || next < size {
			// One commit may be there that was never whole. If there are two, the first one was.
			later, err := l.seg.hasCommitAfter(end, size, gen+1)
			if err != nil {
				return err
			}
			if later {
				return l.seg.damaged(next, "a commit follows what cannot be read")
			}
		}
	}
	gen, kept, err := l.seg.replay(spans, l.names)
	if err != nil {
		return err
	}
	l.spans, l.gen, l.next = spans[:kept], gen, next
	if kept < len(spans) {
		l.next = l.end()
	}
	return nil
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
	spans, next, bad, err := l.seg.scan(l.next, size, last)
	if err == nil && bad && l.next != l.end() {
		spans, next, _, err = l.seg.scan(l.end(), size, last)
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
