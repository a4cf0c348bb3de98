package cdn

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"freshet/internal/linelog"
	"freshet/internal/site"
)

// A Page is a page of which a CDN may hold an old answer.
type Page struct {
	Path site.Path `json:"path"`
	Key  string    `json:"key,omitempty"`  // its own purge key; empty: only its URL can purge it
	ETag string    `json:"etag,omitempty"` // digest of the new bytes, the start of their ETag; empty: the answer has no ETag
}

// everything, in place of a path, means all pages.
const everything site.Path = ""

// pending is a page whose purge was not verified yet.
type pending struct {
	Page
	Generation uint64 `json:"generation"`
	Seq        uint64 `json:"seq"`              // number of the purge
	At         int64  `json:"at"`               // oldest unverified purge of the page, in Unix milliseconds
	Sample     []Page `json:"sample,omitempty"` // for everything: pages to read back
}

// A ledger is the content of an outbox.
type ledger struct {
	Seq        uint64              `json:"seq"`        // of the last purge
	Generation uint64              `json:"generation"` // of the last purge
	CDNs       map[string]*account `json:"cdns"`       // by name; each purge concerns all CDNs
}

type account struct {
	Verified bool                  `json:"verified,omitempty"` // a purge was verified at least once
	Pending  map[site.Path]pending `json:"pending"`
}

// A record is a line of an outbox. One field is set.
type record struct {
	Purge    *purgeRecord `json:"purge,omitempty"`
	Done     *doneRecord  `json:"done,omitempty"`
	Drop     string       `json:"drop,omitempty"` // a CDN that is no longer configured
	Snapshot *ledger      `json:"snapshot,omitempty"`
}

type purgeRecord struct {
	Seq        uint64   `json:"seq"`
	Generation uint64   `json:"generation"`
	At         int64    `json:"at"`
	Pages      []Page   `json:"pages,omitempty"`
	Sample     []Page   `json:"sample,omitempty"`
	New        []string `json:"new,omitempty"` // CDNs that start with this purge
	All        []string `json:"all,omitempty"` // CDNs that purge everything
}

// doneRecord lists verified pages. A page that was purged again after seq stays pending.
type doneRecord struct {
	CDN   string      `json:"cdn"`
	Seq   uint64      `json:"seq"`
	Paths []site.Path `json:"paths"`
}

func (l *ledger) apply(r *record) {
	switch {
	case r.Snapshot != nil:
		*l = *r.Snapshot
		if l.CDNs == nil {
			l.CDNs = map[string]*account{}
		}
		for name, a := range l.CDNs {
			if a == nil {
				l.CDNs[name] = &account{}
			}
			if l.CDNs[name].Pending == nil {
				l.CDNs[name].Pending = map[site.Path]pending{}
			}
		}
	case r.Purge != nil:
		l.purge(r.Purge)
	case r.Done != nil:
		a := l.CDNs[r.Done.CDN]
		if a == nil {
			return
		}
		a.Verified = true
		for _, path := range r.Done.Paths {
			if path == everything {
				maps.DeleteFunc(a.Pending, func(_ site.Path, p pending) bool { return p.Seq <= r.Done.Seq })
			} else if p, ok := a.Pending[path]; ok && p.Seq <= r.Done.Seq {
				delete(a.Pending, path)
			}
		}
	case r.Drop != "":
		delete(l.CDNs, r.Drop)
	}
}

func (l *ledger) purge(p *purgeRecord) {
	l.Seq, l.Generation = p.Seq, p.Generation
	for _, name := range p.New {
		if l.CDNs[name] == nil {
			l.CDNs[name] = &account{Pending: map[site.Path]pending{}}
		}
	}
	for _, name := range p.All {
		a := l.CDNs[name]
		if a == nil {
			continue
		}
		at := p.At
		for _, old := range a.Pending {
			at = min(at, old.At)
		}
		a.Pending = map[site.Path]pending{everything: {Generation: p.Generation, Seq: p.Seq, At: at, Sample: p.Sample}}
	}
	for name, a := range l.CDNs {
		if slices.Contains(p.All, name) {
			continue
		}
		for _, page := range p.Pages {
			if page.Path == everything {
				continue
			}
			at := p.At
			if old, ok := a.Pending[page.Path]; ok {
				at = min(at, old.At)
			}
			a.Pending[page.Path] = pending{Page: page, Generation: p.Generation, Seq: p.Seq, At: at}
		}
	}
}

// outboxHead is the first line of an outbox. See docs/formats/cdn.md.
const outboxHead = "freshet cdn outbox 1\n"

