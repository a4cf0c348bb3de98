package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// What is kept over a restart is lines of text, each the CRC-32C of its JSON in 8 hexadecimal digits, a space, and the JSON
// of an event. The first says what the file is. docs/formats/guard.md has all of it.
const (
	memoryHead    = `{"type":"guard","version":1}`
	maxMemoryFile = 64 << 20
)

// saved is what the file holds.
type saved struct {
	mu    sync.Mutex // held while the file is written
	bans  uint64     // changes
	hands uint64
	known bool
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendLine(b, text []byte) []byte {
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	b = append(b, text...)
	return append(b, '\n')
}

// parseLines returns the JSON of all whole lines, and how many are damaged.
func parseLines(data []byte) (lines [][]byte, damaged int) {
	for line := range bytes.Lines(data) {
		line, whole := bytes.CutSuffix(line, []byte{'\n'})
		if len(line) < 10 || line[8] != ' ' || !whole {
			damaged++
			continue
		}
		sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
		if err != nil || crc32.Checksum(line[9:], castagnoli) != uint32(sum) {
			damaged++
			continue
		}
		lines = append(lines, line[9:])
	}
	return lines, damaged
}

// restore reads what was kept. Damaged lines are skipped and told: losing a ban is better than not starting.
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
	lines, damaged := parseLines(data)
	if len(lines) > 0 && string(lines[0]) != memoryHead {
		var head struct{ Version int }
		if json.Unmarshal(lines[0], &head) == nil && head.Version > 1 {
			return fmt.Errorf("read what the guard has kept: %s has version %d, and this freshet knows 1", g.cfg.File, head.Version)
		}
		damaged++
	}
	for _, line := range lines {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Audit != nil {
			g.switches.note(*e.Audit)
			continue
		}
		g.learn(line, now)
	}
	if damaged > 0 {
		g.log.Error("damaged lines in what the guard has kept", "file", g.cfg.File, "lines", damaged)
	}
	return nil
}

// snapshot is the file's content.
func (g *Guard) snapshot() ([]byte, error) {
	b := appendLine(nil, []byte(memoryHead))
	var errs []error
	add := func(e event) {
		text, err := json.Marshal(e)
		if err != nil {
			errs = append(errs, err)
			return
		}
		b = appendLine(b, text)
	}
	for _, ban := range g.bans.All() {
		add(event{Ban: &ban})
	}
	if k := g.switches.kill.Load(); k != nil {
		add(event{Kill: k})
	}
	if o := g.meter.Override(); o != nil {
		add(event{Traffic: o})
	}
	g.switches.mu.Lock()
	defer g.switches.mu.Unlock()
	for i := range g.switches.audit {
		add(event{Audit: &g.switches.audit[i]})
	}
	return b, errors.Join(errs...)
}

// save writes the file when something has changed since the last time.
func (g *Guard) save() error {
	g.saved.mu.Lock()
	defer g.saved.mu.Unlock()
	bans, hands := g.bans.Changes(), g.switches.changes.Load()
	if g.saved.known && g.saved.bans == bans && g.saved.hands == hands {
		return nil
	}
	data, err := g.snapshot()
	if err == nil {
		err = replace(g.cfg.File, data)
	}
	if err != nil {
		return fmt.Errorf("keep bans: %w", err)
	}
	g.saved.bans, g.saved.hands, g.saved.known = bans, hands, true
	return nil
}

// keep is save for a loop: it tells the first of several failures.
func (g *Guard) keep(failed bool) bool {
	err := g.save()
	if err != nil && !failed {
		g.log.Error("bans are not kept over a restart", "error", err)
	}
	return err != nil
}

// replace writes a file whole or not at all. It is readable by its owner alone: it holds addresses.
func replace(name string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
