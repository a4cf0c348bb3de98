package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
)

// told is the last of what servers say about each prefix, apart for orders by hand and bans of the guard.
type told struct{ orders, bans map[string][]byte }

// A noted seat keeps what its server tells, also where the ledger is away.
type noted struct {
	*seat
	told *told
}

func (n *noted) Share(ctx context.Context, spent map[string]time.Duration, strikes [][]byte, bans, orders map[string][]byte, cursor string) (map[string]time.Duration, [][]byte, string, error) {
	keep := func(to, from map[string][]byte) {
		for about, text := range from {
			if bytes.Compare(text, to[about]) > 0 {
				to[about] = text
			}
		}
	}
	keep(n.told.orders, orders)
	keep(n.told.bans, bans)
	return n.seat.Share(ctx, spent, strikes, bans, orders, cursor)
}

// stands is what docs/formats/guard.md says to be in force about a prefix: the last order by hand, unless the guard has banned
// later, and the client was not kept out by that order then.
func (k *told) stands(t *testing.T, about string, now time.Time) *bans.Ban {
	t.Helper()
	read := func(text []byte) (at string, ban *bans.Ban) {
		var e struct {
			At  string
			Ban *bans.Ban
		}
		if text == nil {
			return "", nil
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		return e.At, e.Ban
	}
	at, stands := read(k.orders[about])
	if guards, ban := read(k.bans[about]); guards > at && (stands == nil || !stands.Active(ban.Since)) {
		stands = ban
	}
	if stands == nil || !stands.Active(now) {
		return nil
	}
	return stands
}

func banText(b *bans.Ban) string {
	text, _ := json.Marshal(b)
	return string(text)
}

// TestOrdersConverge: whatever is ordered about few clients on several servers, and banned by the guard meanwhile, by clocks
// that disagree, and whoever hears of what when: after a while of quiet the same stands on all servers.
func TestOrdersConverge(t *testing.T) {
	for seed := range 400 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { converge(t, rand.New(rand.NewPCG(uint64(seed), 0)), dir, seed%8 == 0) })
		})
		if t.Failed() {
			return
		}
	}
}

// TestEndedReplaces: a ban by hand that has ended still stands for the longer one that it replaced: after a restart, and for who
// had not heard of it.
func TestEndedReplaces(t *testing.T) {
	cfg := guard.Config{File: filepath.Join(t.TempDir(), "guard")}
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		a, b := l.join(t, "a", cfg), l.join(t, "b", guard.Config{})
		ban := func(until time.Time) {
			t.Helper()
			if _, err := a.Ban(prefix("198.51.100.1"), bans.All, until, "asha", "", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		ban(time.Time{})
		round(t, a, b)
		ban(time.Now().Add(time.Minute))
		time.Sleep(2 * time.Minute)
		a.Sweep(time.Now())
		if err := a.Save(); err != nil {
			t.Fatal(err)
		}
		again := l.join(t, "a again", cfg)
		round(t, again, b)
		if again.banned("198.51.100.1") || b.banned("198.51.100.1") {
			t.Errorf("banned: %v here, %v there; want it ended", again.banned("198.51.100.1"), b.banned("198.51.100.1"))
		}
		// It is forgotten in the end.
		time.Sleep(48 * time.Hour)
		again.Sweep(time.Now())
		if again.Unban(prefix("198.51.100.1"), "asha", time.Now()) {
			t.Error("a ban that ended days ago is lifted")
		}
	})
}

// TestHiddenIsKept: a ban of the guard that one by hand keeps from counting is kept over a restart, and told to a ledger that has
// lost it: a lift from in between may still come, and then it counts.
func TestHiddenIsKept(t *testing.T) {
	const client = "198.51.100.1"
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		cfg := func(name string) guard.Config {
			return guard.Config{File: filepath.Join(dir, name), Limits: strict, Ban: guard.BanConfig{Violations: 1}}
		}
		a, b, cut := l.join(t, "a", cfg("a")), l.join(t, "b", cfg("b")), l.join(t, "cut", guard.Config{})
		if _, err := a.Ban(prefix(client), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		cut.Unban(prefix(client), "binod", time.Now())
		time.Sleep(10 * time.Millisecond)
		b.violateAs(t, client)
		round(t, a, b)
		by := func(s *rig) string {
			all := s.Bans(time.Now())
			if len(all) != 1 {
				return fmt.Sprint(all)
			}
			return all[0].By
		}
		for name, s := range map[string]*rig{"a": a, "b": b} {
			if by(s) != "asha" || s.Save() != nil {
				t.Errorf("%s: in force is a ban by %s, want that by hand", name, by(s))
			}
		}
		a, b = l.join(t, "a again", cfg("a")), l.join(t, "b again", cfg("b"))
		l.lose()
		round(t, a, b)
		late := l.join(t, "late", guard.Config{})
		round(t, late)
		if by(late) != "asha" {
			t.Errorf("late: in force is a ban by %s, want that by hand", by(late))
		}
		round(t, cut, a, b, late)
		for name, s := range map[string]*rig{"a": a, "b": b, "cut": cut, "late": late} {
			if by(s) != bans.Guard {
				t.Errorf("%s: after the lift in force is a ban by %s, want the guard's", name, by(s))
			}
		}
	})
}

