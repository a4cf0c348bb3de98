package revalidator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // whatever the machine has

	"freshet/revalidator"
)

// start runs a revalidator in the bubble and returns what it asks to build.
func start(t *testing.T, cfg revalidator.Config, build func(revalidator.Change) error) (*revalidator.Revalidator, func() []revalidator.Change) {
	t.Helper()
	var mu sync.Mutex
	var got []revalidator.Change
	cfg.Build = func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
		mu.Lock()
		got = append(got, c)
		mu.Unlock()
		return revalidator.Result{}, build(c)
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
		if got := built(); len(got) != 1 || !got[0].Everything || got[0].Compared.IsZero() {
			t.Fatalf("at start built %v, want everything once", got)
		}
		r.Add(revalidator.Change{Documents: []string{"a"}})
		time.Sleep(time.Millisecond)
		r.Add(revalidator.Change{Documents: []string{"c", "b", "a"}})
		time.Sleep(time.Millisecond)
		if got := built(); len(got) != 0 {
			t.Errorf("built %v before it has settled, want nothing", got)
		}
		time.Sleep(3 * time.Millisecond)
		if got := built(); len(got) != 1 || !slices.Equal(got[0].Documents, []string{"a", "c", "b"}) {
			t.Errorf("built %v, want a, b and c together after settling", got)
		}
		for i := range 1000 {
			r.Add(revalidator.Change{Documents: []string{fmt.Sprint("c", i%10)}})
			if i%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if got := built(); len(got) != 0 {
			t.Errorf("built %v within 50 ms of the last build, want nothing", got)
		}
		time.Sleep(50 * time.Millisecond)
		if got := built(); len(got) != 1 || len(got[0].Documents) != 10 {
			t.Errorf("built %v, want each document of the burst once", got)
		}
		time.Sleep(time.Second)
		for range 10 { // one after the other, each as soon as the last is done, is no burst
			r.Add(revalidator.Change{Documents: []string{"d"}})
			time.Sleep(4 * time.Millisecond)
			if got := built(); len(got) != 1 {
				t.Errorf("built %v within 4 ms of a single change, want it", got)
			}
		}
	})
}

// TestOutage takes the source away for half an hour: one probe every few seconds, whatever arrives, and everything is
// compared within five seconds of its return.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		r, built := start(t, revalidator.Config{}, func(revalidator.Change) error {
			if broken.Load() {
				return errors.New("source is away")
			}
			return nil
		})
		time.Sleep(time.Second)
		built()
		broken.Store(true)
		for range 30 * 60 {
			r.Add(revalidator.Change{Documents: []string{"a"}})
			time.Sleep(time.Second)
		}
		if got := len(built()); got < 30*60/5 || got > 30*60/2 {
			t.Errorf("%d tries in half an hour, want one every few seconds", got)
		}
		if s := r.Status(); s.Source == "" || s.Since == nil || time.Since(*s.Since).Round(time.Minute) != 30*time.Minute {
			t.Errorf("Status() = %+v, want it to say that the source is away since half an hour", s)
		}
		broken.Store(false)
		time.Sleep(5 * time.Second)
		got := built()
		if len(got) != 2 || !slices.Equal(got[0].Documents, []string{"a"}) || !got[1].Everything {
			t.Errorf("within 5 s of the recovery built %v, want what had changed, then everything", got)
		}
		if s := r.Status(); s.Source != "" {
			t.Errorf("Status() = %+v after the recovery", s)
		}
	})
}

