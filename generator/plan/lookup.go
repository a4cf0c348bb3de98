package plan

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"freshet/generator/markup"
	"freshet/internal/site"
)

// A base is where a document's relative addresses start from.
type base struct {
	id      site.ID
	source  string    // the document's path in the content tree; empty: it is in a database
	at      site.Path // its address; empty: it has no page of its own
	aliases []string  // its former addresses
	near    string    // the path that its addresses may start from; empty: they name no files of the tree
}

func baseOf(d site.Document) base {
	m := site.MetaOf(d)
	return base{m.ID, m.Source, site.PathOf(d), m.Aliases, near(m, m.Source)}
}

func lessonBase(c *site.Course, l *site.Lesson) base {
	return base{c.ID, l.Source, site.LessonPath(c.Slug, l.Slug), l.Aliases, near(&c.Meta, l.Source)}
}

// near returns the path that a document's relative addresses start from in the content tree. A stored document was not written for
// files: its addresses lead to the same places whether it is in a database or in a file.
func near(m *site.Meta, source string) string {
	if m.Stored {
		return ""
	}
	return source
}

// shown returns the document's place, for messages.
func (b base) shown() string { return cmp.Or(b.source, string(b.id)) }

// A found is what an address in a document stands for.
type found struct {
	target  markup.Target
	asset   *Asset // to be published with the page that shows it
	doc     site.Document
	missing bool // the address is one of this site, and nothing is there
}

// A lookup finds what one address in a document stands for. There is no other way from an address to a document or a
// file: links, pictures, covers, and the references of other tools all come here.
//
// For example, "../guides/b#x" in blog/a.md may be guides/b.md, guides/b.mdx, the text of the folder guides/b, or an
// address such as /guides/b/.
type lookup struct {
	p     *Planner
	base  base
	tried []site.Name // found or not: when one of them comes to stand for something else, the document is planned again
}

// resolve finds what raw, an address in the document at b, stands for. Addresses of other sites stand for
// themselves. An address that begins with "@" is a reference: it may name a document wherever that lies.
func (p *Planner) resolve(b base, raw string) found {
	literal := found{target: markup.Target{URL: raw}}
	if raw == "" || raw[0] == '#' || strings.HasPrefix(raw, "//") || hasScheme(raw) {
		return literal
	}
	rest, frag, hasFrag := strings.Cut(raw, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	name, err := url.PathUnescape(rest)
	if err != nil {
		name = rest // a percent sign that stands for itself
	}
	if name == "" {
		return literal
	}
	l := &lookup{p: p, base: b}
	defer func() { p.links.add(b.id, l.tried) }()
	name = norm.NFC.String(name)
	out := l.find(name)
	if out.missing && name[0] == '@' && len(name) > 1 {
		if out = l.reference(name[1:]); out.missing {
			literal.target.URL = raw[1:]
		}
	}
	if out.missing {
		literal.missing = true
		return literal
	}
	if hasQuery {
		out.target.URL += "?" + query
	}
	if hasFrag {
		out.target.URL += "#" + frag
	}
	return out
}

var nowhere = found{missing: true}

// find looks for a document or a file, in the spellings of all tools.
func (l *lookup) find(name string) found {
	if strings.ContainsAny(name, "\x00\\") {
		return nowhere
	}
	if strings.HasPrefix(name, "/") {
		if f := l.byAddress(name); !f.missing {
			return f
		}
		return l.fromRoots(name)
	}
	if l.base.near != "" {
		if f := l.bySource(path.Join(path.Dir(l.base.near), name)); !f.missing {
			return f
		}
	}
	for _, from := range l.origins() {
		if f := l.byAddress(path.Join(from, name)); !f.missing {
			return f
		}
	}
	if strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		return nowhere
	}
	return l.fromRoots(name)
}

// origins returns the addresses that a relative address may start from: the document's former ones and its own, each with
// and without a slash at the end.
func (l *lookup) origins() []string {
	var out []string
	for _, a := range l.base.aliases {
		if !strings.HasSuffix(a, "/") {
			a = path.Dir(a)
		}
		out = append(out, a)
	}
	if at := string(l.base.at); at != "" {
		out = append(out, at, path.Dir(strings.TrimSuffix(at, "/")))
	}
	return out
}

// fromRoots looks from the content folder, or from the root of a repository that lies in a folder of it: the
// outermost folder above the document that has the name wins.
func (l *lookup) fromRoots(name string) found {
	if l.base.near == "" {
		return l.bySource(name)
	}
	dirs := strings.Split(path.Dir(l.base.near), "/")
	for n := range len(dirs) + 1 {
		if n == 1 && dirs[0] == "." {
			break
		}
		if f := l.bySource(path.Join(path.Join(dirs[:n]...), name)); !f.missing {
			return f
		}
	}
	return nowhere
}

// bySource looks for a file, then for a document by the path of its file.
func (l *lookup) bySource(name string) found {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if d, ok := l.one(site.ByFile, site.FileKey(name)).(*site.File); ok {
		return l.file(d)
	}
	key := site.SourceKey(name)
	best := place{}
	for h := range l.places(site.BySource, key) {
		if h.key() == key && (best.doc == nil || h.source == name && best.source != name) {
			best = h
		}
	}
	return l.to(best)
}

// reference looks for a document by name: as an address, else whatever lies under that name anywhere. Of several the one
// that shares most folders with the document is meant, then the one with the lowest ID.
func (l *lookup) reference(name string) found {
	if f := l.find(name); !f.missing {
		return f
	}
	key := site.SourceKey(name)
	best, most := place{}, -1
	for h := range l.places(site.ByName, key[strings.LastIndexByte(key, '/')+1:]) {
		if k := h.key(); k != key && !strings.HasSuffix(k, "/"+key) {
			continue
		}
		if n := shared(h.source, l.base.near); n > most {
			best, most = h, n
		}
	}
	if best.doc != nil {
		return l.to(best)
	}
	// Documents of a database have no files: the name is that of the file that they once were.
	if slug := site.MakeSlug(dated.ReplaceAllString(key, "")); slug != "" && !strings.Contains(key, "/") {
		return l.byAddress(string(site.PostPath(slug)))
	}
	return nowhere
}

