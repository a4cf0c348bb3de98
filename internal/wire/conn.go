package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The states of a connection of the loop. Shutdown closes a connection only after it has changed the state to closed.
const (
	fresh     int32 = iota // its first head is not complete
	waiting                // it waits for the next head
	answering              // a request is being answered
	closed
)

// A conn is a connection of the loop. The loop reads one head, has the request answered, and only then looks at the next head, so answers
// are in order.
type conn struct {
	srv      *Server
	how      *Listen
	raw      net.Conn     // as it was accepted, for Shutdown
	net.Conn              // for the loop: of TLS, say; nil once HTTP has it
	tcp      *net.TCPConn // for writing without TLS; nil: Conn is something else
	state    atomic.Int32
	remote   netip.Addr // not valid where the connection has none

	buf    []byte // what was read is buf[r:w]
	r, w   int
	blank  bool // an empty line before the head was left out
	req    Request
	failed error // of the last Send

	// Deadlines are set again when half of their time has passed: to set one costs as much as to answer.
	readUntil, writeUntil time.Time
	hurried               bool // the read deadline is that of a head
}

// readBytes is the usual size of what a connection reads into: a browser's head has 500 to 2,000 bytes.
const readBytes = 4 << 10

var buffers = sync.Pool{New: func() any { return new([readBytes]byte) }}

// serve answers requests until the connection ends or is handed to HTTP.
func (c *conn) serve() {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			c.srv.cfg.Log.Error("answering panicked", "panic", v) // Answer is expected to recover and to log more
			c.failed = net.ErrClosed
		}
		if c.Conn != nil {
			c.end()
		}
	}()
	if !c.meet() {
		return
	}
	c.buf = buffers.Get().(*[readBytes]byte)[:]
	for {
		n, why, err := c.head()
		if err != nil {
			return
		}
		if !c.state.CompareAndSwap(fresh, answering) && !c.state.CompareAndSwap(waiting, answering) {
			return
		}
		now := time.Now()
		c.req = Request{Now: now, Secure: c.secure(), conn: c}
		var h head
		if why == "" {
			h, why = vetHead(c.buf[c.r:c.r+n], &c.req)
		}
		switch {
		case why != "":
			c.req = Request{Now: now, Secure: c.secure(), conn: c, Refused: why, Last: true}
			c.srv.cfg.Answer(&c.req)
			discard(c.Conn)
			return
		case h.chunked || h.length > 0 || !c.req.plain || !c.srv.cfg.Answer(&c.req):
			c.hand()
			return
		case c.failed != nil:
			return
		case c.req.Last:
			if c.r+n < c.w {
				discard(c.Conn) // the client has sent more requests
			}
			return
		}
		c.r, c.blank, c.req = c.r+n, false, Request{} // frees the strings while the connection waits
		c.idle(now)
		c.state.Store(waiting)
		if c.srv.ending.Load() {
			return
		}
	}
}

// secure reports whether the connection speaks TLS.
func (c *conn) secure() bool { return c.how.TLS != nil }

// end closes the connection.
func (c *conn) end() {
	c.srv.forget(c)
	c.srv.cfg.Open.Add(-1)
	_ = c.Conn.Close()
	c.put()
}

// put gives the buffer back. Big ones are for the collector.
func (c *conn) put() {
	if len(c.buf) == readBytes {
		buffers.Put((*[readBytes]byte)(c.buf))
	}
	c.buf = nil
}

// meet reads the PROXY header and shakes hands for TLS. It reports whether the loop is to read requests.
func (c *conn) meet() bool {
	c.readUntil = time.Now().Add(c.srv.cfg.HeadTime)
	if err := c.Conn.SetReadDeadline(c.readUntil); err != nil {
		return false
	}
	if trusts := c.how.Trusts; trusts != nil {
		if peer, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok && trusts(peer.AddrPort().Addr()) {
			c.Conn = &proxyConn{Conn: c.Conn, client: peer, until: c.readUntil}
		}
	}
	if c.how.TLS != nil {
		t := c.shake()
		if t == nil {
			return false
		}
		c.Conn = t
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			c.give(t)
			return false
		}
	} else if tcp, ok := c.Conn.(*net.TCPConn); ok {
		c.tcp = tcp
	} else if p, ok := c.Conn.(*proxyConn); ok {
		c.tcp, _ = p.Conn.(*net.TCPConn)
	}
	if a, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = a.AddrPort().Addr()
	}
	if c.how.Direct || c.srv.cfg.Answer == nil {
		c.hand()
		return false
	}
	return true
}

// handshakeTime bounds a handshake: a phone on a bad line needs a few seconds.
const handshakeTime = 10 * time.Second