func converge(t *testing.T, r *rand.Rand, dir string, files bool) {
	l, told := newLedger(), &told{map[string][]byte{}, map[string][]byte{}}
	once := limit.Rate{Requests: 1, Window: time.Minute}
	cfg := func(name string) guard.Config {
		return guard.Config{Clients: 64, File: filepath.Join(dir, name), Ledger: &noted{&seat{l, name}, told}, Ban: guard.BanConfig{Violations: 1},
			Limits: guard.Limits{API: once, Blog: once, Search: once}}
	}
	open := func(cfg guard.Config) *rig {
		g, err := guard.New(cfg)
		if err == nil {
			err = g.Open(time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		return &rig{g, t, time.Now()}
	}
	clients := []string{"203.0.113.1", "203.0.113.2"}
	servers := make([]*rig, 2+r.IntN(2))
	clocks := make([]time.Duration, len(servers)) // by how much they are wrong
	for i := range servers {
		servers[i] = open(cfg(fmt.Sprint(i)))
		clocks[i] = []time.Duration{0, 0, -20 * time.Millisecond, time.Second}[r.IntN(4)]
	}
	var story strings.Builder
	for range 3 + r.IntN(12) {
		i, client := r.IntN(len(servers)), clients[r.IntN(len(clients))]
		s, now := servers[i], time.Now().Add(clocks[i])
		switch what := r.IntN(16); {
		case what < 3:
			long := []time.Duration{0, 50 * time.Millisecond, 2 * time.Second, time.Minute, time.Hour}[r.IntN(5)]
			var until time.Time
			if long > 0 {
				until = now.Add(long)
			}
			fmt.Fprintf(&story, "%d bans %s for %s\n", i, client, long)
			if _, err := s.Ban(prefix(client), bans.All, until, []string{"asha", "binod"}[r.IntN(2)], "", now); err != nil {
				t.Fatal(err)
			}
		case what < 5:
			fmt.Fprintf(&story, "%d lifts %s\n", i, client)
			s.Unban(prefix(client), "asha", now)
		case what < 8:
			path := []string{"/api/courses", "/api/blog", "/api/search"}[r.IntN(3)]
			s.now = now
			s.ask(client, "GET", path)
			v := s.ask(client, "GET", path)
			fmt.Fprintf(&story, "%d judges %s: %s\n", i, client, v.Rule)
		case what < 12:
			err := s.ShareOnce(t.Context())
			fmt.Fprintf(&story, "%d shares: %v\n", i, err)
		case what < 14:
			pause := []time.Duration{time.Microsecond, time.Millisecond, 30 * time.Millisecond, time.Second, 2 * time.Minute}[r.IntN(5)]
			fmt.Fprintf(&story, "%s\n", pause)
			time.Sleep(pause)
		case what < 15:
			if l.away == nil {
				l.away = errors.New("away")
			} else {
				l.away = nil
			}
			fmt.Fprintf(&story, "away: %v\n", l.away)
		default:
			switch r.IntN(3) {
			case 0:
				fmt.Fprintf(&story, "loss\n")
				l.lose()
			case 1:
				fmt.Fprintf(&story, "%d sweeps\n", i)
				s.Sweep(time.Now())
			default:
				fmt.Fprintf(&story, "%d starts again\n", i)
				if err := s.Save(); err != nil {
					t.Fatal(err)
				}
				servers[i] = open(cfg(fmt.Sprint(i)))
			}
		}
	}
	l.away = nil
	for range 2 {
		round(t, servers...)
		time.Sleep(2 * time.Second)
	}
	all := slices.Clone(servers)
	for i, s := range servers {
		if !files { // which take their time
			break
		}
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
		alone := cfg(fmt.Sprint(i))
		alone.Ledger = nil
		all = append(all, open(alone))
	}
	late := open(cfg("late"))
	round(t, late)
	all = append(all, late)
	for _, client := range clients {
		want := "null"
		if b := told.stands(t, prefix(client).String(), time.Now()); b != nil {
			want = banText(b)
		}
		for i, s := range all {
			got := "null"
			for _, b := range s.Bans(time.Now()) {
				if b.Prefix == prefix(client) {
					got = banText(&b)
				}
			}
			if got != want {
				t.Errorf("%s: in force on server %d of %d is %s, want %s\n%s", client, i, len(servers), got, want, story.String())
			}
			s.now = time.Now()
			if (s.Explain(s.facts(client, "GET", "/")).Ban != nil) != (want != "null") {
				t.Errorf("%s: server %d does not go by %s\n%s", client, i, want, story.String())
			}
		}
	}
}
