package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Limits bound the heads of requests, and say who answers plain ones.
type Limits struct {
	HeadBytes int           // 0: 32 KiB
	HeadTime  time.Duration // from the first byte of a head to its last; 0: 10 seconds

	// Plain answers a request with [Plain.Send], or reports that it did not, and has sent nothing. It is not asked for the
	// first request of a connection. Nil: net/http has all requests.
	Plain     func(*Plain) bool
	IdleTime  time.Duration // that a connection may wait for its next request after such an answer; 0: 2 minutes
	WriteTime time.Duration // that such an answer may take; 0: 1 minute
}

// Vet returns a listener whose connections hand requests of HTTP/1 on only when their heads are whole and sound. TLS
// connections must have shaken hands, see [TLS]; those of HTTP/2, whose framing leaves no doubt, are left alone.
func Vet(ln net.Listener, limits Limits) *Listener {
	if limits.HeadBytes == 0 {
		limits.HeadBytes = 32 << 10
	}
	if limits.HeadTime == 0 {
		limits.HeadTime = 10 * time.Second
	}
	if limits.IdleTime == 0 {
		limits.IdleTime = 2 * time.Minute
	}
	if limits.WriteTime == 0 {
		limits.WriteTime = time.Minute
	}
	return &Listener{Listener: ln, limits: limits, late: late{conns: map[*vetConn]struct{}{}, left: make(chan struct{}, 1)}}
}

// A Listener vets the requests of its connections: see [Vet].
type Listener struct {
	net.Listener
	limits Limits
	late   late
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &vetConn{Conn: c, limits: l.limits, listener: l}
	if t, ok := c.(*tls.Conn); ok {
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return c, nil
		}
		v.secure = true
		return &vetTLSConn{v, t}, nil
	}
	return v, nil
}

// A vetTLSConn lets net/http see the state of TLS.
type vetTLSConn struct {
	*vetConn
	tls *tls.Conn
}

// ConnectionState is what net/http puts into requests.
func (c *vetTLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// A place is what the next byte of a connection belongs to.
type place uint8

const (
	inHead      place = iota
	inBody            // of known length
	inSize            // the digits of a chunk's size
	inSizeEnd         // the line feed after them
	inChunk           // a chunk's bytes
	inChunkEnd        // its carriage return
	inChunkEnd2       // its line feed
	inLast            // the carriage return after the last chunk
	inLast2           // its line feed
)

// A vetConn hands on what its connection sends as far as it was vetted. It reads into the caller's buffer and vets
// there; only what cannot be handed on yet, a head of which not all has come, is held.
//
// Reading is for one goroutine at a time, and so is writing, as net/http does it; deadlines may be set by others
// meanwhile.
type vetConn struct {
	net.Conn
	limits   Limits
	secure   bool // by TLS
	listener *Listener

	place  place
	blank  bool  // an empty line before the head was left out
	left   int64 // bytes of the body, or of the chunk, still to come
	digits int   // of a chunk's size

	buf     []byte // what is held is buf[r:w]; nil: nothing is
	r, w    int
	ok      int  // buf[r:ok] was vetted
	looked  int  // so many bytes from ok on are known not to end their head
	refused bool // buf ends in the request that stands for the refused one; nothing is read after it
	broken  bool // the framing of a body is: after what was vetted, Read fails

	out joiner
	plainer

	watcher *time.Timer   // see watch; nil: never watched
	aborted chan struct{} // of one; likewise

	mu       sync.Mutex // protects what follows
	deadline time.Time  // of reading, as the owner set it
	patience time.Time  // not zero: a head has begun and must be whole by then
	watching bool
}

var errFraming = errors.New("wire: a body's chunks are malformed")

// heldBytes is the usual size of what holds a head.
const heldBytes = 4 << 10

var buffers = sync.Pool{New: func() any { return new([heldBytes]byte) }}

// Read implements net.Conn.
func (c *vetConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case c.r < c.ok:
			n := copy(p, c.buf[c.r:c.ok])
			if c.r += n; c.r == c.w {
				c.release()
			}
			return n, nil
		case c.broken:
			return 0, errFraming
		case c.refused:
			return 0, io.EOF
		case c.buf == nil:
			if len(p) == 1 && !c.watch() {
				return 0, os.ErrDeadlineExceeded
			}
			n, err := c.Conn.Read(p)
			if n > 0 && c.mayAnswer(len(p)) {
				done, failed := c.answer(p[:n])
				if failed != nil {
					return 0, failed
				}
				n = copy(p, p[done:n])
			}
			if n > 0 {
				ok := 0
				ok, n = c.vet(p[:n], 0)
				if ok < n && !c.refused && !c.broken {
					c.hold(p[ok:n])
				}
				if ok > 0 {
					return ok, nil // a lasting error comes again
				}
			}
			if err != nil {
				return 0, err
			}
		default:
			if err := c.more(); err != nil {
				return 0, err
			}
		}
	}
}

