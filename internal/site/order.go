package site

import (
	"iter"
	"sort"

	"github.com/tidwall/btree"
)

// An Order is an immutable sorted set: the next one shares all but what changed. Look-ups, ranks and neighbours
// cost the logarithm of its length.
type Order[T any] struct {
	t    *btree.BTreeG[T]
	less func(a, b T) bool
}

func newOrder[T any](less func(a, b T) bool) Order[T] {
	return Order[T]{btree.NewBTreeGOptions(less, btree.Options{NoLocks: true, Degree: 16}), less}
}

// edit returns a copy whose tree may be changed until it is part of a Snapshot.
func (o Order[T]) edit() Order[T] { return Order[T]{o.t.Copy(), o.less} }

// trim returns a copy that takes no more memory than it must. A tree that was filled item by item takes twice that:
// arrays have room that is not used, and the halves of what was split share one.
func (o Order[T]) trim() Order[T] {
	n := newOrder(o.less)
	o.t.Scan(func(item T) bool {
		n.t.Load(item)
		return true
	})
	n = n.edit()
	n.t.ScanMut(func(T) bool { return true }) // copies each node, which is half full and has an array of that size
	return n
}

// Len is the number of items.
func (o Order[T]) Len() int {
	if o.t == nil {
		return 0
	}
	return o.t.Len()
}

// At is the item at rank i, counted from 0.
func (o Order[T]) At(i int) (T, bool) { return o.t.GetAt(i) }

// Get returns the item that is equal to key in the order.
func (o Order[T]) Get(key T) (T, bool) { return o.t.Get(key) }

// Rank is the number of items before key.
func (o Order[T]) Rank(key T) int {
	return sort.Search(o.Len(), func(i int) bool {
		item, _ := o.t.GetAt(i)
		return !o.t.Less(item, key)
	})
}

// Range returns the items with ranks from ≤ rank < to, in order.
func (o Order[T]) Range(from, to int) []T {
	from, to = max(from, 0), min(to, o.Len())
	if from >= to {
		return nil
	}
	first, _ := o.t.GetAt(from)
	out := make([]T, 0, to-from)
	o.t.Ascend(first, func(item T) bool {
		out = append(out, item)
		return len(out) < to-from
	})
	return out
}

// All yields every item in order.
func (o Order[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		if o.t != nil {
			o.t.Scan(yield)
		}
	}
}

// From yields the items that are not before key, in order.
func (o Order[T]) From(key T) iter.Seq[T] {
	return func(yield func(T) bool) { o.t.Ascend(key, yield) }
}

// Before returns up to n items that come before key, nearest first; key itself need not be in the set.
func (o Order[T]) Before(key T, n int) []T {
	var out []T
	o.t.Descend(key, func(item T) bool {
		if o.t.Less(item, key) {
			out = append(out, item)
		}
		return len(out) < n
	})
	return out
}

// After returns up to n items that come after key, nearest first; key itself need not be in the set.
func (o Order[T]) After(key T, n int) []T {
	var out []T
	o.t.Ascend(key, func(item T) bool {
		if o.t.Less(key, item) {
			out = append(out, item)
		}
		return len(out) < n
	})
	return out
}
