package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"freshet/internal/linelog"
)

// The file consists of linelog lines. The first line identifies the file, each other line is an event.
// docs/formats/guard.md specifies it.
const (
	memoryVersion = 1
	maxMemoryFile = 64 << 20
)

type memoryHead struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
}

// saved holds the change counters at the last write or read of the file. Without any change no file is written, so that
// a read-only state folder causes no error before it must.
type saved struct {
	mu    sync.Mutex // held while the file is written
	bans  uint64
	hands uint64
}

// restore reads the file. It skips and logs damaged lines: losing a ban is better than not starting.
func (g *Guard) restore(now time.Time) error {
	if g.cfg.File == "" {
		return nil
	}
	info, err := os.Stat(g.cfg.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > maxMemoryFile {
		err = fmt.Errorf("%s has more than %d bytes", g.cfg.File, maxMemoryFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(g.cfg.File)
	}
	if err != nil {
		return fmt.Errorf("read what the guard has kept: %w", err)
	}
	damaged, err := g.recall(data, now)
	if err != nil {
		return fmt.Errorf("read what the guard has kept in %s: %w", g.cfg.File, err)
	}
	if damaged > 0 {
		g.log.Error("damaged lines in what the guard has kept", "file", g.cfg.File, "lines", damaged)
	}
	g.saved.mu.Lock()
	defer g.saved.mu.Unlock()
	g.saved.bans, g.saved.hands = g.bans.Changes(), g.switches.changes.Load()
	return nil
}

// recall applies the events of a file, and returns how many lines are damaged.
func (g *Guard) recall(data []byte, now time.Time) (damaged int, err error) {
	for line := range bytes.Lines(data) {
		var text json.RawMessage
		line, whole := bytes.CutSuffix(line, []byte{'\n'})
		if !whole || !linelog.Decode(line, &text) {
			damaged++
			continue
		}
		var e struct {
			memoryHead
			event
		}
		switch err := json.Unmarshal(text, &e); {
		case err != nil:
			damaged++
		case e.Version > memoryVersion:
			return damaged, fmt.Errorf("it has version %d, and this freshet knows %d", e.Version, memoryVersion)
		case e.Audit != nil:
			g.switches.note(*e.Audit)
		default:
			g.obey(&e.event, now, kept)
		}
	}
	return damaged, nil
}

// snapshot returns the content of the file.
func (g *Guard) snapshot() ([]byte, error) {
	b, err := linelog.Append(nil, memoryHead{"guard", memoryVersion})
	errs := []error{err}
	add := func(e *event) {
		b, err = linelog.Append(b, e)
		errs = append(errs, err)
	}
	g.orders.mu.Lock()
	for _, ban := range g.bans.All() {
		add(banned(&ban))
	}
	for _, ban := range g.orders.hidden {
		add(banned(ban))
	}
	for p, w := range g.orders.lifted {
		add(&event{At: w.at, Lift: &p, By: w.by})
	}
	for _, e := range []*event{g.onKill(), g.onTraffic()} {
		if e != nil {
			add(e)
		}
	}
	g.orders.mu.Unlock()
	g.switches.mu.Lock()
	defer g.switches.mu.Unlock()
	for i := range g.switches.audit {
		add(&event{Audit: &g.switches.audit[i]})
	}
	return b, errors.Join(errs...)
}

// save writes the file if something changed since the last write.
func (g *Guard) save() error {
	g.saved.mu.Lock()
	defer g.saved.mu.Unlock()
	bans, hands := g.bans.Changes(), g.switches.changes.Load()
	if g.saved.bans == bans && g.saved.hands == hands {
		return nil
	}
	data, err := g.snapshot()
	if err == nil {
		err = replace(g.cfg.File, data)
	}
	if err != nil {
		return fmt.Errorf("keep bans: %w", err)
	}
	g.saved.bans, g.saved.hands = bans, hands
	return nil
}

// keep calls save. It logs only the first of consecutive failures.
func (g *Guard) keep(failed bool) bool {
	err := g.save()
	if err != nil && !failed {
		g.log.Error("bans are not kept over a restart", "error", err)
	}
	return err != nil
}

// replace writes a file atomically. Only its owner may read it, because it contains addresses.
func replace(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := linelog.Replace(name, data, 0o600)
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}
