package site

import (
	"iter"
	"strings"
	"time"
)

func (s *Snapshot) contested(p Path) bool {
	n := 0
	for item := range s.claims.From(claim{path: p}) {
		if item.path != p || n > 1 {
			break
		}
		n++
	}
	return n > 1 || s.blocker(p) != nil
}

// holder is the document that has an address.
func (s *Snapshot) holder(p Path) Document {
	if s.blocker(p) != nil {
		return nil
	}
	return winner(s.claims, p)
}

// blocker is a document that keeps the file which claims p from having it: a course with a lesson there, or whatever lies
// below p; nil: none does.
func (s *Snapshot) blocker(p Path) Document {
	if _, is := winner(s.claims, p).(*File); !is || !strings.HasPrefix(string(p), "/") {
		return nil
	}
	if d := winner(s.lessons, p); d != nil {
		return d
	}
	if strings.HasSuffix(string(p), "/") {
		return nil
	}
	for _, claims := range [...]Order[claim]{s.claims, s.lessons} {
		for item := range claims.From(claim{path: p + "/"}) {
			if strings.HasPrefix(string(item.path), string(p)+"/") {
				return item.doc
			}
			break
		}
	}
	return nil
}

// above yields the paths that are folders because there is something at p: /a/b and /a for /a/b/, /a for /a/x.png.
func above(p Path) iter.Seq[Path] {
	return func(yield func(Path) bool) {
		for s := string(p); ; {
			i := strings.LastIndexByte(s, '/')
			if i <= 0 {
				return
			}
			if s = s[:i]; !yield(Path(s)) {
				return
			}
		}
	}
}

func winner(claims Order[claim], p Path) Document {
	for item := range claims.From(claim{path: p}) {
		if item.path == p {
			return item.doc
		}
		break
	}
	return nil
}

func (s *Snapshot) unschedule(d Document) {
	for _, at := range flips(d) {
		s.schedule.t.Delete(flip{at, d.DocID()})
	}
}

// flips are the moments at which the document may appear or expire.
func flips(d Document) []time.Time {
	m := MetaOf(d)
	if m == nil {
		return nil
	}
	var at []time.Time
	if !m.Draft && !m.Published.IsZero() {
		at = append(at, m.Published)
	}
	if !m.Expires.IsZero() {
		at = append(at, m.Expires)
	}
	return at
}

// MetaOf returns the part that all documents but files share, or nil.
func MetaOf(d Document) *Meta {
	switch d := d.(type) {
	case *Post:
		return &d.Meta
	case *Course:
		return &d.Meta
	case *Page:
		return &d.Meta
	}
	return nil
}

// HasPage reports whether the page is one of its own: neither the text of a section nor a redirect.
func (p *Page) HasPage() bool { return !p.Section && p.To == "" }

// PathOf is the address of a document's own page; empty for sections and for files that are not public.
func PathOf(d Document) Path {
	switch d := d.(type) {
	case *Post:
		return PostPath(d.Slug)
	case *Course:
		return CoursePath(d.Slug)
	case *Page:
		if d.HasPage() {
			return d.Path
		}
	case *File:
		if folder, is := strings.CutSuffix(string(d.Public), "/index.html"); is {
			return Path(folder + "/")
		}
		return d.Public
	}
	return ""
}

// claimOf is what only one visible document may have: its address, or what stands for one.
func claimOf(d Document) Path {
	if p := PathOf(d); p != "" {
		return p
	}
	switch d := d.(type) {
	case *Page:
		if d.To != "" {
			return "redirect:" + Path(d.ID)
		}
		return "section:" + d.Path
	case *File:
		return "file:" + Path(d.Name)
	}
	return Path(d.DocID())
}

// lessonPaths yields the addresses of a course's lessons that have a page.
func lessonPaths(d Document) iter.Seq[Path] {
	return func(yield func(Path) bool) {
		if c, ok := d.(*Course); ok {
			for l := range c.OpenLessons() {
				if !yield(LessonPath(c.Slug, l.Slug)) {
					return
				}
			}
		}
	}
}
