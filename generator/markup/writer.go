package markup

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"freshet/generator/markup/highlight"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// A writer makes one Doc. Both ways into it, from Markdown's syntax tree and from the DOM, call the same methods in
// the order of the document, so that the same content gives the same bytes.
type writer struct {
	out      []byte
	slots    []Slot
	refs     []Ref
	refIndex map[Ref]int
	headings []Heading
	embedded []Embedded
	pictures map[digest.Sum]int // of embedded, by the digest of the data: the index plus one
	known    int                // of embedded, how many numbers in HTML may name
	problems []diag.Problem
	told     map[string]bool // kinds of problems already reported
	words    int
	inWord   bool
	picture  string

	ids       map[string]bool // taken; of an id that stands in the body and was not written yet, the value is false
	numbers   map[string]int  // the last number given to an id that was taken
	fragments []fragment
	outline   []int  // levels, as written by the author, of the headings that enclose the next one
	title     string // folded; the first heading is dropped when it says the same
	untitled  bool   // a first heading of the first level is dropped
	opened    bool   // the first heading has been seen
	within    int    // open quotations and list items: a heading in one is no title
	variant   variant
	outset    outset

	watch   *watch
	most    int     // bytes that out may have
	labels  *labels // of the language; label returns them
	format  site.Format
	hl      *highlight.Highlighter
	src     []byte   // the body, where problems can be placed in it
	place   int      // of the block that is being written, in src
	needles []string // what a problem is about, as it may stand in src; with it, place does not count
	spans   []span   // the parts of src that tags can stand in; none: all of it
	buf     []byte
}

// A span is a part of a body.
type span struct{ start, end int }

// A fragment is a link to an id of the same body: out[off:off+n] is its escaped text after the '#'.
type fragment struct {
	off, n int
	id     string
}

func (w *writer) begin(in Input, hl *highlight.Highlighter, watch *watch) {
	refIndex, told, ids, numbers := w.refIndex, w.told, w.ids, w.numbers
	if refIndex == nil {
		refIndex, told, ids, numbers = map[Ref]int{}, map[string]bool{}, map[string]bool{}, map[string]int{}
	}
	clear(refIndex)
	clear(told)
	clear(ids)
	clear(numbers)
	*w = writer{
		out: w.out[:0], slots: w.slots[:0], refIndex: refIndex, told: told, ids: ids, numbers: numbers, buf: w.buf[:0],
		fragments: w.fragments[:0], outline: w.outline[:0], spans: w.spans[:0],
		title: foldTitle(in.Title), untitled: in.untitled, labels: labelsFor(in.Lang), format: in.Format, hl: hl, watch: watch,
	}
}

// label returns the words to be written into the body, which then depends on the language.
func (w *writer) label() *labels {
	w.variant.lang = w.labels.lang
	return w.labels
}

// restart forgets what was written, but not what was reported.
func (w *writer) restart() {
	clear(w.refIndex)
	clear(w.ids)
	clear(w.numbers)
	w.out, w.slots, w.refs, w.headings, w.fragments = w.out[:0], w.slots[:0], nil, nil, w.fragments[:0]
	w.outline, w.opened, w.within, w.words, w.inWord, w.picture = w.outline[:0], false, 0, 0, false, ""
	w.outset = outset{}
	w.variant.first, w.variant.dropped = "", false
	w.embedded, w.pictures, w.known, w.place = nil, nil, 0, 0
}

// finish returns the Doc; the writer may be used again.
func (w *writer) finish() *Doc {
	summary := w.summary()
	w.mendFragments()
	out := w.out
	end := len(bytes.TrimRight(out, " \t\n"))
	start := end - len(bytes.TrimLeft(out[:end], " \t\n\ufeff")) // a byte order mark would not be read again
	d := &Doc{
		HTML: bytes.Clone(out[start:end]), Refs: w.refs, Headings: w.headings, Embedded: w.embedded,
		Words: w.words, Picture: w.picture, Problems: w.problems, Summary: summary, variant: w.variant,
	}
	if len(w.slots) > 0 {
		d.Slots = make([]Slot, len(w.slots))
		for i, s := range w.slots {
			d.Slots[i] = Slot{Off: s.Off - start, Ref: s.Ref}
		}
	}
	diag.Sort(d.Problems)
	return d
}

// maxProblems is how many kinds of problems of one body are reported: some kinds are told apart by what the author wrote.
const maxProblems = 30

// problem reports what happened to a kind of thing, once for each kind.
func (w *writer) problem(kind, message, remedy string) {
	if w.told[kind] || len(w.told) == maxProblems {
		return
	}
	w.told[kind] = true
	w.problems = append(w.problems, diag.Problem{Severity: diag.Warning, Line: w.line(), Message: message, Remedy: remedy})
}

