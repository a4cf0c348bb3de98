package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/server/desk"
)

func (inv *invocation) logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "log",
		Short:   "List the generations of the site, newest first",
		Example: "  freshet log",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			return inv.log(eff)
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), "state", "log")
	return cmd
}

func (inv *invocation) log(eff *settings.Effective) error {
	r, err := inv.openReader(eff)
	if err != nil {
		return err
	}
	history, err := r.History()
	if err != nil {
		return err
	}
	shown := desk.Generations(history, len(history))
	if inv.json {
		return inv.printJSON(shown)
	}
	return desk.WriteGenerations(inv.stdout, shown)
}

// A noSiteError says that nothing was built yet.
type noSiteError struct{ state string }

func (e *noSiteError) Error() string { return fmt.Sprintf("there is no site in %s yet", e.state) }

// openReader opens the page log for a command that only looks at it; it fails when there is none.
func (inv *invocation) openReader(eff *settings.Effective) (*pagestore.Reader, error) {
	r, err := pagestore.OpenReader(pagestore.Config{Dir: eff.State, Logger: inv.logger(eff.Quiet())})
	if err != nil {
		return nil, explainLog(err, eff.State)
	}
	if r.Current() == nil {
		abs, absErr := filepath.Abs(eff.State)
		if absErr != nil {
			abs = eff.State
		}
		return nil, failed(&noSiteError{abs}, "freshet build makes one")
	}
	return r, nil
}
