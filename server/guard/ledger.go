package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"freshet/server/guard/limit"
)

// A Ledger is the state that the servers of a site share. Every call has a deadline. No call happens while a page
// request is judged.
type Ledger interface {
	// Take takes one of limit attempts within window from every key, or from none if a key has none left. It is exact
	// for concurrent callers and in any window. It returns how many attempts the scarcest key has left, or how long to
	// wait.
	Take(ctx context.Context, keys []string, limit int, window time.Duration) (left int, wait time.Duration, err error)
	// Share exchanges news in one round trip.
	//
	// spent maps keys to costs. A cost is the time in which a limit gives back what this server's clients have used.
	// The ledger adds it to the debt of the key, and time pays the debt off. owed returns the unpaid debt of each key,
	// whichever servers caused it.
	//
	// Strikes are short-lived: the ledger keeps the newest few thousand for a day. Bans and orders are kept by the
	// thing that they are about, which is their key in the map. Of two with the same key the greater text wins,
	// compared byte by byte, whatever the order of the calls. The ledger keeps the 10,000 newest bans and 10,000
	// orders.
	//
	// news contains what other servers sent after cursor, or everything if cursor is empty, strikes first, perhaps in
	// parts of a thousand or more. It contains nothing that was replaced. next is the cursor for the next call. It is
	// empty if the ledger lost something that cursor covered. A call that fails may still have taken effect.
	Share(ctx context.Context, spent map[string]time.Duration, strikes [][]byte, bans, orders map[string][]byte, cursor string) (
		owed map[string]time.Duration, news [][]byte, next string, err error)
	// Present records that this server is alive, and returns how many servers were alive within the last minute.
	Present(ctx context.Context) (servers int, err error)
}

const (
	shareEvery   = 100 * time.Millisecond
	shareIdle    = 500 * time.Millisecond // while nothing waits
	shareAgain   = 500 * time.Millisecond // while the ledger is away
	shareTimeout = 2 * time.Second        // two round trips of 600 ms with some reserve; nobody waits for it, and late counts are better than none
	takeTimeout  = 2 * time.Second        // the same; a client that signs in waits for it
	takeAway     = 100 * time.Millisecond // the same, while sharing fails
	presentEvery = 2 * time.Second
	maxPending   = 4096    // limit for clients with unshared costs
	maxWaiting   = 4096    // limit for waiting strikes, and for bans, and for orders
	maxEvent     = 4 << 10 // bytes of one event
	shareBytes   = 1 << 16 // bytes of events in one call
	maxRetold    = 1000    // bans of the guard, and orders about prefixes, sent again to a ledger that may have lost them
	partNews     = 1000    // news of at least this length may have a continuation
	oldestStrike = 24 * time.Hour
)

// A strike is a violation: a client's episode in a class began.
type strike struct {
	Client netip.Prefix `json:"client"`
	Class  string       `json:"class"`
	At     time.Time    `json:"at"`
}

// Kinds of events that servers send to each other.
const (
	toldOrder = iota // given by operators
	toldBan          // made by the guard
	toldStrike
	numTold
)

var toldNames = [numTold]string{"order", "ban", "strike"}

// pending holds what waits to be shared. All its parts are bounded. What does not fit is never sent.
type pending struct {
	mu      sync.Mutex
	spent   map[pendingKey]time.Duration
	strikes [][]byte
	stands  [toldStrike]map[string][]byte // orders and bans, by the thing that they are about
	cursor  string
	again   bool // send all orders in force again: the ledger may have lost them
	behind  bool // the ledger may hold more news than were read
	dropped bool // the log already reports that something was dropped, since the last successful exchange

	caught int // bans learned since the start or since a loss; only the sharing goroutine uses it

	servers atomic.Int64 // servers that share the ledger, as it last reported; 0: unknown
}

func newPending() pending {
	return pending{spent: make(map[pendingKey]time.Duration), again: true,
		stands: [toldStrike]map[string][]byte{make(map[string][]byte), make(map[string][]byte)}}
}

// waits reports whether anything waits.
func (p *pending) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behind || len(p.spent)+len(p.strikes)+len(p.stands[toldOrder])+len(p.stands[toldBan]) > 0
}

