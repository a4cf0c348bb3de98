package server

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// An exchange is what one plain request needs. It is used again and again.
type exchange struct {
	res   web.Response
	facts guard.Facts
	head  []byte
}

var exchanges = sync.Pool{New: func() any { return &exchange{head: make([]byte, 0, 4<<10)} }}

// plain answers the request that nearly all are, without net/http: for a page that is in memory, by its own address. It
// answers as the chain of install would, and leaves the rest to that, before the guard is asked: the guard is to be
// asked once.
func (s *Server) plain(p *wire.Plain) (answered bool) {
	if s.draining.Load() {
		return false // net/http ends the connection
	}
	var x *exchange // nil: the guard has not been asked
	defer func() {
		if v := recover(); v != nil {
			answered = s.panicked(p, x, v)
		}
		if x != nil {
			s.done(&x.res, http.MethodGet, x.facts.Path, p.UserAgent)
			exchanges.Put(x)
		}
	}()
	now := time.Now()
	ask := question{AcceptEncoding: p.AcceptEncoding, IfNoneMatch: p.IfNoneMatch, IfModifiedSince: p.IfModifiedSince}
	ask.Path, ask.Query, _ = strings.Cut(p.Target, "?")
	if strings.IndexByte(ask.Path, '%') >= 0 {
		ask.RawPath = ask.Path
		var err error
		if ask.Path, err = url.PathUnescape(ask.RawPath); err != nil {
			return false
		}
	}
	if s.elsewhere(ask.Path) || s.cfg.Hosts != nil && !s.cfg.Hosts.Has(p.Host) {
		return false
	}
	a, ok := s.pages.ready(&ask, now)
	if !ok {
		return false
	}

	x = exchanges.Get().(*exchange)
	client := s.cfg.Proxies.ClientAt(p.Remote(), p.Secure, web.Forwarding{
		For: p.ForwardedFor, Forwarded: p.Forwarded, Proto: p.ForwardedProto,
	})
	x.res.Begin(now, client, p.RequestID)
	res := &x.res
	res.Route = pageRoute
	s.metrics.inFlight.Add(1) // done takes it off
	x.facts = guard.Facts{
		Now: now, ID: res.ID(), Client: client.Addr, Undeclared: client.Undeclared, Method: http.MethodGet, Path: ask.Path, Built: true,
		UserAgent: p.UserAgent, Accept: p.Accept, AcceptLanguage: p.AcceptLanguage, AcceptEncoding: p.AcceptEncoding, Referer: p.Referred,
	}
	var v guard.Verdict
	if s.cfg.Guard != nil {
		if v = s.judge(res, &x.facts); !v.Allowed() {
			res.Route = noRoute
			var limit http.Header
			if v.Quota.Limit > 0 {
				limit = http.Header{}
				tellLimit(limit, &v, now)
			}
			x.refuse(p, limit, refusal(&v))
			return true
		}
	}
	res.Status = a.Status
	res.Note(slog.String("cache", a.Outcome), slog.Uint64("generation", a.Generation), slog.String("encoding", a.Encoding.Token()))
	s.metrics.outcomes[a.Outcome].Inc()
	s.metrics.inMemory.Inc()
	head := x.begin(a.Status)
	head = appendFields(head, a.Fields)
	head = appendFields(head, a.Moving[:])
	if v.Quota.Limit > 0 {
		var room [8]guard.Field
		for _, f := range v.AppendFields(room[:0], now) {
			head = appendField(head, f.Name, f.Value)
		}
	}
	if client.Secure {
		head = appendField(head, "Strict-Transport-Security", transport[0])
	}
	sent, _ := p.Send(x.end(head), a.Body) // a reader who has gone is in the access record
	res.Bytes = int64(sent)
	if s.cfg.Guard != nil {
		s.cfg.Guard.Answered(&x.facts, &v, res.Status)
	}
	return true
}

// elsewhere reports whether a path is not that of a page.
func (s *Server) elsewhere(path string) bool {
	for _, p := range s.taken {
		if path == p || p[len(p)-1] == '/' && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// begin is what every head begins with.
func (x *exchange) begin(status int) []byte {
	head := append(x.head[:0], statusLine(status)...)
	head = append(head, "X-Request-Id: "...)
	head = append(head, x.res.ID()...)
	head = append(head, "\r\nDate: "...)
	head = x.res.Start.UTC().AppendFormat(head, httpTime)
	return append(head, "\r\n"...)
}

// end ends a head. Its buffer is kept for the next exchange.
func (x *exchange) end(head []byte) []byte {
	x.head = append(head, "\r\n"...)
	return x.head
}

// panicked does as web.Recover does. What panics before the guard is asked is left to the long way, which meets it again.
func (s *Server) panicked(p *wire.Plain, x *exchange, v any) (answered bool) {
	if x == nil {
		path, _, _ := strings.Cut(p.Target, "?") // queries may hold secrets
		s.log.Error("handler panicked", "path", web.Clip(path, 512), "panic", v, "stack", string(debug.Stack()))
		return false
	}
	s.log.Error("handler panicked", "request_id", x.res.ID(), "path", web.Clip(x.facts.Path, 512), "panic", v, "stack", string(debug.Stack()))
	if p.Begun() {
		p.Abort() // half an answer must not look like a whole one
	} else {
		x.refuse(p, nil, &web.Error{Status: http.StatusInternalServerError})
	}
	return true
}

// refuse answers as web.WriteError does, with further headers.
func (x *exchange) refuse(p *wire.Plain, further http.Header, e *web.Error) {
	out := paper{header: http.Header{}}
	maps.Copy(out.header, further)
	x.res.ResponseWriter, x.res.Status = &out, 0
	if x.res.Client.Secure {
		out.header["Strict-Transport-Security"] = transport
	}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: x.facts.Path}, Header: http.Header{"Accept": {p.Accept}}}
	web.WriteError(&x.res, r, e)
	x.res.ResponseWriter = nil
	head := x.begin(x.res.Status)
	for name, values := range out.header {
		for _, value := range values {
			head = appendField(head, name, value)
		}
	}
	sent, _ := p.Send(x.end(head), out.body.Bytes())
	x.res.Bytes = int64(sent)
}

// paper is what an answer is written on that is sent later.
type paper struct {
	header http.Header
	body   bytes.Buffer
}

func (p *paper) Header() http.Header         { return p.header }
func (p *paper) WriteHeader(int)             {}
func (p *paper) Write(b []byte) (int, error) { return p.body.Write(b) }

func statusLine(status int) string {
	switch status {
	case http.StatusOK:
		return "HTTP/1.1 200 OK\r\n"
	case http.StatusNotModified:
		return "HTTP/1.1 304 Not Modified\r\n"
	}
	return "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n"
}

func appendFields(head []byte, fields []field) []byte {
	for i := range fields {
		if fields[i].Name != "" {
			for _, value := range fields[i].Values {
				head = appendField(head, fields[i].Name, value)
			}
		}
	}
	return head
}

// appendField appends a header. What values hold was made by us; keys and addresses are percent-encoded.
func appendField(head []byte, name, value string) []byte {
	head = append(head, name...)
	head = append(head, ": "...)
	head = append(head, value...)
	return append(head, "\r\n"...)
}
