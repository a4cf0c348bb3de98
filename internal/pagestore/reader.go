package pagestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"freshet/internal/site"
)

const (
	// pollEvery is the interval at which a Reader checks, by one fstat, whether the log has grown.
	pollEvery = 50 * time.Millisecond
	// listEvery is the number of such checks after which it also looks for a newer segment, in case the old one could not
	// be removed.
	listEvery = 20
)

// A Reader follows a page log that another process, or this one, writes. Its methods may be called from any
// goroutine.
type Reader struct {
	cfg      Config
	current  atomic.Pointer[Generation]
	verified verifiedNote
	changed  chan struct{}

	mu    sync.Mutex // held while the log is looked at
	l     *follower  // nil: there is no log yet
	size  int64      // of the segment, and its mtime, when it was looked at
	mtime time.Time
	looks int
}

// OpenReader opens the page log of cfg.Dir for reading. That there is none yet is no error.
func OpenReader(cfg Config) (*Reader, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Reader{cfg: cfg, changed: make(chan struct{}, 1)}
	if err := r.look(); err != nil {
		return nil, fmt.Errorf("read page log: %w", err)
	}
	return r, nil
}

// Current returns the newest generation that was read; nil when there is none yet.
func (r *Reader) Current() *Generation { return r.current.Load() }

// Changed receives after Current has become another generation; once for several that follow quickly.
func (r *Reader) Changed() <-chan struct{} { return r.changed }

// Run follows the log until ctx is done. What it cannot read it logs and tries again; Current stays.
func (r *Reader) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var said string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := r.look()
		switch {
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			r.cfg.Logger.Warn("page log cannot be read; the last generation stays", "error", err)
		}
	}
}

// look reads what is new in the log.
func (r *Reader) look() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	if r.l == nil {
		return r.move()
	}
	info, err := r.l.seg.f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 || r.looks%listEvery == 0 {
		if err := r.move(); err != nil {
			return err
		}
		if info, err = r.l.seg.f.Stat(); err != nil {
			return err
		}
	}
	return r.follow(info)
}

func (r *Reader) follow(info fs.FileInfo) error {
	if info.Size() == r.size && info.ModTime().Equal(r.mtime) {
		return nil
	}
	if _, err := r.l.poll(info.Size()); err != nil {
		return err
	}
	r.size, r.mtime = info.Size(), info.ModTime()
	r.publish()
	return nil
}

// move opens the newest segment, if it is not open already.
func (r *Reader) move() error {
	for {
		seqs, _, err := listSegments(r.cfg.Dir)
		if err != nil || len(seqs) == 0 {
			return err // none: what is open, if anything, stays
		}
		name := filepath.Join(r.cfg.Dir, logFolder, segmentName(seqs[len(seqs)-1]))
		seg, err := openSegment(name, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was compacted in this moment: there is a newer one
		}
		if isDamage(err) && r.l == nil {
			return r.moveDamaged(seqs[len(seqs)-1], err)
		}
		if err != nil {
			return err
		}
		if r.l != nil && r.l.seg.header == seg.header {
			return seg.f.Close()
		}
		info, err := seg.f.Stat()
		if err != nil {
			_ = seg.f.Close()
			return err
		}
		l := &follower{seg: seg, names: &interner{}}
		if err := l.load(); err != nil {
			_ = seg.f.Close()
			if isDamage(err) && r.l == nil {
				return r.moveDamaged(seqs[len(seqs)-1], err)
			}
			return err
		}
		if l.lost != nil {
			r.cfg.Logger.Warn("page log: the last commit cannot be read, the one before is served", "file", name, "offset", l.lost.start,
				"generation", l.lost.Generation, "remedy", "run freshet build, or freshet up: it makes its pages again")
		}
		r.l, r.size, r.mtime = l, info.Size(), info.ModTime()
		r.publish()
		return nil
	}
}

// moveDamaged reads what can be read of a damaged segment, so that a server that starts has something to serve until a
// writer has written the log anew. Where there is nothing, the error is cause.
func (r *Reader) moveDamaged(seq uint64, cause error) error {
	name := filepath.Join(r.cfg.Dir, logFolder, segmentName(seq))
	seg, err := openSegment(name, os.O_RDONLY)
	if isDamage(err) {
		var ok bool
		if seg, ok, err = reopenDamaged(name, seq, os.O_RDONLY); err == nil && !ok {
			err = cause
		}
	}
	if err != nil {
		return err
	}
	l := &follower{seg: seg, names: &interner{}}
	info, err := seg.f.Stat()
	var v *survey
	if err == nil {
		v, err = seg.survey(headerSize, info.Size(), l.names)
	}
	if err == nil && v.gen == nil {
		err = cause
	}
	if err != nil {
		_ = seg.f.Close()
		return err
	}
	r.cfg.Logger.Error("page log: it is damaged; what can be read of it is served", "error", cause, "generation", v.gen.ID, "entries", v.gen.n,
		"of", v.spans[len(v.spans)-1].entries, "remedy", "run freshet build, or freshet up: it writes the log anew and makes again what is missing")
	l.spans, l.gen, l.next = v.spans, v.gen, info.Size()
	r.l, r.size, r.mtime = l, info.Size(), info.ModTime()
	r.publish()
	return nil
}

func (r *Reader) publish() {
	was := r.current.Swap(r.l.gen)
	if was == r.l.gen || was != nil && r.l.gen != nil && was.ID == r.l.gen.ID {
		return
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// History returns the commits in the log, newest first.
func (r *Reader) History() ([]Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.l == nil {
		return nil, nil
	}
	return history(r.l.spans), nil
}

// At returns a generation that is still in the log, by reading the log. The error is site.ErrNotFound when it is not
// there.
func (r *Reader) At(id uint64) (*Generation, error) {
	r.mu.Lock()
	l := r.l
	if l == nil {
		r.mu.Unlock()
		return nil, fmt.Errorf("generation %d is not kept: %w", id, site.ErrNotFound)
	}
	seg, spans := l.seg, l.spans
	r.mu.Unlock()
	return seg.at(spans, id)
}