// TestRetries keeps a change that fails for a reason of its own, gives it up after some tries, and takes it along with
// the next build that looks at everything. Another change is not kept waiting.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		r, built := start(t, revalidator.Config{MaxTries: 5, Unavailable: func(error) bool { return false }}, func(revalidator.Change) error {
			if broken.Load() {
				return errors.New("template has a mistake")
			}
			return nil
		})
		time.Sleep(time.Second)
		built()
		broken.Store(true)
		r.Add(revalidator.Change{Documents: []string{"a"}})
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 {
			t.Errorf("built %v at once, want one try", got)
		}
		r.Add(revalidator.Change{Documents: []string{"b"}})
		time.Sleep(100 * time.Millisecond)
		if got := built(); len(got) != 1 || !slices.Equal(got[0].Documents, []string{"a", "b"}) {
			t.Errorf("a change after a failure built %v, want a try at once with both", got)
		}
		time.Sleep(time.Hour)
		if got := built(); len(got) != 4 {
			t.Errorf("%d more tries, want 5 in all", len(got))
		}
		broken.Store(false)
		r.Add(revalidator.Change{Theme: true})
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 || !got[0].Theme || !slices.Equal(got[0].Documents, []string{"a", "b"}) {
			t.Errorf("a mended template built %v, want what was given up too", got)
		}
	})
}

func TestFlipsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var flips []time.Time
		next := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			if len(flips) == 0 {
				return time.Time{}
			}
			return flips[0]
		}
		var late []time.Duration
		r, built := start(t, revalidator.Config{NextFlip: next}, func(revalidator.Change) error {
			mu.Lock()
			defer mu.Unlock()
			for len(flips) > 0 && !flips[0].After(time.Now()) {
				late = append(late, time.Since(flips[0]))
				flips = flips[1:]
			}
			return nil
		})
		time.Sleep(time.Second)
		built()
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		// The ends of a leap day; the hours that summer time leaves out and repeats, as wall clocks say them.
		for _, date := range []time.Time{
			time.Date(2000, 2, 28, 23, 59, 50, 0, time.UTC),
			time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC),
			time.Date(2000, 2, 29, 23, 59, 50, 999, time.UTC),
			time.Date(2000, 3, 1, 0, 0, 0, 0, time.UTC),
			time.Date(2000, 3, 26, 1, 59, 59, 0, berlin),
			time.Date(2000, 3, 26, 2, 30, 0, 0, berlin), // is 3:30
			time.Date(2000, 10, 29, 2, 30, 0, 0, berlin),
			time.Date(2000, 10, 29, 2, 30, 0, 0, berlin).Add(time.Hour), // the same on the wall
			time.Date(2000, 12, 31, 23, 59, 59, 0, time.UTC),
		} {
			time.Sleep(time.Until(date) - 100*time.Millisecond)
			mu.Lock()
			flips = append(flips, date)
			mu.Unlock()
			r.Add(revalidator.Change{Documents: []string{"scheduled"}})
			time.Sleep(90 * time.Millisecond)
			if got := built(); len(got) != 1 || got[0].Clock {
				t.Errorf("%s: built %+v before the date, want the document", date, got)
			}
			time.Sleep(time.Second)
			if got := built(); len(got) != 1 || !got[0].Clock || got[0].Everything || len(got[0].Documents) > 0 {
				t.Errorf("%s: built %+v within a second, want the clock's change", date, got)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, d := range late {
			if d < 0 || d > 100*time.Millisecond {
				t.Errorf("a date was built %s late", d)
			}
		}
	})
}

// TestFlipThatFails is tried again with pauses, like any other change.
func TestFlipThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flip := time.Now().Add(time.Minute)
		_, built := start(t, revalidator.Config{NextFlip: func() time.Time { return flip }}, func(c revalidator.Change) error {
			if c.Clock {
				return errors.New("source is away")
			}
			return nil
		})
		time.Sleep(2 * time.Minute)
		if got := len(built()); got < 10 || got > 40 {
			t.Errorf("%d builds in two minutes, want some", got)
		}
	})
}

