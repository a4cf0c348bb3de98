package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/digest"
	"freshet/internal/site"
	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/guard"
	"freshet/server/guard/limit"
)

func newServer(t testing.TB, cfg server.Config) *server.Server {
	t.Helper()
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hosts(t *testing.T, names ...string) *web.Hosts {
	t.Helper()
	h, err := web.ParseHosts(names)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// get asks h for target with the given header lines, name and value in turn.
func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		cfg  server.Config
		want string
	}{
		{server.Config{}, "Site is missing"},
		{server.Config{Site: new(swap), Routes: handlers{"/": http.NotFoundHandler()}.routes()}, `route "/"`},
		{server.Config{Site: new(swap), Routes: handlers{"api": http.NotFoundHandler()}.routes()}, `route "api"`},
	} {
		if _, err := server.New(row.cfg); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("New = %v, want an error about %s", err, row.want)
		}
	}
}

func TestEncodings(t *testing.T) {
	g := built()
	g.put("/large/", site.KindPage, htmlType, page("Large", 300<<10))
	h := newServer(t, server.Config{Site: serving(g)}).Handler()
	for _, row := range []struct{ accept, page, large string }{
		{"", "", ""},
		{"gzip", "gzip", "gzip"},
		{"x-gzip", "gzip", "gzip"},
		{"GZip", "gzip", "gzip"},
		{"br", "br", "br"},
		{"zstd", "zstd", "zstd"},
		{"gzip, deflate, br, zstd", "br", "zstd"},
		{"gzip, deflate, zstd", "zstd", "zstd"},
		{"gzip;q=1, br;q=0.5", "gzip", "gzip"},
		{"gzip;q=0.4, br;q=0.5", "br", "br"},
		{"gzip ; q=0.4 , br ; q=0.5", "br", "br"},
		{"gzip;q=0", "", ""},
		{"gzip;q=0.000, *", "br", "zstd"},
		{"*", "br", "zstd"},
		{"*;q=0.001", "br", "zstd"},
		{"br;q=0, *;q=0.1", "zstd", "zstd"},
		{"identity", "", ""},
		{"identity, gzip;q=0.5", "", ""},
		{"identity;q=0.5, gzip;q=0.5", "gzip", "gzip"},
		{"identity;q=0.5, gzip;q=0.6", "gzip", "gzip"},
		{"identity;q=0.5, *;q=0", "", ""},
		{"*;q=0, gzip", "gzip", "gzip"},
		{"identity;q=0, gzip", "gzip", "gzip"},
		{"identity;q=0, *", "br", "zstd"},
		{"deflate", "", ""},
		{"gzip;q=2", "", ""},
		{"gzip;q=1.5", "", ""},
		{"gzip;q=0.1234", "", ""},
		{"gzip;q=", "", ""},
		{"gzip;level=9", "", ""},
		{"gzip;q=x, br", "br", "br"},
		{",,gzip,,", "gzip", "gzip"},
	} {
		for target, want := range map[string]string{"/blog/rivers/": row.page, "/large/": row.large} {
			var headers []string
			if row.accept != "" {
				headers = []string{"Accept-Encoding", row.accept}
			}
			res := get(h, target, headers...)
			got := res.Header().Get("Content-Encoding")
			if res.Code != 200 || got != want {
				t.Errorf("%s with Accept-Encoding %q: %d %q, want 200 %q", target, row.accept, res.Code, got, want)
				continue
			}
			body, err := decode(got, res.Body.Bytes(), false)
			if e := g.entries[site.Path(target)]; err != nil || digest.Bytes(body) != e.Object.ID {
				t.Errorf("%s with Accept-Encoding %q: the body is not the page's (%v)", target, row.accept, err)
			}
		}
	}
}

