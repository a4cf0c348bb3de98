package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// parts are what a command opens and runs. The zero value has none.
type parts struct {
	opened  []func() error
	running []func(context.Context) error
	behind  []func(context.Context) error
}

// close has Close call f, before what was opened earlier is closed.
func (p *parts) close(f func() error) { p.opened = append(p.opened, f) }

// run has Run call f.
func (p *parts) run(f func(context.Context) error) { p.running = append(p.running, f) }

// runBehind has Run call f, with a context that ends when all calls for run have returned: what others rely on ends last.
func (p *parts) runBehind(f func(context.Context) error) { p.behind = append(p.behind, f) }

// Run runs the parts until ctx ends or one of them fails. It returns when all have ended, with the first error.
func (p *parts) Run(ctx context.Context) error {
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range p.behind {
		g.Go(func() error { return f(behind) })
	}
	var running sync.WaitGroup
	for _, f := range p.running {
		running.Add(1)
		g.Go(func() error {
			defer running.Done()
			return f(ctx)
		})
	}
	g.Go(func() error {
		running.Wait()
		stop()
		return nil
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil // freshet was told to stop
	}
	return err
}

// Close closes what was opened, the last first. Parts may have closed their listeners themselves.
func (p *parts) Close() (err error) {
	for _, f := range slices.Backward(p.opened) {
		if e := f(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	p.opened = nil
	return err
}
