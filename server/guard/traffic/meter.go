// Package traffic measures how busy the site is (its requests) and how busy the process is (its goroutines' waiting
// time).
//
// A [Meter] decides about high-traffic mode, a [Load] about load shedding. Both only measure and judge. The guard acts
// on them.
package traffic

import (
	"fmt"
	"sync/atomic"
	"time"

	"freshet/server/guard/limit"
)

// A Mode selects when high-traffic mode is on.
type Mode uint8

// The modes.
const (
	Auto Mode = iota // depends on the number of requests
	On
	Never
	Settings // only in an Override: use the settings
)

// ParseMode parses auto, true or false.
func ParseMode(text string) (Mode, error) {
	switch text {
	case "auto":
		return Auto, nil
	case "true":
		return On, nil
	case "false":
		return Never, nil
	}
	return 0, fmt.Errorf("%q is no mode: true, false or auto", text)
}

// String returns the mode's name in settings.
func (m Mode) String() string {
	switch m {
	case On:
		return "true"
	case Never:
		return "false"
	case Settings:
		return "settings"
	}
	return "auto"
}

// MarshalText returns String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText calls ParseMode, and also parses "settings".
func (m *Mode) UnmarshalText(text []byte) (err error) {
	if string(text) == Settings.String() {
		*m = Settings
		return nil
	}
	*m, err = ParseMode(string(text))
	return err
}

// Config sets when high-traffic mode is on.
type Config struct {
	Mode  Mode
	Enter limit.Rate    // begins above this rate, as the average of five seconds; zero: 500/s
	Leave limit.Rate    // ends below this rate for Hold; zero: 400/s
	Hold  time.Duration // 0: 1 m
}

// WithDefaults fills in missing values.
func (c Config) WithDefaults() Config {
	if c.Enter.IsZero() {
		c.Enter = limit.Rate{Requests: 500, Window: time.Second}
	}
	if c.Leave.IsZero() {
		c.Leave = limit.Rate{Requests: 400, Window: time.Second}
	}
	if c.Hold == 0 {
		c.Hold = time.Minute
	}
	return c
}

const (
	average   = 5 // seconds
	rateSlots = 8 // seconds counted separately: those of the average, the current one, and some for late requests
)

// A Meter counts requests by the second and decides about high-traffic mode. It is safe for concurrent use.
type Meter struct {
	cfg   Config
	mode  atomic.Pointer[Override] // nil: use the settings
	high  atomic.Bool
	slots [rateSlots]rateSlot

	judged  atomic.Int64 // the last second that Judge looked at
	busy    atomic.Int64 // the last second, in Unix time, whose average was not below Leave
	entered atomic.Int64 // starts of high-traffic mode

	breaker atomic.Bool // the database's circuit breaker is open
}

// NewMeter makes a Meter. cfg must have its defaults.
func NewMeter(cfg Config) *Meter { return &Meter{cfg: cfg} }

// An Override is an operator's order about high-traffic mode.
type Override struct {
	Mode   Mode      `json:"mode"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until the next order
}

type rateSlot struct {
	second atomic.Int64
	count  atomic.Int64
	_      [48]byte
}

// Note counts a request. At the change of a second one or two requests may be lost.
func (m *Meter) Note(second int64) {
	s := &m.slots[second&(rateSlots-1)]
	at := s.second.Load()
	switch {
	case at == second:
	case at > second && at-second <= rateSlots:
		return // the request is older than all slots
	case s.second.CompareAndSwap(at, second): // also after the clock was set back
		s.count.Store(0)
	}
	s.count.Add(1)
}

// Rate returns the average rate of the seconds before second.
func (m *Meter) Rate(second int64) float64 {
	sum := int64(0)
	for i := int64(1); i <= average; i++ {
		if s := &m.slots[(second-i)&(rateSlots-1)]; s.second.Load() == second-i {
			sum += s.count.Load()
		}
	}
	return float64(sum) / average
}

// Judge updates high-traffic mode once a second. It reports whether the mode has just begun or ended.
func (m *Meter) Judge(now time.Time) (changed bool) {
	second := now.Unix()
	last := m.judged.Load()
	if second <= last && last-second <= rateSlots || !m.judged.CompareAndSwap(last, second) {
		return false // this second was judged already, or the request is slightly late
	}
	rate := m.Rate(second)
	if rate >= m.cfg.Leave.PerSecond() || m.busy.Load() > second {
		m.busy.Store(second)
	}
	was := m.high.Load()
	high := was
	switch m.effective(now) {
	case On:
		high = true
	case Never:
		high = false
	default:
		if rate > m.cfg.Enter.PerSecond() {
			high = true
		} else if was && second-m.busy.Load() >= int64(m.cfg.Hold/time.Second) {
			high = false
		}
	}
	if high == was {
		return false
	}
	if high {
		m.entered.Add(1)
		m.busy.Store(second)
	}
	m.high.Store(high)
	return true
}

// effective returns the mode in force.
func (m *Meter) effective(now time.Time) Mode {
	if o := m.mode.Load(); o != nil && o.Mode != Settings && (o.Until.IsZero() || now.Before(o.Until)) {
		return o.Mode
	}
	return m.cfg.Mode
}

// Set applies an override at once. It reports whether high-traffic mode begins or ends because of it.
func (m *Meter) Set(o *Override, now time.Time) (changed bool) {
	m.mode.Store(o)
	m.judged.Store(now.Unix() - 1)
	return m.Judge(now)
}

// Strained reports whether less important writes are refused: in high-traffic mode, or while the database's circuit
// breaker is open.
func (m *Meter) Strained(now time.Time) bool {
	return m.high.Load() || m.breaker.Load() && m.effective(now) != Never
}

// High reports whether high-traffic mode is on.
func (m *Meter) High() bool { return m.high.Load() }

// Entered returns how often high-traffic mode began.
func (m *Meter) Entered() uint64 { return uint64(m.entered.Load()) }

// Override returns the operator's order; nil: none.
func (m *Meter) Override() *Override { return m.mode.Load() }

// SetBreaker tells the meter whether the database's circuit breaker is open.
func (m *Meter) SetBreaker(open bool) { m.breaker.Store(open) }
