package revalidator

import (
	"context"
	"sync"
	"time"
)

// A queue merges changes until they are taken.
type queue struct {
	ready chan struct{} // has a value while there is something to take

	mu      sync.Mutex
	pending Change
	first   time.Time // when pending began
	taken   time.Time // when something was taken last
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) add(c Change) {
	q.mu.Lock()
	if q.pending.empty() {
		q.first = time.Now()
	}
	q.pending.add(c)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// putBack returns a change that could not be built. It waits for the next change, or for somebody to take it.
func (q *queue) putBack(c Change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.add(q.pending)
	q.pending = c
}

// take waits until the pending change has settled and returns it.
func (q *queue) take(ctx context.Context) Change {
	q.mu.Lock()
	at := q.first.Add(settle)
	if busy := q.taken.Add(merge); at.Before(busy) {
		at = busy
	}
	q.mu.Unlock()
	select {
	case <-ctx.Done():
		return Change{}
	case <-time.After(time.Until(at)):
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.pending
	q.pending, q.taken = Change{}, time.Now()
	select {
	case <-q.ready:
	default:
	}
	return c
}
