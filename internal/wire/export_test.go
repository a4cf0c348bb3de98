package wire

import (
	"net"
	"time"
)

// VetConn makes a vetted connection of c.
func VetConn(c net.Conn, headBytes int, headTime time.Duration) net.Conn {
	return &vetConn{Conn: c, limits: limits{headBytes, headTime}}
}

// BetweenRequests reports whether a connection made by VetConn has handed on whole requests and holds nothing.
func BetweenRequests(c net.Conn) bool {
	v := c.(*vetConn)
	return v.place == inHead && v.buf == nil && !v.refused && !v.broken
}

// ParseProxy reads a PROXY header.
func ParseProxy(b []byte) (length int, client string, short bool, err error) {
	h, err := parseProxy(b)
	if h.client.IsValid() {
		client = h.client.String()
	}
	return h.length, client, err == errShort, err
}
