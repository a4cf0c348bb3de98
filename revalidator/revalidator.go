package revalidator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/internal/site"
	"freshet/internal/web"
)

// Times between tries, and around dates.
const (
	pauseMin   = 250 * time.Millisecond // while the source cannot be asked: so short that a recovery shows within seconds
	pauseMax   = 4 * time.Second
	pauseHeard = time.Second // once the source has answered the feed
	retryMin   = time.Second // after other failures
	retryMax   = time.Minute
	flipSlop   = 5 * time.Millisecond // past a publication date, so that clocks agree it has come
	clockMax   = time.Second          // clocks can be set: dates are looked at again after so long
	again      = time.Second          // what is half written has so long to become whole
	complain   = time.Minute          // an outage is told again so often
)

// Config is what a Revalidator needs. Build is required.
type Config struct {
	// Build brings the site up to the change. Its error means that the change is still to be built. It is called by one
	// goroutine at a time.
	Build func(context.Context, Change) (Result, error)
	// Unavailable reports whether an error of Build or Census says that the source could not be asked, so that there is
	// nothing wrong with what was asked for. Nil: every error does.
	Unavailable func(error) bool
	// Resolve finds the documents that a request means, as Build takes them, or says that it may be any. It is called
	// just before Build. Nil: documents are taken by their names, tags and paths mean everything.
	Resolve func(Request) (documents []string, everything bool)
	// Plan lists the paths of the pages that a request touches. Nil: there are no dry runs.
	Plan func(context.Context, Request) ([]string, error)
	// Await waits for a page that builds have left for later. It reports whether the page at the path was one, and the
	// generation that has it; the error says that it is not there yet. Nil: no page is left for later.
	Await func(ctx context.Context, path site.Path) (left bool, generation uint64, err error)
	// Mend takes note that the stored page at a path cannot be read, and reports whether that is so: then the next build
	// makes it again. Nil: nothing is mended.
	Mend func(path site.Path) bool
	// NextFlip is when the next document appears or expires; the zero time means never. Nil: never.
	NextFlip func() time.Time

	// Why says of an error of Build or Census that is Unavailable what anybody may know. Nil: nothing is said.
	Why func(error) site.Refusal
	// Refused lists what else keeps builds, or a part of them, from being made. Nil: nothing does.
	Refused func() []site.Refusal

	// Purged reports whether CDNs are seen to be purged, for who asks for the Status. Nil: they are not.
	Purged func() bool

	Feed   Feed   // tells of changes; nil: nothing does
	Census Census // for verification by and by; nil: verification looks at everything at once

	Content  string        // folder to watch for documents; empty: none
	Theme    string        // folder to watch for templates; empty: none
	State    string        // folder of the journal; empty: there is none, and jobs end with the process
	Control  string        // folder of the control socket, which only one living process may use; empty: there is none
	Verify   time.Duration // every document is compared with the source at least so often; 0: never
	Poll     time.Duration // how often, where watching is impossible; 0: 2 s
	MaxTries int           // of a job whose builds fail, before it is parked; 0: 8
	Logger   *slog.Logger  // nil: nothing is logged
}

// A Revalidator keeps one site true.
type Revalidator struct {
	cfg     Config
	queue   *queue
	seen    *sightings
	journal atomic.Pointer[journal] // nil: not open

	// accepting is held for reading from before a job is journaled until it waits, and for writing while the journal is
	// rewritten from what waits.
	accepting sync.RWMutex

	mu       sync.Mutex   // protects what follows
	position string       // of the feed
	lost     string       // what is wrong with the feed; empty: nothing
	away     string       // what is wrong with the source; empty: nothing
	why      site.Refusal // the same, as anybody may know it
	since    time.Time
	heard    time.Time // when the feed told something last

	// What follows is the loop's.
	asked   time.Time     // when the source was asked last
	pause   time.Duration // of the outage
	until   time.Time     // nothing is tried before
	failed  time.Time     // when it turned out that the source could not be asked
	told    time.Time     // when the outage was told last
	round   round
	more    bool                 // the site lacks pages
	finish  time.Time            // when what a build could not finish is tried again; zero: nothing is left
	unready int                  // so many builds in a row could not finish it
	flipped time.Time            // the last date that was built for
	parked  Change               // given up; builds that look at everything take it along
	reviews map[string]time.Time // documents to look at again
}

