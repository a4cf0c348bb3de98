package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"freshet/internal/digest"
	"freshet/internal/site"
)

const (
	homePosts   = 6
	homeReach   = 300 // of the newest posts are looked at for these: six posts in fifty languages
	homeCourses = 3
	homeTopics  = 24
)

// A pager cuts a list of posts into pages. Numbered pages are full and counted from the oldest, so that they stay as
// they are when posts are added; the list's first page takes the newest perPage to 2·perPage−1.
type pager struct {
	root    site.Path
	perPage int
	posts   site.Order[*site.Post]
}

func (g pager) numbered() int { return max(0, g.posts.Len()/g.perPage-1) }

func (g pager) path(n int) site.Path {
	if n == 0 {
		return g.root
	}
	return site.Path(fmt.Sprintf("%spage/%d/", g.root, n))
}

// page returns the posts of numbered page n, newest first. Page 0 is the first page.
func (g pager) page(n int) []*site.Post {
	from, to := (n-1)*g.perPage, n*g.perPage
	if n == 0 {
		from, to = g.numbered()*g.perPage, g.posts.Len()
	}
	posts := g.posts.Range(from, to)
	slices.Reverse(posts)
	return posts
}

// of returns the number of the page that holds the post of rank i; 0: the first page.
func (g pager) of(i int) int {
	if n := i/g.perPage + 1; n <= g.numbered() {
		return n
	}
	return 0
}

// newer returns the address of the page with the next newer posts, older that with the next older ones; empty: there is none.
func (g pager) newer(n int) string {
	switch {
	case n == 0:
		return ""
	case n == g.numbered():
		return g.root.URL()
	}
	return g.path(n + 1).URL()
}

func (g pager) older(n int) string {
	if n == 0 {
		n = g.numbered() + 1
	}
	if n <= 1 {
		return ""
	}
	return g.path(n - 1).URL()
}

// list makes page n of a list.
func (p *Planner) list(ctx context.Context, g pager, n int, v *List, description string, keys ...string) (*Page, error) {
	pg := p.page(g.path(n), site.KindList, "list.html", keys...)
	v.Layout, v.Number, v.Newer, v.Older = p.layout, n, g.newer(n), g.older(n)
	if s := p.snap.Section(g.root); s != nil {
		pg.from(s)
		v.Heading = cmp.Or(s.Title, v.Heading)
		description = cmp.Or(s.SEO.Description, s.Excerpt, description)
		if n == 0 {
			var err error
			if v.Intro, err = p.intro(ctx, pg, s); err != nil {
				return nil, err
			}
		}
	}
	urls := []string{}
	for _, post := range g.page(n) {
		c := p.card(pg, post)
		v.Cards = append(v.Cards, c)
		urls = append(urls, c.URL)
	}
	title := v.Heading
	if n > 0 {
		title = fmt.Sprintf("%s, page %d", v.Heading, n)
	}
	v.Head = p.listHead(pg, title, description)
	v.Head.NavURL = "/blog/"
	if strings.HasPrefix(string(g.root), "/topic/") {
		v.Head.NavURL = "/topic/"
	}
	v.Head.Prev, v.Head.Next = v.Newer, v.Older
	if v.Feed != "" {
		v.Head.Feeds = []Feed{{v.Heading, v.Feed, "application/rss+xml"}}
	}
	v.Head.JSONLD = p.itemListLD("CollectionPage", &v.Head, title, urls)
	return p.seal(pg, v), nil
}

// intro returns the text that the content tree gives a page that freshet makes.
func (p *Planner) intro(ctx context.Context, pg *Page, s *site.Page) (*Body, error) {
	doc, err := p.bodyOf(ctx, &s.Meta)
	if err != nil || doc == nil {
		return nil, err
	}
	return p.body(ctx, pg, baseOf(s), doc), nil
}

func (p *Planner) blogPager(posts site.Order[*site.Post]) pager {
	return pager{"/blog/", p.cfg.PerPage, posts}
}

func (p *Planner) blog(ctx context.Context, n int) (*Page, error) {
	return p.list(ctx, p.blogPager(p.snap.Posts()), n, &List{Heading: "Blog", Label: "Blog"}, "", "list:blog")
}

func (p *Planner) topic(ctx context.Context, t *site.Term, n int) (*Page, error) {
	root := site.TopicPath(t.Slug)
	v := &List{Heading: t.Name, Label: "Topic", Feed: root.URL() + "feed.xml"}
	return p.list(ctx, pager{root, p.cfg.PerPage, t.Posts}, n, v, "Posts about "+t.Name, "list:topic", "list:topic:"+string(t.Slug))
}

func (p *Planner) author(ctx context.Context, t *site.Term, n int) (*Page, error) {
	v := &List{Heading: t.Name, Label: "Author"}
	return p.list(ctx, pager{site.AuthorPath(t.Slug), p.cfg.PerPage, t.Posts}, n, v, "Posts by "+t.Name,
		"list:author", "list:author:"+string(t.Slug))
}

