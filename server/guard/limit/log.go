package limit

import (
	"slices"
	"time"
)

// MaxLog is the most attempts that a Log remembers, and so the highest limit that it can keep.
const MaxLog = 16

// A Log remembers the last attempts, so that a limit holds in every window, not on average. The zero value is empty.
type Log struct {
	at [MaxLog]int64 // moments, oldest first; the first n count
	n  int32
}

// Take adds an attempt, unless there were limit of them within window.
func (l *Log) Take(now int64, limit int, window time.Duration) (Quota, bool) {
	limit = min(limit, MaxLog)
	if l.n > 0 {
		now = max(now, l.at[l.n-1]) // requests that are judged at once have their times in any order
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

// Peek is what Take would find.
func (l Log) Peek(now int64, limit int, window time.Duration) Quota {
	l.forget(now, window)
	return l.quota(now, min(limit, MaxLog), window)
}

// Drop takes the newest attempt back.
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
