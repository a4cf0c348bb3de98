package pagestore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// A DamageError says that a file of the page log does not hold what was committed to it.
type DamageError struct {
	File   string
	Offset int64
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

const (
	logFolder     = "log"
	segmentSuffix = ".seg"
	tmpSuffix     = ".tmp"
	asideSuffix   = ".aside" // of a segment that is not read any more, for who wants to look into it
)

func segmentName(seq uint64) string { return fmt.Sprintf("%016d%s", seq, segmentSuffix) }

// listSegments returns the numbers of the segments in a state folder, ascending, and the names of what a stopped
// compaction left. A folder that is not there has none.
func listSegments(dir string) (seqs []uint64, left []string, err error) {
	files, err := os.ReadDir(filepath.Join(dir, logFolder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	for _, f := range files {
		name := f.Name()
		if strings.HasSuffix(name, segmentSuffix+tmpSuffix) {
			left = append(left, name)
		}
		if digits, ok := strings.CutSuffix(name, segmentSuffix); ok && len(digits) == 16 {
			if seq, err := strconv.ParseUint(digits, 10, 64); err == nil {
				seqs = append(seqs, seq)
			}
		}
	}
	slices.Sort(seqs)
	return seqs, left, nil
}

// A segment is an open file of the page log. The file stays open until nothing refers to the segment: a generation
// outlives compaction and its writer.
type segment struct {
	header
	f    *os.File
	name string
}

// openSegment opens a segment and reads its header.
func openSegment(name string, flag int) (*segment, error) {
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize)
	if n, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		_ = f.Close()
		return nil, err
	} else {
		b = b[:n]
	}
	h, err := decodeHeader(b)
	if err != nil {
		_ = f.Close()
		return nil, &DamageError{File: name, Reason: err.Error()}
	}
	return &segment{header: h, f: f, name: name}, nil
}

func (s *segment) damaged(off int64, reason string) error {
	return &DamageError{File: s.name, Offset: off, Reason: reason}
}

// read fills b from off. A file that is too short is damage.
func (s *segment) read(b []byte, off int64) error {
	if _, err := s.f.ReadAt(b, off); err != nil {
		if errors.Is(err, io.EOF) {
			return s.damaged(off, "it ends too early")
		}
		if errors.Is(err, syscall.EIO) {
			return s.damaged(off, "the disk cannot read it")
		}
		return err
	}
	return nil
}

// object reads an object's bytes, into buf if that is large enough.
func (s *segment) object(ref site.ObjectRef, buf []byte) ([]byte, error) {
	if s == nil || ref.Offset < headerSize || ref.Size < 0 || ref.Size > maxObjectBytes {
		return nil, fmt.Errorf("object %v: %w", ref.ID, site.ErrNotFound)
	}
	n := objectHead + int(ref.Size)
	if cap(buf) < n {
		// The length is only believed once the head says the same: it may come from somewhere else.
		var head [headSize]byte
		if n > 1<<20 {
			if err := s.read(head[:], ref.Offset); err != nil {
				return nil, err
			}
			if size, kind, _ := parseHead(head[:]); kind != typeObject || size != ref.Size+8 {
				return nil, s.damaged(ref.Offset, "no such object")
			}
		}
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if err := s.read(buf, ref.Offset); err != nil {
		return nil, err
	}
	size, kind, sum := parseHead(buf)
	switch {
	case kind != typeObject || size != ref.Size+8:
		return nil, s.damaged(ref.Offset, "no such object")
	case recordSum(s.salt, buf, buf[headSize:]) != sum:
		return nil, s.damaged(ref.Offset, "the object does not match its checksum")
	case digest.Sum(binary.LittleEndian.Uint64(buf[headSize:])) != ref.ID:
		return nil, s.damaged(ref.Offset, "it has another object there")
	}
	return buf[objectHead:], nil
}

// record reads the payload and the checksum of the record at off.
func (s *segment) record(off int64, want byte) (payload []byte, sum uint32, err error) {
	b := make([]byte, 1024)
	n, err := s.f.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if n < headSize {
		return nil, 0, s.damaged(off, "it ends too early")
	}
	size, kind, sum := parseHead(b)
	if kind != want || size > maxPayloadBytes {
		return nil, 0, s.damaged(off, "no such record")
	}
	if total := headSize + int(size); total > n {
		info, err := s.f.Stat()
		if err != nil {
			return nil, 0, err
		}
		if off+int64(total) > info.Size() {
			return nil, 0, s.damaged(off, "it ends too early")
		}
		b = slices.Grow(b[:n], total-n)[:total]
		if err := s.read(b[n:], off+int64(n)); err != nil {
			return nil, 0, err
		}
	}
	payload = b[headSize : headSize+size]
	if recordSum(s.salt, b, payload) != sum {
		return nil, 0, s.damaged(off, "the record does not match its checksum")
	}
	return payload, sum, nil
}

// commitAt reads the commit record at off.
func (s *segment) commitAt(off int64) (*span, error) {
	payload, sum, err := s.record(off, typeCommit)
	if err != nil {
		return nil, err
	}
	c, err := decodeCommit(payload, off, s.header)
	if err != nil {
		return nil, s.damaged(off, err.Error())
	}
	c.sum = sum
	return c, nil
}

// isDamage tells damage from a disk that could not be read.
func isDamage(err error) bool {
	_, ok := errors.AsType[*DamageError](err)
	return ok
}

// chain returns the commits of a file whose end is one that follow last (nil: all), oldest first, by going back from each
// to the one before. It reads nothing else, which makes it fast when the file is not in memory, and does not mind damage
// between them. ok is false when the file has another end. An unreadable commit in the middle is damage.
func (s *segment) chain(size int64, last *span) (spans []*span, ok bool, err error) {
	if size < headerSize+headSize+commitFixed+commitTail {
		return nil, size == headerSize && last == nil, nil
	}
	var tail [commitTail]byte
	if err := s.read(tail[:], size-commitTail); err != nil {
		return nil, false, err
	}
	off := size - int64(binary.LittleEndian.Uint32(tail[:]))
	if binary.LittleEndian.Uint32(tail[4:]) != tailMark || off < headerSize {
		return nil, false, nil
	}
	c, err := s.commitAt(off)
	if err != nil && !isDamage(err) {
		return nil, false, err
	}
	if err != nil || c.end != size {
		return nil, false, nil
	}
	if last != nil && c.off == last.off && c.sum == last.sum {
		return nil, true, nil
	}
	spans, err = s.back(c, last)
	return spans, err == nil, err
}

// back returns the commits after last (nil: all) up to c, oldest first.
func (s *segment) back(c, last *span) ([]*span, error) {
	spans := []*span{c}
	for !c.follows(last) {
		if c.prev == 0 || last != nil && c.prev < last.end {
			return nil, s.damaged(c.off, "it is not known what this commit follows")
		}
		was, err := s.commitAt(c.prev)
		if err != nil {
			return nil, err
		}
		if was.end > c.start || was.Generation >= c.Generation {
			return nil, s.damaged(c.prev, "two commits overlap")
		}
		c = was
		spans = append(spans, c)
	}
	slices.Reverse(spans)
	return spans, nil
}

// scan looks at the records from pos on, where one must begin, and returns the commits there that follow last (nil:
// none), the end of the last whole record, and whether something followed it that is no beginning of a record.
func (s *segment) scan(pos, size int64, last *span) (spans []*span, next int64, bad bool, err error) {
	window := make([]byte, 4096)
	var at int64 // of the window
	window = window[:0]
	for {
		if size-pos < headSize {
			return spans, pos, false, nil
		}
		if pos < at || pos+headSize > at+int64(len(window)) {
			window = window[:cap(window)]
			n, err := s.f.ReadAt(window, pos)
			if err != nil && !errors.Is(err, io.EOF) {
				return spans, pos, false, err
			}
			at, window = pos, window[:n]
			if n < headSize {
				return spans, pos, false, nil // it was cut meanwhile
			}
		}
		n, kind, _ := parseHead(window[pos-at:])
		if kind < typeObject || kind > typeCommit || n > maxPayloadBytes {
			return spans, pos, true, nil
		}
		if pos+headSize+n > size {
			return spans, pos, false, nil
		}
		if kind == typeCommit {
			c, err := s.commitAt(pos)
			if err != nil && !isDamage(err) {
				return spans, pos, false, err
			}
			if err != nil || !c.follows(last) {
				return spans, pos, true, nil
			}
			spans = append(spans, c)
			last = c
		}
		pos += headSize + n
	}
}

// follows reports whether c can stand after last; nil is the beginning of the segment.
func (c *span) follows(last *span) bool {
	if last == nil {
		return c.prev == 0 && c.Generation > 0
	}
	return c.prev == last.off && c.start >= last.end && c.Generation > last.Generation
}

// delta reads the entries and removals of a commit, all of them or an error.
func (s *segment) delta(c *span, visit func(off int64, kind byte, payload []byte) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(s.f, c.start, c.off-c.start), int(min(256<<10, max(c.off-c.start, 16))))
	pos, records := c.start, 0
	var large []byte
	for ; pos < c.off; records++ {
		head, err := r.Peek(headSize)
		if err != nil {
			return s.short(pos, err)
		}
		n, kind, sum := parseHead(head)
		if kind != typeEntry && kind != typeRemoval || pos+headSize+n > c.off {
			return s.damaged(pos, "no entry")
		}
		var record []byte
		if total := int(headSize + n); total <= r.Size() {
			if record, err = r.Peek(total); err == nil {
				_, err = r.Discard(total)
			}
		} else {
			large = slices.Grow(large[:0], total)[:total]
			record = large
			_, err = io.ReadFull(r, record)
		}
		if err != nil {
			return s.short(pos, err)
		}
		payload := record[headSize:]
		if recordSum(s.salt, record, payload) != sum {
			return s.damaged(pos, "the entry does not match its checksum")
		}
		if err := visit(pos, kind, payload); err != nil {
			return err
		}
		pos += headSize + n
	}
	if records != c.records {
		return s.damaged(c.off, fmt.Sprintf("the commit has %d entries, want %d", records, c.records))
	}
	return nil
}

func (s *segment) short(off int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.damaged(off, "it ends too early")
	}
	return err
}

