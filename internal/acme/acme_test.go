package acme_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"freshet/internal/acme"
	"freshet/internal/testenv/authority"
	"freshet/server"
)

// A buffer is a log that may be written while it is read.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// count says how many records of a level there are that hold text.
func (b *buffer) count(level, text string) int {
	n := 0
	for line := range strings.SplitSeq(b.String(), "\n") {
		if strings.Contains(line, " level="+level+" ") && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// eventually waits until a condition holds that work elsewhere brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit, look := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("after 30 seconds: not %s", what)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// unused is a port where nobody listens.
func unused(t *testing.T) int {
	ln := listen(t)
	defer ln.Close()
	return port(ln)
}

// unbuilt is a site that nobody has built: it does for handshakes.
type unbuilt struct{}

func (unbuilt) Current() server.Generation { return nil }

// A site serves by TLS with a Manager's certificates, until stop.
type site struct {
	*acme.Manager
	addr string
	log  *buffer
	stop func()
}

// serve runs a Manager and a server on ln, and one for who comes without TLS on plain, if that is not nil.
func serve(t *testing.T, ln, plain net.Listener, cfg acme.Config) *site {
	t.Helper()
	s := &site{addr: ln.Addr().String(), log: &buffer{}}
	cfg.TLS = ln.Addr()
	if plain != nil {
		cfg.HTTP = plain.Addr()
	}
	cfg.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.Manager, err = acme.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	scfg := server.Config{Site: unbuilt{}, TLS: s.TLS(), DrainTimeout: time.Second, Logger: cfg.Logger}
	if plain != nil {
		scfg.Upgrade = &server.Upgrade{Listener: plain, Hosts: cfg.Hosts, Challenge: s.Answer}
	}
	srv, err := server.New(scfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := srv.Run(ctx, ln); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

// serial shakes hands as a reader of host does, and returns the number of the certificate; empty: there is none.
func (s *site) serial(t *testing.T, a *authority.Authority, host string) string {
	t.Helper()
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{RootCAs: a.Roots, ServerName: host}}
	conn, err := d.DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func gauge(t *testing.T, s *site, host string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(s.Manager)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].Metric {
		if m.Label[0].GetValue() == host {
			return m.Gauge.GetValue()
		}
	}
	t.Fatalf("no gauge for %s", host)
	return 0
}

// A first certificate comes by tls-alpn-01 alone, is served over HTTP/2 and HTTP/1.1, and lies where only we may look.
// The next start has it at once, with the authority away.
func TestFirstAndStored(t *testing.T) {
	ln := listen(t)
	a := authority.New(t, authority.Config{TLSPort: port(ln), HTTPPort: unused(t)})
	dir := filepath.Join(t.TempDir(), "state", "certificates")
	cfg := acme.Config{Hosts: []string{"first.example", "also.example"}, Dir: dir, CA: a.Directory, Email: "web@first.example", Roots: a.TLSRoots}
	s := serve(t, ln, nil, cfg)
	for _, host := range cfg.Hosts {
		eventually(t, "a certificate for "+host, func() bool { return s.serial(t, a, host) != "" })
	}
	for _, h2 := range []bool{true, false} {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(h2)
		protocols.SetHTTP1(!h2)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Roots, ServerName: "first.example"}, Protocols: protocols}
		res, err := (&http.Client{Transport: tr}).Get("https://" + s.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		tr.CloseIdleConnections()
		if (res.ProtoMajor == 2) != h2 {
			t.Errorf("HTTP/2 %v: answered by %s", h2, res.Proto)
		}
	}
	if got := s.serial(t, a, "other.example"); got != "" {
		t.Errorf("a certificate for a host that is not ours: %s", got)
	}
	// Who names no host, as by address, gets the first one's.
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != "first.example" {
		t.Errorf("who names no host gets a certificate for %q", got)
	}
	conn.Close()
	// What anybody can do is told at Debug, like what the authority's challenges do.
	if conn, err := tls.Dial("tcp", s.addr, &tls.Config{ServerName: "first.example", NextProtos: []string{"acme-tls/1"}}); err == nil {
		conn.Close()
		t.Error("a challenge that nobody has posed was answered")
	}
	if got := gauge(t, s, "first.example"); got < float64(time.Now().Unix()) {
		t.Errorf("the gauge says that the certificate expires at %v", got)
	}
	if problems, err := testutil.CollectAndLint(s.Manager); err != nil || len(problems) > 0 {
		t.Errorf("lint of metrics: %v, %v", problems, err)
	}
	s.stop()
	if n := s.log.count("WARN", "") + s.log.count("ERROR", ""); n > 0 {
		t.Errorf("%d records of trouble:\n%s", n, s.log)
	}
	if n := s.log.count("INFO", `msg="certificate obtained"`); n != 2 {
		t.Errorf("%d records say that a certificate was obtained, want 2", n)
	}
	checkFolder(t, dir, s.log.String())

	a.Away()
	asked := a.Asked()
	s = serve(t, listen(t), nil, cfg)
	for _, host := range cfg.Hosts {
		if s.serial(t, a, host) == "" {
			t.Errorf("after a restart with the authority away: no certificate for %s", host)
		}
	}
	s.stop()
	if a.Asked() != asked || s.log.count("WARN", "")+s.log.count("ERROR", "") > 0 {
		t.Errorf("the authority was asked %d times more; log:\n%s", a.Asked()-asked, s.log)
	}
}

// checkFolder looks for files that others may read, locks that are left, and keys that a log tells.
func checkFolder(t *testing.T, dir, log string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
		if strings.HasSuffix(name, ".lock") {
			t.Errorf("the lock %s was left", name)
		}
		if !strings.HasSuffix(name, ".key") {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		keys++
		block, _ := pem.Decode(data)
		if block == nil {
			t.Errorf("%s holds no key", name)
			return nil
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			if len(line) > 30 && !strings.HasPrefix(line, "-----") && strings.Contains(log, line) {
				t.Errorf("the log holds a line of %s", name)
			}
		}
		return nil
	})
	if err != nil || keys != 3 || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("%d keys in the folder, %v, want one for the account and one a host, and none in the log", keys, err)
	}
}

