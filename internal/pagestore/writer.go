package pagestore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// Config says where a page log is.
type Config struct {
	Dir    string       // the state folder; it is made when the log is first written
	Keep   int          // generations kept by compaction; 0: 20
	Logger *slog.Logger // nil: silent

	// before is asked before every step that changes the disk; an error stops the step. Tests stop the package
	// at each of them.
	before func(step, name string) error
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("pagestore: no state folder")
	}
	if c.Keep <= 0 {
		c.Keep = 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.before == nil {
		c.before = func(string, string) error { return nil }
	}
	return c, nil
}

// A Writer is the one writer of a page log. Its methods may be called from any goroutine.
type Writer struct {
	cfg      Config
	dir      string
	lock     *os.File
	current  atomic.Pointer[Generation]
	verified verifiedNote
	names    interner

	compacting sync.Mutex // held by Compact

	mu      sync.Mutex // protects what follows
	out     appender
	spans   []*span       // all commits of the segment, oldest first
	recent  []*Generation // a few before the current, newest last: what a tree may hold
	epoch   uint64
	objects map[digest.Sum]place // what entries may refer to; nil: to be gathered from the current generation
	open    int                  // batches
	idle    chan struct{}        // closed when open falls to 0; nil: nobody waits
	failure int                  // how often the log was cut back because of an error: batches begun before have failed
	torn    bool                 // the log could not be cut back yet
	floor   uint64               // the highest generation that may ever have been there, of which the log has nothing whole
	damaged map[int64]struct{}   // places of objects that were found damaged
	broken  error                // why nothing can be written any more
	closed  bool
}

// maxRecent bounds how many generations before the current one are held. They share what did not change.
const maxRecent = 3

// place is where an object's record begins, and how many bytes the object has.
type place struct{ off, size int64 }

// isBefore reports whether an object can be at p, wholly before end.
func (p place) isBefore(end int64) bool {
	return p.off >= headerSize && p.size >= 0 && p.size <= maxObjectBytes && p.off <= end-objectHead-p.size
}

// errClosed says that a method of a closed Writer was called.
var errClosed = errors.New("the page log is closed")

// OpenWriter opens the page log of cfg.Dir for writing, making it if there is none. It cuts off what was not
// committed. If another process writes the log the error is a *[LockedError].
func OpenWriter(cfg Config) (*Writer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, logFolder), 0o755); err != nil {
		return nil, fmt.Errorf("open page log: %w", err)
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{cfg: cfg, dir: cfg.Dir, lock: lock}
	if err := w.load(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open page log: %w", err)
	}
	return w, nil
}

// load opens the newest segment, removes what a stopped compaction left, and cuts off what was not committed.
func (w *Writer) load() error {
	seqs, left, err := listSegments(w.dir)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := w.remove(filepath.Join(w.dir, logFolder, name)); err != nil {
			return err
		}
	}
	if len(seqs) == 0 {
		id := make([]byte, 8)
		_, _ = rand.Read(id) // never fails
		seg, err := w.createSegment(header{site: hex.EncodeToString(id), seq: 1})
		if err == nil {
			err = w.nameSegment(seg)
		}
		if err != nil {
			return err
		}
		w.adopt(&follower{seg: seg})
		w.epoch = 1
		return nil
	}
	seq := seqs[len(seqs)-1]
	seg, err := openSegment(w.segmentPath(seq), os.O_RDWR)
	if isDamage(err) {
		return w.recover(seq, nil, err)
	}
	if err != nil {
		return err
	}
	l := follower{seg: seg, names: &w.names}
	if err := l.load(); isDamage(err) {
		return w.recover(seq, seg, err)
	} else if err != nil {
		return err
	}
	for _, seq := range seqs[:len(seqs)-1] {
		if err := w.remove(w.segmentPath(seq)); err != nil {
			return err
		}
	}
	w.adopt(&l)
	w.epoch = 1
	if last := l.last(); last != nil {
		w.epoch = last.Epoch + 1
	}
	return w.cutTail()
}

