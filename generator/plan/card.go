package plan

import (
	"bytes"
	"context"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"

	"freshet/generator/markup"
	"freshet/internal/site"
)

// dirOf is the writing direction of a language.
func dirOf(lang string) string {
	primary, rest, _ := strings.Cut(strings.ToLower(lang), "-")
	switch primary {
	case "ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi":
		if !strings.HasPrefix(rest, "latn") {
			return "rtl"
		}
	}
	return "ltr"
}

// language returns a document's language and writing direction.
func (p *Planner) language(m *site.Meta) (lang, dir string) {
	if m == nil || m.Lang == "" {
		return p.layout.Lang, p.layout.Dir
	}
	return m.Lang, dirOf(m.Lang)
}

// foreign returns a document's language and direction if they differ from the site's, else empty strings.
func (p *Planner) foreign(m *site.Meta) (lang, dir string) {
	if m.Lang == "" || m.Lang == p.layout.Lang {
		return "", ""
	}
	return m.Lang, dirOf(m.Lang)
}

// A card names only the first tags and authors of its post. A post with n of them is on n lists; with all n links on each, the lists would grow with n².
const (
	cardTags    = 10
	cardAuthors = 10
)

func topicLinks(tags []string, most int) []Link {
	var out []Link
	for slug, name := range site.TermsOf(tags) {
		if len(out) == most {
			break
		}
		out = append(out, Link{name, site.TopicPath(slug).URL()})
	}
	return out
}

func authorLinks(post *site.Post, most int) []Link {
	var out []Link
	for slug, name := range site.AuthorTerms(post) {
		if len(out) == most {
			break
		}
		out = append(out, Link{name, site.AuthorPath(slug).URL()})
	}
	return out
}

func (p *Planner) card(pg *Page, post *site.Post) Card {
	pg.from(post)
	c := Card{
		Title: post.Title, URL: site.PostPath(post.Slug).URL(), Excerpt: post.Excerpt, Published: post.Published,
		Authors: authorLinks(post, cardAuthors), Tags: topicLinks(post.Tags, cardTags), Minutes: post.Minutes, Featured: post.Featured,
		Cover: p.image(pg, baseOf(post), post.Cover),
	}
	c.Lang, c.Dir = p.foreign(&post.Meta)
	return c
}

func (p *Planner) courseCard(pg *Page, c *site.Course) CourseCard {
	pg.from(c)
	card := CourseCard{
		Title: c.Title, URL: site.CoursePath(c.Slug).URL(), Excerpt: c.Excerpt, Level: c.Level, Duration: c.Duration,
		Lessons: lessonCount(c), Price: priceOf(c), Cover: p.image(pg, baseOf(c), c.Cover), Rating: c.Rating,
	}
	card.Lang, card.Dir = p.foreign(&c.Meta)
	return card
}

func lessonCount(c *site.Course) int {
	n := 0
	for i := range c.Modules {
		n += len(c.Modules[i].Lessons)
	}
	return n
}

func priceOf(c *site.Course) Price {
	if c.Price <= 0 {
		return Price{Text: "Free", Free: true}
	}
	out := Price{Text: money(c.Price, c.Currency)}
	if c.OriginalPrice > c.Price {
		out.Was = money(c.OriginalPrice, c.Currency)
	}
	return out
}

// money formats an amount with the sign of its currency. Rupees are grouped as in India (1,00,000), others by thousands. Cents
// are written only if there are any.
func money(amount float64, currency string) string {
	currency = strings.ToUpper(currency)
	if currency == "" {
		currency = "INR"
	}
	cents := int64(math.Round(amount * 100))
	digits := strconv.FormatInt(cents/100, 10)
	group := 3
	if currency == "INR" {
		group = 2
	}
	out := digits
	if len(digits) > 3 {
		head, tail := digits[:len(digits)-3], digits[len(digits)-3:]
		for len(head) > group {
			tail = head[len(head)-group:] + "," + tail
			head = head[:len(head)-group]
		}
		out = head + "," + tail
	}
	if c := cents % 100; c != 0 {
		out += "." + strconv.FormatInt(100+c, 10)[1:]
	}
	signs := map[string]string{"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
	if sign, ok := signs[currency]; ok {
		return sign + out
	}
	return currency + " " + out
}

// body returns a document's body as its page shows it; nil: there is no body.
func (p *Planner) body(ctx context.Context, pg *Page, b base, doc *markup.Doc) *Body {
	if doc == nil {
		return nil
	}
	r := p.resolveAll(pg, b, doc)
	p.check(ctx, pg, b, doc)
	pg.Problems = append(pg.Problems, doc.Problems...)
	return &Body{
		HTML:     template.HTML(doc.Append(make([]byte, 0, len(doc.HTML)+len(doc.Refs)*64), r.targets)), //nolint:gosec // sanitised by markup
		Headings: doc.Headings,
		sum:      r.key,
	}
}

// standfirst returns the text to show between title and body. It is the excerpt, or empty if the excerpt repeats the title or
// the beginning of the body.
func standfirst(title, excerpt string, doc *markup.Doc) string {
	if strings.EqualFold(title, strings.TrimRight(excerpt, ".…")) {
		return ""
	}
	if doc == nil || excerpt == "" {
		return excerpt
	}
	if strings.HasPrefix(openingText(doc.HTML, len(excerpt)), strings.Join(strings.Fields(strings.TrimSuffix(excerpt, "…")), " ")) {
		return ""
	}
	return excerpt
}

// openingText returns the text of the first paragraph of safe HTML: at least atLeast bytes, if there are so many.
func openingText(h []byte, atLeast int) string {
	if i := bytes.Index(h, []byte("<p")); i >= 0 {
		h = h[i:]
	}
	var text []byte
	in := false
	for _, c := range h[:min(len(h), 8*atLeast+1000)] {
		switch {
		case c == '<':
			in = true
		case c == '>' && in:
			in = false
		case !in:
			text = append(text, c)
		}
	}
	return strings.Join(strings.Fields(html.UnescapeString(string(text))), " ")
}
