package revalidator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/revalidator"
)

// start runs a revalidator in the bubble and returns what it asks to build.
func start(t *testing.T, cfg revalidator.Config, build func(revalidator.Change) error) (*revalidator.Revalidator, func() []revalidator.Change) {
	t.Helper()
	var mu sync.Mutex
	var got []revalidator.Change
	cfg.Build = func(_ context.Context, c revalidator.Change) error {
		mu.Lock()
		got = append(got, c)
		mu.Unlock()
		return build(c)
	}
	r, err := revalidator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r, func() []revalidator.Change {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		out := got
		got = nil
		return out
	}
}

func succeed(revalidator.Change) error { return nil }

func TestMergesBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, built := start(t, revalidator.Config{}, succeed)
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Fatalf("at start built %v, want everything once", got)
		}
		r.Add(revalidator.Change{Documents: []string{"a"}})
		time.Sleep(time.Millisecond)
		r.Add(revalidator.Change{Documents: []string{"b"}})
		time.Sleep(3 * time.Millisecond)
		if got := built(); len(got) != 1 || !slices.Equal(got[0].Documents, []string{"a", "b"}) {
			t.Errorf("built %v, want a and b together after settling", got)
		}
		for range 20 {
			r.Add(revalidator.Change{Documents: []string{"c"}})
			time.Sleep(time.Millisecond)
		}
		if got := built(); len(got) != 0 {
			t.Errorf("built %v within 50 ms of the last build, want nothing", got)
		}
		time.Sleep(50 * time.Millisecond)
		if got := built(); len(got) != 1 || len(got[0].Documents) != 20 {
			t.Errorf("built %d times, want the burst once", len(got))
		}
	})
}

func TestRetriesAndKeepsTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		r, built := start(t, revalidator.Config{}, func(revalidator.Change) error {
			if broken.Load() {
				return errors.New("source is away")
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		if got := built(); len(got) < 3 || len(got) > 6 {
			t.Errorf("%d tries in 10 s, want them to grow apart", len(got))
		}
		r.Add(revalidator.Change{Documents: []string{"a"}})
		time.Sleep(100 * time.Millisecond)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("a change after a failure built %v, want an immediate try with everything", got)
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("after recovery built %v, want once", got)
		}
	})
}

func TestVerifiesAndFlipsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flip time.Time
		_, built := start(t, revalidator.Config{Verify: time.Hour, NextFlip: func() time.Time { return flip }},
			func(c revalidator.Change) error {
				if !flip.IsZero() && !flip.After(time.Now()) {
					flip = time.Time{}
				}
				if c.Cause == "start" {
					flip = time.Now().Add(10 * time.Minute)
				}
				return nil
			})
		time.Sleep(9 * time.Minute)
		if got := built(); len(got) != 1 {
			t.Errorf("built %v before the date, want only the start", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got := built(); len(got) != 1 || !got[0].Clock || got[0].Everything {
			t.Errorf("built %v at the date, want the clock's change", got)
		}
		time.Sleep(50 * time.Minute)
		if got := built(); len(got) != 1 || got[0].Cause != "verification" {
			t.Errorf("built %v within the hour, want the verification", got)
		}
	})
}

// TestWatch uses real files: new folders are watched, editors' passing files are not built.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	content, theme := filepath.Join(dir, "content"), filepath.Join(dir, "templates")
	if err := os.Mkdir(content, 0o755); err != nil {
		t.Fatal(err)
	}
	built := make(chan revalidator.Change, 100)
	r, err := revalidator.New(revalidator.Config{
		Content: content, Theme: theme,
		Build: func(_ context.Context, c revalidator.Change) error { built <- c; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	await := func(what string, ok func(revalidator.Change) bool) {
		t.Helper()
		timeout := time.After(10 * time.Second)
		for {
			select {
			case c := <-built:
				if ok(c) {
					return
				}
			case <-timeout:
				t.Fatalf("no build for %s", what)
			}
		}
	}
	write := func(name string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := func(want string) func(revalidator.Change) bool {
		return func(c revalidator.Change) bool { return slices.Contains(c.Documents, want) }
	}
	await("the start", func(c revalidator.Change) bool { return c.Everything })
	write("content/a.md")
	await("a file", names("a.md"))
	write("content/new/b.md")
	await("a new folder", names("new"))
	write("content/new/c.md")
	await("a file in a new folder", names("new/c.md"))
	write("content/.d.md.swp")
	write("content/e.md")
	await("a file after a passing one", func(c revalidator.Change) bool {
		if slices.Contains(c.Documents, ".d.md.swp") {
			t.Error("an editor's passing file was built")
		}
		return slices.Contains(c.Documents, "e.md")
	})
	write("templates/post.html")
	await("a theme that was not there before", func(c revalidator.Change) bool { return c.Theme })
}

// TestStopsAtAnyMoment ends many revalidators right after they began.
func TestStopsAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		r, err := revalidator.New(revalidator.Config{Content: dir, Build: func(context.Context, revalidator.Change) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		if i%2 == 0 {
			if err := os.WriteFile(filepath.Join(dir, "a.md"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Run does not return")
		}
	}
}
