package guard

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"freshet/server/guard/traffic"
)

// A Cover is the part of the site that the kill switch closes.
type Cover uint8

// The covers.
const (
	CoverAPI   Cover = iota // everything but pages
	CoverPages              // pages, feeds and files
	CoverAll
)

var coverNames = [...]string{"api", "pages", "all"}

// String returns the cover's name.
func (c Cover) String() string {
	if int(c) < len(coverNames) {
		return coverNames[c]
	}
	return "unknown"
}

// ParseCover parses the name of a cover.
func ParseCover(text string) (Cover, error) {
	if i := slices.Index(coverNames[:], text); i >= 0 {
		return Cover(i), nil
	}
	return 0, fmt.Errorf("%q is nothing that can be closed: api, pages or all", text)
}

// MarshalText is String.
func (c Cover) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseCover.
func (c *Cover) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCover(string(text))
	return err
}

// A Kill is an active kill switch. The site opens again when it expires or when [Guard.Reopen] is called. The admin
// listener can always call Reopen, because the guard does not judge its requests. Signed-in clients still reach
// /api/security/.
type Kill struct {
	Cover  Cover     `json:"cover"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// Limits for the duration of a kill switch.
const (
	defaultKill = time.Hour
	longestKill = 7 * 24 * time.Hour
)

// closes reports whether the kill switch covers a class.
func (k *Kill) closes(c Class) bool {
	switch c {
	case Health:
		return false
	case Page, Open, AI:
		return k.Cover != CoverAPI
	}
	return k.Cover != CoverPages
}

// An Entry is one line of the audit log: an operator's action.
type Entry struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"` // ban, unban, kill, reopen, traffic
	What   string    `json:"what,omitempty"`
	Until  time.Time `json:"until,omitzero"` // zero: no end, or not applicable
	Reason string    `json:"reason,omitempty"`
}

// maxAudit limits the stored entries.
const maxAudit = 500

// switches holds what operators have set.
type switches struct {
	kill    atomic.Pointer[Kill]
	changes atomic.Uint64

	mu    sync.Mutex
	audit []Entry // oldest first
}

// killed returns the kill switch if it is active.
func (s *switches) killed(now time.Time) *Kill {
	k := s.kill.Load()
	if k == nil || !now.Before(k.Until) {
		return nil
	}
	return k
}

func (s *switches) note(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.audit) == maxAudit {
		s.audit = slices.Delete(s.audit, 0, 1)
	}
	s.audit = append(s.audit, e)
	s.changes.Add(1)
}

// Kill activates the kill switch now. A zero Until means one hour.
func (g *Guard) Kill(k Kill, now time.Time) error {
	if k.By == "" {
		return errors.New("the kill switch wants to know who throws it")
	}
	if k.Until.IsZero() {
		k.Until = now.Round(0).Add(defaultKill)
	}
	if d := k.Until.Sub(now); d <= 0 || d > longestKill {
		return fmt.Errorf("the kill switch lasts from now to %s: it would be %s", longestKill, d.Round(time.Second))
	}
	if k.Cover > CoverAll {
		return errors.New("the kill switch has no cover")
	}
	g.orders.mu.Lock()
	k.Since = given(now, g.onKill())
	g.close(&k, withdrawal{})
	g.orders.mu.Unlock()
	g.record(thrown(&k))
	g.tell(killed(&k))
	return nil
}

// Reopen ends the kill switch. It reports whether it was active on this server. It tells all servers in any case,
// because another one may have activated it just now.
func (g *Guard) Reopen(by string, now time.Time) bool {
	g.orders.mu.Lock()
	at, what := momentOf(given(now, g.onKill())), ""
	old := g.close(nil, withdrawal{at, by})
	g.orders.mu.Unlock()
	if old != nil {
		what = old.Cover.String()
	}
	g.record(Entry{At: now.Round(0), By: by, Action: "reopen", What: what})
	g.tell(&event{At: at, Reopen: true, By: by})
	return old != nil && old.Until.After(now)
}

// Killed returns the active kill switch; nil: none.
func (g *Guard) Killed(now time.Time) *Kill { return g.switches.killed(now) }

// SetTraffic overrides the setting of high-traffic mode until o.Until; a zero Until means until the next call.
func (g *Guard) SetTraffic(o traffic.Override, now time.Time) error {
	switch {
	case o.By == "":
		return errors.New("high-traffic mode wants to know who sets it")
	case !o.Until.IsZero() && !o.Until.After(now):
		return errors.New("it would have ended already")
	}
	g.orders.mu.Lock()
	o.Since = given(now, g.onTraffic())
	changed := g.meter.Set(&o, now)
	g.orders.mu.Unlock()
	g.record(trafficSet(&o))
	if changed {
		g.logTraffic(now)
	}
	g.tell(overridden(&o))
	return nil
}

// Traffic returns the override of high-traffic mode in force; nil: none.
func (g *Guard) Traffic(now time.Time) *traffic.Override {
	o := g.meter.Override()
	if o == nil || o.Mode == traffic.Settings || !o.Until.IsZero() && !now.Before(o.Until) {
		return nil
	}
	return o
}

// SetBreaker tells the guard whether the database's circuit breaker is open. While it is, the guard acts as in
// high-traffic mode.
func (g *Guard) SetBreaker(open bool) { g.meter.SetBreaker(open) }

// HighTraffic reports whether high-traffic mode is on, and the measured requests a second.
func (g *Guard) HighTraffic(now time.Time) (on bool, rate float64) {
	if g.meter.Judge(now) {
		g.logTraffic(now)
	}
	return g.meter.High(), g.meter.Rate(now.Unix())
}

// Audit returns the operators' actions, newest first.
func (g *Guard) Audit() []Entry {
	g.switches.mu.Lock()
	defer g.switches.mu.Unlock()
	all := slices.Clone(g.switches.audit)
	slices.Reverse(all)
	return all
}

func (g *Guard) record(e Entry) {
	g.switches.note(e)
	g.logEntry(e)
}
