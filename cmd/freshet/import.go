package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/settings"
	"freshet/internal/transfer"
)

// importFlags is how an import is to be done.
type importFlags struct {
	collection, uploads string
	dryRun              bool
}

func (inv *invocation) importCommand() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "import PATH",
		Short: "Take in documents that mongoexport wrote, or a tree of Markdown files",
		Long: `Takes documents into the place that the site is built from. PATH is a file that mongoexport wrote, one
document a line or an array, in relaxed or canonical Extended JSON; a folder of such files; or a tree of
Markdown files as Hugo, Jekyll, Zola and Astro have them. The collection of each document is told by its
fields, else by the name of the file.

Documents are stored as they are; the build repairs. One with the _id of a document that is there takes
its place, and one without _id that of the document with its slug. Where the slug is that of a document
with another _id, nothing is overwritten, and both are named. An import that was stopped is run again.

The exit status is 1 when a document was not stored; the last line of standard error then names them.`,
		Example: "  freshet import blogs.ndjson --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			return inv.importPath(ctx, eff, args[0], flags)
		}),
	}
	inv.jsonFlag(cmd)
	settings.AddFlags(cmd.Flags(), "source", "content", "log")
	f := cmd.Flags()
	f.StringVar(&flags.collection, "collection", "", "`name` of the collection of every document")
	f.StringVar(&flags.uploads, "uploads", "", "`folder` of the files that documents name as /uploads/…; they are copied into the content folder")
	f.BoolVar(&flags.dryRun, "dry-run", false, "say what would be done, and change nothing")
	return cmd
}

func (inv *invocation) importPath(ctx context.Context, eff *settings.Effective, name string, flags importFlags) (err error) {
	in, err := findInput(name)
	if err != nil {
		return err
	}
	if in.Tree != "" && (settings.Within(in.Tree, eff.Content) || settings.Within(eff.Content, in.Tree)) {
		return misuse("name another folder, or another content folder with --content", "%s is the content folder itself, or part of it", name)
	}
	to, err := inv.openPlace(ctx, eff, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	uploads, err := findUploads(eff, in, flags.uploads)
	if err != nil {
		return err
	}
	cfg := transfer.Config{To: to, Collections: to.collections, Collection: flags.collection, DryRun: flags.dryRun, Uploads: uploads, Check: to.check}
	done := func() {}
	if onTerminal(inv.stderr) {
		cfg.Progress = func(read int) { fmt.Fprintf(inv.stderr, "\r\x1b[K%s", diag.Count(read, "document")) }
		done = func() { fmt.Fprint(inv.stderr, "\r\x1b[K") }
	}
	im, err := transfer.NewImporter(cfg)
	if err != nil {
		return err
	}
	if in.Tree != "" {
		err = importTree(ctx, eff, im, in.Tree, flags.collection)
	}
	for _, file := range in.Files {
		if err == nil {
			err = im.AddFile(ctx, file)
		}
	}
	rep := im.Report()
	if err == nil {
		rep, err = im.Finish(ctx)
	}
	done()
	return inv.printImport(ctx, to, rep, flags.dryRun, err)
}

// findUploads says where the files are that documents name. A tree of Markdown files brings its own.
func findUploads(eff *settings.Effective, in transfer.Input, folder string) (*transfer.Uploads, error) {
	to := filepath.Join(eff.Content, "static")
	if folder == "" {
		if in.Tree == "" {
			return nil, nil
		}
		return &transfer.Uploads{From: in.Tree, To: to}, nil
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, misuse("name the folder that holds the files", "--uploads: there is no folder %s", folder)
	}
	u := &transfer.Uploads{From: folder, To: to}
	if err := u.ReadMap(in); err != nil {
		return nil, failed(err, "it gives a file for each address, or null")
	}
	return u, nil
}

func importTree(ctx context.Context, eff *settings.Effective, im *transfer.Importer, dir, collection string) error {
	from, err := openContent(ctx, dir, eff.Zone())
	if err != nil {
		return err
	}
	for _, coll := range from.collections {
		if collection != "" && coll != collection {
			continue
		}
		if err := im.Copy(ctx, from, coll); err != nil {
			return err
		}
	}
	return nil
}

// printImport tells what an import did, also where cause ended it.
func (inv *invocation) printImport(ctx context.Context, to *place, rep *transfer.Report, dryRun bool, cause error) error {
	diag.Print(inv.stderr, rep.Problems)
	if inv.json {
		if err := inv.printJSON(rep); err != nil {
			return err
		}
	} else {
		var called func(string) string
		if to.collections == nil { // a content tree keeps each kind in its own folder
			called = to.called
		}
		if err := rep.Write(inv.stdout, to.name, called, dryRun); err != nil {
			return err
		}
	}
	for _, coll := range slices.Sorted(maps.Keys(rep.Collections)) {
		if !to.built(coll) {
			inv.warn("no build reads the collection %s: name the one that it belongs to with --collection, or set mongo.collections, such as {blogs: %s}", coll, coll)
		}
	}
	if ctx.Err() != nil {
		cause = errors.New("stopped before all was read")
	}
	if cause != nil {
		return failed(cause, "what was stored stays; run the import again, and it goes on with the rest")
	}
	return refusals("imported", rep.Problems)
}
