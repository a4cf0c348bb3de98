package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/settings"
)

// settingsPoll is how often the settings file is read, through any links. A change is taken when two reads in a row return the same.
const settingsPoll = 500 * time.Millisecond

// provenAfter is how long a command must run with changed settings before they count as good.
const provenAfter = time.Minute

// reloading runs a command until ctx ends, and restarts it when the settings change and have no mistake. If the command cannot run with the
// new settings, it is restarted with the earlier ones. The sockets stay open meanwhile: clients wait and are not refused.
func (inv *invocation) reloading(ctx context.Context, cmd *cobra.Command, eff *settings.Effective, run func(context.Context, *settings.Effective) error) error {
	h := &handover{sockets: map[socket]*net.TCPListener{}}
	inv.handover = h
	defer h.Close()
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	good, judged := eff, eff.Read
	for {
		logger := inv.logger(eff.Log)
		h.keep(eff)
		running, stop := context.WithCancel(ctx)
		var next *settings.Effective
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if next = inv.awaitSettings(running, cmd, eff, &judged, hangUp); next != nil {
				h.goOn()
				stop()
			}
		}()
		began := time.Now()
		err := run(running, eff)
		proven := time.Since(began) >= provenAfter
		stop()
		<-watched
		switch {
		case ctx.Err() != nil:
			return err
		case next != nil:
			if err == nil || proven {
				good = eff
			}
			if err != nil {
				logger.Error("freshet did not end as it should before it begins anew", "error", err)
			}
			eff = next
		case err == nil || proven || eff == good:
			return err
		default:
			attrs := []any{"error", err}
			if f, ok := errors.AsType[*failure](err); ok && f.hint != "" {
				attrs = append(attrs, "remedy", f.hint)
			}
			logger.Error("freshet cannot run with the changed settings: it goes on with those before", attrs...)
			eff = good
		}
	}
}

// awaitSettings waits for settings that differ from eff and have no mistake, and returns them; nil when ctx ends. It logs mistakes once for
// each content of the file. judged is the content that was last taken or found to be wrong.
func (inv *invocation) awaitSettings(ctx context.Context, cmd *cobra.Command, eff *settings.Effective, judged *[]byte, hangUp <-chan os.Signal) *settings.Effective {
	logger := inv.logger(eff.Log)
	seen := *judged
	tick := time.NewTicker(settingsPoll)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-hangUp:
			asked = true
		case <-tick.C:
		}
		name, data, err := settings.ReadFile(inv.config)
		settled := bytes.Equal(data, seen)
		seen = data
		if !asked && (!settled || bytes.Equal(data, *judged)) {
			continue
		}
		if err == nil && name == "" && eff.File != "" {
			err = fmt.Errorf("%s is gone", eff.File) // the defaults are not what anybody has written
		}
		var changed *settings.Effective
		var problems []diag.Problem
		if err == nil {
			changed, problems, err = settings.Load(inv.config, inv.env, cmd.Flags())
		}
		if changed != nil {
			data = changed.Read
		}
		*judged = data
		if err == nil && len(problems) == 0 {
			problems = changed.CheckFiles()
		}
		if err == nil && len(problems) == 0 {
			err = canListen(ctx, eff, changed)
		}
		switch {
		case err != nil:
			logger.Error("the settings cannot be read again: freshet goes on with those it has", "error", err)
		case len(problems) > 0:
			diag.Sort(problems)
			for i := range problems {
				logger.Error("a mistake in the settings: freshet goes on with those it has", "mistake", problems[i].Error())
			}
		default:
			names := eff.Differences(changed)
			if len(names) == 0 {
				logger.Debug("the settings were read again and are the same")
				continue
			}
			logger.Info("the settings have changed: freshet begins anew with them", "changed", names)
			return changed
		}
	}
}

// canListen returns an error if changed settings name a new address that cannot be listened at.
func canListen(ctx context.Context, eff, changed *settings.Effective) error {
	had := sockets(eff)
	for _, s := range sockets(changed) {
		if slices.Contains(had, s) || changed.From[s.key] == "default" {
			continue
		}
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.address)
		if err == nil {
			err = ln.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.key, err)
		}
	}
	return nil
}

// A socket is a listening address and the setting that names it.
type socket struct{ key, address string }

// sockets returns the sockets that the settings name.
func sockets(eff *settings.Effective) []socket {
	all := []socket{{"listen", eff.Listen}}
	if eff.Admin != "" {
		all = append(all, socket{"admin", eff.Admin})
	}
	if eff.TLS.Auto && eff.TLS.HTTP != "" {
		all = append(all, socket{"tls.http", eff.TLS.HTTP})
	}
	return all
}

// A handover keeps what outlives a restart with changed settings: the sockets, and drains of servers.
type handover struct {
	left sync.WaitGroup // drains that continue after their server has returned

	mu      sync.Mutex // protects what follows
	sockets map[socket]*net.TCPListener
	next    bool // the command is being restarted
}

// listen returns a listener on a socket. Closing it leaves the socket open.
func (h *handover) listen(ctx context.Context, s socket) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.sockets[s]
	if kept == nil {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.address)
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

// keep prepares for a run with eff: it closes the sockets that eff does not name.
func (h *handover) keep(eff *settings.Effective) {
	wanted := sockets(eff)
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

// goOn records that the command is being restarted.
func (h *handover) goOn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = true
}

// leave is server.Config.Leave: a restart does not wait for the drain, the end of the process does.
func (h *handover) leave(drained <-chan struct{}) {
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
func (h *handover) Close() {
	h.left.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ln := range h.sockets {
		ln.Close()
	}
	h.sockets = nil
}
