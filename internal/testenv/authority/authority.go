// Package authority is a certificate authority for tests: Pebble, Let's Encrypt's own test server, in this process. It
// validates for real, over loopback: every name has the address 127.0.0.1, and the ports are the test's.
package authority

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Config says where an Authority looks for hosts. A port where nobody listens makes that kind of challenge fail.
type Config struct {
	TLSPort, HTTPPort int
	Lifetime          time.Duration // of certificates; 0: 90 days
}

// An Authority gives certificates.
type Authority struct {
	Directory string         // its address
	Roots     *x509.CertPool // that its certificates are believed by
	TLSRoots  *x509.CertPool // that its own address is believed by
	RootFile  string         // the same as a file of PEM

	handler http.Handler
	hung    atomic.Pointer[hang]
	orders  atomic.Int64
	asked   atomic.Int64
	waiting atomic.Int64

	mu   sync.Mutex // protects what follows
	srv  *httptest.Server
	addr string
}

// A hang is what Hang makes of requests.
type hang struct {
	path string
	over chan struct{}
}

// A counter counts answers that say something was made.
type counter struct {
	http.ResponseWriter
	made *atomic.Int64
}

func (c *counter) WriteHeader(status int) {
	if status == http.StatusCreated {
		c.made.Add(1)
	}
	c.ResponseWriter.WriteHeader(status)
}

// New starts an Authority, which ends with the test.
func New(t testing.TB, cfg Config) *Authority {
	t.Helper()
	if tt, ok := t.(interface{ Setenv(key, value string) }); ok {
		tt.Setenv("PEBBLE_VA_NOSLEEP", "1") // it would wait some seconds before it validates
	}
	resolver := resolver(t)
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "for tests", ValidityPeriod: uint64(cfg.Lifetime / time.Second)}}
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	validator := va.New(quiet, cfg.HTTPPort, cfg.TLSPort, true, resolver, store)
	front := wfe.New(quiet, store, validator, issuer, []string{"authority.example"}, true, false, 0, 0)
	pages := front.Handler()
	a := &Authority{Roots: x509.NewCertPool(), TLSRoots: x509.NewCertPool(), addr: "127.0.0.1:0"}
	a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if h := a.hung.Load(); h != nil && strings.HasPrefix(r.URL.Path, h.path) {
			body, err := io.ReadAll(r.Body) // else nothing tells that the client has gone
			if err != nil {
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			a.waiting.Add(1)
			defer a.waiting.Add(-1)
			select {
			case <-h.over:
			case <-r.Context().Done():
				return
			}
		}
		if r.Method == http.MethodPost && r.URL.Path == "/order-plz" {
			w = &counter{w, &a.orders} // of those that are taken: Pebble refuses some nonces, to see whether clients try again
		}
		pages.ServeHTTP(w, r)
	})
	root, err := x509.ParseCertificate(issuer.GetRootCert(0).DER)
	if err != nil {
		t.Fatal(err)
	}
	a.Roots.AddCert(root)
	a.Back(t)
	t.Cleanup(a.Away)
	a.Directory = a.srv.URL + wfe.DirectoryPath
	a.TLSRoots.AddCert(a.srv.Certificate())
	a.RootFile = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(a.RootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Orders counts the certificates that were asked for.
func (a *Authority) Orders() int { return int(a.orders.Load()) }

// Asked counts requests of all kinds.
func (a *Authority) Asked() int { return int(a.asked.Load()) }

// Hang answers no more requests whose paths begin so: those wait until they are given up, or resume is called.
func (a *Authority) Hang(path string) (resume func()) {
	h := &hang{path, make(chan struct{})}
	a.hung.Store(h)
	return sync.OnceFunc(func() {
		a.hung.CompareAndSwap(h, nil)
		close(h.over)
	})
}

// Waiting counts requests that wait.
func (a *Authority) Waiting() int { return int(a.waiting.Load()) }

// Away stops answering: connections are refused.
func (a *Authority) Away() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.srv != nil {
		a.srv.CloseClientConnections()
		a.srv.Close()
		a.srv = nil
	}
}

// Back answers again, at the same address.
func (a *Authority) Back(t testing.TB) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	ln, err := net.Listen("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	a.addr = ln.Addr().String()
	a.srv = &httptest.Server{Listener: ln, Config: &http.Server{Handler: a.handler, ErrorLog: log.New(io.Discard, "", 0)}}
	a.srv.StartTLS()
}

// resolver knows one address for all names.
func resolver(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{Listener: ln, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1),
			}}
		}
		_ = w.WriteMsg(answer) // who asked sees that none came
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.ActivateAndServe() // until the listener is closed
	}()
	t.Cleanup(func() {
		ln.Close()
		<-ended
	})
	return ln.Addr().String()
}
