package revalidator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

// The control socket speaks HTTP with JSON:
//
//	POST /revalidate       an Offer → 202 {"job":…, "repeat":0}, or with dryRun 200 {"pages":[…]}
//	GET /jobs              → all known jobs
//	GET /jobs/{id}?wait=30 → one job, as soon as it has ended or after this many seconds
//	GET /await?path=/x/    → {"left":…, "generation":…}, as soon as the page is built; 504 after some seconds
//	POST /mend?path=/x/    → {}: the stored page cannot be read
//	GET /status            → Status
const (
	socketName   = "control.sock"
	maxWait      = time.Minute
	maxAskBytes  = 1 << 20
	askTimeout   = 10 * time.Second // for requests that wait for no build
	drainTimeout = 2 * time.Second  // for answers in progress when the daemon stops
)

// Status is what a daemon reports about itself.
type Status struct {
	PID      int            `json:"pid"`
	Waiting  int            `json:"waiting"`          // jobs that wait for a build
	Parked   int            `json:"parked"`           // jobs that were given up
	Source   string         `json:"source,omitempty"` // why the source cannot be reached; empty: it can
	Since    *time.Time     `json:"since,omitempty"`  // start of the outage of the source
	Feed     string         `json:"feed,omitempty"`   // why the feed is broken; empty: it works, or there is none
	Position string         `json:"position,omitempty"`
	Purged   bool           `json:"purged"` // CDNs are purged after each build, so they may keep pages until then
	Refused  []site.Refusal `json:"refused,omitempty"`
}

// Status reports the state of the daemon.
func (r *Revalidator) Status() Status {
	s := Status{PID: os.Getpid(), Parked: len(r.queue.parked()), Purged: r.cfg.Purged()}
	r.queue.mu.Lock()
	s.Waiting = len(r.queue.waiting)
	r.queue.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Source, s.Feed, s.Position = r.away, r.lost, r.position
	if r.away != "" {
		since := r.since.UTC()
		s.Since = &since
		if r.why.By != "" {
			s.Refused = append(s.Refused, r.why)
		}
	}
	s.Refused = append(s.Refused, r.cfg.Refused()...)
	return s
}

// Look returns a job, as soon as it has ended or after wait. It returns site.ErrNotFound if the id is unknown.
func (r *Revalidator) Look(ctx context.Context, id string, wait time.Duration) (Job, error) {
	j, ended, ok := r.queue.job(id, wait > 0)
	if !ok {
		return Job{}, fmt.Errorf("job %s: %w", web.Clip(id, 64), site.ErrNotFound)
	}
	if wait <= 0 {
		return j, nil
	}
	select {
	case <-ended:
	case <-time.After(wait):
	case <-ctx.Done():
		return Job{}, ctx.Err()
	}
	if now, _, ok := r.queue.job(id, false); ok {
		j = now
	}
	return j, nil
}

// Jobs returns all known jobs: those that wait, and the last ones that ended.
func (r *Revalidator) Jobs() []Job { return r.queue.all() }

type accepted struct {
	Job    Job    `json:"job"`
	Repeat Repeat `json:"repeat"`
}

type planned struct {
	Pages []string `json:"pages"`
}

type awaited struct {
	Left       bool   `json:"left"`
	Generation uint64 `json:"generation"`
}