// stand queues an order or a ban. A later one about the same thing replaces an earlier one. It reports false if there
// is no room.
func (p *pending) stand(kind int, about string, text []byte) bool {
	old, ok := p.stands[kind][about]
	if !ok && len(p.stands[kind]) >= maxWaiting {
		p.again = true // all orders in force are sent later, up to maxRetold of each kind
		return false
	}
	if bytes.Compare(text, old) > 0 {
		p.stands[kind][about] = text
	}
	return true
}

// some removes and returns as much as fits into one call, orders first.
func (p *pending) some() (strikes [][]byte, stands [toldStrike]map[string][]byte) {
	size := 0
	for kind, waiting := range p.stands {
		stands[kind] = make(map[string][]byte)
		for about, text := range waiting {
			if size += len(about) + len(text); size > shareBytes {
				return nil, stands
			}
			stands[kind][about] = text
			delete(waiting, about)
		}
	}
	n := 0
	for ; n < len(p.strikes); n++ {
		if size += len(p.strikes[n]); size > shareBytes {
			break
		}
	}
	strikes, p.strikes = p.strikes[:n:n], p.strikes[n:]
	return strikes, stands
}

// keep adds a client's cost. It reports false if there is no room.
func (p *pending) keep(k pendingKey, cost time.Duration) bool {
	have, ok := p.spent[k]
	if !ok && len(p.spent) >= maxPending {
		return false
	}
	p.spent[k] = have + cost
	return true
}

type pendingKey struct {
	key   ClientKey
	class Class
}

// spent records, for the other servers, that a class's policy let a client's request through.
func (g *Guard) spent(key ClientKey, class Class, by int) {
	if g.cfg.Ledger == nil {
		return
	}
	p := &g.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.keep(pendingKey{key, class}, g.limits[class].policies[by].Cost()) {
		g.stats.unshared.Add(1)
	}
}

// tell queues an event for the other servers.
func (g *Guard) tell(e *event) {
	if g.cfg.Ledger == nil {
		return
	}
	kind := toldOrder
	switch {
	case e.Strike != nil:
		kind = toldStrike
	case e.Ban != nil && byGuard(e.Ban):
		kind = toldBan
	}
	text, err := json.Marshal(e)
	if err == nil && len(text) > maxEvent {
		err = fmt.Errorf("it has %d bytes, and may have %d", len(text), maxEvent)
	}
	if err != nil {
		g.log.Error("event cannot be shared", "error", err)
		g.stats.untold[kind].Add(1)
		return
	}
	p := &g.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case kind != toldStrike:
		if !p.stand(kind, e.about(), text) {
			g.drop(kind, 1)
		}
	case len(p.strikes) < maxWaiting:
		p.strikes = append(p.strikes, text)
	default:
		g.drop(kind, 1)
	}
}

// drop counts events that the other servers will not receive. It logs once per outage. The caller holds the lock of
// pending.
func (g *Guard) drop(kind, n int) {
	g.stats.untold[kind].Add(uint64(n))
	if !g.pending.dropped {
		g.pending.dropped = true
		g.log.Warn("too much waits to be told to other servers, and some of it is dropped", "what", toldNames[kind], "room", maxWaiting)
	}
}

