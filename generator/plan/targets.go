package plan

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strings"

	"freshet/internal/site"
)

// hashedAsset matches addresses that contain the digest of their content.
var hashedAsset = regexp.MustCompile(`^/assets/[^/]+\.[0-9a-f]{16}(\.[a-z0-9]+)?$`)

// HashedAsset reports whether an address is one that freshet gives a file by its content, such as
// /assets/weir.0123456789abcdef.png. Other files in static/assets/ are the site's own.
func HashedAsset(path site.Path) bool { return hashedAsset.MatchString(string(path)) }

// ownPaths are the addresses of the pages that freshet makes on every site. ownTrees are the prefixes of those that it makes on some.
var (
	ownPaths = []site.Path{"/", "/blog/", "/topic/", "/courses/", "/search/", "/404.html", "/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml",
		"/feed", "/_headers", "/_redirects", "/livez", "/readyz"}
	ownTrees = []site.Path{"/search/index", "/api/", "/sitemap-", "/.freshet", "/assets/"}
	ownLists = []site.Path{"/blog/page/", "/topic/", "/author/"}
)

// own reports whether freshet itself makes a page at path or needs a folder there. No document, file or alias can have such a
// path. A list counts only while it exists: an address below /topic/ is free while there is no such topic.
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

// planOf returns the function that plans what the snapshot's documents have at path; nil: they have nothing there.
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

// overridable returns usual, or, if the content tree has a file at path, a function that publishes the file.
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
