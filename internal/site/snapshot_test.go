package site_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/site"
)

func day(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func revise(p *site.Post) *site.Post {
	p.Revision = 0
	h := digest.New()
	h.Value(p)
	p.Revision = h.Sum()
	return p
}

func post(id, slug string, published int, tags ...string) *site.Post {
	p := &site.Post{Meta: site.Meta{ID: site.ID(id), Source: id, Slug: site.Slug(slug), Title: "T " + slug, Published: day(published), Tags: tags}}
	return revise(p)
}

// describe is everything that can be asked of a snapshot, as text.
func describe(s *site.Snapshot) []string {
	var out []string
	for p := range s.Posts().All() {
		out = append(out, fmt.Sprint("post ", p.ID, p.Slug, p.Revision))
	}
	for t := range s.Topics().All() {
		out = append(out, fmt.Sprint("topic ", t.Slug, t.Name))
		for p := range t.Posts.All() {
			out = append(out, fmt.Sprint("  ", p.ID, p.Revision))
		}
	}
	for u := range s.URLs().All() {
		out = append(out, fmt.Sprint("url ", u.Key, u.Path, u.Modified()))
	}
	for _, space := range []site.NameSpace{site.BySource, site.ByAlias, site.ByPath} {
		for n := range s.NamesIn(space) {
			out = append(out, fmt.Sprint("name ", space, n, s.Find(site.Name{Space: space, Name: n}).DocRevision()))
		}
	}
	for c := range s.Contests() {
		out = append(out, fmt.Sprint("contest ", c.Path, len(c.Docs)))
	}
	return append(out, fmt.Sprint("next ", s.NextFlip()))
}

// TestApplyEqualsFresh applies random edits and passing time step by step and compares with a snapshot made at once.
func TestApplyEqualsFresh(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		docs := map[site.ID]site.Document{}
		now := day(0)
		s := site.NewSnapshot(now, seed%4 == 0)
		for step := range 60 {
			ch := &site.Changes{}
			for range r.IntN(4) {
				id := site.ID(fmt.Sprintf("p%02d", r.IntN(30)))
				ch.Put = slices.DeleteFunc(ch.Put, func(d site.Document) bool { return d.DocID() == id })
				ch.Drop = slices.DeleteFunc(ch.Drop, func(d site.ID) bool { return d == id })
				if r.IntN(4) == 0 {
					delete(docs, id)
					ch.Drop = append(ch.Drop, id)
					continue
				}
				if r.IntN(6) == 0 {
					c := &site.Course{Meta: site.Meta{ID: id, Source: string(id), Slug: site.Slug(fmt.Sprintf("s%02d", r.IntN(4))), Revision: site.Revision(1 + r.IntN(1000)), Draft: r.IntN(4) == 0}}
					for l := range r.IntN(3) {
						c.Modules = append(c.Modules, site.Module{Lessons: []site.Lesson{{Slug: site.Slug(fmt.Sprint("l", l)), Open: r.IntN(3) > 0, Body: site.BodyRef{Hash: 1}}}})
					}
					docs[id] = c
					ch.Put = append(ch.Put, c)
					continue
				}
				if r.IntN(4) == 0 {
					at := []string{"/blog/s%02d", "/blog/s%02d/x.png", "/blog", "/x/s%02d", "/blog/s%02d/index.html", "/courses/s00/l1", "/courses/s01/l0/index.html", "/courses/s02", "/courses/s01/l1/x.png"}[r.IntN(9)]
					if strings.Contains(at, "%") {
						at = fmt.Sprintf(at, r.IntN(25))
					}
					f := &site.File{ID: id, Name: string(id), Revision: site.Revision(1 + r.IntN(1000)), Public: site.Path(at)}
					docs[id] = f
					ch.Put = append(ch.Put, f)
					continue
				}
				tags := []string{"a", "A", "b", "c d"}[:r.IntN(5)]
				p := post(string(id), fmt.Sprintf("s%02d", r.IntN(25)), r.IntN(40)-20, tags...)
				p.Draft = r.IntN(5) == 0
				if r.IntN(4) == 0 {
					p.Expires = day(r.IntN(60))
				}
				if r.IntN(3) == 0 {
					p.Aliases = []string{fmt.Sprintf("/old/%d/", r.IntN(5))}
				}
				revise(p)
				docs[id] = p
				ch.Put = append(ch.Put, p)
			}
			if r.IntN(3) == 0 {
				now = now.Add(time.Duration(r.IntN(72)) * time.Hour)
			}
			before := describe(s)
			next, changes := s.Apply(ch, now)
			if diff := cmp.Diff(before, describe(s)); diff != "" {
				t.Fatalf("seed %d step %d: Apply changed the snapshot it was called on:\n%s", seed, step, diff)
			}
			all := &site.Changes{}
			for _, d := range docs {
				all.Put = append(all.Put, d)
			}
			fresh, _ := site.NewSnapshot(now, seed%4 == 0).Apply(all, now)
			if diff := cmp.Diff(describe(fresh), describe(next)); diff != "" {
				t.Fatalf("seed %d step %d (-fresh +applied):\n%s", seed, step, diff)
			}
			// The way back leads to where it began.
			undo := &site.Changes{}
			for _, d := range ch.Put {
				if s.Doc(d.DocID()) == nil {
					undo.Drop = append(undo.Drop, d.DocID())
				} else {
					undo.Put = append(undo.Put, s.Doc(d.DocID()))
				}
			}
			for _, id := range ch.Drop {
				if d := s.Doc(id); d != nil {
					undo.Put = append(undo.Put, d)
				}
			}
			back, reverse := next.Apply(undo, s.Now())
			if diff := cmp.Diff(before, describe(back)); diff != "" {
				t.Fatalf("seed %d step %d: undone (-was +is):\n%s", seed, step, diff)
			}
			if len(reverse) != len(changes) {
				t.Fatalf("seed %d step %d: %d changes, %d when undone", seed, step, len(changes), len(reverse))
			}
			for _, c := range changes {
				if c.Old == c.New {
					t.Fatalf("seed %d step %d: a change that is none: %v", seed, step, c.New.DocID())
				}
			}
			s = next
		}
	}
}

