package pagestore

import "sync"

// maxInterned bounds an interner: causes may be different every time.
const maxInterned = 1 << 15

// An interner makes equal strings one. It forgets all of them when there are too many, which costs only memory.
type interner struct {
	sync.Mutex
	m   map[string]string
	own []byte // scratch of decodeEntry
}

// get returns b as a string. The caller holds the lock.
func (t *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := t.m[string(b)]; ok {
		return s
	}
	if t.m == nil || len(t.m) >= maxInterned {
		t.m = map[string]string{}
	}
	s := string(b)
	t.m[s] = s
	return s
}
