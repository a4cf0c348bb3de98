package guard

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"freshet/server/guard/bots"
)

// lookCells is how many judgements of headers are remembered.
const lookCells = 1 << 14

// looks remembers what headers say of their senders, so that a user agent is read once. Each cell is one word: 40 bits of a
// keyed hash, then the judgement.
type looks struct{ cells [lookCells]atomic.Uint64 }

// look judges a request's headers, and makes its fingerprint.
func (g *Guard) look(f *Facts, key ClientKey, write bool, v *Verdict) (bots.Judgement, int) {
	headers := g.marks.of(f, key, v)
	page := v.Class == Page && !write && lastSegmentIsPage(f.Path)
	flags := uint64(0)
	for i, set := range [...]bool{write, page, f.Referer, f.Partial, f.Accept == "", page && strings.Contains(f.Accept, "text/html")} {
		if set {
			flags |= 1 << i
		}
	}
	h := headers + flags*0x9e3779b97f4a7c15
	cell := &g.looks.cells[h%lookCells]
	const mask = 1<<24 - 1
	w := cell.Load()
	if w == 0 || (w^h)&^mask != 0 {
		j := bots.Judge(bots.Headers{UserAgent: f.UserAgent, Accept: f.Accept, AcceptLanguage: f.AcceptLanguage, AcceptEncoding: f.AcceptEncoding,
			Write: write, Page: page, Referer: f.Referer, Partial: f.Partial})
		w = h&^mask | uint64(j.Kind)<<16 | uint64(j.Crawler)<<8 | uint64(j.Score)
		cell.Store(w)
	}
	j := bots.Judgement{Kind: bots.Kind(w >> 16 & 0xff), Crawler: uint8(w >> 8), Score: uint8(w)}
	v.Bot = j.Kind
	return j, int(j.Score)
}

// lastSegmentIsPage reports whether a path looks like a page's, not a picture's or a script's.
func lastSegmentIsPage(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return strings.IndexByte(last, '.') < 0 || strings.HasSuffix(last, ".html")
}

// markLife is for how long fingerprints are comparable.
const markLife = 24 * time.Hour

// marks makes fingerprints under a key that changes every day, so that they follow nobody for longer.
type marks struct {
	current atomic.Pointer[mark]
	mu      sync.Mutex // held by who makes the next
}

type mark struct {
	seed  maphash.Seed
	until time.Time
}

func (m *marks) turn(now time.Time) *mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.current.Load(); old != nil && now.Before(old.until) {
		return old
	}
	next := &mark{maphash.MakeSeed(), now.Add(markLife)}
	m.current.Store(next)
	return next
}

// of makes the fingerprint of a request: the network it comes from, its user agent, and the languages and encodings that it accepts. The
// types are left out: a browser accepts others for a picture than for a page. It returns a hash of the headers alone.
func (m *marks) of(f *Facts, key ClientKey, v *Verdict) (headers uint64) {
	k := m.current.Load()
	if !f.Now.Before(k.until) {
		k = m.turn(f.Now)
	}
	headers = maphash.String(k.seed, f.UserAgent)
	headers = headers*31 + maphash.String(k.seed, f.AcceptLanguage)
	headers = headers*31 + maphash.String(k.seed, f.AcceptEncoding)
	v.Fingerprint = headers*31 + maphash.Comparable(k.seed, key.network())
	return headers
}
