package revalidator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"freshet/internal/site"
)

// A Mender tells a daemon which stored pages a server cannot read, so that the daemon builds them again.
type Mender struct {
	logger *slog.Logger
	tell   func(ctx context.Context, path site.Path) error
	queue  chan site.Path

	mu   sync.Mutex // protects what follows
	told map[site.Path]time.Time
}

const (
	maxMends  = 256              // limits both the waiting pages and the pages remembered in told
	mendPause = 10 * time.Second // after this time the daemon is told of a page again: the first attempt may have failed
)

// NewMender makes a Mender. tell is [Revalidator.Mend] or [Control.Mend].
func NewMender(logger *slog.Logger, tell func(context.Context, site.Path) error) *Mender {
	return &Mender{logger: logger, tell: tell, queue: make(chan site.Path, maxMends), told: map[site.Path]time.Time{}}
}

// Damaged reports that the stored page at a path cannot be read. It never blocks.
func (m *Mender) Damaged(path site.Path, err error) {
	if !m.due(path, time.Now()) {
		return
	}
	select {
	case m.queue <- path:
	default: // the queue is full: a later request for the page reports it again
	}
	m.logger.Error("a stored page is damaged", "path", path, "error", err, "remedy", "it is made again by freshet up, revalidate or build; check the disk")
}

// due reports whether the daemon should be told of a page now.
func (m *Mender) due(path site.Path, now time.Time) bool {
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

// Run tells the daemon until ctx ends. Then it spends at most one second on the pages that still wait.
func (m *Mender) Run(ctx context.Context) error {
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
			// Shutdown does not interrupt this call: the damage was found before it.
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			m.ask(asking, path)
			cancel()
		}
	}
}

func (m *Mender) ask(ctx context.Context, path site.Path) {
	if err := m.tell(ctx, path); err != nil {
		m.logger.Warn("no daemon makes a damaged page again", "path", path, "error", err, "remedy", "run freshet build")
	}
}
