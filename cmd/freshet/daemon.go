package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"freshet/internal/mongodb"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/revalidator"
	"freshet/revalidator/webhook"
	"freshet/server"
)

var (
	_ revalidator.Feed   = (*mongodb.Feed)(nil)
	_ revalidator.Pages  = (*pagestore.Generation)(nil)
	_ revalidator.Census = (*source)(nil)

	_ webhook.Desk = (*revalidator.Revalidator)(nil)
	_ webhook.Desk = (*revalidator.Control)(nil)
)

// openDaemon makes the revalidator of a workshop, with the purges at the CDNs that the settings name. Whoever opens it
// closes the purges, and runs both.
func openDaemon(eff *settings.Effective, w *workshop, dev *server.DevEvents, logger *slog.Logger) (*builds, *revalidator.Revalidator, error) {
	b := &builds{workshop: w, dev: dev, logger: logger, said: map[string]bool{}}
	var err error
	if b.purges, err = openPurges(eff, w.store, logger); err != nil {
		return nil, nil, err
	}
	daemon, err := newDaemon(eff, b)
	if err != nil {
		return nil, nil, errors.Join(err, b.purges.Close())
	}
	return b, daemon, nil
}

func newDaemon(eff *settings.Effective, b *builds) (*revalidator.Revalidator, error) {
	resolver := &revalidator.Resolver{Current: func() revalidator.Pages { return b.workshop.store.Current() }, InFiles: !eff.FromMongo()}
	cfg := revalidator.Config{
		Build:       b.build,
		Unavailable: unavailable,
		Why:         b.workshop.source.why,
		Refused:     b.obstacles.list,
		Resolve:     resolver.Resolve,
		Plan:        resolver.Plan,
		Await:       b.workshop.await,
		Mend:        b.workshop.store.Distrust,
		Purged:      b.purges.Trusted,
		NextFlip:    b.workshop.gen.NextFlip,
		Content:     eff.Content,
		Theme:       eff.Templates,
		State:       eff.State,
		Control:     eff.State,
		Verify:      eff.ISR.Revalidate,
		Census:      b.workshop.source,
		Logger:      b.logger,
	}
	if source := b.workshop.source; source.mongo != nil {
		feed, err := mongodb.NewFeed(source.db, eff.ISR.Poll)
		if err != nil {
			return nil, err
		}
		cfg.Feed = feed
	}
	return revalidator.New(cfg)
}

// unavailable reports whether a build failed because something could not be asked or written, which is not the fault of
// what was to be built.
func unavailable(err error) bool {
	_, mongo := errors.AsType[*mongodb.Error](err)
	_, file := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return mongo || file || link || system
}
