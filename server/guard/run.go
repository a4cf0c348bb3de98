package guard

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// Open reads the lists and the stored state. It returns errors of lists, because a site should not start with half of
// its blocklist.
func (g *Guard) Open(now time.Time) error {
	_, err1 := g.allow.Reload(now)
	_, err2 := g.block.Reload(now)
	return errors.Join(err1, err2, g.restore(now))
}

// Reload reads changed lists again. A list with mistakes keeps its old content.
func (g *Guard) Reload(now time.Time) error {
	_, err1 := g.allow.Reload(now)
	_, err2 := g.block.Reload(now)
	return errors.Join(err1, err2)
}

// Run reloads the lists, verifies search engines, exchanges news with other servers, stores bans and measures the load
// until ctx ends. It stores the last changes before it returns.
func (g *Guard) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return g.verifier.Run(ctx) })
	tasks.Go(func() error {
		told := ""
		every(ctx, reloadEvery, func(now time.Time) {
			switch err := g.Reload(now); {
			case err == nil:
				told = ""
			case err.Error() != told:
				told = err.Error()
				g.log.Error("a list of addresses stays as it was", "error", err)
			}
		})
		return nil
	})
	tasks.Go(func() error { every(ctx, sweepEvery, g.sweep); return nil })
	if !g.cfg.Shed.Off {
		tasks.Go(func() error { every(ctx, sampleEvery, func(time.Time) { g.load.Sample() }); return nil })
	}
	if g.cfg.Breaker != nil {
		tasks.Go(func() error {
			g.SetBreaker(g.cfg.Breaker())
			every(ctx, breakerEvery, func(time.Time) { g.SetBreaker(g.cfg.Breaker()) })
			return nil
		})
	}
	if g.cfg.Ledger != nil {
		tasks.Go(func() error { g.shareForever(ctx); return nil })
	}
	if g.cfg.File != "" {
		tasks.Go(func() error {
			failed, last := false, time.Time{}
			every(ctx, saveEvery, func(now time.Time) {
				// The whole file is written each time, so many bans are written less often.
				if now.Sub(last) >= saveEvery*time.Duration(g.bans.Len()/5000) {
					failed, last = g.keep(failed), now
				}
			})
			return nil
		})
	}
	err := tasks.Wait()
	if g.cfg.File != "" {
		err = errors.Join(err, g.save())
	}
	return err
}

const (
	reloadEvery  = 5 * time.Second
	sampleEvery  = 500 * time.Millisecond
	breakerEvery = time.Second
	sweepEvery   = time.Minute
	saveEvery    = time.Second
)

// every calls f until ctx is done.
func every(ctx context.Context, d time.Duration, f func(now time.Time)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			f(now)
		}
	}
}

// shareForever exchanges news with the other servers: at once if something waits, otherwise from time to time. It logs
// once when the ledger goes away, also at the start, and once when it returns.
func (g *Guard) shareForever(ctx context.Context) {
	told, shared, present := false, time.Time{}, time.Time{}
	for {
		pause := shareEvery
		switch {
		case told && time.Since(present) >= presentEvery:
			present = time.Now()
			_ = g.present(ctx) // the next round finds out whether the ledger is away
		case g.pending.waits(), time.Since(shared) >= shareIdle:
			err := g.share(ctx)
			if ctx.Err() != nil {
				return
			}
			g.away.Store(err != nil)
			if was := g.shared.Swap(err == nil); !told || was != (err == nil) {
				if err != nil {
					g.log.Error("counts and bans are not shared with other servers", "error", err)
				} else {
					g.log.Info("counts and bans are shared with other servers")
				}
			}
			told, shared = true, time.Now()
			if err != nil {
				pause, shared, present = shareAgain, time.Time{}, shared // do not call present while the ledger is away
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