// Where handshakes do not reach us, http-01 is what is left.
func TestByHTTP(t *testing.T) {
	ln, plain := listen(t), listen(t)
	a := authority.New(t, authority.Config{TLSPort: unused(t), HTTPPort: port(plain)})
	s := serve(t, ln, plain, acme.Config{Hosts: []string{"byhttp.example"}, Dir: t.TempDir(), CA: a.Directory, Roots: a.TLSRoots})
	eventually(t, "a certificate", func() bool { return s.serial(t, a, "byhttp.example") != "" })
	if s.log.count("DEBUG", `challenge=http-01`) == 0 {
		t.Errorf("no challenge was answered by HTTP:\n%s", s.log)
	}
}

// An authority that is away at the start delays nobody, is told once, and is asked again by itself.
func TestAway(t *testing.T) {
	ln := listen(t)
	a := authority.New(t, authority.Config{TLSPort: port(ln), HTTPPort: unused(t)})
	a.Away()
	s := serve(t, ln, nil, acme.Config{Hosts: []string{"away.example"}, Dir: t.TempDir(), CA: a.Directory, Roots: a.TLSRoots})
	const failed = "no certificate could be obtained, handshakes fail until there is one"
	eventually(t, "a record of the trouble", func() bool { return s.log.count("ERROR", failed) > 0 })
	start := time.Now()
	if got := s.serial(t, a, "away.example"); got != "" || time.Since(start) > 2*time.Second {
		t.Errorf("a handshake without a certificate: %q after %v, want none at once", got, time.Since(start))
	}
	if got := gauge(t, s, "away.example"); got != 0 {
		t.Errorf("the gauge without a certificate is %v", got)
	}
	a.Back(t)
	eventually(t, "a certificate", func() bool { return s.serial(t, a, "away.example") != "" })
	if n := s.log.count("ERROR", ""); n != 1 {
		t.Errorf("%d errors, want one:\n%s", n, s.log)
	}
	if n := s.log.count("INFO", "certificate obtained"); n != 1 {
		t.Errorf("%d records say that it was obtained, want one", n)
	}
}

