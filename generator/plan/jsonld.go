package plan

import (
	"html/template"
	"strconv"
	"time"
	"unicode/utf8"

	"freshet/internal/site"
)

// ld builds a JSON object for schema.org readers. Strings are escaped so that the result can stand in a script
// element.
type ld []byte

func ldObject(kind string) ld {
	return ld(append(appendJSON([]byte(`{"@type":`), kind), '}'))
}

func (o ld) raw(name string, value []byte) ld {
	if len(value) == 0 {
		return o
	}
	o = append(o[:len(o)-1], ',')
	o = append(appendJSON(o, name), ':')
	return append(append(o, value...), '}')
}

func (o ld) str(name, value string) ld {
	if value == "" {
		return o
	}
	o = append(o[:len(o)-1], ',')
	o = append(appendJSON(o, name), ':')
	return append(appendJSON(o, value), '}')
}

func (o ld) num(name string, value int) ld {
	return o.raw(name, strconv.AppendInt(nil, int64(value), 10))
}

func (o ld) date(name string, t time.Time) ld {
	if t.IsZero() {
		return o
	}
	return o.str(name, t.Format(time.RFC3339))
}

func (o ld) list(name string, items []ld) ld {
	if len(items) == 0 {
		return o
	}
	var b []byte
	for i, it := range items {
		b = append(b, "[,"[min(i, 1)])
		b = append(b, it...)
	}
	return o.raw(name, append(b, ']'))
}

func (o ld) strs(name string, items []string) ld {
	var all []ld
	for _, s := range items {
		all = append(all, appendJSON(nil, s))
	}
	return o.list(name, all)
}

// appendJSON appends s as a JSON string that is safe inside HTML.
func appendJSON(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if plainJSON[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(append(b, s[start:i]...), '\\', byte(r))
		case r < 0x20, r == '<', r == '>', r == '&', r == 0x2028, r == 0x2029, r == 0x7f, r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// plainJSON marks the bytes that need no escape in such a string.
var plainJSON = asciiBut("\"\\<>&")

func graph(items ...ld) template.JS {
	b := []byte(`{"@context":"https://schema.org","@graph":[`)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it...)
	}
	return template.JS(append(b, "]}"...)) //nolint:gosec // escaped by appendJSON
}

func (p *Planner) organizationLD() ld {
	o := ldObject("Organization").str("@id", p.layout.BaseURL+"/#organization").str("name", p.layout.Title).
		str("url", p.layout.BaseURL+"/")
	if u := p.layout.Asset("favicon.svg"); u != "" {
		o = o.str("logo", p.layout.absolute(u))
	}
	return o
}

func (p *Planner) websiteLD() ld {
	search := ldObject("SearchAction").
		raw("target", ldObject("EntryPoint").str("urlTemplate", p.layout.BaseURL+"/search/?q={search_term_string}")).
		str("query-input", "required name=search_term_string")
	return ldObject("WebSite").str("@id", p.layout.BaseURL+"/#website").str("name", p.layout.Title).
		str("url", p.layout.BaseURL+"/").str("description", p.layout.Description).str("inLanguage", p.layout.Lang).
		raw("publisher", ldObject("Organization").str("@id", p.layout.BaseURL+"/#organization")).
		raw("potentialAction", search)
}

func (p *Planner) crumbsLD(crumbs []Link) ld {
	var items []ld
	for i, c := range crumbs {
		items = append(items, ldObject("ListItem").num("position", i+1).str("name", c.Text).str("item", p.layout.absolute(c.URL)))
	}
	return ldObject("BreadcrumbList").list("itemListElement", items)
}

func (p *Planner) imageLD(o ld, h *Head) ld {
	if h.Image == nil {
		return o
	}
	img := ldObject("ImageObject").str("url", h.Image.URL)
	if h.Image.Width > 0 && h.Image.Height > 0 {
		img = img.num("width", h.Image.Width).num("height", h.Image.Height)
	}
	return o.raw("image", img)
}

func (p *Planner) postLD(post *site.Post, v *Post, words int) template.JS {
	o := ldObject("BlogPosting").str("headline", post.Title).str("description", v.Head.Description).
		str("url", v.Head.Canonical).str("mainEntityOfPage", v.Head.Canonical).
		date("datePublished", post.Published).date("dateModified", post.LastModified()).str("inLanguage", v.Lang)
	var people []ld
	for _, a := range v.Authors {
		people = append(people, ldObject("Person").str("name", a.Text).str("url", p.layout.absolute(a.URL)))
	}
	if len(people) == 0 {
		people = append(people, p.organizationLD())
	}
	o = o.list("author", people).raw("publisher", p.organizationLD()).strs("keywords", post.Tags)
	if words > 0 {
		o = o.num("wordCount", words)
	}
	if post.Minutes > 0 {
		o = o.str("timeRequired", "PT"+strconv.Itoa(post.Minutes)+"M")
	}
	return graph(p.imageLD(o, &v.Head), p.crumbsLD(v.Crumbs))
}

func (p *Planner) courseLD(c *site.Course, v *Course) template.JS {
	o := ldObject("Course").str("name", c.Title).str("description", v.Head.Description).str("url", v.Head.Canonical).
		str("inLanguage", v.Lang).raw("provider", p.organizationLD()).str("educationalLevel", c.Level)
	var teachers []ld
	for _, in := range v.Instructors {
		teachers = append(teachers, ldObject("Person").str("name", in.Name).str("jobTitle", in.Title))
	}
	o = o.list("instructor", teachers).strs("teaches", c.Learn)
	currency := c.Currency
	if currency == "" {
		currency = "INR"
	}
	category := "Paid"
	if v.Price.Free {
		category = "Free"
	}
	o = o.raw("offers", ldObject("Offer").str("category", category).
		str("price", strconv.FormatFloat(max(c.Price, 0), 'f', -1, 64)).str("priceCurrency", currency).
		str("url", v.Head.Canonical).str("availability", "https://schema.org/InStock"))
	var parts []ld
	for _, m := range v.Modules {
		for _, l := range m.Lessons {
			if l.URL != "" {
				parts = append(parts, ldObject("LearningResource").str("name", l.Title).str("url", p.layout.absolute(l.URL)))
			}
		}
	}
	o = o.list("hasPart", parts)
	return graph(p.imageLD(o, &v.Head), p.crumbsLD(v.Crumbs))
}

func (p *Planner) itemListLD(kind string, h *Head, heading string, urls []string) template.JS {
	var items []ld
	for i, u := range urls {
		items = append(items, ldObject("ListItem").num("position", i+1).str("url", p.layout.absolute(u)))
	}
	page := ldObject(kind).str("name", heading).str("url", h.Canonical).str("description", h.Description).
		raw("isPartOf", ldObject("WebSite").str("@id", p.layout.BaseURL+"/#website"))
	return graph(page, ldObject("ItemList").str("name", heading).list("itemListElement", items))
}
