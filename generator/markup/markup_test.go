package markup_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"freshet/generator/markup"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// flat is a Doc's HTML with every address as it was written.
func flat(d *markup.Doc) string {
	targets := make([]markup.Target, len(d.Refs))
	for i, r := range d.Refs {
		targets[i].URL = r.URL
		if strings.HasPrefix(r.URL, "data:#") {
			targets[i].URL = "/assets/" + r.URL[len("data:#"):] + ".png"
		}
	}
	return string(d.Append(nil, targets))
}

func render(t testing.TB, in markup.Input) *markup.Doc {
	t.Helper()
	d, err := markup.New(markup.Config{}).Render(t.Context(), in)
	if err != nil {
		t.Fatalf("Render(%q): %v", in.Body.Text, err)
	}
	return d
}

func source(format site.Format, text string) markup.Input {
	return markup.Input{Format: format, Body: site.Body{Text: []byte(text)}}
}

func messages(d *markup.Doc) string {
	var m []string
	for _, p := range d.Problems {
		m = append(m, p.Message)
	}
	return strings.Join(m, "; ")
}

// TestRender renders the bodies of testdata/render.txtar: alone, again from their own result, and, where they are
// Markdown, through the sanitiser too.
func TestRender(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/render.txtar")
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		format                   site.Format
		in, title, want, problem string
	}
	formats := map[string]site.Format{"in.md": site.Markdown, "in.html": site.HTML, "in.json": site.TipTap}
	rows := map[string]row{
		// What an archive cannot hold.
		"byte order mark, CRLF, NUL": {format: site.Markdown, in: "\ufeffa\r\nb\x00c", want: "<p>a\nbc</p>"},
		"control characters":         {format: site.Markdown, in: "a\x01b\u0085c\x7fd", want: "<p>abcd</p>"},
		"indented code": {format: site.Markdown, in: "```go {hl_lines=[1]}\na < b\n```\n\n    c\n",
			want: `<pre class="chroma" dir="ltr" tabindex="0"><code class="language-go">a &lt; b` + "\n</code></pre>\n" +
				`<pre class="chroma" dir="ltr" tabindex="0"><code>c` + "\n</code></pre>"},
	}
	for _, f := range archive.Files {
		name, part, _ := strings.Cut(f.Name, "/")
		text := strings.TrimSuffix(string(f.Data), "\n")
		r := rows[name]
		switch part {
		case "title":
			r.title = text
		case "want.html":
			r.want = text
		case "problem":
			r.problem = text
		default:
			r.format, r.in = formats[part], text
		}
		rows[name] = r
	}
	for name, tt := range rows {
		t.Run(name, func(t *testing.T) {
			d := render(t, markup.Input{Format: tt.format, Title: tt.title, Body: site.Body{Text: []byte(tt.in), Line: 1}, File: "f.md"})
			got := flat(d)
			if got != tt.want {
				t.Errorf("Render(%q)\n got %s\nwant %s", tt.in, got, tt.want)
			}
			if m := messages(d); !strings.Contains(m, tt.problem) {
				t.Errorf("Render(%q): problems %q, want one with %q", tt.in, m, tt.problem)
			}
			if again := flat(render(t, source(site.HTML, got))); again != got {
				t.Errorf("rendered again\n got %s\nwant %s", again, got)
			}
			if tt.format != site.Markdown {
				return
			}
			in := markup.Input{Format: site.Markdown, Title: tt.title, Body: site.Body{Text: []byte(tt.in)}}
			full := markup.New(markup.Config{}).RenderSanitised(in)
			if f := flat(full); f != got {
				t.Errorf("through the sanitiser\n got %s\nwant %s", f, got)
			}
			if diff := cmp.Diff(d.Summary, full.Summary); diff != "" {
				t.Errorf("through the sanitiser: summary (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(d.Headings, full.Headings); diff != "" || d.Words != full.Words || d.Picture != full.Picture {
				t.Errorf("through the sanitiser: %d words, picture %q, want %d, %q; headings (-want +got):\n%s",
					full.Words, full.Picture, d.Words, d.Picture, diff)
			}
		})
	}
}

