package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/documents"
	"freshet/internal/memo"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/server"
	"freshet/server/guard"
	"freshet/templates"
)

// A workshop is everything that makes pages, joined: source, page log, public tree and generator.
type workshop struct {
	cfg     *settings.Settings
	source  *documents.Source
	store   *pagestore.Writer
	gen     *generator.Generator
	logger  *slog.Logger
	shrink  bool       // the build that runs may take away what it likes
	broken  bool       // the templates had mistakes when they were last read: the theme in use is an older one
	theme   digest.Sum // of the folder that the theme in use was read from
	results *memo.File // rendered bodies
	parsed  *memo.File // read files
}

// workshopOptions is what commands want of it besides the settings.
type workshopOptions struct {
	adopt      bool // take over a public folder that is not freshet's own
	liveReload bool
	patient    bool // begin even where templates have mistakes, which the first build then reports
	logger     *slog.Logger
}

// openWorkshop opens all parts. Mistakes in templates are a *generator.ThemeError.
func openWorkshop(ctx context.Context, cfg *settings.Settings, opt workshopOptions) (_ *workshop, err error) {
	w := &workshop{cfg: cfg, logger: opt.logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.theme = themeSum(cfg.Templates)
	theme, err := loadTheme(cfg.Templates)
	if _, mistakes := errors.AsType[*generator.ThemeError](err); mistakes && opt.patient {
		w.broken = true
		theme, err = generator.LoadTheme(templates.FS, nil, "")
	}
	if err != nil {
		return nil, err
	}
	if w.store, err = openWriter(cfg, opt.logger); err != nil {
		return nil, err
	}
	// The renderer's version is part of its keys; as the file's version it clears out what nothing asks for any more.
	rendering := markup.Config{Highlight: cfg.Build.Highlight}
	version := markup.New(rendering).Version()
	if w.results, err = memo.Open(filepath.Join(cfg.State, "memo", "markup"), version); err == nil {
		rendering.Memo = w.results
	} else {
		opt.logger.Warn("there is no memory of rendered bodies, all are rendered", "error", err)
	}
	var reading contentdir.Memo
	if w.parsed, err = memo.Open(filepath.Join(cfg.State, "memo", "content"), 0); err == nil {
		reading = w.parsed
	} else {
		opt.logger.Warn("there is no memory of read files, all are read", "error", err)
	}
	if w.source, err = openSource(ctx, cfg, reading, opt.logger); err != nil {
		return nil, err
	}
	if mongo := w.source.Mongo(); mongo != nil {
		mongo.Must(func(coll string) bool {
			for range w.shown(coll) {
				return !w.shrink
			}
			return false
		})
		mongo.Shown(w.shown)
	}
	var tree *pagestore.Tree
	if cfg.Public != "" {
		tree, err = pagestore.OpenTree(cfg.Public, w.store,
			pagestore.TreeOptions{Adopt: opt.adopt, Precompress: cfg.Build.Precompress, Logger: opt.logger})
		if err != nil {
			return nil, explainTree(err)
		}
	}
	w.gen, err = generator.New(generator.Config{
		Source:     w.source,
		Store:      w.store,
		Tree:       tree,
		Theme:      theme,
		Markup:     markup.New(rendering),
		Site:       cfg.Site,
		PerPage:    cfg.Build.PerPage,
		Workers:    cfg.Build.Workers,
		Drafts:     cfg.Build.Drafts,
		LiveReload: opt.liveReload,
		MaxShrink:  cfg.Build.MaxShrink,
		Prerender:  cfg.Build.Prerender,
		Policy:     server.ContentPolicy(markup.FrameSources()),
		Robots:     guard.Robots(cfg.Guard.Policy.Bots.AI),
		State:      cfg.State,
		KeepAssets: cfg.ISR.MaxStale,
		Folder:     w.source.Folder(),
		Logger:     opt.logger,
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Close gives everything back. What the memories hold is written.
func (w *workshop) Close() error {
	var errs []error
	if w.gen != nil {
		errs = append(errs, w.gen.Close())
	}
	if w.source != nil {
		errs = append(errs, w.source.Close())
	}
	for _, m := range []*memo.File{w.results, w.parsed} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	return errors.Join(errs...)
}

// await waits for a page that builds have left for later: see revalidator.Config.
func (w *workshop) await(ctx context.Context, path site.Path) (left bool, generation uint64, err error) {
	left, err = w.gen.Await(ctx, path)
	return left, w.store.Current().ID, err
}

// build brings the site up to its source, unless it is pinned. Documents that may not go are in the report, not an error.
func (w *workshop) build(ctx context.Context, opt generator.Options) (*generator.Report, error) {
	if gen := w.store.Current(); gen.Pinned() {
		return nil, failed(&pinnedError{gen.ID}, "freshet rollback --release lets builds change the site again")
	}
	w.shrink = opt.AllowShrink
	rep, err := w.gen.Build(ctx, opt)
	if rep != nil && rep.Refused != nil && err == error(rep.Refused) { // all else is built
		err = nil
	}
	if err != nil && rep != nil && rep.Generation > 0 {
		return rep, &besideError{err}
	}
	if err != nil {
		return nil, explainBuild(err)
	}
	// A whole scan has asked for all that files were read to; only a build that planned every page has asked for
	// all that bodies were rendered to. What was not asked for is of files that are no more.
	if opt.Changed == nil && w.parsed != nil {
		err = w.parsed.Trim()
	}
	if err == nil && rep.Planned && w.results != nil {
		err = w.results.Trim()
	}
	for _, m := range []*memo.File{w.results, w.parsed} {
		if err == nil && m != nil {
			err = m.Flush()
		}
	}
	if err != nil {
		w.logger.Warn("what was computed cannot be kept, the next start computes it again", "error", err)
	}
	if w.store.ShouldCompact() {
		if err := w.store.Compact(ctx); err != nil && ctx.Err() == nil {
			w.logger.Warn("the page log cannot be compacted, it is tried after the next build", "error", err)
		}
	}
	return rep, nil
}

// shown are the documents of a collection of MongoDB that readers have pages of.
func (w *workshop) shown(coll string) iter.Seq[site.ID] {
	return func(yield func(site.ID) bool) {
		for e := range w.store.Current().All() {
			if strings.HasPrefix(string(e.Doc), coll+":") && e.Remembered.IsZero() && !yield(e.Doc) {
				return
			}
		}
	}
}

// rest is how many pages, of those that the first generation lacks, are made at a time.
const rest = 200

// whole builds until no page is left to make. The report is that of all builds together.
func (w *workshop) whole(ctx context.Context, opt generator.Options) (*generator.Report, error) {
	rep, err := w.build(ctx, opt)
	for err == nil && rep.Left > 0 {
		before := rep
		rep, err = w.build(ctx, generator.Options{Now: opt.Now, Changed: []string{}, Rest: rest, Cause: opt.Cause, Progress: opt.Progress})
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

// reloadTheme reads the templates again if they may have changed and have, or had mistakes before.
func (w *workshop) reloadTheme(changed bool) error {
	if !changed && !w.broken {
		return nil
	}
	sum := themeSum(w.cfg.Templates)
	if sum == w.theme && !w.broken {
		return nil
	}
	w.theme, w.broken = sum, true
	theme, err := loadTheme(w.cfg.Templates)
	if err != nil {
		return err
	}
	w.gen.SetTheme(theme)
	w.broken = false
	return nil
}

// themeSum is the digest of what a theme's folder has, so that it can be looked at often. Zero: it cannot be read, which
// reading it as a theme tells.
func themeSum(folder string) digest.Sum {
	h := digest.New()
	err := generator.WalkTheme(os.DirFS(folder), func(name string, data []byte) {
		h.String(name)
		h.Bytes(data)
	})
	if err != nil {
		return 0
	}
	return max(h.Sum(), 1)
}

// A besideError says that the site was built, but the public folder, or the note of when it was compared with its source,
// is not what it should be.
type besideError struct{ err error }

func (e *besideError) Error() string { return e.err.Error() }

func (e *besideError) Unwrap() error { return e.err }

// lasting reports whether trying again changes nothing: somebody must move files away.
func (e *besideError) lasting() bool {
	_, foreign := errors.AsType[*pagestore.ForeignError](e.err)
	_, collision := errors.AsType[*pagestore.CollisionError](e.err)
	return foreign || collision
}

// A pinnedError says that the site was rolled back and stays where it is.
type pinnedError struct{ generation uint64 }

func (e *pinnedError) Error() string {
	return fmt.Sprintf("the site is pinned to what generation %d holds", e.generation)
}

// loadTheme reads the built-in theme and what replaces it; the folder need not exist.
func loadTheme(folder string) (*generator.Theme, error) {
	var override fs.FS
	switch info, err := os.Stat(folder); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read templates: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("read templates: %s is no folder", folder)
	default:
		override = os.DirFS(folder)
	}
	return generator.LoadTheme(templates.FS, override, filepath.ToSlash(folder))
}

// openWriter opens the page log for writing.
func openWriter(cfg *settings.Settings, logger *slog.Logger) (*pagestore.Writer, error) {
	w, err := pagestore.OpenWriter(pagestore.Config{Dir: cfg.State, Keep: cfg.Build.Keep, Logger: logger})
	if locked, ok := errors.AsType[*pagestore.LockedError](err); ok {
		hint := "stop it first, or choose another folder with --state"
		if locked.PID != 0 {
			hint = fmt.Sprintf("stop process %d first, or choose another folder with --state", locked.PID)
		}
		return nil, failed(err, hint)
	}
	return w, explainLog(err, cfg.State)
}

// filesRemedy is what the user may do about too few file descriptors.
const filesRemedy = "raise the limit of open files: LimitNOFILE= of the systemd unit, or ulimit -n"

// explainLog adds what the user may do to why the page log could not be opened.
func explainLog(err error, state string) error {
	var hint string
	_, damaged := errors.AsType[*pagestore.DamageError](err)
	switch {
	case err == nil:
		return nil
	case damaged:
		hint = fmt.Sprintf("nothing of it can be read: move %s away and run freshet build --adopt, which makes every page anew; addresses of pages that moved or went are then forgotten",
			filepath.Join(state, "log"))
	case errors.Is(err, fs.ErrPermission):
		hint = fmt.Sprintf("run freshet as the user that owns %s, or give that user the folder: chown -R", state)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		hint = filesRemedy
	case errors.Is(err, syscall.ENOSPC):
		hint = "make room on the disk"
	case errors.Is(err, syscall.EROFS):
		hint = "the disk is read-only: choose another folder with --state"
	case errors.Is(err, syscall.EIO):
		hint = "the disk cannot read it: see the system's log (dmesg)"
	default:
		hint = fmt.Sprintf("see what is in the way at %s, or choose another folder with --state", state)
	}
	return failed(err, hint)
}

// explainBuild adds what the user may do to why a build failed.
func explainBuild(err error) error {
	if shrink, ok := errors.AsType[*generator.ShrinkError](err); ok {
		return failed(shrink, shrinkRemedy)
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return failed(fmt.Errorf("%w; %s", err, filesRemedy), "freshet up goes on serving and tries again by itself")
	}
	return explainTree(err)
}

const shrinkRemedy = "if they are to go, build with --allow-shrink; build.maxShrink sets how many may"

// printProblems tells authors what is wrong with their documents and templates. It returns the error that ends the
// command when an error of a template was among them.
func (inv *invocation) printProblems(err error) error {
	theme, ok := errors.AsType[*generator.ThemeError](err)
	if !ok {
		return err
	}
	diag.Print(inv.stderr, theme.Problems)
	return failed(errors.New("the templates have mistakes"), "the built-in theme is used where a template is absent")
}

// explainTree adds what the user may do to why the public folder was refused, or not written whole.
func explainTree(err error) error {
	if own, ok := errors.AsType[*pagestore.NotOwnError](err); ok {
		why := "holds files that freshet did not write"
		if own.Other {
			why = "was written from another state folder"
		}
		return failed(fmt.Errorf("the public folder %s %s", own.Dir, why),
			"freshet build --adopt overwrites those that have the name of a page, and keeps the others")
	}
	if foreign, ok := errors.AsType[*pagestore.ForeignError](err); ok {
		return failed(fmt.Errorf("files that freshet did not write are in the place of pages in %s: %s", foreign.Dir, strings.Join(foreign.Files, ", ")),
			"move them away, or build with --adopt, which overwrites them")
	}
	return err
}