// The same object has the same bytes in every encoding on every server, or one entity tag would stand for two bodies.
func TestEncodingsAreDeterministic(t *testing.T) {
	var first [][]byte
	for run := range 2 {
		h := newServer(t, server.Config{Site: serving(built())}).Handler()
		if run == 1 {
			for _, e := range []string{"br", "gzip", "zstd"} { // writers that were used before
				get(h, "/", "Accept-Encoding", e)
				get(h, "/blog/", "Accept-Encoding", e)
			}
		}
		for i, e := range []string{"br", "gzip", "zstd"} {
			body := get(h, "/blog/rivers/", "Accept-Encoding", e).Body.Bytes()
			if run == 0 {
				first = append(first, body)
			} else if !bytes.Equal(first[i], body) {
				t.Errorf("%s: two servers made different bytes of one page", e)
			}
		}
	}
}

// However many readers come at once, an object is read and encoded once.
func TestOneFlight(t *testing.T) {
	g := built()
	h := newServer(t, server.Config{Site: serving(g)}).Handler()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if res := get(h, "/blog/rivers/", "Accept-Encoding", "br"); res.Code != 200 {
				t.Errorf("GET = %d", res.Code)
			}
		})
	}
	wg.Wait()
	get(h, "/blog/rivers/", "Accept-Encoding", "br")
	if n := g.reads.Load(); n != 1 {
		t.Errorf("the object was read %d times, want once", n)
	}
}

// A generation that changed other pages, or moved all objects to another place, takes nothing out of memory.
func TestUnchangedPagesStayInMemory(t *testing.T) {
	sw := serving(built())
	h := newServer(t, server.Config{Site: sw}).Handler()
	first := get(h, "/blog/rivers/", "Accept-Encoding", "br")
	next := built()
	next.number = 8
	next.entries["/blog/rivers/"].Object.Offset = 4096
	next.put("/blog/", site.KindList, htmlType, page("Changed", 3000))
	sw.at.Store(next)
	res := get(h, "/blog/rivers/", "Accept-Encoding", "br")
	if n := next.reads.Load(); n != 0 || !bytes.Equal(res.Body.Bytes(), first.Body.Bytes()) {
		t.Errorf("%d reads for a page that is in memory", n)
	}
	if got := res.Header().Get("X-Freshet-Generation"); got != "8" {
		t.Errorf("X-Freshet-Generation = %s, want 8", got)
	}
	if res := get(h, "/blog/"); !strings.Contains(res.Body.String(), "Changed") {
		t.Error("the changed page is the old one")
	}
}

// Memory holds what was asked for, within its bound, and nothing of what the site does not have.
func TestHostileAddressesLeaveNothing(t *testing.T) {
	g := built()
	h := newServer(t, server.Config{Site: serving(g)}).Handler()
	get(h, "/never/")
	before := g.reads.Load()
	for i := range 2000 {
		target := fmt.Sprintf("/never/%d/?q=%[1]d", i)
		if res := get(h, target); res.Code != 404 {
			t.Fatalf("GET %s = %d, want 404", target, res.Code)
		}
		if res := get(h, fmt.Sprintf("/blog/rivers/?q=%d", i)); res.Code != 200 {
			t.Fatalf("GET with a query = %d, want 200", res.Code)
		}
	}
	if n := g.reads.Load() - before; n != 1 {
		t.Errorf("%d objects were read, want 1: what is served again comes from memory", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	g := newMemory(1)
	const pages = 200
	for i := range pages {
		g.put(site.Path(fmt.Sprintf("/%d/", i)), site.KindPage, htmlType, page(strconv.Itoa(i), 40<<10))
	}
	s := newServer(t, server.Config{Site: serving(g), CacheBytes: 1 << 20}) // room for some 25
	for range 3 {
		for i := range pages {
			if res := get(s.Handler(), fmt.Sprintf("/%d/", i)); res.Code != 200 || res.Body.Len() < 40<<10 {
				t.Fatalf("GET /%d/ = %d with %d bytes", i, res.Code, res.Body.Len())
			}
		}
	}
	if n := g.reads.Load(); n < 2*pages {
		t.Errorf("%d reads of %d pages in three rounds: more was kept than there is room for", n, pages)
	}
	// A body too big to be kept is served all the same, plain.
	g.put("/big/", site.KindPage, htmlType, page("Big", 500<<10))
	res := get(s.Handler(), "/big/", "Accept-Encoding", "gzip")
	if res.Code != 200 || res.Header().Get("Content-Encoding") != "" || res.Body.Len() < 500<<10 {
		t.Errorf("a big page: %d, encoding %q, %d bytes", res.Code, res.Header().Get("Content-Encoding"), res.Body.Len())
	}
}

// An object that cannot be read does not take away a page that memory has, in the last form it had.
// TestStaleIsTold says once each time that pages begin to be stale, to be refused, and to be fresh again.
func TestStaleIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		verified := time.Now()
		h := newServer(t, server.Config{
			Site: serving(built()), Revalidate: 10 * time.Minute, MaxStale: time.Hour, Refuse: true,
			Verified: func() time.Time { return verified }, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		}).Handler()
		for range 2 {
			for range 80 {
				get(h, "/blog/rivers/")
				time.Sleep(time.Minute)
			}
			verified = time.Now()
		}
		get(h, "/blog/rivers/")
		for text, n := range map[string]int{"level=WARN msg=\"pages are served stale": 2, "level=ERROR msg=\"the site is closed": 2, "level=INFO msg=\"pages are fresh again": 2} {
			if got := strings.Count(logged.String(), text); got != n {
				t.Errorf("%q was logged %d times, want %d:\n%s", text, got, n, logged.String())
			}
		}
	})
}

