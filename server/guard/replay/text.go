package replay

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"freshet/internal/diag"
)

// mostShown is how many clients a report shows; --json has all.
const mostShown = 20

// Write writes the report as text. Clients sent the paths in it: control characters are replaced.
func (rep *Report) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "%s from %s to %s, %d refused\n", diag.Count(rep.Requests, "request"), rep.From.Format(time.RFC3339), rep.To.Format(time.RFC3339), rep.Refused)
	if rep.Skipped > 0 {
		fmt.Fprintf(tw, "%s could not be read; the first: %s\n", diag.Count(rep.Skipped, "line"), rep.Problem)
	}
	for _, k := range rep.Kinds {
		if k.N > 0 {
			fmt.Fprintf(tw, "sent by\t%s\t%d\n", k.Kind, k.N)
		}
	}
	for _, c := range rep.Counts {
		if c.Outcome != "passed" {
			fmt.Fprintf(tw, "%s\t%s.%s\t%d\n", c.Outcome, c.Rule, c.Class, c.N)
		}
	}
	if rep.High > 0 {
		fmt.Fprintf(tw, "high-traffic mode\tbegan\t%d times\n", rep.High)
	}
	if err := tw.Flush(); err != nil || len(rep.Clients) == 0 {
		return err
	}
	fmt.Fprintln(tw, "\nCLIENT\tREFUSED\tBANNED\tFIRST\tPATH\tPERHAPS FALSELY")
	for _, h := range rep.Clients[:min(len(rep.Clients), mostShown)] {
		banned := "-"
		if !h.Banned.IsZero() {
			banned = h.Banned.Format(time.TimeOnly)
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\n", h.Client, h.Refused, banned, h.First.Format(time.DateTime), diag.Printable(h.Path), cmp.Or(strings.Join(h.False, "; "), "-"))
	}
	if n := len(rep.Clients) - mostShown; n > 0 {
		fmt.Fprintf(tw, "and %s, see --json\n", diag.Count(n, "other client"))
	}
	return tw.Flush()
}
