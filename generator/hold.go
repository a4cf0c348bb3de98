package generator

import (
	"context"
	"maps"
	"slices"
	"time"

	"freshet/generator/plan"
	"freshet/internal/site"
)

// A held document is one that the source does not show any more and the site does all the same, because too many others
// went with it. It is shown as it was until it is back, or a build is told to let it go.
type held struct {
	was site.Document
	now site.Document // a draft, or less of it; nil: the source has none
}

// guard compares what a build would take away with build.maxShrink. What is too much is held back: those documents stay
// in the snapshot as they were, and the rest of the build goes on. It returns what readers see change then.
func (g *Generator) guard(ctx context.Context, opt Options, changes []site.Change, now time.Time) []site.Change {
	g.refused, g.moves = nil, nil
	if !g.known {
		return changes
	}
	if !g.memory.loaded {
		g.memory.load(g.cfg.Store.Current())
	}
	p := g.planner.On(g.snap)
	g.shift.add(p, changes)
	if replaced := g.replaced(); len(replaced) > 0 {
		changes = g.release(p, changes, now, func(id site.ID) bool { return replaced[id] })
	}
	went := g.shift.went()
	if len(went) == 0 && len(g.held) == 0 && (len(g.departed) == 0 || len(g.shift.came()) == 0) {
		return changes
	}
	var kept []*plan.Text // texts of what is held back already
	for _, id := range slices.Sorted(maps.Keys(g.held)) {
		for _, t := range p.Texts(g.held[id].was) {
			kept = append(kept, &t)
		}
	}
	g.moves = g.follow(ctx, p, slices.Concat(went, kept), now)
	var lost []*plan.Text
	for _, t := range slices.Concat(kept, went) {
		if g.moves[t.Path] == "" && !g.expired(t.Doc.DocID(), now) {
			lost = append(lost, t)
		}
	}
	used := map[site.Path]bool{}
	for _, to := range g.moves {
		used[to] = true
	}
	gain := 0
	for _, t := range g.shift.came() {
		if g.shift.was[t.Path] == nil && !used[t.Path] {
			gain++
		}
	}
	before := g.memory.docPages
	if opt.AllowShrink || !g.tooMuch(len(lost)-gain, before) {
		return g.release(p, changes, now, func(site.ID) bool { return true })
	}
	e := &ShrinkError{Before: before, After: before - (len(lost) - gain)}
	hold := map[site.ID]bool{}
	for _, t := range lost {
		hold[t.Doc.DocID()] = true
		if len(e.Lost) < 20 {
			e.Lost = append(e.Lost, t.Path)
		}
	}
	slices.Sort(e.Lost)
	g.refused = e
	changes = g.release(p, changes, now, func(id site.ID) bool { return !hold[id] && len(p.Texts(g.held[id].was)) > 0 })
	// What has no page of its own, such as a picture, goes or stays with what has.
	for id, was := range g.shift.docs {
		if was != nil && g.snap.Doc(id) == nil && len(p.Texts(was)) == 0 {
			hold[id] = true
		}
	}
	undo := &site.Changes{}
	for _, id := range slices.Sorted(maps.Keys(hold)) {
		if _, is := g.held[id]; !is {
			was := g.shift.docs[id]
			g.held[id] = held{was, g.snap.Doc(id)}
			undo.Put = append(undo.Put, was)
		}
	}
	return g.amend(p, changes, undo, now)
}

// replaced are the held documents whose addresses the source has other documents for.
func (g *Generator) replaced() map[site.ID]bool {
	out := map[site.ID]bool{}
	if len(g.held) == 0 {
		return out
	}
	for c := range g.snap.Contests() {
		kept := 0
		for _, d := range c.Docs {
			if _, is := g.held[d.DocID()]; is {
				kept++
			}
		}
		for _, d := range c.Docs {
			if _, is := g.held[d.DocID()]; is && kept < len(c.Docs) {
				out[d.DocID()] = true
			}
		}
	}
	return out
}

// release lets held documents be what the source says.
func (g *Generator) release(p *plan.Planner, changes []site.Change, now time.Time, which func(site.ID) bool) []site.Change {
	do := &site.Changes{}
	for _, id := range slices.Sorted(maps.Keys(g.held)) {
		if !which(id) {
			continue
		}
		if h := g.held[id]; h.now != nil {
			do.Put = append(do.Put, h.now)
		} else {
			do.Drop = append(do.Drop, id)
		}
		delete(g.held, id)
	}
	return g.amend(p, changes, do, now)
}

// amend applies more changes to the snapshot than the source told.
func (g *Generator) amend(p *plan.Planner, changes []site.Change, more *site.Changes, now time.Time) []site.Change {
	if len(more.Put)+len(more.Drop) == 0 {
		return changes
	}
	snap, after := g.snap.Apply(more, now)
	g.snap = snap
	g.shift.add(p, after)
	for _, c := range after {
		if i := slices.Index(changes, site.Change{Old: c.New, New: c.Old}); i >= 0 {
			changes = slices.Delete(slices.Clone(changes), i, i+1) // it never happened
		} else {
			changes = append(changes, c)
		}
	}
	return changes
}

// tooMuch reports whether so many pages of documents are more than a build may take away.
func (g *Generator) tooMuch(lost, before int) bool {
	return lost >= 10 && g.cfg.MaxShrink > 0 && float64(lost) > g.cfg.MaxShrink*float64(before)
}

// expired reports whether a document goes because of its own date. The source has it, so nothing is lost.
func (g *Generator) expired(id site.ID, now time.Time) bool {
	m := site.MetaOf(g.snap.Doc(id))
	return m != nil && !m.Expires.IsZero() && !m.Expires.After(now)
}
