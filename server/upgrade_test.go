package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"freshet/server"
)

// Who comes without TLS is sent to https: to our own names alone, whatever the request says.
func TestUpgrade(t *testing.T) {
	u, err := server.NewUpgrade(server.UpgradeConfig{
		Hosts: []string{"Example.com", "www.example.com"}, Port: "8443",
		Challenge: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/.well-known/acme-challenge/token" {
				return false
			}
			_, _ = io.WriteString(w, "token.thumbprint")
			return true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx, ln) }()
	const ours = "https://example.com:8443"
	for _, row := range []struct {
		request  string // its lines but for the last, which is empty
		code     int
		location string
		body     string
	}{
		{"GET / HTTP/1.1\nHost: example.com", 308, ours + "/", ""},
		{"GET /blog/a%20b/?q=1&r=%0a HTTP/1.1\nHost: EXAMPLE.com.:80", 308, ours + "/blog/a%20b/?q=1&r=%0a", ""},
		{"GET / HTTP/1.1\nHost: www.example.com", 308, "https://www.example.com:8443/", ""},
		{"POST /api/x HTTP/1.1\nHost: example.com\nContent-Length: 2\n\nab", 308, ours + "/api/x", ""},
		{"HEAD /x HTTP/1.1\nHost: example.com", 308, ours + "/x", ""},
		{"GET //evil.example/ HTTP/1.1\nHost: example.com", 308, ours + "//evil.example/", ""},
		{"GET http://example.com/x HTTP/1.1\nHost: example.com", 308, ours + "/x", ""},
		{"GET / HTTP/1.1\nHost: example.com\nX-Forwarded-Host: evil.example\nForwarded: host=evil.example", 308, ours + "/", ""},
		{"GET /.well-known/acme-challenge/token HTTP/1.1\nHost: example.com", 200, "", "token.thumbprint"},
		{"GET /.well-known/acme-challenge/other HTTP/1.1\nHost: example.com", 308, ours + "/.well-known/acme-challenge/other", ""},
		{"GET /.well-known/acme-challenge/token HTTP/1.1\nHost: evil.example", 421, "", ""},
		{"GET / HTTP/1.1\nHost: evil.example", 421, "", ""},
		{"GET / HTTP/1.1\nHost: example.com.evil.example", 421, "", ""},
		{"GET / HTTP/1.1\nHost: 127.0.0.1", 421, "", ""},
		{"GET / HTTP/1.1\nHost: localhost", 421, "", ""},
		{"OPTIONS * HTTP/1.1\nHost: example.com", 400, "", ""},
		{"GET / HTTP/1.1\nHost: example.com\nX: " + strings.Repeat("x", 40<<10), 431, "", ""},
		{"GET / HTTP/1.1\nHost: example.com\nContent-Length: 1\nTransfer-Encoding: chunked", 400, "", ""},
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(row.request, "\n", "\r\n")
		if !strings.Contains(text, "\r\n\r\n") {
			text += "\r\n\r\n"
		}
		_, _ = io.WriteString(conn, text)
		res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: row.request[:strings.IndexByte(row.request, ' ')]})
		if err != nil {
			t.Errorf("%.60q: %v", row.request, err)
			conn.Close()
			continue
		}
		body, _ := io.ReadAll(res.Body)
		conn.Close()
		if res.StatusCode != row.code || res.Header.Get("Location") != row.location || row.body != "" && string(body) != row.body ||
			row.code >= 300 && res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%.60q: %d, to %q, %q, %v", row.request, res.StatusCode, res.Header.Get("Location"), body, res.Header)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := server.NewUpgrade(server.UpgradeConfig{}); err == nil {
		t.Error("an Upgrade without hosts was made")
	}
}
