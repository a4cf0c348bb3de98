package markup

import (
	"encoding/binary"
	"errors"
	"math"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A Memo keeps results across restarts by the digest of their input. It is optional and best effort.
type Memo interface {
	Get(key digest.Sum) (value []byte, ok bool)
	Put(key digest.Sum, value []byte)
}

// A variant names one of the forms of a rendered body. The document's title decides only whether the first heading is dropped.
// The document's language matters only if the body holds a label. So nearly every body has one form, and is rendered once even if
// title and language are not known yet.
//
// For example, a post "Rivers" whose body begins with "# Rivers" is rendered without that heading. When the title becomes "Seas",
// the body has another variant and is rendered again. A body without a heading has one variant, whatever the title is.
type variant struct {
	first   string // the first heading, folded as titles are; empty: there is none
	dropped bool   // the first heading is left out
	lang    string // of the labels in the HTML; empty: there are none
}

// of returns the variant of the same body that an Input asks for.
func (v variant) of(in Input) variant {
	if !in.untitled {
		v.dropped = v.first != "" && v.first == foldTitle(in.Title)
	}
	if v.lang != "" {
		v.lang = labelsFor(in.Lang).lang
	}
	return v
}

// key is where the variant of a body is kept that was rendered first.
func (r *Renderer) key(in Input) digest.Sum {
	h := digest.New()
	h.Uint64(uint64(r.version))
	h.Uint64(uint64(in.Key))
	h.String(string(in.Format))
	return h.Sum()
}

// variantKey is where any other variant is kept.
func (r *Renderer) variantKey(in Input, v variant) digest.Sum {
	h := digest.New()
	h.Uint64(uint64(r.key(in)))
	h.Value(v.dropped)
	h.String(v.lang)
	return h.Sum()
}

// Cached returns the Doc of an Input whose Body.Text need not be there, if it has been rendered before; Key must be
// set. It is not found either when its problems name lines and Body.Line is unknown.
func (r *Renderer) Cached(in Input) (*Doc, bool) {
	if in.Key == 0 {
		return nil, false
	}
	d, _ := r.recall(in)
	return d, d != nil
}

// recall returns the Doc of an Input that was rendered before; nil: there is none. Then key is where to keep it; 0: under its
// variant's own key.
func (r *Renderer) recall(in Input) (d *Doc, key digest.Sum) {
	if r.memo == nil {
		return nil, 0
	}
	key = r.key(in)
	b, ok := r.memo.Get(key)
	if !ok {
		return nil, key
	}
	head := reader{b: b}
	made, _ := head.head()
	if want := made.of(in); want != made && !head.bad {
		key = 0
		if b, ok = r.memo.Get(r.variantKey(in, want)); !ok {
			return nil, 0
		}
	}
	d, err := decode(b)
	if err != nil {
		return nil, key
	}
	for i := range d.Problems {
		p := &d.Problems[i]
		p.File = in.File
		if p.Line > 0 {
			if in.Body.Line == 0 && in.Body.Text == nil {
				return nil, key
			}
			p.Line = bodyLine(in.Body.Line, p.Line)
		}
	}
	return d, key
}

// encode is the form a Doc has in the memo: counts and numbers as varints, texts with their lengths. The summary comes first, so
// that it can be read without the rest; the HTML comes last, so that it need not be copied. Problems are stored without their
// file and with the body's own lines.
func (d *Doc) encode() []byte {
	n := len(d.HTML) + 64 + 8*len(d.Slots) + len(d.variant.first) + len(d.Summary.Heading) + len(d.Summary.Excerpt)
	for i := range d.Refs {
		n += len(d.Refs[i].URL) + 8
	}
	for i := range d.Embedded {
		n += len(d.Embedded[i].Data) + 32
	}
	for i := range d.Headings {
		n += len(d.Headings[i].ID) + len(d.Headings[i].Text) + 8
	}
	b := make([]byte, 0, n)
	str := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	num := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	dropped := 0
	if d.variant.dropped {
		dropped = 1
	}
	num(dropped)
	str(d.variant.first)
	str(d.variant.lang)
	str(d.Summary.Heading)
	str(d.Summary.Excerpt)
	num(d.Summary.Minutes)
	num(len(d.Slots))
	off := 0
	for _, s := range d.Slots {
		num(s.Off - off)
		num(s.Ref)
		off = s.Off
	}
	num(len(d.Refs))
	for i := range d.Refs {
		r := &d.Refs[i]
		kind := 0
		if r.Picture {
			kind = 1
		}
		num(kind)
		num(r.Width)
		num(r.Height)
		str(r.URL)
	}
	num(len(d.Headings))
	for i := range d.Headings {
		num(d.Headings[i].Level)
		str(d.Headings[i].ID)
		str(d.Headings[i].Text)
	}
	num(d.Words)
	str(d.Picture)
	num(len(d.Problems))
	for i := range d.Problems {
		p := &d.Problems[i]
		str(string(p.Severity))
		num(p.Line)
		num(p.Col)
		str(p.Text)
		str(p.Message)
		str(p.Remedy)
	}
	num(len(d.Embedded))
	for i := range d.Embedded {
		e := &d.Embedded[i]
		str(e.Type)
		num(e.Width)
		num(e.Height)
		num(len(e.Data))
		b = append(b, e.Data...)
	}
	num(len(d.HTML))
	return append(b, d.HTML...)
}

var errDamaged = errors.New("damaged rendering")

// decode reads what encode wrote. The Doc keeps b.
func decode(b []byte) (*Doc, error) {
	r := reader{b: b}
	d := new(Doc)
	d.variant, d.Summary = r.head()
	if n := r.count(2); n > 0 {
		d.Slots = make([]Slot, n)
		off := 0
		for i := range d.Slots {
			off += r.num()
			d.Slots[i] = Slot{Off: off, Ref: r.num()}
		}
	}
	if n := r.count(4); n > 0 {
		d.Refs = make([]Ref, n)
		for i := range d.Refs {
			d.Refs[i] = Ref{Picture: r.num() == 1, Width: r.num(), Height: r.num(), URL: string(r.bytes())}
		}
	}
	if n := r.count(3); n > 0 {
		d.Headings = make([]Heading, n)
		for i := range d.Headings {
			d.Headings[i] = Heading{Level: r.num(), ID: string(r.bytes()), Text: string(r.bytes())}
		}
	}
	d.Words = r.num()
	d.Picture = string(r.bytes())
	if n := r.count(6); n > 0 {
		d.Problems = make([]diag.Problem, n)
		for i := range d.Problems {
			d.Problems[i] = diag.Problem{
				Severity: diag.Severity(r.bytes()), Line: r.num(), Col: r.num(),
				Text: string(r.bytes()), Message: string(r.bytes()), Remedy: string(r.bytes()),
			}
		}
	}
	if n := r.count(4); n > 0 {
		d.Embedded = make([]Embedded, n)
		for i := range d.Embedded {
			d.Embedded[i] = Embedded{Type: string(r.bytes()), Width: r.num(), Height: r.num(), Data: r.bytes()}
		}
	}
	d.HTML = r.bytes()
	if r.bad || len(r.b) != 0 {
		return nil, errDamaged
	}
	for _, s := range d.Slots {
		if s.Off > len(d.HTML) || s.Ref >= len(d.Refs) {
			return nil, errDamaged
		}
	}
	return d, nil
}

// head reads what an encoded Doc begins with.
func (r *reader) head() (v variant, s site.Summary) {
	v.dropped = r.num() == 1
	v.first = string(r.bytes())
	v.lang = string(r.bytes())
	s.Heading = string(r.bytes())
	s.Excerpt = string(r.bytes())
	s.Minutes = r.num()
	return v, s
}

// A reader reads varints and texts; after the first damage it reads zeroes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) num() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt32 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// count reads the number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.num()
	if n > len(r.b)/size {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

func (r *reader) bytes() []byte {
	n := r.num()
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
