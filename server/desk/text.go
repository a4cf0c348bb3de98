package desk

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"freshet/internal/diag"
	"freshet/server/admin"
	"freshet/server/guard"
)

// What follows writes answers of the operators' listener as text for a terminal. Clients sent parts of it: control characters are replaced.

// WriteBans writes a table of bans.
func WriteBans(w io.Writer, list []admin.Ban) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLIENT\tSCOPE\tUNTIL\tSTEP\tBY\tREASON")
	for _, b := range list {
		until, step := "lifted", "-"
		if !b.Until.IsZero() {
			until = b.Until.Format(time.RFC3339)
		}
		if b.Step > 0 {
			step = fmt.Sprint(b.Step)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", Short(b.Client), diag.Printable(b.Scope), until, step, diag.Printable(b.By), diag.Printable(b.Reason))
	}
	return tw.Flush()
}

// WriteGenerations writes a table of generations, the newest first.
func WriteGenerations(w io.Writer, shown []admin.Generation) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "GENERATION\tTIME\tPAGES\tCHANGED\tREMOVED\tCAUSE")
	for i, c := range shown {
		note := ""
		if c.Pinned && i == 0 {
			note = " (pinned)"
		}
		fmt.Fprintf(tw, "%d\t%s\t%d\t%d\t%d\t%s%s\n", c.Generation, c.Time.Format(time.RFC3339), c.Pages, c.Changed, c.Removed, diag.Printable(c.Cause), note)
	}
	return tw.Flush()
}

// WriteSwitches writes a table of switches, and why each is on or off.
func WriteSwitches(w io.Writer, list []admin.Switch) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SWITCH\tSTATE\tUNTIL\tBY\tREASON")
	for _, s := range list {
		until := "-"
		if s.Until != nil {
			until = s.Until.Format(time.RFC3339)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", diag.Printable(s.Name), diag.Printable(s.State), until, diag.Printable(cmp.Or(s.By, "-")), diag.Printable(s.Reason))
	}
	for _, s := range list {
		is := "off"
		if s.On {
			is = "on"
		}
		if s.Why != "" {
			fmt.Fprintf(tw, "%s is %s: %s\n", diag.Printable(s.Name), is, diag.Printable(s.Why))
		}
	}
	return tw.Flush()
}

// WriteDecision writes one decision.
func WriteDecision(w io.Writer, d *admin.Decision) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	writeDecision(tw, d)
	return tw.Flush()
}

func writeDecision(w io.Writer, d *admin.Decision) {
	what := fmt.Sprintf("refused with %d", d.Status)
	if d.Status == 0 {
		what = "let through, the rule is only watched"
	}
	fmt.Fprintf(w, "%s\t%s\t%s %s\t%s by %s (class %s, %s)\t%s\n", d.At.Format(time.RFC3339), diag.Printable(d.Client), diag.Printable(d.Method), diag.Printable(d.Path),
		what, diag.Printable(d.Rule), diag.Printable(d.Class), diag.Printable(d.Bot), diag.Printable(d.Reason))
}

// WriteExplanation writes an explanation of a request for method and path.
func WriteExplanation(w io.Writer, method, path string, e *admin.Explanation) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", diag.Printable(name), diag.Printable(fmt.Sprintf(format, args...)))
	}
	outcome := "let through"
	if e.Status != 0 {
		outcome = fmt.Sprintf("refused with %d by %s", e.Status, e.Rule)
	} else if e.Rule != guard.RuleNone.String() {
		outcome += " by " + e.Rule
	}
	if e.Reason != "" {
		outcome += ": " + e.Reason
	}
	row("client", "%s", e.Client)
	row("request", "%s %s: %s", method, path, outcome)
	row("class", "%s", e.Class)
	row("looks like", "%s", e.Bot)
	if b := e.Ban; b != nil {
		until := "it is lifted"
		if !b.Until.IsZero() {
			until = b.Until.Format(time.RFC3339)
		}
		row("banned", "%s until %s, scope %s, by %s: %s", Short(b.Prefix), until, b.Scope, b.By, b.Reason)
	}
	for name, is := range map[string]bool{"guard.allow": e.Allowed, "guard.block": e.Blocked} {
		if is {
			row("listed", "in %s", name)
		}
	}
	if e.Spared {
		row("spared", "the guard never bans it by itself")
	}
	row("reputation", "%.1f bad points; its limits are divided by %d", e.Score, e.Lowered)
	for _, at := range e.Violations {
		row("violation", "%s", at.Format(time.RFC3339))
	}
	for _, q := range e.Quotas {
		text := fmt.Sprintf("%d of %d left", q.Left, q.Limit)
		if q.Wait > 0 {
			text += ", again in " + q.Wait.Round(time.Second).String()
		}
		row("limit."+q.Class, "%s", text)
	}
	for i := range e.Refusals {
		fmt.Fprint(tw, "refusal\t")
		writeDecision(tw, &e.Refusals[i])
	}
	return tw.Flush()
}

// LiftedText tells what has become of a ban: here, and on the servers that hear of it.
func LiftedText(l *admin.Lifted) string {
	text := Short(l.Client) + " is no longer banned"
	if !l.Known {
		text = "there is no ban on " + Short(l.Client) + " here"
	}
	switch l.Others {
	case admin.TellOthers:
		text += "; other servers are told to lift theirs"
	case admin.TellOthersLater:
		text += "; other servers are told to lift theirs when Redis is back"
	}
	return text
}

// Short returns a prefix as people write it: an address without its length.
func Short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
