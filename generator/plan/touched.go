package plan

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// hashedAsset is the form of the addresses that name their content.
var hashedAsset = regexp.MustCompile(`^/assets/[^/]+\.[0-9a-f]{16}(\.[a-z0-9]+)?$`)

// HashedAsset reports whether an address is one that freshet gives a file by its content, such as
// /assets/weir.0123456789abcdef.png. Other files in static/assets/ are the site's own.
func HashedAsset(path site.Path) bool { return hashedAsset.MatchString(string(path)) }

// ownPaths are the addresses that freshet makes itself on every site, and ownTrees what those begin with that it may make.
var (
	ownPaths = []site.Path{"/", "/blog/", "/topic/", "/courses/", "/search/", "/404.html", "/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml",
		"/feed", "/_headers", "/_redirects", "/livez", "/readyz"}
	ownTrees = []site.Path{"/search/index", "/api/", "/sitemap-", "/.freshet", "/assets/"}
	ownLists = []site.Path{"/blog/page/", "/topic/", "/author/"}
)

// own reports whether freshet itself makes what is at path, or needs a folder there, so that no document, file or alias can have
// it. Of lists it has those that the snapshot gives rise to: an address below /topic/ is free while there is no such topic.
func (p *Planner) own(path site.Path) bool {
	for _, own := range ownPaths {
		if path == own || path+"/" == own {
			return true
		}
	}
	for _, prefix := range ownTrees {
		if prefix != "/assets/" && strings.HasPrefix(string(path), string(prefix)) || path+"/" == prefix {
			return true
		}
	}
	for _, lists := range ownLists {
		if path+"/" == lists {
			return true
		}
		if rest, below := strings.CutPrefix(string(path), string(lists)); below {
			return p.made(string(path)) || p.made(string(path)+"/") || strings.HasSuffix(rest, "/page")
		}
	}
	return HashedAsset(path) || site.FolderIsFile(path) != ""
}

// InTheWay yields the files of the content tree that are not published because freshet makes what is at their address.
func (p *Planner) InTheWay() iter.Seq2[site.Path, *site.File] {
	return func(yield func(site.Path, *site.File) bool) {
		s, told := p.snap, map[site.ID]bool{}
		look := func(f *site.File) bool {
			at := site.PathOf(f)
			if told[f.ID] || !p.own(at) {
				return true
			}
			told[f.ID] = true
			return yield(at, f)
		}
		for _, own := range slices.Concat(ownPaths, ownTrees, ownLists) {
			for _, at := range slices.Compact([]site.Path{own, site.Path(strings.TrimSuffix(string(own), "/"))}) {
				if f, ok := s.At(at).(*site.File); ok && !look(f) {
					return
				}
			}
		}
		for _, prefix := range slices.Concat(ownTrees, ownLists) {
			for f := range s.FilesIn(prefix) {
				if site.PathOf(f) != prefix && !slices.Contains(ownPaths, site.PathOf(f)) && !look(f) {
					return
				}
			}
		}
	}
}

// planOf plans whatever the snapshot's documents have at path; nil: nothing.
func (p *Planner) planOf(path site.Path) func(context.Context) (*Page, error) {
	switch path {
	case "/robots.txt":
		return p.overridable(path, p.robots)
	case "/llms.txt":
		return p.overridable(path, p.llms)
	case "/site.webmanifest":
		return p.overridable(path, p.manifest)
	}
	switch d := p.snap.Find(site.Name{Space: site.ByPath, Name: string(path)}).(type) {
	case *site.Post:
		return func(ctx context.Context) (*Page, error) { return p.post(ctx, d) }
	case *site.Page:
		return func(ctx context.Context) (*Page, error) { return p.textPage(ctx, d) }
	case *site.Course:
		if path == site.CoursePath(d.Slug) {
			return func(ctx context.Context) (*Page, error) { return p.course(ctx, d) }
		}
		for l := range d.OpenLessons() {
			if path == site.LessonPath(d.Slug, l.Slug) {
				return func(ctx context.Context) (*Page, error) { return p.lesson(ctx, d, l) }
			}
		}
	case *site.File:
		return func(context.Context) (*Page, error) { return p.static(d), nil }
	}
	if d := p.snap.Find(site.Name{Space: site.ByAlias, Name: string(path)}); d != nil {
		if pg, ok := d.(*site.Page); ok && pg.To != "" {
			return func(context.Context) (*Page, error) { return p.redirectTo(path, pg), nil }
		}
		if to := p.aliasOf(d, string(path)); to != "" && to != path {
			return func(context.Context) (*Page, error) {
				pg := p.redirect(path, to)
				pg.from(d)
				return pg, nil
			}
		}
	}
	return nil
}

