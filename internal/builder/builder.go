// Package builder makes the pages of one site: a [Builder] joins its documents, page log, public tree, theme and generator,
// and a [Rebuilder] runs the Builder for a daemon.
//
// A build either commits a whole generation or leaves the site as it was. Some errors do not end it: a [BesideError] says
// that the generation is committed and something beside its pages is not, and Report.Refused names pages that would go
// away and stay.
package builder

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"syscall"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/internal/contentdir"
	"freshet/internal/digest"
	"freshet/internal/documents"
	"freshet/internal/memo"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

// Config is what a Builder needs.
type Config struct {
	Documents documents.Config // without Summaries and Memo
	Log       pagestore.Config // of the page log; its Dir is the state folder
	Public    string           // folder of the public tree; empty: there is none
	Tree      publictree.Options
	Templates string           // folder of templates that replace built-in ones; it may be absent
	Markup    markup.Config    // without Memo
	Generator generator.Config // without Source, Store, Tree, Theme, Markup and Folder
	Settings  digest.Sum       // of all settings; 0: unknown, and the next process is not told that nothing changed
	Patient   bool             // open even if templates have mistakes; the first build reports them
	Logger    *slog.Logger
}

// A Builder is everything that makes the pages of one site. One build runs at a time.
type Builder struct {
	Source *documents.Source
	Store  *pagestore.Writer

	gen     *generator.Generator
	theme   theme
	logger  *slog.Logger
	shrink  bool       // the current build may remove any number of pages
	results *memo.File // rendered bodies; nil: they are not kept
	parsed  *memo.File // parsed files; nil: they are not kept
}

