package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/revalidator/cdn"
	"freshet/server"
)

// purges has the CDNs purge what each generation of a page log changes.
type purges struct {
	purger *cdn.Purger
	store  *pagestore.Writer
	last   *pagestore.Generation // all that it changed is purged, or is being purged; nil: not known
}

// openPurges opens the outbox of the CDNs that the settings name; nil: there are none.
func openPurges(eff *settings.Effective, store *pagestore.Writer, logger *slog.Logger) (*purges, error) {
	if len(eff.CDNs) == 0 {
		return nil, nil
	}
	p, err := cdn.Open(cdn.Config{CDNs: eff.CDNs, State: eff.State, Logger: logger})
	if err != nil {
		return nil, err
	}
	s, err := newPurges(p, store)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return s, nil
}

// newPurges takes up where the last process ended: a generation that was committed and not purged is purged now.
func newPurges(p *cdn.Purger, store *pagestore.Writer) (*purges, error) {
	s := &purges{purger: p, store: store}
	accepted := p.Accepted()
	last, err := store.At(accepted)
	switch {
	case accepted == 0:
	case err == nil:
		s.last = last
	case !errors.Is(err, site.ErrNotFound):
		return nil, fmt.Errorf("read what the CDNs have: %w", err)
	}
	return s, s.follow()
}

// follow purges what changed up to the newest generation. It is called after every commit, by one goroutine.
func (s *purges) follow() error {
	if s == nil {
		return nil
	}
	g := s.store.Current()
	if g == nil || g.ID == 0 || s.last != nil && s.last.ID == g.ID {
		return nil
	}
	last := s.last
	s.last = g
	if last == nil {
		return s.purger.PurgeEverything(g.ID, purgedPages(g, nil), "what changed since the last purge is not known")
	}
	return s.purger.Purge(g.ID, purgedPages(g, last))
}

// run purges until ctx ends.
func (s *purges) run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.purger.Run(ctx)
}

// Close closes the outbox.
func (s *purges) Close() error {
	if s == nil {
		return nil
	}
	return s.purger.Close()
}

// trusted reports whether CDNs may keep pages until they are purged.
func (s *purges) trusted() bool { return s != nil && s.purger.Trusted() }

// purgedPages are the pages of which CDNs may have an older answer, by path.
func purgedPages(g, old *pagestore.Generation) []cdn.Page {
	var pages []cdn.Page
	frame := false
	for was, is := range g.Changes(old) {
		p := cdn.Page{}
		if is != nil {
			p.Path, p.Key = is.Path, server.PurgeKey(is)
			if is.Status == 200 {
				p.ETag = is.Object.ID.String()
			}
		}
		if was != nil {
			p.Path = was.Path
			if key := server.PurgeKey(was); key != "" {
				p.Key = key // the copies that are to go carry the older keys
			}
		}
		switch {
		case p.Path == "/404.html":
			frame = true // answered as such, it is never kept
		case p.Path == "/_redirects" || p.Path == "/_headers": // no pages
		case was == nil && p.Key == "" && old != nil: // nothing kept what was not there
		case (was == nil || server.Lasting(was)) && (is == nil || server.Lasting(is)):
		default:
			pages = append(pages, p)
		}
	}
	if frame && old != nil {
		// Answers for pages that are gone look like it.
		for e := range g.All() {
			if e.Status == 410 {
				pages = append(pages, cdn.Page{Path: e.Path, Key: server.PurgeKey(e)})
			}
		}
	}
	slices.SortFunc(pages, func(a, b cdn.Page) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return slices.CompactFunc(pages, func(a, b cdn.Page) bool { return a.Path == b.Path })
}
