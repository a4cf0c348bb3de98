package generator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/internal/digest"
	"freshet/internal/memo"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
	"freshet/templates"
)

// shelf is a source in memory. It is a true source: it reports what differs from its last scan.
type shelf struct {
	mu      sync.Mutex
	docs    map[site.ID]site.Document
	bodies  map[site.BodyRef]string
	files   map[site.ID][]byte
	changed map[site.ID]bool
	bodyErr func(site.BodyRef) error
}

func newShelf() *shelf {
	return &shelf{docs: map[site.ID]site.Document{}, bodies: map[site.BodyRef]string{}, files: map[site.ID][]byte{}, changed: map[site.ID]bool{}}
}

func (s *shelf) Scan(_ context.Context, _ []string) (*site.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := &site.Changes{}
	for id := range s.changed {
		if d := s.docs[id]; d != nil {
			ch.Put = append(ch.Put, d)
		} else {
			ch.Drop = append(ch.Drop, id)
		}
	}
	clear(s.changed)
	return ch, nil
}

func (s *shelf) Body(_ context.Context, ref site.BodyRef) (site.Body, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodyErr != nil {
		if err := s.bodyErr(ref); err != nil {
			return site.Body{}, err
		}
	}
	text, ok := s.bodies[ref]
	if !ok {
		return site.Body{}, site.ErrChanged
	}
	return site.Body{Text: []byte(text)}, nil
}

func (s *shelf) Open(_ context.Context, f *site.File) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.NopCloser(bytes.NewReader(s.files[f.ID])), nil
}

// put adds or replaces a document with its bodies by part.
func (s *shelf) put(d site.Document, bodies map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := func(part string) site.BodyRef {
		text := bodies[part]
		if text == "" {
			return site.BodyRef{}
		}
		r := site.BodyRef{Doc: d.DocID(), Part: part, Format: site.Markdown, Hash: digest.String(text), Bytes: len(text)}
		s.bodies[r] = text
		return r
	}
	revise := func(m *site.Meta) {
		m.Body = ref("")
		m.Revision = 0
		h := digest.New()
		h.Value(d)
		m.Revision = h.Sum()
	}
	switch d := d.(type) {
	case *site.Post:
		revise(&d.Meta)
	case *site.Page:
		revise(&d.Meta)
	case *site.Course:
		for mi := range d.Modules {
			for li := range d.Modules[mi].Lessons {
				l := &d.Modules[mi].Lessons[li]
				l.Body = ref(string(l.ID))
			}
		}
		revise(&d.Meta)
	}
	s.docs[d.DocID()] = d
	s.changed[d.DocID()] = true
}

func (s *shelf) putFile(name string, data []byte, public site.Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := site.ID(name)
	s.files[id] = data
	s.docs[id] = &site.File{ID: id, Name: name, Revision: digest.Bytes(data), Size: int64(len(data)), Width: 10, Height: len(data), Public: public}
	s.changed[id] = true
}

func (s *shelf) drop(id site.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.docs, id)
	s.changed[id] = true
}

// copied is a source with the same documents that has reported none of them yet.
func (s *shelf) copied() *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newShelf()
	for id, d := range s.docs {
		c.docs[id] = d
		c.changed[id] = true
	}
	for ref, text := range s.bodies {
		c.bodies[ref] = text
	}
	for id, data := range s.files {
		c.files[id] = data
	}
	return c
}

// bench is a generator with everything it needs, in a folder of its own.
type bench struct {
	*generator.Generator
	store  *pagestore.Writer
	dir    string
	public string
}

type benchOptions struct {
	source  generator.Source
	theme   fs.FS
	workers int
	memo    *memo.File
	title   string
	noTree  bool
	first   int // Prerender
	dir     string
}

func newBench(t testing.TB, opt benchOptions) *bench {
	t.Helper()
	if opt.dir == "" {
		opt.dir = t.TempDir()
	}
	if opt.title == "" {
		opt.title = "Test"
	}
	b := &bench{dir: opt.dir, public: filepath.Join(opt.dir, "public")}
	store, err := pagestore.OpenWriter(pagestore.Config{Dir: filepath.Join(opt.dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	b.store = store
	t.Cleanup(func() { _ = store.Close() })
	var tree *publictree.Tree
	if !opt.noTree {
		if tree, err = publictree.Open(b.public, store, publictree.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	theme, err := generator.LoadTheme(templates.FS, opt.theme, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := markup.Config{Highlight: true}
	if opt.memo != nil {
		cfg.Memo = opt.memo
	}
	b.Generator, err = generator.New(generator.Config{
		Source: opt.source, Store: store, Tree: tree, Theme: theme, Markup: markup.New(cfg),
		Site:    plan.Site{Title: opt.title, URL: "https://example.com", Language: "en", Description: "A test"},
		PerPage: 3, Workers: opt.workers, MaxShrink: 0.2, State: filepath.Join(opt.dir, "state"), Prerender: opt.first,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// end closes the generator and its store, as a process does.
func (b *bench) end(t testing.TB) {
	t.Helper()
	if err := errors.Join(b.Close(), b.store.Close()); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) build(t testing.TB, opt generator.Options) *generator.Report {
	t.Helper()
	if opt.Now.IsZero() {
		opt.Now = day(0)
	}
	rep, err := b.Build(t.Context(), opt)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return rep
}

// pages are all addresses of the current generation with what readers get there; memories are left out.
func (b *bench) pages(t testing.TB) map[site.Path]string {
	t.Helper()
	gen := b.store.Current()
	out := map[site.Path]string{}
	for e := range gen.All() {
		if !e.Remembered.IsZero() || e.Path == "/_redirects" {
			continue
		}
		text := fmt.Sprint(e.Status, " ", e.Type, " ", e.Location, " ", e.Keys, " ", e.Kind, "\n")
		if e.Status == 200 {
			data, err := gen.Object(e.Object)
			if err != nil {
				t.Fatal(err)
			}
			text += string(data)
		}
		out[e.Path] = text
	}
	return out
}

func (b *bench) page(t testing.TB, path site.Path) string {
	t.Helper()
	text, ok := b.pages(t)[path]
	if !ok {
		t.Fatalf("no page at %s", path)
	}
	return text
}

func day(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func newPost(id, slug string, published int, tags ...string) *site.Post {
	return &site.Post{Meta: site.Meta{
		ID: site.ID(id), Source: id, Slug: site.Slug(slug), Title: "Title of " + slug, Excerpt: "Excerpt of " + slug,
		Published: day(published), Tags: tags, Minutes: 1,
	}}
}

func overlay(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func openMemo(t testing.TB) *memo.File {
	t.Helper()
	m, err := memo.Open(filepath.Join(t.TempDir(), "memo"), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("page lacks %q:\n%s", p, text)
		}
	}
}

func loadTheme(t testing.TB, files map[string]string) *generator.Theme {
	t.Helper()
	theme, err := generator.LoadTheme(templates.FS, overlay(files), "")
	if err != nil {
		t.Fatal(err)
	}
	return theme
}

// templateText is the text of a built-in template.
func templateText(t testing.TB, name string) string {
	t.Helper()
	data, err := fs.ReadFile(templates.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