func TestHeadings(t *testing.T) {
	tests := []struct {
		name, title, in string
		want            []markup.Heading
	}{
		{name: "no level is skipped", in: "# A\n\n#### B\n\n## C\n\n###### D\n\n# E",
			want: []markup.Heading{{2, "a", "A"}, {3, "b", "B"}, {3, "c", "C"}, {4, "d", "D"}, {2, "e", "E"}}},
		{name: "at most six", in: "# A\n## B\n### C\n#### D\n##### E\n###### F",
			want: []markup.Heading{{2, "a", "A"}, {3, "b", "B"}, {4, "c", "C"}, {5, "d", "D"}, {6, "e", "E"}, {6, "f", "F"}}},
		{name: "ids are unique", in: "## A\n## A\n## A-1\n## A",
			want: []markup.Heading{{2, "a", "A"}, {2, "a-1", "A"}, {2, "a-1-1", "A-1"}, {2, "a-2", "A"}}},
		{name: "written ids come first", in: "## b\n## c {#b}", want: []markup.Heading{{2, "b-1", "b"}, {2, "b", "c"}}},
		{name: "all scripts", in: "## हिन्दी में Go\n## 日本 語\n## العربية\n## Été\n## 🎉\n## C++ & `x_y`",
			want: []markup.Heading{{2, "हिन्दी-में-go", "हिन्दी में Go"}, {2, "日本-語", "日本 語"}, {2, "العربية", "العربية"},
				{2, "été", "Été"}, {2, "section", "🎉"}, {2, "c--x_y", "C++ & x_y"}}},
		{name: "never the theme's", in: "## FS-Top\n## x {#fs-y}", want: []markup.Heading{{2, "c-fs-top", "FS-Top"}, {2, "c-fs-y", "x"}}},
		{name: "footnotes keep theirs", in: "## x {#fn:1}\n\na[^1]\n\n[^1]: b", want: []markup.Heading{{2, "x", "x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := render(t, markup.Input{Format: site.Markdown, Title: tt.title, Body: site.Body{Text: []byte(tt.in)}})
			if diff := cmp.Diff(tt.want, d.Headings); diff != "" {
				t.Errorf("headings of %q (-want +got):\n%s", tt.in, diff)
			}
			for _, h := range d.Headings {
				if !strings.Contains(flat(d), ` id="`+h.ID+`"`) {
					t.Errorf("no element has the id %q of the heading %q", h.ID, h.Text)
				}
			}
		})
	}
}

func TestFacts(t *testing.T) {
	d := render(t, source(site.Markdown,
		"Five words *are* here now\n\n![](https://e.com/a.png)\n\n日本\n\n```\nnot these\n```\n\n[x](a.md) [y](a.md#b) ![z](p.png)"))
	want := []markup.Ref{{URL: "a.md"}, {URL: "a.md#b"}, {URL: "p.png", Picture: true}}
	if diff := cmp.Diff(want, d.Refs); diff != "" {
		t.Errorf("refs (-want +got):\n%s", diff)
	}
	if d.Words != 5+2+2 || d.Picture != "https://e.com/a.png" {
		t.Errorf("%d words, picture %q, want 9 and https://e.com/a.png", d.Words, d.Picture)
	}
}

func TestAppend(t *testing.T) {
	d := render(t, source(site.HTML,
		`<a href="x.md">l</a><img src="a.png" alt="A"><img src="a.png" width="100"><img src="b.png" height="10" width="20">`))
	targets := make([]markup.Target, len(d.Refs))
	for i, r := range d.Refs {
		switch {
		case r.URL == "x.md":
			targets[i].URL = `/x/?a=1&b="`
		case r.URL == "a.png":
			targets[i] = markup.Target{URL: "/assets/a.1.png", Width: 400, Height: 200}
		}
	}
	const lazy = ` loading="lazy" decoding="async">`
	want := `<a href="/x/?a=1&amp;b=&#34;">l</a><img src="/assets/a.1.png" width="400" height="200" alt="A"` + lazy +
		`<img src="/assets/a.1.png" width="100" height="50" alt=""` + lazy + `<img alt=""` + lazy
	if got := string(d.Append([]byte(">"), targets)); got != ">"+want {
		t.Errorf("Append\n got %s\nwant >%s", got, want)
	}
	if got := string(d.Append(nil, nil)); got != string(d.HTML) {
		t.Errorf("Append without targets\n got %s\nwant %s", got, d.HTML)
	}
}

func TestEmbeddedPictures(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	data := base64.StdEncoding.EncodeToString(b.Bytes())
	uri := "data:image/png;base64," + data
	want := []markup.Embedded{{Type: "image/png", Data: b.Bytes(), Width: 3, Height: 2}}
	for name, in := range map[string]markup.Input{
		"Markdown": source(site.Markdown, "![a]("+uri+") ![b]("+uri+")"),
		"HTML":     source(site.HTML, `<p><img alt="a" src="`+uri+`"> <img alt="b" src="`+uri+`" data-embedded="7"></p>`),
		"TipTap":   source(site.TipTap, `{"type":"doc","content":[{"type":"image","attrs":{"alt":"a","src":"`+uri+`"}}]}`),
		"any type": source(site.Markdown, "![a](data:image/jpeg;base64,"+data+")"),
	} {
		t.Run(name, func(t *testing.T) {
			d := render(t, in)
			if diff := cmp.Diff(want, d.Embedded); diff != "" {
				t.Errorf("embedded (-want +got):\n%s", diff)
			}
			if len(d.Refs) != 1 || d.Refs[0] != (markup.Ref{URL: "data:#0", Picture: true}) {
				t.Errorf("refs %+v, want data:#0", d.Refs)
			}
		})
	}
	for _, src := range []string{
		"data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", "data:text/html,<script>alert(1)</script>",
		"data:image/png;base64,!!!", "data:image/svg+xml,<svg onload=alert(1)>", "data:",
	} {
		d := render(t, source(site.HTML, `<img src="`+strings.ReplaceAll(src, "<", "&lt;")+`" alt="a">`))
		if got := flat(d); got != "a" || len(d.Embedded) != 0 || len(d.Problems) != 1 {
			t.Errorf("%s: %s with %d problems, want the text alone and one problem", src, got, len(d.Problems))
		}
	}
	forged := render(t, source(site.HTML, `<img data-embedded="1" alt="a">`))
	if got := flat(forged); got != "a" {
		t.Errorf("a forged number: %s, want a", got)
	}
}

func TestErrors(t *testing.T) {
	for _, text := range []string{"{", `"x"`, "[1] 2", `{"blocks":[]}`, strings.Repeat("[", 20000)} {
		_, err := markup.New(markup.Config{}).Render(t.Context(), markup.Input{Format: site.TipTap, File: "posts/x", Body: site.Body{Text: []byte(text)}})
		p, ok := errors.AsType[*diag.Problem](err)
		if !ok || p.File != "posts/x" || p.Severity != diag.Error || p.Remedy == "" {
			t.Errorf("Render(%.20q) = %v, want an error that names the file and a remedy", text, err)
		}
	}
	if _, err := markup.New(markup.Config{}).Render(t.Context(), markup.Input{Format: "docx", File: "x"}); err == nil {
		t.Error("an unknown format is no error")
	}
}

func TestBounds(t *testing.T) {
	nested := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	const paragraph = `{"type":"paragraph","content":[{"type":"text","text":"deep"}]}`
	json := `{"type":"doc","content":[` + nested(`{"type":"blockquote","content":[`, paragraph, `]}`, 3000) + `]}`
	tests := []struct {
		name   string
		format site.Format
		in     string
		plain  bool
	}{
		{"200 quotes", site.Markdown, strings.Repeat("> ", 200) + "deep", false},
		{"10,000 quotes", site.Markdown, strings.Repeat("> ", 10000) + "deep", true},
		{"10,000 lines of 600 quotes", site.Markdown, strings.Repeat(strings.Repeat(">", 600)+" deep\n", 1000), true},
		{"list in list in list", site.Markdown, strings.Repeat("- ", 1000) + "deep", true},
		{"5 MB", site.Markdown, strings.Repeat("deep water ", 5<<20/11), true},
		{"5 MB of HTML", site.HTML, strings.Repeat("<p>deep</p>", 5<<20/11), true},
		{"10,000 elements", site.HTML, nested("<blockquote>", "deep", "</blockquote>", 10000), true},
		{"10,000 open elements", site.HTML, strings.Repeat("<b><div>", 10000) + "deep", true},
		{"100 elements", site.HTML, nested("<blockquote>", "deep", "</blockquote>", 100), false},
		{"JSON", site.TipTap, json, true},
		{"brackets", site.Markdown, strings.Repeat("[", 8000) + "deep", false},
		{"emphasis", site.Markdown, strings.Repeat("*a _b", 4000) + "deep", false},
		{"links", site.Markdown, strings.Repeat("[a](", 2500) + "deep", false},
		{"too many links", site.Markdown, strings.Repeat("[a](", 500000) + "deep", true},
		{"too much emphasis", site.Markdown, strings.Repeat("*a _b", 500000) + "deep", true},
		{"headings of one name", site.Markdown, strings.Repeat("# a\n", 8000) + "deep", false},
		{"ordered list in list", site.Markdown, strings.Repeat("1. ", 5000) + "deep", true},
		{"a long rule", site.Markdown, strings.Repeat("- ", 5000) + "\n\ndeep", false},
		{"backticks", site.Markdown, backticks(300) + "deep", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := render(t, markup.Input{Format: tt.format, Body: site.Body{Text: []byte(tt.in)}})
			if !bytes.Contains(d.HTML, []byte("deep")) {
				t.Error("the text is gone")
			}
			if plain := strings.Contains(messages(d), "became plain text"); plain != tt.plain {
				t.Errorf("plain text: %v, want %v (problems: %s)", plain, tt.plain, messages(d))
			}
			if rest := strings.NewReplacer("<p>", "", "</p>", "").Replace(string(d.HTML)); tt.plain && strings.Contains(rest, "<") {
				t.Error("plain text holds elements other than paragraphs")
			}
		})
	}
}

