package plan

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// names are templates whose digest is that of their name.
type names struct{}

func (names) Digest(entry string) digest.Sum { return digest.String(entry) }

// texts are bodies that say which document they are of.
type texts struct{}

func (texts) Body(_ context.Context, b BodyOf) (*markup.Doc, error) {
	if b.Ref.IsZero() {
		return nil, nil
	}
	return &markup.Doc{HTML: []byte("<p>The text of <em>" + template.HTMLEscapeString(b.Title) + "</em>.</p>"), Words: 5}, nil
}

func (texts) Locate(string, string, bool) int { return 0 }

// day is a moment of the year that the tests' documents are of.
func day(n int) time.Time { return time.Date(2026, 1, n, 9, 30, 0, 0, time.UTC) }

// on returns the planner of a site of documents, with two posts on a page of a list.
func on(docs ...site.Document) *Planner {
	s, _ := site.NewSnapshot(day(31), false).Apply(&site.Changes{Put: docs}, day(31))
	return New(Config{
		Site:    Site{Title: "Rivers & Roads", Description: "About water", URL: "https://example.org", Language: "en"},
		PerPage: 2, Bodies: texts{}, Templates: names{},
	}).On(s)
}

// post makes a post of a day. edit may change it.
func post(slug string, n int, edit func(*site.Post)) *site.Post {
	p := &site.Post{Meta: site.Meta{ID: site.ID(slug), Source: "blog/" + slug + ".md", Slug: site.Slug(slug), Title: "Post " + slug, Excerpt: "About " + slug,
		Published: day(n), Body: site.BodyRef{Hash: digest.String(slug)}}}
	if edit != nil {
		edit(p)
	}
	p.Revision = digest.String(fmt.Sprintf("%+v", p))
	return p
}

