package server_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/server"
)

func TestHosts(t *testing.T) {
	h := newServer(t, server.Config{Site: serving(built()), Hosts: hosts(t,
		"example.com", "*.Example.org", "xn--h2brj9c.example", "192.0.2.9", "[2001:DB8::1]", web.Loopback,
	)}).Handler()
	for host, want := range map[string]int{
		"example.com": 200, "EXAMPLE.com": 200, "example.com:8080": 200, "example.com.": 200, "example.com.:443": 200, "example.com:": 200,
		"a.example.org": 200, "a.b.EXAMPLE.org:80": 200, "xn--h2brj9c.example": 200, "192.0.2.9": 200, "192.0.2.9:80": 200,
		"[2001:db8::1]": 200, "[2001:db8:0::1]:8080": 200,
		"localhost": 200, "localhost:8080": 200, "127.0.0.1:8080": 200, "127.1.2.3": 200, "[::1]": 200, "[::1]:8080": 200,
		"": 421, "evil.example": 421, "www.example.com": 421, "example.com.evil.example": 421, "evilexample.com": 421, "example.org": 421,
		".example.org": 421, "example.com:80:80": 421, "example.com:8o": 421, "example.com@evil.example": 421, "evil.example:80@example.com": 421,
		"[example.com]": 421, "192.0.2.10": 421, "[2001:db8::2]": 421, "0x7f.1": 421, "localhost.evil.example": 421, "example.com/": 421,
		"loopback": 421, "example.com example.com": 421,
	} {
		for _, target := range []string{"/blog/rivers/", "/nothing/", "/blog/rivers"} {
			r := httptest.NewRequest("GET", target, nil)
			r.Host = host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if (w.Code == 421) != (want == 421) {
				t.Errorf("Host %q, %s: %d, want %d", host, target, w.Code, want)
			}
			if w.Code == 421 && (w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "evil")) {
				t.Errorf("Host %q: %v %s", host, w.Header(), w.Body)
			}
		}
		for _, probe := range []string{"/livez", "/readyz"} {
			r := httptest.NewRequest("GET", probe, nil)
			r.Host = host
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 200 {
				t.Errorf("Host %q, %s: %d, want 200", host, probe, w.Code)
			}
		}
	}
	for _, bad := range []string{"", "*.", "http://example.com", "example.com:80", "example.com/x", "exämple.com", "a b", "fe80::1%eth0", strings.Repeat("a", 254)} {
		if _, err := web.ParseHosts([]string{bad}); err == nil {
			t.Errorf("a host %q is taken", bad)
		}
	}
}

