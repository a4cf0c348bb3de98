package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/telemetry"
	"freshet/server"
	"freshet/server/guard"
)

// Who comes without TLS is sent to https: to our own names alone, whatever the request says, and whoever it is.
func TestUpgrade(t *testing.T) {
	certFile, keyFile, pool := pair(t, t.TempDir(), 1)
	kp, err := server.OpenKeyPair(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	metrics := prometheus.NewRegistry()
	cfg := server.Config{
		Site: serving(built()), TLS: kp.Config(), Hosts: hosts(t, "example.com", "www.example.com", "loopback"), Metrics: metrics,
		Access: telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &log}), Guard: newGuard(t, guard.Config{Block: []string{"127.0.0.0/8"}}),
		Upgrade: &server.Upgrade{
			Listener: plain, Hosts: []string{"Example.com", "www.example.com"}, Port: "8443",
			Challenge: func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/.well-known/acme-challenge/token" {
					return false
				}
				_, _ = io.WriteString(w, "token.thumbprint")
				return true
			},
		},
	}
	srv := newServer(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, ln) }()
	const ours = "https://example.com:8443"
	answered := map[string]int{} // by id
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
		conn, err := net.Dial("tcp", plain.Addr().String())
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
		answered[res.Header.Get("X-Request-Id")] = res.StatusCode
		if res.StatusCode != row.code || res.Header.Get("Location") != row.location || row.body != "" && string(body) != row.body ||
			row.code >= 300 && res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%.60q: %d, to %q, %q, %v", row.request, res.StatusCode, res.Header.Get("Location"), body, res.Header)
		}
	}
	// Who comes with TLS meets the guard.
	for _, h2 := range []bool{true, false} {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(h2)
		protocols.SetHTTP1(!h2)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, Protocols: protocols}}
		for path, want := range map[string]int{"/": 403, "/livez": 200} {
			res, err := client.Get("https://" + ln.Addr().String() + path)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("HTTP/2 %v, GET %s with TLS: %d, want %d", h2, path, res.StatusCode, want)
			}
		}
		client.CloseIdleConnections()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if conn, err := net.Dial("tcp", plain.Addr().String()); err == nil {
		conn.Close()
		t.Error("who comes without TLS is still let in")
	}

	// Each has a record, and is counted by a route that no request names.
	for line := range strings.Lines(log.String()) {
		var rec struct {
			ID     string `json:"request_id"`
			Status int
			Addr   string
			Rule   string
		}
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		code, ours := answered[rec.ID]
		if ours && (rec.Status != code || rec.Addr != "127.0.0.1" || (rec.Rule == "misdirected") != (code == 421)) {
			t.Errorf("the record of a %d is %s", code, line)
		}
		delete(answered, rec.ID)
	}
	if len(answered) > 0 {
		t.Errorf("without a record: %v", answered)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 && f.GetName() == "freshet_server_requests_total" {
				counted[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = n
			}
		}
	}
	if diff := cmp.Diff(map[string]float64{
		"308 upgrade": 9, "200 upgrade": 1, "421 upgrade": 5, "400 upgrade": 1, "400 none": 1, "431 none": 1, "200 probe": 2, "403 none": 2,
	}, counted); diff != "" {
		t.Errorf("requests by code and route (-want +got):\n%s", diff)
	}

	for name, cfg := range map[string]server.Config{
		"hosts": {TLS: kp.Config(), Upgrade: &server.Upgrade{Listener: plain}},
		"TLS":   {Upgrade: &server.Upgrade{Listener: plain, Hosts: []string{"example.com"}}},
	} {
		cfg.Site = serving(built())
		if _, err := server.New(cfg); err == nil {
			t.Errorf("an Upgrade without %s was made", name)
		}
	}
}
