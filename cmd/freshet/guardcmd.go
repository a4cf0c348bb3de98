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
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/server/admin"
	"freshet/server/admin/client"
	"freshet/server/desk"
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
	var order admin.Order
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
		fmt.Fprintf(inv.stdout, "%s is banned until %s, scope %s\n", desk.Short(ban.Client), ban.Until.Format(time.RFC3339), diag.Printable(ban.Scope))
		return nil
	})
}

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
		fmt.Fprintln(inv.stdout, desk.LiftedText(&lifted))
		return nil
	})
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
		return desk.WriteBans(inv.stdout, list)
	})
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
		var e admin.Explanation
		ask := url.Values{"client": {args[0]}, "method": {method}, "path": {path}, "user_agent": {agent}}
		if err := op.ask(ctx, http.MethodGet, "/explain?"+ask.Encode(), nil, &e); err != nil {
			return err
		}
		if inv.json {
			return inv.printJSON(e)
		}
		return desk.WriteExplanation(inv.stdout, method, path, &e)
	})
}

func (inv *invocation) explainRefusal(ctx context.Context, op *operator, id string) error {
	var d admin.Decision
	if err := op.ask(ctx, http.MethodGet, "/refusals/"+url.PathEscape(id), nil, &d); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(d)
	}
	return desk.WriteDecision(inv.stdout, &d)
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
			order := admin.Order{State: args[1], Reason: reason, By: op.by}
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
		return desk.WriteSwitches(inv.stdout, list)
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
			client, err := replay.Clients(eff.Guard.TrustedProxies)
			if err != nil {
				return fmt.Errorf("guard.trustedProxies: %w", err)
			}
			rep, err := replay.Simulate(ctx, eff.Guard.Policy, in, client)
			if _, ok := errors.AsType[*replay.OrderError](err); ok {
				return failed(fmt.Errorf("%s: %w", args[0], err), "put files that were joined into their order, the oldest first, or sort the lines by time")
			}
			if err != nil {
				return err
			}
			if rep.Requests == 0 {
				return failed(fmt.Errorf("%s holds no request that can be read: %s", args[0], cmp.Or(rep.Problem, "it has "+diag.Count(rep.Lines, "line")+" of other things")),
					"the formats are combined, main and vhost_combined, as nginx and Apache write them, and JSON lines; gzip is undone")
			}
			if inv.json {
				return inv.printJSON(rep)
			}
			return rep.Write(inv.stdout)
		}),
	}
	inv.jsonFlag(cmd)
	return cmd
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
