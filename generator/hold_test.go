package generator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/memo"
	"freshet/internal/site"
)

// forty are 40 posts with a picture each and a text of their own.
func forty() *shelf {
	s := newShelf()
	for i := range 40 {
		s.put(newPost(fmt.Sprintf("%02d.md", i), fmt.Sprintf("p%02d", i), -i-1, "tag"), map[string]string{"": fmt.Sprintf("This is number %d. ![x](%02d.png)", i, i)})
		s.putFile(fmt.Sprintf("%02d.png", i), fmt.Append(nil, i), "")
	}
	return s
}

// TestHeldBack takes most documents away, and looks at what happens to the others meanwhile.
func TestHeldBack(t *testing.T) {
	for _, remembered := range []bool{true, false} {
		t.Run(fmt.Sprint("bodies remembered ", remembered), func(t *testing.T) {
			s := forty()
			var m *memo.File
			if remembered {
				m = openMemo(t)
			}
			b := newBench(t, benchOptions{source: s, memo: m})
			b.build(t, generator.Options{})
			now := day(0)
			refused := func(what string, lost int) {
				t.Helper()
				now = now.Add(time.Second)
				rep, err := b.Build(t.Context(), generator.Options{Now: now, Changed: []string{}})
				shrink, is := errors.AsType[*generator.ShrinkError](err)
				if !is || rep == nil || rep.Refused != shrink || shrink.Before-shrink.After != lost {
					t.Fatalf("%s: %+v, %v; want %d held back", what, rep, err, lost)
				}
			}
			fine := func(what string, opt generator.Options) {
				t.Helper()
				now = now.Add(time.Second)
				opt.Now, opt.Changed = now, []string{}
				if rep, err := b.Build(t.Context(), opt); err != nil || rep.Refused != nil {
					t.Fatalf("%s: %+v, %v", what, rep, err)
				}
			}
			there := func(what string, path site.Path, parts ...string) {
				t.Helper()
				page := b.page(t, path)
				for _, part := range parts {
					if !strings.Contains(page, part) {
						t.Errorf("%s: %s lacks %q", what, path, part)
					}
				}
			}
			away := func(from, to int) {
				for i := from; i < to; i++ {
					s.drop(site.ID(fmt.Sprintf("%02d.md", i)))
					s.drop(site.ID(fmt.Sprintf("%02d.png", i)))
				}
				if !remembered { // nobody has their texts any more
					s.bodyErr = func(ref site.BodyRef) error {
						if s.docs[ref.Doc] == nil {
							return site.ErrNotFound
						}
						return nil
					}
				}
			}
			away(5, 35)
			refused("thirty gone", 30)
			there("thirty gone", "/blog/p20/", "This is number 20", "/assets/20.")
			s.put(newPost("00.md", "p00", -1, "tag"), map[string]string{"": "Another text."})
			s.put(newPost("new.md", "new", 0, "tag"), map[string]string{"": "A new post."})
			refused("edits of others", 29) // what appears counts against what goes
			there("edits of others", "/blog/p00/", "Another text.")
			there("edits of others", "/blog/new/", "A new post.")
			there("edits of others", "/blog/", "/blog/new/")
			there("edits of others", "/blog/p20/", "This is number 20")
			there("edits of others", "/topic/tag/", "/blog/new/")
			s.put(newPost("new.md", "new", 0, "tag"), map[string]string{"": "A new post, edited."})
			refused("an edit", 30)
			there("an edit", "/blog/new/", "edited")
			away(3, 4)
			refused("one more", 31)
			there("one more", "/blog/p03/", "This is number 3.")

			// Another process finds it as it is.
			b.end(t)
			s = s.copied()
			away(0, 0)
			b = newBench(t, benchOptions{source: s, memo: m, dir: b.dir, title: "Another title"})
			refusedAtStart := func() {
				t.Helper()
				_, err := b.Build(t.Context(), generator.Options{Now: now})
				if _, is := errors.AsType[*generator.ShrinkError](err); !is {
					t.Fatalf("at a start: %v", err)
				}
			}
			refusedAtStart()
			there("at a start", "/blog/p20/", "This is number 20")
			b.end(t)
			s = s.copied()
			away(0, 0)
			b = newBench(t, benchOptions{source: s, memo: m, dir: b.dir})
			refusedAtStart()
			s.put(newPost("new.md", "new", 0, "tag"), map[string]string{"": "Edited again."})
			refused("after a start", 31)
			there("after a start", "/blog/new/", "Edited again")
			there("after a start", "/blog/p20/", "This is number 20")

			// Some come back: so few are missing that they may go.
			back := forty()
			for i := 5; i < 33; i++ {
				id := site.ID(fmt.Sprintf("%02d.md", i))
				s.put(back.docs[id], map[string]string{"": fmt.Sprintf("This is number %d. ![x](%02d.png)", i, i)})
				s.putFile(fmt.Sprintf("%02d.png", i), fmt.Append(nil, i), "")
			}
			fine("most are back", generator.Options{})
			for path, want := range map[site.Path]int{"/blog/p20/": 200, "/blog/p03/": 410, "/blog/p33/": 410, "/blog/p36/": 200} {
				if e, ok := b.store.Current().Lookup(path); !ok || e.Status != want {
					t.Errorf("%s is %+v, want %d", path, e, want)
				}
			}
			away(5, 32)
			refused("gone again", 27)
			fine("allowed", generator.Options{AllowShrink: true})
			if e, ok := b.store.Current().Lookup("/blog/p20/"); !ok || e.Status != 410 {
				t.Errorf("allowed to go: %+v", e)
			}
			clean := newBench(t, benchOptions{source: s.copied(), memo: m})
			clean.build(t, generator.Options{Now: now})
			comparePages(t, "allowed", clean.pages(t), b.pages(t))
		})
	}
}

// TestHiddenIsHeldBack: drafts that many posts become at once are as much a loss as files that go; dates that come are none.
func TestHiddenIsHeldBack(t *testing.T) {
	s := forty()
	b := newBench(t, benchOptions{source: s, memo: openMemo(t)})
	b.build(t, generator.Options{})
	change := func(f func(*site.Post)) {
		for i := range 20 {
			p := newPost(fmt.Sprintf("%02d.md", i), fmt.Sprintf("p%02d", i), -i-1, "tag")
			f(p)
			s.put(p, map[string]string{"": "Changed."})
		}
	}
	change(func(p *site.Post) { p.Draft = true })
	if _, err := b.Build(t.Context(), generator.Options{Now: day(0), Changed: []string{}}); err == nil {
		t.Fatal("twenty drafts are not refused")
	}
	has(t, b.page(t, "/blog/p07/"), "This is number 7")
	change(func(p *site.Post) { p.Expires = day(2) })
	b.build(t, generator.Options{Changed: []string{}})
	has(t, b.page(t, "/blog/p07/"), "Changed.")
	b.build(t, generator.Options{Now: day(3), Changed: []string{}})
	if e, ok := b.store.Current().Lookup("/blog/p07/"); !ok || e.Status != 410 {
		t.Errorf("expired: %+v", e)
	}
}
