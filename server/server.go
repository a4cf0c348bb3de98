// Package server answers readers from the built site. It never renders and never asks a database for anything: a
// page is one look-up in the current generation and one in memory, else one read of the page log.
//
// Promises. One answer is of one generation, and so is every page fetched while no other is committed. A page that
// the site has does not fail because a source is away, and an error is never cached. Memory is bounded by
// Config.CacheBytes: what clients ask for that the site does not have leaves nothing behind. No address is read two
// ways: it is decoded once, and what would mean something else when decoded again is refused.
//
// Words. A page is fresh while the site was verified against its source less than Config.Revalidate ago, else stale,
// and served all the same. X-Cache says HIT for a fresh built page, STALE for a stale one, MISS for everything that
// is no built page: the 404 page and errors.
//
// When things fail. No generation yet: 503, alive, not ready. An object that cannot be read: the version of that
// page that memory still has, else 503; an Error in the log either way. A panic: 500, and the server goes on.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/site"
	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/internal/wire"
	"freshet/server/guard"
)

// Config says what a Server serves and how. The zero value of everything but Site is useful.
type Config struct {
	Site   Site         // required
	Logger *slog.Logger // nil: nothing is logged

	Frames  []string // CSP sources that pages may frame: "https://www.youtube-nocookie.com"
	Foreign bool     // the pages are not freshet's: no Content-Security-Policy, which would stop their inline scripts

	Revalidate time.Duration    // how long a verification keeps the site fresh; 0: 1 hour
	Verified   func() time.Time // when the site was last verified; nil: it is always fresh. Asked once a second
	Refuse     bool             // answer 503 when the site was not verified for MaxStale; otherwise serve it
	MaxStale   time.Duration    // 0: 24 hours
	Purged     func() bool      // purges reach the CDNs in front: they may keep pages until they are due. Nil: there are none. Asked once a second

	Refused func() []site.Refusal // why builds are refused, for /readyz; nil: nobody knows. It must not wait

	CacheBytes int64 // memory for bodies and their encoded forms; 0: 256 MiB; at least 1 MiB

	Late Late // pages that a reader may wait for; nil: there are none

	// Unreadable is called with an entry whose object cannot be read, and why. It returns the object's bytes if it has
	// them from elsewhere. It is called again at each request that needs them. Nil: nobody has.
	Unreadable func(e *site.Entry, err error) (body []byte, ok bool)

	Dev *DevEvents // not nil: the events of freshet dev at DevPath

	Routes  []Route                  // beside the pages
	Session func(*http.Request) bool // whether a request has a session that was checked, for the guard; nil: none has

	Hosts   *web.Hosts   // that are answered for, others 421; nil: all
	Proxies *web.Proxies // whose headers and PROXY headers tell who the client is; nil: nobody's
	TLS     *tls.Config  // not nil: Run speaks TLS, with HTTP/2 where it is among NextProtos
	Upgrade *Upgrade     // not nil: Run also answers who comes without TLS, which it then needs to speak
	Guard   *guard.Guard // nil: everybody may ask for everything. Who made it opens and runs it

	Access  *telemetry.AccessLog  // nil: requests are not logged. Run writes it
	Metrics prometheus.Registerer // nil: nobody is told

	DrainDelay   time.Duration // how long Run tells /readyz's readers, and all who keep connections, that it will stop before it does; 0: not at all
	DrainTimeout time.Duration // how long requests under way may still take; 0: 15 seconds
	// Run calls Leave if the drain takes longer than a second, and returns when Leave returns, while the drain continues. drained is
	// closed at its end. Nil: Run waits for the whole drain.
	Leave func(drained <-chan struct{})
}

// A Server answers readers. It is safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	pages   *pages
	targets []target // of the Upgrade
	handler http.Handler

	routes                  routes // of what is no page
	pageRoute, upgradeRoute route

	metrics  *metrics
	draining atomic.Bool

	trouble, strangers, undeclared, crowded trouble
}