// An authority that takes requests and never answers keeps neither readers nor the end waiting.
func TestHanging(t *testing.T) {
	for i, path := range []string{"/dir", "/sign-me-up", "/order-plz", "/chalZ/", "/authZ/", "/finalize-order/", "/draft-ietf-acme-ari-03/"} {
		ln := listen(t)
		a := authority.New(t, authority.Config{TLSPort: port(ln), HTTPPort: unused(t)})
		a.Hang(path)
		host := fmt.Sprintf("hanging%d.example", i)
		s := serve(t, ln, nil, acme.Config{Hosts: []string{host}, Dir: t.TempDir(), CA: a.Directory, Roots: a.TLSRoots})
		eventually(t, "a request that waits, for "+path, func() bool { return a.Waiting() > 0 })
		start := time.Now()
		s.serial(t, a, host)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s hangs: a handshake took %v", path, took)
		}
		start = time.Now()
		s.stop()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s hangs: the end took %v", path, took)
		}
		if n := s.log.count("WARN", "") + s.log.count("ERROR", ""); n > 0 {
			t.Errorf("%s hangs: %d records of trouble at the end:\n%s", path, n, s.log)
		}
	}
}

// A certificate is renewed while it is served; when the authority is away then, it goes on being served, and one record
// says so.
func TestRenewal(t *testing.T) {
	ln := listen(t)
	a := authority.New(t, authority.Config{TLSPort: port(ln), HTTPPort: unused(t), Lifetime: 9 * time.Second})
	host := strings.ToLower(rand.Text()) + ".example" // certmagic remembers failed renewals by name, for the whole process
	s := serve(t, ln, nil, acme.Config{Hosts: []string{host}, Dir: t.TempDir(), CA: a.Directory, Roots: a.TLSRoots, Look: 50 * time.Millisecond})
	first := ""
	eventually(t, "a certificate", func() bool { first = s.serial(t, a, host); return first != "" })
	expiry := gauge(t, s, host)
	eventually(t, "another certificate", func() bool { next := s.serial(t, a, host); return next != "" && next != first })
	if got := gauge(t, s, host); got <= expiry {
		t.Errorf("the gauge was %v and is %v after the renewal", expiry, got)
	}
	a.Away()
	eventually(t, "a record of the trouble", func() bool { // an Error on a machine so busy that it is late
		return s.log.count("WARN", "the certificate could not be renewed, the last one stays in use")+s.log.count("ERROR", "the certificate expires soon") > 0
	})
	if s.serial(t, a, host) == "" {
		t.Error("the certificate is not served while the authority is away")
	}
	s.stop()
	if n := s.log.count("WARN", "") + s.log.count("ERROR", ""); n != 1 {
		t.Errorf("%d records of trouble, want one:\n%s", n, s.log)
	}
}

// A stored certificate that is damaged is told, and not thrown away.
func TestDamaged(t *testing.T) {
	ln := listen(t)
	a := authority.New(t, authority.Config{TLSPort: port(ln), HTTPPort: unused(t)})
	cfg := acme.Config{Hosts: []string{"damaged.example"}, Dir: t.TempDir(), CA: a.Directory, Roots: a.TLSRoots}
	s := serve(t, ln, nil, cfg)
	eventually(t, "a certificate", func() bool { return s.serial(t, a, "damaged.example") != "" })
	s.stop()
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "certificates", "*", "damaged.example", "damaged.example.crt"))
	if err != nil || len(files) != 1 {
		t.Fatalf("certificates in the folder: %q, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("half a certi"), 0o600); err != nil {
		t.Fatal(err)
	}
	orders := a.Orders()
	s = serve(t, listen(t), nil, cfg)
	eventually(t, "a record of the trouble", func() bool { return s.log.count("ERROR", filepath.Dir(files[0])) > 0 })
	s.stop()
	if n := s.log.count("ERROR", ""); n != 1 || a.Orders() != orders {
		t.Errorf("%d errors, %d orders more, want one and none:\n%s", n, a.Orders()-orders, s.log)
	}
	if data, err := os.ReadFile(files[0]); err != nil || string(data) != "half a certi" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

// Names that only mean something within one network get no public certificate.
func TestInternal(t *testing.T) {
	for name, want := range map[string]bool{
		"example.com": false, "xn--bcher-kva.example": false, "intranet": true, "db.internal": true, "printer.local": true, "localhost": true,
	} {
		if got := acme.Internal(name); got != want {
			t.Errorf("Internal(%q) = %v, want %v", name, got, want)
		}
	}
}
