package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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

	limits  [numClasses]classLimit
	longest time.Duration // of the windows of limits that are shared

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
	pending  pending
	shared   atomic.Bool
	saved    saved
	stats    counters
	ring     ring
}

// A classLimit is a class's limit, ready for use.
type classLimit struct {
	on       bool
	slot     int8 // of a client's buckets; negative: none
	ofAlike  int8 // of a lookalike's; negative: none
	shared   bool
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

// A lookalike is what those who look alike in a network have used.
type lookalike struct{ buckets [4]limit.Bucket }

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
		pending:   pending{counts: make(map[pendingKey]int64)},
	}
	g.marks.turn(start)
	for c := range numClasses {
		l := &g.limits[c]
		l.slot, l.ofAlike = slots(c)
		l.window = time.Minute
		rate := cfg.Limits.of(c)
		if rate == nil || rate.IsOff() {
			continue
		}
		p := limit.NewPolicy(*rate)
		l.on, l.requests, l.window = true, rate.Requests, rate.Window
		l.policies = [...]limit.Policy{p, p.Lowered(2), p.Lowered(4)}
		for i, by := range [...]int{1, 2, 4} {
			l.headers[i] = `"` + c.String() + `";q=` + strconv.Itoa(max(rate.Requests/by, 1)) + ";w=" + strconv.FormatInt(seconds(rate.Window), 10)
		}
		if l.shared = l.slot >= 0; l.shared {
			g.longest = max(g.longest, rate.Window)
		}
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

// plain makes Client an address as sets of them hold it: IPv4 as such, without a zone.
func (f *Facts) plain() {
	if f.Client.Is4In6() || f.Client.Is6() && f.Client.Zone() != "" {
		f.Client = f.Client.Unmap().WithZone("")
	}
}

func (f *Facts) key() ClientKey {
	if f.Key != (ClientKey{}) {
		return f.Key
	}
	return KeyOf(f.Client)
}

// Decide judges a request, and counts it. It makes f.Client the plain form of an address.
func (g *Guard) Decide(f *Facts) Verdict {
	f.plain()
	v := Verdict{Class: Classify(f.Method, f.Path)}
	if v.Class == Health {
		v.Rule = RuleHealth
		g.stats.decided[RuleHealth][Health].Add(1)
		return v
	}
	if g.cfg.HighTraffic.CountAll || !f.Built {
		g.meter.Note(f.Now.Unix())
	}
	if g.meter.Judge(f.Now) {
		g.logTraffic(f.Now)
	}
	key := f.key()
	g.decide(f, key, &v, false)
	g.finish(f, key, &v)
	return v
}

// finish counts a verdict, and keeps it when it says no.
func (g *Guard) finish(f *Facts, key ClientKey, v *Verdict) {
	g.stats.decided[v.Rule][v.Class].Add(1)
	g.stats.kinds[v.Bot].Add(1)
	if v.Shadow != RuleNone {
		g.stats.shadowed[v.Shadow][v.Class].Add(1)
	}
	if v.Action != Allow || v.Shadow != RuleNone {
		g.ring.add(f, key, v)
	}
}

// refuse makes v a refusal, unless its rule only watches. It reports whether that ends the matter.
func (g *Guard) refuse(v *Verdict, rule Rule, action Action, wait time.Duration, reason string) bool {
	if g.shadow.of(rule, v.Class) {
		if v.Shadow == RuleNone {
			v.Shadow = rule
			v.Reason = reason
		}
		return false
	}
	v.Action, v.Rule, v.RetryAfter, v.Reason = action, rule, wait, reason
	return true
}

// ban makes v the refusal of a ban, unless bans are only watched.
func (g *Guard) ban(v *Verdict, b *bans.Ban, now time.Time) bool {
	wait := time.Duration(0)
	if !b.Until.IsZero() {
		wait = b.Until.Sub(now)
	}
	return g.refuse(v, RuleBan, Deny, wait, b.Reason)
}

// decide asks the rules in their order. A dry run changes nothing.
func (g *Guard) decide(f *Facts, key ClientKey, v *Verdict, dry bool) {
	now := g.tick(f.Now)
	write := isWrite(f.Method)
	v.policy = g.limits[v.Class].headers[0]
	if f.Trusted || g.allow.Set().Contains(f.Client) {
		v.Rule = RuleAllowList
		g.endure(f, v, write)
		return
	}
	if f.Client.IsValid() {
		if b := g.bans.Find(f.Client, scopeOf(v.Class, write), f.Now); b != nil && g.ban(v, b, f.Now) {
			return
		}
		if g.block.Set().Contains(f.Client) && g.refuse(v, RuleBlockList, Deny, 0, "") {
			return
		}
	}
	if k := g.switches.killed(f.Now); k != nil && k.closes(v.Class) && !(f.SignedIn && strings.HasPrefix(f.Path, "/api/security/")) {
		g.refuse(v, RuleKillSwitch, Unavailable, k.Until.Sub(f.Now), k.Reason)
		if l := &g.limits[v.Class]; l.on && l.slot >= 0 {
			v.Quota = l.policies[0].Peek(g.clientNow(key).buckets[l.slot], now)
		}
		return
	}
	look, score := g.look(f, key, write, v)
	if v.Bot == bots.Crawler {
		v.Claim = g.verifier.Check(look.Crawler, f.Client, f.Now)
		if v.Claim == bots.Impostor && !dry {
			g.stats.impostors.Add(1)
		}
	}
	if !dry && v.Claim != bots.Verified {
		g.suspect(f, key, v, now)
	}
	if v.Bot == bots.AI && v.Class != Open {
		switch g.cfg.Bots.AI {
		case bots.Deny:
			if g.refuse(v, RuleAICrawler, Deny, 0, "") {
				return
			}
		case bots.Pace:
			if q, _, ok := g.take(key, AI, f, now, 1, 1, dry); !ok {
				if g.refuse(v, RuleAIPace, Limit, q.Wait, "") {
					v.Quota = q
					v.policy = g.limits[AI].headers[0]
					return
				}
			}
		}
	}
	if g.limited(f, key, v, now, score, dry) {
		return
	}
	g.endure(f, v, write)
}

// scopeOf is the least scope of a ban that covers a request.
func scopeOf(c Class, write bool) bans.Scope {
	if classes[c].public && !write {
		return bans.All
	}
	return bans.API
}

// limited asks the limits of class and fingerprint, and reports whether one of them refuses.
func (g *Guard) limited(f *Facts, key ClientKey, v *Verdict, now int64, score int, dry bool) bool {
	l := &g.limits[v.Class]
	switch {
	case v.Class == Open, v.Class == Webhook && f.Verified:
		return false
	case !f.Client.IsValid() && v.Class != Auth:
		return false // it would be one limit for everybody who comes through a socket
	}
	plain, asBot := g.standing(key, now)
	if v.Bot == bots.Bot || v.Claim == bots.Impostor {
		plain = asBot
	}
	suspicious := v.Bot == bots.Person && score+bots.SpreadPoints >= bots.Threshold // if it wanders about too
	q, by, ok := limit.Quota{}, 0, true
	if v.Class == Auth {
		q, ok = g.takeAttempt(key, now, dry)
	} else {
		if !suspicious {
			asBot = plain
		}
		q, by, ok = g.take(key, v.Class, f, now, plain, asBot, dry)
	}
	if l.on {
		v.Quota, v.policy = q, l.headers[by]
	}
	if !ok {
		if by > 0 {
			v.Reason = "its limit is lowered for its reputation"
		}
		if g.refuse(v, RuleLimit, Limit, q.Wait, v.Reason) {
			if !dry && v.Claim != bots.Verified && v.Claim != bots.Pending {
				if b := g.violated(f, key, v.Class, now, q.Wait); b != nil && b.Scope >= scopeOf(v.Class, isWrite(f.Method)) {
					g.ban(v, b, f.Now)
				}
			}
			return true
		}
		return false
	}
	if l.on && !dry && l.shared {
		g.spent(key, v.Class)
	}
	if l.ofAlike >= 0 && l.on && v.Claim != bots.Verified {
		h := v.Fingerprint // a keyed hash already
		g.alike.Lock(h)
		a, _ := g.alike.Take(h, second(now))
		b := a.buckets[l.ofAlike]
		q, ok := l.alike.Take(&b, now)
		if !dry {
			a.buckets[l.ofAlike] = b
		}
		g.alike.Unlock(h)
		if !ok && g.refuse(v, RuleFingerprint, Limit, q.Wait, "") {
			v.Quota.Left = 0
			return true
		}
	}
	return false
}

// take notes where a client has been, and takes a token from its bucket of a class: of the policy lowered by plain, or by
// wandering where it has been at too many places. It reports which of the class's policies that was.
func (g *Guard) take(key ClientKey, class Class, f *Facts, now int64, plain, wandering int, dry bool) (q limit.Quota, by int, ok bool) {
	l := &g.limits[class]
	h := g.clients.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	var c *client
	if dry {
		c = new(client)
		if known := g.clients.Get(h); known != nil {
			*c = *known
		}
	} else {
		c, _ = g.clients.Take(h, second(now))
	}
	if class != AI {
		c.visit(f.Path, now)
	}
	if !l.on || l.slot < 0 {
		return q, 0, true
	}
	if c.wanders() {
		plain = wandering
	}
	by = plain / 2 // 1, 2 and 4 are the policies 0, 1 and 2
	q, ok = l.policies[by].Take(&c.buckets[l.slot], now)
	return q, by, ok
}

// clientNow is a copy of what is known of a client.
func (g *Guard) clientNow(key ClientKey) (c client) {
	h := g.clients.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	if known := g.clients.Get(h); known != nil {
		c = *known
	}
	return c
}

// takeAttempt adds an attempt to sign in to a client's log.
func (g *Guard) takeAttempt(key ClientKey, now int64, dry bool) (limit.Quota, bool) {
	l := &g.limits[Auth]
	if !l.on {
		return limit.Quota{}, true
	}
	h := g.attempts.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.attempts.Lock(h)
	defer g.attempts.Unlock(h)
	if dry {
		var log limit.Log
		if known := g.attempts.Get(h); known != nil {
			log = *known
		}
		return log.Take(now, l.requests, l.window)
	}
	log, _ := g.attempts.Take(h, second(now))
	return log.Take(now, l.requests, l.window)
}

// turn begins a minute anew.
func (c *client) turn(now int64) {
	if m := uint16(now / int64(time.Minute)); m != c.minute {
		c.minute, c.paths, c.missing = m, 0, 0
	}
}

// visit notes a path among those of the minute.
func (c *client) visit(path string, now int64) {
	c.turn(now)
	// No keyed hash: whoever makes the ends of his paths collide only hides that he asks for many.
	h := uint64(len(path))
	if n := len(path); n >= 16 {
		h ^= last8(path)*0x9e3779b97f4a7c15 ^ last8(path[:n-8])
	} else if n >= 8 {
		h ^= last8(path)
	}
	c.paths |= 1 << (h * 0x9e3779b97f4a7c15 >> 59)
}

// last8 is the end of s as a number.
func last8(s string) uint64 {
	s = s[len(s)-8:]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// wanders reports whether a client asked for more different paths within the minute than anybody reads.
func (c *client) wanders() bool { return bits.OnesCount32(c.paths) >= maxSpread }

// endure applies high-traffic mode and load shedding.
func (g *Guard) endure(f *Facts, v *Verdict, write bool) {
	t := &g.cfg.HighTraffic
	if g.meter.Strained(f.Now) && !classes[v.Class].public {
		v.Stale = !t.NoStale && !write
		if write && v.Class != Auth && v.Class != Webhook {
			switch {
			case f.Method == "DELETE" && !t.AllowDeletes:
				if g.refuse(v, RuleDeletes, Unavailable, t.Hold, "high traffic") {
					return
				}
			case !t.AllowBatches && isBatch(f.Method, f.Path):
				if g.refuse(v, RuleBatches, Unavailable, t.Hold, "high traffic") {
					return
				}
			}
		}
	}
	if level := g.load.Level(); level > traffic.Calm && sheds(level, v.Class, write) {
		g.refuse(v, RuleShed, Unavailable, 5*time.Second, "saturated")
	}
}

// sheds reports whether a level of load refuses a class: writes first, then search and sign-in, whose password hashing is the
// dearest of all, then reads. Pages, feeds, probes, metrics, and webhooks, whose queue is bounded, are never refused.
func sheds(level traffic.Level, class Class, write bool) bool {
	switch class {
	case Auth, Search:
		return level >= traffic.Busier
	case API, Blog:
		return level >= traffic.Saturated || write && level >= traffic.Busy
	}
	return false
}

func (g *Guard) logTraffic(now time.Time) {
	g.log.Warn("high-traffic mode changed", "on", g.meter.High(), "rate", int(g.meter.Rate(now.Unix())))
}

// Open reads the lists and what was kept over the restart. Errors of lists are returned: a site should not start with half of
// its blocklist.
func (g *Guard) Open(now time.Time) error {
	_, err1 := g.allow.Reload(now)
	_, err2 := g.block.Reload(now)
	return errors.Join(err1, err2, g.restore(now))
}

// Reload reads lists that have changed. One that is broken stays as it was.
func (g *Guard) Reload(now time.Time) error {
	_, err1 := g.allow.Reload(now)
	_, err2 := g.block.Reload(now)
	return errors.Join(err1, err2)
}

// Run follows the lists, verifies search engines, shares with other servers, keeps bans, and watches for saturation, until
// ctx is done. What changed last is kept before it returns.
func (g *Guard) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return g.verifier.Run(ctx) })
	tasks.Go(func() error {
		told := ""
		every(ctx, reloadEvery, func(now time.Time) {
			switch err := g.Reload(now); {
			case err == nil:
				told = ""
			case err.Error() != told:
				told = err.Error()
				g.log.Error("a list of addresses stays as it was", "error", err)
			}
		})
		return nil
	})
	tasks.Go(func() error { every(ctx, sweepEvery, g.bans.Sweep); return nil })
	if !g.cfg.Shed.Off {
		tasks.Go(func() error { every(ctx, sampleEvery, func(time.Time) { g.load.Sample() }); return nil })
	}
	if g.cfg.Ledger != nil {
		tasks.Go(func() error { g.shareForever(ctx); return nil })
	}
	if g.cfg.File != "" {
		tasks.Go(func() error {
			failed, last := false, time.Time{}
			every(ctx, saveEvery, func(now time.Time) {
				// A wave of bans is written more rarely: the file is written whole.
				if now.Sub(last) >= saveEvery*time.Duration(g.bans.Len()/5000) {
					failed, last = g.keep(failed), now
				}
			})
			return nil
		})
	}
	err := tasks.Wait()
	if g.cfg.File != "" {
		err = errors.Join(err, g.save())
	}
	return err
}

const (
	reloadEvery = 5 * time.Second
	sampleEvery = 500 * time.Millisecond
	sweepEvery  = time.Minute
	saveEvery   = time.Second
)

// every calls f until ctx is done.
func every(ctx context.Context, d time.Duration, f func(now time.Time)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			f(now)
		}
	}
}

// shareForever exchanges news with the other servers. It says once that they are away, and once that they are back.
func (g *Guard) shareForever(ctx context.Context) {
	for {
		err := g.share(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := shareEvery
		if err != nil {
			pause = shareAgain
		}
		if was := g.shared.Swap(err == nil); was != (err == nil) {
			if err != nil {
				g.log.Error("counts and bans are not shared with other servers", "error", err)
			} else {
				g.log.Info("counts and bans are shared with other servers")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
