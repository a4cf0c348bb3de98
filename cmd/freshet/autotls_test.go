package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"freshet/internal/testenv"
	"freshet/internal/testenv/authority"
)

// Two servers with one state folder get one certificate between them, and each serves it. The first asks, and the second
// is where challenges arrive, which finds what to answer in the folder. Who comes without TLS is sent on. Both end when told to, and leave no lock.
func TestAutomaticCertificates(t *testing.T) {
	binary := testenv.Freshet(t)
	public, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(filepath.Join(public, "index.html"), []byte("<h1>Rivers</h1>"), 0o666); err != nil {
		t.Fatal(err)
	}
	free := func() int {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().(*net.TCPAddr).Port
	}
	ports, plain, operators := [2]int{free(), free()}, [2]int{free(), free()}, [2]int{free(), free()}
	a := authority.New(t, authority.Config{TLSPort: ports[1], HTTPPort: plain[1]})
	resume := a.Hang("/order-plz")
	at := func(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
	var logs [2]lockedBuffer
	var processes [2]*exec.Cmd
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), binary, "serve", "--public", public, "--listen", at(ports[i]))
		cmd.Dir = t.TempDir()
		cmd.Env = []string{
			"SSL_CERT_FILE=" + a.RootFile, "FRESHET_SITE_URL=https://two.example", "FRESHET_STATE=" + state, "FRESHET_TLS_AUTO=true",
			"FRESHET_TLS_CA=" + a.Directory, "FRESHET_TLS_HTTP=" + at(plain[i]), "FRESHET_ADMIN=" + at(operators[i]),
			"FRESHET_GUARD_HOSTS=two.example,localhost",
		}
		cmd.Stderr = &logs[i]
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes[i] = cmd
		t.Cleanup(func() { _ = cmd.Process.Kill() }) // unless it has ended
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil || line != "https://two.example/\n" {
			t.Fatalf("announced %q, %v: %s", line, err, logs[i].String())
		}
		for limit := time.After(30 * time.Second); a.Waiting() == 0; { // until the first one asks
			select {
			case <-time.After(10 * time.Millisecond):
			case <-limit:
				t.Fatalf("no order: %s", logs[i].String())
			}
		}
	}
	resume()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Roots, ServerName: "two.example"}, ForceAttemptHTTP2: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ask := func(url, host string) (*http.Response, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := client.Do(req)
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res, string(body), err
	}
	serials := map[string]bool{}
	for i, port := range ports {
		limit, look := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
		defer look.Stop()
		for {
			res, body, err := ask("https://"+at(port)+"/", "two.example")
			if err == nil {
				serials[res.TLS.PeerCertificates[0].SerialNumber.String()] = true
				if res.StatusCode != 200 || res.ProtoMajor != 2 || body != "<h1>Rivers</h1>" || res.Header.Get("Strict-Transport-Security") == "" {
					t.Errorf("server %d: %d %s %q %v", i, res.StatusCode, res.Proto, body, res.Header)
				}
				break
			}
			select {
			case <-look.C:
			case <-limit:
				t.Fatalf("server %d has no certificate: %v\n%s", i, err, logs[i].String())
			}
		}
		if res, _, err := ask("http://"+at(plain[i])+"/blog/", "two.example"); err != nil || res.StatusCode != 308 || res.Header.Get("Location") != "https://two.example/blog/" {
			t.Errorf("server %d, without TLS: %v, %v", i, res, err)
		}
		if res, _, err := ask("http://"+at(plain[i])+"/blog/", "other.example"); err != nil || res.StatusCode != 421 {
			t.Errorf("server %d, without TLS, for another host: %v, %v", i, res, err)
		}
		_, body, err := ask("http://"+at(operators[i])+"/metrics", "")
		for _, want := range []string{
			`freshet_server_certificate_expiry_timestamp_seconds{host="two.example"} 1.`, `freshet_server_requests_total{code="308",route="upgrade"} 1`,
		} {
			if err != nil || !strings.Contains(body, want) {
				t.Errorf("server %d: the metrics have no %s: %v", i, want, err)
			}
		}
	}
	if len(serials) != 1 || a.Orders() != 1 {
		t.Errorf("%d certificates are served, and %d were asked for, want one", len(serials), a.Orders())
	}
	for i, cmd := range processes {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("server %d: %v\n%s", i, err, logs[i].String())
		}
		if text := logs[i].String(); strings.Contains(text, `"level":"ERROR"`) || strings.Contains(text, "PRIVATE KEY") ||
			!strings.Contains(text, `"path":"/blog/","status":308`) {
			t.Errorf("server %d logs:\n%s", i, text)
		}
	}
	if info, err := os.Stat(filepath.Join(state, "certificates")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of certificates: %v, %v", info, err)
	}
	if locks, err := filepath.Glob(filepath.Join(state, "certificates", "locks", "*")); err != nil || len(locks) > 0 {
		t.Errorf("locks that were left: %q, %v", locks, err)
	}
}
