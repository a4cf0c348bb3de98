package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Plain is a request that asks for nothing but what is at an address: GET of HTTP/1.1 on a connection that lasts,
// without a body, ranges, or conditions beyond the usual ones. Of the headers it has those that an answer may depend
// on, each of which came once and says something; empty or nil: it was not sent.
type Plain struct {
	Target    string // path and query, as they were sent
	Host      string
	UserAgent string
	Referred  bool // Referer or Origin is there

	Accept, AcceptEncoding, AcceptLanguage string
	IfNoneMatch, IfModifiedSince           string

	RequestID                               string   // X-Request-Id
	Forwarded, ForwardedFor, ForwardedProto []string // of one line: Forwarded, X-Forwarded-For, X-Forwarded-Proto

	Secure bool // the connection speaks TLS

	conn  *vetConn
	begun bool      // an answer has been
	lines [3]string // of the headers with slices
}

// Remote is the other end of the connection; not valid where it has no address.
func (p *Plain) Remote() netip.Addr {
	if a, ok := p.conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// Begun reports whether some of an answer may have been sent.
func (p *Plain) Begun() bool { return p.begun }

// Abort ends the connection once the request counts as answered.
func (p *Plain) Abort() { p.conn.failed = net.ErrClosed }

// Send sends an answer, whole: its head, with the empty line that ends it, and its body. It returns how much of the body
// was sent.
func (p *Plain) Send(head, body []byte) (sent int, err error) {
	c := p.conn
	p.begun = true
	if now := time.Now(); c.writeUntil.Sub(now) < c.limits.WriteTime/2 { // not for every answer: it costs what a page does
		c.writeUntil = now.Add(c.limits.WriteTime)
		if err := c.Conn.SetWriteDeadline(c.writeUntil); err != nil {
			return 0, err
		}
	}
	n := 0
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		c.pieces = [2][]byte{head, body}
		c.both = c.pieces[:]
		var all int64
		all, err = c.both.WriteTo(tcp)
		n, c.pieces = int(all), [2][]byte{}
	} else {
		n, err = c.Conn.Write(append(head, body...))
	}
	c.failed = err
	return max(n-len(head), 0), err
}

