package contentdir

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A builder makes the document of one unit from parse results.
type builder struct {
	t        *tree
	problems []diag.Problem
	skip     *site.Skip
	more     []site.Document // what the unit has beside it: pictures that it holds as data, the banner
}

func (b *builder) warn(name, field, message, remedy string) {
	b.problems = append(b.problems, diag.Problem{Severity: diag.Warning, File: b.t.s.shown(name), Field: field, Message: message, Remedy: remedy})
}

// unit makes the document of a unit; nil when it has none (any more).
func (b *builder) unit(unit string) site.Document {
	if f := b.t.courseFolder(unit); f != nil {
		if c := b.course(f); c != nil {
			return c
		}
		return nil
	}
	r := b.t.record(unit)
	switch {
	case r == nil || r.unit != unit || r.broken:
		return nil
	case !r.isMarkdown:
		return b.file(r)
	}
	if r.p.to != "" {
		return b.redirect(r)
	}
	switch r.dir.zone {
	case blogZone, draftZone:
		if b.isFolderText(r) {
			return b.section(r)
		}
		return b.post(r)
	case courseZone:
		if r.isText() {
			return b.section(r)
		}
		return b.singleCourse(r)
	case pageZone:
		if r.isText() {
			return b.section(r)
		}
		return b.page(r)
	}
	switch {
	case r.isText():
		return b.section(r)
	case r.dated:
		return b.post(r)
	}
	return b.page(r)
}

// redirect makes what leads readers elsewhere from all addresses that the file has, or had in another tool.
func (b *builder) redirect(r *record) site.Document {
	pg := &site.Page{To: r.p.to}
	var own site.Path
	switch zone := r.dir.zone; {
	case zone == courseZone:
		c := b.singleCourse(r)
		pg.Meta, own = *site.MetaOf(c), site.PathOf(c)
	case zone == blogZone, zone == draftZone, zone == freeZone && r.dated && !r.isText():
		p := b.post(r)
		pg.Meta, own = *site.MetaOf(p), site.PathOf(p)
	default:
		p := b.page(r)
		pg.Meta, own = *site.MetaOf(p), site.PathOf(p)
	}
	pg.Aliases = slices.DeleteFunc(append([]string{string(own)}, pg.Aliases...), func(a string) bool {
		return strings.TrimRight(a, "/") == strings.TrimRight(r.p.to, "/")
	})
	pg.Body, pg.Tags, pg.Excerpt, pg.Cover = site.BodyRef{}, nil, "", site.Picture{}
	pg.Revision = 0
	pg.Revision = revision(pg)
	return pg
}

// isFolderText reports whether a file in a blog is the text of its folder. index.md is a bundle's post except at the
// top, and so is a README.md that is dated or alone.
func (b *builder) isFolderText(r *record) bool {
	switch r.text {
	case noText:
		return false
	case sectionOwn:
		return true
	case indexOwn:
		return r.dir == r.dir.zoneRoot()
	}
	if r.dir == r.dir.zoneRoot() {
		return true
	}
	return !r.dated && r.dir.markdown > 1
}

// ownText is the file that is the folder's own text: of those that are, the one of the lowest rank, without a
// language before those with one.
func (b *builder) ownText(f *folder) *record {
	var best *record
	for _, r := range f.named {
		if f.zone == freeZone && !r.isText() {
			continue
		}
		if (f.zone == blogZone || f.zone == draftZone) && !b.isFolderText(r) {
			continue
		}
		if best == nil || r.textBefore(best) {
			best = r
		}
	}
	return best
}

func (r *record) textBefore(o *record) bool {
	if (r.name().lang == "") != (o.name().lang == "") {
		return r.name().lang == ""
	}
	if r.text != o.text {
		return r.text < o.text
	}
	return r.path < o.path
}

func (b *builder) file(r *record) site.Document {
	f := &site.File{ID: site.ID(r.path), Revision: r.asset.sum, Name: r.path, Size: r.stat.size, Width: r.asset.width, Height: r.asset.height}
	if rest, ok := strings.CutPrefix(r.path, "static/"); ok {
		f.Public = site.Path("/" + site.FileKey(rest))
		if folder := site.FolderIsFile(f.Public); folder != "" {
			reason := fmt.Sprintf("%s is a file in a site, so nothing can be published below it", folder)
			b.skip = &site.Skip{ID: f.ID, Field: "path", Reason: reason}
			b.problems = append(b.problems, diag.Problem{Severity: diag.Error, File: b.t.s.shown(r.path), Message: reason, Remedy: "give the folder another name"})
			return nil
		}
	}
	return f
}

