package guard

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// A ClientKey identifies a client: an IPv4 address, or the first 64 bits of an IPv6 address, because providers give
// each customer such a network. The zero value means no client.
type ClientKey struct{ hi, lo uint64 }

// KeyOf returns the key of an address; zero if the address is not valid.
func KeyOf(a netip.Addr) ClientKey {
	switch {
	case a.Is4():
		b := a.As4()
		return ClientKey{lo: v4Mark | uint64(binary.BigEndian.Uint32(b[:]))}
	case a.Is4In6():
		return KeyOf(a.Unmap())
	case a.IsValid():
		b := a.As16()
		return ClientKey{hi: binary.BigEndian.Uint64(b[:8]), lo: v6Mark}
	}
	return ClientKey{}
}

const (
	v4Mark = 0xffff << 32
	v6Mark = 1 // so that the key of ::/64 is not zero
)

// Prefix returns the address or network of the key.
func (k ClientKey) Prefix() netip.Prefix {
	switch {
	case k.lo&v4Mark == v4Mark:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.lo))
		return netip.PrefixFrom(netip.AddrFrom4(b), 32)
	case k.lo == v6Mark:
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], k.hi)
		return netip.PrefixFrom(netip.AddrFrom16(b), 64)
	}
	return netip.Prefix{}
}

// String returns the address or network as text.
func (k ClientKey) String() string {
	p := k.Prefix()
	if p.Addr().Is4() {
		return p.Addr().String()
	}
	return p.String()
}

// network returns a key for a larger network: IPv4 /24, IPv6 /48.
func (k ClientKey) network() ClientKey {
	if k.lo&v4Mark == v4Mark {
		return ClientKey{lo: k.lo &^ 0xff}
	}
	return ClientKey{hi: k.hi &^ 0xffff, lo: k.lo}
}

// Facts describes a request before it is answered.
type Facts struct {
	Now    time.Time
	ID     string     // the request's id, which finds a refusal later
	Client netip.Addr // the client's address; not valid: a connection without an address

	Method string
	Path   string // decoded once, not yet checked

	UserAgent, Accept, AcceptLanguage, AcceptEncoding string

	Referer    bool // the request has a Referer or an Origin
	Partial    bool // the accept headers and Referer are unknown, as in most access logs
	Built      bool // a built page or a file of the site answers the request
	SignedIn   bool // the client has a valid session
	Undeclared bool // Client may be an undeclared proxy: it sends a forwarding header, has a private address and is not trusted
}

// plain normalizes Client: IPv4 in IPv6 becomes IPv4, and the zone is removed. Sets of addresses need this form.
func (f *Facts) plain() {
	if f.Client.Is4In6() || f.Client.Is6() && f.Client.Zone() != "" {
		f.Client = f.Client.Unmap().WithZone("")
	}
}

func (f *Facts) key() ClientKey { return KeyOf(f.Client) }

// An Action is the result of judging a request.
type Action uint8

// The actions.
const (
	Allow       Action = iota
	Limit              // 429
	Deny               // 403
	Unavailable        // 503
)

// Status returns the HTTP status of a refusal; 0 for Allow.
func (a Action) Status() int { return [...]int{0, 429, 403, 503}[a] }

// String returns the action's name.
func (a Action) String() string { return [...]string{"allow", "limit", "deny", "unavailable"}[a] }

// A Verdict says what to do with a request, and why.
type Verdict struct {
	Action      Action
	Rule        Rule // the rule that decided; RuleNone: no rule did
	Class       Class
	Shadow      Rule // the rule that would have refused it outside shadow mode; RuleNone: none
	Stale       bool // high-traffic mode: cached data up to 24 h old may answer
	Bot         bots.Kind
	Claim       bots.Claim // for Crawler
	Fingerprint uint64     // for logs: equal for similar requests from one network on one day; 0: not computed
	RetryAfter  time.Duration
	Quota       limit.Quota // the class's quota; Limit 0: the class has none
	Reason      string      // for logs and operators; empty: Rule explains it
	policy      string      // value of RateLimit-Policy
	by          uint8       // index of the class's policy that applied
	took        bool        // a token was taken
}

// Allowed reports whether the request may proceed.
func (v *Verdict) Allowed() bool { return v.Action == Allow }

// Name returns the name of the rule that refused the request, as settings and logs use it. The name of a limit includes
// the class. It is empty if the request is allowed, also if only shadow mode prevented a refusal: see Shadowed.
func (v *Verdict) Name() string {
	if v.Allowed() {
		return ""
	}
	return ruleName(v.Rule, v.Class)
}

// Shadowed returns the rule that would have refused the request outside shadow mode; empty: none.
func (v *Verdict) Shadowed() string {
	if v.Shadow == RuleNone {
		return ""
	}
	return ruleName(v.Shadow, v.Class)
}

func ruleName(r Rule, c Class) string {
	if r == RuleLimit {
		return limitNames[c]
	}
	return r.String()
}

// limitNames is computed once, because refusals come in floods.
var limitNames = func() (names [numClasses]string) {
	for c := range names {
		names[c] = RuleLimit.String() + "." + Class(c).String()
	}
	return names
}()

// Message returns the reason of a refusal for the client.
func (v *Verdict) Message() string {
	switch v.Rule {
	case RuleLimit, RuleFingerprint, RuleAIPace:
		if v.Class == Auth {
			return "too many attempts to sign in"
		}
		return "too many requests"
	case RuleBan, RuleBlockList:
		return "requests from this address are not accepted"
	case RuleAICrawler:
		return "this site is not to be crawled for language models"
	case RuleKillSwitch:
		return "the site is closed for the moment"
	case RuleDeletes, RuleBatches, RuleShed:
		return "the site is too busy for this just now"
	}
	return ""
}

// A Field is a response header. Its name is canonical.
type Field struct{ Name, Value string }

// AppendFields adds the headers that describe a client's limit: RateLimit-Policy and RateLimit
// (draft-ietf-httpapi-ratelimit-headers-10), and the older X-RateLimit headers, whose reset is a Unix time. It adds
// nothing for a class without a limit, nor for a client that is denied. The caller sends Retry-After from RetryAfter.
func (v *Verdict) AppendFields(fields []Field, now time.Time) []Field {
	if v.Quota.Limit == 0 || v.Action == Deny {
		return fields
	}
	class, reset := v.Class, v.Quota.Reset
	if v.Rule == RuleAIPace {
		class = AI
	}
	if v.Action != Allow {
		reset = v.RetryAfter // the draft requires both to mean the same moment
	}
	left := strconv.Itoa(v.Quota.Left)
	return append(fields,
		Field{"Ratelimit-Policy", v.policy},
		Field{"Ratelimit", `"` + class.String() + `";r=` + left + ";t=" + strconv.FormatInt(seconds(reset), 10)},
		Field{"X-Ratelimit-Limit", strconv.Itoa(v.Quota.Limit)},
		Field{"X-Ratelimit-Remaining", left},
		Field{"X-Ratelimit-Reset", strconv.FormatInt(now.Unix()+seconds(reset), 10)},
	)
}

// seconds rounds up, because a client that returns too early would be refused again.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
