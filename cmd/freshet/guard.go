package main

import (
	"log/slog"
	"net"
	"time"

	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/server/guard"
)

// openGuard makes the guard of the settings, and reads its lists and its file in the state folder; with an empty state it
// has no file. Servers share counts and bans through the Redis of the settings, if they name one. The guard goes by the circuit breaker
// of mongo; nil: there is none. Guard and client are parts of p from then on.
func openGuard(eff *settings.Effective, p *parts, state string, mongo *mongodb.DB, logger *slog.Logger) (*guard.Guard, error) {
	redis, err := openRedis(eff)
	if err != nil {
		return nil, err
	}
	cfg := eff.Guard.Policy
	cfg.Logger = logger.With("part", "guard")
	cfg.Resolver = net.DefaultResolver
	cfg.File = guard.FileFor(state, eff.Listen)
	if redis != nil {
		p.close(redis.Close)
		cfg.Ledger = redis.Ledger()
	}
	if mongo != nil {
		cfg.Breaker = mongo.Resting
	}
	g, err := guard.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := g.Open(time.Now()); err != nil {
		return nil, failed(err, settings.ListRemedy+"; the rest is in the state folder")
	}
	p.runBehind(g.Run)
	return g, nil
}
