package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildVersion is what is known of the binary.
type buildVersion struct {
	Version string `json:"version"` // of the module; devel when it was built from a work tree
	Commit  string `json:"commit"`  // empty: unknown
	Dirty   bool   `json:"dirty"`   // built from a tree with changes that are not in Commit
	Go      string `json:"go"`
	System  string `json:"system"`
}

func readVersion() buildVersion {
	v := buildVersion{Version: "devel", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	return v
}

func (v buildVersion) String() string {
	s := "freshet " + v.Version
	if v.Commit != "" {
		s += fmt.Sprintf(" (commit %.12s", v.Commit)
		if v.Dirty {
			s += ", with changes"
		}
		s += ")"
	}
	return s + " " + v.Go + " " + v.System
}

func (inv *invocation) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version, the commit and the Go it was built with",
		Example: "  freshet version",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(context.Context, *cobra.Command, []string) error {
			if inv.json {
				return inv.printJSON(readVersion())
			}
			_, err := fmt.Fprintln(inv.stdout, readVersion())
			return err
		}),
	}
	inv.jsonFlag(cmd)
	return cmd
}

func (inv *invocation) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a completion script for a shell",
		Example:   "  source <(freshet completion bash)",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(inv.stdout, true)
			case "zsh":
				return root.GenZshCompletion(inv.stdout)
			case "fish":
				return root.GenFishCompletion(inv.stdout, true)
			default:
				return root.GenPowerShellCompletionWithDesc(inv.stdout)
			}
		}),
	}
}
