package bots

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/server/guard/cidr"
)

// A Resolver resolves DNS names. *net.Resolver implements it.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A Claim is the state of a claim to be a search engine.
type Claim uint8

// The states of claims.
const (
	Unverified Claim = iota // DNS cannot decide it
	Pending                 // the look-up is in progress
	Verified
	Impostor // DNS names another owner
)

const (
	// lookupTimeout limits each of the two look-ups. Nobody waits for them.
	lookupTimeout = 3 * time.Second
	lookups       = 4    // parallel look-ups
	waiting       = 256  // claims that wait for a look-up; further ones are not looked up now
	maxClaims     = 4096 // limit for remembered claims
	keepVerified  = 24 * time.Hour
	keepImpostor  = time.Hour
	keepFailed    = 5 * time.Minute
)

// A Verifier verifies claims to be a search engine.
type Verifier struct {
	ranges   []*cidr.Set
	resolver Resolver
	queue    chan question

	mu     sync.Mutex
	claims map[question]answer
}

type question struct {
	crawler uint8
	addr    netip.Addr
}

type answer struct {
	claim Claim
	until time.Time
}

// NewVerifier makes a Verifier. Without a resolver it uses only published prefixes.
func NewVerifier(r Resolver) (*Verifier, error) {
	ranges, err := loadRanges()
	if err != nil {
		return nil, err
	}
	return &Verifier{ranges: ranges, resolver: r, queue: make(chan question, waiting), claims: make(map[question]answer)}, nil
}

// Check returns the state of a claim. For an unknown claim it starts a look-up in the background.
func (v *Verifier) Check(crawler uint8, addr netip.Addr, now time.Time) Claim {
	if int(crawler) >= len(v.ranges) {
		return Unverified
	}
	if v.ranges[crawler].Contains(addr) {
		return Verified
	}
	if v.resolver == nil || !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return Unverified
	}
	q := question{crawler, addr}
	v.mu.Lock()
	defer v.mu.Unlock()
	if a, ok := v.claims[q]; ok && now.Before(a.until) {
		return a.claim
	}
	select {
	case v.queue <- q:
		v.keep(q, answer{Pending, now.Add(time.Minute)}, now)
		return Pending
	default:
		return Unverified // too many claims wait already
	}
}

// keep stores an answer, within maxClaims. The caller holds mu.
func (v *Verifier) keep(q question, a answer, now time.Time) {
	if _, ok := v.claims[q]; !ok && len(v.claims) >= maxClaims {
		for old, b := range v.claims {
			if !now.Before(b.until) {
				delete(v.claims, old)
			}
		}
		for old, b := range v.claims {
			if len(v.claims) < maxClaims {
				break
			}
			if b.claim != Verified {
				delete(v.claims, old)
			}
		}
		for old := range v.claims {
			if len(v.claims) < maxClaims {
				break
			}
			delete(v.claims, old)
		}
	}
	v.claims[q] = a
}

// Run looks up queued claims until ctx ends.
func (v *Verifier) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range lookups {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case q := <-v.queue:
					claim := v.ask(ctx, q)
					now := time.Now()
					a := answer{claim, now.Add(keepFailed)}
					switch claim {
					case Verified:
						a.until = now.Add(keepVerified)
					case Impostor:
						a.until = now.Add(keepImpostor)
					}
					v.mu.Lock()
					v.keep(q, a, now)
					v.mu.Unlock()
				}
			}
		})
	}
	return g.Wait()
}

// ask looks up the names of an address, and checks that one of the crawler's names has this address.
func (v *Verifier) ask(ctx context.Context, q question) Claim {
	names, err := v.names(ctx, q.addr)
	if err != nil {
		return said(err)
	}
	const most = 4 // names of one address that are looked up
	matched, unsure := 0, false
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !slices.ContainsFunc(crawlers[q.crawler].domains, func(d string) bool { return strings.HasSuffix(name, "."+d) }) {
			continue
		}
		if matched++; matched > most {
			break
		}
		ok, err := v.confirms(ctx, name, q.addr)
		if ok {
			return Verified
		}
		unsure = unsure || err != nil && said(err) != Impostor
	}
	if unsure {
		return Unverified
	}
	return Impostor
}

func (v *Verifier) names(ctx context.Context, addr netip.Addr) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return v.resolver.LookupAddr(ctx, addr.String())
}

func (v *Verifier) confirms(ctx context.Context, name string, addr netip.Addr) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := v.resolver.LookupNetIP(ctx, "ip", name)
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == addr }), err
}

// said distinguishes the answer that a name does not exist from a failed look-up.
func said(err error) Claim {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return Impostor
	}
	return Unverified
}