// controls returns the handler of the control socket.
func (r *Revalidator) controls() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(*http.Request) (int, any, error)) {
		mux.Handle(pattern, web.Handle(r.cfg.Logger, func(w http.ResponseWriter, req *http.Request) error {
			status, v, err := answer(req)
			if err != nil {
				return controlError(err)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			return json.NewEncoder(w).Encode(v)
		}))
	}
	handle("POST /revalidate", func(req *http.Request) (int, any, error) {
		var o Offer
		dec := json.NewDecoder(http.MaxBytesReader(nil, req.Body, maxAskBytes))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&o); err != nil {
			return 0, nil, &web.Error{Status: http.StatusBadRequest, Message: web.Clip(err.Error(), 200)}
		}
		if o.Request.DryRun {
			pages, err := r.Plan(req.Context(), o.Request)
			return http.StatusOK, planned{pages}, err
		}
		j, repeat, err := r.Accept(req.Context(), o)
		return http.StatusAccepted, accepted{j, repeat}, err
	})
	handle("GET /jobs", func(*http.Request) (int, any, error) { return http.StatusOK, r.Jobs(), nil })
	handle("GET /jobs/{id}", func(req *http.Request) (int, any, error) {
		seconds, _ := strconv.Atoi(req.FormValue("wait")) // absent or malformed: do not wait
		j, err := r.Look(req.Context(), req.PathValue("id"), min(time.Duration(seconds)*time.Second, maxWait))
		return http.StatusOK, j, err
	})
	handle("GET /await", func(req *http.Request) (int, any, error) {
		ctx, cancel := context.WithTimeout(req.Context(), askTimeout)
		defer cancel()
		left, generation, err := r.cfg.Await(ctx, site.Path(req.FormValue("path")))
		if err != nil {
			return 0, nil, &web.Error{Status: http.StatusGatewayTimeout, Message: web.Clip(err.Error(), 200)}
		}
		return http.StatusOK, awaited{left, generation}, nil
	})
	handle("POST /mend", func(req *http.Request) (int, any, error) {
		r.Mend(site.Path(req.FormValue("path")))
		return http.StatusAccepted, struct{}{}, nil
	})
	handle("GET /status", func(*http.Request) (int, any, error) { return http.StatusOK, r.Status(), nil })
	return mux
}

// controlError returns the HTTP error for err.
func controlError(err error) error {
	if _, ok := errors.AsType[*web.Error](err); ok {
		return err
	}
	e := &web.Error{Status: http.StatusBadRequest, Message: web.Clip(err.Error(), 500)}
	switch {
	case errors.Is(err, ErrBusy):
		e.Status, e.RetryAfter = http.StatusTooManyRequests, time.Second
	case errors.Is(err, ErrStopped), errors.Is(err, context.Canceled): // the client has gone, or the daemon stops
		e.Status, e.Message = http.StatusServiceUnavailable, ErrStopped.Error()
	case errors.Is(err, site.ErrNotFound):
		e.Status = http.StatusNotFound
	default:
		if _, ok := errors.AsType[*RefusedError](err); !ok {
			e.Status, e.Message, e.Err = http.StatusInternalServerError, "", err
		}
	}
	return e
}

// listenControl opens the control socket. It replaces a socket that a killed process left. The lock on the state folder
// proves that no living process owns that socket.
func (r *Revalidator) listenControl() (serve func(context.Context) error, err error) {
	fail := func(err error) (func(context.Context) error, error) {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	left, _ := filepath.Glob(filepath.Join(r.cfg.Control, "control-*"))
	for _, name := range left {
		_ = os.RemoveAll(name)
	}
	// The socket is made in a private folder and moved after chmod: at no moment can another user connect.
	dir, err := os.MkdirTemp(r.cfg.Control, "control-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, release, err := socketAddress(dir, "s")
	if err != nil {
		return fail(err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: address})
	release()
	if err != nil {
		return fail(err)
	}
	ln.SetUnlinkOnClose(false)
	name := filepath.Join(r.cfg.Control, socketName)
	err = os.Chmod(filepath.Join(dir, "s"), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(dir, "s"), name)
	}
	if err != nil {
		return fail(errors.Join(err, ln.Close()))
	}
	return func(ctx context.Context) error {
		srv := &http.Server{
			Handler:     r.controls(),
			ReadTimeout: askTimeout, WriteTimeout: maxWait + askTimeout, IdleTimeout: maxWait,
			BaseContext: func(net.Listener) context.Context { return ctx },
		}
		done := make(chan error, 1)
		go func() { done <- srv.Serve(ln) }()
		select {
		case err := <-done:
			return fmt.Errorf("serve the control socket: %w", err)
		case <-ctx.Done():
		}
		_ = os.Remove(name) // clients should not find a dead socket
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if srv.Shutdown(drain) != nil {
			_ = srv.Close()
		}
		<-done
		return nil
	}, nil
}

// socketAddress returns the address of a socket in a folder. Systems limit the address to about a hundred bytes. A
// longer one goes through the open folder in /proc. The caller calls release after use.
func socketAddress(dir, name string) (address string, release func(), err error) {
	const most = 100
	if address = filepath.Join(dir, name); len(address) <= most {
		return address, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name), func() { _ = d.Close() }, nil
}

// A Control talks to the daemon of a state folder, in this process or another.
type Control struct {
	client *http.Client
}

// NewControl returns a Control. It connects at the first request.
func NewControl(state string) *Control {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		address, release, err := socketAddress(state, socketName)
		if err != nil {
			return nil, err
		}
		defer release()
		return new(net.Dialer).DialContext(ctx, "unix", address)
	}
	return &Control{&http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 4, IdleConnTimeout: maxWait / 2}}}
}

