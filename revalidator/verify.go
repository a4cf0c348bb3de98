package revalidator

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// A Census lists the names of all documents in the source, and of all documents that the last scan found there. Names
// are as Scan accepts them.
type Census interface {
	Names(ctx context.Context) ([]string, error)
}

// Sizes and times of a verification round.
const (
	sliceEvery    = 10 * time.Second // the documents of a round are compared in slices, one each interval
	sliceMin      = 20               // documents; fewer slices keep a small site idle most of the time
	sliceMax      = 500              // documents; short slices do not delay on-demand work
	censusTimeout = 2 * time.Minute
)

// A round compares every document once, in the order of names. It begins after a build has looked at everything or
// after the round before. It is shorter than cfg.Verify, so that no document's last comparison is older than that.
type round struct {
	began  time.Time // zero: nothing was compared yet
	length time.Duration
	names  []string // names still to be compared, in order
	// all names of this round; nil: not listed yet
	known  map[string]struct{}
	size   int           // documents in a slice
	every  time.Duration // pause between slices
	next   time.Time
	busy   bool // part is queued or being built
	part   compared
	tries  int
	done   []compared // parts of this round that were built
	before []compared // parts of the round before
}

// A compared is a part of a round: the documents after the part before it, up to and including a name.
type compared struct {
	upTo string
	at   time.Time // just before the source was read
}

// allNames sorts after every name.
const allNames = "\xff"

// since returns the oldest comparison time of any document, assuming that all names up to upTo are compared at at.
func (v *round) since(upTo string, at time.Time) time.Time {
	for _, part := range v.before {
		if part.upTo > upTo {
			return part.at
		}
	}
	if len(v.done) > 0 {
		return v.done[0].at
	}
	return at
}

// newRound begins a round. Its length is random, so that several sites do not ask one source at the same time.
func newRound(now time.Time, verify time.Duration, before []compared) round {
	length := time.Duration(float64(verify) * (0.7 + 0.1*rand.Float64()))
	return round{began: now, length: length, next: now.Add(length), before: before}
}

// verify queues the next part of the round if it is due. Otherwise it returns when the part is due; zero: not known
// yet.
func (r *Revalidator) verify(ctx context.Context, now time.Time) time.Time {
	v := &r.round
	if r.cfg.Verify <= 0 || v.began.IsZero() || v.busy {
		return time.Time{}
	}
	if r.cfg.Census == nil {
		if now.Before(v.next) {
			return v.next
		}
		v.busy = true
		r.queue.addTimed(Change{Everything: true, Cause: "verification"})
		return time.Time{}
	}
	if v.known == nil && !r.count(ctx, now) {
		return r.until
	}
	if now.Before(v.next) {
		return v.next
	}
	slice := v.names[:min(v.size, len(v.names))]
	upTo := allNames
	if len(slice) < len(v.names) {
		upTo = slice[len(slice)-1]
	} else { // the last part includes the documents that are new since the round began
		late, ok := r.census(ctx)
		if !ok {
			return r.until
		}
		slice = slices.Clone(slice)
		for _, name := range late {
			if _, has := v.known[name]; !has {
				slice = append(slice, name)
			}
		}
	}
	v.busy = true
	v.part = compared{upTo, now}
	r.queue.addTimed(Change{Verify: slice, Compared: v.since(upTo, now), Cause: "verification"})
	return time.Time{}
}

// census lists the names. It reports false if the source cannot be reached, or the daemon stops.
func (r *Revalidator) census(ctx context.Context) ([]string, bool) {
	r.asked = time.Now()
	running := ctx
	ctx, cancel := context.WithTimeout(ctx, censusTimeout) // enough for a hundred thousand names; the source has shorter timeouts of its own
	defer cancel()
	names, err := r.cfg.Census.Names(ctx)
	switch {
	case running.Err() != nil: // the daemon stops: this is no outage
		return nil, false
	case err != nil:
		r.outage(&batch{change: Change{Cause: "census"}}, err)
		return nil, false
	}
	if r.away != "" {
		r.queue.add(Change{Everything: true, Cause: "recovery"}) // an outage may have ended before any build noticed
	}
	return names, true
}

// count lists the names of a round, and computes the size and interval of its slices.
func (r *Revalidator) count(ctx context.Context, now time.Time) bool {
	names, ok := r.census(ctx)
	if !ok {
		return false
	}
	v := &r.round
	slices.Sort(names)
	v.names = slices.Compact(names)
	v.known = make(map[string]struct{}, len(v.names))
	for _, name := range v.names {
		v.known[name] = struct{}{}
	}
	n := len(v.names)
	v.size = min(max(n/max(int(v.length/sliceEvery), 1)+1, sliceMin), sliceMax)
	parts := max((n+v.size-1)/v.size, 1)
	v.every = v.length / time.Duration(parts)
	v.next = v.began.Add(v.every)
	return true
}

// compared records which documents a build has compared.
func (r *Revalidator) compared(c *Change, now time.Time) {
	v := &r.round
	switch {
	case c.Everything:
		r.queue.dropTimed()
		*v = newRound(c.Compared, r.cfg.Verify, []compared{{allNames, c.Compared}})
	case c.Compared.IsZero():
	case v.part.upTo == allNames:
		*v = newRound(now, r.cfg.Verify, append(v.done, v.part))
	default:
		v.busy, v.tries = false, 0
		v.done = append(v.done, v.part)
		v.names = v.names[min(v.size, len(v.names)):]
		v.next = v.next.Add(v.every)
		if late := now.Sub(v.next); late > 0 && len(v.names) > 0 {
			// A long build or an outage delayed the round: spread the rest over the remaining time.
			parts := (len(v.names) + v.size - 1) / v.size
			left := max(v.began.Add(v.length).Sub(now), 0)
			v.every = left / time.Duration(parts)
			v.next = now.Add(v.every)
		}
		v.next = v.next.Add(time.Duration((rand.Float64() - 0.5) * 0.2 * float64(v.every)))
	}
}

// retryTimed schedules a failed part of the round again. The failure is not an outage of the source.
func (r *Revalidator) retryTimed(b *batch, err error) {
	v := &r.round
	v.busy = false
	v.tries++
	wait := backoff(v.tries)
	v.next = time.Now().Add(wait)
	r.cfg.Logger.Error("verification failed, the last generation stays", "error", err, "cause", b.change.Cause, "retry_in", wait)
}
