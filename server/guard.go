package server

import (
	"net/http"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/server/guard"
)

// guarded asks the guard before next. This is its one place in the chain: behind the client's address and the host,
// before routes and bodies. For a page that is let through it allocates nothing.
func (s *Server) guarded(next http.Handler) http.Handler {
	g := s.cfg.Guard
	if g == nil {
		return next
	}
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		res := web.ResponseOf(w)
		h := r.Header
		f := guard.Facts{
			Now: res.Start, ID: res.ID(), Client: res.Client.Addr, Undeclared: res.Client.Undeclared, Method: r.Method, Path: r.URL.Path,
			UserAgent: first(h["User-Agent"]), Accept: line(h["Accept"]), AcceptLanguage: line(h["Accept-Language"]),
			AcceptEncoding: line(h["Accept-Encoding"]), Referer: h["Referer"] != nil || h["Origin"] != nil,
		}
		if gen := s.cfg.Site.Current(); gen != nil {
			_, f.Built = gen.Lookup(site.Path(f.Path))
		}
		v := s.judge(res, &f)
		if v.Quota.Limit > 0 { // pages have none, unless the settings say so
			tellLimit(w.Header(), &v, f.Now)
		}
		if v.Allowed() {
			next.ServeHTTP(w, r)
			g.Answered(&f, &v, res.Status)
			return nil
		}
		return refusal(&v)
	})
}

// judge asks the guard, and notes what it says for the access record.
func (s *Server) judge(res *web.Response, f *guard.Facts) guard.Verdict {
	v := s.cfg.Guard.Decide(f)
	res.Rule, res.Shadow, res.Look = v.Name(), v.Shadowed(), v.Fingerprint
	return v
}

// refusal is the answer to a request that the guard does not let through.
func refusal(v *guard.Verdict) *web.Error {
	e := &web.Error{Status: v.Action.Status(), Message: v.Message()}
	if v.Action != guard.Deny { // who is banned is not asked to come again
		e.RetryAfter = v.RetryAfter
	}
	return e
}

// tellLimit adds the headers by which a client learns of its limit.
func tellLimit(h http.Header, v *guard.Verdict, now time.Time) {
	var room [8]guard.Field
	fields := v.AppendFields(room[:0], now)
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = f.Value
		h[f.Name] = values[i : i+1 : i+1]
	}
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
		if !s.cfg.Hosts.Has(r.Host) && !hostless(r) {
			return s.misdirected(w, r)
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// hostless reports whether a request names no host because it need not: HTTP/1.0 has no Host header, and health checks of
// balancers speak it. OPTIONS / HTTP/1.0 is HAProxy's.
func hostless(r *http.Request) bool { return r.Host == "" && !r.ProtoAtLeast(1, 1) }

// misdirected notes a request for another host, and is its answer.
func (s *Server) misdirected(w http.ResponseWriter, r *http.Request) error {
	web.ResponseOf(w).Rule = misdirected
	s.metrics.refused(misdirected)
	if now := time.Now(); s.strangers.worth(now, time.Minute) {
		s.log.Warn("a request names a host that this server does not answer for", "host", web.Clip(r.Host, 100),
			"request_id", web.RequestID(w), "remedy", "name it in guard.hosts if it is yours")
	}
	return &web.Error{Status: http.StatusMisdirectedRequest, Message: "this server does not answer for that host"}
}
