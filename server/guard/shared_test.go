package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/storetest"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/traffic"
)

// A ledger is a true one, in memory.
type ledger struct {
	mu     sync.Mutex
	away   error
	takes  map[string][]time.Time
	paid   map[string]time.Time // when a debt is
	here   map[string]time.Time // when a server last was
	lost   int                  // how often
	log    []tell
	at     map[string]int // where in the log something stands
	kept   map[string]int // by kind: strikes, bans, orders
	oldest map[string]int // where to look for it
}

// A tell is what a server told, in the order of that.
type tell struct {
	from, about string // about nothing: a strike
	text        []byte
}

func newLedger() *ledger {
	return &ledger{takes: map[string][]time.Time{}, paid: map[string]time.Time{}, here: map[string]time.Time{},
		at: map[string]int{}, kept: map[string]int{}, oldest: map[string]int{}}
}

// tell keeps what a server tells. What is replaced leaves a hole, so that cursors stay.
func (l *ledger) tell(from, about string, text []byte) {
	kind := about[:min(len(about), 1)]
	if at, ok := l.at[about]; ok && about != "" {
		if bytes.Compare(text, l.log[at].text) <= 0 {
			return
		}
		l.log[at] = tell{}
		l.kept[kind]--
	}
	l.at[about] = len(l.log)
	l.log = append(l.log, tell{from, about, text})
	if l.kept[kind]++; l.kept[kind] <= 10_000 {
		return
	}
	for i := l.oldest[kind]; ; i++ {
		if e := l.log[i]; e.text != nil && e.about[:min(len(e.about), 1)] == kind {
			delete(l.at, e.about)
			l.log[i] = tell{}
			l.kept[kind]--
			l.oldest[kind] = i
			return
		}
	}
}

// lose loses everything.
func (l *ledger) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.takes)
	clear(l.paid)
	clear(l.here)
	clear(l.at)
	clear(l.kept)
	clear(l.oldest)
	l.log = nil
	l.lost++
}

// A seat is a server's end of a ledger.
type seat struct {
	*ledger
	name string
}

func (l *ledger) Take(_ context.Context, keys []string, limit int, window time.Duration) (int, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return 0, 0, l.away
	}
	now, left, wait := time.Now(), limit, time.Duration(0)
	for _, k := range keys {
		l.takes[k] = slices.DeleteFunc(l.takes[k], func(at time.Time) bool { return now.Sub(at) >= window })
		if n := len(l.takes[k]); n >= limit {
			wait = max(wait, l.takes[k][n-limit].Add(window).Sub(now))
		}
	}
	if wait > 0 {
		return 0, wait, nil
	}
	for _, k := range keys {
		l.takes[k] = append(l.takes[k], now)
		left = min(left, limit-len(l.takes[k]))
	}
	return left, 0, nil
}

func (s *seat) Share(_ context.Context, spent map[string]time.Duration, strikes [][]byte, bans, orders map[string][]byte, cursor string) (map[string]time.Duration, [][]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, nil, "", s.away
	}
	now, owed := time.Now(), map[string]time.Duration{}
	for k, cost := range spent {
		if s.paid[k].Before(now) {
			s.paid[k] = now
		}
		s.paid[k] = s.paid[k].Add(cost)
		owed[k] = s.paid[k].Sub(now)
	}
	lost, at := s.lost, 0
	_, _ = fmt.Sscan(cursor, &lost, &at)
	var news [][]byte
	if lost == s.lost {
		for _, e := range s.log[at:] {
			if e.from != s.name && e.text != nil {
				news = append(news, e.text)
			}
		}
	}
	for _, e := range strikes {
		s.tell(s.name, "", e)
	}
	for kind, stand := range map[string]map[string][]byte{"b": bans, "o": orders} {
		for about, text := range stand {
			s.tell(s.name, kind+about, text)
		}
	}
	if lost != s.lost {
		return owed, news, "", nil
	}
	return owed, news, fmt.Sprint(s.lost, len(s.log)), nil
}

func (s *seat) Present(context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return 0, s.away
	}
	s.here[s.name] = time.Now()
	maps.DeleteFunc(s.here, func(_ string, at time.Time) bool { return time.Since(at) > time.Minute })
	return len(s.here), nil
}

// TestLedger holds the ledger of these tests to what is asked of all.
func TestLedger(t *testing.T) {
	storetest.Ledger(t, func(*testing.T) (func(string) guard.Ledger, func()) {
		l := newLedger()
		return func(server string) guard.Ledger { return &seat{l, server} }, l.lose
	})
}

