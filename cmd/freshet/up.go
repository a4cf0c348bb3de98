package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"freshet/generator"
	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/revalidator"
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
				return inv.up(ctx, eff, workshopOptions{adopt: adopt, patient: true, logger: inv.logger(eff.Log)}, nil)
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
			return inv.up(ctx, eff, workshopOptions{liveReload: true, patient: true, logger: inv.logger(eff.Log)}, &server.DevEvents{})
		}),
	}
	settings.AddFlags(cmd.Flags(), append(buildFlags(), "listen")...)
	return cmd
}

// up builds, watches and serves until ctx ends.
func (inv *invocation) up(ctx context.Context, eff *settings.Effective, opt workshopOptions, dev *server.DevEvents) (err error) {
	ln, err := inv.listen(ctx, eff.Listen)
	if err != nil {
		return err
	}
	closeListener := true
	defer func() {
		if closeListener {
			err = errors.Join(err, ln.Close())
		}
	}()
	w, err := openWorkshop(ctx, &eff.Settings, opt)
	if err != nil {
		return inv.printProblems(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	b, daemon, err := openDaemon(eff, w, dev, opt.logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.purges.Close()) }()
	hooks, err := webhooks(eff, daemon, opt.logger)
	if err != nil {
		return err
	}
	closeListener = false // the front does
	cfg := serverConfig(eff, generations{w.store.Current}, hooks, opt.logger, dev)
	cfg.Late, cfg.Purged = w.gen, b.purges.Trusted
	cfg.Refused = func() []server.Refusal { return shownRefusals(daemon.Status().Refused) }
	mends := newMends(eff.Public, opt.logger, func(_ context.Context, path site.Path) error { daemon.Mend(path); return nil })
	cfg.Unreadable = mends.unreadable
	front, err := inv.openFront(ctx, eff, ln, cfg, eff.State, w.store.History, &gauges{mongo: w.source.DB(), purges: b.purges, daemon: daemon})
	if err != nil {
		return err
	}
	closeFront := true
	defer func() {
		if closeFront {
			err = errors.Join(err, front.Close())
		}
	}()
	if dev == nil && eff.Public != "" {
		inv.warnSource(eff)
	}
	inv.announce(eff, ln)
	closeFront = false // Run does
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return front.Run(ctx) })
	g.Go(func() error { return b.purges.Run(ctx) })
	g.Go(func() error { return mends.run(ctx) })
	if gen := w.store.Current(); gen.Pinned() {
		opt.logger.Warn("the site is pinned by a rollback and is served as it is", "generation", gen.ID,
			"remedy", "stop freshet, run freshet rollback --release, start it again")
	} else {
		g.Go(func() error { return daemon.Run(ctx) })
	}
	return ended(g.Wait())
}

// builds runs the builds of a daemon and tells people how they went.
type builds struct {
	workshop *workshop
	dev      *server.DevEvents // nil: nobody writes
	logger   *slog.Logger
	purges   *purges         // nil: there are no CDNs
	said     map[string]bool // problems of the last build: they are not told again
	beside   string          // what was wrong with the public folder, or the stamp, after the last build

	obstacles obstacles
}

// build is what the revalidator calls; it does so for one change at a time.
func (b *builds) build(ctx context.Context, c revalidator.Change) (_ revalidator.Result, err error) {
	start := time.Now()
	opt := generator.Options{Now: start.UTC(), Changed: slices.Concat(c.Documents, c.Verify), Cause: c.Cause, Origins: c.Origins}
	switch {
	case c.Everything:
		opt.Changed = nil
	case opt.Changed == nil:
		opt.Changed = []string{}
	}
	if c.Rest {
		opt.Rest = rest
	}
	opt.Compared = c.Compared
	defer func() { b.obstacles.note(ctx, err) }()
	if err := b.workshop.reloadTheme(c.Theme || c.Everything || len(c.Verify) > 0); err != nil {
		b.tell(problemsOf(err))
		return revalidator.Result{}, err
	}
	b.workshop.source.Verify(c.Verify)
	before := b.workshop.store.Current()
	rep, err := b.workshop.build(ctx, opt)
	unfinished := false
	if beside, ok := errors.AsType[*besideError](err); ok {
		if text := beside.Error(); text != b.beside && ctx.Err() == nil { // once, not at every build; the next start finishes what this one must leave
			b.logger.Error("the site is built and served, but what is beside its pages is not whole", "error", beside.err)
			b.beside = text
		}
		err, unfinished = nil, !beside.lasting()
	} else if err == nil {
		b.beside = ""
	}
	if shrink, is := errors.AsType[*generator.ShrinkError](err); is {
		err = fmt.Errorf("%w (%s)", shrink, heldRemedy)
	}
	if err != nil {
		b.tell(problemsOf(err))
		return revalidator.Result{}, err
	}
	if len(b.workshop.store.Distrusted()) > 0 { // compaction has found damage
		unfinished = true
	}
	b.tell(rep.Problems)
	b.tellHeld(rep.Refused)
	if err := b.purges.Commit(); err != nil {
		b.logger.Error("the CDN outbox cannot be written, the purge is tried all the same", "error", err)
	}
	if rep.Committed {
		b.logger.Info("built", "generation", rep.Generation, "cause", c.Cause, "pages", rep.Pages, "rendered", rep.Rendered,
			"changed", rep.Changed, "removed", rep.Removed, "left_out", len(rep.Skipped), "took", time.Since(start).Round(time.Millisecond/10))
		if b.dev != nil {
			b.dev.Reload()
		}
	}
	return revalidator.Result{
		Generation: rep.Generation, Pages: revalidator.PagesChanged(b.workshop.store.Current().Changes(before)), Skipped: rep.Skipped, Again: rep.Again, More: rep.Left > 0, Unfinished: unfinished,
	}, nil
}

// problemsOf is what an error looks like in the overlay of freshet dev.
func problemsOf(err error) []diag.Problem {
	if theme, ok := errors.AsType[*generator.ThemeError](err); ok {
		return theme.Problems
	}
	return []diag.Problem{{Severity: diag.Error, Message: err.Error()}}
}

// tell shows problems to who writes and puts new ones into the log.
func (b *builds) tell(ps []diag.Problem) {
	if b.dev != nil {
		b.dev.Problems(ps)
	}
	now := map[string]bool{}
	for i := range ps {
		p := &ps[i]
		text := p.Error()
		if !b.said[text] && !now[text] && (p.File != "" || p.ID != "") { // an error without a place is logged by who retries
			level := slog.LevelWarn
			if p.Severity == diag.Error {
				level = slog.LevelError
			}
			b.logger.Log(context.Background(), level, "problem", "file", p.File, "line", p.Line, "id", p.ID, "field", p.Field, "message", p.Message, "remedy", p.Remedy)
		}
		now[text] = true
	}
	b.said = now
}
