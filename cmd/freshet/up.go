package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/server"
)

func (inv *invocation) upCommand() *cobra.Command {
	var adopt bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Build, keep the site fresh and serve it, in one process",
		Long: `Builds the site, watches its documents and templates, builds what changes, and serves the site
meanwhile. Prints the address it serves at. A site that was built before is served from the start; while
there is none yet freshet is alive but not ready, and tries again until the documents can be read.`,
		Example: "  freshet up --listen 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			return inv.reloading(ctx, cmd, eff, func(ctx context.Context, eff *settings.Effective) error {
				return inv.up(ctx, eff, buildOptions{adopt: adopt, patient: true, logger: inv.logger(eff.Log)}, nil)
			})
		}),
	}
	settings.AddFlags(cmd.Flags(), append(buildFlags(), "listen", "admin")...)
	cmd.Flags().BoolVar(&adopt, "adopt", false, "take over a public folder that holds files freshet did not write")
	return cmd
}

func (inv *invocation) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Write with drafts shown, pages that reload and mistakes shown in the page",
		Long: `Does what freshet up does, for writing: drafts and what is scheduled are shown, open pages reload when
something changes, and mistakes are shown in the page with file and line. Nobody is limited or banned.
It serves at ` + settings.DevListen + `, writes no public folder and has a state folder of its own below the site's, whatever the settings say;
only flags change that.`,
		Example: "  freshet dev",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			eff.Develop(cmd.Flags().Changed)
			return inv.up(ctx, eff, buildOptions{liveReload: true, patient: true, logger: inv.logger(eff.Log)}, &server.DevEvents{})
		}),
	}
	settings.AddFlags(cmd.Flags(), append(buildFlags(), "listen")...)
	return cmd
}

// up builds, watches and serves until ctx ends.
func (inv *invocation) up(ctx context.Context, eff *settings.Effective, opt buildOptions, dev *server.DevEvents) (err error) {
	var p parts
	defer func() { err = errors.Join(err, p.Close()) }()
	ln, err := inv.listen(ctx, eff.Listen)
	if err != nil {
		return err
	}
	p.close(ln.Close)
	w, err := openBuilder(ctx, &eff.Settings, opt)
	if err != nil {
		return inv.printProblems(err)
	}
	p.close(w.Close)
	daemon, purges, err := openDaemon(eff, w, dev, opt.logger)
	if err != nil {
		return err
	}
	p.close(purges.Close)
	hooks, err := webhooks(eff, daemon, opt.logger)
	if err != nil {
		return err
	}
	cfg := serverConfig(eff, pages{w.Store}, hooks, opt.logger, dev)
	cfg.Late, cfg.Purged = w.Generator(), purges.Trusted
	cfg.Refused = func() []site.Refusal { return daemon.Status().Refused }
	mends := newMends(eff.Public, opt.logger, func(_ context.Context, path site.Path) error { daemon.Mend(path); return nil })
	cfg.Unreadable = mends.unreadable
	p.run(purges.Run)
	p.run(mends.Run)
	more := &gauges{mongo: w.Source.DB(), purges: purges, daemon: daemon}
	if err := inv.openFront(ctx, eff, &p, ln, cfg, eff.State, w.Store.History, more); err != nil {
		return err
	}
	if dev == nil && eff.Public != "" {
		inv.warnSource(eff)
	}
	inv.announce(eff, ln)
	if gen := w.Store.Current(); gen.Pinned() {
		opt.logger.Warn("the site is pinned by a rollback and is served as it is", "generation", gen.ID,
			"remedy", "stop freshet, run freshet rollback --release, start it again")
	} else {
		p.run(daemon.Run)
	}
	return p.Run(ctx)
}