// meta fills in what all documents have. The slug is chosen from names after the front matter's.
func (b *builder) meta(r *record, names ...string) site.Meta {
	p := r.p
	for _, f := range p.files(r.path) {
		b.more = append(b.more, f)
	}
	m := site.Meta{
		ID: site.ID(r.path), Source: r.path, Stored: p.stored, Title: p.title, Excerpt: p.excerpt, Tags: p.tags, Cover: p.cover, SEO: p.seo, Draft: p.draft, Deleted: p.deleted, Hidden: p.hidden,
		Published: p.published, Modified: p.modified, Expires: p.expires, Minutes: p.minutes, Lang: b.t.lang(r), Group: b.t.group(r),
	}
	if m.Title == "" && !p.stored {
		m.Title = p.heading
	}
	if m.Title == "" && p.stored {
		m.Title = "Untitled"
	}
	if m.Title == "" && len(names) > 0 {
		m.Title = titleOf(names[0])
	}
	if m.Excerpt == "" {
		m.Excerpt = p.intro
	}
	if p.hash != 0 {
		m.Body = site.BodyRef{Doc: m.ID, Format: p.bodyFormat(), Hash: p.hash, Bytes: p.bytes}
	}
	m.Slug = site.FirstSlug(append([]string{p.slug, site.LastSegment(p.address)}, append(names, m.Title)...)...)
	if p.stored {
		m.Slug = site.FirstSlug(p.slug, site.LastSegment(p.address), m.Title) // its file is called as import found best
	}
	if m.Slug == "" && p.storedID != "" {
		m.Slug = site.Slug("untitled-" + digest.String(collOf(r.path) + ":" + p.storedID).String()[:8]) // as it is in the database
	}
	if m.Slug == "" {
		m.Slug = site.Slug("untitled-" + digest.String(r.path).String()[:8])
	}
	return m
}

// documentName is the name of a Markdown file without its extension and language, or of the folder whose text it is.
func documentName(file string) string {
	n, _ := markdownName(path.Base(file))
	if dir := path.Dir(file); n.text != noText && dir != "." {
		return path.Base(dir)
	}
	return n.stem
}

// plainName is the name a document goes by: its bundle folder's or its file's, less a date and a language.
func plainName(r *record) (name string, dir string, date time.Time) {
	name, dir = r.name().stem, path.Dir(r.path)
	if r.text != noText && dir != "." {
		name, dir = path.Base(dir), path.Dir(dir)
	}
	if t, rest, ok := dateName(name); ok {
		name, date = rest, t
	}
	if dir == "." {
		dir = ""
	}
	return name, dir, date
}

func (b *builder) post(r *record) site.Document {
	name, dir, date := plainName(r)
	m := b.meta(r, name)
	if m.Published.IsZero() {
		m.Published = site.OnWall(date, b.t.s.zone)
	}
	if r.dir.zone == draftZone && !m.Draft {
		m.Draft, m.Hidden = true, "its folder is one of drafts"
	}
	m.Draft = m.Draft || r.p.stored && !r.p.says // which is what MongoDB's collection takes it for
	b.distinguish(r, &m)
	p := &site.Post{Meta: m, Authors: r.p.authors, Featured: r.p.featured, Views: r.p.views}
	p.Aliases = b.postAliases(r, dir, name, date, site.PostPath(m.Slug))
	views := p.Views
	p.Views = 0
	p.Revision = revision(p)
	p.Views = views
	return p
}

// distinguish gives a post that shares its slug with others one of its own.
func (b *builder) distinguish(r *record, m *site.Meta) {
	if r.p.stored {
		return
	}
	m.Slug = b.t.translated(m.Slug, b.t.pathLang(r))
	if m.Group == 0 && b.t.areTranslations(b.t.rivalsOf(r)) {
		m.Group = r.rivals
	}
	suffix, first := b.t.rivalSuffix(r)
	if suffix == "" {
		return
	}
	taken := m.Slug
	m.Slug = m.Slug.WithSuffix(suffix)
	if suffix != strings.ToLower(m.Lang) {
		b.warn(r.path, "slug", fmt.Sprintf("the slug %q is that of %s, so this post is at %s", taken, first.path, site.PostPath(m.Slug)),
			"choose another with slug:")
	}
}

