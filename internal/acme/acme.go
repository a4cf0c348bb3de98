// Package acme gets certificates for names from a certificate authority by ACME (RFC 8555), keeps them in a folder, and
// renews them while it runs.
//
// Promises. Who shakes hands never waits for the authority: a name has a certificate in memory, or the handshake fails at
// once. An authority that is away changes nothing while certificates are valid, and is told to the log once. A start
// with certificates in the folder asks for none. Processes that share a folder ask once between them, and each answers
// the challenges of all.
//
// Words. A host is a name that there is to be a certificate for. A challenge is what the authority asks to see, to
// believe that a host is ours: by a TLS handshake (tls-alpn-01), or by plain HTTP (http-01).
//
// When things fail. No certificate yet: handshakes for that host fail; the authority is asked again after 1 s to 1 min
// while it cannot be reached, and with growing pauses, as certmagic has them, while it refuses. A renewal that fails:
// the last certificate stays in use, and the log has a Warn, then an Error when a sixth of its time is left. A stored
// certificate that cannot be used: an Error names its folder; nothing is deleted.
//
// Not promised: that nothing of certmagic outlives Run. What works has ended, or is left alone after 5 s; one goroutine
// that paces orders stays, asleep.
package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Config says which certificates there are to be, and who gives them.
type Config struct {
	Hosts  []string       // at least one; the first is also for clients that name none
	Dir    string         // keeps certificates and the account's key; required; made if missing, for its owner alone
	CA     string         // address of the authority's directory; empty: Let's Encrypt, whose terms are taken as agreed
	Email  string         // that the authority may write to; may be empty
	Roots  *x509.CertPool // that the authority's own certificate is believed by; nil: the system's
	TLS    net.Addr       // where readers shake hands; required: challenges are answered there
	HTTP   net.Addr       // where [Manager.Answer] is asked; nil: nowhere, and only tls-alpn-01 is offered
	Look   time.Duration  // how often certificates are looked at; 0: 10 minutes
	Logger *slog.Logger   // nil: nothing is logged
}

// A Manager has certificates. It is safe for concurrent use.
type Manager struct {
	cfg    Config
	log    *slog.Logger
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
	cache  *certmagic.Cache
	store  *store
	client *http.Client // asks only whether the authority is there

	mu     sync.Mutex        // protects what follows
	told   map[string]string // by host: what is wrong with it, as the log has it
	closed bool
}

// Open makes a Manager with the certificates that the folder has. It does not ask the authority. Whoever opens a Manager
// runs or closes it.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	if len(cfg.Hosts) == 0 || cfg.Dir == "" || cfg.TLS == nil {
		return nil, errors.New("acme: Hosts, Dir or TLS is missing")
	}
	cfg.CA = cmp.Or(cfg.CA, certmagic.LetsEncryptProductionCA)
	cfg.Look = cmp.Or(cfg.Look, 10*time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := private(cfg.Dir); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: cfg.Roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	m := &Manager{
		cfg: cfg, log: cfg.Logger.With("part", "acme"), store: newStore(cfg.Dir), told: map[string]string{},
		client: &http.Client{Transport: transport, Timeout: reachTime},
	}
	zl := zap.New(&bridge{log: m.log})
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		RenewCheckInterval: cfg.Look,
		Logger:             zl,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: m.store, Logger: zl, DefaultServerName: cfg.Hosts[0],
		OCSP:           certmagic.OCSPConfig{DisableStapling: true}, // it would be fetched before a stored certificate is served
		OnEvent:        m.event,
		ShouldEmitFunc: func(event string) bool { return event == "cert_failed" || event == "cert_obtained" },
	})
	m.issuer = certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA: cfg.CA, Email: cfg.Email, Agreed: true, TrustedRoots: cfg.Roots, Logger: zl,
		// certmagic listens for challenges itself where nobody does: these are the addresses where we do.
		ListenHost: host(cfg.TLS), AltTLSALPNPort: port(cfg.TLS), AltHTTPPort: port(cfg.HTTP), DisableHTTPChallenge: cfg.HTTP == nil,
	})
	m.magic.Issuers = []certmagic.Issuer{m.issuer}
	for _, name := range cfg.Hosts {
		if _, err := m.magic.CacheManagedCertificate(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.trouble(name, m.stored(name, err))
		}
	}
	return m, nil
}

// private makes a folder that only its owner may look into. Those above it may be anybody's.
func private(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o700)
}

func host(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		return tcp.IP.String()
	}
	return ""
}

