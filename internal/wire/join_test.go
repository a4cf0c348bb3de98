package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"freshet/internal/wire"
)

// writes counts the writes of the connections of a listener. They are no TCP connections to who looks.
type writes struct {
	net.Listener
	n *atomic.Int64
}

func (l writes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, l.n}, err
}

type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

// Answers of every size arrive as they were written, and those of pages in one write.
func TestAnswersArriveWhole(t *testing.T) {
	for _, counted := range []bool{true, false} {
		var n atomic.Int64
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var size int
			_, _ = fmt.Sscan(r.URL.Path[1:], &size)
			if r.URL.RawQuery == "" {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			_, _ = w.Write(bytes.Repeat([]byte{'x'}, size))
		}))
		if counted {
			srv.Listener = writes{srv.Listener, &n}
		}
		srv.Listener = wire.Vet(srv.Listener, wire.Limits{})
		srv.Start()
		for _, size := range []int{0, 1, 2000, 3000, 3900, 3950, 3960, 3961, 3962, 3963, 3964, 3965, 3966, 3967, 3968, 3970, 3980, 4096, 5500, 8192, 9000, 70_000} {
			for _, query := range []string{"", "?chunked"} {
				for _, method := range []string{"GET", "HEAD"} {
					n.Store(0)
					req, _ := http.NewRequest(method, fmt.Sprintf("%s/%d%s", srv.URL, size, query), nil)
					res, err := srv.Client().Do(req)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(res.Body)
					res.Body.Close()
					want := strings.Repeat("x", size)
					if method == "HEAD" {
						want = ""
					}
					if err != nil || string(body) != want {
						t.Errorf("%s of %d bytes%s: %d arrive (%v)", method, size, query, len(body), err)
					}
					if counted && query == "" && size <= 8192-200 && n.Load() != 1 {
						t.Errorf("%s of %d bytes took %d writes", method, size, n.Load())
					}
				}
			}
		}
		srv.Close()
	}
}
