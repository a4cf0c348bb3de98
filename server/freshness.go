package server

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

const (
	// unpurgedAge bounds how long a CDN may keep a page while purges are not known to reach it.
	unpurgedAge = 60 * time.Second
	// whileRevalidate is how long a CDN may go on answering with a page while it asks for the next one.
	whileRevalidate = 60 * time.Second
	// ifError is how long a CDN may go on answering with a page when the server is away.
	ifError = 24 * time.Hour
	// jitters is the number of different ages of pages, from three quarters of the full age to all of it. They differ by path, so
	// that a CDN does not fetch all pages at once.
	jitters = 64
)

// jitter picks one of the ages by path, the same on every server.
func jitter(p site.Path) uint8 { return uint8(digest.String(string(p)) % jitters) }

// freshness makes the header values that depend on how fresh the site is, once a second.
type freshness struct {
	revalidate, maxStale time.Duration
	refuse               bool        // when maxStale is reached
	purged               func() bool // a CDN's purge was verified; nil: never
	verified             func() time.Time
	log                  *slog.Logger

	last atomic.Pointer[moment]
	next sync.Mutex // held by who makes the next moment
}

// A moment is what holds for one second.
type moment struct {
	second   int64  // Unix time
	date     string // the same, for the Date header
	fresh    bool
	expired  bool            // too stale to be served
	cache    []string        // X-Cache
	moving   [jitters]*block // what answers for built pages say about the moment
	verified time.Time
}

// Header values of X-Cache. HIT: a built page, fresh. STALE: a built page that is due to be verified. MISS: no built
// page, so an error or the page that says so.
var (
	hit   = []string{"HIT"}
	stale = []string{"STALE"}
	miss  = []string{"MISS"}
)

func (f *freshness) at(now time.Time) *moment {
	m := f.last.Load()
	if m != nil && m.second == now.Unix() {
		return m
	}
	if m != nil && now.Unix()-m.second == 1 {
		// While one request asks when the site was verified, the others use the last answer.
		if !f.next.TryLock() {
			return m
		}
	} else {
		f.next.Lock()
	}
	defer f.next.Unlock()
	if m = f.last.Load(); m == nil || m.second != now.Unix() {
		was := m
		m = f.moment(now)
		f.tell(was, m)
		f.last.Store(m)
	}
	return m
}

// tell logs when readers begin or cease to get stale pages, or errors instead of pages.
func (f *freshness) tell(was, is *moment) {
	if was == nil {
		was = &moment{fresh: true}
	}
	const remedy = "see that freshet up or freshet revalidate runs over this state folder, and what it says of the source"
	switch {
	case is.expired && !was.expired:
		f.log.Error("the site is closed: it was not compared with its source for isr.maxStale", "verified", is.verified, "max_stale", f.maxStale, "remedy", remedy)
	case !is.fresh && was.fresh:
		f.log.Warn("pages are served stale: they were not compared with their source for isr.revalidate", "verified", is.verified, "revalidate", f.revalidate, "remedy", remedy)
	case is.fresh && !was.fresh:
		f.log.Info("pages are fresh again", "verified", is.verified)
	}
}

func (f *freshness) moment(now time.Time) *moment {
	m := &moment{second: now.Unix(), date: now.UTC().Format(httpTime), fresh: true, cache: hit}
	left := f.revalidate
	if f.verified != nil {
		m.verified = f.verified()
		age := max(now.Round(0).Sub(m.verified), 0) // a clock that was set back makes nothing younger than new
		left = f.revalidate - age
		m.fresh = left > 0
		m.expired = f.refuse && age >= f.maxStale
	}
	seconds := int64(left / time.Second)
	var status []string
	if m.fresh {
		status = value("freshet; hit; ttl=" + strconv.FormatInt(seconds, 10))
	} else {
		// RFC 9211 has no word for a stale hit: it is a hit whose ttl is negative. The limit keeps "never verified"
		// within the 15 digits of a structured integer.
		status = value("freshet; hit; ttl=" + strconv.FormatInt(min(max(seconds, -maxTTL), -1), 10) + "; detail=stale")
		m.cache = stale
	}
	age := left
	if f.purged == nil || !f.purged() {
		age = min(age, unpurgedAge)
	}
	rest := fmt.Sprintf(", stale-while-revalidate=%d, stale-if-error=%d", whileRevalidate/time.Second, ifError/time.Second)
	for i := range m.moving {
		n := int64((age - age*time.Duration(i)/(4*jitters)) / time.Second)
		if !m.fresh {
			n = 0
		}
		m.moving[i] = newBlock(field{"Cdn-Cache-Control", value("max-age=" + strconv.FormatInt(max(n, 1), 10) + rest)},
			field{"Cache-Status", status}, field{"X-Cache", m.cache})
	}
	return m
}

// maxTTL is ten years in seconds.
const maxTTL = 10 * 365 * 86400

// value makes a header value that may be shared, because appending to it copies it.
func value(s string) []string { return []string{s} }
