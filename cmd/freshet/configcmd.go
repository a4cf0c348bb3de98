package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/server"
	"freshet/server/guard/cidr"
)

// What to do about files that settings name.
const (
	keyPairRemedy = "tls.cert is a file with the certificate and its chain, tls.key one with its key, both PEM"
	listRemedy    = "guard.allow and guard.block name files with an address or a prefix a line"
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
		Long: `Checks the settings file, the environment and the files that they name for TLS and the guard, and
reports every mistake with its place. The exit status is 0 when there is none, else 2.`,
		Example: "  freshet config check",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(_ context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if problems := eff.checkFiles(); len(problems) > 0 {
				diag.Print(inv.stderr, problems)
				return misuse("freshet would not start with them", "%s in files that the settings name", plural(len(problems), "mistake"))
			}
			return nil
		}),
	}
	addSettingFlags(check, allFlags()...)
	cmd.AddCommand(check)
	return cmd
}

// checkFiles finds what is wrong with files that the settings name.
func (e *effective) checkFiles() []diag.Problem {
	var problems []diag.Problem
	report := func(key string, err error, remedy string) {
		if err != nil {
			problems = append(problems, diag.Problem{Severity: diag.Error, File: key, Message: err.Error(), Remedy: remedy})
		}
	}
	if e.TLS.Cert != "" {
		_, err := server.OpenKeyPair(e.TLS.Cert, e.TLS.Key, slog.New(slog.DiscardHandler))
		report("tls.cert", err, keyPairRemedy)
	}
	for key, entries := range map[string][]string{"guard.allow": e.Guard.Policy.Allow, "guard.block": e.Guard.Policy.Block} {
		list, err := cidr.NewList(entries)
		if err == nil {
			_, err = list.Reload(time.Now())
		}
		report(key, err, listRemedy)
	}
	diag.Sort(problems)
	return problems
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
	if k == objects || k == table {
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
		case objects, table:
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
