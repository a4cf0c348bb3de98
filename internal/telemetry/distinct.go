package telemetry

import (
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	registerBits = 10
	registers    = 1 << registerBits
	// slots cover a minute, and one more is being filled or cleared.
	slotTime = 10 * time.Second
	slots    = 7
)

// A Distinct estimates how many different clients there were in the last minute, within 10 % nearly always, in 28 KB
// however many there are (HyperLogLog). Its hash has a key, so that nobody can choose addresses that count much.
// It is safe for concurrent use; at the turn of a slot a few clients may be missed.
type Distinct struct {
	seed  maphash.Seed
	slots [slots]slot
}

type slot struct {
	epoch atomic.Int64 // which stretch of slotTime it holds
	high  [registers]atomic.Uint32
}

// NewDistinct makes a Distinct.
func NewDistinct() *Distinct { return &Distinct{seed: maphash.MakeSeed()} }

func epoch(now time.Time) int64 { return now.Unix() / int64(slotTime/time.Second) }

// Add records a request of client.
func (d *Distinct) Add(client netip.Prefix, now time.Time) {
	e := epoch(now)
	s := &d.slots[e%slots]
	if was := s.epoch.Load(); was != e && s.epoch.CompareAndSwap(was, e) {
		for i := range s.high {
			s.high[i].Store(0)
		}
	}
	h := maphash.Comparable(d.seed, client.Addr())
	rank := uint32(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1))) + 1
	r := &s.high[h>>(64-registerBits)]
	for was := r.Load(); was < rank && !r.CompareAndSwap(was, rank); was = r.Load() {
	}
}

// Count estimates how many different clients were added in the last minute.
func (d *Distinct) Count(now time.Time) float64 {
	var high [registers]uint32
	e := epoch(now)
	for i := range d.slots {
		s := &d.slots[i]
		if age := e - s.epoch.Load(); age < 0 || age >= slots-1 {
			continue
		}
		for j := range high {
			high[j] = max(high[j], s.high[j].Load())
		}
	}
	sum, zeros := 0.0, 0
	for _, h := range high {
		sum += math.Ldexp(1, -int(h))
		if h == 0 {
			zeros++
		}
	}
	const n = float64(registers)
	estimate := 0.7213 / (1 + 1.079/n) * n * n / sum
	if estimate <= 2.5*n && zeros > 0 {
		estimate = n * math.Log(n/float64(zeros)) // of few, the empty registers tell more
	}
	return estimate
}
