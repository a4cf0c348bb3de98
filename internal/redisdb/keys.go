package redisdb

import "time"

// Every key is below the prefix and one hash tag, so that a script may name several of them on a cluster too.
// docs/formats/redis.md describes them.
const (
	tag      = "{guard}:"
	takeKey  = tag + "take:"        // list: moments of attempts
	debtKey  = tag + "debt:"        // string: when all is paid
	nameKey  = tag + "name"         // string: of what is kept in the next ones
	hitsKey  = tag + "strikes"      // stream: events
	banKey   = tag + "bans"         // hash: events by what they are about
	banTurns = tag + "bans:turns"   // sorted set: what they are about, by when it was told
	orderKey = tag + "orders"       // hash, as bans
	ordTurns = tag + "orders:turns" // sorted set, as that of bans
	hereKey  = tag + "servers"      // sorted set: when each was last there
)

const (
	kept        = 30 * 24 * time.Hour // after a server last shared
	strikesKept = 24 * time.Hour      // after the last
	mostStrikes = 5000
	mostOrders  = 10_000 // and as many bans
	batch       = 1000   // strikes, bans and orders that are read at once, of each
	mostDebt    = 48 * time.Hour
	hereFor     = time.Minute
)
