package limit

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	ways    = 8          // cells of a row: one cache line of tags
	low     = 24         // bits of a tag that hold when it was last used, in seconds; they come round after half a year
	lowMask = 1<<low - 1 //
	maxRows = 1 << low   // so that a row and a tag are different bits of a hash
	stripes = 256        // locks
	half    = 1 << (low - 1)
)

// A Table is cells of T by the hashes of their keys. Its methods but Used must be called between Lock and Unlock of the
// same hash.
type Table[T any] struct {
	seed  maphash.Seed
	mask  uint64
	rows  [][ways]uint64 // tags: 40 bits of the hash, then the second of the last use; 0: nothing
	cells []T
	used  atomic.Int64 // cells that were ever taken
	locks [stripes]stripe
}

// A stripe is a lock that shares its cache line with no other.
type stripe struct {
	sync.Mutex
	_ [56]byte
}

// NewTable makes a table with at least as many cells as asked for. The memory is used as it fills.
func NewTable[T any](cells int) *Table[T] {
	rows := 1
	if cells > ways {
		rows = 1 << bits.Len(uint((cells+ways-1)/ways-1))
	}
	rows = min(rows, maxRows)
	return &Table[T]{
		seed:  maphash.MakeSeed(),
		mask:  uint64(rows - 1),
		rows:  make([][ways]uint64, rows),
		cells: make([]T, rows*ways),
	}
}

// Cells is how many cells there are.
func (t *Table[T]) Cells() int { return len(t.cells) }

// Used is how many cells were ever taken.
func (t *Table[T]) Used() int { return int(t.used.Load()) }

// A Key is what cells are found by: an address in 128 bits, and what else tells it apart.
type Key struct{ Hi, Lo, Salt uint64 }

// Hash is the place of a key.
func (t *Table[T]) Hash(k Key) uint64 { return maphash.Comparable(t.seed, k) }

// HashText is the place of a text.
func (t *Table[T]) HashText(s string) uint64 { return maphash.String(t.seed, s) }

// Lock and Unlock guard the cell of a hash, and some others.
func (t *Table[T]) Lock(h uint64) { t.locks[h&t.mask%stripes].Lock() }

// Unlock: see Lock.
func (t *Table[T]) Unlock(h uint64) { t.locks[h&t.mask%stripes].Unlock() }

// Get finds a cell; nil: there is none.
func (t *Table[T]) Get(h uint64) *T {
	row := h & t.mask
	tags := &t.rows[row]
	want := tag(h)
	for i := range tags {
		if tags[i]&^lowMask == want {
			return &t.cells[row*ways+uint64(i)]
		}
	}
	return nil
}

// Take finds a cell, or makes an empty one of what was used the longest ago. It reports whether it did that.
func (t *Table[T]) Take(h uint64, second uint32) (cell *T, fresh bool) {
	row := h & t.mask
	tags := &t.rows[row]
	want := tag(h)
	now := uint64(second) & lowMask
	victim, oldest := 0, uint64(0)
	for i := range tags {
		w := tags[i]
		if w&^lowMask == want {
			tags[i] = want | now
			return &t.cells[row*ways+uint64(i)], false
		}
		age := (now-w)&lowMask + 1
		switch {
		case w == 0:
			age = 1 << low // before anything that is in use
		case age > half:
			age = 0 // used by a request that came a little later than this one
		}
		if age > oldest {
			victim, oldest = i, age
		}
	}
	if tags[victim] == 0 {
		t.used.Add(1)
	}
	tags[victim] = want | now
	cell = &t.cells[row*ways+uint64(victim)]
	var empty T
	*cell = empty
	return cell, true
}

// tag is the part of a hash that tells keys of a row apart. It is never zero.
func tag(h uint64) uint64 { return max(h&^lowMask, 1<<low) }