// shake performs the TLS handshake. It returns nil if the handshake fails, or if the connection is the challenge of a certificate authority
// (acme-tls/1), which ends with the handshake.
func (c *conn) shake() *tls.Conn {
	limit, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	t := tls.Server(c.Conn, c.how.TLS)
	if err := t.HandshakeContext(limit); err != nil {
		if re, ok := err.(tls.RecordHeaderError); ok && re.Conn != nil && tokenBytes[re.RecordHeader[0]] {
			_, _ = io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nThis port speaks TLS: https, not http.\n")
		}
		c.srv.cfg.Log.Debug("TLS handshake failed", "addr", c.RemoteAddr().String(), "error", err)
		return nil
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case "", "h2", "http/1.1":
		return t
	}
	_ = t.Close()
	return nil
}

// head reads until the buffer begins with a complete head and returns its length. If the bytes cannot become a head, it returns why.
func (c *conn) head() (n int, why Reason, err error) {
	limit, looked := c.srv.cfg.HeadBytes, 0
	for {
		b := c.buf[c.r:c.w]
		if !c.blank && len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
			c.r, c.blank = c.r+2, true // RFC 9112, 2.2
			continue
		}
		if len(b) > 0 && (c.blank || b[0] != '\r' || len(b) > 1) {
			if !tokenBytes[b[0]] {
				return 0, BadRequestLine, nil // a head that is never finished would otherwise be waited for: TLS, say
			}
			n, looked = endOfHead(b, looked), len(b)
			switch {
			case n > limit || n < 0 && len(b) > limit:
				if bytes.IndexByte(b[:limit], '\n') < 0 {
					return 0, TargetTooLong, nil
				}
				return 0, TooLarge, nil
			case n >= 0:
				if c.hurried {
					c.hurried = false
					err = c.Conn.SetReadDeadline(c.readUntil)
				}
				return n, "", err
			}
		}
		if c.r == c.w {
			c.r, c.w = 0, 0
		} else if !c.hurried && c.state.Load() == waiting {
			c.hurried = true
			if err := c.Conn.SetReadDeadline(time.Now().Add(c.srv.cfg.HeadTime)); err != nil {
				return 0, "", err
			}
		}
		if c.w == len(c.buf) {
			c.room()
		}
		if c.w == 0 {
			// Let other connections run first. On a busy server the next request has arrived by then, and one read returns it. Without this
			// the read returns nothing, waits for the poller, and is repeated.
			runtime.Gosched()
		}
		m, err := c.Conn.Read(c.buf[c.w:])
		if c.w += m; m == 0 && err != nil {
			return 0, "", err
		}
	}
}

// room makes room for more of a head.
func (c *conn) room() {
	next := c.buf
	if c.r == 0 {
		next = make([]byte, 4*len(c.buf))
	}
	n := copy(next, c.buf[c.r:c.w])
	if c.r == 0 {
		c.put()
	}
	c.buf, c.r, c.w = next, 0, n
}

// idle gives the client time for its next request.
func (c *conn) idle(now time.Time) {
	if c.readUntil.Sub(now) <= c.srv.cfg.IdleTime/2 {
		c.readUntil = now.Add(c.srv.cfg.IdleTime)
		c.failed = c.Conn.SetReadDeadline(c.readUntil)
	}
	if len(c.buf) > readBytes && c.r == c.w { // a large head was an exception
		c.buf, c.r, c.w = buffers.Get().(*[readBytes]byte)[:], 0, 0
	}
}

// hand gives the connection and the bytes that were read to HTTP.
func (c *conn) hand() {
	v := &vetConn{Conn: c.Conn, limits: limits{c.srv.cfg.HeadBytes, c.srv.cfg.HeadTime}, blank: c.blank}
	v.preload(c.buf[c.r:c.w])
	c.put()
	nc := net.Conn(v)
	if t, ok := c.Conn.(*tls.Conn); ok {
		nc = &vetTLSConn{v, t}
	}
	c.req = Request{}
	c.give(nc)
}

// give gives nc, which stands for the connection, to HTTP.
func (c *conn) give(nc net.Conn) {
	_ = c.Conn.SetDeadline(time.Time{}) // HTTP sets its own deadlines; it will see any error of the connection
	c.Conn = nil
	c.srv.hand(c, nc)
}

const (
	// drainBytes and drainTime bound how much of what follows a refused request is read and forgotten: closing a
	// connection with bytes unread may take the answer away from its reader.
	drainBytes = 256 << 10
	drainTime  = 500 * time.Millisecond
)

// discard reads and drops what the client still sends, so that closing the connection does not destroy the answer.
func discard(c net.Conn) {
	if closeWrite(c) == nil && c.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.CopyN(io.Discard, c, drainBytes) // whatever ends it, the connection ends now
	}
}

// closeWrite ends a connection in one direction.
func closeWrite(c net.Conn) error {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
