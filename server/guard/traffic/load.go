package traffic

import (
	"math"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// A Level is how saturated the process is.
type Level int32

// The levels: one goroutine in ten waits for a processor at least the set time, twice that time, or five times that
// time.
const (
	Calm Level = iota
	Busy
	Busier
	Saturated
)

const (
	calm      = 4 // the level falls by one after this many lower samples
	latencies = "/sched/latencies:seconds"
)

// A Load measures how long goroutines wait for a processor, the first thing to saturate in a process that serves from
// memory.
type Load struct {
	latency time.Duration // wait of the first level
	level   atomic.Int32

	last  []uint64 // the histogram at the last sample
	quiet int
}

// NewLoad makes a Load whose first level begins when one goroutine in ten waits at least latency.
func NewLoad(latency time.Duration) *Load { return &Load{latency: latency} }

// Level returns the current level.
func (l *Load) Level() Level { return Level(l.level.Load()) }

// Sample reads the scheduler's histogram and sets the level. Only one goroutine may call Sample and Judge.
func (l *Load) Sample() {
	s := []metrics.Sample{{Name: latencies}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return
	}
	h := s[0].Value.Float64Histogram()
	if len(l.last) == len(h.Counts) {
		l.Judge(quantile(h.Buckets, h.Counts, l.last, 0.9))
	}
	l.last = append(l.last[:0], h.Counts...)
}

// Judge sets the level from a wait that one goroutine in ten has reached.
func (l *Load) Judge(waited time.Duration) {
	want := Calm
	switch {
	case waited >= 5*l.latency:
		want = Saturated
	case waited >= 2*l.latency:
		want = Busier
	case waited >= l.latency:
		want = Busy
	}
	level := l.Level()
	if want >= level {
		l.level.Store(int32(want))
		l.quiet = 0
	} else if l.quiet++; l.quiet >= calm {
		l.level.Store(int32(level - 1))
		l.quiet = 0
	}
}

// quantile returns the lower edge of the bucket that contains the quantile q of the counts added since before.
func quantile(buckets []float64, counts, before []uint64, q float64) time.Duration {
	total := uint64(0)
	for i := range counts {
		total += counts[i] - before[i]
	}
	if total == 0 {
		return 0
	}
	want := uint64(math.Ceil(q * float64(total)))
	seen := uint64(0)
	for i := range counts {
		if seen += counts[i] - before[i]; seen >= want {
			if edge := buckets[i]; edge > 0 {
				return time.Duration(edge * float64(time.Second))
			}
			return 0
		}
	}
	return 0
}
