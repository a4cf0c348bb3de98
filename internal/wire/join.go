package wire

import (
	"bytes"
	"net"
	"sync"
)

// httpBuffer is the size of net/http's buffer of a connection: an answer that is longer is written in pieces, of which
// the first is as long as the buffer.
const httpBuffer = 4 << 10

var heads = sync.Pool{New: func() any { return new([httpBuffer]byte) }}

// A joiner keeps the first piece of an answer that says it is longer until the next piece comes, and sends them as
// one: one system call and one packet less for most pages. Only pieces are kept that net/http cut off because its
// buffer was full, so the rest is on its way; a handler that asks for a flush at exactly that byte of an answer whose
// length it has announced is the one that waits for its next write.
type joiner struct {
	first *[httpBuffer]byte // nil: nothing is kept
}

// Write implements net.Conn.
func (c *vetConn) Write(p []byte) (int, error) {
	if c.out.first == nil {
		if len(p) != httpBuffer || !goesOn(p) {
			return c.Conn.Write(p)
		}
		c.out.first = heads.Get().(*[httpBuffer]byte)
		return copy(c.out.first[:], p), nil
	}
	first := c.out.first
	c.out.first = nil
	defer heads.Put(first)
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		both := net.Buffers{first[:], p}
		n, err := both.WriteTo(tcp)
		return max(int(n)-httpBuffer, 0), err
	}
	both := append(make([]byte, 0, httpBuffer+len(p)), first[:]...)
	n, err := c.Conn.Write(append(both, p...))
	return max(n-httpBuffer, 0), err
}

// goesOn reports whether p begins an answer of success whose length is announced and greater than p's.
func goesOn(p []byte) bool {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 2")) {
		return false
	}
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	_, rest, ok := bytes.Cut(p[:end+2], []byte("\r\nContent-Length: "))
	if !ok {
		return false
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, ok := number(digits)
	return ok && int64(end)+4+length > int64(len(p))
}
