package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestSettingsAreReadAgain hangs up with settings that are the same, that have a mistake, and that are others: only the last
// ones are taken, and secrets are not named by what they are.
func TestSettingsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freshet.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := &lockedBuffer{}
	inv := &invocation{config: file, stderr: log, stdout: io.Discard}
	cmd := &cobra.Command{}
	put("site: {title: One}\nlog: {level: debug}\n")
	eff, problems, err := loadConfig(file, nil, cmd.Flags())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	hangUp := make(chan os.Signal)
	result := make(chan *effective, 1)
	go func() { result <- inv.awaitSettings(t.Context(), cmd, eff, hangUp) }()
	said := func(want string) {
		t.Helper()
		for end := time.Now().Add(patience); !strings.Contains(log.String(), want); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q was not logged:\n%s", want, log)
			}
		}
	}
	hangUp <- syscall.SIGHUP
	said("are the same")
	put("site: {titel: Two}\n")
	hangUp <- syscall.SIGHUP
	said("titel")
	select {
	case eff := <-result:
		t.Fatalf("settings with a mistake were taken: %+v", eff)
	default:
	}
	put("site: {title: Three}\nwebhook: {token: not-to-be-shown-0123456789}\n")
	hangUp <- syscall.SIGHUP
	if got := <-result; got == nil || got.Site.Title != "Three" {
		t.Errorf("taken: %+v", got)
	}
	if strings.Contains(log.String(), "not-to-be-shown") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// TestKeptListener closes a server's listener and opens the next: who comes in between waits, and is not refused.
func TestKeptListener(t *testing.T) {
	k := &keptListeners{}
	defer k.Close()
	ln, err := k.listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address) // between two servers
	if err != nil {
		t.Fatalf("refused between two servers: %v", err)
	}
	defer conn.Close()
	next, err := k.listen(t.Context(), "127.0.0.1:0")
	if err != nil || next.Addr().String() != address {
		t.Fatalf("the next listener is at %v, %v, want %s", next.Addr(), err, address)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(next) }()
	defer srv.Shutdown(context.Background()) //nolint:errcheck // the test is over
	go func() {
		_, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(conn); err == nil && !bytes.Contains(body, []byte("hello")) {
				err = io.ErrUnexpectedEOF
			}
		}
		answer <- err
	}()
	if err := <-answer; err != nil {
		t.Errorf("who came between two servers got %v", err)
	}
}
