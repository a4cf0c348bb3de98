package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// An exchange is the memory that answering one request needs. It is reused.
type exchange struct {
	res web.Response
	arrival
	head []byte
}

var exchanges = sync.Pool{New: func() any { return &exchange{head: make([]byte, 0, 4<<10)} }}

// answer answers a request without net/http: one for a page, or a refused one. It leaves requests for other routes to net/http, before it
// asks the guard, which counts each request once.
func (s *Server) answer(p *wire.Request) (answered bool) {
	ask := question{AcceptEncoding: p.AcceptEncoding, IfNoneMatch: p.IfNoneMatch, IfModifiedSince: p.IfModifiedSince}
	ask.Path, ask.Query, _ = strings.Cut(p.Target, "?")
	ask.target = ask.Path
	if strings.IndexByte(ask.Path, '%') >= 0 {
		ask.RawPath = ask.Path
		var err error
		if ask.Path, err = url.PathUnescape(ask.RawPath); err != nil {
			return false
		}
	}
	if p.Refused != "" {
		p.Method, ask.Path = wire.RefusedMethod, "/"+string(p.Refused)
	} else if s.routes.find(ask.Path) != nil {
		return false
	}
	x := exchanges.Get().(*exchange)
	client := s.cfg.Proxies.ClientAt(p.Remote(), p.Secure, web.Forwarding{
		For: p.ForwardedFor, Forwarded: p.Forwarded, Proto: p.ForwardedProto,
	})
	x.res.Begin(p.Now, client, p.RequestID)
	res := &x.res
	s.metrics.inFlight.Add(1) // done takes it off
	x.arrival = arrival{refused: p.Refused, host: p.Host, facts: guard.Facts{
		Now: p.Now, ID: res.ID(), Client: client.Addr, Undeclared: client.Undeclared, Method: p.Method, Path: ask.Path,
		UserAgent: p.UserAgent, Accept: p.Accept, AcceptLanguage: p.AcceptLanguage, AcceptEncoding: p.AcceptEncoding, Referer: p.Referred,
	}}
	defer func() {
		if v := recover(); v != nil {
			s.panicked(p, x, v)
		}
		s.done(res, p.Method, x.facts.Path, p.UserAgent)
		exchanges.Put(x)
	}()
	if s.draining.Load() {
		p.Last = true
	}
	if !s.pages.recall(&ask, p.Now) {
		s.pages.look(&ask)
	}
	x.facts.Built = ask.entry != nil
	if e := s.admit(res, &x.arrival); e != nil {
		s.refuse(p, x, e)
		return true
	}
	res.Route = pageRoute
	a := s.find(context.Background(), &ask, res)
	s.send(p, x, &a)
	s.answered(res, &x.arrival)
	return true
}

// send sends the answer for a page.
func (s *Server) send(p *wire.Request, x *exchange, a *answer) {
	if a.Fields == nil {
		s.refuse(p, x, &web.Error{Status: a.Status, Message: a.Message, RetryAfter: a.RetryAfter})
		return
	}
	var body io.ReadSeekCloser
	if a.Stream != nil && p.Method != http.MethodHead {
		var err error
		if body, err = a.open(); err != nil {
			s.refuse(p, x, unopened(err))
			return
		}
		defer body.Close()
	}
	x.res.Status = a.Status
	head := s.begin(p, x, a.Status)
	head = append(append(head, a.Fields.sent...), a.Moving.sent...)
	if a.Number != nil {
		head = append(head, a.Number.sent...)
	}
	head = appendFields(head, a.Extra)
	head = x.end(head)
	switch { // a reader who has gone is in the access record
	case body != nil:
		x.res.Bytes, _ = p.Copy(head, body, a.Stream.Object.Size)
	case p.Method == http.MethodHead:
		_, _ = p.Send(head, nil)
	default:
		sent, _ := p.Send(head, a.Body)
		x.res.Bytes = int64(sent)
	}
}

// begin returns the beginning of a head: what every answer has.
func (s *Server) begin(p *wire.Request, x *exchange, status int) []byte {
	head := append(x.head[:0], statusLine(status)...)
	head = append(head, "X-Request-Id: "...)
	head = append(head, x.res.ID()...)
	head = append(head, "\r\nDate: "...)
	head = append(head, s.pages.fresh.at(x.res.Start).date...)
	head = append(head, "\r\n"...)
	if p.Last {
		head = append(head, "Connection: close\r\n"...)
	}
	var room [standingFields]guard.Field
	for _, f := range s.standing(room[:0], &x.res, &x.arrival) {
		head = appendField(head, f.Name, f.Value)
	}
	return head
}

// end ends a head and keeps its buffer for the next request.
func (x *exchange) end(head []byte) []byte {
	x.head = append(head, "\r\n"...)
	return x.head
}

// panicked does what web.Recover does.
func (s *Server) panicked(p *wire.Request, x *exchange, v any) {
	s.log.Error("handler panicked", "request_id", x.res.ID(), "path", web.Clip(x.facts.Path, 512), "panic", v, "stack", string(debug.Stack()))
	if p.Begun() {
		p.Abort() // half an answer must not look like a whole one
	} else {
		s.refuse(p, x, &web.Error{Status: http.StatusInternalServerError})
	}
}

// refuse sends what web.WriteError writes.
func (s *Server) refuse(p *wire.Request, x *exchange, e *web.Error) {
	p.Last = p.Last || e.Close
	out := paper{header: http.Header{}}
	x.res.ResponseWriter, x.res.Status = &out, 0
	r := &http.Request{Method: p.Method, URL: &url.URL{Path: x.facts.Path}, Header: http.Header{"Accept": {p.Accept}}}
	web.WriteError(&x.res, r, e)
	x.res.ResponseWriter, x.res.Bytes = nil, 0
	head := s.begin(p, x, x.res.Status)
	delete(out.header, "Connection") // begin says it
	for name, values := range out.header {
		for _, value := range values {
			head = appendField(head, name, value)
		}
	}
	body := out.body.Bytes()
	if p.Method == http.MethodHead {
		body = nil
	}
	sent, _ := p.Send(x.end(head), body)
	x.res.Bytes = int64(sent)
}

// A paper is a ResponseWriter that collects an answer, which is sent later.
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
		for _, value := range fields[i].Values {
			head = appendField(head, fields[i].Name, value)
		}
	}
	return head
}

// appendField appends a header. It escapes nothing: values are made by the server, and keys and addresses in them are percent-encoded.
func appendField(head []byte, name, value string) []byte {
	head = append(head, name...)
	head = append(head, ": "...)
	head = append(head, value...)
	return append(head, "\r\n"...)
}
