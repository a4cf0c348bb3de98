package plan

import (
	"fmt"
	"iter"

	"freshet/internal/site"
)

// bucketMax is the most addresses a part of the sitemap or the search index holds.
const bucketMax = 1000

// A bucket is a range of addresses: those whose key (date, then digest of the path) begins with the upper bits of
// prefix. The buckets of a site are the leaves of a binary tree that splits every range with more than
// bucketMax addresses in two. They depend only on the set of addresses. Adding or removing one address changes, splits
// or merges one bucket.
type bucket struct {
	prefix uint64
	bits   int // of prefix that count, 0 to 64
}

func (b bucket) name() string { return fmt.Sprintf("%d-%x", b.bits, b.prefix>>(64-max(b.bits, 1))) }

func (b bucket) last() uint64 {
	if b.bits == 0 {
		return ^uint64(0)
	}
	return b.prefix | (1<<(64-b.bits) - 1)
}

func (b bucket) contains(key uint64) bool { return key >= b.prefix && key <= b.last() }

func (b bucket) halves() (bucket, bucket) {
	return bucket{b.prefix, b.bits + 1}, bucket{b.prefix | 1<<(63-b.bits), b.bits + 1}
}

func (b bucket) len(urls site.Order[site.URLItem]) int {
	end := urls.Len()
	if b.last() != ^uint64(0) {
		end = urls.Rank(site.URLItem{Key: b.last() + 1})
	}
	return end - urls.Rank(site.URLItem{Key: b.prefix})
}

// items yields the bucket's addresses in order of their keys.
func (b bucket) items(urls site.Order[site.URLItem]) iter.Seq[site.URLItem] {
	return func(yield func(site.URLItem) bool) {
		for u := range urls.From(site.URLItem{Key: b.prefix}) {
			if u.Key > b.last() || !yield(u) {
				return
			}
		}
	}
}

// leaf returns the bucket that holds key.
func leaf(urls site.Order[site.URLItem], key uint64) bucket {
	var b bucket
	for b.bits < 64 && b.len(urls) > bucketMax {
		lo, hi := b.halves()
		b = lo
		if hi.contains(key) {
			b = hi
		}
	}
	return b
}

// leaves returns the buckets within b that hold addresses, in order of their keys.
func leaves(urls site.Order[site.URLItem], b bucket) []bucket {
	n := b.len(urls)
	if n == 0 {
		return nil
	}
	if n <= bucketMax || b.bits == 64 {
		return []bucket{b}
	}
	lo, hi := b.halves()
	return append(leaves(urls, lo), leaves(urls, hi)...)
}
