package site

import (
	"iter"
	"slices"
)

// TermsOf yields the tags' slugs with their first spelling, each slug once, in the order given.
func TermsOf(tags []string) iter.Seq2[Slug, string] {
	return func(yield func(Slug, string) bool) {
		seen := make([]Slug, 0, len(tags))
		for _, t := range tags {
			slug := TagSlug(t)
			if slug == "" || slices.Contains(seen, slug) {
				continue
			}
			seen = append(seen, slug)
			if !yield(slug, t) {
				return
			}
		}
	}
}

// AuthorTerms yields the slugs and names of a post's authors, each slug once.
func AuthorTerms(p *Post) iter.Seq2[Slug, string] {
	return func(yield func(Slug, string) bool) {
		seen := make([]Slug, 0, len(p.Authors))
		for _, a := range p.Authors {
			slug := MakeSlug(a.Name)
			if slug == "" || slices.Contains(seen, slug) {
				continue
			}
			seen = append(seen, slug)
			if !yield(slug, a.Name) {
				return
			}
		}
	}
}

// editTerm returns the term to change in place: this snapshot's own, else a copy.
func (s *Snapshot) editTerm(terms *Order[*Term], slug Slug) *Term {
	t := term(*terms, slug)
	if t == nil {
		t = &Term{Slug: slug, Posts: newOrder(olderPost), names: newOrder(func(a, b nameCount) bool { return a.name < b.name })}
	} else if _, own := s.edited[t]; own {
		return t
	} else {
		t = &Term{Slug: slug, Posts: t.Posts.edit(), names: t.names.edit()}
	}
	s.edited[t] = struct{}{}
	terms.t.Set(t)
	return t
}

func (s *Snapshot) addTerm(terms *Order[*Term], slug Slug, name string, p *Post, path Path) {
	t := s.editTerm(terms, slug)
	if t.Posts.Len() == 0 {
		s.urls.t.Set(ListURL(path))
	}
	t.Posts.t.Set(p)
	c, _ := t.names.Get(nameCount{name: name})
	t.names.t.Set(nameCount{name, c.n + 1})
}

func (s *Snapshot) removeTerm(terms *Order[*Term], slug Slug, name string, p *Post, path Path) {
	t := s.editTerm(terms, slug)
	t.Posts.t.Delete(p)
	if t.Posts.Len() == 0 {
		terms.t.Delete(t)
		s.urls.t.Delete(ListURL(path))
		return
	}
	if c, _ := t.names.Get(nameCount{name: name}); c.n > 1 {
		t.names.t.Set(nameCount{name, c.n - 1})
	} else {
		t.names.t.Delete(nameCount{name: name})
	}
}

// setName chooses how the term is written. spelling returns how a post of its writes it.
func (t *Term) setName(spelling func(*Post) string) {
	most, tied := 0, map[string]bool{}
	for c := range t.names.All() {
		if c.n > most {
			most, t.Name = c.n, c.name
			clear(tied)
		}
		if c.n == most {
			tied[c.name] = true
		}
	}
	if len(tied) < 2 {
		return
	}
	for p := range t.Posts.All() {
		if name := spelling(p); tied[name] {
			t.Name = name
			return
		}
	}
}

// spelling returns how terms write the slug; "" when none of them has it.
func spelling(terms iter.Seq2[Slug, string], slug Slug) string {
	for s, name := range terms {
		if s == slug {
			return name
		}
	}
	return ""
}