// line is the line of the body, from 1, that a problem is on; 0 when that is unknown.
func (w *writer) line() int {
	if w.src == nil {
		return 0
	}
	at := w.place
	if w.needles != nil {
		at = -1
		for _, n := range w.needles {
			if at = w.find(n); at >= 0 {
				break
			}
		}
		if at < 0 {
			return 0
		}
	}
	return 1 + bytes.Count(w.src[:at], []byte{'\n'})
}

// find is where a tag ("<script") or an address first stands in the body; -1 when it does not.
func (w *writer) find(needle string) int {
	if len(w.spans) == 0 || !strings.HasPrefix(needle, "<") {
		return bytes.Index(w.src, []byte(needle))
	}
	for _, s := range w.spans {
		if i := bytes.Index(w.src[s.start:s.end], []byte(needle)); i >= 0 {
			return s.start + i
		}
	}
	return -1
}

func (w *writer) raw(s string) { w.out = append(w.out, s...) }

// step is called for every node that is written.
func (w *writer) step() {
	w.watch.tick()
	if len(w.out) > w.most {
		panic(unfit{"the HTML of the body is many times as long as the body: it became plain text", "divide it into several documents"})
	}
}

// text writes running text: escaped, without control characters, its words counted.
func (w *writer) text(s []byte) {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c > ' ' && c < 0x7f:
			if !w.inWord {
				w.inWord = true
				w.words++
			}
			var esc string
			switch c {
			case '<':
				esc = "&lt;"
			case '>':
				esc = "&gt;"
			case '&':
				esc = "&amp;"
			default:
				continue
			}
			w.out = append(w.out, s[start:i]...)
			w.out = append(w.out, esc...)
			start = i + 1
		case c == ' ' || c == '\n' || c == '\t':
			w.inWord = false
		case c >= 0x80:
			if c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 { // C1 controls
				w.out = append(w.out, s[start:i]...)
				start = i + 2
				i++
				continue
			}
			if c >= 0xe3 && c <= 0xe9 { // CJK, most of it: each character counts
				w.words++
				w.inWord = true
				i += 2
			} else if !w.inWord && !(c == 0xc2 && i+1 < len(s) && s[i+1] == 0xa0) {
				w.inWord = true
				w.words++
			}
		default: // C0 controls and DEL
			w.out = append(w.out, s[start:i]...)
			start = i + 1
			if c == '\r' {
				w.out = append(w.out, '\n')
				w.inWord = false
			}
		}
	}
	w.out = append(w.out, s[start:]...)
}