// backticks are runs of ever more backticks, none of which closes another.
func backticks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("`", i+1) + "a ")
	}
	return b.String()
}

type memory map[digest.Sum][]byte

func (m memory) Get(k digest.Sum) ([]byte, bool) { v, ok := m[k]; return v, ok }
func (m memory) Put(k digest.Sum, v []byte)      { m[k] = v }

func TestMemo(t *testing.T) {
	m := memory{}
	r := markup.New(markup.Config{Memo: m})
	text := []byte("# A\n\n[l](x.md) ![p](q.png) <iframe src=\"https://x.example\"></iframe>\n\n[bad](javascript:x)")
	in := markup.Input{Format: site.Markdown, File: "a.md", Body: site.Body{Text: text, Line: 5}}
	first, err := r.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != 1 || len(first.Problems) == 0 {
		t.Fatalf("%d entries in the memo, %d problems; want 1 and some", len(m), len(first.Problems))
	}
	second, err := r.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(markup.Doc{})); diff != "" {
		t.Errorf("from the memo (-first +second):\n%s", diff)
	}
	in.File, in.Key, in.Body.Text = "b.md", digest.Bytes(text), nil
	cached, ok := r.Cached(in)
	if !ok || cached.Problems[0].File != "b.md" || !bytes.Equal(cached.HTML, first.HTML) {
		t.Errorf("Cached = %+v, %v", cached, ok)
	}
	in.Title = "A"
	if _, ok := r.Cached(in); ok {
		t.Error("another title has the same rendering")
	}
	in.Title, in.Lang = "", "hi"
	if _, ok := r.Cached(in); !ok {
		t.Error("a body without labels has another rendering in another language")
	}
	for k := range m {
		m[k] = m[k][:len(m[k])/2]
	}
	in.Lang = ""
	if _, ok := r.Cached(in); ok {
		t.Error("a damaged entry was used")
	}
	in.Body.Text = text
	if d, err := r.Render(t.Context(), in); err != nil || !bytes.Equal(d.HTML, first.HTML) {
		t.Errorf("with a damaged memo: %v", err)
	}
}

