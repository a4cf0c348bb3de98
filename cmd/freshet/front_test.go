package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A lockedBuffer may be written by a process that is being looked at.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// writePair writes a certificate for localhost.
func writePair(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certFile, keyFile, pool
}

// The settings of the server's surroundings, as a whole: TLS with HTTP/2, hosts, trusted proxies, the operators'
// listener with its token, metrics and access records.
func TestFront(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<h1>Rivers</h1>"), 0o666); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, pool := writePair(t, t.TempDir())
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	operators := probe.Addr().String()
	probe.Close()
	const token = "0123456789abcdef0123"
	env := []string{
		"FRESHET_ADMIN=" + operators, "FRESHET_ADMIN_TOKEN=" + token, "FRESHET_TLS_CERT=" + certFile, "FRESHET_TLS_KEY=" + keyFile,
		"FRESHET_GUARD_HOSTS=localhost,a.example", "FRESHET_GUARD_TRUSTED_PROXIES=loopback",
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, stdout := io.Pipe()
	var stderr lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--public", dir, "--listen", "127.0.0.1:0"}, env, stdout, &stderr)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line)
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatalf("announced %q", url)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true,
	}}
	ask := func(url, host string, headers ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	res, body := ask(url, "a.example", "X-Forwarded-For", "203.0.113.7", "X-Request-Id", "from-the-proxy")
	if res.StatusCode != 200 || res.ProtoMajor != 2 || body != "<h1>Rivers</h1>" || res.Header.Get("X-Request-Id") != "from-the-proxy" ||
		res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("GET / = %d %s %v %q", res.StatusCode, res.Proto, res.Header, body)
	}
	if res, _ := ask(url, "b.example"); res.StatusCode != 421 {
		t.Errorf("GET / of another host = %d, want 421", res.StatusCode)
	}
	if res, _ := ask(url+"readyz", "b.example"); res.StatusCode != 200 {
		t.Errorf("GET /readyz of another host = %d, want 200", res.StatusCode)
	}
	if res, _ := ask("http://"+operators+"/metrics", ""); res.StatusCode != 401 {
		t.Errorf("GET /metrics without the token = %d, want 401", res.StatusCode)
	}
	_, metrics := ask("http://"+operators+"/metrics", "", "Authorization", "Bearer "+token)
	for _, want := range []string{
		`freshet_server_requests_total{code="200",route="page"} 1`, `freshet_server_requests_total{code="421",route="none"} 1`,
		`freshet_server_page_outcomes_total{outcome="hit"} 1`, "freshet_server_connections 1", `freshet_server_certificate_expiry_timestamp_seconds{host="localhost"} 1.`, "go_goroutines",
		`freshet_guard_decisions_total{class="page",outcome="passed",rule="none"} 1`, `freshet_guard_requests_total{sender="bot"}`, "freshet_guard_bans 0", "freshet_guard_high_traffic 0",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if res, _ := ask(url+"metrics", "a.example"); res.StatusCode != 404 {
		t.Errorf("GET /metrics as a reader = %d, want 404", res.StatusCode)
	}
	client.CloseIdleConnections()
	cancel()
	if code := <-ended; code != exitDone {
		t.Errorf("freshet serve exits %d: %s", code, stderr.String())
	}
	for _, want := range []string{
		`"request_id":"from-the-proxy","method":"GET","path":"/","status":200`, `"addr":"203.0.113.7"`, `"rule":"misdirected"`,
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, stderr.String())
		}
	}
	if strings.Contains(stderr.String(), token) {
		t.Error("the token is in the log")
	}
}
