package explain

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// A Reason says why a document is on no page, or which pages show it. Its JSON form is that of freshet explain --why-not --json.
type Reason struct {
	Document string      `json:"document"`
	Reason   string      `json:"reason,omitempty"` // why it is on no page; empty: nothing keeps it from one
	Remedy   string      `json:"remedy,omitempty"`
	Pages    []site.Path `json:"pages"`         // pages of the newest generation that show it
	Was      []Was       `json:"was,omitempty"` // addresses of its own page
}

// A Was is an address at which a document had its page. It may still have it, until a build removes it.
type Was struct {
	Path     site.Path `json:"path"`
	Status   int       `json:"status"` // of the answer there
	Location string    `json:"location,omitempty"`
	Since    time.Time `json:"since"`
	Cause    string    `json:"cause"`
	Event    string    `json:"event,omitempty"` // what requested the change
}

// AddPages adds the pages of a generation that show the document, or, if there is a reason why none does, the addresses
// that it had.
func (r *Reason) AddPages(gen *pagestore.Generation) error {
	former := pathsNamed(r.Document)
	for _, e := range gen.Sorted() {
		if r.Reason != "" {
			if e.Doc != "" && (string(e.Doc) == r.Document || slices.Contains(former, e.Path)) {
				origin, err := gen.Origin(e)
				if err != nil {
					return fmt.Errorf("read who asked for %s: %w", e.Path, err)
				}
				since := e.Changed
				if !e.Remembered.IsZero() {
					since = e.Remembered
				}
				r.Was = append(r.Was, Was{e.Path, e.Status, e.Location, since.UTC(), e.Cause, origin})
			}
			continue
		}
		docs, err := gen.Docs(e)
		if err != nil {
			return fmt.Errorf("read what made %s: %w", e.Path, err)
		}
		if slices.ContainsFunc(docs, func(d site.DocRef) bool { return string(d.ID) == r.Document }) {
			r.Pages = append(r.Pages, e.Path)
		}
	}
	return nil
}

// WhyNot explains why readers cannot see a document that is named by its ID, its file or its slug. It returns nil if there
// is no such document.
func WhyNot(snap *site.Snapshot, changes *site.Changes, name string, now time.Time) *Reason {
	named := pathsNamed(name)
	for _, s := range changes.Skipped {
		slug := fileSlug(s.ID)
		if string(s.ID) == name || slices.Contains(named, site.PostPath(slug)) || slices.Contains(named, site.CoursePath(slug)) {
			why := s.Reason
			if s.Field != "" {
				why = s.Field + ": " + why
			}
			return &Reason{Document: string(s.ID), Reason: why, Remedy: "mend it: freshet build says where and how", Pages: []site.Path{}}
		}
	}
	path := site.PathNamed(name)
	for d := range snap.Docs() {
		m := site.MetaOf(d)
		if c, ok := d.(*site.Course); ok {
			if ans := whyNotLesson(c, name, now, snap); ans != nil {
				return ans
			}
		}
		if string(d.DocID()) != name && (m == nil || m.Source != name && string(m.Slug) != name) && (path == "" || site.PathOf(d) != path) {
			continue
		}
		ans := &Reason{Document: string(d.DocID()), Pages: []site.Path{}}
		if snap.Visible(d.DocID()) != nil || m == nil {
			return ans
		}
		ans.Reason, ans.Remedy = hidden(snap, d, m, now)
		return ans
	}
	return nil
}

// fileSlug returns the slug of a document whose front matter cannot be read: its file gives it.
func fileSlug(id site.ID) site.Slug {
	base := path.Base(string(id))
	if base = strings.TrimSuffix(base, path.Ext(base)); base == "index" || base == "_index" {
		base = path.Base(path.Dir(string(id)))
	}
	return site.Slug(base)
}

// pathsNamed returns the addresses that the page of a document may have. The name is blog:<slug>, course:<slug>, page:<path>
// or a slug.
func pathsNamed(name string) []site.Path {
	return []site.Path{site.PathNamed(name), site.PostPath(site.Slug(name)), site.CoursePath(site.Slug(name))}
}

// hidden returns why a document is not visible, and what to do about it.
func hidden(snap *site.Snapshot, d site.Document, m *site.Meta, now time.Time) (why, remedy string) {
	switch {
	case !m.Expires.IsZero() && !m.Expires.After(now):
		return "it expired at " + m.Expires.Format(time.RFC3339), "move its expiry date, or remove it"
	case m.Deleted:
		return m.Hidden, "take that back to publish it"
	case m.Hidden != "":
		return "it is a draft: " + m.Hidden, "publish it, or build with --drafts"
	case m.Draft:
		return "it is a draft: nothing says that it is published", "write status: published, or build with --drafts"
	case m.Published.After(now):
		return "it is scheduled for " + m.Published.Format(time.RFC3339), "wait for its date, or build with --drafts"
	}
	p := site.PathOf(d)
	if other := snap.At(p); other != nil {
		return fmt.Sprintf("its address %s belongs to %s", p, other.DocID()), "give one of them another slug"
	}
	return "another document has its place", "give one of them another slug"
}

// whyNotLesson does the same as WhyNot for the lessons of a course.
func whyNotLesson(c *site.Course, name string, now time.Time, snap *site.Snapshot) *Reason {
	for _, m := range c.Modules {
		for _, l := range m.Lessons {
			if string(l.ID) != name && l.Source != name {
				continue
			}
			ans := &Reason{Document: string(l.ID), Pages: []site.Path{}}
			switch {
			case snap.Visible(c.ID) == nil:
				why, remedy := hidden(snap, c, &c.Meta, now)
				ans.Reason, ans.Remedy = fmt.Sprintf("of its course %s: %s", c.ID, why), remedy
			case l.Body.IsZero():
				ans.Reason, ans.Remedy = "it has no text", "the curriculum names it all the same"
			case !l.Open:
				ans.Reason, ans.Remedy = "its text may not be shown", "the curriculum names it all the same; set free: true to show it"
			}
			return ans
		}
	}
	return nil
}

// FileName returns the name that a content tree has for a file: its path below the folder. It returns another name as it is.
func FileName(folder, name string) string {
	top, err := filepath.Abs(folder)
	file, fileErr := filepath.Abs(name)
	if err == nil && fileErr == nil {
		if rel, err := filepath.Rel(top, file); err == nil && rel != "." && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(name)
}
