package plan

import (
	"context"
	"html"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"freshet/generator/markup"
	"freshet/internal/site"
)

const (
	feedPosts = 20  // newest posts in a feed
	llmsPosts = 200 // newest posts in llms.txt
)

// newest returns the n newest of posts, newest first.
func newest(posts site.Order[*site.Post], n int) []*site.Post {
	out := posts.Range(posts.Len()-n, posts.Len())
	slices.Reverse(out)
	return out
}

// appendXML appends s as XML text. It escapes characters with a meaning in XML and replaces those that XML cannot hold.
func appendXML(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if plainXML[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		var escaped string
		switch {
		case r == '&':
			escaped = "&amp;"
		case r == '<':
			escaped = "&lt;"
		case r == '>':
			escaped = "&gt;"
		case r == '"':
			escaped = "&#34;"
		case r < 0x20 && r != '\n' && r != '\t', r == 0xfffe, r == 0xffff, r == utf8.RuneError && size == 1:
			escaped = "\uFFFD"
		default:
			i += size
			continue
		}
		b = append(append(b, s[start:i]...), escaped...)
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// plainXML marks the bytes that need no escape in XML: most of a feed.
var plainXML = asciiBut("&<>\"", '\n', '\t')

// asciiBut returns a table that marks the printable ASCII characters except those of without, and the bytes of and.
func asciiBut(without string, and ...byte) (table [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		table[c] = strings.IndexByte(without, c) < 0
	}
	for _, c := range and {
		table[c] = true
	}
	return table
}

// appendElement appends <name>text</name>.
func appendElement(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = appendXML(b, text)
	return append(append(append(b, "</"...), name...), ">\n"...)
}

// wholeFeeds is how many feeds hold the same posts' whole text.
const wholeFeeds = 3

// feedTexts holds texts that one feed has made and the other feeds have not used yet.
type feedTexts struct {
	mu sync.Mutex
	of map[site.ID]*feedText
}

type feedText struct {
	make  sync.Once
	taken int
	html  string
	page  Page // whatever the text needs
	err   error
}

func (t *feedTexts) take(id site.ID) *feedText {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.of[id]
	if text == nil {
		if t.of == nil {
			t.of = map[site.ID]*feedText{}
		}
		text = &feedText{}
		t.of[id] = text
	}
	if text.taken++; text.taken == wholeFeeds {
		delete(t.of, id)
	}
	return text
}

// maxFeedBody is the longest HTML of a post that feeds hold whole. Three feeds hold it, escaped, and readers refuse large feeds.
const maxFeedBody = 512 << 10

// feedBody returns a post's whole text with absolute addresses. It adds the assets that the text shows to pg.
func (p *Planner) feedBody(ctx context.Context, pg *Page, post *site.Post) (string, error) {
	text := p.texts.take(post.ID)
	text.make.Do(func() { text.html, text.err = p.makeFeedBody(ctx, &text.page, post) })
	for i := range text.page.Assets {
		pg.use(&text.page.Assets[i])
	}
	return text.html, text.err
}

func (p *Planner) makeFeedBody(ctx context.Context, pg *Page, post *site.Post) (string, error) {
	doc, err := p.bodyOf(ctx, &post.Meta)
	if err != nil || doc == nil {
		return "", err
	}
	if len(doc.HTML) > maxFeedBody {
		return string(appendElement(nil, "p", post.Excerpt)), nil
	}
	r := p.resolveAll(pg, baseOf(post), doc)
	targets := make([]markup.Target, len(r.targets))
	for i, t := range r.targets {
		t.URL = p.layout.absolute(t.URL)
		targets[i] = t
	}
	return string(doc.Append(nil, targets)), nil
}

// feedDate returns the date of a feed: that of its newest post. So a feed without news keeps its bytes.
func feedDate(posts []*site.Post) time.Time {
	var t time.Time
	for _, post := range posts {
		if m := post.LastModified(); m.After(t) {
			t = m
		}
	}
	return t
}

// rss makes an RSS 2.0 feed. If whole is true, its items hold the posts' whole text.
func (p *Planner) rss(ctx context.Context, path site.Path, title, link string, posts []*site.Post, whole bool, keys ...string) (*Page, error) {
	draft := &Page{}
	var b []byte
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel>
`...)
	b = appendElement(b, "title", title)
	b = appendElement(b, "link", p.layout.absolute(link))
	description := p.layout.Description
	if description == "" {
		description = title
	}
	b = appendElement(b, "description", description)
	b = appendElement(b, "language", p.layout.Lang)
	b = append(b, `<atom:link rel="self" type="application/rss+xml" href="`...)
	b = append(appendXML(b, p.layout.BaseURL+path.URL()), "\"/>\n"...)
	if t := feedDate(posts); !t.IsZero() {
		b = appendElement(b, "lastBuildDate", t.Format(time.RFC1123Z))
	}
	for _, post := range posts {
		draft.from(post)
		u := p.layout.BaseURL + site.PostPath(post.Slug).URL()
		b = append(b, "<item>\n"...)
		b = appendElement(b, "title", post.Title)
		b = appendElement(b, "link", u)
		b = appendElement(b, "guid", u)
		if !post.Published.IsZero() {
			b = appendElement(b, "pubDate", post.Published.Format(time.RFC1123Z))
		}
		for _, a := range post.Authors {
			b = appendElement(b, "dc:creator", a.Name)
		}
		for _, t := range post.Tags {
			b = appendElement(b, "category", t)
		}
		b = appendElement(b, "description", html.EscapeString(post.Excerpt)) // RSS has HTML there
		if whole {
			html, err := p.feedBody(ctx, draft, post)
			if err != nil {
				return nil, err
			}
			b = appendElement(b, "content:encoded", html)
		}
		b = append(b, "</item>\n"...)
	}
	b = append(b, "</channel>\n</rss>\n"...)
	pg := p.data(path, site.KindFeed, "application/rss+xml; charset=utf-8", b, keys...)
	pg.Docs, pg.Assets = draft.Docs, draft.Assets
	return pg, nil
}

func (p *Planner) feed(ctx context.Context) (*Page, error) {
	pg, err := p.rss(ctx, "/feed.xml", p.layout.Title, "/", newest(p.snap.Posts(), feedPosts), true, "list:feed")
	if err == nil {
		pg.Also = []site.Path{"/feed", "/api/feed"}
	}
	return pg, err
}

func (p *Planner) topicFeed(ctx context.Context, t *site.Term) (*Page, error) {
	root := site.TopicPath(t.Slug)
	return p.rss(ctx, root+"feed.xml", t.Name+" — "+p.layout.Title, root.URL(), newest(t.Posts, feedPosts), false,
		"list:topic:"+string(t.Slug))
}

func (p *Planner) atom(ctx context.Context) (*Page, error) {
	draft := &Page{}
	posts := newest(p.snap.Posts(), feedPosts)
	var b []byte
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="`...)
	b = append(appendXML(b, p.layout.Lang), "\">\n"...)
	b = appendElement(b, "title", p.layout.Title)
	b = appendElement(b, "id", p.layout.BaseURL+"/")
	b = append(append(b, `<link rel="self" href="`...), appendXML(nil, p.layout.BaseURL+"/atom.xml")...)
	b = append(append(b, "\"/>\n<link href=\""...), appendXML(nil, p.layout.BaseURL+"/")...)
	b = append(b, "\"/>\n"...)
	b = appendElement(b, "updated", atomTime(feedDate(posts)))
	for _, post := range posts {
		draft.from(post)
		u := p.layout.BaseURL + site.PostPath(post.Slug).URL()
		b = append(b, "<entry>\n"...)
		b = appendElement(b, "title", post.Title)
		b = appendElement(b, "id", u)
		b = append(appendXML(append(b, `<link href="`...), u), "\"/>\n"...)
		b = appendElement(b, "published", atomTime(post.Published))
		b = appendElement(b, "updated", atomTime(post.LastModified()))
		authors := post.Authors
		if len(authors) == 0 {
			authors = []site.Author{{Name: p.layout.Title}}
		}
		for _, a := range authors {
			b = append(appendXML(append(b, "<author><name>"...), a.Name), "</name></author>\n"...)
		}
		for _, t := range post.Tags {
			b = append(appendXML(append(b, `<category term="`...), t), "\"/>\n"...)
		}
		b = appendElement(b, "summary", post.Excerpt)
		html, err := p.feedBody(ctx, draft, post)
		if err != nil {
			return nil, err
		}
		b = append(appendXML(append(b, `<content type="html">`...), html), "</content>\n</entry>\n"...)
	}
	b = append(b, "</feed>\n"...)
	pg := p.data("/atom.xml", site.KindFeed, "application/atom+xml; charset=utf-8", b, "list:feed")
	pg.Docs, pg.Assets = draft.Docs, draft.Assets
	return pg, nil
}

// atomTime formats a date for Atom. Atom has no form for an unknown date, so that becomes the beginning of Unix time.
func atomTime(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0).UTC()
	}
	return t.Format(time.RFC3339)
}

