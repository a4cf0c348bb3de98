package guard

import (
	"math"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Levels of load shedding. Each refuses what those below it do.
const (
	shedNothing int32 = iota
	shedWrites
	shedSearch // and sign-in, whose password hashing is the dearest of all
	shedReads
)

const (
	sampleEvery = 500 * time.Millisecond
	calm        = 4 // samples below the level before it falls by one
	latencies   = "/sched/latencies:seconds"
)

// load watches for how long goroutines wait for a processor: what saturates first in a process that serves from memory.
type load struct {
	latency time.Duration // of the first level
	level   atomic.Int32

	last  []uint64 // counts of the histogram at the last sample
	quiet int
}

// sample reads the scheduler's histogram, and sets the level. It is called by one goroutine.
func (l *load) sample() {
	s := []metrics.Sample{{Name: latencies}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return
	}
	h := s[0].Value.Float64Histogram()
	if len(l.last) == len(h.Counts) {
		l.judge(quantile(h.Buckets, h.Counts, l.last, 0.9))
	}
	l.last = append(l.last[:0], h.Counts...)
}

// judge sets the level by what one goroutine in ten has waited for at least.
func (l *load) judge(waited time.Duration) {
	want := shedNothing
	switch {
	case waited >= 5*l.latency:
		want = shedReads
	case waited >= 2*l.latency:
		want = shedSearch
	case waited >= l.latency:
		want = shedWrites
	}
	level := l.level.Load()
	if want >= level {
		l.level.Store(want)
		l.quiet = 0
	} else if l.quiet++; l.quiet >= calm {
		l.level.Store(level - 1)
		l.quiet = 0
	}
}

// quantile is the lower edge of the bucket that holds the quantile of what was counted since before.
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

// sheds reports whether a level refuses a class. Pages, feeds, probes, metrics and webhooks, whose queue is bounded, are never refused.
func sheds(level int32, class Class, write bool) bool {
	switch class {
	case Auth, Search:
		return level >= shedSearch
	case API, Blog:
		return level >= shedReads || write && level >= shedWrites
	}
	return false
}
