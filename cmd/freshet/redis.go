package main

import (
	"errors"

	"freshet/internal/redisdb"
	"freshet/internal/settings"
	"freshet/server/guard"
)

var _ guard.Ledger = (*redisdb.Ledger)(nil)

// openRedis makes the client of the Redis that servers share; nil: the settings name none. It does not ask Redis yet. The
// caller closes the client after the users of its ledger have ended.
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