// changes reads what a commit does, in memory.
func (s *segment) changes(c *span, names *interner) ([]change, error) {
	changes := make([]change, 0, min(c.records, 1<<20))
	err := s.delta(c, func(off int64, kind byte, payload []byte) error {
		if kind == typeRemoval {
			p := site.Path(payload)
			changes = append(changes, change{hash: digest.String(string(p)), path: p})
			return nil
		}
		n, err := decodeEntry(payload, off, names)
		if err == nil && n.traits.Status == 200 && !(place{n.object.Offset, n.object.Size}).isBefore(c.start) {
			err = errNoObject
		}
		if err != nil {
			return s.damaged(off, err.Error())
		}
		changes = append(changes, change{hash: digest.String(string(n.path())), path: n.path(), node: n})
		return nil
	})
	return changes, err
}

// replay makes the generation of the last of the commits, which are all from the first on. If torn is set, the very last
// may never have been whole: if its entries cannot be read, kept is one less.
func (s *segment) replay(spans []*span, names *interner, torn bool) (gen *Generation, kept int, err error) {
	table, n := new(shardTable), 0
	for i, c := range spans {
		changes, err := s.changes(c, names)
		if err != nil {
			// What begins a later segment was on the disk before the segment had its name.
			if torn && i == len(spans)-1 && (i > 0 || c.Generation == 1) && isDamage(err) {
				spans = spans[:i]
				break
			}
			return nil, 0, err
		}
		n += table.apply(changes)
		if n != c.entries {
			return nil, 0, s.damaged(c.off, fmt.Sprintf("the generation has %d entries, want %d", n, c.entries))
		}
	}
	if len(spans) == 0 {
		return nil, 0, nil
	}
	c := spans[len(spans)-1]
	return &Generation{ID: c.Generation, Commit: c.Commit, seg: s, shards: table, n: n}, len(spans), nil
}

// history returns the commits, newest first.
func history(spans []*span) []Commit {
	out := make([]Commit, len(spans))
	for i, c := range spans {
		out[len(spans)-1-i] = c.Commit
	}
	return out
}

// at makes a generation of a segment's commits anew.
func (s *segment) at(spans []*span, id uint64) (*Generation, error) {
	for i, c := range spans {
		if c.Generation == id {
			gen, _, err := s.replay(spans[:i+1], &interner{}, false)
			return gen, err
		}
	}
	return nil, fmt.Errorf("generation %d is not kept: %w", id, site.ErrNotFound)
}
