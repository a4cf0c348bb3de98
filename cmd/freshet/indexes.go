package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"freshet/internal/mongodb"
	"freshet/internal/settings"
)

func (inv *invocation) indexesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "indexes",
		Short: "Create the indexes that MongoDB needs, and report what differs",
		Long: `Creates those indexes that are missing in the collections blogs and courses, and reports how each stands.
Nothing that is there is changed: where another index is in the place of one, or documents forbid it, the
report says what to do. A server that has no indexes of a kind is reported, and freshet goes on without.

The exit status is 1 when an index could not be created because of what is there.`,
		Example: "  freshet indexes",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			return inv.indexes(ctx, eff)
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), "source", "log")
	return cmd
}

func (inv *invocation) indexes(ctx context.Context, eff *settings.Effective) (err error) {
	if !eff.FromMongo() {
		return failed(fmt.Errorf("the documents come from the content folder %s, which has no indexes", eff.Content),
			"set mongo.uri, or MONGODB_URI in the environment")
	}
	db, err := openMongo(ctx, &eff.Settings, inv.logger(eff.Quiet()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	report, err := db.Indexes(ctx)
	if err != nil {
		return err
	}
	if inv.json {
		if err := inv.printJSON(report); err != nil {
			return err
		}
	}
	conflicts := 0
	for _, x := range report {
		if !inv.json {
			fmt.Fprint(inv.stdout, x.Text())
		}
		if x.State == mongodb.IndexConflicting {
			conflicts++
		}
	}
	switch conflicts {
	case 0:
		return nil
	case 1:
		return errors.New("1 index could not be created")
	}
	return fmt.Errorf("%d indexes could not be created", conflicts)
}
