package mongodb

import (
	"context"
	"strings"

	"freshet/internal/site"
)

// manyMissing is how many known documents a census may be without before the next scan reads everything: then a scan of
// a few at a time would take away by and by what is refused in one piece.
const manyMissing = 10

// Names lists the names of all documents, as Scan takes them: those that are there, and those that were there at the
// last scan, so that a scan of all names finds what is gone.
func (s *Source) Names(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	missing := 0
	for _, coll := range []string{blogs, courses} {
		ids, err := s.census(ctx, coll)
		if err != nil {
			return nil, err
		}
		for id := range ids {
			names = append(names, string(id))
		}
		for id := range s.docs {
			if collOf(id) == coll && !ids[id] {
				names = append(names, string(id))
				missing++
			}
		}
	}
	s.all = s.all || missing > manyMissing
	return append(names, anySetting), nil
}

func collOf(id site.ID) string {
	coll, _, _ := strings.Cut(string(id), ":")
	return coll
}

// believe asks whether the collections are there, when a scan of some documents has not found one that is known: that
// they are gone one by one is no news when the collection is.
func (r *reading) believe(ctx context.Context) error {
	s, lost := r.s, map[string]bool{}
	for id := range r.gone {
		if _, known := s.docs[id]; known && len(r.issues[id].skips) == 0 {
			lost[collOf(id)] = true
		}
	}
	if !lost[blogs] && !lost[courses] {
		return nil
	}
	types, others, err := s.db.collections(ctx, s.db.name, blogs, courses)
	if err != nil {
		return err
	}
	if len(types) == 0 {
		return s.db.noCollections(others)
	}
	documents := 0
	for _, coll := range []string{blogs, courses} {
		if _, has := types[coll]; !has && lost[coll] && s.must != nil && s.must(coll) {
			return s.db.missing(coll)
		}
		n, err := s.db.count(ctx, coll)
		if err != nil {
			return err
		}
		documents += n
	}
	if documents == 0 {
		return s.db.noDocuments()
	}
	return nil
}
