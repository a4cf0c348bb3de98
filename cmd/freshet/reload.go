package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
)

// settingsPoll is how often the settings file is looked at. It is small, it is read whole through whatever links lead to
// it, and it is taken when two looks in a row find the same.
const settingsPoll = 500 * time.Millisecond

// reloading runs a command until ctx ends, and anew whenever the settings have changed and have no mistake. The sockets that
// readers come to stay open meanwhile, so that they wait for a moment and nobody is refused.
func (inv *invocation) reloading(ctx context.Context, cmd *cobra.Command, eff *effective, run func(context.Context, *effective) error) error {
	inv.kept = &keptListeners{}
	defer inv.kept.Close()
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	for {
		running, stop := context.WithCancel(ctx)
		next := make(chan *effective, 1)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if changed := inv.awaitSettings(running, cmd, eff, hangUp); changed != nil {
				next <- changed
				stop()
			}
		}()
		err := run(running, eff)
		stop()
		<-watched
		select {
		case changed := <-next:
			if ctx.Err() != nil || err != nil {
				return err
			}
			eff = changed
		default:
			return err
		}
	}
}

// awaitSettings returns the settings once they are others than eff and have no mistake; nil when ctx ends. Mistakes are
// logged, once for each state of the file.
func (inv *invocation) awaitSettings(ctx context.Context, cmd *cobra.Command, eff *effective, hangUp <-chan os.Signal) *effective {
	logger := inv.logger(eff.Log)
	_, taken, _ := readSettingsFile(inv.config)
	seen := taken
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
		_, data, err := readSettingsFile(inv.config)
		settled := err == nil && bytes.Equal(data, seen)
		seen = data
		if !asked && (!settled || bytes.Equal(data, taken)) {
			continue
		}
		taken = data
		changed, problems, err := loadConfig(inv.config, inv.env, cmd.Flags())
		if err == nil && len(problems) == 0 {
			problems = changed.checkFiles()
		}
		if err == nil && changed.Listen != eff.Listen {
			err = canListen(ctx, changed.Listen)
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
			names := eff.differences(changed)
			if len(names) == 0 {
				logger.Debug("the settings were read again and are the same")
				continue
			}
			logger.Info("the settings have changed: freshet begins anew with them", "changed", names)
			return changed
		}
	}
}

// canListen reports why an address cannot be listened at; nil: it can.
func canListen(ctx context.Context, address string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return ln.Close()
}

// differences are the names of the settings that differ. Values that are secret are compared and not shown.
func (e *effective) differences(other *effective) []string {
	var names []string
	for _, s := range settings() {
		if s.get(&e.config) != s.get(&other.config) {
			names = append(names, s.key)
		}
	}
	if len(names) == 0 && !reflect.DeepEqual(e.config, other.config) {
		names = append(names, "a secret")
	}
	return names
}

// keptListeners are sockets that outlive the servers which accept on them, by address.
type keptListeners struct {
	mu  sync.Mutex // protects what follows
	all map[string]*net.TCPListener
}

// listen returns a listener on the socket for an address. Closing it leaves the socket open; sockets of other addresses
// are closed.
func (k *keptListeners) listen(ctx context.Context, address string) (net.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := k.all[address]
	if kept == nil {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		var ok bool
		if kept, ok = ln.(*net.TCPListener); !ok {
			return ln, nil
		}
	}
	for other, ln := range k.all {
		if other != address {
			ln.Close()
		}
	}
	k.all = map[string]*net.TCPListener{address: kept}
	file, err := kept.File()
	if err != nil {
		return nil, fmt.Errorf("keep the socket: %w", err)
	}
	defer file.Close()
	return net.FileListener(file)
}

// Close closes the sockets.
func (k *keptListeners) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ln := range k.all {
		ln.Close()
	}
	k.all = nil
}
