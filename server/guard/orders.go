package guard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"sync"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// An order is a ban, the end of a ban, the kill switch, its end, or an override of high-traffic mode. Of two orders
// about the same thing the later one applies, on every server and in whatever order the servers hear of them. Therefore
// ends are remembered too. A server dates a new order after all orders that it knows about the thing, so that an order
// never loses to a clock that runs ahead.
//
// The guard does not ban a client that a ban by hand already keeps out. If another server does so because it has not
// heard of the ban by hand, the guard's ban has no effect once both are known. Servers need two facts for this: the
// last order by hand about a prefix and the guard's last ban. Every server and the ledger keep both, and every server
// derives the same result from them.

// A moment is the time of an order, in microseconds since 1970. Its text has a fixed width and is the first member of
// an event. So of two texts about the same thing the greater one is later: a [Ledger] compares them this way.
type moment int64

const momentForm = "2006-01-02T15:04:05.000000Z"

func momentOf(t time.Time) moment { return moment(t.UnixMicro()) }

func (m moment) time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// MarshalText implements encoding.TextMarshaler.
func (m moment) MarshalText() ([]byte, error) { return m.time().AppendFormat(nil, momentForm), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(momentForm, string(text))
	*m = momentOf(t)
	return err
}

// An event is what one server tells the others, and what the file stores. Besides At and By it has exactly one field.
type event struct {
	At      moment            `json:"at,omitzero"` // for orders
	Ban     *bans.Ban         `json:"ban,omitempty"`
	Lift    *netip.Prefix     `json:"lift,omitempty"`
	Kill    *Kill             `json:"kill,omitempty"`
	Reopen  bool              `json:"reopen,omitempty"`
	Traffic *traffic.Override `json:"traffic,omitempty"`
	By      string            `json:"by,omitempty"` // for Lift and Reopen
	Strike  *strike           `json:"strike,omitempty"`
	Audit   *Entry            `json:"audit,omitempty"` // only in the file
}

func banned(b *bans.Ban) *event { return &event{At: momentOf(b.Since), Ban: b} }

func killed(k *Kill) *event { return &event{At: momentOf(k.Since), Kill: k} }

func overridden(o *traffic.Override) *event { return &event{At: momentOf(o.Since), Traffic: o} }

// byGuard reports whether the guard made the ban, not an operator.
func byGuard(b *bans.Ban) bool { return b.Step > 0 }

// about names the thing that an order concerns; empty: the event is no order.
func (e *event) about() string {
	switch {
	case e.Ban != nil:
		return e.Ban.Prefix.String()
	case e.Lift != nil:
		return e.Lift.String()
	case e.Kill != nil, e.Reopen:
		return "kill"
	case e.Traffic != nil:
		return "traffic"
	}
	return ""
}

// replaces reports whether an order is later than old, an order about the same thing or nil. At the same moment the
// greater text wins, as in a ledger.
func (e *event) replaces(old *event) bool {
	if old == nil {
		return true
	}
	if e.At != old.At {
		return e.At > old.At
	}
	a, err1 := json.Marshal(e)
	b, err2 := json.Marshal(old)
	return err1 == nil && err2 == nil && bytes.Compare(a, b) > 0
}

const (
	maxWithdrawn = 10_000              // limit for remembered lifts, and for hidden bans
	keepLift     = 30 * 24 * time.Hour // how long they are kept
	clockSlack   = time.Hour           // largest difference between the clocks of servers
)

// orders holds orders that the ban table, the kill switch and the traffic meter do not hold: ends, and bans without
// effect.
type orders struct {
	mu     sync.Mutex // held while an order is compared with the known ones and applied
	lifted map[netip.Prefix]withdrawal
	// hidden holds the guard's ban on a prefix while a ban by hand overrides it. It also holds an ended ban by hand on
	// a prefix that the guard has banned since.
	hidden   map[netip.Prefix]*bans.Ban
	reopened withdrawal // when and by whom the kill switch was last ended; used while it is nil
}

type withdrawal struct {
	at moment
	by string
}

// onPrefix returns what is known about a prefix: the last order by hand, and the guard's last ban; nil: none. The
// caller holds the lock. This applies to the next functions too.
func (g *Guard) onPrefix(p netip.Prefix) (hand, guards *event) {
	for _, b := range []*bans.Ban{g.bans.Of(p), g.orders.hidden[p]} {
		switch {
		case b == nil:
		case byGuard(b):
			guards = banned(b)
		default:
			hand = banned(b)
		}
	}
	if w, ok := g.orders.lifted[p]; ok {
		hand = &event{At: w.at, Lift: &p, By: w.by}
	}
	return hand, guards
}

