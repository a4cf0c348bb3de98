package revalidator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"freshet/internal/web"
)

// An Offer is a request from one sender.
type Offer struct {
	Origin  string  `json:"origin"`          // webhook:<profile>, command …
	Event   string  `json:"event,omitempty"` // the sender's id of the event
	Request Request `json:"request"`

	// EventKey is equal for all deliveries of one event. DeliveryKey is equal only for repeats of one delivery. An
	// empty key equals no other key.
	EventKey    string `json:"eventKey,omitempty"`
	DeliveryKey string `json:"deliveryKey,omitempty"`
}

// A Repeat reports whether the same event or delivery was accepted before.
type Repeat int

// Kinds of repeats.
const (
	Fresh    Repeat = iota
	Repeated        // another delivery of an event that was already accepted
	Replayed        // a delivery that was already accepted, sent again
)

// ErrStopped reports that the daemon is not running.
var ErrStopped = errors.New("the revalidator is not running")

// A RefusedError says what is wrong with a request. Its message is safe to show to the sender.
type RefusedError struct{ Message string }

func (e *RefusedError) Error() string { return e.Message }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Origins of the jobs that the daemon itself creates.
const (
	OriginCommand = "command"
	originFeed    = "feed"
)

// Accept takes an offer. If it returns a job and no error, the job is on the disk and will be built, even if this
// process crashes. For a repeat it creates no new job and returns the job of the first acceptance.
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
				j = Job{ID: s.job, State: Done, Accepted: s.at} // the queue has already forgotten the job
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

// keepJob writes a job to the journal, with its repeat keys and, for the feed, the position.
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
		r.queue.signal() // wake the loop, which repairs the journal
		return err
	}
	if position != nil {
		r.setPosition(*position)
	}
	return nil
}

// Plan lists the pages that a request touches. It changes nothing.
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

// sightings hold the keys of accepted offers, at most maxSeen of them and none older than seenFor.
type sightings struct {
	mu    sync.Mutex
	by    map[string]*sighting
	order []*sighting // settled, oldest first
}

type sighting struct {
	key     string
	at      time.Time
	job     string        // empty while the acceptance is in progress, or after it failed
	settled chan struct{} // closed when the acceptance has succeeded or failed
}

const (
	maxSeen = 20_000
	seenFor = 24 * time.Hour
)

func newSightings() *sightings { return &sightings{by: map[string]*sighting{}} }

// claim returns the sighting of a key. If the sighting has no job, the caller owns it and must settle or release it.
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

// restore adds a key that an earlier process accepted.
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

// settledKeys returns the remembered sightings, oldest first.
func (s *sightings) settledKeys() []sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]sighting, len(s.order))
	for i, c := range s.order {
		out[i] = *c
	}
	return out
}