// New returns a Revalidator. It does nothing until Run.
func New(cfg Config) (*Revalidator, error) {
	if cfg.Build == nil {
		return nil, errors.New("revalidator: Build is missing")
	}
	if cfg.Unavailable == nil {
		cfg.Unavailable = func(error) bool { return true }
	}
	if cfg.Resolve == nil {
		cfg.Resolve = names
	}
	if cfg.NextFlip == nil {
		cfg.NextFlip = func() time.Time { return time.Time{} }
	}
	if cfg.Refused == nil {
		cfg.Refused = func() []site.Refusal { return nil }
	}
	if cfg.Purged == nil {
		cfg.Purged = func() bool { return false }
	}
	if cfg.Await == nil {
		cfg.Await = func(context.Context, site.Path) (bool, uint64, error) { return false, 0, nil }
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 2 * time.Second
	}
	if cfg.MaxTries <= 0 {
		cfg.MaxTries = 8
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Revalidator{cfg: cfg, queue: newQueue(), seen: newSightings(), reviews: map[string]time.Time{}}, nil
}

// Add queues a change that is nobody's job. It is lost with the process.
func (r *Revalidator) Add(c Change) { r.queue.add(c) }

// Mend has the page at a path made again if what is stored of it cannot be read.
func (r *Revalidator) Mend(path site.Path) {
	if r.cfg.Mend != nil && r.cfg.Mend(path) {
		r.queue.add(Change{Clock: true, Cause: "stored bytes are damaged: " + web.Clip(string(path), maxHintBytes)})
	}
}

// Run builds everything once and then whatever changes, until ctx ends. It returns nil then, or an error when it cannot
// begin: when the journal cannot be read or the socket not be opened.
func (r *Revalidator) Run(ctx context.Context) (err error) {
	g, ctx := errgroup.WithContext(ctx)
	if r.cfg.State != "" {
		if err := r.recover(); err != nil {
			return err
		}
		log := r.journal.Load()
		defer func() {
			r.journal.Store(nil)
			err = errors.Join(err, log.close())
		}()
	}
	if r.cfg.Control != "" {
		control, err := r.listenControl()
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() error { return control(ctx) })
	}
	if r.cfg.Content != "" || r.cfg.Theme != "" {
		w := newWatcher(r.cfg, r.queue)
		g.Go(func() error { return w.run(ctx) })
	}
	begun := make(chan struct{})
	if r.cfg.Feed != nil {
		g.Go(func() error { return r.follow(ctx, sync.OnceFunc(func() { close(begun) })) })
	} else {
		close(begun)
	}
	g.Go(func() error {
		if late := r.awaitFeed(ctx, begun); late {
			g.Go(func() error { // what changed before the feed began has been missed, perhaps
				select {
				case <-begun:
					r.queue.add(Change{Everything: true, Cause: "the feed of changes began"})
				case <-ctx.Done():
				}
				return nil
			})
		}
		r.queue.add(Change{Everything: true, Cause: "start"})
		return r.loop(ctx)
	})
	err = g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// awaitFeed waits until the feed misses nothing any more, and reports whether it takes too long.
func (r *Revalidator) awaitFeed(ctx context.Context, begun <-chan struct{}) (late bool) {
	select {
	case <-begun:
		return false
	case <-ctx.Done():
		return false
	case <-time.After(watchPatience):
		return true
	}
}

// recover reads the journal: jobs that were not built wait again.
func (r *Revalidator) recover() error {
	log, records, damaged, err := openJournal(r.cfg.State)
	if err != nil {
		return err
	}
	if damaged > 0 {
		r.cfg.Logger.Error("lines of the journal are damaged: the jobs in them are lost, and everything is looked at",
			"file", log.path, "lines", damaged)
	}
	jobs := map[string]*Job{}
	var order []string
	for i := range records {
		rec := &records[i]
		switch rec.Type {
		case "job":
			if rec.Job == nil || rec.Job.ID == "" {
				continue
			}
			if rec.Position != nil {
				r.position = *rec.Position
			}
			for _, key := range rec.Keys {
				r.seen.restore(key, rec.Job.ID, rec.Job.Accepted)
			}
			order = append(order, rec.Job.ID)
			jobs[rec.Job.ID] = rec.Job
		case "end":
			for _, e := range rec.Jobs {
				j := jobs[e.ID]
				if j == nil {
					continue
				}
				j.State, j.Started, j.Ended, j.Tries, j.Error = e.State, e.Started, e.Ended, e.Tries, e.Error
				if rec.Result != nil && j.Ended != nil {
					j.finish(*j.Ended, rec.Result)
				}
			}
		case "key":
			if rec.At != nil {
				r.seen.restore(rec.Key, rec.Of, *rec.At)
			}
		case "position":
			if rec.Position != nil {
				r.position = *rec.Position
			}
		}
	}
	waiting := 0
	for _, id := range order {
		j := jobs[id]
		if j.Pages == nil {
			j.Pages = []PageChange{}
		}
		switch {
		case j.State == Done && j.Origin == originFeed:
		case j.State == Done:
			r.queue.restore(j)
		default: // parked ones too: the start looks at everything
			waiting++
			j.State, j.Retry, j.Ended, j.Tries = Queued, nil, nil, 0
			r.queue.addJob(j)
		}
	}
	if waiting > 0 {
		r.cfg.Logger.Info("jobs of an earlier run are built now", "jobs", waiting)
	}
	r.journal.Store(log)
	if damaged > 0 {
		return r.rewrite(log)
	}
	return nil
}

// compact rewrites the journal when much of it is not needed any more, or cannot be trusted.
func (r *Revalidator) compact() {
	log := r.journal.Load()
	if log == nil || !log.due() {
		return
	}
	if err := r.rewrite(log); err != nil {
		r.cfg.Logger.Error("the journal cannot be rewritten", "error", err)
	}
}

func (r *Revalidator) rewrite(log *journal) error {
	r.accepting.Lock()
	defer r.accepting.Unlock()
	return log.rewrite(r.records)
}

// records is all that the journal must hold.
func (r *Revalidator) records() []record {
	var out []record
	if pos := r.feedPosition(); pos != "" {
		out = append(out, record{Type: "position", Position: &pos})
	}
	for _, s := range r.seen.settledKeys() {
		out = append(out, record{Type: "key", Key: s.key, Of: s.job, At: &s.at})
	}
	for _, j := range r.queue.all() {
		j.Pages = j.Pages[:min(len(j.Pages), journalPages)]
		out = append(out, record{Type: "job", Job: &j})
	}
	return out
}

// loop builds one batch after the other.
func (r *Revalidator) loop(ctx context.Context) error {
	for {
		b, wait := r.next(ctx, time.Now())
		if ctx.Err() != nil {
			return nil
		}
		if b != nil {
			r.work(ctx, b)
			r.compact()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.queue.changed:
			r.compact()
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next returns the next batch, or nil and how long to wait for one at most.
func (r *Revalidator) next(ctx context.Context, now time.Time) (*batch, time.Duration) {
	wait := time.Hour
	until := func(at time.Time) { wait = min(wait, max(at.Sub(now), 0)) }
	if soon := r.failed.Add(pauseHeard); soon.Before(r.until) && r.feedHeard().After(r.asked) { // the source answers others
		r.until = soon
	}
	if now.Before(r.until) {
		until(r.until)
		return nil, wait
	}
	if flip := r.cfg.NextFlip(); !flip.IsZero() && !flip.Equal(r.flipped) {
		if at := flip.Add(flipSlop); at.After(now) {
			until(at)
			wait = min(wait, clockMax)
		} else {
			r.flipped = flip
			r.queue.add(Change{Clock: true, Cause: "publication date " + flip.UTC().Format(time.RFC3339)})
		}
	}
	if !r.finish.IsZero() {
		if r.finish.After(now) {
			until(r.finish)
		} else {
			r.finish = time.Time{}
			r.queue.add(Change{Clock: true, Cause: "what could not be finished"})
		}
	}
	for name, at := range r.reviews {
		if at.After(now) {
			until(at)
			continue
		}
		delete(r.reviews, name)
		r.queue.add(Change{Documents: []string{name}, Cause: "looked at again: " + name})
	}
	if at := r.verify(ctx, now); !at.IsZero() {
		until(at)
	}
	b, at := r.queue.take(now)
	if !at.IsZero() {
		until(at)
	}
	if b == nil && r.more {
		r.more = false // until a build says so again: one that fails is tried again like any other
		b = &batch{change: Change{Rest: true, Cause: "left for later"}}
	}
	return b, wait
}

// work builds a batch, or its parts.
func (r *Revalidator) work(ctx context.Context, b *batch) {
	err := r.build(ctx, b)
	switch {
	case ctx.Err() != nil || err == nil:
	case r.cfg.Unavailable(err):
		r.outage(b, err)
	case b.timed:
		r.retryTimed(b, err)
	default:
		r.isolate(ctx, b, err)
	}
}

// build builds a batch once.
func (r *Revalidator) build(ctx context.Context, b *batch) error {
	var p pile
	p.add(b.change)
	origins := map[string]string{}
	asked, _, _ := strings.Cut(b.change.Cause, ":") // "file watch: " and one of the names
	for _, name := range b.change.Documents {
		origins[name] = asked
	}
	for _, j := range b.jobs {
		documents, everything := r.cfg.Resolve(j.Request)
		p.add(Change{Documents: documents, Everything: everything})
		asked := j.origin()
		for _, name := range documents {
			origins[name] = asked
		}
	}
	if p.Everything || p.Theme {
		p.add(r.parked)
	}
	c := p.Change
	c.Cause, c.Origins = cause(b), origins
	started := time.Now().UTC()
	r.asked = started
	if c.Everything {
		c.Compared = started
	}
	r.queue.each(b.jobs, func(j *Job) { j.State, j.Started, j.Retry = Building, &started, nil })
	if c.empty() { // a request that means no document
		c.Documents = []string{}
	}
	res, err := r.cfg.Build(ctx, c)
	if err != nil {
		return err
	}
	r.built(b, &c, &res)
	return nil
}

// built notes what a build did.
func (r *Revalidator) built(b *batch, c *Change, res *Result) {
	now := time.Now().UTC()
	done := b.jobs
	if c.Everything {
		done = append(done[:len(done):len(done)], r.queue.parked()...)
	}
	if c.Everything || c.Theme {
		r.parked = Change{}
	}
	if len(done) > 0 {
		r.keepEnd(done, res, func(j *Job) { j.finish(now, res) })
	}
	for _, name := range res.Again {
		if _, has := r.reviews[name]; !has {
			r.reviews[name] = now.Add(again)
		}
	}
	if r.away != "" {
		r.cfg.Logger.Info("builds succeed again", "after", now.Sub(r.since).Round(time.Second))
		r.setAway(nil)
		r.pause, r.until = 0, time.Time{}
		if !c.Everything { // what happened meanwhile may have been missed
			r.queue.add(Change{Everything: true, Cause: "recovery"})
		}
	}
	r.more = res.More
	r.finish = time.Time{}
	if res.Unfinished {
		r.unready++
		r.finish = now.Add(backoff(r.unready))
	} else {
		r.unready = 0
	}
	r.compared(c, now)
}

// keepEnd ends jobs: in the journal, then for who waits for them. The journal need not be on the disk for it, because
// doing jobs again is harmless.
func (r *Revalidator) keepEnd(jobs []*Job, res *Result, end func(*Job)) {
	if log := r.journal.Load(); log != nil {
		rec := record{Type: "end"}
		if res != nil {
			short := *res
			short.Pages = short.Pages[:min(len(short.Pages), journalPages)]
			short.Skipped = short.Skipped[:min(len(short.Skipped), maxSkipped)]
			rec.Result = &short
		}
		for _, j := range jobs {
			ended := *j // the loop alone changes jobs
			end(&ended)
			rec.Jobs = append(rec.Jobs, ending{j.ID, ended.State, j.Started, ended.Ended, j.Tries, ended.Error})
		}
		if err := log.append(rec, false); err != nil {
			r.cfg.Logger.Warn("what became of jobs was not journaled: they are done again by the next start", "error", err)
		}
	}
	r.queue.each(jobs, end)
}

// cause says what a build is for: for the log and for explain.
func cause(b *batch) string {
	var parts []string
	if b.change.Cause != "" {
		parts = append(parts, b.change.Cause)
	}
	if len(b.jobs) > 0 {
		j := b.jobs[0]
		text := j.origin() + ": " + j.Request.String()
		if more := len(b.jobs) - 1; more > 0 {
			text += fmt.Sprintf(", and %d more jobs", more)
		}
		parts = append(parts, text)
	}
	return web.Clip(strings.Join(parts, "; "), 2000)
}

// outage puts everything off, because the source cannot be asked. Its pauses do not grow beyond some seconds.
func (r *Revalidator) outage(b *batch, err error) {
	now := time.Now()
	r.pause = min(max(2*r.pause, pauseMin), pauseMax)
	r.failed, r.until = now, now.Add(r.pause+rand.N(r.pause/4))
	if r.away == "" || now.Sub(r.told) >= complain {
		r.told = now
		r.cfg.Logger.Error("build failed, the last generation stays", "error", err, "cause", cause(b), "retry_in", r.pause)
	}
	r.setAway(err)
	r.queue.each(b.jobs, func(j *Job) {
		j.State, j.Error = Retrying, web.Clip(err.Error(), maxError)
	})
	r.queue.putBack(b, time.Time{})
}

// setAway notes what is wrong with the source; nil: nothing.
func (r *Revalidator) setAway(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.away, r.why = "", site.Refusal{}
		return
	}
	if r.away == "" {
		r.since = time.Now()
	}
	r.away = err.Error()
	if r.cfg.Why != nil {
		r.why = r.cfg.Why(err)
		r.why.Since = r.since.UTC().Truncate(time.Second)
	}
}

// isolate finds out which part of a batch cannot be built: what can is built now, the rest later or not at all.
func (r *Revalidator) isolate(ctx context.Context, b *batch, err error) {
	if b.units() <= 1 {
		r.retry(b, err)
		return
	}
	left, right := b.split()
	errLeft := r.build(ctx, left)
	var errRight error
	if ctx.Err() == nil {
		errRight = r.build(ctx, right)
	}
	switch {
	case ctx.Err() != nil:
	case errLeft != nil && errRight != nil && errLeft.Error() == err.Error() && errRight.Error() == err.Error():
		r.retry(b, err) // it is about none of them
	default:
		for _, half := range []struct {
			*batch
			err error
		}{{left, errLeft}, {right, errRight}} {
			switch {
			case half.err == nil:
			case ctx.Err() != nil:
				return
			case r.cfg.Unavailable(half.err):
				r.outage(half.batch, half.err)
			default:
				r.isolate(ctx, half.batch, half.err)
			}
		}
	}
}

// retry makes what failed wait, or parks it.
func (r *Revalidator) retry(b *batch, err error) {
	now := time.Now().UTC()
	var parked []*Job
	var later batch
	tries := b.tries
	for _, j := range b.jobs {
		tries = max(tries, j.Tries)
	}
	at := now.Add(backoff(tries + 1)) // one time for all: what failed together is tried together
	r.queue.each(b.jobs, func(j *Job) {
		j.fail(err)
		if j.Tries >= r.cfg.MaxTries {
			parked = append(parked, j)
			return
		}
		j.State, j.Retry = Retrying, &at
		later.jobs = append(later.jobs, j)
	})
	if !b.change.empty() {
		if b.tries++; b.tries >= r.cfg.MaxTries {
			p := pile{}
			p.add(r.parked)
			p.add(b.change)
			r.parked = p.Change
		} else {
			later.change, later.tries = b.change, b.tries
		}
	}
	if later.units() > 0 {
		r.cfg.Logger.Error("build failed, the last generation stays", "error", err, "cause", cause(&later), "jobs", len(later.jobs))
		r.queue.putBack(&later, at)
	}
	if len(parked) > 0 || later.change.empty() && !b.change.empty() {
		given := &batch{jobs: parked}
		if later.change.empty() {
			given.change = b.change
		}
		r.cfg.Logger.Error("given up after too many tries, until everything is looked at", "error", err, "cause", cause(given),
			"jobs", len(parked), "tries", r.cfg.MaxTries)
		r.keepEnd(parked, nil, func(j *Job) { j.State, j.Ended = Parked, &now })
	}
}

func backoff(tries int) time.Duration {
	d := min(retryMin<<min(tries-1, 10), retryMax)
	return d + rand.N(d/4)
}
