package revalidator

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

// Times between a change and its build.
const (
	settle = 3 * time.Millisecond  // a save is often several writes
	merge  = 50 * time.Millisecond // bursts are built together
	few    = 2                     // jobs and documents of a batch that is no part of a burst
	fair   = 2 * time.Second       // timed work waits no longer for on-demand work
)

// Bounds of what waits.
const (
	maxWaiting = 10_000
	maxNames   = 200_000 // that waiting jobs name
)

// ErrBusy says that too many jobs wait already.
var ErrBusy = errors.New("too many jobs wait to be built")

// A batch is what one build is for: jobs, and a change that is nobody's job.
type batch struct {
	jobs   []*Job
	change Change
	timed  bool // verification: nobody waits for it
	tries  int  // of the change
}

func (b *batch) units() int {
	n := len(b.jobs)
	if !b.change.empty() {
		n++
	}
	return n
}

// split cuts a batch of several units in two.
func (b *batch) split() (*batch, *batch) {
	if b.change.empty() {
		half := len(b.jobs) / 2
		return &batch{jobs: b.jobs[:half]}, &batch{jobs: b.jobs[half:]}
	}
	return &batch{change: b.change, tries: b.tries, timed: b.timed}, &batch{jobs: b.jobs}
}

// A queue knows all jobs, and merges them and other changes until they are taken. What failed comes back to it.
type queue struct {
	changed chan struct{} // has a value when something was added

	mu      sync.Mutex // protects what follows, and the fields of jobs
	jobs    map[string]*Job
	order   []string                 // jobs that ended, oldest first
	watches map[string]chan struct{} // closed when the job ends
	waiting []*Job
	names   int // that they name
	pending pile
	tries   int       // of what is pending and has failed
	after   time.Time // pending is not tried before
	timed   pile
	since   time.Time // when on-demand work was first taken before timed; zero: it was not
	first   time.Time // when on-demand work began to wait
	taken   time.Time // when on-demand work was taken last
	burst   bool      // more than a few were taken then
}

func newQueue() *queue {
	return &queue{changed: make(chan struct{}, 1), jobs: map[string]*Job{}, watches: map[string]chan struct{}{}}
}

func (q *queue) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

func retryOf(j *Job) time.Time {
	if j.Retry == nil {
		return time.Time{}
	}
	return *j.Retry
}

// ready reports whether on-demand work may be taken, and if not, when some may; the zero time: when it is added.
func (q *queue) ready(now time.Time) (ok bool, next time.Time) {
	look := func(after time.Time) bool {
		if !after.After(now) {
			return true
		}
		if next.IsZero() || after.Before(next) {
			next = after
		}
		return false
	}
	if !q.pending.empty() && look(q.after) {
		return true, next
	}
	return slices.ContainsFunc(q.waiting, func(j *Job) bool { return look(retryOf(j)) }), next
}

// began notes that on-demand work arrives.
func (q *queue) began() {
	now := time.Now()
	if ready, _ := q.ready(now); !ready {
		q.first = now
	}
}

// add queues a change that is nobody's job. One that has failed is tried again with it.
func (q *queue) add(c Change) {
	q.mu.Lock()
	q.began()
	q.pending.add(c)
	q.after, q.tries = time.Time{}, 0
	q.mu.Unlock()
	q.signal()
}

// addTimed queues what nobody waits for.
func (q *queue) addTimed(c Change) {
	q.mu.Lock()
	q.timed.add(c)
	q.mu.Unlock()
	q.signal()
}

// room reports whether one more job may wait.
func (q *queue) room() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) < maxWaiting && q.names < maxNames
}

// waitsForEverything reports whether a waiting job will look at everything.
func (q *queue) waitsForEverything() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.waiting, func(j *Job) bool { return j.Request.Everything })
}

func (j *Job) size() int { return 1 + len(j.Request.Docs) + len(j.Request.Tags) + len(j.Request.Paths) }

// addJob queues a job.
func (q *queue) addJob(j *Job) {
	q.mu.Lock()
	q.began()
	q.jobs[j.ID] = j
	q.waiting = append(q.waiting, j)
	q.names += j.size()
	q.mu.Unlock()
	q.signal()
}

