package pagestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// recover writes a log anew that is damaged: all that can be read of the newest generation makes one of a new number,
// and the damaged segment is put aside. seg is nil if its header cannot be read. A file of which nothing can be read is
// left alone: then the error is cause.
func (w *Writer) recover(seq uint64, seg *segment, cause error) error {
	name := w.segmentPath(seq)
	if seg == nil {
		var ok bool
		var err error
		if seg, ok, err = reopenDamaged(name, seq, os.O_RDWR); err != nil || !ok {
			return errors.Join(cause, err)
		}
	}
	info, err := seg.f.Stat()
	if err != nil {
		return err
	}
	v, err := seg.survey(headerSize, info.Size(), &w.names)
	if err != nil {
		return err
	}
	if v.gen == nil {
		return cause
	}
	last := *v.spans[len(v.spans)-1]
	w.cfg.Logger.Error("page log: it is damaged; what can be read of it is written anew, and the next build makes the rest again", "error", cause,
		"generation", last.Generation, "entries", v.gen.n, "of", last.entries, "kept", name+asideSuffix, "remedy", "check the disk")
	to, err := w.createSegment(header{site: seg.site, seq: seq + 1})
	if err != nil {
		return err
	}
	c := newCompaction(context.Background(), w, seg, to)
	last.Generation, last.Epoch, last.Time = v.newest+1, last.Epoch+1, time.Now().UTC().Round(0)
	if v.begun {
		last.Generation++ // its number may have been that of a commit that nobody can read
	}
	last.Cause = "what could be read of a damaged page log"
	last.Rendered, last.Changed, last.Removed = 0, 0, 0
	err = c.whole(v.gen, &last)
	if err == nil {
		err = c.out.flush()
	}
	l := &follower{seg: to, names: &w.names}
	if err == nil {
		err = l.load()
	}
	if err != nil {
		w.discard(to)
		return err
	}
	if err := w.nameSegment(to); err != nil {
		return err
	}
	w.adopt(l)
	w.epoch = last.Epoch + 1
	for _, off := range c.damaged {
		w.distrust(off)
	}
	return w.putAside(name)
}

// putAside renames a damaged segment so that nothing reads it and people can examine it. An earlier one is removed.
func (w *Writer) putAside(name string) error {
	old, err := filepath.Glob(filepath.Join(w.dir, logFolder, "*"+asideSuffix))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := w.remove(name); err != nil {
			return err
		}
	}
	if err := w.cfg.before("rename", name); err != nil {
		return err
	}
	return os.Rename(name, name+asideSuffix)
}

// restore writes the log and the lock anew if somebody has removed them, or put others in their place, while they were
// open: this process has all that was in them, and the next one would begin from nothing.
func (w *Writer) restore() {
	w.mu.Lock()
	name, idle := w.out.seg.name, w.open == 0
	lost := replaced(w.out.seg.f, name)
	ours := !w.closed && w.broken == nil && (lost || replaced(w.lock, filepath.Join(w.dir, lockName)))
	empty := len(w.spans) == 0
	w.mu.Unlock()
	if !ours || !idle { // a batch has objects in the segment: its end is soon
		return
	}
	err := w.relock()
	if lost && !empty && err == nil {
		if err = w.foreignAside(); err == nil {
			err = w.Compact(context.Background())
		}
	}
	if err != nil {
		w.cfg.Logger.Error("page log: somebody removed it, and it cannot be written anew; it is tried again after the next build", "file", name, "error", err)
		return
	}
	w.cfg.Logger.Error("page log: somebody removed it while it was in use; it was written anew from what is open and in memory", "file", name,
		"remedy", "leave the state folder alone while freshet runs")
}

// replaced reports whether another file, or none, has the name of an open file now.
func replaced(f *os.File, name string) bool {
	is, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(name)
	if err != nil {
		return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	}
	return !os.SameFile(is, now)
}

// relock takes the lock of the folder that has the state folder's name now. If another process has it, this one must not
// write any more.
func (w *Writer) relock() error {
	if err := os.MkdirAll(filepath.Join(w.dir, logFolder), 0o755); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !replaced(w.lock, filepath.Join(w.dir, lockName)) {
		return nil
	}
	lock, err := lockFolder(w.dir)
	if _, locked := errors.AsType[*LockedError](err); locked {
		w.broken = fmt.Errorf("somebody removed the state folder, and %w", err)
		return w.broken
	}
	if err != nil {
		return err
	}
	_ = w.lock.Close()
	w.lock = lock
	return nil
}

