package plan

import (
	"context"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// touch gathers targets, each address once.
type touch struct {
	p, old *Planner
	cause  string
	of     site.ID // the document that is the cause
	seen   map[site.Path]struct{}
	out    []Target
}

func (p *Planner) begin(old *Planner) *touch {
	return &touch{p: p, old: old, seen: map[site.Path]struct{}{}}
}

func (t *touch) add(path site.Path, plan func(context.Context) (*Page, error)) {
	if _, ok := t.seen[path]; ok {
		return
	}
	t.seen[path] = struct{}{}
	target := Target{Path: path, Cause: t.cause, Of: t.of, plan: plan}
	if plan == nil && !t.p.own(path) {
		target.docs = t.p // freshet makes nothing here any more, but a file may be here
	}
	t.out = append(t.out, target)
}

// at adds the target for what documents have at path, unless freshet itself makes a page there.
func (t *touch) at(path site.Path) {
	if path == "" || t.p.own(path) {
		return
	}
	t.add(path, nil)
}

// doc plans the pages and former addresses of a document.
func (t *touch) doc(d site.Document) {
	if d == nil {
		return
	}
	for _, n := range site.Names(d) {
		if n.Space == site.ByPath || n.Space == site.ByAlias {
			t.at(site.Path(n.Name))
		}
	}
}

// everywhere plans the pages that every site has.
func (t *touch) everywhere() {
	p := t.p
	t.add("/", p.home)
	t.add("/search/", p.search)
	t.add("/404.html", p.notFound)
	t.add("/_headers", p.headers)
	t.at("/robots.txt")
	t.at("/llms.txt")
	t.at("/site.webmanifest")
	t.feeds()
	t.sitemap()
	t.add(searchIndexPath, p.searchIndex)
	t.sections()
	for _, a := range p.cfg.Assets {
		t.add(a.Path, func(context.Context) (*Page, error) {
			return p.data(a.Path, site.KindAsset, a.Type, a.Data), nil
		})
	}
}

// sections adds the targets of lists that exist only while they have items.
func (t *touch) sections() {
	when := func(path site.Path, has bool, plan func(context.Context) (*Page, error)) {
		if !has && t.p.snap.Section(path) == nil {
			plan = nil
		}
		t.add(path, plan)
	}
	when("/courses/", t.p.snap.Courses().Len() > 0, t.p.courses)
	when("/topic/", t.p.snap.Topics().Len() > 0, t.p.topics)
	when("/blog/", t.p.snap.Posts().Len() > 0, func(ctx context.Context) (*Page, error) { return t.p.blog(ctx, 0) })
}

func (t *touch) feeds() {
	t.add("/feed.xml", t.p.feed)
	t.add("/atom.xml", t.p.atom)
	t.add("/feed.json", t.p.jsonFeed)
}

func (p *Planner) indexed() bool { return p.snap.URLs().Len()+len(p.fixed()) > bucketMax }

func (t *touch) sitemap() {
	t.add("/sitemap.xml", t.p.sitemap)
	var lists func(context.Context) (*Page, error)
	if t.p.indexed() {
		lists = t.p.sitemapLists
	}
	t.add("/sitemap-lists.xml", lists)
}

// leaf plans the parts of the sitemap and of the search index for one bucket.
func (t *touch) leaf(b bucket) {
	urls := t.p.snap.URLs()
	var mapPart, searchPart func(context.Context) (*Page, error)
	if n := b.len(urls); n > 0 && (n <= bucketMax || b.bits == 64) && (b.bits == 0 || leaf(urls, b.prefix) == b) {
		searchPart = t.p.searchPart(b)
		if t.p.indexed() {
			mapPart = t.p.sitemapPart(b)
		}
	}
	t.add(sitemapPath(b), mapPart)
	t.add(searchPath(b), searchPart)
}

// pages plans all pages of a list.
func (t *touch) pages(g pager, list func(context.Context, int) (*Page, error)) {
	for n := range g.numbered() + 1 {
		t.listPage(g, n, list)
	}
}

func (t *touch) listPage(g pager, n int, list func(context.Context, int) (*Page, error)) {
	var plan func(context.Context) (*Page, error)
	if n <= g.numbered() && (g.posts.Len() > 0 || t.p.snap.Section(g.root) != nil) {
		plan = func(ctx context.Context) (*Page, error) { return list(ctx, n) }
	}
	t.add(g.path(n), plan)
	// A file at the path of the list's folder is published only while the list does not exist.
	t.fileAt(site.Path(strings.TrimSuffix(string(g.path(n)), "/")))
}

// fileAt adds a path if a file has it, before or after the change.
func (t *touch) fileAt(path site.Path) {
	for _, p := range []*Planner{t.p, t.old} {
		if p == nil {
			continue
		}
		if _, is := p.snap.At(path).(*site.File); is {
			t.add(path, nil)
		}
	}
}

func (t *touch) topicPages(term *site.Term) {
	t.pages(pager{site.TopicPath(term.Slug), t.p.cfg.PerPage, term.Posts}, t.topicList(term))
	t.topicFeed(term.Slug)
}

func (t *touch) topicList(term *site.Term) func(context.Context, int) (*Page, error) {
	return func(ctx context.Context, n int) (*Page, error) { return t.p.topic(ctx, term, n) }
}

func (t *touch) topicFeed(slug site.Slug) {
	var plan func(context.Context) (*Page, error)
	if term := t.p.snap.Topic(slug); term != nil {
		plan = func(ctx context.Context) (*Page, error) { return t.p.topicFeed(ctx, term) }
	}
	t.add(site.TopicPath(slug)+"feed.xml", plan)
}

// Touched plans the pages that the changes between old's snapshot and this one can have touched. all says that it is
// every page, which the caller then asks All for.
func (p *Planner) Touched(old *Planner, changes []site.Change) (targets []Target, all bool) {
	if p.layout.sum != old.layout.sum {
		return nil, true
	}
	t := p.begin(old)
	var posts []postChange
	urlsChanged := false
	topicSet := false
	for _, c := range p.widen(old, changes) {
		t.cause, t.of = causeOf(c.Change), docOf(c.Change).DocID()
		t.doc(c.Old)
		t.doc(c.New)
		t.translations(c.Change)
		listed := c.card
		if c.Old == nil || c.New == nil || !modified(c.Old).Equal(modified(c.New)) {
			listed = true
		}
		switch {
		case isSection(c.Old) || isSection(c.New):
			return nil, true
		case isKind[*site.Post](c.Change):
			pc := postChange{card: c.card, listed: listed}
			pc.old, _ = c.Old.(*site.Post)
			pc.new, _ = c.New.(*site.Post)
			posts = append(posts, pc)
			t.neighbours(pc)
		case isKind[*site.Course](c.Change):
			t.add("/", p.home)
			t.add("/courses/", p.courses)
			t.at("/llms.txt")
		case isKind[*site.Page](c.Change):
			t.at("/llms.txt")
		}
		if listed {
			urlsChanged = t.urls(c.Change) || urlsChanged
		}
	}
	t.postLists(posts)
	// Topics and authors that came, went or are written differently.
	for _, slug := range t.termSlugs(posts, func(post *site.Post) []site.Slug { return slugsOf(post.Tags) }) {
		was, is := old.snap.Topic(slug), p.snap.Topic(slug)
		if (was == nil) != (is == nil) || was != nil && was.Name != is.Name {
			topicSet = true
		}
		if (was == nil) != (is == nil) {
			urlsChanged = t.keys([]site.URLItem{site.ListURL(site.TopicPath(slug))}) || urlsChanged
		}
	}
	for _, slug := range t.termSlugs(posts, authorSlugs) {
		if (old.snap.Author(slug) == nil) != (p.snap.Author(slug) == nil) {
			urlsChanged = t.keys([]site.URLItem{site.ListURL(site.AuthorPath(slug))}) || urlsChanged
		}
	}
	if topicSet {
		t.add("/", p.home)
		for c := range p.snap.Courses().All() {
			t.at(site.CoursePath(c.Slug))
		}
	}
	if topicSet || p.snap.Posts().Len() == 0 || p.snap.Courses().Len() != old.snap.Courses().Len() {
		t.sections()
	}
	if !slices.Equal(p.fixed(), old.fixed()) {
		urlsChanged = true
	}
	if p.indexed() != old.indexed() {
		urlsChanged = true
		for _, b := range append(leaves(old.snap.URLs(), bucket{}), leaves(p.snap.URLs(), bucket{})...) {
			t.leaf(b)
		}
	}
	if urlsChanged {
		t.sitemap()
		t.add(searchIndexPath, p.searchIndex)
	}
	t.linkers()
	return t.out, false
}

// linkers plans the documents that link to a page of freshet's own which has come or gone.
func (t *touch) linkers() {
	for _, target := range slices.Clone(t.out) {
		at := string(target.Path)
		ids := t.p.links.get(site.Name{Space: site.ByPath, Name: at})
		if len(ids) == 0 || t.p.made(at) == t.old.made(at) {
			continue
		}
		t.cause, t.of = "link to "+at, ""
		for _, id := range ids {
			t.doc(t.p.snap.Visible(id))
			if pg, ok := t.p.snap.Visible(id).(*site.Page); ok && pg.Section {
				switch pg.Path {
				case "/":
					t.add("/", t.p.home)
				default:
					t.sections()
				}
			}
		}
	}
}

type postChange struct {
	old, new *site.Post
	card     bool // what lists show of the document changed
	listed   bool // the same, or its date changed
}

// A wideChange is a change with what follows from it: documents that link to what changed are looked at again.
type wideChange struct {
	site.Change
	card bool
}

func (p *Planner) widen(old *Planner, changes []site.Change) []wideChange {
	var out []wideChange
	direct := map[site.ID]bool{}
	for _, c := range changes {
		for _, d := range []site.Document{c.Old, c.New} {
			if d != nil {
				direct[d.DocID()] = true
			}
		}
	}
	soft := map[site.ID]bool{} // value: a picture changed, which lists may show
	for _, c := range changes {
		out = append(out, wideChange{c, cardChanged(c)})
		_, wasFile := c.Old.(*site.File)
		_, isFile := c.New.(*site.File)
		var names []site.Name
		if c.Old != nil {
			names = site.Names(c.Old)
		}
		if c.New != nil {
			n := site.Names(c.New)
			if !wasFile && !isFile && slices.Equal(names, n) {
				names = nil // links to it lead where they led before
			} else {
				names = append(names, n...)
			}
		}
		if d := docOf(c); !wasFile && !isFile {
			names = append(names, site.Name{Space: site.ByAnchor, Name: string(d.DocID())})
		}
		for _, n := range names {
			for _, id := range p.links.get(n) {
				soft[id] = soft[id] || wasFile || isFile
			}
		}
	}
	ids := make([]site.ID, 0, len(soft))
	for id := range soft {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if direct[id] {
			for i := range out {
				if soft[id] && (hasID(out[i].Old, id) || hasID(out[i].New, id)) {
					out[i].card = true
				}
			}
			continue
		}
		if d := p.snap.Visible(id); d != nil {
			out = append(out, wideChange{site.Change{Old: d, New: d}, soft[id]})
		}
	}
	return out
}

func modified(d site.Document) time.Time {
	if m := site.MetaOf(d); m != nil {
		return m.LastModified()
	}
	return time.Time{}
}

func hasID(d site.Document, id site.ID) bool { return d != nil && d.DocID() == id }

// docOf returns the document that a change is about.
func docOf(c site.Change) site.Document {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

func causeOf(c site.Change) string {
	verb := "changed "
	switch {
	case c.Old == nil:
		verb = "added "
	case c.New == nil:
		verb = "removed "
	case c.Old == c.New:
		verb = "linked from "
	}
	return verb + KeyOf(docOf(c))
}

// KeyOf returns a document's name for people and for explain: blog:<slug>, course:<slug>, page:<path> or file:<name>.
func KeyOf(d site.Document) string {
	switch d := d.(type) {
	case *site.Post:
		return "blog:" + string(d.Slug)
	case *site.Course:
		return "course:" + string(d.Slug)
	case *site.Page:
		return "page:" + strings.Trim(string(d.Path), "/")
	case *site.File:
		return "file:" + d.Name
	}
	return string(d.DocID())
}

func isSection(d site.Document) bool {
	pg, ok := d.(*site.Page)
	return ok && pg.Section
}

func isKind[T site.Document](c site.Change) bool {
	_, was := c.Old.(T)
	_, is := c.New.(T)
	return was || is
}

// cardChanged reports whether a change shows elsewhere than on the document's own page, in its sitemap date and in feeds.
func cardChanged(c site.Change) bool {
	if c.Old == nil || c.New == nil {
		return true
	}
	was, ok1 := c.Old.(*site.Post)
	is, ok2 := c.New.(*site.Post)
	if !ok1 || !ok2 {
		return true
	}
	sum := func(p *site.Post) digest.Sum {
		h := digest.New()
		h.Value(struct {
			Slug                 site.Slug
			Title, Excerpt, Lang string
			Group                digest.Sum
			Tags                 []string
			Authors              []site.Author
			Cover                site.Picture
			Minutes              int
			Featured, NoIndex    bool
			Published            time.Time
		}{p.Slug, p.Title, p.Excerpt, p.Lang, p.Group, p.Tags, p.Authors, p.Cover, p.Minutes, p.Featured, p.SEO.NoIndex, p.Published})
		return h.Sum()
	}
	return sum(was) != sum(is)
}
