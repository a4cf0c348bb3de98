package server_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"freshet/internal/testenv"
	"freshet/server"
)

// A crowdedPort has no file descriptor for the first connections.
type crowdedPort struct {
	*testenv.Port
	failures atomic.Int64
}

func (p *crowdedPort) Accept() (net.Conn, error) {
	if p.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return p.Port.Accept()
}

// TestNoDescriptorLeft: a server that cannot take a connection says so once, with the limit and the remedy, and goes on
// taking connections as soon as it can.
func TestNoDescriptorLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newMemory(1)
		site.put("/", 2, "text/html", "home")
		var said strings.Builder
		srv, err := server.New(server.Config{Site: serving(site), Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		port := &crowdedPort{Port: testenv.NewPort()}
		port.failures.Store(20)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- srv.Run(ctx, port) }()
		conn := port.Dial("192.0.2.1")
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 200 {
			t.Errorf("the answer is %v, %v", res, err)
		}
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := strings.Count(said.String(), "no file descriptor is left"); n != 1 || !strings.Contains(said.String(), "LimitNOFILE") || !strings.Contains(said.String(), "limit=") {
			t.Errorf("said %d times:\n%s", n, said.String())
		}
	})
}