// cutTail cuts off what a stopped process or a crash has left behind the last commit.
func (w *Writer) cutTail() error {
	info, err := w.out.seg.f.Stat()
	if err != nil || info.Size() <= w.out.size {
		return err
	}
	v, err := w.out.seg.survey(w.out.size, info.Size(), &w.names)
	if err != nil {
		return err
	}
	name, bytes, last := w.out.seg.name, info.Size()-w.out.size, w.current.Load().ID
	if v.begun || len(v.spans) > 0 {
		// Whether that commit was ever whole nobody can tell, so its number is not given to another one.
		w.floor = max(last+1, v.newest)
		w.cfg.Logger.Warn("page log: the last commit is not whole and is cut off, the next build makes its pages again", "file", name, "offset", w.out.size,
			"bytes", bytes, "generation", last, "remedy", "nothing to do after a crash; if there was none, the disk may be failing")
	} else {
		w.cfg.Logger.Info("page log: cut off what was not committed", "file", name, "bytes", bytes)
	}
	return w.truncate()
}

// adopt makes what a follower read the writer's state. The caller holds mu or is alone.
func (w *Writer) adopt(l *follower) {
	w.out, w.spans, w.objects = appender{before: w.cfg.before, seg: l.seg, size: l.end()}, l.spans, nil
	w.recent, w.damaged = nil, nil
	gen := l.gen
	if gen == nil {
		gen = &Generation{seg: l.seg, shards: new(shardTable)}
	}
	w.current.Store(gen)
}

func (w *Writer) segmentPath(seq uint64) string {
	return filepath.Join(w.dir, logFolder, segmentName(seq))
}

// createSegment makes a segment under a temporary name.
func (w *Writer) createSegment(h header) (*segment, error) {
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails
	h.salt, h.made = binary.LittleEndian.Uint64(salt[:]), time.Now().Unix()
	name := w.segmentPath(h.seq)
	if err := w.cfg.before("create", name+tmpSuffix); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name+tmpSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	s := &segment{header: h, f: f, name: name}
	out := appender{before: w.cfg.before, seg: s}
	if err := out.writeAt(h.encode(), 0); err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, nil
}

// nameSegment syncs a segment that has a temporary name and gives it its own.
func (w *Writer) nameSegment(s *segment) error {
	if err := w.sync(s); err != nil {
		return err
	}
	if err := w.cfg.before("rename", s.name); err != nil {
		return err
	}
	if err := os.Rename(s.name+tmpSuffix, s.name); err != nil {
		return err
	}
	return w.syncFolder()
}

func (w *Writer) sync(s *segment) error {
	if err := w.cfg.before("sync", s.name); err != nil {
		return err
	}
	return s.f.Sync()
}

