package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// handshakeTime bounds a handshake: a phone on a bad line needs a few seconds.
const handshakeTime = 10 * time.Second

// TLS returns a listener whose connections have shaken hands, so that what they agreed on is known. Handshakes that
// fail are told to log at level Debug: anybody can make them fail. A connection that agreed on something other than HTTP,
// such as the challenge of a certificate authority (acme-tls/1), has served its purpose with that, and is closed: net/http
// would read HTTP/1 from it. Closing the listener ends handshakes under way; when ln is closed they still finish, and Accept returns them
// before it fails.
func TLS(ln net.Listener, cfg *tls.Config, log *slog.Logger) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &tlsListener{Listener: ln, cfg: cfg, log: log, end: cancel, ready: make(chan net.Conn), failed: make(chan error, 1)}
	l.under.Go(func() { l.accept(ctx) })
	return l
}

type tlsListener struct {
	net.Listener
	cfg    *tls.Config
	log    *slog.Logger
	end    context.CancelFunc
	ready  chan net.Conn
	failed chan error // why no more come; holds one

	under   sync.WaitGroup // accept
	shaking sync.WaitGroup
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case err := <-l.failed:
		l.failed <- err
		return nil, err
	}
}

// Close implements net.Listener.
func (l *tlsListener) Close() error {
	err := l.Listener.Close()
	l.end()
	l.under.Wait()
	return err
}

func (l *tlsListener) accept(ctx context.Context) {
	for {
		c, err := l.Listener.Accept()
		if t, ok := errors.AsType[interface {
			error
			Temporary() bool
		}](err); ok && t.Temporary() {
			// No file is left, say. net/http would wait as well.
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			l.shaking.Wait()
			l.failed <- err
			return
		}
		l.shaking.Go(func() { l.shake(ctx, c) })
	}
}

func (l *tlsListener) shake(ctx context.Context, c net.Conn) {
	limit, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	t := tls.Server(c, l.cfg)
	if err := t.HandshakeContext(limit); err != nil {
		if re, ok := errors.AsType[tls.RecordHeaderError](err); ok && re.Conn != nil && tokenBytes[re.RecordHeader[0]] {
			_, _ = io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nThis port speaks TLS: https, not http.\n")
		}
		l.log.Debug("TLS handshake failed", "addr", c.RemoteAddr().String(), "error", err)
		_ = c.Close() // it is of no use whatever that says
		return
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case "", "h2", "http/1.1":
	default:
		_ = t.Close() // nothing was promised to be read
		return
	}
	select {
	case l.ready <- t:
	case <-ctx.Done():
		_ = t.Close()
	}
}
