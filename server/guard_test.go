package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/telemetry"
	"freshet/internal/testenv"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
)

func newGuard(t testing.TB, cfg guard.Config) *guard.Guard {
	t.Helper()
	g, err := guard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A guarded is a running server with a guard, in a bubble.
type guarded struct {
	*guard.Guard
	t       *testing.T
	port    *testenv.Port
	handler http.Handler
	posts   atomic.Int64 // requests that reached a handler
}

// inBubble runs a server with a guard on a clock that only moves when test waits.
func inBubble(t *testing.T, cfg guard.Config, test func(*guarded)) {
	synctest.Test(t, func(t *testing.T) {
		s := &guarded{Guard: newGuard(t, cfg), t: t, port: testenv.NewPort()}
		taken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			s.posts.Add(1)
			w.WriteHeader(http.StatusOK)
		})
		srv := newServer(t, server.Config{Site: serving(built()), Guard: s.Guard, Routes: handlers{"/api/": taken}.routes()})
		s.handler = srv.Handler()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- srv.Run(ctx, s.port) }()
		test(s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// ask sends a request over a connection of its own.
func (s *guarded) ask(from, method, path string) *http.Response {
	conn := s.port.Dial(from)
	defer conn.Close()
	req := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"+
		"Accept: application/json\r\nAccept-Language: hi\r\nAccept-Encoding: gzip\r\nReferer: https://example.com/\r\nConnection: close\r\n", method, path)
	if method != "GET" && method != "HEAD" {
		req += "Content-Length: 0\r\n"
	}
	if _, err := io.WriteString(conn, req+"\r\n"); err != nil {
		s.t.Errorf("%s %s from %s: %v", method, path, from, err)
		return &http.Response{Header: http.Header{}}
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Errorf("%s %s from %s: %v", method, path, from, err)
		return &http.Response{Header: http.Header{}}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Errorf("%s %s from %s: %v", method, path, from, err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

// exhaust asks until the answer is not 200, and returns how often it was.
func (s *guarded) exhaust(from, method, path string) (passed int, refused *http.Response) {
	for range 1000 {
		if refused = s.ask(from, method, path); refused.StatusCode != 200 {
			return passed, refused
		}
		passed++
	}
	return passed, refused
}

// TestSeedLimits is SEED.md's table of rate limits, over HTTP.
func TestSeedLimits(t *testing.T) {
	for _, row := range []struct {
		name, method, path string
		limit              int
		window             time.Duration
		policy             string
	}{
		{"API endpoints", "GET", "/api/courses", 120, time.Minute, `"api";q=120;w=60`},
		{"auth endpoints", "POST", "/api/auth/login", 5, 15 * time.Minute, `"auth";q=5;w=900`},
		{"blog API", "GET", "/api/blog", 50, time.Minute, `"blog";q=50;w=60`},
		{"search", "GET", "/api/search", 30, time.Minute, `"search";q=30;w=60`},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, guard.Config{}, func(s *guarded) {
				first := s.ask("203.0.113.7", row.method, row.path)
				if h := first.Header; first.StatusCode != 200 || h.Get("RateLimit-Policy") != row.policy || h.Get("X-RateLimit-Remaining") != fmt.Sprint(row.limit-1) ||
					h.Get("Retry-After") != "" {
					t.Errorf("the first answer is %d %v", first.StatusCode, h)
				}
				passed, res := s.exhaust("203.0.113.7", row.method, row.path)
				if passed+1 != row.limit || s.posts.Load() != int64(row.limit) {
					t.Errorf("%d passed, and %d reached the handler, want %d", passed+1, s.posts.Load(), row.limit)
				}
				wait := row.window / time.Duration(row.limit) // a bucket fills steadily
				if row.limit == 5 {
					wait = row.window // every attempt is remembered
				}
				secs := int64((wait + time.Second - 1) / time.Second)
				class := strings.Split(row.policy, ";")[0]
				for name, want := range map[string]string{
					"Retry-After": fmt.Sprint(secs), "RateLimit-Policy": row.policy, "RateLimit": fmt.Sprintf("%s;r=0;t=%d", class, secs),
					"X-RateLimit-Limit": fmt.Sprint(row.limit), "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(time.Now().Unix() + secs),
					"Cache-Control": "no-store", "Content-Type": "application/problem+json",
				} {
					if got := res.Header.Get(name); got != want {
						t.Errorf("%s = %q, want %q", name, got, want)
					}
				}
				var problem struct {
					Status    int
					Error     string
					RequestID string `json:"request_id"`
				}
				if err := json.NewDecoder(res.Body).Decode(&problem); err != nil || res.StatusCode != 429 || problem.Status != 429 || problem.Error == "" ||
					problem.RequestID != res.Header.Get("X-Request-Id") {
					t.Errorf("the refusal is %d %+v, %v", res.StatusCode, problem, err)
				}
				if d, ok := s.Refusal(problem.RequestID); !ok || d.Rule != "limit" || d.Client != "203.0.113.7" || d.Path != row.path {
					t.Errorf("the refusal's id names %+v, %v", d, ok)
				}
				if other := s.ask("203.0.113.8", row.method, row.path); other.StatusCode != 200 {
					t.Errorf("another client gets %d", other.StatusCode)
				}
				if page := s.ask("203.0.113.7", "GET", "/blog/rivers/"); page.StatusCode != 200 || page.Header.Get("RateLimit-Policy") != "" {
					t.Errorf("the same client's page is %d %v", page.StatusCode, page.Header)
				}
				time.Sleep(wait)
				if again := s.ask("203.0.113.7", row.method, row.path); again.StatusCode != 200 {
					t.Errorf("after Retry-After the answer is %d", again.StatusCode)
				}
			})
		})
	}
}

// TestSeedBans is SEED.md's "auto-ban after 3 violations in 1 hour", over HTTP, with bans that grow.
func TestSeedBans(t *testing.T) {
	inBubble(t, guard.Config{}, func(s *guarded) {
		for _, ban := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 168 * time.Hour} {
			for violation := 1; violation <= 3; violation++ {
				_, res := s.exhaust("203.0.113.7", "GET", "/api/search")
				if want := map[bool]int{false: 429, true: 403}[violation == 3]; res.StatusCode != want {
					t.Fatalf("violation %d is answered %d, want %d", violation, res.StatusCode, want)
				}
				if violation < 3 {
					time.Sleep(2 * time.Minute) // the episode ends
				}
			}
			res := s.ask("203.0.113.7", "GET", "/api/courses")
			if res.StatusCode != 403 || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Retry-After") != "" {
				t.Errorf("a banned client gets %d %v", res.StatusCode, res.Header)
			}
			if res := s.ask("203.0.113.7", "POST", "/blog/rivers/"); res.StatusCode != 403 {
				t.Errorf("a banned client's write gets %d", res.StatusCode)
			}
			for _, path := range []string{"/blog/rivers/", "/feed.xml", "/api/feed"} {
				if res := s.ask("203.0.113.7", "GET", path); res.StatusCode != 200 {
					t.Errorf("a banned client's GET %s gets %d: bans leave pages readable", path, res.StatusCode)
				}
			}
			time.Sleep(ban - time.Second)
			if res := s.ask("203.0.113.7", "GET", "/api/courses"); res.StatusCode != 403 {
				t.Errorf("a second before %s are over: %d", ban, res.StatusCode)
			}
			time.Sleep(time.Second)
			if res := s.ask("203.0.113.7", "GET", "/api/courses"); res.StatusCode != 200 {
				t.Errorf("after %s: %d", ban, res.StatusCode)
			}
		}
	})
}

