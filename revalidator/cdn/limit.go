package cdn

import (
	"math"
	"time"
)

// A limit is what a CDN takes in requests of one form.
type limit struct {
	batch  int     // keys or URLs in a request
	bytes  int     // of all of them together; 0: any number
	rate   float64 // requests a second, over time
	burst  float64 // requests at once
	perOne bool    // rate and burst count keys or URLs instead
}

// cost is what a request for n keys or URLs takes of the limit.
func (l limit) cost(n int) float64 {
	if l.perOne {
		return float64(max(n, 1))
	}
	return 1
}

// A bucket is a token bucket: full at first. It is not safe for concurrent use.
type bucket struct {
	rate, burst float64
	tokens      float64
	at          time.Time // when there were so many
}

func newBucket(rate, burst float64) *bucket {
	return &bucket{rate: rate, burst: burst, tokens: burst}
}

// take takes n tokens, or takes none and says how long it is until there are so many.
func (b *bucket) take(now time.Time, n float64) time.Duration {
	n = min(n, b.burst)
	if since := now.Sub(b.at).Seconds(); since > 0 {
		b.tokens = min(b.burst, b.tokens+since*b.rate)
		b.at = now
	}
	// A nanosecond's worth of tokens lost in rounding must not make somebody wait for nothing.
	if b.tokens >= n-1e-6 {
		b.tokens -= n
		return 0
	}
	return time.Duration(math.Ceil((n-b.tokens)/b.rate*1e9)) + time.Nanosecond
}
