package plan

import (
	"path"
	"strconv"
	"strings"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// fileAsset returns a file of the content tree as an asset.
func fileAsset(f *site.File) *Asset {
	return &Asset{Path: assetPath(f.Name, f.Revision), Type: ContentType(f.Name), File: f}
}

// contentTypes lists the media types of usual files. Builds must not depend on a machine's MIME tables.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".pdf": "application/pdf",
	".zip": "application/zip", ".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
	".m4v": "video/mp4", ".ogv": "video/ogg", ".mov": "video/quicktime", ".m4a": "audio/mp4", ".aac": "audio/aac", ".oga": "audio/ogg", ".opus": "audio/ogg",
	".wav": "audio/wav", ".flac": "audio/flac", ".vtt": "text/vtt; charset=utf-8",
	".woff": "font/woff", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".csv": "text/csv; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".wasm": "application/wasm",
}

// ContentType returns the media type of a file by its name.
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

// pictureOf resolves a picture that a field of pg's own document names, and reports one that is not there.
func (p *Planner) pictureOf(pg *Page, b base, what, field string, pic site.Picture) *Image {
	out := p.image(pg, b, pic)
	if out == nil && pic.Src != "" && p.resolve(b, pic.Src).missing {
		p.dead(pg, b, what, field, pic.Src)
	}
	return out
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

// embedded returns the picture that the address "data:#N" stands for, or nil.
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
