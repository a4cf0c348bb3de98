package revalidator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A Feed reports which documents change in a source.
type Feed interface {
	// Watch reports changes until ctx ends (it returns nil) or the feed breaks (it returns an error). position is the
	// last one that an earlier Watch reported; empty means: start now. names are names that the source's Scan accepts.
	// everything means that the feed may have missed changes, so that any document may have changed. A report with
	// neither tells only the position. The first report should come as soon as the feed misses no change any more.
	// report returns when the change and the position are on the disk. If it returns an error, Watch ends.
	Watch(ctx context.Context, position string, report func(names []string, everything bool, position string) error) error
}

const (
	watchPatience = 2 * time.Second // the first build waits this long for the feed to start
	lossInterval  = time.Minute     // a feed that keeps breaking causes a look at everything only this often
)

func (r *Revalidator) setPosition(p string) {
	r.mu.Lock()
	r.position = p
	r.mu.Unlock()
}

func (r *Revalidator) feedPosition() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

func (r *Revalidator) setLost(why string) {
	r.mu.Lock()
	r.lost = why
	r.mu.Unlock()
}

func (r *Revalidator) feedHeard() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard
}

// follow watches the feed until ctx ends, and reconnects when it breaks. It calls begun as soon as no change can be
// missed any more.
func (r *Revalidator) follow(ctx context.Context, begun func()) error {
	log := r.cfg.Logger.With("part", "feed")
	if r.feedPosition() != "" {
		begun()
	}
	pause := time.Duration(0)
	var told, looked time.Time
	for {
		began := time.Now()
		err := r.cfg.Feed.Watch(ctx, r.feedPosition(), func(names []string, everything bool, position string) error {
			r.hear()
			pause = 0
			err := r.report(ctx, names, everything, position)
			begun()
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = errors.New("it ended without a reason")
		}
		now := time.Now()
		if now.Sub(told) >= complain {
			told = now
			log.Warn("the feed of changes broke, it is taken up again", "error", err, "after", now.Sub(began).Round(time.Millisecond))
		}
		r.setLost(err.Error())
		if looked.IsZero() || now.Sub(looked) >= lossInterval {
			looked = now
			r.queue.add(Change{Everything: true, Cause: "the feed of changes broke"})
		}
		pause = min(max(2*pause, pauseMin), pauseMax)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause + rand.N(pause/4)):
		}
	}
}

// hear records that the feed reported something, which proves that the source answers.
func (r *Revalidator) hear() {
	r.mu.Lock()
	r.lost, r.heard = "", time.Now()
	away := r.away != ""
	r.mu.Unlock()
	if away {
		r.queue.signal()
	}
}

// report writes a report of the feed to the journal and queues it.
func (r *Revalidator) report(ctx context.Context, names []string, everything bool, position string) error {
	req := Request{Everything: everything}
	for _, name := range names {
		req.Docs = append(req.Docs, Doc{Given: name})
	}
	if req.Check() != nil || everything {
		req = Request{Everything: true} // the invalid name may mean any document
	}
	if !req.Empty() && !r.queue.room() {
		req = Request{Everything: true}
		if r.queue.waitsForEverything() {
			req = Request{}
		}
	}
	if !req.Empty() {
		_, _, err := r.accept(ctx, Offer{Origin: originFeed, Request: req}, &position)
		return err
	}
	if position == r.feedPosition() {
		return nil
	}
	r.accepting.RLock()
	defer r.accepting.RUnlock()
	if log := r.journal.Load(); log != nil {
		// A position alone needs no sync: after a crash the feed repeats changes from an older position. A position
		// that skips changes (they are part of a waiting job for everything) needs one.
		if err := log.append(record{Type: "position", Position: &position}, len(names) > 0 || everything); err != nil {
			return err
		}
	}
	r.setPosition(position)
	return nil
}