// twoServers are guards that share a ledger.
func twoServers(t *testing.T) (l *ledger, servers []*rig) {
	t.Helper()
	l = newLedger()
	for i := range 2 {
		g, err := guard.New(guard.Config{Ledger: &seat{l, fmt.Sprint("s", i)}})
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, &rig{g, t, time.Now()})
	}
	return l, servers
}

// TestServersShare: counts, bans, violations and switches reach the other servers.
func TestServersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, servers := twoServers(t)
		a, b := servers[0], servers[1]
		round := func() {
			t.Helper()
			for range 2 {
				for _, s := range servers {
					if err := s.ShareOnce(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for range 100 {
			a.ask("203.0.113.7", "GET", "/api/courses")
		}
		round()
		b.ask("203.0.113.7", "GET", "/api/courses")
		round()
		if passed, _ := b.exhaust("203.0.113.7", "GET", "/api/courses"); passed != 19 {
			t.Errorf("%d passed on the second server, want 19 after 100 on the first and 1 here", passed)
		}

		// Two violations on one server and one on the other are three.
		a.exhaust("203.0.113.9", "GET", "/api/search")
		a.exhaust("203.0.113.9", "GET", "/api/blog")
		round()
		if _, v := b.exhaust("203.0.113.9", "GET", "/api/search"); v.Rule != guard.RuleLimit {
			t.Errorf("the first violation, on the second server too: %s, want limit", said(v))
		}
		round()
		if v := a.ask("203.0.113.9", "GET", "/api/search"); v.Rule != guard.RuleLimit {
			t.Errorf("the first violation, on both servers: %s, want limit", said(v))
		}
		if _, v := b.exhaust("203.0.113.9", "GET", "/api/courses"); v.Rule != guard.RuleBan {
			t.Errorf("the third violation, on the second server: %s, want ban", said(v))
		}
		round()
		if v := a.ask("203.0.113.9", "GET", "/api/courses"); v.Rule != guard.RuleBan {
			t.Errorf("the first server: %s, want ban", said(v))
		}
		a.Unban(netip.MustParsePrefix("203.0.113.9/32"), "asha", a.now)
		round()
		if v := b.ask("203.0.113.9", "GET", "/api/blog"); !v.Allowed() {
			t.Errorf("after unban on the first, the second: %s", said(v))
		}

		if err := a.Kill(guard.Kill{Cover: guard.CoverAll, By: "asha"}, a.now); err != nil {
			t.Fatal(err)
		}
		round()
		if b.Killed(b.now) == nil {
			t.Error("the second server is not closed")
		}
		b.Reopen("binod", b.now)
		round()
		if a.Killed(a.now) != nil {
			t.Error("the first server is not open again")
		}
		if err := a.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, a.now); err != nil {
			t.Error(err)
		}
		round()
		if on, _ := b.HighTraffic(b.now); !on {
			t.Error("the second server is not in high-traffic mode")
		}

		// What could not be sent is sent later.
		l.mu.Lock()
		l.away = errors.New("away")
		l.mu.Unlock()
		_, err := a.Guard.Ban(netip.MustParsePrefix("198.51.100.0/24"), bans.All, time.Time{}, "asha", "", a.now)
		if err != nil || a.ShareOnce(t.Context()) == nil {
			t.Fatal(err, "and want an error of a ledger that is away")
		}
		l.mu.Lock()
		l.away = nil
		l.mu.Unlock()
		round()
		if v := b.ask("198.51.100.1", "GET", "/"); v.Rule != guard.RuleBan {
			t.Errorf("after the ledger came back: %s, want ban", said(v))
		}
		// A server that starts late learns all of it.
		g, err := guard.New(guard.Config{Ledger: &seat{l, "late"}})
		if err != nil {
			t.Fatal(err)
		}
		late := &rig{g, t, time.Now()}
		if err := late.ShareOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := late.ask("198.51.100.1", "GET", "/"); v.Rule != guard.RuleBan || late.Killed(late.now) != nil {
			t.Errorf("a late server: %s, want ban, and no kill", said(v))
		}
	})
}

