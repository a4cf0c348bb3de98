package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/settings"
	"freshet/internal/stored"
	"freshet/internal/transfer"
)

// exportFlags is how an export is to be done.
type exportFlags struct {
	collection, as string
	canonical      bool
}

func (inv *invocation) exportCommand() *cobra.Command {
	var flags exportFlags
	cmd := &cobra.Command{
		Use:   "export PATH",
		Short: "Write the documents as mongoexport does, or as Markdown files",
		Long: `Writes the documents that the site is built from. PATH is a folder, which gets a file for each
collection (blogs.ndjson, courses.ndjson), one document a line; a file for one collection, which
--collection or its name tells; or - for standard output. With --as markdown it is a folder that gets
a tree of Markdown files.

Documents that were imported come out as they went in. Posts and courses that authors wrote as Markdown
files come out with the fields that MongoDB has for them, template syntax of other tools translated.

The exit status is 1 when a document was left out; the last line of standard error then names them.`,
		Example: "  freshet export backup",
		Args:    cobra.ExactArgs(1),
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if flags.as != "ndjson" && flags.as != "markdown" {
				return misuse("ndjson or markdown", "--as cannot be %q", flags.as)
			}
			if flags.as == "markdown" && flags.canonical {
				return misuse("leave one of them out", "--canonical says nothing about Markdown files")
			}
			return inv.export(ctx, eff, args[0], flags)
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), "source", "content", "log")
	f := cmd.Flags()
	f.StringVar(&flags.collection, "collection", "", "`name` of the only collection to write")
	f.StringVar(&flags.as, "as", "ndjson", "`form` of the export: ndjson or markdown")
	f.BoolVar(&flags.canonical, "canonical", false, "write canonical Extended JSON, which spells out every type")
	return cmd
}

func (inv *invocation) export(ctx context.Context, eff *settings.Effective, name string, flags exportFlags) (err error) {
	from, err := inv.openPlace(ctx, eff, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	collections := []string{transfer.Blogs, transfer.Courses}
	if flags.collection != "" {
		collections = []string{flags.collection}
	}
	if collections, err = from.present(ctx, collections); err != nil {
		return err
	}
	if flags.as == "markdown" {
		return inv.exportTree(ctx, eff, from, collections, name)
	}
	rep := &transfer.Exported{Files: []transfer.ExportedFile{}, Problems: []diag.Problem{}}
	toStdout := name == "-"
	if toStdout || transfer.IsExport(name) {
		if flags.collection == "" {
			coll := ""
			if !toStdout {
				coll = transfer.CollectionOf(nil, name)
			}
			collections = slices.DeleteFunc(collections, func(c string) bool { return c != coll })
		}
		if len(collections) == 0 {
			return misuse("name it with --collection, or export into a folder", "%s does not tell which collection to write", name)
		}
	} else if err := os.MkdirAll(name, 0o777); err != nil {
		return err
	}
	form := extjson.Relaxed
	if flags.canonical {
		form = extjson.Canonical
	}
	for _, coll := range collections {
		file := name
		if !toStdout && !transfer.IsExport(name) {
			file = filepath.Join(name, coll+".ndjson")
		}
		n, problems, err := inv.exportFile(ctx, from, coll, file, form)
		rep.Problems = append(rep.Problems, problems...)
		if err != nil {
			diag.Print(inv.stderr, rep.Problems)
			return err
		}
		rep.Files = append(rep.Files, transfer.ExportedFile{Collection: coll, File: filepath.ToSlash(file), Documents: n})
	}
	diag.Sort(rep.Problems)
	diag.Print(inv.stderr, rep.Problems)
	if inv.json && !toStdout {
		if err := inv.printJSON(rep); err != nil {
			return err
		}
	} else if !toStdout {
		if err := rep.Write(inv.stdout); err != nil {
			return err
		}
	}
	return refusals("exported", rep.Problems)
}

// present are those of the collections that are there. When none is, the place is hardly the one meant.
func (p *place) present(ctx context.Context, collections []string) ([]string, error) {
	var out []string
	for _, coll := range collections {
		switch has, err := p.has(ctx, coll); {
		case err != nil:
			return nil, err
		case has:
			out = append(out, coll)
		}
	}
	if len(out) == 0 {
		return nil, failed(fmt.Errorf("%s has no collection %s; nothing was written", p.name, strings.Join(collections, " or ")),
			"name the database with mongo.db (MONGODB_DB), and the collection with --collection")
	}
	return out, nil
}

// exportFile writes one collection to a file, which is whole or as it was before.
func (inv *invocation) exportFile(ctx context.Context, from *place, coll, file string, form extjson.Form) (n int, problems []diag.Problem, err error) {
	var progress func(int)
	if onTerminal(inv.stderr) {
		progress = func(n int) { fmt.Fprintf(inv.stderr, "\r\x1b[K%s of %s", diag.Count(n, "document"), coll) }
		defer fmt.Fprint(inv.stderr, "\r\x1b[K")
	}
	if file == "-" {
		return transfer.Write(ctx, from, coll, inv.stdout, form, progress)
	}
	return transfer.WriteFile(ctx, from, coll, file, form, progress)
}

// exportTree writes Markdown files: an import into another content tree.
func (inv *invocation) exportTree(ctx context.Context, eff *settings.Effective, from *place, collections []string, dir string) error {
	if settings.Within(dir, eff.Content) || settings.Within(eff.Content, dir) {
		return misuse("name another folder", "%s is the content folder itself, or part of it", dir)
	}
	to, err := openContent(ctx, dir, eff.Zone())
	if err != nil {
		return err
	}
	im, err := transfer.NewImporter(transfer.Config{To: to, Collections: []string{stored.Blogs, stored.Courses}, Check: to.check,
		Uploads: &transfer.Uploads{From: eff.Content, To: filepath.Join(dir, "static")}})
	if err != nil {
		return err
	}
	for _, coll := range collections {
		if err == nil {
			err = im.Copy(ctx, from, coll)
		}
	}
	rep := im.Report()
	if err == nil {
		rep, err = im.Finish(ctx)
	}
	return inv.printImport(ctx, to, rep, false, err)
}
