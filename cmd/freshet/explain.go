package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"freshet/generator/markup"
	"freshet/internal/diag"
	"freshet/internal/documents"
	"freshet/internal/explain"
	"freshet/internal/settings"
	"freshet/internal/site"
)

func (inv *invocation) explainCommand() *cobra.Command {
	var whyNot string
	cmd := &cobra.Command{
		Use:   "explain URL | --why-not DOCUMENT",
		Short: "Say why a page is as it is, or why a document has none",
		Long: `Says what made the page at a URL or path: its documents, its template, the generation that last
changed it, what caused that and who asked for it. With --why-not, says why a document is on no page,
and what became of a page that it had; it is named by its file, its slug, or in MongoDB its collection
and _id (blogs:65f0…).`,
		Example: "  freshet explain /blog/",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("why-not") {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("why-not") {
				return inv.whyNot(ctx, eff, whyNot)
			}
			return inv.explain(eff, args[0])
		}),
	}
	inv.jsonFlag(cmd)
	cmd.Flags().StringVar(&whyNot, "why-not", "", "say why this `document` is on no page: its file, its slug, or collection:_id")
	settings.AddFlags(cmd.Flags(), "source", "content", "state", "public", "drafts", "log")
	return cmd
}

func (inv *invocation) explain(eff *settings.Effective, arg string) error {
	p, ok := site.PathIn(arg)
	if !ok {
		return misuse("a path such as /blog/, or the page's whole address", "%q is no address", arg)
	}
	r, err := inv.openReader(eff)
	if err != nil {
		return err
	}
	gen := r.Current()
	e, ok := explain.Find(gen, p)
	if !ok {
		hint := "freshet explain --why-not DOCUMENT says why a document has no page"
		if near := explain.Nearest(gen, p); near != "" {
			hint = fmt.Sprintf("there is a page at %s", near)
		}
		return failed(fmt.Errorf("there is no page at %s in generation %d", diag.Printable(string(p)), gen.ID), hint)
	}
	x, err := explain.NewPage(explain.Site{Public: eff.Public, Verified: r.Verified(), Revalidate: eff.ISR.Revalidate}, gen, e)
	if err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(x)
	}
	return x.Write(inv.stdout)
}

// titles is a Summarizer for an answer that shows no excerpts: it renders only the bodies that hold the document's title.
type titles struct{ *markup.Renderer }

func (t titles) Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error) {
	if title != "" {
		return site.Summary{}, nil
	}
	return t.Renderer.Summarize(ctx, format, text, title, lang)
}

func (inv *invocation) whyNot(ctx context.Context, eff *settings.Effective, name string) (err error) {
	cfg := documentsConfig(&eff.Settings, inv.logger(eff.Quiet()))
	cfg.Summaries = titles{markup.New(markup.Config{})}
	source, err := documents.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	changes, err := source.Scan(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the documents: %w", err)
	}
	now := time.Now().UTC()
	snap, _ := site.NewSnapshot(now, eff.Build.Drafts).Apply(changes, now)
	ans := explain.WhyNot(snap, changes, explain.FileName(eff.Content, name), now)
	absent := ans == nil
	if absent {
		ans = &explain.Reason{Document: explain.FileName(eff.Content, name), Reason: "it is not in " + source.String(), Pages: []site.Path{}}
	}
	r, err := inv.openReader(eff)
	if _, none := errors.AsType[*noSiteError](err); none && ans.Reason != "" {
		err = nil
	} else if err == nil {
		err = ans.AddPages(r.Current())
	}
	if err != nil {
		return err
	}
	if absent && len(ans.Was) == 0 {
		return failed(fmt.Errorf("there is no document %s in %s", name, source.String()), source.Naming())
	}
	if inv.json {
		return inv.printJSON(ans)
	}
	return ans.Write(inv.stdout)
}
