package server

import (
	"encoding/json"
	"net/http"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

// health answers probes, which only read.
func health(w http.ResponseWriter, r *http.Request, status int, contentType, body string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &web.Error{Status: http.StatusMethodNotAllowed, Allow: "GET, HEAD"}
	}
	if err := ignoreBody(r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a probe that has gone asks again
	return nil
}

// livez reports that the process answers. It checks nothing else, because a restart would mend nothing else.
func (s *Server) livez(w http.ResponseWriter, r *http.Request) error {
	return health(w, r, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
}

// A Status is the answer of /readyz. Refused builds do not make the server unready: it serves the pages it has.
type Status struct {
	Ready      bool           `json:"ready"`
	Reason     string         `json:"reason,omitempty"`
	Generation uint64         `json:"generation,omitempty"`
	Pinned     bool           `json:"pinned"`
	Fresh      bool           `json:"fresh"`
	Verified   *time.Time     `json:"verified,omitempty"`
	Refused    []site.Refusal `json:"refused,omitempty"`
}

// Status reports whether readers should be sent here: a site is loaded, and the server is not draining. It does not
// depend on a source or a database, because the site is served without them.
func (s *Server) Status() Status {
	var v Status
	gen := s.cfg.Site.Current()
	if gen != nil {
		m := s.pages.fresh.at(time.Now())
		v.Generation, v.Fresh = gen.Number(), m.fresh
		if !m.verified.IsZero() {
			t := m.verified.UTC().Truncate(time.Second)
			v.Verified = &t
		}
		if p, ok := gen.(Pinner); ok {
			v.Pinned = p.Pinned()
		}
	}
	if s.cfg.Refused != nil {
		v.Refused = s.cfg.Refused()
	}
	switch {
	case s.draining.Load():
		v.Reason = "draining"
	case gen == nil:
		v.Reason = "no site yet"
	default:
		v.Ready = true
	}
	return v
}

// readyz answers probes with the status.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	v := s.Status()
	status := http.StatusOK
	if !v.Ready {
		status = http.StatusServiceUnavailable
	}
	body, err := json.Marshal(&v)
	if err != nil {
		return err
	}
	return health(w, r, status, "application/json", string(body)+"\n")
}
