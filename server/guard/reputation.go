package guard

import (
	"math"
	"net/netip"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// Points of reputation: bad ones. They halve every hour.
const (
	violationPoints = 20   // an episode began
	refusalPoints   = 0.02 // one more refusal within it: some thousands are a ban
	loginPoints     = 4    // a sign-in was refused
	missingPoints   = 10   // a burst of unknown addresses
	honeypotPoints  = 30
	impostorPoints  = 20 // claims to be a search engine, and is not
	botPoints       = 15 // counted, not added: of who looks like a bot at this moment

	halvePoints   = 30  // limits are halved from here on
	quarterPoints = 60  // and quartered
	banPoints     = 120 // this bad is a ban

	halfLife       = time.Hour
	missingBurst   = 20             // unknown addresses within a minute
	rememberBad    = 24 * time.Hour // an episode makes reputation count for so long
	aggressiveStep = 10 * time.Second
	offenders      = 1 << 14 // clients whose misdeeds are remembered
	nothing        = math.MinInt64
)

// An offender is a client with misdeeds. Moments are those of the guard's clock.
type offender struct {
	score   float64
	at      int64                // when score was that
	last    int64                // when an episode last began; 0: never
	strikes [MaxViolations]int64 // when the last violations were, newest first; 0: none
	open    [numClasses]int64    // last refusal of the class's running episode; 0: none ever
	counted int64                // in high-traffic mode: when a running episode last counted
	told    int64                // when it may come again, as it was last told
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

// standing is by how much a client's limits are lowered: 1, 2 or 4, and the same for a client that looks like a bot. Without an
// episode it is 1, whatever else is known.
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

// strike adds a violation, and reports how many there were within window.
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

// refused notes that a limit has refused a request, and told it to wait. It reports whether that is a violation: the begin
// of an episode or, when strict, ten seconds of coming before it was told to.
func (o *offender) refused(class Class, now int64, wait, window time.Duration, strict bool) bool {
	began := o.open[class] == 0 || now-o.open[class] > int64(window)
	pressing := strict && now < o.told && now-o.counted >= int64(aggressiveStep)
	o.open[class], o.told = max(o.open[class], now), now+int64(wait)
	if began || pressing {
		o.counted = now
	}
	return began || pressing
}

// serve forgets what has led to a ban: after it, counting begins anew.
func (o *offender) serve() {
	o.strikes = [MaxViolations]int64{}
	o.score = min(o.score, violationPoints)
}

// elsewhere notes that an episode began on another server, and reports whether it is news: not one that runs here too, nor one
// that is told twice.
func (o *offender) elsewhere(class Class, at int64, window time.Duration) bool {
	known := o.open[class]
	o.open[class] = max(known, at)
	return known == 0 || max(at-known, known-at) > int64(window)
}

// lowered looks up by how much a client's limits are lowered.
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

// blame adds points to a client. It reports a ban when that makes one due: only a client with an episode is banned for its
// reputation.
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

// violated notes that a limit has refused a request of a client, and bans it when that was once too often.
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

// window is that of a class's limit.
func (g *Guard) window(c Class) time.Duration { return g.limits[c].window }

// spared reports whether the guard does not ban a client by itself: loopback, and private addresses behind which a proxy may
// stand, would be all readers at once; who is signed in is known by name.
func (f *Facts) spared() bool {
	return f.Undeclared || f.SignedIn || !f.Client.IsValid() || f.Client.IsLoopback()
}

// punish bans a client, unless it is spared. It returns nil then.
func (g *Guard) punish(f *Facts, key ClientKey, reason string) *bans.Ban {
	if f.spared() {
		return nil
	}
	prefix := key.Prefix()
	g.orders.mu.Lock()
	hand, guards := g.onPrefix(prefix)
	ban, fresh := g.bans.Punish(prefix, g.cfg.Ban.Scope, reason, given(f.Now, hand, guards))
	if fresh {
		_, _ = g.settle(prefix, hand, banned(ban), f.Now) // it is in the table
	}
	g.orders.mu.Unlock()
	if fresh {
		g.stats.bans.Add(1)
		g.tell(banned(ban))
		g.logBan(ban, "request_id", f.ID)
	}
	return ban
}

// SignedIn tells the guard how an attempt went that it had let through. One that was refused is bad for a client's reputation;
// one that succeeded makes client and account familiar, so that strangers cannot lock its owner out.
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

// Answered tells the guard how a request was answered that it had let through: bursts of unknown addresses are bad for a
// client's reputation, and webhooks that were taken do not count against their limit: they were signed.
func (g *Guard) Answered(f *Facts, v *Verdict, status int) {
	switch {
	case status == 404:
		g.missed(f)
	case status >= 200 && status < 300 && v.Class == Webhook && v.took:
		g.verified(f, v)
	}
}

// missed counts an unknown address that a client asked for.
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

// verified gives back what a webhook took.
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

// suspect notes what a request shows about its sender beyond its user agent.
func (g *Guard) suspect(f *Facts, key ClientKey, v *Verdict, now int64) {
	if v.Claim == bots.Impostor {
		g.once(f, key, impostorPoints, now)
	}
	if len(f.Path) >= len(HoneypotPath) && f.Path[:len(HoneypotPath)] == HoneypotPath && !f.Built {
		g.stats.honeypot.Add(1)
		g.once(f, key, honeypotPoints, now)
	}
}

// once blames a client, unless that would make a ban out of one kind of misdeed repeated: it counts up to where limits are
// quartered.
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
