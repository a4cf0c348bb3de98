package cdn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"freshet/internal/site"
)

// Config holds what a Purger needs. CDNs and State are required.
type Config struct {
	CDNs       []CDN             // from Parse
	State      string            // the state folder, which holds the outbox
	Transport  http.RoundTripper // nil: a default one, without a proxy for loopback addresses
	Settle     time.Duration     // delay between accepting a purge and sending it; 0: 500 ms
	AlarmAfter time.Duration     // a purge not verified after this time raises an alarm; 0: 2 minutes
	Logger     *slog.Logger      // nil: no log
}

// A Purger purges pages from CDNs and verifies that they are gone. It is safe for concurrent use.
type Purger struct {
	cfg    Config
	log    *slog.Logger
	outbox *outbox
	lanes  []*lane
	whole  map[string]string // CDN → why its next purge is of everything

	mu      sync.Mutex // protects the following fields
	limited *bucket    // rate of reading back pages that the guard limits
	free    *bucket    // rate of reading back other pages
}

// Open opens the outbox and loads the pending purges. It sends nothing before Run.
func Open(cfg Config) (*Purger, error) {
	if len(cfg.CDNs) == 0 {
		return nil, errors.New("cdn: CDNs is missing")
	}
	if cfg.State == "" {
		return nil, errors.New("cdn: State is missing")
	}
	if cfg.Settle == 0 {
		cfg.Settle = 500 * time.Millisecond
	}
	if cfg.AlarmAfter <= 0 {
		cfg.AlarmAfter = 2 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost, t.DisableCompression = 4, true
		cfg.Transport = t
	}
	p := &Purger{cfg: cfg, log: cfg.Logger.With("part", "cdn"), whole: map[string]string{},
		limited: newBucket(limitedRate, limitedBurst), free: newBucket(freeRate, freeBurst)}
	o, damaged, err := openOutbox(cfg.State)
	if err != nil {
		return nil, fmt.Errorf("open the CDN outbox: %w", err)
	}
	p.outbox = o
	if damaged {
		p.log.Error("the CDN outbox is damaged: everything is purged, for it is not known what was to be", "kept_as", o.name+".damaged",
			"remedy", "look after the disk")
	}
	for _, c := range cfg.CDNs {
		a := o.ledger.CDNs[c.name]
		switch {
		case damaged:
			p.whole[c.name] = "the outbox is damaged"
		case a == nil:
			p.whole[c.name] = "what this CDN has is not known yet"
		}
		p.lanes = append(p.lanes, newLane(p, c, a))
	}
	for _, name := range slices.Sorted(maps.Keys(o.ledger.CDNs)) {
		if slices.ContainsFunc(cfg.CDNs, func(c CDN) bool { return c.name == name }) {
			continue
		}
		if err := o.append(&record{Drop: name}, false); err != nil {
			return nil, errors.Join(fmt.Errorf("write the CDN outbox: %w", err), o.close())
		}
	}
	return p, nil
}

// Close closes the outbox. The next Open continues with pending purges.
func (p *Purger) Close() error { return p.outbox.close() }

// Accepted returns the generation of the last accepted purge; 0: none. The caller must purge what changed since then,
// because a process may end between a commit and its purge.
func (p *Purger) Accepted() uint64 { return p.newest() }

func (p *Purger) newest() uint64 {
	p.outbox.mu.Lock()
	defer p.outbox.mu.Unlock()
	return p.outbox.ledger.Generation
}

// Purge purges the pages that a generation changed or removed. Call it for every generation in order, even if no page
// changed. A nil result means that the purge is on the disk. After an error the purge is tried, but may be lost with
// the process.
func (p *Purger) Purge(generation uint64, pages []Page) error {
	return p.purge(generation, pages, "")
}

// PurgeEverything purges everything and logs the reason. pages lists all pages: a sample of them is read back, and a
// CDN without a way to purge everything gets all of them by name.
func (p *Purger) PurgeEverything(generation uint64, pages []Page, reason string) error {
	return p.purge(generation, pages, reason)
}

