package handover_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"freshet/internal/handover"
	"freshet/internal/settings"
)

// TestKeptListener closes a server's listener and opens the next: who comes in between waits, and is not refused.
func TestKeptListener(t *testing.T) {
	k := handover.New()
	defer k.Close()
	ln, err := k.Listen(t.Context(), settings.Socket{Key: "listen", Address: "127.0.0.1:0"})
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
	next, err := k.Listen(t.Context(), settings.Socket{Key: "listen", Address: "127.0.0.1:0"})
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
