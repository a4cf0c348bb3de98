package contentdir

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// Names lists the names of all files of the tree, as Scan takes them: those that are there, and those that were there at
// the last scan, so that a scan of all names finds what is gone.
func (s *Source) Names(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names, known []string
	if s.tree != nil {
		known = s.tree.under("")
	}
	w, err := s.walk(ctx, "")
	switch {
	case err == nil:
		for _, f := range w.files {
			names = append(names, f.path)
		}
	case s.only == nil || len(known) > 0 || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	names = append(names, known...)
	slices.Sort(names)
	names = slices.Compact(names)
	// Many that are gone are looked at in one piece, for so they may be refused.
	s.unsure = s.unsure || w != nil && len(names)-len(w.files) > manyMissing
	return names, nil
}

// manyMissing is how many known files may be missing before the next scan looks at everything.
const manyMissing = 10

// Verify makes the next scan read the named files again, whatever their times say. It finds what has changed without
// leaving a trace in size and time: a disk that fails, a restored copy.
func (s *Source) Verify(names []string) {
	for _, name := range names {
		s.doubt(name)
	}
}
