package site

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
)

// A Snapshot is all documents' metadata at one moment, indexed. It is immutable; [Snapshot.Apply] makes the next
// one at a cost proportional to what changed.
//
// A document is visible when it is published at the snapshot's time and no visible document with a lower ID claims
// the same address; of a file, no other document at all. A file whose address other documents lie below, as /notes and /notes/a/, is not visible: in a public
// tree a path cannot be both a file and a folder. Only visible documents are in the indexes.
type Snapshot struct {
	now    time.Time
	drafts bool

	docs     Order[docItem]           // every document by ID
	claims   Order[claim]             // addresses that documents published now claim; the first of an address has it
	lessons  Order[claim]             // addresses of the lessons of courses published now, which keep files away
	names    [nameSpaces]Order[claim] // what links can find visible documents by
	schedule Order[flip]              // when documents appear or expire
	posts    Order[*Post]             // visible, oldest first
	courses  Order[*Course]           // visible, by weight, title, ID
	pages    Order[*Page]             // visible pages of their own, by path
	nav      Order[*Page]             // of these, those in the navigation, by weight, title, path
	topics   Order[*Term]             // by slug
	authors  Order[*Term]             // by slug
	urls     Order[URLItem]           // what is in the sitemap and the search index
	contests Order[Path]              // addresses that more than one document claims

	languages map[string]int // visible documents by language, without those in the site's

	edited map[*Term]struct{} // terms that belong to this snapshot alone, while Apply makes it
}

// A Term is a tag or an author with the visible posts that have it.
type Term struct {
	Slug  Slug
	Name  string       // the spelling that most posts have; of equally frequent ones that of the oldest post
	Posts Order[*Post] // oldest first
	names Order[nameCount]
}

type docItem struct {
	id  ID
	doc Document
}

// A claim is a document at an address, or at another name. A claim without a document comes before all others of its
// address.
type claim struct {
	path Path
	doc  Document
}

func firstClaim(a, b claim) bool {
	if a.path != b.path || b.doc == nil {
		return a.path < b.path
	}
	if a.doc == nil {
		return true
	}
	_, aFile := a.doc.(*File)
	_, bFile := b.doc.(*File)
	if aFile != bFile {
		return bFile // a document never loses its address to a file
	}
	return a.doc.DocID() < b.doc.DocID()
}

// A Name is something a link, an alias or a section can find a document by.
type Name struct {
	Space NameSpace
	Name  string
}

// A NameSpace separates kinds of names.
type NameSpace uint8

const (
	BySource  NameSpace = iota + 1 // path in the content tree, as SourceKey has it
	ByAlias                        // former address
	ByFile                         // a file's name, as FileKey has it
	BySection                      // the address whose text the document is
	ByPath                         // address of a visible document's own page
	ByGroup                        // translation group
	ByAnchor                       // ID of a document of which a link names a place; no index
	ByName                         // last part of a path in the content tree, as SourceKey has it
	nameSpaces
)

type nameCount struct {
	name string
	n    int
}

type flip struct {
	at time.Time
	id ID
}

// A URLItem is an address in the sitemap. Doc is nil for lists.
type URLItem struct {
	Key    uint64 // date and digest of the path: see urlKey
	Path   Path
	Doc    Document
	Lesson *Lesson
}

// Modified is the date of the last change; the zero time for lists.
func (u URLItem) Modified() time.Time {
	if m := MetaOf(u.Doc); m != nil {
		return m.LastModified()
	}
	return time.Time{}
}

// A Change is a visible document that is different in the new snapshot: nil Old means it appeared, nil New that it
// is gone.
type Change struct{ Old, New Document }

