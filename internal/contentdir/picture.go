package contentdir

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"freshet/internal/datauri"
	"freshet/internal/digest"
	"freshet/internal/frontmatter"
	"freshet/internal/site"
)

// pictureMark stands in the ID of a picture that a document holds as data, behind the document's.
const pictureMark = "#picture/"

// A heldPicture is a picture that front matter holds as data. It becomes a file of the site.
type heldPicture struct {
	base string // what it is called by: cover, preview, author …
	name string // of the file, which tells the document and the picture
	info datauri.Picture
}

// hold makes files of the pictures that front matter holds as data, and puts their addresses in the place of the data.
// It returns the data of the one called want.
func (p *parsed) hold(file, want string) (data string) {
	one := func(base, field string, src *string) {
		if !datauri.Is(*src) {
			return
		}
		uri := *src
		*src = ""
		info, err := datauri.Look(uri)
		if err != nil {
			p.problems = append(p.problems, warning(field, fmt.Sprintf("the picture held as data in %s %v, so it is left out", field, err),
				"store it as a file, and its address here"))
			return
		}
		held := heldPicture{base: base, info: info, name: path.Join("data", digest.String(file).String(), info.Sum.String(), base+info.Ext)}
		*src = "/" + held.name
		if held.name == want {
			data = uri
		}
		for _, o := range p.pictures {
			if o.name == held.name {
				return
			}
		}
		p.pictures = append(p.pictures, held)
	}
	one("cover", "coverImage", &p.cover.Src)
	one("preview", "seo.image", &p.seo.Image)
	for i := range p.authors {
		one("author", "author", &p.authors[i].Image)
	}
	for i := range p.instructors {
		one("instructor", "instructor", &p.instructors[i].Image)
	}
	return data
}

// files are the files that a document's pictures are.
func (p *parsed) files(doc string) []*site.File {
	var out []*site.File
	count := map[string]int{}
	for _, h := range p.pictures {
		id := doc + pictureMark + h.base
		if count[h.base]++; count[h.base] > 1 {
			id += fmt.Sprint(count[h.base])
		}
		out = append(out, &site.File{ID: site.ID(id), Revision: h.info.Sum, Name: h.name, Size: h.info.Bytes, Width: h.info.Width, Height: h.info.Height})
	}
	return out
}

// openHeld opens a picture that a document holds as data. The error is site.ErrNotFound when the document is gone, and
// site.ErrChanged when it holds another by now.
func (s *Source) openHeld(doc string, f *site.File) (io.ReadCloser, error) {
	r, err := s.open(doc)
	if err != nil {
		return nil, absent(err)
	}
	defer r.Close()
	text, err := readAll(io.LimitReader(r, frontmatter.MaxBytes+1), nil)
	if err != nil {
		return nil, err
	}
	changed := func() (io.ReadCloser, error) {
		s.doubt(doc)
		return nil, site.ErrChanged
	}
	parts, prob := frontmatter.Parse(text)
	if prob != nil {
		return changed()
	}
	front, prob := parts.Decode()
	if prob != nil {
		return changed()
	}
	var p parsed
	readFields(&parts, doc, front, &p, s.zone)
	data, err := datauri.Read(p.hold(doc, f.Name))
	if err != nil || digest.Bytes(data) != f.Revision {
		return changed()
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// heldIn returns the document that holds a picture as data; "" when the file is one of the tree.
func heldIn(id site.ID) string {
	doc, _, ok := strings.Cut(string(id), pictureMark)
	if !ok {
		return ""
	}
	return doc
}
