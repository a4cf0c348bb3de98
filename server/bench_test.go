package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"freshet/server"
)

// A discard is a ResponseWriter that keeps nothing but its header map, as net/http's does while a connection lasts.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func (d *discard) WriteHeader(int) {}

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
