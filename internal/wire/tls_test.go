package wire_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"freshet/internal/wire"
)

// HTTP/2 goes past the vetting, HTTP/1 through it; both requests know their TLS.
func TestTLS(t *testing.T) {
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	cfg := &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2", "http/1.1", "acme-tls/1"}}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Certificate())

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := wire.New(wire.Config{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := wire.RefusedFor(r); ok {
			w.WriteHeader(400)
			return
		}
		_, _ = io.WriteString(w, r.Proto+" "+tls.VersionName(r.TLS.Version))
	})}, Answer: func(p *wire.Request) bool { return (p.Refused != "" || p.Target == "/loop") && p.Secure && answerAs(p) }})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln, wire.Listen{TLS: cfg}) }()
	addr := ln.Addr().String()

	for _, row := range []struct {
		h2   bool
		want string
	}{{true, "HTTP/2.0 TLS 1.3"}, {false, "HTTP/1.1 TLS 1.3"}} {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(row.h2)
		protocols.SetHTTP1(!row.h2)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"}, Protocols: protocols}
		res, err := (&http.Client{Transport: tr}).Get("https://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		tr.CloseIdleConnections()
		if string(body) != row.want {
			t.Errorf("HTTP/2 %v: %q, want %q", row.h2, body, row.want)
		}
	}

	// The loop answers within TLS, in pieces of any size.
	pair, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(pair, "GET /loop HTTP/1.1\r\nHost: h\r\n\r\nGET /loop HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	both, err := io.ReadAll(pair)
	pair.Close()
	if err != nil || strings.Count(string(both), `GET /loop ""`) != 2 {
		t.Errorf("two requests within TLS: %q, %v", both, err)
	}

	// HTTP/1 within TLS is vetted.
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\nHost: h\n\n")
	answer, _ := io.ReadAll(conn)
	conn.Close()
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("a bare LF within TLS: %q", answer)
	}

	// A challenge is a handshake and nothing else.
	conn, err = tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	answer, _ = io.ReadAll(conn)
	conn.Close()
	if len(answer) > 0 {
		t.Errorf("a request after agreeing on acme-tls/1: %q", answer)
	}

	// Who speaks plain HTTP is told.
	plain, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	answer, _ = io.ReadAll(plain)
	plain.Close()
	if !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") {
		t.Errorf("plain HTTP: %q", answer)
	}

	// Closing does not wait for who never says anything.
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	srv.Shutdown(t.Context())
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
}