func port(a net.Addr) int {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// TLS is how a server with these certificates speaks TLS. Connections that agree on acme-tls/1 are challenges: nothing
// follows their handshake.
func (m *Manager) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1", "acme-tls/1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := m.magic.GetCertificate(hello)
			if err != nil {
				return nil, err
			}
			return cert, nil
		},
	}
}

// Answer answers r, which came without TLS and names a host, when it is the authority's, and reports whether it was.
func (m *Manager) Answer(w http.ResponseWriter, r *http.Request) bool {
	return m.issuer.HandleHTTPChallenge(w, r)
}

// Run gets the certificates that are missing and renews those that fall due, until ctx ends. It closes the Manager.
func (m *Manager) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, name := range m.cfg.Hosts {
		if m.newest(name) == nil {
			wg.Go(func() { m.obtain(ctx, name) })
		}
	}
	// What fell due while nobody ran is renewed now, not at the first look.
	if err := m.cache.RenewManagedCertificates(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("certificates cannot be looked at", "error", err)
	}
	<-ctx.Done()
	wg.Wait()
	return m.Close()
}

// endTime bounds the wait for what certmagic is doing when it is told to stop. It heeds that at once, unless it asks an
// authority that hangs whether a certificate should be renewed early; no file is being written then.
const endTime = 5 * time.Second

// Close ends the care of certificates. What was obtained goes on being served.
func (m *Manager) Close() error {
	m.mu.Lock()
	again := m.closed
	m.closed = true
	m.mu.Unlock()
	if again {
		return nil
	}
	limit := time.NewTimer(endTime)
	defer limit.Stop()
	stopped := make(chan struct{})
	go func() {
		m.cache.Stop()
		close(stopped)
	}()
	for _, ended := range []<-chan struct{}{stopped, m.store.idle()} {
		select {
		case <-ended:
		case <-limit.C:
			return nil
		}
	}
	return nil
}

// Times of asking for a certificate that there is none of.
const (
	reachTime   = 10 * time.Second // for the authority to show its directory
	soonest     = time.Second      // between tries to reach it
	latest      = time.Minute      // the same, after a few; and after a failure that no request to the authority was part of
	refusedTime = time.Hour        // after a refusal that certmagic does not retry: authorities count those
)

// obtain asks for a certificate until there is one. Whether the authority can be reached is found out first: at the
// start of a machine it often cannot, and the first of certmagic's pauses is a minute.
func (m *Manager) obtain(ctx context.Context, name string) {
	m.log.Info("there is no certificate yet, handshakes fail until there is one", "host", name, "ca", m.cfg.CA)
	pause := soonest
	for {
		err := m.reach(ctx)
		wait := pause
		if err == nil {
			wait = latest
			if err = m.magic.ObtainCertAsync(ctx, name); err == nil { // "Async" says only that nobody is asked anything
				if _, err = m.magic.CacheManagedCertificate(ctx, name); err == nil {
					return
				}
				err = m.stored(name, err)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if _, final := errors.AsType[certmagic.ErrNoRetry](err); final {
			wait = refusedTime
		}
		m.trouble(name, err)
		pause = min(2*pause, latest)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// reach reports why the authority does not show its directory.
func (m *Manager) reach(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.cfg.CA, nil)
	if err != nil {
		return err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the directory %s answers %s", m.cfg.CA, res.Status)
	}
	return nil
}

// newest is the certificate for a host that expires last; nil: there is none.
func (m *Manager) newest(name string) *x509.Certificate {
	var last *x509.Certificate
	for _, c := range m.cache.AllMatchingCertificates(name) {
		if slices.Contains(c.Names, name) && (last == nil || c.Leaf.NotAfter.After(last.NotAfter)) {
			last = c.Leaf
		}
	}
	return last
}

var expiryDesc = prometheus.NewDesc("freshet_server_certificate_expiry_timestamp_seconds",
	"When the certificate for a host expires, in seconds since 1970; 0: there is none.", []string{"host"}, nil)

// Describe implements prometheus.Collector.
func (m *Manager) Describe(out chan<- *prometheus.Desc) { out <- expiryDesc }

// Collect implements prometheus.Collector. The hosts are those of the settings.
func (m *Manager) Collect(out chan<- prometheus.Metric) {
	for _, name := range m.cfg.Hosts {
		v := 0.0
		if c := m.newest(name); c != nil {
			v = float64(c.NotAfter.Unix())
		}
		out <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, v, name)
	}
}

// Internal reports whether no public authority gives certificates for a host, as it is a name that only means something
// within one network.
func Internal(name string) bool {
	return !strings.Contains(name, ".") || !certmagic.SubjectQualifiesForPublicCert(name)
}
