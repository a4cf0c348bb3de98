// Package documents reads a site's documents from where they are: a content tree, or MongoDB together with the pages and
// static files of a content tree.
//
// A [Source] makes one source of both. A scan that reads the content tree and then fails to read MongoDB loses nothing: the
// next scan that succeeds reports the changes of both.
package documents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"freshet/internal/contentdir"
	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// Config says where the documents are.
type Config struct {
	Content string          // folder of the content tree
	Own     []string        // folders of freshet's own, which hold no static files of other tools; empty names are ignored
	Mongo   *mongodb.Config // nil: all documents are in the content tree

	Language  string         // of documents that name none
	Zone      *time.Location // of dates without one
	Summaries contentdir.Summarizer
	Memo      contentdir.Memo // nil: every file is read
	Logger    *slog.Logger
}

// A Source is where a site's documents come from.
type Source struct {
	files  *contentdir.Source
	folder string

	db    *mongodb.DB     // nil: all documents are in files
	mongo *mongodb.Source // likewise

	mu   sync.Mutex   // one scan at a time; protects held
	held site.Changes // changes of files that no successful Scan has reported yet
}

// Open opens a source. It does not ask MongoDB yet.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	files := contentdir.Config{Dir: cfg.Content, Beside: beside(cfg.Content, cfg.Own), Language: cfg.Language, Summaries: cfg.Summaries, Memo: cfg.Memo, Zone: cfg.Zone, Logger: cfg.Logger}
	s := &Source{folder: cfg.Content}
	var err error
	if cfg.Mongo != nil {
		s.folder, files.Only = "", besideMongo()
		if s.db, err = OpenMongo(ctx, *cfg.Mongo, cfg.Zone, cfg.Logger); err != nil {
			return nil, err
		}
		if s.mongo, err = mongodb.NewSource(s.db, cfg.Summaries, cfg.Language); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if s.files, err = contentdir.New(files); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenMongo makes a client of MongoDB for a site whose dates without a zone are in zone.
func OpenMongo(ctx context.Context, cfg mongodb.Config, zone *time.Location, logger *slog.Logger) (*mongodb.DB, error) {
	cfg.Logger, cfg.Zone = logger, zone
	return mongodb.Open(ctx, cfg)
}

// Close closes the connections.
func (s *Source) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// DB returns the client of MongoDB; nil: all documents are in files.
func (s *Source) DB() *mongodb.DB { return s.db }

// Mongo returns the part of the source that is in MongoDB; nil: all documents are in files.
func (s *Source) Mongo() *mongodb.Source { return s.mongo }

// Folder returns the folder of the content tree, as messages name it; empty: documents are not named by files.
func (s *Source) Folder() string { return s.folder }

// String returns the name of the source, for messages.
func (s *Source) String() string {
	if s.mongo == nil {
		return s.folder
	}
	return "the database " + s.db.Name()
}

// Naming returns a sentence that says how to name a document.
func (s *Source) Naming() string {
	if s.mongo == nil {
		return "name its file below the content folder, or its slug; files whose names begin with a dot or are no Markdown are no documents"
	}
	return "name its slug, or its collection and _id, such as blogs:65f0c0ffee65f0c0ffee65f0"
}

// Locate returns the line of a document's file that holds an address.
func (s *Source) Locate(name, address string, front bool) int {
	return s.files.Locate(name, address, front)
}

// besideMongo lists the parts of a content tree that belong to a site whose posts and courses are in MongoDB: pages, static
// files, and the text of the front page.
func besideMongo() []string { return []string{"pages", "static", "_index.md"} }

// inFiles reports whether the document or file of a name is in the content tree.
func (s *Source) inFiles(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return s.mongo == nil || slices.Contains(besideMongo(), top)
}

// Scan reports what changed since the last report. changed names the documents to read; nil: all.
func (s *Source) Scan(ctx context.Context, changed []string) (*site.Changes, error) {
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

// merge adds a later report of the same source to held.
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

// Names lists the names of every document and every file, for a round of verification.
func (s *Source) Names(ctx context.Context) ([]string, error) {
	names, err := s.files.Names(ctx)
	if err != nil || s.mongo == nil {
		return names, err
	}
	inMongo, err := s.mongo.Names(ctx)
	return append(names, inMongo...), err
}

// Verify makes the next Scan read the named files even if their times have not changed. Documents of MongoDB are always read.
func (s *Source) Verify(names []string) {
	var files []string
	for _, name := range names {
		if s.inFiles(name) {
			files = append(files, name)
		}
	}
	s.files.Verify(files)
}

// Body reads a body.
func (s *Source) Body(ctx context.Context, ref site.BodyRef) (site.Body, error) {
	if s.inFiles(string(ref.Doc)) {
		return s.files.Body(ctx, ref)
	}
	return s.mongo.Body(ctx, ref)
}

// Open reads a file.
func (s *Source) Open(ctx context.Context, f *site.File) (io.ReadCloser, error) {
	if s.inFiles(f.Name) {
		return s.files.Open(ctx, f)
	}
	return s.mongo.Open(ctx, f)
}