func (p *Planner) jsonFeed(ctx context.Context) (*Page, error) {
	draft := &Page{}
	b := []byte(`{"version":"https://jsonfeed.org/version/1.1","title":`)
	b = appendJSON(b, p.layout.Title)
	b = appendJSON(append(b, `,"home_page_url":`...), p.layout.BaseURL+"/")
	b = appendJSON(append(b, `,"feed_url":`...), p.layout.BaseURL+"/feed.json")
	b = appendJSON(append(b, `,"description":`...), p.layout.Description)
	b = appendJSON(append(b, `,"language":`...), p.layout.Lang)
	b = append(b, `,"items":[`...)
	for i, post := range newest(p.snap.Posts(), feedPosts) {
		draft.from(post)
		if i > 0 {
			b = append(b, ',')
		}
		u := p.layout.BaseURL + site.PostPath(post.Slug).URL()
		b = appendJSON(append(b, "\n{\"id\":"...), u)
		b = appendJSON(append(b, `,"url":`...), u)
		b = appendJSON(append(b, `,"title":`...), post.Title)
		b = appendJSON(append(b, `,"summary":`...), post.Excerpt)
		if !post.Published.IsZero() {
			b = appendJSON(append(b, `,"date_published":`...), post.Published.Format(time.RFC3339))
			b = appendJSON(append(b, `,"date_modified":`...), post.LastModified().Format(time.RFC3339))
		}
		if len(post.Tags) > 0 {
			b = append(b, `,"tags":[`...)
			for j, t := range post.Tags {
				if j > 0 {
					b = append(b, ',')
				}
				b = appendJSON(b, t)
			}
			b = append(b, ']')
		}
		if len(post.Authors) > 0 {
			b = append(b, `,"authors":[`...)
			for j, a := range post.Authors {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(appendJSON(append(b, `{"name":`...), a.Name), '}')
			}
			b = append(b, ']')
		}
		html, err := p.feedBody(ctx, draft, post)
		if err != nil {
			return nil, err
		}
		b = append(appendJSON(append(b, `,"content_html":`...), html), '}')
	}
	b = append(b, "]}\n"...)
	pg := p.data("/feed.json", site.KindFeed, "application/feed+json; charset=utf-8", b, "list:feed")
	pg.Docs, pg.Assets = draft.Docs, draft.Assets
	return pg, nil
}