// TestNewestWins edits a document 100,000 times while it is built, with the news arriving in any order, and checks that
// no build ran beside another, none showed less than one before, and the last edit is what stays.
func TestNewestWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const edits = 100_000
		var version, shown, builds atomic.Int64
		var building atomic.Bool
		r, err := revalidator.New(revalidator.Config{Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
			if building.Swap(true) {
				t.Error("two builds at a time")
			}
			defer building.Store(false)
			read := version.Load()
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // rendering
			if was := shown.Swap(read); was > read {
				t.Errorf("version %d was shown after %d", read, was)
			}
			builds.Add(1)
			return revalidator.Result{}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		var news sync.WaitGroup
		for range edits {
			version.Add(1)
			late := time.Duration(rand.IntN(100)) * time.Millisecond
			news.Go(func() {
				time.Sleep(late)
				r.Add(revalidator.Change{Documents: []string{"a"}})
			})
			time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		}
		news.Wait()
		time.Sleep(time.Second)
		if got := shown.Load(); got != edits {
			t.Errorf("version %d stays, want %d", got, edits)
		}
		t.Logf("%d builds for %d edits", builds.Load(), edits)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// awaitBuild waits for a build that is ok.
func awaitBuild(t *testing.T, built <-chan revalidator.Change, what string, ok func(revalidator.Change) bool) {
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

// TestWatch uses real files: new folders are watched, editors' passing files are not built.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	content, theme := filepath.Join(dir, "content"), filepath.Join(dir, "templates")
	if err := os.Mkdir(content, 0o755); err != nil {
		t.Fatal(err)
	}
	built := make(chan revalidator.Change, 100)
	r := open(t, revalidator.Config{Content: content, Theme: theme,
		Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
			built <- c
			return revalidator.Result{}, nil
		}})
	defer r.stop()
	await := func(what string, ok func(revalidator.Change) bool) {
		t.Helper()
		awaitBuild(t, built, what, ok)
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
		r, err := revalidator.New(revalidator.Config{Content: dir, Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
			return revalidator.Result{}, nil
		}})
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

// TestWatchDances does what editors, deployments and file systems do to files and folders.
func TestWatchDances(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, filepath.FromSlash(name)) }
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	save := func(name string) error {
		return errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o755), os.WriteFile(at(name), []byte(name), 0o644))
	}
	// The content folder is itself a symbolic link, as deployments have it.
	do(save("releases/1/blog/a.md"), save("releases/2/blog/a.md"), os.Symlink("releases/1", at("content")), save("shared/partials/head.html"),
		save("templates/post.html"), os.Symlink("../shared", at("templates/shared")))
	built := make(chan revalidator.Change, 1000)
	r := open(t, revalidator.Config{Content: at("content"), Theme: at("templates"),
		Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
			built <- c
			return revalidator.Result{}, nil
		}})
	defer r.stop()
	expect := func(what string, ok func(revalidator.Change) bool) {
		t.Helper()
		awaitBuild(t, built, what, ok)
	}
	named := func(name string) func(revalidator.Change) bool {
		return func(c revalidator.Change) bool { return c.Everything || slices.Contains(c.Documents, name) }
	}
	only := func(name string) func(revalidator.Change) bool {
		return func(c revalidator.Change) bool { return !c.Everything && slices.Contains(c.Documents, name) }
	}
	theme := func(c revalidator.Change) bool { return c.Theme }
	expect("the start", func(c revalidator.Change) bool { return c.Everything })

	do(save("content/blog/.a.md.swp"), os.Rename(at("content/blog/a.md"), at("content/blog/a.md~")), save("content/blog/a.md"), os.Remove(at("content/blog/a.md~")))
	expect("vim's dance", only("blog/a.md"))
	for i, gap := range []time.Duration{5 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		do(save(fmt.Sprintf("content/blog/before-%d.md", i)))
		expect("what was before", only(fmt.Sprintf("blog/before-%d.md", i)))
		do(os.Rename(at("content/blog/a.md"), at("content/blog/a.md~")))
		time.Sleep(gap)
		for len(built) > 0 {
			if c := <-built; named("blog/a.md")(c) {
				t.Errorf("%v into a dance, built %v without the file", gap, c)
			}
		}
		do(save("content/blog/a.md"), os.Remove(at("content/blog/a.md~")))
		expect("a slow dance", only("blog/a.md"))
	}
	do(os.Rename(at("content/blog/a.md"), at("content/blog/b.md")))
	expect("a file with another name", func(c revalidator.Change) bool {
		if !slices.Contains(c.Documents, "blog/b.md") {
			return false
		}
		if !slices.Contains(c.Documents, "blog/a.md") {
			t.Errorf("built %v, want both names together", c.Documents)
		}
		return true
	})
	do(os.Remove(at("content/blog/b.md")))
	expect("a file that goes", only("blog/b.md"))
	do(save("content/blog/.goutputstream"), os.Rename(at("content/blog/.goutputstream"), at("content/blog/a.md")))
	expect("a rename over the file", only("blog/a.md"))
	do(save("content/x/y/z/deep.md"))
	expect("new folders in new folders", only("x"))
	do(save("content/x/y/z/deeper.md"))
	expect("a file in a new folder of a new folder", only("x/y/z/deeper.md"))
	do(os.Rename(at("content/x"), at("content/w")))
	expect("a folder with another name", only("w"))
	do(save("content/w/y/z/deep.md"))
	expect("a file in a folder with another name", only("w/y/z/deep.md"))
	do(os.RemoveAll(at("content/w")))
	expect("a folder that goes", only("w"))
	do(save("content/w/again.md"))
	expect("a folder that comes back", only("w"))
	do(save("content/w/more.md"))
	expect("a file in a folder that came back", only("w/more.md"))
	do(save("shared/partials/head.html"))
	expect("a template behind a symbolic link", theme)

	do(os.Symlink("releases/2", at("next")), os.Rename(at("next"), at("content")))
	expect("a content folder that is replaced", func(c revalidator.Change) bool { return c.Everything })
	do(save("content/blog/a.md"))
	expect("a file in the new content folder", only("blog/a.md"))
	do(os.RemoveAll(at("templates")))
	expect("a theme that goes", theme)
	do(save("templates/post.html"))
	expect("a theme that comes back", theme)
	do(save("templates/list.html"))
	expect("a file in a theme that came back", theme)

	for i := range 1000 {
		do(save(fmt.Sprintf("content/burst/%d.md", i)))
	}
	do(save("content/burst/last.md"))
	expect("a burst", named("burst/last.md"))
}