func TestUnreadableObjects(t *testing.T) { synctest.Test(t, testUnreadableObjects) }

func testUnreadableObjects(t *testing.T) {
	var logged bytes.Buffer
	sw := serving(built())
	warnings := &slog.HandlerOptions{Level: slog.LevelWarn}
	h := newServer(t, server.Config{Site: sw, Logger: slog.New(slog.NewTextHandler(&logged, warnings))}).Handler()
	first := get(h, "/blog/rivers/")

	next := newMemory(8)
	next.put("/blog/rivers/", site.KindPage, htmlType, page("Newer rivers", 5000))
	next.put("/blog/lakes/", site.KindPage, htmlType, page("Lakes", 5000))
	next.broken.Store(true)
	sw.at.Store(next)

	res := get(h, "/blog/rivers/")
	if res.Code != 200 || !bytes.Equal(res.Body.Bytes(), first.Body.Bytes()) || res.Header().Get("X-Cache") != "STALE" ||
		res.Header().Get("Etag") != first.Header().Get("Etag") {
		t.Errorf("a page that memory has: %d, X-Cache %q, the old body: %v", res.Code, res.Header().Get("X-Cache"),
			bytes.Equal(res.Body.Bytes(), first.Body.Bytes()))
	}
	if cdn := res.Header().Get("Cdn-Cache-Control"); cdn != "max-age=1" {
		t.Errorf("CDN-Cache-Control = %q, want max-age=1", cdn)
	}

	if l := logged.String(); !strings.Contains(l, "input/output error") || !strings.Contains(l, "/blog/rivers/") {
		t.Errorf("log = %q, want the cause and the page", l)
	}
	time.Sleep(time.Second) // trouble is told once a second

	res = get(h, "/blog/lakes/")
	id := res.Header().Get("X-Request-Id")
	if res.Code != 503 || res.Header().Get("Cache-Control") != "no-store" || res.Header().Get("Retry-After") == "" ||
		res.Header().Get("Cdn-Cache-Control") != "" {
		t.Errorf("a page that memory has not: %d %v", res.Code, res.Header())
	}
	if body := res.Body.String(); !strings.Contains(body, id) || strings.Contains(body, "input/output") {
		t.Errorf("the reader is told %s, want the request id and nothing of the cause", body)
	}
	if l := logged.String(); !strings.Contains(l, id) || !strings.Contains(l, "input/output error") || !strings.Contains(l, "/blog/lakes/") {
		t.Errorf("log = %q, want the id, the cause and the page", l)
	}

	next.broken.Store(false)
	if res := get(h, "/blog/rivers/"); res.Code != 200 || !strings.Contains(res.Body.String(), "Newer rivers") {
		t.Errorf("after it was mended: %d", res.Code)
	}
}

