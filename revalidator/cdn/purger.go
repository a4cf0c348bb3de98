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

// Config is what a Purger needs. CDNs and State are required.
type Config struct {
	CDNs       []CDN             // from Parse
	State      string            // the state folder: the outbox is in it
	Transport  http.RoundTripper // nil: one with the usual limits, and no proxy for loopback addresses
	Settle     time.Duration     // between a purge's acceptance and its request; 0: 500 ms
	AlarmAfter time.Duration     // a purge that is not verified by then is an alarm; 0: 2 minutes
	Logger     *slog.Logger      // nil: nothing is logged
}

// A Purger purges pages at CDNs and looks whether they are gone. It is safe for concurrent use.
type Purger struct {
	cfg    Config
	log    *slog.Logger
	outbox *outbox
	lanes  []*lane
	whole  map[string]string // CDNs whose next purge is of everything, and why

	mu      sync.Mutex // protects what follows
	limited *bucket    // pages that may be read back: those that the guard counts
	free    *bucket    // and others
}

// Open opens the outbox and takes in what it has still to do. Nothing is sent before Run.
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

// Close closes the outbox. What is not done is done after the next Open.
func (p *Purger) Close() error { return p.outbox.close() }

// Accepted is the generation of the last purge that was accepted; 0: none. What changed since has to be purged: a
// process that ends between a commit and its purge leaves a gap.
func (p *Purger) Accepted() uint64 { return p.newest() }

func (p *Purger) newest() uint64 {
	p.outbox.mu.Lock()
	defer p.outbox.mu.Unlock()
	return p.outbox.ledger.Generation
}

// Purge has the pages purged that a generation changed or removed. It is called for every generation, in order, also
// for one that changed no page. When it returns nil the purge is on the disk. With an error it is not, but is tried
// all the same.
func (p *Purger) Purge(generation uint64, pages []Page) error {
	return p.purge(generation, pages, "")
}

// PurgeEverything has everything purged, for a reason that is logged. The pages are all that there are: some are read back,
// and a CDN that has no way to purge everything is told of each.
func (p *Purger) PurgeEverything(generation uint64, pages []Page, reason string) error {
	return p.purge(generation, pages, reason)
}

func (p *Purger) purge(generation uint64, pages []Page, reason string) error {
	now := time.Now()
	// Held throughout, so that lanes take purges in the order of the outbox.
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

// Run purges until ctx ends. It returns nil then.
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

// maySample is how many pages of many can be read back without waiting.
func (p *Purger) maySample() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.limited.take(now, 0)
	p.free.take(now, 0)
	return min(max(int(min(p.limited.tokens, p.free.tokens)), leastPages), samplePages)
}

// mayRead waits until a page may be read back. It reports whether ctx goes on.
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

// Stats is what a Purger has done and has still to do.
type Stats struct {
	Generation uint64 // of the last purge
	CDNs       []CDNStats
}

// shownPages is how many late pages Stats names.
const shownPages = 20

// CDNStats is about one CDN. Counts are since Open.
type CDNStats struct {
	Name       string
	Pending    int         // pages that it was not seen to have forgotten; everything counts as one
	Oldest     time.Time   // since when the oldest of them is waited for; zero: there is none
	Alarmed    int         // of them: refused, or not verified in time
	Late       []site.Path // the first of those by path; an empty path is everything
	Problem    string      // why; empty: nothing is wrong
	Remedy     string
	Trusted    bool   // a purge was once verified
	Requests   uint64 // purge requests, all of them
	Refused    uint64 // those that were not accepted
	Sent       uint64 // pages in those that were
	Verified   uint64 // pages that were read back, or that others spoke for
	Repeated   uint64 // pages purged again because they were still old
	Everything uint64 // times that everything was purged
	Alarms     uint64
}

// Stats returns what has been done and what is still to do.
func (p *Purger) Stats() Stats {
	s := Stats{Generation: p.newest()}
	for _, l := range p.lanes {
		s.CDNs = append(s.CDNs, l.snapshot())
	}
	return s
}

// Trusted reports whether purges reach every CDN: each was seen to do one, and none is late. Only then may pages be
// kept by CDNs for longer than anybody is to wait for a correction.
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
