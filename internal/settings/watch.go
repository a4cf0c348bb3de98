package settings

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"freshet/internal/diag"
)

// poll is how often the settings file is read, through any links. A change is taken when two reads in a row return the same.
const poll = 500 * time.Millisecond

// Input is what settings are read from, see [Load].
type Input struct {
	File  string // empty: the usual one, if it is there
	Env   []string
	Flags *pflag.FlagSet
}

// A Watcher waits for changes of the settings.
type Watcher struct {
	in     Input
	hangUp <-chan os.Signal
	judged []byte // content of the file that was last taken or found to be wrong
}

// Watch returns a Watcher of settings that were read from in. A signal of hangUp makes it read them again at once.
func Watch(eff *Effective, in Input, hangUp <-chan os.Signal) *Watcher {
	return &Watcher{in: in, hangUp: hangUp, judged: eff.Read}
}

// Await waits for settings that differ from eff and have no mistake, and returns them; nil when ctx ends. It logs mistakes once for
// each content of the file.
func (w *Watcher) Await(ctx context.Context, eff *Effective, logger *slog.Logger) *Effective {
	seen := w.judged
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-w.hangUp:
			asked = true
		case <-tick.C:
		}
		name, data, err := ReadFile(w.in.File)
		settled := bytes.Equal(data, seen)
		seen = data
		if !asked && (!settled || bytes.Equal(data, w.judged)) {
			continue
		}
		if err == nil && name == "" && eff.File != "" {
			err = fmt.Errorf("%s is gone", eff.File) // the defaults are not what anybody has written
		}
		var changed *Effective
		var problems []diag.Problem
		if err == nil {
			changed, problems, err = Load(w.in.File, w.in.Env, w.in.Flags)
		}
		if changed != nil {
			data = changed.Read
		}
		w.judged = data
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
func canListen(ctx context.Context, eff, changed *Effective) error {
	had := eff.Sockets()
	for _, s := range changed.Sockets() {
		if slices.Contains(had, s) || changed.From[s.Key] == "default" {
			continue
		}
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Address)
		if err == nil {
			err = ln.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Key, err)
		}
	}
	return nil
}

// A Socket is a listening address and the key of the setting that names it.
type Socket struct{ Key, Address string }

// Sockets returns the sockets that the settings name.
func (e *Effective) Sockets() []Socket {
	all := []Socket{{"listen", e.Listen}}
	if e.Admin != "" {
		all = append(all, Socket{"admin", e.Admin})
	}
	if e.TLS.Auto && e.TLS.HTTP != "" {
		all = append(all, Socket{"tls.http", e.TLS.HTTP})
	}
	return all
}
