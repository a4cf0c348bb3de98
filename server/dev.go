package server

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"freshet/internal/diag"
	"freshet/internal/web"
)

// DevPath is where pages under freshet dev listen for events.
const DevPath = "/.freshet/dev"

const (
	maxDevClients = 64               // tabs that one author has open
	devKeepAlive  = 15 * time.Second // shorter than what proxies take for a dead connection
)

// DevEvents tells open pages, by server-sent events, that the site has changed or what is wrong with it:
//
//	event: problems   data: the problems as a JSON array; empty: none any more. Sent to a new page too, if there are any
//	event: reload     data: {}. The pages are to be loaded anew
//
// The zero value is ready. At most one event of each kind waits for a page, so a page that does not read misses only
// repetitions.
type DevEvents struct {
	mu       sync.Mutex // protects what follows
	clients  map[*devClient]struct{}
	problems []byte // JSON; nil: none
	closed   bool
}

// A devClient is a page that listens.
type devClient struct {
	wake     chan struct{} // of one: something is waiting
	reload   bool          // protected by DevEvents.mu
	problems bool          // likewise
}

// Reload tells all pages to load themselves anew.
func (d *DevEvents) Reload() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell(func(c *devClient) { c.reload = true })
}

// Problems tells all pages, and pages that connect later, what is wrong now. An empty list clears it.
func (d *DevEvents) Problems(ps []diag.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(ps) == 0 {
		if d.problems == nil {
			return
		}
		d.problems = nil
	} else {
		d.problems, _ = json.Marshal(ps) // strings and numbers: cannot fail
	}
	d.tell(func(c *devClient) { c.problems = true })
}

// tell sets the events that wait for every client, and wakes the clients. The caller holds d.mu.
func (d *DevEvents) tell(mark func(*devClient)) {
	for c := range d.clients {
		mark(c)
		select {
		case c.wake <- struct{}{}:
		default: // it will find both
		}
	}
}

// Close ends all streams and refuses further ones.
func (d *DevEvents) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.tell(func(*devClient) {})
}

// take returns what waits for c, as events, and whether the stream goes on.
func (d *DevEvents) take(c *devClient) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []byte
	if c.problems {
		problems := d.problems
		if problems == nil {
			problems = []byte("[]")
		}
		out = append(append(append(out, "event: problems\ndata: "...), problems...), "\n\n"...)
	}
	if c.reload {
		out = append(out, "event: reload\ndata: {}\n\n"...)
	}
	c.reload, c.problems = false, false
	return out, !d.closed
}

func (d *DevEvents) join() *devClient {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.clients) >= maxDevClients {
		return nil
	}
	c := &devClient{wake: make(chan struct{}, 1), problems: d.problems != nil}
	if c.problems {
		c.wake <- struct{}{}
	}
	if d.clients == nil {
		d.clients = make(map[*devClient]struct{})
	}
	d.clients[c] = struct{}{}
	return c
}

func (d *DevEvents) leave(c *devClient) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.clients, c)
}

// ServeHTTP streams events until the page goes away or the server stops.
func (d *DevEvents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		web.WriteError(w, r, &web.Error{Status: http.StatusMethodNotAllowed, Allow: http.MethodGet})
		return
	}
	c := d.join()
	if c == nil {
		web.WriteError(w, r, &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second})
		return
	}
	defer d.leave(c)
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // a stream has no end to be timed; a writer without deadlines has none
	_ = rc.SetReadDeadline(time.Time{})
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	send := func(b []byte) bool {
		if _, err := w.Write(b); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	if !send([]byte("retry: 500\n\n")) {
		return
	}
	alive := time.NewTicker(devKeepAlive)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			if !send([]byte(": alive\n\n")) {
				return
			}
		case <-c.wake:
			events, open := d.take(c)
			if len(events) > 0 && !send(events) || !open {
				return
			}
		}
	}
}
