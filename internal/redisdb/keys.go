package redisdb

import "time"

// Every key is below the prefix and one hash tag, so that a script may name several of them on a cluster too.
// docs/formats/redis.md describes them.
const (
	tag      = "{guard}:"
	takeKey  = tag + "take:" // list: moments of attempts
	debtKey  = tag + "debt:" // string: when all is paid
	logKey   = tag + "log"   // stream: events
	logNamed = tag + "log:name"
	hereKey  = tag + "servers" // sorted set: when each was last there
)

const (
	logKept   = 30 * 24 * time.Hour // after the last event
	logLength = 10_000
	logBatch  = 1000 // entries read at once
	mostDebt  = 48 * time.Hour
	hereFor   = time.Minute
)