// New makes a Server. It does no I/O.
func New(cfg Config) (*Server, error) {
	if cfg.Site == nil {
		return nil, errors.New("server: Site is missing")
	}
	cfg.Revalidate = cmp.Or(cfg.Revalidate, time.Hour)
	cfg.MaxStale = cmp.Or(cfg.MaxStale, 24*time.Hour)
	cfg.CacheBytes = max(cmp.Or(cfg.CacheBytes, 256<<20), 1<<20)
	cfg.DrainTimeout = cmp.Or(cfg.DrainTimeout, 15*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for i := range cfg.Routes {
		if err := cfg.Routes[i].check(); err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	if cfg.Upgrade != nil && cfg.TLS == nil {
		return nil, errors.New("server: TLS is missing, which an Upgrade sends readers to")
	}
	policy := ContentPolicy(cfg.Frames)
	if cfg.Foreign {
		policy = ""
	}
	s := &Server{cfg: cfg, log: cfg.Logger.With("part", "server")}
	var err error
	if cfg.Upgrade != nil {
		if s.targets, err = cfg.Upgrade.targets(); err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	if s.metrics, err = newMetrics(cfg.Metrics, routeNames(cfg.Routes)); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	st, err := newStore(cfg.CacheBytes, policy, s.metrics)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	st.unreadable = cfg.Unreadable
	s.pages = &pages{
		site: cfg.Site, store: st, hot: &hot{seed: maphash.MakeSeed()},
		fresh: &freshness{
			revalidate: cfg.Revalidate, maxStale: cfg.MaxStale, refuse: cfg.Refuse, purged: cfg.Purged, verified: cfg.Verified, log: s.log,
		},
	}
	if err := s.register(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.handler = s.install()
	return s, nil
}

// Handler answers all of the server's requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Time and size limits of a connection.
const (
	readHeaderTimeout = 10 * time.Second // slow enough for a phone, too fast for a slowloris to be cheap
	idleTimeout       = 2 * time.Minute
	writeTimeout      = time.Minute // and more for large bodies: see slowestBytes
	maxHeaderBytes    = 32 << 10
	lookAtDrain       = 20 * time.Millisecond
	leaveAfter        = time.Second // long enough for most answers under way
	maxStreams        = 128         // of one HTTP/2 connection at once; browsers ask for about a hundred
)

// Run serves connections from ln, and from the Upgrade's listener, until ctx ends, then drains: /readyz answers 503, and every
// answer ends its connection, or tells that it will end. After DrainDelay, or once no connection is left, no more are
// taken, and requests under way have DrainTimeout to finish. It closes both. It returns nil after a
// drain, cut short or not, and an error when it could not go on serving. All access records are written by then, unless Leave
// has not waited for the drain.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	ended := func() {}
	if s.cfg.Access != nil {
		logging, stop := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() { s.cfg.Access.Run(logging) })
		ended = func() {
			stop()
			wg.Wait()
		}
	}
	conns := s.connections()
	failed := make(chan error, 2)
	var serving sync.WaitGroup
	serve := func(ln net.Listener, how wire.Listen) {
		serving.Go(func() { failed <- fmt.Errorf("serve on %s: %w", ln.Addr(), conns.Serve(crowdedListener{ln, s}, how)) })
	}
	trusts := s.cfg.Proxies.Trusts
	serve(ln, wire.Listen{TLS: s.cfg.TLS, Trusts: trusts})
	if s.cfg.Upgrade != nil {
		serve(s.cfg.Upgrade.Listener, wire.Listen{Trusts: trusts, Direct: true})
	}
	end := func(ctx context.Context) (cut int) {
		defer ended()
		defer serving.Wait()
		return conns.Shutdown(ctx)
	}
	select {
	case err := <-failed:
		now, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel()
		end(now)
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("draining", "delay", s.cfg.DrainDelay, "timeout", s.cfg.DrainTimeout)
	failure := s.linger(failed)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
		defer cancel()
		if n := end(limit); n > 0 {
			s.log.Warn("requests were cut off", "requests", n)
		}
	}()
	if failure != nil {
		<-drained
		return fmt.Errorf("while draining: %w", failure)
	}
	if s.cfg.Leave != nil {
		select {
		case <-drained:
		case <-time.After(leaveAfter):
			s.cfg.Leave(drained)
		}
		return nil
	}
	<-drained
	return nil
}

// linger gives clients that keep connections DrainDelay to be told that these end. It returns at once when there are none.
func (s *Server) linger(failed <-chan error) error {
	end := time.After(s.cfg.DrainDelay)
	look := time.NewTicker(lookAtDrain)
	defer look.Stop()
	for s.metrics.open.Load() > 0 {
		select {
		case err := <-failed:
			return err
		case <-end:
			return nil
		case <-look.C:
		}
	}
	return nil
}

// connections makes the owner of the server's connections.
func (s *Server) connections() *wire.Server {
	srv := newHTTP(s.handler, s.log)
	if s.cfg.Dev != nil {
		srv.RegisterOnShutdown(s.cfg.Dev.Close) // its streams end only when told to
	}
	return wire.New(wire.Config{
		HTTP: srv, Answer: s.answer, HeadBytes: maxHeaderBytes, HeadTime: readHeaderTimeout, IdleTime: idleTimeout, WriteTime: writeTimeout,
		Open: &s.metrics.open, Log: s.log,
	})
}

// newHTTP is net/http's server with the limits of a connection.
func newHTTP(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readHeaderTimeout + 20*time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    2 * maxHeaderBytes, // the vetting refuses before
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do to their connections

		DisableGeneralOptionsHandler: true,
	}
}
