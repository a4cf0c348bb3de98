package revalidator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"freshet/internal/web"
)

// An Offer is a request that somebody sends.
type Offer struct {
	Origin  string  `json:"origin"`          // webhook:<profile>, command …
	Event   string  `json:"event,omitempty"` // the sender's id of what happened
	Request Request `json:"request"`

	// EventKey is equal for every delivery of one event, and DeliveryKey for one delivery that comes twice. Empty: not
	// known to be like any other.
	EventKey    string `json:"eventKey,omitempty"`
	DeliveryKey string `json:"deliveryKey,omitempty"`
}

// A Repeat says whether something was accepted before.
type Repeat int

// Kinds of repeats.
const (
	Fresh    Repeat = iota
	Repeated        // another delivery of an event that was accepted
	Replayed        // the very delivery that was accepted
)

// ErrStopped says that the daemon does not run.
var ErrStopped = errors.New("the revalidator is not running")

// A RefusedError says what is wrong with a request. Its message is for who sent it.
type RefusedError struct{ Message string }

func (e *RefusedError) Error() string { return e.Message }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Origins of jobs that the daemon itself names.
const (
	OriginCommand = "command"
	originFeed    = "feed"
)

// Accept takes an offer. When it returns a job without an error, that job is on the disk and will be built, whatever
// happens to this process. What was accepted before is not accepted again: its job is returned.
func (r *Revalidator) Accept(ctx context.Context, o Offer) (Job, Repeat, error) {
	if err := o.Request.Check(); err != nil {
		return Job{}, Fresh, err
	}
	if o.Request.Empty() || o.Request.DryRun {
		return Job{}, Fresh, refuse("the request names nothing to revalidate")
	}
	return r.accept(ctx, o, nil)
}

func (r *Revalidator) accept(ctx context.Context, o Offer, position *string) (Job, Repeat, error) {
	var claimed []*sighting
	for _, key := range [...]struct {
		key    string
		repeat Repeat
	}{{o.DeliveryKey, Replayed}, {o.EventKey, Repeated}} {
		if key.key == "" || key.repeat == Repeated && o.EventKey == o.DeliveryKey {
			continue
		}
		s, err := r.seen.claim(ctx, key.key)
		if err != nil || s.job != "" {
			r.seen.release(claimed...)
			if err != nil {
				return Job{}, Fresh, err
			}
			j, _, ok := r.queue.job(s.job, false)
			if !ok {
				j = Job{ID: s.job, State: Done, Accepted: s.at} // so long ago that no more is known of it
			}
			return j, key.repeat, nil
		}
		claimed = append(claimed, s)
	}
	j := &Job{ID: newID(), State: Queued, Origin: o.Origin, Event: web.Clip(o.Event, maxHintBytes), Request: o.Request,
		Accepted: time.Now().UTC().Round(time.Microsecond), Pages: []PageChange{}}
	var keys []string
	for _, s := range claimed {
		keys = append(keys, s.key)
	}
	r.accepting.RLock()
	defer r.accepting.RUnlock()
	if err := r.keepJob(j, keys, position); err != nil {
		r.seen.release(claimed...)
		return Job{}, Fresh, err
	}
	r.seen.settle(j, claimed...)
	out := *j
	r.queue.addJob(j)
	return out, Fresh, nil
}

// keepJob makes a job durable, together with what repeats of it are known by and the position of the feed.
func (r *Revalidator) keepJob(j *Job, keys []string, position *string) error {
	if j.Origin != originFeed && !r.queue.room() {
		return ErrBusy
	}
	log := r.journal.Load()
	switch {
	case log == nil && r.cfg.State != "":
		return ErrStopped
	case log == nil:
		return nil
	}
	err := log.append(record{Type: "job", Job: j, Keys: keys, Position: position}, true)
	if err != nil {
		r.queue.signal() // the loop mends the journal
		return err
	}
	if position != nil {
		r.setPosition(*position)
	}
	return nil
}

// Plan says which pages a request touches, and does nothing else.
func (r *Revalidator) Plan(ctx context.Context, req Request) ([]string, error) {
	if err := req.Check(); err != nil {
		return nil, err
	}
	if r.cfg.Plan == nil {
		return nil, refuse("a dry run is not possible here")
	}
	paths, err := r.cfg.Plan(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", req.String(), err)
	}
	return paths, nil
}

// sightings remember what was accepted, up to a number and an age.
type sightings struct {
	mu    sync.Mutex
	by    map[string]*sighting
	order []*sighting // settled, oldest first
}

type sighting struct {
	key     string
	at      time.Time
	job     string        // empty: its acceptance is under way, or failed
	settled chan struct{} // closed when that is decided
}

const (
	maxSeen = 20_000
	seenFor = 24 * time.Hour
)

func newSightings() *sightings { return &sightings{by: map[string]*sighting{}} }

// claim returns the sighting of a key: with a job, or without one and then the caller's to settle or release.
func (s *sightings) claim(ctx context.Context, key string) (*sighting, error) {
	for {
		s.mu.Lock()
		s.expire(time.Now())
		old, ok := s.by[key]
		if !ok {
			mine := &sighting{key: key, settled: make(chan struct{})}
			s.by[key] = mine
			s.mu.Unlock()
			return mine, nil
		}
		if old.job != "" {
			s.mu.Unlock()
			return old, nil
		}
		s.mu.Unlock()
		select {
		case <-old.settled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *sightings) release(claimed ...*sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range claimed {
		delete(s.by, c.key)
		close(c.settled)
	}
}

func (s *sightings) settle(j *Job, claimed ...*sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range claimed {
		c.job, c.at = j.ID, j.Accepted
		s.order = append(s.order, c)
		close(c.settled)
	}
	s.expire(time.Now())
}

// restore takes in what an earlier process accepted.
func (s *sightings) restore(key, job string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &sighting{key: key, job: job, at: at}
	s.by[key] = c
	s.order = append(s.order, c)
	s.expire(time.Now())
}

func (s *sightings) expire(now time.Time) {
	for len(s.order) > 0 && (len(s.order) > maxSeen || now.Sub(s.order[0].at) > seenFor) {
		if old := s.order[0]; s.by[old.key] == old {
			delete(s.by, old.key)
		}
		s.order = s.order[1:]
	}
}

// settledKeys are what is remembered, oldest first.
func (s *sightings) settledKeys() []sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]sighting, len(s.order))
	for i, c := range s.order {
		out[i] = *c
	}
	return out
}