// postAliases are the addresses that a post had in the tool its tree was written for.
func (b *builder) postAliases(r *record, dir, name string, date time.Time, own site.Path) []string {
	var out []string
	add := func(s string) {
		if s = site.OldPath(s); s != "" && s != string(own) && s+"/" != string(own) {
			out = appendNew(out, s)
		}
	}
	for _, a := range r.p.aliases {
		add(a)
	}
	if r.p.stored {
		add(r.p.address)
		add(storedAddress("/blog/", r.p))
		return out
	}
	if lang := b.t.slugLang(r); lang != "" && b.t.group(r) == 0 {
		add(strings.TrimSuffix(string(own), "-"+strings.ToLower(lang)+"/") + "/") // nobody has the plain address
	}
	if r.p.address != "" {
		a := r.p.address
		if site.OldPath(a) != "" && !strings.HasSuffix(a, "/") && path.Ext(a) != ".html" && path.Ext(a) != ".htm" {
			a += "/"
		}
		add(a)
		b.datedAliases(r, name, date, add)
		return out
	}
	last := strings.ReplaceAll(name, " ", "-")
	if r.p.slug != "" {
		last = r.p.slug
	}
	if base := r.dir.zoneBase(); base != "_posts" && base != "_drafts" {
		// Hugo, Zola and Astro: the path of the file.
		old := hugoPath(path.Join(r.name().lang, dir, last))
		add(old)
		if rest, ok := strings.CutPrefix(old, "/"+strings.ToLower(b.t.s.language)+"/"); ok {
			add("/" + rest)
		}
	}
	b.datedAliases(r, name, date, add)
	return out
}

// datedAliases adds the addresses that Jekyll gives a file, and other tools one that is named for a day: 2024/01/02/title, with
// .html and with a slash. They have the day that was written and the one of the file's name. Jekyll puts the categories before
// it, unless it is told otherwise, and counts days in the site's time zone.
func (b *builder) datedAliases(r *record, name string, named time.Time, add func(string)) {
	base := r.dir.zoneBase()
	jekyll := base == "_posts" || base == "_drafts"
	if named.IsZero() && !jekyll {
		return
	}
	days := []time.Time{r.p.published, named}
	lang := strings.ToLower(b.t.slugLang(r)) // a translation must not take the original's address
	folders := []string{lang}
	if jekyll {
		days = append(days, site.In(r.p.published, b.t.s.zone))
		folders[0] = strings.TrimSuffix(path.Dir(r.dir.zoneRoot().path), ".")
		if folderLang(r.path) == "" {
			folders[0] = path.Join(lang, folders[0])
		}
		cats := folders[0]
		for _, c := range r.p.categories {
			cats = path.Join(cats, string(site.TagSlug(c)))
		}
		if cats != folders[0] {
			folders = append(folders, cats)
		}
	}
	for _, day := range days {
		if day.IsZero() {
			continue
		}
		for _, folder := range folders {
			for _, last := range appendNew(nil, r.p.slug, strings.ReplaceAll(name, " ", "-")) {
				at := "/" + path.Join(folder, day.Format("2006/01/02"), last)
				add(at + ".html")
				add(at + "/")
			}
		}
	}
}

// storedAddress is the address that a document of MongoDB's had by its slug as it was stored; "" where it can have had
// none.
func storedAddress(folder string, p *parsed) string {
	slug := p.slug
	if slug == "" || !p.slugIsText || strings.ContainsAny(slug, "?#%/\\") {
		return ""
	}
	return folder + slug + "/"
}

func (f *folder) zoneBase() string {
	if f.zone == freeZone {
		return ""
	}
	return f.zoneRoot().base()
}

// hugoPath is the address Hugo gives a file: lower case, blanks as hyphens.
func hugoPath(name string) string {
	return "/" + strings.ReplaceAll(strings.ToLower(name), " ", "-") + "/"
}

// revision is the digest of all that can appear on a page.
func revision(doc any) site.Revision {
	h := digest.New()
	h.Value(doc)
	return h.Sum()
}

// bannerMark stands in the ID of the banner, behind that of the document that has it.
const bannerMark = "#banner"

