package cdn

import (
	"math"
	"time"
)

// A limit describes how many requests of one form a CDN accepts.
type limit struct {
	batch  int     // keys or URLs in a request
	bytes  int     // total bytes of the keys or URLs in a request; 0: unlimited
	rate   float64 // long-term requests a second
	burst  float64 // requests at once
	perOne bool    // rate and burst count keys or URLs, not requests
}

// cost returns how much of the limit a request for n keys or URLs uses.
func (l limit) cost(n int) float64 {
	if l.perOne {
		return float64(max(n, 1))
	}
	return 1
}

// A bucket is a token bucket. It starts full. It is not safe for concurrent use.
type bucket struct {
	rate, burst float64
	tokens      float64
	at          time.Time // time of the last refill
}

func newBucket(rate, burst float64) *bucket {
	return &bucket{rate: rate, burst: burst, tokens: burst}
}

// take takes n tokens and returns 0. If there are too few, it takes none and returns the time until there are enough.
func (b *bucket) take(now time.Time, n float64) time.Duration {
	n = min(n, b.burst)
	if since := now.Sub(b.at).Seconds(); since > 0 {
		b.tokens = min(b.burst, b.tokens+since*b.rate)
		b.at = now
	}
	// Tolerate rounding errors of a nanosecond's worth of tokens: no caller should wait for that.
	if b.tokens >= n-1e-6 {
		b.tokens -= n
		return 0
	}
	return time.Duration(math.Ceil((n-b.tokens)/b.rate*1e9)) + time.Nanosecond
}