// more reads further bytes of a head that has begun. All that was vetted is handed on.
func (c *vetConn) more() error {
	c.w = copy(c.buf, c.buf[c.r:c.w])
	c.r, c.ok = 0, 0
	if c.w == len(c.buf) {
		c.resize(4 * c.w)
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	if n == 0 {
		return err
	}
	c.w += n
	ok, left := c.vet(c.buf[:c.w], c.looked)
	if c.refused {
		return nil // refuse has set what is held
	}
	c.w = left
	c.ok, c.looked = ok, c.w-ok
	switch {
	case c.broken:
		c.w = ok
	case 0 < ok && ok < c.w:
		c.begin() // the next head
	}
	if c.w == 0 {
		c.finished() // of a head nothing has come but an empty line
		c.release()
	}
	return nil
}

// hold keeps b, of which nothing may be handed on yet.
func (c *vetConn) hold(b []byte) {
	c.resize(len(b))
	c.w = copy(c.buf, b)
	c.looked = c.w
	c.begin()
}

// resize makes room for n bytes and keeps what is held.
func (c *vetConn) resize(n int) {
	if n <= len(c.buf) {
		return
	}
	var next []byte
	if n <= heldBytes {
		next = buffers.Get().(*[heldBytes]byte)[:]
	} else {
		next = make([]byte, n)
	}
	copy(next, c.buf[:c.w])
	c.put()
	c.buf = next
}

// release lets go of a buffer all of which was handed on.
func (c *vetConn) release() {
	c.put()
	c.buf, c.r, c.ok, c.w, c.looked = nil, 0, 0, 0, 0
}

// put gives the buffer back. Big ones are for the collector.
func (c *vetConn) put() {
	if len(c.buf) == heldBytes {
		buffers.Put((*[heldBytes]byte)(c.buf))
	}
}

// vet walks over b, which begins at c.place, and returns how many of its bytes may be handed on, of how many that are left:
// one empty line before a head is taken out of b (RFC 9112, 2.2). Of a head that b begins with, looked bytes are known not to
// end it. Where vet finds what is to be refused, it holds the request that stands for it.
func (c *vetConn) vet(b []byte, looked int) (ok, left int) {
	at := 0
	for at < len(b) {
		switch c.place {
		case inHead:
			if b[at] == '\r' && !c.blank {
				if at+1 == len(b) {
					return at, len(b)
				}
				if b[at+1] == '\n' {
					b = append(b[:at], b[at+2:]...)
					c.blank, looked = true, 0
					continue
				}
			}
			if !tokenBytes[b[at]] {
				// No request begins so. A head that is never finished would otherwise be waited for: TLS, say.
				return c.refuse(b, at, BadRequestLine), len(b)
			}
			n := endOfHead(b[at:], looked)
			looked = 0
			if n > c.limits.HeadBytes || n < 0 && len(b)-at > c.limits.HeadBytes {
				why := TooLarge
				if bytes.IndexByte(b[at:at+c.limits.HeadBytes], '\n') < 0 {
					why = TargetTooLong
				}
				return c.refuse(b, at, why), len(b)
			}
			if n < 0 {
				return at, len(b)
			}
			h, why := vetHead(b[at : at+n])
			if why != "" {
				return c.refuse(b, at, why), len(b)
			}
			c.finished()
			c.blank = false
			c.given = true
			at += n
			switch {
			case h.chunked:
				c.place = inSize
			case h.length > 0:
				c.place, c.left = inBody, h.length
			}
		case inBody, inChunk:
			n := min(c.left, int64(len(b)-at))
			at, c.left = at+int(n), c.left-n
			if c.left > 0 {
				break
			}
			if c.place == inBody {
				c.place = inHead
			} else {
				c.place = inChunkEnd
			}
		default:
			if !c.step(b[at]) {
				c.broken = true
				return at, len(b)
			}
			at++
		}
	}
	return at, len(b)
}

// maxSizeDigits bounds a chunk's size.
const maxSizeDigits = 8

// step takes a byte of what frames chunks. Extensions and trailers, which no client of ours sends, are not part of it:
// programs differ about where they end.
func (c *vetConn) step(b byte) bool {
	switch c.place {
	case inSize:
		if d, ok := hexDigit(b); ok {
			c.left = c.left<<4 | d
			c.digits++
			return c.digits <= maxSizeDigits
		}
		c.place = inSizeEnd
		return b == '\r' && c.digits > 0
	case inSizeEnd:
		c.digits = 0
		if c.place = inChunk; c.left == 0 {
			c.place = inLast
		}
	case inChunkEnd:
		c.place = inChunkEnd2
		return b == '\r'
	case inChunkEnd2:
		c.place = inSize
	case inLast:
		c.place = inLast2
		return b == '\r'
	case inLast2:
		c.place = inHead
	}
	return b == '\n'
}

func hexDigit(b byte) (int64, bool) {
	switch {
	case '0' <= b && b <= '9':
		return int64(b - '0'), true
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return int64(b|0x20-'a') + 10, true
	}
	return 0, false
}

// refuse puts the request that stands for the refused one, at b[at:], in its place. It returns at.
func (c *vetConn) refuse(b []byte, at int, why Reason) int {
	c.finished()
	c.refused = true
	if c.buf == nil {
		c.w = 0
	} else {
		c.w = at // b is what is held
	}
	sub := RefusedMethod + " /" + string(why) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	c.resize(c.w + len(sub))
	c.w += copy(c.buf[c.w:], sub)
	c.ok = c.w
	return at
}

// begin bounds the time that a head may take from now on.
func (c *vetConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patience = time.Now().Add(c.limits.HeadTime)
	_ = c.Conn.SetReadDeadline(earlier(c.deadline, c.patience)) // a connection that has gone says so when read
}

// finished ends that bound.
func (c *vetConn) finished() {
	if c.buf == nil {
		return // none was begun
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.patience.IsZero() {
		c.patience = time.Time{}
		_ = c.Conn.SetReadDeadline(c.deadline)
	}
}

// watchDelay is how long a handler runs before anybody looks whether its client has gone.
const watchDelay = 50 * time.Millisecond

// watch waits before a read of one byte. net/http does one while a handler runs, to see the connection end, and breaks
// it off when the handler is done: for a page that would be a system call and two wake-ups of the poller in vain. It
// reports whether the handler is still at it, and the read is worth its cost.
func (c *vetConn) watch() bool {
	c.mu.Lock()
	if !c.deadline.IsZero() && time.Until(c.deadline) <= 0 {
		c.mu.Unlock()
		return false
	}
	c.watching = true
	if c.watcher == nil {
		c.watcher, c.aborted = time.NewTimer(watchDelay), make(chan struct{}, 1)
	} else {
		c.watcher.Reset(watchDelay)
	}
	c.mu.Unlock()
	select {
	case <-c.aborted:
		c.watcher.Stop()
		return false
	case <-c.watcher.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.watching { // broken off at the same moment
		<-c.aborted
		return false
	}
	c.watching = false
	return true
}

// SetReadDeadline implements net.Conn.
func (c *vetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.watching && !t.IsZero() && time.Until(t) <= 0 {
		c.watching = false
		c.aborted <- struct{}{} // has room: nothing is sent but here, once for each watch
		return nil              // the connection itself is not being read
	}
	return c.Conn.SetReadDeadline(earlier(t, c.patience))
}

// SetDeadline implements net.Conn.
func (c *vetConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// earlier returns the earlier of two times; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// CloseWrite ends the connection in one direction.
func (c *vetConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

const (
	// drainBytes and drainTime bound how much of what follows a refused request is read and forgotten: closing a
	// connection with bytes unread may take the answer away from its reader.
	drainBytes = 256 << 10
	drainTime  = 500 * time.Millisecond
)

// Close implements net.Conn.
func (c *vetConn) Close() error {
	if c.closeLater() {
		return nil
	}
	if c.refused || c.broken {
		if c.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(drainTime)) == nil {
			_, _ = io.CopyN(io.Discard, c.Conn, drainBytes) // whatever ends it, the connection ends now
		}
	}
	return c.Conn.Close()
}
