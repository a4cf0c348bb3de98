package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/revalidator"
)

// TestLateOverTheSocket has a server in a process of its own wait for a page that the daemon's first build left for
// later. What it cannot find out it does not call absent.
func TestLateOverTheSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	benchPosts(t, 10)
	w := openQuiet(t, "FRESHET_PUBLIC=", "FRESHET_BUILD_PRERENDER=3")
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if rep, err := w.Build(t.Context(), generator.Options{Now: time.Now()}); err != nil || rep.Left != 7 {
		t.Fatalf("the first build: %+v, %v, want seven pages left for later", rep, err)
	}
	r, err := pagestore.OpenReader(pagestore.Config{Dir: w.eff.State})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- r.Run(ctx) }()
	control := revalidator.NewControl(w.eff.State)
	l := newRemote(control, r)
	if left, err := l.Await(ctx, "/blog/none/"); err == nil {
		t.Errorf("without a daemon: %v, want an error: nobody knows", left)
	}

	daemon, err := revalidator.New(revalidator.Config{
		Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
			return revalidator.Result{}, nil
		},
		Await: w.Await, Control: w.eff.State,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- daemon.Run(ctx) }()
	for _, err := control.Status(ctx); errors.Is(err, revalidator.ErrStopped); _, err = control.Status(ctx) {
		time.Sleep(time.Millisecond)
	}
	if left, err := l.Await(ctx, "/blog/none/"); left || err != nil {
		t.Errorf("a page that will never be: %v, %v", left, err)
	}
	if left, err := l.Await(ctx, "/blog/"); left || err != nil {
		t.Errorf("a page that is there: %v, %v", left, err)
	}
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if left, err := l.Await(short, "/blog/post-7/"); err == nil {
		t.Errorf("a page that nobody makes: %v, want an error", left)
	}
	made := 0
	for n := range 10 {
		path := site.Path(fmt.Sprintf("/blog/post-%d/", n))
		if _, has := w.Store.Current().Lookup(path); has {
			continue
		}
		made++
		waited := make(chan error, 1)
		go func() {
			left, err := l.Await(ctx, path)
			if _, has := r.Current().Lookup(path); err == nil && !(left && has) {
				err = fmt.Errorf("left %v, and the server's generation has it: %v", left, has)
			}
			waited <- err
		}()
		for done := false; !done; {
			if _, err := w.Build(ctx, generator.Options{Now: time.Now(), Changed: []string{}}); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-waited:
				if done = true; err != nil {
					t.Errorf("%s, which the daemon makes: %v", path, err)
				}
			case <-time.After(time.Millisecond):
			}
		}
	}
	if made < 6 {
		t.Errorf("%d pages were made because somebody waited for them, want six or seven", made)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if left, err := l.Await(t.Context(), "/blog/none/"); left || err != nil {
		t.Errorf("of a whole site, without a daemon: %v, %v", left, err)
	}
}
