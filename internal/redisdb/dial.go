package redisdb

import (
	"context"
	"net"
	"sync"
	"time"
)

// dials makes connections for as long as the DB is open.
type dials struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup // nothing is added once ended
}

// connect dials. Where that fails, it gives a connection that says why at its first use: a failed dial makes the driver fail
// all calls without trying for a second or more, while a goroutine that outlives the client looks for the server.
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
		return &failed{err}, nil
	}
	return conn, nil
}

// end stops the dials that run, and waits for them.
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
