package markup

import (
	"bytes"
	"context"
	"html"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// excerptWidth is about how long an excerpt is, in characters; ideographs count twice. What an author marks is up to three times
// as long.
const excerptWidth = 220

// alertTitle is the class of the paragraph that an alert begins with.
const alertTitle = "alert-title"

// Summarize renders a body and returns what lists say of it. An empty title says that the document has none but the one in
// its text. The result is kept, so that Render and Cached find it for the document: title and lang may be other ones there.
//
// The error is that of ctx, or says why the body cannot be rendered: Render reports that to the author.
func (r *Renderer) Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error) {
	in := Input{Format: format, Title: title, Lang: lang, Key: max(digest.String(text), 1), untitled: title == ""}
	key := digest.Sum(0)
	if r.memo != nil {
		key = r.key(in)
		if b, ok := r.memo.Get(key); ok {
			head := reader{b: b}
			if _, s := head.head(); !head.bad {
				return s, nil
			}
		}
	}
	in.Body.Text = []byte(text)
	doc, err := r.make(ctx, in, key)
	if err != nil {
		return site.Summary{}, err
	}
	return doc.Summary, nil
}

// An outset is what a writer notes of the beginning of a body.
type outset struct {
	title   string // the first heading of the first level, else the first heading
	isFirst bool   // title is of the first level
	after   int    // offset in the HTML where a title of the first level stood
	dropped []byte // HTML of the heading that was dropped
	gap     int    // offset in the HTML where that stood; 0: nowhere, or at the very beginning
	more    int    // one more than the offset in the HTML where the author ends the excerpt; 0: nowhere
	before  string // text before that, where the HTML went through the sanitiser
}

// heading takes in a heading that stands at an offset of the HTML.
func (o *outset) heading(text string, level, at int) {
	switch {
	case level == 1 && !o.isFirst:
		o.title, o.isFirst, o.after = text, true, at
	case o.title == "":
		o.title = text
	}
}

// comment takes in an HTML comment, which is not written.
func (w *writer) comment(b []byte) {
	if w.outset.more == 0 && moreMark(bytes.TrimSpace(b)) == 0 {
		w.outset.more = len(w.out) + 1
	}
}

// moreMark is where the comment <!--more--> stands in HTML; -1: nowhere.
func moreMark(b []byte) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("<!--"))
		if i < 0 {
			return -1
		}
		at += i
		rest := bytes.TrimLeft(b[at+len("<!--"):], " \t\n")
		if len(rest) >= 4 && bytes.EqualFold(rest[:4], []byte("more")) && bytes.HasPrefix(bytes.TrimLeft(rest[4:], " \t\n"), []byte("-->")) {
			return at
		}
		at += len("<!--")
	}
}

// before notes the text before the author's mark in HTML that has gone through the sanitiser, which drops the mark. more is one
// more than its offset; 0: it may be in the HTML itself.
func (w *writer) before(src []byte, more int) {
	if more == 0 {
		more = moreMark(src) + 1
	}
	if more == 0 {
		return
	}
	v := new(writer)
	v.begin(Input{Format: w.format}, nil, w.watch)
	v.most = w.most
	v.html(src[:more-1], w.format, src[:more-1])
	text := running(v.out, v.outset.gap)
	if strings.HasPrefix(running(w.out, w.outset.gap), text) { // as the page has it
		w.outset.before = text
	}
}

// maxTop is how far from the top of a Markdown body, in bytes of HTML, the title of the text may stand. What is before it is
// badges and notices.
const maxTop = 8 << 10

