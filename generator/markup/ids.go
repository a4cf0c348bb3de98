package markup

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxIDBytes is the longest an id may be.
const maxIDBytes = 200

// themePrefix begins the ids of the theme; ids from content that begin so get contentPrefix before them.
const (
	themePrefix   = "fs-"
	contentPrefix = "c-"
)

// anchor is the id of a heading with that text, as code hosts make it, so that links written for them arrive: lower
// case, spaces to hyphens, letters, marks and digits of every script kept, everything else dropped.
func anchor(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	if !isASCII(text) {
		text = norm.NFC.String(strings.ToLower(norm.NFC.String(text)))
	}
	for _, r := range text {
		switch {
		case r < 0x80:
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_', r == '-':
				b.WriteByte(byte(r))
			case 'A' <= r && r <= 'Z':
				b.WriteByte(byte(r) + 'a' - 'A')
			case r == ' ':
				b.WriteByte('-')
			}
		case unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Pc):
			b.WriteRune(r)
		case unicode.IsSpace(r):
			b.WriteByte('-')
		}
	}
	id := b.String()
	if strings.Trim(id, "-") == "" {
		id = "section"
	}
	return contentID(id)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// contentID is an id as content may have it: no white space and no control characters, not the theme's, not
// too long. contentID(contentID(s)) == contentID(s).
func contentID(s string) string {
	id := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	if len(id) >= len(themePrefix) && strings.EqualFold(id[:len(themePrefix)], themePrefix) {
		id = contentPrefix + id
	}
	return cutString(id, maxIDBytes)
}

// cutString is s, cut before a rune to at most n bytes.
func cutString(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// fragmentID is the id that a fragment, as it stands in a URL, leads to.
func fragmentID(f string) string {
	if d, err := url.PathUnescape(f); err == nil {
		return d
	}
	return f
}

// reserveID says that the body has an id: ids made for headings keep clear of it.
func (w *writer) reserveID(id string) {
	if id = contentID(id); id != "" {
		if _, ok := w.ids[id]; !ok {
			w.ids[id] = false
		}
	}
}

// takeID is the id that an element gets that asks for one; empty when it asks for none.
func (w *writer) takeID(id string) string {
	if id = contentID(id); id == "" {
		return ""
	}
	if w.ids[id] {
		id = w.freeID(id)
	}
	w.ids[id] = true
	return id
}

// freeID is id, with a number when it is taken or reserved.
func (w *writer) freeID(id string) string {
	if _, taken := w.ids[id]; !taken {
		return id
	}
	base := cutString(id, maxIDBytes-8)
	for n := w.numbers[base] + 1; ; n++ {
		id = base + "-" + strconv.Itoa(n)
		if _, taken := w.ids[id]; !taken {
			w.numbers[base] = n // of one text there may be many headings
			return id
		}
	}
}

// mendFragments leads links whose id is not in the body to the one that was meant: other tools make other ids of
// the same heading (one hyphen for several, no marks, capitals).
func (w *writer) mendFragments() {
	var near map[string]string
	var mended []byte
	at, slot := 0, 0
	for _, f := range w.fragments {
		if w.ids[f.id] {
			continue
		}
		if near == nil {
			near = make(map[string]string, len(w.headings))
			for i := len(w.headings) - 1; i >= 0; i-- {
				near[looseID(w.headings[i].ID)] = w.headings[i].ID
			}
		}
		id, ok := near[looseID(f.id)]
		if !ok {
			continue
		}
		for ; slot < len(w.slots) && w.slots[slot].Off <= f.off; slot++ {
			w.slots[slot].Off += len(mended) - at
		}
		mended = append(mended, w.out[at:f.off]...)
		mended = appendAttr(mended, id)
		at = f.off + f.n
	}
	if at == 0 {
		return
	}
	for ; slot < len(w.slots); slot++ {
		w.slots[slot].Off += len(mended) - at
	}
	w.out = append(mended, w.out[at:]...)
}

// looseID is what ids of one heading made by different tools have in common.
func looseID(id string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.L, unicode.N) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKD.String(id))
}
