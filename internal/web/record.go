package web

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"
)

// RecordConfig says what Record does.
type RecordConfig struct {
	Proxies *Proxies                       // whose word about clients and request ids is taken; nil: nobody's
	Done    func(*Response, *http.Request) // not nil: is told of every request that is over
}

// Record gives each request its [Response], with its id and its client, and tells when it is over. It must run first.
// The id is our own, except where a trusted proxy sends one in X-Request-Id.
func Record(cfg RecordConfig) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &Response{ResponseWriter: w, head: r.Method == http.MethodHead}
			id := ""
			if ids := r.Header["X-Request-Id"]; len(ids) == 1 {
				id = ids[0]
			}
			rec.Begin(time.Now(), cfg.Proxies.Client(r), id)
			w.Header()["X-Request-Id"] = rec.id[:]
			if cfg.Done != nil {
				// Also when the handler panics to abort the connection: that request was a request.
				defer cfg.Done(rec, r)
			}
			next.ServeHTTP(rec, r)
		})
	}
}

// Clip bounds what somebody else's text puts into a log line or a file, to so many bytes and a mark, and keeps that valid
// UTF-8.
func Clip(s string, most int) string {
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Recover turns a panic into an error for the log and a 500 for the reader, or cuts the connection when part of the
// answer is already out. http.ErrAbortHandler passes through.
func Recover(log *slog.Logger) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if v == http.ErrAbortHandler {
					panic(v)
				}
				log.Error("handler panicked", "request_id", RequestID(w), "path", Clip(r.URL.Path, 512),
					"panic", v, "stack", string(debug.Stack()))
				if rec := ResponseOf(w); rec != nil && rec.Status != 0 {
					panic(http.ErrAbortHandler)
				}
				WriteError(w, r, &Error{Status: http.StatusInternalServerError})
			}()
			next.ServeHTTP(w, r)
		})
	}
}
