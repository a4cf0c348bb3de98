package plan

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// makeLayout returns what all pages of the snapshot share.
func (p *Planner) makeLayout() *Layout {
	s := p.cfg.Site
	l := &Layout{
		Title: s.Title, Description: s.Description, BaseURL: s.URL, Lang: s.Language, Dir: dirOf(s.Language), Author: s.Author,
		LiveReload: p.cfg.LiveReload, Assets: map[string]string{},
		Feeds: []Feed{
			{"RSS", "/feed.xml", "application/rss+xml"},
			{"Atom", "/atom.xml", "application/atom+xml"},
			{"JSON Feed", "/feed.json", "application/feed+json"},
		},
	}
	for _, a := range p.cfg.Assets {
		l.Assets[a.Name] = a.Path.URL()
	}
	posts := p.snap.Posts()
	if newest, ok := posts.At(posts.Len() - 1); ok && !newest.Published.IsZero() {
		l.Year = newest.Published.Year()
	}
	if posts.Len() > 0 || p.snap.Section("/blog/") != nil {
		l.Nav = append(l.Nav, Link{"Blog", "/blog/"})
	}
	if p.snap.Courses().Len() > 0 {
		l.Nav = append(l.Nav, Link{"Courses", "/courses/"})
	}
	if p.snap.Topics().Len() > 0 {
		l.Nav = append(l.Nav, Link{"Topics", "/topic/"})
	}
	for pg := range p.snap.Nav().All() {
		if pg.Lang == "" || site.SameLanguage(pg.Lang, s.Language) {
			l.Nav = append(l.Nav, Link{pg.Title, pg.Path.URL()})
		}
	}
	if b := p.snap.Section(site.BannerPath); b != nil {
		l.Banner = &Banner{Text: b.Title, Link: Link(b.Link)}
	}
	h := digest.New()
	h.Value(struct {
		A, B, C, D, E, F string
		Year             int
		Nav              []Link
		Assets           map[string]string
		Live             bool
		Banner           *Banner
	}{l.Title, l.Description, l.BaseURL, l.Lang, l.Dir, l.Author, l.Year, l.Nav, l.Assets, l.LiveReload, l.Banner})
	l.sum = h.Sum()
	return l
}

// absolute returns an address of this site with the site's URL in front. Other addresses stay.
func (l *Layout) absolute(u string) string {
	if strings.HasPrefix(u, "/") && !strings.HasPrefix(u, "//") {
		return l.BaseURL + u
	}
	return u
}

// listHead returns the metadata of a page that shows no single document.
func (p *Planner) listHead(pg *Page, title, description string) Head {
	full := title + " — " + p.layout.Title
	if title == "" || title == p.layout.Title {
		full = p.layout.Title
	}
	return Head{
		Title: full, Description: cmp.Or(description, p.layout.Description), Type: "website",
		Canonical: p.layout.BaseURL + pg.Path.URL(), Lang: p.layout.Lang, Dir: p.layout.Dir,
	}
}

// docHead returns the metadata of a document's page.
func (p *Planner) docHead(pg *Page, b base, m *site.Meta, kind string, cover *Image, doc *markup.Doc) Head {
	h := p.listHead(pg, cmp.Or(m.SEO.Title, m.Title), cmp.Or(m.SEO.Description, m.Excerpt))
	h.Type = kind
	h.Lang, h.Dir = p.language(m)
	h.Published, h.Tags, h.Keywords, h.NoIndex = m.Published, m.Tags, m.SEO.Keywords, m.SEO.NoIndex
	h.Modified = m.LastModified()
	if len(m.Tags) > 0 {
		h.Section = m.Tags[0]
	}
	if c := m.SEO.Canonical; strings.HasPrefix(c, "https://") || strings.HasPrefix(c, "http://") {
		h.Canonical = c
	}
	h.Languages = p.languages(pg, m)
	img := cover
	if m.SEO.Image != "" {
		img = p.pictureOf(pg, b, "picture for previews", "seo", site.Picture{Src: m.SEO.Image, Alt: m.Title})
	}
	if img == nil && doc != nil && doc.Picture != "" && embedded(doc, doc.Picture) == nil {
		img = p.image(pg, b, site.Picture{Src: doc.Picture})
	}
	if img != nil {
		social := *img
		social.URL = p.layout.absolute(social.URL)
		h.Image = &social
	}
	return h
}

// languages returns the document in each of its languages, itself included, as search engines want them. The page in the
// site's language is also listed as x-default, for readers of any other language.
func (p *Planner) languages(pg *Page, m *site.Meta) []Language {
	var out []Language
	def := ""
	for _, d := range p.snap.Translations(m.Group) {
		pg.from(d)
		lang, _ := p.language(site.MetaOf(d))
		url := p.layout.BaseURL + site.PathOf(d).URL()
		if slices.ContainsFunc(out, func(l Language) bool { return l.Lang == lang }) {
			continue
		}
		out = append(out, Language{lang, nameOfLanguage(lang), url})
		if def == "" && site.SameLanguage(lang, p.layout.Lang) {
			def = url
		}
	}
	if len(out) < 2 {
		return nil
	}
	if def != "" {
		out = append(out, Language{Lang: "x-default", URL: def})
	}
	return out
}

// nameOfLanguage returns a language's own name for itself, or the tag if the name is not known.
func nameOfLanguage(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	return cmp.Or(display.Self.Name(t), tag)
}

// sectionTitle returns the title that the content tree gives the page at path, or usual.
func (p *Planner) sectionTitle(pg *Page, path site.Path, usual string) string {
	if s := p.snap.Section(path); s != nil {
		pg.from(s)
		return cmp.Or(s.Title, usual)
	}
	return usual
}
