package guard

import (
	"math/bits"
	"strings"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// Decide judges a request and counts it. It normalizes f.Client.
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

// finish counts a verdict. It stores a refusal, also one that shadow mode prevented, for Explain and Refusals.
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

// refuse turns v into a refusal, unless the rule is in shadow mode. It reports whether v is a refusal now.
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

// ban refuses the request because of a ban, unless bans are in shadow mode.
func (g *Guard) ban(v *Verdict, b *bans.Ban, now time.Time) bool {
	wait := time.Duration(0)
	if !b.Until.IsZero() {
		wait = b.Until.Sub(now)
	}
	return g.refuse(v, RuleBan, Deny, wait, b.Reason)
}

// decide applies the rules in their order. A dry run changes nothing.
func (g *Guard) decide(f *Facts, key ClientKey, v *Verdict, dry bool) {
	now := g.tick(f.Now)
	write := isWrite(f.Method)
	v.policy = g.limits[v.Class].headers[0]
	if g.allow.Set().Contains(f.Client) {
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
			if v.Action != Allow {
				v.Quota.Left = 0 // also if tokens are left
			}
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
			q, by, ok := g.take(key, AI, f, now, 1, 1, dry)
			switch {
			case ok && !dry && g.limits[AI].on:
				g.spent(key, AI, by)
			case !ok:
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

// scopeOf returns the smallest scope of a ban that covers the request.
func scopeOf(c Class, write bool) bans.Scope {
	if classes[c].public && !write {
		return bans.All
	}
	return bans.API
}

// limited applies the limits of the class and of the fingerprint. It reports whether one of them refuses.
func (g *Guard) limited(f *Facts, key ClientKey, v *Verdict, now int64, score int, dry bool) bool {
	l := &g.limits[v.Class]
	switch {
	case v.Class == Open:
		return false
	case !f.Client.IsValid() && v.Class != Auth:
		return false // all clients of a Unix socket would share one limit
	}
	plain, asBot := g.lowered(key, now)
	bot := v.Bot == bots.Bot || v.Claim == bots.Impostor
	if bot {
		plain = asBot
	}
	suspicious := v.Bot == bots.Person && score+bots.SpreadPoints >= bots.Threshold // visiting many paths adds the missing points
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
		v.Quota, v.policy, v.by, v.took = q, l.headers[by], uint8(by), ok
	}
	if !ok {
		if by > 0 {
			v.Reason = "its limit is lowered for its reputation"
		}
		if g.refuse(v, RuleLimit, Limit, q.Wait, v.Reason) {
			if !dry && v.Claim != bots.Verified && v.Claim != bots.Pending {
				g.mark(v.Fingerprint, now)
				if b := g.violated(f, key, v.Class, now, q.Wait); b != nil && b.Scope >= scopeOf(v.Class, isWrite(f.Method)) {
					g.ban(v, b, f.Now)
				}
			}
			return true
		}
		return false
	}
	if l.shared && !dry {
		g.spent(key, v.Class, by)
	}
	if l.on && l.ofAlike >= 0 && (bot || v.Class == Auth) {
		if wait := g.takeAlike(v.Fingerprint, l, now, dry); wait > 0 && g.refuse(v, RuleFingerprint, Limit, wait, "") {
			v.Quota.Left = 0
			return true
		}
	}
	return false
}

// mark records that a limit refused a request with this fingerprint.
func (g *Guard) mark(fingerprint uint64, now int64) {
	h := fingerprint // a keyed hash already
	g.alike.Lock(h)
	a, _ := g.alike.Take(h, second(now))
	a.refused = now
	g.alike.Unlock(h)
}

// takeAlike takes a token from the shared limit of all clients with the same fingerprint. If none is left, and a limit
// has refused one of these clients within the last hour, it returns the time to wait. Without such a refusal it only
// counts, because a mobile carrier's network has many equal phones.
func (g *Guard) takeAlike(fingerprint uint64, l *classLimit, now int64, dry bool) (wait time.Duration) {
	h := fingerprint
	g.alike.Lock(h)
	defer g.alike.Unlock(h)
	a, _ := g.alike.Take(h, second(now))
	b := a.buckets[l.ofAlike]
	q, ok := l.alike.Take(&b, now)
	if !dry {
		a.buckets[l.ofAlike] = b
	}
	if ok || a.refused == 0 || now-a.refused > int64(alikeFor) {
		return 0
	}
	return q.Wait
}

// take records the path that a client visits, and takes a token from the client's bucket for the class. The divisor
// plain lowers the limit; the divisor wandering applies instead if the client visited too many paths. take also returns
// the index of the policy used.
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
	by = plain / 2 // the divisors 1, 2 and 4 select the policies 0, 1 and 2
	q, ok = l.policies[by].Take(&c.buckets[l.slot], now)
	return q, by, ok
}

// clientNow returns a copy of a client's state.
func (g *Guard) clientNow(key ClientKey) (c client) {
	h := g.clients.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	if known := g.clients.Get(h); known != nil {
		c = *known
	}
	return c
}

// takeAttempt adds a sign-in attempt to a client's log.
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

// turn resets the counts when a new minute begins.
func (c *client) turn(now int64) {
	if m := uint16(now / int64(time.Minute)); m != c.minute {
		c.minute, c.paths, c.missing = m, 0, 0
	}
}

// visit adds a path to those of this minute.
func (c *client) visit(path string, now int64) {
	c.turn(now)
	// An unkeyed hash is enough: a client with colliding paths only hides how many paths it requests.
	h := uint64(len(path))
	if n := len(path); n >= 16 {
		h ^= last8(path)*0x9e3779b97f4a7c15 ^ last8(path[:n-8])
	} else if n >= 8 {
		h ^= last8(path)
	}
	c.paths |= 1 << (h * 0x9e3779b97f4a7c15 >> 59)
}

// last8 returns the last eight bytes of s as a number.
func last8(s string) uint64 {
	s = s[len(s)-8:]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// wanders reports whether a client requested more different paths within the minute than a person reads.
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

// sheds reports whether a level of load refuses a class. Writes are refused first, then search and sign-in (password
// hashing is the most expensive work), then reads. Pages, feeds, probes, metrics and webhooks are never refused:
// webhooks have a bounded queue.
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
