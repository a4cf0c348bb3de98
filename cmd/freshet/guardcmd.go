package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/internal/web"
	"freshet/server/admin"
	"freshet/server/admin/client"
	"freshet/server/guard"
	"freshet/server/guard/replay"
)

func (inv *invocation) guardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Ban clients, see whom the guard refuses and why, and try its rules on a log",
		Long: `Looks after the guard of a running freshet up or freshet serve, at its operators' listener (settings admin
and adminToken). With several servers, name one by --admin.`,
		Example: "  freshet guard list",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(inv.guardBan(), inv.guardUnban(), inv.guardList(), inv.guardExplain(), inv.guardSwitch(), inv.guardSimulate())
	return cmd
}

// atGuard completes a command that asks a running server.
func (inv *invocation) atGuard(cmd *cobra.Command, do func(ctx context.Context, op *operator, args []string) error) *cobra.Command {
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), "admin")
	cmd.RunE = inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		eff, err := inv.load(cmd)
		if err != nil {
			return err
		}
		if eff.Admin == "" {
			return misuse("set admin, or name the listener by --admin", "there is no operators' listener: admin is empty")
		}
		return do(ctx, &operator{client: client.Client{Address: client.Dialable(eff.Admin), Token: eff.AdminToken}, by: cmp.Or(inv.getenv("SUDO_USER"), inv.getenv("USER"), "freshet guard")}, args)
	})
	return cmd
}

func (inv *invocation) guardBan() *cobra.Command {
	var order banOrder
	cmd := &cobra.Command{
		Use:   "ban ADDRESS",
		Short: "Ban an address or a prefix",
		Long: `Bans an IPv4 address, an IPv6 address with the 64 bits of its network, or a prefix of at least 8 bits. A
ban of scope api keeps from the API, from signing in and from writing; one of scope all from pages too.`,
		Example: "  freshet guard ban 203.0.113.7 --for 6h --reason scraping",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&order.For, "for", "24h", "how `long`")
	cmd.Flags().StringVar(&order.Scope, "scope", "api", "what it covers: api or all (`name`)")
	cmd.Flags().StringVar(&order.Reason, "reason", "", "`text` for other operators")
	return inv.atGuard(cmd, func(ctx context.Context, op *operator, args []string) error {
		order.Client, order.By = args[0], op.by
		long, err := settings.ParseDuration(order.For)
		if err != nil {
			return misuse("such as --for 6h or --for 7d", "--for: %s", err)
		}
		order.For = long.String()
		var ban admin.Ban
		if err := op.ask(ctx, http.MethodPost, "/bans", order, &ban); err != nil {
			return err
		}
		if inv.json {
			return inv.printJSON(ban)
		}
		fmt.Fprintf(inv.stdout, "%s is banned until %s, scope %s\n", short(ban.Client), ban.Until.Format(time.RFC3339), diag.Printable(ban.Scope))
		return nil
	})
}

// A banOrder is what the listener takes for a ban, a switchOrder what it takes for a switch.
type (
	banOrder struct {
		Client string `json:"client"`
		Scope  string `json:"scope"`
		For    string `json:"for"`
		Reason string `json:"reason"`
		By     string `json:"by"`
	}
	switchOrder struct {
		State  string `json:"state"`
		For    string `json:"for,omitempty"`
		Reason string `json:"reason"`
		By     string `json:"by"`
	}
)

func (inv *invocation) guardUnban() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unban ADDRESS",
		Short: "Lift a ban, and forget what led to it",
		Long: `Lifts the ban on an address or a prefix, as guard list shows it. Servers that share a Redis all lift it; the
one that is asked tells them, also where it knows of no ban itself.`,
		Example: "  freshet guard unban 203.0.113.7",
		Args:    cobra.ExactArgs(1),
	}
	return inv.atGuard(cmd, func(ctx context.Context, op *operator, args []string) error {
		var lifted admin.Lifted
		if err := op.ask(ctx, http.MethodDelete, "/bans/"+url.PathEscape(args[0])+"?by="+url.QueryEscape(op.by), nil, &lifted); err != nil {
			return err
		}
		if inv.json {
			return inv.printJSON(lifted)
		}
		fmt.Fprintln(inv.stdout, liftedText(&lifted))
		return nil
	})
}

// liftedText tells what has become of a ban: here, and where the server that was asked tells of it.
func liftedText(l *admin.Lifted) string {
	text := short(l.Client) + " is no longer banned"
	if !l.Known {
		text = "there is no ban on " + short(l.Client) + " here"
	}
	switch l.Others {
	case admin.TellOthers:
		text += "; other servers are told to lift theirs"
	case admin.TellOthersLater:
		text += "; other servers are told to lift theirs when Redis is back"
	}
	return text
}

