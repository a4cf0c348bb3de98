package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp checks that the help of every command ends with an example, and that the example is a command line that
// freshet takes.
func TestHelp(t *testing.T) {
	root := (&invocation{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).rootCommand()
	var commands []*cobra.Command
	var gather func(c *cobra.Command)
	gather = func(c *cobra.Command) {
		commands = append(commands, c)
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				gather(sub)
			}
		}
	}
	gather(root)
	if len(commands) < 11 {
		t.Fatalf("freshet has %d commands, want at least 11", len(commands))
	}
	for _, c := range commands {
		var stdout, stderr bytes.Buffer
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := run(t.Context(), args, nil, &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
			t.Errorf("%s --help exits %d and says %q", c.CommandPath(), code, stderr.String())
		}
		example := strings.TrimSpace(c.Example)
		if example == "" || !strings.HasSuffix(stdout.String(), "Example:\n"+c.Example+"\n") {
			t.Errorf("the help of %s does not end with an example:\n%s", c.CommandPath(), stdout.String())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s has the summary %q, want a sentence without a full stop", c.CommandPath(), c.Short)
		}
		example = strings.NewReplacer("source <(", "", ")", "").Replace(example)
		words := strings.Fields(example)
		found, rest, err := root.Find(words[1:])
		if words[0] != "freshet" || err != nil {
			t.Errorf("the example %q is no call of freshet: %v", c.Example, err)
			continue
		}
		if err := found.ParseFlags(rest); err != nil {
			t.Errorf("the example %q: %v", c.Example, err)
		} else if err := found.ValidateArgs(found.Flags().Args()); err != nil && found != root {
			t.Errorf("the example %q: %v", c.Example, err)
		}
		if found == root {
			t.Errorf("the example %q names no command", c.Example)
		}
	}
}
