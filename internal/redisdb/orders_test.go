package redisdb_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"freshet/internal/testenv"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// spread is a second, after which a server that has nothing to tell asks for news, and time for a machine that is busy.
const spread = 3 * time.Second

// scarce lets a client violate a limit with its second request of each of three classes, so that it is soon banned.
var scarce = guard.Limits{API: limit.Rate{Requests: 1, Window: time.Hour}, Blog: limit.Rate{Requests: 1, Window: time.Hour},
	Search: limit.Rate{Requests: 1, Window: time.Hour}}

// bans reports whether a server would refuse a client for a ban. It does not ask in earnest: a client that is let in again may
// then violate a limit.
func (s *server) bans(client string) bool {
	return s.Explain(request(client, "GET", "/api/courses")).Rule == guard.RuleBan.String()
}

// hand bans a client by hand.
func (s *server) hand(t *testing.T, client string, until time.Time) {
	t.Helper()
	if _, err := s.Ban(one(client), bans.All, until, "asha", "", time.Now()); err != nil {
		t.Fatal(err)
	}
}

func one(client string) netip.Prefix {
	a := netip.MustParseAddr(client)
	return netip.PrefixFrom(a, a.BitLen())
}

// violate makes a client violate the limits of paths.
func (s *server) violate(client string, paths ...string) {
	for _, path := range paths {
		s.ask(client, "GET", path)
		s.ask(client, "GET", path)
	}
}

// provoke makes the guard ban a client.
func (s *server) provoke(t *testing.T, client string) {
	t.Helper()
	s.violate(client, "/api/courses", "/api/blog", "/api/search")
	if !s.bans(client) {
		t.Fatalf("three violations of %s are no ban", client)
	}
}

// strikes are the violations that a server knows of.
func (s *server) strikes(client string) int {
	return len(s.Explain(request(client, "GET", "/api/courses")).Violations)
}

// TestOrdersReachAll: what operators order on one server is so on the others within a second, and on who starts later.
func TestOrdersReachAll(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	all, _ := servers(t, url, prefix, 2, scarce)
	a, b := all[0], all[1]
	a.hand(t, "203.0.113.1", time.Time{})
	t.Logf("a ban is heard after %s", await(t, spread, "the other server refuses who is banned by hand", func() bool {
		v := b.ask("203.0.113.1", "GET", "/")
		return v.Rule == guard.RuleBan && v.Action.Status() == 403
	}))

	// A lift is of whatever ban there is, also where the guard has made one, and one by hand stands in its place; and of what
	// would lead to one.
	lifted := []string{"203.0.113.2", "203.0.113.3", "203.0.113.6"}
	a.provoke(t, "203.0.113.2")
	a.provoke(t, "203.0.113.3")
	a.hand(t, "203.0.113.3", time.Time{})
	a.violate("203.0.113.6", "/api/blog", "/api/search")
	a.hand(t, "203.0.113.6", time.Time{})
	knows(t, b, a)
	await(t, spread, "the other server knows of violations", func() bool { return b.strikes("203.0.113.6") == 2 })
	for _, client := range lifted {
		if !b.Unban(one(client), "binod", time.Now()) {
			t.Errorf("no ban on %s where it is to be lifted", client)
		}
		await(t, spread, "the ban on "+client+" is lifted where it was made", func() bool { return !a.bans(client) })
	}
	// Violations are told apart from orders, and those of before a lift lead to no ban after it.
	a.provoke(t, "203.0.113.4")
	await(t, spread, "the other server knows of the last ban", func() bool { return b.bans("203.0.113.4") })
	for _, client := range lifted {
		for i, s := range all {
			if s.bans(client) || s.strikes(client) != 0 {
				t.Errorf("server %d, after a lift: %s banned %v, with %d violations", i, client, s.bans(client), s.strikes(client))
			}
		}
	}

	a.hand(t, "203.0.113.5", time.Now().Add(time.Hour))
	if err := a.Kill(guard.Kill{Cover: guard.CoverPages, By: "asha"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.SetTraffic(traffic.Override{Mode: traffic.On, By: "binod"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	await(t, spread, "both servers know of both switches", func() bool {
		return b.Killed(time.Now()) != nil && b.bans("203.0.113.5") && a.Traffic(time.Now()) != nil
	})
	late, _ := servers(t, url, prefix, 1, scarce)
	knows(t, late[0], a)
	if k := late[0].Killed(time.Now()); k == nil || k.Cover != guard.CoverPages || late[0].Traffic(time.Now()) == nil {
		t.Errorf("a server that starts knows of the switches %+v and %+v", k, late[0].Traffic(time.Now()))
	}
	for _, client := range lifted {
		if late[0].bans(client) || late[0].strikes(client) != 0 {
			t.Errorf("a server that starts: %s, whose ban was lifted, is banned %v, with %d violations", client, late[0].bans(client), late[0].strikes(client))
		}
	}
}

// knows waits until a server has the bans of another.
func knows(t *testing.T, s, other *server) {
	t.Helper()
	await(t, spread, "a server has the bans of another", func() bool { return same(s, other) })
}

func same(s, other *server) bool {
	mine, others := s.Bans(time.Now()), other.Bans(time.Now())
	if len(mine) != len(others) {
		return false
	}
	for i, b := range mine {
		if o := others[i]; b.Prefix != o.Prefix || b.Scope != o.Scope || b.By != o.By || b.Step != o.Step || !b.Since.Equal(o.Since) || !b.Until.Equal(o.Until) {
			return false
		}
	}
	return true
}

// TestOrdersConverge: whatever three servers order at once about few clients, and ban by themselves meanwhile, they end up with the
// same, and so does who starts later. TestOrdersConverge of server/guard says which.
func TestOrdersConverge(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	all, _ := servers(t, url, prefix, 3, scarce)
	clients := []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"}
	for round := range 3 {
		var done sync.WaitGroup
		for i, s := range all {
			done.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for range 60 {
					client := clients[r.IntN(len(clients))]
					switch r.IntN(3) {
					case 0:
						s.hand(t, client, time.Now().Add([]time.Duration{time.Millisecond, time.Minute, time.Hour}[r.IntN(3)]))
					case 1:
						s.Unban(one(client), "binod", time.Now())
					default:
						s.violate(client, "/api/courses", "/api/blog", "/api/search")
					}
					<-time.After(time.Duration(r.IntN(10)) * time.Millisecond)
				}
			})
		}
		done.Wait()
		knows(t, all[1], all[0])
		knows(t, all[2], all[0])
	}
	late, _ := servers(t, url, prefix, 1, scarce)
	knows(t, late[0], all[0])
	if n := len(all[0].Bans(time.Now())); n == 0 {
		t.Error("all were lifted: nothing is shown")
	}
}

// TestOrdersOutliveOutage: what is ordered while Redis is away is told when it is back, whether it has lost what it knew or not.
func TestOrdersOutliveOutage(t *testing.T) {
	for _, row := range []outage{
		{"killed", (*testenv.RedisServer).Kill, (*testenv.RedisServer).Start, nil},
		{"full", func(s *testenv.RedisServer) { s.Do("CONFIG SET maxmemory 1") }, func(s *testenv.RedisServer) { s.Do("CONFIG SET maxmemory 0") }, refusals},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.outlive(t)
		})
	}
}

