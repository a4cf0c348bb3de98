package templates_test

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/templates"
)

// functions are those the theme may use besides html/template's own.
var functions = template.FuncMap{
	"date":    func(t time.Time) string { return t.Format("2 January 2006") },
	"isodate": func(t time.Time) string { return t.Format(time.RFC3339) },
	"join":    strings.Join,
	"dict": func(pairs ...any) (map[string]any, error) {
		if len(pairs)%2 != 0 {
			return nil, fmt.Errorf("dict: %d arguments, want pairs", len(pairs))
		}
		m := make(map[string]any, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			m[fmt.Sprint(pairs[i])] = pairs[i+1]
		}
		return m, nil
	},
	"initials": func(name string) string {
		words := strings.Fields(name)
		if len(words) > 2 {
			words = []string{words[0], words[len(words)-1]}
		}
		var s strings.Builder
		for _, word := range words {
			r, _ := utf8.DecodeRuneInString(word)
			s.WriteRune(unicode.ToUpper(r))
		}
		return s.String()
	},
}

// parse makes the set of one entry: the partials, the layout and the entry, each under its path.
func parse(t testing.TB, entry string) *template.Template {
	t.Helper()
	names, err := fs.Glob(templates.FS, "partials/*.html")
	if err != nil {
		t.Fatal(err)
	}
	root := template.New(entry).Funcs(functions)
	for _, name := range append(names, "layout.html", entry) {
		text, err := fs.ReadFile(templates.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		set := root
		if name != entry {
			set = root.New(name)
		}
		if _, err := set.Parse(string(text)); err != nil {
			t.Fatalf("parse %s: %v", name, err)
		}
	}
	return root
}

func layout() *plan.Layout {
	return &plan.Layout{
		Title: "Rivers & Roads", Description: "Notes on <water>.", BaseURL: "https://example.com", Lang: "en", Dir: "ltr",
		Author: "Asha Rao", Year: 2024,
		Nav: []plan.Link{{Text: "Blog", URL: "/blog/"}, {Text: "Courses", URL: "/courses/"}},
		Assets: map[string]string{
			"style.css": "/assets/style.01.css", "theme.js": "/assets/theme.02.js", "search.js": "/assets/search.03.js",
			"dev.js": "/assets/dev.04.js", "favicon.svg": "/assets/favicon.05.svg", "highlight.css": "/assets/highlight.06.css",
		},
		Feeds:      []plan.Feed{{Title: "RSS", URL: "/feed.xml", Type: "application/rss+xml"}},
		LiveReload: true,
	}
}

func head(nav string) plan.Head {
	return plan.Head{
		Title: "A “page” — Rivers & Roads", Description: "What it says", Canonical: "https://example.com/blog/x/", Type: "article",
		Lang: "en-GB", Dir: "ltr", Image: &plan.Image{URL: "https://example.com/x.jpg", Alt: "A river", Width: 1200, Height: 630},
		Authors: []string{"Asha Rao", "Ravi Sen"}, Published: day(2), Modified: day(9), Section: "Water", Tags: []string{"Water", "Maps"},
		Keywords: []string{"rivers", "maps"}, Prev: "/blog/a/", Next: "/blog/b/",
		Feeds:  []plan.Feed{{Title: "Topic", URL: "/topic/water/feed.xml", Type: "application/rss+xml"}},
		JSONLD: `{"@context":"https://schema.org","@type":"BlogPosting"}`, NavURL: nav,
	}
}

func day(n int) time.Time { return time.Date(2024, 1, n, 9, 30, 0, 0, time.UTC) }

func links(names ...string) (l []plan.Link) {
	for _, name := range names {
		l = append(l, plan.Link{Text: name, URL: "/topic/" + strings.ToLower(name) + "/"})
	}
	return l
}

func body() *plan.Body {
	return &plan.Body{
		HTML: `<h2 id="one">One</h2><p>Text</p><h3 id="two">Two</h3><h3 id="three">Three</h3><h2 id="four">Four</h2>`,
		Headings: []markup.Heading{{Level: 2, ID: "one", Text: "One"}, {Level: 3, ID: "two", Text: "Two"},
			{Level: 3, ID: "three", Text: "Three <b>"}, {Level: 2, ID: "four", Text: "Four"}},
	}
}

func cards() []plan.Card {
	return []plan.Card{
		{Title: "How a <river> rises", URL: "/blog/rises/", Excerpt: "Snow & rain", Published: day(2), Authors: links("Asha"), Tags: links("Water"),
			Cover: &plan.Image{URL: "/x.jpg", Alt: "x", Width: 640, Height: 360}, Minutes: 4, Featured: true},
		{Title: "नदी", URL: "/blog/नदी/", Lang: "hi", Dir: "ltr"},
		{Title: "النهر", URL: "/blog/nahr/", Lang: "ar", Dir: "rtl", Cover: &plan.Image{URL: "/y.jpg"}, Authors: []plan.Link{{Text: "No page"}}},
	}
}

func modules() []plan.Module {
	return []plan.Module{
		{Title: "Sources", Lessons: []plan.LessonLink{{Title: "Springs", URL: "/courses/water/springs/", Minutes: 6, Current: true}, {Title: "Snow", Duration: "12:00"}}},
		{Lessons: []plan.LessonLink{{Title: "Mouths", URL: "/courses/water/mouths/"}}},
	}
}

func courseCards() []plan.CourseCard {
	return []plan.CourseCard{
		{Title: "Water", URL: "/courses/water/", Excerpt: "All of it", Level: "Beginner", Duration: "4 weeks", Lessons: 12,
			Price: plan.Price{Text: "₹1,00,000", Was: "₹1,20,000"}, Cover: &plan.Image{URL: "/c.jpg", Width: 16, Height: 9}, Rating: 4.75},
		{Title: "سلسلة", URL: "/courses/s/", Lang: "ar", Dir: "rtl", Lessons: 1, Price: plan.Price{Text: "Free", Free: true}},
	}
}

// full has a view of every entry in which every field is set.
func full() map[string]any {
	l := layout()
	cover := &plan.Image{URL: "/cover.jpg", Alt: "A \"cover\"", Width: 1600, Height: 900}
	crumbs := append(links("Home", "Blog"), plan.Link{Text: "This"})
	return map[string]any{
		"home.html": plan.Home{Layout: l, Head: head("/"), Heading: "Rivers", Intro: body(), Posts: cards(), Courses: courseCards(), Topics: links("Water")},
		"list.html": plan.List{Layout: l, Head: head("/blog/"), Heading: "Water", Label: "Topic", Intro: body(), Cards: cards(),
			Newer: "/blog/", Older: "/blog/page/2/", Number: 3, Feed: "/topic/water/feed.xml"},
		"post.html": plan.Post{Layout: l, Head: head("/blog/"), Title: "A page", Excerpt: "What it says", Published: day(2), Modified: day(9),
			Authors: []plan.Link{{Text: "Asha Rao", URL: "/author/asha-rao/"}, {Text: "Ravi Sen"}}, AuthorImages: []plan.Image{{URL: "/asha.jpg"}, {}},
			Tags: links("Water", "Maps"), Cover: cover, Minutes: 7, Body: body(), Newer: &plan.Link{Text: "Next one", URL: "/blog/n/"},
			Older: &plan.Link{Text: "Last one", URL: "/blog/o/"}, Related: cards(), Lang: "hi", Dir: "ltr", Crumbs: crumbs},
		"topics.html":  plan.Topics{Layout: l, Head: head("/topic/"), Heading: "Topics", Intro: body(), Topics: links("Water", "Maps")},
		"courses.html": plan.Courses{Layout: l, Head: head("/courses/"), Heading: "Courses", Intro: body(), Courses: courseCards()},
		"course.html": plan.Course{Layout: l, Head: head("/courses/"), Title: "Water", Excerpt: "All of it", Level: "Beginner", Duration: "4 weeks",
			Price: plan.Price{Text: "₹1,00,000", Was: "₹1,20,000"}, Rating: 4.5, Cover: cover, Tags: links("Water"),
			Instructors: []plan.Instructor{{Name: "Asha Rao", Title: "Hydrologist", Bio: "Walks.", Image: &plan.Image{URL: "/asha.jpg"}}, {Name: "Ravi Kumar Sen"}},
			Features:    []string{"Maps"}, Learn: []string{"To read a river"}, Requirements: []string{"Boots"}, EnrollURL: "https://pay.example.com/?a=1&b=2",
			Modules: modules(), Lessons: 12, Body: body(), Lang: "ar", Dir: "rtl", Crumbs: crumbs},
		"lesson.html": plan.Lesson{Layout: l, Head: head("/courses/"), Title: "Springs", Excerpt: "Where it starts", Course: plan.Link{Text: "Water", URL: "/courses/water/"},
			Module: "Sources", Number: 1, Of: 12, Duration: "12:00", Minutes: 6, Body: body(), Previous: &plan.Link{Text: "Before", URL: "/courses/water/b/"},
			Next: &plan.Link{Text: "After", URL: "/courses/water/a/"}, Modules: modules(), Lang: "hi", Dir: "ltr", Crumbs: crumbs},
		"page.html": plan.TextPage{Layout: l, Head: head("/about/"), Title: "About", Excerpt: "Who we are", Modified: day(9), Cover: cover, Body: body(),
			Lang: "ur", Dir: "rtl", Crumbs: crumbs},
		"search.html": plan.Search{Layout: l, Head: head("/search/"), Index: "/search/index.json"},
		"404.html":    plan.NotFound{Layout: l, Head: head("")},
	}
}

// empty has a view of every entry in which nothing is set.
func empty() map[string]any {
	l := &plan.Layout{}
	return map[string]any{
		"home.html": plan.Home{Layout: l}, "list.html": plan.List{Layout: l}, "post.html": plan.Post{Layout: l}, "topics.html": plan.Topics{Layout: l},
		"courses.html": plan.Courses{Layout: l}, "course.html": plan.Course{Layout: l}, "lesson.html": plan.Lesson{Layout: l},
		"page.html": plan.TextPage{Layout: l}, "search.html": plan.Search{Layout: l}, "404.html": plan.NotFound{Layout: l},
	}
}

func TestEveryEntryHasAView(t *testing.T) {
	names, err := fs.Glob(templates.FS, "*.html")
	if err != nil {
		t.Fatal(err)
	}
	full, empty := full(), empty()
	for _, name := range names {
		if name == "layout.html" {
			continue
		}
		if full[name] == nil || empty[name] == nil {
			t.Errorf("%s: no view for it here", name)
		}
	}
	if len(full) != len(names)-1 {
		t.Errorf("%d views for %d entries", len(full), len(names)-1)
	}
}

func TestPages(t *testing.T) {
	for kind, views := range map[string]map[string]any{"full": full(), "empty": empty()} {
		for name, view := range views {
			t.Run(kind+"/"+name, func(t *testing.T) {
				var b bytes.Buffer
				if err := parse(t, name).Execute(&b, view); err != nil {
					t.Fatal(err)
				}
				for _, problem := range check(b.String(), body().Headings) {
					t.Error(problem)
				}
				if t.Failed() {
					t.Logf("page:\n%s", b.String())
				}
			})
		}
	}
}

// TestCheck proves that check finds what it looks for.
func TestCheck(t *testing.T) {
	frame := func(s string) string { return "<!doctype html><html><head></head><body>" + s + "</body></html>" }
	for _, tt := range []struct{ name, page, want string }{
		{"two h1", frame("<h1>a</h1><h1>b</h1>"), "2 h1"},
		{"no h1", frame(""), "0 h1"},
		{"skipped level", frame("<h1>a</h1><h3>b</h3>"), "h3 after h1"},
		{"stray tag", frame("<h1>a</h1></div>"), "</div>"},
		{"open tag", frame("<div><h1>a</h1>"), "</body>"},
		{"empty href", frame(`<h1>a</h1><a href="">x</a>`), "empty href"},
		{"inline style", frame(`<h1 style="color:red">a</h1>`), "style"},
		{"handler", frame(`<h1 onclick="x()">a</h1>`), "onclick"},
		{"inline script", frame(`<h1>a</h1><script>x()</script>`), "inline script"},
		{"foreign id", frame(`<h1 id="top">a</h1>`), `id "top"`},
		{"id twice", frame(`<h1 id="fs-a">a</h1><p id="fs-a">b</p>`), "twice"},
		{"no label", frame(`<h1>a</h1><input id="fs-x">`), "no label"},
		{"nameless button", frame(`<h1>a</h1><button type="button"></button>`), "no name"},
		{"nowhere", frame(`<h1>a</h1><a href="#fs-b">x</a>`), "#fs-b"},
		{"filtered", frame(`<h1>a</h1><a href="#ZgotmplZ">x</a>`), "ZgotmplZ"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := check(tt.page, nil)
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, tt.want) }) {
				t.Errorf("check(%q) = %q, want a problem with %q", tt.page, got, tt.want)
			}
		})
	}
}

