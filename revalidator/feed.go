package revalidator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A Feed tells which documents change in a source while it is watched.
type Feed interface {
	// Watch reports changes until ctx ends (nil) or the feed breaks (error). position is where an earlier Watch came to, as
	// it was reported; empty: from now. names are as the source's Scan takes them; everything says that changes may have
	// been missed: anything may have changed. A report without either says how far the feed has come; the first one
	// should come as soon as no change can be missed any more. report returns once the change and position are durably
	// accepted; after its error Watch ends.
	Watch(ctx context.Context, position string, report func(names []string, everything bool, position string) error) error
}

const (
	watchPatience = 2 * time.Second // the first build waits so long for the feed to begin
	lossInterval  = time.Minute     // a feed that breaks again and again has everything looked at so often
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

// follow watches the feed until ctx ends, and begins again where it broke. begun is called when changes cannot be missed
// any more.
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

// hear takes note that the feed tells something, so that the source answers.
func (r *Revalidator) hear() {
	r.mu.Lock()
	r.lost, r.heard = "", time.Now()
	away := r.away != ""
	r.mu.Unlock()
	if away {
		r.queue.signal()
	}
}

// report makes what the feed says durable.
func (r *Revalidator) report(ctx context.Context, names []string, everything bool, position string) error {
	req := Request{Everything: everything}
	for _, name := range names {
		req.Docs = append(req.Docs, Doc{Given: name})
	}
	if req.Check() != nil || everything {
		req = Request{Everything: true} // a name that cannot be kept may be any
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
		// Without a sync: an older position only tells of changes again. But nothing may be left out by it.
		if err := log.append(record{Type: "position", Position: &position}, len(names) > 0 || everything); err != nil {
			return err
		}
	}
	r.setPosition(position)
	return nil
}
