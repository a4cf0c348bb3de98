package server_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/diag"
	"freshet/server"
)

// A stream is a ResponseWriter that can be read while it is written to.
type stream struct {
	mu     sync.Mutex
	header http.Header
	buf    bytes.Buffer
	code   int
}

func (s *stream) Header() http.Header { return s.header }

func (s *stream) WriteHeader(code int) { s.code = code }

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *stream) Flush() {}

// next returns what was written since it was last called.
func (s *stream) next() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.buf.Reset()
	return s.buf.String()
}

// listen begins a stream; it ends with ctx.
func listen(ctx context.Context, d *server.DevEvents) *stream {
	s := &stream{header: make(http.Header)}
	go d.ServeHTTP(s, httptest.NewRequestWithContext(ctx, http.MethodGet, server.DevPath, nil))
	return s
}

func TestDevEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := new(server.DevEvents)
		want := func(s *stream, text string) {
			t.Helper()
			if got := s.next(); got != text {
				t.Errorf("stream = %q, want %q", got, text)
			}
		}
		const problem = `event: problems` + "\n" + `data: [{"severity":"error","file":"a.md","line":3,"message":"bad\nthing"}]` + "\n\n"
		a := listen(ctx, d)
		want(a, "retry: 500\n\n")
		d.Problems(nil) // there were none
		want(a, "")
		d.Problems([]diag.Problem{{Severity: diag.Error, File: "a.md", Line: 3, Message: "bad\nthing"}})
		want(a, problem)
		b := listen(ctx, d)
		want(b, "retry: 500\n\n"+problem)
		d.Reload()
		want(a, "event: reload\ndata: {}\n\n")
		want(b, "event: reload\ndata: {}\n\n")
		d.Problems(nil)
		want(a, "event: problems\ndata: []\n\n")
		want(b, "event: problems\ndata: []\n\n")
		time.Sleep(15 * time.Second)
		want(a, ": alive\n\n")
		if ct := a.header.Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("Content-Type = %q", ct)
		}
		cancel()
		synctest.Wait()

		// A page that does not read holds nobody up, and finds each event once.
		c := listen(t.Context(), d)
		want(c, "retry: 500\n\n")
		c.mu.Lock()
		for range 1000 {
			d.Reload()
		}
		c.mu.Unlock()
		if got := c.next(); len(got) > 100 {
			t.Errorf("a slow page was sent %d bytes", len(got))
		}
		d.Close()
		synctest.Wait()
		if late := listen(t.Context(), d); late.next() == "" || late.code != http.StatusServiceUnavailable {
			t.Errorf("after Close: %d, want 503", late.code)
		}
	})
}

func TestDevEventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := new(server.DevEvents)
		refused := 0
		var streams []*stream
		for range 100 {
			streams = append(streams, listen(ctx, d))
		}
		synctest.Wait()
		for _, s := range streams {
			if s.code == http.StatusServiceUnavailable {
				refused++
			}
		}
		if refused != 100-64 {
			t.Errorf("%d of 100 pages were refused, want 36", refused)
		}
		cancel()
		synctest.Wait()
		again, stop := context.WithCancel(t.Context())
		if s := listen(again, d); s.next() != "retry: 500\n\n" {
			t.Error("pages that went away keep their place")
		}
		stop()
	})
}
