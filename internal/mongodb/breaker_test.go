package mongodb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

var (
	errTimeout  = context.DeadlineExceeded
	errNetwork  = mongo.CommandError{Labels: []string{"NetworkError"}}
	errStopping = mongo.CommandError{Code: 91}
	errSlow     = mongo.CommandError{Code: 50}
	errTwice    = mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000}}}
)

// TestBreakerOpensAtTenthFailure lets commands fail until the breaker opens, waits, and lets one succeed.
func TestBreakerOpensAtTenthFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		db := mongodb.NewGate(mongodb.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		sent := 0
		do := func(err error) error {
			return db.Run(t.Context(), func(context.Context) error { sent++; return err })
		}
		for i, err := range []error{errTimeout, errNetwork, errStopping, errSlow, errTimeout, errNetwork, errStopping, errSlow, errTimeout, errNetwork} {
			if state := db.Stats().Breaker.State; state != "closed" {
				t.Fatalf("the breaker is %s after %d failures, want closed", state, i)
			}
			time.Sleep(time.Second)
			if err := do(err); !errors.Is(err, mongodb.ErrUnavailable) {
				t.Errorf("failure %d is %v, want one that is ErrUnavailable", i+1, err)
			}
			// What the server has answered, or the caller has given up, is no failure.
			_ = do(nil)
			_ = do(errTwice)
			_ = do(mongo.ErrNoDocuments)
			_ = do(site.ErrNotFound)
		}
		if b := db.Stats().Breaker; b.State != "open" || b.Opened != 1 || b.Failures < 10 {
			t.Fatalf("after the tenth failure the breaker is %+v, want open once", b)
		}
		before := sent
		if err := do(nil); !errors.Is(err, mongodb.ErrUnavailable) || sent != before {
			t.Errorf("open: sent %d commands, error %v; want none and ErrUnavailable", sent-before, err)
		}
		time.Sleep(29 * time.Second)
		if _ = do(nil); sent != before {
			t.Errorf("a command went through after 29 seconds, want none before 30")
		}

		time.Sleep(2 * time.Second)
		if _ = do(errTimeout); sent != before+1 || db.Stats().Breaker.State != "open" {
			t.Errorf("half-open: sent %d, then %s; want one trial whose failure opens it again", sent-before, db.Stats().Breaker.State)
		}
		if _ = do(nil); sent != before+1 {
			t.Error("a command went through after the trial failed")
		}
		time.Sleep(31 * time.Second)
		if err := do(nil); err != nil || db.Stats().Breaker.State != "closed" {
			t.Errorf("after a trial that succeeded: error %v, breaker %s; want none and closed", err, db.Stats().Breaker.State)
		}
		for range 9 {
			_ = do(errTimeout)
		}
		if b := db.Stats().Breaker; b.State != "closed" || b.Opened != 2 || b.HalfOpen != 2 || b.Closed != 1 || b.Refused != 7 {
			t.Errorf("breaker is %+v; want closed, opened 2, half-open 2, closed 1, refused 7", b)
		}
		for _, line := range []string{`msg="mongodb breaker opened" from=closed failures=10`, "msg=\"mongodb breaker is half-open", `msg="mongodb breaker closed"`} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("the log has no line with %s:\n%s", line, log.String())
			}
		}
	})
}

// TestBreakerForgets spreads ten failures over more than the window.
func TestBreakerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mongodb.NewGate(mongodb.Config{})
		for range 20 {
			_ = db.Run(t.Context(), func(context.Context) error { return errTimeout })
			time.Sleep(10 * time.Second)
		}
		if b := db.Stats().Breaker; b.State != "closed" {
			t.Errorf("breaker is %+v after a failure every ten seconds, want closed", b)
		}
	})
}

// TestBreakerCallersDoNotCount lets callers go away: that says nothing about MongoDB, not even as the trial of a
// half-open breaker, which therefore goes on to its end.
func TestBreakerCallersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mongodb.NewGate(mongodb.Config{})
		wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := db.Run(ctx, wait); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mongodb.ErrUnavailable) {
				t.Fatalf("the caller's own end is %v, want its own error", err)
			}
			cancel()
		}
		if b := db.Stats().Breaker; b.State != "closed" || b.Failures != 0 {
			t.Errorf("breaker is %+v after 20 callers went away, want closed without failures", b)
		}
		for range 10 {
			_ = db.Run(t.Context(), wait) // 3 seconds each
		}
		time.Sleep(31 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := db.Run(ctx, func(ctx context.Context) error { time.Sleep(2 * time.Second); return ctx.Err() }); err != nil {
			t.Errorf("a trial that outlives its caller ends with %v, want none", err)
		}
		if b := db.Stats().Breaker; b.State != "closed" {
			t.Errorf("breaker is %+v after a trial that succeeded, want closed", b)
		}
	})
}

// TestBreakerHeartbeats: when a heartbeat lets a command try before the breaker's time is over.
func TestBreakerHeartbeats(t *testing.T) {
	type step struct {
		again bool  // what the heartbeat says
		tries bool  // whether a command may try then
		err   error // of the command that tries
	}
	for name, steps := range map[string][]step{
		"too slow, and stays so":        {{false, true, errSlow}, {false, false, nil}, {false, false, nil}},
		"too slow, then back":           {{false, true, errTimeout}, {false, false, nil}, {true, true, errSlow}, {false, false, nil}},
		"cut, and cut again":            {{false, true, errNetwork}, {false, true, errNetwork}, {false, true, errNetwork}},
		"cut, then too slow":            {{false, true, errNetwork}, {false, true, errSlow}, {false, false, nil}},
		"back, with nothing to hope of": {{true, true, errSlow}, {true, true, errSlow}, {false, false, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := mongodb.NewGate(mongodb.Config{Breaker: mongodb.BreakerConfig{Failures: 3, Open: time.Hour}})
				for range 3 {
					_ = db.Run(t.Context(), func(context.Context) error { return errSlow })
				}
				for i, step := range steps {
					time.Sleep(2 * time.Second)
					db.Heartbeat(step.again)
					for n, want := range []bool{step.tries, false} { // one command, and no second
						sent := false
						_ = db.Run(t.Context(), func(context.Context) error { sent = true; return step.err })
						if sent != want {
							t.Errorf("heartbeat %d, command %d: sent is %v, want %v; breaker %+v", i+1, n+1, sent, want, db.Stats().Breaker)
						}
					}
				}
			})
		})
	}
}

// TestBreakerOneTrial sends many commands at once into a half-open breaker.
func TestBreakerOneTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mongodb.NewGate(mongodb.Config{})
		for range 10 {
			_ = db.Run(t.Context(), func(context.Context) error { return errTimeout })
		}
		time.Sleep(30 * time.Second)
		sent := make(chan bool, 50)
		for range cap(sent) {
			go func() {
				_ = db.Run(t.Context(), func(context.Context) error { sent <- true; time.Sleep(time.Second); return nil })
			}()
		}
		synctest.Wait()
		if len(sent) != 1 {
			t.Errorf("%d commands went through a half-open breaker, want 1", len(sent))
		}
		time.Sleep(2 * time.Second)
	})
}