func (inv *invocation) guardList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the bans in force",
		Example: "  freshet guard list",
		Args:    cobra.NoArgs,
	}
	return inv.atGuard(cmd, func(ctx context.Context, op *operator, _ []string) error {
		list := []admin.Ban{}
		if err := op.ask(ctx, http.MethodGet, "/bans", nil, &list); err != nil {
			return err
		}
		if inv.json {
			return inv.printJSON(list)
		}
		tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "CLIENT\tSCOPE\tUNTIL\tSTEP\tBY\tREASON")
		for _, b := range list {
			until, step := "lifted", "-"
			if !b.Until.IsZero() {
				until = b.Until.Format(time.RFC3339)
			}
			if b.Step > 0 {
				step = fmt.Sprint(b.Step)
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", short(b.Client), diag.Printable(b.Scope), until, step, diag.Printable(b.By), diag.Printable(b.Reason))
		}
		return tw.Flush()
	})
}

// short is a prefix as people write it.
func short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func (inv *invocation) guardExplain() *cobra.Command {
	var method, path, agent string
	cmd := &cobra.Command{
		Use:   "explain ADDRESS|REQUEST-ID",
		Short: "Tell what the guard would do with a request, or why it refused one",
		Long: `For an address: what the guard knows of that client, and what it would do with a request of its. For the
request id that stands on a refusal: which rule refused it. Nothing is changed.`,
		Example: "  freshet guard explain 203.0.113.7 --path /api/search",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&method, "method", "GET", "`method` of the request")
	cmd.Flags().StringVar(&path, "path", "/", "`path` of the request")
	cmd.Flags().StringVar(&agent, "user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "what it says it is (`text`)")
	return inv.atGuard(cmd, func(ctx context.Context, op *operator, args []string) error {
		if _, err := netip.ParseAddr(args[0]); err != nil {
			return inv.explainRefusal(ctx, op, args[0])
		}
		var e guard.Explanation
		ask := url.Values{"client": {args[0]}, "method": {method}, "path": {path}, "user_agent": {agent}}
		if err := op.ask(ctx, http.MethodGet, "/explain?"+ask.Encode(), nil, &e); err != nil {
			return err
		}
		if inv.json {
			return inv.printJSON(e)
		}
		return inv.printStanding(method, path, &e)
	})
}

func (inv *invocation) explainRefusal(ctx context.Context, op *operator, id string) error {
	var d guard.Decision
	if err := op.ask(ctx, http.MethodGet, "/refusals/"+url.PathEscape(id), nil, &d); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(d)
	}
	tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	printDecision(tw, &d)
	return tw.Flush()
}

func printDecision(w io.Writer, d *guard.Decision) {
	what := fmt.Sprintf("refused with %d", d.Status)
	if d.Status == 0 {
		what = "let through, the rule is only watched"
	}
	fmt.Fprintf(w, "%s\t%s\t%s %s\t%s by %s (class %s, %s)\t%s\n", d.At.Format(time.RFC3339), diag.Printable(d.Client), diag.Printable(d.Method), diag.Printable(d.Path),
		what, diag.Printable(d.Rule), diag.Printable(d.Class), diag.Printable(d.Bot), diag.Printable(d.Reason))
}

func (inv *invocation) printStanding(method, path string, e *guard.Explanation) error {
	tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
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
		row("banned", "%s until %s, scope %s, by %s: %s", short(b.Prefix), until, b.Scope, b.By, b.Reason)
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
		printDecision(tw, &e.Refusals[i])
	}
	return tw.Flush()
}

func (inv *invocation) guardSwitch() *cobra.Command {
	var long, reason string
	cmd := &cobra.Command{
		Use:   "switch [NAME STATE]",
		Short: "Show the kill switch and high-traffic mode, or turn them",
		Long: `Shows the switches, or turns one. kill closes the API, the pages or all (api, pages, all) for an hour unless
--for says otherwise, and off opens the site again; the operators' listener is never closed. highTraffic overrides
guard.highTraffic.mode by true, false or auto; settings takes that back.`,
		Example: "  freshet guard switch kill api --for 30m --reason moving",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return errors.New("a switch is named with its new state, or neither")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&long, "for", "", "how `long`; kill: an hour unless told")
	cmd.Flags().StringVar(&reason, "reason", "", "`text` for other operators")
	return inv.atGuard(cmd, func(ctx context.Context, op *operator, args []string) error {
		var list []admin.Switch
		if len(args) == 0 {
			if err := op.ask(ctx, http.MethodGet, "/switches", nil, &list); err != nil {
				return err
			}
		} else {
			order := switchOrder{State: args[1], Reason: reason, By: op.by}
			if long != "" {
				d, err := settings.ParseDuration(long)
				if err != nil {
					return misuse("such as --for 30m", "--for: %s", err)
				}
				order.For = d.String()
			}
			list = make([]admin.Switch, 1)
			if err := op.ask(ctx, http.MethodPut, "/switches/"+url.PathEscape(args[0]), order, &list[0]); err != nil {
				return err
			}
		}
		if inv.json {
			return inv.printJSON(list)
		}
		tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
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
	})
}

