package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/revalidator"
	"freshet/revalidator/webhook"
	"freshet/server"
)

var (
	_ server.Generation = (*pagestore.Generation)(nil)
	_ server.Late       = (*generator.Generator)(nil)
	_ server.Late       = (*revalidator.Remote)(nil)
)

// pages makes the server's site of a page log, whether this process writes it or only reads it.
type pages struct {
	log interface {
		Current() *pagestore.Generation
		Verified() time.Time
	}
}

// Current implements server.Site.
func (p pages) Current() server.Generation {
	if gen := p.log.Current(); gen != nil && gen.ID > 0 {
		return gen
	}
	return nil
}

// Verified is for server.Config. A site that was rolled back is known to be other than its source.
func (p pages) Verified() time.Time {
	if gen := p.log.Current(); gen != nil && gen.Pinned() {
		return time.Time{}
	}
	return p.log.Verified()
}

// servingGC is how much garbage a server lets pile up, in percent of what is alive: bodies, and tables that are as large
// with nobody there. It makes so little that the collector hardly works for it.
const servingGC = 25

func (inv *invocation) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a built site, and follow it as it changes",
		Long: `Serves the site in the state folder and follows it as freshet build changes it. It never renders
anything. While there is no site yet it is alive but not ready, and waits for one.

With --public and without --state it serves the files of that folder, whoever made them.`,
		Example: "  freshet serve --listen 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if inv.getenv("GOGC") == "" {
				defer debug.SetGCPercent(debug.SetGCPercent(servingGC))
			}
			if f := cmd.Flags(); f.Changed("public") && !f.Changed("state") {
				return inv.serveFolder(ctx, eff)
			}
			return inv.reloading(ctx, cmd, eff, inv.serveState)
		}),
	}
	settings.AddFlags(cmd.Flags(), "listen", "admin", "public", "state", "log")
	return cmd
}

// serveFolder serves a plain folder.
func (inv *invocation) serveFolder(ctx context.Context, eff *settings.Effective) (err error) {
	if eff.Public == "" {
		return misuse("name the folder", "--public is empty")
	}
	logger := inv.logger(eff.Log)
	folder, err := server.OpenFolder(eff.Public, logger)
	if err != nil {
		return err
	}
	var p parts
	defer func() { err = errors.Join(err, p.Close()) }()
	p.close(folder.Close)
	ln, err := inv.listen(ctx, eff.Listen)
	if err != nil {
		return err
	}
	p.close(ln.Close)
	state := "" // a plain folder has none, unless somebody has named one
	if eff.From["state"] != "default" {
		state = eff.State
	}
	cfg := server.Config{Site: folder, Logger: logger, Foreign: true, CacheBytes: eff.Cache.MemoryBytes, DrainDelay: drainDelay}
	if err := inv.openFront(ctx, eff, &p, ln, cfg, state, nil, nil); err != nil {
		return err
	}
	inv.announce(eff, ln)
	return p.Run(ctx)
}

// serveState serves what is in the state folder.
func (inv *invocation) serveState(ctx context.Context, eff *settings.Effective) (err error) {
	var p parts
	defer func() { err = errors.Join(err, p.Close()) }()
	logger := inv.logger(eff.Log)
	r, err := pagestore.OpenReader(pagestore.Config{Dir: eff.State, Logger: logger})
	if err != nil {
		return explainLog(err, eff.State)
	}
	ln, err := inv.listen(ctx, eff.Listen)
	if err != nil {
		return err
	}
	p.close(ln.Close)
	daemon := revalidator.NewControl(eff.State)
	hooks, err := webhooks(eff, daemon, logger)
	if err != nil {
		return err
	}
	cfg := serverConfig(eff, pages{r}, hooks, logger, nil)
	remote := newRemote(daemon, r)
	cfg.Purged, cfg.Refused, cfg.Late = remote.Purged, remote.Refused, remote
	mends := newMends(eff.Public, logger, daemon.Mend)
	cfg.Unreadable = mends.unreadable
	p.run(r.Run)
	p.run(mends.Run)
	p.run(remote.Run)
	if err := inv.openFront(ctx, eff, &p, ln, cfg, eff.State, r.History, nil); err != nil {
		return err
	}
	inv.announce(eff, ln)
	return p.Run(ctx)
}

// newRemote is the daemon of the page log that r reads.
func newRemote(daemon *revalidator.Control, r *pagestore.Reader) *revalidator.Remote {
	return revalidator.NewRemote(daemon, func() (uint64, bool) {
		gen := r.Current()
		if gen == nil {
			return 0, true
		}
		return gen.ID, generator.Whole(gen) || gen.Pinned()
	})
}

// webhooks are the routes that tell desk of changes.
func webhooks(eff *settings.Effective, desk webhook.Desk, logger *slog.Logger) ([]server.Route, error) {
	hooks, err := webhook.New(webhook.Config{
		Desk: desk, Profile: eff.Webhook.Profile, Secrets: eff.Webhook.Secrets, Tolerance: eff.Webhook.Tolerance, Token: eff.Webhook.Token(),
		Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return []server.Route{{Pattern: "/api/revalidate", Handler: hooks}, {Pattern: "/api/revalidate/", Handler: hooks}}, nil
}

// drainDelay is how long a server that is told to stop goes on answering those who keep connections, and tells them to end
// them. A program that asks now and then asks within that, and whoever waits for freshet to end hardly notices it.
const drainDelay = time.Second

// serverConfig is for the server of a site of freshet's own. routes are beside its pages.
func serverConfig(eff *settings.Effective, site pages, routes []server.Route, logger *slog.Logger, dev *server.DevEvents) server.Config {
	delay := drainDelay
	if dev != nil { // pages that reload keep connections, and nobody minds
		delay = 0
	}
	return server.Config{
		DrainDelay: delay,
		Routes:     routes,
		Site:       site,
		Logger:     logger,
		Frames:     markup.FrameSources(),
		Revalidate: eff.ISR.Revalidate,
		MaxStale:   eff.ISR.MaxStale,
		Refuse:     eff.ISR.OnMaxStale == "error",
		CacheBytes: eff.Cache.MemoryBytes,
		Dev:        dev,
		Verified:   site.Verified,
	}
}

// listen opens the address that the site is served at.
func (inv *invocation) listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := inv.open(ctx, "listen", address)
	if err != nil {
		return nil, failed(fmt.Errorf("listen at %s: %w", address, err), "choose another address with --listen; port 0 takes any free one")
	}
	return ln, nil
}

// open listens at the address that a setting names.
func (inv *invocation) open(ctx context.Context, key, address string) (net.Listener, error) {
	if inv.handover != nil {
		return inv.handover.Listen(ctx, settings.Socket{Key: key, Address: address})
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// announce prints the address that the site is served at: its own where certificates are for that alone.
func (inv *invocation) announce(eff *settings.Effective, ln net.Listener) {
	if eff.TLS.Auto {
		fmt.Fprintf(inv.stdout, "%s/\n", eff.Site.URL)
		return
	}
	fmt.Fprintf(inv.stdout, "%s/\n", eff.LocalURL(ln.Addr().String()))
}
