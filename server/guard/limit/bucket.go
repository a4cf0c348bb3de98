package limit

import "time"

// A Bucket is a token bucket: the moment at which it will be full again. The zero value is full. Moments are nanoseconds on
// any clock that never was zero.
type Bucket int64

// A Quota is what a limit has left for a client.
type Quota struct {
	Limit int           // the most that may come at once; 0: there is no limit
	Left  int           // that may come now
	Reset time.Duration // until all of Limit may come
	Wait  time.Duration // until one may come; 0: now, or this one came
}

// A Policy is a Rate made ready for Buckets.
type Policy struct {
	interval int64 // nanoseconds that a token takes to come back
	burst    int64
}

// NewPolicy makes the policy of a rate that limits something.
func NewPolicy(r Rate) Policy {
	burst := r.Burst
	if burst <= 0 {
		burst = r.Requests
	}
	return Policy{interval: int64(r.Window) / int64(r.Requests), burst: int64(burst)}
}

// Lowered is the policy with a fraction of its rate and burst, at least one.
func (p Policy) Lowered(by int64) Policy {
	if by <= 1 {
		return p
	}
	return Policy{interval: p.interval * by, burst: max(p.burst/by, 1)}
}

// Raised is the policy with a multiple of its rate and burst.
func (p Policy) Raised(by int64) Policy {
	return Policy{interval: max(p.interval/by, 1), burst: p.burst * by}
}

// Take takes a token from b, if there is one, and reports whether there was.
func (p Policy) Take(b *Bucket, now int64) (Quota, bool) {
	full := max(int64(*b), now)
	depth := p.interval * p.burst
	if full += p.interval; full-now > depth {
		return p.quota(int64(*b), now), false
	}
	*b = Bucket(full)
	q := p.quota(full, now)
	q.Wait = 0
	return q, true
}

// Return gives back a token that was taken.
func (p Policy) Return(b *Bucket) { *b -= Bucket(p.interval) }

// Peek is what Take would find.
func (p Policy) Peek(b Bucket, now int64) Quota { return p.quota(int64(b), now) }

// Cost is the time in which a token comes back.
func (p Policy) Cost() time.Duration { return time.Duration(p.interval) }

// Owe makes a bucket lack at least what takes debt to come back: more than it can hold, where others have taken from it too.
// So the rate holds in the long run, however many do. It is never made to lack more than sixteen times what it holds.
func (p Policy) Owe(b *Bucket, now int64, debt time.Duration) {
	most := p.interval * p.burst * 16
	*b = max(*b, Bucket(now+min(int64(debt), most)))
}

// Debt is for how long a bucket will not be full.
func (b Bucket) Debt(now int64) time.Duration { return time.Duration(max(int64(b)-now, 0)) }

func (p Policy) quota(full, now int64) Quota {
	debt := max(full-now, 0)
	depth := p.interval * p.burst
	left := max((depth-debt)/p.interval, 0)
	q := Quota{Limit: int(p.burst), Left: int(left), Reset: time.Duration(debt)}
	if left == 0 {
		q.Wait = time.Duration(debt + p.interval - depth)
	}
	return q
}