// foreign are headers by which other programs are told what to answer, or told it is all right.
var foreign = []string{
	"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil.example",
	"X-Forwarded-Scheme: https", "X-Forwarded-Path: /gone/", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1;host=evil.example;proto=https",
	"X-Original-URL: /gone/", "X-Rewrite-URL: /gone/", "X-Original-Host: evil.example", "X-Host: evil.example", "X-HTTP-Host-Override: evil.example",
	"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Real-IP: 127.0.0.1", "X-Client-IP: 127.0.0.1",
	"True-Client-IP: 127.0.0.1", "CF-Connecting-IP: 127.0.0.1", "X-Cluster-Client-IP: 127.0.0.1", "Client-IP: 127.0.0.1", "Fastly-Client-IP: 127.0.0.1",
	"X-Middleware-Subrequest: middleware:middleware:middleware:middleware:middleware", "X-Middleware-Rewrite: /gone/", "X-Middleware-Next: 1",
	"X-Middleware-Prefetch: 1", "X-Middleware-Override-Headers: host", "X-Middleware-Request-Host: evil.example", "X-Middleware-Set-Cookie: a=b",
	"X-Invoke-Path: /gone/", "X-Invoke-Query: {}", "X-Invoke-Output: /gone/", "X-Invoke-Status: 500", "X-Invoke-Error: {}", "X-Matched-Path: /gone/",
	"X-Now-Route-Matches: 1=gone", "X-Nextjs-Data: 1", "X-Nextjs-Cache: HIT", "X-Prerender-Revalidate: secret", "X-Prerender-Revalidate-If-Generated: 1",
	"Next-Action: 0123", "RSC: 1", "Next-Router-Prefetch: 1", "Next-Router-State-Tree: []", "Next-Url: /gone/", "X-Vercel-Cache: HIT",
	"X-Vercel-Id: x", "X-Vercel-Forwarded-For: 127.0.0.1", "X-Vercel-Protection-Bypass: x", "X-Freshet-Generation: 1", "X-Request-Id: chosen-by-client",
	"X-Accel-Redirect: /etc/passwd", "X-Sendfile: /etc/passwd", "X-Accel-Buffering: no", "X-LiteSpeed-Location: /gone/", "X-Cache: HIT", "X-Is-Bot: false",
	"Surrogate-Capability: abc=\"Surrogate/1.0\"", "Upgrade-Insecure-Requests: 1", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Proxy: http://evil.example",
	"Proxy-Authorization: Basic eDp5", "Authorization: Bearer x", "Cookie: session=x; __prerender_bypass=x", "Cache-Control: no-cache", "Pragma: no-cache",
	"Cache-Control: only-if-cached", "Via: 1.1 evil", "Max-Forwards: 0", "TE: trailers", "Early-Data: 1", "X-Wap-Profile: http://evil.example/x", "From: x",
	"Referer: https://evil.example/", "Origin: https://evil.example", "Access-Control-Request-Method: DELETE", "Sec-Fetch-Site: cross-site", "Service-Worker: script",
	"X-Correlation-Id: x", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Content-Type: application/json", "Accept-Language: hi", "DNT: 1",
}

// No header that stands for something elsewhere changes a byte of what is answered here.
func TestForeignHeadersChangeNothing(t *testing.T) {
	addr := serve(t, server.Config{Site: serving(built()), Hosts: hosts(t, "freshet.test")})
	for _, target := range []string{"/blog/rivers/", "/", "/blog/rivers", "/old/", "/gone/", "/nothing/", "/assets/style.0123456789abcdef.css", "/api/nothing"} {
		want := seen(t, addr, "GET "+target)
		for _, header := range foreign {
			if diff := cmp.Diff(want, seen(t, addr, "GET "+target, header)); diff != "" {
				t.Errorf("GET %s with %s (-without +with):\n%s", target, header, diff)
			}
		}
		if diff := cmp.Diff(want, seen(t, addr, "GET "+target, foreign...)); diff != "" {
			t.Errorf("GET %s with all (-without +with):\n%s", target, diff)
		}
	}
	if got := seen(t, addr, "POST /blog/rivers/", "X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"); got[0] != "405" {
		t.Errorf("a POST that says it is a GET: %s", got[0])
	}
}

// seen is what an answer consists of, but for its date, its id and what is counted in seconds.
func seen(t *testing.T, addr, line string, headers ...string) []string {
	t.Helper()
	res, err := exchange(addr, append([]string{line}, headers...), "")
	if err != nil {
		t.Fatal(err)
	}
	out := res.lasting()
	if strings.Contains(strings.Join(out, "\n"), "chosen-by-client") {
		t.Errorf("%s %q: the client's id is in the answer", line, headers)
	}
	return out
}

// conversation sends raw at once and returns every answer that comes until the connection ends. It does so once more
// behind another request, where net/http does not have all of them first: that must make no difference.
func conversation(t *testing.T, addr, raw string) []answer {
	t.Helper()
	first, later := talk(t, addr, raw, false), talk(t, addr, raw, true)
	lasting := func(answers []answer) (all [][]string) {
		for i := range answers {
			all = append(all, answers[i].lasting())
		}
		return all
	}
	if diff := cmp.Diff(lasting(first), lasting(later)); diff != "" {
		t.Errorf("%.300q: the answers behind another request differ (-first +behind):\n%s", raw, diff)
	}
	return first
}

