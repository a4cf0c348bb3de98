package plan

import (
	"html/template"
	"time"

	"freshet/generator/markup"
	"freshet/internal/digest"
)

// Views are what templates are given, one type for each entry template; a template sees nothing else. Every view
// has a Layout (the same on all pages) and a Head (what goes into the head element). Addresses in views are
// root-relative ("/blog/rivers/") unless they say absolute. Zero values mean "there is none".

// Entries are the templates that pages are made with, one for each view.
var Entries = []string{
	"home.html", "list.html", "post.html", "topics.html", "courses.html", "course.html", "lesson.html", "page.html",
	"search.html", "404.html",
}

// EmptyView returns a view with nothing in it of the type that an entry is given; nil if there is no such entry.
func EmptyView(entry string) any {
	switch entry {
	case "home.html":
		return &Home{}
	case "list.html":
		return &List{}
	case "post.html":
		return &Post{}
	case "topics.html":
		return &Topics{}
	case "courses.html":
		return &Courses{}
	case "course.html":
		return &Course{}
	case "lesson.html":
		return &Lesson{}
	case "page.html":
		return &TextPage{}
	case "search.html":
		return &Search{}
	case "404.html":
		return &NotFound{}
	}
	return nil
}

// Layout is what every page shows. It holds nothing that changes with every document.
type Layout struct {
	Title, Description string // of the site
	BaseURL            string // absolute, without a slash at the end
	Lang, Dir          string // BCP 47; ltr or rtl
	Author             string
	Year               int // of the newest document, for the footer; 0: no documents
	Nav                []Link
	Assets             map[string]string // URL of each asset by name: "style.css" → "/assets/style.0123456789abcdef.css"
	Feeds              []Feed            // of the whole site
	LiveReload         bool              // freshet dev: the page is to load "dev.js"
	Banner             *Banner           // nil: none

	sum digest.Sum
}

// Asset is the URL of the theme's asset of that name; empty when there is none.
func (l *Layout) Asset(name string) string { return l.Assets[name] }

// Digest implements digest.Digester: a layout is digested once, not once a page.
func (l *Layout) Digest() digest.Sum { return l.sum }

// Banner is a notice that every page shows.
type Banner struct {
	Text string
	Link Link // zero: none
}

// Link is a text with an address. The navigation marks the entry whose URL is
// Head.NavURL.
type Link struct {
	Text, URL string
}

// Feed is an alternate form of a page for feed readers.
type Feed struct{ Title, URL, Type string }

// Head is a page's metadata for browsers, search engines and link previews.
type Head struct {
	Title       string // complete: "Rivers — Site"
	Description string
	Canonical   string     // absolute
	Type        string     // Open Graph type: website or article
	Lang, Dir   string     // of this page
	Languages   []Language // the page in each of its languages, itself among them; empty: it has no translations
	Image       *Image     // URL absolute
	Authors     []string
	Published   time.Time
	Modified    time.Time
	Section     string   // first tag
	Tags        []string // article:tag
	Keywords    []string
	NoIndex     bool
	Prev, Next  string // rel=prev and rel=next; root-relative
	Feeds       []Feed // besides the site's
	JSONLD      template.JS
	NavURL      string // address of the navigation entry this page belongs to
}

// Language is a page in one language. Lang is BCP 47, or "x-default" for readers of a language that there is no page in,
// which has no Name; Name is what its speakers call it; URL is absolute.
type Language struct{ Lang, Name, URL string }

// Image is a picture ready to show. Width and Height are pixels; 0: unknown.
type Image struct {
	URL, Alt      string
	Width, Height int
}

// Body is safe HTML made from a document's body: {{.Body.HTML}}. Headings is its table of contents.
type Body struct {
	HTML     template.HTML // empty: no body
	Headings []markup.Heading
	sum      digest.Sum
}

// Digest implements digest.Digester.
func (b *Body) Digest() digest.Sum { return b.sum }

// Card is a post in a list.
type Card struct {
	Title, URL, Excerpt string
	Lang, Dir           string // set only where they differ from the site's
	Published           time.Time
	Authors             []Link
	Tags                []Link
	Cover               *Image
	Minutes             int
	Featured            bool
}