// share exchanges news with the other servers once. Whatever could not be sent waits for the next exchange.
func (g *Guard) share(ctx context.Context) error {
	p := &g.pending
	p.mu.Lock()
	spent, cursor := p.spent, p.cursor
	p.spent = make(map[pendingKey]time.Duration)
	strikes, stands := p.some()
	p.mu.Unlock()
	named := make(map[string]time.Duration, len(spent))
	keys := make(map[string]pendingKey, len(spent))
	now := g.tick(time.Now())
	for k, cost := range spent {
		// During an outage time has paid off part of the debt.
		if cost = min(cost, g.debt(k, now)); cost > 0 {
			name := k.class.String() + " " + k.key.String()
			named[name], keys[name] = cost, k
		}
	}
	ctx, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	owed, news, next, err := g.cfg.Ledger.Share(ctx, named, strikes, stands[toldBan], stands[toldOrder], cursor)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		for name, cost := range named {
			p.keep(keys[name], cost)
		}
		for kind, unsent := range stands {
			for about, text := range unsent {
				if !p.stand(kind, about, text) {
					g.drop(kind, 1)
				}
			}
		}
		p.strikes = append(strikes, p.strikes...)
		if over := len(p.strikes) - maxWaiting; over > 0 {
			p.strikes = p.strikes[over:]
			g.drop(toldStrike, over)
		}
		return err
	}
	heardAt := time.Now()
	for name, debt := range owed {
		if k, ok := keys[name]; ok {
			g.owe(k, debt, g.tick(heardAt))
		}
	}
	p.mu.Lock()
	again, from := p.again, heard
	p.again = cursor != "" && next == ""
	if cursor == "" || p.behind {
		from = caught
	}
	p.behind = from == caught && len(news) >= partNews
	last := !p.behind
	p.cursor, p.dropped = next, false
	p.mu.Unlock()
	if again {
		g.standing(heardAt, g.tell) // before the news are learned, so that they are not sent back
	}
	for _, data := range news {
		g.learn(data, heardAt, from)
	}
	if last && p.caught > 0 {
		g.log.Warn("bans of other servers were learned", "bans", p.caught)
		p.caught = 0
	}
	return nil
}

// present tells the ledger that this server is alive, and stores how many servers are.
func (g *Guard) present(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	n, err := g.cfg.Ledger.Present(ctx)
	if err == nil {
		g.pending.servers.Store(int64(n))
	}
	return err
}

// portion returns how many attempts this server allows while the ledger is away: its share, at least one. A server that
// does not know how many servers there are allows one.
func (g *Guard) portion(attempts int) int {
	if servers := int(g.pending.servers.Load()); servers > 0 {
		return max(attempts/servers, 1)
	}
	return 1
}

// debt returns what a client owes in a class, as far as this server knows.
func (g *Guard) debt(k pendingKey, now int64) time.Duration {
	h := g.clients.Hash(limit.Key{Hi: k.key.hi, Lo: k.key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	if c := g.clients.Get(h); c != nil {
		return c.buckets[g.limits[k.class].slot].Debt(now)
	}
	return 0
}

// owe applies a client's debt over all servers to this server's bucket.
func (g *Guard) owe(k pendingKey, debt time.Duration, now int64) {
	l := &g.limits[k.class]
	h := g.clients.Hash(limit.Key{Hi: k.key.hi, Lo: k.key.lo})
	g.clients.Lock(h)
	defer g.clients.Unlock(h)
	c, _ := g.clients.Take(h, second(now))
	l.policies[0].Owe(&c.buckets[l.slot], now, debt)
}

// learn applies an event of another server.
func (g *Guard) learn(data []byte, now time.Time, from origin) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		g.log.Warn("another server's event cannot be read", "error", err)
		return
	}
	if e.Strike == nil {
		g.obey(&e, now, from)
		return
	}
	key, ok := validClient(e.Strike.Client)
	class := slices.IndexFunc(classes[:], func(c classRow) bool { return c.name == e.Strike.Class })
	age := now.Sub(e.Strike.At)
	if !ok || class < 0 || age >= oldestStrike || g.settled(e.Strike) {
		return
	}
	at := g.tick(now) - int64(max(age, 0))
	h := g.offenders.Hash(limit.Key{Hi: key.hi, Lo: key.lo})
	g.offenders.Lock(h)
	defer g.offenders.Unlock(h)
	o, _ := g.offenders.Take(h, second(at))
	if o.elsewhere(Class(class), at, g.window(Class(class))) {
		o.strike(at, g.cfg.Ban.Window) // no ban here: the server that saw the last violation bans
		o.add(violationPoints, max(at, o.at))
	}
}