// Open opens all parts. Mistakes in templates are a [*generator.ThemeError]. If the page log cannot be opened, the error is a
// [*LogError].
func Open(ctx context.Context, cfg Config) (_ *Builder, err error) {
	b := &Builder{logger: cfg.Logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if cfg.Generator.Theme, err = b.theme.open(cfg.Templates, cfg.Patient); err != nil {
		return nil, err
	}
	if b.Store, err = pagestore.OpenWriter(cfg.Log); err != nil {
		return nil, &LogError{err}
	}
	// The version of the renderer is part of the keys. As the version of the file it drops the results of other versions.
	version := markup.New(cfg.Markup).Version()
	if b.results, err = memo.Open(cfg.renderedBodies(), version); err == nil {
		cfg.Markup.Memo = b.results
	} else {
		cfg.Logger.Warn("there is no memory of rendered bodies, all are rendered", "error", err)
	}
	var reading contentdir.Memo
	if b.parsed, err = memo.Open(cfg.readFiles(), 0); err == nil {
		reading = b.parsed
	} else {
		cfg.Logger.Warn("there is no memory of read files, all are read", "error", err)
	}
	cfg.Generator.Markup = markup.New(cfg.Markup)
	cfg.Documents.Summaries, cfg.Documents.Memo = cfg.Generator.Markup, reading
	if b.Source, err = documents.Open(ctx, cfg.Documents); err != nil {
		return nil, err
	}
	if mongo := b.Source.Mongo(); mongo != nil {
		mongo.Must(func(coll string) bool {
			for range b.shown(coll) {
				return !b.shrink
			}
			return false
		})
		mongo.Shown(b.shown)
	}
	if cfg.Public != "" {
		if cfg.Generator.Tree, err = publictree.Open(cfg.Public, b.Store, cfg.Tree); err != nil {
			return nil, err
		}
	}
	cfg.Generator.Source, cfg.Generator.Store, cfg.Generator.Folder = b.Source, b.Store, b.Source.Folder()
	if !cfg.Generator.LiveReload && !b.theme.broken {
		cfg.Generator.Inputs = cfg.inputs(b.theme.sum)
	}
	if b.gen, err = generator.New(cfg.Generator); err != nil {
		return nil, err
	}
	return b, nil
}

// Close closes all parts, and writes the memos to the disk.
func (b *Builder) Close() error {
	var errs []error
	if b.gen != nil {
		errs = append(errs, b.gen.Close())
	}
	if b.Source != nil {
		errs = append(errs, b.Source.Close())
	}
	for _, m := range []*memo.File{b.results, b.parsed} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	if b.Store != nil {
		errs = append(errs, b.Store.Close())
	}
	return errors.Join(errs...)
}

// Generator returns the generator.
func (b *Builder) Generator() *generator.Generator { return b.gen }

// Await waits until a deferred page is built. It reports whether the page was one, and the generation that has it.
func (b *Builder) Await(ctx context.Context, path site.Path) (left bool, generation uint64, err error) {
	left, err = b.gen.Await(ctx, path)
	return left, b.Store.Current().ID, err
}

// Build brings the site up to its source. It refuses with a [*PinnedError] if a rollback pinned the site.
func (b *Builder) Build(ctx context.Context, opt generator.Options) (*generator.Report, error) {
	if gen := b.Store.Current(); gen.Pinned() {
		return nil, &PinnedError{gen.ID}
	}
	b.shrink = opt.AllowShrink
	rep, err := b.gen.Build(ctx, opt)
	if rep != nil && rep.Refused != nil && err == error(rep.Refused) { // everything else is built
		err = nil
	}
	if err != nil && rep != nil && rep.Generation > 0 {
		return rep, &BesideError{err}
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		err = fmt.Errorf("%w; %s", err, FilesRemedy)
	}
	if err != nil {
		return nil, err
	}
	if err := b.keepMemos(opt.Changed == nil, rep.Planned); err != nil {
		b.logger.Warn("what was computed cannot be kept, the next start computes it again", "error", err)
	}
	if b.Store.ShouldCompact() {
		if err := b.Store.Compact(ctx); err != nil && ctx.Err() == nil {
			b.logger.Warn("the page log cannot be compacted, it is tried after the next build", "error", err)
		}
	}
	return rep, nil
}

// keepMemos writes the memos to the disk. After a full scan, entries that it did not look up belong to deleted files. After
// a build that planned every page, the same holds for rendered bodies. keepMemos drops both.
func (b *Builder) keepMemos(scanned, planned bool) (err error) {
	if scanned && b.parsed != nil {
		err = b.parsed.Trim()
	}
	if err == nil && planned && b.results != nil {
		err = b.results.Trim()
	}
	for _, m := range []*memo.File{b.results, b.parsed} {
		if err == nil && m != nil {
			err = m.Flush()
		}
	}
	return err
}

// shown returns the documents of a collection of MongoDB that have pages.
func (b *Builder) shown(coll string) iter.Seq[site.ID] {
	return func(yield func(site.ID) bool) {
		for e := range b.Store.Current().All() {
			if strings.HasPrefix(string(e.Doc), coll+":") && e.Remembered.IsZero() && !yield(e.Doc) {
				return
			}
		}
	}
}

// deferredPerBuild is how many deferred pages one build makes.
const deferredPerBuild = 200

// BuildAll builds until no deferred page is left. Its report sums up all of these builds.
func (b *Builder) BuildAll(ctx context.Context, opt generator.Options) (*generator.Report, error) {
	rep, err := b.Build(ctx, opt)
	for err == nil && rep.Left > 0 {
		before := rep
		rep, err = b.Build(ctx, generator.Options{Now: opt.Now, Changed: []string{}, Rest: deferredPerBuild, Cause: opt.Cause, Progress: opt.Progress})
		if rep != nil {
			rep.Committed = true
			rep.Rendered += before.Rendered
			rep.Changed += before.Changed
			rep.Removed += before.Removed
			for name, ms := range before.Phases {
				rep.Phases[name] += ms
			}
		}
	}
	return rep, err
}

// reloadTheme reads the templates again if their folder changed, or if they had mistakes. changed reports whether the folder
// may have changed.
func (b *Builder) reloadTheme(changed bool) error {
	theme, err := b.theme.reload(changed)
	if theme != nil {
		b.gen.SetTheme(theme)
	}
	return err
}

// FilesRemedy is the remedy if the process has too few file descriptors.
const FilesRemedy = "raise the limit of open files: LimitNOFILE= of the systemd unit, or ulimit -n"

// A LogError says that the page log cannot be opened.
type LogError struct{ Err error }

func (e *LogError) Error() string { return e.Err.Error() }
func (e *LogError) Unwrap() error { return e.Err }

// A BesideError says that a generation is committed, but the public tree or the time of the last verification could not be
// written.
type BesideError struct{ Err error }

func (e *BesideError) Error() string { return e.Err.Error() }
func (e *BesideError) Unwrap() error { return e.Err }

// Lasting reports whether another try fails in the same way until somebody moves files away.
func (e *BesideError) Lasting() bool {
	_, foreign := errors.AsType[*publictree.ForeignError](e.Err)
	_, collision := errors.AsType[*pagestore.CollisionError](e.Err)
	return foreign || collision
}

// A PinnedError says that a rollback pinned the site.
type PinnedError struct{ Generation uint64 }

func (e *PinnedError) Error() string {
	return fmt.Sprintf("the site is pinned to what generation %d holds", e.Generation)
}