// overridable makes one of freshet's own files unless the content tree has its own.
func (p *Planner) overridable(path site.Path, usual func(context.Context) (*Page, error)) func(context.Context) (*Page, error) {
	if f, ok := p.snap.Find(site.Name{Space: site.ByPath, Name: string(path)}).(*site.File); ok {
		return func(context.Context) (*Page, error) { return p.static(f), nil }
	}
	return usual
}

// static publishes a file of the content tree as it is.
func (p *Planner) static(f *site.File) *Page {
	pg := &Page{Entry: site.Entry{
		Path: site.PathOf(f), Kind: site.KindAsset, Status: 200, Type: ContentType(f.Name), Fingerprint: f.Revision,
	}}
	pg.from(f)
	pg.File = f
	return pg
}

// All plans every page of the site.
func (p *Planner) All() []Target {
	t := p.begin(nil)
	t.cause = "full build"
	t.everywhere()
	s := p.snap
	t.pages(p.blogPager(s.Posts()), p.blog)
	for term := range s.Topics().All() {
		t.topicPages(term)
	}
	for term := range s.Authors().All() {
		t.pages(pager{site.AuthorPath(term.Slug), p.cfg.PerPage, term.Posts}, func(ctx context.Context, n int) (*Page, error) {
			return p.author(ctx, term, n)
		})
	}
	for _, leaf := range leaves(s.URLs(), bucket{}) {
		t.leaf(leaf)
	}
	for name := range s.NamesIn(site.ByPath) {
		t.at(site.Path(name))
	}
	for name := range s.NamesIn(site.ByAlias) {
		t.at(site.Path(name))
	}
	t.seen = nil // plans hold on to t
	return t.out
}

// At plans what the snapshot's documents have at a path.
func (p *Planner) At(path site.Path, cause string) Target {
	return Target{Path: path, Cause: cause, docs: p}
}

// Sitemap plans the sitemap with all its parts.
func (p *Planner) Sitemap() []Target {
	t := p.begin(nil)
	t.cause = "the site is whole"
	t.sitemap()
	for _, leaf := range leaves(p.snap.URLs(), bucket{}) {
		t.leaf(leaf)
	}
	return slices.DeleteFunc(t.out, func(t Target) bool { return !strings.HasPrefix(string(t.Path), "/sitemap") })
}

// touch gathers targets, each address once.
type touch struct {
	p, old *Planner
	cause  string
	of     site.ID // the document that is it
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
		target.docs = t.p // where freshet has nothing any more, a file may be
	}
	t.out = append(t.out, target)
}

// at plans what documents have at path, unless freshet has something of its own there.
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

// sections plans the lists that exist when they have something in them.
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
	// A file where the list has a folder comes and goes against it.
	t.fileAt(site.Path(strings.TrimSuffix(string(g.path(n)), "/")))
}

// fileAt plans a path that a file has, before or after.
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
	card     bool // what lists show of it changed
	listed   bool // that, or its date
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
				names = nil // whoever links to it finds it where it was
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

// docOf is the document that a change is about.
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

// KeyOf is a document's name for people and for explain: blog:<slug>, course:<slug>, page:<path> or file:<name>.
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

