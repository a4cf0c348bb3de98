package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a Server serves.
type Config struct {
	// HTTP gets a connection for good when Answer does not answer one of its requests; it reads that request first. It also gets all
	// connections of HTTP/2. Required. The Server sets its ConnState, serves it and shuts it down.
	HTTP *http.Server

	// Answer sends an answer with [Request.Send] or [Request.Copy] and reports true, or sends nothing and reports false. It must answer a
	// request whose Refused is set. Nil: HTTP gets all connections.
	Answer func(*Request) bool

	HeadBytes int           // of a request's head; 0: 32 KiB
	HeadTime  time.Duration // from the first byte of a head to its last, and until the first head of a connection is whole; 0: 10 seconds
	IdleTime  time.Duration // a connection that waits for its next request is closed after half of it to all of it; 0: 2 minutes
	WriteTime time.Duration // an answer is cut off after half of it to all of it, a large one later, see [SlowestBytes]; 0: 1 minute

	Open *atomic.Int64 // the Server counts open connections here; may be nil
	Log  *slog.Logger  // gets failed handshakes, at level Debug; may be nil
}

// SlowestBytes is the rate, in bytes a second, of the slowest client that gets all of a large answer.
const SlowestBytes = 16 << 10

// Listen says how the connections of one listener begin.
type Listen struct {
	TLS    *tls.Config           // nil: without TLS
	Trusts func(netip.Addr) bool // reports whether a peer may send a PROXY header first; nil: no peer may
	Direct bool                  // true: HTTP gets all connections
}

// A Server owns connections from accept to close. Its methods may be called at the same time.
type Server struct {
	cfg    Config
	handed *handed
	ending atomic.Bool // true: each connection is closed after its current answer

	mu        sync.Mutex // protects what follows
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}    // those of the loop
	unheard   map[net.Conn]struct{} // those of HTTP that have not sent a request to it

	accepting sync.WaitGroup
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.HeadBytes == 0 {
		cfg.HeadBytes = 32 << 10
	}
	if cfg.HeadTime == 0 {
		cfg.HeadTime = 10 * time.Second
	}
	if cfg.IdleTime == 0 {
		cfg.IdleTime = 2 * time.Minute
	}
	if cfg.WriteTime == 0 {
		cfg.WriteTime = time.Minute
	}
	if cfg.Open == nil {
		cfg.Open = new(atomic.Int64)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, handed: &handed{conns: make(chan net.Conn), ended: make(chan struct{})},
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, unheard: map[net.Conn]struct{}{},
	}
	cfg.HTTP.ConnState = s.follow
	return s
}

// Serve accepts connections from ln until Shutdown is called or ln fails. It closes ln. It returns [http.ErrServerClosed] after
// Shutdown, else the error of ln.
func (s *Server) Serve(ln net.Listener, how Listen) error {
	s.mu.Lock()
	if s.ending.Load() {
		s.mu.Unlock()
		_ = ln.Close()
		return http.ErrServerClosed
	}
	if len(s.listeners) == 0 {
		s.accepting.Go(func() { _ = s.cfg.HTTP.Serve(s.handed) })
	}
	s.listeners[ln] = struct{}{}
	s.accepting.Add(1)
	s.mu.Unlock()
	defer s.accepting.Done()
	defer ln.Close()
	for pause := time.Duration(0); ; {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.begin(c, &how)
		case s.ending.Load():
			return http.ErrServerClosed
		case !temporary(err):
			return fmt.Errorf("accept: %w", err)
		default: // no file descriptor is left, say
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		}
	}
}

// temporary reports whether accepting may succeed later.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// begin serves a connection in a goroutine of its own.
func (s *Server) begin(nc net.Conn, how *Listen) {
	c := &conn{srv: s, how: how, raw: nc, Conn: nc}
	s.cfg.Open.Add(1)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	go c.serve()
}

// forget removes a connection from those of the loop.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// hand gives a connection to HTTP.
func (s *Server) hand(c *conn, nc net.Conn) {
	s.mu.Lock()
	s.unheard[nc] = struct{}{}
	delete(s.conns, c)
	s.mu.Unlock()
	select {
	case s.handed.conns <- nc:
	case <-s.handed.ended:
		s.follow(nc, http.StateClosed)
		_ = nc.Close() // HTTP is shut down
	}
}

// follow is HTTP's ConnState.
func (s *Server) follow(nc net.Conn, state http.ConnState) {
	if state == http.StateNew || state == http.StateIdle {
		return
	}
	s.mu.Lock()
	delete(s.unheard, nc)
	s.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		s.cfg.Open.Add(-1)
	}
}

const (
	hearTime = time.Second           // after Shutdown a new connection has this long to send its first request
	lookTime = 20 * time.Millisecond // Shutdown looks this often whether connections have ended
)

// Shutdown closes the listeners and the connections that wait for a next request. A connection that has sent no request yet has one
// second to do so. Shutdown returns when all requests have been answered. If ctx ends earlier, it closes the remaining connections and
// returns their number.
func (s *Server) Shutdown(ctx context.Context) (cut int) {
	s.mu.Lock()
	s.ending.Store(true)
	for ln := range s.listeners {
		_ = ln.Close() // Serve says what is wrong with it
	}
	s.mu.Unlock()
	look := time.NewTicker(lookTime)
	defer look.Stop()
	await := func(done func() bool, end <-chan time.Time) {
		for !done() {
			select {
			case <-look.C:
			case <-end:
				return
			case <-ctx.Done():
				return
			}
		}
	}
	end := time.After(hearTime)
	none := 0
	await(func() bool {
		if none++; s.close(waiting)+s.count(fresh) > 0 || s.hasUnheard() {
			none = 0
		}
		return none == 2 // net/http says a moment too early that it has read a request, and would drop it
	}, end)
	s.close(waiting)
	s.close(fresh)
	ended := make(chan int, 1)
	go func() {
		if s.cfg.HTTP.Shutdown(ctx) == nil {
			ended <- 0
			return
		}
		n := int(s.cfg.Open.Load()) - s.remaining()
		_ = s.cfg.HTTP.Close() // there is nobody to tell
		ended <- n
	}()
	await(func() bool { s.close(waiting); return s.remaining() == 0 }, nil)
	cut = <-ended + s.close(answering)
	for s.remaining() > 0 {
		<-look.C // what was cut off ends now
	}
	s.accepting.Wait()
	return cut
}

// close closes the connections in a state, and returns how many there were.
func (s *Server) close(state int32) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.CompareAndSwap(state, closed) {
			_ = c.raw.Close()
			n++
		}
	}
	return n
}

func (s *Server) count(state int32) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() == state {
			n++
		}
	}
	return n
}

func (s *Server) remaining() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// hasUnheard reports whether HTTP has connections whose first request it has not read.
func (s *Server) hasUnheard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unheard) > 0
}

// A handed is the listener of HTTP: it returns the connections that the loop hands over.
type handed struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }
