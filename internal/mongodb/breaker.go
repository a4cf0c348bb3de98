package mongodb

import (
	"log/slog"
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
	cut                               atomic.Bool // since the last success a connection was cut, or no server found
}

func newBreaker(cfg BreakerConfig, log *slog.Logger) *breaker {
	cfg = cfg.withDefaults()
	b := &breaker{}
	b.cb = circuitbreaker.NewBuilder[any]().
		WithFailureThresholdPeriod(uint(cfg.Failures), cfg.Window).
		WithSuccessThreshold(1).
		WithDelay(cfg.Open).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			b.opened.Add(1)
			log.Warn("mongodb breaker opened", "from", e.OldState.String(), "failures", e.Metrics().Failures(), "retry_in", cfg.Open)
		}).
		OnHalfOpen(func(circuitbreaker.StateChangedEvent) {
			b.halfOpen.Add(1)
			log.Info("mongodb breaker is half-open: one command may try")
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			b.closed.Add(1)
			log.Info("mongodb breaker closed")
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

// answers lets one command try at once: a server is seen to answer, and was not before, or its connections had been cut.
// Where it was too slow, that it answers a heartbeat says nothing.
func (b *breaker) answers(again bool) {
	if b.cb.IsOpen() && (again || b.cut.Load()) {
		b.cb.HalfOpen()
	}
}

func (b *breaker) record(err error) {
	if unwell(err) {
		if !mongo.IsTimeout(err) || isSelection(err) {
			b.cut.Store(true)
		}
		b.cb.RecordFailure()
	} else {
		b.cut.Store(false)
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
