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

// Delays between tries, and around publication dates.
const (
	pauseMin   = 250 * time.Millisecond // first pause of an outage: short, so that a recovery shows within seconds
	pauseMax   = 4 * time.Second
	pauseHeard = time.Second // pause of an outage once the feed hears from the source
	retryMin   = time.Second // first pause after other failures
	retryMax   = time.Minute
	flipSlop   = 5 * time.Millisecond // delay after a publication date, so that all clocks agree that it has passed
	clockMax   = time.Second          // the clock can be set, so dates are checked at least this often
	again      = time.Second          // a half-written file or a missing one gets this long to become whole
	complain   = time.Minute          // the log repeats an outage at this interval
)

// Config holds what a Revalidator needs. Build is required.
type Config struct {
	// Build updates the site. If it fails, the change must be built again. Calls do not overlap.
	Build func(context.Context, Change) (Result, error)
	// Unavailable reports whether an error of Build or Census means that the source could not be reached, so that no
	// document or request is at fault. Nil: every error means that.
	Unavailable func(error) bool
	// Resolve returns the names, as Build takes them, of the documents that a request means. everything means that it
	// may be any document. It is called just before Build. Nil: documents are used by their names; a tag or a path
	// means everything.
	Resolve func(Request) (documents []string, everything bool)
	// Plan lists the paths of the pages that a request touches. Nil: there are no dry runs.
	Plan func(context.Context, Request) ([]string, error)
	// Await waits for a page that builds deferred. left reports whether the page at the path was deferred, generation
	// which generation holds it. An error means that the page is not built yet. Nil: no page is ever deferred.
	Await func(ctx context.Context, path site.Path) (left bool, generation uint64, err error)
	// Mend checks whether the stored page at a path is unreadable. If so, it marks the page for the next build and
	// returns true. Nil: nothing is mended.
	Mend func(path site.Path) bool
	// NextFlip returns when the next document appears or expires. Zero means never. Nil: never.
	NextFlip func() time.Time

	// Why describes an Unavailable error of Build or Census so that anybody may read it. Nil: no description.
	Why func(error) site.Refusal
	// Refused lists other reasons why builds fail or leave something out. Nil: there are none.
	Refused func() []site.Refusal

	// Purged reports, for Status, whether CDNs are purged after each build. Nil: they are not.
	Purged func() bool

	Feed   Feed   // reports changes; nil: there is none
	Census Census // lists names, so that verification works in small parts; nil: verification looks at everything at once

	Content  string        // folder of documents to watch; empty: none
	Theme    string        // folder of templates to watch; empty: none
	State    string        // folder of the journal; empty: no journal, and jobs end with the process
	Control  string        // folder of the control socket; only one process at a time may use it; empty: no socket
	Verify   time.Duration // every document is compared with the source at least this often; 0: never
	Poll     time.Duration // interval of polling where files cannot be watched; 0: 2 s
	MaxTries int           // a job is parked after this many failed builds; 0: 8
	Logger   *slog.Logger  // nil: no log
}

