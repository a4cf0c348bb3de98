package guard

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// A ClientKey is whose requests are counted together: an IPv4 address, or the first 64 bits of an IPv6 one, which is what one
// customer gets. The zero value is nobody.
type ClientKey struct{ hi, lo uint64 }

// KeyOf returns the key of an address; nobody's where it is not valid.
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
	v6Mark = 1 // so that ::/64 is somebody
)

// Prefix is what the key stands for.
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

// String is the address or the network.
func (k ClientKey) String() string {
	p := k.Prefix()
	if p.Addr().Is4() {
		return p.Addr().String()
	}
	return p.String()
}

// network is the key with less of it: IPv4 by /24, IPv6 by /48.
func (k ClientKey) network() ClientKey {
	if k.lo&v4Mark == v4Mark {
		return ClientKey{lo: k.lo &^ 0xff}
	}
	return ClientKey{hi: k.hi &^ 0xffff, lo: k.lo}
}

// Facts is what is known of a request before anything answers it.
type Facts struct {
	Now    time.Time
	ID     string     // of the request, by which a refusal is explained
	Client netip.Addr // whom to hold to account; not valid: a connection without an address

	Method string
	Path   string // decoded once, not yet vetted

	UserAgent, Accept, AcceptLanguage, AcceptEncoding string

	Referer    bool // Referer or Origin is there
	Partial    bool // the accept headers and Referer are not known, as in most logs
	Built      bool // a built page, or a file of the site, answers it
	SignedIn   bool // the client has a session that was checked
	Undeclared bool // Client may be a proxy that nobody declared: it names a client, has a private address and is not trusted
}

// plain makes Client an address as sets of them hold it: IPv4 as such, without a zone.
func (f *Facts) plain() {
	if f.Client.Is4In6() || f.Client.Is6() && f.Client.Zone() != "" {
		f.Client = f.Client.Unmap().WithZone("")
	}
}

func (f *Facts) key() ClientKey { return KeyOf(f.Client) }

// An Action is what is to be done with a request.
type Action uint8

// The actions.
const (
	Allow       Action = iota
	Limit              // 429
	Deny               // 403
	Unavailable        // 503
)

// Status is the status of the answer; 0: what is asked for.
func (a Action) Status() int { return [...]int{0, 429, 403, 503}[a] }

// String is the action's name.
func (a Action) String() string { return [...]string{"allow", "limit", "deny", "unavailable"}[a] }

// A Verdict is what is to be done with a request, and why.
type Verdict struct {
	Action      Action
	Rule        Rule // that decided; RuleNone: none did
	Class       Class
	Shadow      Rule // that would have refused it, were it not only watched; RuleNone: none
	Stale       bool // in high-traffic mode: answer with what is cached, however old, up to 24 h
	Bot         bots.Kind
	Claim       bots.Claim // of a Bot that is a Crawler
	Fingerprint uint64     // for logs: the same for requests that look alike from one network, for a day; 0: not made
	RetryAfter  time.Duration
	Quota       limit.Quota // of the class; a Limit of 0: it has none
	Reason      string      // for logs and operators; empty: the rule says it
	policy      string      // value of RateLimit-Policy
	by          uint8       // which of the class's policies it was
	took        bool        // a token of it
}

// Allowed reports whether the request goes on.
func (v *Verdict) Allowed() bool { return v.Action == Allow }

// Name is the rule by which the request was refused, as settings and logs call it: limits tell their class. A verdict that
// allows has none, nor one that only would have refused: see Shadowed.
func (v *Verdict) Name() string {
	if v.Allowed() {
		return ""
	}
	return ruleName(v.Rule, v.Class)
}

// Shadowed is the rule that would have refused the request, were it not only watched; empty: there is none.
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

// limitNames are made beforehand: refusals come in floods.
var limitNames = func() (names [numClasses]string) {
	for c := range names {
		names[c] = RuleLimit.String() + "." + Class(c).String()
	}
	return names
}()

// Message is why a request was refused, for its sender.
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

// A Field is a header of an answer. Its name is canonical.
type Field struct{ Name, Value string }

// AppendFields adds the headers by which a client learns of its limit: RateLimit-Policy and RateLimit of
// draft-ietf-httpapi-ratelimit-headers-10, and the older X-RateLimit ones, whose reset is a Unix time. A class without a limit has none, nor
// has who is not let in whatever is left of it.
// Retry-After is the caller's, from RetryAfter.
func (v *Verdict) AppendFields(fields []Field, now time.Time) []Field {
	if v.Quota.Limit == 0 || v.Action == Deny {
		return fields
	}
	class, reset := v.Class, v.Quota.Reset
	if v.Rule == RuleAIPace {
		class = AI
	}
	if v.Action != Allow {
		reset = v.RetryAfter // the draft wants both to mean the same moment
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

// seconds rounds up: who comes back earlier would be refused again.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
