package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/site"
	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
)

// isShort reports whether an answer was made without net/http, which sorts headers.
func isShort(raw []byte) bool {
	_, head, _ := bytes.Cut(raw, []byte("\r\n"))
	return bytes.HasPrefix(head, []byte("X-Request-Id: "))
}

// TestPlain sends each request twice: as the first of a connection, and behind one that net/http has answered, which then has the
// connection. Both are answered, logged, counted and judged alike; those that are meant to be answered without net/http are.
func TestPlain(t *testing.T) {
	trusted, err := web.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	often := limit.Rate{Requests: 1_000_000, Window: time.Minute}
	g := newGuard(t, guard.Config{Limits: guard.Limits{Page: often}})
	if _, err := g.Ban(netip.MustParsePrefix("203.0.113.66/32"), bans.All, time.Now().Add(time.Hour), "a test", "for it", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*web.Proxies{nil, trusted} {
		var out bytes.Buffer
		access := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out})
		reg := prometheus.NewRegistry()
		srv := newServer(t, server.Config{
			Site: serving(built()), Hosts: hosts(t, "freshet.test"), Proxies: p, Guard: g, Access: access, Metrics: reg,
			Routes: handlers{"/api/feed": http.NotFoundHandler()}.routes(),
		})
		addr := listening(t, srv)
		for _, target := range []string{"/", "/blog/rivers/", "/small/", "/blog/नदी/", "/gone/", "/nothing/"} {
			for _, coding := range []string{"", "gzip", "br", "gzip;q=1, *;q=0"} {
				get(srv.Handler(), "http://freshet.test"+target, "Accept-Encoding", coding) // from now on in memory
			}
		}
		etag := get(srv.Handler(), "http://freshet.test/blog/rivers/").Header().Get("Etag")
		access.Flush()
		for _, row := range []struct {
			name, line string
			headers    []string
			short      bool
		}{
			{"page", "GET /blog/rivers/", nil, true},
			{"list", "GET /", nil, true},
			{"query", "GET /blog/rivers/?utm_source=x&y", nil, true},
			{"empty query", "GET /blog/rivers/?", nil, true},
			{"escaped", "GET /blog/%E0%A4%A8%E0%A4%A6%E0%A5%80/", nil, true},
			{"unescaped", "GET /blog/नदी/", nil, true},
			{"needlessly escaped", "GET /blog/%72ivers/", nil, true},
			{"a browser's", "GET /blog/rivers/", []string{"User-Agent: Mozilla/5.0", "Accept: text/html,*/*;q=0.8", "Accept-Language: hi,en;q=0.5",
				"Accept-Encoding: gzip, deflate, br, zstd", "Connection: keep-alive", "Cookie: a=b", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Site: none",
				"Cache-Control: max-age=0", "Referer: https://a.example/"}, true},
			{"too small to encode", "GET /small/", []string{"Accept-Encoding: br"}, true},
			{"plain form refused", "GET /blog/rivers/", []string{"Accept-Encoding: gzip;q=1, *;q=0"}, true},
			{"nothing acceptable", "GET /blog/rivers/", []string{"Accept-Encoding: *;q=0"}, true},
			{"known", "GET /blog/rivers/", []string{"If-None-Match: " + etag}, true},
			{"known, weakly", "GET /blog/rivers/", []string{`If-None-Match: "x", W/` + etag}, true},
			{"old", "GET /blog/rivers/", []string{"If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT"}, true},
			{"conditions twice", "GET /blog/rivers/", []string{`If-None-Match: "x"`, "If-None-Match: " + etag}, false},
			{"through a proxy", "GET /blog/rivers/", []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.7", "X-Forwarded-Proto: https", "X-Request-Id: proxy-made-id"}, true},
			{"through two proxies", "GET /blog/rivers/", []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 127.0.0.2"}, false},
			{"Forwarded", "GET /blog/rivers/", []string{`Forwarded: for="[2001:db8::7]";proto=https`}, true},
			{"banned", "GET /blog/rivers/", []string{"X-Forwarded-For: 203.0.113.66", "Accept: text/html"}, true},
			{"banned program", "GET /blog/rivers/", []string{"X-Forwarded-For: 203.0.113.66"}, true},
			{"banned elsewhere", "GET /nothing/", []string{"X-Forwarded-For: 203.0.113.66"}, true},
			{"HEAD", "HEAD /blog/rivers/", nil, true},
			{"part", "GET /blog/rivers/", []string{"Range: bytes=0-9"}, false},
			{"If-Match", "GET /blog/rivers/", []string{"If-Match: " + etag}, false},
			{"If-Unmodified-Since", "GET /blog/rivers/", []string{"If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT"}, false},
			{"close", "GET /blog/rivers/", []string{"Connection: close"}, true},
			{"upgrade", "GET /blog/rivers/", []string{"Connection: Upgrade", "Upgrade: h2c"}, false},
			{"length", "GET /blog/rivers/", []string{"Content-Length: 0"}, false},
			{"absolute", "GET http://freshet.test/blog/rivers/", nil, false},
			{"another host", "GET /blog/rivers/", []string{"Host: evil.example"}, true},
			{"another spelling", "GET /blog/rivers", nil, true},
			{"encoded slash", "GET /blog%2frivers/", nil, true},
			{"twice escaped", "GET /blog/%2572ivers/", nil, true},
			{"moved", "GET /old/", nil, true},
			{"gone", "GET /gone/", nil, true},
			{"unknown", "GET /nothing/", nil, true},
			{"the 404 page", "GET /404.html", nil, true},
			{"_redirects", "GET /_redirects", nil, true},
			{"a route of others", "GET /api/feed", nil, false},
			{"a probe", "GET /readyz", nil, false},
		} {
			name := fmt.Sprintf("%s, proxies %v", row.name, p != nil)
			raw := row.line + " HTTP/1.1\r\n"
			if !strings.Contains(strings.Join(row.headers, "\n"), "Host: ") {
				raw += "Host: freshet.test\r\n"
			}
			for _, h := range row.headers {
				raw += h + "\r\n"
			}
			raw += "\r\n"
			type trace struct {
				Answer []string
				Judged map[string]uint64 // requests by rule and class, and by what sent them
				Record map[string]any
				Counts map[string]float64
			}
			traced := func(behind bool) (tr trace, short bool) {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				seen := new(bytes.Buffer)
				br := bufio.NewReader(conn)
				if behind {
					if err := greet(conn, br); err != nil {
						t.Fatal(err)
					}
				}
				settled(t, reg)
				access.Flush()
				out.Reset()
				before, judgedBefore := counts(t, reg), judged(g)
				if _, err := io.WriteString(conn, raw); err != nil {
					t.Fatal(err)
				}
				method, _, _ := strings.Cut(row.line, " ")
				res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(br, seen)), &http.Request{Method: method})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				settled(t, reg)
				access.Flush()
				tr.Answer = (&answer{res.StatusCode, res.Header, string(body)}).lasting()
				if err := json.Unmarshal(bytes.TrimSpace(out.Bytes()), &tr.Record); err != nil {
					t.Errorf("%s: record %s: %v", name, out.Bytes(), err)
				}
				for _, moving := range []string{"time", "duration_us", "request_id"} {
					if row.headers == nil || p == nil || !strings.Contains(raw, "proxy-made-id") || moving != "request_id" {
						delete(tr.Record, moving)
					}
				}
				tr.Counts = counts(t, reg)
				for k, v := range before {
					if tr.Counts[k] -= v; tr.Counts[k] == 0 {
						delete(tr.Counts, k)
					}
				}
				tr.Judged = judged(g)
				for k, v := range judgedBefore {
					if tr.Judged[k] -= v; tr.Judged[k] == 0 {
						delete(tr.Judged, k)
					}
				}
				return tr, isShort(seen.Bytes())
			}
			want, short := traced(true)
			if short {
				t.Errorf("%s: it took the short way behind what net/http answered", name)
			}
			got, short := traced(false)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-net/http +short way):\n%s", name, diff)
			}
			if short != row.short {
				t.Errorf("%s: took the short way: %v, want %v", name, short, row.short)
			}
		}
	}
}

