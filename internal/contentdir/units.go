package contentdir

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
)

// courseAbove returns the folder of the course that a folder is part of: the topmost that makes one; nil: none.
func courseAbove(f *folder) *folder {
	var c, child *folder
	for ; f != nil; child, f = f, f.parent {
		switch {
		case f.zone == courseZone && f == f.zoneRoot():
			c = child
		case f.zone == freeZone && f.course:
			c = f
		}
	}
	return c
}

// unitOf names the document that a file is part of: a course's folder, else the file.
func (t *tree) unitOf(r *record) string {
	if r.isMarkdown {
		if c := courseAbove(r.dir); c != nil {
			return courseID(c)
		}
	}
	return r.path
}

func courseID(f *folder) string {
	if f.path == "" {
		return "."
	}
	return f.path
}

// assign finds the unit of each dirty file and marks the units to be built.
func (t *tree) assign(st *scanState) {
	for r := range st.dirty {
		unit := t.unitOf(r)
		if r.unit != "" {
			st.units[r.unit] = true
		}
		r.unit = unit
		st.units[unit] = true
	}
}

// build makes the documents of the marked units and reports those that differ from what the caller knows.
//
// Nothing in it fails: the tree has changed already, and what is not reported now would be lost.
func (t *tree) build(ctx context.Context, st *scanState) *site.Changes {
	ctx = context.WithoutCancel(ctx)
	units := slices.Sorted(maps.Keys(st.units))
	type result struct {
		doc      site.Document
		problems []diag.Problem
		skip     *site.Skip
		more     []site.Document
	}
	results := make([]result, len(units))
	_ = parallel(ctx, len(units), func(i int) error { // never fails
		t.ensure(ctx, units[i])
		b := builder{t: t}
		doc := b.unit(units[i])
		results[i] = result{doc, b.problems, b.skip, b.more}
		return nil
	})
	ch := &site.Changes{}
	for i, unit := range units {
		r := &results[i]
		delete(t.built, unit)
		delete(t.unitSkip, unit)
		if len(r.problems) > 0 {
			t.built[unit] = r.problems
		}
		if r.skip != nil {
			t.unitSkip[unit] = *r.skip
		}
		if r.doc != nil {
			t.share(r.doc)
		}
		t.report(ch, st, unit, r.doc)
		if r.doc == nil {
			r.more = nil
		}
		t.reportMore(ch, st, unit, r.more)
		switch d := r.doc.(type) { // what is left of the parse result is in the document
		case *site.Post:
			t.record(unit).p = nil
		case *site.Page:
			if !d.Section {
				t.record(unit).p = nil
			}
		}
	}
	t.problems(ch)
	return ch
}

// report compares a built unit with what the caller knows of it.
func (t *tree) report(ch *site.Changes, st *scanState, unit string, doc site.Document) {
	r := t.record(unit)
	known, wasCourse := t.courses[unit]
	if r != nil && r.rev != 0 {
		known = r.rev
	}
	switch {
	case doc != nil:
		rev := max(doc.DocRevision(), 1) // 0 says that there was no document
		if rev != known {
			ch.Put = append(ch.Put, doc)
		}
		if r != nil {
			r.rev = rev
			delete(t.courses, unit)
		} else {
			t.courses[unit] = rev
		}
	case wasCourse || st.lost[unit] || r != nil && r.rev != 0:
		ch.Drop = append(ch.Drop, site.ID(unit))
		delete(t.courses, unit)
		if r != nil {
			r.rev = 0
		}
	}
}

// reportMore does the same for what a unit has beside its document.
func (t *tree) reportMore(ch *site.Changes, st *scanState, unit string, more []site.Document) {
	var now []string
	for _, d := range more {
		now = append(now, string(d.DocID()))
		t.report(ch, st, string(d.DocID()), d)
	}
	for _, id := range t.more[unit] {
		if !slices.Contains(now, id) {
			t.report(ch, st, id, nil)
		}
	}
	if t.more[unit] = now; now == nil {
		delete(t.more, unit)
	}
}

