package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"freshet/internal/builder"
	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/revalidator"
)

func (inv *invocation) revalidateCommand() *cobra.Command {
	var docs, tags, paths []string
	var all, dryRun, wait, adopt bool
	cmd := &cobra.Command{
		Use:   "revalidate",
		Short: "Keep the site fresh, or ask who does to look at something",
		Long: `Without --doc, --tag, --path or --all it builds the site and keeps it fresh until it is told to stop,
as freshet up does, but serves nothing.

With one of them it asks the freshet up or freshet revalidate that runs over the same state folder to
read those documents again and to build what depends on them. It prints the job once that is on the disk;
with --wait it waits until the pages are live and prints which have changed, and fails when they are not.`,
		Example: "  freshet revalidate --doc blog:rivers --wait",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			req := revalidator.Request{Tags: tags, Paths: paths, Everything: all}
			for _, name := range docs {
				req.Docs = append(req.Docs, revalidator.Doc{Given: name})
			}
			switch {
			case !req.Empty():
				return inv.ask(ctx, revalidator.NewControl(eff.State), req, dryRun, wait)
			case dryRun || wait || inv.json:
				return misuse("name what to look at with --doc, --tag, --path or --all", "--dry-run, --wait and --json ask a daemon that runs")
			}
			return inv.reloading(ctx, cmd, eff, func(ctx context.Context, eff *settings.Effective) error {
				return inv.keepFresh(ctx, eff, buildOptions{adopt: adopt, patient: true, logger: inv.logger(eff.Log)})
			})
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), buildFlags()...)
	f := cmd.Flags()
	f.StringArrayVar(&docs, "doc", nil, "look at a `document`: blog:slug, course:slug, page:path, or its id (may be repeated)")
	f.StringArrayVar(&tags, "tag", nil, "look at every document with a `tag` (may be repeated)")
	f.StringArrayVar(&paths, "path", nil, "look at every document of the page at a `path` (may be repeated)")
	f.BoolVar(&all, "all", false, "look at every document")
	f.BoolVar(&dryRun, "dry-run", false, "only list the pages that depend on it")
	f.BoolVar(&wait, "wait", false, "wait until the pages are live")
	f.BoolVar(&adopt, "adopt", false, "take over a public folder that holds files freshet did not write")
	return cmd
}

// ask has a running daemon look at something.
func (inv *invocation) ask(ctx context.Context, daemon *revalidator.Control, req revalidator.Request, dryRun, wait bool) error {
	if err := req.Check(); err != nil {
		return misuse("freshet revalidate --help shows the forms", "%v", err)
	}
	if dryRun {
		pages, err := daemon.Plan(ctx, req)
		if err != nil {
			return explainControl(err)
		}
		if inv.json {
			return inv.printJSON(map[string][]string{"pages": append([]string{}, pages...)})
		}
		for _, p := range pages {
			fmt.Fprintln(inv.stdout, diag.Printable(p))
		}
		return nil
	}
	job, _, err := daemon.Accept(ctx, revalidator.Offer{Origin: revalidator.OriginCommand, Request: req})
	if err != nil {
		return explainControl(err)
	}
	if wait {
		job, err = daemon.Wait(ctx, job)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return failed(fmt.Errorf("job %s is on the disk, but the daemon went away before it said what became of it (%w)", job.ID, err),
				"the next freshet up or freshet revalidate over this state folder builds it when it starts, unless that was done")
		}
	}
	if inv.json {
		if err := inv.printJSON(job); err != nil {
			return err
		}
	} else if err := job.Write(inv.stdout); err != nil {
		return err
	}
	if job.State == revalidator.Parked {
		return failed(fmt.Errorf("job %s was given up after %d tries: %s", job.ID, job.Tries, diag.Printable(job.Error)), "the site is as it was; freshet tries again when it looks at everything")
	}
	return leftOut(job.Skipped)
}

// explainControl adds what the user may do to why the daemon did not do what it was asked.
func explainControl(err error) error {
	switch {
	case errors.Is(err, revalidator.ErrStopped):
		return failed(errors.New("no freshet up or freshet revalidate runs over this state folder"), "start one, or run freshet build; --state names another folder")
	case errors.Is(err, revalidator.ErrBusy):
		return failed(err, "wait a moment, or use --all for many documents")
	}
	return err
}

// keepFresh builds and watches until ctx ends, and serves nothing.
func (inv *invocation) keepFresh(ctx context.Context, eff *settings.Effective, opt buildOptions) (err error) {
	var p parts
	defer func() { err = errors.Join(err, p.Close()) }()
	w, err := openBuilder(ctx, &eff.Settings, opt)
	if err != nil {
		return inv.printProblems(err)
	}
	p.close(w.Close)
	if gen := w.Store.Current(); gen.Pinned() {
		return failed(&builder.PinnedError{Generation: gen.ID}, pinnedRemedy)
	}
	daemon, purges, err := openDaemon(eff, w, nil, opt.logger)
	if err != nil {
		return err
	}
	p.close(purges.Close)
	inv.warnSource(eff)
	p.run(daemon.Run)
	p.run(purges.Run)
	return p.Run(ctx)
}
