package guard

import (
	"context"
	"time"
)

// ShareOnce is one round of what Run does every 100 ms.
func (g *Guard) ShareOnce(ctx context.Context) error { return g.share(ctx) }

// Present is what Run does every two seconds.
func (g *Guard) Present(ctx context.Context) error { return g.present(ctx) }

// Save is what Run does every second.
func (g *Guard) Save() error { return g.save() }

// Saturate says that one goroutine in ten waits for so long for a processor.
func (g *Guard) Saturate(waited time.Duration) { g.load.Judge(waited) }

// Recall is what Open does with the content of the file.
func (g *Guard) Recall(data []byte, now time.Time) (damaged int, err error) {
	return g.recall(data, now)
}

// Sweep is what Run does every minute.
func (g *Guard) Sweep(now time.Time) { g.sweep(now) }