// cardChanged reports whether a change shows anywhere but on the document's own page, its sitemap date and feeds.
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

// neighbours plans the posts that show a post as their neighbour or as related.
func (t *touch) neighbours(c postChange) {
	if !c.card {
		return
	}
	near := func(s *site.Snapshot, post *site.Post) {
		if post == nil {
			return
		}
		around := func(o site.Order[*site.Post], n int) {
			for _, other := range append(o.Before(post, n), o.After(post, n)...) {
				t.at(site.PostPath(other.Slug))
			}
		}
		around(s.Posts(), 1)
		for slug := range site.TermsOf(post.Tags) {
			if term := s.Topic(slug); term != nil {
				around(term.Posts, relatedReach)
			}
		}
	}
	near(t.old.snap, c.old)
	near(t.p.snap, c.new)
}

// translations plans the documents that name a document as their translation. Where the front page shows only one of
// them, it may be another now.
func (t *touch) translations(c site.Change) {
	for _, side := range []struct {
		snap *site.Snapshot
		doc  site.Document
	}{{t.old.snap, c.Old}, {t.p.snap, c.New}} {
		if m := site.MetaOf(side.doc); m != nil {
			for _, d := range side.snap.Translations(m.Group) {
				t.at(site.PathOf(d))
			}
		}
	}
}

func groupOf(p *site.Post) digest.Sum {
	if p == nil {
		return 0
	}
	return p.Group
}

func slugsOf(tags []string) []site.Slug {
	var out []site.Slug
	for slug := range site.TermsOf(tags) {
		out = append(out, slug)
	}
	return out
}

func authorSlugs(post *site.Post) []site.Slug {
	var out []site.Slug
	for slug := range site.AuthorTerms(post) {
		out = append(out, slug)
	}
	return out
}

