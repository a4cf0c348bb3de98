package guard

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"freshet/server/guard/bots"
)

// lookCells limits the cached judgements of headers.
const lookCells = 1 << 14

// looks caches the judgements of headers, so that a user agent is parsed once. Each cell is one word: 40 bits of a
// keyed hash, then the judgement.
type looks struct{ cells [lookCells]atomic.Uint64 }

// look judges a request's headers and computes its fingerprint.
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

// lastSegmentIsPage reports whether a path looks like a page's path, not like that of a picture or script.
func lastSegmentIsPage(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return strings.IndexByte(last, '.') < 0 || strings.HasSuffix(last, ".html")
}

// markLife is how long fingerprints stay comparable.
const markLife = 24 * time.Hour

// marks computes fingerprints with a key that changes every day, so that nobody can be tracked for longer.
type marks struct {
	current atomic.Pointer[mark]
	mu      sync.Mutex // held while the next key is made
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

// of computes the fingerprint of a request from its network, its user agent, and the languages and encodings that it
// accepts. It ignores accepted types, because a browser accepts other types for a picture than for a page. It also
// returns a hash of the headers alone.
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
