// Package plan decides which pages a site has and what each of them shows. From a [site.Snapshot] it lists the
// pages to look at ([Planner.All], or after a change only those it can have touched, [Planner.Touched]) and makes of
// each a [Page]: its address, its view, and the fingerprint that tells whether it must be rendered again.
//
// A page's fingerprint covers its view, its template with all that includes, and the renderer's version: equal
// fingerprints mean equal bytes. All and Touched agree: what Touched leaves out has not changed. Plan makes no
// decision by clock, environment or order of reading.
package plan

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"freshet/generator/markup"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// Site holds the settings of the site itself.
type Site struct {
	Title, Description string
	URL                string // absolute, no slash at the end
	Language, Author   string
}

// Bodies makes safe HTML of documents' bodies. It is generator's, which reads them from the source.
type Bodies interface {
	// Body returns the body's HTML, nil when there is no body, or an error that wraps site.ErrChanged when the
	// source no longer has the body that Ref names.
	Body(ctx context.Context, b BodyOf) (*markup.Doc, error)
	// Locate returns the line of a document's file that holds an address, in its front matter or its body; 0: unknown.
	Locate(source, address string, front bool) int
}

// BodyOf is a body with what its rendering depends on besides its text.
type BodyOf struct {
	Ref    site.BodyRef
	Title  string
	Source string // path in the content tree, for messages
	Lang   string
}

func (p *Planner) bodyOf(ctx context.Context, m *site.Meta) (*markup.Doc, error) {
	return p.cfg.Bodies.Body(ctx, BodyOf{m.Body, m.Title, m.Source, p.langOf(m)})
}

func (p *Planner) langOf(m *site.Meta) string {
	lang, _ := p.language(m)
	return lang
}

// Templates knows what a page's template is made of.
type Templates interface {
	// Digest covers the entry template and every template it includes.
	Digest(entry string) digest.Sum
}

// Config is what a Planner needs. All fields but LiveReload and Robots are required.
type Config struct {
	Site       Site
	PerPage    int // posts on a page of a list, at least 1
	Bodies     Bodies
	Templates  Templates
	Assets     []Asset // the theme's, published with every build
	LiveReload bool    // pages load the theme's dev.js
	Version    digest.Sum
	Policy     string // Content-Security-Policy of pages, for the headers file
	Robots     string // what robots.txt asks of crawlers: whole groups, with an empty line behind each
}

// A Page is one address of the site: what is there, and why.
type Page struct {
	site.Entry               // Object, Cause, Generation and Changed are filled at commit
	Docs       []site.DocRef // whose content is on it
	View       any           // for Entry.Template
	Data       []byte        // the bytes of a page without a template …
	File       *site.File    // … or the file that holds them
	Also       []site.Path   // further addresses where freshet, but not the public tree, has the same bytes
	Assets     []Asset       // to be published with it
	Problems   []diag.Problem

	dead   map[deadAddress]bool // addresses that lead nowhere, as far as they were reported
	deadOf map[string]int       // of each kind
}

// An Asset is a file at an address that names its content.
type Asset struct {
	Name string // as the theme calls it; empty for documents' pictures
	Path site.Path
	Type string
	File *site.File // its bytes are in the source …
	Data []byte     // … or here
}

// A Target is an address to plan.
type Target struct {
	Path  site.Path
	Cause string
	Of    site.ID // the document that is the cause; empty: none is, or several are

	// A site has a target for each of its pages. To keep targets small, the function for a document's page is looked up when it is needed.
	plan func(context.Context) (*Page, error)
	docs *Planner // nil: plan knows what is there
}

// Plan plans what is at the address. A nil Page means that nothing is there any more.
func (t *Target) Plan(ctx context.Context) (*Page, error) {
	plan := t.plan
	if t.docs != nil {
		plan = t.docs.planOf(t.Path)
	}
	if plan == nil {
		return nil, nil
	}
	return plan(ctx)
}

// A Planner plans the pages of one snapshot.
type Planner struct {
	cfg    Config
	snap   *site.Snapshot
	layout *Layout
	links  *linkers
	texts  feedTexts
}

// New returns a planner for the empty site.
func New(cfg Config) *Planner {
	p := &Planner{cfg: cfg, links: &linkers{of: map[digest.Sum][]site.ID{}}}
	return p
}

// On returns the planner for snap. It shares what the planners before it learned about links.
func (p *Planner) On(snap *site.Snapshot) *Planner {
	n := &Planner{cfg: p.cfg, snap: snap, links: p.links}
	n.layout = n.makeLayout()
	return n
}

// ConfigSum returns a digest of everything that pages depend on besides documents.
func (p *Planner) ConfigSum() digest.Sum {
	h := digest.New()
	h.Uint64(uint64(p.cfg.Version))
	h.Value(p.cfg.Site)
	h.Value([]int{p.cfg.PerPage})
	h.Value(p.cfg.LiveReload)
	h.String(p.cfg.Policy)
	h.String(p.cfg.Robots)
	for _, entry := range Entries {
		h.Uint64(uint64(p.cfg.Templates.Digest(entry)))
	}
	for i := range p.cfg.Assets {
		h.String(p.cfg.Assets[i].Name)
		h.String(string(p.cfg.Assets[i].Path))
	}
	return h.Sum()
}