// NewSnapshot returns a snapshot without documents. With drafts everything that has not expired is visible.
func NewSnapshot(now time.Time, drafts bool) *Snapshot {
	s := &Snapshot{
		now: now, drafts: drafts,
		docs:   newOrder(func(a, b docItem) bool { return a.id < b.id }),
		claims: newOrder(firstClaim), lessons: newOrder(firstClaim),
		schedule: newOrder(func(a, b flip) bool {
			if !a.at.Equal(b.at) {
				return a.at.Before(b.at)
			}
			return a.id < b.id
		}),
		posts: newOrder(olderPost),
		courses: newOrder(func(a, b *Course) bool {
			return cmp.Or(cmp.Compare(a.Weight, b.Weight), strings.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID)) < 0
		}),
		pages: newOrder(func(a, b *Page) bool { return a.Path < b.Path }),
		nav: newOrder(func(a, b *Page) bool {
			return cmp.Or(cmp.Compare(a.Weight, b.Weight), strings.Compare(a.Title, b.Title), cmp.Compare(a.Path, b.Path)) < 0
		}),
		topics:  newOrder(func(a, b *Term) bool { return a.Slug < b.Slug }),
		authors: newOrder(func(a, b *Term) bool { return a.Slug < b.Slug }),
		urls: newOrder(func(a, b URLItem) bool {
			return a.Key < b.Key || a.Key == b.Key && a.Path < b.Path
		}),
		contests: newOrder(func(a, b Path) bool { return a < b }),
	}
	for space := range s.names {
		s.names[space] = newOrder(firstClaim)
	}
	return s
}

func olderPost(a, b *Post) bool {
	if !a.Published.Equal(b.Published) {
		return a.Published.Before(b.Published)
	}
	return a.Slug < b.Slug
}

// Now is the moment that decides what is published.
func (s *Snapshot) Now() time.Time { return s.now }

// Len is the number of documents, visible or not.
func (s *Snapshot) Len() int { return s.docs.Len() }

// Doc returns the document with that ID, visible or not, or nil.
func (s *Snapshot) Doc(id ID) Document {
	item, _ := s.docs.Get(docItem{id: id})
	return item.doc
}

// Docs yields every document, visible or not, by ID.
func (s *Snapshot) Docs() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		s.docs.t.Scan(func(d docItem) bool { return yield(d.doc) })
	}
}

// Posts are the visible posts, oldest first.
func (s *Snapshot) Posts() Order[*Post] { return s.posts }

// Courses are the visible courses by weight, title and ID.
func (s *Snapshot) Courses() Order[*Course] { return s.courses }

// Pages are the visible pages by path.
func (s *Snapshot) Pages() Order[*Page] { return s.pages }

// Nav are the visible pages that the navigation names, by weight, title and path.
func (s *Snapshot) Nav() Order[*Page] { return s.nav }

// Topics are the tags of visible posts by slug.
func (s *Snapshot) Topics() Order[*Term] { return s.topics }

// Authors are the authors of visible posts by slug.
func (s *Snapshot) Authors() Order[*Term] { return s.authors }

// URLs are the addresses for the sitemap and the search index.
func (s *Snapshot) URLs() Order[URLItem] { return s.urls }

// Topic returns the topic with that slug, or nil.
func (s *Snapshot) Topic(slug Slug) *Term { return term(s.topics, slug) }

// Author returns the author with that slug, or nil.
func (s *Snapshot) Author(slug Slug) *Term { return term(s.authors, slug) }

func term(o Order[*Term], slug Slug) *Term {
	t, _ := o.Get(&Term{Slug: slug})
	return t
}

// Find returns the visible document with that name, or nil; where several claim a name the lowest ID has it.
func (s *Snapshot) Find(n Name) Document {
	return winner(s.names[n.Space], Path(n.Name))
}

// NamesIn yields every name of that kind that finds a visible document, each once, in order.
func (s *Snapshot) NamesIn(space NameSpace) iter.Seq[string] {
	return func(yield func(string) bool) {
		last := ""
		for item := range s.names[space].All() {
			if string(item.path) == last {
				continue
			}
			last = string(item.path)
			if !yield(last) {
				return
			}
		}
	}
}