// parsePlain reads a head that vetHead has found sound and without a body. It reports false where the request is none
// that a Plain can stand for.
func parsePlain(head string, p *Plain) bool {
	line, rest, _ := strings.Cut(head, "\r\n")
	target, ok := strings.CutPrefix(line, "GET ")
	if !ok || target == "" || target[0] != '/' {
		return false
	}
	if p.Target, ok = strings.CutSuffix(target, " HTTP/1.1"); !ok {
		return false
	}
	for {
		line, rest, _ = strings.Cut(rest, "\r\n")
		if line == "" {
			return true
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		var field *string
		switch len(name) { // most names are known not to matter by their length
		case 2:
			if strings.EqualFold(name, "TE") {
				return false
			}
		case 4:
			if strings.EqualFold(name, "Host") {
				field = &p.Host
			}
		case 5:
			if strings.EqualFold(name, "Range") {
				return false
			}
		case 6:
			switch {
			case strings.EqualFold(name, "Accept"):
				field = &p.Accept
			case strings.EqualFold(name, "Origin"):
				p.Referred = true
			case strings.EqualFold(name, "Expect"):
				return false
			}
		case 7:
			switch {
			case strings.EqualFold(name, "Referer"):
				p.Referred = true
			case strings.EqualFold(name, "Upgrade"), strings.EqualFold(name, "Trailer"):
				return false
			}
		case 8:
			if strings.EqualFold(name, "If-Match") || strings.EqualFold(name, "If-Range") {
				return false
			}
		case 9:
			if strings.EqualFold(name, "Forwarded") {
				field, p.Forwarded = &p.lines[0], p.lines[0:1:1]
			}
		case 10:
			switch {
			case strings.EqualFold(name, "User-Agent"):
				field = &p.UserAgent
			case strings.EqualFold(name, "Connection"):
				if !strings.EqualFold(value, "keep-alive") {
					return false
				}
			}
		case 12:
			if strings.EqualFold(name, "X-Request-Id") {
				field = &p.RequestID
			}
		case 13:
			if strings.EqualFold(name, "If-None-Match") {
				field = &p.IfNoneMatch
			}
		case 14:
			if strings.EqualFold(name, "Content-Length") {
				return false
			}
		case 15:
			switch {
			case strings.EqualFold(name, "Accept-Encoding"):
				field = &p.AcceptEncoding
			case strings.EqualFold(name, "Accept-Language"):
				field = &p.AcceptLanguage
			case strings.EqualFold(name, "X-Forwarded-For"):
				field, p.ForwardedFor = &p.lines[1], p.lines[1:2:2]
			}
		case 17:
			switch {
			case strings.EqualFold(name, "If-Modified-Since"):
				field = &p.IfModifiedSince
			case strings.EqualFold(name, "X-Forwarded-Proto"):
				field, p.ForwardedProto = &p.lines[2], p.lines[2:3:3]
			case strings.EqualFold(name, "Transfer-Encoding"):
				return false
			}
		case 19:
			if strings.EqualFold(name, "If-Unmodified-Since") {
				return false
			}
		}
		if field == nil {
			continue
		}
		if *field != "" || value == "" {
			return false
		}
		*field = value
	}
}

// What a connection is doing with plain requests. Whoever closes it while one is answered leaves that to who answers.
const (
	waiting int32 = iota
	answering
	closing
)

// plainer is the part of a vetConn that answers plain requests.
type plainer struct {
	state      atomic.Int32
	given      bool // net/http has had a request of the connection
	req        *Plain
	readUntil  time.Time
	writeUntil time.Time
	pieces     [2][]byte
	both       net.Buffers
	failed     error // of the last Send
}

// mayAnswer reports whether a read of so many bytes is one with which net/http waits for a request, having answered all
// that it was given. Reads of one byte are those with which it looks whether a client has gone. The first request of a
// connection is always net/http's: from then on it takes the connection for an idle one between requests, which is what
// it is, with the deadlines of one.
func (c *vetConn) mayAnswer(room int) bool {
	return c.limits.Plain != nil && c.given && room > 1 && c.place == inHead
}

// answer answers the plain requests that b begins with, and returns how many of its bytes they were. An error is the
// connection's end.
func (c *vetConn) answer(b []byte) (done int, err error) {
	if c.req == nil {
		c.req = new(Plain)
	}
	defer func() { *c.req = Plain{} }() // while the connection waits, it need not keep that
	for done < len(b) {
		from := done
		if !c.blank && len(b)-from > 1 && b[from] == '\r' && b[from+1] == '\n' {
			from += 2 // see vet
		}
		n := endOfHead(b[from:], 0)
		if n < 0 || n > c.limits.HeadBytes {
			break
		}
		raw := b[from : from+n]
		if h, why := vetHead(raw); why != "" || h.chunked || h.length > 0 {
			break
		}
		*c.req = Plain{conn: c, Secure: c.secure}
		if !parsePlain(string(raw), c.req) {
			break
		}
		answered, err := c.ask()
		if err != nil {
			return done, err
		}
		if !answered {
			break
		}
		done, c.blank = from+n, false
	}
	if done > 0 {
		c.idle()
	}
	return done, nil
}

// ask has the request answered, if it is to be. Who wants the connection closed meanwhile is told that it is, and it is
// closed here, also when that panics.
func (c *vetConn) ask() (answered bool, err error) {
	if !c.state.CompareAndSwap(waiting, answering) {
		return false, net.ErrClosed
	}
	defer func() {
		if !c.state.CompareAndSwap(answering, waiting) {
			err = errors.Join(net.ErrClosed, c.Conn.Close())
			c.listener.leave(c)
		}
	}()
	return c.limits.Plain(c.req), c.failed
}

// idle gives the client time for its next request, as net/http does after one that it has answered.
func (c *vetConn) idle() {
	now := time.Now()
	if c.readUntil.Sub(now) > c.limits.IdleTime/2 {
		return
	}
	c.readUntil = now.Add(c.limits.IdleTime)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = c.readUntil
	_ = c.Conn.SetReadDeadline(c.deadline) // no head has begun; a connection that has gone says so when read
}

// closeLater reports whether the connection is answering a request, and will close itself once it has.
func (c *vetConn) closeLater() bool {
	for {
		switch c.state.Load() {
		case closing:
			return false
		case waiting:
			if c.state.CompareAndSwap(waiting, closing) {
				return false
			}
		case answering:
			c.listener.stay(c) // before it can leave
			if c.state.CompareAndSwap(answering, closing) {
				return true
			}
			c.listener.leave(c)
		}
	}
}

// late are connections that were closed while a plain request of theirs was answered, and are not yet.
type late struct {
	mu    sync.Mutex // protects conns
	conns map[*vetConn]struct{}
	left  chan struct{} // of one: one has gone
}

func (l *Listener) stay(c *vetConn) {
	l.late.mu.Lock()
	defer l.late.mu.Unlock()
	l.late.conns[c] = struct{}{}
}

func (l *Listener) leave(c *vetConn) {
	l.late.mu.Lock()
	delete(l.late.conns, c)
	l.late.mu.Unlock()
	select {
	case l.late.left <- struct{}{}:
	default: // it was told
	}
}

// Drain waits for the plain requests that were being answered when net/http closed its connections. When ctx ends
// before, it cuts off those that are left, and returns how many that were.
func (l *Listener) Drain(ctx context.Context) (cut int) {
	for ended := ctx.Done(); ; {
		l.late.mu.Lock()
		n := len(l.late.conns)
		l.late.mu.Unlock()
		if n == 0 {
			return cut
		}
		select {
		case <-l.late.left:
		case <-ended:
			ended = nil // what is cut off goes at once
			l.late.mu.Lock()
			cut = len(l.late.conns)
			for c := range l.late.conns {
				_ = c.Conn.Close() // its reader is not told more
			}
			l.late.mu.Unlock()
		}
	}
}
