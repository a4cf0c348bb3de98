package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// Record gives each request its id and [Response], and writes one access record at level Info when it is done. It
// costs next to nothing when that level is off. It must run first.
func Record(log *slog.Logger) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &Response{ResponseWriter: w, head: r.Method == http.MethodHead}
			rec.id[0] = newID()
			w.Header()["X-Request-Id"] = rec.id[:]
			if !log.Enabled(context.Background(), slog.LevelInfo) {
				next.ServeHTTP(rec, r)
				return
			}
			rec.Start = time.Now()
			// Also when the handler panics to abort the connection: that request was a request.
			defer rec.log(log, r)
			next.ServeHTTP(rec, r)
		})
	}
}

func (w *Response) log(log *slog.Logger, r *http.Request) {
	addr, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		addr = r.RemoteAddr
	}
	attrs := [8 + maxNotes]slog.Attr{
		slog.String("request_id", w.ID()),
		slog.String("method", clip(r.Method, 16)),
		slog.String("path", clip(r.URL.Path, 512)),
		slog.Int("status", w.Status),
		slog.Int64("bytes", w.Bytes),
		slog.Int64("duration_us", time.Since(w.Start).Microseconds()),
		slog.String("addr", addr),
	}
	n := 7 + copy(attrs[7:], w.notes[:w.n])
	log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs[:n]...)
}

// clip bounds what a request can put into a log line, and keeps that line valid UTF-8.
func clip(s string, most int) string {
	if len(s) > most {
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
				log.Error("handler panicked", "request_id", RequestID(w), "path", clip(r.URL.Path, 512),
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
