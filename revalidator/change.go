package revalidator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"freshet/internal/site"
)

// A Change tells a build what to look at.
type Change struct {
	Documents  []string // names of documents that may have changed, each once
	Verify     []string // names of documents to compare with the source although nobody reported a change
	Everything bool     // any document may have changed: look at all of them
	Theme      bool     // templates or assets changed
	Clock      bool     // a publication or expiry date has passed
	Rest       bool     // build pages that an earlier build deferred
	Cause      string
	Origins    map[string]string // document name → who reported its change

	// Compared is the oldest time at which a document was compared with the source, once this change is built. Zero
	// leaves the earlier value in place. If Everything is set, it is the start of the build.
	Compared time.Time
}

func (c *Change) empty() bool {
	return len(c.Documents) == 0 && len(c.Verify) == 0 && !c.Everything && !c.Theme && !c.Clock && !c.Rest && c.Compared.IsZero()
}

// maxNamed limits the documents in one change. Beyond it a look at all documents is cheaper.
const maxNamed = 10_000

// A Result describes what a build did.
type Result struct {
	Generation uint64       `json:"generation"`        // the newest generation, made by this build or before
	Pages      []PageChange `json:"pages,omitempty"`   // pages that this build changed
	Skipped    []site.Skip  `json:"skipped,omitempty"` // documents left out because of mistakes in them
	More       bool         `json:"-"`                 // the build deferred some pages
	Unfinished bool         `json:"-"`                 // something outside the pages is not up to date: build again later
	Again      []string     `json:"-"`                 // files that look half written: read them again after a second
}

// A PageChange is a page that a build added, changed or removed.
type PageChange struct {
	Path    site.Path `json:"path"`
	Outcome string    `json:"outcome"` // added, changed, removed
}

// maxListed limits the changed pages in a Result.
const maxListed = 10_000

// PagesChanged lists the changed pages, without assets. changes yields the entries of a path before and after a build.
// A nil entry means that the path had, or has, no page.
func PagesChanged(changes iter.Seq2[*site.Entry, *site.Entry]) []PageChange {
	var out []PageChange
	for old, now := range changes {
		if len(out) == maxListed {
			break
		}
		there := func(e *site.Entry) bool { return e != nil && e.Status == 200 }
		c := PageChange{Outcome: "changed"}
		switch {
		case now == nil:
			c.Path, c.Outcome = old.Path, "removed"
		case there(old) && !there(now):
			c.Path, c.Outcome = now.Path, "removed"
		case !there(old) && there(now):
			c.Path, c.Outcome = now.Path, "added"
		default:
			c.Path = now.Path
		}
		if !strings.HasPrefix(string(c.Path), "/assets/") {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b PageChange) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return out
}

// A Request names what may have changed. It is only a hint: the build reads the documents again.
type Request struct {
	Docs       []Doc    `json:"docs,omitempty"`
	Tags       []string `json:"tags,omitempty"`  // mean all documents with this tag
	Paths      []string `json:"paths,omitempty"` // mean all documents that the page at this path shows
	Everything bool     `json:"everything,omitempty"`
	DryRun     bool     `json:"dryRun,omitempty"` // only list the pages that the request touches
}

// Limits of a request.
const (
	maxHints     = 1000 // docs, tags and paths together; a request with more becomes a request for everything
	maxHintBytes = 1024 // of one name
)

// Empty reports whether the request asks for nothing.
func (r *Request) Empty() bool {
	return len(r.Docs) == 0 && len(r.Tags) == 0 && len(r.Paths) == 0 && !r.Everything
}

// Check reports what is wrong with a request. It turns a request with more than maxHints names into one for everything.
func (r *Request) Check() error {
	text := func(what, s string) error {
		switch {
		case s == "":
			return refuse("a %s is empty", what)
		case len(s) > maxHintBytes:
			return refuse("a %s is longer than %d bytes", what, maxHintBytes)
		case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
			return refuse("a %s is not plain text", what)
		}
		return nil
	}
	for _, d := range r.Docs {
		for _, name := range d.Names() {
			if err := text("document", name); err != nil {
				return err
			}
		}
		if d.Given == "" && (d.Coll == "" || d.ID == "" && d.Slug == "") {
			return refuse(`a document needs "coll" and "slug" or "id", or the form "blog:slug"`)
		}
	}
	for _, s := range r.Tags {
		if err := text("tag", s); err != nil {
			return err
		}
	}
	for _, s := range r.Paths {
		if err := text("path", s); err != nil {
			return err
		}
	}
	if len(r.Docs)+len(r.Tags)+len(r.Paths) > maxHints {
		r.Docs, r.Tags, r.Paths, r.Everything = nil, nil, nil, true
	}
	return nil
}

// String returns a short text that names what is requested.
func (r *Request) String() string {
	if r.Everything {
		return "everything"
	}
	var names []string
	for _, d := range r.Docs {
		names = append(names, d.Names()...)
	}
	for _, t := range r.Tags {
		names = append(names, "tag:"+t)
	}
	names = append(names, r.Paths...)
	if more := len(names) - 3; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), more)
	}
	return strings.Join(names, ", ")
}

