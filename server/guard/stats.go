package guard

import (
	"sync/atomic"
	"time"

	"freshet/server/guard/bots"
)

// counters are what the guard counts. Every index is of a closed set.
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
	Outcome string `json:"outcome"` // passed, refused, shadow: it would have been refused
	N       uint64 `json:"n"`
}

// Stats is the guard's figures, for metrics and dashboards. All labels are of closed sets.
type Stats struct {
	Decisions   []Count           // those that are not zero
	Kinds       map[string]uint64 // requests, by what sent them
	Violations  map[string]uint64 // episodes, by class
	Bans        uint64            // made by the guard
	ActiveBans  int
	KnownBans   int // also those that have ended and are not forgotten
	AllowList   int // prefixes
	BlockList   int
	Clients     int // cells that were ever used
	Offenders   int
	Honeypot    uint64
	Impostors   uint64
	Killed      bool
	HighTraffic bool
	Rate        float64           // requests a second that high-traffic mode goes by
	Entered     uint64            // times that high-traffic mode began
	ShedLevel   int               // 0 to 3
	Shared      bool              // servers know of each other; false without a Ledger too
	Servers     int               // that share, as the Ledger last said
	Alone       uint64            // attempts to sign in that this server judged by its own count, because the Ledger failed
	Unshared    uint64            // counts that were not shared, because there were too many at once
	Untold      map[string]uint64 // order, ban, strike: news that other servers were not told, because too much waited
}

// Stats returns the figures as they are.
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
