package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/guard"
)

// A discard is a ResponseWriter that keeps nothing but its header map, as net/http's does while a connection lasts.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func (d *discard) WriteHeader(int) {}

// BenchmarkGetAll answers from memory with everything on: hosts, proxies, guard, metrics and the access log.
func BenchmarkGetAll(b *testing.B) {
	names, err := web.ParseHosts([]string{"example.com"})
	if err != nil {
		b.Fatal(err)
	}
	trusted, err := web.ParseProxies([]string{"192.0.2.1", "cloudflare"})
	if err != nil {
		b.Fatal(err)
	}
	access := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: io.Discard})
	s, err := server.New(server.Config{
		Site: serving(built()), Hosts: names, Proxies: trusted, Access: access, Metrics: prometheus.NewRegistry(), Guard: newGuard(b, guard.Config{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	h := s.Handler()
	r := httptest.NewRequest(http.MethodGet, "/blog/rivers/", nil)
	r.Header = http.Header{
		"Accept-Encoding": {"gzip, deflate, br, zstd"}, "X-Forwarded-For": {"203.0.113.7"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	}
	w := &discard{make(http.Header)}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
		if n++; n%200 == 0 {
			access.Flush()
		}
	}
}

// BenchmarkGet answers from memory, through the whole handler, with the log off.
func BenchmarkGet(b *testing.B) {
	s, err := server.New(server.Config{Site: serving(built())})
	if err != nil {
		b.Fatal(err)
	}
	h := s.Handler()
	for _, row := range []struct {
		name, target string
		headers      http.Header
	}{
		{"plain", "/blog/rivers/", nil},
		{"gzip", "/blog/rivers/", http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}}},
		{"condition", "/blog/rivers/", http.Header{"If-None-Match": {`W/"0123456789abcdef"`}}},
		{"asset", "/assets/style.0123456789abcdef.css", nil},
		{"missing", "/nothing/", nil},
		{"canonical", "/blog/rivers", nil},
	} {
		b.Run(row.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, row.target, nil)
			if row.headers != nil {
				r.Header = row.headers
			}
			w := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