// termSlugs are the terms of all changed posts, before and after.
func (t *touch) termSlugs(posts []postChange, of func(*site.Post) []site.Slug) []site.Slug {
	var out []site.Slug
	for _, c := range posts {
		if c.old != nil {
			out = append(out, of(c.old)...)
		}
		if c.new != nil {
			out = append(out, of(c.new)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// postLists plans the lists and feeds that show changed posts.
func (t *touch) postLists(posts []postChange) {
	if len(posts) == 0 {
		return
	}
	p, old := t.p, t.old
	t.cause, t.of = "posts changed", ""
	if len(posts) == 1 {
		c := site.Change{Old: docOrNil(posts[0].old), New: docOrNil(posts[0].new)}
		t.cause, t.of = causeOf(c), docOf(c).DocID()
	}
	was, is := old.snap.Posts(), p.snap.Posts()
	t.list(old.blogPager(was), p.blogPager(is), posts, p.blog)
	_, wasDepth := newestGroups(old.snap, old.layout.Lang)
	_, isDepth := newestGroups(p.snap, p.layout.Lang)
	for _, c := range posts {
		if c.card && (amongNewest(was, c.old, wasDepth) || amongNewest(is, c.new, isDepth) || groupOf(c.old) != 0 || groupOf(c.new) != 0) {
			t.add("/", p.home)
		}
		if amongNewest(was, c.old, feedPosts) || amongNewest(is, c.new, feedPosts) {
			t.feeds()
		}
		if c.card && (amongNewest(was, c.old, llmsPosts) || amongNewest(is, c.new, llmsPosts)) {
			t.at("/llms.txt")
		}
	}
	terms := func(of func(*site.Post) []site.Slug, before, after func(site.Slug) *site.Term, root func(site.Slug) site.Path,
		list func(context.Context, *site.Term, int) (*Page, error), feed bool) {
		for _, slug := range t.termSlugs(posts, of) {
			has := func(post *site.Post) *site.Post {
				if post != nil && slices.Contains(of(post), slug) {
					return post
				}
				return nil
			}
			var here []postChange
			for _, c := range posts {
				if n := (postChange{has(c.old), has(c.new), c.card, c.listed}); n.old != nil || n.new != nil {
					here = append(here, n)
				}
			}
			g := pager{root(slug), p.cfg.PerPage, site.Order[*site.Post]{}}
			gOld, gNew := g, g
			wasTerm, isTerm := before(slug), after(slug)
			if wasTerm != nil {
				gOld.posts = wasTerm.Posts
			}
			if isTerm != nil {
				gNew.posts = isTerm.Posts
			}
			plan := func(ctx context.Context, n int) (*Page, error) { return list(ctx, isTerm, n) }
			if wasTerm != nil && isTerm != nil && wasTerm.Name != isTerm.Name {
				t.pages(gNew, plan)
				if feed {
					t.topicFeed(slug)
				}
			}
			t.list(gOld, gNew, here, plan)
			for _, c := range here {
				if feed && c.listed && (amongNewest(gOld.posts, c.old, feedPosts) || amongNewest(gNew.posts, c.new, feedPosts)) {
					t.topicFeed(slug)
				}
			}
		}
	}
	terms(func(post *site.Post) []site.Slug { return slugsOf(post.Tags) }, old.snap.Topic, p.snap.Topic, site.TopicPath, p.topic, true)
	terms(authorSlugs, old.snap.Author, p.snap.Author, site.AuthorPath, p.author, false)
}

func docOrNil(p *site.Post) site.Document {
	if p == nil {
		return nil
	}
	return p
}

func amongNewest(posts site.Order[*site.Post], post *site.Post, n int) bool {
	if post == nil || posts.Len() == 0 {
		return false
	}
	return posts.Rank(post) >= posts.Len()-n
}

// list plans the pages of a list that changes to its posts touch: of a post that stays in its place the page that
// shows it, of one that comes, goes or moves its page and all newer ones.
func (t *touch) list(was, is pager, posts []postChange, list func(context.Context, int) (*Page, error)) {
	from := -1 // first rank that is not as it was
	for _, c := range posts {
		switch {
		case c.old != nil && c.new != nil && c.old.Published.Equal(c.new.Published) && c.old.Slug == c.new.Slug:
			if c.card {
				t.listPage(is, is.of(is.posts.Rank(c.new)), list)
			}
		default:
			for _, side := range []struct {
				g    pager
				post *site.Post
			}{{was, c.old}, {is, c.new}} {
				if side.post != nil {
					if r := side.g.posts.Rank(side.post); from < 0 || r < from {
						from = r
					}
				}
			}
		}
	}
	if from < 0 {
		return
	}
	t.listPage(is, 0, list)
	last := max(was.numbered(), is.numbered())
	first := from/is.perPage + 1
	if was.numbered() != is.numbered() {
		first = min(first, max(min(was.numbered(), is.numbered()), 1)) // its link to a newer page changed
	}
	for n := first; n <= last; n++ {
		t.listPage(is, n, list)
	}
}

// urls plans the parts of the sitemap and the search index that hold the document's addresses, and reports whether
// their table must be looked at.
func (t *touch) urls(c site.Change) bool {
	var items []site.URLItem
	if c.Old != nil {
		items = append(items, site.URLsOf(c.Old)...)
	}
	if c.New != nil {
		items = append(items, site.URLsOf(c.New)...)
	}
	return t.keys(items) || (!t.p.indexed() && len(items) > 0)
}

func (t *touch) keys(items []site.URLItem) (table bool) {
	was, is := t.old.snap.URLs(), t.p.snap.URLs()
	for _, u := range items {
		before, after := leaf(was, u.Key), leaf(is, u.Key)
		if before == after {
			t.leaf(after)
			table = table || (before.len(was) == 0) != (after.len(is) == 0) || !t.p.indexed()
			continue
		}
		table = true
		wider := before
		if after.bits < before.bits {
			wider = after
		}
		for _, b := range append(leaves(was, wider), leaves(is, wider)...) {
			t.leaf(b)
		}
		t.leaf(wider)
	}
	return table
}
