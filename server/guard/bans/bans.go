// Package bans holds who may not come in, and for how long: a table of prefixes with an end, a scope and a reason each.
//
// Bans of the guard grow with repetition, and what led to them is forgotten step by step. Bans of operators last as long as
// they say. The table is copied on write, so that looking up an address takes no lock; it is bounded, and gives up the
// guard's bans that end first.
package bans

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"
)

// A Scope is what a ban covers.
type Scope uint8

// The scopes.
const (
	API Scope = iota // the JSON API, sign-in, search and everything that writes
	All              // built pages too
)

// String is the scope as it is written in settings.
func (s Scope) String() string {
	if s == All {
		return "all"
	}
	return "api"
}

// ParseScope reads a scope.
func ParseScope(text string) (Scope, error) {
	switch text {
	case "api":
		return API, nil
	case "all":
		return All, nil
	}
	return 0, fmt.Errorf("%q is no scope: api or all", text)
}

// MarshalText is String.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseScope.
func (s *Scope) UnmarshalText(text []byte) (err error) {
	*s, err = ParseScope(string(text))
	return err
}

// Guard is who bans when nobody does by hand.
const Guard = "guard"

// A Ban is immutable.
type Ban struct {
	Prefix netip.Prefix `json:"prefix"`
	Scope  Scope        `json:"scope"`
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until,omitzero"` // zero: until it is lifted
	Step   int          `json:"step,omitempty"` // which one in a row; 0: by hand
	Reason string       `json:"reason,omitempty"`
	By     string       `json:"by,omitempty"`
}

// Active reports whether the ban has not ended.
func (b *Ban) Active(now time.Time) bool { return b.Until.IsZero() || now.Before(b.Until) }

// Config says how long bans of the guard last.
type Config struct {
	Steps  []time.Duration // of the first, the second …; more are as the last; required
	Forget time.Duration   // a step is forgotten after so long without a ban; 0: a week
	Most   int             // prefixes that are remembered; 0: 65,536
}

// A Table is safe for use by many.
type Table struct {
	cfg     Config
	current atomic.Pointer[bart.Table[*Ban]]
	changes atomic.Uint64

	mu sync.Mutex // held by who makes the next table
}

// New makes an empty table.
func New(cfg Config) (*Table, error) {
	if len(cfg.Steps) == 0 {
		return nil, errors.New("bans need at least one step")
	}
	if cfg.Forget == 0 {
		cfg.Forget = 7 * 24 * time.Hour
	}
	if cfg.Most == 0 {
		cfg.Most = 1 << 16
	}
	t := &Table{cfg: cfg}
	t.current.Store(new(bart.Table[*Ban]))
	return t, nil
}

// Find returns the ban that keeps addr out, now, of what is covered from scope on; nil: none does.
func (t *Table) Find(addr netip.Addr, scope Scope, now time.Time) *Ban {
	table := t.current.Load()
	if table.Size() == 0 {
		return nil
	}
	ban, ok := table.Lookup(addr)
	if !ok {
		return nil
	}
	if ban.Scope >= scope && ban.Active(now) {
		return ban
	}
	// The longest prefix has ended or covers less: it must not hide a shorter one.
	for _, ban := range table.Supernets(netip.PrefixFrom(addr, addr.BitLen())) {
		if ban.Scope >= scope && ban.Active(now) {
			return ban
		}
	}
	return nil
}

// Changes grows with every change.
func (t *Table) Changes() uint64 { return t.changes.Load() }

// Punish bans prefix for as long as its turn is. Who is banned already stays so, and that is no new ban.
func (t *Table) Punish(prefix netip.Prefix, scope Scope, reason string, now time.Time) (ban *Ban, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.current.Load()
	step := 1
	if old, ok := table.Get(prefix); ok {
		if old.Active(now) && (old.Scope >= scope || old.Step == 0) {
			return old, false
		}
		step += t.remembered(old, now)
	}
	last := t.cfg.Steps[min(step, len(t.cfg.Steps))-1]
	ban = &Ban{Prefix: prefix, Scope: scope, Since: now.Round(0), Until: now.Round(0).Add(last), Step: step, Reason: reason, By: Guard}
	t.store(t.room(table, now).InsertPersist(prefix, ban))
	return ban, true
}

