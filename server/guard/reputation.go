package guard

import (
	"math"
	"net/netip"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// Points of bad reputation. They halve every hour.
const (
	violationPoints = 20   // an episode begins
	refusalPoints   = 0.02 // each further refusal in an episode; some thousands cause a ban
	loginPoints     = 4    // a failed sign-in
	missingPoints   = 10   // a burst of 404 answers
	honeypotPoints  = 30
	impostorPoints  = 20 // a false claim to be a search engine
	botPoints       = 15 // added for the moment only: the request looks like a bot's

	halvePoints   = 30  // from this score limits are halved
	quarterPoints = 60  // from this score limits are quartered
	banPoints     = 120 // from this score the client is banned

	halfLife       = time.Hour
	missingBurst   = 20             // 404 answers within a minute
	rememberBad    = 24 * time.Hour // after an episode, reputation matters for this long
	aggressiveStep = 10 * time.Second
	offenders      = 1 << 14 // clients whose offences are remembered
	nothing        = math.MinInt64
)

// An offender is a client with offences. Times are ticks of the guard's clock.
type offender struct {
	score   float64
	at      int64                // time of score
	last    int64                // begin of the last episode; 0: never
	strikes [MaxViolations]int64 // times of the last violations, newest first; 0: none
	open    [numClasses]int64    // last refusal of the class; 0: never
	counted int64                // high-traffic mode: when a running episode last counted as a violation
	told    int64                // time before which the client was told not to return
}

func (o *offender) scoreAt(now int64) float64 {
	if o.score == 0 {
		return 0
	}
	return o.score * math.Exp2(-float64(max(now-o.at, 0))/float64(halfLife))
}

func (o *offender) add(points float64, now int64) float64 {
	o.score, o.at = o.scoreAt(now)+points, now
	return o.score
}

// standing returns the divisors of a client's limits: 1, 2 or 4. bot is the divisor if the request looks like a bot's.
// Without a recent episode both are 1.
func (o *offender) standing(now int64) (plain, bot int) {
	if o.last == 0 || now-o.last > int64(rememberBad) {
		return 1, 1
	}
	score := o.scoreAt(now)
	return lowered(score), lowered(score + botPoints)
}

func lowered(score float64) int {
	switch {
	case score >= quarterPoints:
		return 4
	case score >= halvePoints:
		return 2
	}
	return 1
}

// strike records a violation and returns how many there were within window.
func (o *offender) strike(now int64, window time.Duration) int {
	copy(o.strikes[1:], o.strikes[:])
	o.strikes[0], o.last = now, now
	n := 0
	for _, at := range o.strikes {
		if at != 0 && now-at < int64(window) {
			n++
		}
	}
	return n
}

// refused records that a limit refused a request and told the client to wait. It reports whether that is a violation:
// an episode begins or, if strict, the client came back too early and its last violation counted ten seconds ago or more.
func (o *offender) refused(class Class, now int64, wait, window time.Duration, strict bool) bool {
	began := o.open[class] == 0 || now-o.open[class] > int64(window)
	pressing := strict && now < o.told && now-o.counted >= int64(aggressiveStep)
	o.open[class], o.told = max(o.open[class], now), now+int64(wait)
	if began || pressing {
		o.counted = now
	}
	return began || pressing
}

// serve forgets the causes of a ban: after the ban, counting starts again.
func (o *offender) serve() {
	o.strikes = [MaxViolations]int64{}
	o.score = min(o.score, violationPoints)
}

// elsewhere records that an episode began on another server. It reports whether that is news: not an episode that this
// server knows.
func (o *offender) elsewhere(class Class, at int64, window time.Duration) bool {
	known := o.open[class]
	o.open[class] = max(known, at)
	return known == 0 || max(at-known, known-at) > int64(window)
}

// lowered returns the divisors of a client's limits.
func (g *Guard) lowered(key ClientKey, now int64) (plain, bot int) {
	if g.offenders.Used() == 0 {
		return 1, 1
	}
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	defer g.offenders.Unlock(h)
	if o := g.offenders.Get(h); o != nil {
		return o.standing(now)
	}
	return 1, 1
}

// blame adds points to a client. If that causes a ban, it returns the ban. Only a client with a recent episode is
// banned for its reputation.
func (g *Guard) blame(f *Facts, key ClientKey, points float64, now int64) *bans.Ban {
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	o, _ := g.offenders.Take(h, second(now))
	score := o.add(points, now)
	due := score >= banPoints && o.last != 0 && now-o.last <= int64(rememberBad)
	if due {
		o.score = 0
	}
	g.offenders.Unlock(h)
	if due {
		return g.punish(f, key, "reputation")
	}
	return nil
}

// violated records that a limit refused a client's request. If that causes a ban, it returns the ban.
func (g *Guard) violated(f *Facts, key ClientKey, class Class, now int64, wait time.Duration) *bans.Ban {
	strict := !g.cfg.HighTraffic.MildBans && g.meter.High()
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	o, _ := g.offenders.Take(h, second(now))
	struck := o.refused(class, now, wait, g.window(class), strict)
	due, reason := false, "violations"
	if struck {
		o.add(violationPoints, now)
		due = o.strike(now, g.cfg.Ban.Window) >= g.cfg.Ban.Violations
	} else if o.add(refusalPoints, now) >= banPoints {
		due, reason = true, "reputation"
	}
	if due {
		o.serve()
	}
	g.offenders.Unlock(h)
	if struck {
		g.stats.violations[class].Add(1)
		g.tell(&event{Strike: &strike{Client: key.Prefix(), Class: class.String(), At: f.Now}})
	}
	if due {
		return g.punish(f, key, reason)
	}
	return nil
}

// window returns the window of a class's limit.
func (g *Guard) window(c Class) time.Duration { return g.limits[c].window }

// spared reports whether the guard never bans this client by itself. A ban on loopback, or on a private address that
// may be a proxy, would hit all readers. A signed-in client is known by name.
func (f *Facts) spared() bool {
	return f.Undeclared || f.SignedIn || !f.Client.IsValid() || f.Client.IsLoopback()
}

// punish bans a client. It returns nil if the client is spared.
func (g *Guard) punish(f *Facts, key ClientKey, reason string) *bans.Ban {
	if f.spared() {
		return nil
	}
	prefix := key.Prefix()
	g.orders.mu.Lock()
	hand, guards := g.onPrefix(prefix)
	ban, fresh := g.bans.Punish(prefix, g.cfg.Ban.Scope, reason, given(f.Now, hand, guards))
	if fresh {
		_, _ = g.settle(prefix, hand, banned(ban), f.Now) // no error is possible: the table holds this ban already
	}
	g.orders.mu.Unlock()
	if fresh {
		g.stats.bans.Add(1)
		g.tell(banned(ban))
		g.logBan(ban, "request_id", f.ID)
	}
	return ban
}

// SignedIn tells the guard the result of an attempt that it let through. A failed attempt adds to a bad reputation. A
// successful one makes the client familiar with the account, so that strangers cannot lock the owner out.
func (g *Guard) SignedIn(f *Facts, account string, ok bool) {
	key, now := f.key(), g.tick(f.Now)
	if !ok {
		g.blame(f, key, loginPoints, now)
		return
	}
	h := g.familiarHash(key, account)
	g.familiar.Lock(h)
	at, _ := g.familiar.Take(h, second(now))
	*at = now
	g.familiar.Unlock(h)
}

// Answered tells the guard the status of a request that it let through. A burst of 404 answers adds to a bad
// reputation. An accepted webhook was signed, so it gets back what it took from its limit.
func (g *Guard) Answered(f *Facts, v *Verdict, status int) {
	switch {
	case status == 404:
		g.missed(f)
	case status >= 200 && status < 300 && v.Class == Webhook && v.took:
		g.verified(f, v)
	}
}

// missed counts a 404 answer.
func (g *Guard) missed(f *Facts) {
	key, now := f.key(), g.tick(f.Now)
	h := g.clients.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.clients.Lock(h)
	c, _ := g.clients.Take(h, second(now))
	c.turn(now)
	c.missing++
	burst := c.missing == missingBurst
	g.clients.Unlock(h)
	if burst && !g.allow.Set().Contains(f.Client) {
		g.blame(f, key, missingPoints, now)
	}
}

// verified returns the token that a webhook took.
func (g *Guard) verified(f *Facts, v *Verdict) {
	key := f.key()
	h := g.clients.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	if c := g.clients.Get(h); c != nil {
		l := &g.limits[Webhook]
		l.policies[v.by].Return(&c.buckets[l.slot])
	}
}

// suspect adds points for a false claim to be a search engine, and for a visit to the honeypot.
func (g *Guard) suspect(f *Facts, key ClientKey, v *Verdict, now int64) {
	if v.Claim == bots.Impostor {
		g.once(f, key, impostorPoints, now)
	}
	if len(f.Path) >= len(HoneypotPath) && f.Path[:len(HoneypotPath)] == HoneypotPath && !f.Built {
		g.stats.honeypot.Add(1)
		g.once(f, key, honeypotPoints, now)
	}
}

// once adds points to a client, up to the score at which limits are quartered. So repeating one kind of offence alone
// never causes a ban.
func (g *Guard) once(f *Facts, key ClientKey, points float64, now int64) {
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	bad := 0.0
	if o := g.offenders.Get(h); o != nil {
		bad = o.scoreAt(now)
	}
	g.offenders.Unlock(h)
	if bad < quarterPoints {
		g.blame(f, key, points, now)
	}
}

func validClient(p netip.Prefix) (ClientKey, bool) {
	key := KeyOf(p.Addr())
	return key, p.IsValid() && key.Prefix() == p
}