func TestProblemLines(t *testing.T) {
	for _, tt := range []struct {
		format site.Format
		in     string
		want   int
	}{
		{site.Markdown, "one\n\ntwo\n\n[x](javascript:y)\n", 15},
		{site.Markdown, "one\n\n`<script>`\n\n<script>x</script>\n", 15},
		{site.Markdown, "one <b>x</b>\n\n[x](javascript:y)\n", 13},
		{site.Markdown, "one\n\n<iframe src=\"https://youtu.be/dQw4w9WgXcQ\"></iframe>\n\n<iframe src=\"https://x.example/\"></iframe>\n", 15},
		{site.HTML, "<p>a</p>\n<p>b</p>\n<style>x</style>", 13},
		{site.TipTap, `{"type":"x"}`, 0},
	} {
		d := render(t, markup.Input{Format: tt.format, File: "a.md", Body: site.Body{Line: 11, Text: []byte(tt.in)}})
		if len(d.Problems) != 1 || d.Problems[0].Line != tt.want || d.Problems[0].File != "a.md" {
			t.Errorf("problems of %q: %+v, want one at a.md:%d", tt.in, d.Problems, tt.want)
		}
	}
}

// TestConcurrent has something to say under the race detector.
func TestConcurrent(t *testing.T) {
	r := markup.New(markup.Config{Highlight: true})
	text := "# A\n\n[x](y.md) <kbd>b</kbd>\n\n```go\nfunc f() {}\n```\n\n```html\n<script>let a = 1</script>\n```\n"
	var wg sync.WaitGroup
	outs := make([]string, 8)
	for i := range outs {
		wg.Go(func() {
			for range 3 {
				d, err := r.Render(t.Context(), source(site.Markdown, text))
				if err != nil {
					t.Error(err)
					return
				}
				outs[i] = flat(d)
			}
		})
	}
	wg.Wait()
	for _, out := range outs {
		if out != outs[0] {
			t.Errorf("the same body became %q and %q", outs[0], out)
		}
	}
}

