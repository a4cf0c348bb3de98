package guard

import (
	"errors"
	"net/netip"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// Ban bans a prefix by hand. It widens an IPv6 prefix longer than 64 bits to 64 bits, because one customer has the
// whole network.
func (g *Guard) Ban(prefix netip.Prefix, scope bans.Scope, until time.Time, by, reason string, now time.Time) (bans.Ban, error) {
	if by == "" {
		return bans.Ban{}, errors.New("ban: who bans?")
	}
	if !until.IsZero() && !until.After(now) {
		return bans.Ban{}, errors.New("ban: it would have ended already")
	}
	b := bans.Ban{Prefix: widened(prefix), Scope: scope, Until: until.Round(0), Reason: reason, By: by}
	if err := g.put(&b, now); err != nil {
		return bans.Ban{}, err
	}
	g.record(handBan(&b))
	g.tell(banned(&b))
	return b, nil
}

// put sets the time of a ban and applies it.
func (g *Guard) put(b *bans.Ban, now time.Time) error {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	hand, guards := g.onPrefix(b.Prefix)
	b.Since = given(now, hand, guards)
	_, err := g.settle(b.Prefix, banned(b), guards, now)
	return err
}

func widened(p netip.Prefix) netip.Prefix {
	if p.Addr().Is6() && !p.Addr().Is4In6() && p.Bits() > 64 {
		p = netip.PrefixFrom(p.Addr(), 64)
	}
	return p.Masked()
}

// Unban lifts the ban on a prefix and forgets its causes. It reports whether this server had a ban. It tells all
// servers in any case, because another one may have banned the prefix just now.
func (g *Guard) Unban(prefix netip.Prefix, by string, now time.Time) bool {
	prefix = widened(prefix)
	ok, at := g.lift(prefix, by, now)
	g.record(Entry{At: now.Round(0), By: by, Action: "unban", What: prefix.String()})
	if prefix.IsValid() {
		g.tell(&event{At: at, Lift: &prefix, By: by})
	}
	return ok
}

func (g *Guard) lift(prefix netip.Prefix, by string, now time.Time) (was bool, at moment) {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	hand, guards := g.onPrefix(prefix)
	at = momentOf(given(now, hand, guards))
	if !prefix.IsValid() {
		return false, at
	}
	b := g.bans.Of(prefix)
	_, _ = g.settle(prefix, &event{At: at, Lift: &prefix, By: by}, nil, now) // no error is possible without a ban
	g.pardon(prefix)
	return b != nil && (byGuard(b) || b.Active(now)), at
}

// Shares reports whether there is a Ledger, so that other servers receive orders given here, now or when it is back.
func (g *Guard) Shares() bool { return g.cfg.Ledger != nil }

// pardon forgets a client's offences.
func (g *Guard) pardon(prefix netip.Prefix) {
	g.offender(prefix, func(o *offender) { *o = offender{} })
}

// Bans returns the bans in force, sorted by prefix.
func (g *Guard) Bans(now time.Time) []bans.Ban { return g.bans.Active(now) }

// An Explanation shows the guard's state for a client, and what the guard would do with a request.
type Explanation struct {
	Client     string
	Class      string
	Rule       string
	Status     int // 0: it would be allowed
	Reason     string
	Bot        string
	Ban        *bans.Ban
	Allowed    bool
	Blocked    bool
	Spared     bool
	Score      float64
	Lowered    int
	Violations []time.Time
	Quotas     []ClassQuota
	Refusals   []Decision // the newest
}

// A ClassQuota is a client's remaining quota in a class.
type ClassQuota struct {
	Class string
	Limit int
	Left  int
	Wait  time.Duration
}

// Explain reports what the guard would do with a request, and why. It changes nothing.
func (g *Guard) Explain(f Facts) Explanation {
	f.plain()
	key, now := f.key(), g.tick(f.Now)
	v := Verdict{Class: Classify(f.Method, f.Path)}
	if v.Class == Health {
		v.Rule = RuleHealth
	} else {
		g.decide(&f, key, &v, true)
	}
	if v.Bot == bots.Unjudged { // an earlier rule decided, so bots were not judged
		g.look(&f, key, isWrite(f.Method), &v)
	}
	e := Explanation{
		Client: key.String(), Class: v.Class.String(), Rule: v.Rule.String(), Status: v.Action.Status(), Reason: v.Reason, Bot: v.Bot.String(),
		Allowed: g.allow.Set().Contains(f.Client), Blocked: g.block.Set().Contains(f.Client), Spared: f.spared(),
	}
	e.Lowered, _ = g.lowered(key, now)
	if f.Client.IsValid() {
		e.Ban = g.bans.Find(f.Client, bans.API, f.Now)
	}
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	if o := g.offenders.Get(h); o != nil {
		e.Score = o.scoreAt(now)
		for _, at := range o.strikes {
			if at != 0 {
				e.Violations = append(e.Violations, f.Now.Add(time.Duration(at-now)))
			}
		}
	}
	g.offenders.Unlock(h)
	e.Quotas = g.quotas(key, now)
	e.Refusals = g.ring.recent(20, func(r *entry) bool { return r.key == key })
	return e
}

// quotas returns a client's quotas.
func (g *Guard) quotas(key ClientKey, now int64) []ClassQuota {
	c := g.clientNow(key)
	var log limit.Log
	h := g.attempts.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.attempts.Lock(h)
	if known := g.attempts.Get(h); known != nil {
		log = *known
	}
	g.attempts.Unlock(h)
	var all []ClassQuota
	for class := range numClasses {
		l := &g.limits[class]
		var q limit.Quota
		switch {
		case !l.on:
			continue
		case class == Auth:
			q = log.Peek(now, l.requests, l.window)
		default:
			q = l.policies[0].Peek(c.buckets[l.slot], now)
		}
		all = append(all, ClassQuota{Class: class.String(), Limit: q.Limit, Left: q.Left, Wait: q.Wait})
	}
	return all
}

// Refusal finds the refusal of a request by its id; false: it is not among the last 4,096.
func (g *Guard) Refusal(id string) (Decision, bool) {
	if len(id) > maxID {
		id = id[:maxID]
	}
	found := g.ring.recent(1, func(e *entry) bool { return string(e.text[e.id.from:e.id.to]) == id })
	if id == "" || len(found) == 0 {
		return Decision{}, false
	}
	return found[0], true
}

// Refusals returns the newest refusals, newest first.
func (g *Guard) Refusals(most int) []Decision {
	return g.ring.recent(most, func(*entry) bool { return true })
}