func (p *Planner) home(ctx context.Context) (*Page, error) {
	pg := p.page("/", site.KindList, "home.html", "list:home")
	v := &Home{Layout: p.layout, Heading: p.layout.Title}
	description := ""
	if s := p.snap.Section("/"); s != nil {
		pg.from(s)
		v.Heading, description = cmp.Or(s.Title, v.Heading), cmp.Or(s.SEO.Description, s.Excerpt)
		var err error
		if v.Intro, err = p.intro(ctx, pg, s); err != nil {
			return nil, err
		}
	}
	newest, _ := newestGroups(p.snap, p.layout.Lang)
	for _, post := range newest {
		v.Posts = append(v.Posts, p.card(pg, post))
	}
	for _, c := range p.snap.Courses().Range(0, homeCourses) {
		v.Courses = append(v.Courses, p.courseCard(pg, c))
	}
	for _, t := range p.snap.Topics().Range(0, homeTopics) {
		v.Topics = append(v.Topics, Link{t.Name, site.TopicPath(t.Slug).URL()})
	}
	v.Head = p.listHead(pg, "", description)
	v.Head.NavURL = "/"
	v.Head.JSONLD = graph(p.websiteLD(), p.organizationLD())
	return p.seal(pg, v), nil
}

// newestGroups returns the posts that the front page shows, newest first, and how many of the newest posts it examined. Of
// posts that are translations of each other it takes the one in the site's language, else the newest.
func newestGroups(s *site.Snapshot, lang string) (out []*site.Post, depth int) {
	posts := s.Posts()
	shown := map[digest.Sum]bool{}
	for depth < posts.Len() && depth < homeReach && len(out) < homePosts {
		post, _ := posts.At(posts.Len() - 1 - depth)
		depth++
		if post.Group == 0 {
			out = append(out, post)
			continue
		}
		if shown[post.Group] {
			continue
		}
		shown[post.Group] = true
		for _, d := range s.Translations(post.Group) {
			if t, ok := d.(*site.Post); ok && (t.Lang == "" || site.SameLanguage(t.Lang, lang)) {
				post = t
				break
			}
		}
		out = append(out, post)
	}
	return out, depth
}

func (p *Planner) topics(ctx context.Context) (*Page, error) {
	pg := p.page("/topic/", site.KindList, "topics.html", "list:topics")
	v := &Topics{Layout: p.layout, Heading: "Topics"}
	description := ""
	if s := p.snap.Section("/topic/"); s != nil {
		pg.from(s)
		v.Heading, description = cmp.Or(s.Title, v.Heading), cmp.Or(s.SEO.Description, s.Excerpt)
		var err error
		if v.Intro, err = p.intro(ctx, pg, s); err != nil {
			return nil, err
		}
	}
	for t := range p.snap.Topics().All() {
		v.Topics = append(v.Topics, Link{t.Name, site.TopicPath(t.Slug).URL()})
	}
	v.Head = p.listHead(pg, v.Heading, cmp.Or(description, "All topics"))
	v.Head.NavURL = "/topic/"
	v.Head.JSONLD = graph(ldObject("CollectionPage").str("name", v.Heading).str("url", v.Head.Canonical))
	return p.seal(pg, v), nil
}

func (p *Planner) textPage(ctx context.Context, page *site.Page) (*Page, error) {
	pg := p.page(page.Path, site.KindPage, "page.html", "page:"+strings.Trim(string(page.Path), "/"))
	pg.Doc, pg.Source = page.ID, identity(&page.Meta)
	pg.from(page)
	b := baseOf(page)
	doc, err := p.bodyOf(ctx, &page.Meta)
	if err != nil {
		return nil, err
	}
	v := &TextPage{Layout: p.layout, Title: page.Title, Excerpt: standfirst(page.Title, page.Excerpt, doc), Modified: page.LastModified(),
		Cover: p.pictureOf(pg, b, "cover", "coverImage", page.Cover), Body: p.body(ctx, pg, b, doc)}
	v.Lang, v.Dir = p.language(&page.Meta)
	v.Crumbs = []Link{{p.layout.Title, "/"}, {page.Title, page.Path.URL()}}
	v.Head = p.docHead(pg, b, &page.Meta, "website", v.Cover, doc)
	if page.Nav {
		v.Head.NavURL = page.Path.URL()
	}
	v.Head.JSONLD = graph(ldObject("WebPage").str("name", page.Title).str("url", v.Head.Canonical).
		str("description", v.Head.Description).date("dateModified", v.Modified), p.crumbsLD(v.Crumbs))
	return p.seal(pg, v), nil
}

func (p *Planner) notFound(context.Context) (*Page, error) {
	pg := p.page("/404.html", site.KindPage, "404.html")
	v := &NotFound{Layout: p.layout, Head: p.listHead(pg, "Page not found", "")}
	v.Head.Canonical, v.Head.NoIndex = "", true
	return p.seal(pg, v), nil
}
