package revalidator

import (
	"context"
	"sync/atomic"
	"time"

	"freshet/internal/site"
)

// A Remote is a daemon in another process, as a server sees it. Its methods may be called at the same time.
type Remote struct {
	control *Control
	newest  func() (generation uint64, complete bool)
	asking  chan struct{} // holds who waits for a page: the daemon must not have to answer everybody at once
	purged  atomic.Bool
	refused atomic.Pointer[[]site.Refusal]
}

// NewRemote returns the daemon that control asks. newest tells which generation the server has, and whether no page of it was left
// for later.
func NewRemote(control *Control, newest func() (generation uint64, complete bool)) *Remote {
	return &Remote{control: control, newest: newest, asking: make(chan struct{}, 64)}
}

// Run asks the daemon once a second how it is, until ctx ends.
func (r *Remote) Run(ctx context.Context) error {
	ask := time.NewTicker(time.Second)
	defer ask.Stop()
	for {
		status, err := r.control.Status(ctx)
		r.purged.Store(err == nil && status.Purged) // nobody purges while there is no daemon
		r.refused.Store(&status.Refused)
		select {
		case <-ask.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Purged reports whether the daemon's purges reach the CDNs.
func (r *Remote) Purged() bool { return r.purged.Load() }

// Refused returns why the daemon refuses builds.
func (r *Remote) Refused() []site.Refusal {
	if p := r.refused.Load(); p != nil {
		return *p
	}
	return nil
}

// Await waits until the server has a page that a first build has left for later. left is false if it has left no such page. Of a
// complete site the daemon is not asked.
func (r *Remote) Await(ctx context.Context, path site.Path) (left bool, err error) {
	if _, complete := r.newest(); complete {
		return false, nil
	}
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return true, ctx.Err()
	}
	left, made, err := r.control.Await(ctx, path)
	if err != nil || !left {
		return left, err
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if has, _ := r.newest(); has >= made {
			return true, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}