func (inv *invocation) guardSimulate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate ACCESS-LOG",
		Short: "Tell what the guard would have done with the requests of an access log",
		Long: `Replays an access log against the guard of the settings, by the log's own clock: who would have been limited
or banned, and who of them perhaps should not have been. It reads the combined format of nginx and Apache, also with
X-Forwarded-For behind it (main) or a host before it (vhost_combined), and JSON lines, freshet's own among them, all
of it also compressed by gzip; - is standard input. Nothing is asked and nothing is kept.`,
		Example: "  freshet guard simulate access.log",
		Args:    cobra.ExactArgs(1),
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			var in io.Reader = os.Stdin
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("read the access log: %w", err)
				}
				defer f.Close()
				in = f
			}
			// A private address that passes on another one is a proxy in a log, whoever forgot to declare it: readers do not lie there.
			proxies, err := web.ParseProxies(append([]string{"private", "loopback"}, eff.Guard.TrustedProxies...))
			if err != nil {
				return fmt.Errorf("guard.trustedProxies: %w", err)
			}
			rep, err := replay.Simulate(ctx, eff.Guard.Policy, in, func(peer netip.Addr, forwardedFor string) netip.Addr {
				if forwardedFor == "" || !proxies.Trusts(peer) {
					return peer
				}
				return proxies.Resolve(peer, []string{forwardedFor}, nil)
			})
			if _, ok := errors.AsType[*replay.OrderError](err); ok {
				return failed(fmt.Errorf("%s: %w", args[0], err), "put files that were joined into their order, the oldest first, or sort the lines by time")
			}
			if err != nil {
				return err
			}
			if rep.Requests == 0 {
				return failed(fmt.Errorf("%s holds no request that can be read: %s", args[0], cmp.Or(rep.Problem, "it has "+plural(rep.Lines, "line")+" of other things")),
					"the formats are combined, main and vhost_combined, as nginx and Apache write them, and JSON lines; gzip is undone")
			}
			if inv.json {
				return inv.printJSON(rep)
			}
			return inv.printReplay(rep)
		}),
	}
	inv.jsonFlag(cmd)
	return cmd
}

// mostShown is how many clients a report shows; --json has all.
const mostShown = 20

func (inv *invocation) printReplay(rep *replay.Report) error {
	tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "%s from %s to %s, %d refused\n", plural(rep.Requests, "request"), rep.From.Format(time.RFC3339), rep.To.Format(time.RFC3339), rep.Refused)
	if rep.Skipped > 0 {
		fmt.Fprintf(tw, "%s could not be read; the first: %s\n", plural(rep.Skipped, "line"), rep.Problem)
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
		fmt.Fprintf(tw, "and %s, see --json\n", plural(n, "other client"))
	}
	return tw.Flush()
}

// printableLines is diag.Printable for a text that may have lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = diag.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// An operator asks a running server.
type operator struct {
	client client.Client
	by     string
}

// ask is client.Ask with hints for errors.
func (o *operator) ask(ctx context.Context, method, path string, body, v any) error {
	err := o.client.Ask(ctx, method, path, body, v)
	if _, ok := errors.AsType[*client.RequestError](err); ok {
		return misuse("freshet guard --help shows how it is used", "%w", err)
	}
	if _, ok := errors.AsType[*client.UnreachableError](err); ok {
		return failed(err, "freshet up or freshet serve has to run, with this address as admin; --admin names another")
	}
	answer, ok := errors.AsType[*client.AnswerError](err)
	switch {
	case !ok:
	case answer.Message == "":
		return failed(err, "it may be no operators' listener of freshet, or one of a server without a guard")
	case answer.Status == http.StatusUnauthorized:
		return failed(err, "set adminToken in the settings, or FRESHET_ADMIN_TOKEN, to that of the server")
	case answer.Status == http.StatusBadRequest:
		return misuse("freshet guard --help shows how it is used", "%w", err)
	case answer.Status == http.StatusNotFound:
		switch what, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); what {
		case "bans":
			return failed(err, "freshet guard list shows the bans; freshet guard explain ADDRESS tells which one covers it")
		case "refusals":
			return failed(err, "a server remembers its last 4,096 refusals; freshet guard explain ADDRESS tells of a client")
		case "switches":
			return misuse("freshet guard switch shows the switches", "%w", err)
		}
	}
	return err
}
