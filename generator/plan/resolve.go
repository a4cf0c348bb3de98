package plan

import (
	"cmp"
	"net/url"
	"path"
	"strconv"
	"strings"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A base is where a document's relative addresses start from.
type base struct {
	id      site.ID
	source  string   // the document's path in the content tree
	aliases []string // its former addresses
}

func baseOf(m *site.Meta) base { return base{m.ID, m.Source, m.Aliases} }

// shown is where the document is, as messages have it.
func (b base) shown() string { return cmp.Or(b.source, string(b.id)) }

// A found is what an address in a document stands for.
type found struct {
	target  markup.Target
	asset   *Asset // to be published with the page that shows it
	doc     site.Document
	missing bool // relative to the content tree, and not there
}

// resolve finds what raw, an address in the document at b, stands for. Addresses of other sites stand for
// themselves. Every name tried is remembered, found or not.
func (p *Planner) resolve(b base, raw string) found {
	literal := found{target: markup.Target{URL: raw}}
	if raw == "" || raw[0] == '#' || strings.HasPrefix(raw, "//") || hasScheme(raw) {
		return literal
	}
	rest, frag, _ := strings.Cut(raw, "#")
	rest, query, _ := strings.Cut(rest, "?")
	name, err := url.PathUnescape(rest)
	if err != nil || strings.ContainsAny(name, "\x00\\") || name == "" {
		return literal
	}
	var tried []site.Name
	defer func() { p.links.add(b.id, tried) }()
	find := func(space site.NameSpace, name string) site.Document {
		n := site.Name{Space: space, Name: name}
		tried = append(tried, n)
		return p.snap.Find(n)
	}
	suffix := ""
	if query != "" {
		suffix = "?" + query
	}
	if frag != "" {
		suffix += "#" + frag
	}
	to := func(d site.Document, at site.Path) found {
		return found{target: markup.Target{URL: at.URL() + suffix}, doc: d}
	}
	file := func(f *site.File) found {
		out := found{doc: f, target: markup.Target{URL: f.Public.URL() + suffix, Width: f.Width, Height: f.Height}}
		if f.Public == "" {
			a := fileAsset(f)
			out.asset = a
			out.target.URL = a.Path.URL() + suffix
		}
		return out
	}
	// bySource looks for a file of the content tree the way authors of all the tools write it.
	bySource := func(name string) (found, bool) {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		if d := find(site.ByFile, name); d != nil {
			return file(d.(*site.File)), true
		}
		candidates := []string{name}
		if ext := path.Ext(name); ext != ".md" && ext != ".mdx" && ext != ".markdown" {
			candidates = []string{name + ".md", name + "/index.md", name + "/README.md", name + "/_index.md"}
		}
		for _, c := range candidates {
			if d := find(site.BySource, c); d != nil {
				if at := p.addressOf(d, c); at != "" {
					return to(d, at), true
				}
			}
		}
		return found{}, false
	}
	byAddress := func(name string) (found, bool) {
		clean := path.Clean("/" + name)
		slash := clean
		if slash != "/" {
			slash += "/"
		}
		for _, c := range []string{slash, clean} {
			if d := find(site.ByPath, c); d != nil {
				if f, ok := d.(*site.File); ok {
					return file(f), true
				}
				return to(d, site.Path(c)), true
			}
		}
		for _, c := range []string{slash, clean} {
			if d := find(site.ByAlias, c); d != nil {
				if at := p.addressOf(d, c); at != "" {
					return to(d, at), true
				}
			}
		}
		return found{}, false
	}

	if strings.HasPrefix(name, "/") {
		if f, ok := byAddress(name); ok {
			return f
		}
		// From the root of the tree, or of a repository that lies in a folder of it: the outermost that has it.
		dirs := strings.Split(path.Dir(b.source), "/")
		for n := range len(dirs) + 1 {
			if f, ok := bySource(path.Join(path.Join(dirs[:n]...), name)); ok {
				return f
			}
		}
		return literal
	}
	if b.source != "" {
		if f, ok := bySource(path.Join(path.Dir(b.source), name)); ok {
			return f
		}
	}
	for _, a := range b.aliases {
		if !strings.HasSuffix(a, "/") {
			a = path.Dir(a)
		}
		if f, ok := byAddress(path.Join(a, name)); ok {
			return f
		}
	}
	literal.missing = true
	return literal
}

// addressOf is the address of the page that the name stands for: a lesson's when the name is a lesson's.
func (p *Planner) addressOf(d site.Document, name string) site.Path {
	if c, ok := d.(*site.Course); ok {
		for l := range c.OpenLessons() {
			if l.Source == name || contains(l.Aliases, name) {
				return site.LessonPath(c.Slug, l.Slug)
			}
		}
	}
	if pg, ok := d.(*site.Page); ok && !pg.HasPage() {
		if to, err := url.Parse(pg.To); pg.To != "" && (err != nil || to.Host != "") {
			return ""
		} else if pg.To != "" {
			return site.Path(to.Path)
		}
		return pg.Path
	}
	return site.PathOf(d)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func hasScheme(raw string) bool {
	i := strings.IndexAny(raw, ":/?#")
	return i > 0 && raw[i] == ':'
}

// fileAsset is the address at which a file of the content tree is published.
func fileAsset(f *site.File) *Asset {
	return &Asset{Path: assetPath(f.Name, f.Revision), Type: ContentType(f.Name), File: f}
}

// contentTypes are the types of what sites are made of, so that builds do not depend on a machine's mime tables.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".pdf": "application/pdf",
	".zip": "application/zip", ".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
	".woff": "font/woff", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".csv": "text/csv; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".wasm": "application/wasm",
}

// ContentType is the media type of a file by its name.
func ContentType(name string) string {
	if t := contentTypes[strings.ToLower(path.Ext(name))]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// image resolves a picture that a document names; nil when it names none.
func (p *Planner) image(pg *Page, b base, pic site.Picture) *Image {
	if pic.Src == "" || strings.HasPrefix(pic.Src, "data:") {
		return nil
	}
	if hasScheme(pic.Src) && !strings.HasPrefix(pic.Src, "https:") && !strings.HasPrefix(pic.Src, "http:") {
		return nil
	}
	f := p.resolve(b, pic.Src)
	if f.missing {
		return nil
	}
	pg.use(f.asset)
	return &Image{URL: f.target.URL, Alt: pic.Alt, Width: f.target.Width, Height: f.target.Height}
}

// resolved is a body whose addresses have been resolved.
type resolved struct {
	doc     *markup.Doc
	targets []markup.Target
	key     digest.Sum
}

// resolveAll resolves the addresses of a body and publishes the pictures it shows with pg.
func (p *Planner) resolveAll(pg *Page, b base, doc *markup.Doc) resolved {
	out := resolved{doc: doc, targets: make([]markup.Target, len(doc.Refs))}
	h := digest.New()
	h.Bytes(doc.HTML)
	for i, ref := range doc.Refs {
		if e := embedded(doc, ref.URL); e != nil {
			a := &Asset{Path: assetPath("picture"+extensionOf(e.Type), digest.Bytes(e.Data)), Type: e.Type, Data: e.Data}
			pg.use(a)
			out.targets[i] = markup.Target{URL: a.Path.URL(), Width: e.Width, Height: e.Height}
		} else {
			f := p.resolve(b, ref.URL)
			pg.use(f.asset)
			out.targets[i] = f.target
			switch name, _, _ := strings.Cut(ref.URL, "#"); {
			case f.missing && ref.Picture:
				pg.missing(b, "picture", ref.URL)
			case f.missing && strings.HasSuffix(name, ".md"):
				pg.missing(b, "linked document", ref.URL)
			}
		}
		h.Value(ref)
		h.Value(out.targets[i])
	}
	out.key = h.Sum()
	return out
}

func extensionOf(contentType string) string {
	switch contentType {
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/gif":
		return ".gif"
	case "image/webp":
		return ".webp"
	case "image/avif":
		return ".avif"
	case "image/svg+xml":
		return ".svg"
	}
	return ""
}

// embedded is the picture that the address "data:#N" stands for, or nil.
func embedded(doc *markup.Doc, address string) *markup.Embedded {
	number, ok := strings.CutPrefix(address, "data:#")
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(doc.Embedded) {
		return nil
	}
	return &doc.Embedded[n]
}