// Visible returns the document with that ID if readers may see it, or nil.
func (s *Snapshot) Visible(id ID) Document {
	if d := s.Doc(id); d != nil && s.holder(claimOf(d)) == d {
		return d
	}
	return nil
}

// At returns the visible document that has the address, or nil.
func (s *Snapshot) At(p Path) Document { return s.holder(p) }

// FilesIn yields the files that are to be published at addresses which begin with prefix, by address.
func (s *Snapshot) FilesIn(prefix Path) iter.Seq[*File] {
	return func(yield func(*File) bool) {
		for item := range s.claims.From(claim{path: prefix}) {
			if !strings.HasPrefix(string(item.path), string(prefix)) {
				return
			}
			if f, ok := item.doc.(*File); ok && !yield(f) {
				return
			}
		}
	}
}

// Section returns the text of the page that freshet makes at p, or nil.
func (s *Snapshot) Section(p Path) *Page {
	d, _ := s.Find(Name{BySection, string(p)}).(*Page)
	return d
}

// A Contest is an address that several documents claim; the first of them has it, or lies below it.
type Contest struct {
	Path Path
	Docs []Document
}

// Contests yields the contested addresses by path.
func (s *Snapshot) Contests() iter.Seq[Contest] {
	return func(yield func(Contest) bool) {
		for p := range s.contests.All() {
			c := Contest{Path: p}
			for item := range s.claims.From(claim{path: p}) {
				if item.path != p {
					break
				}
				c.Docs = append(c.Docs, item.doc)
			}
			if below := s.blocker(p); below != nil {
				c.Docs = slices.Insert(c.Docs, 0, below)
			}
			if !yield(c) {
				return
			}
		}
	}
}

// NextFlip is when the next document appears or expires; the zero time means never.
func (s *Snapshot) NextFlip() time.Time {
	for f := range s.schedule.From(flip{at: s.now.Add(1)}) {
		return f.at
	}
	return time.Time{}
}

