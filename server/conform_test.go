package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/server"
)

// TestLargeBody checks that a body which is too large to be dropped ends the connection, whichever way its size is told.
func TestLargeBody(t *testing.T) {
	addr := listening(t, newServer(t, server.Config{Site: serving(built())}))
	for _, body := range []string{
		"Content-Length: 65537\r\n\r\n" + strings.Repeat("a", 64<<10+1),
		"Transfer-Encoding: chunked\r\n\r\n10001\r\n" + strings.Repeat("a", 64<<10+1) + "\r\n0\r\n\r\n",
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() { _, _ = io.WriteString(conn, method+" /blog/rivers/ HTTP/1.1\r\nHost: h\r\n"+body) }()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != 413 || !res.Close {
				t.Errorf("%s with %.30q: %d, ends %v, want 413 and the end", method, body, res.StatusCode, res.Close)
			}
		}
	}
}

// TestEmptyFrame checks that a request of HTTP/2 which ends with a DATA frame, mostly an empty one, is answered like one without.
func TestEmptyFrame(t *testing.T) {
	addr := listening(t, newServer(t, server.Config{Site: serving(built()), TLS: newCertificate(t, "h2", "http/1.1")}))
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204} {
		for data, code := range map[string]int{"": want, "a small body": want, strings.Repeat("a", 64<<10+1): 413} {
			for _, path := range []string{"/blog/rivers/", "/livez"} {
				if path == "/livez" && method == "OPTIONS" {
					continue
				}
				// Of a reader that tells no length only reading tells that it is empty.
				body := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil }
				first, _ := body()
				req, err := http.NewRequest(method, "https://"+addr+path, first)
				if err != nil {
					t.Fatal(err)
				}
				req.GetBody = body // the connection of a 413 ends, perhaps just when this request is sent on it
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != code || res.ProtoMajor != 2 {
					t.Errorf("%s %s of %s with %d bytes: %d, want %d", method, path, res.Proto, len(data), res.StatusCode, code)
				}
			}
		}
	}
}

// newCertificate makes a configuration of TLS with a certificate of its own.
func newCertificate(t *testing.T, protos ...string) *tls.Config {
	t.Helper()
	certFile, keyFile, _ := pair(t, t.TempDir(), 1)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protos}
}

// TestDots checks where addresses with dot segments lead, on a folder too, whose file system would resolve them itself.
func TestDots(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/rivers/index.html", "<h1>Rivers</h1>")
	write(t, dir, "index.html", "<h1>Home</h1>")
	folder, err := server.OpenFolder(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	for name, site := range map[string]server.Site{"generation": serving(built()), "folder": folder} {
		h := newServer(t, server.Config{Site: site}).Handler()
		for target, want := range map[string]string{
			"/blog/../": "/", "/blog/..": "/", "/blog/./rivers/": "/blog/rivers/", "/./blog/rivers": "/blog/rivers/", "/a/b/../../blog/rivers/": "/blog/rivers/",
			"/%2e%2E/blog/rivers/": "/blog/rivers/", "/.": "/", "/..": "/", "/blog/../Blog/Rivers/?a=b": "/blog/rivers/?a=b",
		} {
			res := get(h, target)
			if res.Code != 308 || res.Header().Get("Location") != want {
				t.Errorf("%s: GET %s = %d to %q, want 308 to %q", name, target, res.Code, res.Header().Get("Location"), want)
			}
		}
		for _, target := range []string{"/../../etc/passwd", "/blog/../nowhere", "/blog/.../rivers/", "/blog/..rivers/"} {
			if res := get(h, target); res.Code != 404 {
				t.Errorf("%s: GET %s = %d, want 404", name, target, res.Code)
			}
		}
	}
}

// TestConnectionsEnd checks that clients who keep connections are told that these end while a server drains, and that none of
// their requests is lost.
func TestConnectionsEnd(t *testing.T) {
	srv := newServer(t, server.Config{Site: serving(built()), DrainDelay: 5 * time.Second})
	get(srv.Handler(), "/blog/rivers/") // from now on in memory, so that it is answered without net/http
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx, ln) }()
	var clients, warm sync.WaitGroup
	var told atomic.Int64
	const n = 8
	for range n {
		warm.Add(1)
		clients.Go(func() {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Error(err)
				warm.Done()
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			br := bufio.NewReader(conn)
			for i := 0; ; i++ {
				if i == 3 {
					warm.Done()
				}
				if _, err := io.WriteString(conn, "GET /blog/rivers/ HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Errorf("answer %d: %v", i, err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				if err != nil || res.StatusCode != 200 {
					t.Errorf("answer %d: %d, %v", i, res.StatusCode, err)
					return
				}
				if res.Close {
					told.Add(1)
					return
				}
			}
		})
	}
	warm.Wait()
	begin := time.Now()
	cancel()
	clients.Wait()
	if told.Load() != n {
		t.Errorf("%d of %d clients were told", told.Load(), n)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took >= 5*time.Second {
		t.Errorf("Run ends after %s, though no connection was left", took)
	}
}

// TestPortChecks checks that a balancer which only connects, or asks as HAProxy does, leaves nothing in the log of errors.
func TestPortChecks(t *testing.T) {
	var log syncBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for name, speak := range map[string]*tls.Config{"plain": nil, "TLS": newCertificate(t)} {
		addr := listening(t, newServer(t, server.Config{Site: serving(built()), Hosts: hosts(t, "freshet.test"), TLS: speak, Logger: logger}))
		for range 3 {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // HAProxy resets connections that it has checked
			_ = conn.Close()
		}
		conn, err := net.Dial("tcp", addr)
		if speak != nil {
			conn, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "OPTIONS / HTTP/1.0\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 204 {
			t.Errorf("%s: HAProxy's check: %v, %v", name, res, err)
		}
	}
	if text := log.String(); text != "" {
		t.Errorf("the log has %q", text)
	}
}

type syncBuffer struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
