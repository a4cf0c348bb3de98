package server

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"freshet/internal/web"
)

// An Upgrade redirects readers from http to the same address with https. The target's host comes from the list of hosts, never
// from the Host header.
type Upgrade struct {
	Listener net.Listener // that they come to; Run closes it
	Hosts    []string     // exact names, at least one; requests for others get 421
	Port     string       // that https is at for readers; empty: the usual one

	// Challenge answers a certificate authority's requests and reports whether it did. It is called for Hosts only. Nil: there is
	// no challenge.
	Challenge func(http.ResponseWriter, *http.Request) bool
}

// A target is a host and where its readers are sent.
type target struct {
	is    *web.Hosts
	https string // "https://example.com"
}

func (u *Upgrade) targets() (list []target, err error) {
	if len(u.Hosts) == 0 {
		return nil, errors.New("an Upgrade has no Hosts")
	}
	for _, name := range u.Hosts {
		is, err := web.ParseHosts([]string{name})
		if err != nil {
			return nil, err
		}
		https := "https://" + strings.ToLower(name)
		if u.Port != "" {
			https += ":" + u.Port
		}
		list = append(list, target{is, https})
	}
	return list, nil
}

// upgrade redirects a request to the same address with https.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) error {
	for _, t := range s.targets {
		if !t.is.Has(r.Host) && !hostless(r) {
			continue
		}
		if answer := s.cfg.Upgrade.Challenge; answer != nil && answer(w, r) {
			return nil
		}
		if !strings.HasPrefix(r.URL.Path, "/") { // OPTIONS *
			return &web.Error{Status: http.StatusBadRequest, Message: "this request is for no page"}
		}
		h := w.Header()
		h.Set("Location", t.https+r.URL.RequestURI())
		h.Set("Cache-Control", "no-store") // a way back, should this site ever be without TLS
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	return s.misdirected(web.ResponseOf(w), r.Host)
}
