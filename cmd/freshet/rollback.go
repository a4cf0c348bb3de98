package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/settings"
	"freshet/internal/site"
)

func (inv *invocation) rollbackCommand() *cobra.Command {
	var release bool
	cmd := &cobra.Command{
		Use:   "rollback GENERATION",
		Short: "Go back to an earlier generation and stay there",
		Long: `Commits a new generation with the pages of an earlier one, brings the public folder up to it, and
pins the site there: builds are refused until freshet rollback --release. freshet log lists the
generations that are kept.`,
		Example: "  freshet rollback 1",
		Args: func(cmd *cobra.Command, args []string) error {
			if release {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			var id uint64
			if !release {
				if id, err = strconv.ParseUint(args[0], 10, 64); err != nil || id == 0 {
					return misuse("freshet log lists the generations", "%q is no generation", args[0])
				}
			}
			return inv.rollback(ctx, eff, id, release)
		}),
	}
	cmd.Flags().BoolVar(&release, "release", false, "let builds change the site again")
	settings.AddFlags(cmd.Flags(), "public", "state", "log")
	return cmd
}

func (inv *invocation) rollback(ctx context.Context, eff *settings.Effective, id uint64, release bool) (err error) {
	store, err := openWriter(&eff.Settings, inv.logger(eff.Quiet()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	current := store.Current()
	info := pagestore.CommitInfo{Now: time.Now().UTC(), Pinned: !release}
	if release {
		if !current.Pinned() {
			return failed(errors.New("the site is not pinned"), "freshet rollback GENERATION goes back and pins it")
		}
		id, info.Cause = current.ID, "release"
	}
	gen, err := store.Rollback(id, info)
	if errors.Is(err, site.ErrNotFound) {
		return failed(fmt.Errorf("generation %d is not kept", id), "freshet log lists the generations that are")
	} else if _, damaged := errors.AsType[*pagestore.DamageError](err); damaged {
		return failed(err, "choose another generation: freshet log lists those that are kept")
	} else if err != nil {
		return err
	}
	if eff.Public != "" && !release {
		tree, err := publictree.Open(eff.Public, store, publictree.Options{Precompress: eff.Build.Precompress})
		if err != nil {
			return explainTree(err)
		}
		if _, err := tree.Sync(ctx, gen); err != nil {
			return explainTree(fmt.Errorf("write the public folder: %w", err))
		}
	}
	if release {
		fmt.Fprintf(inv.stdout, "generation %d: released; the next build brings the site up to its documents\n", gen.ID)
	} else {
		fmt.Fprintf(inv.stdout, "generation %d: the pages of generation %d, pinned: %d changed, %d removed\n", gen.ID, id,
			gen.Commit.Changed, gen.Commit.Removed)
	}
	return nil
}
