package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// A oneConn is a listener with one connection, which sends what it has, in pieces, and then ends; what is written to it is forgotten.
type oneConn struct {
	conn  chan net.Conn
	ended chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error {
	select {
	case <-l.ended:
	default:
		close(l.ended)
	}
	return nil
}
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A mute connection is pieces that can be written to and closed.
type mute struct {
	*pieces
	closed chan struct{}
	once   *sync.Once
}

func (c mute) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
func (mute) Write(p []byte) (int, error)        { return len(p), nil }
func (mute) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (mute) RemoteAddr() net.Addr               { return &net.TCPAddr{} }
func (mute) SetDeadline(time.Time) error        { return nil }
func (mute) SetWriteDeadline(t time.Time) error { return nil }

// seen is what a request means to who answers it.
func seen(method, target, host string, h http.Header, body []byte) string {
	one := func(name string) string { return strings.Trim(h.Get(name), " \t") }
	return fmt.Sprintf("%s %q %q %q %q %q %q %q", method, target, strings.ToLower(host), one("User-Agent"), one("Accept-Encoding"), one("If-None-Match"),
		one("X-Forwarded-For"), body)
}

// FuzzLoop compares what the loop, and net/http after it, make of a connection with what net/http alone reads from it: the same requests
// with the same meaning, in the same order, up to one that is refused or ends the connection. Nothing is read as a request that net/http
// takes for the body of another.
func FuzzLoop(f *testing.F) {
	const h = " HTTP/1.1\r\nHost: h\r\n"
	for _, raw := range []string{
		"GET /" + h + "\r\nHEAD /a?b" + h + "User-Agent: u\r\nAccept-Encoding: gzip\r\n\r\n",
		"\r\nGET /%41" + h + "If-None-Match: \"x\"\r\nX-Forwarded-For: 192.0.2.1\r\n\r\nPOST /" + h + "Content-Length: 3\r\n\r\nabcGET /c" + h + "\r\n",
		"GET /" + h + "Range: bytes=0-1\r\n\r\nPOST /" + h + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\nGET /" + h + "Connection: close\r\n\r\nGET /x" + h + "\r\n",
		"GET http://h/ HTTP/1.1\r\nHost: i\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET /" + h + "Content-Length: 4\r\n\r\nGET /smuggled" + h + "\r\n",
		"GET /" + h + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET /" + h + "User-Agent: a\r\nUser-Agent: b\r\n\r\n",
	} {
		f.Add([]byte(raw), []byte{200})
		f.Add([]byte(raw), []byte{0, 3, 17})
	}
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		var mu sync.Mutex
		var got []string
		refused := false
		see := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, s)
		}
		srv := wire.New(wire.Config{
			HeadBytes: 1 << 10,
			HTTP: &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if _, is := wire.RefusedFor(r); is {
					mu.Lock()
					refused = true
					mu.Unlock()
					return
				}
				body, err := io.ReadAll(r.Body)
				if err == nil {
					see(seen(r.Method, r.RequestURI, r.Host, r.Header, body))
				}
			})},
			Answer: func(p *wire.Request) bool {
				if p.Refused != "" {
					mu.Lock()
					refused = true
					mu.Unlock()
					return true
				}
				see(seen(p.Method, p.Target, p.Host, http.Header{"User-Agent": {p.UserAgent}, "Accept-Encoding": {p.AcceptEncoding},
					"If-None-Match": {p.IfNoneMatch}, "X-Forwarded-For": append([]string(nil), p.ForwardedFor...)}, nil))
				_, _ = p.Send([]byte("HTTP/1.1 204 No Content\r\n\r\n"), nil)
				return true
			},
		})
		l := &oneConn{conn: make(chan net.Conn, 1), ended: make(chan struct{})}
		c := mute{&pieces{data: bytes.Clone(data), sizes: sizes}, make(chan struct{}), new(sync.Once)}
		l.conn <- c
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l, wire.Listen{}) }()
		<-c.closed
		now, cancel := context.WithCancel(t.Context())
		cancel()
		srv.Shutdown(now)
		<-served
		mu.Lock()
		defer mu.Unlock()

		var want []string
		for br := bufio.NewReaderSize(bytes.NewReader(data), 1<<16); len(want) <= len(got); {
			if b, _ := br.Peek(2); string(b) == "\r\n" {
				_, _ = br.Discard(2)
			}
			r, err := http.ReadRequest(br)
			if err != nil {
				break
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				break
			}
			want = append(want, seen(r.Method, r.RequestURI, r.Host, r.Header, body))
		}
		for i := range got {
			if i >= len(want) || got[i] != want[i] {
				t.Fatalf("%q in pieces of %v: request %d is %s, to net/http alone the requests are %q (refused: %v)", data, sizes, i, got[i], want, refused)
			}
		}
	})
}
