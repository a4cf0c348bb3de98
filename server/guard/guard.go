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

// A Guard judges requests. It is safe for use by many.
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
	attempts  *limit.Table[limit.Log] // to sign in, by client
	accounts  *limit.Table[limit.Log] // by account
	familiar  *limit.Table[int64]     // when a client last signed in to an account
	offenders *limit.Table[offender]

	meter    *traffic.Meter
	load     *traffic.Load
	switches switches
	orders   orders
	pending  pending
	shared   atomic.Bool
	away     atomic.Bool // the last try to share failed
	saved    saved
	stats    counters
	ring     ring
}

// A classLimit is a class's limit, ready for use.
type classLimit struct {
	on       bool
	slot     int8 // of a client's buckets; negative: none
	ofAlike  int8 // of a lookalike's; negative: none
	shared   bool // with other servers
	requests int
	window   time.Duration
	policies [3]limit.Policy // as it is, halved, quartered
	alike    limit.Policy    // of all who look alike in a network
	headers  [3]string       // RateLimit-Policy of each
}

// A client is what is known of a client that does nothing wrong. It is one cache line.
type client struct {
	buckets [7]limit.Bucket
	paths   uint32 // bits of the paths asked for within the minute
	minute  uint16
	missing uint16 // unknown addresses within it
}

// A lookalike is what those who look alike in a network have used, and when one of them was last refused.
type lookalike struct {
	buckets [4]limit.Bucket
	refused int64
}

// slots says which of a client's buckets is a class's, and which of a lookalike's.
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
	alikeFor     = time.Hour // after a refusal of one, all who look like it are counted together
	alikeCells   = 1 << 14
	attemptCells = 1 << 14
	maxSpread    = 28                          // of 32 bits: more than sixty different paths within a minute
	longAgo      = int64(365 * 24 * time.Hour) // the guard's clock at its start: a moment of zero was long before
)

// New makes a Guard. It reads no file and starts nothing: see [Guard.Open] and [Guard.Run].
func New(cfg Config) (*Guard, error) { return NewAt(cfg, time.Now()) }

// NewAt makes a Guard whose clock begins at start: for replaying what was.
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

// tick is a moment on the guard's clock, which setting the machine's does not move.
func (g *Guard) tick(now time.Time) int64 { return longAgo + int64(now.Sub(g.start)) }

// second is a moment as tables want it.
func second(tick int64) uint32 { return uint32(tick / int64(time.Second)) }
