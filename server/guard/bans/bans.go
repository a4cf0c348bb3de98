// Package bans holds a table of bans. A ban has a prefix, an end, a scope and a reason.
//
// Repeated bans of the guard last longer, and old ones are forgotten step by step. An operator's ban lasts as long as
// the operator says. The table is copied on write, so that looking up an address takes no lock. The table is bounded:
// when it is full, it drops the guard's bans that end first.
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

// A Scope is the set of requests that a ban covers.
type Scope uint8

// The scopes.
const (
	API Scope = iota // the JSON API, sign-in, search and all writes
	All              // built pages too
)

// String returns the scope's name in settings.
func (s Scope) String() string {
	if s == All {
		return "all"
	}
	return "api"
}

// ParseScope parses the name of a scope.
func ParseScope(text string) (Scope, error) {
	switch text {
	case "api":
		return API, nil
	case "all":
		return All, nil
	}
	return 0, fmt.Errorf("%q is no scope: api or all", text)
}

// MarshalText returns String.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText calls ParseScope.
func (s *Scope) UnmarshalText(text []byte) (err error) {
	*s, err = ParseScope(string(text))
	return err
}

// Guard is the value of By for bans that the guard makes.
const Guard = "guard"

// A Ban is a ban on a prefix. It is immutable.
type Ban struct {
	Prefix netip.Prefix `json:"prefix"`
	Scope  Scope        `json:"scope"`
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until,omitzero"` // zero: until it is lifted
	Step   int          `json:"step,omitempty"` // number of the ban in its series; 0: by hand
	Reason string       `json:"reason,omitempty"`
	By     string       `json:"by,omitempty"`
}

// Active reports whether the ban has not ended.
func (b *Ban) Active(now time.Time) bool { return b.Until.IsZero() || now.Before(b.Until) }

// Config sets how long bans of the guard last.
type Config struct {
	Steps  []time.Duration // duration of the first ban, the second, and so on; the last one repeats; required
	Forget time.Duration   // after this time without a ban one step is forgotten; 0: a week
	Most   int             // limit for remembered prefixes; 0: 65,536
}

// A Table holds bans. It is safe for concurrent use.
type Table struct {
	cfg     Config
	current atomic.Pointer[bart.Table[*Ban]]
	changes atomic.Uint64

	mu sync.Mutex // held while the next table is made
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

// Find returns an active ban on addr whose scope covers at least scope; nil: none.
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
	// The ban on the longest prefix has ended or covers less. Look at shorter prefixes too.
	for _, ban := range table.Supernets(netip.PrefixFrom(addr, addr.BitLen())) {
		if ban.Scope >= scope && ban.Active(now) {
			return ban
		}
	}
	return nil
}

// Changes returns a number that grows with every change.
func (t *Table) Changes() uint64 { return t.changes.Load() }

// Punish bans a prefix for the duration of the next step. If an active ban already covers this, it returns that ban,
// and fresh is false.
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

// remembered returns how many steps of a ban still count.
func (t *Table) remembered(b *Ban, now time.Time) int {
	if b.Active(now) {
		return b.Step
	}
	return max(b.Step-int(now.Sub(b.Until)/t.cfg.Forget), 0)
}

// keepHand is how long a ban by hand is remembered after its end. Until then the table recognizes that an older ban,
// learned late, was replaced.
const keepHand = 24 * time.Hour

// forgotten reports whether a ban has ended and has no further effect.
func (t *Table) forgotten(b *Ban, now time.Time) bool {
	if b.Step == 0 {
		return !b.Active(now.Add(-keepHand))
	}
	return !b.Active(now) && t.remembered(b, now) == 0
}

// Of returns the ban on exactly this prefix, even if it has ended; nil: none is remembered.
func (t *Table) Of(prefix netip.Prefix) *Ban {
	ban, _ := t.current.Load().Get(prefix)
	return ban
}

// Put adds a ban unchanged: an operator's, another server's, or one from the file.
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

// Lift deletes the ban on a prefix with its history. It reports whether there was one.
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

// room drops forgotten bans. If the table is still full, it drops a sixteenth of it, first the guard's bans that end
// soonest.
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
			return cmp.Or(cmp.Compare(min(a.Step, 1), min(b.Step, 1)), b.Until.Compare(a.Until)) // operators' bans first, then the latest end
		})
		keep = keep[:t.cfg.Most-max(t.cfg.Most/16, 1)]
	}
	next := new(bart.Table[*Ban])
	for _, b := range keep {
		next.Insert(b.Prefix, b)
	}
	return next
}

// Sweep deletes forgotten bans.
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

// All returns all remembered bans by prefix, including ended ones.
func (t *Table) All() []Ban {
	var all []Ban
	for _, b := range t.current.Load().AllSorted() {
		all = append(all, *b)
	}
	return all
}

// Active returns the active bans by prefix.
func (t *Table) Active(now time.Time) []Ban {
	return slices.DeleteFunc(t.All(), func(b Ban) bool { return !b.Active(now) })
}

// CountActive returns the number of active bans.
func (t *Table) CountActive(now time.Time) (n int) {
	for _, b := range t.current.Load().All() {
		if b.Active(now) {
			n++
		}
	}
	return n
}

// Len returns the number of remembered prefixes.
func (t *Table) Len() int { return t.current.Load().Size() }