// TestSeedHighTraffic: above 500 requests a second DELETE and updates of many documents are refused, pages never are.
func TestSeedHighTraffic(t *testing.T) {
	flood := func(s *guarded, path string, perSecond int) {
		client := 0
		w := &discard{make(http.Header)}
		for range 6 {
			for range perSecond {
				client++
				r := httptest.NewRequest("GET", path, nil)
				r.RemoteAddr = fmt.Sprintf("198.51.%d.%d:40000", client>>8&255, client&255)
				clear(w.header)
				s.handler.ServeHTTP(w, r)
			}
			time.Sleep(time.Second)
		}
	}
	writes := []struct {
		method, path string
		refused      bool
	}{
		{"DELETE", "/api/blog/rivers", true}, {"PUT", "/api/blog", true}, {"POST", "/api/courses/batch", true},
		{"PUT", "/api/blog/rivers", false}, {"POST", "/api/blog", false},
	}
	for _, row := range []struct {
		name, path string
		perSecond  int
		all, high  bool
	}{
		{"500 a second", "/nothing/", 500, false, false},
		{"501 a second", "/nothing/", 501, false, true},
		{"built pages do not count", "/small/", 600, false, false},
		{"unless all do", "/small/", 501, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, guard.Config{HighTraffic: guard.TrafficConfig{CountAll: row.all}}, func(s *guarded) {
				flood(s, row.path, row.perSecond)
				for _, w := range writes {
					res := s.ask("203.0.113.7", w.method, w.path)
					if got := res.StatusCode == 503; got != (w.refused && row.high) {
						t.Errorf("%s %s is answered %d", w.method, w.path, res.StatusCode)
					}
					if res.StatusCode == 503 && (res.Header.Get("Retry-After") == "" || res.Header.Get("Cache-Control") != "no-store") {
						t.Errorf("the 503 has %v", res.Header)
					}
				}
				if res := s.ask("203.0.113.7", "GET", "/blog/rivers/"); res.StatusCode != 200 {
					t.Errorf("a page is answered %d", res.StatusCode)
				}
				time.Sleep(10 * time.Second)
				s.ask("203.0.113.7", "GET", "/")
				time.Sleep(time.Minute)
				if res := s.ask("203.0.113.7", "DELETE", "/api/blog/rivers"); res.StatusCode != 200 {
					t.Errorf("a minute after the flood DELETE is answered %d", res.StatusCode)
				}
			})
		})
	}
}