// A Doc names a document: by one string, or by collection with slug, id or both. Its JSON is that string, or an object.
type Doc struct {
	Given string // blog:<slug>, course:<slug>, page:<path>, or any name that the source understands
	Coll  string
	Slug  string
	ID    string
}

// kinds maps a collection's name to the kind in a document's name.
var kinds = map[string]string{
	"blog": "blog", "blogs": "blog", "post": "blog", "posts": "blog", "article": "blog", "articles": "blog", "blogpost": "blog",
	"course": "course", "courses": "course",
	"page": "page", "pages": "page",
}

// collections maps a kind to the collection that stores it.
var collections = map[string]string{"blog": "blogs", "course": "courses", "page": "pages"}

// Name returns the name that sources accept: Given, else kind:slug, else collection:id.
func (d Doc) Name() string {
	switch {
	case d.Given != "":
		return d.Given
	case d.Slug != "":
		return cmp.Or(kinds[strings.ToLower(d.Coll)], d.Coll) + ":" + d.Slug
	}
	return d.byID()
}

// Names returns all names of the document. A Doc with slug and id has two: the slug may belong to another document by
// now, and the id may come from another program.
func (d Doc) Names() []string {
	if d.Given == "" && d.Slug != "" && d.ID != "" {
		return []string{d.Name(), d.byID()}
	}
	return []string{d.Name()}
}

func (d Doc) byID() string {
	if d.ID == "" {
		return ""
	}
	return cmp.Or(collections[kinds[strings.ToLower(d.Coll)]], d.Coll) + ":" + d.ID
}

type docObject struct {
	Coll string `json:"coll"`
	Slug string `json:"slug,omitempty"`
	ID   string `json:"id,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d Doc) MarshalJSON() ([]byte, error) {
	if d.Given != "" {
		return json.Marshal(d.Given)
	}
	return json.Marshal(docObject{d.Coll, d.Slug, d.ID})
}

// UnmarshalJSON implements json.Unmarshaler. Unknown members are errors.
func (d *Doc) UnmarshalJSON(b []byte) error {
	var given string
	if json.Unmarshal(b, &given) == nil {
		*d = Doc{Given: given}
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var o docObject
	if err := dec.Decode(&o); err != nil {
		return fmt.Errorf("a document is neither text nor {coll, slug, id}: %w", err)
	}
	*d = Doc{Coll: o.Coll, Slug: o.Slug, ID: o.ID}
	return nil
}

// names resolves a request if Config.Resolve is nil. Without a resolver, a tag or a path may mean any document.
func names(r Request) (documents []string, everything bool) {
	for _, d := range r.Docs {
		documents = append(documents, d.Names()...)
	}
	return documents, r.Everything || len(r.Tags) > 0 || len(r.Paths) > 0
}

// A pile merges changes. It holds each document once.
type pile struct {
	Change
	seen map[string]struct{}
}

func (p *pile) add(c Change) {
	if p.empty() {
		p.Cause = c.Cause
	}
	p.Everything = p.Everything || c.Everything
	p.Theme = p.Theme || c.Theme
	p.Clock = p.Clock || c.Clock
	p.Rest = p.Rest || c.Rest
	if c.Compared.After(p.Compared) {
		p.Compared = c.Compared
	}
	p.Verify = append(p.Verify, c.Verify...)
	for _, name := range c.Documents {
		if p.Everything {
			break
		}
		if _, has := p.seen[name]; has {
			continue
		}
		if p.seen == nil {
			p.seen = map[string]struct{}{}
		}
		p.seen[name] = struct{}{}
		p.Documents = append(p.Documents, name)
		p.Everything = len(p.Documents) > maxNamed
	}
	if p.Everything {
		p.Documents, p.Verify, p.seen = nil, nil, nil
	}
}
