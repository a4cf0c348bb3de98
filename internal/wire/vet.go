package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// limits bound the heads of requests.
type limits struct {
	headBytes int
	headTime  time.Duration // from the first byte of a head to its last
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
	limits limits

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

	mu       sync.Mutex // protects what follows
	deadline time.Time  // of reading, as the owner set it
	patience time.Time  // not zero: a head has begun and must be whole by then
}

var errFraming = errors.New("wire: a body's chunks are malformed")

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
			n, err := c.Conn.Read(p)
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
	c.judge()
	return nil
}

// preload makes b what the connection has sent so far.
func (c *vetConn) preload(b []byte) {
	if len(b) > 0 {
		c.resize(len(b))
		c.w = copy(c.buf, b)
		c.judge()
	}
}

// judge vets what is held.
func (c *vetConn) judge() {
	ok, left := c.vet(c.buf[:c.w], c.looked)
	if c.refused {
		return // refuse has set what is held
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
	if n <= readBytes {
		next = buffers.Get().(*[readBytes]byte)[:]
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
	if len(c.buf) == readBytes {
		buffers.Put((*[readBytes]byte)(c.buf))
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
			if n > c.limits.headBytes || n < 0 && len(b)-at > c.limits.headBytes {
				why := TooLarge
				if bytes.IndexByte(b[at:at+c.limits.headBytes], '\n') < 0 {
					why = TargetTooLong
				}
				return c.refuse(b, at, why), len(b)
			}
			if n < 0 {
				return at, len(b)
			}
			h, why := vetHead(b[at:at+n], nil)
			if why != "" {
				return c.refuse(b, at, why), len(b)
			}
			c.finished()
			c.blank = false
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
	c.patience = time.Now().Add(c.limits.headTime)
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

// SetReadDeadline implements net.Conn.
func (c *vetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
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
func (c *vetConn) CloseWrite() error { return closeWrite(c.Conn) }

// Close implements net.Conn.
func (c *vetConn) Close() error {
	if c.refused || c.broken {
		discard(c.Conn)
	}
	return c.Conn.Close()
}