// A Revalidator keeps one site equal to its source.
type Revalidator struct {
	cfg     Config
	queue   *queue
	seen    *sightings
	journal atomic.Pointer[journal] // nil: not open

	// accept holds accepting for reading from before it journals a job until the job is queued. rewrite holds it for
	// writing, because it writes the queued jobs to a new journal.
	accepting sync.RWMutex

	mu       sync.Mutex   // protects the following fields
	position string       // the feed's position
	lost     string       // error of the feed; empty: it works
	away     string       // error of the source; empty: it answers
	why      site.Refusal // the same error, safe for anybody to read
	since    time.Time    // start of the outage
	heard    time.Time    // when the feed last reported something

	// Only the loop uses the following fields.
	asked   time.Time     // when the source was last asked
	pause   time.Duration // current pause of the outage
	until   time.Time     // nothing is tried before this time
	failed  time.Time     // when the last outage error came
	told    time.Time     // when the log last reported the outage
	round   round
	more    bool                 // the last build deferred pages
	finish  time.Time            // when unfinished work is tried again; zero: there is none
	unready int                  // consecutive builds that left work unfinished
	flipped time.Time            // the last publication date that caused a build
	parked  Change               // changes given up; the next build that looks at everything includes them
	reviews map[string]time.Time // when to read documents again that looked half written
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

// Add queues a change that belongs to no job. It is lost if the process ends.
func (r *Revalidator) Add(c Change) { r.queue.add(c) }

// Mend builds the page at a path again if its stored bytes cannot be read.
func (r *Revalidator) Mend(path site.Path) {
	if r.cfg.Mend != nil && r.cfg.Mend(path) {
		r.queue.add(Change{Clock: true, Cause: "stored bytes are damaged: " + web.Clip(string(path), maxHintBytes)})
	}
}

// Run builds everything once and then every change, until ctx ends. It then returns nil. It returns an error if it
// cannot start: the journal cannot be read or the socket cannot be opened.
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
			g.Go(func() error { // changes before the start of the feed may have been missed
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

// awaitFeed waits until the feed misses no change any more. It reports whether that took too long.
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

// recover reads the journal and queues the jobs that were not built.
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
		default: // parked jobs too: the first build looks at everything
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

// compact rewrites the journal if that is due.
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

// records returns everything that the journal must hold.
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

// loop builds one batch after another.
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

// next returns the next batch, or nil and the longest time to wait for one.
func (r *Revalidator) next(ctx context.Context, now time.Time) (*batch, time.Duration) {
	wait := time.Hour
	until := func(at time.Time) { wait = min(wait, max(at.Sub(now), 0)) }
	if soon := r.failed.Add(pauseHeard); soon.Before(r.until) && r.feedHeard().After(r.asked) { // the feed hears from the source again
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
		r.more = false // the next build sets it again; a failed batch is retried like any other
		b = &batch{change: Change{Rest: true, Cause: "left for later"}}
	}
	return b, wait
}

// work builds a batch. If that fails, it postpones the batch or searches for the part that fails.
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
	asked, _, _ := strings.Cut(b.change.Cause, ":") // keep "file watch" of "file watch: name"
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
	if c.empty() { // the request means no existing document
		c.Documents = []string{}
	}
	res, err := r.cfg.Build(ctx, c)
	if err != nil {
		return err
	}
	r.built(b, &c, &res)
	return nil
}

// built records the result of a build.
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
		if !c.Everything { // changes during the outage may have been missed
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

// keepEnd ends jobs: it appends their ends to the journal, then changes them in the queue. It does not wait for a sync,
// because after a crash jobs can be done again without harm.
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
			ended := *j // safe without a lock: only the loop changes jobs
			end(&ended)
			rec.Jobs = append(rec.Jobs, ending{j.ID, ended.State, j.Started, ended.Ended, j.Tries, ended.Error})
		}
		if err := log.append(rec, false); err != nil {
			r.cfg.Logger.Warn("what became of jobs was not journaled: they are done again by the next start", "error", err)
		}
	}
	r.queue.each(jobs, end)
}

// cause describes what a build is for, for the log and for freshet explain.
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

// outage postpones everything because the source cannot be reached. The pauses grow up to pauseMax.
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

// setAway records the error of the source; nil: it answers.
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

// isolate bisects a failed batch. It builds each half. If both halves fail with the error of the whole batch, the whole
// batch is retried later. Otherwise it bisects the failing half.
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
		r.retry(b, err) // no single unit causes the error
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

// retry schedules failed work for another try, or parks it after MaxTries.
func (r *Revalidator) retry(b *batch, err error) {
	now := time.Now().UTC()
	var parked []*Job
	var later batch
	tries := b.tries
	for _, j := range b.jobs {
		tries = max(tries, j.Tries)
	}
	at := now.Add(backoff(tries + 1)) // one time for all: work that failed together is retried together
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
