package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/handover"
	"freshet/internal/settings"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

// A failure is an error together with how it ends the process and what the user may do about it.
type failure struct {
	code int
	hint string // one sentence; empty: none
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// misuse says that freshet was called in a way it cannot follow.
func misuse(hint, format string, args ...any) error {
	return &failure{code: exitMisuse, hint: hint, err: fmt.Errorf(format, args...)}
}

// failed adds a hint to err.
func failed(err error, hint string) error {
	return &failure{code: exitFailed, hint: hint, err: err}
}

// An invocation is one call of freshet: what it was given and where it writes.
type invocation struct {
	env            []string
	stdout, stderr io.Writer
	config         string             // --config
	json           bool               // --json
	handover       *handover.Handover // what outlives a change of the settings; nil: the command does not follow them
	started        bool               // a command has been reached: what fails from here on is no misuse
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	inv := &invocation{env: env, stdout: stdout, stderr: stderr}
	root := inv.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code, hint := exitFailed, ""
	if f, ok := errors.AsType[*failure](err); ok {
		code, hint = f.code, f.hint
	} else if !inv.started {
		code, hint = exitMisuse, cmd.CommandPath()+" --help shows how it is used"
	}
	fmt.Fprintf(stderr, "freshet: error: %s\n", printableLines(err.Error()))
	if hint != "" {
		fmt.Fprintf(stderr, "freshet: hint: %s\n", diag.Printable(hint))
	}
	return code
}

// printableLines is diag.Printable for a text that may have lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = diag.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// helpTemplate puts the example last, where the eye is after reading.
const helpTemplate = `{{with or .Long .Short}}{{. | trimTrailingWhitespaces}}

{{end}}Usage:
  {{if .HasParent}}{{.UseLine}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} <command>{{end}}{{else}}{{.CommandPath}} <command>{{end}}
{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}
Example:
{{.Example}}
`

func (inv *invocation) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "freshet",
		Short: "Freshet turns blogs and courses into static pages, keeps them fresh, and serves them",
		Long: `Freshet turns blogs and courses kept in MongoDB or in Markdown files into static pages, keeps the
pages true to them, and serves them. No settings are needed: content/ is the source, public/ the
result. With MONGODB_URI in the environment, MongoDB is the source.`,
		Example:           "  freshet up",
		Args:              knownCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(inv.stdout)
	root.SetErr(inv.stderr)
	root.SetHelpTemplate(helpTemplate)
	root.SetHelpCommand(&cobra.Command{
		Use: "help [command]", Short: "Show what a command does", Example: "  freshet help build", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return knownCommand(root, args)
			}
			return cmd.Help()
		},
	})
	root.PersistentFlags().StringVar(&inv.config, "config", "",
		"settings `file`: YAML, TOML or JSON (default freshet.yaml, .toml or .json in the working directory)")
	root.AddCommand(
		inv.upCommand(), inv.devCommand(), inv.buildCommand(), inv.revalidateCommand(), inv.serveCommand(),
		inv.importCommand(), inv.exportCommand(), inv.explainCommand(), inv.logCommand(), inv.rollbackCommand(),
		inv.guardCommand(), inv.indexesCommand(), inv.configCommand(), inv.versionCommand(), inv.completionCommand(),
	)
	return root
}

// knownCommand refuses arguments of freshet itself: they are misspelt commands.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if near := diag.Nearest(args[0], names); near != "" {
		return fmt.Errorf("unknown command %q (did you mean %q?)", args[0], near)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// start wraps what a command does, so that run can tell a misuse from a failure.
func (inv *invocation) start(do func(ctx context.Context, cmd *cobra.Command, args []string) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		inv.started = true
		return do(cmd.Context(), cmd, args)
	}
}

// jsonFlag gives cmd the flag --json.
func (inv *invocation) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&inv.json, "json", false, "print the result as JSON")
}

// printJSON writes v to standard output.
func (inv *invocation) printJSON(v any) error {
	enc := json.NewEncoder(inv.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// load reads the settings for cmd: the file, the environment and the flags that cmd has. Every mistake in them is
// printed before it fails.
func (inv *invocation) load(cmd *cobra.Command) (*settings.Effective, error) {
	eff, problems, err := settings.Load(inv.config, inv.env, cmd.Flags())
	if err != nil {
		return nil, &failure{code: exitMisuse, err: err}
	}
	if len(problems) > 0 {
		diag.Sort(problems)
		diag.Print(inv.stderr, problems)
		return nil, misuse("freshet config check looks at the settings alone", "%s in the settings", diag.Count(len(problems), "mistake"))
	}
	return eff, nil
}

// warn tells the user something that does not stop the work.
func (inv *invocation) warn(format string, args ...any) {
	fmt.Fprintf(inv.stderr, "freshet: warning: %s\n", diag.Printable(fmt.Sprintf(format, args...)))
}

// getenv returns the value of an environment variable.
func (inv *invocation) getenv(name string) string { return settings.Getenv(inv.env, name) }

// onTerminal reports whether w is a terminal, so that progress and plain text make sense there.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// logsJSON reports whether the log is JSON.
func (inv *invocation) logsJSON(cfg settings.Log) bool {
	return cfg.Format == "json" || cfg.Format == "auto" && !onTerminal(inv.stderr)
}

// logger makes the logger that the settings ask for.
func (inv *invocation) logger(cfg settings.Log) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.Level}
	if inv.logsJSON(cfg) {
		return slog.New(slog.NewJSONHandler(inv.stderr, opt))
	}
	return slog.New(slog.NewTextHandler(inv.stderr, opt))
}