// restore takes in a job of an earlier process that has ended.
func (q *queue) restore(j *Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[j.ID] = j
	q.keep(j)
}

// keep remembers a job that has ended, and forgets the oldest.
func (q *queue) keep(j *Job) {
	q.order = append(q.order, j.ID)
	for len(q.order) > maxEnded {
		delete(q.jobs, q.order[0])
		q.order = q.order[1:]
	}
}

// job returns a copy of a job, and on demand a channel that is closed when it ends.
func (q *queue) job(id string, watch bool) (j Job, ended <-chan struct{}, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	known, ok := q.jobs[id]
	if !ok {
		return Job{}, nil, false
	}
	if watch {
		ch := q.watches[id]
		if ch == nil {
			ch = make(chan struct{})
			if known.ended() {
				close(ch)
			} else {
				q.watches[id] = ch
			}
		}
		ended = ch
	}
	return *known, ended, true
}

// all returns copies of all jobs, by when they were accepted.
func (q *queue) all() []Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]Job, 0, len(q.jobs))
	for _, j := range q.jobs {
		out = append(out, *j)
	}
	slices.SortFunc(out, func(a, b Job) int { return cmp.Or(a.Accepted.Compare(b.Accepted), cmp.Compare(a.ID, b.ID)) })
	return out
}

// each changes jobs, and tells who watches those that end by it.
func (q *queue) each(jobs []*Job, change func(*Job)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range jobs {
		had := j.ended()
		change(j)
		if !j.ended() || had {
			continue
		}
		if ch := q.watches[j.ID]; ch != nil {
			close(ch)
			delete(q.watches, j.ID)
		}
		if j.Origin == originFeed && j.State == Done {
			delete(q.jobs, j.ID) // nobody has its id
		} else {
			q.keep(j)
		}
	}
}

// parked returns the jobs that were given up.
func (q *queue) parked() []*Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*Job
	for _, id := range q.order {
		if j := q.jobs[id]; j.State == Parked {
			out = append(out, j)
		}
	}
	return out
}

// dropTimed forgets timed work that other work has done.
func (q *queue) dropTimed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed, q.since = pile{}, time.Time{}
}

// putBack returns what could not be built. Its change is not tried again before a time; the zero time: the source is away.
func (q *queue) putBack(b *batch, after time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if after.IsZero() {
		q.since = time.Time{} // nothing has got ahead
	}
	for _, j := range b.jobs {
		q.names += j.size()
	}
	q.waiting = append(slices.Clip(b.jobs), q.waiting...)
	if b.change.empty() {
		return
	}
	var back pile
	back.add(b.change)
	if b.timed {
		if !q.timed.empty() {
			back.add(q.timed.Change)
		}
		q.timed = back
		return
	}
	if q.pending.empty() {
		q.after, q.tries = after, b.tries
	} else {
		back.add(q.pending.Change) // which has come meanwhile, and is tried at once
	}
	q.pending = back
}

// take returns what is to be built now, or nil and when there may be something; the zero time: when it is added.
func (q *queue) take(now time.Time) (*batch, time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ready, next := q.ready(now)
	if !q.timed.empty() && (!ready || !q.since.IsZero() && now.Sub(q.since) >= fair) {
		b := &batch{change: q.timed.Change, timed: true}
		q.timed, q.since = pile{}, time.Time{}
		return b, time.Time{}
	}
	if !ready {
		return nil, next
	}
	at := q.first.Add(settle)
	if busy := q.taken.Add(merge); q.burst && at.Before(busy) {
		at = busy
	}
	if at.After(now) {
		return nil, at
	}
	if !q.timed.empty() && q.since.IsZero() {
		q.since = now
	}
	b := &batch{}
	if !q.pending.empty() && !q.after.After(now) {
		b.change, b.tries = q.pending.Change, q.tries
		q.pending, q.tries, q.after = pile{}, 0, time.Time{}
	}
	var rest []*Job
	for _, j := range q.waiting {
		if retryOf(j).After(now) {
			rest = append(rest, j)
			continue
		}
		q.names -= j.size()
		b.jobs = append(b.jobs, j)
	}
	q.waiting, q.taken = rest, now
	q.burst = len(b.jobs)+len(b.change.Documents) > few
	return b, time.Time{}
}
