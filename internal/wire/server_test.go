package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
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
func short(p *wire.Request) bool {
	if !strings.HasPrefix(p.Target, "/p") {
		return false
	}
	body := "short " + p.Target
	_, _ = p.Send(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)), []byte(body))
	return true
}

// inBubble runs a server until the end of the bubble that the test is in.
func inBubble(t *testing.T, cfg wire.Config) (*testenv.Port, *wire.Server) {
	l := testenv.NewPort()
	if cfg.Answer == nil {
		cfg.Answer = short
	}
	return l, run(t, l, cfg, wire.Listen{})
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

// TestOrder sends requests of both kinds at once, cut up in every way: all are answered, once, in their order. The loop answers
// those that come before the first that is not for it, and net/http all from that on, whatever pieces they come in.
func TestOrder(t *testing.T) {
	const h = " HTTP/1.1\r\nHost: h\r\n"
	type request struct{ raw, want string }
	loop := []request{
		{"GET /p1" + h + "\r\n", "short /p1"},
		{"\r\nGET /p2?q=1" + h + "User-Agent: a\r\nConnection: Keep-Alive\r\n\r\n", "short /p2?q=1"},
		{"GET /p3" + h + "A: " + strings.Repeat("a", 9000) + "\r\n\r\n", "short /p3"},
	}
	rest := []request{
		{"GET /other" + h + "\r\n", `GET /other ""`},
		{"GET /p3" + h + "Range: bytes=0-1\r\n\r\n", `GET /p3 ""`},
		{"POST /p4" + h + "Content-Length: 40\r\n\r\nGET /p5 HTTP/1.1\r\nHost: h\r\nX: 234567\r\n\r\n", `POST /p4 "GET /p5 HTTP/1.1\r\nHost: h\r\nX: 234567\r\n\r\n"`},
		{"\r\nGET /p6" + h + "Expect: 100-continue\r\n\r\n", `GET /p6 ""`},
		{"POST /p7" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n", `POST /p7 "GET"`},
		{"GET /p8" + h + "X-Request-Id:\r\n\r\n", `GET /p8 ""`},
		{"OPTIONS /p9" + h + "Expect: 100-continue\r\n\r\n", `OPTIONS /p9 ""`},
	}
	for first := range rest { // each as the first that is not for the loop
		for _, size := range []int{1, 2, 3, 7, 50, 61, 100, 1000, 1 << 20} {
			for _, waits := range []bool{false, true} {
				t.Run(fmt.Sprint(first, size, waits), func(t *testing.T) {
					requests := slices.Concat(loop, rest[first:])
					var raw strings.Builder
					for _, r := range requests {
						raw.WriteString(r.raw)
					}
					synctest.Test(t, func(t *testing.T) {
						var shorts atomic.Int32
						l, _ := inBubble(t, wire.Config{Answer: func(p *wire.Request) bool {
							ok := short(p)
							if ok {
								shorts.Add(1)
							}
							return ok
						}})
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
							if got := answer(br); got != r.want {
								t.Errorf("%.100q: %q, want %q", r.raw, got, r.want)
							}
						}
						synctest.Wait()
						if n := shorts.Load(); int(n) != len(loop) {
							t.Errorf("the loop answered %d requests, want %d", n, len(loop))
						}
					})
				})
			}
		}
	}
}

// TestTimes: a connection lives as long as its client asks for something now and then, ends when it waits for too
// long, and a head that trickles is given up, whoever answered before.
func TestTimes(t *testing.T) {
	for _, target := range []string{"/p", "/other"} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := inBubble(t, wire.Config{IdleTime: time.Minute, HTTP: &http.Server{IdleTimeout: time.Minute, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}})
				conn, br := dial(l)
				defer conn.Close()
				ask := func() string {
					if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
						return err.Error()
					}
					return answer(br)
				}
				for i := range 40 { // much longer than any of the times
					if got := ask(); !strings.Contains(got, target) {
						t.Fatalf("request %d: %q", i, got)
					}
					time.Sleep(29 * time.Second)
				}
				began := time.Now()
				_, err := conn.Read(make([]byte, 1))
				if took := time.Since(began); err == nil || took > time.Minute || took < time.Second {
					t.Errorf("an idle connection ended after %v more: %v", took, err)
				}

				for _, asked := range []bool{false, true} {
					conn, br = dial(l)
					defer conn.Close()
					if asked {
						if got := ask(); !strings.Contains(got, target) {
							t.Fatal(got)
						}
						time.Sleep(20 * time.Second)
					}
					began = time.Now()
					for err = nil; err == nil; time.Sleep(time.Second) {
						_, err = io.WriteString(conn, "G")
					}
					if took := time.Since(began); took < 9*time.Second || took > 13*time.Second {
						t.Errorf("a head that trickled was given up after %v, want some 10 s (a request before it: %v)", took, asked)
					}
				}

				conn, _ = dial(l)
				defer conn.Close()
				began = time.Now()
				if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) != 10*time.Second {
					t.Errorf("a connection that asks for nothing ended after %v, want 10 s", time.Since(began))
				}
			})
		})
	}
}

