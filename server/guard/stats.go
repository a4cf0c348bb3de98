package guard

import (
	"sync/atomic"
	"time"

	"freshet/server/guard/bots"
)

// counters holds the guard's counts. Every index comes from a closed set.
type counters struct {
	decided    [numRules][numClasses]atomic.Uint64 // RuleNone, RuleHealth, RuleAllowList: passed
	shadowed   [numRules][numClasses]atomic.Uint64
	kinds      [8]atomic.Uint64
	violations [numClasses]atomic.Uint64
	bans       atomic.Uint64
	honeypot   atomic.Uint64
	impostors  atomic.Uint64
	unshared   atomic.Uint64
	untold     [numTold]atomic.Uint64
	alone      atomic.Uint64
}

// A Count is a counter with its labels.
type Count struct {
	Rule    string `json:"rule"`
	Class   string `json:"class"`
	Outcome string `json:"outcome"` // passed, refused, or shadow: refused only outside shadow mode
	N       uint64 `json:"n"`
}

// Stats holds the guard's numbers for metrics and dashboards. All labels come from closed sets.
type Stats struct {
	Decisions   []Count           // only those above zero
	Kinds       map[string]uint64 // requests by kind of sender
	Violations  map[string]uint64 // episodes by class
	Bans        uint64            // made by the guard
	ActiveBans  int
	KnownBans   int // includes ended bans that are not forgotten yet
	AllowList   int // prefixes
	BlockList   int
	Clients     int // cells used so far
	Offenders   int
	Honeypot    uint64
	Impostors   uint64
	Killed      bool
	HighTraffic bool
	Rate        float64           // requests a second, as high-traffic mode measures them
	Entered     uint64            // starts of high-traffic mode
	ShedLevel   int               // 0 to 3
	Shared      bool              // the last exchange with the ledger succeeded
	Servers     int               // servers that share, as the Ledger last reported
	Alone       uint64            // sign-in attempts that this server judged alone because the Ledger failed
	Unshared    uint64            // counts not shared, because too many waited
	Untold      map[string]uint64 // order, ban, strike: news not sent to other servers, because too many waited
}

// Stats returns the current numbers.
func (g *Guard) Stats(now time.Time) Stats {
	s := Stats{
		Kinds: make(map[string]uint64), Violations: make(map[string]uint64), Untold: make(map[string]uint64),
		Bans: g.stats.bans.Load(), ActiveBans: g.bans.CountActive(now), KnownBans: g.bans.Len(),
		AllowList: g.allow.Set().Len(), BlockList: g.block.Set().Len(),
		Clients: g.clients.Used(), Offenders: g.offenders.Used(),
		Honeypot: g.stats.honeypot.Load(), Impostors: g.stats.impostors.Load(),
		Killed: g.Killed(now) != nil, Entered: g.meter.Entered(), ShedLevel: int(g.load.Level()),
		Shared: g.shared.Load(), Servers: int(g.pending.servers.Load()), Unshared: g.stats.unshared.Load(), Alone: g.stats.alone.Load(),
	}
	s.HighTraffic, s.Rate = g.HighTraffic(now)
	for r := range numRules {
		for c := range numClasses {
			if n := g.stats.decided[r][c].Load(); n > 0 {
				outcome := "refused"
				if r.Status() == 200 {
					outcome = "passed"
				}
				s.Decisions = append(s.Decisions, Count{r.String(), c.String(), outcome, n})
			}
			if n := g.stats.shadowed[r][c].Load(); n > 0 {
				s.Decisions = append(s.Decisions, Count{r.String(), c.String(), "shadow", n})
			}
		}
	}
	for _, k := range bots.Kinds() {
		s.Kinds[k.String()] = g.stats.kinds[k].Load()
	}
	for kind, name := range toldNames {
		s.Untold[name] = g.stats.untold[kind].Load()
	}
	for c := range numClasses {
		s.Violations[c.String()] = g.stats.violations[c].Load()
	}
	return s
}
