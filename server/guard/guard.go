package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/cidr"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// A Guard judges requests. It is safe for concurrent use.
type Guard struct {
	cfg    Config
	log    *slog.Logger
	shadow shadows
	start  time.Time

	limits [numClasses]classLimit

	allow, block *cidr.List
	bans         *bans.Table
	verifier     *bots.Verifier
	looks        looks
	marks        marks

	clients   *limit.Table[client]
	alike     *limit.Table[lookalike]
	attempts  *limit.Table[limit.Log] // sign-in attempts by client
	accounts  *limit.Table[limit.Log] // sign-in attempts by account
	familiar  *limit.Table[int64]     // time of a client's last sign-in to an account
	offenders *limit.Table[offender]

	meter    *traffic.Meter
	load     *traffic.Load
	switches switches
	orders   orders
	pending  pending
	shared   atomic.Bool
	away     atomic.Bool // the last exchange with the ledger failed
	saved    saved
	stats    counters
	ring     ring
}

// A classLimit is the prepared limit of a class.
type classLimit struct {
	on       bool
	slot     int8 // index into a client's buckets; negative: none
	ofAlike  int8 // index into a lookalike's buckets; negative: none
	shared   bool // with other servers
	requests int
	window   time.Duration
	policies [3]limit.Policy // full, half and quarter
	alike    limit.Policy    // for all clients with the same fingerprint
	headers  [3]string       // RateLimit-Policy for each policy
}

// A client is the state of a client. It is one cache line.
type client struct {
	buckets [7]limit.Bucket
	paths   uint32 // bit set of the paths requested in this minute
	minute  uint16
	missing uint16 // 404 answers in this minute
}

// A lookalike is the shared state of all clients with the same fingerprint. refused is the time of the last refusal.
type lookalike struct {
	buckets [4]limit.Bucket
	refused int64
}

// slots returns the bucket indexes of a class for clients and for lookalikes.
func slots(c Class) (ofClient, ofAlike int8) {
	switch c {
	case API:
		return 0, 0
	case Blog:
		return 1, 1
	case Search:
		return 2, 2
	case Page:
		return 3, -1
	case Webhook:
		return 4, -1
	case Metrics:
		return 5, -1
	case AI:
		return 6, -1
	case Auth:
		return -1, 3
	}
	return -1, -1
}

const (
	alikeFactor  = 10
	alikeFor     = time.Hour // for this long after a refusal, all clients with the same fingerprint share a limit
	alikeCells   = 1 << 14
	attemptCells = 1 << 14
	maxSpread    = 28                          // of 32 bits, set by more than sixty different paths in a minute
	longAgo      = int64(365 * 24 * time.Hour) // the guard's clock at its start, so that the time zero was long ago
)

// New makes a Guard. It reads no file and starts nothing: see [Guard.Open] and [Guard.Run].
func New(cfg Config) (*Guard, error) { return NewAt(cfg, time.Now()) }

// NewAt makes a Guard whose clock starts at start. It is for replaying logs.
func NewAt(cfg Config, start time.Time) (*Guard, error) {
	cfg, err1 := cfg.withDefaults()
	shadow, err2 := parseShadows(cfg.Shadow)
	allow, err3 := cidr.NewList(cfg.Allow)
	block, err4 := cidr.NewList(cfg.Block)
	if err := errors.Join(err1, err2, prefixed("allow", err3), prefixed("block", err4)); err != nil {
		return nil, err
	}
	table, err := bans.New(bans.Config{Steps: cfg.Ban.Steps, Forget: cfg.Ban.Forget})
	if err != nil {
		return nil, err
	}
	verifier, err := bots.NewVerifier(cfg.Resolver)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		cfg: cfg, log: cfg.Logger, shadow: shadow, start: start,
		allow: allow, block: block, bans: table, verifier: verifier,
		clients:   limit.NewTable[client](cfg.Clients),
		alike:     limit.NewTable[lookalike](min(alikeCells, cfg.Clients)),
		attempts:  limit.NewTable[limit.Log](min(attemptCells, cfg.Clients)),
		accounts:  limit.NewTable[limit.Log](min(attemptCells, cfg.Clients)),
		familiar:  limit.NewTable[int64](min(attemptCells, cfg.Clients)),
		offenders: limit.NewTable[offender](min(offenders, cfg.Clients)),
		meter:     traffic.NewMeter(cfg.HighTraffic.Config),
		load:      traffic.NewLoad(cfg.Shed.Latency),
		orders:    orders{lifted: make(map[netip.Prefix]withdrawal), hidden: make(map[netip.Prefix]*bans.Ban)},
		pending:   newPending(),
	}
	g.marks.turn(start)
	for c := range numClasses {
		l := &g.limits[c]
		l.slot, l.ofAlike = slots(c)
		l.window = time.Minute
		rate := cfg.Limits.Of(c)
		if rate == nil || rate.IsOff() {
			continue
		}
		p := limit.NewPolicy(*rate)
		l.on, l.requests, l.window = true, rate.Requests, rate.Window
		l.policies = [...]limit.Policy{p, p.Lowered(2), p.Lowered(4)}
		for i, by := range [...]int{1, 2, 4} {
			l.headers[i] = `"` + c.String() + `";q=` + strconv.Itoa(max(rate.Requests/by, 1)) + ";w=" + strconv.FormatInt(seconds(rate.Window), 10)
		}
		l.shared = l.slot >= 0 && c != Webhook
		if l.ofAlike >= 0 {
			l.alike = p.Raised(alikeFactor)
		}
	}
	return g, nil
}

func prefixed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// tick converts a time to the guard's clock, which does not jump when the system clock is set.
func (g *Guard) tick(now time.Time) int64 { return longAgo + int64(now.Sub(g.start)) }

// second converts a tick to the unit of tables.
func second(tick int64) uint32 { return uint32(tick / int64(time.Second)) }
