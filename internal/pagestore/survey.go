package pagestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// A survey is what can be read of a part of a segment, whatever else is damaged there.
type survey struct {
	spans   []*span     // whole commit records, oldest first
	gen     *Generation // of the last of them, as far as its entries can be read; nil: there is no commit
	newest  uint64      // the highest generation that anything names
	begun   bool        // after the last commit there is a part of another one
	skipped bool        // some bytes belong to no whole record
}

// survey reads all whole records from pos to size.
func (s *segment) survey(pos, size int64, names *interner) (*survey, error) {
	v, table, n := &survey{}, new(shardTable), 0
	var pending []change
	last := pos
	skipped, err := s.walk(pos, size, func(off int64, kind byte, payload []byte) {
		switch kind {
		case typeRemoval:
			p := site.Path(payload)
			pending = append(pending, change{hash: digest.String(string(p)), path: p})
		case typeEntry:
			e, err := decodeEntry(payload, off, names)
			if err != nil || e.traits.Status == 200 && !(place{e.object.Offset, e.object.Size}).isBefore(off) {
				return
			}
			v.newest = max(v.newest, e.traits.Generation)
			pending = append(pending, change{hash: digest.String(string(e.path())), path: e.path(), node: e})
		case typeCommit:
			c, err := decodeCommit(payload, off, s.header)
			if err != nil {
				return
			}
			c.sum = binary.LittleEndian.Uint32(appendHead(nil, s.salt, typeCommit, payload)[5:])
			n += table.apply(pending)
			pending, last = nil, c.end
			v.newest = max(v.newest, c.Generation)
			v.spans = append(v.spans, c)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(v.spans) > 0 {
		c := v.spans[len(v.spans)-1]
		v.gen = &Generation{ID: c.Generation, Commit: c.Commit, seg: s, shards: table, n: n}
	}
	v.skipped, v.begun = skipped, len(pending) > 0
	if !v.begun {
		v.begun, err = s.mentionsCommit(last, size)
	}
	return v, err
}

// mostResync is the largest record that is looked for where it is not known that a record begins.
const mostResync = 16 << 20

// walk visits the entries, removals and commits from pos to size whose checksums are right. Where no whole record is, it
// looks for the next one byte by byte; skipped reports whether it had to. Objects are not looked for in this way: what
// they hold comes from authors, and nothing of it has the right checksum. A part of the disk that cannot be read is
// stepped over.
func (s *segment) walk(pos, size int64, visit func(off int64, kind byte, payload []byte)) (skipped bool, err error) {
	w := window{s: s}
	for inStep := true; pos+headSize <= size; {
		head, err := w.peek(pos, headSize)
		if err != nil {
			if !errors.Is(err, syscall.EIO) {
				return skipped, err
			}
			pos, inStep, skipped = (pos|(diskBlock-1))+1, false, true
			continue
		}
		if len(head) < headSize {
			break // it was cut meanwhile
		}
		n, kind, sum := parseHead(head)
		most := int64(maxPayloadBytes)
		if !inStep {
			most = mostResync
		}
		whole := false
		switch {
		case kind < typeObject || kind > typeCommit || n > most || pos+headSize+n > size:
		case kind == typeObject:
			whole = inStep && s.sumOf(pos, n) == sum
		default:
			record, err := w.peek(pos, int(headSize+n))
			if whole = err == nil && int64(len(record)) == headSize+n && recordSum(s.salt, record, record[headSize:]) == sum; whole {
				visit(pos, kind, record[headSize:])
			}
		}
		if inStep = whole; whole {
			pos += headSize + n
		} else {
			pos++
			skipped = true
		}
	}
	return skipped, nil
}

// diskBlock is how much of a disk fails together, at least.
const diskBlock = 4096

// A window reads a segment with few calls.
type window struct {
	s  *segment
	at int64
	b  []byte
}

// peek returns n bytes from pos, or fewer where the file ends.
func (w *window) peek(pos int64, n int) ([]byte, error) {
	if i := pos - w.at; i >= 0 && i+int64(n) <= int64(len(w.b)) {
		return w.b[i : i+int64(n)], nil
	}
	if size := max(n, 256<<10); cap(w.b) < size {
		w.b = make([]byte, size)
	}
	got, err := w.s.f.ReadAt(w.b[:cap(w.b)], pos)
	w.at, w.b = pos, w.b[:got]
	if err != nil && !errors.Is(err, io.EOF) && got < n {
		return nil, err
	}
	return w.b[:min(n, got)], nil
}

// sumOf computes the checksum of the record at pos whose payload has n bytes; of one that cannot be read, of a part.
func (s *segment) sumOf(pos, n int64) uint32 {
	r := io.NewSectionReader(s.f, pos, headSize+n)
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0
	}
	sum := crc32.Update(uint32(s.salt), castagnoli, head[:5])
	b := make([]byte, min(n, 256<<10))
	for {
		got, err := r.Read(b)
		sum = crc32.Update(sum, castagnoli, b[:got])
		if err != nil {
			return sum
		}
	}
}

// mentionsCommit reports whether anything from pos to size looks like a part of a commit's record.
func (s *segment) mentionsCommit(pos, size int64) (bool, error) {
	marks := [][]byte{binary.LittleEndian.AppendUint64(nil, commitMark), binary.LittleEndian.AppendUint64(nil, s.salt)}
	const most = 8 // bytes of a mark
	b := make([]byte, min(1<<20, max(0, size-pos)))
	for pos+most <= size {
		n, err := s.f.ReadAt(b, pos)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
			return false, err
		}
		for _, m := range marks {
			if bytes.Contains(b[:n], m) {
				return true, nil
			}
		}
		if n < len(b) {
			break
		}
		pos += int64(n - most + 1)
	}
	return false, nil
}

// reopenDamaged opens a segment whose header cannot be read. Each commit has what the header has; the number of the
// segment is in its name. ok is false where there is no whole commit.
func reopenDamaged(name string, seq uint64, flag int) (s *segment, ok bool, err error) {
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if !ok {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	var head [headerSize]byte
	if _, err := f.ReadAt(head[:], 0); err == nil && binary.LittleEndian.Uint32(head[60:]) == crc32.Checksum(head[:60], castagnoli) {
		return nil, false, nil // it is whole, and of another version of freshet
	}
	mark := binary.LittleEndian.AppendUint64(nil, commitMark)
	b := make([]byte, 1<<20)
	s = &segment{f: f, name: name}
	for pos := int64(0); pos < info.Size(); {
		n, err := f.ReadAt(b, pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		for i := 0; ; i++ {
			j := bytes.Index(b[i:n], mark)
			if j < 0 {
				break
			}
			i += j
			off := pos + int64(i) - headSize
			var payload [64 + 16]byte // up to the site id
			if off < headerSize || s.read(payload[:], off+headSize) != nil {
				continue
			}
			s.header = header{site: string(payload[64:]), seq: seq, salt: binary.LittleEndian.Uint64(payload[8:])}
			if _, err := s.commitAt(off); err == nil {
				return s, true, nil
			}
		}
		if n < len(b) {
			break
		}
		pos += int64(n - len(mark) + 1)
	}
	return nil, false, nil
}