// TestThousandLogins: of so many at once exactly five pass.
func TestThousandLogins(t *testing.T) {
	inBubble(t, guard.Config{}, func(s *guarded) {
		var all sync.WaitGroup
		var passed, refused atomic.Int64
		for range 1000 {
			all.Go(func() {
				switch s.ask("203.0.113.7", "POST", "/api/auth/login").StatusCode {
				case 200:
					passed.Add(1)
				case 429:
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if passed.Load() != 5 || refused.Load() != 995 || s.posts.Load() != 5 {
			t.Errorf("%d passed, %d were refused, %d reached the handler; want 5, 995, 5", passed.Load(), refused.Load(), s.posts.Load())
		}
	})
}

// TestSignedWebhooks: who signs may send as many webhooks as there are changes; who does not is limited.
func TestSignedWebhooks(t *testing.T) {
	hooks := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	g := newGuard(t, guard.Config{Limits: guard.Limits{Webhook: limit.Rate{Requests: 20, Window: time.Hour}}})
	h := newServer(t, server.Config{Site: serving(built()), Guard: g, Routes: handlers{"/api/revalidate": hooks}.routes()}).Handler()
	send := func(secret string) int {
		r := httptest.NewRequest("POST", "/api/revalidate", strings.NewReader("{}"))
		r.RemoteAddr = "203.0.113.7:40000"
		if secret != "" {
			r.Header.Set("Authorization", secret)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 500 {
		if got := send("Bearer x"); got != 202 {
			t.Fatalf("signed webhook %d is answered %d", i+1, got)
		}
	}
	for i := range 20 {
		if got := send(""); got != 401 {
			t.Fatalf("unsigned webhook %d is answered %d", i+1, got)
		}
	}
	if got := send(""); got != 429 {
		t.Errorf("unsigned webhook 21 is answered %d", got)
	}
}

// TestFloodLeavesNothing: neither clients nor addresses that nobody has seen before stay in memory, and none becomes a metric.
func TestFloodLeavesNothing(t *testing.T) {
	registry := prometheus.NewRegistry()
	trusted, err := web.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(t, guard.Config{Clients: 1 << 12, Limits: guard.Limits{Page: limit.Rate{Requests: 10, Window: time.Minute}}})
	h := newServer(t, server.Config{Site: serving(built()), Guard: g, Proxies: trusted, Metrics: registry}).Handler()
	w := &discard{make(http.Header)}
	flood := func(from int) {
		for i := from; i < from+20_000; i++ {
			r := httptest.NewRequest("GET", fmt.Sprintf("/hostile/%d/?q=%[1]d", i), nil)
			r.RemoteAddr = "127.0.0.1:40000"
			r.Header = http.Header{"X-Forwarded-For": {fmt.Sprintf("198.%d.%d.%d", i>>16, i>>8&255, i&255)}, "User-Agent": {fmt.Sprint("agent ", i)}}
			clear(w.header)
			h.ServeHTTP(w, r)
		}
	}
	measure := func() (heap uint64, series int) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			series += len(f.Metric)
		}
		return m.HeapAlloc, series
	}
	flood(0)
	before, seriesBefore := measure()
	flood(20_000)
	after, seriesAfter := measure()
	if after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if seriesAfter != seriesBefore {
		t.Errorf("there are %d metrics, and there were %d", seriesAfter, seriesBefore)
	}
}

// TestGuardPlace: the guard sees who really asks, what is built, and what became of it; not probes, and not requests for other hosts.
func TestGuardPlace(t *testing.T) {
	trusted, err := web.ParseProxies([]string{"192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	access := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out})
	g := newGuard(t, guard.Config{Block: []string{"2001:db8:1:2::/64"}, Shadow: []string{"limit.search"}, Limits: guard.Limits{
		Search: limit.Rate{Requests: 1, Window: time.Hour}, Page: limit.Rate{Requests: 1000, Window: time.Hour}}})
	h := newServer(t, server.Config{Site: serving(built()), Proxies: trusted, Access: access, Hosts: hosts(t, "example.com"), Guard: g}).Handler()
	record := func() (rec map[string]any) {
		access.Flush()
		if err := json.Unmarshal(out.Bytes(), &rec); err != nil {
			t.Fatalf("%s: %v", out.Bytes(), err)
		}
		out.Reset()
		return rec
	}
	from := func(addr string) []string {
		return []string{"X-Forwarded-For", addr, "User-Agent", "curl/8", "Accept", "text/html"}
	}
	res := get(h, "/blog/rivers/?q=1", from("2001:db8:1:2::7")...)
	if res.Code != 403 || res.Header().Get("Cache-Control") != "no-store" || !strings.Contains(res.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a blocked client: %d %v", res.Code, res.Header())
	}
	id := res.Header().Get("X-Request-Id")
	if d, ok := g.Refusal(id); !ok || d.Client != "2001:db8:1:2::/64" || d.Path != "/blog/rivers/" || d.Rule != "block" || !strings.Contains(res.Body.String(), id) {
		t.Errorf("the refusal %s is %+v", id, d)
	}
	if rec := record(); rec["rule"] != "block" || rec["client"] != "2001:db8:1:2::/64" || rec["request_id"] != id {
		t.Errorf("its record is %v", rec)
	}
	get(h, "/api/search", from("203.0.113.7")...)
	if rec := record(); rec["shadow"] != nil || rec["look"] == nil || rec["rule"] != nil {
		t.Errorf("the record of an allowed request is %v", rec)
	}
	get(h, "/api/search", from("203.0.113.7")...)
	if rec := record(); rec["shadow"] != "limit.search" || rec["rule"] != nil || rec["status"] != 404. {
		t.Errorf("the record of a request that only would have been refused is %v", rec)
	}
	if res := get(h, "/small/", from("203.0.113.7")...); res.Header().Get("Ratelimit-Policy") != `"page";q=1000;w=3600` {
		t.Errorf("a page with a limit has %v", res.Header())
	}
	seen := func() (n uint64) {
		for _, c := range g.Stats(time.Now()).Decisions {
			if c.Outcome != "shadow" {
				n += c.N
			}
		}
		return n
	}
	before := seen()
	for _, target := range []string{"/livez", "/readyz", "http://other.example/"} {
		get(h, target)
	}
	if n := seen() - before; n != 0 {
		t.Errorf("the guard was asked about %d probes and requests for other hosts", n)
	}
	for i := range 20 {
		get(h, fmt.Sprintf("/wp-%d.php", i), from("203.0.113.9")...)
	}
	var f guard.Facts
	f.Now, f.Client = time.Now(), netip.MustParseAddr("203.0.113.9")
	if e := g.Explain(f); e.Score < 9 {
		t.Errorf("after 20 unknown addresses the score is %v, want about 10", e.Score)
	}
}

// TestBanOfPages: a ban of scope all keeps from pages too, and /livez is open to everybody.
func TestBanOfPages(t *testing.T) {
	g := newGuard(t, guard.Config{})
	srv := httptest.NewServer(newServer(t, server.Config{Site: serving(built()), Guard: g}).Handler())
	defer srv.Close()
	status := func(path string) int {
		res, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if _, err := g.Ban(web.Group(netip.MustParseAddr("127.0.0.1")), bans.All, time.Time{}, "asha", "a test", time.Now()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/": 403, "/feed.xml": 403, "/api/courses": 403, "/livez": 200, "/readyz": 200} {
		if got := status(path); got != want {
			t.Errorf("GET %s of a banned client = %d, want %d", path, got, want)
		}
	}
	g.Unban(web.Group(netip.MustParseAddr("127.0.0.1")), "asha", time.Now())
	if got := status("/"); got != 200 {
		t.Errorf("GET / after the ban was lifted = %d", got)
	}
}
