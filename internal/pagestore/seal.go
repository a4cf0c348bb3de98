package pagestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Seal describes a page log, so that another process can tell that the log is still the same without loading a generation.
// It is a shortcut: if [Unseal] does not find what the Seal describes, [OpenWriter] finds out why.
type Seal struct {
	Site       string  `json:"site"`
	Segment    uint64  `json:"segment"` // its number
	Size       int64   `json:"size"`    // of the segment's file, which ends with a commit
	Commit     int64   `json:"commit"`  // where the record of that commit begins
	Sum        uint32  `json:"sum"`     // checksum of that record
	Starts     []int64 `json:"starts"`  // of records, which divide the file into ranges, sorted
	Generation uint64  `json:"generation"`
}

// Seal describes the log. ok is false if the next writer has something to do: the log has damage, is to be compacted or is
// pinned.
func (w *Writer) Seal() (s Seal, ok bool) {
	if w.ShouldCompact() {
		return Seal{}, false
	}
	w.mu.Lock()
	current := w.current.Load()
	size := w.committed()
	info, err := w.out.seg.f.Stat()
	settled := !w.closed && w.broken == nil && w.open == 0 && !w.torn && len(w.damaged) == 0 && len(w.spans) > 0 &&
		current.seg == w.out.seg && !current.Pinned() && err == nil && info.Size() == size
	if settled {
		last := w.spans[len(w.spans)-1]
		s = Seal{Site: w.out.seg.site, Segment: w.out.seg.seq, Size: size, Commit: last.off, Sum: last.sum, Generation: current.ID}
	}
	w.mu.Unlock()
	if !settled {
		return Seal{}, false
	}
	s.Starts = starts(current, size)
	return s, true
}

// A Sealed log is one that is as its seal describes it. No other process can write it until Close.
type Sealed struct {
	dir  string
	lock *os.File
	seg  *segment
	seal Seal
}

// Unseal takes the lock of the log in dir, and compares what can be compared at once: which files there are, their sizes, and
// the last commit. ok is false if anything is different, or if another process has the lock.
func Unseal(dir string, s Seal) (_ *Sealed, ok bool) {
	if info, err := os.Stat(filepath.Join(dir, logFolder)); err != nil || !info.IsDir() {
		return nil, false
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, false
	}
	l := &Sealed{dir: dir, lock: lock, seal: s}
	if !l.isNewest() {
		_ = l.Close()
		return nil, false
	}
	return l, true
}

// isNewest opens the segment, and reports whether it is the only one and ends with the sealed commit.
func (l *Sealed) isNewest() bool {
	seqs, left, err := listSegments(l.dir)
	if err != nil || len(left) > 0 || !slices.Equal(seqs, []uint64{l.seal.Segment}) {
		return false
	}
	if l.seg, err = openSegment(filepath.Join(l.dir, logFolder, segmentName(l.seal.Segment)), os.O_RDONLY); err != nil {
		return false
	}
	info, err := l.seg.f.Stat()
	if err != nil || info.Size() != l.seal.Size || l.seg.site != l.seal.Site || l.seg.seq != l.seal.Segment {
		return false
	}
	c, err := l.seg.commitAt(l.seal.Commit)
	return err == nil && c.end == l.seal.Size && c.sum == l.seal.Sum && c.Generation == l.seal.Generation
}

// Intact reads the whole log and reports whether every record of it matches its checksum.
func (l *Sealed) Intact(ctx context.Context) bool {
	return l.seg.intact(ctx, l.seal.Size, l.seal.Starts) == nil
}

// SetVerified is [Writer.SetVerified].
func (l *Sealed) SetVerified(t time.Time) error { return setVerified(l.dir, t) }

// Close lets others write the log.
func (l *Sealed) Close() error {
	if l.seg != nil {
		_ = l.seg.f.Close() // it was only read
	}
	return l.lock.Close()
}

// errNotIntact says that some record does not match its checksum, or that none begins where one must.
var errNotIntact = errors.New("the page log is not intact")

// intactBytes is how much of a segment is read at a time. A record that is larger is read piece by piece.
const intactBytes = 512 << 10

// intact reads all records from the header to size, several ranges at a time. Records begin at the places in starts, which
// are sorted. The error is errNotIntact where a record does not match its checksum.
func (s *segment) intact(ctx context.Context, size int64, starts []int64) error {
	g, ctx := errgroup.WithContext(ctx)
	bounds := append(append([]int64{headerSize}, starts...), size)
	var turn atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			buf := make([]byte, intactBytes)
			for i := int(turn.Add(1)); i < len(bounds); i = int(turn.Add(1)) {
				for pos := bounds[i-1]; pos != bounds[i]; {
					if err := ctx.Err(); err != nil {
						return err
					}
					part, next, err := s.wholeRecords(buf, pos, bounds[i])
					switch {
					case err != nil:
						return err
					case part == nil:
						err = s.checkLarge(pos, next)
					default:
						err = s.checkAll(part)
					}
					if err != nil {
						return err
					}
					pos = next
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// ranges is into how many ranges starts divides a segment at most.
const ranges = 64

// starts finds places where records begin that divide a segment of a size into ranges of about the same size, sorted: those
// of the first objects of g in each range.
func starts(g *Generation, size int64) []int64 {
	var first [ranges]int64
	for n := range g.nodes() {
		if n.traits.Status != 200 {
			continue
		}
		at := n.object.Offset
		i := min(at/(size/ranges+1), ranges-1)
		if first[i] == 0 || at < first[i] {
			first[i] = at
		}
	}
	var out []int64
	for _, at := range first {
		if at > headerSize && at < size {
			out = append(out, at)
		}
	}
	return out
}

// wholeRecords reads as many whole records from pos as buf holds, and returns them and where the next one begins. part is
// nil where the first record alone is too large for buf. Nothing is read from size on.
func (s *segment) wholeRecords(buf []byte, pos, size int64) (part []byte, next int64, err error) {
	if pos > size {
		return nil, pos, errNotIntact
	}
	buf = buf[:min(int64(len(buf)), size-pos)]
	if err := s.read(buf, pos); err != nil {
		return nil, pos, errNotIntact
	}
	n := 0
	for n < len(buf) {
		if len(buf)-n < headSize {
			if pos+int64(len(buf)) == size {
				return nil, pos, errNotIntact
			}
			break // its head is cut in two
		}
		payload, kind, _ := parseHead(buf[n:])
		end := pos + int64(n) + headSize + payload
		if kind < typeObject || kind > typeCommit || payload > maxPayloadBytes || end > size {
			return nil, pos, errNotIntact
		}
		if end > pos+int64(len(buf)) {
			if n == 0 {
				return nil, end, nil
			}
			break
		}
		n = int(end - pos)
	}
	return buf[:n], pos + int64(n), nil
}

// checkAll compares the records of a part that wholeRecords has read with their checksums.
func (s *segment) checkAll(part []byte) error {
	for len(part) > 0 {
		n, _, sum := parseHead(part)
		if recordSum(s.salt, part, part[headSize:headSize+n]) != sum {
			return errNotIntact
		}
		part = part[headSize+n:]
	}
	return nil
}

// checkLarge compares the record between two places with its checksum.
func (s *segment) checkLarge(from, to int64) error {
	var head [headSize]byte
	if s.read(head[:], from) != nil {
		return errNotIntact
	}
	if _, _, sum := parseHead(head[:]); s.sumOf(from, to-from-headSize) != sum {
		return errNotIntact
	}
	return nil
}
