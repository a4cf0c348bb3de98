package main

import (
	"context"
	"log/slog"

	"freshet/generator"
	"freshet/internal/documents"
	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/revalidator"
)

var (
	_ generator.Source   = (*documents.Source)(nil)
	_ revalidator.Census = (*documents.Source)(nil)
)

// documentsConfig is the source that the settings name.
func documentsConfig(cfg *settings.Settings, logger *slog.Logger) documents.Config {
	dc := documents.Config{
		Content: cfg.Content, Own: []string{cfg.Public, cfg.State, cfg.Templates}, Language: cfg.Site.Language, Zone: cfg.Zone(), Logger: logger,
	}
	if cfg.FromMongo() {
		dc.Mongo = &cfg.Mongo
	}
	return dc
}

// openMongo makes the client of the MongoDB that the settings name, whatever the source is.
func openMongo(ctx context.Context, cfg *settings.Settings, logger *slog.Logger) (*mongodb.DB, error) {
	return documents.OpenMongo(ctx, cfg.Mongo, cfg.Zone(), logger)
}
