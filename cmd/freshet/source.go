package main

import (
	"context"
	"log/slog"

	"freshet/generator"
	"freshet/internal/contentdir"
	"freshet/internal/documents"
	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/revalidator"
)

var (
	_ generator.Source   = (*documents.Source)(nil)
	_ revalidator.Census = (*documents.Source)(nil)
)

// openSource opens the source that the settings name. It does not ask MongoDB yet.
func openSource(ctx context.Context, cfg *settings.Settings, memo contentdir.Memo, logger *slog.Logger) (*documents.Source, error) {
	dc := documents.Config{
		Content: cfg.Content, Own: []string{cfg.Public, cfg.State, cfg.Templates}, Language: cfg.Site.Language, Zone: cfg.Zone(), Memo: memo, Logger: logger,
	}
	if cfg.FromMongo() {
		dc.Mongo = &cfg.Mongo
	}
	return documents.Open(ctx, dc)
}

// openMongo makes the client of the MongoDB that the settings name, whatever the source is.
func openMongo(ctx context.Context, cfg *settings.Settings, logger *slog.Logger) (*mongodb.DB, error) {
	return documents.OpenMongo(ctx, cfg.Mongo, cfg.Zone(), logger)
}
