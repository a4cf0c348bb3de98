package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/testenv"
	"freshet/internal/wire"
)

// dial connects to a port.
func dial(p *testenv.Port) (net.Conn, *bufio.Reader) {
	conn := p.Dial("192.0.2.1")
	return conn, bufio.NewReader(conn)
}

// short answers what is below /p with what it was asked.
func short(p *wire.Plain) bool {
	if !strings.HasPrefix(p.Target, "/p") {
		return false
	}
	body := "short " + p.Target
	_, _ = p.Send(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)), []byte(body))
	return true
}

// plainServer runs a server until the end of the bubble that the test is in.
func plainServer(t *testing.T, limits wire.Limits, srv *http.Server) *testenv.Port {
	l := testenv.NewPort()
	if limits.Plain == nil {
		limits.Plain = short
	}
	if srv.Handler == nil {
		srv.Handler = echo
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(wire.Vet(l, limits)) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
	return l
}

// answer reads one answer: the body, with the status before it unless that is 200; or why there is none.
func answer(br *bufio.Reader) string {
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err.Error()
	case res.StatusCode != 200:
		return fmt.Sprint(res.StatusCode, " ", string(body))
	}
	return string(body)
}

// TestPlainKeepsOrder sends requests of both kinds at once, cut up in every way: all are answered, once, in their order,
// and net/http gets whatever is not plain.
func TestPlainKeepsOrder(t *testing.T) {
	const h = " HTTP/1.1\r\nHost: h\r\n"
	requests := []struct{ raw, want string }{
		{"GET /first" + h + "\r\n", `GET /first ""`},
		{"GET /p1" + h + "\r\n", "short /p1"},
		{"GET /p2?q=1" + h + "User-Agent: a\r\nConnection: Keep-Alive\r\n\r\n", "short /p2?q=1"},
		{"GET /other" + h + "\r\n", `GET /other ""`},
		{"GET /p3" + h + "Range: bytes=0-1\r\n\r\n", `GET /p3 ""`},
		{"POST /p4" + h + "Content-Length: 40\r\n\r\nGET /p5 HTTP/1.1\r\nHost: h\r\nX: 234567\r\n\r\n", `POST /p4 "GET /p5 HTTP/1.1\r\nHost: h\r\nX: 234567\r\n\r\n"`},
		{"GET /p6" + h + "\r\n", "short /p6"},
		{"POST /p7" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n", `POST /p7 "GET"`},
		{"GET /p8" + h + "X-Request-Id:\r\n\r\n", `GET /p8 ""`},
		{"GET /p9" + h + "\r\n", "short /p9"},
	}
	var raw strings.Builder
	for _, r := range requests {
		raw.WriteString(r.raw)
	}
	for _, size := range []int{1, 2, 3, 7, 50, 61, 100, 1000, 1 << 20} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprint(size, waits), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var shorts atomic.Int32
					l := plainServer(t, wire.Limits{Plain: func(p *wire.Plain) bool {
						ok := short(p)
						if ok {
							shorts.Add(1)
						}
						return ok
					}}, &http.Server{})
					conn, br := dial(l)
					defer conn.Close()
					write := func(s string) {
						for len(s) > 0 {
							n := min(size, len(s))
							if _, err := io.WriteString(conn, s[:n]); err != nil {
								t.Errorf("write: %v", err)
								return
							}
							s = s[n:]
						}
					}
					if !waits {
						go write(raw.String())
					}
					for _, r := range requests {
						if waits {
							go write(r.raw)
						}
						got := answer(br)
						if plain := strings.HasPrefix(r.want, "short "); got != r.want && !(plain && got == fmt.Sprintf(`GET %s ""`, strings.TrimPrefix(r.want, "short "))) {
							t.Errorf("%q: %q, want %q", r.raw, got, r.want)
						}
					}
					synctest.Wait()
					if n := shorts.Load(); waits && size > 100 && n != 4 {
						t.Errorf("%d of 4 plain requests were answered before net/http", n)
					}
				})
			})
		}
	}
}