func TestLabels(t *testing.T) {
	d := render(t, markup.Input{Format: site.Markdown, Lang: "hi-IN", Body: site.Body{Text: []byte("> [!NOTE]\n> a")}})
	if !bytes.Contains(d.HTML, []byte("नोट")) {
		t.Errorf("a Hindi alert is %s, want the label in Hindi", d.HTML)
	}
}

func TestCleanURL(t *testing.T) {
	tests := []struct{ in, want, class string }{
		{"https://e.com/a b", "https://e.com/a%20b", "absolute"},
		{"HTTP://E.com", "http://E.com", "absolute"},
		{"https:/e.com", "https://e.com", "absolute"},
		{"//e.com", "//e.com", "absolute"},
		{"//", "", "empty"},
		{" \t", "", "empty"},
		{"mailto:a@b.c", "mailto:a@b.c", "absolute"},
		{"java\tscript:x", "", "refused"},
		{"\x01javascript:x", "", "refused"},
		{" javascript:x", "", "refused"},
		{"javascript&colon;x", "", "refused"},
		{"data:image/png;base64,x", "", "refused"},
		{"file:///etc/passwd", "", "refused"},
		{"a/b:c", "a/b:c", "relative"},
		{"a b:c", "./a%20b:c", "relative"},
		{"#x", "#x", "fragment"},
		{"?q=1", "?q=1", "relative"},
		{"../a.md#b", "../a.md#b", "relative"},
		{"चित्र.png", "चित्र.png", "relative"},
		{"100%.png", "100%25.png", "relative"},
		{"a%20b", "a%20b", "relative"},
		{`\\e.com\x`, "%5C%5Ce.com%5Cx", "relative"},
		{"a\u202eb", "a%E2%80%AEb", "relative"},
	}
	for _, tt := range tests {
		got, class := markup.CleanURL(tt.in)
		if tt.in == "javascript&colon;x" { // a name that no reference was made of
			if class == "absolute" {
				t.Errorf("CleanURL(%q) = %q, %s", tt.in, got, class)
			}
			continue
		}
		if got != tt.want || class != tt.class {
			t.Errorf("CleanURL(%q) = %q, %s, want %q, %s", tt.in, got, class, tt.want, tt.class)
		}
	}
}

