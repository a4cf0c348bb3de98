package main

import (
	"errors"
	"log/slog"

	"freshet/internal/builder"
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

	_ builder.Preview = (*server.DevEvents)(nil)
)

// openDaemon makes the revalidator of a builder, and the purges at the CDNs that the settings name. The caller closes the
// purges, and runs both.
func openDaemon(eff *settings.Effective, b *builder.Builder, dev *server.DevEvents, logger *slog.Logger) (*revalidator.Revalidator, *purges, error) {
	purges, err := openPurges(eff, b.Store, logger)
	if err != nil {
		return nil, nil, err
	}
	var preview builder.Preview
	if dev != nil {
		preview = dev
	}
	daemon, err := newDaemon(eff, b, builder.NewRebuilder(b, preview, purges.Commit, logger), purges, logger)
	if err != nil {
		return nil, nil, errors.Join(err, purges.Close())
	}
	return daemon, purges, nil
}

func newDaemon(eff *settings.Effective, b *builder.Builder, builds *builder.Rebuilder, purges *purges, logger *slog.Logger) (*revalidator.Revalidator, error) {
	resolver := &revalidator.Resolver{Current: func() revalidator.Pages { return b.Store.Current() }, InFiles: !eff.FromMongo()}
	cfg := revalidator.Config{
		Build:       builds.Build,
		Unavailable: documents.Unavailable,
		Why:         b.Source.Outage,
		Refused:     builds.Refused,
		Resolve:     resolver.Resolve,
		Plan:        resolver.Plan,
		Await:       b.Await,
		Mend:        b.Store.Distrust,
		Purged:      purges.Trusted,
		NextFlip:    b.Generator().NextFlip,
		Content:     eff.Content,
		Theme:       eff.Templates,
		State:       eff.State,
		Control:     eff.State,
		Verify:      eff.ISR.Revalidate,
		Census:      b.Source,
		Logger:      logger,
	}
	if db := b.Source.DB(); db != nil {
		feed, err := mongodb.NewFeed(db, eff.ISR.Poll)
		if err != nil {
			return nil, err
		}
		cfg.Feed = feed
	}
	return revalidator.New(cfg)
}
