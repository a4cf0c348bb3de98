package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// mends take care of pages that the server cannot read: readers get the copy in the public folder, and the daemon is told
// so that it makes the page again.
type mends struct {
	public string // the public folder; empty: there is none
	logger *slog.Logger
	tell   func(ctx context.Context, path site.Path) error
	queue  chan site.Path

	mu   sync.Mutex // protects what follows
	told map[site.Path]time.Time
}

const (
	maxMends  = 256              // pages that wait to be told of, and that are remembered as told
	mendPause = 10 * time.Second // a page is told of again after so long: the daemon may have failed, or not have been there
)

func newMends(public string, logger *slog.Logger, tell func(context.Context, site.Path) error) *mends {
	return &mends{public: public, logger: logger, tell: tell, queue: make(chan site.Path, maxMends), told: map[site.Path]time.Time{}}
}

// unreadable is what the server calls: see server.Config.
func (m *mends) unreadable(e *site.Entry, err error) ([]byte, bool) {
	if _, damaged := errors.AsType[*pagestore.DamageError](err); damaged && m.due(e.Path, time.Now()) {
		select {
		case m.queue <- e.Path:
		default: // there are so many that another build comes anyway
		}
		m.logger.Error("a stored page is damaged", "path", e.Path, "error", err, "remedy", "it is made again by freshet up, revalidate or build; check the disk")
	}
	return pagestore.Copy(m.public, e)
}

// due reports whether the daemon is to be told of a page now.
func (m *mends) due(path site.Path, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, has := m.told[path]; has && now.Sub(at) < mendPause {
		return false
	}
	if len(m.told) >= maxMends {
		clear(m.told)
	}
	m.told[path] = now
	return true
}

// run tells the daemon until ctx ends, and then, for a second at most, of what still waits.
func (m *mends) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			for {
				select {
				case path := <-m.queue:
					m.ask(last, path)
				default:
					return nil
				}
			}
		case path := <-m.queue:
			// What a reader met just before a stop is told as well.
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			m.ask(asking, path)
			cancel()
		}
	}
}

func (m *mends) ask(ctx context.Context, path site.Path) {
	if err := m.tell(ctx, path); err != nil {
		m.logger.Warn("no daemon makes a damaged page again", "path", path, "error", err, "remedy", "run freshet build")
	}
}
