// Package handover keeps what outlives a restart of a command inside its process: the sockets, so that clients wait and are not
// refused, and drains of servers, so that slow readers get the rest of what they asked for.
package handover

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"freshet/internal/settings"
)

// A Handover keeps sockets and drains. Its methods may be called at the same time.
type Handover struct {
	left sync.WaitGroup // drains that continue after their server has returned

	mu      sync.Mutex // protects what follows
	sockets map[settings.Socket]*net.TCPListener
	next    bool // the command is being restarted
}

// New returns a Handover without sockets.
func New() *Handover { return &Handover{sockets: map[settings.Socket]*net.TCPListener{}} }

// Listen returns a listener on a socket. Closing it leaves the socket open.
func (h *Handover) Listen(ctx context.Context, s settings.Socket) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.sockets[s]
	if kept == nil {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Address)
		if err != nil {
			return nil, err
		}
		var ok bool
		if kept, ok = ln.(*net.TCPListener); !ok {
			return ln, nil
		}
		h.sockets[s] = kept
	}
	file, err := kept.File()
	if err != nil {
		return nil, fmt.Errorf("keep the socket: %w", err)
	}
	defer file.Close()
	return net.FileListener(file)
}

// Keep prepares for a run of the command: it closes the sockets that are not wanted any more.
func (h *Handover) Keep(wanted []settings.Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = false
	for s, ln := range h.sockets {
		if !slices.Contains(wanted, s) {
			ln.Close()
			delete(h.sockets, s)
		}
	}
}

// Restart records that the command is being restarted.
func (h *Handover) Restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = true
}

// Leave is for server.Config: a restart does not wait for the drain, the end of the process does.
func (h *Handover) Leave(drained <-chan struct{}) {
	h.mu.Lock()
	next := h.next
	h.mu.Unlock()
	if !next {
		<-drained
		return
	}
	h.left.Go(func() { <-drained })
}

// Close waits for the drains and closes the sockets.
func (h *Handover) Close() {
	h.left.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ln := range h.sockets {
		ln.Close()
	}
	h.sockets = nil
}
