package testenv

import (
	"net"
	"sync"
)

// A Port is a listener for connections in memory, so that servers can run on the clock of a bubble.
type Port struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

// NewPort returns a Port. It is made within the bubble.
func NewPort() *Port { return &Port{conns: make(chan net.Conn), ended: make(chan struct{})} }

// Accept implements net.Listener.
func (p *Port) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *Port) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

// Addr implements net.Listener.
func (p *Port) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// Dial connects to the port from an IP address.
func (p *Port) Dial(from string) net.Conn {
	near, far := net.Pipe()
	p.conns <- portEnd{far, &net.TCPAddr{IP: net.ParseIP(from), Port: 40000}}
	return near
}

type portEnd struct {
	net.Conn
	from net.Addr
}

func (c portEnd) RemoteAddr() net.Addr { return c.from }
