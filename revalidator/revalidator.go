// Package revalidator keeps a built site true to its source: it turns changed files, publication dates and the
// regular verification into builds.
//
// All of them feed one queue. The first change after a quiet time is built after a short settling time, changes that
// follow are merged, and at most one build runs at a time; what changes during a build is built after it. A failed
// build keeps its changes, leaves the last generation as it is, and is tried again with growing pauses.
package revalidator

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Times between a change and its build, and between tries.
const (
	settle   = 3 * time.Millisecond  // a save is often several writes
	merge    = 50 * time.Millisecond // bursts are built together
	retryMin = time.Second
	retryMax = 30 * time.Second
	flipSlop = 5 * time.Millisecond // past a publication date, so that clocks agree it has come
)

// A Change is what a build has to look at.
type Change struct {
	Documents  []string // names in the source: files or folders of the content tree
	Everything bool     // any document may have changed: look at all
	Theme      bool     // templates or assets changed
	Clock      bool     // a publication or expiry date has come
	Cause      string
}

func (c *Change) empty() bool { return len(c.Documents) == 0 && !c.Everything && !c.Theme && !c.Clock }

// maxNamed is how many documents a change names before it is cheaper to look at all.
const maxNamed = 10_000

// add merges what came later.
func (c *Change) add(n Change) {
	if c.empty() {
		c.Cause = n.Cause
	}
	c.Documents = append(c.Documents, n.Documents...)
	c.Everything = c.Everything || n.Everything || len(c.Documents) > maxNamed
	c.Theme = c.Theme || n.Theme
	c.Clock = c.Clock || n.Clock
	if c.Everything {
		c.Documents = nil
	}
}

// Config is what a Revalidator needs. Build is required.
type Config struct {
	// Build brings the site up to the change. Its error means that the change is still to be built.
	Build func(context.Context, Change) error
	// NextFlip is when the next document appears or expires; the zero time means never. Nil: never.
	NextFlip func() time.Time
	Content  string        // folder to watch for documents; empty: none
	Theme    string        // folder to watch for templates; empty: none
	Verify   time.Duration // how often everything is looked at; 0: never
	Poll     time.Duration // how often, where watching is impossible; 0: 2 s
	Logger   *slog.Logger  // nil: nothing is logged
}

// A Revalidator keeps one site true.
type Revalidator struct {
	cfg   Config
	queue *queue
}

// New returns a Revalidator. It does nothing until Run.
func New(cfg Config) (*Revalidator, error) {
	if cfg.Build == nil {
		return nil, errors.New("revalidator: Build is missing")
	}
	if cfg.NextFlip == nil {
		cfg.NextFlip = func() time.Time { return time.Time{} }
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Revalidator{cfg: cfg, queue: newQueue()}, nil
}

// Add queues a change.
func (r *Revalidator) Add(c Change) { r.queue.add(c) }

// Run builds everything once and then whatever changes, until ctx ends. It returns nil then, or an error when the
// folders cannot be watched at all.
func (r *Revalidator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching <-chan error
	if r.cfg.Content != "" || r.cfg.Theme != "" {
		w, err := newWatcher(r.cfg, r.queue)
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() {
			done <- w.run(ctx)
			close(done) // Run may have received the error already when it waits for the end
		}()
		watching = done
		defer func() { cancel(); <-done }()
	}
	r.queue.add(Change{Everything: true, Cause: "start"})
	verified := time.Now()
	pause := time.Duration(0)
	var retry <-chan time.Time
	for {
		at, timed := r.next(verified)
		var due <-chan time.Time
		if !timed.empty() {
			due = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-watching:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-due:
			r.queue.add(timed)
		case <-retry:
		case <-r.queue.ready:
		}
		c := r.queue.take(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if c.empty() {
			continue
		}
		if err := r.cfg.Build(ctx, c); err != nil && ctx.Err() == nil {
			pause = min(max(2*pause, retryMin), retryMax)
			r.cfg.Logger.Error("build failed, the last generation stays", "error", err, "cause", c.Cause, "retry_in", pause)
			r.queue.putBack(c)
			retry = time.After(pause + rand.N(pause/4))
			verified = time.Now() // the retry verifies
			continue
		}
		pause, retry = 0, nil
		if c.Everything {
			verified = time.Now()
		}
	}
}

// next is the next moment at which there is something to do without a change, and what; an empty Change: never.
func (r *Revalidator) next(verified time.Time) (at time.Time, c Change) {
	if r.cfg.Verify > 0 {
		at, c = verified.Add(r.cfg.Verify), Change{Everything: true, Cause: "verification"}
	}
	if flip := r.cfg.NextFlip(); !flip.IsZero() && (c.empty() || flip.Before(at)) {
		at, c = flip.Add(flipSlop), Change{Clock: true, Cause: "publication date"}
	}
	return at, c
}
