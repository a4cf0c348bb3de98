package server

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"freshet/internal/web"
	"freshet/internal/wire"
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
// line, also of a panic; the panic is caught inside the access record, so that the record tells its status. Probes
// come by address, from the machine or the balancer, so they pass neither the host check nor the guard. Who comes without
// TLS, where there is an Upgrade, gets no further than to be sent on. The guard is asked before anything that costs something.
func (s *Server) install() http.Handler {
	probes := routes{
		{"/livez", probeRoute, s.handle(s.livez)},
		{"/readyz", probeRoute, s.handle(s.readyz)},
	}
	var r routes
	if s.cfg.Dev != nil {
		r = append(r, route{DevPath, devRoute, s.cfg.Dev})
	}
	for i, path := range slices.Sorted(maps.Keys(s.cfg.Extra)) {
		r = append(r, route{path, extraRoutes + i, bounded(s.cfg.Extra[path])})
	}
	for _, other := range slices.Concat(probes, r) {
		s.taken = append(s.taken, other.path)
	}
	slices.SortStableFunc(r, func(a, b route) int { return cmp.Compare(len(b.path), len(a.path)) }) // most specific first
	pages := s.handle(s.page)
	return web.Chain(r.or(pageRoute, pages),
		s.counted,
		web.Record(web.RecordConfig{Proxies: s.cfg.Proxies, Done: func(res *web.Response, r *http.Request) {
			s.done(res, r.Method, r.URL.Path, first(r.Header["User-Agent"]))
		}}),
		web.Recover(s.log),
		s.secured,
		s.sound,
		s.upgraded,
		func(next http.Handler) http.Handler { return probes.or(noRoute, next) },
		s.hosted,
		s.guarded,
	)
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

// transport tells browsers to come by TLS alone, for a year.
var transport = []string{"max-age=31536000"}

// secured marks answers that go to the client by TLS.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.ResponseOf(w).Client.Secure {
			w.Header()["Strict-Transport-Security"] = transport
		}
		next.ServeHTTP(w, r)
	})
}

// sound answers requests that were refused before net/http read them, see package wire.
func (s *Server) sound(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if why, refused := wire.RefusedFor(r); refused {
			rule := vetRule(why)
			web.ResponseOf(w).Rule = rule
			s.metrics.refused(rule)
			msg := "this request is not well formed"
			switch why {
			case wire.TooLarge:
				msg = "the headers of this request are too large"
			case wire.TargetTooLong:
				msg = "this address is too long"
			}
			return &web.Error{Status: why.Status(), Message: msg, Close: true}
		}
		if r.URL.Path == "" && r.URL.Host != "" { // http://example.com is http://example.com/
			r.URL.Path = "/"
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

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

// or serves the routes, and next, which has a number as well, what none of them takes.
func (rs routes) or(number int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, n := next, number
		for i := range rs {
			if p := rs[i].path; r.URL.Path == p || p[len(p)-1] == '/' && strings.HasPrefix(r.URL.Path, p) {
				h, n = rs[i].handler, rs[i].number
				break
			}
		}
		web.ResponseOf(w).Route = n
		h.ServeHTTP(w, r)
	})
}
