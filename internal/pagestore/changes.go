package pagestore

import (
	"iter"
	"slices"

	"freshet/internal/site"
)

// Changes returns the paths whose answers are others than in old, or carry other keys: pairs of the entry that was
// there and the one that is, nil where there was or is none. It leaves out what [Generation.Diff] has besides: pages
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
		for was, is := range g.Diff(old) {
			if was != nil && is != nil && sameResponse(was, is) && slices.Equal(was.Keys, is.Keys) {
				continue
			}
			if !yield(was, is) {
				return
			}
		}
	}
}