// dated is the date that Jekyll wants at the beginning of a post's name.
var dated = regexp.MustCompile(`^\d{4}-\d{1,2}-\d{1,2}-`)

// shared returns the number of folders that two paths have in common.
func shared(a, b string) int {
	n := 0
	x, y := strings.Split(path.Dir(a), "/"), strings.Split(path.Dir(b), "/")
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}

// byAddress looks for what has, or once had, an address, which tools write with and without a slash, and with the name of
// the file that answers it.
func (l *lookup) byAddress(name string) found {
	clean := path.Clean("/" + norm.NFC.String(name))
	forms := []string{withSlash(clean), clean}
	if stem, ok := webPage(clean); ok {
		forms = append(forms, withSlash(stem), path.Clean(stem))
	}
	for i, c := range forms {
		if slices.Index(forms, c) < i {
			continue
		}
		switch d := l.one(site.ByPath, c).(type) {
		case nil:
		case *site.File:
			return l.file(d)
		default:
			return found{target: markup.Target{URL: site.Path(c).URL()}, doc: d}
		}
	}
	for _, c := range forms {
		if l.p.made(c) || c == "/topic/" || c == "/courses/" || c == "/blog/" { // lists that may be empty for a while
			return found{target: markup.Target{URL: site.Path(c).URL()}}
		}
	}
	for i, c := range forms {
		if slices.Index(forms, c) < i {
			continue
		}
		if d := l.one(site.ByAlias, c); d != nil {
			if at := l.p.aliasOf(d, c); at != "" {
				return found{target: markup.Target{URL: at.URL()}, doc: d}
			}
		}
	}
	return nowhere
}

func withSlash(name string) string {
	if name == "/" {
		return name
	}
	return name + "/"
}

// webPage cuts the name or the ending of a web page's file off an address.
func webPage(name string) (stem string, ok bool) {
	stem = strings.TrimSuffix(name, path.Ext(name))
	if ext := path.Ext(name); ext != ".html" && ext != ".htm" {
		return "", false
	}
	if path.Base(stem) == "index" {
		return path.Dir(stem), true
	}
	return stem, true
}

// one returns the document with a name.
func (l *lookup) one(space site.NameSpace, name string) site.Document {
	n := site.Name{Space: space, Name: name}
	l.tried = append(l.tried, n)
	return l.p.snap.Find(n)
}

// A place is a file of the content tree with the page that it became.
type place struct {
	source string
	doc    site.Document
	lesson *site.Lesson
}

func (h place) key() string { return site.SourceKey(h.source) }

// places yields the files of the documents with a name, by the documents' IDs.
func (l *lookup) places(space site.NameSpace, name string) func(func(place) bool) {
	n := site.Name{Space: space, Name: name}
	l.tried = append(l.tried, n)
	return func(yield func(place) bool) {
		for d := range l.p.snap.FindAll(n) {
			if m := site.MetaOf(d); m == nil || m.Source != "" && !yield(place{source: norm.NFC.String(m.Source), doc: d}) {
				return
			}
			c, ok := d.(*site.Course)
			if !ok {
				continue
			}
			for mi := range c.Modules {
				for li := range c.Modules[mi].Lessons {
					if in := &c.Modules[mi].Lessons[li]; in.Source != "" && !yield(place{norm.NFC.String(in.Source), d, in}) {
						return
					}
				}
			}
		}
	}
}

// to leads to the page of a place. A lesson without a page of its own is shown by its course.
func (l *lookup) to(h place) found {
	if h.doc == nil {
		return nowhere
	}
	at := l.p.pageOf(h.doc, h.lesson)
	if at == "" {
		return nowhere
	}
	return found{target: markup.Target{URL: at.URL()}, doc: h.doc}
}

// file publishes a file of the content tree with the page that refers to it, unless the file has an address of its own.
func (l *lookup) file(f *site.File) found {
	out := found{doc: f, target: markup.Target{URL: f.Public.URL(), Width: f.Width, Height: f.Height}}
	if f.Public == "" {
		out.asset = fileAsset(f)
		out.target.URL = out.asset.Path.URL()
	}
	return out
}

// aliasOf returns the page that a former address leads to. If the address was a lesson's, it is the lesson's page.
func (p *Planner) aliasOf(d site.Document, alias string) site.Path {
	if c, ok := d.(*site.Course); ok {
		for l := range c.OpenLessons() {
			if slices.Contains(l.Aliases, alias) {
				return site.LessonPath(c.Slug, l.Slug)
			}
		}
	}
	return p.pageOf(d, nil)
}

// pageOf returns the address of the page that shows a document, or one of its lessons.
func (p *Planner) pageOf(d site.Document, lesson *site.Lesson) site.Path {
	switch d := d.(type) {
	case *site.Course:
		if lesson != nil && lesson.Open && !lesson.Body.IsZero() {
			return site.LessonPath(d.Slug, lesson.Slug)
		}
	case *site.Page:
		if to, err := url.Parse(d.To); d.To != "" && (err != nil || to.Host != "") {
			return ""
		} else if d.To != "" {
			return site.Path(to.Path)
		}
		if !d.HasPage() {
			return d.Path
		}
	}
	return site.PathOf(d)
}

func hasScheme(raw string) bool {
	i := strings.IndexAny(raw, ":/?#")
	return i > 0 && raw[i] == ':'
}
