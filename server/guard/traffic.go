package guard

import (
	"sync/atomic"
	"time"
)

const (
	average   = 5 // seconds
	rateSlots = 8 // seconds that are counted apart: those of the average, the running one, and some for latecomers
)

// traffic counts requests by the second, and tells whether there are too many.
type traffic struct {
	cfg   TrafficConfig
	mode  atomic.Pointer[override] // nil: as the settings say
	high  atomic.Bool
	slots [rateSlots]rateSlot

	judged  atomic.Int64 // the last second that was looked at
	busy    atomic.Int64 // the last second, Unix time, whose average was not below Leave
	entered atomic.Int64 // how often high-traffic mode began

	breaker atomic.Bool // the database's circuit breaker is open
}

// An override is an operator's word on high-traffic mode.
type override struct {
	Mode  TrafficMode `json:"mode"`
	By    string      `json:"by,omitempty"`
	Since time.Time   `json:"since"`
	Until time.Time   `json:"until,omitzero"` // zero: until it is taken back
}

type rateSlot struct {
	second atomic.Int64
	count  atomic.Int64
	_      [48]byte
}

// note counts a request. Around the turn of a second one or two may be lost.
func (t *traffic) note(second int64) {
	s := &t.slots[second&(rateSlots-1)]
	if at := s.second.Load(); at < second && s.second.CompareAndSwap(at, second) {
		s.count.Store(0)
	} else if at > second {
		return // late by more than all slots
	}
	s.count.Add(1)
}

// rate is the average over the seconds before this one.
func (t *traffic) rate(second int64) float64 {
	sum := int64(0)
	for i := int64(1); i <= average; i++ {
		if s := &t.slots[(second-i)&(rateSlots-1)]; s.second.Load() == second-i {
			sum += s.count.Load()
		}
	}
	return float64(sum) / average
}

// judge looks at the traffic once a second, and reports whether high-traffic mode began or ended just now.
func (t *traffic) judge(now time.Time) (changed bool) {
	second := now.Unix()
	last := t.judged.Load()
	if second <= last || !t.judged.CompareAndSwap(last, second) {
		return false
	}
	rate := t.rate(second)
	if rate >= t.cfg.Leave.PerSecond() {
		t.busy.Store(second)
	}
	was := t.high.Load()
	high := was
	switch t.effective(now) {
	case On:
		high = true
	case Never:
		high = false
	default:
		if rate > t.cfg.Enter.PerSecond() {
			high = true
		} else if was && second-t.busy.Load() >= int64(t.cfg.Hold/time.Second) {
			high = false
		}
	}
	if high == was {
		return false
	}
	if high {
		t.entered.Add(1)
		t.busy.Store(second)
	}
	t.high.Store(high)
	return true
}

// effective is the mode in force.
func (t *traffic) effective(now time.Time) TrafficMode {
	if o := t.mode.Load(); o != nil && (o.Until.IsZero() || now.Before(o.Until)) {
		return o.Mode
	}
	return t.cfg.Mode
}

// set changes the mode at once.
func (t *traffic) set(o *override, now time.Time) {
	t.mode.Store(o)
	t.judged.Store(now.Unix() - 1)
	t.judge(now)
}

// strained reports whether writes that can wait have to: in high-traffic mode, or while the database is left alone.
func (t *traffic) strained(now time.Time) bool {
	return t.high.Load() || t.breaker.Load() && t.effective(now) != Never
}
