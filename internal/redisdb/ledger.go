package redisdb

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/take.lua
var takeSource string

//go:embed lua/share.lua
var shareSource string

//go:embed lua/present.lua
var presentSource string

// A Ledger gives one server access to what the guards of all servers share. Its methods may be called by several goroutines.
type Ledger struct {
	db                   *DB
	server               string // by which it knows its own events
	take, share, present *redis.Script
}

// Ledger returns the ledger for one server.
func (db *DB) Ledger() *Ledger {
	return &Ledger{db: db, server: rand.Text(), take: redis.NewScript(takeSource), share: redis.NewScript(shareSource),
		present: redis.NewScript(presentSource)}
}

// Take takes one of limit attempts within window from every key, or from no key if one has none left. By Redis's clock it is exact
// in any window, also for calls at the same time. It returns how many attempts the key with the fewest has left, or how long to
// wait. A call that fails may have taken attempts.
func (l *Ledger) Take(ctx context.Context, keys []string, limit int, window time.Duration) (left int, wait time.Duration, err error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = l.db.prefix + takeKey + key
	}
	reply, err := l.run(ctx, "count an attempt", l.take, names, limit, window.Microseconds())
	if err != nil {
		return 0, 0, err
	}
	n, ok := integers(reply)
	if !ok || len(n) != 2 {
		return 0, 0, l.strange("count an attempt")
	}
	return int(n[0]), time.Duration(n[1]) * time.Microsecond, nil
}

// Share exchanges news in one round trip: it adds to debts, which are paid off by time, and tells how much all servers
// together have made them; it tells strikes, bans and orders, and what others have told after cursor, the oldest thousand of
// each. Bans and orders stand until there is a greater text about the same. An empty next says that something is lost of what
// cursor was of. A call that fails may have been carried out.
//
// It is meant for some thousands of keys and a hundred kilobytes of events at most: Redis does nothing else meanwhile.
func (l *Ledger) Share(ctx context.Context, spent map[string]time.Duration, strikes [][]byte, bans, orders map[string][]byte, cursor string) (
	owed map[string]time.Duration, news [][]byte, next string, err error) {
	const what = "share counts and bans"
	names := make([]string, 0, 6+len(spent))
	for _, key := range []string{nameKey, hitsKey, banKey, banTurns, orderKey, ordTurns} {
		names = append(names, l.db.prefix+key)
	}
	at := strings.Fields(cursor) // the name, the last strike, the turns of bans and orders
	if len(at) != 4 {
		at = []string{"", "0-0", "0", "0"}
	}
	known := at[0]
	args := make([]any, 0, 15+len(strikes)+2*len(bans)+2*len(orders)+len(spent))
	args = append(args, l.server, known, rand.Text(), int(kept.Seconds()), int(strikesKept.Seconds()), mostStrikes, mostOrders, batch,
		mostDebt.Microseconds(), at[1], at[2], at[3], len(strikes), len(bans), len(orders))
	for _, e := range strikes {
		args = append(args, e)
	}
	for _, told := range []map[string][]byte{bans, orders} {
		for about, e := range told {
			args = append(args, about, e)
		}
	}
	order := slices.Collect(maps.Keys(spent))
	for _, key := range order {
		names = append(names, l.db.prefix+debtKey+key)
		args = append(args, spent[key].Microseconds())
	}
	reply, err := l.run(ctx, what, l.share, names, args...)
	if err != nil {
		return nil, nil, "", err
	}
	if len(reply) != 4 {
		return nil, nil, "", l.strange(what)
	}
	name, ok1 := reply[0].(string)
	last, ok2 := texts(reply[1])
	heard, ok3 := texts(reply[2])
	list, ok4 := reply[3].([]any)
	debts, ok5 := integers(list)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || len(last) != 3 || len(debts) != len(order) {
		return nil, nil, "", l.strange(what)
	}
	owed = make(map[string]time.Duration, len(order))
	for i, key := range order {
		owed[key] = time.Duration(debts[i]) * time.Microsecond
	}
	for _, text := range heard {
		news = append(news, []byte(text))
	}
	if known != "" && name != known {
		return owed, news, "", nil
	}
	return owed, news, name + " " + strings.Join(last, " "), nil
}

// Present records that this server runs, and returns how many servers ran within the last minute.
func (l *Ledger) Present(ctx context.Context) (servers int, err error) {
	const what = "count the servers"
	reply, err := l.run(ctx, what, l.present, []string{l.db.prefix + hereKey}, l.server, hereFor.Microseconds())
	if err != nil {
		return 0, err
	}
	n, ok := integers(reply)
	if !ok || len(n) != 1 {
		return 0, l.strange(what)
	}
	return int(n[0]), nil
}

// run runs a script by its digest, or by its text if Redis has forgotten it.
func (l *Ledger) run(ctx context.Context, what string, script *redis.Script, keys []string, args ...any) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := l.db.connect(ctx); err != nil {
		return nil, l.db.explain(what, err)
	}
	reply, err := script.Run(ctx, l.db.client, keys, args...).Slice()
	if err != nil {
		if _, answered := errors.AsType[redis.Error](err); !answered {
			l.db.lost()
		}
		return nil, l.db.explain(what, err)
	}
	return reply, nil
}

// strange is the error for an answer that the script never gives.
func (l *Ledger) strange(what string) error {
	return &Error{Message: fmt.Sprintf("%s: what answers at %s (redis.url, REDIS_URL) is not like Redis", what, l.db.url.host()),
		Remedy: "see that it runs scripts as Redis 6.2 does"}
}

func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	out := make([]string, len(list))
	for i, v := range list {
		text, is := v.(string)
		out[i], ok = text, ok && is
	}
	return out, ok
}

func integers(list []any) ([]int64, bool) {
	out := make([]int64, len(list))
	for i, v := range list {
		n, ok := v.(int64)
		if !ok {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