// TestWatchLimit looks itself where no more folders can be watched, and says so: at everything, then at what changes. The
// file is edited by another name that it has, elsewhere, which no watch of the content folder tells of. Changes that come
// together are built together, so a build's cause does not say who told.
func TestWatchLimit(t *testing.T) {
	var log bytes.Buffer
	built := make(chan revalidator.Change, 100)
	content, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "page.md")
	write(t, elsewhere, []byte("old"))
	if err := errors.Join(os.Link(elsewhere, filepath.Join(content, "page.md")), os.Chtimes(elsewhere, time.Time{}, time.Now().Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	theme := filepath.Join(t.TempDir(), strings.Repeat("long/", 1000)) // no system watches this
	r := open(t, revalidator.Config{Content: content, Theme: theme, Poll: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
			built <- c
			return revalidator.Result{}, nil
		}})
	awaitBuild(t, built, "everything, which the poll has not seen", func(c revalidator.Change) bool {
		return c.Everything && c.Theme // the start looks at documents alone
	})
	time.Sleep(100 * time.Millisecond)
	for len(built) > 0 {
		if c := <-built; len(c.Documents) > 0 {
			t.Errorf("built %+v before anything changed", c)
		}
	}
	write(t, elsewhere, []byte("new"))
	awaitBuild(t, built, "an edit that only the poll can see", func(c revalidator.Change) bool {
		return !c.Everything && !c.Theme && slices.Equal(c.Documents, []string{"page.md"})
	})
	r.stop()
	if n := strings.Count(log.String(), "cannot watch all folders"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

// TestRest makes what a first build has left, part by part, after whatever somebody waits for.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, fail := 4, 1
		var order []string
		never := func(error) bool { return false }
		r, err := revalidator.New(revalidator.Config{Unavailable: never, Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
			time.Sleep(100 * time.Millisecond)
			if c.Rest && fail > 0 {
				fail--
				return revalidator.Result{}, errors.New("the disk is full")
			}
			if c.Rest {
				left--
			}
			order = append(order, fmt.Sprintf("%v %v", c.Rest, c.Documents))
			return revalidator.Result{More: left > 0}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(50 * time.Millisecond) // the first build runs
		r.Add(revalidator.Change{Documents: []string{"a"}})
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{"false []", "false [a]", "true []", "true []", "true []", "true []"}
		if !slices.Equal(order, want) {
			t.Errorf("built %q, want %q", order, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestLooksAgain looks again, after a second, at documents that seemed half written: all of one moment together, each
// once in a second however often builds say so, and at everything where they are too many to name.
func TestLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type look struct {
			at        time.Duration
			documents string
		}
		var looks []look
		var again [][]string // what the next builds say
		var begun time.Time
		r, err := revalidator.New(revalidator.Config{Build: func(_ context.Context, c revalidator.Change) (res revalidator.Result, _ error) {
			slices.Sort(c.Documents)
			names := fmt.Sprint(c.Documents)
			if c.Everything {
				names = "everything"
			}
			looks = append(looks, look{time.Since(begun).Round(100 * time.Millisecond), names})
			if len(again) > 0 {
				res.Again, again = again[0], again[1:]
			}
			return res, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Second)
		synctest.Wait()
		const ms = time.Millisecond
		var many []string
		for n := range 10_001 {
			many = append(many, fmt.Sprint(n))
		}
		for _, tt := range []struct {
			name  string
			again [][]string
			add   map[time.Duration]string // documents that are told of then
			want  []look
		}{
			{"one", [][]string{{"a"}}, nil, []look{{0, "[a]"}, {1000 * ms, "[a]"}}},
			{"nothing", nil, nil, []look{{0, "[a]"}}},
			{"several", [][]string{{"c", "b", "a"}}, nil, []look{{0, "[a]"}, {1000 * ms, "[a b c]"}}},
			{"still half written", [][]string{{"a"}, {"a"}, {"a"}}, nil, []look{{0, "[a]"}, {1000 * ms, "[a]"}, {2000 * ms, "[a]"}, {3000 * ms, "[a]"}}},
			{"told of meanwhile", [][]string{{"a"}, {"a"}, {"a"}}, map[time.Duration]string{300 * ms: "a", 600 * ms: "a"},
				[]look{{0, "[a]"}, {300 * ms, "[a]"}, {600 * ms, "[a]"}, {1000 * ms, "[a]"}}},
			{"of two moments", [][]string{{"a"}, {"b"}}, map[time.Duration]string{500 * ms: "b"},
				[]look{{0, "[a]"}, {500 * ms, "[b]"}, {1000 * ms, "[a]"}, {1500 * ms, "[b]"}}},
			{"as another change comes", [][]string{{"a"}}, map[time.Duration]string{1002 * ms: "b"}, []look{{0, "[a]"}, {1000 * ms, "[a b]"}}},
			{"more than are named", [][]string{many}, nil, []look{{0, "[a]"}, {1000 * ms, "everything"}}},
		} {
			looks, again, begun = nil, tt.again, time.Now()
			r.Add(revalidator.Change{Documents: []string{"a"}})
			for _, at := range slices.Sorted(maps.Keys(tt.add)) {
				time.Sleep(time.Until(begun.Add(at)))
				r.Add(revalidator.Change{Documents: []string{tt.add[at]}})
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if !slices.Equal(looks, tt.want) {
				t.Errorf("%s: looked %v, want %v", tt.name, looks, tt.want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
