package main

import (
	"errors"
	"log/slog"

	"freshet/internal/documents"
	"freshet/internal/mongodb"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/revalidator"
	"freshet/revalidator/webhook"
	"freshet/server"
)

var (
	_ revalidator.Feed  = (*mongodb.Feed)(nil)
	_ revalidator.Pages = (*pagestore.Generation)(nil)

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
		Unavailable: documents.Unavailable,
		Why: func(err error) revalidator.Refusal {
			o := b.workshop.source.Outage(err)
			return revalidator.Refusal{By: o.By, Reason: o.Reason, Remedy: o.Remedy}
		},
		Refused:  b.obstacles.list,
		Resolve:  resolver.Resolve,
		Plan:     resolver.Plan,
		Await:    b.workshop.await,
		Mend:     b.workshop.store.Distrust,
		Purged:   b.purges.Trusted,
		NextFlip: b.workshop.gen.NextFlip,
		Content:  eff.Content,
		Theme:    eff.Templates,
		State:    eff.State,
		Control:  eff.State,
		Verify:   eff.ISR.Revalidate,
		Census:   b.workshop.source,
		Logger:   b.logger,
	}
	if db := b.workshop.source.DB(); db != nil {
		feed, err := mongodb.NewFeed(db, eff.ISR.Poll)
		if err != nil {
			return nil, err
		}
		cfg.Feed = feed
	}
	return revalidator.New(cfg)
}