// section makes a page of a folder's own text: the text of a list that freshet makes, or a page at the folder's
// address. A folder text that is not its folder's first gives nothing.
func (b *builder) section(r *record) site.Document {
	f := r.dir
	if b.ownText(f) != r {
		return nil
	}
	pg := &site.Page{Weight: r.p.weight, Nav: r.p.nav}
	switch {
	case f.parent == nil:
		pg.Section, pg.Path = true, "/"
	case f.zone == blogZone || f.zone == draftZone:
		if f != f.zoneRoot() {
			if r.p.hash != 0 {
				b.warn(r.path, "", "this text of a folder is on no page, because the posts of all folders share one list", "move it into a post or a page")
			}
			return nil
		}
		pg.Section, pg.Path = true, "/blog/"
	case f.zone == courseZone:
		pg.Section, pg.Path = true, "/courses/"
	case f.zone == pageZone && f == f.zoneRoot() && f.parent.parent == nil:
		pg.Section, pg.Path = true, "/"
	default:
		if r.p.hash == 0 {
			return nil
		}
		return b.page(r)
	}
	pg.Meta = b.meta(r, cmpOr(strings.TrimPrefix(f.base(), "."), "home"))
	pg.Title = cmpOr(r.p.title, r.p.heading) // empty: the list's own
	pg.Closed = r.p.closed && pg.Path == "/courses/"
	if r.p.notice != "" && pg.Path == "/" {
		banner := &site.Page{Section: true, Path: site.BannerPath, Link: r.p.noticeLink}
		banner.ID, banner.Title, banner.Source = site.ID(r.path+bannerMark), r.p.notice, r.path
		banner.Revision = revision(banner)
		b.more = append(b.more, banner)
	}
	pg.Revision = revision(pg)
	return pg
}

// page makes a page at the address that its path, or its front matter, gives.
func (b *builder) page(r *record) site.Document {
	name, dir, date := plainName(r)
	lang := r.name().lang
	m := b.meta(r, name)
	m.Slug = b.t.translated(m.Slug, lang)
	if m.Published.IsZero() {
		m.Published = site.OnWall(date, b.t.s.zone)
	}
	pg := &site.Page{Meta: m, Weight: r.p.weight, Nav: r.p.nav}
	segs := []string{}
	if a := site.OldPath(r.p.address); a != "" && site.LastSegment(a) != "" {
		a = strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(a, "/"), "/index.html"), "/index.htm")
		if i := strings.LastIndexByte(strings.Trim(a, "/"), '/'); i >= 0 {
			segs = strings.Split(strings.Trim(a, "/")[:i], "/")
		}
	} else {
		for i, s := range strings.Split(dir, "/") {
			if s == "" || r.dir.zone == pageZone && s == "pages" && i == strings.Count(r.dir.zoneRoot().path, "/") {
				continue
			}
			segs = append(segs, s)
		}
	}
	var at strings.Builder
	at.WriteByte('/')
	for _, s := range segs {
		seg := site.TagSlug(s)
		if at.Len() == 1 {
			seg = site.MakeSlug(s)
		}
		if seg != "" {
			at.WriteString(string(seg) + "/")
		}
	}
	last := m.Slug
	if at.Len() > 1 {
		// Only the first part of an address can clash with freshet's own.
		if s := site.TagSlug(cmpOr(r.p.slug, cmpOr(site.LastSegment(r.p.address), name))); s != "" {
			last = b.t.translated(s, lang)
			pg.Slug = last
		}
	}
	at.WriteString(string(last) + "/")
	pg.Path = site.Path(at.String())
	for _, a := range append(slices.Clone(r.p.aliases), r.p.address, hugoPath(path.Join(lang, dir, name))) {
		if a = site.OldPath(a); a != "" && strings.TrimRight(a, "/") != strings.TrimRight(string(pg.Path), "/") {
			pg.Aliases = appendNew(pg.Aliases, a)
		}
	}
	b.datedAliases(r, name, date, func(a string) {
		if a = site.OldPath(a); a != "" {
			pg.Aliases = appendNew(pg.Aliases, a)
		}
	})
	pg.Revision = revision(pg)
	return pg
}

// aliasesOf are the explicit former addresses of a document that lies where courses and lessons do.
func aliasesOf(p *parsed, own site.Path) []string {
	var out []string
	former := append(slices.Clone(p.aliases), p.address)
	if p.stored {
		former = append(slices.Clone(p.aliases), p.address, storedAddress("/courses/", p))
	}
	for _, a := range former {
		if a = site.OldPath(a); a != "" && strings.TrimRight(a, "/") != strings.TrimRight(string(own), "/") {
			out = appendNew(out, a)
		}
	}
	return out
}
