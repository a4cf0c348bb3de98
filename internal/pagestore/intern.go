package pagestore

import "sync"

// maxInterned bounds an interner: causes may be different every time.
const maxInterned = 1 << 14

// An interner makes equal strings one, and equal traits. It forgets all of them when there are too many, which costs
// only memory.
type interner struct {
	sync.Mutex
	strings map[string]string
	traits  map[traits]*traits
	own     []byte // scratch of decodeEntry
}

// get returns b as a string. The caller holds the lock.
func (t *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := t.strings[string(b)]; ok {
		return s
	}
	if t.strings == nil || len(t.strings) >= maxInterned {
		t.strings = map[string]string{}
	}
	s := string(b)
	t.strings[s] = s
	return s
}

// share returns the one copy of a node's traits. The caller holds the lock.
func (t *interner) share(of traits) *traits {
	if p, ok := t.traits[of]; ok {
		return p
	}
	if t.traits == nil || len(t.traits) >= maxInterned {
		t.traits = map[traits]*traits{}
	}
	t.traits[of] = &of
	return &of
}

// dated returns traits with another generation.
func (t *interner) dated(of *traits, generation uint64, changed int64) *traits {
	t.Lock()
	defer t.Unlock()
	d := *of
	d.Generation, d.Changed = generation, changed
	return t.share(d)
}
