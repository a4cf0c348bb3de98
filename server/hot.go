package server

import (
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
	"weak"

	"freshet/internal/site"
)

// hotSlots is how many questions are remembered. Of 2,000 that are asked again and again, one in thirty then shares its slot with another.
const hotSlots = 1 << 15

// A hot remembers which version answered a question, so that the same question costs one look-up. If it does not know the question, or if
// there is a newer generation, the question is answered as if for the first time. Two questions that share a slot displace each other.
//
// For example: "GET /blog/rivers/" with "Accept-Encoding: gzip" has been answered from generation 7 by the gzip version of that page.
// As long as 7 is current, the same question gets the same version. When generation 8 is current it is looked for again.
type hot struct {
	seed  maphash.Seed
	slots [hotSlots]atomic.Pointer[remembered]
}

// A remembered question.
type remembered struct {
	target, acceptEncoding string // as they were sent; the target without its query
	generation             uint64
	second                 atomic.Int64 // Unix time in which it holds, of a Generation that changes; 0: at any time
	entry                  *site.Entry
	key                    versionKey
	version                weak.Pointer[version] // the store alone decides how long it is kept
}

func (h *hot) slot(target, acceptEncoding string) *atomic.Pointer[remembered] {
	sum := maphash.String(h.seed, target) + 31*maphash.String(h.seed, acceptEncoding)
	return &h.slots[sum%hotSlots]
}

// recall does what look does, and sets the version that is the answer. It reports whether it knew the question.
func (p *pages) recall(ask *question, now time.Time) bool {
	r := p.hot.slot(ask.target, ask.AcceptEncoding).Load()
	if r == nil || r.target != ask.target || r.acceptEncoding != ask.AcceptEncoding {
		return false
	}
	gen := p.site.Current()
	if gen == nil || gen.Number() != r.generation {
		return false
	}
	v := r.version.Value()
	if v == nil {
		return false
	}
	if second := r.second.Load(); second != 0 && second != now.Unix() {
		if !settled(gen, r.entry) {
			return false
		}
		r.second.Store(now.Unix())
	}
	if rand.Uint32()%64 == 0 { // tells the store that the version is in use; each time would cost as much as this saves
		p.store.cache.GetIfPresent(r.key)
	}
	ask.gen, ask.entry, ask.version = gen, r.entry, v
	return true
}

// mostHot bounds the bytes of a client's headers in a remembered question.
const mostHot = 512

// remember keeps which version answered ask.
func (p *pages) remember(ask *question, v *version, now time.Time) {
	if len(ask.target)+len(ask.AcceptEncoding) > mostHot || string(ask.entry.Path) != ask.Path { // a redirect rule has led to another file, and the rule may change
		return
	}
	r := &remembered{ // the strings are cloned: each keeps a whole request head in memory
		target: strings.Clone(ask.target), acceptEncoding: strings.Clone(ask.AcceptEncoding), generation: ask.gen.Number(), entry: ask.entry,
		key: versionKey{path: v.entry.Path, encoding: v.encoding}, version: weak.Make(v),
	}
	if r.generation == 0 {
		if !settled(ask.gen, ask.entry) {
			return
		}
		r.second.Store(now.Unix())
	}
	p.hot.slot(ask.target, ask.AcceptEncoding).Store(r)
}

// settled reports whether an entry of a generation that changes is worth remembering.
func settled(gen Generation, e *site.Entry) bool {
	changing, ok := gen.(Changing)
	return ok && changing.Settled(e)
}
