package markup

import (
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// plainElements are the elements of the allow-list that have only the attributes all elements may have.
var plainElements = []string{
	"abbr", "address", "b", "bdi", "bdo", "br", "caption", "cite", "code", "colgroup", "dd", "del", "details", "dfn", "div",
	"dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "mark", "p", "pre",
	"q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody",
	"tfoot", "thead", "tr", "u", "ul", "var", "wbr", "blockquote",
}

// otherElements are those with attributes of their own.
var otherElements = []string{"a", "col", "data", "iframe", "img", "input", "li", "ol", "td", "th", "time"}

var elements = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range plainElements {
		m[e] = true
	}
	for _, e := range otherElements {
		m[e] = true
	}
	return m
}()

func allowedElement(name string) bool { return elements[name] }

// allowedURL is what an address looks like after cleanURL: of an allowed scheme, or of none.
var allowedURL = regexp.MustCompile(`^(?:https?://|mailto:|tel:|//|[^:]*$|[^:/?#]*[/?#])`)

// policy is the allow-list. It never allows style. The addresses in what it lets through were written by cleanURL,
// so that its own rewriting of addresses is not asked for.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(plainElements...)
	p.AllowNoAttrs().OnElements(plainElements...)
	p.AllowNoAttrs().OnElements("a", "col", "data", "li", "ol", "td", "th", "time")

	p.AllowAttrs("id").Matching(regexp.MustCompile(`^[^\s]+$`)).Globally()
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^[a-zA-Z0-9+#_. -]+$`)).Globally()
	p.AllowAttrs("lang").Matching(langTag).Globally()
	p.AllowAttrs("dir").Matching(regexp.MustCompile(`^(?:ltr|rtl|auto)$`)).Globally()
	p.AllowAttrs("title", "aria-label").Globally()
	p.AllowAttrs("role").Matching(regexp.MustCompile(`^(?:note|doc-noteref|doc-endnotes|doc-backlink|presentation)$`)).Globally()

	p.AllowAttrs("href").Matching(allowedURL).OnElements("a")
	p.AllowAttrs("target").Matching(regexp.MustCompile(`^_blank$`)).OnElements("a")
	p.AllowAttrs("rel").Matching(regexp.MustCompile(`^[a-z ]+$`)).OnElements("a")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^(?:https?://|//|[^:]*$|[^:/?#]*[/?#])`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	number := regexp.MustCompile(`^[0-9]{1,5}$`)
	p.AllowAttrs("width", "height", "data-embedded").Matching(number).OnElements("img")
	p.AllowAttrs("src").Matching(framePattern()).OnElements("iframe")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").Matching(regexp.MustCompile(`^$`)).OnElements("input")
	p.AllowAttrs("open").Matching(regexp.MustCompile(`^(?:|open)$`)).OnElements("details")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^-?[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^[1aAiI]$`)).OnElements("ol")
	p.AllowAttrs("reversed").Matching(regexp.MustCompile(`^(?:|reversed)$`)).OnElements("ol")
	p.AllowAttrs("value").Matching(regexp.MustCompile(`^-?[0-9]{1,9}$`)).OnElements("li")
	p.AllowAttrs("colspan", "rowspan").Matching(regexp.MustCompile(`^[0-9]{1,3}$`)).OnElements("td", "th")
	p.AllowAttrs("span").Matching(regexp.MustCompile(`^[0-9]{1,3}$`)).OnElements("col", "colgroup")
	p.AllowAttrs("width").Matching(regexp.MustCompile(`^[0-9]{1,4}%?$`)).OnElements("col")
	p.AllowAttrs("scope").Matching(regexp.MustCompile(`^(?:row|col|rowgroup|colgroup)$`)).OnElements("th")
	p.AllowAttrs("tabindex").Matching(regexp.MustCompile(`^0$`)).OnElements("div", "pre")
	p.AllowAttrs("datetime").Matching(regexp.MustCompile(`^[0-9A-Za-z:.+ -]{1,40}$`)).OnElements("time", "del", "ins")
	p.AllowAttrs("value").Matching(regexp.MustCompile(`^[^\x00-\x1f]{0,200}$`)).OnElements("data")
	return p
})

// framePattern matches the addresses that embedded returns.
func framePattern() *regexp.Regexp {
	s := `^(?:`
	for i := range frames {
		if i > 0 {
			s += `|`
		}
		s += regexp.QuoteMeta(frames[i].source)
	}
	return regexp.MustCompile(s + `)/[A-Za-z0-9/?=&_.-]+$`)
}
