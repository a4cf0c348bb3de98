// Package site holds freshet's nouns: the documents a site is made of, their names and addresses, and the
// Snapshot, all documents' metadata at one moment, indexed.
//
// A document is a [Post], a [Course], a [Page] or a [File]. Its metadata is here; its body stays in the source and
// is read when it is rendered. Documents are immutable once they are in a Snapshot. Sources (Markdown files,
// MongoDB) make documents; what they cannot repair they leave out and report.
package site

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
)

// ErrNotFound says that a source was asked and has no such thing. A source that could not be asked returns another
// error: an error is never an absence.
var ErrNotFound = errors.New("not found")

// ErrChanged says that a body is no longer the one its document's metadata was read with; the document must be
// scanned again.
var ErrChanged = errors.New("changed since it was scanned")

// An ID names a document for as long as it lives: a file's path in the content tree, or a collection and _id.
type ID string

// A Revision is the digest of the fields and body of a document that can appear on a page. Counters are not among
// them.
type Revision = digest.Sum

// A Document is a *Post, *Course, *Page or *File.
type Document interface {
	DocID() ID
	DocRevision() Revision
}

// A Format tells how a body is written.
type Format string

const (
	Markdown Format = "markdown"
	HTML     Format = "html"
	TipTap   Format = "tiptap" // TipTap/ProseMirror JSON
)

// A BodyRef tells which body a document has without holding it. The zero BodyRef is no body.
type BodyRef struct {
	Doc    ID     // the document that a source finds it by
	Part   string // which of the document's bodies: "" for its own, a lesson's ID for that lesson's
	Format Format
	Hash   digest.Sum // of the text, as Source.Body returns it; 0: no body
	Bytes  int        // length of the text
}

// IsZero reports whether there is no body.
func (r BodyRef) IsZero() bool { return r.Hash == 0 }

// A Body is the text that a BodyRef stands for.
type Body struct {
	Text []byte
	Line int // line of the source file at which the text begins, from 1; 0: unknown
}

// An Author is a person as a document names them.
type Author struct {
	Name  string
	Image string // URL or path as written; may be empty
}

// A Picture is a picture as a document names it.
type Picture struct {
	Src string // URL, or path relative to the document, as written; may be empty
	Alt string
}

// SEO holds what an author set for search engines and link previews; empty fields mean the document's own.
type SEO struct {
	Title, Description string
	Keywords           []string
	Canonical          string // absolute URL
	Image              string
	NoIndex            bool
}

// Meta is what all documents with a page have in common.
type Meta struct {
	ID        ID
	Revision  Revision
	Source    string // path in the content tree, slash-separated, for links and messages; may be empty
	Stored    bool   // a document of a database, though it may lie in a file
	Slug      Slug
	Title     string
	Excerpt   string     // plain text
	Lang      string     // BCP 47; empty: the site's
	Group     digest.Sum // of the documents that are translations of each other; 0: it has none
	Tags      []string
	Cover     Picture
	SEO       SEO
	Draft     bool      // hidden from readers, whatever hides it
	Deleted   bool      // also hidden from builds that show drafts
	Hidden    string    // the field that hides it, and its value: "isDeleted is true"; empty: no field does
	Published time.Time // with the offset that its day is shown in; zero: unknown, which counts as published at the beginning of time
	Modified  time.Time // likewise; an explicit modification date; zero: as Published
	Expires   time.Time // zero: never
	Aliases   []string  // former addresses, absolute paths on this site, as written
	Body      BodyRef
	Minutes   int // reading time
}

// DocID returns the document's ID.
func (m *Meta) DocID() ID { return m.ID }

// DocRevision returns the document's content revision.
func (m *Meta) DocRevision() Revision { return m.Revision }

// LastModified is the date readers and search engines are told: the explicit modification date, else the
// publication date.
func (m *Meta) LastModified() time.Time {
	if !m.Modified.IsZero() {
		return m.Modified
	}
	return m.Published
}

