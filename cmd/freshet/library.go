package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/internal/transfer"
)

var (
	_ transfer.Library = (*contentdir.Library)(nil)
	_ transfer.Library = (*mongodb.Library)(nil)
)

// A place is a library that import and export work with.
type place struct {
	transfer.Library
	name        string   // as messages have it
	collections []string // that it keeps; nil: any
	has         func(ctx context.Context, coll string) (bool, error)
	called      func(coll string) string // what the place calls a collection
	built       func(coll string) bool   // a build reads it
	check       func(coll string, d extjson.Doc) (field, message, remedy string)
	close       func() error
}

// openPlace opens where the settings say that documents are kept. reading says that there must be something.
func (inv *invocation) openPlace(ctx context.Context, eff *settings.Effective, reading bool) (*place, error) {
	if eff.FromMongo() {
		db, err := openMongo(ctx, &eff.Settings, inv.logger(eff.Quiet()))
		if err != nil {
			return nil, err
		}
		return mongoPlace(db)
	}
	if reading {
		if _, err := os.Stat(eff.Content); errors.Is(err, fs.ErrNotExist) {
			return nil, failed(fmt.Errorf("there is no content folder %s", eff.Content), "name it with --content")
		}
	}
	return openContent(ctx, eff.Content, eff.Zone())
}

// mongoPlace is a database, which is closed with the place.
func mongoPlace(db *mongodb.DB) (*place, error) {
	l, err := mongodb.NewLibrary(db)
	if err != nil {
		return nil, err
	}
	return &place{Library: l, name: "the database " + db.Name(), has: l.Has, called: db.Called, built: db.Reads, close: db.Close}, nil
}

// openContent opens a content tree, which need not exist. zone is that of dates without one.
func openContent(ctx context.Context, dir string, zone *time.Location) (*place, error) {
	l, err := contentdir.OpenLibrary(ctx, dir, zone)
	if err != nil {
		if p, ok := errors.AsType[*diag.Problem](err); ok {
			return nil, failed(p, "mend or remove the file: what it holds cannot be told apart from what is new")
		}
		return nil, err
	}
	return &place{Library: l, name: dir, collections: []string{contentdir.Blogs, contentdir.Courses}, has: hasContent, check: checkContent,
		called: func(coll string) string { return coll }, built: func(string) bool { return true }, close: func() error { return nil }}, nil
}

// hasContent reports whether a content tree keeps documents of a collection.
func hasContent(_ context.Context, coll string) (bool, error) {
	return coll == contentdir.Blogs || coll == contentdir.Courses, nil
}

// checkContent warns of documents that a content tree keeps but cannot show.
func checkContent(coll string, d extjson.Doc) (field, message, remedy string) {
	if contentdir.Shown(coll, d) {
		return "", "", ""
	}
	return "content", "the content is of no form that a Markdown file can show: it is kept among the fields, and its page has no text",
		"store HTML in htmlContent, or build from MongoDB"
}

// exportedFile reports whether a name is that of a file which mongoexport writes.
func exportedFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ndjson", ".json", ".jsonl":
		return true
	}
	return false
}

// An input is what PATH of import names: files of mongoexport's, or a content tree.
type input struct {
	files []string
	tree  string
}

func findInput(name string) (input, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return input{}, failed(fmt.Errorf("there is no %s", name), "PATH is a file that mongoexport wrote, or a folder of Markdown files")
	case err != nil:
		return input{}, err
	case !info.IsDir():
		if _, isMarkdown := strings.CutSuffix(strings.ToLower(name), ".md"); isMarkdown {
			return input{}, misuse("name its folder", "%s is one Markdown file, which alone does not tell what it is", name)
		}
		return input{files: []string{name}}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return input{}, err
	}
	var in input
	for _, e := range entries {
		if !e.IsDir() && exportedFile(e.Name()) && (filepath.Ext(e.Name()) != ".json" || strings.HasPrefix(e.Name(), "blogs") || strings.HasPrefix(e.Name(), "courses")) {
			in.files = append(in.files, filepath.Join(name, e.Name()))
		}
	}
	slices.Sort(in.files)
	if len(in.files) == 0 {
		in.tree = name
	}
	return in, nil
}

// refusals is the error that ends an import or export which left something out; nil if it did not.
func refusals(what string, problems []diag.Problem) error {
	var names []string
	for _, p := range problems {
		if p.Severity != diag.Error {
			continue
		}
		name := p.File
		if p.Line > 0 {
			name = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		if p.ID != "" {
			name += " (" + p.ID + ")"
		}
		names = append(names, name)
	}
	return refusal(names, "not "+what)
}