var voids = []string{"meta", "link", "img", "input", "br", "hr", "path", "circle"}

// check reads a page as a browser would and lists what is wrong with it; content is the headings whose ids are not the theme's.
func check(page string, content []markup.Heading) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, bad := range []string{"ZgotmplZ", "<no value>", "{{", "&amp;lt;", "0001-01-01", "%!"} {
		if strings.Contains(page, bad) {
			problem("the page holds %q", bad)
		}
	}
	own := func(id string) bool {
		return strings.HasPrefix(id, "fs-") || slices.ContainsFunc(content, func(h markup.Heading) bool { return h.ID == id })
	}
	var (
		open     []string // elements not closed yet
		ids      = map[string]bool{}
		targets  []string // of links within the page, of labels and of aria-labelledby
		labelled = map[string]bool{}
		inputs   []string
		h1, last int
		named    string // start tag of the button or link that has shown no text so far
	)
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if z.Err() != io.EOF {
				problem("read the page: %v", z.Err())
			}
			break
		}
		token := z.Token()
		attr := map[string]string{}
		for _, a := range token.Attr {
			if _, ok := attr[a.Key]; ok {
				problem("<%s> has %s twice", token.Data, a.Key)
			}
			attr[a.Key] = a.Val
		}
		switch kind {
		case html.TextToken:
			if strings.TrimSpace(token.Data) == "" {
				break
			}
			named = ""
			if len(open) > 0 && open[len(open)-1] == "ul" {
				problem("text %q in a list", token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				problem("</%s> where %q are open", token.Data, open)
				return problems
			}
			open = open[:len(open)-1]
			if (token.Data == "a" || token.Data == "button") && named != "" {
				problem("%s has no name", named)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if kind == html.StartTagToken && !slices.Contains(voids, token.Data) {
				open = append(open, token.Data)
			}
			for key, value := range attr {
				if key == "style" || strings.HasPrefix(key, "on") {
					problem("inline %s in %s", key, token)
				}
				if (key == "href" || key == "src" || key == "action" || key == "lang" || key == "dir") && value == "" {
					problem("empty %s in %s", key, token)
				}
			}
			if id, ok := attr["id"]; ok {
				if !own(id) {
					problem("id %q is not the theme's", id)
				}
				if ids[id] {
					problem("id %q twice", id)
				}
				ids[id] = true
			}
			if to := attr["aria-labelledby"]; to != "" {
				targets = append(targets, to)
			}
			if to, ok := strings.CutPrefix(attr["href"], "#"); ok {
				targets = append(targets, to)
			}
			switch token.Data {
			case "style":
				problem("inline style sheet")
			case "script":
				if attr["src"] == "" && attr["type"] != "application/ld+json" {
					problem("inline script: %s", token)
				}
			case "a", "button":
				named = token.String()
				if attr["aria-label"] != "" {
					named = ""
				}
			case "label":
				labelled[attr["for"]] = true
				targets = append(targets, attr["for"])
			case "input":
				inputs = append(inputs, attr["id"])
			case "img":
				if _, ok := attr["alt"]; !ok {
					problem("no alt in %s", token)
				}
			case "h1", "h2", "h3", "h4", "h5", "h6":
				level := int(token.Data[1] - '0')
				if level == 1 {
					h1++
				}
				if level > last+1 {
					problem("h%d after h%d", level, last)
				}
				last = level
			}
		}
	}
	if len(open) > 0 {
		problem("never closed: %q", open)
	}
	if h1 != 1 {
		problem("%d h1 elements", h1)
	}
	for _, id := range inputs {
		if !labelled[id] {
			problem("no label for input %q", id)
		}
	}
	for _, id := range targets {
		if !ids[id] {
			problem("nothing has the id that #%s names", id)
		}
	}
	return problems
}