// Apply returns the snapshot that differs from s by ch and is of the moment now, and what readers see change. Its cost
// is that of the changes, and of the dates between the two moments.
func (s *Snapshot) Apply(ch *Changes, now time.Time) (*Snapshot, []Change) {
	n := *s
	n.now = now
	n.docs, n.claims, n.lessons, n.schedule = s.docs.edit(), s.claims.edit(), s.lessons.edit(), s.schedule.edit()
	for space := range n.names {
		n.names[space] = s.names[space].edit()
	}
	n.posts, n.courses = s.posts.edit(), s.courses.edit()
	n.pages, n.nav = s.pages.edit(), s.nav.edit()
	n.topics, n.authors, n.urls, n.contests = s.topics.edit(), s.authors.edit(), s.urls.edit(), s.contests.edit()
	n.languages = cloneLanguages(s.languages)
	n.edited = map[*Term]struct{}{}
	defer func() { n.edited = nil }()

	// Documents that may have become visible or invisible, or changed: those given, and those whose time has come.
	affected := map[ID]struct{}{}
	for _, id := range ch.Drop {
		affected[id] = struct{}{}
		if old := n.Doc(id); old != nil {
			n.docs.t.Delete(docItem{id: id})
			n.unschedule(old)
		}
	}
	for _, d := range ch.Put {
		id := d.DocID()
		if old := n.Doc(id); old != nil {
			if old.DocRevision() == d.DocRevision() {
				continue
			}
			n.unschedule(old)
		}
		affected[id] = struct{}{}
		n.docs.t.Set(docItem{id, d})
		for _, at := range flips(d) {
			n.schedule.t.Set(flip{at, id})
		}
	}
	from, to := s.now, now
	if to.Before(from) {
		from, to = to, from
	}
	for f := range s.schedule.From(flip{at: from.Add(1)}) {
		if f.at.After(to) {
			break
		}
		affected[f.id] = struct{}{}
	}

	// Who claims which address, and who has it before and after.
	paths := map[Path]struct{}{}
	near := map[Path]struct{}{} // addresses of lessons that came or went: files there, or above, may have to go or come
	for id := range affected {
		if old := s.Doc(id); old != nil && visibleAt(old, s.now, s.drafts) {
			p := claimOf(old)
			n.claims.t.Delete(claim{p, old})
			paths[p] = struct{}{}
			for at := range lessonPaths(old) {
				n.lessons.t.Delete(claim{at, old})
				near[at] = struct{}{}
			}
		}
		if d := n.Doc(id); d != nil && visibleAt(d, now, s.drafts) {
			p := claimOf(d)
			n.claims.t.Set(claim{p, d})
			paths[p] = struct{}{}
			for at := range lessonPaths(d) {
				n.lessons.t.Set(claim{at, d})
				near[at] = struct{}{}
			}
		}
	}
	maps.Copy(near, paths)
	for p := range near {
		if _, is := winner(n.claims, p).(*File); is {
			paths[p] = struct{}{}
		}
		for file := range above(p) {
			if _, is := winner(n.claims, file).(*File); is {
				paths[file] = struct{}{}
			}
		}
	}
	type change struct {
		Change
		path Path // claimed
	}
	var changes []change
	for p := range paths {
		if n.contested(p) {
			n.contests.t.Set(p)
		} else {
			n.contests.t.Delete(p)
		}
		if was, is := s.holder(p), n.holder(p); was != is {
			changes = append(changes, change{Change{was, is}, p})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	out := make([]Change, len(changes))
	for i, c := range changes {
		out[i] = c.Change
		if c.Old != nil {
			n.unindex(c.Old)
		}
	}
	for _, c := range changes {
		if c.New == nil {
			continue
		}
		if PathOf(c.New) == "" {
			c.path = ""
		}
		n.index(c.New, c.path) // the claim's string, instead of one more that lasts as long
	}
	for t := range n.edited {
		if term(n.topics, t.Slug) == t {
			t.setName(func(p *Post) string { return spelling(TermsOf(p.Tags), t.Slug) })
		} else if term(n.authors, t.Slug) == t {
			t.setName(func(p *Post) string { return spelling(AuthorTerms(p), t.Slug) })
		}
	}
	if len(affected) > n.Len()/2 {
		n.trim()
	}
	return &n, out
}

// trim frees what is left over of a great change.
func (s *Snapshot) trim() {
	s.docs, s.claims, s.lessons, s.schedule = s.docs.trim(), s.claims.trim(), s.lessons.trim(), s.schedule.trim()
	for space := range s.names {
		s.names[space] = s.names[space].trim()
	}
	s.posts, s.urls = s.posts.trim(), s.urls.trim()
	for t := range s.edited {
		t.Posts = t.Posts.trim()
	}
}

func visibleAt(d Document, now time.Time, drafts bool) bool {
	m := MetaOf(d)
	return m == nil || m.VisibleAt(now, drafts)
}

// Names are what links and former addresses can find a document by.
func Names(d Document) []Name { return namesOf(d, PathOf(d)) }

// namesOf is Names for a document whose own page is at p.
func namesOf(d Document, p Path) []Name {
	var names []Name
	add := func(space NameSpace, name string) {
		if name != "" {
			names = append(names, Name{space, name})
		}
	}
	source := func(name string) {
		if name != "" {
			key := SourceKey(name)
			add(BySource, key)
			add(ByName, nameOf(key))
		}
	}
	if f, ok := d.(*File); ok {
		add(ByFile, FileKey(f.Name))
		add(ByPath, string(p))
		return names
	}
	m := MetaOf(d)
	source(m.Source)
	if m.Group != 0 {
		add(ByGroup, string(groupName(m.Group)))
	}
	for _, a := range m.Aliases {
		add(ByAlias, a)
	}
	switch d := d.(type) {
	case *Page:
		if d.Section {
			add(BySection, string(d.Path))
		}
	case *Course:
		for mi := range d.Modules {
			for li := range d.Modules[mi].Lessons {
				l := &d.Modules[mi].Lessons[li]
				source(l.Source)
				for _, a := range l.Aliases {
					add(ByAlias, a)
				}
				if l.Open && !l.Body.IsZero() {
					add(ByPath, string(LessonPath(d.Slug, l.Slug)))
				}
			}
		}
	}
	add(ByPath, string(p))
	return names
}

func groupName(g digest.Sum) Path { return Path(g.String()) }

// index enters a document, whose own page is at p, into the indexes.
func (s *Snapshot) index(d Document, p Path) {
	for _, n := range namesOf(d, p) {
		s.names[n.Space].t.Set(claim{Path(n.Name), d})
	}
	for _, u := range urlsOf(d, p) {
		s.urls.t.Set(u)
	}
	s.countLanguage(d, +1)
	switch d := d.(type) {
	case *Post:
		s.posts.t.Set(d)
		for slug, name := range TermsOf(d.Tags) {
			s.addTerm(&s.topics, slug, name, d, TopicPath(slug))
		}
		for slug, name := range AuthorTerms(d) {
			s.addTerm(&s.authors, slug, name, d, AuthorPath(slug))
		}
	case *Course:
		s.courses.t.Set(d)
	case *Page:
		if d.HasPage() {
			s.pages.t.Set(d)
			if d.Nav {
				s.nav.t.Set(d)
			}
		}
	}
}

func (s *Snapshot) unindex(d Document) {
	for _, n := range Names(d) {
		s.names[n.Space].t.Delete(claim{Path(n.Name), d})
	}
	for _, u := range URLsOf(d) {
		s.urls.t.Delete(u)
	}
	s.countLanguage(d, -1)
	switch d := d.(type) {
	case *Post:
		s.posts.t.Delete(d)
		for slug, name := range TermsOf(d.Tags) {
			s.removeTerm(&s.topics, slug, name, d, TopicPath(slug))
		}
		for slug, name := range AuthorTerms(d) {
			s.removeTerm(&s.authors, slug, name, d, AuthorPath(slug))
		}
	case *Course:
		s.courses.t.Delete(d)
	case *Page:
		if d.HasPage() {
			s.pages.t.Delete(d)
			s.nav.t.Delete(d)
		}
	}
}

// urlKey orders addresses by date, newest last: seconds since 1970 in the upper half (0 before then and for what
// has no date), a digest of the path below, so that addresses of one second still spread.
func urlKey(t time.Time, p Path) uint64 {
	var sec uint64
	if !t.IsZero() {
		sec = uint64(min(max(t.Unix(), 0), 1<<32-1))
	}
	return sec<<32 | uint64(digest.String(string(p)))&(1<<32-1)
}

// ListURL is the address of a list as the sitemap names it.
func ListURL(p Path) URLItem { return URLItem{Key: urlKey(time.Time{}, p), Path: p} }

// URLsOf are the addresses of a document that the sitemap names.
func URLsOf(d Document) []URLItem { return urlsOf(d, PathOf(d)) }

// urlsOf is URLsOf for a document whose own page is at p.
func urlsOf(d Document, p Path) []URLItem {
	m := MetaOf(d)
	if m == nil || m.SEO.NoIndex || p == "" {
		return nil
	}
	urls := []URLItem{{Key: urlKey(m.Published, p), Path: p, Doc: d}}
	if c, ok := d.(*Course); ok {
		for l := range c.OpenLessons() {
			lp := LessonPath(c.Slug, l.Slug)
			urls = append(urls, URLItem{Key: urlKey(m.Published, lp), Path: lp, Doc: d, Lesson: l})
		}
	}
	return urls
}

// OpenLessons yields the lessons that have a page.
func (c *Course) OpenLessons() iter.Seq[*Lesson] {
	return func(yield func(*Lesson) bool) {
		for mi := range c.Modules {
			for li := range c.Modules[mi].Lessons {
				if l := &c.Modules[mi].Lessons[li]; l.Open && !l.Body.IsZero() && !yield(l) {
					return
				}
			}
		}
	}
}