// TestPlainTimes: a connection lives as long as its client asks for something now and then, ends when it waits for too
// long, and a head that trickles is given up, whoever answered before.
func TestPlainTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := plainServer(t, wire.Limits{IdleTime: time.Minute}, &http.Server{IdleTimeout: time.Minute, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute})
		conn, br := dial(l)
		defer conn.Close()
		ask := func(target string) string {
			if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
				return err.Error()
			}
			return answer(br)
		}
		for i := range 40 { // much longer than any of the times, whoever answers
			target, want := "/p", "short /p"
			if i%7 == 0 {
				target, want = "/", `GET / ""`
			}
			if got := ask(target); got != want {
				t.Fatalf("request %d: %q, want %q", i, got, want)
			}
			time.Sleep(29 * time.Second)
		}
		began := time.Now()
		_, err := conn.Read(make([]byte, 1))
		if took := time.Since(began); err == nil || took > time.Minute || took < time.Second {
			t.Errorf("an idle connection ended after %v more: %v", took, err)
		}

		conn, br = dial(l)
		defer conn.Close()
		if got := ask("/"); got != `GET / ""` {
			t.Fatal(got)
		}
		if got := ask("/p"); got != "short /p" {
			t.Fatal(got)
		}
		began = time.Now()
		for err = nil; err == nil; time.Sleep(time.Second) {
			_, err = io.WriteString(conn, "G")
		}
		if took := time.Since(began); took < 9*time.Second || took > 13*time.Second {
			t.Errorf("a head that trickled after plain requests was given up after %v, want some 10 s", took)
		}
	})
}

// TestPlainWriteTime ends the connection of a reader who does not read.
func TestPlainWriteTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		l := plainServer(t, wire.Limits{WriteTime: time.Minute, Plain: func(p *wire.Plain) bool {
			_, err := p.Send([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), []byte("123456789"))
			failed <- err
			return true
		}}, &http.Server{})
		conn, br := dial(l)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_ = answer(br)
		began := time.Now()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if err := <-failed; err == nil {
			t.Error("what nobody read was sent")
		}
		if took := time.Since(began); took < 30*time.Second || took > time.Minute {
			t.Errorf("given up after %v, want between half of WriteTime and all of it", took)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection goes on")
		}
	})
}

// TestPlainShutdown closes connections that wait at once, and those that are being answered when they have been.
func TestPlainShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, goOn := make(chan struct{}), make(chan struct{})
		srv := &http.Server{}
		l := plainServer(t, wire.Limits{Plain: func(p *wire.Plain) bool {
			if p.Target == "/p/slow" {
				close(began)
				<-goOn
			}
			return short(p)
		}}, srv)
		ask := func(conn net.Conn, target string) {
			_, _ = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		var conns []net.Conn
		var readers []*bufio.Reader
		for range 2 {
			conn, br := dial(l)
			defer conn.Close()
			for _, target := range []string{"/", "/p"} {
				ask(conn, target)
				_ = answer(br)
			}
			conns, readers = append(conns, conn), append(readers, br)
		}
		ask(conns[1], "/p/slow")
		<-began
		start := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		if _, err := readers[0].ReadByte(); err == nil {
			t.Error("a connection that waited goes on")
		}
		close(goOn)
		if got := answer(readers[1]); got != "short /p/slow" {
			t.Errorf("the request under way was answered %q", got)
		}
		if _, err := readers[1].ReadByte(); err == nil {
			t.Error("the connection whose request was under way goes on")
		}
	})
}

// TestPlainPanics: a connection whose answer panics is closed, as net/http closes those whose handlers do.
func TestPlainPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := plainServer(t, wire.Limits{Plain: func(*wire.Plain) bool { panic(http.ErrAbortHandler) }}, &http.Server{})
		conn, br := dial(l)
		defer conn.Close()
		for range 2 {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			_, _ = http.ReadResponse(br, nil)
		}
		if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

// TestPlainDrainCuts: what does not end in time is cut off, and counted.
func TestPlainDrainCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, srv := testenv.NewPort(), &http.Server{Handler: echo}
		l := wire.Vet(port, wire.Limits{Plain: short})
		go func() { _ = srv.Serve(l) }()
		conn, br := dial(port)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_ = answer(br)
		_, _ = io.WriteString(conn, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n") // nobody reads the answer
		synctest.Wait()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if n := l.Drain(ctx); n != 1 || time.Since(began) != 10*time.Second {
			t.Errorf("Drain = %d after %v, want 1 after 10 s", n, time.Since(began))
		}
		if n := l.Drain(t.Context()); n != 0 {
			t.Errorf("Drain = %d once all have ended", n)
		}
	})
}
