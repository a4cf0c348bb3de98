package generator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/generator"
	"freshet/internal/site"
)

// manyPosts are 30 posts, of which p30 is the newest and p1 the most viewed.
func manyPosts() *shelf {
	s := newShelf()
	for n := 1; n <= 30; n++ {
		name := fmt.Sprintf("p%d", n)
		p := newPost(name+".md", name, n-40, "tag")
		p.Views = int64(100 - n)
		s.put(p, map[string]string{"": "Text of " + name + ", see [one](p1.md)."})
	}
	return s
}

// made lists the posts that have a page.
func made(b *bench) (out []string) {
	for n := 1; n <= 30; n++ {
		if e, ok := b.store.Current().Lookup(site.Path(fmt.Sprintf("/blog/p%d/", n))); ok && e.Status == 200 {
			out = append(out, fmt.Sprintf("p%d", n))
		}
	}
	return out
}

// TestPrerender follows a first build that leaves most posts for later, until the site is what a whole build makes.
func TestPrerender(t *testing.T) {
	s := manyPosts()
	b := newBench(t, benchOptions{source: s, first: 4})
	rep := b.build(t, generator.Options{})
	if got := made(b); !slices.Equal(got, []string{"p1", "p2", "p3", "p4"}) || rep.Left != 26 {
		t.Fatalf("made %q and left %d, want the four most viewed of 30", got, rep.Left)
	}
	absent := func(when string) {
		t.Helper()
		if _, ok := b.store.Current().Lookup("/sitemap.xml"); ok {
			t.Errorf("%s there is a sitemap", when)
		}
		if _, err := os.Stat(filepath.Join(b.public, "index.html")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s there is a public tree: %v", when, err)
		}
	}
	absent("at first")
	has(t, b.page(t, "/blog/"), "/blog/p30/")

	// What somebody waits for comes before the others.
	left, err := b.Await(t.Context(), "/blog/p1/")
	if left || err != nil {
		t.Errorf("Await of a page that is there: %v, %v", left, err)
	}
	if left, err = b.Await(t.Context(), "/blog/none/"); left || err != nil {
		t.Errorf("Await of a page that will never be: %v, %v", left, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if left, err = b.Await(ctx, "/blog/p29/"); !left || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await without a build: %v, %v", left, err)
	}
	waited := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := b.Await(t.Context(), "/blog/p29/")
			waited <- err
		}()
	}
	rep = b.build(t, generator.Options{Changed: []string{}, Rest: 2})
	if got := made(b); !slices.Equal(got, []string{"p1", "p2", "p3", "p4", "p5", "p6", "p29"}) || rep.Left != 23 {
		t.Errorf("made %q and left %d, want two more and the one that is waited for", got, rep.Left)
	}
	for range 2 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}

	// Documents change meanwhile: those that are left too.
	s.put(newPost("p10.md", "p10", -30, "tag"), map[string]string{"": "Another text."})
	s.drop("p11.md")
	renamed := newPost("p12.md", "twelve", -28, "other")
	s.put(renamed, map[string]string{"": "Renamed."})
	rep = b.build(t, generator.Options{})
	if rep.Left > 20 || rep.Left < 5 {
		t.Errorf("%d left after three of them changed, want these and their neighbours less", rep.Left)
	}
	has(t, b.page(t, "/blog/p10/"), "Another text.")
	has(t, b.page(t, "/blog/twelve/"), "Renamed.")
	absent("while some are left")

	// Another process goes on where this one was stopped.
	b.end(t)
	b = newBench(t, benchOptions{source: s.copied(), first: 4, dir: b.dir})
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if left, err = b.Await(ctx, "/blog/maybe/"); !left || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await before the first build of a process: %v, %v", left, err)
	}
	before := rep.Left
	if rep = b.build(t, generator.Options{}); rep.Left != before-4 {
		t.Errorf("%d left after a new start, want four fewer than %d", rep.Left, before)
	}
	absent("after a new start")
	for rep.Left > 0 {
		before := rep.Left
		if rep = b.build(t, generator.Options{Changed: []string{}, Rest: 7}); rep.Left != max(before-7, 0) {
			t.Fatalf("%d left of %d", rep.Left, before)
		}
	}
	clean := newBench(t, benchOptions{source: s.copied()})
	clean.build(t, generator.Options{})
	if diff := cmp.Diff(clean.pages(t), b.pages(t)); diff != "" {
		t.Errorf("a site made in parts (-whole +parts):\n%.2000s", diff)
	}
	if diff := cmp.Diff(readTree(t, clean.public), readTree(t, b.public)); diff != "" {
		t.Errorf("its public tree (-whole +parts):\n%.2000s", diff)
	}

	// A site that was whole is never in parts again.
	s = manyPosts()
	for n := range 20 {
		s.put(newPost(fmt.Sprintf("q%d.md", n), fmt.Sprintf("q%d", n), -50), map[string]string{"": "New."})
	}
	b.end(t)
	b = newBench(t, benchOptions{source: s, first: 4, dir: b.dir})
	if left, err = b.Await(t.Context(), "/blog/none/"); left || err != nil {
		t.Errorf("Await before a build of a site that was whole: %v, %v", left, err)
	}
	if rep = b.build(t, generator.Options{}); rep.Left != 0 {
		t.Errorf("%d left of a site that was whole", rep.Left)
	}
}

// TestAwaitBound waits for as many pages as may be waited for, and for one more. Who waits for one of them too is no more.
func TestAwaitBound(t *testing.T) {
	b := newBench(t, benchOptions{source: manyPosts(), first: 4})
	gone, cancel := context.WithCancel(t.Context())
	cancel() // a page is waited for until it is made, whoever has gone meanwhile
	wait := func(path site.Path, want error) {
		t.Helper()
		if left, err := b.Await(gone, path); !left || !errors.Is(err, want) {
			t.Fatalf("Await(%s): %v, %v, want %v", path, left, err, want)
		}
	}
	wait("/blog/p29/", context.Canceled)
	for n := range generator.MaxAwaited - 1 {
		wait(site.Path(fmt.Sprintf("/blog/maybe-%d/", n)), context.Canceled)
	}
	wait("/blog/p30/", generator.ErrAwaited)
	wait("/blog/maybe-7/", context.Canceled)
	rep := b.build(t, generator.Options{}) // knows which of them will never be
	wait("/blog/p30/", context.Canceled)
	if rep.Left != 26 {
		t.Errorf("%d left, want 26", rep.Left)
	}
	b.build(t, generator.Options{Changed: []string{}, Rest: 1})
	if got := made(b); !slices.Contains(got, "p29") || !slices.Contains(got, "p30") || slices.Contains(got, "p28") {
		t.Errorf("made %q, want those that somebody has waited for, p28 not", got)
	}
}