type outage struct {
	name      string
	lose, end func(*testenv.RedisServer)
	tries     func(testing.TB, *redis.Client) int // so far, of servers to share; nil: nobody sees them
}

// refusals are the calls that a full Redis has refused.
func refusals(t testing.TB, c *redis.Client) (n int) {
	_, rest, _ := strings.Cut(c.Info(t.Context(), "errorstats").Val(), "errorstat_OOM:count=")
	_, _ = fmt.Sscan(rest, &n)
	return n
}

func (row *outage) outlive(t *testing.T) {
	server := testenv.NewRedis(t)
	all, _ := servers(t, server.URL(), "", 2, scarce)
	a, b := all[0], all[1]
	for _, client := range []string{"203.0.113.1", "203.0.113.2"} {
		a.hand(t, client, time.Time{})
	}
	a.provoke(t, "203.0.113.3")
	knows(t, b, a)
	row.lose(server)
	await(t, 5*time.Second, "it is noticed", func() bool { return shared(all) == 0 })
	a.Unban(one("203.0.113.1"), "asha", time.Now())
	a.Unban(one("203.0.113.3"), "asha", time.Now())
	a.hand(t, "203.0.113.4", time.Time{})
	// The later one of two stands, whoever tells first.
	a.hand(t, "203.0.113.5", time.Time{})
	<-time.After(2 * time.Millisecond)
	b.hand(t, "203.0.113.5", time.Now().Add(time.Hour))
	if !b.bans("203.0.113.1") || b.bans("203.0.113.4") {
		t.Fatal("the servers are to know nothing of each other's orders")
	}
	if row.tries != nil {
		c := raw(t, server.URL())
		before := row.tries(t, c)
		await(t, 5*time.Second, "servers try to tell it", func() bool { return row.tries(t, c) >= before+4 })
	}
	row.end(server)
	knows(t, b, a)
	for _, s := range all {
		if s.bans("203.0.113.1") || s.bans("203.0.113.3") || !s.bans("203.0.113.2") || !s.bans("203.0.113.4") {
			t.Errorf("in force are %+v; want those on .2, .4 and .5", s.Bans(time.Now()))
		}
		if e := s.Explain(request("203.0.113.5", "GET", "/")); e.Ban == nil || e.Ban.Until.IsZero() {
			t.Errorf("of two orders that of an hour is the last; in force is %+v", e.Ban)
		}
	}
}

// TestOrdersOutliveLoss: a Redis that has lost everything, and answers all the time, is told what is in force.
func TestOrdersOutliveLoss(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedis(t)
	all, stop := servers(t, server.URL(), "", 2, scarce)
	a, b := all[0], all[1]
	a.hand(t, "203.0.113.1", time.Time{})
	b.hand(t, "203.0.113.2", time.Now().Add(time.Hour))
	a.provoke(t, "203.0.113.3")
	a.hand(t, "203.0.113.4", time.Time{})
	b.Unban(one("203.0.113.4"), "binod", time.Now().Add(time.Second))
	if err := a.Kill(guard.Kill{Cover: guard.CoverAPI, By: "asha"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	await(t, spread, "both know all", func() bool {
		return same(a, b) && len(a.Bans(time.Now())) == 3 && b.Killed(time.Now()) != nil
	})
	server.Do("FLUSHALL")
	c := raw(t, server.URL())
	await(t, spread, "Redis is told again of two bans by hand and a lift, of the kill switch, and of a ban of the guard", func() bool {
		return c.HLen(t.Context(), "freshet:{guard}:orders").Val() == 4 && c.HLen(t.Context(), "freshet:{guard}:bans").Val() == 1
	})
	stop() // so that nobody but Redis tells it
	late, _ := servers(t, server.URL(), "", 1, scarce)
	knows(t, late[0], a)
	if late[0].Killed(time.Now()) == nil || late[0].bans("203.0.113.4") {
		t.Errorf("after the loss: kill %v, banned %v; want the switch thrown, and the ban lifted", late[0].Killed(time.Now()), late[0].bans("203.0.113.4"))
	}
}
