package mongodb

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// BreakerConfig says when MongoDB is left alone, and for how long.
type BreakerConfig struct {
	Failures int           // how many within Window open it; 0: 10
	Window   time.Duration // 0: 1 minute
	Open     time.Duration // how long it stays open until one command may try; 0: 30 seconds
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	if c.Failures <= 0 {
		c.Failures = 10
	}
	if c.Window <= 0 {
		c.Window = time.Minute
	}
	if c.Open <= 0 {
		c.Open = 30 * time.Second
	}
	return c
}

// A Breaker is the state of the circuit breaker at one moment.
type Breaker struct {
	State    string        // closed, open or half-open
	Failures int           // in the window that the state was reached or is kept with
	Opened   uint64        // how often it has opened
	HalfOpen uint64        // how often it let a command try
	Closed   uint64        // how often it has closed again
	Refused  uint64        // commands that it refused
	RetryIn  time.Duration // until a command may try, while it is open
}

// A breaker decides which commands may go to MongoDB. It lets one command at a time try while it is half-open.
type breaker struct {
	cb                                circuitbreaker.CircuitBreaker[any]
	opened, halfOpen, closed, refused atomic.Uint64
	hope                              atomic.Bool // why it has opened may be over: the next heartbeat that succeeds lets a command try

	mu   sync.Mutex    // protects seen
	seen chan struct{} // closed when waiting may be over
}

func newBreaker(cfg BreakerConfig, log *slog.Logger) *breaker {
	cfg = cfg.withDefaults()
	b := &breaker{seen: make(chan struct{})}
	b.cb = circuitbreaker.NewBuilder[any]().
		WithFailureThresholdPeriod(uint(cfg.Failures), cfg.Window).
		WithSuccessThreshold(1).
		WithDelay(cfg.Open).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			b.opened.Add(1)
			if e.OldState == circuitbreaker.ClosedState { // perhaps by commands that had begun before it was over
				b.hope.Store(true)
			}
			log.Warn("mongodb breaker opened", "from", e.OldState.String(), "failures", e.Metrics().Failures(), "retry_in", cfg.Open)
		}).
		OnHalfOpen(func(circuitbreaker.StateChangedEvent) {
			b.halfOpen.Add(1)
			log.Info("mongodb breaker is half-open: one command may try")
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			b.closed.Add(1)
			log.Info("mongodb breaker closed")
			b.wake()
		}).Build()
	return b
}

// enter reports whether a command may go, and whether it is the one that tries while the breaker is half-open. What
// has entered must be recorded if it is the trial, for no other goes before.
func (b *breaker) enter() (ok, trial bool) {
	if !b.cb.TryAcquirePermit() {
		b.refused.Add(1)
		return false, false
	}
	return true, b.cb.IsHalfOpen()
}

// answers takes note that a server answers a heartbeat; again says that it did not before, or not for long. One command
// may try at once if there is hope: since a server is back, after a connection was cut, or since the breaker has just
// opened. Where it was too slow for a command that has tried since, that it answers heartbeats says nothing.
func (b *breaker) answers(again bool) {
	if again {
		b.hope.Store(true)
	}
	tries := b.cb.IsOpen() && b.hope.Swap(false)
	if tries {
		b.cb.HalfOpen()
	}
	if again || tries {
		b.wake()
	}
}

func (b *breaker) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.seen)
	b.seen = make(chan struct{})
}

// back returns a channel that is closed as soon as a server is seen again, or a command may try.
func (b *breaker) back() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

func (b *breaker) record(err error) {
	if unwell(err) {
		if !mongo.IsTimeout(err) || isSelection(err) {
			b.hope.Store(true)
		}
		b.cb.RecordFailure()
	} else {
		b.hope.Store(false)
		b.cb.RecordSuccess()
	}
}

func (b *breaker) snapshot() Breaker {
	return Breaker{
		State: b.cb.State().String(), Failures: int(b.cb.Metrics().Failures()),
		Opened: b.opened.Load(), HalfOpen: b.halfOpen.Load(), Closed: b.closed.Load(), Refused: b.refused.Load(),
		RetryIn: b.cb.RemainingDelay(),
	}
}