// While generations follow each other, every answer is of exactly one: the number in its header, its body and its
// entity tag agree.
func TestOneGenerationPerAnswer(t *testing.T) {
	const generations, pages = 30, 10
	sites := make([]*memory, generations)
	for n := range sites {
		g := newMemory(uint64(n + 1))
		for p := range pages {
			g.put(site.Path(fmt.Sprintf("/%d/", p)), site.KindPage, htmlType, page(fmt.Sprintf("Page %d of generation %d", p, n+1), 2000))
		}
		sites[n] = g
	}
	sw := serving(sites[0])
	addr := serve(t, server.Config{Site: sw, CacheBytes: 1 << 20})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			coding := []string{"", "gzip", "br", "zstd"}[worker]
			last := uint64(0)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				p := i % pages
				req, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/%d/", addr, p), nil)
				req.Header.Set("Accept-Encoding", coding)
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				raw, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil {
					t.Error(err)
					return
				}
				body, err := decode(res.Header.Get("Content-Encoding"), raw, false)
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.ParseUint(res.Header.Get("X-Freshet-Generation"), 10, 64)
				want := fmt.Sprintf("Page %d of generation %d<", p, n)
				sum := digest.Bytes(body).String()
				if n < last || !strings.Contains(string(body), want) || !strings.Contains(res.Header.Get("Etag"), sum) {
					t.Errorf("generation %d after %d, Etag %s, body %.60q", n, last, res.Header.Get("Etag"), body)
					return
				}
				last = n
			}
		})
	}
	client := &http.Client{}
	for _, g := range sites {
		sw.at.Store(g)
		for range 20 { // let readers see each
			res, err := client.Get("http://" + addr + "/livez")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
	close(stop)
	wg.Wait()
	client.CloseIdleConnections()
}

// Freshness is counted from the last verification and moves with the clock.
func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verified := time.Now()
		h := newServer(t, server.Config{
			Site: serving(built()), Revalidate: 10 * time.Minute, MaxStale: time.Hour, Refuse: true,
			Verified: func() time.Time { return verified },
		}).Handler()
		for _, row := range []struct {
			after         time.Duration
			code          int
			cache, status string
		}{
			{0, 200, "HIT", "freshet; hit; ttl=600"},
			{time.Second, 200, "HIT", "freshet; hit; ttl=599"},
			{9 * time.Minute, 200, "HIT", "freshet; hit; ttl=60"},
			{9*time.Minute + 58*time.Second, 200, "HIT", "freshet; hit; ttl=2"},
			{10 * time.Minute, 200, "STALE", "freshet; hit; ttl=-1; detail=stale"},
			{11 * time.Minute, 200, "STALE", "freshet; hit; ttl=-60; detail=stale"},
			{time.Hour - time.Second, 200, "STALE", "freshet; hit; ttl=-2999; detail=stale"},
			{time.Hour, 503, "", ""},
		} {
			time.Sleep(time.Until(verified.Add(row.after)))
			res := get(h, "/blog/rivers/")
			if res.Code != row.code || res.Header().Get("X-Cache") != row.cache || res.Header().Get("Cache-Status") != row.status {
				t.Errorf("after %v: %d %q %q, want %d %q %q", row.after, res.Code, res.Header().Get("X-Cache"),
					res.Header().Get("Cache-Status"), row.code, row.cache, row.status)
			}
		}
		verified = time.Now()
		time.Sleep(time.Second)
		if res := get(h, "/blog/rivers/"); res.Code != 200 || res.Header().Get("X-Cache") != "HIT" {
			t.Errorf("verified again: %d %q", res.Code, res.Header().Get("X-Cache"))
		}
	})
}

