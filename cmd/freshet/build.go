package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"freshet/generator"
	"freshet/internal/builder"
	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/internal/site"
)

// buildFlags are the settings that building depends on and that have flags.
func buildFlags() []string {
	return []string{"source", "content", "templates", "public", "state", "url", "drafts", "log"}
}

func (inv *invocation) buildCommand() *cobra.Command {
	var now string
	var full, adopt, allowShrink bool
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the site once into the public folder",
		Long: `Builds the site once: reads the documents, renders the pages that changed, commits them as one
generation and brings the public folder up to it. Prints what was done; warnings and mistakes in the
documents go to standard error. The exit status is 1 when nothing could be built, when documents were
left out because of mistakes, or when more pages would go away than build.maxShrink lets; these then
stay as they were, and the rest is built. The last lines of standard error name them.`,
		Example: "  freshet build --url https://example.com",
		Args:    cobra.NoArgs,
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			at, err := buildTime(now, inv.getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return err
			}
			opt := generator.Options{Now: at, Full: full, AllowShrink: allowShrink, Cause: "build"}
			return inv.build(ctx, eff, opt, adopt)
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), buildFlags()...)
	f := cmd.Flags()
	f.BoolVar(&full, "full", false, "render every page and compare every public file")
	f.StringVar(&now, "now", "", "`time` that decides what is published: 2026-01-31 or 2026-01-31T12:00:00Z (default SOURCE_DATE_EPOCH, else now)")
	f.BoolVar(&adopt, "adopt", false, "take over a public folder that holds files freshet did not write")
	f.BoolVar(&allowShrink, "allow-shrink", false, "however many pages go away")
	return cmd
}

// buildTime is the time that a build takes for now: the flag, else SOURCE_DATE_EPOCH, else the clock.
func buildTime(flag, epoch string) (time.Time, error) {
	if flag != "" {
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(layout, flag); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, misuse("a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z", "--now cannot be %q", flag)
	}
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, misuse("it is a number of seconds since 1970", "SOURCE_DATE_EPOCH cannot be %q", epoch)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	return time.Now().UTC(), nil
}

func (inv *invocation) build(ctx context.Context, eff *settings.Effective, opt generator.Options, adopt bool) (err error) {
	start := time.Now()
	inv.warnSource(eff)
	logger := inv.logger(eff.Quiet())
	how := buildOptions{adopt: adopt, logger: logger}
	if !opt.Full && !adopt && !opt.AllowShrink {
		if rep := builder.Standing(ctx, builderConfig(&eff.Settings, how), opt.Now); rep != nil {
			return inv.tell(rep, start)
		}
	}
	w, err := openBuilder(ctx, &eff.Settings, how)
	if err != nil {
		return inv.printProblems(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if onTerminal(inv.stderr) {
		opt.Progress = func(done, total int) { fmt.Fprintf(inv.stderr, "\r\x1b[K%d of %d pages", done, total) }
	}
	rep, err := w.BuildAll(ctx, opt)
	if opt.Progress != nil {
		fmt.Fprint(inv.stderr, "\r\x1b[K")
	}
	var beside *builder.BesideError
	switch {
	case errors.As(err, &beside): // the site is built all the same
	case ctx.Err() != nil:
		return failed(errors.New("stopped before the build was committed"), "the site is as it was")
	case err != nil:
		return inv.printProblems(explainBuild(err))
	}
	if beside != nil {
		return cmp.Or(inv.print(rep, start), explainTree(beside.Err))
	}
	return inv.tell(rep, start)
}

// print prints the report of a build that began at start.
func (inv *invocation) print(rep *generator.Report, start time.Time) error {
	diag.Print(inv.stderr, rep.Problems)
	if inv.json {
		return inv.printJSON(rep)
	}
	inv.printReport(rep, time.Since(start))
	return nil
}

// tell prints the report of a build, and returns the error that ends the command if the build left something.
func (inv *invocation) tell(rep *generator.Report, start time.Time) error {
	if err := inv.print(rep, start); err != nil {
		return err
	}
	if rep.Refused != nil {
		return failed(fmt.Errorf("%w; they stay as they were", rep.Refused), shrinkRemedy)
	}
	return leftOut(rep.Skipped)
}

// warnSource says what a build does otherwise than its surroundings let expect.
func (inv *invocation) warnSource(eff *settings.Effective) {
	if strings.HasPrefix(eff.From["site.url"], "default") {
		inv.warn("feeds and search engines will be told %s: set site.url, or --url", eff.Site.URL)
	}
}

// leftOut is the error that ends a build which could not show every document; nil if it could.
func leftOut(skipped []site.Skip) error {
	var names []string
	for _, s := range skipped {
		names = append(names, string(s.ID))
	}
	slices.Sort(names)
	return refusal(slices.Compact(names), "left out because of mistakes")
}

// refusal is the error that says what became of documents; nil if there are none.
func refusal(names []string, what string) error {
	if len(names) == 0 {
		return nil
	}
	count := plural(len(names), "document") + " were"
	if len(names) == 1 {
		count = "1 document was"
	}
	const most = 20
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%s %s: %s", count, what, diag.Printable(strings.Join(names, ", ")))
}

// printReport says in a few lines what a build did.
func (inv *invocation) printReport(rep *generator.Report, took time.Duration) {
	w := inv.stdout
	if rep.Committed {
		fmt.Fprintf(w, "generation %d: %s of %s: %d rendered, %d changed, %d removed\n",
			rep.Generation, plural(rep.Pages, "page"), plural(rep.Documents, "document"), rep.Rendered, rep.Changed, rep.Removed)
	} else {
		fmt.Fprintf(w, "generation %d: %s of %s: nothing changed\n", rep.Generation, plural(rep.Pages, "page"), plural(rep.Documents, "document"))
	}
	var warnings, mistakes int
	for _, p := range rep.Problems {
		switch p.Severity {
		case diag.Error:
			mistakes++
		case diag.Warning:
			warnings++
		}
	}
	if warnings+mistakes > 0 {
		fmt.Fprintf(w, "%s, %s\n", plural(mistakes, "mistake"), plural(warnings, "warning"))
	}
	inv.printLanguages(rep.Languages)
	var phases []string
	for _, name := range slices.Sorted(maps.Keys(rep.Phases)) {
		phases = append(phases, fmt.Sprintf("%s %s", name, milliseconds(rep.Phases[name])))
	}
	fmt.Fprintf(w, "%s: %s\n", milliseconds(float64(took.Microseconds())/1000), strings.Join(phases, ", "))
}

// printLanguages says how many documents are in other languages than the site's.
func (inv *invocation) printLanguages(of map[string]int) {
	n := 0
	var each []string
	for _, lang := range slices.Sorted(maps.Keys(of)) {
		n += of[lang]
		each = append(each, fmt.Sprintf("%s %d", lang, of[lang]))
	}
	switch {
	case n == 1:
		fmt.Fprintf(inv.stdout, "1 document is in another language than the site's: %s\n", strings.Join(each, ", "))
	case n > 1:
		fmt.Fprintf(inv.stdout, "%d documents are in other languages than the site's: %s\n", n, strings.Join(each, ", "))
	}
}

func milliseconds(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