func TestContestedSlug(t *testing.T) {
	a, b := post("a", "same", -2), post("b", "same", -1)
	s, _ := site.NewSnapshot(day(0), false).Apply(&site.Changes{Put: []site.Document{b, a}}, day(0))
	if got := s.At("/blog/same/"); got != site.Document(a) {
		t.Errorf("/blog/same/ = %v, want the lowest ID", got.DocID())
	}
	s, changes := s.Apply(&site.Changes{Drop: []site.ID{"a"}}, day(0))
	if len(changes) != 1 || changes[0].Old != site.Document(a) || changes[0].New != site.Document(b) {
		t.Errorf("removing a: changes %v, want a replaced by b", changes)
	}
	if s.Posts().Len() != 1 {
		t.Errorf("%d posts, want 1", s.Posts().Len())
	}
}

func TestOrder(t *testing.T) {
	ch := &site.Changes{}
	for i := range 100 {
		ch.Put = append(ch.Put, post(fmt.Sprint(i), fmt.Sprintf("s%03d", i), -200+i))
	}
	s, _ := site.NewSnapshot(day(0), false).Apply(ch, day(0))
	posts := s.Posts()
	for i := range 100 {
		p, _ := posts.At(i)
		if posts.Rank(p) != i {
			t.Errorf("Rank(At(%d)) = %d", i, posts.Rank(p))
		}
	}
	mid, _ := posts.At(50)
	if got := posts.Before(mid, 2); got[0].Slug != "s049" || got[1].Slug != "s048" {
		t.Errorf("Before(s050, 2) = %v, %v", got[0].Slug, got[1].Slug)
	}
	if got := posts.After(mid, 200); len(got) != 49 || got[0].Slug != "s051" {
		t.Errorf("After(s050, 200) = %d from %v", len(got), got[0].Slug)
	}
	if got := posts.Range(98, 200); len(got) != 2 || got[1].Slug != "s099" {
		t.Errorf("Range(98, 200) = %v", got)
	}
}
