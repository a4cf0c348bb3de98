package builder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"freshet/generator"
	"freshet/generator/plan"
	"freshet/internal/builder"
	"freshet/internal/diag"
	"freshet/internal/documents"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/revalidator"
)

// open opens the builder of a site of posts in the working directory.
func open(t *testing.T, change func(*builder.Config)) *builder.Builder {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	cfg := builder.Config{
		Documents: documents.Config{Content: "content", Zone: time.UTC, Language: "en", Logger: logger},
		Log:       pagestore.Config{Dir: "state", Logger: logger},
		Templates: "templates",
		Generator: generator.Config{Site: plan.Site{Title: "Test", URL: "https://example.com", Language: "en"}, State: "state", MaxShrink: 0.2, Logger: logger},
		Logger:    logger,
	}
	if change != nil {
		change(&cfg)
	}
	b, err := builder.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func file(n int) string { return fmt.Sprintf("content/blog/post-%d.md", n) }

func post(t *testing.T, n int, text string) {
	t.Helper()
	write(t, file(n), fmt.Sprintf("---\ntitle: Post %d\ndate: 2025-01-02\n---\n\n%s\n", n, text))
}

// A preview counts what it is told.
type preview struct {
	problems []diag.Problem
	reloads  int
}

func (p *preview) Problems(ps []diag.Problem) { p.problems = ps }
func (p *preview) Reload()                    { p.reloads++ }

// TestRebuilder builds changes: it reports the changed pages, shows mistakes, and says while pages are held back.
func TestRebuilder(t *testing.T) {
	t.Chdir(t.TempDir())
	for n := range 30 {
		post(t, n, "text")
	}
	b := open(t, nil)
	p, commits := &preview{}, 0
	r := builder.NewRebuilder(b, p, func() error { commits++; return nil }, slog.New(slog.DiscardHandler))
	build := func(c revalidator.Change) revalidator.Result {
		t.Helper()
		res, err := r.Build(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := build(revalidator.Change{Everything: true, Cause: "test"}); res.Generation != 1 || len(res.Pages) < 30 || p.reloads != 1 {
		t.Errorf("the first build: generation %d, %d pages, %d reloads", res.Generation, len(res.Pages), p.reloads)
	}
	if res := build(revalidator.Change{Documents: []string{"blog/post-3.md"}}); len(res.Pages) != 0 || p.reloads != 1 {
		t.Errorf("a build of nothing new changes %v", res.Pages)
	}
	post(t, 3, "other text")
	res := build(revalidator.Change{Documents: []string{"blog/post-3.md"}})
	if changed := fmt.Sprint(res.Pages); len(res.Pages) == 0 || p.reloads != 2 || res.Generation != 2 {
		t.Errorf("a build of one post: %s, generation %d", changed, res.Generation)
	}

	write(t, "templates/post.html", "{{")
	if _, err := r.Build(t.Context(), revalidator.Change{Theme: true}); err == nil || len(p.problems) == 0 {
		t.Errorf("a build with a broken template: %v, problems %v", err, p.problems)
	}
	if refused := r.Refused(); len(refused) != 1 || refused[0].By != "templates" {
		t.Errorf("with a broken template builds are refused for %+v", refused)
	}
	if err := os.Remove("templates/post.html"); err != nil {
		t.Fatal(err)
	}
	build(revalidator.Change{Theme: true})
	if refused := r.Refused(); len(refused) != 0 || len(p.problems) != 0 {
		t.Errorf("with the template mended builds are refused for %+v, problems %v", refused, p.problems)
	}

	for n := range 20 { // they become drafts
		write(t, file(n), "---\ntitle: Draft\ndate: 2025-01-02\ndraft: true\n---\n")
	}
	build(revalidator.Change{Everything: true})
	refused := r.Refused()
	if len(refused) != 1 || refused[0].By != "shrink guard" {
		t.Fatalf("with most posts gone builds are refused for %+v", refused)
	}
	if _, has := b.Store.Current().Lookup("/blog/post-3/"); !has {
		t.Error("a page that is held back is gone")
	}
	since := refused[0].Since
	build(revalidator.Change{Everything: true})
	if again := r.Refused(); len(again) != 1 || again[0].Since != since {
		t.Errorf("a second build changes the start of the refusal: %+v", again)
	}
	for n := range 20 {
		post(t, n, "back")
	}
	build(revalidator.Change{Everything: true})
	if refused := r.Refused(); len(refused) != 0 {
		t.Errorf("with the posts back builds are refused for %+v", refused)
	}
	if commits != 7 {
		t.Errorf("%d builds were reported as done, want 7", commits)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := r.Build(stopped, revalidator.Change{Everything: true}); err == nil || len(r.Refused()) != 0 {
		t.Errorf("a build that is told to stop: %v, refused for %+v", err, r.Refused())
	}
}

// TestErrors tells errors apart that callers answer differently.
func TestErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	post(t, 1, "text")
	write(t, "templates/post.html", "{{")
	if _, err := builder.Open(t.Context(), builder.Config{Templates: "templates"}); !isTheme(err) {
		t.Errorf("Open with a broken template: %v, want a ThemeError", err)
	}
	b := open(t, func(c *builder.Config) { c.Patient = true })
	if _, err := b.Build(t.Context(), generator.Options{Now: time.Now()}); err != nil {
		t.Errorf("a patient builder: %v", err)
	}
	if err := os.RemoveAll("templates"); err != nil {
		t.Fatal(err)
	}
	_, err := builder.Open(t.Context(), builder.Config{Log: pagestore.Config{Dir: "state"}})
	if log, ok := errors.AsType[*builder.LogError](err); !ok || log.Error() == "" {
		t.Errorf("Open of a log that another writer has: %v, want a LogError", err)
	}
	if _, err := b.Store.Rollback(b.Store.Current().ID, pagestore.CommitInfo{Now: time.Now(), Pinned: true}); err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), generator.Options{Now: time.Now()})
	if pinned, ok := errors.AsType[*builder.PinnedError](err); !ok || pinned.Generation != b.Store.Current().ID {
		t.Errorf("Build of a pinned site: %v, want a PinnedError", err)
	}
	foreign := &builder.BesideError{Err: fmt.Errorf("sync: %w", &publictree.ForeignError{Dir: "public"})}
	if other := (&builder.BesideError{Err: os.ErrPermission}); !foreign.Lasting() || other.Lasting() {
		t.Error("only files in the way last")
	}
}

func isTheme(err error) bool {
	_, ok := errors.AsType[*generator.ThemeError](err)
	return ok
}
