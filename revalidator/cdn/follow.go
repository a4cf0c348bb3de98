package cdn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"freshet/internal/site"
)

// A Generation is one generation of the page log. This package does not import the page log: G is the log's own type.
type Generation[G any] interface {
	comparable
	// Number returns the generation's number; 0: nothing was committed yet.
	Number() uint64
	// All returns every entry.
	All() iter.Seq[*site.Entry]
	// Changes returns the paths whose answers differ from those of old, as pairs of the old and the new entry. An
	// absent entry is nil. A zero old has no entries.
	Changes(old G) iter.Seq2[*site.Entry, *site.Entry]
}

// A Log holds the generations of a site.
type Log[G any] interface {
	// Current returns the newest generation.
	Current() G
	// At returns an older one. The error is site.ErrNotFound if the log has dropped it.
	At(number uint64) (G, error)
}

// Answers says how the server answers for entries.
type Answers struct {
	Key     func(*site.Entry) string // the purge key of the answer; empty: it has none
	Lasting func(*site.Entry) bool   // the answer never changes, so caches keep it for ever
}

// A Follower purges what each generation changes. A nil Follower does nothing: the site has no CDN.
type Follower[G Generation[G]] struct {
	purger  *Purger
	log     Log[G]
	answers Answers
	last    G // the newest generation that the purger received; zero: unknown
}

// Follow returns a Follower of log. It makes up for a purge that was lost because a process ended between a commit and
// its purge. If it cannot find out what changed, it purges everything.
func Follow[G Generation[G]](purger *Purger, log Log[G], answers Answers) (*Follower[G], error) {
	f := &Follower[G]{purger: purger, log: log, answers: answers}
	accepted := purger.Accepted()
	last, err := log.At(accepted)
	switch {
	case accepted == 0:
	case err == nil:
		f.last = last
	case !errors.Is(err, site.ErrNotFound):
		return nil, fmt.Errorf("read what the CDNs have: %w", err)
	}
	return f, f.Commit()
}

// Commit purges what changed up to the newest generation. One goroutine calls it after every commit.
func (f *Follower[G]) Commit() error {
	if f == nil {
		return nil
	}
	var none G
	g, last := f.log.Current(), f.last
	if g == none || g.Number() == 0 || last != none && last.Number() == g.Number() {
		return nil
	}
	f.last = g
	pages := Stale(g, last, f.answers)
	if last == none {
		return f.purger.PurgeEverything(g.Number(), pages, "what changed since the last purge is not known")
	}
	return f.purger.Purge(g.Number(), pages)
}

// Run purges until ctx ends.
func (f *Follower[G]) Run(ctx context.Context) error {
	if f == nil {
		return nil
	}
	return f.purger.Run(ctx)
}

// Close closes the outbox.
func (f *Follower[G]) Close() error {
	if f == nil {
		return nil
	}
	return f.purger.Close()
}

// Trusted reports whether caches may keep pages until they are purged, see [Purger.Trusted].
func (f *Follower[G]) Trusted() bool { return f != nil && f.purger.Trusted() }

// Stats returns the counts and the pending work of each CDN.
func (f *Follower[G]) Stats() Stats {
	if f == nil {
		return Stats{}
	}
	return f.purger.Stats()
}

// Stale lists, by path, the pages of g for which a cache may hold an answer of old. A zero old means any older
// generation.
func Stale[G Generation[G]](g, old G, answers Answers) []Page {
	var none G
	var pages []Page
	newErrorPage := false
	for was, is := range g.Changes(old) {
		p := Page{}
		if is != nil {
			p.Path, p.Key = is.Path, answers.Key(is)
			if is.Status == 200 {
				p.ETag = is.Object.ID.String()
			}
		}
		if was != nil {
			p.Path = was.Path
			if key := answers.Key(was); key != "" {
				p.Key = key // the old copies carry the old key
			}
		}
		switch {
		case p.Path == "/404.html":
			newErrorPage = true // no cache keeps the 404 answer itself
		case p.Path == "/_redirects" || p.Path == "/_headers": // no pages
		case was == nil && p.Key == "" && old != none: // no cache holds an answer for a new path without a key
		case (was == nil || answers.Lasting(was)) && (is == nil || answers.Lasting(is)):
		default:
			pages = append(pages, p)
		}
	}
	if newErrorPage && old != none {
		// The answers for removed pages contain the error page.
		for e := range g.All() {
			if e.Status == 410 {
				pages = append(pages, Page{Path: e.Path, Key: answers.Key(e)})
			}
		}
	}
	slices.SortFunc(pages, func(a, b Page) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return slices.CompactFunc(pages, func(a, b Page) bool { return a.Path == b.Path })
}
