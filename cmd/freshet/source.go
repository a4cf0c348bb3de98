package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"freshet/generator"
	"freshet/internal/contentdir"
	"freshet/internal/mongodb"
	"freshet/internal/settings"
	"freshet/internal/site"
)

var _ generator.Source = (*source)(nil)

// A source is where a site's documents come from: a content tree, or MongoDB and what a content tree has beside it.
type source struct {
	files  *contentdir.Source
	folder string // of files, as messages name it; empty: documents are not named by files

	db    *mongodb.DB     // nil: all is in files
	mongo *mongodb.Source // likewise

	mu   sync.Mutex   // protects held; one scan at a time
	held site.Changes // of files, reported by a scan that then failed to read MongoDB
}

// besideMongo is what of a content tree belongs to a site whose posts and courses are in MongoDB: pages, what is
// copied as it is, and the text of the front page.
func besideMongo() []string { return []string{"pages", "static", "_index.md"} }

// besideContent are the folders beside the content tree whose files other tools publish as they are: static/ (Hugo, Zola)
// and public/ (Astro), also beside src/ where the tree is src/content. What freshet writes itself is none of them, nor is a
// public/ that is a built site.
func besideContent(cfg *settings.Settings) []string {
	parent := filepath.Dir(filepath.Clean(cfg.Content))
	parents := []string{parent}
	if filepath.Base(parent) == "src" {
		parents = append(parents, filepath.Dir(parent))
	}
	var out []string
	for _, p := range parents {
		for _, name := range [...]string{"static", "public"} {
			dir := filepath.Join(p, name)
			own := slices.ContainsFunc([]string{cfg.Public, cfg.State, cfg.Templates, cfg.Content}, func(o string) bool { return o != "" && sameFolder(o, dir) })
			if info, err := os.Stat(dir); own || err != nil || !info.IsDir() || name == "public" && isBuilt(dir) {
				continue
			}
			out = append(out, dir)
		}
	}
	return out
}

// sameFolder reports whether two paths are one folder, or one of them lies in the other.
func sameFolder(a, b string) bool {
	real := func(p string) string {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		if target, err := filepath.EvalSymlinks(p); err == nil {
			p = target
		}
		return p + string(filepath.Separator)
	}
	a, b = real(a), real(b)
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// isBuilt reports whether a folder is a site that some tool has built.
func isBuilt(dir string) bool {
	for _, name := range [...]string{"index.html", ".freshet"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// openSource opens the source that the settings name. MongoDB is not asked yet.
func openSource(ctx context.Context, cfg *settings.Settings, memo contentdir.Memo, logger *slog.Logger) (*source, error) {
	files := contentdir.Config{Dir: cfg.Content, Beside: besideContent(cfg), Language: cfg.Site.Language, Memo: memo, Zone: cfg.Zone(), Logger: logger}
	s := &source{folder: cfg.Content}
	var err error
	if cfg.FromMongo() {
		s.folder, files.Only = "", besideMongo()
		if s.db, err = openMongo(ctx, cfg, logger); err != nil {
			return nil, err
		}
		if s.mongo, err = mongodb.NewSource(s.db); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if s.files, err = contentdir.New(files); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openMongo makes the client of MongoDB that the settings name, whatever the source is.
func openMongo(ctx context.Context, cfg *settings.Settings, logger *slog.Logger) (*mongodb.DB, error) {
	mc := cfg.Mongo
	mc.Logger, mc.Zone = logger, cfg.Zone()
	return mongodb.Open(ctx, mc)
}

// Close gives the connections back.
func (s *source) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// where is the source as messages name it.
func (s *source) where() string {
	if s.mongo == nil {
		return s.folder
	}
	return "the database " + s.db.Name()
}

// Locate says where in a document's file an address stands.
func (s *source) Locate(name, address string, front bool) int {
	return s.files.Locate(name, address, front)
}

// naming says how a document is named.
func (s *source) naming() string {
	if s.mongo == nil {
		return "name its file below the content folder, or its slug; files whose names begin with a dot or are no Markdown are no documents"
	}
	return "name its slug, or its collection and _id, such as blogs:65f0c0ffee65f0c0ffee65f0"
}

// inFiles reports whether what has a name, a document or a file, is in the content tree.
func (s *source) inFiles(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return s.mongo == nil || slices.Contains(besideMongo(), top)
}

// Scan reports what is different from what was reported before.
func (s *source) Scan(ctx context.Context, changed []string) (*site.Changes, error) {
	if s.mongo == nil {
		return s.files.Scan(ctx, changed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var inFiles, inMongo []string
	if changed != nil {
		inFiles, inMongo = []string{}, []string{}
		for _, name := range changed {
			if s.inFiles(name) {
				inFiles = append(inFiles, name)
			} else {
				inMongo = append(inMongo, name)
			}
		}
	}
	files, err := s.files.Scan(ctx, inFiles)
	if err != nil {
		return nil, err
	}
	merge(&s.held, files)
	ch, err := s.mongo.Scan(ctx, inMongo)
	if err != nil {
		return nil, err
	}
	all := s.held
	s.held = site.Changes{}
	all.Put, all.Drop = slices.Concat(all.Put, ch.Put), slices.Concat(all.Drop, ch.Drop)
	all.Problems, all.Skipped = slices.Concat(all.Problems, ch.Problems), slices.Concat(all.Skipped, ch.Skipped)
	return &all, nil
}

// Names lists what a round of verification compares: every document and every file.
func (s *source) Names(ctx context.Context) ([]string, error) {
	names, err := s.files.Names(ctx)
	if err != nil || s.mongo == nil {
		return names, err
	}
	inMongo, err := s.mongo.Names(ctx)
	return append(names, inMongo...), err
}

// verify makes the next scan read those that are files again, whatever their times say. What is in MongoDB always is.
func (s *source) verify(names []string) {
	var files []string
	for _, name := range names {
		if s.inFiles(name) {
			files = append(files, name)
		}
	}
	s.files.Verify(files)
}

// merge adds what a later scan of the same source reported.
func merge(held, later *site.Changes) {
	put, drop := map[site.ID]site.Document{}, map[site.ID]bool{}
	for _, ch := range []*site.Changes{held, later} {
		for _, d := range ch.Put {
			put[d.DocID()] = d
			delete(drop, d.DocID())
		}
		for _, id := range ch.Drop {
			drop[id] = true
			delete(put, id)
		}
	}
	held.Put, held.Drop = nil, slices.Sorted(maps.Keys(drop))
	for _, id := range slices.Sorted(maps.Keys(put)) {
		held.Put = append(held.Put, put[id])
	}
	held.Problems, held.Skipped, held.Again = later.Problems, later.Skipped, later.Again
}

// Body reads a body.
func (s *source) Body(ctx context.Context, ref site.BodyRef) (site.Body, error) {
	if s.inFiles(string(ref.Doc)) {
		return s.files.Body(ctx, ref)
	}
	return s.mongo.Body(ctx, ref)
}

// Open reads a file.
func (s *source) Open(ctx context.Context, f *site.File) (io.ReadCloser, error) {
	if s.inFiles(f.Name) {
		return s.files.Open(ctx, f)
	}
	return s.mongo.Open(ctx, f)
}
