package redisdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// dials makes connections for as long as the DB is open.
type dials struct {
	tls  *tls.Config // nil: without TLS
	ca   string      // see Config.CA
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup // nothing is added once ended
}

// connect dials. If that fails, it returns a connection whose first use returns the error. After a failed dial the driver would
// fail all calls for a second or more without trying, and search for the server in a goroutine that outlives the client.
func (d *dials) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return nil, net.ErrClosed
	}
	d.running.Add(1)
	d.mu.Unlock()
	defer d.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return &failed{fmt.Errorf("connect: %w", err)}, nil // the driver unwraps once, and what it unwraps must not be what says why
	}
	return conn, nil
}

// dial makes one connection, with TLS if configured. It reads the trusted certificates each time, because they are renewed.
func (d *dials) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil || d.tls == nil {
		return conn, err
	}
	cfg := d.tls.Clone()
	if cfg.RootCAs, err = d.roots(); err == nil {
		secure := tls.Client(conn, cfg)
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
	}
	_ = conn.Close() // it is of no use whatever that says
	return nil, err
}

// roots returns the certificates that TLS trusts; nil: those of the system.
func (d *dials) roots() (*x509.CertPool, error) {
	if d.ca == "" {
		return nil, nil
	}
	const remedy = "a file with certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE"
	text, err := os.ReadFile(d.ca)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("redis.ca cannot be read: %v", err), Remedy: remedy, err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &Error{Message: fmt.Sprintf("redis.ca: %s holds no certificate", d.ca), Remedy: remedy}
	}
	return pool, nil
}

// end stops the dials in progress and waits for them.
func (d *dials) end() {
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	d.stop()
	d.running.Wait()
}

// failed is a connection that could not be made.
type failed struct{ err error }

func (f *failed) Read([]byte) (int, error)         { return 0, f.err }
func (f *failed) Write([]byte) (int, error)        { return 0, f.err }
func (f *failed) Close() error                     { return nil }
func (f *failed) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (f *failed) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (f *failed) SetDeadline(time.Time) error      { return nil }
func (f *failed) SetReadDeadline(time.Time) error  { return nil }
func (f *failed) SetWriteDeadline(time.Time) error { return nil }
