package generator

import (
	"context"
	"maps"
	"slices"
	"time"

	"freshet/generator/plan"
	"freshet/internal/site"
)

// A held document is missing in the source but still on the site, because too many documents went missing with it. The
// site shows its last version until it returns, or until a build is allowed to drop it.
type held struct {
	was site.Document
	now site.Document // the source's version, a draft or a shorter one; nil: the source has none
}

// guard compares the loss of a build with build.maxShrink. If the loss is too large, the documents stay in the snapshot
// as they were, and the rest of the build continues. guard returns what readers then see change.
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
	var kept []*plan.Text // texts of documents that are held already
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
	// A document without a page of its own, such as a picture, is held with the others.
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

// replaced returns the held documents whose addresses other documents of the source use now.
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

// release replaces held documents by the source's versions.
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

// amend applies further changes to the snapshot, in addition to those of the source.
func (g *Generator) amend(p *plan.Planner, changes []site.Change, more *site.Changes, now time.Time) []site.Change {
	if len(more.Put)+len(more.Drop) == 0 {
		return changes
	}
	snap, after := g.snap.Apply(more, now)
	g.snap = snap
	g.shift.add(p, after)
	for _, c := range after {
		if i := slices.Index(changes, site.Change{Old: c.New, New: c.Old}); i >= 0 {
			changes = slices.Delete(slices.Clone(changes), i, i+1) // the two changes cancel each other
		} else {
			changes = append(changes, c)
		}
	}
	return changes
}

// tooMuch reports whether a build may not lose this many pages of documents.
func (g *Generator) tooMuch(lost, before int) bool {
	return lost >= 10 && g.cfg.MaxShrink > 0 && float64(lost) > g.cfg.MaxShrink*float64(before)
}

// expired reports whether a document disappears because of its own expiry date. The source still has it, so nothing is
// lost.
func (g *Generator) expired(id site.ID, now time.Time) bool {
	m := site.MetaOf(g.snap.Doc(id))
	return m != nil && !m.Expires.IsZero() && !m.Expires.After(now)
}
