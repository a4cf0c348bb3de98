package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"freshet/internal/testenv"
)

// settingsOf is a settings file with a title and an address for operators.
func settingsOf(title, operators string) string {
	return fmt.Sprintf("site: {title: %s}\nadmin: %q\nlog: {level: info}\n", title, operators)
}

// putSettings replaces the settings file, as editors and git do.
func putSettings(t *testing.T, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile("settings~", []byte(text), 0o600), os.Rename("settings~", "freshet.yaml")); err != nil {
		t.Fatal(err)
	}
}

// settledSite starts a site with a page and a file of 30 MB, which no socket buffer holds.
func settledSite(t *testing.T, settings string) (site *runningSite, large []byte) {
	t.Helper()
	t.Chdir(t.TempDir())
	large = make([]byte, 30<<20)
	rand.NewChaCha8([32]byte{1}).Read(large) //nolint:errcheck // it never fails
	const post = "---\ntitle: Rivers\ndate: 2025-03-01\n---\nA river runs downhill.\n"
	err := errors.Join(os.MkdirAll("content/blog", 0o777), os.WriteFile("content/blog/rivers.md", []byte(post), 0o666),
		os.Mkdir("static", 0o777), os.WriteFile("static/large.bin", large, 0o666))
	if err != nil {
		t.Fatal(err)
	}
	putSettings(t, settings)
	site = runSite(t, []string{"up", "--listen", "127.0.0.1:0"})
	site.await(t, "/", "Rivers", patience)
	return site, large
}

// TestReadersDuringAReload changes the settings thrice, with readers and operators who ask without a pause, on new and on kept
// connections, and with one who takes a large file slowly: nobody is refused or cut off, and nobody waits for the slow one.
func TestReadersDuringAReload(t *testing.T) {
	operators := testenv.FreeAddress(t)
	site, large := settledSite(t, settingsOf("One", operators))
	dialer := &net.Dialer{ControlContext: func(_ context.Context, _, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10) })
	}}
	slow, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(site.address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("the large file: %v, %v", res, err)
	}

	var readers sync.WaitGroup
	var enough atomic.Bool
	defer readers.Wait()
	defer enough.Store(true)
	for _, url := range []string{site.address + "/", "http://" + operators + "/metrics"} {
		for _, keep := range []bool{false, true} {
			readers.Go(func() {
				client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: !keep}}
				defer client.CloseIdleConnections()
				for n := 0; !enough.Load(); n++ {
					status, _, err := get(client, url)
					if err != nil || status != 200 {
						t.Errorf("request %d for %s, kept connections %v: %d, %v", n, url, keep, status, err)
						return
					}
				}
			})
		}
	}
	for _, title := range []string{"Two", "Three", "Four"} {
		putSettings(t, settingsOf(title, operators))
		site.await(t, "/", "<title>"+title, patience)
	}
	if strings.Contains(site.stderr.String(), "cut off") {
		t.Error("the slow reader was cut off while others waited")
	}
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, large) {
		t.Errorf("the slow reader got %d of %d bytes, %v", len(got), len(large), err)
	}
}

// TestChangesInARow writes settings while freshet still ends with those before: the last ones are taken.
func TestChangesInARow(t *testing.T) {
	site, _ := settledSite(t, settingsOf("One", ""))
	asking, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(site.address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer asking.Close()
	if _, err := io.WriteString(asking, "GET / HTTP/1.1\r\n"); err != nil { // its server waits for the rest
		t.Fatal(err)
	}
	putSettings(t, settingsOf("Two", ""))
	site.said(t, "begins anew")
	putSettings(t, settingsOf("Three", ""))
	site.await(t, "/", "<title>Three", patience)
}

// TestAddressThatIsTaken names an address for operators that somebody else has: nothing changes, and the next change is taken.
func TestAddressThatIsTaken(t *testing.T) {
	site, _ := settledSite(t, settingsOf("One", ""))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	putSettings(t, settingsOf("Two", taken.Addr().String()))
	site.said(t, "admin: listen tcp "+taken.Addr().String())
	if strings.Contains(site.stderr.String(), "begins anew") {
		t.Errorf("it began anew:\n%s", site.stderr)
	}
	site.await(t, "/", "<title>One", 0)
	putSettings(t, settingsOf("Three", testenv.FreeAddress(t)))
	site.await(t, "/", "<title>Three", patience)
}
