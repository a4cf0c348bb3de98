package markup

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"

	"freshet/internal/diag"
)

// Heading is a heading of a body, for the table of contents. ID is the id attribute it has in the HTML.
type Heading struct {
	Level int // 2 to 6
	ID    string
	Text  string
}

// A Doc is a rendered body. It is immutable.
type Doc struct {
	HTML     []byte // without the attributes that go into the slots
	Slots    []Slot // ascending by Off
	Refs     []Ref  // each different address once
	Headings []Heading
	Embedded []Embedded // pictures that the body holds as data, for Refs "data:#N"
	Words    int        // of running text; code is not counted, each CJK character is
	Picture  string     // address of the first picture as in its Ref, or absolute; empty: none
	Problems []diag.Problem
}

// A Ref is an address that is not absolute, so that what it leads to depends on the site: "../other.md",
// "/blog/x/#part", "pic.png", "data:#0" (Embedded[0]). It is percent-encoded where it must be, letters of other
// scripts are not.
type Ref struct {
	URL     string
	Picture bool
	// Width and Height are what the author asked for, in pixels; 0: nothing. The other one follows from the
	// picture's own proportions.
	Width, Height int
}

// A Slot is the place at HTML[Off:] where the attributes for Refs[Ref] are to be inserted.
type Slot struct{ Off, Ref int }

// An Embedded is a picture that the body held as a data URI.
type Embedded struct {
	Type          string // image/png, image/jpeg, image/gif, image/webp or image/avif, by its bytes
	Data          []byte
	Width, Height int // pixels; 0: unknown
}

// A Target is what a Ref resolves to. An empty URL leaves the attribute out. Width and Height are the picture's own
// in pixels; 0: unknown.
type Target struct {
	URL           string
	Width, Height int
}

// Append appends the final HTML to dst; targets[i] is what Refs[i] resolves to, and missing ones have no URL.
func (d *Doc) Append(dst []byte, targets []Target) []byte {
	at := 0
	for _, s := range d.Slots {
		dst = append(dst, d.HTML[at:s.Off]...)
		at = s.Off
		if s.Ref >= len(targets) || targets[s.Ref].URL == "" {
			continue
		}
		ref, t := &d.Refs[s.Ref], &targets[s.Ref]
		if !ref.Picture {
			dst = append(dst, ` href="`...)
			dst = appendAttr(dst, t.URL)
			dst = append(dst, '"')
			continue
		}
		dst = append(dst, ` src="`...)
		dst = appendAttr(dst, t.URL)
		dst = append(dst, '"')
		width, height := size(ref, t)
		dst = appendSize(dst, width, height)
	}
	return append(dst, d.HTML[at:]...)
}

// size is what the author asked for, completed by the picture's proportions, else the picture's own size.
func size(ref *Ref, t *Target) (width, height int) {
	switch {
	case ref.Width > 0 && ref.Height > 0:
		return ref.Width, ref.Height
	case ref.Width > 0:
		if t.Width > 0 && t.Height > 0 {
			return ref.Width, max(1, int(math.Round(float64(ref.Width)*float64(t.Height)/float64(t.Width))))
		}
		return ref.Width, 0
	case ref.Height > 0:
		if t.Width > 0 && t.Height > 0 {
			return max(1, int(math.Round(float64(ref.Height)*float64(t.Width)/float64(t.Height)))), ref.Height
		}
		return 0, ref.Height
	}
	return t.Width, t.Height
}

func appendSize(dst []byte, width, height int) []byte {
	if width > 0 {
		dst = append(dst, ` width="`...)
		dst = strconv.AppendInt(dst, int64(width), 10)
		dst = append(dst, '"')
	}
	if height > 0 {
		dst = append(dst, ` height="`...)
		dst = strconv.AppendInt(dst, int64(height), 10)
		dst = append(dst, '"')
	}
	return dst
}

// encode is the form a Doc has in the memo: counts and numbers as varints, texts with their lengths; the HTML last,
// so that it need not be copied. Problems are stored without their file and with the body's own lines.
func (d *Doc) encode() []byte {
	n := len(d.HTML) + 64 + 8*len(d.Slots)
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
