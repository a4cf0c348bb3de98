package guard_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// join starts a server of a ledger, with a clock that runs.
func (l *ledger) join(t *testing.T, name string, cfg guard.Config) *rig {
	t.Helper()
	cfg.Ledger = &seat{l, name}
	g, err := guard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Open(time.Now()); err != nil {
		t.Fatal(err)
	}
	return &rig{g, t, time.Now()}
}

// round lets servers share, one after the other, until all have heard of all.
func round(t *testing.T, servers ...*rig) {
	t.Helper()
	for range 3 {
		for _, s := range servers {
			if err := s.ShareOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// prefix is of one address.
func prefix(client string) netip.Prefix {
	a := netip.MustParseAddr(client)
	return netip.PrefixFrom(a, a.BitLen())
}

func (r *rig) banned(client string) bool {
	r.now = time.Now()
	v := r.ask(client, "GET", "/api/courses")
	return v.Rule == guard.RuleBan
}

// strict is a search of one request, so that the second is a violation.
var strict = guard.Limits{Search: limit.Rate{Requests: 1, Window: time.Minute}}

// violate makes n clients violate the limit of search.
func (r *rig) violate(from, n int) {
	for i := range n {
		r.now = time.Now()
		r.ask(addr(uint32(from+i)).String(), "GET", "/api/search")
		r.ask(addr(uint32(from+i)).String(), "GET", "/api/search")
	}
}

// violateAs makes the guard ban a client.
func (r *rig) violateAs(t *testing.T, client string) {
	t.Helper()
	r.now = time.Now()
	r.ask(client, "GET", "/api/search")
	if v := r.ask(client, "GET", "/api/search"); v.Rule != guard.RuleBan {
		t.Fatal(said(v))
	}
}

// TestStartsAfterFlood: a server that starts, or comes back, learns what operators have ordered, however many violations and
// bans of the guard there were since.
func TestStartsAfterFlood(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		a := l.join(t, "a", guard.Config{Limits: strict, Ban: guard.BanConfig{Violations: 1}})
		back := guard.Config{File: filepath.Join(dir, "guard")}
		b := l.join(t, "b", back)
		for _, client := range []string{"198.51.100.1", "198.51.100.2"} {
			if _, err := a.Ban(prefix(client), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		round(t, a, b)
		if err := b.Save(); err != nil || !b.banned("198.51.100.2") {
			t.Fatalf("the second server does not know a ban, or %v", err)
		}
		// It is down now.
		time.Sleep(time.Second)
		a.Unban(prefix("198.51.100.2"), "asha", time.Now())
		if err := a.Kill(guard.Kill{Cover: guard.CoverAll, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := a.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		round(t, a)
		a.Reopen("asha", time.Now())
		for i := range 12 {
			a.violate(1000*i, 1000)
			for range 8 {
				round(t, a)
			}
		}
		if err := a.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		round(t, a)
		a.violate(12_000, 1000)
		round(t, a)
		for name, s := range map[string]*rig{"late": l.join(t, "late", guard.Config{}), "back": l.join(t, "b again", back)} {
			round(t, s)
			if on, _ := s.HighTraffic(time.Now()); !on || s.Killed(time.Now()) == nil || s.Killed(time.Now()).Cover != guard.CoverPages {
				t.Errorf("%s: high traffic %v, kill %+v; want both", name, on, s.Killed(time.Now()))
			}
			if !s.banned("198.51.100.1") || s.banned("198.51.100.2") {
				t.Errorf("%s: banned %v and %v, want the first, and that the other was lifted", name, s.banned("198.51.100.1"), s.banned("198.51.100.2"))
			}
			if n := len(s.Bans(time.Now())); n < 9000 {
				t.Errorf("%s: %d bans, want the newest", name, n)
			}
		}
	})
}

// TestOrdersHaveRoom: however many violations wait through an outage, orders are told after it; what is dropped is counted, and
// told in the log once.
func TestOrdersHaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var log strings.Builder
		a := l.join(t, "a", guard.Config{Limits: strict, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		b := l.join(t, "b", guard.Config{})
		round(t, a, b)
		l.away = errors.New("away")
		a.violate(0, 5000)
		if err := a.ShareOnce(t.Context()); err == nil {
			t.Fatal("no error of a ledger that is away")
		}
		if _, err := a.Ban(prefix("198.51.100.1"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := a.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		a.violate(5000, 500)
		if err := a.ShareOnce(t.Context()); err == nil {
			t.Fatal("no error of a ledger that is away")
		}
		l.away = nil
		if err := errors.Join(a.ShareOnce(t.Context()), b.ShareOnce(t.Context())); err != nil {
			t.Fatal(err)
		}
		if !b.banned("198.51.100.1") || b.Killed(time.Now()) == nil {
			t.Errorf("after the first round: banned %v, kill %v", b.banned("198.51.100.1"), b.Killed(time.Now()))
		}
		if untold := a.Stats(time.Now()).Untold; untold["strike"] != 5500-4096 || untold["order"] != 0 || untold["ban"] != 0 {
			t.Errorf("not told: %v, want %d strikes", untold, 5500-4096)
		}
		if n := strings.Count(log.String(), "dropped"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, log.String())
		}
	})
}

// TestNewestOrderWins: of orders that cross over the last one stands on all servers, whoever hears of what first.
func TestNewestOrderWins(t *testing.T) {
	const client = "198.51.100.1"
	ban := func(t *testing.T, s *rig, until time.Time) {
		t.Helper()
		if _, err := s.Ban(prefix(client), bans.All, until, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	set := func(t *testing.T, s *rig, mode traffic.Mode) {
		t.Helper()
		if err := s.SetTraffic(traffic.Override{Mode: mode, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	kill := func(t *testing.T, s *rig, cover guard.Cover) {
		t.Helper()
		if err := s.Kill(guard.Kill{Cover: cover, By: "asha"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		do   func(t *testing.T, a, b *rig)
		want string // empty: whatever, but the same
	}{
		{"high traffic on, then off", func(t *testing.T, a, b *rig) {
			set(t, a, traffic.On)
			time.Sleep(30 * time.Millisecond)
			set(t, b, traffic.Never)
		}, "traffic false"},
		{"high traffic at once", func(t *testing.T, a, b *rig) { set(t, a, traffic.On); set(t, b, traffic.Never) }, ""},
		{"closed, then opened where it is not closed", func(t *testing.T, a, b *rig) {
			kill(t, a, guard.CoverAll)
			time.Sleep(30 * time.Millisecond)
			b.Reopen("binod", time.Now())
		}, ""},
		{"opened where it is not closed, then closed", func(t *testing.T, a, b *rig) {
			b.Reopen("binod", time.Now())
			time.Sleep(30 * time.Millisecond)
			kill(t, a, guard.CoverAll)
		}, "kill all"},
		{"closed twice", func(t *testing.T, a, b *rig) {
			kill(t, a, guard.CoverAll)
			time.Sleep(30 * time.Millisecond)
			kill(t, b, guard.CoverAPI)
		}, "kill api"},
		{"closed and opened at once", func(t *testing.T, a, b *rig) { kill(t, a, guard.CoverAll); b.Reopen("binod", time.Now()) }, ""},
		{"banned, then lifted where it is not banned", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			time.Sleep(30 * time.Millisecond)
			b.Unban(prefix(client), "binod", time.Now())
		}, "-"},
		{"lifted where it is not banned, then banned", func(t *testing.T, a, b *rig) {
			b.Unban(prefix(client), "binod", time.Now())
			time.Sleep(30 * time.Millisecond)
			ban(t, a, time.Time{})
		}, "banned"},
		{"banned and lifted at once", func(t *testing.T, a, b *rig) { ban(t, a, time.Time{}); b.Unban(prefix(client), "binod", time.Now()) }, ""},
		{"banned for ever, then for a minute", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			time.Sleep(30 * time.Millisecond)
			ban(t, b, time.Now().Add(time.Minute))
		}, "banned until"},
		{"banned by hand, and by the guard meanwhile", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			time.Sleep(30 * time.Millisecond)
			b.violateAs(t, client)
		}, "banned"},
		{"banned by hand, lifted, and banned by the guard, in one interval", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			time.Sleep(30 * time.Millisecond)
			b.Unban(prefix(client), "binod", time.Now())
			time.Sleep(30 * time.Millisecond)
			b.violateAs(t, client)
		}, "banned until"},
		{"banned by hand and by the guard, lifted in between", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			round(t, a)
			time.Sleep(30 * time.Millisecond)
			a.Unban(prefix(client), "asha", time.Now())
			time.Sleep(30 * time.Millisecond)
			b.violateAs(t, client)
			if err := b.ShareOnce(t.Context()); err != nil { // which hears of the ban, and not of the lift
				t.Fatal(err)
			}
		}, "banned until"},
		{"lifted by a clock that is behind", func(t *testing.T, a, b *rig) {
			ban(t, a, time.Time{})
			round(t, a, b)
			b.Unban(prefix(client), "binod", time.Now().Add(-time.Minute))
		}, "-"},
	} {
		for _, swapped := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, " ", swapped), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					l := newLedger()
					cfg := func(name string) guard.Config {
						return guard.Config{File: filepath.Join(dir, name), Limits: strict, Ban: guard.BanConfig{Violations: 1}}
					}
					a, b := l.join(t, "a", cfg("a")), l.join(t, "b", cfg("b"))
					row.do(t, a, b)
					if swapped {
						round(t, b, a)
					} else {
						round(t, a, b)
					}
					for _, s := range []*rig{a, b} {
						if err := s.Save(); err != nil {
							t.Fatal(err)
						}
					}
					got := map[string][]string{}
					again := l.join(t, "a again", cfg("a"))
					alone, err := guard.New(guard.Config{File: filepath.Join(dir, "b")})
					if err != nil || alone.Open(time.Now()) != nil {
						t.Fatal(err)
					}
					late := l.join(t, "late", guard.Config{})
					round(t, again, late)
					for name, s := range map[string]*guard.Guard{"a": a.Guard, "b": b.Guard, "a again": again.Guard, "b alone": alone, "late": late.Guard} {
						state := "-"
						for _, b := range s.Bans(time.Now()) {
							if state = "banned"; !b.Until.IsZero() {
								state = "banned until"
							}
						}
						if k := s.Killed(time.Now()); k != nil {
							state = "kill " + k.Cover.String()
						}
						if o := s.Traffic(time.Now()); o != nil {
							state = "traffic " + o.Mode.String()
						}
						got[state] = append(got[state], name)
					}
					if len(got) != 1 || row.want != "" && got[row.want] == nil {
						t.Errorf("what stands is %v, want %q on all", got, row.want)
					}
				})
			})
		}
	}
}

// TestLiftOutlivesRestart: a lift is remembered in the server's own file, so that an older ban that is heard of later does not
// stand.
func TestLiftOutlivesRestart(t *testing.T) {
	cfg := guard.Config{File: filepath.Join(t.TempDir(), "guard")}
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		a, b := l.join(t, "a", guard.Config{}), l.join(t, "b", cfg)
		round(t, a, b)
		l.away = errors.New("away")
		if _, err := a.Ban(prefix("198.51.100.1"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.Unban(prefix("198.51.100.1"), "binod", time.Now())
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		l.away = nil
		round(t, a)
		again := l.join(t, "b again", cfg)
		round(t, again, a)
		if again.banned("198.51.100.1") || a.banned("198.51.100.1") {
			t.Errorf("banned: %v here, %v there; want it lifted", again.banned("198.51.100.1"), a.banned("198.51.100.1"))
		}
	})
}

// TestBanSettles: a ban of another server is for the violations that led to it, so the next one is only the first.
func TestBanSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		cfg := guard.Config{Limits: strict, Ban: guard.BanConfig{Steps: []time.Duration{time.Minute, time.Hour}}}
		a, b := l.join(t, "a", cfg), l.join(t, "b", cfg)
		for i := range 3 {
			if i > 0 {
				time.Sleep(3 * time.Minute)
			}
			a.violate(7, 1)
			if i < 2 {
				round(t, a, b) // the last strike comes with the ban
			}
		}
		late := l.join(t, "late", cfg)
		round(t, a, b, late)
		client := addr(7).String()
		for _, s := range []*rig{a, b, late} {
			if !s.banned(client) {
				t.Fatal("no ban")
			}
		}
		time.Sleep(3 * time.Minute)
		for name, s := range map[string]*rig{"b": b, "late": late} {
			s.violate(7, 1)
			if e := s.Explain(s.facts(client, "GET", "/api/search")); e.Ban != nil || len(e.Violations) != 1 || e.Score > 41 {
				t.Errorf("%s: after one more violation: ban %+v, violations %v, score %v; want one of them, and no ban", name, e.Ban, e.Violations, e.Score)
			}
		}
		// One that was lifted leaves nothing, also where the violations are heard of later.
		a.violate(8, 1)
		time.Sleep(time.Second)
		b.Unban(prefix(addr(8).String()), "asha", time.Now())
		round(t, b, a, b)
		if e := b.Explain(b.facts(addr(8).String(), "GET", "/api/search")); len(e.Violations) != 0 {
			t.Errorf("violations of before a lift: %v", e.Violations)
		}
	})
}

