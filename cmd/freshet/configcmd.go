package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// configCommand shows the settings in force.
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
				return inv.printJSON(eff.values())
			}
			_, err = fmt.Fprint(inv.stdout, eff.yaml())
			return err
		}),
	}
	inv.jsonFlag(cmd)
	addSettingFlags(cmd, allFlags()...)
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the settings and say nothing else",
		Long: `Checks the settings file and the environment, and reports every mistake with its place. The exit
status is 0 when there is none, else 2.`,
		Example: "  freshet config check",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			_, err := inv.load(cmd)
			return err
		}),
	}
	addSettingFlags(check, allFlags()...)
	cmd.AddCommand(check)
	return cmd
}

// allFlags names the flags of all settings that have one.
func allFlags() []string {
	var names []string
	for _, s := range settings() {
		if s.flag != "" {
			names = append(names, s.flag)
		}
	}
	return names
}

// yaml writes the settings as a settings file.
func (e *effective) yaml() string {
	var b strings.Builder
	var open []string // the sections that are being written, outermost first
	for _, s := range settings() {
		path := strings.Split(s.key, ".")
		leaf := len(path) - 1
		same := 0
		for same < leaf && same < len(open) && open[same] == path[same] {
			same++
		}
		for i := same; i < leaf; i++ {
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), path[i])
		}
		open = path[:leaf]
		from := e.from[s.key]
		if s.hidden != nil && s.hidden(&e.config) {
			from += ", secrets hidden"
		}
		fmt.Fprintf(&b, "%s%s: %s # %s\n", strings.Repeat("  ", leaf), path[leaf], yamlScalar(s.get(&e.config), s.kind), from)
	}
	return b.String()
}

// yamlScalar writes text as YAML: quoted if it would be read back as something else.
func yamlScalar(text string, k kind) string {
	if k == objects {
		return text // JSON is YAML
	}
	if k == items {
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = yamlScalar(list[i], 0)
		}
		if text == "" {
			list = nil
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	if k != boolean && k != number {
		var back any
		plain := yaml.Unmarshal([]byte("k: "+text+" # x"), &back) == nil
		if m, ok := back.(map[string]any); !plain || !ok || m["k"] != text {
			quoted, err := json.Marshal(text)
			if err != nil {
				return `""` // a string always marshals
			}
			return string(quoted)
		}
	}
	return text
}

// A shownValue is a setting as freshet config --json prints it.
type shownValue struct {
	Value any    `json:"value"`
	From  string `json:"from"`
}

// values are the settings by key.
func (e *effective) values() map[string]shownValue {
	values := map[string]shownValue{}
	for _, s := range settings() {
		v := shownValue{Value: s.get(&e.config), From: e.from[s.key]}
		switch s.kind {
		case number:
			v.Value = json.Number(s.get(&e.config))
		case boolean:
			v.Value = s.get(&e.config) == "true"
		case objects:
			v.Value = json.RawMessage(s.get(&e.config))
		case items:
			list := []string{}
			if t := s.get(&e.config); t != "" {
				list = strings.Split(t, ",")
			}
			v.Value = list
		case text:
		}
		values[s.key] = v
	}
	return values
}
