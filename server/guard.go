package server

import (
	"net/http"
	"net/netip"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

// A Guard judges requests before anything answers them. It is asked for every request but those of probes, from many
// goroutines at once, and must not wait for anything.
type Guard interface {
	Judge(*Facts) Verdict
	// Answered tells how a request that was allowed was answered: reputations are made of it.
	Answered(*Facts, Answered)
}

// Facts is what a Guard knows of a request: plain values, valid for as long as the request is.
type Facts struct {
	Now        time.Time
	ID         string     // of the request
	Client     netip.Addr // whom to hold to account, see web.Client; not valid: a connection without an address
	Key        netip.Prefix
	Undeclared bool // Client may be a proxy that nobody declared: it is not to be banned
	Method     string
	Path       string // decoded once, not yet vetted
	Query      string // as it was sent
	Built      bool   // the site has something at this very path: a page, a redirect, the memory of a page

	UserAgent, Accept, AcceptLanguage, AcceptEncoding, Referer string
}

// A Verdict is what a Guard says to a request. The zero value allows it.
type Verdict struct {
	Status     int           // 0: allowed; else of the answer: 403, 429, 503 …
	Rule       string        // that decided; for the access record
	Message    string        // for the reader, see web.Error; empty: the status text
	RetryAfter time.Duration // not zero: Retry-After
	Header     []Header      // for the answer, whatever it is: RateLimit and the like
}

// A Header is a header of an answer: its canonical name, and its value as a slice that nobody changes.
type Header struct {
	Name   string
	Values []string
}

// Answered is how a request ended.
type Answered struct {
	Status int
	Built  bool // a built page answered it: pages, redirects and 410s, not 404s
	Took   time.Duration
}

// guarded asks the guard before next. This is its one place in the chain: behind the client's address and the host,
// before routes and bodies.
func (s *Server) guarded(next http.Handler) http.Handler {
	if s.cfg.Guard == nil {
		return next
	}
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		res := web.ResponseOf(w)
		h := r.Header
		f := Facts{
			Now: res.Start, ID: res.ID(), Client: res.Client.Addr, Key: res.Client.Key(), Undeclared: res.Client.Undeclared,
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
			UserAgent: first(h["User-Agent"]), Accept: line(h["Accept"]), AcceptLanguage: line(h["Accept-Language"]),
			AcceptEncoding: line(h["Accept-Encoding"]), Referer: first(h["Referer"]),
		}
		if gen := s.cfg.Site.Current(); gen != nil {
			_, f.Built = gen.Lookup(site.Path(f.Path))
		}
		v := s.cfg.Guard.Judge(&f)
		for i := range v.Header {
			w.Header()[v.Header[i].Name] = v.Header[i].Values
		}
		if v.Status != 0 {
			res.Rule = v.Rule
			return &web.Error{Status: v.Status, Message: v.Message, RetryAfter: v.RetryAfter}
		}
		next.ServeHTTP(w, r)
		s.cfg.Guard.Answered(&f, Answered{Status: res.Status, Built: res.Built, Took: time.Since(res.Start)})
		return nil
	})
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// hosted refuses requests for hosts that the server does not answer for: a page is the same whatever the Host header
// says, but what stands in front may keep it under that name.
func (s *Server) hosted(next http.Handler) http.Handler {
	if s.cfg.Hosts == nil {
		return next
	}
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if !s.cfg.Hosts.Has(r.Host) {
			web.ResponseOf(w).Rule = misdirected
			s.metrics.refused(misdirected)
			if now := time.Now(); s.strangers.worth(now, time.Minute) {
				s.log.Warn("a request names a host that this server does not answer for", "host", web.Clip(r.Host, 100),
					"request_id", web.RequestID(w), "remedy", "name it in guard.hosts if it is yours")
			}
			return &web.Error{Status: http.StatusMisdirectedRequest, Message: "this server does not answer for that host"}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}
