package server

import (
	"net/http"
	"time"

	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// An arrival is what the checks know about a request. Both the loop of package wire and net/http fill it.
type arrival struct {
	refused  wire.Reason // not empty: it is malformed
	host     string
	hostless bool // it names no host because it need not
	open     bool // it passes neither the host check nor the guard
	facts    guard.Facts

	verdict guard.Verdict // set by admit
}

// admit makes the checks that every request has to pass, in this order, and returns the answer if one fails; nil: all passed. The guard is
// asked before anything expensive is done. Probes are not checked, because balancers ask by address. Neither are readers without TLS where
// there is an Upgrade: they are only redirected, which is as cheap as a refusal, and the guard would count them twice; and the addresses of
// certificate authorities are not known.
func (s *Server) admit(res *web.Response, a *arrival) *web.Error {
	switch {
	case a.refused != "":
		return s.malformed(res, a.refused)
	case a.open:
		return nil
	case s.cfg.Hosts != nil && !s.cfg.Hosts.Has(a.host) && !a.hostless:
		return s.misdirected(res, a.host)
	case s.cfg.Guard == nil:
		return nil
	}
	a.verdict = s.cfg.Guard.Decide(&a.facts)
	res.Rule, res.Shadow, res.Look = a.verdict.Name(), a.verdict.Shadowed(), a.verdict.Fingerprint
	if a.verdict.Allowed() {
		return nil
	}
	e := &web.Error{Status: a.verdict.Action.Status(), Message: a.verdict.Message()}
	if a.verdict.Action != guard.Deny { // who is banned is not asked to come again
		e.RetryAfter = a.verdict.RetryAfter
	}
	return e
}

// answered tells the guard the status of the answer to an admitted request.
func (s *Server) answered(res *web.Response, a *arrival) {
	if s.cfg.Guard != nil && !a.open {
		s.cfg.Guard.Answered(&a.facts, &a.verdict, res.Status)
	}
}

// standingFields is the most that standing appends.
const standingFields = 9

// standing appends the headers that every answer has: HSTS, and the client's limit.
func (s *Server) standing(to []guard.Field, res *web.Response, a *arrival) []guard.Field {
	if res.Client.Secure {
		to = append(to, guard.Field{Name: "Strict-Transport-Security", Value: "max-age=31536000"}) // by TLS alone, for a year
	}
	if a.verdict.Quota.Limit > 0 { // pages have none, unless the settings say so
		to = a.verdict.AppendFields(to, a.facts.Now)
	}
	return to
}

// malformed records a request that package wire has refused, and returns the answer.
func (s *Server) malformed(res *web.Response, why wire.Reason) *web.Error {
	res.Rule = vetRule(why)
	s.metrics.refused(res.Rule)
	msg := "this request is not well formed"
	switch why {
	case wire.TooLarge:
		msg = "the headers of this request are too large"
	case wire.TargetTooLong:
		msg = "this address is too long"
	}
	return &web.Error{Status: why.Status(), Message: msg, Close: true}
}

// misdirected records a request for a host that the server does not answer for, and returns the answer. Pages do not depend on the Host
// header, but a cache in front of the server could store one under the other name.
func (s *Server) misdirected(res *web.Response, host string) *web.Error {
	res.Rule = misdirected
	s.metrics.refused(misdirected)
	if now := time.Now(); s.strangers.worth(now, time.Minute) {
		s.log.Warn("a request names a host that this server does not answer for", "host", web.Clip(host, 100),
			"request_id", res.ID(), "remedy", "name it in guard.hosts if it is yours")
	}
	return &web.Error{Status: http.StatusMisdirectedRequest, Message: "this server does not answer for that host"}
}

// hostless reports whether a request may lack a Host header: HTTP/1.0 has none. Health checks of balancers use it, for example HAProxy's
// OPTIONS / HTTP/1.0.
func hostless(r *http.Request) bool { return r.Host == "" && !r.ProtoAtLeast(1, 1) }

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
