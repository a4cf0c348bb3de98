package builder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"freshet/generator"
	"freshet/internal/diag"
	"freshet/internal/site"
	"freshet/revalidator"
)

// A Preview shows authors what builds do: freshet dev has one.
type Preview interface {
	// Problems shows the problems of the last build.
	Problems([]diag.Problem)
	// Reload reloads the pages that are open.
	Reload()
}

// A Rebuilder builds the changes that a revalidator finds, and reports how the builds went.
type Rebuilder struct {
	builder   *Builder
	preview   Preview      // nil: there is none
	committed func() error // called after every build
	logger    *slog.Logger
	said      map[string]bool // problems of the last build: they are not logged again
	beside    string          // text of the BesideError of the last build: it is not logged again

	obstacles obstacles
}

// NewRebuilder makes a Rebuilder. It calls committed after every build, to purge what the build changed. A nil preview shows
// nothing.
func NewRebuilder(b *Builder, preview Preview, committed func() error, logger *slog.Logger) *Rebuilder {
	return &Rebuilder{builder: b, preview: preview, committed: committed, logger: logger, said: map[string]bool{}}
}

// Refused lists why builds are refused, in whole or in part. It is for [revalidator.Config].
func (r *Rebuilder) Refused() []site.Refusal { return r.obstacles.list() }

// Build builds one change. It is for [revalidator.Config], which makes one call at a time.
func (r *Rebuilder) Build(ctx context.Context, c revalidator.Change) (_ revalidator.Result, err error) {
	start := time.Now()
	opt := generator.Options{Now: start.UTC(), Changed: slices.Concat(c.Documents, c.Verify), Cause: c.Cause, Origins: c.Origins, Compared: c.Compared}
	switch {
	case c.Everything:
		opt.Changed = nil
	case opt.Changed == nil:
		opt.Changed = []string{}
	}
	if c.Rest {
		opt.Rest = deferredPerBuild
	}
	defer func() { r.obstacles.note(ctx, err) }()
	if err := r.builder.reloadTheme(c.Theme || c.Everything || len(c.Verify) > 0); err != nil {
		r.tell(problemsOf(err))
		return revalidator.Result{}, err
	}
	r.builder.Source.Verify(c.Verify)
	before := r.builder.Store.Current()
	rep, err := r.builder.Build(ctx, opt)
	unfinished := false
	if beside, ok := errors.AsType[*BesideError](err); ok {
		if text := beside.Error(); text != r.beside && ctx.Err() == nil { // a build that is told to stop leaves the rest to the next start
			r.logger.Error("the site is built and served, but what is beside its pages is not whole", "error", beside.Err)
			r.beside = text
		}
		err, unfinished = nil, !beside.Lasting()
	} else if err == nil {
		r.beside = ""
	}
	if shrink, is := errors.AsType[*generator.ShrinkError](err); is {
		err = fmt.Errorf("%w (%s)", shrink, heldRemedy)
	}
	if err != nil {
		r.tell(problemsOf(err))
		return revalidator.Result{}, err
	}
	if len(r.builder.Store.Distrusted()) > 0 { // compaction has found damage
		unfinished = true
	}
	r.tell(rep.Problems)
	r.tellHeld(rep.Refused)
	if err := r.committed(); err != nil {
		r.logger.Error("the CDN outbox cannot be written, the purge is tried all the same", "error", err)
	}
	if rep.Committed {
		r.logger.Info("built", "generation", rep.Generation, "cause", c.Cause, "pages", rep.Pages, "rendered", rep.Rendered,
			"changed", rep.Changed, "removed", rep.Removed, "left_out", len(rep.Skipped), "took", time.Since(start).Round(time.Millisecond/10))
		if r.preview != nil {
			r.preview.Reload()
		}
	}
	return revalidator.Result{
		Generation: rep.Generation, Pages: revalidator.PagesChanged(r.builder.Store.Current().Changes(before)), Skipped: rep.Skipped,
		Again: rep.Again, More: rep.Left > 0, Unfinished: unfinished,
	}, nil
}

// problemsOf returns the problems that a preview shows for an error.
func problemsOf(err error) []diag.Problem {
	if theme, ok := errors.AsType[*generator.ThemeError](err); ok {
		return theme.Problems
	}
	return []diag.Problem{{Severity: diag.Error, Message: err.Error()}}
}

// tell shows problems in the preview, and logs those that the last build did not have. It does not log an error without a
// place: the revalidator does, when it tries again.
func (r *Rebuilder) tell(ps []diag.Problem) {
	if r.preview != nil { // it covers the page, which is not worth a note
		r.preview.Problems(slices.DeleteFunc(slices.Clone(ps), func(p diag.Problem) bool { return p.Severity == diag.Note }))
	}
	now := map[string]bool{}
	for i := range ps {
		p := &ps[i]
		text := p.Error()
		if !r.said[text] && !now[text] && (p.File != "" || p.ID != "") {
			level := slog.LevelWarn
			switch p.Severity {
			case diag.Error:
				level = slog.LevelError
			case diag.Note:
				level = slog.LevelInfo
			}
			r.logger.Log(context.Background(), level, "problem", "file", p.File, "line", p.Line, "id", p.ID, "field", p.Field, "message", p.Message, "remedy", p.Remedy)
		}
		now[text] = true
	}
	r.said = now
}

// tellHeld logs when builds begin to hold pages back, when that changes, and when it ends.
func (r *Rebuilder) tellHeld(e *generator.ShrinkError) {
	switch news := r.obstacles.hold(e); {
	case !news:
	case e == nil:
		r.logger.Info("nothing is held back any more")
	default:
		r.logger.Error("documents that are gone are held back: their pages stay as they were, everything else is built", "lost", e.Before-e.After, "pages", e.Before,
			"error", e, "remedy", heldRemedy)
	}
}
