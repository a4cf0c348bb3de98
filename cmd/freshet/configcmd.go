package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/settings"
)

// configCommand prints the settings in force.
func (inv *invocation) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the effective settings and where each comes from",
		Long: `Shows the settings in force as YAML that freshet reads back, each with where it comes from:
its default, the line of the settings file, the environment variable or the flag. Secrets are left out.`,
		Example: "  freshet config --url https://example.com",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if inv.json {
				return inv.printJSON(eff.Values())
			}
			_, err = fmt.Fprint(inv.stdout, eff.YAML())
			return err
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), settings.FlagNames()...)
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the settings and say nothing else",
		Long: `Checks the settings file, the environment and the files that they name for TLS and the guard, and
reports every mistake with its place. The exit status is 0 when there is none, else 2.`,
		Example: "  freshet config check",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if problems := eff.CheckFiles(); len(problems) > 0 {
				diag.Print(inv.stderr, problems)
				return misuse("freshet would not start with them", "%s in files that the settings name", diag.Count(len(problems), "mistake"))
			}
			return nil
		}),
	}
	settings.AddFlags(check.Flags(), settings.FlagNames()...)
	cmd.AddCommand(check)
	return cmd
}
