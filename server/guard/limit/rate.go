// Package limit counts requests in memory of a fixed size.
//
// A [Table] never grows: in its row of eight cells, a new key replaces the key that was not used for the longest time.
// The position of a key depends on a secret of the process, so nobody can choose keys that displace another client's. A
// [Bucket] is a token bucket in one word (the generic cell rate algorithm). A [Log] remembers every attempt and is
// exact in any window.
//
// Not guaranteed: a client's count may be lost if there are more clients at once than cells. An attacker with that many
// addresses gets new counts from time to time, but has them anyway.
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

// A Rate is a number of requests in a window. The zero value means not set; see [Off].
type Rate struct {
	Requests int
	Window   time.Duration
	Burst    int // requests that may come at once; 0: Requests
}

// Off returns the rate without a limit.
func Off() Rate { return Rate{Requests: -1} }

// IsOff reports whether r is the rate without a limit.
func (r Rate) IsOff() bool { return r.Requests < 0 }

// IsZero reports whether r is not set.
func (r Rate) IsZero() bool { return r == Rate{} }

// PerSecond returns the rate in requests a second.
func (r Rate) PerSecond() float64 {
	if r.Requests <= 0 || r.Window <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Window.Seconds()
}

// ParseRate parses "120/1m", "500/s", "120/1m burst 60" or "off".
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

// String returns the rate in the form that ParseRate parses.
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

// FormatDuration formats d without zero parts at the end, as in settings: 15m, not 15m0s.
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
