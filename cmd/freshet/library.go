package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"freshet/generator/markup"
	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/internal/stored"
	"freshet/internal/transfer"
)

var (
	_ transfer.Library = (*contentdir.Library)(nil)
	_ transfer.Library = (*mongodb.Library)(nil)
)

// A place is a library for import and export, with its name and its collections.
type place struct {
	transfer.Library
	name        string   // for messages
	collections []string // the only ones that it keeps; nil: it keeps any
	has         func(ctx context.Context, coll string) (bool, error)
	called      func(coll string) string // what the place calls a collection
	built       func(coll string) bool   // reports whether builds read a collection
	check       func(coll string, d extjson.Doc) (field, message, remedy string)
	close       func() error
}

// openPlace opens the place of the documents that the settings name. A content folder has to exist for reading.
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

// mongoPlace makes a place of a database. Closing the place closes the database.
func mongoPlace(db *mongodb.DB) (*place, error) {
	l, err := mongodb.NewLibrary(db)
	if err != nil {
		return nil, err
	}
	return &place{Library: l, name: "the database " + db.Name(), has: l.Has, called: db.Called, built: db.Reads, close: db.Close}, nil
}

// openContent opens a content tree, which may be absent. zone is the zone of dates without one.
func openContent(ctx context.Context, dir string, zone *time.Location) (*place, error) {
	l, err := contentdir.OpenLibrary(ctx, contentdir.Config{Dir: dir, Zone: zone, Summaries: markup.New(markup.Config{})})
	if err != nil {
		if p, ok := errors.AsType[*diag.Problem](err); ok {
			return nil, failed(p, "mend or remove the file: what it holds cannot be told apart from what is new")
		}
		return nil, err
	}
	return &place{Library: l, name: dir, collections: []string{stored.Blogs, stored.Courses}, has: l.Has, check: l.Check,
		called: func(coll string) string { return coll }, built: func(string) bool { return true }, close: func() error { return nil }}, nil
}

// findInput finds the files or the tree that PATH of import names.
func findInput(name string) (transfer.Input, error) {
	in, err := transfer.FindInput(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return in, failed(fmt.Errorf("there is no %s", name), "PATH is a file that mongoexport wrote, or a folder of Markdown files")
	case errors.Is(err, transfer.ErrMarkdown):
		return in, misuse("name its folder", "%s is one Markdown file, which alone does not tell what it is", name)
	}
	return in, err
}

// refusals returns the error of an import or export that left documents out; nil: it left none out.
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