// settle applies the last order by hand and the guard's last ban to a prefix. It returns the ban that takes effect;
// nil: none.
func (g *Guard) settle(p netip.Prefix, hand, guards *event, now time.Time) (stands *bans.Ban, err error) {
	var hidden *bans.Ban
	if hand != nil {
		stands = hand.Ban
	}
	if guards != nil && (hand == nil || guards.At > hand.At) {
		if hidden = guards.Ban; stands == nil || !stands.Active(hidden.Since) {
			stands, hidden = hidden, stands
		}
	}
	if stands == nil {
		g.bans.Lift(p)
	} else if err := g.bans.Put(*stands, now); err != nil {
		return nil, err
	}
	if delete(g.orders.hidden, p); hidden != nil {
		room(g.orders.hidden, func(b *bans.Ban) moment { return momentOf(b.Since) })
		g.orders.hidden[p] = hidden
	}
	if delete(g.orders.lifted, p); hand != nil && hand.Lift != nil {
		room(g.orders.lifted, func(w withdrawal) moment { return w.at })
		g.orders.lifted[p] = withdrawal{hand.At, hand.By}
	}
	g.switches.changes.Add(1)
	return stands, nil
}

// room removes the oldest entry if the map is full.
func room[V any](m map[netip.Prefix]V, at func(V) moment) {
	if len(m) < maxWithdrawn {
		return
	}
	var oldest netip.Prefix
	for p, v := range m {
		if !oldest.IsValid() || at(v) < at(m[oldest]) {
			oldest = p
		}
	}
	delete(m, oldest)
}

func (g *Guard) onKill() *event {
	if k := g.switches.kill.Load(); k != nil {
		return killed(k)
	}
	if w := g.orders.reopened; w.at != 0 {
		return &event{At: w.at, Reopen: true, By: w.by}
	}
	return nil
}

func (g *Guard) onTraffic() *event {
	if o := g.meter.Override(); o != nil {
		return overridden(o)
	}
	return nil
}

// given returns the time of an order that is given now: now, or just after the known orders.
func given(now time.Time, known ...*event) time.Time {
	now = now.Round(0).Truncate(time.Microsecond)
	for _, e := range known {
		if e != nil && e.At >= momentOf(now) {
			now = (e.At + 1).time()
		}
	}
	return now
}

// close sets the kill switch; a nil k ends it.
func (g *Guard) close(k *Kill, w withdrawal) (old *Kill) {
	g.orders.reopened = w
	g.switches.changes.Add(1)
	return g.switches.kill.Swap(k)
}

// sweep removes ended bans and old orders.
func (g *Guard) sweep(now time.Time) {
	g.bans.Sweep(now)
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	for p, w := range g.orders.lifted {
		if w.at < momentOf(now.Add(-keepLift)) {
			delete(g.orders.lifted, p)
			g.switches.changes.Add(1)
		}
	}
	for p, b := range g.orders.hidden {
		// A hidden ban of the guard is forgotten together with the ban by hand that hides it.
		if !b.Active(now.Add(-keepLift)) || byGuard(b) && g.bans.Of(p) == nil {
			delete(g.orders.hidden, p)
			g.switches.changes.Add(1)
		}
	}
}

// standing calls f with every order that a new server must learn: the kill switch, high-traffic mode, the newest bans
// by hand and lifts, and the newest bans of the guard.
func (g *Guard) standing(now time.Time, f func(*event)) {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	for _, e := range []*event{g.onKill(), g.onTraffic()} {
		if e != nil {
			f(e)
		}
	}
	var hand, guards []*event
	for p, w := range g.orders.lifted {
		hand = append(hand, &event{At: w.at, Lift: &p, By: w.by})
	}
	add := func(b *bans.Ban) {
		switch {
		case !byGuard(b): // include an ended ban: it may have replaced one that has not ended
			hand = append(hand, banned(b))
		case b.Active(now):
			guards = append(guards, banned(b))
		}
	}
	for _, b := range g.bans.All() {
		add(&b)
	}
	for _, b := range g.orders.hidden {
		add(b)
	}
	for _, all := range [][]*event{hand, guards} {
		slices.SortFunc(all, func(a, b *event) int { return cmp.Compare(b.At, a.At) })
		for _, e := range all[:min(len(all), maxRetold)] {
			f(e)
		}
	}
}

// An origin is the way by which an order reached this server.
type origin uint8

const (
	kept   origin = iota // from the file, after a restart
	caught               // from the ledger, after a start or a loss: it may be old
	heard                // from the ledger, just given
)

