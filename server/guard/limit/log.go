package limit

import (
	"slices"
	"time"
)

// MaxLog is the most attempts that a Log remembers, and therefore the highest limit.
const MaxLog = 16

// A Log remembers the last attempts, so that a limit holds in every window, not only on average. The zero value is
// empty.
type Log struct {
	at [MaxLog]int64 // times, oldest first; only the first n are valid
	n  int32
}

// Take adds an attempt, unless there already were limit attempts within window.
func (l *Log) Take(now int64, limit int, window time.Duration) (Quota, bool) {
	limit = min(limit, MaxLog)
	if l.n > 0 {
		now = max(now, l.at[l.n-1]) // concurrent requests may arrive out of order
	}
	l.forget(now, window)
	if int(l.n) >= limit {
		return l.quota(now, limit, window), false
	}
	l.at[l.n] = now
	l.n++
	q := l.quota(now, limit, window)
	q.Wait = 0
	return q, true
}

// Peek returns the quota without adding an attempt.
func (l Log) Peek(now int64, limit int, window time.Duration) Quota {
	l.forget(now, window)
	return l.quota(now, min(limit, MaxLog), window)
}

// Drop removes the newest attempt.
func (l *Log) Drop() { l.n = max(l.n-1, 0) }

func (l *Log) forget(now int64, window time.Duration) {
	n, _ := slices.BinarySearch(l.at[:l.n], now-int64(window)+1)
	copy(l.at[:], l.at[n:l.n])
	l.n -= int32(n)
}

func (l *Log) quota(now int64, limit int, window time.Duration) Quota {
	q := Quota{Limit: limit, Left: max(limit-int(l.n), 0)}
	if l.n == 0 {
		return q
	}
	q.Reset = time.Duration(l.at[l.n-1] + int64(window) - now)
	if q.Left == 0 {
		q.Wait = time.Duration(l.at[int(l.n)-limit] + int64(window) - now)
	}
	return q
}