func talk(t *testing.T, addr, raw string, behind bool) []answer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	br := bufio.NewReader(conn)
	if behind {
		if err := greet(conn, br); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		_, _ = io.WriteString(conn, raw)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for {
		res, err := http.ReadResponse(br, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return answers
		}
		if err != nil {
			t.Fatalf("%.300q: answer %d: %v", raw, len(answers)+1, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%.300q: answer %d: %v", raw, len(answers)+1, err)
		}
		answers = append(answers, answer{res.StatusCode, res.Header, string(body)})
	}
}

// A corpus of requests that programs read in different ways, sent byte for byte with an ordinary request before and
// one behind. The first is answered as ever. The odd one is refused or answered with the very page that it names. The
// last one is answered in its own place or, the connection having ended, not at all. Nothing is answered 5xx, and
// every error is kept from caches.
func TestRawCorpus(t *testing.T) {
	var said sync.Map
	addr := serve(t, server.Config{Site: serving(built()), Hosts: hosts(t, "freshet.test"), Routes: handlers{
		"/api/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			b, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(400)
				return
			}
			said.Store(r.URL.Path, string(b))
			_, _ = w.Write(b)
		}),
	}.routes()})
	const (
		h      = "Host: freshet.test\r\n"
		before = "GET /digits.txt HTTP/1.1\r\n" + h + "\r\n"
		behind = "GET /small/ HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n"
		get    = "GET /blog/rivers/ HTTP/1.1\r\n"
		post   = "POST /api/x HTTP/1.1\r\n" + h
		evil   = "GET /gone/ HTTP/1.1\r\n" + h + "\r\n"
	)
	target := func(path string) string { return "GET " + path + " HTTP/1.1\r\n" + h + "\r\n" }
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
	for _, row := range []struct {
		name, raw string
		code      int
		ends      bool // the connection
	}{
		{"plain", get + h + "\r\n", 200, false},
		{"absolute form", "GET http://freshet.test/blog/rivers/ HTTP/1.1\r\n" + h + "\r\n", 200, false},
		{"absolute form, other host", "GET http://evil.example/blog/rivers/ HTTP/1.1\r\n" + h + "\r\n", 421, false},
		{"absolute form beside another host", "GET http://freshet.test/blog/rivers/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, false},
		{"absolute form, only other host", "GET http://evil.example/blog/rivers/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, false},
		{"absolute form without a path", "GET http://freshet.test HTTP/1.1\r\n" + h + "\r\n", 200, false},
		{"other host", get + "Host: evil.example\r\n\r\n", 421, false},
		{"two hosts", get + h + "Host: evil.example\r\n\r\n", 400, true},
		{"no host", get + "\r\n", 400, true},
		{"host with a space", get + "Host: freshet.test evil.example\r\n\r\n", 400, true},
		{"CONNECT", "CONNECT freshet.test:443 HTTP/1.1\r\nHost: freshet.test:443\r\n\r\n", 400, true},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + h + "\r\n", 204, false},
		{"CL and TE", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 400, true},
		{"TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil, 400, true},
		{"CL and TE of a page", get + h + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 400, true},
		{"CL twice", post + "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + evil, 400, true},
		{"GET with a body", get + h + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(evil)) + evil, 200, false},
		{"GET with no chunks", get + h + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, false},
		{"GET with chunks", get + h + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(evil), evil), 200, false},
		{"GET with 64 KB", get + h + "Content-Length: 65536\r\n\r\n" + strings.Repeat("a", 64<<10), 200, false},
		{"OPTIONS with a body", "OPTIONS / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello", 204, false},
		{"an empty line first", "\r\n" + get + h + "\r\n", 200, false},
		{"HTTP/1.0 without a host", "GET /blog/rivers/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false},
		{"HAProxy's check", "OPTIONS / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 204, false},
		{"no host in HTTP/1.1", "GET /blog/rivers/ HTTP/1.1\r\nHost:\r\n\r\n", 421, false},
		{"TE with a tab", post + "Transfer-Encoding:\tchunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, false},
		{"TE of another kind", post + "Transfer-Encoding: xchunked\r\n\r\n" + evil, 400, true},
		{"TE with a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + evil, 400, true},
		{"folded", get + h + "X: a\r\n b\r\n\r\n", 400, true},
		{"folded host", get + "Host:\r\n freshet.test\r\n\r\n", 400, true},
		{"folded TE", post + "Transfer-Encoding: x\r\n chunked\r\n\r\n0\r\n\r\n" + evil, 400, true},
		{"bare LF", "GET /blog/rivers/ HTTP/1.1\nHost: freshet.test\n\n" + evil, 400, true},
		{"bare LF in a header", get + h + "X: a\nTransfer-Encoding: chunked\r\n\r\n", 400, true},
		{"bare CR in a header", get + h + "X: a\rTransfer-Encoding: chunked\r\n\r\n", 400, true},
		{"NUL in a header", get + h + "X: \x00\r\n\r\n", 400, true},
		{"NUL in the path", target("/blog/\x00rivers/"), 400, true},
		{"8 KB of a header", get + h + "X: " + strings.Repeat("a", 8<<10) + "\r\n\r\n", 200, false},
		{"oversized header", get + h + "X: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", 431, true},
		{"oversized path", target("/" + strings.Repeat("a", 40<<10)), 414, true},
		{"long path", target("/" + strings.Repeat("a", 10<<10)), 404, false},
		{"long path of many parts", target("/" + strings.Repeat("a/", 10<<10)), 404, false},
		{"many headers", get + h + strings.Repeat("X: y\r\n", 10<<10) + "\r\n", 431, true},
		{"chunk extension", chunked + "1;x=y\r\na\r\n0\r\n\r\n" + evil, 400, true},
		{"chunk extension with LF", chunked + "1;\n\r\na\r\n0\r\n\r\n" + evil, 400, true},
		{"chunk size with LF", chunked + "1\na\r\n0\r\n\r\n" + evil, 400, true},
		{"chunk size with 0x", chunked + "0x1\r\na\r\n0\r\n\r\n" + evil, 400, true},
		{"chunk longer than said", chunked + "1\r\nabc\r\n0\r\n\r\n" + evil, 400, true},
		{"trailer", chunked + "0\r\nContent-Length: 50\r\n\r\n" + evil, 400, true},
		{"chunks", chunked + "1\r\na\r\n0\r\n\r\n", 200, false},
		{"dot segments", target("/blog/../blog/rivers/"), 308, false},
		{"%2e%2e", target("/blog/%2e%2e/blog/rivers/"), 308, false},
		{"%2E.", target("/blog/%2E./blog/rivers/"), 308, false},
		{"a dot segment", target("/blog/./rivers/"), 308, false},
		{"a dot segment at the end", target("/blog/rivers/."), 308, false},
		{"dot segments at the end", target("/blog/rivers/x/.."), 308, false},
		{"dot segments above the root", target("/../../blog/rivers/"), 308, false},
		{"dot segments to nowhere", target("/../../etc/passwd"), 404, false},
		{"dots that are no segment", target("/blog/...../rivers/"), 404, false},
		{"dots before an encoded slash", target("/blog/..%2fblog/rivers/"), 400, false},
		{"%2f", target("/blog%2frivers/"), 400, false},
		{"%5c", target("/blog%5crivers/"), 400, false},
		{"backslash", target("\\blog\\rivers\\"), 400, true},
		{"backslash within", target("/blog\\rivers/"), 400, false},
		{"%00", target("/blog/rivers/%00"), 400, false},
		{"%00 and a type", target("/blog/rivers/%00.html"), 400, false},
		{"%0d%0a", target("/blog/rivers/%0d%0aX:%20y"), 400, false},
		{"overlong slash", target("/blog%c0%afrivers/"), 400, false},
		{"overlong dots", target("/%c0%ae%c0%ae/blog/rivers/"), 400, false},
		{"longer overlong", target("/%e0%80%ae%e0%80%ae/"), 400, false},
		{"surrogates", target("/%ed%a0%80%ed%b0%80/"), 400, false},
		{"not UTF-8", target("/blog/\xff/"), 400, false},
		{"double encoding", target("/blog/%252e%252e/rivers/"), 400, false},
		{"double slash encoding", target("/blog%252frivers/"), 400, false},
		{"triple encoding", target("/blog/%25252e/"), 400, false},
		{"half an escape", target("/blog/%"), 400, true},
		{"no escape", target("/blog/%zz/"), 400, true},
		{"fragment", target("/blog/rivers/#x"), 400, true},
		{"semicolon", target("/blog/rivers/;x=y"), 404, false},
		{"matrix", target("/blog;x/rivers/"), 404, false},
		{"doubled slashes", target("//blog//rivers/"), 308, false},
		{"network path", target("//evil.example/"), 404, false},
		{"query only", target("/?/../../x"), 200, false},
		{"HTTP/0.9", "GET /blog/rivers/\r\n\r\n", 400, true},
		{"HTTP/3", "GET /blog/rivers/ HTTP/3.0\r\n" + h + "\r\n", 400, true},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, true},
		{"upgrade to h2c", get + h + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200, false},
		{"upgrade to a socket", get + h + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, false},
		{"unknown expectation", get + h + "Expect: 200-maybe\r\n\r\n", 400, true},
		{"garbage", "\x16\x03\x01\x00\xa5\x01\x00", 400, true},
	} {
		answers := conversation(t, addr, before+row.raw+behind)
		if len(answers) < 2 || answers[0].code != 200 || answers[0].body != "0123456789" {
			t.Errorf("%s: %d answers, the request before it was answered %+v", row.name, len(answers), answers)
			continue
		}
		odd := answers[1]
		if odd.code != row.code || odd.code >= 500 {
			t.Errorf("%s: %.300q: %d %.100q, want %d", row.name, row.raw, odd.code, odd.body, row.code)
		}
		if odd.code == 200 && strings.HasPrefix(row.raw, "GET") && !strings.Contains(odd.body, "<h1>Rivers") && !strings.Contains(odd.body, "<h1>Home") {
			t.Errorf("%s: answered with another page: %.100q", row.name, odd.body)
		}
		if cc := odd.header.Get("Cache-Control"); odd.code >= 400 && cc != "no-store" {
			t.Errorf("%s: %d with Cache-Control %q", row.name, odd.code, cc)
		}
		switch rest := answers[2:]; {
		case row.ends && len(rest) > 0:
			t.Errorf("%s: %d more answers on a connection that should have ended", row.name, len(rest))
		case !row.ends && (len(rest) != 1 || rest[0].code != 200 || rest[0].body != "<p>small</p>"):
			t.Errorf("%s: the request behind it was answered %+v", row.name, rest)
		}
	}
	if v, ok := said.Load("/gone/"); ok {
		t.Errorf("a hidden request came through: %q", v)
	}
}

// pair writes a new certificate for localhost, which began an hour ago and ends in as many as its number says.
func pair(t *testing.T, dir string, serial int64) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "freshet test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(serial) * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
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
		if err := os.WriteFile(name+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(leaf)
	return certFile, keyFile, pool
}

// With a certificate: HTTP/2 and HTTP/1.1, HSTS, and a new certificate without a restart.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, pool := pair(t, dir, 1)
	kp, err := server.OpenKeyPair(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, server.Config{Site: serving(built()), TLS: kp.Config()})
	for _, h2 := range []bool{true, false} {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(h2)
		protocols.SetHTTP1(!h2)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, Protocols: protocols}}
		for _, target := range []string{"/livez", "/nothing/", "/blog/rivers/", "/blog/rivers/"} { // the last one without net/http
			code := map[string]int{"/livez": 200, "/nothing/": 404, "/blog/rivers/": 200}[target]
			res, err := client.Get("https://" + addr + target)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || strings.HasPrefix(target, "/blog/") && !strings.Contains(string(body), "<h1>Rivers") {
				t.Errorf("HTTP/2 %v, %s: %v, %.100q", h2, target, err, body)
			}
			if res.StatusCode != code || (res.ProtoMajor == 2) != h2 || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
				t.Errorf("HTTP/2 %v, %s: %d %s %v", h2, target, res.StatusCode, res.Proto, res.Header)
			}
		}
		req, _ := http.NewRequest("GET", "https://"+addr+"/blog/rivers/", strings.NewReader("a body"))
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("HTTP/2 %v: a GET with a body: %d, want 200", h2, res.StatusCode)
		}
		client.CloseIdleConnections()
	}
	serial := func(pool *x509.CertPool) int64 {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			return 0
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if err := os.WriteFile(certFile, []byte("half a certi"), 0o600); err != nil {
		t.Fatal(err)
	}
	kp.Forget()
	if n := serial(pool); n != 1 {
		t.Errorf("while the file is broken: certificate %d, want the last good one", n)
	}
	_, _, next := pair(t, dir, 2)
	kp.Forget()
	if n := serial(next); n != 2 {
		t.Errorf("after it was replaced: certificate %d, want 2", n)
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	kp.Forget()
	if n := serial(next); n != 2 {
		t.Errorf("after the key was removed: certificate %d, want the last good one", n)
	}
	if _, err := server.OpenKeyPair(certFile, keyFile, nil); err == nil || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("OpenKeyPair without a key = %v", err)
	}
}

