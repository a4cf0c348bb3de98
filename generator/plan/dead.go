package plan

import (
	"bytes"
	"context"
	"html"
	"net/url"
	"slices"
	"strings"

	"freshet/generator/markup"
	"freshet/internal/diag"
	"freshet/internal/site"
)

// dead reports an address that leads nowhere. field is the field of the document that holds it; empty: the body.
func (p *Planner) dead(pg *Page, b base, what, field, address string) {
	key := deadAddress{what, field, address}
	if pg.dead[key] {
		return
	}
	if pg.dead == nil {
		pg.dead, pg.deadOf = map[deadAddress]bool{}, map[string]int{}
	}
	pg.dead[key] = true
	pg.deadOf[what]++
	prob := diag.Problem{Severity: diag.Warning, File: b.shown(), ID: string(b.id), Field: field, Kind: what}
	switch what {
	case "link":
		prob.Message = "link \"" + address + "\" leads nowhere"
		prob.Remedy = "mend the address, or publish what it leads to"
	case "fragment":
		prob.Message = "link \"" + address + "\" leads to a place that the page does not have"
		prob.Remedy = "name the id of a heading, or give the place one"
	default:
		prob.Message = what + " \"" + address + "\" is not in the content tree"
		prob.Remedy = "add the file or mend its path, which is relative to the document's or begins with / for static/"
	}
	if b.source == "" {
		if field == "" {
			prob.Field = "content"
		}
	} else if p.cfg.Bodies != nil && pg.deadOf[what] <= maxLocated {
		prob.Line = p.cfg.Bodies.Locate(b.source, address, field != "")
	}
	pg.Problems = append(pg.Problems, prob)
}

// maxLocated bounds, for each kind of address, for how many the line in the document's file is looked up. Fewer are shown.
const maxLocated = 50

// A deadAddress is an address that was reported for a page.
type deadAddress struct{ what, field, address string }

// check reports the addresses of a body that lead nowhere on this site.
func (p *Planner) check(ctx context.Context, pg *Page, b base, doc *markup.Doc) {
	places := anchors{}
	for _, ref := range doc.Refs {
		if embedded(doc, ref.URL) != nil {
			continue
		}
		switch f := p.resolve(b, ref.URL); {
		case f.missing && ref.Picture:
			p.dead(pg, b, "picture", "", ref.URL)
		case f.missing:
			p.dead(pg, b, "link", "", ref.URL)
		case !ref.Picture:
			if _, frag, _ := strings.Cut(ref.URL, "#"); frag != "" && !p.leadsTo(ctx, b, f, frag, places) {
				p.dead(pg, b, "fragment", "", ref.URL)
			}
		}
	}
	// Links within the body are in its HTML already.
	const open = ` href="#`
	for rest := doc.HTML; ; {
		i := bytes.Index(rest, []byte(open))
		if i < 0 {
			return
		}
		rest = rest[i+len(open):]
		frag := html.UnescapeString(string(rest[:bytes.IndexByte(rest, '"')]))
		if !places.has(site.BodyRef{}, func() *markup.Doc { return doc }, frag) {
			p.dead(pg, b, "fragment", "", "#"+frag)
		}
	}
}

// leadsTo reports whether the page that an address leads to has the place that the fragment names. If that cannot be
// known, it reports true.
func (p *Planner) leadsTo(ctx context.Context, b base, f found, frag string, places anchors) bool {
	m := site.MetaOf(f.doc)
	if m == nil {
		return true // a list, or a file
	}
	if pg, ok := f.doc.(*site.Page); ok && pg.Section {
		return true
	}
	p.links.add(b.id, []site.Name{{Space: site.ByAnchor, Name: string(m.ID)}})
	of := BodyOf{m.Body, m.Title, m.Source, p.langOf(m)}
	path, _, _ := strings.Cut(f.target.URL, "#")
	path, _, _ = strings.Cut(path, "?")
	if c, ok := f.doc.(*site.Course); ok {
		for l := range c.OpenLessons() {
			if path == site.LessonPath(c.Slug, l.Slug).URL() {
				of = BodyOf{l.Body, l.Title, l.Source, p.langOf(m)}
			}
		}
	}
	if d, err := url.PathUnescape(frag); err == nil {
		frag = d
	}
	known := true
	has := places.has(of.Ref, func() *markup.Doc {
		doc, err := p.cfg.Bodies.Body(ctx, of)
		known = err == nil // else the page itself says what is wrong with its body
		return doc
	}, frag)
	return has || !known
}

