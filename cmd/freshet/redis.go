package main

import (
	"errors"

	"freshet/internal/redisdb"
	"freshet/internal/settings"
	"freshet/server/guard"
)

var _ guard.Ledger = (*redisdb.Ledger)(nil)

// openRedis makes the client of the Redis that servers share, which asks it nothing yet. It is nil where no Redis is set; else
// the caller closes it when whoever uses its ledger has ended.
func openRedis(eff *settings.Effective) (*redisdb.DB, error) {
	if eff.Redis.URL == "" {
		return nil, nil
	}
	db, err := redisdb.New(eff.Redis)
	if e, ok := errors.AsType[*redisdb.Error](err); ok {
		return nil, misuse(e.Remedy, "%s", e.Message)
	}
	return db, err
}