// Operators see when a certificate ends, also after it was replaced, and are told once a day in time.
func TestCertificateEnds(t *testing.T) {
	const day = 24 * time.Hour
	dir := t.TempDir()
	certFile, keyFile, _ := pair(t, dir, 1)
	var log bytes.Buffer
	kp, err := server.OpenKeyPair(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	until := kp.At(time.Now()).Leaf.NotAfter
	said := func(at time.Duration, want string) {
		t.Helper()
		log.Reset()
		kp.At(until.Add(at))
		if got := log.String(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%v after a certificate has ended the log says %q, want %q", at, got, want)
		}
	}
	gauge := func() {
		t.Helper()
		want := fmt.Sprintf("# HELP freshet_server_certificate_expiry_timestamp_seconds When the certificate expires, in seconds since 1970, by its first name.\n"+
			"# TYPE freshet_server_certificate_expiry_timestamp_seconds gauge\n"+
			"freshet_server_certificate_expiry_timestamp_seconds{host=\"localhost\"} %d\n", until.Unix())
		if err := testutil.CollectAndCompare(kp, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	const soon, ended = `level=WARN msg="the TLS certificate ends soon" part=server host=localhost until=`, `level=ERROR msg="the TLS certificate has ended`
	gauge()
	said(-21*time.Minute, "") // it was given for two hours
	said(-19*time.Minute, soon)
	said(-time.Minute, "")
	said(0, ended)
	said(day-time.Second, "")
	said(day, ended)

	pair(t, dir, 100*24)
	kp.Forget()
	until = kp.At(time.Now()).Leaf.NotAfter
	gauge()
	said(-15*day, "")
	said(-13*day, soon)
	said(-12*day-time.Minute, "")
	said(-11*day, soon)

	certFile, keyFile, _ = pair(t, t.TempDir(), 0)
	log.Reset()
	if kp, err = server.OpenKeyPair(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), ended) {
		t.Errorf("opened with a certificate that has ended: %v, %q", err, log.String())
	}
}

// Behind a proxy that ends TLS its word counts; without one nobody's does.
func TestTransportSecurityBehindProxies(t *testing.T) {
	trusted, err := web.ParseProxies([]string{"192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*web.Proxies{trusted, nil} {
		h := newServer(t, server.Config{Site: serving(built()), Proxies: p}).Handler()
		got := get(h, "/", "X-Forwarded-Proto", "https").Header().Get("Strict-Transport-Security")
		if (got != "") != (p != nil) {
			t.Errorf("trusted %v: Strict-Transport-Security %q", p != nil, got)
		}
		if got := get(h, "/").Header().Get("Strict-Transport-Security"); got != "" {
			t.Errorf("trusted %v, plain: Strict-Transport-Security %q", p != nil, got)
		}
	}
}

// Nothing that a request says makes a metric, and every answer is counted once.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newServer(t, server.Config{
		Site: serving(built()), Metrics: reg, Hosts: hosts(t, "example.com"),
		Routes: handlers{"/api/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(len(r.URL.Path)) })}.routes(),
	}).Handler()
	count := func() (series int, requests, hits, misses float64) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			series += len(f.GetMetric())
			for _, m := range f.GetMetric() {
				switch f.GetName() {
				case "freshet_server_requests_total":
					requests += m.GetCounter().GetValue()
				case "freshet_server_page_outcomes_total":
					switch m.GetLabel()[0].GetValue() {
					case "hit":
						hits += m.GetCounter().GetValue()
					case "miss":
						misses += m.GetCounter().GetValue()
					}
				case "freshet_server_requests_in_flight":
					if m.GetGauge().GetValue() != 0 {
						t.Errorf("%v requests in flight", m.GetGauge().GetValue())
					}
				}
			}
		}
		return series, requests, hits, misses
	}
	series, _, _, _ := count()
	for i := range 100 {
		get(h, fmt.Sprintf("/nothing/%d/", i), "User-Agent", fmt.Sprint("agent", i))
		get(h, fmt.Sprintf("http://host%d.example/", i))
		get(h, "/api/"+strings.Repeat("x", 300+i)) // statuses that nobody has heard of
		r := httptest.NewRequest(fmt.Sprint("METHOD", i), "/blog/rivers/", nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
		get(h, "/blog/rivers/")
	}
	after, requests, hits, misses := count()
	if after != series || requests != 500 || hits != 100 || misses != 100 {
		t.Errorf("%d series, %d before; %v requests, %v hits, %v misses; want 500, 100, 100", after, series, requests, hits, misses)
	}
	if _, err := server.New(server.Config{Site: serving(built()), Metrics: reg}); err == nil {
		t.Error("two servers in one registry")
	}
}