// CDNs are given different ages by path, the same on every server, and never more than the site is fresh for.
func TestJitter(t *testing.T) {
	g := newMemory(1)
	for i := range 200 {
		g.put(site.Path(fmt.Sprintf("/%d/", i)), site.KindPage, htmlType, "page")
	}
	verified := time.Now()
	cfg := server.Config{Site: serving(g), Purged: func() bool { return true }, Verified: func() time.Time { return verified }}
	a, b := newServer(t, cfg).Handler(), newServer(t, cfg).Handler()
	ages := make(map[int]int)
	for i := range 200 {
		var age [2]int
		for j, h := range []http.Handler{a, b} {
			v := get(h, fmt.Sprintf("/%d/", i)).Header().Get("Cdn-Cache-Control")
			if _, err := fmt.Sscanf(v, "max-age=%d, stale", &age[j]); err != nil {
				t.Fatalf("CDN-Cache-Control = %q: %v", v, err)
			}
		}
		if d := age[0] - age[1]; d < -60 || d > 60 || age[0] > 3600 || age[0] < 2600 {
			t.Errorf("/%d/: ages %v, want two alike between 2700 and 3600", i, age)
		}
		ages[age[0]]++
	}
	if len(ages) < 30 {
		t.Errorf("200 pages have %d different ages", len(ages))
	}
}

func TestManyKeys(t *testing.T) {
	g := newMemory(1)
	var keys []string
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf("tag:a rather long tag %d", i))
	}
	g.put("/", site.KindPage, htmlType, "page", keys...)
	res := get(newServer(t, server.Config{Site: serving(g)}).Handler(), "/")
	for name, most := range map[string]int{"Cache-Tag": 16 << 10, "Surrogate-Key": 8 << 10} {
		v := res.Header().Get(name)
		if len(v) > most || len(v) < most-100 || !strings.HasSuffix(v, "overflow") {
			t.Errorf("%s has %d bytes and ends in %q, want at most %d and overflow", name, len(v), v[max(0, len(v)-20):], most)
		}
	}
}

// A frame source cannot begin another directive.
func TestFrameSources(t *testing.T) {
	frames := []string{"https://a.example", "https://b.example; script-src *", "x,y"}
	h := newServer(t, server.Config{Site: serving(built()), Frames: frames}).Handler()
	csp := get(h, "/").Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-src https://a.example; form-action") || strings.Contains(csp, "script-src *") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
}

func TestRoutes(t *testing.T) {
	said := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, s) })
	}
	h := newServer(t, server.Config{Site: serving(built()), Routes: handlers{
		"/api/": said("api"), "/api/revalidate": said("hook"),
		"/panic": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("our mistake") }),
	}.routes()}).Handler()
	for target, want := range map[string]string{"/api/blog": "api", "/api/revalidate": "hook", "/api/revalidate/x": "api", "/livez": "ok\n"} {
		if got := get(h, target).Body.String(); got != want {
			t.Errorf("GET %s = %q, want %q", target, got, want)
		}
	}
	// A route has its own methods, bound of bodies and name, and the guard learns whether there is a session.
	var signedIn []bool
	reg := prometheus.NewRegistry()
	g := newGuard(t, guard.Config{})
	h2 := newServer(t, server.Config{
		Site: serving(built()), Metrics: reg, Guard: g,
		Session: func(r *http.Request) bool {
			signedIn = append(signedIn, r.Header.Get("Cookie") != "")
			return r.Header.Get("Cookie") != ""
		},
		Routes: []server.Route{{Pattern: "/api/blog", Methods: []string{"GET", "POST"}, Name: "posts", MaxBody: 4, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		})}},
	}).Handler()
	for _, row := range []struct {
		method, body string
		want         int
	}{{"GET", "", 200}, {"POST", "four", 200}, {"POST", "fiver", 413}, {"DELETE", "", 405}} {
		r := httptest.NewRequest(row.method, "/api/blog", strings.NewReader(row.body))
		r.Header.Set("Cookie", "session=1")
		res := httptest.NewRecorder()
		h2.ServeHTTP(res, r)
		if res.Code != row.want || row.want == 405 && res.Header().Get("Allow") != "GET, POST" {
			t.Errorf("%s %q: %d, Allow %q, want %d", row.method, row.body, res.Code, res.Header().Get("Allow"), row.want)
		}
	}
	if len(signedIn) != 4 || !signedIn[0] {
		t.Errorf("sessions: %v", signedIn)
	}
	if n := counts(t, reg)["freshet_server_requests_total 200 posts"]; n != 2 {
		t.Errorf("requests by the route's name: %v", counts(t, reg))
	}
	if res := get(h, "/panic"); res.Code != 500 || strings.Contains(res.Body.String(), "mistake") {
		t.Errorf("a panic: %d %q", res.Code, res.Body)
	}
}