// foreignAside puts segments aside that are not this writer's.
func (w *Writer) foreignAside() error {
	seqs, _, err := listSegments(w.dir)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, seq := range seqs {
		name := w.segmentPath(seq)
		if name == w.out.seg.name && !replaced(w.out.seg.f, name) {
			continue
		}
		if err := w.putAside(name); err != nil {
			return err
		}
	}
	return nil
}

// distrust records that the object at a place is damaged. The caller holds mu, or no other goroutine has the writer.
func (w *Writer) distrust(off int64) {
	if w.damaged == nil {
		w.damaged = map[int64]struct{}{}
	}
	w.damaged[off] = struct{}{}
}

// Distrust reads the object of the entry at a path again, which somebody could not read, and reports whether it is
// damaged. [Writer.Distrusted] names it from then on.
func (w *Writer) Distrust(path site.Path) bool {
	gen := w.Current()
	n := gen.find(path)
	if n == nil || n.traits.Status != 200 {
		return false
	}
	if _, err := gen.Object(n.object); !isDamage(err) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current.Load().seg == gen.seg {
		w.distrust(n.object.Offset)
	}
	return true
}

// Distrusted are the paths of the current generation whose objects are known to be damaged, sorted.
func (w *Writer) Distrusted() []site.Path {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.damaged) == 0 {
		return nil
	}
	var out []site.Path
	needed := map[int64]struct{}{}
	for n := range w.current.Load().nodes() {
		if _, is := w.damaged[n.object.Offset]; is && n.traits.Status == 200 {
			out = append(out, n.path())
			needed[n.object.Offset] = struct{}{}
		}
	}
	w.damaged = needed
	slices.SortFunc(out, func(a, b site.Path) int { return strings.Compare(string(a), string(b)) })
	return out
}

// Verify reads every object of the current generation. [Writer.Distrusted] names those that are damaged.
func (w *Writer) Verify(ctx context.Context) error {
	gen := w.Current()
	nodes := slices.SortedFunc(gen.nodes(), func(a, b *node) int { return int(min(max(a.object.Offset-b.object.Offset, -1), 1)) })
	nodes = slices.DeleteFunc(nodes, func(n *node) bool { return n.traits.Status != 200 })
	nodes = slices.CompactFunc(nodes, func(a, b *node) bool { return a.object.Offset == b.object.Offset })
	buf := make([]byte, intactBytes)
	for len(nodes) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Objects that lie beside each other are read together.
		from := nodes[0].object.Offset
		n, end := 1, endOf(nodes[0])
		for n < len(nodes) && endOf(nodes[n])-from <= intactBytes {
			end = endOf(nodes[n])
			n++
		}
		var read []byte // empty: each is read by itself
		if size := end - from; from >= headerSize && size > 0 && size <= intactBytes && gen.seg.read(buf[:size], from) == nil {
			read = buf[:size]
		}
		for _, one := range nodes[:n] {
			if read != nil && gen.seg.isObject(read[one.object.Offset-from:], one.object) {
				continue
			}
			if err := w.verify(gen, one); err != nil {
				return err
			}
		}
		nodes = nodes[n:]
	}
	return nil
}

// endOf is where the record of an entry's object ends.
func endOf(n *node) int64 { return n.object.Offset + objectHead + n.object.Size }

// isObject reports whether b begins with the whole record of an object.
func (s *segment) isObject(b []byte, ref site.ObjectRef) bool {
	if ref.Size < 0 || int64(len(b)) < objectHead+ref.Size {
		return false
	}
	size, kind, sum := parseHead(b)
	return kind == typeObject && size == ref.Size+8 && recordSum(s.salt, b, b[headSize:objectHead+ref.Size]) == sum &&
		digest.Sum(binary.LittleEndian.Uint64(b[headSize:])) == ref.ID
}

// verify reads the object of a page, and distrusts it if it is damaged.
func (w *Writer) verify(gen *Generation, n *node) error {
	_, err := gen.seg.object(n.object, nil)
	if isDamage(err) {
		w.cfg.Logger.Error("page log: a stored page is damaged, and is made again", "path", n.path(), "error", err)
		w.mu.Lock()
		if w.current.Load().seg == gen.seg {
			w.distrust(n.object.Offset)
		}
		w.mu.Unlock()
	} else if err != nil {
		return fmt.Errorf("verify the page log: %w", err)
	}
	return nil
}
