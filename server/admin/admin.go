// Package admin answers operators, on a listener of their own: metrics, profiles, generations, bans and switches.
//
// Promises. Whoever is not on this machine needs the token; without one the listener must be a loopback one, and then
// requests are taken from this machine's own names alone, so that no web page can ask through a browser. Nothing here
// passes the guard of the readers' listener: the way back from a kill switch is always open. Every change is handed on
// with who asked for it and why, for the audit of who keeps it.
package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"freshet/internal/web"
	"freshet/internal/wire"
)

// Config says what operators can see and do. What is nil is not there: 404.
type Config struct {
	Metrics     prometheus.Gatherer                   // required
	Token       string                                // that requests must carry; empty: only where Loopback
	Loopback    bool                                  // nobody but this machine can reach the listener
	Generations func(limit int) ([]Generation, error) // the newest generations, newest first
	Status      func() Status
	Bans        Bans                    // of the guard
	Switches    Switches                // of the guard
	Witness     Witness                 // of the guard
	Extra       map[string]http.Handler // by pattern of http.ServeMux; behind the token as well
	Logger      *slog.Logger            // nil: nothing is logged
}

// A Server answers operators.
type Server struct {
	cfg     Config
	log     *slog.Logger
	token   [sha256.Size]byte
	local   *web.Hosts
	handler http.Handler
}

// New makes a Server. It does no I/O.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Metrics == nil:
		return nil, errors.New("admin: Metrics is missing")
	case cfg.Token == "" && !cfg.Loopback:
		return nil, errors.New("admin: a listener that others can reach needs a Token")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	local, err := web.ParseHosts([]string{web.Loopback})
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{cfg: cfg, log: cfg.Logger.With("part", "admin"), token: sha256.Sum256([]byte(cfg.Token)), local: local}
	s.handler = s.install()
	return s, nil
}

// Handler answers all of the server's requests.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) install() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: 10 * time.Second, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /{$}", s.handle(s.index))
	if s.cfg.Generations != nil {
		mux.Handle("GET /generations", s.handle(s.generations))
	}
	if s.cfg.Bans != nil {
		mux.Handle("GET /bans", s.handle(s.bans))
		mux.Handle("POST /bans", s.handle(s.ban))
		mux.Handle("DELETE /bans/{client...}", s.handle(s.unban))
	}
	if s.cfg.Switches != nil {
		mux.Handle("GET /switches", s.handle(s.switches))
		mux.Handle("PUT /switches/{name}", s.handle(s.turn))
	}
	if s.cfg.Witness != nil {
		mux.Handle("GET /refusals", s.handle(s.refusals))
		mux.Handle("GET /refusals/{id}", s.handle(s.refusal))
		mux.Handle("GET /explain", s.handle(s.explain))
		mux.Handle("GET /audit", s.handle(s.audit))
	}
	for pattern, h := range s.cfg.Extra {
		mux.Handle(pattern, h)
	}
	return web.Chain(mux,
		web.Record(web.RecordConfig{}),
		web.Recover(s.log),
		hardened,
		s.allowed,
		http.NewCrossOriginProtection().Handler,
	)
}

func (s *Server) handle(h web.HandlerFunc) http.Handler { return web.Handle(s.log, h) }