// Clients that send heads byte by byte, or do not read what they asked for, do not keep others from being served.
func TestSlowClients(t *testing.T) {
	g := built()
	g.put("/large/", site.KindPage, htmlType, page("Large", 4<<20))
	addr := serve(t, server.Config{Site: serving(g), Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Millisecond})
	for i := range 200 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		raw := "GET / HTTP/1.1\r\nHost: freshet.test\r\nX-a:"
		if i%2 == 0 {
			raw = "GET /large/ HTTP/1.1\r\nHost: freshet.test\r\n\r\n"
		}
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for range 20 {
		if res, err := exchange(addr, []string{"GET /blog/rivers/"}, ""); err != nil || res.code != 200 {
			t.Fatalf("%v %v", res, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("20 requests beside 200 slow ones took %v", took)
	}
}

// What a balancer says in a PROXY header is who is logged.
func TestProxyHeader(t *testing.T) {
	trusted, err := web.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*web.Proxies{trusted, nil} {
		var client string
		addr := serve(t, server.Config{Site: serving(built()), Proxies: p, Routes: handlers{
			"/who": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { client = web.ResponseOf(w).Client.Addr.String() }),
		}.routes()})
		answers := talk(t, addr, "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\nGET /who HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false)
		switch {
		case p != nil && (len(answers) != 1 || client != "203.0.113.7"):
			t.Errorf("trusted: %+v, client %q", answers, client)
		case p == nil && (len(answers) != 1 || answers[0].code != 400 || client != ""):
			t.Errorf("not trusted: %+v, client %q", answers, client)
		}
	}
}