func (p *Purger) purge(generation uint64, pages []Page, reason string) error {
	now := time.Now()
	// Held throughout, so that lanes receive purges in the order of the outbox.
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.outbox.purge(func(l *ledger) *purgeRecord {
		r := &purgeRecord{Generation: generation, At: now.UnixMilli()}
		for _, lane := range p.lanes {
			c := &lane.cdn
			a := l.CDNs[c.name]
			why := cmp.Or(p.whole[c.name], reason)
			if a == nil {
				r.New = append(r.New, c.name)
			}
			if why == "" && a != nil && c.tooMany(a, pages) {
				why = fmt.Sprintf("%d pages are more than is sensible to name, or cannot be named", len(pages))
			}
			switch {
			case why == "" || !c.all:
				r.Pages = pages
				if why != "" {
					lane.log.Warn("this CDN has no way to purge everything: the pages that are known are named", "reason", why,
						"pages", len(pages), "remedy", "set cdn.everything, or purge everything by hand")
				}
			default:
				lane.log.Info("everything is purged", "reason", why, "generation", generation)
				r.All, r.Sample = append(r.All, c.name), spread(pages, samplePages)
			}
		}
		return r
	})
	clear(p.whole)
	for _, l := range p.lanes {
		l.add(r, now, p.cfg.Settle)
	}
	if err != nil {
		return fmt.Errorf("write the CDN outbox: %w", err)
	}
	return nil
}

// Run purges until ctx ends, and then returns nil.
func (p *Purger) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, l := range p.lanes {
		l.mu.Lock()
		l.began = time.Now()
		l.mu.Unlock()
		wg.Go(func() { l.runSend(ctx) })
		wg.Go(func() { l.runLook(ctx) })
	}
	wg.Wait()
	for _, l := range p.lanes {
		l.client.CloseIdleConnections()
		l.reader.CloseIdleConnections()
	}
	return nil
}

// maySample returns how many pages of a large purge can be read back without waiting.
func (p *Purger) maySample() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.limited.take(now, 0)
	p.free.take(now, 0)
	return min(max(int(min(p.limited.tokens, p.free.tokens)), leastPages), samplePages)
}

// mayRead waits until reading the page back is within the limits. It reports false if ctx has ended.
func (p *Purger) mayRead(ctx context.Context, path site.Path) bool {
	b := p.free
	if isLimited(path) {
		b = p.limited
	}
	for {
		p.mu.Lock()
		d := b.take(time.Now(), 1)
		p.mu.Unlock()
		if d == 0 {
			return ctx.Err() == nil
		}
		if !await(ctx, nil, d) {
			return false
		}
	}
}

// Stats describes finished and pending work.
type Stats struct {
	Generation uint64 // of the last purge
	CDNs       []CDNStats
}

// shownPages limits the late pages in Stats.
const shownPages = 20

// CDNStats describes one CDN. Counts start at Open.
type CDNStats struct {
	Name       string
	Pending    int         // pages not verified yet; everything counts as one
	Oldest     time.Time   // time of the oldest pending purge; zero: none
	Alarmed    int         // pending pages that were refused, or are late
	Late       []site.Path // the first alarmed pages by path; an empty path means everything
	Problem    string      // why pages are pending; empty: no problem
	Remedy     string
	Trusted    bool   // a purge was verified at least once
	Requests   uint64 // all purge requests
	Refused    uint64 // requests that were not accepted
	Sent       uint64 // pages in accepted requests
	Verified   uint64 // pages verified, directly or through a sample
	Repeated   uint64 // pages purged again because they were still old
	Everything uint64 // purges of everything
	Alarms     uint64
}

// Stats returns the counts and the pending work of each CDN.
func (p *Purger) Stats() Stats {
	s := Stats{Generation: p.newest()}
	for _, l := range p.lanes {
		s.CDNs = append(s.CDNs, l.snapshot())
	}
	return s
}

// Trusted reports whether purges reach every CDN: each has verified a purge, and none is late. Only then may CDNs keep
// pages for longer than a correction may take.
func (p *Purger) Trusted() bool {
	for _, l := range p.lanes {
		l.mu.Lock()
		ok := l.stats.Trusted && !l.alarmed
		l.mu.Unlock()
		if !ok {
			return false
		}
	}
	return true
}
