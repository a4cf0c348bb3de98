package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/handover"
	"freshet/internal/settings"
)

// provenAfter is how long a command must run with changed settings before they count as good.
const provenAfter = time.Minute

// reloading runs a command until ctx ends, and restarts it when the settings change and have no mistake. If the command cannot run with the
// new settings, it is restarted with the earlier ones. The sockets stay open meanwhile: clients wait and are not refused.
func (inv *invocation) reloading(ctx context.Context, cmd *cobra.Command, eff *settings.Effective, run func(context.Context, *settings.Effective) error) error {
	h := handover.New()
	inv.handover = h
	defer h.Close()
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	good := eff
	watcher := settings.Watch(eff, settings.Input{File: inv.config, Env: inv.env, Flags: cmd.Flags()}, hangUp)
	for {
		logger := inv.logger(eff.Log)
		h.Keep(eff.Sockets())
		running, stop := context.WithCancel(ctx)
		var next *settings.Effective
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if next = watcher.Await(running, eff, logger); next != nil {
				h.Restart()
				stop()
			}
		}()
		began := time.Now()
		err := run(running, eff)
		proven := time.Since(began) >= provenAfter
		stop()
		<-watched
		switch {
		case ctx.Err() != nil:
			return err
		case next != nil:
			if err == nil || proven {
				good = eff
			}
			if err != nil {
				logger.Error("freshet did not end as it should before it begins anew", "error", err)
			}
			eff = next
		case err == nil || proven || eff == good:
			return err
		default:
			attrs := []any{"error", err}
			if f, ok := errors.AsType[*failure](err); ok && f.hint != "" {
				attrs = append(attrs, "remedy", f.hint)
			}
			logger.Error("freshet cannot run with the changed settings: it goes on with those before", attrs...)
			eff = good
		}
	}
}