func (w *Writer) syncFolder() error {
	name := filepath.Join(w.dir, logFolder)
	if err := w.cfg.before("sync folder", name); err != nil {
		return err
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (w *Writer) remove(name string) error {
	if err := w.cfg.before("remove", name); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// truncate cuts the log back to its last commit. It need not be synced where no whole commit is cut off: if a crash
// undoes it, the next writer does it again.
func (w *Writer) truncate() error {
	if err := w.cfg.before("truncate", w.out.seg.name); err != nil {
		return err
	}
	return w.out.seg.f.Truncate(w.committed())
}

// committed is where what is committed ends.
func (w *Writer) committed() int64 {
	if len(w.spans) == 0 {
		return headerSize
	}
	return w.spans[len(w.spans)-1].end
}

// SiteID names the site whose log this is: 16 hexadecimal digits made up when the log was made.
func (w *Writer) SiteID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.seg.site
}

// Dir is the state folder.
func (w *Writer) Dir() string { return w.dir }

// Current returns the newest generation. Before the first commit it is generation 0, which is empty.
func (w *Writer) Current() *Generation { return w.current.Load() }

// History returns the commits in the log, newest first: at least the kept ones.
func (w *Writer) History() ([]Commit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	return history(w.spans), nil
}

// At returns a generation that is still in the log, by reading the log if it is not one of the last few. The error is
// site.ErrNotFound when it is not there. Generation 0 is always there.
func (w *Writer) At(id uint64) (*Generation, error) {
	w.mu.Lock()
	seg, spans, recent, current, closed := w.out.seg, w.spans, w.recent, w.current.Load(), w.closed
	w.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if id == 0 {
		return &Generation{seg: seg, shards: new(shardTable)}, nil
	}
	if current.ID == id {
		return current, nil
	}
	for _, g := range recent {
		if g.ID == id {
			return g, nil
		}
	}
	return seg.at(spans, id)
}

// Close cuts off what was not committed and lets others write the log. Generations go on working.
func (w *Writer) Close() error {
	w.compacting.Lock()
	defer w.compacting.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	var err error
	if w.out.size > w.committed() || w.torn {
		err = w.truncate()
	}
	if cerr := w.lock.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("close page log: %w", err)
	}
	return nil
}

// cutBack removes what was not committed after an error, which it returns with what went wrong further. All open
// batches have failed. The caller holds mu.
func (w *Writer) cutBack(err error) error {
	w.failure++
	w.objects = nil
	w.out.cut(w.committed())
	w.torn = true
	return errors.Join(err, w.mend())
}

// mend cuts the log back after an error, for good. The caller holds mu.
func (w *Writer) mend() error {
	if !w.torn {
		return nil
	}
	err := w.truncate()
	if err == nil {
		err = w.sync(w.out.seg)
	}
	if err != nil {
		return fmt.Errorf("cut back page log: %w", err)
	}
	w.torn = false
	return nil
}

// gather fills the map of objects that entries may refer to. The caller holds mu.
func (w *Writer) gather() {
	if w.objects != nil {
		return
	}
	current := w.current.Load()
	w.objects = make(map[digest.Sum]place, current.Len())
	for n := range current.nodes() {
		if n.traits.Status == 200 {
			w.objects[n.object.ID] = place{n.object.Offset, n.object.Size}
		}
	}
}

// usable returns why a batch that began at the given failure cannot go on. The caller holds mu.
func (w *Writer) usable(failure int) error {
	switch {
	case w.closed:
		return errClosed
	case w.broken != nil:
		return w.broken
	case w.failure != failure:
		return errCutBack
	}
	return nil
}

// errCutBack is what a batch gets when another one could not be written.
var errCutBack = errors.New("the page log could not be written and was cut back to its last generation")

// object appends data unless the log has it.
func (w *Writer) object(b *Batch, data []byte) (site.ObjectRef, error) {
	if len(data) > maxObjectBytes {
		return site.ObjectRef{}, fmt.Errorf("an object of %d bytes is too large", len(data))
	}
	var head [objectHead]byte
	for id := digest.Bytes(data); ; id++ { // where other bytes have a digest, the next free number stands for these
		binary.LittleEndian.PutUint64(head[headSize:], uint64(id))
		appendHead(head[:0], b.seg.salt, typeObject, head[headSize:], data)
		ref, ok, err := w.objectAs(b, id, head[:], data)
		if ok || err != nil {
			return ref, err
		}
	}
}

// objectAs appends data, whose record begins with head, as the object id unless the log has it. ok is false when the
// log has other bytes by that name.
func (w *Writer) objectAs(b *Batch, id digest.Sum, head, data []byte) (ref site.ObjectRef, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if err := w.usable(b.failure); err != nil {
			return site.ObjectRef{}, false, err
		}
		w.gather()
		p, there := w.objects[id]
		if !there {
			off, err := w.out.append(head, data)
			if err != nil {
				return site.ObjectRef{}, false, w.cutBack(err)
			}
			w.objects[id] = place{off, int64(len(data))}
			return site.ObjectRef{ID: id, Offset: off, Size: int64(len(data))}, true, nil
		}
		ref := site.ObjectRef{ID: id, Offset: p.off, Size: p.size}
		if p.size != int64(len(data)) {
			return ref, false, nil
		}
		if p.off >= w.out.size {
			return ref, bytes.Equal(w.out.buf[p.off-w.out.size+objectHead:][:p.size], data), nil
		}
		w.mu.Unlock() // what is written stays where it is as long as a batch is open
		old, err := b.seg.object(ref, nil)
		w.mu.Lock()
		if err == nil || !isDamage(err) {
			return ref, err == nil && bytes.Equal(old, data), err
		}
		if w.objects[id] == p {
			delete(w.objects, id) // it is damaged: these bytes take its place
		}
		w.distrust(p.off) // other entries may have it
	}
}