// judged is what a guard has counted.
func judged(g *guard.Guard) map[string]uint64 {
	s := g.Stats(time.Now())
	out := maps.Clone(s.Kinds)
	for _, c := range s.Decisions {
		out[c.Rule+" "+c.Class+" "+c.Outcome] = c.N
	}
	return out
}

// counts are the values of a registry's counters, and how many observations its histograms have.
func counts(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			case m.GetHistogram() != nil:
				out[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return out
}

// settled waits until no request is under way, so that all have been counted and logged.
func settled(t *testing.T, reg *prometheus.Registry) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "freshet_server_requests_in_flight" && f.GetMetric()[0].GetGauge().GetValue() == 0 {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("a request is under way for 20 s")
		}
	}
}

// listening runs a server on loopback until the test ends.
func listening(t *testing.T, srv *server.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return ln.Addr().String()
}

// A narrow listener's connections hold little of what their clients have not read.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	return c, err
}

// TestPlainDrain: a reader whose page is on its way when the server is told to stop gets all of it, unless that takes
// longer than a drain may; then it is said.
func TestPlainDrain(t *testing.T) {
	for _, reads := range []bool{true, false} {
		t.Run(fmt.Sprintf("reads %v", reads), func(t *testing.T) {
			g := built()
			large := page("Large", 250<<10) // more than the buffers between a server and a reader who does not read yet
			g.put("/large/", site.KindPage, htmlType, large)
			var log, records bytes.Buffer
			access := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &records})
			cfg := server.Config{Site: serving(g), Access: access, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			if !reads {
				cfg.DrainTimeout = 100 * time.Millisecond
			}
			srv := newServer(t, cfg)
			if res := get(srv.Handler(), "/large/"); res.Code != 200 {
				t.Fatal(res.Code)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- srv.Run(ctx, narrow{ln}) }()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
				t.Fatal(err)
			}
			seen := new(bytes.Buffer)
			br := bufio.NewReader(io.TeeReader(conn, seen))
			if _, err := io.WriteString(conn, "GET /large/ HTTP/1.1\r\nHost: freshet.test\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(br, nil)
			if err != nil || !isShort(seen.Bytes()) {
				t.Fatalf("%v; took the short way: %v", err, isShort(seen.Bytes()))
			}
			cancel()
			if reads {
				select {
				case err := <-done:
					t.Fatalf("Run = %v while a page is on its way", err)
				case <-time.After(100 * time.Millisecond): // it has had time to be wrong
				}
				body, err := io.ReadAll(res.Body)
				if err != nil || string(body) != large {
					t.Errorf("got %d of %d bytes: %v", len(body), len(large), err)
				}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if said := strings.Contains(log.String(), "requests were cut off"); said == reads {
				t.Errorf("said that requests were cut off: %v\n%s", said, log.String())
			}
			if !strings.Contains(records.String(), `"path":"/large/"`) || strings.Count(records.String(), "\n") != 2 {
				t.Errorf("records:\n%s", records.String())
			}
		})
	}
}

