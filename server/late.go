package server

import (
	"context"
	"time"

	"freshet/internal/site"
)

// A Late knows the pages that a first build has deferred: the site will have them soon.
type Late interface {
	// Await waits until the page at a path is built, if it was deferred. left reports whether it was. An error means that the page
	// is not built yet.
	Await(ctx context.Context, path site.Path) (left bool, err error)
}

// latePatience is how long a reader waits for a page that is being made.
const latePatience = 3 * time.Second

// late answers for a page that was not found but may have been deferred.
func (s *Server) late(ctx context.Context, ask *question, missed answer) answer {
	ctx, cancel := context.WithTimeout(ctx, latePatience)
	defer cancel()
	for _, path := range []string{ask.Path, ask.Path + "/"} {
		left, err := s.cfg.Late.Await(ctx, site.Path(path))
		switch {
		case err != nil:
			return answer{Status: 503, Message: "this page is being made", RetryAfter: 5 * time.Second, Outcome: miss[0], Generation: missed.Generation}
		case left:
			s.pages.look(ask)
			return s.pages.answer(ask, time.Now())
		}
	}
	if gen := s.cfg.Site.Current(); gen != nil && gen.Number() != missed.Generation {
		s.pages.look(ask)
		return s.pages.answer(ask, time.Now()) // it has been made since
	}
	return missed
}
