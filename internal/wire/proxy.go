package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// headerTime bounds how long the header may take to come: it is the first that a proxy sends.
const headerTime = 5 * time.Second

// A proxyConn is a connection from a trusted peer. It may begin with a header of the PROXY protocol, version 1 or 2, and then has
// the client's address. It reads the header when it is first asked for what that says.
type proxyConn struct {
	net.Conn
	until  time.Time // the read deadline behind the header
	once   sync.Once
	client net.Addr
	rest   []byte // read with the header
	err    error
}

// RemoteAddr is the client's address.
func (c *proxyConn) RemoteAddr() net.Addr {
	c.once.Do(c.read)
	return c.client
}

// Read implements net.Conn.
func (c *proxyConn) Read(p []byte) (int, error) {
	c.once.Do(c.read)
	switch {
	case len(c.rest) > 0:
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	case c.err != nil:
		return 0, c.err
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the connection in one direction.
func (c *proxyConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *proxyConn) read() {
	if c.err = c.Conn.SetReadDeadline(time.Now().Add(headerTime)); c.err != nil {
		return
	}
	var b []byte
	for {
		chunk := make([]byte, 256)
		n, err := c.Conn.Read(chunk)
		b = append(b, chunk[:n]...)
		h, perr := parseProxy(b)
		if errors.Is(perr, errShort) {
			if err == nil {
				continue
			}
			perr = fmt.Errorf("read PROXY header: %w", err)
			if h.length == 0 && len(b) == 0 {
				perr = err // it went away, or is slow, before it said anything
			}
		}
		if c.err = perr; perr != nil {
			return
		}
		if h.client.IsValid() {
			c.client = net.TCPAddrFromAddrPort(h.client)
		}
		c.rest = b[h.length:]
		c.err = c.Conn.SetReadDeadline(c.until)
		return
	}
}

// A proxyHeader is what a PROXY header says.
type proxyHeader struct {
	length int            // in bytes; 0: there is none
	client netip.AddrPort // not valid: the connection is the proxy's own
}

var (
	errShort = errors.New("wire: the PROXY header goes on")
	errProxy = errors.New("wire: malformed PROXY header")
)

const (
	v1Prefix    = "PROXY "
	v1MostBytes = 107
	v2Signature = "\r\n\r\n\x00\r\nQUIT\n"
	v2MostBytes = 4096 // of addresses and what may follow them
)

// parseProxy reads the header at the beginning of b. The error is errShort when more of it is needed to tell.
func parseProxy(b []byte) (proxyHeader, error) {
	switch {
	case begins(b, v1Prefix):
		return parseProxy1(b)
	case begins(b, v2Signature):
		return parseProxy2(b)
	}
	return proxyHeader{}, nil
}

// begins reports whether b begins with prefix, or may yet.
func begins(b []byte, prefix string) bool {
	n := min(len(b), len(prefix))
	return string(b[:n]) == prefix[:n]
}

func parseProxy1(b []byte) (proxyHeader, error) {
	end := bytes.Index(b[:min(len(b), v1MostBytes)], []byte("\r\n"))
	if end < 0 {
		if len(b) < v1MostBytes {
			return proxyHeader{}, errShort
		}
		return proxyHeader{}, errProxy
	}
	h := proxyHeader{length: end + 2}
	words := strings.Split(string(b[:end]), " ")
	if words[1] == "UNKNOWN" {
		return h, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return proxyHeader{}, errProxy
	}
	src, err1 := netip.ParseAddr(words[2])
	dst, err2 := netip.ParseAddr(words[3])
	port, err3 := strconv.ParseUint(words[4], 10, 16)
	_, err4 := strconv.ParseUint(words[5], 10, 16)
	if errors.Join(err1, err2, err3, err4) != nil || src.Is4() != (words[1] == "TCP4") || dst.Is4() != src.Is4() || src.Zone() != "" {
		return proxyHeader{}, errProxy
	}
	h.client = netip.AddrPortFrom(src.Unmap(), uint16(port))
	return h, nil
}

func parseProxy2(b []byte) (proxyHeader, error) {
	const fixed = len(v2Signature) + 4
	if len(b) < fixed {
		return proxyHeader{}, errShort
	}
	command, family := b[12], b[13]
	n := int(binary.BigEndian.Uint16(b[14:]))
	if command>>4 != 2 || command&15 > 1 || n > v2MostBytes {
		return proxyHeader{}, errProxy
	}
	if len(b) < fixed+n {
		return proxyHeader{}, errShort
	}
	h := proxyHeader{length: fixed + n}
	if command&15 == 0 { // LOCAL: the proxy asks for itself
		return h, nil
	}
	body := b[fixed : fixed+n]
	switch family >> 4 {
	case 1:
		if len(body) < 12 {
			return proxyHeader{}, errProxy
		}
		h.client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case 2:
		if len(body) < 36 {
			return proxyHeader{}, errProxy
		}
		h.client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	}
	return h, nil // of other families there is no address to know
}