func TestHighlightCSS(t *testing.T) {
	css, err := markup.HighlightCSS()
	if err != nil {
		t.Fatal(err)
	}
	sheet := string(css)
	if strings.Count(sheet, "{") != strings.Count(sheet, "}") {
		t.Error("braces do not match")
	}
	for _, c := range []string{
		"align-left", "align-right", "align-center", "align-justify", "float-left", "float-right", "size-25", "size-33", "size-50", "size-66",
		"size-75", "size-100", "mark-yellow", "mark-green", "mark-blue", "mark-pink", "mark-red", "mark-orange", "mark-purple", "mark-grey",
		"text-red", "text-green", "text-blue", "text-orange", "text-purple", "text-grey", "alert", "alert-title", "tasks", "table-wrap", "embed",
		"chroma",
	} {
		if !strings.Contains(sheet, "."+c) {
			t.Errorf("no rule for .%s", c)
		}
	}
	// Every colour of the light sheet has a dark one, for the reader's system and for the switch.
	for _, m := range regexp.MustCompile(`(--[a-z-]+):#`).FindAllStringSubmatch(sheet, -1) {
		if n := strings.Count(sheet, m[1]+":#"); n != 3 {
			t.Errorf("%s is defined %d times, want 3", m[1], n)
		}
	}
}

// TestInkContrast checks the colours that authors can give text and its background, against the theme-neutral white,
// near-black and code backgrounds.
func TestInkContrast(t *testing.T) {
	css, err := markup.HighlightCSS()
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css)[strings.Index(string(css), ":root{--ink"):], "@media")
	check := func(sheet, prefix, against string) {
		t.Helper()
		for _, m := range regexp.MustCompile(`(--`+prefix+`-[a-z]+):(#[0-9a-f]{6})`).FindAllStringSubmatch(sheet, -1) {
			if c := contrast(t, m[2], against); c < 4.5 {
				t.Errorf("%s %s on %s: contrast %.2f, want at least 4.5", m[1], m[2], against, c)
			}
		}
	}
	check(light, "ink", "#ffffff")
	check(light, "ink", "#eff3f3")
	check(dark, "ink", "#1f2a30")
	check(light, "mark", "#1f2328")
	check(dark, "mark", "#e6edf3")
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		v, err := strconv.ParseUint(colour[1:], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		part := func(shift uint) float64 {
			c := float64(v>>shift&255) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestFrameSources(t *testing.T) {
	for _, s := range markup.FrameSources() {
		if !strings.HasPrefix(s, "https://") || strings.Count(s, "/") != 2 {
			t.Errorf("frame source %q is no https origin", s)
		}
	}
	for in, want := range map[string]string{
		"https://www.youtube.com/embed/dQw4w9WgXcQ?autoplay=1":    "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
		"//youtube.com/shorts/dQw4w9WgXcQ":                        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
		"https://m.youtube.com/playlist?list=PL0123456789":        "https://www.youtube-nocookie.com/embed/videoseries?list=PL0123456789",
		"https://vimeo.com/76979871":                              "https://player.vimeo.com/video/76979871?dnt=1",
		"https://player.vimeo.com/video/76979871?h=8272103f6e":    "https://player.vimeo.com/video/76979871?dnt=1&amp;h=8272103f6e",
		"https://www.dailymotion.com/video/x7tgad0":               "https://geo.dailymotion.com/player.html?video=x7tgad0",
		"https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC":   "https://open.spotify.com/embed/track/4uLU6hMCjMI75M1A2tKUQC",
		"https://codepen.io/someone/pen/abcDEF":                   "https://codepen.io/someone/embed/abcDEF",
		"https://www.youtube.com.evil.example/embed/dQw4w9WgXcQ":  "",
		"https://www.youtube.com/embed/\"><script>":               "",
		"https://user@www.youtube.com/embed/dQw4w9WgXcQ":          "",
		"javascript:https://www.youtube.com/embed/dQw4w9WgXcQ":    "",
		"https://www.youtube-nocookie.com/embed/../../x?v=abcdef": "",
	} {
		got := flat(render(t, source(site.HTML, `<iframe src="`+strings.ReplaceAll(in, `"`, "&quot;")+`"></iframe>`)))
		if want == "" {
			if strings.Contains(got, "<iframe") {
				t.Errorf("%s was embedded: %s", in, got)
			}
		} else if !strings.Contains(got, `<iframe src="`+want+`"`) {
			t.Errorf("%s: %s, want a frame of %s", in, got, want)
		}
	}
}