// at plans the page at a path; nil: there is none.
func at(t *testing.T, p *Planner, path site.Path) *Page {
	t.Helper()
	for _, target := range p.All() {
		if target.Path == path {
			pg, err := target.Plan(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return pg
		}
	}
	return nil
}

// TestFeeds reads all three feeds as feed readers do: the newest post is first, and what authors write is text.
func TestFeeds(t *testing.T) {
	hostile := `A & B <script>"x"</script> ]]>`
	p := on(post("old", 1, nil), post("odd", 3, func(p *site.Post) {
		p.Title, p.Excerpt, p.Tags, p.Authors = hostile, hostile, []string{"Water & more"}, []site.Author{{Name: "Asha <b>"}}
		p.Modified = day(5)
	}), post("new", 4, nil), post("later", 31+5, nil), post("draft", 2, func(p *site.Post) { p.Draft = true }))

	type item struct {
		Title       string `xml:"title"`
		Link        string `xml:"link"`
		GUID        string `xml:"guid"`
		Date        string `xml:"pubDate"`
		Category    string `xml:"category"`
		Creator     string `xml:"http://purl.org/dc/elements/1.1/ creator"`
		Description string `xml:"description"`
		Content     string `xml:"http://purl.org/rss/1.0/modules/content/ encoded"`
	}
	var rss struct {
		Channel struct {
			Title   string `xml:"title"`
			Updated string `xml:"lastBuildDate"`
			Items   []item `xml:"item"`
		} `xml:"channel"`
	}
	feed := at(t, p, "/feed.xml")
	if err := xml.Unmarshal(feed.Data, &rss); err != nil {
		t.Fatal(err)
	}
	c := rss.Channel
	if c.Title != "Rivers & Roads" || c.Updated != day(5).Format(time.RFC1123Z) || len(c.Items) != 3 {
		t.Errorf("the channel is %+v", c)
	}
	for i, slug := range []string{"new", "odd", "old"} {
		if want := "https://example.org/blog/" + slug + "/"; c.Items[i].Link != want || c.Items[i].GUID != want {
			t.Errorf("item %d links to %s, want %s", i, c.Items[i].Link, want)
		}
	}
	odd := c.Items[1]
	if odd.Title != hostile || odd.Creator != "Asha <b>" || odd.Category != "Water & more" || odd.Date != day(3).Format(time.RFC1123Z) {
		t.Errorf("the hostile item reads as %+v", odd)
	}
	if odd.Description != template.HTMLEscapeString(hostile) { // RSS has HTML there
		t.Errorf("the description is %s", odd.Description)
	}
	if !strings.Contains(odd.Content, "<p>The text of <em>A &amp; B") {
		t.Errorf("the content is %s", odd.Content)
	}
	if want := []site.Path{"/feed", "/api/feed"}; !slices.Equal(feed.Also, want) {
		t.Errorf("the feed is also at %q, want %q", feed.Also, want)
	}

	var atom struct {
		Entries []struct {
			Title   string `xml:"title"`
			Updated string `xml:"updated"`
			Author  struct {
				Name string `xml:"name"`
			} `xml:"author"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(at(t, p, "/atom.xml").Data, &atom); err != nil || len(atom.Entries) != 3 {
		t.Fatalf("%d entries, %v", len(atom.Entries), err)
	}
	for i, want := range [][]string{{"Post new", day(4).Format(time.RFC3339), "Rivers & Roads"}, {hostile, day(5).Format(time.RFC3339), "Asha <b>"},
		{"Post old", day(1).Format(time.RFC3339), "Rivers & Roads"}} {
		e := atom.Entries[i]
		if got := []string{e.Title, e.Updated, e.Author.Name}; !slices.Equal(got, want) {
			t.Errorf("entry %d is %q, want %q", i, got, want)
		}
	}

	var feedJSON struct {
		Items []struct {
			ID, Title string
			Tags      []string
			HTML      string `json:"content_html"`
			Authors   []struct{ Name string }
		}
	}
	data := at(t, p, "/feed.json").Data
	if err := json.Unmarshal(data, &feedJSON); err != nil || len(feedJSON.Items) != 3 {
		t.Fatalf("%d items, %v", len(feedJSON.Items), err)
	}
	if it := feedJSON.Items[1]; it.Title != hostile || it.Authors[0].Name != "Asha <b>" || it.Tags[0] != "Water & more" || it.ID != "https://example.org/blog/odd/" {
		t.Errorf("the hostile item reads as %+v", it)
	}
	if strings.Contains(string(data), "<script") {
		t.Error("the JSON feed holds what HTML would run")
	}

	topic := at(t, p, "/topic/water-more/feed.xml")
	if topic == nil || strings.Count(string(topic.Data), "<item>") != 1 || strings.Contains(string(topic.Data), "<content:encoded>") {
		t.Errorf("the topic's feed is %+v", topic)
	}
}

// TestListPages cuts lists of growing length: numbered pages are full and stay as they are, the first page takes the rest.
func TestListPages(t *testing.T) {
	type page struct {
		Path         site.Path
		Posts        string
		Newer, Older string
	}
	for n, want := range map[int][]page{
		1: {{"/blog/", "1", "", ""}},
		3: {{"/blog/", "3 2 1", "", ""}},
		4: {{"/blog/", "4 3", "", "/blog/page/1/"}, {"/blog/page/1/", "2 1", "/blog/", ""}},
		7: {{"/blog/", "7 6 5", "", "/blog/page/2/"}, {"/blog/page/1/", "2 1", "/blog/page/2/", ""}, {"/blog/page/2/", "4 3", "/blog/", "/blog/page/1/"}},
	} {
		var docs []site.Document
		for i := range n {
			docs = append(docs, post(fmt.Sprint(i+1), i+1, nil))
		}
		p := on(docs...)
		var got []page
		for _, target := range p.All() {
			if !strings.HasPrefix(string(target.Path), "/blog/page/") && target.Path != "/blog/" {
				continue
			}
			pg, err := target.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			v := pg.View.(*List)
			var slugs []string
			for _, c := range v.Cards {
				slugs = append(slugs, strings.TrimPrefix(c.Title, "Post "))
			}
			got = append(got, page{pg.Path, strings.Join(slugs, " "), v.Newer, v.Older})
			if v.Head.Prev != v.Newer || v.Head.Next != v.Older {
				t.Errorf("%s says prev %q and next %q, and links to %q and %q", pg.Path, v.Head.Prev, v.Head.Next, v.Newer, v.Older)
			}
		}
		slices.SortFunc(got, func(a, b page) int { return strings.Compare(string(a.Path), string(b.Path)) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d posts (-want +got):\n%s", n, diff)
		}
	}
}

// TestTouched changes one thing of a site of seven posts, and lists the pages that are planned again. Pages that are made of it, and
// their neighbours, are; whatever else there is, is not.
func TestTouched(t *testing.T) {
	tagged := func(tags ...string) func(*site.Post) { return func(p *site.Post) { p.Tags = tags } }
	course := func(slug, title string) site.Document {
		return &site.Course{Meta: site.Meta{ID: site.ID(slug), Slug: site.Slug(slug), Title: title, Revision: digest.String(title)}}
	}
	all := func() []site.Document {
		var docs []site.Document
		for i, tags := range [][]string{{"water"}, {"land"}, {"water"}, {"land"}, {"air"}, {"water"}, {"land"}} {
			docs = append(docs, post(fmt.Sprint("p", i+1), i+1, tagged(tags...)))
		}
		return append(docs, course("b", "B"))
	}
	feeds := "/atom.xml /feed.json /feed.xml"
	for _, row := range []struct {
		name      string
		put       site.Document
		del       site.ID
		touched   string // among others
		untouched string
	}{
		{"the text of a post", post("p2", 2, func(p *site.Post) { p.Tags, p.Body.Hash = []string{"land"}, 99 }), "",
			"/blog/p2/ " + feeds, "/ /blog/ /blog/p1/ /blog/p3/ /blog/page/1/ /topic/land/ /topic/water/ /courses/ /sitemap.xml"},
		{"the title of a post", post("p2", 2, func(p *site.Post) { p.Tags, p.Title = []string{"land"}, "Other" }), "",
			"/blog/p1/ /blog/p2/ /blog/p3/ /blog/page/1/ /topic/land/ " + feeds, "/blog/ /blog/page/2/ /blog/p5/ /topic/water/ /topic/air/"},
		{"a new post", post("p8", 8, tagged("water")), "",
			"/ /blog/ /blog/page/2/ /blog/page/3/ /blog/p7/ /blog/p8/ /topic/water/ /topic/water/feed.xml " + feeds, "/blog/p2/ /blog/p4/ /blog/page/1/ /topic/land/ /topic/air/"},
		{"a new topic", post("p8", 8, tagged("fire")), "", "/ /blog/ /blog/p8/ /topic/ /topic/fire/ /topic/fire/feed.xml", "/blog/p1/ /topic/land/ /topic/water/ /topic/air/"},
		{"a post that is gone", nil, "p5", "/blog/p4/ /blog/p5/ /blog/p6/ /topic/ /topic/air/ /topic/air/feed.xml " + feeds, "/blog/p1/ /blog/p2/ /blog/page/1/ /topic/water/"},
		{"a post that is hidden", post("p7", 7, func(p *site.Post) { p.Tags, p.Draft = []string{"land"}, true }), "",
			"/ /blog/ /blog/p6/ /blog/p7/ /topic/land/ " + feeds, "/blog/p1/ /blog/page/1/ /topic/water/ /topic/air/"},
		{"another topic of a post", post("p5", 5, tagged("water")), "", "/blog/p5/ /topic/ /topic/air/ /topic/water/", "/blog/p2/ /blog/page/1/ /topic/land/"},
		{"a course", course("c", "C"), "", "/ /courses/ /courses/c/", "/blog/p1/ /blog/p7/ /topic/water/ /feed.xml"},
		{"the title of a course", course("b", "Other"), "", "/ /courses/ /courses/b/", "/blog/p1/ /blog/p7/ /topic/water/ /feed.xml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			was := on(all()...)
			ch := &site.Changes{}
			if row.put != nil {
				ch.Put = []site.Document{row.put}
			} else {
				ch.Drop = []site.ID{row.del}
			}
			snap, changes := was.snap.Apply(ch, day(31))
			targets, everything := was.On(snap).Touched(was, changes)
			if everything {
				t.Fatal("everything is planned again")
			}
			var paths []string
			for _, target := range targets {
				paths = append(paths, string(target.Path))
				if target.Cause == "" {
					t.Errorf("%s has no cause", target.Path)
				}
			}
			for want := range strings.FieldsSeq(row.touched) {
				if !slices.Contains(paths, want) {
					t.Errorf("%s is not planned again, only %q", want, paths)
				}
			}
			for other := range strings.FieldsSeq(row.untouched) {
				if slices.Contains(paths, other) {
					t.Errorf("%s is planned again", other)
				}
			}
		})
	}
}

// TestNeighbours looks at the posts that a post links to: those before and after it, and the nearest in subject.
func TestNeighbours(t *testing.T) {
	tagged := func(tags ...string) func(*site.Post) { return func(p *site.Post) { p.Tags = tags } }
	p := on(post("a", 1, tagged("water", "land")), post("b", 2, tagged("air")), post("c", 3, tagged("water")), post("d", 4, tagged("land", "water")), post("e", 5, nil))
	for slug, want := range map[string]string{"a": "newer b, older -, related d c", "c": "newer d, older b, related a d", "e": "newer -, older d, related"} {
		v := at(t, p, site.PostPath(site.Slug(slug))).View.(*Post)
		name := func(l *Link) string {
			if l == nil {
				return "-"
			}
			return strings.TrimPrefix(l.Text, "Post ")
		}
		got := "newer " + name(v.Newer) + ", older " + name(v.Older) + ", related"
		for _, c := range v.Related {
			got += " " + strings.TrimPrefix(c.Title, "Post ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", slug, got, want)
		}
	}
}

// TestHeads is what search engines and previews are told of a page.
func TestHeads(t *testing.T) {
	p := on(
		post("plain", 1, func(p *site.Post) { p.Tags = []string{"Water", "Land"} }),
		post("set", 2, func(p *site.Post) {
			p.SEO = site.SEO{Title: "For engines", Description: "Described", Canonical: "https://elsewhere.org/x", NoIndex: true, Keywords: []string{"a"}, Image: "https://cdn.example/p.png"}
		}),
		post("unsafe", 3, func(p *site.Post) { p.SEO.Canonical, p.Excerpt = "javascript:alert(1)", "" }),
		post("fluss", 4, func(p *site.Post) { p.Lang, p.Group = "de", 7 }), post("river", 5, func(p *site.Post) { p.Group = 7 }),
		post("alone", 6, func(p *site.Post) { p.Lang, p.Group = "de", 8 }),
	)
	head := func(slug string) Head { return at(t, p, site.PostPath(site.Slug(slug))).View.(*Post).Head }
	type summary struct {
		Title, Description, Canonical, Section, Image string
		NoIndex                                       bool
	}
	for slug, want := range map[string]summary{
		"plain":  {"Post plain — Rivers & Roads", "About plain", "https://example.org/blog/plain/", "Water", "", false},
		"set":    {"For engines — Rivers & Roads", "Described", "https://elsewhere.org/x", "", "https://cdn.example/p.png", true},
		"unsafe": {"Post unsafe — Rivers & Roads", "About water", "https://example.org/blog/unsafe/", "", "", false},
	} {
		h := head(slug)
		got := summary{h.Title, h.Description, h.Canonical, h.Section, "", h.NoIndex}
		if h.Image != nil {
			got.Image = h.Image.URL
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", slug, got, want)
		}
	}
	want := []Language{{"de", "Deutsch", "https://example.org/blog/fluss/"}, {"en", "English", "https://example.org/blog/river/"}, {"x-default", "", "https://example.org/blog/river/"}}
	for _, slug := range []string{"river", "fluss"} {
		got := head(slug).Languages
		slices.SortFunc(got, func(a, b Language) int { return strings.Compare(a.Lang, b.Lang) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the languages of %s (-want +got):\n%s", slug, diff)
		}
	}
	if h := head("fluss"); h.Lang != "de" || head("plain").Languages != nil || head("alone").Languages != nil {
		t.Errorf("languages are %q, %v and %v", h.Lang, head("plain").Languages, head("alone").Languages)
	}
}

// TestStructuredData reads what a post says of itself in JSON-LD: nothing that an author writes ends the script.
func TestStructuredData(t *testing.T) {
	p := on(post("odd", 1, func(p *site.Post) {
		p.Title, p.Authors, p.Tags, p.Minutes = `</script><script>alert("x")`, []site.Author{{Name: "Asha"}}, []string{"a&b"}, 4
		p.Modified = day(2)
	}))
	data := string(at(t, p, "/blog/odd/").View.(*Post).Head.JSONLD)
	if strings.ContainsAny(data, "<>&") {
		t.Errorf("the script could be ended: %s", data)
	}
	var got struct {
		Graph []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal([]byte(data), &got); err != nil || len(got.Graph) != 2 {
		t.Fatalf("%v: %s", err, data)
	}
	o := got.Graph[0]
	for name, want := range map[string]any{
		"@type": "BlogPosting", "headline": `</script><script>alert("x")`, "url": "https://example.org/blog/odd/", "datePublished": day(1).Format(time.RFC3339),
		"dateModified": day(2).Format(time.RFC3339), "timeRequired": "PT4M", "wordCount": 5.0, "inLanguage": "en",
	} {
		if o[name] != want {
			t.Errorf("%s is %v, want %v", name, o[name], want)
		}
	}
	if kind := got.Graph[1]["@type"]; kind != "BreadcrumbList" {
		t.Errorf("the second item is a %v", kind)
	}
}

// TestLessons walks through a course: closed lessons have no page and are no neighbours, but count.
func TestLessons(t *testing.T) {
	lesson := func(slug string, open bool) site.Lesson {
		return site.Lesson{ID: site.ID("c/" + slug), Slug: site.Slug(slug), Title: "Lesson " + slug, Open: open, Body: site.BodyRef{Hash: 1}}
	}
	p := on(&site.Course{Meta: site.Meta{ID: "c", Slug: "c", Title: "C", Revision: 1}, Price: 1000, Currency: "INR", Modules: []site.Module{
		{Title: "One", Lessons: []site.Lesson{lesson("a", true), lesson("b", false)}}, {Title: "Two", Lessons: []site.Lesson{lesson("d", true), lesson("e", true)}}}})
	type place struct {
		Module, Previous, Next string
		Number, Of             int
	}
	url := func(l *Link) string {
		if l == nil {
			return ""
		}
		return l.URL
	}
	for slug, want := range map[string]*place{
		"a": {"One", "", "/courses/c/d/", 1, 4}, "b": nil, "d": {"Two", "/courses/c/a/", "/courses/c/e/", 3, 4}, "e": {"Two", "/courses/c/d/", "", 4, 4},
	} {
		pg := at(t, p, site.Path("/courses/c/"+slug+"/"))
		if (pg == nil) != (want == nil) {
			t.Errorf("lesson %s has a page: %t", slug, pg != nil)
			continue
		}
		if want == nil {
			continue
		}
		v := pg.View.(*Lesson)
		if got := (place{v.Module, url(v.Previous), url(v.Next), v.Number, v.Of}); got != *want {
			t.Errorf("lesson %s: %+v, want %+v", slug, got, *want)
		}
		if v.Head.Title != "Lesson "+slug+" — C — Rivers & Roads" {
			t.Errorf("lesson %s is called %q", slug, v.Head.Title)
		}
	}
	v := at(t, p, "/courses/c/").View.(*Course)
	if v.Lessons != 4 || v.Modules[0].Lessons[1].URL != "" || v.Modules[1].Lessons[0].URL != "/courses/c/d/" {
		t.Errorf("the curriculum is %+v", v.Modules)
	}
}

// TestRedirects sends former addresses to where their documents are now, unless something is there.
func TestRedirects(t *testing.T) {
	p := on(
		post("river", 1, func(p *site.Post) { p.Aliases = []string{"/old/river/", "/blog/taken/", "/blog/river/"} }), post("taken", 2, nil),
		&site.Page{Meta: site.Meta{ID: "m", Revision: 1, Slug: "m", Aliases: []string{"/moved/"}}, Path: "/m/", To: "https://elsewhere.org/"},
	)
	for path, want := range map[site.Path]string{"/old/river/": "/blog/river/", "/moved/": "https://elsewhere.org/"} {
		if pg := at(t, p, path); pg == nil || pg.Status != 301 || pg.Location != want || pg.Kind != site.KindRedirect {
			t.Errorf("%s is %+v, want a redirect to %s", path, pg, want)
		}
	}
	for _, path := range []site.Path{"/blog/taken/", "/blog/river/"} {
		if pg := at(t, p, path); pg == nil || pg.Status != 200 {
			t.Errorf("%s is %+v, want the page itself", path, pg)
		}
	}
}

// TestFingerprints changes one thing at a time: the fingerprint of a page changes with what the page shows, and with nothing else.
func TestFingerprints(t *testing.T) {
	sum := func(p *Planner) digest.Sum { return at(t, p, "/blog/a/").Fingerprint }
	a, b := post("a", 1, nil), post("b", 9, nil)
	usual := sum(on(a, b))
	for name, row := range map[string]struct {
		docs []site.Document
		same bool
	}{
		"nothing":                  {[]site.Document{b, a}, true},
		"another title":            {[]site.Document{post("a", 1, func(p *site.Post) { p.Title = "Other" }), b}, false},
		"views":                    {[]site.Document{post("a", 1, func(p *site.Post) { p.Views = 7 }), b}, true},
		"the neighbour's title":    {[]site.Document{a, post("b", 9, func(p *site.Post) { p.Title = "Other" })}, false},
		"the neighbour's text":     {[]site.Document{a, post("b", 9, func(p *site.Post) { p.Body.Hash = 5 })}, true},
		"a post far away":          {[]site.Document{a, b, post("c", 20, nil)}, true},
		"a post between":           {[]site.Document{a, b, post("c", 5, nil)}, false},
		"a draft between":          {[]site.Document{a, b, post("c", 5, func(p *site.Post) { p.Draft = true })}, true},
		"a page in the navigation": {[]site.Document{a, b, &site.Page{Meta: site.Meta{ID: "n", Revision: 1, Slug: "n", Title: "N"}, Path: "/n/", Nav: true}}, false},
		"a page beside the posts":  {[]site.Document{a, b, &site.Page{Meta: site.Meta{ID: "n", Revision: 1, Slug: "n", Title: "N"}, Path: "/n/"}}, true},
	} {
		if same := sum(on(row.docs...)) == usual; same != row.same {
			t.Errorf("%s: the fingerprint is the same: %t, want %t", name, same, row.same)
		}
	}
}