// obey applies an order from elsewhere, unless a later one about the same thing is known.
func (g *Guard) obey(e *event, now time.Time, from origin) {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	switch {
	case e.Ban != nil:
		g.obeyBan(e, now, from)
	case e.Lift != nil:
		p := *e.Lift
		hand, guards := g.onPrefix(p)
		if !p.IsValid() || p != widened(p) || !e.replaces(hand) {
			return
		}
		was := g.bans.Of(p) != nil
		stands, _ := g.settle(p, e, guards, now) // no error is possible: settle adds no ban that is not in the table
		if stands == nil {
			g.pardon(p)
		}
		g.logOrder(from, was && stands == nil, Entry{By: e.By, Action: "unban", What: p.String()})
	case e.Kill != nil:
		e.At = momentOf(e.Kill.Since)
		if e.Kill.Cover <= CoverAll && e.Kill.Until.Sub(now) <= longestKill+clockSlack && e.replaces(g.onKill()) {
			g.close(e.Kill, withdrawal{})
			g.logOrder(from, g.switches.killed(now) != nil, thrown(e.Kill))
		}
	case e.Reopen:
		if e.replaces(g.onKill()) {
			old, what := g.close(nil, withdrawal{e.At, e.By}), ""
			if old != nil {
				what = old.Cover.String()
			}
			g.logOrder(from, old != nil, Entry{By: e.By, Action: "reopen", What: what})
		}
	case e.Traffic != nil:
		e.At = momentOf(e.Traffic.Since)
		if e.Traffic.Mode <= traffic.Settings && e.replaces(g.onTraffic()) {
			changed := g.meter.Set(e.Traffic, now)
			g.switches.changes.Add(1)
			g.logOrder(from, g.Traffic(now) != nil, trafficSet(e.Traffic))
			if changed {
				g.logTraffic(now)
			}
		}
	}
}

// obeyBan applies a ban from elsewhere.
func (g *Guard) obeyBan(e *event, now time.Time, from origin) {
	e.At = momentOf(e.Ban.Since)
	hand, guards := g.onPrefix(e.Ban.Prefix)
	known := &hand
	if byGuard(e.Ban) {
		known = &guards
	}
	if !e.replaces(*known) || byGuard(e.Ban) && hand != nil && hand.At >= e.At {
		return
	}
	*known = e
	stands, err := g.settle(e.Ban.Prefix, hand, guards, now)
	if err != nil {
		g.log.Warn("another server's ban cannot be used", "error", err)
		return
	}
	if !byGuard(e.Ban) {
		g.logOrder(from, stands == e.Ban && e.Ban.Active(now), handBan(e.Ban))
		return
	}
	g.forgive(e.Ban.Prefix)
	switch {
	case stands != e.Ban || !e.Ban.Active(now) || from == kept:
	case from == caught:
		g.pending.caught++
	default:
		g.logBan(e.Ban, elsewhere...)
	}
}

// Entries for the audit and the log.
func handBan(b *bans.Ban) Entry {
	return Entry{At: b.Since, By: b.By, Action: "ban", What: b.Prefix.String(), Until: b.Until, Reason: b.Reason}
}

func thrown(k *Kill) Entry {
	return Entry{At: k.Since, By: k.By, Action: "kill", What: k.Cover.String(), Until: k.Until, Reason: k.Reason}
}

func trafficSet(o *traffic.Override) Entry {
	return Entry{At: o.Since, By: o.By, Action: "traffic", What: o.Mode.String(), Until: o.Until, Reason: o.Reason}
}

// elsewhere marks log records of orders that another server received or made.
var elsewhere = []any{"from", "another server"}

// logOrder logs an order from another server. After a start or a loss it logs only orders with an effect.
func (g *Guard) logOrder(from origin, effect bool, e Entry) {
	if from == heard || from == caught && effect {
		g.logEntry(e, elsewhere...)
	}
}

func (g *Guard) logEntry(e Entry, more ...any) {
	facts := []any{"by", e.By, "action", e.Action, "what", e.What, "reason", e.Reason}
	if !e.Until.IsZero() {
		facts = append(facts, "until", e.Until)
	}
	g.log.Warn("guard changed by hand", append(facts, more...)...)
}

func (g *Guard) logBan(b *bans.Ban, more ...any) {
	key := KeyOf(b.Prefix.Addr())
	facts := []any{"client", key.String(), "reason", b.Reason, "step", b.Step, "until", b.Until}
	g.log.Warn("client banned", append(facts, more...)...)
}

// forgive forgets the causes of another server's ban, as that server does: counting starts again.
func (g *Guard) forgive(prefix netip.Prefix) {
	g.offender(prefix, (*offender).serve)
}

// offender changes a client's offences, if there are any.
func (g *Guard) offender(prefix netip.Prefix, change func(*offender)) {
	key, ok := validClient(prefix)
	if !ok {
		return // a larger network: its clients are stored one by one
	}
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	defer g.offenders.Unlock(h)
	if o := g.offenders.Get(h); o != nil {
		change(o)
	}
}

// settled reports whether a violation already led to a ban of the guard, or was forgotten when a ban was lifted.
func (g *Guard) settled(s *strike) bool {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	hand, guards := g.onPrefix(s.Client)
	at := momentOf(s.At)
	return hand != nil && hand.Lift != nil && hand.At >= at || guards != nil && guards.At >= at
}