func TestContents(t *testing.T) {
	space := regexp.MustCompile(`>\s+<`)
	for _, tt := range []struct {
		name   string
		levels []int
		want   string
	}{
		{"too short", []int{2, 3}, ""},
		{"flat", []int{2, 2, 2}, "<ul><li>0</li><li>1</li><li>2</li></ul>"},
		{"nested", []int{2, 3, 3, 2}, "<ul><li>0<ul><li>1</li><li>2</li></ul></li><li>3</li></ul>"},
		{"ends nested", []int{2, 2, 3}, "<ul><li>0</li><li>1<ul><li>2</li></ul></li></ul>"},
		{"deeper left out", []int{2, 3, 4, 5, 3}, "<ul><li>0<ul><li>1</li><li>4</li></ul></li></ul>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b plan.Body
			for i, level := range tt.levels {
				b.Headings = append(b.Headings, markup.Heading{Level: level, ID: fmt.Sprint("h", i), Text: fmt.Sprint(i)})
			}
			var out bytes.Buffer
			if err := parse(t, "post.html").ExecuteTemplate(&out, "partials/toc.html", b); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if _, after, ok := strings.Cut(got, `aria-label="Contents">`); ok {
				got, _, _ = strings.Cut(after, "</nav>")
			}
			got = regexp.MustCompile(`</?a[^>]*>`).ReplaceAllString(got, "")
			got = strings.ReplaceAll(space.ReplaceAllString(got, "><"), "\n", "")
			if got != tt.want {
				t.Errorf("contents of levels %v = %q, want %q", tt.levels, got, tt.want)
			}
		})
	}
}