// VisibleAt reports whether readers may see the document at now; drafts says whether drafts count as published,
// which also shows what is scheduled.
func (m *Meta) VisibleAt(now time.Time, drafts bool) bool {
	if m.Deleted || !m.Expires.IsZero() && !m.Expires.After(now) {
		return false
	}
	if drafts {
		return true
	}
	return !m.Draft && !m.Published.After(now)
}

// A Post is a blog post. Its page is /blog/<slug>/.
type Post struct {
	Meta
	Authors  []Author
	Featured bool
	Views    int64 // for the order of pre-rendering only; on no page and not in Revision
}

// A Course is a course with its modules and lessons. Its page is /courses/<slug>/.
type Course struct {
	Meta
	Price, OriginalPrice float64 // in Currency; Price 0: free
	Currency             string  // ISO 4217
	Level                string  // Beginner, Intermediate, Advanced, or as written
	Duration             string  // as written: "12 weeks"
	Rating               float64 // 0 to 5; 0: none
	Instructors          []Instructor
	Features, Learn      []string
	Requirements         []string
	EnrollURL            string // http or https
	Modules              []Module
	Weight               int // order among courses, ascending; then title
}

// An Instructor teaches a course.
type Instructor struct{ Name, Title, Image, Bio string }

// A Module groups the lessons of a course. A course without modules has one with an empty Title.
type Module struct {
	Title   string
	Lessons []Lesson
}

// A Lesson is part of a course. It has a page, /courses/<course>/<slug>/, if Open and Body is not zero.
type Lesson struct {
	ID       ID
	Source   string
	Slug     Slug // unique within the course
	Title    string
	Lang     string // BCP 47; empty: the course's
	Excerpt  string
	Duration string
	Open     bool // its body may be shown to everybody
	Body     BodyRef
	Minutes  int
	Aliases  []string
}

// A Page is a Markdown page at an address of its own, or the text of a section such as the blog's list.
type Page struct {
	Meta
	Path    Path   // its address
	Section bool   // the text of the page that freshet makes at Path (home, /blog/, /courses/), not a page of its own
	Weight  int    // order in the site's navigation when Nav
	Nav     bool   // linked from the site's navigation
	Link    Link   // of the banner: where it leads
	To      string // not empty: no page, but a redirect of its aliases to this path or web address
	Closed  bool   // of a section: readers see that it is being worked on, and not what is in it
}

// BannerPath is the address that stands for the banner, a Section whose Title every page shows.
const BannerPath Path = "banner:"

// A Link is a text with an address: the site's own, from "/", or a web address in full.
type Link struct{ Text, URL string }

// NewLink returns a link to a safe address, with the address for a text where there is none; the zero Link when the
// address is none.
func NewLink(text, address string) Link {
	address = strings.TrimSpace(address)
	u, err := url.Parse(address)
	own := strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.Contains(address, "\\")
	if err != nil || !own && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return Link{}
	}
	return Link{cmp.Or(text, address), address}
}

// A File is a file of the content tree that pages refer to (a picture) or that is published as it is.
type File struct {
	ID            ID
	Revision      Revision // digest of its bytes
	Name          string   // path in the content tree, slash-separated
	Public        Path     // address of a file under static/; empty: published only when a page refers to it
	Size          int64
	Width, Height int // of a picture in pixels; 0: unknown
}

// DocID returns the file's ID.
func (f *File) DocID() ID { return f.ID }

// DocRevision returns the digest of the file's bytes.
func (f *File) DocRevision() Revision { return f.Revision }

// Changes is what a source found to be different from what it reported before.
type Changes struct {
	Put      []Document
	Drop     []ID
	Problems []diag.Problem // all problems the source has now, not only new ones
	Skipped  []Skip         // all documents it had to leave out
	Again    []string       // names of what seems to be half written and was left as it was: to be scanned again in a second
}

// A Skip is a document that was left out because of an error.
type Skip struct {
	ID     ID     `json:"id"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}
