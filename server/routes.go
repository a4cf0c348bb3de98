package server

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// Numbers of routes. Those of Config.Extra follow.
const (
	noRoute = iota // refused before one was looked for
	pageRoute
	probeRoute
	devRoute
	upgradeRoute
	extraRoutes
)

// routeNames are the routes by number, as metrics call them.
func routeNames(extra map[string]http.Handler) []string {
	return append([]string{"none", "page", "probe", "dev", "upgrade"}, slices.Sorted(maps.Keys(extra))...)
}

// install lists what is served where. The order of the chain matters: the request's id is in every answer and log
// line, also of a panic; the panic is caught inside the access record, so that the record tells its status. See admit for the rest.
func (s *Server) install() http.Handler {
	r := routes{
		{"/livez", probeRoute, s.handle(s.livez)},
		{"/readyz", probeRoute, s.handle(s.readyz)},
	}
	if s.cfg.Dev != nil {
		r = append(r, route{DevPath, devRoute, s.cfg.Dev})
	}
	for i, path := range slices.Sorted(maps.Keys(s.cfg.Extra)) {
		r = append(r, route{path, extraRoutes + i, bounded(s.cfg.Extra[path])})
	}
	slices.SortStableFunc(r, func(a, b route) int { return cmp.Compare(len(b.path), len(a.path)) }) // most specific first
	s.routes, s.pageRoute, s.upgradeRoute = r, route{"", pageRoute, s.handle(s.page)}, route{"", upgradeRoute, s.handle(s.upgrade)}
	return web.Chain(s.handle(s.admitted),
		s.counted,
		web.Record(web.RecordConfig{Proxies: s.cfg.Proxies, Done: func(res *web.Response, r *http.Request) {
			s.done(res, r.Method, r.URL.Path, first(r.Header["User-Agent"]))
		}}),
		web.Recover(s.log),
	)
}

// admitted serves a request that net/http has read, once it is admitted.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path == "" && r.URL.Host != "" { // http://example.com is http://example.com/
		r.URL.Path = "/"
	}
	to := &s.pageRoute
	if s.cfg.Upgrade != nil && r.TLS == nil {
		to = &s.upgradeRoute
	} else if other := s.routes.find(r.URL.Path); other != nil {
		to = other
	}
	res, h := web.ResponseOf(w), r.Header
	a := arrival{host: r.Host, hostless: hostless(r), open: to.number == upgradeRoute || to.number == probeRoute}
	a.refused, _ = wire.RefusedFor(r)
	a.facts = guard.Facts{
		Now: res.Start, ID: res.ID(), Client: res.Client.Addr, Undeclared: res.Client.Undeclared, Method: r.Method, Path: r.URL.Path,
		UserAgent: first(h["User-Agent"]), Accept: line(h["Accept"]), AcceptLanguage: line(h["Accept-Language"]),
		AcceptEncoding: line(h["Accept-Encoding"]), Referer: h["Referer"] != nil || h["Origin"] != nil,
	}
	if gen := s.cfg.Site.Current(); gen != nil && !a.open {
		_, a.facts.Built = gen.Lookup(site.Path(a.facts.Path))
	}
	refused := s.admit(res, &a)
	var room [standingFields]guard.Field
	for _, f := range s.standing(room[:0], res, &a) {
		w.Header()[f.Name] = []string{f.Value}
	}
	if refused != nil {
		return refused
	}
	res.Route = to.number
	to.handler.ServeHTTP(w, r)
	s.answered(res, &a)
	return nil
}

func (s *Server) handle(h web.HandlerFunc) http.Handler { return web.Handle(s.log, h) }

// counted counts requests under way.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.metrics.inFlight.Add(1) // done takes it off
		if s.draining.Load() {
			w.Header()["Connection"] = closing // of HTTP/2, net/http makes a GOAWAY of it
		}
		next.ServeHTTP(w, r)
	})
}

var closing = []string{"close"}

// mostIgnored is the largest body of a request for a page that is read and dropped, so that the connection goes on behind it.
const mostIgnored = 64 << 10

// ignoreBody drops the body of a request that needs none: it has no meaning there (RFC 9110, 9.3.1). HTTP/2 may end a request
// with an empty frame, and HTTP/1 with chunks of which there are none, so that only reading tells whether there is a body.
func ignoreBody(r *http.Request) error {
	if r.Body == nil || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength <= mostIgnored {
		switch _, err := io.CopyN(io.Discard, r.Body, mostIgnored+1); err {
		case io.EOF:
			return nil
		case nil:
		default:
			return &web.Error{Status: http.StatusBadRequest, Message: "the body did not come whole", Close: true}
		}
	}
	return &web.Error{Status: http.StatusRequestEntityTooLarge, Message: "a request for a page has no body of this size", Close: true}
}

// mostBody is the largest body that any handler is given: GitHub's largest webhook.
const mostBody = 25 << 20

// bounded keeps a handler from reading more than mostBody.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.ContentLength != 0 {
			r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		}
		next.ServeHTTP(w, r)
	})
}

// A route is a handler and its path, or what its paths begin with when that ends in a slash.
//
// This is no http.ServeMux because that answers inexact paths itself, with redirects that are not ours, and costs
// pages, which have no pattern, what a look-up of theirs costs again.
type route struct {
	path    string
	number  int
	handler http.Handler
}

type routes []route

// find returns the route that takes a path; nil: none does, it is that of a page.
func (rs routes) find(path string) *route {
	for i := range rs {
		if p := rs[i].path; path == p || p[len(p)-1] == '/' && strings.HasPrefix(path, p) {
			return &rs[i]
		}
	}
	return nil
}