// TestLedgerLost: a ledger that has lost everything is told again what is in force, and not what was lifted meanwhile.
func TestLedgerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		join := func(name string) *rig {
			g, err := guard.New(guard.Config{Ledger: &seat{l, name}})
			if err != nil {
				t.Fatal(err)
			}
			return &rig{g, t, time.Now()}
		}
		a, b := join("a"), join("b")
		round := func(servers ...*rig) {
			t.Helper()
			for range 2 {
				for _, s := range servers {
					if err := s.ShareOnce(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, client := range []string{"203.0.113.7", "203.0.113.8"} {
			if _, err := a.Ban(netip.MustParsePrefix(client+"/32"), bans.All, time.Time{}, "asha", "", a.now); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Kill(guard.Kill{Cover: guard.CoverAPI, By: "asha"}, a.now); err != nil {
			t.Fatal(err)
		}
		if err := a.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, a.now); err != nil {
			t.Fatal(err)
		}
		round(a, b)
		l.lose()
		b.Unban(netip.MustParsePrefix("203.0.113.8/32"), "binod", b.now)
		round(a, b)
		time.Sleep(3 * time.Second)
		round(a, b)
		late := join("late")
		round(late)
		for _, s := range []*rig{a, b, late} {
			if v := s.ask("203.0.113.7", "GET", "/"); v.Rule != guard.RuleBan {
				t.Errorf("a ban: %s", said(v))
			}
			if v := s.ask("203.0.113.8", "GET", "/"); !v.Allowed() {
				t.Errorf("a ban that was lifted: %s", said(v))
			}
			if on, _ := s.HighTraffic(time.Now()); !on || s.Killed(time.Now()) == nil {
				t.Errorf("high traffic %v, kill %v", on, s.Killed(time.Now()))
			}
		}
		told := len(l.log)
		time.Sleep(3 * time.Second)
		round(a, b, late)
		if len(l.log) != told {
			t.Errorf("%d events more, want it told again once", len(l.log)-told)
		}
	})
}

// TestOutageIsPaidOff: what a client used while the ledger was away is not held against it when time has paid it off.
func TestOutageIsPaidOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		g, err := guard.New(guard.Config{Ledger: &seat{l, "a"}})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{g, t, time.Now()}
		l.away = errors.New("away")
		for range 600 { // ten minutes at half the limit
			r.now = time.Now()
			if v := r.ask("203.0.113.7", "GET", "/api/courses"); !v.Allowed() {
				t.Fatal(said(v))
			}
			_ = r.ShareOnce(t.Context())
			time.Sleep(time.Second)
		}
		l.away = nil
		r.now = time.Now()
		r.ask("203.0.113.7", "GET", "/api/courses")
		if err := r.ShareOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Quota.Left != 118 {
			t.Errorf("%d left after the return, want 118", v.Quota.Left)
		}
	})
}

// TestAwayAtStart: that servers do not know of each other is told at the start too, once.
func TestAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := newLedger()
		l.away = errors.New("connection refused")
		g, err := guard.New(guard.Config{Ledger: &seat{l, "s"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "are not shared"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, log.String())
		}
	})
}

// TestAttempts: attempts to sign in are exact by address and account on all servers, and never open while the ledger is away.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, servers := twoServers(t)
		try := func(server int, client, account string) bool {
			r := servers[server]
			r.now = time.Now()
			f := r.facts(client, "POST", "/api/auth/login")
			if v := r.Decide(&f); !v.Allowed() {
				return false
			}
			v := r.Attempt(t.Context(), &f, account)
			return v.Allowed()
		}
		if n := func() (passed int) {
			l.away = errors.New("away")
			defer func() { l.away = nil }()
			for i := range 5 {
				if try(0, "203.0.113.6", fmt.Sprint("user", i)) {
					passed++
				}
			}
			return passed
		}(); n != 1 {
			t.Errorf("a server that never knew how many there are: %d passed, want 1", n)
		}
		for range 2 {
			for _, s := range servers {
				if err := s.Present(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		passed := 0
		for i := range 20 {
			if try(i%2, "203.0.113.7", fmt.Sprint("user", i)) {
				passed++
			}
		}
		if passed != 5 {
			t.Errorf("by address: %d passed on two servers, want 5", passed)
		}
		passed = 0
		for i := range 20 {
			if try(i%2, fmt.Sprintf("198.51.100.%d", i), " Admin@Example.com "[i%2:]) {
				passed++
			}
		}
		if passed != 5 {
			t.Errorf("by account: %d passed on two servers, want 5", passed)
		}
		time.Sleep(15 * time.Minute)
		if !try(0, "203.0.113.7", "user1") {
			t.Error("refused after 15 minutes")
		}

		// Away: each of two servers lets through 5/2, which is 2.
		time.Sleep(time.Hour)
		l.mu.Lock()
		l.away = errors.New("away")
		l.mu.Unlock()
		passed = 0
		for i := range 20 {
			if try(i%2, "203.0.113.8", fmt.Sprint("someone", i)) {
				passed++
			}
		}
		if passed != 4 {
			t.Errorf("while the ledger is away: %d passed on two servers, want 2 on each", passed)
		}

		// A known client is not locked out by strangers.
		r := servers[0]
		owner := r.facts("192.0.2.10", "POST", "/api/auth/login")
		r.SignedIn(&owner, "owner@example.com", true)
		for i := range 20 {
			try(0, fmt.Sprintf("198.51.100.%d", 100+i), "owner@example.com")
		}
		if try(0, "192.0.2.11", "owner@example.com") {
			t.Error("a stranger passes after 20 attempts at an account")
		}
		if !try(0, "192.0.2.10", "Owner@example.com") {
			t.Error("the owner is locked out")
		}
	})
}

