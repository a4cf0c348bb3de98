package revalidator

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

// Delays between a change and its build.
const (
	settle = 3 * time.Millisecond  // a save is often several writes
	merge  = 50 * time.Millisecond // changes that follow a burst are merged for this long
	few    = 2                     // a batch with more jobs and documents than this is a burst
	fair   = 2 * time.Second       // the longest that on-demand work may delay timed work
)

// Limits of waiting jobs.
const (
	maxWaiting = 10_000
	maxNames   = 200_000 // names in all waiting jobs
)

// ErrBusy says that too many jobs wait already.
var ErrBusy = errors.New("too many jobs wait to be built")

// A batch is the work of one build: jobs, and a change that belongs to no job.
type batch struct {
	jobs   []*Job
	change Change
	timed  bool // the change is verification: nobody waits for it
	tries  int  // failed builds of change
}

func (b *batch) units() int {
	n := len(b.jobs)
	if !b.change.empty() {
		n++
	}
	return n
}

// split divides a batch of several units into two.
func (b *batch) split() (*batch, *batch) {
	if b.change.empty() {
		half := len(b.jobs) / 2
		return &batch{jobs: b.jobs[:half]}, &batch{jobs: b.jobs[half:]}
	}
	return &batch{change: b.change, tries: b.tries, timed: b.timed}, &batch{jobs: b.jobs}
}

// A queue holds all jobs. It merges jobs and other changes until the loop takes them. Failed work returns to it.
type queue struct {
	changed chan struct{} // holds a value if something was added

	mu      sync.Mutex // protects the following fields, and the fields of jobs
	jobs    map[string]*Job
	order   []string                 // ended jobs, oldest first
	watches map[string]chan struct{} // closed when the job ends
	waiting []*Job
	names   int // names in the waiting jobs
	pending pile
	tries   int       // failed builds of pending
	after   time.Time // pending is not tried before this time
	timed   pile
	since   time.Time // when on-demand work first overtook timed; zero: it did not
	first   time.Time // when the oldest on-demand work arrived
	taken   time.Time // when on-demand work was last taken
	burst   bool      // that batch was a burst
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

// ready reports whether on-demand work can be taken now. If not, next is when waiting work becomes ready; zero: nothing
// waits.
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

// began records the arrival of on-demand work. Call it before the work is added.
func (q *queue) began() {
	now := time.Now()
	if ready, _ := q.ready(now); !ready {
		q.first = now
	}
}

// add queues a change that belongs to no job. A failed change that waits is tried again together with it.
func (q *queue) add(c Change) {
	q.mu.Lock()
	q.began()
	q.pending.add(c)
	q.after, q.tries = time.Time{}, 0
	q.mu.Unlock()
	q.signal()
}

// addTimed queues work that nobody waits for.
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

// restore adds an ended job of an earlier process.
func (q *queue) restore(j *Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[j.ID] = j
	q.keep(j)
}

// keep remembers an ended job, and forgets the oldest ones.
func (q *queue) keep(j *Job) {
	q.order = append(q.order, j.ID)
	for len(q.order) > maxEnded {
		delete(q.jobs, q.order[0])
		q.order = q.order[1:]
	}
}

// job returns a copy of a job. With watch it also returns a channel that is closed when the job ends.
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

// all returns copies of all jobs, oldest first.
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

// each applies change to jobs, and closes the channels of those that end.
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
			delete(q.jobs, j.ID) // nobody knows the id of a feed's job
		} else {
			q.keep(j)
		}
	}
}

// parked returns the parked jobs.
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

// dropTimed forgets timed work: another build has already done it.
func (q *queue) dropTimed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed, q.since = pile{}, time.Time{}
}

// putBack returns a batch that could not be built. Its change is not tried before after. A zero after means that the
// source is away.
func (q *queue) putBack(b *batch, after time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if after.IsZero() {
		q.since = time.Time{} // nothing was built before the timed work
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
		back.add(q.pending.Change) // it arrived meanwhile, so the merged change is tried at once
	}
	q.pending = back
}

// take returns the batch to build now. Without one it returns the time at which one may be ready; zero: when something
// is added.
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
