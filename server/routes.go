package server

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// A Route is a handler beside the pages. The guard finds its rate class by method and path, because it also classifies the lines of access
// logs.
type Route struct {
	Pattern string       // an exact path, or all paths below it when it ends in a slash; the longest one that fits wins
	Methods []string     // others get 405; nil: the handler sees to that
	Name    string       // of its metrics; empty: Pattern
	MaxBody int64        // bytes that the handler can read of a body; 0: 25 MiB, GitHub's largest webhook
	Handler http.Handler // required
}

func (r *Route) check() error {
	switch {
	case !strings.HasPrefix(r.Pattern, "/") || r.Pattern == "/":
		return fmt.Errorf("route %q does not begin with a slash or takes all pages", r.Pattern)
	case r.Handler == nil:
		return fmt.Errorf("route %q has no handler", r.Pattern)
	}
	return nil
}

// Numbers of routes. Those of Config.Routes follow.
const (
	noRoute = iota // refused before one was looked for
	pageRoute
	probeRoute
	devRoute
	upgradeRoute
	furtherRoutes
)

// routeNames are the routes by number, as metrics call them.
func routeNames(further []Route) []string {
	names := []string{"none", "page", "probe", "dev", "upgrade"}
	for i := range further {
		names = append(names, cmp.Or(further[i].Name, further[i].Pattern))
	}
	return names
}

// install builds the routes and the handler for net/http. The order of the chain matters: every answer and log line, also of a panic, has
// the request's id; panics are caught inside the access record, so that the record has their status. See admit for the checks.
func (s *Server) install() http.Handler {
	r := routes{
		{"/livez", probeRoute, s.handle(s.livez)},
		{"/readyz", probeRoute, s.handle(s.readyz)},
	}
	if s.cfg.Dev != nil {
		r = append(r, route{DevPath, devRoute, s.cfg.Dev})
	}
	for i := range s.cfg.Routes {
		further := &s.cfg.Routes[i]
		r = append(r, route{further.Pattern, furtherRoutes + i, s.handle(further.serve)})
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

// admitted checks a request that net/http has read, and calls its route.
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
	if s.cfg.Session != nil && !a.open {
		a.facts.SignedIn = s.cfg.Session(r)
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

// counted counts the requests in progress.
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

// serve calls the handler for the methods of the route, with a bounded body.
func (r *Route) serve(w http.ResponseWriter, req *http.Request) error {
	if r.Methods != nil && !slices.Contains(r.Methods, req.Method) {
		return &web.Error{Status: http.StatusMethodNotAllowed, Allow: strings.Join(r.Methods, ", ")}
	}
	if req.Body != nil && req.ContentLength != 0 {
		req.Body = http.MaxBytesReader(w, req.Body, cmp.Or(r.MaxBody, 25<<20))
	}
	r.Handler.ServeHTTP(w, req)
	if web.ResponseOf(w).Status == 0 {
		w.WriteHeader(http.StatusOK) // as net/http would, and the access record is to tell
	}
	return nil
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

// find returns the route of a path; nil: the path belongs to the pages.
func (rs routes) find(path string) *route {
	for i := range rs {
		if p := rs[i].path; path == p || p[len(p)-1] == '/' && strings.HasPrefix(path, p) {
			return &rs[i]
		}
	}
	return nil
}
