package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/generator"
	"freshet/internal/site"
)

// damage flips a bit in the middle of what is stored for a path.
func (b *bench) damage(t *testing.T, path site.Path) {
	t.Helper()
	e, ok := b.store.Current().Lookup(path)
	if !ok || e.Status != 200 {
		t.Fatalf("there is no page %s", path)
	}
	logs, err := filepath.Glob(filepath.Join(b.dir, "state", "log", "*.seg"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("page logs %v, %v", logs, err)
	}
	f, err := os.OpenFile(logs[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := e.Object.Offset + 17 + e.Object.Size/2
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 1
	if _, err := f.WriteAt(one, at); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Current().Object(e.Object); err == nil {
		t.Fatalf("%s can still be read", path)
	}
}

// TestDamagedPagesAreMadeAgain damages what is stored of every kind of page. Whoever notices it, a build of another
// process, a full one, or a reader of this one, the next build makes again exactly what it was, and no more than it must.
func TestDamagedPagesAreMadeAgain(t *testing.T) {
	s := newShelf()
	for i, id := range []string{"a", "b", "c", "d"} {
		s.put(newPost(id+".md", id, -10-i, "tea"), map[string]string{"": "Text of " + id + ".\n\n![A picture](p.png)"})
	}
	s.put(newPost("z.md", "z", -40), map[string]string{"": "![Another](old.png)"})
	picture := func(name, text string) {
		s.putFile(name, []byte("\x89PNG\r\n\x1a\n"+strings.Repeat(text, 50)), "")
	}
	picture("p.png", "picture")
	picture("old.png", "another")
	s.putFile("static/robots-of-mine.txt", []byte("some text of mine"), "/mine.txt")
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	s.put(newPost("z.md", "z", -40), map[string]string{"": "No picture any more."}) // it is retired
	b.build(t, generator.Options{Changed: []string{}})

	var all []site.Path
	retired := map[site.Path]bool{}
	for e := range b.store.Current().All() {
		if e.Status == 200 {
			all = append(all, e.Path)
			retired[e.Path] = !e.Remembered.IsZero()
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d pages: %v", len(all), all)
	}
	want := b.pages(t)
	for _, path := range all {
		for name, notice := range map[string]func() *generator.Report{
			"a reader": func() *generator.Report {
				if !b.store.Distrust(path) {
					t.Errorf("%s: what a reader cannot read is trusted", path)
				}
				return b.build(t, generator.Options{Changed: []string{}})
			},
			"a full build": func() *generator.Report { return b.build(t, generator.Options{Full: true}) },
			"another process": func() *generator.Report {
				b.end(t)
				s = s.copied()
				b = newBench(t, benchOptions{source: s, dir: b.dir})
				return b.build(t, generator.Options{})
			},
		} {
			if retired[path] && name != "a reader" {
				continue // it was the first to notice
			}
			before := b.store.Current().ID
			b.damage(t, path)
			rep := notice()
			if rep.Generation != before+1 || rep.Changed != 0 {
				t.Errorf("%s, noticed by %s: generation %d after %d with %d pages changed", path, name, rep.Generation, before, rep.Changed)
			}
			if name != "a full build" && rep.Rendered > 12 {
				t.Errorf("%s, noticed by %s: %d pages were rendered", path, name, rep.Rendered)
			}
			if left := b.store.Distrusted(); len(left) > 0 {
				t.Fatalf("%s, noticed by %s: %v are still damaged", path, name, left)
			}
			if retired[path] {
				if _, has := b.store.Current().Lookup(path); has {
					t.Errorf("%s: a damaged picture that nothing can make again is kept", path)
				}
				delete(want, path)
			}
			comparePages(t, string(path)+", noticed by "+name, want, b.pages(t))
			if rep := b.build(t, generator.Options{Changed: []string{}}); rep.Committed {
				t.Errorf("%s, noticed by %s: the build after has something to do", path, name)
			}
		}
	}
}