// remembered is how many steps of a ban still count.
func (t *Table) remembered(b *Ban, now time.Time) int {
	if b.Active(now) {
		return b.Step
	}
	return max(b.Step-int(now.Sub(b.Until)/t.cfg.Forget), 0)
}

// keepHand is for how long a ban by hand is remembered after its end, so that an older one that is heard of late is known to be
// replaced.
const keepHand = 24 * time.Hour

// forgotten reports whether a ban has ended and counts for nothing more.
func (t *Table) forgotten(b *Ban, now time.Time) bool {
	if b.Step == 0 {
		return !b.Active(now.Add(-keepHand))
	}
	return !b.Active(now) && t.remembered(b, now) == 0
}

// Of returns the ban on prefix itself, also one that has ended and is not forgotten; nil: there is none.
func (t *Table) Of(prefix netip.Prefix) *Ban {
	ban, _ := t.current.Load().Get(prefix)
	return ban
}

// Put adds a ban as it is: an operator's, another server's, or one of before a restart.
func (t *Table) Put(b Ban, now time.Time) error {
	switch {
	case !b.Prefix.IsValid() || b.Prefix != b.Prefix.Masked() || b.Prefix.Addr().Is4In6():
		return fmt.Errorf("ban %s: it is no prefix", b.Prefix)
	case b.Prefix.Bits() == 0:
		return fmt.Errorf("ban %s: that is everybody; the kill switch does that", b.Prefix)
	case b.Scope > All:
		return fmt.Errorf("ban %s: it has no scope", b.Prefix)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.current.Load()
	if old, ok := table.Get(b.Prefix); ok && same(old, &b) {
		return nil
	}
	t.store(t.room(table, now).InsertPersist(b.Prefix, &b))
	return nil
}

func same(a, b *Ban) bool {
	return a.Scope == b.Scope && a.Step == b.Step && a.Reason == b.Reason && a.By == b.By && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
}

// Lift ends the ban on prefix and forgets what led to it. It reports whether there was one.
func (t *Table) Lift(prefix netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.current.Load()
	if _, ok := table.Get(prefix); !ok {
		return false
	}
	t.store(table.DeletePersist(prefix))
	return true
}

func (t *Table) store(table *bart.Table[*Ban]) {
	t.current.Store(table)
	t.changes.Add(1)
}

// room drops what is forgotten, and a sixteenth of the guard's bans where the table is full.
func (t *Table) room(table *bart.Table[*Ban], now time.Time) *bart.Table[*Ban] {
	if table.Size() < t.cfg.Most {
		return table
	}
	var keep []*Ban
	for _, b := range table.All() {
		if b.Active(now) || t.remembered(b, now) > 0 {
			keep = append(keep, b)
		}
	}
	if len(keep) >= t.cfg.Most {
		slices.SortFunc(keep, func(a, b *Ban) int {
			return cmp.Or(cmp.Compare(min(a.Step, 1), min(b.Step, 1)), b.Until.Compare(a.Until)) // operators' first, then the latest end
		})
		keep = keep[:t.cfg.Most-max(t.cfg.Most/16, 1)]
	}
	next := new(bart.Table[*Ban])
	for _, b := range keep {
		next.Insert(b.Prefix, b)
	}
	return next
}

// Sweep drops what has ended and is forgotten.
func (t *Table) Sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.current.Load()
	next, n := table, 0
	for _, b := range table.All() {
		if t.forgotten(b, now) {
			next = next.DeletePersist(b.Prefix)
			n++
		}
	}
	if n > 0 {
		t.store(next)
	}
}

// All are the bans, also those that have ended and are not forgotten, by prefix.
func (t *Table) All() []Ban {
	var all []Ban
	for _, b := range t.current.Load().AllSorted() {
		all = append(all, *b)
	}
	return all
}

// Active are the bans that have not ended, by prefix.
func (t *Table) Active(now time.Time) []Ban {
	return slices.DeleteFunc(t.All(), func(b Ban) bool { return !b.Active(now) })
}

// CountActive is how many have not ended.
func (t *Table) CountActive(now time.Time) (n int) {
	for _, b := range t.current.Load().All() {
		if b.Active(now) {
			n++
		}
	}
	return n
}

// Len is how many prefixes are remembered.
func (t *Table) Len() int { return t.current.Load().Size() }