// CourseCard is a course in a list.
type CourseCard struct {
	Title, URL, Excerpt string
	Lang, Dir           string
	Level, Duration     string
	Lessons             int
	Price               Price
	Cover               *Image
	Rating              float64
}

// Price is a course's price in words: "₹1,00,000". Was is the struck-out former price; Free means it costs
// nothing, and Text says so.
type Price struct {
	Text, Was string
	Free      bool
}

// Home is the view of home.html, page /.
type Home struct {
	Layout  *Layout
	Head    Head
	Heading string
	Intro   *Body // text of the content tree's _index.md; nil: none
	Posts   []Card
	Courses []CourseCard
	Topics  []Link
}

// List is the view of list.html: /blog/, /blog/page/N/, /topic/<tag>/ and /author/<author>/ with their pages.
type List struct {
	Layout       *Layout
	Head         Head
	Heading      string
	Label        string // what kind of list: "Blog", "Topic", "Author"
	Intro        *Body  // on the first page only; nil: none
	Cards        []Card // newest first
	Newer, Older string // neighbouring pages of the list; empty: none
	Number       int    // of a numbered page, counted from the oldest; 0: the newest posts
	Feed         string // of this list; empty: none
}

// Post is the view of post.html, page /blog/<slug>/.
type Post struct {
	Layout              *Layout
	Head                Head
	Title, Excerpt      string
	Published, Modified time.Time // Modified is zero unless it is a later day
	Authors             []Link
	AuthorImages        []Image // as Authors; URL empty: none
	Tags                []Link
	Cover               *Image
	Minutes             int
	Body                *Body
	Newer, Older        *Link // neighbours by date
	Related             []Card
	Lang, Dir           string
	Crumbs              []Link
}

// Topics is the view of topics.html, page /topic/: all topics by name.
type Topics struct {
	Layout  *Layout
	Head    Head
	Heading string
	Intro   *Body
	Topics  []Link
}

// Courses is the view of courses.html, page /courses/.
type Courses struct {
	Layout  *Layout
	Head    Head
	Heading string
	Intro   *Body
	Courses []CourseCard
	Closed  bool // the courses are being worked on, and none is listed
}

// Course is the view of course.html, page /courses/<slug>/.
type Course struct {
	Layout          *Layout
	Head            Head
	Title, Excerpt  string
	Level, Duration string
	Price           Price
	Rating          float64
	Cover           *Image
	Tags            []Link
	Instructors     []Instructor
	Features, Learn []string
	Requirements    []string
	EnrollURL       string
	Modules         []Module
	Lessons         int
	Body            *Body
	Lang, Dir       string
	Crumbs          []Link
}

// Instructor teaches a course.
type Instructor struct {
	Name, Title, Bio string
	Image            *Image
}

// Module is a part of a course's curriculum; Title may be empty when a course has only one.
type Module struct {
	Title   string
	Lessons []LessonLink
}

// LessonLink is a lesson in the curriculum; URL is empty where its text may not be shown.
type LessonLink struct {
	Title, URL, Duration string
	Minutes              int
	Current              bool
}

// Lesson is the view of lesson.html, page /courses/<course>/<lesson>/.
type Lesson struct {
	Layout         *Layout
	Head           Head
	Title, Excerpt string
	Course         Link
	Module         string
	Number, Of     int // its place among the course's lessons, from 1
	Duration       string
	Minutes        int
	Body           *Body
	Previous, Next *Link
	Modules        []Module // the whole curriculum, this lesson marked Current
	Lang, Dir      string
	Crumbs         []Link
}

// TextPage is the view of page.html: the Markdown pages of the content tree.
type TextPage struct {
	Layout    *Layout
	Head      Head
	Title     string
	Excerpt   string
	Modified  time.Time
	Cover     *Image
	Body      *Body
	Lang, Dir string
	Crumbs    []Link
}

// Search is the view of search.html, page /search/.
type Search struct {
	Layout *Layout
	Head   Head
	Index  string // URL of the search index's table of parts
}

// NotFound is the view of 404.html.
type NotFound struct {
	Layout *Layout
	Head   Head
}