// appendText is text without the counting.
func appendText(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		var esc string
		skip := 1
		switch c := s[i]; {
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '&':
			esc = "&amp;"
		case c == '\r':
			esc = "\n"
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f:
		case c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0:
			skip = 2
		default:
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, esc...)
		i += skip - 1
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// appendAttr appends s as the text of a double-quoted attribute.
func appendAttr(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		var esc string
		skip := 1
		switch c := s[i]; {
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '&':
			esc = "&amp;"
		case c == '"':
			esc = "&#34;"
		case c == '\r' || c == '\n' || c == '\t':
			esc = " "
		case c < ' ', c == 0x7f:
		case c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0:
			skip = 2
		default:
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, esc...)
		i += skip - 1
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// attr writes an attribute, unless its value is empty.
func (w *writer) attr(name, value string) {
	if value == "" {
		return
	}
	w.out = append(w.out, ' ')
	w.out = append(w.out, name...)
	w.out = append(w.out, `="`...)
	w.out = appendAttr(w.out, value)
	w.out = append(w.out, '"')
}

func (w *writer) slot(ref Ref) {
	i, ok := w.refIndex[ref]
	if !ok {
		i = len(w.refs)
		w.refs = append(w.refs, ref)
		w.refIndex[ref] = i
	}
	w.slots = append(w.slots, Slot{Off: len(w.out), Ref: i})
}

// link opens an a element with the address raw and reports whether it did: an address that may not be followed
// opens nothing. The attributes other than href follow from the caller, who closes the tag.
func (w *writer) link(raw string) bool {
	url, class := cleanURL(raw)
	switch class {
	case urlRefused:
		w.refused(raw)
		return false
	case urlEmpty:
		return false
	case urlRelative:
		w.raw("<a")
		w.slot(Ref{URL: url})
	case urlFragment:
		w.raw(`<a href="#`)
		id := contentID(fragmentID(url[1:]))
		if id == "" {
			w.raw(`"`)
			break
		}
		off := len(w.out)
		w.out = appendAttr(w.out, id)
		w.fragments = append(w.fragments, fragment{off: off, n: len(w.out) - off, id: id})
		w.raw(`"`)
	default:
		w.raw("<a")
		w.attr("href", url)
	}
	return true
}

func (w *writer) refused(raw string) {
	scheme, _, _ := strings.Cut(strings.TrimSpace(raw), ":")
	if len(scheme) > 20 {
		scheme = scheme[:20]
	}
	scheme = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, strings.ToLower(scheme))
	w.problem("scheme "+scheme, "an address that begins with \""+scheme+":\" was dropped",
		"use http, https, mailto, tel or an address on this site")
}

// An img is a picture as its author wrote it.
type img struct {
	src, alt, title, class, id, lang, dir string
	width, height                         int // pixels; 0: none
	embedded                              int // index into writer.embedded plus one; 0: src is the address
}

// image writes a picture, or its alternative text when the address may not be used.
func (w *writer) image(im img) {
	var ref Ref
	var url string
	var class urlClass
	if im.embedded == 0 && isDataURI(im.src) {
		im.embedded = w.embed(im.src)
		if im.embedded == 0 {
			w.text([]byte(im.alt))
			return
		}
	}
	if im.embedded > 0 {
		url, class = embeddedURL(im.embedded-1), urlRelative
	} else {
		url, class = cleanURL(im.src)
	}
	switch class {
	case urlRelative:
		ref = Ref{URL: url, Picture: true, Width: im.width, Height: im.height}
	case urlAbsolute:
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "//") {
			w.refused(im.src)
			w.text([]byte(im.alt))
			return
		}
	default: // nothing to show
		if class == urlRefused {
			w.refused(im.src)
		}
		w.text([]byte(im.alt))
		return
	}
	if player := playerOf(url); player != "" && class == urlRelative {
		w.player(player, ref, im)
		return
	}
	if w.picture == "" {
		w.picture = url
	}
	w.raw("<img")
	if class == urlRelative {
		w.slot(ref)
	} else {
		w.attr("src", url)
		w.out = appendSize(w.out, im.width, im.height)
	}
	w.raw(` alt="`)
	w.out = appendAttr(w.out, im.alt)
	w.raw(`"`)
	w.attr("title", im.title)
	w.attr("id", w.takeID(im.id))
	w.attr("class", im.class)
	w.attr("lang", im.lang)
	w.attr("dir", im.dir)
	w.raw(` loading="lazy" decoding="async">`)
}

// code writes a code block.
func (w *writer) code(lang string, code []byte) {
	lang = highlight.Language(lang)
	w.raw(`<pre class="chroma" dir="ltr" tabindex="0"><code`)
	if lang != "" {
		w.attr("class", "language-"+lang)
	}
	w.raw(">")
	if w.hl != nil && lang != "" {
		w.buf = codeText(w.buf[:0], code)
		w.watch.look()
		w.out = w.hl.Append(w.out, lang, w.buf, w.watch.over)
		w.watch.look()
	} else {
		w.out = appendText(w.out, code)
	}
	w.raw("</code></pre>")
	w.inWord = false
}

// languageClass is the class that names a language; empty when there is none.
func languageClass(info string) string {
	if l := highlight.Language(info); l != "" {
		return "language-" + l
	}
	return ""
}

// codeText is code without control characters, its lines ended by LF.
func codeText(dst, code []byte) []byte {
	start := 0
	for i := 0; i < len(code); i++ {
		c := code[i]
		skip := 1
		switch {
		case c == 0xc2 && i+1 < len(code) && code[i+1] < 0xa0:
			skip = 2
		case c >= ' ' && c != 0x7f, c == '\n', c == '\t':
			continue
		}
		dst = append(dst, code[start:i]...)
		if c == '\r' {
			dst = append(dst, '\n')
		}
		i += skip - 1
		start = i + 1
	}
	return append(dst, code[start:]...)
}

// A mark is a place in a writer that it can go back to.
type mark struct{ out, slots, fragments, words int }

func (w *writer) mark() mark {
	return mark{len(w.out), len(w.slots), len(w.fragments), w.words}
}

// back drops what was written since m. Refs and embedded pictures stay; without a slot they do no harm.
func (w *writer) back(m mark) {
	w.out, w.slots, w.fragments, w.words = w.out[:m.out], w.slots[:m.slots], w.fragments[:m.fragments], m.words
	w.outset.more = min(w.outset.more, m.out+1)
}

