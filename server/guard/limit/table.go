package limit

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	ways    = 8  // cells in a row; their tags fill one cache line
	low     = 24 // bits of a tag that hold the last use in seconds; they wrap after half a year
	lowMask = 1<<low - 1
	maxRows = 1 << low // so that row and tag use different bits of a hash
	stripes = 256      // number of locks
	half    = 1 << (low - 1)
)

// A Table maps hashes of keys to cells of type T. Call its methods, except Used and Cells, between Lock and Unlock of
// the same hash.
type Table[T any] struct {
	seed  maphash.Seed
	mask  uint64
	rows  [][ways]uint64 // tags: 40 bits of the hash, then the second of the last use; 0: empty
	cells []T
	used  atomic.Int64 // cells used so far
	locks [stripes]stripe
}

// A stripe is a lock that fills a cache line.
type stripe struct {
	sync.Mutex
	_ [56]byte
}

// NewTable makes a table with at least cells cells. The system provides the memory as it is used.
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

// Cells returns the number of cells.
func (t *Table[T]) Cells() int { return len(t.cells) }

// Used returns how many cells were used so far.
func (t *Table[T]) Used() int { return int(t.used.Load()) }

// A Key identifies a cell: 128 bits of an address, and anything that distinguishes further.
type Key struct{ Hi, Lo, Salt uint64 }

// Hash returns the hash of a key.
func (t *Table[T]) Hash(k Key) uint64 { return maphash.Comparable(t.seed, k) }

// HashText returns the hash of a text.
func (t *Table[T]) HashText(s string) uint64 { return maphash.String(t.seed, s) }

// Lock locks the cell of a hash, and some others.
func (t *Table[T]) Lock(h uint64) { t.locks[h&t.mask%stripes].Lock() }

// Unlock unlocks them.
func (t *Table[T]) Unlock(h uint64) { t.locks[h&t.mask%stripes].Unlock() }

// Get returns the cell of a hash; nil: there is none.
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

// Take returns the cell of a hash. If there is none, it clears the cell of the row that was not used for the longest
// time; fresh is then true.
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
			age = 1 << low // empty cells are taken first
		case age > half:
			age = 0 // a concurrent, slightly later request has just used it
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

// tag returns the part of a hash that identifies a key in its row. It is never zero.
func tag(h uint64) uint64 { return max(h&^lowMask, 1<<low) }