// summary makes what lists say of the body. It is made before anything else is done with the HTML. It depends on neither the title nor
// the language of the document.
func (w *writer) summary() site.Summary {
	r := reading{format: w.format}
	r.html(w.outset.dropped) // it is read above the text
	r.html(w.out)
	s := site.Summary{Heading: w.outset.title, Minutes: r.minutes()}
	before := w.outset.before
	if w.outset.more > 0 {
		before = running(w.out[:min(w.outset.more-1, len(w.out))], w.outset.gap)
	}
	if before != "" {
		s.Excerpt = cutText(before, 3*excerptWidth)
		return s
	}
	out, gap := w.out, w.outset.gap
	if w.outset.isFirst && w.outset.after <= maxTop && (w.format == site.Markdown || w.format == "") {
		after := min(w.outset.after, len(out))
		out, gap = out[after:], gap-after
	}
	s.Excerpt = cutText(firstParagraph(out, gap), excerptWidth)
	return s
}

// running is the running text of HTML that a writer wrote.
func running(h []byte, gap int) string {
	var parts []string
	for p := range passages(h, gap) {
		if s := p.plain(); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

// firstParagraph is the first paragraph that says something. A greeting, a row of links, a line that only introduces a list, a
// list item or a quotation is taken if nothing better follows soon.
func firstParagraph(h []byte, gap int) string {
	weak, tried := "", 0
	for p := range passages(h, gap) {
		s := p.plain()
		if !hasWords(s) {
			continue
		}
		if p.kind == paragraph && !p.mostlyLinks() && !isLeadIn(s) && width(s) > greetingWidth {
			return s
		}
		if weak == "" || p.kind == paragraph && tried == 0 {
			weak = s
		}
		if p.kind == paragraph {
			if tried++; tried == 5 {
				break
			}
		}
	}
	return weak
}

// A passage is running text between two block elements.
type passage struct {
	kind  passageKind
	text  []byte // with character references
	links int    // bytes of text that are within links
	link  bool   // there are links
}

type passageKind uint8

const (
	paragraph passageKind = iota
	item
	quotation
)

// maxPassage is how much of a passage is looked at, in bytes.
const maxPassage = 16 * excerptWidth

// inlines are the elements that do not part running text.
var inlines = func() map[string]bool {
	m := map[string]bool{}
	for e := range strings.FieldsSeq("a abbr b bdi bdo br cite code data del dfn em i iframe img input ins kbd mark q rp rt ruby s samp small span strong sub sup time u var wbr audio video") {
		m[e] = true
	}
	return m
}()

// passages gives the running text of HTML that a writer wrote: no headings, code blocks, tables, captions, footnotes and no
// titles of alerts. Text at gap is another passage than text before it. A passage is valid until the next one.
func passages(h []byte, gap int) iter.Seq[passage] {
	return func(yield func(passage) bool) {
		var (
			p                     passage
			hidden, items, quotes int
			divs                  []bool // the open div elements: whether each is an alert
			inLink, inNote        bool
			inTitle               bool // in an alert's
			footnotes             int  // open sections, of which the outermost holds the footnotes
		)
		next := func() bool {
			if len(p.text) == 0 {
				return true
			}
			switch {
			case quotes > 0:
				p.kind = quotation
			case items > 0:
				p.kind = item
			}
			more := yield(p)
			p = passage{text: p.text[:0]}
			return more
		}
		for len(h) > 0 {
			i := bytes.IndexByte(h, '<')
			if i < 0 {
				i = len(h)
			}
			atGap := 0 < gap && gap <= i
			if atGap {
				i = gap
			}
			if hidden == 0 && footnotes == 0 && !inNote && !inTitle && len(p.text) < maxPassage {
				text := h[:runeStart(h[:i], maxPassage)]
				p.text = append(p.text, text...)
				if inLink {
					p.links += len(text)
				}
			}
			gap -= i
			if atGap {
				if !next() {
					return
				}
				h = h[i:]
				continue
			}
			end := bytes.IndexByte(h[i:], '>') // attributes hold no '>'
			if end < 0 {
				break
			}
			tag, closing := bytes.CutPrefix(h[i+1:i+end], []byte{'/'})
			h, gap = h[i+end+1:], gap-end-1
			name := tag
			if j := bytes.IndexByte(tag, ' '); j >= 0 {
				name = tag[:j]
			}
			step := 1
			if closing {
				step = -1
			}
			switch string(name) {
			case "a":
				inLink = !closing
				inNote = inLink && bytes.Contains(tag, []byte(` class="footnote-ref"`))
				p.link = p.link || inLink && !inNote
				continue
			case "br":
				p.text = append(p.text, ' ')
				continue
			}
			if inlines[string(name)] {
				continue
			}
			if !next() {
				return
			}
			switch string(name) {
			case "h2", "h3", "h4", "h5", "h6", "pre", "table", "figcaption", "summary":
				hidden = max(hidden+step, 0) // h may begin within some
			case "li", "dt", "dd":
				items = max(items+step, 0)
			case "blockquote":
				quotes = max(quotes+step, 0)
			case "section":
				if footnotes > 0 || !closing && bytes.Contains(tag, []byte(` class="footnotes"`)) {
					footnotes += step
				}
			case "p":
				inTitle = !closing && bytes.Contains(tag, []byte(` class="`+alertTitle+`"`))
			case "div":
				if !closing {
					alert := bytes.Contains(tag, []byte(` class="alert `))
					divs = append(divs, alert)
					if alert {
						quotes++
					}
				} else if n := len(divs); n > 0 {
					if divs[n-1] {
						quotes--
					}
					divs = divs[:n-1]
				}
			}
		}
		next()
	}
}

// plain is the text of the passage: character references resolved, white space folded. An end of a line between characters of
// scripts without blanks is no blank.
func (p *passage) plain() string {
	s := html.UnescapeString(string(p.text))
	var b strings.Builder
	b.Grow(len(s))
	last, blank, line := rune(0), false, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			blank, line = true, line || r == '\n'
			continue
		}
		if blank && last != 0 && !(line && unspaced(last) && unspaced(r)) {
			b.WriteByte(' ')
		}
		blank, line = false, false
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// runeStart is n, or the start of the character there, or the end of b.
func runeStart(b []byte, n int) int {
	if n >= len(b) {
		return len(b)
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// mostlyLinks reports a passage that is little but links, such as a row of languages or contributors.
func (p *passage) mostlyLinks() bool {
	n := len(bytes.TrimSpace(p.text))
	return p.link && n-p.links < 6*n/10
}

// greetingWidth is the length up to which a paragraph is taken for a greeting: "Hello, Rustaceans!"
const greetingWidth = 60

// width is the number of characters, ideographs counting twice: they say about as much as two letters.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if ideographic(r) {
			n++
		}
	}
	return n
}

func ideographic(r rune) bool {
	return r >= 0x2e80 && r < 0x40000 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

func hasWords(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if letters++; letters >= 3 || ideographic(r) {
				return true
			}
		}
	}
	return false
}

// isLeadIn reports a short line that only introduces what follows, such as "In this lesson, we'll cover:".
func isLeadIn(s string) bool {
	return utf8.RuneCountInString(s) < 80 && (strings.HasSuffix(s, ":") || strings.HasSuffix(s, "："))
}

// cutText returns s cut to at most about n characters, ideographs counting twice, at the end of a word where the
// script has blanks, with "…" when something was cut off. Runs of white space become one blank.
func cutText(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n || width(s) <= n {
		return s
	}
	cut, runes := 0, 0
	for i, r := range s {
		if runes >= n && !unicode.IsMark(r) && r != '\u200d' && r != '\u200c' {
			before, _ := utf8.DecodeLastRuneInString(s[:i])
			if before != '\u200d' && !(unicode.IsMark(before) && unicode.Is(unicode.Diacritic, before)) { // not within a conjunct
				cut = i
				break
			}
		}
		runes++
		if ideographic(r) {
			runes++
		}
	}
	if cut == 0 {
		return s
	}
	if s[cut] != ' ' {
		if i := strings.LastIndexByte(s[:cut], ' '); i > cut*2/3 {
			cut = i
		}
	}
	return strings.TrimRightFunc(s[:cut], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:–—-(", r) }) + "…"
}
