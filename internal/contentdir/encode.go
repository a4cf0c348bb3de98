package contentdir

import (
	"encoding/binary"
	"math"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
)

// parserVersion names the form and meaning of memoised parse results; it changes with both.
const parserVersion = 14

// A codec writes or reads the fields of a parse result in one order, so that the two directions cannot differ. Most
// fields of most files are empty: an empty one costs one byte.
type codec struct {
	reading bool
	out     []byte
	in      string // strings read share its memory
	bad     bool
}

func (c *codec) uint(v *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	*v = 0
	for shift := uint(0); shift < 64; shift += 7 {
		if c.in == "" {
			c.bad = true
			return
		}
		b := c.in[0]
		c.in = c.in[1:]
		*v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return
		}
	}
	c.bad = true
}

func (c *codec) int(v *int) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.uint(&u)
	*v = int(u>>1) ^ -int(u&1)
}

func (c *codec) int64(v *int64) {
	i := int(*v)
	c.int(&i)
	*v = int64(i)
}

func (c *codec) int8(v *int8) {
	i := int(*v)
	c.int(&i)
	*v = int8(i)
}

func (c *codec) bools(vs ...*bool) {
	var bits uint64
	for i, v := range vs {
		if *v {
			bits |= 1 << i
		}
	}
	c.uint(&bits)
	for i, v := range vs {
		*v = bits>>i&1 == 1
	}
}

func (c *codec) float(v *float64) {
	u := math.Float64bits(*v)
	c.uint(&u)
	*v = math.Float64frombits(u)
}

func (c *codec) string(v *string) {
	n := uint64(len(*v))
	c.uint(&n)
	if !c.reading {
		c.out = append(c.out, *v...)
		return
	}
	if n > uint64(len(c.in)) {
		c.bad = true
		return
	}
	*v, c.in = c.in[:n], c.in[n:]
}

func (c *codec) time(v *time.Time) {
	if !c.reading {
		var u uint64
		if !v.IsZero() {
			u = uint64(v.Unix())<<1 ^ uint64(v.Unix()>>63)
			u++ // 0 is the zero time
		}
		c.uint(&u)
		if u > 0 {
			ns := uint64(v.Nanosecond())
			c.uint(&ns)
			_, offset := v.Zone()
			c.int(&offset)
		}
		return
	}
	var u, ns uint64
	*v = time.Time{}
	if c.uint(&u); u > 0 {
		c.uint(&ns)
		var offset int
		c.int(&offset)
		u--
		*v = time.Unix(int64(u>>1)^-int64(u&1), int64(ns)).In(site.Offset(offset))
	}
}

func (c *codec) len(n int) int {
	u := uint64(n)
	c.uint(&u)
	if c.reading && u > uint64(len(c.in)) {
		c.bad = true
		return 0
	}
	return int(u)
}

func (c *codec) strings(v *[]string) { each(c, v, c.string) }

// each writes or reads a list.
func each[T any](c *codec, v *[]T, one func(*T)) {
	n := c.len(len(*v))
	if c.reading {
		*v = nil
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		one(&(*v)[i])
	}
}

func (c *codec) parsed(p *parsed) {
	c.bools(&p.draft, &p.broken, &p.dated, &p.featured, &p.nav, &p.weighted, &p.shortcodesOff, &p.seo.NoIndex, &p.stored, &p.says, &p.deleted, &p.gratis, &p.slugIsText, &p.closed)
	format := string(p.format)
	c.string(&format)
	p.format = site.Format(format)
	c.string(&p.title)
	c.string(&p.heading)
	c.string(&p.hidden)
	c.string(&p.slug)
	c.string(&p.address)
	c.string(&p.to)
	c.string(&p.excerpt)
	c.string(&p.intro)
	c.string(&p.lang)
	c.strings(&p.tags)
	c.strings(&p.categories)
	c.strings(&p.aliases)
	c.string(&p.cover.Src)
	c.string(&p.cover.Alt)
	c.string(&p.seo.Title)
	c.string(&p.seo.Description)
	c.strings(&p.seo.Keywords)
	c.string(&p.seo.Canonical)
	c.string(&p.seo.Image)
	c.time(&p.published)
	c.time(&p.modified)
	c.time(&p.expires)
	hash := uint64(p.hash)
	c.uint(&hash)
	p.hash = digest.Sum(hash)
	c.int(&p.bytes)
	c.int(&p.minutes)
	c.int64(&p.views)
	c.int(&p.weight)
	c.int8(&p.free)
	each(c, &p.authors, func(a *site.Author) { c.string(&a.Name); c.string(&a.Image) })
	c.string(&p.duration)
	c.float(&p.price)
	c.float(&p.original)
	c.float(&p.rating)
	c.string(&p.currency)
	c.string(&p.level)
	c.string(&p.enroll)
	each(c, &p.instructors, func(i *site.Instructor) { c.string(&i.Name); c.string(&i.Title); c.string(&i.Image); c.string(&i.Bio) })
	c.strings(&p.features)
	c.strings(&p.learn)
	c.strings(&p.requirements)
	c.string(&p.storedID)
	c.string(&p.notice)
	c.string(&p.noticeLink.Text)
	c.string(&p.noticeLink.URL)
	each(c, &p.pictures, func(h *heldPicture) {
		c.string(&h.base)
		c.string(&h.name)
		sum := uint64(h.info.Sum)
		c.uint(&sum)
		h.info.Sum = digest.Sum(sum)
		c.int64(&h.info.Bytes)
		c.int(&h.info.Width)
		c.int(&h.info.Height)
	})
	each(c, &p.problems, c.problem)
	each(c, &p.uses, func(u *shortcodes.Use) {
		c.string(&u.Kind)
		c.int(&u.Line)
		c.int(&u.Col)
		c.string(&u.Text)
		c.int(&u.Count)
		c.string(&u.Remedy)
	})
	c.string(&p.reason)
	c.string(&p.badField)
}

func (c *codec) problem(p *diag.Problem) {
	s := string(p.Severity)
	c.string(&s)
	p.Severity = diag.Severity(s)
	c.int(&p.Line)
	c.int(&p.Col)
	c.string(&p.Text)
	c.string(&p.Field)
	c.string(&p.Message)
	c.string(&p.Remedy)
}

func (p *parsed) encode() []byte {
	c := codec{out: make([]byte, 0, 256)}
	c.parsed(p)
	return c.out
}

func decodeParsed(b []byte) (*parsed, bool) {
	c := codec{reading: true, in: string(b)}
	var p parsed
	c.parsed(&p)
	return &p, !c.bad && c.in == ""
}

func (a *assetInfo) encode() []byte {
	c := codec{out: make([]byte, 0, 16)}
	c.asset(a)
	return c.out
}

func (c *codec) asset(a *assetInfo) {
	u := uint64(a.sum)
	c.uint(&u)
	a.sum = digest.Sum(u)
	c.int(&a.width)
	c.int(&a.height)
}

func decodeAsset(b []byte) (a assetInfo, ok bool) {
	c := codec{reading: true, in: string(b)}
	c.asset(&a)
	return a, !c.bad && c.in == ""
}
