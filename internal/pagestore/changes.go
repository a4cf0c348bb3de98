package pagestore

import (
	"iter"

	"freshet/internal/site"
)

// Changes returns the differences in answers and keys since old: pairs of the old and the new entry at a path, nil for
// none. It leaves out what [Generation.Diff] has besides: pages
// that were rendered again to the same bytes. A nil old has nothing.
func (g *Generation) Changes(old *Generation) iter.Seq2[*site.Entry, *site.Entry] {
	return func(yield func(was, is *site.Entry) bool) {
		if old == nil {
			for e := range g.All() {
				if !yield(nil, e) {
					return
				}
			}
			return
		}
		entry := func(n *node) *site.Entry {
			if n == nil {
				return nil
			}
			return n.entry()
		}
		for was, is := range g.diff(old) {
			if was != nil && is != nil && was.sameResponse(is) && was.own == is.own {
				continue
			}
			if !yield(entry(was), entry(is)) {
				return
			}
		}
	}
}