// TestOrdersOfOthersAreLogged: what comes from another server leaves the line in the log that it leaves there.
func TestOrdersOfOthersAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var logs [2]strings.Builder
		join := func(i int) *rig {
			return l.join(t, fmt.Sprint(i), guard.Config{Limits: strict, Ban: guard.BanConfig{Violations: 1}, Logger: slog.New(slog.NewTextHandler(&logs[i], nil))})
		}
		a, b := join(0), join(1)
		round(t, a, b)
		for _, do := range []func() error{
			func() error {
				_, err := a.Ban(prefix("198.51.100.1"), bans.All, time.Time{}, "asha", "spam", time.Now())
				return err
			},
			func() error { a.Unban(prefix("198.51.100.1"), "asha", time.Now()); return nil },
			func() error {
				return a.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha", Reason: "scraped"}, time.Now())
			},
			func() error { a.Reopen("asha", time.Now()); return nil },
			func() error {
				return a.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, time.Now())
			},
			func() error { a.violate(7, 1); return nil },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			round(t, a, b)
			time.Sleep(time.Second)
		}
		for _, want := range []string{
			`msg="guard changed by hand" by=asha action=ban what=198.51.100.1/32 reason=spam`,
			`msg="guard changed by hand" by=asha action=unban what=198.51.100.1/32 reason=""`,
			`msg="guard changed by hand" by=asha action=kill what=pages reason=scraped until=`,
			`msg="guard changed by hand" by=asha action=reopen what=pages reason=""`,
			`msg="guard changed by hand" by=asha action=traffic what=true reason=""`,
			`msg="high-traffic mode changed" on=true`,
			`msg="client banned" client=` + addr(7).String() + ` reason=violations step=1 until=`,
		} {
			for i := range logs {
				lines := 0
				for line := range strings.Lines(logs[i].String()) {
					if strings.Contains(line, want) && (strings.Contains(line, `from="another server"`) == (i == 1) || strings.Contains(want, "high-traffic")) {
						lines++
					}
				}
				if lines != 1 {
					t.Errorf("server %d has %d lines with %s:\n%s", i, lines, want, logs[i].String())
				}
			}
		}
		// Who starts tells what is in force, and of bans of the guard only how many there are.
		logs[1].Reset()
		if err := a.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha", Reason: "scraped"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		a.violate(100, 100)
		round(t, a)
		round(t, join(1))
		text := logs[1].String()
		if strings.Count(text, "guard changed by hand") != 2 || !strings.Contains(text, "action=kill") || !strings.Contains(text, "action=traffic") ||
			strings.Contains(text, "client banned") || strings.Count(text, "bans of other servers were learned\" bans=101") != 1 {
			t.Errorf("a server that starts tells:\n%s", text)
		}
	})
}

