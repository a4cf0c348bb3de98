package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/internal/wire"
)

// allowed are the methods that pages take.
const allowed = "GET, HEAD, OPTIONS"

// page answers a request for a page: HTTP around pages.answer.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		if err := ignoreBody(r); err != nil {
			return err
		}
		w.Header().Set("Allow", allowed)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return &web.Error{Status: http.StatusMethodNotAllowed, Message: "pages can only be read", Allow: allowed}
	}
	if err := ignoreBody(r); err != nil {
		return err
	}
	h := r.Header
	ask := question{
		Path: r.URL.Path, RawPath: r.URL.RawPath, Query: r.URL.RawQuery,
		AcceptEncoding:  line(h["Accept-Encoding"]),
		IfNoneMatch:     line(h["If-None-Match"]),
		IfModifiedSince: line(h["If-Modified-Since"]),
	}
	// Ranges and the rarer conditions are left to http.ServeContent, which then judges all conditions in their order.
	byParts := h["If-Match"] != nil || h["If-Unmodified-Since"] != nil || r.Method == http.MethodGet && isRange(h["Range"])
	if byParts {
		ask.IfNoneMatch, ask.IfModifiedSince = "", ""
	}
	s.pages.look(&ask)
	a := s.find(r.Context(), &ask, web.ResponseOf(w))
	if a.Fields == nil {
		return &web.Error{Status: a.Status, Message: a.Message, RetryAfter: a.RetryAfter}
	}
	head := w.Header()
	for _, b := range []*block{a.Fields, a.Moving, a.Number} {
		if b != nil {
			for i := range b.fields {
				head[b.fields[i].Name] = b.fields[i].Values
			}
		}
	}
	for i := range a.Extra {
		head[a.Extra[i].Name] = a.Extra[i].Values
	}
	if a.Ranges && (byParts || a.Stream != nil) {
		return s.parts(w, r, &a)
	}
	if len(a.Body) > 1<<20 {
		patience(w, int64(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	if r.Method == http.MethodGet && len(a.Body) > 0 {
		_, _ = w.Write(a.Body) // a reader who has gone is in the access record
	}
	return nil
}

// find finds the answer for a page, waits for it if it is being made, and notes what it is for the access record and the metrics.
func (s *Server) find(ctx context.Context, ask *question, res *web.Response) answer {
	a := s.pages.answer(ask, res.Start)
	if a.Status == http.StatusNotFound && s.cfg.Late != nil {
		a = s.late(ctx, ask, a)
	}
	res.Note(slog.String("cache", a.Outcome), slog.Uint64("generation", a.Generation), slog.String("encoding", a.Encoding.Token()))
	s.metrics.outcomes[a.Outcome].Inc()
	if a.Err != nil {
		s.metrics.unreadable.Inc()
		// A page that cannot be read stays so until somebody acts. One record a second is enough.
		if s.trouble.worth(res.Start, time.Second) {
			s.log.Error("page cannot be read", "request_id", res.ID(), "page", ask.Path, "status", a.Status, "error", a.Err)
		}
	}
	return a
}

// line joins the lines of a header.
func line(values []string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return strings.Join(values, ", ")
}

// parts answers through http.ServeContent.
func (s *Server) parts(w http.ResponseWriter, r *http.Request, a *answer) error {
	var body io.ReadSeeker = bytes.NewReader(a.Body)
	size := int64(len(a.Body))
	if a.Stream != nil {
		f, err := a.open()
		if err != nil {
			return unopened(err)
		}
		defer f.Close()
		body, size = f, a.Stream.Object.Size
	}
	if lines := r.Header["Range"]; lines != nil {
		r = r.Clone(r.Context())
		delete(r.Header, "Range")
		if r.Method == http.MethodGet && isRange(lines) { // a range means something to GET alone
			if soundly := soundRange(lines[0], size); soundly != "" {
				r.Header["Range"] = []string{soundly}
			}
		}
	}
	patience(w, size)
	http.ServeContent(uncachedError{w}, r, "", a.Modified, body)
	return nil
}

// open opens the body that is not in memory.
func (a *answer) open() (io.ReadSeekCloser, error) {
	f, err := a.Opener.Open(a.Stream.Object)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a.Stream.Path, err)
	}
	return f, nil
}

// unopened is the answer when a body cannot be opened.
func unopened(err error) *web.Error {
	e := &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: time.Second}
	if !errors.Is(err, site.ErrChanged) {
		e.Err = err
	}
	return e
}

// patience gives a large answer the time it needs.
func patience(w http.ResponseWriter, size int64) {
	if size > wire.SlowestBytes*int64(writeTimeout/time.Second)/2 {
		limit := writeTimeout + time.Duration(size/wire.SlowestBytes)*time.Second
		// A writer without deadlines, as in tests, has nothing to extend.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
	}
}

// uncachedError removes the page's cache headers from an error of http.ServeContent.
type uncachedError struct{ http.ResponseWriter }

func (w uncachedError) WriteHeader(status int) {
	if status >= 400 {
		h := w.Header()
		for _, name := range []string{"Cdn-Cache-Control", "Cache-Tag", "Surrogate-Key", "Cache-Status"} {
			delete(h, name)
		}
		h["Cache-Control"], h["X-Cache"] = noStore, miss
		if status == http.StatusPreconditionFailed { // it comes without a body, but with the headers of one
			delete(h, "Content-Type")
			delete(h, "Content-Encoding")
			h["Content-Length"] = []string{"0"}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w uncachedError) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// trouble bounds how often the same kind of trouble is logged.
type trouble struct{ last atomic.Int64 } // when it was, in Unix time

// worth reports whether it is time to log again.
func (t *trouble) worth(now time.Time, while time.Duration) bool {
	last := t.last.Load()
	return now.Unix()-last >= int64(while/time.Second) && t.last.CompareAndSwap(last, now.Unix())
}