// Links returns what has been learned about links, for RestoreLinks in another process.
func (p *Planner) Links() map[digest.Sum][]site.ID {
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	return maps.Clone(p.links.of)
}

// RestoreLinks takes over what the planners of another process learned about links.
func (p *Planner) RestoreLinks(of map[digest.Sum][]site.ID) {
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	if of != nil {
		p.links.of = of
	}
}

// linkers remembers which documents use which names in their links, pictures and covers. When a name comes to stand for
// something else, those documents are planned again. A name that is no longer used stays until the next start; it costs one
// needless plan of the document.
type linkers struct {
	mu sync.Mutex
	of map[digest.Sum][]site.ID
}

func nameSum(n site.Name) digest.Sum {
	return digest.String(string(rune('0'+n.Space)) + n.Name)
}

func (l *linkers) add(id site.ID, names []site.Name) {
	if len(names) == 0 {
		return
	}
	alone := []site.ID{id} // shared by all names that no other document uses
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		switch ids := l.of[nameSum(n)]; {
		case len(ids) == 0:
			l.of[nameSum(n)] = alone
		case !slices.Contains(ids, id):
			l.of[nameSum(n)] = append(ids, id)
		}
	}
}

func (l *linkers) get(n site.Name) []site.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[nameSum(n)]
}

// page begins a page that a template makes; seal ends it.
func (p *Planner) page(path site.Path, kind site.Kind, template string, keys ...string) *Page {
	return &Page{Entry: site.Entry{
		Path: path, Kind: kind, Status: 200, Type: "text/html; charset=utf-8", Template: template, Keys: keys,
	}}
}

// seal computes the fingerprint of a page with a view.
func (p *Planner) seal(pg *Page, view any) *Page {
	pg.View = view
	h := digest.New()
	h.Uint64(uint64(p.cfg.Version))
	h.String(pg.Template)
	h.Uint64(uint64(p.cfg.Templates.Digest(pg.Template)))
	h.String(pg.Type)
	h.Value(view)
	pg.Fingerprint = h.Sum()
	return pg
}

// data makes a page of bytes. Their digest is its fingerprint.
func (p *Planner) data(path site.Path, kind site.Kind, contentType string, data []byte, keys ...string) *Page {
	h := digest.New()
	h.String(contentType)
	h.Bytes(data)
	return &Page{
		Entry: site.Entry{Path: path, Kind: kind, Status: 200, Type: contentType, Keys: keys, Fingerprint: h.Sum()},
		Data:  data,
	}
}

// redirect makes a permanent redirect to another path of the site.
func (p *Planner) redirect(from, to site.Path, keys ...string) *Page {
	loc := to.URL()
	return &Page{Entry: site.Entry{
		Path: from, Kind: site.KindRedirect, Status: 301, Location: loc, Keys: keys, Fingerprint: digest.String(loc),
	}}
}

// redirectTo makes a permanent redirect to the address that a document names for it.
func (p *Planner) redirectTo(from site.Path, doc *site.Page) *Page {
	pg := p.redirect(from, "")
	pg.Location, pg.Fingerprint = doc.To, digest.String(doc.To)
	pg.from(doc)
	return pg
}

// from records that the page shows content of the documents.
func (pg *Page) from(docs ...site.Document) {
	for _, d := range docs {
		if d == nil {
			continue
		}
		ref := site.DocRef{ID: d.DocID(), Revision: d.DocRevision()}
		if !slices.Contains(pg.Docs, ref) {
			pg.Docs = append(pg.Docs, ref)
		}
	}
}

// use publishes an asset with the page.
func (pg *Page) use(a *Asset) {
	if a != nil && !slices.ContainsFunc(pg.Assets, func(b Asset) bool { return b.Path == a.Path }) {
		pg.Assets = append(pg.Assets, *a)
	}
}

// assetPath returns the address of content with that name and digest.
func assetPath(name string, sum digest.Sum) site.Path {
	base := path.Base(name)
	ext := strings.ToLower(path.Ext(base))
	slug := site.MakeSlug(strings.TrimSuffix(base, path.Ext(base)))
	if slug == "" {
		slug = "file"
	}
	return site.Path(fmt.Sprintf("/assets/%s.%s%s", slug, sum, site.CleanExt(ext)))
}

// ThemeAsset returns a file of the theme as an asset: its address contains the digest of its content.
func ThemeAsset(name, contentType string, data []byte) Asset {
	ext := path.Ext(name)
	return Asset{
		Name: name, Type: contentType, Data: data,
		Path: site.Path("/assets/" + strings.TrimSuffix(name, ext) + "." + digest.Bytes(data).String() + ext),
	}
}

// Foreign counts the visible documents in each language other than the site's.
func (p *Planner) Foreign() map[string]int {
	out := maps.Clone(p.snap.Languages())
	maps.DeleteFunc(out, func(lang string, _ int) bool { return site.SameLanguage(lang, p.layout.Lang) })
	return out
}

// Documents counts the visible documents that have a page.
func (p *Planner) Documents() int {
	return p.snap.Posts().Len() + p.snap.Courses().Len() + p.snap.Pages().Len()
}