// TestRouteClasses: each route has the rate class of its path, and its name in metrics whoever answers. A session opens the security routes
// while the kill switch closes the API.
func TestRouteClasses(t *testing.T) {
	g := newGuard(t, guard.Config{Limits: guard.Limits{Search: limit.Rate{Requests: 1, Window: time.Hour}}})
	reg := prometheus.NewRegistry()
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := newServer(t, server.Config{
		Site: serving(built()), Metrics: reg, Guard: g, Session: func(r *http.Request) bool { return r.Header.Get("Cookie") == "session=1" },
		Routes: []server.Route{
			{Pattern: "/api/search", Name: "search", Handler: done}, {Pattern: "/api/auth/", Name: "auth", Handler: done},
			{Pattern: "/api/security/", Name: "security", Handler: done},
		},
	}).Handler()
	ask := func(target string, want int, header ...string) {
		t.Helper()
		if res := get(h, target, header...); res.Code != want {
			t.Errorf("GET %s %q = %d %s, want %d", target, header, res.Code, res.Body, want)
		}
	}
	ask("/api/search", 204)
	ask("/api/search", 429)
	ask("/api/auth/session", 204)
	ask("/api/security/kill-switch", 204)
	for series, want := range map[string]float64{
		"freshet_server_requests_total 204 search": 1, "freshet_server_requests_total 204 auth": 1, "freshet_server_requests_total 204 security": 1,
	} {
		if got := counts(t, reg); got[series] != want {
			t.Errorf("%s = %v, want %v, in %v", series, got[series], want, got)
		}
	}
	if err := g.Kill(guard.Kill{Cover: guard.CoverAPI, By: "asha"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	ask("/api/security/kill-switch", 503)
	ask("/api/security/kill-switch", 503, "Cookie", "session=2")
	ask("/api/security/kill-switch", 204, "Cookie", "session=1")
}

func TestAccessRecord(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out})
	h := newServer(t, server.Config{Site: serving(built()), Access: log, Hosts: hosts(t, "example.com")}).Handler()
	last := func() map[string]any {
		t.Helper()
		log.Flush()
		var rec map[string]any
		if err := json.Unmarshal(out.Bytes(), &rec); err != nil {
			t.Fatalf("%v in %s", err, out.Bytes())
		}
		out.Reset()
		return rec
	}
	res := get(h, "/blog/rivers/?token=secret", "Accept-Encoding", "br", "User-Agent", "curl/8")
	log.Flush()
	if strings.Contains(out.String(), "secret") {
		t.Errorf("record = %s, want no query", out.Bytes())
	}
	rec := last()
	for name, want := range map[string]any{
		"msg": "request", "method": "GET", "path": "/blog/rivers/", "status": 200.0, "bytes": float64(res.Body.Len()),
		"request_id": res.Header().Get("X-Request-Id"), "cache": "HIT", "generation": 7.0, "encoding": "br", "addr": "192.0.2.1",
		"client": "192.0.2.1", "user_agent": "curl/8", "rule": nil,
	} {
		if rec[name] != want {
			t.Errorf("%s = %v, want %v", name, rec[name], want)
		}
	}
	if _, ok := rec["duration_us"]; !ok {
		t.Errorf("record = %v, want a duration", rec)
	}
	for target, want := range map[string]float64{"/none": 404, "/old/": 301} {
		get(h, target)
		if rec := last(); rec["status"] != want {
			t.Errorf("%s: record %v, want status %v", target, rec, want)
		}
	}
	get(h, "http://other.example/")
	if rec := last(); rec["status"] != 421.0 || rec["rule"] != "misdirected" {
		t.Errorf("another host: record %v", rec)
	}
}