// hardened keeps answers from caches and from being read as something else.
func hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// allowed lets in who has the token, or, where none is needed, who asks this machine by its own name.
func (s *Server) allowed(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if why, refused := wire.RefusedFor(r); refused {
			return &web.Error{Status: why.Status(), Message: "the head of the request is malformed: " + string(why)}
		}
		if s.cfg.Token == "" {
			if !s.local.Has(r.Host) {
				return &web.Error{Status: http.StatusMisdirectedRequest, Message: "this listener answers for localhost alone"}
			}
			next.ServeHTTP(w, r)
			return nil
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="freshet"`)
			return &web.Error{Status: http.StatusUnauthorized, Message: "this listener needs the token of adminToken as a bearer token"}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // who has gone needs no answer
	return nil
}

// answerList writes a list as JSON.
func answerList[T any](w http.ResponseWriter, list []T) error {
	if list == nil {
		list = []T{}
	}
	return answer(w, http.StatusOK, list)
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) error {
	v := map[string]any{"metrics": "/metrics", "profiles": "/debug/pprof/"}
	if s.cfg.Generations != nil {
		v["generations"] = "/generations"
	}
	if s.cfg.Bans != nil {
		v["bans"] = "/bans"
	}
	if s.cfg.Switches != nil {
		v["switches"] = "/switches"
	}
	if s.cfg.Witness != nil {
		v["refusals"], v["explain"], v["audit"] = "/refusals", "/explain?client=ADDRESS&path=/", "/audit"
	}
	if s.cfg.Status != nil {
		v["status"] = s.cfg.Status()
	}
	return answer(w, http.StatusOK, v)
}

const mostListed = 1000

// listed is how much of a list is asked for.
func listed(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 20, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostListed {
		return 0, &web.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("limit is a number from 1 to %d", mostListed)}
	}
	return n, nil
}

func (s *Server) generations(w http.ResponseWriter, r *http.Request) error {
	limit, err := listed(r)
	if err != nil {
		return err
	}
	list, err := s.cfg.Generations(limit)
	if err != nil {
		return err
	}
	return answerList(w, list)
}

func (s *Server) refusals(w http.ResponseWriter, r *http.Request) error {
	most, err := listed(r)
	if err != nil {
		return err
	}
	return answerList(w, s.cfg.Witness.Decisions(most))
}

func (s *Server) refusal(w http.ResponseWriter, r *http.Request) error {
	v, ok := s.cfg.Witness.Decision(r.PathValue("id"))
	if !ok {
		return &web.Error{Status: http.StatusNotFound, Message: "no request with that id was refused lately"}
	}
	return answer(w, http.StatusOK, v)
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	ask := r.URL.Query()
	client, err := netip.ParseAddr(ask.Get("client"))
	q := Question{Client: client.Unmap().WithZone(""), Method: cmp.Or(ask.Get("method"), http.MethodGet), Path: cmp.Or(ask.Get("path"), "/"), UserAgent: ask.Get("user_agent")}
	if err != nil || q.Path[0] != '/' {
		return &web.Error{Status: http.StatusBadRequest, Message: "client is an address, path begins with a slash; method and user_agent may be told too"}
	}
	return answer(w, http.StatusOK, s.cfg.Witness.Explain(q))
}

func (s *Server) audit(w http.ResponseWriter, _ *http.Request) error {
	return answerList(w, s.cfg.Witness.Audit())
}

func (s *Server) bans(w http.ResponseWriter, _ *http.Request) error {
	return answerList(w, s.cfg.Bans.Bans())
}

const (
	mostOrder  = 4 << 10
	mostReason = 200
	// longestOrder bounds how long an order stands: what is meant to stay belongs into the settings.
	longestOrder = 366 * 24 * time.Hour
)

// read reads an order and how long it is to stand; 0: it does not say.
func read(w http.ResponseWriter, r *http.Request) (o Order, stands time.Duration, err error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostOrder))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, 0, &web.Error{Status: http.StatusBadRequest, Message: "the body is no JSON object of the known fields: client, scope, state, for, reason, by", Err: err}
	}
	if o.For != "" {
		if stands, err = time.ParseDuration(o.For); err != nil || stands <= 0 || stands > longestOrder {
			return o, 0, &web.Error{Status: http.StatusBadRequest, Message: "for is a duration such as 30m or 24h, at most a year"}
		}
	}
	if len(o.Reason) > mostReason || len(o.By) > mostReason {
		return o, 0, &web.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("reason and by have at most %d bytes", mostReason)}
	}
	if o.By == "" {
		o.By = web.ResponseOf(w).Client.Addr.String()
	}
	return o, stands, nil
}

// parseClient reads an address or a prefix. An address, and what is longer than the prefix that addresses are counted with, is
// that prefix. IPv4 within IPv6 is IPv4.
func parseClient(text string) (netip.Prefix, error) {
	refuse := func(message string) (netip.Prefix, error) {
		return netip.Prefix{}, &web.Error{Status: http.StatusBadRequest, Message: message}
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return web.Group(a), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return refuse("the client is neither an address nor a prefix")
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return refuse("an IPv4 prefix within IPv6 has at least 96 bits")
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.Bits() < 8 {
		return refuse("a prefix shorter than /8 is most of the world")
	}
	if counted := web.Group(p.Addr()); p.Bits() > counted.Bits() {
		return counted, nil
	}
	return p.Masked(), nil
}

const usualBan = 24 * time.Hour

func (s *Server) ban(w http.ResponseWriter, r *http.Request) error {
	o, stands, err := read(w, r)
	if err != nil {
		return err
	}
	client, err := parseClient(o.Client)
	if err != nil {
		return err
	}
	if o.Scope == "" {
		o.Scope = "api"
	}
	if o.Scope != "api" && o.Scope != "all" {
		return &web.Error{Status: http.StatusBadRequest, Message: "scope is api, or all to keep the client from pages too"}
	}
	now := time.Now()
	b := Ban{Client: client, Scope: o.Scope, Since: now, Until: now.Add(cmp.Or(stands, usualBan)), Reason: o.Reason, By: o.By}
	if err := s.cfg.Bans.Ban(b); err != nil {
		return err
	}
	return answer(w, http.StatusCreated, b)
}

func (s *Server) unban(w http.ResponseWriter, r *http.Request) error {
	client, err := parseClient(r.PathValue("client"))
	if err != nil {
		return err
	}
	by := cmp.Or(r.URL.Query().Get("by"), web.ResponseOf(w).Client.Addr.String())
	if len(by) > mostReason {
		return &web.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("by has at most %d bytes", mostReason)}
	}
	lifted, status := s.cfg.Bans.Unban(client, by), http.StatusOK
	if !lifted.Known {
		if lifted.Others == "" {
			return &web.Error{Status: http.StatusNotFound, Message: "there is no ban on that client"}
		}
		status = http.StatusAccepted // whether there is one elsewhere is not known here
	}
	return answer(w, status, lifted)
}

func (s *Server) switches(w http.ResponseWriter, _ *http.Request) error {
	return answerList(w, s.cfg.Switches.Switches())
}

func (s *Server) turn(w http.ResponseWriter, r *http.Request) error {
	o, stands, err := read(w, r)
	if err != nil {
		return err
	}
	var names []string
	find := func() *Switch {
		list := s.cfg.Switches.Switches()
		names = nil
		for _, sw := range list {
			names = append(names, sw.Name)
		}
		if i := slices.IndexFunc(list, func(sw Switch) bool { return sw.Name == r.PathValue("name") }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	sw := find()
	switch {
	case sw == nil:
		return &web.Error{Status: http.StatusNotFound, Message: "there is no such switch: there are " + strings.Join(names, ", ")}
	case !slices.Contains(sw.States, o.State):
		return &web.Error{Status: http.StatusBadRequest, Message: "state is one of " + strings.Join(sw.States, ", ")}
	}
	sw.State, sw.Reason, sw.By, sw.Until = o.State, o.Reason, o.By, nil
	if stands > 0 {
		until := time.Now().Add(stands)
		sw.Until = &until
	}
	if err := s.cfg.Switches.Turn(*sw); err != nil {
		return err
	}
	return answer(w, http.StatusOK, find()) // as it is now: a switch may not stay for ever
}

// Time limits. A profile may be of two minutes.
const (
	headerTimeout = 10 * time.Second
	writeTimeout  = 150 * time.Second
	endTimeout    = 2 * time.Second // operators' requests are not waited for longer when freshet stops
)

// Run answers on ln until ctx ends. It closes ln.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: 3 * headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	conns := wire.New(wire.Config{HTTP: srv}) // its Shutdown, unlike that of srv, drops no request
	failed := make(chan error, 1)
	go func() { failed <- conns.Serve(ln, wire.Listen{}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("answer operators on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	_ = conns.Shutdown(limit) // there is nobody to tell
	<-failed
	return nil
}
