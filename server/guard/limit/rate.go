// Package limit counts requests in memory of a fixed size.
//
// A [Table] has as many cells as it was made with, whatever is asked of it: a new key takes the place of the one among
// eight that was used the longest ago. Where a key's cell is depends on a secret of the process, so nobody can aim at
// somebody else's. A [Bucket] is a token bucket in one word (the generic cell rate algorithm); a [Log] remembers every
// attempt, and is exact in any window.
//
// What it does not guarantee: that a client's count survives more clients at once than the table has cells. Whoever has
// that many addresses gets fresh counts now and then, and could have had them anyway.
package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a Rate.
const (
	maxRequests = 1_000_000
	minWindow   = time.Second
	maxWindow   = 24 * time.Hour
)

// A Rate is how many requests may come within a window. The zero value says nothing; see [Off].
type Rate struct {
	Requests int
	Window   time.Duration
	Burst    int // as many may come at once; 0: Requests
}

// Off returns the rate that limits nothing.
func Off() Rate { return Rate{Requests: -1} }

// IsOff reports whether r limits nothing.
func (r Rate) IsOff() bool { return r.Requests < 0 }

// IsZero reports whether r says nothing.
func (r Rate) IsZero() bool { return r == Rate{} }

// PerSecond is the rate in requests a second.
func (r Rate) PerSecond() float64 {
	if r.Requests <= 0 || r.Window <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Window.Seconds()
}

// ParseRate reads "120/1m", "500/s", "120/1m burst 60" or "off".
func ParseRate(text string) (Rate, error) {
	if text == "off" {
		return Off(), nil
	}
	count, rest, ok := strings.Cut(text, "/")
	if !ok {
		return Rate{}, fmt.Errorf("%q is no rate: write 120/1m, or off", text)
	}
	window, burst, hasBurst := strings.Cut(rest, " burst ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxRequests {
		return Rate{}, fmt.Errorf("%q is no rate: the number of requests is from 1 to %d", text, maxRequests)
	}
	r := Rate{Requests: n}
	switch window {
	case "s", "m", "h":
		window = "1" + window
	}
	if r.Window, err = time.ParseDuration(window); err != nil || r.Window < minWindow || r.Window > maxWindow {
		return Rate{}, fmt.Errorf("%q is no rate: the window is from 1s to 24h", text)
	}
	if hasBurst {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < 1 || r.Burst > maxRequests {
			return Rate{}, fmt.Errorf("%q is no rate: the burst is from 1 to %d", text, maxRequests)
		}
	}
	return r, nil
}

// String is the rate as ParseRate reads it.
func (r Rate) String() string {
	switch {
	case r.IsOff():
		return "off"
	case r.IsZero():
		return ""
	}
	window := "s" // 500/s
	if r.Window != time.Second {
		window = FormatDuration(r.Window)
	}
	s := strconv.Itoa(r.Requests) + "/" + window
	if r.Burst != 0 && r.Burst != r.Requests {
		s += " burst " + strconv.Itoa(r.Burst)
	}
	return s
}

// FormatDuration is d without the zero parts at its end, as settings have it: 15m, not 15m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
