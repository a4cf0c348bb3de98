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

// An order is a ban, the end of one, the kill switch or what takes it back, or a word on high-traffic mode. Of two about the
// same thing the one that was given later stands, on every server and in whatever order they hear of them; so what takes
// something back is remembered too. A server that is given an order dates it after all that it knows about the thing, so that
// clocks that disagree make no order vanish where it was given.
//
// The guard bans nobody anew whom a ban by hand keeps out. Where it did, on a server that had not heard of that one, its ban is
// as good as not made, however late the two meet. That can be told of the last order by hand and the guard's last ban alone,
// so servers remember both of a prefix, and the ledger keeps both: from those two every server makes the same.

// A moment is when an order was given, in microseconds since 1970. Its text has one width and is the first member of an
// event, so that of two texts about the same thing the greater one is the later: this is how a [Ledger] compares them.
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

// An event is what one server tells the others, and what is kept over a restart. Beside At and By it has one of its fields.
type event struct {
	At      moment            `json:"at,omitzero"` // of an order
	Ban     *bans.Ban         `json:"ban,omitempty"`
	Lift    *netip.Prefix     `json:"lift,omitempty"`
	Kill    *Kill             `json:"kill,omitempty"`
	Reopen  bool              `json:"reopen,omitempty"`
	Traffic *traffic.Override `json:"traffic,omitempty"`
	By      string            `json:"by,omitempty"` // of a Lift or a Reopen
	Strike  *strike           `json:"strike,omitempty"`
	Audit   *Entry            `json:"audit,omitempty"` // kept only
}

func banned(b *bans.Ban) *event { return &event{At: momentOf(b.Since), Ban: b} }

func killed(k *Kill) *event { return &event{At: momentOf(k.Since), Kill: k} }

func overridden(o *traffic.Override) *event { return &event{At: momentOf(o.Since), Traffic: o} }

// byGuard reports whether a ban is none by hand.
func byGuard(b *bans.Ban) bool { return b.Step > 0 }

// about is the thing that an order is about; empty: it is no order.
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

// replaces reports whether an order is later than old, which is about the same; nil: nothing was ordered. Of two of one moment
// it is the one whose text is greater, as in a ledger.
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
	maxWithdrawn = 10_000              // lifts that are remembered, and bans beside those of the table
	keepLift     = 30 * 24 * time.Hour // for so long
	clockSlack   = time.Hour           // by which the clocks of servers may differ
)

// orders is what is known of orders beside the bans of the table, the kill switch and the word on high-traffic mode: that
// something was taken back, and bans that others do not let stand.
type orders struct {
	mu     sync.Mutex // held from when an order is compared with what is known until it has taken its place
	lifted map[netip.Prefix]withdrawal
	// hidden has a ban of the guard while a ban by hand is in the table that keeps it from counting, and one by hand, which has
	// ended, while the guard has banned since.
	hidden   map[netip.Prefix]*bans.Ban
	reopened withdrawal // of a kill switch that is nil
}

type withdrawal struct {
	at moment
	by string
}

// onPrefix is what is known about a prefix: the last order by hand, and the guard's last ban, if that is later; nil: there is
// none. The caller holds the lock, as of the next ones.
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

// settle makes what stands about a prefix of the last order by hand and the guard's last ban.
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

// room drops the oldest of what is remembered, where that is much.
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

// given is the date of an order that is given now, where others are known.
func given(now time.Time, known ...*event) time.Time {
	now = now.Round(0).Truncate(time.Microsecond)
	for _, e := range known {
		if e != nil && e.At >= momentOf(now) {
			now = (e.At + 1).time()
		}
	}
	return now
}

// close throws the kill switch, or takes it back where k is nil.
func (g *Guard) close(k *Kill, w withdrawal) (old *Kill) {
	g.orders.reopened = w
	g.switches.changes.Add(1)
	return g.switches.kill.Swap(k)
}

// sweep drops what has ended and is forgotten.
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
		// What keeps a ban of the guard from counting is forgotten with it.
		if !b.Active(now.Add(-keepLift)) || byGuard(b) && g.bans.Of(p) == nil {
			delete(g.orders.hidden, p)
			g.switches.changes.Add(1)
		}
	}
}

// standing calls f with every order that is to be told to who knows nothing: the kill switch, high-traffic mode, the newest
// bans by hand and lifts, and the newest bans of the guard.
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
		case !byGuard(b): // also one that has ended: it may have replaced one that has not
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

// An origin is where an order comes from that was not given here.
type origin uint8

const (
	kept   origin = iota // over a restart
	caught               // up with, after a start or a loss: it was given at any time
	heard                // just now
)

// obey takes over an order that stands, unless what is known about the thing is later.
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
		stands, _ := g.settle(p, e, guards, now) // nothing is new to the table
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

// obeyBan is obey for a ban.
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

// What the audit and the log say of orders.
func handBan(b *bans.Ban) Entry {
	return Entry{At: b.Since, By: b.By, Action: "ban", What: b.Prefix.String(), Until: b.Until, Reason: b.Reason}
}

func thrown(k *Kill) Entry {
	return Entry{At: k.Since, By: k.By, Action: "kill", What: k.Cover.String(), Until: k.Until, Reason: k.Reason}
}

func trafficSet(o *traffic.Override) Entry {
	return Entry{At: o.Since, By: o.By, Action: "traffic", What: o.Mode.String(), Until: o.Until, Reason: o.Reason}
}

// elsewhere marks in the log what was given to, or done by, another server.
var elsewhere = []any{"from", "another server"}

// logOrder tells of an order that came from another server. Where it was caught up with, only one that has an effect is news.
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

// forgive forgets what led to a ban of the guard, as the server does that bans: counting begins anew.
func (g *Guard) forgive(prefix netip.Prefix) {
	g.offender(prefix, (*offender).serve)
}

// offender changes what is known of a client's misdeeds, if anything is.
func (g *Guard) offender(prefix netip.Prefix, change func(*offender)) {
	key, ok := validClient(prefix)
	if !ok {
		return // a network of many: each has its own
	}
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	defer g.offenders.Unlock(h)
	if o := g.offenders.Get(h); o != nil {
		change(o)
	}
}

// settled reports whether a violation led to a ban of the guard or was forgotten with one that was lifted.
func (g *Guard) settled(s *strike) bool {
	g.orders.mu.Lock()
	defer g.orders.mu.Unlock()
	hand, guards := g.onPrefix(s.Client)
	at := momentOf(s.At)
	return hand != nil && hand.Lift != nil && hand.At >= at || guards != nil && guards.At >= at
}