// ask sends a request and decodes the answer into out. It returns ErrStopped if no daemon runs or the daemon is
// stopping.
func (c *Control) ask(ctx context.Context, timeout time.Duration, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("ask the daemon: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://freshet"+path, body)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		if _, ok := errors.AsType[*net.OpError](err); ok && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", ErrStopped, err)
		}
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		var p struct {
			Error string `json:"error"`
		}
		_ = json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&p) // without a message the status is enough
		err := error(&RefusedError{p.Error})
		switch resp.StatusCode {
		case http.StatusTooManyRequests:
			err = ErrBusy
		case http.StatusServiceUnavailable:
			err = ErrStopped
		case http.StatusNotFound:
			err = site.ErrNotFound
		case http.StatusInternalServerError:
			err = fmt.Errorf("the daemon failed to answer: %s", p.Error)
		}
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

// Accept calls [Revalidator.Accept] of the daemon.
func (c *Control) Accept(ctx context.Context, o Offer) (Job, Repeat, error) {
	var a accepted
	err := c.ask(ctx, askTimeout, http.MethodPost, "/revalidate", o, &a)
	return a.Job, a.Repeat, err
}

// Plan calls [Revalidator.Plan] of the daemon.
func (c *Control) Plan(ctx context.Context, req Request) ([]string, error) {
	req.DryRun = true
	var p planned
	err := c.ask(ctx, askTimeout, http.MethodPost, "/revalidate", Offer{Origin: OriginCommand, Request: req}, &p)
	return p.Pages, err
}

// Look calls [Revalidator.Look] of the daemon.
func (c *Control) Look(ctx context.Context, id string, wait time.Duration) (Job, error) {
	wait = min(wait, maxWait)
	path := "/jobs/" + url.PathEscape(id)
	if wait > 0 {
		path += fmt.Sprintf("?wait=%d", int((wait+time.Second-1)/time.Second))
	}
	var j Job
	err := c.ask(ctx, wait+askTimeout, http.MethodGet, path, nil, &j)
	return j, err
}

// Wait waits until a job is done or given up, and returns it then. On an error it returns the job as it was seen last.
func (c *Control) Wait(ctx context.Context, j Job) (Job, error) {
	for !j.ended() {
		now, err := c.Look(ctx, j.ID, maxWait/2)
		if err != nil {
			return j, err
		}
		j = now
	}
	return j, nil
}

// Await waits for a page that a build of the daemon has deferred: see [Config]. An error means that the daemon could
// not tell.
func (c *Control) Await(ctx context.Context, path site.Path) (left bool, generation uint64, err error) {
	var a awaited
	err = c.ask(ctx, askTimeout, http.MethodGet, "/await?path="+url.QueryEscape(string(path)), nil, &a)
	return a.Left, a.Generation, err
}

// Mend calls [Revalidator.Mend] of the daemon.
func (c *Control) Mend(ctx context.Context, path site.Path) error {
	var done struct{}
	return c.ask(ctx, askTimeout, http.MethodPost, "/mend?path="+url.QueryEscape(string(path)), nil, &done)
}

// Jobs calls [Revalidator.Jobs] of the daemon.
func (c *Control) Jobs(ctx context.Context) ([]Job, error) {
	var jobs []Job
	err := c.ask(ctx, askTimeout, http.MethodGet, "/jobs", nil, &jobs)
	return jobs, err
}

// Status calls [Revalidator.Status] of the daemon.
func (c *Control) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.ask(ctx, askTimeout, http.MethodGet, "/status", nil, &s)
	return s, err
}