var attrText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")

// anchors holds the ids of bodies that were read. The zero BodyRef stands for the page's own body.
type anchors map[site.BodyRef]map[string]bool

// has reports whether the page of a body has the place that a fragment names: an id in the body, an id of the theme, or the top.
// body is called at most once for each body.
func (a anchors) has(ref site.BodyRef, body func() *markup.Doc, id string) bool {
	if id == "" || strings.EqualFold(id, "top") || strings.HasPrefix(id, "fs-") || strings.HasPrefix(id, ":~:") {
		return true
	}
	ids, known := a[ref]
	if !known {
		doc := body()
		if doc == nil {
			return false
		}
		ids = idsIn(doc.HTML)
		a[ref] = ids
	}
	return ids[attrText.Replace(id)]
}

// idsIn returns the ids in safe HTML, as written.
func idsIn(html []byte) map[string]bool {
	ids := map[string]bool{}
	const open = ` id="`
	for {
		i := bytes.Index(html, []byte(open))
		if i < 0 {
			return ids
		}
		html = html[i+len(open):]
		end := max(bytes.IndexByte(html, '"'), 0)
		ids[string(html[:end])] = true
	}
}

// made reports whether freshet itself makes a page at an address: a list, a feed, or a file of the theme.
func (p *Planner) made(at string) bool {
	s := p.snap
	switch at {
	case "/", "/search/", "/404.html", "/feed.xml", "/atom.xml", "/feed.json", "/feed", "/sitemap.xml", "/robots.txt", "/llms.txt", "/site.webmanifest", "/_headers", "/_redirects":
		return true
	case "/courses/":
		return s.Courses().Len() > 0 || s.Section(site.Path(at)) != nil
	case "/topic/":
		return s.Topics().Len() > 0 || s.Section(site.Path(at)) != nil
	case "/blog/":
		return s.Posts().Len() > 0 || s.Section(site.Path(at)) != nil
	case "/sitemap-lists.xml":
		return p.indexed()
	}
	if strings.HasPrefix(at, "/sitemap-") || strings.HasPrefix(at, "/search/index") {
		for _, b := range leaves(s.URLs(), bucket{}) {
			if at == string(searchPath(b)) || p.indexed() && at == string(sitemapPath(b)) {
				return true
			}
		}
		return at == string(searchIndexPath)
	}
	if slices.ContainsFunc(p.cfg.Assets, func(a Asset) bool { return string(a.Path) == at }) {
		return true
	}
	if topic, ok := strings.CutPrefix(at, "/topic/"); ok {
		slug, _, _ := strings.Cut(topic, "/")
		t := s.Topic(site.Slug(slug))
		if t == nil {
			return false
		}
		return at == string(site.TopicPath(t.Slug)+"feed.xml") || p.listed(pager{site.TopicPath(t.Slug), p.cfg.PerPage, t.Posts}, at)
	}
	if author, ok := strings.CutPrefix(at, "/author/"); ok {
		slug, _, _ := strings.Cut(author, "/")
		t := s.Author(site.Slug(slug))
		return t != nil && p.listed(pager{site.AuthorPath(t.Slug), p.cfg.PerPage, t.Posts}, at)
	}
	return strings.HasPrefix(at, "/blog/page/") && p.listed(p.blogPager(s.Posts()), at)
}

// listed reports whether one of a list's pages is at an address.
func (p *Planner) listed(g pager, at string) bool {
	if at == string(g.root) {
		return true
	}
	var n int
	for _, c := range strings.TrimSuffix(strings.TrimPrefix(at, string(g.root)+"page/"), "/") {
		if c < '0' || c > '9' || n > 1e6 {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n > 0 && n <= g.numbered() && at == string(g.path(n))
}
