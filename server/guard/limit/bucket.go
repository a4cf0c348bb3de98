package limit

import "time"

// A Bucket is a token bucket. Its value is the time at which it will be full again. The zero value is full. Times are
// nanoseconds on any clock that starts above zero.
type Bucket int64

// A Quota is a client's remaining quota in a limit.
type Quota struct {
	Limit int           // requests that may come at once; 0: no limit
	Left  int           // requests that may come now
	Reset time.Duration // time until the whole Limit is available
	Wait  time.Duration // time until one request may come; 0: now, or this request was let through
}

// A Policy is a Rate prepared for Buckets.
type Policy struct {
	interval int64 // nanoseconds until one token comes back
	burst    int64
}

// NewPolicy makes the policy of a rate, which must not be off.
func NewPolicy(r Rate) Policy {
	burst := r.Burst
	if burst <= 0 {
		burst = r.Requests
	}
	return Policy{interval: int64(r.Window) / int64(r.Requests), burst: int64(burst)}
}

// Lowered divides rate and burst by by. The burst is at least one.
func (p Policy) Lowered(by int64) Policy {
	if by <= 1 {
		return p
	}
	return Policy{interval: p.interval * by, burst: max(p.burst/by, 1)}
}

// Raised multiplies rate and burst by by.
func (p Policy) Raised(by int64) Policy {
	return Policy{interval: max(p.interval/by, 1), burst: p.burst * by}
}

// Take takes a token from b. It reports false if there is none.
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

// Return gives a taken token back.
func (p Policy) Return(b *Bucket) { *b -= Bucket(p.interval) }

// Peek returns the quota without taking a token.
func (p Policy) Peek(b Bucket, now int64) Quota { return p.quota(int64(b), now) }

// Cost returns the time in which one token comes back.
func (p Policy) Cost() time.Duration { return time.Duration(p.interval) }

// Owe raises the debt of a bucket to at least debt, which may be more than the bucket holds, because other servers have
// taken tokens too. So the long-term rate holds over all servers. The debt is limited to sixteen times what the bucket
// holds.
func (p Policy) Owe(b *Bucket, now int64, debt time.Duration) {
	most := p.interval * p.burst * 16
	*b = max(*b, Bucket(now+min(int64(debt), most)))
}

// Debt returns the time until the bucket is full.
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