// TestRestart: bans, what led to them, and switches survive a restart, and damage of the file.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guard", "memory")
	r := newRig(t, guard.Config{File: file})
	if err := r.Open(r.now); err != nil {
		t.Fatalf("no file yet: %v", err)
	}
	for range 2 {
		r.exhaust("203.0.113.7", "GET", "/api/search")
		r.wait(2 * time.Minute)
	}
	if _, v := r.exhaust("203.0.113.7", "GET", "/api/search"); v.Rule != guard.RuleBan {
		t.Fatal(said(v))
	}
	if _, err := r.Ban(netip.MustParsePrefix("2001:db8::1/128"), bans.All, r.now.Add(time.Hour), "asha", "spam", r.now); err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha"}, r.now); err != nil {
		t.Fatal(err)
	}
	if err := r.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, r.now); err != nil {
		t.Error(err)
	}
	if err := r.Save(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(file)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	restart := func() *rig {
		g, err := guard.NewAt(guard.Config{File: file, Clients: 64}, r.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Open(r.now); err != nil {
			t.Fatal(err)
		}
		return &rig{g, t, r.now}
	}
	s := restart()
	if v := s.ask("203.0.113.7", "GET", "/api/courses"); v.Rule != guard.RuleBan {
		t.Errorf("after a restart: %s, want ban", said(v))
	}
	if v := s.ask("2001:db8::2", "GET", "/"); v.Rule != guard.RuleBan {
		t.Errorf("the /64 of a ban by hand: %s, want ban", said(v))
	}
	if on, _ := s.HighTraffic(s.now); !on || s.Killed(s.now) == nil || len(s.Audit()) != len(r.Audit()) {
		t.Errorf("high traffic %v, kill %v, %d entries of the audit", on, s.Killed(s.now), len(s.Audit()))
	}
	// The next ban is the second.
	s.Reopen("asha", s.now)
	s.wait(2 * time.Hour)
	for range 2 {
		s.exhaust("203.0.113.7", "GET", "/api/search")
		s.wait(2 * time.Minute)
	}
	if _, v := s.exhaust("203.0.113.7", "GET", "/api/search"); v.RetryAfter != 6*time.Hour {
		t.Errorf("the ban after the restart: %s, want 6h", v.RetryAfter)
	}
	// Cut anywhere, it starts, and keeps whole lines.
	for cut := 0; cut < len(data); cut += 7 {
		if err := os.WriteFile(file, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := restart()
		if n := len(s.Bans(s.now)); n > 2 {
			t.Fatalf("cut at %d: %d bans", cut, n)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), "spam", "ham!", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := restart().Bans(r.now); len(got) != 1 {
		t.Errorf("one damaged line: %d bans, want the other", len(got))
	}
}

// TestNothingToKeep: a guard that has nothing to keep writes no file, and takes no offence at a folder that cannot be written to.
func TestNothingToKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file", "guard")
	if err := os.WriteFile(filepath.Dir(file), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, guard.Config{File: file})
	if err := r.Save(); err != nil {
		t.Errorf("Save with nothing to keep = %v", err)
	}
	if err := r.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, r.now); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(); err == nil {
		t.Error("Save below a file is no error")
	}
}

// TestRun: lists are followed, bans kept, and the end is clean.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	list, file := filepath.Join(dir, "block.txt"), filepath.Join(dir, "memory")
	write := func(text string) {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("203.0.113.0/24 # spam\n")
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := newLedger()
		g, err := guard.New(guard.Config{Block: []string{list}, File: file, Ledger: &seat{l, "s"},
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Open(time.Now()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		blocked := func(client string) bool {
			r := &rig{g, t, time.Now()}
			v := r.ask(client, "GET", "/")
			return v.Rule == guard.RuleBlockList
		}
		if !blocked("203.0.113.7") {
			t.Error("not blocked at the start")
		}
		write("198.51.100.0/24\n")
		time.Sleep(6 * time.Second)
		if blocked("203.0.113.7") || !blocked("198.51.100.1") {
			t.Error("the new list is not in force")
		}
		write("198.51.100.0/24\nnonsense\n")
		time.Sleep(20 * time.Second)
		if !blocked("198.51.100.1") || g.Reload(time.Now()) == nil {
			t.Error("a broken list took effect")
		}
		if _, err := g.Ban(netip.MustParsePrefix("192.0.2.0/24"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
		if !g.Stats(time.Now()).Shared {
			t.Error("not shared")
		}
		l.mu.Lock()
		l.away = errors.New("connection refused")
		l.mu.Unlock()
		time.Sleep(10 * time.Second)
		if g.Stats(time.Now()).Shared {
			t.Error("shared with a ledger that is away")
		}
		l.mu.Lock()
		l.away = nil
		l.mu.Unlock()
		time.Sleep(1100 * time.Millisecond)
		if !g.Stats(time.Now()).Shared {
			t.Error("not back in step within a second")
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := strings.Count(log.String(), "are not shared"); n != 1 {
			t.Errorf("an outage is told %d times, want once:\n%s", n, log.String())
		}
		if n := strings.Count(log.String(), "stays as it was"); n != 1 {
			t.Errorf("a broken list is told %d times, want once:\n%s", n, log.String())
		}
	})
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "192.0.2.0/24") {
		t.Errorf("what was kept: %q, %v", data, err)
	}
}

// TestEverythingAtOnce is for the race detector: requests, operators, other servers and a reload at the same time.
func TestEverythingAtOnce(t *testing.T) {
	l := newLedger()
	dir := t.TempDir()
	list := filepath.Join(dir, "block.txt")
	if err := os.WriteFile(list, []byte("203.0.113.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(guard.Config{Clients: 64, Block: []string{list}, File: filepath.Join(dir, "memory"), Ledger: &seat{l, "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Open(time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	other := &seat{l, "b"}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			r := &rig{g, t, time.Now()}
			for i := range 500 {
				f := r.facts(addr(uint32(i%97)).String(), []string{"GET", "POST", "DELETE"}[i%3], []string{"/", "/api/blog", "/api/auth/login", "/nope"}[i%4])
				f.Now, f.ID = time.Now(), fmt.Sprint("id", i)
				v := g.Decide(&f)
				if v.Allowed() {
					g.Answered(&f, &v, []int{200, 404}[i%2])
				}
				switch i % 50 {
				case worker:
					_, _ = g.Ban(netip.PrefixFrom(f.Client, 32), bans.All, time.Time{}, "op", "", f.Now)
				case worker + 10:
					g.Unban(netip.PrefixFrom(f.Client, 32), "op", f.Now)
				case worker + 20:
					g.Attempt(ctx, &f, "someone")
					g.SignedIn(&f, "someone", i%2 == 0)
				case worker + 30:
					_ = g.Kill(guard.Kill{By: "op"}, f.Now)
					g.Reopen("op", f.Now)
					if err := g.SetTraffic(traffic.Override{Mode: traffic.Mode(i % 3), By: "op"}, f.Now); err != nil {
						t.Error(err)
					}
					g.SetBreaker(i%2 == 0)
				case worker + 40:
					g.Explain(f)
					g.Stats(f.Now)
					g.Refusal("id7")
					g.Audit()
					_ = g.Reload(f.Now)
					_, _, _, _ = other.Share(ctx, map[string]time.Duration{"api 203.0.113.7": time.Second},
						[][]byte{[]byte(`{"strike":{"client":"203.0.113.7/32","class":"api","at":"2026-03-01T09:00:00Z"}}`), []byte(`nonsense`)},
						map[string][]byte{"x": []byte(`{"lift":"203.0.113.7/32"}`)}, map[string][]byte{"y": []byte(`{"at":"x"}`)}, "")
				}
			}
		})
	}
	all.Wait()
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
