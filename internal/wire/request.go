package wire

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// A Request is a GET or HEAD of HTTP/1.1 without a body, without a range, and with no conditions but If-None-Match and
// If-Modified-Since; or it is a request that was refused. It has the headers that an answer may depend on. Each of them was sent at most
// once; an empty one was not sent.
type Request struct {
	Now     time.Time // when its head was complete
	Refused Reason    // not empty: why it was refused; the fields below it are then empty
	Last    bool      // the connection is closed after the answer, which must contain Connection: close. Answer may set it

	Method    string
	Target    string // path and query, as they were sent
	Host      string
	UserAgent string
	Referred  bool // Referer or Origin is there

	Accept, AcceptEncoding, AcceptLanguage string
	IfNoneMatch, IfModifiedSince           string

	RequestID                               string   // X-Request-Id
	Forwarded, ForwardedFor, ForwardedProto []string // of one line: Forwarded, X-Forwarded-For, X-Forwarded-Proto

	Secure bool // the connection speaks TLS

	conn  *conn
	plain bool      // see vetHead
	begun bool      // an answer has been
	lines [3]string // of the headers with slices
}

// Remote is the other end of the connection; not valid where it has no address.
func (p *Request) Remote() netip.Addr { return p.conn.remote }

// Begun reports whether part of an answer may have been sent.
func (p *Request) Begun() bool { return p.begun }

// Abort closes the connection after Answer has returned.
func (p *Request) Abort() { p.conn.failed = net.ErrClosed }

// joinBytes is what is copied to be sent as one where the connection cannot send two pieces at once.
const joinBytes = 32 << 10

// Send sends a complete answer: the head, including the empty line that ends it, and the body. It returns how many bytes of the body
// were sent.
func (p *Request) Send(head, body []byte) (sent int, err error) {
	c := p.conn
	if err := p.begin(int64(len(body))); err != nil {
		return 0, err
	}
	n := 0
	switch {
	case c.tcp != nil:
		both := net.Buffers{head, body}
		var all int64
		all, err = both.WriteTo(c.tcp)
		n = int(all)
	case len(head)+len(body) <= joinBytes:
		n, err = c.Conn.Write(append(head, body...))
	default:
		if n, err = c.Conn.Write(head); err == nil {
			var more int
			more, err = c.Conn.Write(body)
			n += more
		}
	}
	c.failed = err
	return max(n-len(head), 0), err
}

// Copy is Send with a body of size bytes that is read from r. An error of r closes the connection.
func (p *Request) Copy(head []byte, r io.Reader, size int64) (sent int64, err error) {
	c := p.conn
	if err := p.begin(size); err != nil {
		return 0, err
	}
	if _, err = c.Conn.Write(head); err == nil {
		sent, err = io.CopyN(c.Conn, r, size)
	}
	c.failed = err
	return sent, err
}

// begin sets the deadline for an answer whose body has size bytes.
func (p *Request) begin(size int64) error {
	p.begun = true
	c := p.conn
	write := c.srv.cfg.WriteTime
	least := write/2 + time.Duration(size/SlowestBytes)*time.Second
	if now := p.Now; c.writeUntil.Sub(now) < least {
		c.writeUntil = now.Add(write/2 + least)
		c.failed = c.Conn.SetWriteDeadline(c.writeUntil)
	}
	return c.failed
}

// take stores a header. It reports false if HTTP has to answer the request because of it.
func (p *Request) take(name []byte, value string) bool {
	for value != "" && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for value != "" && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	var field *string
	switch len(name) { // most names are known not to matter by their length
	case 2:
		if equalFold(name, "te") {
			return false
		}
	case 4:
		if equalFold(name, "host") {
			field = &p.Host
		}
	case 5:
		if equalFold(name, "range") {
			return false
		}
	case 6:
		switch {
		case equalFold(name, "accept"):
			field = &p.Accept
		case equalFold(name, "origin"):
			p.Referred = true
		case equalFold(name, "expect"):
			return false
		}
	case 7:
		switch {
		case equalFold(name, "referer"):
			p.Referred = true
		case equalFold(name, "upgrade"), equalFold(name, "trailer"):
			return false
		}
	case 8:
		if equalFold(name, "if-match") || equalFold(name, "if-range") {
			return false
		}
	case 9:
		if equalFold(name, "forwarded") {
			field, p.Forwarded = &p.lines[0], p.lines[0:1:1]
		}
	case 10:
		switch {
		case equalFold(name, "user-agent"):
			field = &p.UserAgent
		case equalFold(name, "connection"):
			switch {
			case strings.EqualFold(value, "close"):
				p.Last = true
			case !strings.EqualFold(value, "keep-alive"):
				return false
			}
		}
	case 12:
		if equalFold(name, "x-request-id") {
			field = &p.RequestID
		}
	case 13:
		if equalFold(name, "if-none-match") {
			field = &p.IfNoneMatch
		}
	case 14:
		if equalFold(name, "content-length") {
			return false
		}
	case 15:
		switch {
		case equalFold(name, "accept-encoding"):
			field = &p.AcceptEncoding
		case equalFold(name, "accept-language"):
			field = &p.AcceptLanguage
		case equalFold(name, "x-forwarded-for"):
			field, p.ForwardedFor = &p.lines[1], p.lines[1:2:2]
		}
	case 17:
		switch {
		case equalFold(name, "if-modified-since"):
			field = &p.IfModifiedSince
		case equalFold(name, "x-forwarded-proto"):
			field, p.ForwardedProto = &p.lines[2], p.lines[2:3:3]
		case equalFold(name, "transfer-encoding"):
			return false
		}
	case 19:
		if equalFold(name, "if-unmodified-since") {
			return false
		}
	}
	if field == nil {
		return true
	}
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}