func TestAssets(t *testing.T) {
	most := map[string]int{"style.css": 20 << 10, "search.js": 6 << 10, "theme.js": 3 << 10, "dev.js": 6 << 10, "favicon.svg": 1 << 10}
	entries, err := fs.ReadDir(templates.FS, "assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := fs.ReadFile(templates.FS, path.Join("assets", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if limit := most[entry.Name()]; len(data) > limit {
			t.Errorf("%s has %d bytes, want at most %d", entry.Name(), len(data), limit)
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "@import", "margin-left", "margin-right", "http://fonts"} {
			if bytes.Contains(data, []byte(bad)) {
				t.Errorf("%s holds %q", entry.Name(), bad)
			}
		}
	}
	if len(entries) != len(most) {
		t.Errorf("%d assets, %d limits", len(entries), len(most))
	}
}

// TestOverride replaces one partial, as a publisher would, and sees it on the page.
func TestOverride(t *testing.T) {
	set := parse(t, "page.html")
	template.Must(set.New("partials/footer.html").Parse(`<footer>Mine: {{.Layout.Author}}</footer>`))
	var b bytes.Buffer
	if err := set.Execute(&b, full()["page.html"]); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "<footer>Mine: Asha Rao</footer>") || strings.Contains(b.String(), `class="foot"`) {
		t.Errorf("the footer was not replaced:\n%s", b.String())
	}
}

func BenchmarkPages(b *testing.B) {
	for _, name := range []string{"post.html", "list.html", "lesson.html"} {
		b.Run(name, func(b *testing.B) {
			set, view := parse(b, name), full()[name]
			var out bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				if err := set.Execute(&out, view); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(out.Len()))
		})
	}
}