// fixed returns the addresses of freshet's own lists that the sitemap names.
func (p *Planner) fixed() []site.Path {
	out := []site.Path{"/"}
	if p.snap.Posts().Len() > 0 {
		out = append(out, "/blog/")
	}
	if p.snap.Courses().Len() > 0 {
		out = append(out, "/courses/")
	}
	if p.snap.Topics().Len() > 0 {
		out = append(out, "/topic/")
	}
	return out
}

const urlset = `<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
`

func (p *Planner) appendURL(b []byte, u site.URLItem) []byte {
	b = append(b, "<url><loc>"...)
	b = appendXML(b, p.layout.BaseURL+u.Path.URL())
	b = append(b, "</loc>"...)
	if t := u.Modified(); !t.IsZero() {
		b = append(b, "<lastmod>"...)
		b = t.AppendFormat(b, time.RFC3339)
		b = append(b, "</lastmod>"...)
	}
	return append(b, "</url>\n"...)
}

const sitemapType = "application/xml; charset=utf-8"

func sitemapPath(b bucket) site.Path { return site.Path("/sitemap-" + b.name() + ".xml") }

// sitemap makes the sitemap. With more than bucketMax addresses it is an index of parts.
func (p *Planner) sitemap(context.Context) (*Page, error) {
	urls := p.snap.URLs()
	fixed := p.fixed()
	var b []byte
	if urls.Len()+len(fixed) <= bucketMax {
		b = append(b, urlset...)
		for _, f := range fixed {
			b = p.appendURL(b, site.URLItem{Path: f})
		}
		for u := range urls.All() {
			b = p.appendURL(b, u)
		}
		b = append(b, "</urlset>\n"...)
		return p.data("/sitemap.xml", site.KindFeed, sitemapType, b, "list:sitemap"), nil
	}
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>
<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
`...)
	parts := []site.Path{"/sitemap-lists.xml"}
	for _, leaf := range leaves(urls, bucket{}) {
		parts = append(parts, sitemapPath(leaf))
	}
	for _, part := range parts {
		b = append(b, "<sitemap><loc>"...)
		b = append(appendXML(b, p.layout.BaseURL+part.URL()), "</loc></sitemap>\n"...)
	}
	b = append(b, "</sitemapindex>\n"...)
	return p.data("/sitemap.xml", site.KindFeed, sitemapType, b, "list:sitemap"), nil
}

func (p *Planner) sitemapLists(context.Context) (*Page, error) {
	b := []byte(urlset)
	for _, f := range p.fixed() {
		b = p.appendURL(b, site.URLItem{Path: f})
	}
	return p.data("/sitemap-lists.xml", site.KindFeed, sitemapType, append(b, "</urlset>\n"...), "list:sitemap"), nil
}

func (p *Planner) sitemapPart(leaf bucket) func(context.Context) (*Page, error) {
	return func(context.Context) (*Page, error) {
		b := []byte(urlset)
		for u := range leaf.items(p.snap.URLs()) {
			b = p.appendURL(b, u)
		}
		return p.data(sitemapPath(leaf), site.KindFeed, sitemapType, append(b, "</urlset>\n"...), "list:sitemap"), nil
	}
}

// searchIndexPath is the table of the search index's parts.
const searchIndexPath site.Path = "/search/index.json"

func searchPath(b bucket) site.Path { return site.Path("/search/index-" + b.name() + ".json") }

func (p *Planner) searchIndex(context.Context) (*Page, error) {
	parts := leaves(p.snap.URLs(), bucket{})
	slices.Reverse(parts) // newest first
	b := []byte(`{"parts":[`)
	for i, leaf := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(append(b, `{"url":`...), searchPath(leaf).URL()), '}')
	}
	b = append(b, "]}\n"...)
	return p.data(searchIndexPath, site.KindFeed, "application/json", b, "list:search"), nil
}

// searchPart makes the part of the search index for the documents of one bucket, newest first.
func (p *Planner) searchPart(leaf bucket) func(context.Context) (*Page, error) {
	return func(context.Context) (*Page, error) {
		var items []site.URLItem
		for u := range leaf.items(p.snap.URLs()) {
			if u.Doc != nil {
				items = append(items, u)
			}
		}
		slices.Reverse(items)
		b := []byte(`{"docs":[`)
		for i, u := range items {
			if i > 0 {
				b = append(b, ',')
			}
			m := site.MetaOf(u.Doc)
			title, excerpt := m.Title, m.Excerpt
			if u.Lesson != nil {
				title, excerpt = u.Lesson.Title, u.Lesson.Excerpt
			}
			b = appendJSON(append(b, "\n{\"t\":"...), title)
			b = appendJSON(append(b, `,"u":`...), u.Path.URL())
			b = appendJSON(append(b, `,"x":`...), excerpt)
			if len(m.Tags) > 0 {
				b = ld(append(b, `,"g":`...)).appendStrings(m.Tags)
			}
			if !m.Published.IsZero() {
				b = appendJSON(append(b, `,"d":`...), m.Published.Format(time.DateOnly))
			}
			if post, ok := u.Doc.(*site.Post); ok && len(post.Authors) > 0 {
				names := make([]string, len(post.Authors))
				for j, a := range post.Authors {
					names[j] = a.Name
				}
				b = ld(append(b, `,"a":`...)).appendStrings(names)
			}
			b = append(b, '}')
		}
		b = append(b, "]}\n"...)
		return p.data(searchPath(leaf), site.KindFeed, "application/json", b, "list:search"), nil
	}
}

func (o ld) appendStrings(items []string) ld {
	o = append(o, '[')
	for i, s := range items {
		if i > 0 {
			o = append(o, ',')
		}
		o = appendJSON(o, s)
	}
	return append(o, ']')
}

func (p *Planner) search(context.Context) (*Page, error) {
	pg := p.page("/search/", site.KindList, "search.html")
	v := &Search{Layout: p.layout, Index: searchIndexPath.URL()}
	v.Head = p.listHead(pg, "Search", "Search "+p.layout.Title)
	v.Head.NavURL = "/search/"
	v.Head.JSONLD = graph(ldObject("SearchResultsPage").str("name", "Search").str("url", v.Head.Canonical))
	return p.seal(pg, v), nil
}

func (p *Planner) robots(context.Context) (*Page, error) {
	text := p.cfg.Robots + "Sitemap: " + p.layout.BaseURL + "/sitemap.xml\n"
	return p.data("/robots.txt", site.KindFeed, "text/plain; charset=utf-8", []byte(text)), nil
}

// markdownText returns s as one line of Markdown, with all marks escaped.
func markdownText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return markdownSigns.Replace(s)
}

var markdownSigns = strings.NewReplacer("\\", "\\\\", "[", "\\[", "]", "\\]", "<", "&lt;")

func (p *Planner) llms(context.Context) (*Page, error) {
	var b strings.Builder
	b.WriteString("# " + markdownText(p.layout.Title) + "\n")
	if p.layout.Description != "" {
		b.WriteString("\n> " + markdownText(p.layout.Description) + "\n")
	}
	item := func(title string, at site.Path, text string) {
		b.WriteString("- [" + markdownText(title) + "](" + p.layout.BaseURL + at.URL() + ")")
		if text != "" {
			b.WriteString(": " + markdownText(text))
		}
		b.WriteByte('\n')
	}
	if posts := newest(p.snap.Posts(), llmsPosts); len(posts) > 0 {
		b.WriteString("\n## Posts\n\n")
		for _, post := range posts {
			item(post.Title, site.PostPath(post.Slug), post.Excerpt)
		}
	}
	if courses := p.snap.Courses().Range(0, llmsPosts); len(courses) > 0 {
		b.WriteString("\n## Courses\n\n")
		for _, c := range courses {
			item(c.Title, site.CoursePath(c.Slug), c.Excerpt)
		}
	}
	if pages := p.snap.Pages().Range(0, llmsPosts); len(pages) > 0 {
		b.WriteString("\n## Pages\n\n")
		for _, page := range pages {
			item(page.Title, page.Path, page.Excerpt)
		}
	}
	return p.data("/llms.txt", site.KindFeed, "text/plain; charset=utf-8", []byte(b.String()), "list:llms"), nil
}

func (p *Planner) manifest(context.Context) (*Page, error) {
	b := appendJSON([]byte(`{"name":`), p.layout.Title)
	b = appendJSON(append(b, `,"short_name":`...), p.layout.Title)
	b = appendJSON(append(b, `,"description":`...), p.layout.Description)
	b = appendJSON(append(b, `,"lang":`...), p.layout.Lang)
	b = append(b, `,"start_url":"/","scope":"/","display":"browser"`...)
	if u := p.layout.Asset("favicon.svg"); u != "" {
		b = append(appendJSON(append(b, `,"icons":[{"src":`...), u), `,"sizes":"any","type":"image/svg+xml"}]`...)
	}
	return p.data("/site.webmanifest", site.KindFeed, "application/manifest+json", append(b, "}\n"...)), nil
}

// headers tells web servers and CDNs that read a _headers file how to serve the public tree.
func (p *Planner) headers(context.Context) (*Page, error) {
	text := `/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: strict-origin-when-cross-origin
  X-Frame-Options: DENY
  Content-Security-Policy: ` + p.cfg.Policy + `
  Cache-Control: public, max-age=0, must-revalidate
/assets/*
  ! Cache-Control
  Cache-Control: public, max-age=31536000, immutable
`
	return p.data("/_headers", site.KindFeed, "text/plain; charset=utf-8", []byte(text)), nil
}
