package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Error is an error with an answer: a status and a message that is safe for the reader. Err is the cause, for
// the log only.
type Error struct {
	Status     int
	Message    string        // for the reader: one sentence without a full stop; empty: the status text
	RetryAfter time.Duration // not zero: the answer carries Retry-After, in whole seconds, rounded up
	Allow      string        // not empty: the Allow header of a 405
	Close      bool          // close the connection after the answer
	Err        error
}

// Error is for the log: status, message, cause.
func (e *Error) Error() string {
	msg := e.Message
	if msg == "" {
		msg = strings.ToLower(http.StatusText(e.Status))
	}
	if e.Err != nil {
		return fmt.Sprintf("%d %s: %v", e.Status, msg, e.Err)
	}
	return fmt.Sprintf("%d %s", e.Status, msg)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A HandlerFunc answers a request or returns why it did not. After an error nothing may have been written.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle makes an http.Handler of h. An error that is not an [*Error] is a 500. Errors of 500 and above are logged
// here, once; others are mistakes of clients and are only in the access record.
func Handle(log *slog.Logger, h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok {
			e = &Error{Status: http.StatusInternalServerError, Err: err}
		}
		if e.Status >= 500 && e.Err != nil {
			log.Error("request failed", "request_id", RequestID(w), "path", Clip(r.URL.Path, 512), "status", e.Status,
				"error", err)
		}
		if rec := ResponseOf(w); rec != nil && rec.Status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		WriteError(w, r, e)
	})
}

// problem is application/problem+json (RFC 9457) with two members of our own.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Error     string `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

// WriteError answers with e: a short page for who asked for HTML, application/problem+json for all others. It is
// never cached and carries the request id.
func WriteError(w http.ResponseWriter, r *http.Request, e *Error) {
	id, title := RequestID(w), http.StatusText(e.Status)
	msg := e.Message
	if msg == "" {
		msg = title
	}
	h := w.Header()
	for _, name := range []string{
		"Etag", "Last-Modified", "Content-Encoding", "Content-Range", "Accept-Ranges", "Cdn-Cache-Control", "Cache-Tag",
		"Surrogate-Key", "Cache-Status", "Vary",
	} {
		delete(h, name)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
	if e.Close {
		h.Set("Connection", "close")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	var body []byte
	if WantsHTML(r) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		body = fmt.Appendf(nil, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"+
			"<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<h1>%[1]s</h1>\n", title)
		if msg != title {
			body = fmt.Appendf(body, "<p>%s.</p>\n", html.EscapeString(msg))
		}
		if id != "" {
			body = fmt.Appendf(body, "<p>Request %s</p>\n", id)
		}
		body = append(body, "</html>\n"...)
	} else {
		h.Set("Content-Type", "application/problem+json")
		p := problem{Type: "about:blank", Title: title, Status: e.Status, Error: msg, RequestID: id}
		if msg != title {
			p.Detail = msg
		}
		body, _ = json.Marshal(p) // strings and a number: cannot fail
		body = append(body, '\n')
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // a reader who has gone needs no answer
}

// WantsHTML reports whether r comes from somebody who reads pages: it names text/html in Accept and does not ask
// under /api/.
func WantsHTML(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	for _, v := range r.Header["Accept"] {
		if strings.Contains(v, "text/html") {
			return true
		}
	}
	return false
}
