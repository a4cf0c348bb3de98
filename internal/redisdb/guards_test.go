package redisdb_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/internal/redisdb"
	"freshet/internal/testenv"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
)

// A server is a guard with its own client of Redis, as a process has them.
type server struct {
	*guard.Guard
	log     *log
	slowest atomic.Int64 // judgement
}

// log is for two goroutines.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// servers starts n of them. They end with the test, or when stop is called.
func servers(t testing.TB, url, prefix string, n int, limits guard.Limits, shadow ...string) (all []*server, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range n {
		s := &server{log: &log{}}
		db, err := redisdb.New(redisdb.Config{URL: redisdb.URL(url), Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		s.Guard, err = guard.New(guard.Config{Ledger: db.Ledger(), Limits: limits, Shadow: shadow,
			Logger: slog.New(slog.NewTextHandler(s.log, nil)), Shed: guard.ShedConfig{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(time.Now()); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		all = append(all, s)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	await(t, 10*time.Second, "all servers share, and know of each other", func() bool {
		return shared(all) == n && !slices.ContainsFunc(all, func(s *server) bool { return s.Stats(time.Now()).Servers < n })
	})
	return all, stop
}

func shared(all []*server) (n int) {
	for _, s := range all {
		if s.Stats(time.Now()).Shared {
			n++
		}
	}
	return n
}

func request(client, method, path string) guard.Facts {
	return guard.Facts{Now: time.Now(), Client: netip.MustParseAddr(client), Method: method, Path: path, Referer: true,
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Accept: "text/html",
		AcceptLanguage: "en", AcceptEncoding: "gzip"}
}

// ask judges a request, and keeps how long that took.
func (s *server) ask(client, method, path string) guard.Verdict {
	f := request(client, method, path)
	v := s.Decide(&f)
	for took := int64(time.Since(f.Now)); ; {
		slowest := s.slowest.Load()
		if took <= slowest || s.slowest.CompareAndSwap(slowest, took) {
			return v
		}
	}
}

// signIn tries to, and reports whether it may.
func (s *server) signIn(ctx context.Context, client, account string) bool {
	if v := s.ask(client, "POST", "/api/auth/login"); !v.Allowed() {
		return false
	}
	f := request(client, "POST", "/api/auth/login")
	v := s.Attempt(ctx, &f, account)
	return v.Allowed()
}

// TestOvershoot: how much more than its limit a client gets who asks several servers at once, and the bound of that. A server
// lets through what its own bucket holds before it hears of the others, which takes an interval of sharing and a round
// trip; from then on nobody lets anything through until what was too much is paid off.
func TestOvershoot(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	const blind = 100*time.Millisecond + 400*time.Millisecond // a round trip is well below, also where several tests share two processors
	for _, n := range []int{2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			overshoot(t, url, n, blind)
		})
	}
}

func overshoot(t *testing.T, url string, n int, blind time.Duration) {
	all, _ := servers(t, url, ownPrefix(), n, guard.Limits{
		Page: limit.Rate{Requests: 300, Window: time.Minute}, Metrics: limit.Rate{Requests: 20, Window: time.Second}}, "ban")
	for i, row := range []struct {
		class guard.Class
		path  string
		rate  limit.Rate
	}{
		{guard.API, "/api/courses", guard.DefaultLimits().API},
		{guard.Blog, "/api/blog", guard.DefaultLimits().Blog},
		{guard.Search, "/api/search", guard.DefaultLimits().Search},
		{guard.Page, "/about/", limit.Rate{Requests: 300, Window: time.Minute}},
		{guard.Metrics, "/api/monitoring/metrics", limit.Rate{Requests: 20, Window: time.Second}}, // many windows long
	} {
		for _, perSecond := range []int{0, max(row.rate.Requests, 100)} { // 0: as fast as it goes
			client := fmt.Sprintf("203.0.%d.%d", 2*i+min(perSecond, 1), n)
			lasts := time.Second
			if perSecond > 0 || row.rate.Window == time.Second {
				lasts = 1500 * time.Millisecond
			}
			begin := time.Now()
			passed := 0
			for asked := 0; time.Since(begin) < lasts; asked++ {
				if v := all[asked%n].ask(client, "GET", row.path); v.Allowed() {
					passed++
				} else if v.Rule != guard.RuleLimit {
					t.Fatalf("%s: refused by %s", row.class, v.Rule)
				}
				if perSecond > 0 {
					<-time.After(time.Until(begin.Add(time.Duration(asked) * time.Second / time.Duration(perSecond))))
				} else if asked%1000 == 0 {
					runtime.Gosched()
				}
			}
			took := time.Since(begin)
			interval := row.rate.Window / time.Duration(row.rate.Requests)
			one := row.rate.Requests + int(took/interval) // what one server would let through
			trickle := int(blind/interval) + 1
			bound := one + (n-1)*(row.rate.Requests+trickle)
			if perSecond > 0 {
				// It comes so slowly that only what comes while a server is blind is too much.
				bound = one + int(float64(perSecond)*blind.Seconds()) + n*trickle
			}
			t.Logf("%d servers, %s %s, %3d a second (0: unlimited): %4d passed in %s, one server would %4d, bound %4d", n, row.class,
				row.rate, perSecond, passed, took.Round(time.Millisecond), one, bound)
			if passed > bound || passed < row.rate.Requests && perSecond == 0 {
				t.Errorf("%d servers, %s: %d passed, want %d at most", n, row.class, passed, bound)
			}
		}
	}
	// Signing in is exact.
	var passed atomic.Int32
	var tries sync.WaitGroup
	for i := range 100 * n {
		tries.Go(func() {
			if all[i%n].signIn(t.Context(), fmt.Sprintf("198.51.100.%d", i%250), "owner") {
				passed.Add(1)
			}
		})
	}
	tries.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d servers: %d attempts at one account passed, want 5", n, passed.Load())
	}
}

// TestMoving: who keeps to a limit on one server is not refused by the next for what it did before.
func TestMoving(t *testing.T) {
	t.Parallel()
	all, _ := servers(t, testenv.Redis(t), ownPrefix(), 2, guard.Limits{API: limit.Rate{Requests: 20, Window: time.Second}})
	begin := time.Now()
	for i := range 60 { // two thirds of the limit
		s := all[0]
		if i >= 40 {
			s = all[1]
		}
		if v := s.ask("203.0.113.7", "GET", "/api/courses"); !v.Allowed() {
			t.Fatalf("request %d: refused by %s", i, v.Rule)
		}
		<-time.After(time.Until(begin.Add(time.Duration(i) * 75 * time.Millisecond)))
	}
}

// TestOutage: while Redis is lost, in whatever way, judging neither waits nor fails, limits hold on each server, signing in is
// tight; and within a second of its return all servers are in step.
func TestOutage(t *testing.T) {
	for _, row := range []struct {
		name      string
		lose, end func(s *testenv.RedisServer)
		forgets   bool
	}{
		{"killed", (*testenv.RedisServer).Kill, (*testenv.RedisServer).Start, true},
		{"frozen", (*testenv.RedisServer).Freeze, (*testenv.RedisServer).Thaw, false},
		{"paused", func(s *testenv.RedisServer) { s.Do("CLIENT PAUSE 6000 ALL") }, func(s *testenv.RedisServer) { s.Do("PING") }, false}, // which waits
		{"read only", func(s *testenv.RedisServer) { s.Do("REPLICAOF 127.0.0.1 1") }, func(s *testenv.RedisServer) { s.Do("REPLICAOF NO ONE") }, false},
		{"full", func(s *testenv.RedisServer) { s.Do("CONFIG SET maxmemory 1") }, func(s *testenv.RedisServer) { s.Do("CONFIG SET maxmemory 0") }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			redis := testenv.NewRedis(t)
			before := runtime.NumGoroutine()
			all, stop := servers(t, redis.URL(), "", 2, guard.Limits{})
			a, b := all[0], all[1]
			// Readers, programs, and somebody who guesses passwords.
			ctx, done := context.WithCancel(t.Context())
			var load sync.WaitGroup
			for worker := range 4 {
				load.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						s := all[(worker+i)%2]
						s.ask(fmt.Sprintf("10.%d.%d.%d", worker, i/256%256, i%256), "GET", []string{"/", "/api/courses", "/api/blog/rivers"}[i%3])
						if i%50 == 0 {
							s.signIn(ctx, fmt.Sprintf("10.9.%d.%d", i/256%256, i%256), fmt.Sprint("account ", i))
						}
						<-time.After(200 * time.Microsecond)
					}
				})
			}
			defer load.Wait()
			defer done()
			if _, err := a.Ban(netip.MustParsePrefix("198.51.100.1/32"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
				t.Fatal(err)
			}
			banned := func(s *server, client string) func() bool {
				return func() bool {
					v := s.ask(client, "GET", "/")
					return v.Rule == guard.RuleBan
				}
			}
			await(t, 3*time.Second, "the other server knows of a ban", banned(b, "198.51.100.1"))

			row.lose(redis)
			noticed := await(t, 5*time.Second, "it is noticed", func() bool { return shared(all) == 0 })
			for i, s := range all {
				passed := 0
				for range 300 {
					if v := s.ask("203.0.113.7", "GET", "/api/courses"); v.Allowed() {
						passed++
					}
				}
				if passed < 120 || passed > 122 {
					t.Errorf("server %d: %d requests passed, want 120", i, passed)
				}
				passed = 0
				for try := range 12 {
					begin := time.Now()
					if s.signIn(t.Context(), "203.0.113.8", fmt.Sprint("someone ", try)) {
						passed++
					}
					if took := time.Since(begin); took > time.Second {
						t.Errorf("signing in takes %s", took)
					}
				}
				if s.Stats(time.Now()).Alone == 0 {
					t.Error("that attempts were judged alone is not counted")
				}
				if passed != 2 {
					t.Errorf("server %d: %d attempts passed, want 5/2", i, passed)
				}
			}
			if _, err := a.Ban(netip.MustParsePrefix("198.51.100.2/32"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
				t.Fatal(err)
			}
			if shared(all) != 0 {
				t.Error("servers share with a Redis that is lost")
			}

			row.end(redis)
			back := await(t, 5*time.Second, "all servers share again", func() bool { return shared(all) == 2 })
			heard := back + await(t, 5*time.Second, "what was told meanwhile is heard", banned(b, "198.51.100.2"))
			t.Logf("noticed after %s, back after %s, in step after %s; the slowest judgements took %s and %s", noticed.Round(time.Millisecond),
				back.Round(time.Millisecond), heard.Round(time.Millisecond), time.Duration(a.slowest.Load()), time.Duration(b.slowest.Load()))
			if back > time.Second {
				t.Errorf("back in step after %s, want within a second", back)
			}
			if row.forgets {
				// Who comes now hears what is in force.
				late, _ := servers(t, redis.URL(), "", 1, guard.Limits{})
				await(t, 6*time.Second, "a new server knows of a ban that Redis had lost", banned(late[0], "198.51.100.1"))
			}
			passed := 0
			for try := range 20 {
				if all[try%2].signIn(t.Context(), "203.0.113.9", fmt.Sprint("another ", try)) {
					passed++
				}
			}
			if passed != 5 {
				t.Errorf("%d attempts passed after the return, want 5", passed)
			}
			done()
			load.Wait()
			for i, s := range all {
				// A judgement that waits for Redis takes as long as Redis is away, which is two seconds and more.
				if took := time.Duration(s.slowest.Load()); took > 1500*time.Millisecond {
					t.Errorf("server %d: a judgement took %s", i, took)
				}
				if gone, there := s.log.count("are not shared"), s.log.count("are shared with"); gone != 1 || there != 2 {
					t.Errorf("server %d tells %d times that Redis is away, and %d times that it is there, want 1 and 2:\n%s", i, gone, there, s.log.b.String())
				}
				if n := s.log.count("level=ERROR"); n != 1 {
					t.Errorf("server %d complains %d times, want once:\n%s", i, n, s.log.b.String())
				}
			}
			if !row.forgets {
				stop()
				await(t, 5*time.Second, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
			}
		})
	}
}

// TestCommandsPerServer: ten commands a second at most, however many requests come, and one while none do.
func TestCommandsPerServer(t *testing.T) {
	t.Parallel()
	redis := testenv.NewRedis(t)
	all, _ := servers(t, redis.URL(), "", 1, guard.Limits{})
	calls := func() (n int) {
		for line := range strings.SplitSeq(raw(t, redis.URL()).Info(t.Context(), "commandstats").Val(), "\n") {
			if name, rest, ok := strings.Cut(line, ":calls="); ok && slices.Contains([]string{"cmdstat_evalsha", "cmdstat_eval"}, name) {
				c := 0
				_, _ = fmt.Sscanf(rest, "%d", &c)
				n += c
			}
		}
		return n
	}
	before, begin, asked := calls(), time.Now(), 0
	for ; time.Since(begin) < 2*time.Second; asked++ {
		all[0].ask(fmt.Sprintf("10.%d.%d.%d", asked>>16&0xff, asked>>8&0xff, asked&0xff), "GET", []string{"/api/courses", "/api/blog", "/"}[asked%3])
	}
	busy, took := calls()-before, time.Since(begin)
	t.Logf("%d commands in %s, for %d requests", busy, took, asked)
	if most := int(took/(100*time.Millisecond)) + 1; busy > most || busy < 3 {
		t.Errorf("%d commands in %s for %d requests, want %d at most", busy, took, asked, most)
	}
	await(t, 5*time.Second, "all is told", func() bool {
		n := calls()
		<-time.After(300 * time.Millisecond)
		return calls() == n
	})
	before, begin = calls(), time.Now()
	for time.Since(begin) < 2*time.Second {
		all[0].ask("203.0.113.7", "GET", "/blog/rivers/")
		<-time.After(time.Millisecond)
	}
	if n := calls() - before; n > 6 {
		t.Errorf("%d commands in 2 s of nothing but pages, want two and a half a second", n)
	}
}
