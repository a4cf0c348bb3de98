package markup

import (
	"math"
	"strconv"

	"freshet/internal/diag"
	"freshet/internal/site"
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
	Summary  site.Summary // what lists say of the body

	variant variant
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
