package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/internal/builder"
	"freshet/internal/diag"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/settings"
	"freshet/server"
	"freshet/server/guard"
)

// buildOptions is what a command asks of a builder besides the settings.
type buildOptions struct {
	adopt      bool // take over a public folder that is not freshet's own
	liveReload bool
	patient    bool // open even if templates have mistakes; the first build reports them
	logger     *slog.Logger
}

// openBuilder opens the builder that the settings describe. Mistakes in templates are a *generator.ThemeError.
func openBuilder(ctx context.Context, cfg *settings.Settings, opt buildOptions) (*builder.Builder, error) {
	b, err := builder.Open(ctx, builderConfig(cfg, opt))
	if log, ok := errors.AsType[*builder.LogError](err); ok {
		return nil, explainWriter(log.Err, cfg.State)
	}
	return b, explainTree(err)
}

func builderConfig(cfg *settings.Settings, opt buildOptions) builder.Config {
	return builder.Config{
		Documents: documentsConfig(cfg, opt.logger),
		Log:       logConfig(cfg, opt.logger),
		Public:    cfg.Public,
		Tree:      publictree.Options{Adopt: opt.adopt, Precompress: cfg.Build.Precompress, Logger: opt.logger},
		Templates: cfg.Templates,
		Markup:    markup.Config{Highlight: cfg.Build.Highlight},
		Generator: generator.Config{
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
			Logger:     opt.logger,
		},
		Settings: cfg.Digest(),
		Patient:  opt.patient,
		Logger:   opt.logger,
	}
}

func logConfig(cfg *settings.Settings, logger *slog.Logger) pagestore.Config {
	return pagestore.Config{Dir: cfg.State, Keep: cfg.Build.Keep, Logger: logger}
}

// openWriter opens the page log for writing.
func openWriter(cfg *settings.Settings, logger *slog.Logger) (*pagestore.Writer, error) {
	w, err := pagestore.OpenWriter(logConfig(cfg, logger))
	return w, explainWriter(err, cfg.State)
}

// explainWriter adds a hint to the reason why the page log cannot be opened for writing.
func explainWriter(err error, state string) error {
	locked, ok := errors.AsType[*pagestore.LockedError](err)
	if !ok {
		return explainLog(err, state)
	}
	hint := "stop it first, or choose another folder with --state"
	if locked.PID != 0 {
		hint = fmt.Sprintf("stop process %d first, or choose another folder with --state", locked.PID)
	}
	return failed(err, hint)
}

// explainLog adds a hint to the reason why the page log cannot be opened.
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
		hint = builder.FilesRemedy
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

// explainBuild adds a hint to the reason why a build failed.
func explainBuild(err error) error {
	if shrink, ok := errors.AsType[*generator.ShrinkError](err); ok {
		return failed(shrink, shrinkRemedy)
	}
	if pinned, ok := errors.AsType[*builder.PinnedError](err); ok {
		return failed(pinned, pinnedRemedy)
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return failed(err, "freshet up goes on serving and tries again by itself")
	}
	return explainTree(err)
}

const (
	shrinkRemedy = "if they are to go, build with --allow-shrink; build.maxShrink sets how many may"
	pinnedRemedy = "freshet rollback --release lets builds change the site again"
)

// printProblems prints the mistakes in templates, if err holds such. It returns the error that ends the command.
func (inv *invocation) printProblems(err error) error {
	theme, ok := errors.AsType[*generator.ThemeError](err)
	if !ok {
		return err
	}
	diag.Print(inv.stderr, theme.Problems)
	return failed(errors.New("the templates have mistakes"), "the built-in theme is used where a template is absent")
}

// explainTree adds a hint to the reason why the public folder was refused or is not complete.
func explainTree(err error) error {
	if own, ok := errors.AsType[*publictree.NotOwnError](err); ok {
		why := "holds files that freshet did not write"
		if own.Other {
			why = "was written from another state folder"
		}
		return failed(fmt.Errorf("the public folder %s %s", own.Dir, why),
			"freshet build --adopt overwrites those that have the name of a page, and keeps the others")
	}
	if foreign, ok := errors.AsType[*publictree.ForeignError](err); ok {
		return failed(fmt.Errorf("files that freshet did not write are in the place of pages in %s: %s", foreign.Dir, strings.Join(foreign.Files, ", ")),
			"move them away, or build with --adopt, which overwrites them")
	}
	return err
}