// heading makes what was written since m a heading. level is the author's, 1 to 6; id, class, lang and dir are the
// author's too and may be empty. It reports whether there is a heading: the first one is dropped when it repeats the
// title, and so is one with nothing in it.
func (w *writer) heading(m mark, level int, id, class, lang, dir string) bool {
	w.inWord = false
	text := textOf(w.out[m.out:])
	first := !w.opened
	w.opened = true
	if text == "" && bytes.Contains(w.out[m.out:], []byte("<img")) {
		w.wrap(m, "<p>")
		w.raw("</p>")
		return true
	}
	if first {
		w.variant.first = foldTitle(text)
		w.variant.dropped = w.title != "" && w.variant.first == w.title || w.untitled && level == 1 && text != "" && w.within == 0
	}
	if text != "" && w.within == 0 {
		w.outset.heading(text, level, m.out)
	}
	if text == "" || first && w.variant.dropped {
		if text != "" {
			w.outset.dropped, w.outset.gap = bytes.Clone(w.out[m.out:]), m.out
		}
		w.back(m)
		return false
	}
	for len(w.outline) > 0 && w.outline[len(w.outline)-1] >= level {
		w.outline = w.outline[:len(w.outline)-1]
	}
	w.outline = append(w.outline, level)
	level = min(len(w.outline)+1, 6)
	if id = w.takeID(id); id == "" {
		id = w.freeID(anchor(text))
		w.ids[id] = true
	}
	w.headings = append(w.headings, Heading{Level: level, ID: id, Text: text})

	end := len(w.out)
	w.out = append(w.out, "<h"...)
	w.out = append(w.out, byte('0'+level))
	w.attr("id", id)
	w.attr("class", class)
	w.attr("lang", lang)
	w.attr("dir", dir)
	w.out = append(w.out, '>')
	w.buf = append(w.buf[:0], w.out[end:]...)
	w.out = w.out[:end]
	w.wrap(m, string(w.buf))
	w.out = append(w.out, "</h"...)
	w.out = append(w.out, byte('0'+level), '>')
	return true
}

// paragraph ends the paragraph begun at m, whose start tag is n bytes long, and reports whether it is there: one with
// nothing to read in it (editors make them for distance) goes, unless it has an id.
func (w *writer) paragraph(m mark, n int, id bool) bool {
	if !id && nothing(w.out[m.out+n:]) {
		w.back(m)
		return false
	}
	w.raw("</p>")
	return true
}

// nothing reports whether HTML holds only blanks and line breaks.
func nothing(b []byte) bool {
	for len(b) > 0 {
		switch {
		case b[0] == ' ' || b[0] == '\n' || b[0] == '\t':
			b = b[1:]
		case bytes.HasPrefix(b, []byte("\u00a0")):
			b = b[len("\u00a0"):]
		case bytes.HasPrefix(b, []byte("<br>")):
			b = b[len("<br>"):]
		default:
			return false
		}
	}
	return true
}

// wrap puts a start tag before what was written since m.
func (w *writer) wrap(m mark, tag string) {
	end, n := len(w.out), len(tag)
	w.out = append(w.out, tag...)
	copy(w.out[m.out+n:], w.out[m.out:end])
	copy(w.out[m.out:], tag)
	for i := m.slots; i < len(w.slots); i++ {
		w.slots[i].Off += n
	}
	for i := m.fragments; i < len(w.fragments); i++ {
		w.fragments[i].off += n
	}
	if w.outset.more > m.out+1 {
		w.outset.more += n
	}
}

// textOf is the text of HTML that a writer wrote: tags left out, pictures by their alternative text, white space
// folded.
func textOf(b []byte) string {
	var t []byte
	for len(b) > 0 {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			t = append(t, b...)
			break
		}
		t = append(t, b[:i]...)
		b = b[i:]
		end := bytes.IndexByte(b, '>') // attributes hold no '>'
		if bytes.HasPrefix(b, []byte("<img")) {
			if j := bytes.Index(b[:end], []byte(` alt="`)); j >= 0 {
				alt := b[j+len(` alt="`):]
				t = append(t, alt[:bytes.IndexByte(alt, '"')]...)
			}
		}
		if bytes.HasPrefix(b, []byte("<br")) {
			t = append(t, ' ')
		}
		b = b[end+1:]
	}
	s := string(t)
	if strings.IndexByte(s, '&') >= 0 {
		s = unescaper.Replace(s)
	}
	return foldSpace(s)
}

var unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&amp;", "&")

func foldSpace(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || c < ' ' || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func foldTitle(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf) {
			return -1
		}
		return r
	}, strings.ToLower(norm.NFC.String(strings.Join(strings.Fields(s), " "))))
}

// cleanText is text that is valid UTF-8, without a byte order mark, NUL and carriage returns.
func cleanText(b []byte) []byte {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	}
	return b
}
