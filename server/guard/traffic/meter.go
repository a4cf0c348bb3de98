// Package traffic tells how busy the site is, by its requests, and how busy the process is, by how long its goroutines wait.
//
// A [Meter] decides on high-traffic mode, a [Load] on how much is to be refused. Both only count and judge: what follows is
// the guard's affair.
package traffic

import (
	"fmt"
	"sync/atomic"
	"time"

	"freshet/server/guard/limit"
)

// A Mode says whether high-traffic mode is on.
type Mode uint8

// The modes.
const (
	Auto Mode = iota // by the number of requests
	On
	Never
	Settings // of an Override: as the settings say
)

// ParseMode reads auto, true or false.
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

// String is the mode as it is written in settings.
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

// MarshalText is String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is ParseMode, and reads settings.
func (m *Mode) UnmarshalText(text []byte) (err error) {
	if string(text) == Settings.String() {
		*m = Settings
		return nil
	}
	*m, err = ParseMode(string(text))
	return err
}

// Config says when high-traffic mode is on.
type Config struct {
	Mode  Mode
	Enter limit.Rate    // above it, on average over five seconds; zero: 500/s
	Leave limit.Rate    // below it for Hold; zero: 400/s
	Hold  time.Duration // 0: 1 m
}

// WithDefaults fills in what is not set.
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
	rateSlots = 8 // seconds that are counted apart: those of the average, the running one, and some for latecomers
)

// A Meter counts requests by the second, and tells whether there are too many. It is safe for use by many.
type Meter struct {
	cfg   Config
	mode  atomic.Pointer[Override] // nil: as the settings say
	high  atomic.Bool
	slots [rateSlots]rateSlot

	judged  atomic.Int64 // the last second that was looked at
	busy    atomic.Int64 // the last second, Unix time, whose average was not below Leave
	entered atomic.Int64 // how often high-traffic mode began

	breaker atomic.Bool // the database's circuit breaker is open
}

// NewMeter makes a Meter of settings that are filled in.
func NewMeter(cfg Config) *Meter { return &Meter{cfg: cfg} }

// An Override is an operator's word on high-traffic mode.
type Override struct {
	Mode   Mode      `json:"mode"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is taken back
}

type rateSlot struct {
	second atomic.Int64
	count  atomic.Int64
	_      [48]byte
}

// Note counts a request. Around the turn of a second one or two may be lost.
func (m *Meter) Note(second int64) {
	s := &m.slots[second&(rateSlots-1)]
	at := s.second.Load()
	switch {
	case at == second:
	case at > second && at-second <= rateSlots:
		return // late by more than all slots
	case s.second.CompareAndSwap(at, second): // also when the clock was set back
		s.count.Store(0)
	}
	s.count.Add(1)
}

// Rate is the average over the seconds before this one.
func (m *Meter) Rate(second int64) float64 {
	sum := int64(0)
	for i := int64(1); i <= average; i++ {
		if s := &m.slots[(second-i)&(rateSlots-1)]; s.second.Load() == second-i {
			sum += s.count.Load()
		}
	}
	return float64(sum) / average
}

// Judge looks at the traffic once a second, and reports whether high-traffic mode began or ended just now.
func (m *Meter) Judge(now time.Time) (changed bool) {
	second := now.Unix()
	last := m.judged.Load()
	if second <= last && last-second <= rateSlots || !m.judged.CompareAndSwap(last, second) {
		return false // it was, or the request is a little late; or the clock was set back
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

// effective is the mode in force.
func (m *Meter) effective(now time.Time) Mode {
	if o := m.mode.Load(); o != nil && o.Mode != Settings && (o.Until.IsZero() || now.Before(o.Until)) {
		return o.Mode
	}
	return m.cfg.Mode
}

// Set changes the mode at once, and reports whether high-traffic mode began or ended by that.
func (m *Meter) Set(o *Override, now time.Time) (changed bool) {
	m.mode.Store(o)
	m.judged.Store(now.Unix() - 1)
	return m.Judge(now)
}

// Strained reports whether writes that can wait have to: in high-traffic mode, or while the database is left alone.
func (m *Meter) Strained(now time.Time) bool {
	return m.high.Load() || m.breaker.Load() && m.effective(now) != Never
}

// High reports whether high-traffic mode is on.
func (m *Meter) High() bool { return m.high.Load() }

// Entered is how often high-traffic mode began.
func (m *Meter) Entered() uint64 { return uint64(m.entered.Load()) }

// Override is an operator's word; nil: there is none.
func (m *Meter) Override() *Override { return m.mode.Load() }

// SetBreaker tells whether the database's circuit breaker is open.
func (m *Meter) SetBreaker(open bool) { m.breaker.Store(open) }
