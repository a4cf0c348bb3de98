package server

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"freshet/internal/web"
)

// install lists what is served where. The order of the chain matters: the request's id is in every answer and log
// line, also of a panic; the panic is caught inside the access record, so that the record tells its status.
func (s *Server) install() http.Handler {
	r := routes{
		{"/livez", s.handle(s.livez)},
		{"/readyz", s.handle(s.readyz)},
	}
	if s.cfg.Dev != nil {
		r = append(r, route{DevPath, s.cfg.Dev})
	}
	for _, path := range slices.Sorted(maps.Keys(s.cfg.Extra)) {
		r = append(r, route{path, s.cfg.Extra[path]})
	}
	slices.SortStableFunc(r, func(a, b route) int { return cmp.Compare(len(b.path), len(a.path)) }) // most specific first
	return web.Chain(r.or(s.handle(s.page)),
		web.Record(s.log),
		web.Recover(s.log),
	)
}

func (s *Server) handle(h web.HandlerFunc) http.Handler { return web.Handle(s.log, h) }

// A route is a handler and its path, or what its paths begin with when that ends in a slash.
//
// This is no http.ServeMux because that answers inexact paths itself, with redirects that are not ours, and costs
// pages, which have no pattern, what a look-up of theirs costs again.
type route struct {
	path    string
	handler http.Handler
}

type routes []route

// or serves the routes, and next what none of them takes.
func (rs routes) or(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range rs {
			if p := rs[i].path; r.URL.Path == p || p[len(p)-1] == '/' && strings.HasPrefix(r.URL.Path, p) {
				rs[i].handler.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