// Attempt judges an attempt to sign in to an account. Decide has already let the request through. Attempt counts the
// account as Decide counts the address, but exactly and on all servers together. While the ledger is away, it allows
// this server's share of the limit, at least one attempt. A client that has signed in to the account before does not
// count against the account, so that nobody can lock the owner out. If the verdict is no refusal, the caller proceeds
// as before.
func (g *Guard) Attempt(ctx context.Context, f *Facts, account string) Verdict {
	l := &g.limits[Auth]
	v := Verdict{Class: Auth, policy: l.headers[0]}
	if !l.on || g.allow.Set().Contains(f.Client) {
		return v
	}
	account = strings.ToLower(strings.TrimSpace(account))
	key, now := f.key(), g.tick(f.Now)
	keys := []string{"auth " + key.String()}
	familiar := g.isFamiliar(key, account, now)
	if !familiar {
		sum := sha256.Sum256([]byte(account)) // the ledger need not know who signs in
		keys = append(keys, "account "+hex.EncodeToString(sum[:16]))
		h := g.accounts.HashText(account)
		g.accounts.Lock(h)
		log, _ := g.accounts.Take(h, second(now))
		q, ok := log.Take(now, l.requests, l.window)
		g.accounts.Unlock(h)
		if v.Quota = q; !ok {
			// This is no violation: the client may be the owner, and others used the attempts up.
			return g.refuseAttempt(f, key, &v, q.Wait, "too many attempts at this account")
		}
	}
	if g.cfg.Ledger == nil {
		return v
	}
	patience := takeTimeout
	if g.away.Load() {
		patience = takeAway
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	left, wait, err := g.cfg.Ledger.Take(ctx, keys, l.requests, l.window)
	if err != nil {
		g.stats.alone.Add(1)
		share := g.portion(l.requests)
		for i, q := range g.usedUp(key, account, now, l) {
			if q.Limit-q.Left > share && (i == 0 || !familiar) {
				v.Quota = q
				return g.refuseAttempt(f, key, &v, q.Reset, "the shared count is away, and this server's share is used up")
			}
		}
		return v
	}
	v.Quota = limit.Quota{Limit: l.requests, Left: left, Reset: max(wait, v.Quota.Reset), Wait: wait}
	if wait > 0 {
		if ban := g.violated(f, key, Auth, now, wait); ban != nil && g.ban(&v, ban, f.Now) {
			g.finish(f, key, &v)
			return v
		}
		return g.refuseAttempt(f, key, &v, wait, "too many attempts on all servers")
	}
	return v
}

// usedUp returns what address and account have left on this server.
func (g *Guard) usedUp(key ClientKey, account string, now int64, l *classLimit) (left [2]limit.Quota) {
	peek := func(t *limit.Table[limit.Log], h uint64) (q limit.Quota) {
		t.Lock(h)
		defer t.Unlock(h)
		if log := t.Get(h); log != nil {
			q = log.Peek(now, l.requests, l.window)
		}
		return q
	}
	left[0] = peek(g.attempts, g.attempts.Hash(limit.Key{Hi: key.hi, Lo: key.lo}))
	left[1] = peek(g.accounts, g.accounts.HashText(account))
	return left
}

func (g *Guard) refuseAttempt(f *Facts, key ClientKey, v *Verdict, wait time.Duration, reason string) Verdict {
	v.Action, v.Rule, v.RetryAfter, v.Reason = Limit, RuleLimit, wait, reason
	if g.shadow.of(RuleLimit, Auth) {
		v.Action, v.Rule, v.Shadow, v.RetryAfter = Allow, RuleNone, RuleLimit, 0
	}
	g.finish(f, key, v)
	return *v
}

// familiarFor is how long a client that signed in stays familiar with the account.
const familiarFor = 30 * 24 * time.Hour

func (g *Guard) familiarHash(key ClientKey, account string) uint64 {
	account = strings.ToLower(strings.TrimSpace(account))
	return g.familiar.Hash(limit.Key{Hi: key.hi, Lo: key.lo, Salt: g.familiar.HashText(account)})
}

func (g *Guard) isFamiliar(key ClientKey, account string, now int64) bool {
	h := g.familiarHash(key, account)
	g.familiar.Lock(h)
	defer g.familiar.Unlock(h)
	at := g.familiar.Get(h)
	return at != nil && now-*at < int64(familiarFor)
}
