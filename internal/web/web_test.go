package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"freshet/internal/web"
)

func TestChainRunsInOrder(t *testing.T) {
	var ran []string
	named := func(name string) web.Middleware {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ran = append(ran, name)
				next.ServeHTTP(w, r)
			})
		}
	}
	last := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = append(ran, "handler") })
	h := web.Chain(last, named("first"), named("second"))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got := strings.Join(ran, " "); got != "first second handler" {
		t.Errorf("ran %s, want first second handler", got)
	}
}

func TestHandle(t *testing.T) {
	cause := errors.New("dial 10.0.0.1: refused")
	for _, row := range []struct {
		name   string
		err    error
		path   string
		accept string
		code   int
		body   string // that it must hold
		logged bool
	}{
		{"plain error", cause, "/", "", 500, `"error":"Internal Server Error"`, true},
		{"wrapped", fmt.Errorf("x: %w", &web.Error{Status: 403, Message: "not yours", Err: cause}), "/", "", 403, `"detail":"not yours"`, false},
		{"html", &web.Error{Status: 404, Message: "no <b> page"}, "/", "text/html", 404, "<p>no &lt;b&gt; page.</p>", false},
		{"api", &web.Error{Status: 404}, "/api/x", "text/html", 404, `"status":404`, false},
		{"unavailable", &web.Error{Status: 503, RetryAfter: time.Second / 2, Err: cause}, "/", "", 503, `"status":503`, true},
		{"unavailable on purpose", &web.Error{Status: 503, RetryAfter: time.Second}, "/", "", 503, `"status":503`, false},
	} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		h := web.Chain(web.Handle(logger, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Cdn-Cache-Control", "max-age=60")
			w.Header().Set("Etag", `"page"`)
			return row.err
		}), web.Record(web.RecordConfig{}), web.Recover(logger))
		r := httptest.NewRequest("GET", row.path, nil)
		r.Header.Set("Accept", row.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		id := w.Header().Get("X-Request-Id")
		if w.Code != row.code || !strings.Contains(w.Body.String(), row.body) || !strings.Contains(w.Body.String(), id) || id == "" {
			t.Errorf("%s: %d %s, want %d with %s and the id %s", row.name, w.Code, w.Body, row.code, row.body, id)
		}
		if got := w.Header().Get("Retry-After"); (got == "1") != (strings.HasPrefix(row.name, "unavailable")) {
			t.Errorf("%s: Retry-After = %q", row.name, got)
		}
		if strings.Contains(w.Body.String(), "10.0.0.1") {
			t.Errorf("%s: the reader is told the cause: %s", row.name, w.Body)
		}
		if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Cdn-Cache-Control") != "" || h.Get("Etag") != "" {
			t.Errorf("%s: an error that can be cached: %v", row.name, h)
		}
		if got := strings.Contains(log.String(), "10.0.0.1") && strings.Contains(log.String(), id); got != row.logged {
			t.Errorf("%s: logged = %v, want %v: %s", row.name, got, row.logged, log.String())
		}
	}
}

// Half an answer must not look like a whole one: the connection is cut.
func TestErrorsAfterTheFirstByte(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, h := range map[string]http.Handler{
		"error": web.Handle(log, func(w http.ResponseWriter, r *http.Request) error {
			_, _ = io.WriteString(w, "half")
			return errors.New("the rest is missing")
		}),
		"panic": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("the rest is missing")
		}),
	} {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("%s: panic %v, want http.ErrAbortHandler", name, v)
				}
			}()
			web.Chain(h, web.Record(web.RecordConfig{}), web.Recover(log)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
	}
}

// What handlers note is bounded; what was sent is known when a request is over, however it ends.
func TestRecord(t *testing.T) {
	var got *web.Response
	h := web.Record(web.RecordConfig{Done: func(res *web.Response, _ *http.Request) { got = res }})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range 10 {
				web.ResponseOf(w).Note(slog.Int("note", i))
			}
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short and stout")
			if r.Method == "BREW" {
				panic(http.ErrAbortHandler)
			}
		}))
	for method, bytes := range map[string]int64{"GET": 15, "HEAD": 0, "BREW": 15} {
		got = nil
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/", nil))
		}()
		if got == nil || got.Status != 418 || got.Bytes != bytes || len(got.Notes()) != 4 || got.Client.Addr.String() != "192.0.2.1" {
			t.Errorf("%s: record %+v", method, got)
		}
	}
}

// An id is taken over from a trusted proxy alone, and only where it can stand in a header and a log as it is.
func TestRequestID(t *testing.T) {
	trusted, err := web.ParseProxies([]string{"192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		proxies *web.Proxies
		sent    []string
		kept    bool
	}{
		{trusted, []string{"7f3c9a1e-0b52-4d7e-9c41-2f6a8d0e5b13"}, true},
		{trusted, []string{"Root_1.67891233"}, true},
		{nil, []string{"7f3c9a1e-0b52-4d7e-9c41-2f6a8d0e5b13"}, false},
		{trusted, []string{"short"}, false},
		{trusted, []string{strings.Repeat("a", 65)}, false},
		{trusted, []string{"7f3c9a1e 0b52"}, false},
		{trusted, []string{"7f3c9a1e<b>0b52"}, false},
		{trusted, []string{"7f3c9a1eé"}, false},
		{trusted, []string{"7f3c9a1e-0b52", "7f3c9a1e-0b53"}, false},
		{trusted, nil, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Request-Id"] = row.sent
		w := httptest.NewRecorder()
		web.Record(web.RecordConfig{Proxies: row.proxies})(http.NotFoundHandler()).ServeHTTP(w, r)
		id := w.Header().Get("X-Request-Id")
		if kept := len(row.sent) > 0 && id == row.sent[0]; kept != row.kept || len(id) < 8 {
			t.Errorf("X-Request-Id %q from a proxy that is trusted: %v: id %q", row.sent, row.proxies != nil, id)
		}
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	h := web.Record(web.RecordConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[web.RequestID(w)] = true
	}))
	for range 1000 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	if len(seen) != 1000 {
		t.Errorf("%d ids for 1000 requests", len(seen))
	}
	if id := web.RequestID(httptest.NewRecorder()); id != "" {
		t.Errorf("RequestID outside of Record = %q", id)
	}
}

func TestEncodeTag(t *testing.T) {
	for key, want := range map[string]string{
		"blog:rivers": "blog:rivers", "list:*": "list:*", "tag:a b": "tag:a%20b", "tag:a,b": "tag:a%2Cb", "a%20b": "a%2520b",
		"tag:नदी": "tag:%E0%A4%A8%E0%A4%A6%E0%A5%80", "x\r\nSet-Cookie: y": "x%0D%0ASet-Cookie:%20y", "": "",
	} {
		if got := web.EncodeTag(key); got != want {
			t.Errorf("EncodeTag(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestJoinTags(t *testing.T) {
	long := strings.Repeat("k", 2000)
	for _, row := range []struct {
		keys []string
		most int
		want string
	}{
		{nil, 100, ""},
		{[]string{"a", "", "b"}, 100, "a, b"},
		{[]string{"aaaaaaaaaa", "bbbbbbbbbb", "c"}, 24, "aaaaaaaaaa, overflow"},
		{[]string{"aaaaaaaaaa"}, 12, "overflow"},
		{[]string{"a", long, "b"}, 10000, "a, overflow"},
	} {
		if got := web.JoinTags(row.keys, ", ", row.most); got != row.want {
			t.Errorf("JoinTags(%.40q, %d) = %q, want %q", row.keys, row.most, got, row.want)
		}
	}
}