// TestPlainPanic: what panics without net/http or with it is a 500, and told, and the connection goes on.
func TestPlainPanic(t *testing.T) {
	for name, at := range map[string]func(*server.Server, *atomic.Bool){
		"before the guard": func(_ *server.Server, early *atomic.Bool) { early.Store(true) },
		"after it":         func(s *server.Server, _ *atomic.Bool) { s.BreakOutcomes() },
	} {
		for _, behind := range []bool{false, true} {
			t.Run(fmt.Sprint(name, behind), func(t *testing.T) { testPanic(t, at, behind) })
		}
	}
}

func testPanic(t *testing.T, at func(*server.Server, *atomic.Bool), behind bool) {
	var log bytes.Buffer
	var early atomic.Bool
	site := panicking{serving(built()), &early}
	srv := newServer(t, server.Config{Site: site, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	get(srv.Handler(), "/small/")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at(srv, &early)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	br := bufio.NewReader(conn)
	if behind {
		if err := greet(conn, br); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := io.WriteString(conn, "GET /small/ HTTP/1.1\r\nHost: freshet.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 500 || res.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(body), "mistake") {
			t.Errorf("%d %v %q, %v, want 500", res.StatusCode, res.Header, body, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "handler panicked") {
		t.Errorf("not told:\n%s", log.String())
	}
}

// A panicking site panics where it is asked for its generation by the handlers of pages.
type panicking struct {
	server.Site
	now *atomic.Bool
}

func (p panicking) Current() server.Generation {
	if p.now.Load() {
		panic("our mistake")
	}
	return p.Site.Current()
}