// problems gathers what is wrong now, sorted.
func (t *tree) problems(ch *site.Changes) {
	ch.Problems = append(ch.Problems, t.walkBad...)
	ch.Skipped = append(ch.Skipped, t.walkSkip...)
	for name, r := range t.noted {
		for _, p := range r.notes.problems {
			p.File = t.s.shown(name)
			ch.Problems = append(ch.Problems, p)
		}
		if r.notes.skip != nil {
			ch.Skipped = append(ch.Skipped, *r.notes.skip)
		}
	}
	for _, ps := range t.built {
		ch.Problems = append(ch.Problems, ps...)
	}
	for _, s := range t.unitSkip {
		ch.Skipped = append(ch.Skipped, s)
	}
	for kind, k := range t.kinds {
		msg := kind + " was left out"
		switch {
		case len(k.files) > 1:
			msg += fmt.Sprintf(", %d times in %d files", k.count, len(k.files))
		case k.count > 1:
			msg += fmt.Sprintf(", %d times in this file", k.count)
		}
		first := k.files[0].use
		ch.Problems = append(ch.Problems, diag.Problem{Severity: diag.Warning, File: t.s.shown(k.files[0].path), Line: first.Line, Col: first.Col, Text: first.Text,
			Message: msg, Remedy: first.Remedy})
	}
	diag.Sort(ch.Problems)
	slices.SortFunc(ch.Skipped, func(a, b site.Skip) int { return strings.Compare(string(a.ID), string(b.ID)) })
}

// A kindSum is one kind of dropped syntax over all files.
type kindSum struct {
	count int
	files []kindUse // by path
}

type kindUse struct {
	path string
	use  *shortcodes.Use
}

// ensure reads the parse results that a unit needs and that are not in memory.
func (t *tree) ensure(ctx context.Context, unit string) {
	var members []*record
	if r := t.record(unit); r != nil {
		members = append(members, r)
	}
	if f := t.courseFolder(unit); f != nil {
		members = append(members, f.members()...)
	}
	for _, r := range members {
		if !r.isMarkdown || r.p != nil {
			continue
		}
		// The record keeps the stat it was classified by: should the file have changed, the next look finds that.
		again := &record{path: r.path, isMarkdown: true}
		if err := t.s.load(ctx, again, r.stat, false); err != nil {
			again.unreadable(err)
		}
		if r.p = again.p; again.stat != r.stat {
			r.trusted, r.bytes = false, 0
		}
	}
}

// courseFolder returns the folder of a course's unit; nil when the unit is a file or nothing.
func (t *tree) courseFolder(unit string) *folder {
	name := unit
	if unit == "." {
		name = ""
	}
	f := t.folder(name, false)
	if f == nil || f.markdown == 0 {
		return nil
	}
	if courseAbove(f) != f {
		return nil
	}
	return f
}

// members lists the Markdown files beneath a folder by path.
func (f *folder) members() []*record {
	var out []*record
	var walk func(f *folder)
	walk = func(f *folder) {
		for _, r := range f.files {
			if r.isMarkdown {
				out = append(out, r)
			}
		}
		for _, d := range f.dirs {
			walk(d)
		}
	}
	walk(f)
	slices.SortFunc(out, func(a, b *record) int { return strings.Compare(a.path, b.path) })
	return out
}

// share replaces strings that many documents have by one copy.
func (t *tree) share(d site.Document) {
	in := t.s.intern
	meta := func(m *site.Meta) {
		m.Lang = in(m.Lang)
		for i := range m.Tags {
			m.Tags[i] = in(m.Tags[i])
		}
	}
	switch d := d.(type) {
	case *site.Post:
		meta(&d.Meta)
		for i := range d.Authors {
			d.Authors[i].Name, d.Authors[i].Image = in(d.Authors[i].Name), in(d.Authors[i].Image)
		}
	case *site.Course:
		meta(&d.Meta)
		d.Currency, d.Level = in(d.Currency), in(d.Level)
	case *site.Page:
		meta(&d.Meta)
	}
}