// TestUnjudged: nobody is called a person whom nobody has looked at, and nobody is told a limit that did not refuse him.
func TestUnjudged(t *testing.T) {
	r := newRig(t, guard.Config{})
	curl := func(f *guard.Facts) { f.UserAgent, f.Partial = "curl/8.5.0", true }
	if _, err := r.Ban(prefix("203.0.113.7"), bans.All, time.Time{}, "asha", "", r.now); err != nil {
		t.Fatal(err)
	}
	r.ask("203.0.113.7", "GET", "/", curl)
	r.ask("203.0.113.8", "GET", "/", curl)
	if kinds := r.Stats(r.now).Kinds; kinds["unjudged"] != 1 || kinds["tool"] != 1 || kinds["person"] != 0 {
		t.Errorf("sent by %v, want one unjudged and one tool", kinds)
	}
	if err := r.Kill(guard.Kill{Cover: guard.CoverAll, By: "asha"}, r.now); err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"203.0.113.7", "203.0.113.8"} {
		if e := r.Explain(r.facts(client, "GET", "/", curl)); e.Status == 0 || e.Bot != "tool" {
			t.Errorf("%s: explained as a %s, status %d", client, e.Bot, e.Status)
		}
	}
	v := r.ask("203.0.113.9", "GET", "/api/courses", curl)
	fields := ""
	for _, f := range v.AppendFields(nil, r.now) {
		fields += f.Name + ": " + f.Value + "\n"
	}
	if v.Rule != guard.RuleKillSwitch || v.RetryAfter != time.Hour || !strings.Contains(fields, `Ratelimit: "api";r=0;t=3600`) {
		t.Errorf("%s, after %s, with the headers\n%s", said(v), v.RetryAfter, fields)
	}
	r = newRig(t, guard.Config{Limits: strict, Ban: guard.BanConfig{Violations: 1}})
	if _, v := r.exhaust("203.0.113.7", "GET", "/api/search"); v.Rule != guard.RuleBan || len(v.AppendFields(nil, r.now)) != 0 {
		t.Errorf("%s with the headers of its limit: %v", said(v), v.AppendFields(nil, r.now))
	}
	// What is refused for a minute has no limit that comes back in a second.
	if err := r.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha"}, r.now); err != nil {
		t.Fatal(err)
	}
	v = r.ask("203.0.113.8", "DELETE", "/api/blog/x")
	if f := v.AppendFields(nil, r.now); v.Rule != guard.RuleDeletes || len(f) == 0 || !strings.HasSuffix(f[1].Value, ";t=60") {
		t.Errorf("%s with the headers %v", said(v), f)
	}
}