// readLedger reads an outbox. whole is the length of its readable lines; an unfinished write may follow. damaged means
// that a line before whole is unreadable, so that purges may be missing.
func readLedger(text []byte) (l *ledger, whole int, damaged bool) {
	l = &ledger{CDNs: map[string]*account{}}
	if len(text) < len(outboxHead) && bytes.HasPrefix([]byte(outboxHead), text) {
		return l, 0, false // a crash interrupted its creation: nothing was accepted yet
	}
	rest, ok := bytes.CutPrefix(text, []byte(outboxHead))
	if !ok {
		return l, 0, true
	}
	at := len(outboxHead)
	whole = at
	bad := false
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return l, whole, damaged
		}
		at += len(line) + 1
		rest = after
		var r record
		if !linelog.Decode(line, &r) {
			bad = true // an unfinished write, unless a readable line follows
			continue
		}
		damaged = damaged || bad
		l.apply(&r)
		whole = at
	}
}

// An outbox is the file that remembers purges until they are verified. Its only writer is the process that holds the
// page log's lock.
type outbox struct {
	name string

	mu     sync.Mutex // protects the following fields
	f      *os.File
	size   int64
	ledger *ledger
	unsure bool // a write failed, so the file's content is unknown: the next append rewrites it
	closed bool
}

const outboxName = "cdn-outbox"

// openOutbox opens the outbox in a state folder, or creates it.
func openOutbox(dir string) (o *outbox, damaged bool, err error) {
	o = &outbox{name: filepath.Join(dir, outboxName)}
	text, err := os.ReadFile(o.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	var whole int
	o.ledger, whole, damaged = readLedger(text)
	if damaged || whole == 0 {
		if damaged {
			// The damaged file is kept for inspection.
			if err := os.Rename(o.name, o.name+".damaged"); err != nil {
				return nil, false, err
			}
		}
		return o, damaged, o.rewrite()
	}
	if o.f, err = os.OpenFile(o.name, os.O_RDWR, 0); err != nil {
		return nil, false, err
	}
	o.size = int64(whole)
	if whole < len(text) {
		err = o.f.Truncate(o.size)
	}
	if err == nil {
		_, err = o.f.Seek(o.size, 0)
	}
	if err != nil {
		_ = o.f.Close()
		return nil, false, err
	}
	return o, false, nil
}

// rewrite replaces the outbox by a new file with the pending purges.
func (o *outbox) rewrite() error {
	text, err := linelog.Append([]byte(outboxHead), &record{Snapshot: o.ledger})
	if err != nil {
		return err
	}
	f, err := linelog.Replace(o.name, text, 0o644)
	if f == nil {
		return err
	}
	if o.f != nil {
		_ = o.f.Close() // the file has no name any more
	}
	o.f, o.size, o.unsure = f, int64(len(text)), err != nil
	return err
}

// compactBytes is the size above which an outbox with mostly finished purges is rewritten.
const compactBytes = 1 << 20

// append adds a record, and syncs the file if mustLast is set. The ledger gets the record even if the write fails, so
// that this process still does the work.
func (o *outbox) append(r *record, mustLast bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.appendLocked(r, mustLast)
}

func (o *outbox) appendLocked(r *record, mustLast bool) error {
	o.ledger.apply(r)
	if o.closed {
		return os.ErrClosed
	}
	if o.unsure {
		return o.rewrite()
	}
	line, err := linelog.Append(nil, r)
	if err != nil {
		return err
	}
	if _, err = o.f.Write(line); err == nil && mustLast {
		err = o.f.Sync()
	}
	if err != nil {
		o.unsure = true
		return err
	}
	o.size += int64(len(line))
	if o.size > compactBytes && o.size > 4*o.liveBytes() {
		// The record is already in the old file. If the rewrite fails, the old file is only longer than necessary.
		_ = o.rewrite()
	}
	return nil
}

// liveBytes estimates the size of a snapshot.
func (o *outbox) liveBytes() int64 {
	n := int64(len(outboxHead))
	for _, a := range o.ledger.CDNs {
		for path, p := range a.Pending {
			n += int64(2*len(path)+len(p.Key)+len(p.ETag)) + 150
		}
	}
	return n
}

// purge adds a purge for all CDNs. plan makes the record from the current ledger.
func (o *outbox) purge(plan func(*ledger) *purgeRecord) (*purgeRecord, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := plan(o.ledger)
	p.Seq = o.ledger.Seq + 1
	return p, o.appendLocked(&record{Purge: p}, len(p.Pages) > 0 || len(p.All) > 0)
}

func (o *outbox) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	return errors.Join(o.f.Sync(), o.f.Close())
}
