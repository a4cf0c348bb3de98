package contentdir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"freshet/generator/markup"
	"freshet/internal/contentdir"
	"freshet/internal/site"
)

// summaries makes summaries as the pages' renderer does.
var summaries = markup.New(markup.Config{})

// old is a modification time that is settled.
var old = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// writeTree writes the files of a txtar archive, all with a settled time.
func writeTree(t testing.TB, dir string, files []txtar.File) {
	t.Helper()
	for _, f := range files {
		write(t, dir, f.Name, f.Data)
	}
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
}

func newSource(t testing.TB, dir string, memo contentdir.Memo) *contentdir.Source {
	t.Helper()
	s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir, Memo: memo})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scan(t testing.TB, s *contentdir.Source, changed []string) *site.Changes {
	t.Helper()
	ch, err := s.Scan(t.Context(), changed)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// describe shows the documents of a scan as text, problems included, with bodies where asked.
func describe(t testing.TB, s *contentdir.Source, dir string, ch *site.Changes, bodies bool) string {
	t.Helper()
	var b strings.Builder
	line := func(format string, args ...any) {
		s := fmt.Sprintf(format, args...)
		b.WriteString(strings.TrimRight(s, " ") + "\n")
	}
	str := func(name, v string) {
		if v != "" {
			line("  %s: %s", name, v)
		}
	}
	list := func(name string, v []string) {
		if len(v) > 0 {
			line("  %s: %s", name, strings.Join(v, " | "))
		}
	}
	date := func(name string, v time.Time) {
		if !v.IsZero() {
			line("  %s: %s", name, v.Format(time.RFC3339))
		}
	}
	body := func(ref site.BodyRef) {
		if ref.IsZero() || !bodies {
			return
		}
		got, err := s.Body(t.Context(), ref)
		if err != nil {
			t.Errorf("Body(%+v): %v", ref, err)
			return
		}
		if len(got.Text) != ref.Bytes {
			t.Errorf("Body(%+v) has %d bytes", ref, len(got.Text))
		}
		line("  body at %d:", got.Line)
		for l := range strings.SplitSeq(strings.TrimRight(string(got.Text), "\n"), "\n") {
			line("    |%s", l)
		}
	}
	meta := func(m *site.Meta) {
		str("title", m.Title)
		str("slug", string(m.Slug))
		str("excerpt", m.Excerpt)
		str("lang", m.Lang)
		list("tags", m.Tags)
		if m.Cover != (site.Picture{}) {
			str("cover", m.Cover.Src+" ("+m.Cover.Alt+")")
		}
		if seo := fmt.Sprintf("%+v", m.SEO); seo != fmt.Sprintf("%+v", site.SEO{}) {
			str("seo", seo)
		}
		if m.Draft {
			line("  draft")
		}
		date("published", m.Published)
		date("modified", m.Modified)
		date("expires", m.Expires)
		list("aliases", m.Aliases)
	}
	for _, d := range ch.Put {
		switch d := d.(type) {
		case *site.Post:
			line("post %s", d.ID)
			meta(&d.Meta)
			for _, a := range d.Authors {
				str("author", a.Name+" "+a.Image)
			}
			if d.Featured {
				line("  featured")
			}
			body(d.Body)
		case *site.Course:
			line("course %s", d.ID)
			meta(&d.Meta)
			if d.Price > 0 || d.Currency != "" {
				line("  price: %g of %g %s", d.Price, d.OriginalPrice, d.Currency)
			}
			str("level", d.Level)
			str("duration", d.Duration)
			for _, i := range d.Instructors {
				line("  instructor: %s, %s %s %s", i.Name, i.Title, i.Image, i.Bio)
			}
			list("features", d.Features)
			list("learn", d.Learn)
			list("requirements", d.Requirements)
			str("enroll", d.EnrollURL)
			body(d.Body)
			for _, m := range d.Modules {
				line("  module %q", m.Title)
				for _, l := range m.Lessons {
					line("    lesson %s %s %q %s%s %s", l.ID, l.Slug, l.Title, l.Lang, l.Duration, map[bool]string{true: "", false: "closed"}[l.Open])
					body(l.Body)
				}
			}
		case *site.Page:
			line("page %s", d.ID)
			line("  at %s%s%s", d.Path, map[bool]string{true: " section"}[d.Section], map[bool]string{true: " nav"}[d.Nav])
			str("leads to", d.To)
			meta(&d.Meta)
			if d.Closed {
				line("  closed")
			}
			if d.Link != (site.Link{}) {
				line("  link %q to %s", d.Link.Text, d.Link.URL)
			}
			body(d.Body)
		case *site.File:
			line("file %s %d bytes %dx%d %s", d.Name, d.Size, d.Width, d.Height, d.Public)
		}
	}
	for _, id := range ch.Drop {
		line("drop %s", id)
	}
	for _, p := range ch.Problems {
		p.File = strings.TrimPrefix(strings.TrimPrefix(p.File, filepath.ToSlash(dir)), "/")
		line("%s: %s", p.Severity, p.Error())
	}
	for _, s := range ch.Skipped {
		line("skip %s field %q: %s", s.ID, s.Field, s.Reason)
	}
	return b.String()
}
