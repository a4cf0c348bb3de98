package mongodb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/datauri"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// cover reads the picture of a document.
func (r *reader) cover() site.Picture {
	f := r.fields.get("coverImage", "cover", "cover_image", "image")
	p := r.picture(f.name, "cover", f.v)
	if p.Src != "" && p.Alt == "" {
		p.Alt = clean(r.fields.str("coverImageAlt", "coverAlt"))
	}
	return p
}

// picture reads an address, or an object that has one. A picture held as data becomes a file called base.
func (r *reader) picture(name, base string, v bson.RawValue) site.Picture {
	var p site.Picture
	switch v.Type {
	case bson.TypeString:
		b, _ := stringBytes(v)
		p.Src = strings.TrimSpace(valid(string(b)))
	case bson.TypeArray:
		if list := items(v); len(list) > 0 && list[0].Type != bson.TypeArray {
			return r.picture(name, base, list[0])
		}
	case bson.TypeEmbeddedDocument:
		f := object(v)
		for _, k := range [...]string{"url", "src", "image", "imageUrl", "path", "file", "filename", "relative"} {
			if b, ok := stringBytes(f.get(k).v); ok {
				p.Src = strings.TrimSpace(valid(string(b)))
				break
			}
		}
		p.Alt = clean(f.str("alt", "caption", "title"))
	case 0, bson.TypeNull, bson.TypeUndefined:
	default:
		r.warn(name, fmt.Sprintf("%s is %s, not the address of a picture", name, typeNames[v.Type]), "write an address")
	}
	if datauri.Is(p.Src) {
		p.Src = r.embed(name, base, p.Src)
	}
	return p
}

// embed makes a file of a picture held as data and returns the address that finds it; "" when it cannot be shown.
// The file's name tells the document and the picture, so that another picture is another file.
func (r *reader) embed(name, base, uri string) string {
	p, err := datauri.Look(uri)
	if err != nil {
		r.warn(name, fmt.Sprintf("the picture held as data in %s %v, so it is left out", name, err), "store it as a file, and its address here")
		return ""
	}
	f := &site.File{
		Revision: p.Sum, Size: p.Bytes, Width: p.Width, Height: p.Height,
		Name: fmt.Sprintf("%s/%s/%s/%s%s", site.TagSlug(r.coll), digest.String(string(r.id)), p.Sum, base, p.Ext),
	}
	if f.Name == r.want {
		r.uri = uri
	}
	taken := func(o *site.File) bool { return o.ID == f.ID }
	f.ID = r.id + "#picture/" + site.ID(base)
	for n := 2; slices.ContainsFunc(r.out.files, taken); n++ {
		f.ID = r.id + "#picture/" + site.ID(base+strconv.Itoa(n))
	}
	if !slices.ContainsFunc(r.out.files, func(o *site.File) bool { return o.Name == f.Name }) {
		r.out.files = append(r.out.files, f)
	}
	return "/" + f.Name
}

// file gives the bytes of a picture that the document holds as data, by the file's name. The error is
// site.ErrChanged when the document no longer holds it.
func (d *decoder) file(ctx context.Context, raw bson.Raw, name string) ([]byte, error) {
	for _, coll := range [...]string{d.blogColl(), d.courseColl()} {
		if !strings.HasPrefix(name, string(site.TagSlug(coll))+"/") {
			continue
		}
		r, ok := d.begin(coll, raw)
		if !ok {
			continue
		}
		r.quiet, r.want = true, name
		if coll == d.blogColl() {
			d.decodePost(ctx, r)
		} else {
			d.decodeCourse(ctx, r)
		}
		if r.uri == "" {
			continue
		}
		b, err := datauri.Read(r.uri)
		if err != nil {
			return nil, fmt.Errorf("read picture %s: %w", name, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("read picture %s: %w", name, site.ErrChanged)
}

func (r *reader) seo() site.SEO {
	s := site.SEO{
		Title: r.line("metaTitle"), Description: r.line("metaDescription"), Keywords: r.list(r.fields.get("metaKeywords").v),
		Canonical: r.address("canonicalUrl", "canonicalURL"),
	}
	f := r.fields.get("seo")
	if f.name != "" && f.v.Type != bson.TypeEmbeddedDocument {
		r.warn("seo", "seo is "+typeNames[f.v.Type]+", not an object", "write an object with title and description")
	}
	seo := &reader{d: r.d, fields: object(f.v), coll: r.coll, id: r.id, want: r.want, quiet: true}
	s.Title = cmp.Or(seo.line("title", "metaTitle"), s.Title)
	s.Description = cmp.Or(seo.line("description", "metaDescription"), s.Description)
	if k := r.list(seo.fields.get("keywords").v); len(k) > 0 {
		s.Keywords = k
	}
	s.Canonical = cmp.Or(seo.address("canonical", "canonicalUrl"), s.Canonical)
	image := seo.fields.get("image", "ogImage", "og_image")
	s.Image = r.picture("seo.image", "preview", image.v).Src
	s.NoIndex, _ = seo.bool("noindex")
	return s
}