// Run tells probes first, finishes what is under way, and returns nil.
func TestDrain(t *testing.T) {
	under, finish := make(chan struct{}), make(chan struct{})
	s := newServer(t, server.Config{
		Site: serving(built()), Dev: new(server.DevEvents), DrainDelay: 10 * time.Millisecond,
		Routes: handlers{"/slow": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(under)
			<-finish
			_, _ = io.WriteString(w, "finished")
		})}.routes(),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx, ln) }()
	slow := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String() + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		slow <- string(b)
	}()
	<-under
	// A stream that never ends by itself must not hold the drain up.
	events, err := http.Get("http://" + ln.Addr().String() + server.DevPath)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if res := get(s.Handler(), "/readyz"); res.Code != 200 {
		t.Errorf("readyz before: %d", res.Code)
	}
	cancel()
	for get(s.Handler(), "/readyz").Code == 200 { // Run hears of the end in its own time
		runtime.Gosched()
	}
	if res := get(s.Handler(), "/readyz"); res.Code != 503 || !strings.Contains(res.Body.String(), "draining") {
		t.Errorf("readyz while draining: %d %s", res.Code, res.Body)
	}
	if res := get(s.Handler(), "/livez"); res.Code != 200 {
		t.Errorf("livez while draining: %d", res.Code)
	}
	close(finish)
	if got := <-slow; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener still takes connections")
	}
}

// Who has connected before the last connection is taken is heard: net/http would drop a request that it reads later, and closing
// the listener would end a handshake.
func TestDrainHears(t *testing.T) {
	for name, speak := range map[string]*tls.Config{"plain": nil, "TLS": newCertificate(t)} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, server.Config{Site: serving(built()), TLS: speak, DrainDelay: time.Millisecond})
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ran := make(chan error, 1)
			go func() { ran <- s.Run(ctx, ln) }()
			ask := func(conn net.Conn) {
				t.Helper()
				if speak != nil {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(conn)
				if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
					t.Errorf("%q, %v", answer, err)
				}
			}
			early, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer early.Close()
			late, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer late.Close()
			ask(late) // so both were taken
			cancel()
			for {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					break
				}
				conn.Close()
			}
			ask(early)
			if err := <-ran; err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}

// A drain that takes longer is left to who waits for it, and goes on.
func TestLeave(t *testing.T) {
	left, finish := make(chan (<-chan struct{})), make(chan struct{})
	s := newServer(t, server.Config{
		Site: serving(built()),
		Routes: handlers{"/slow": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			<-finish
			_, _ = io.WriteString(w, "finished")
		})}.routes(),
		Leave: func(drained <-chan struct{}) { left <- drained },
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx, ln) }()
	res, err := http.Get("http://" + ln.Addr().String() + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	cancel()
	drained := <-left
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
	select {
	case <-drained:
		t.Error("it says that it has drained, with a request under way")
	default:
	}
	close(finish)
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "finished" {
		t.Errorf("the request under way got %q, %v", body, err)
	}
	<-drained
}

func TestRunFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := newServer(t, server.Config{Site: new(swap)}).Run(t.Context(), ln); err == nil {
		t.Error("Run on a closed listener = nil")
	}
}