// TestWriteTime ends the connection of a reader who does not read.
func TestWriteTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		l, _ := inBubble(t, wire.Config{WriteTime: time.Minute, Answer: func(p *wire.Request) bool {
			_, err := p.Send([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), []byte("123456789"))
			failed <- err
			return true
		}})
		conn, br := dial(l)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_, _ = answer(br), <-failed
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

// TestLargeWriteTime gives a large answer the time that the slowest reader needs.
func TestLargeWriteTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 10 << 20
		large := bytes.Repeat([]byte("x"), size)
		l, _ := inBubble(t, wire.Config{WriteTime: time.Minute, Answer: func(p *wire.Request) bool {
			_, _ = p.Copy(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size), bytes.NewReader(large), size)
			return true
		}})
		conn, _ := dial(l)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		n := 0
		for b := make([]byte, wire.SlowestBytes); n < size; time.Sleep(time.Second) {
			m, err := conn.Read(b)
			if n += m; err != nil {
				break
			}
		}
		if n < size {
			t.Errorf("a slow reader got %d of %d bytes", n, size)
		}
	})
}

// TestShutdown closes connections that wait at once, those that have not asked yet after a second, and those that are being
// answered when they have been.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, goOn := make(chan struct{}), make(chan struct{})
		l, s := inBubble(t, wire.Config{Answer: func(p *wire.Request) bool {
			if p.Target == "/p/slow" {
				close(began)
				<-goOn
			}
			return short(p)
		}})
		ask := func(conn net.Conn, target string) {
			_, _ = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		var conns []net.Conn
		var readers []*bufio.Reader
		for i := range 5 {
			conn, br := dial(l)
			defer conn.Close()
			conns, readers = append(conns, conn), append(readers, br)
			if i < 2 {
				ask(conn, "/p")
				_ = answer(br)
			}
		}
		ask(conns[1], "/p/slow")
		ask(conns[4], "/other") // net/http's, which waits
		_ = answer(readers[4])
		<-began
		start := time.Now()
		ended := make(chan int)
		go func() { ended <- s.Shutdown(t.Context()) }()
		if _, err := readers[0].ReadByte(); err == nil || time.Since(start) > 100*time.Millisecond {
			t.Errorf("a connection that waited ended after %v, %v", time.Since(start), err)
		}
		time.Sleep(500 * time.Millisecond)
		ask(conns[2], "/p/heard")
		if got := answer(readers[2]); got != "short /p/heard" {
			t.Errorf("the first request of a connection was answered %q", got)
		}
		if _, err := readers[3].ReadByte(); err == nil || time.Since(start) > 1100*time.Millisecond {
			t.Errorf("a connection that never asked ended after %v, %v", time.Since(start), err)
		}
		if _, err := readers[4].ReadByte(); err == nil || time.Since(start) > 1200*time.Millisecond {
			t.Errorf("a connection of net/http that waited ended after %v, %v", time.Since(start), err)
		}
		close(goOn)
		if got := answer(readers[1]); got != "short /p/slow" {
			t.Errorf("the request under way was answered %q", got)
		}
		if _, err := readers[1].ReadByte(); err == nil {
			t.Error("the connection whose request was under way goes on")
		}
		if n := <-ended; n != 0 {
			t.Errorf("Shutdown = %d", n)
		}
	})
}

// TestPanics: a connection whose answer panics is closed, as net/http closes those whose handlers do.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := inBubble(t, wire.Config{Answer: func(*wire.Request) bool { panic(http.ErrAbortHandler) }})
		conn, br := dial(l)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

// TestCuts: what does not end in time is cut off, and counted, whoever answers.
func TestCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		l, s := inBubble(t, wire.Config{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		})}})
		for _, target := range []string{"/p", "/other"} { // nobody reads the answers
			conn, _ := dial(l)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if n := s.Shutdown(ctx); n != 2 || time.Since(began) > 11*time.Second {
			t.Errorf("Shutdown = %d after %v, want 2 after 10 s", n, time.Since(began))
		}
		close(hang)
	})
}
