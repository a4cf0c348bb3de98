package markup_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

func summary(t testing.TB, format site.Format, text, title string) site.Summary {
	t.Helper()
	s, err := markup.New(markup.Config{}).Summarize(t.Context(), format, text, title, "")
	if err != nil && format != site.TipTap {
		t.Fatalf("Summarize(%s, %q): %v", format, text, err)
	}
	return s
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("water ", 60)
	for _, test := range []struct {
		name   string
		format site.Format
		in     string
		want   string
	}{
		{"empty", site.Markdown, "", ""},
		{"plain", site.Markdown, "Rivers carry water from the hills down to the sea, all year long.", "Rivers carry water from the hills down to the sea, all year long."},
		{"inline markup", site.Markdown, "Rivers **carry** _water_ and `code` to [the sea](https://example.org/a_(b)), ~~not~~ <b>up</b> &amp; away\\*.",
			"Rivers carry water and code to the sea, not up & away*."},
		{"snake_case and 2*3 stay", site.Markdown, "The option max_open_files is 2 * 3 * 4 and not 2*3*4, whatever _they_ tell you about it.",
			"The option max_open_files is 2 * 3 * 4 and not 234, whatever they tell you about it."},
		{"headings and pictures are skipped", site.Markdown, "# Title\n\n![A picture](a.png)\n\n## Sub\n\nThe first paragraph that says something about what is below it.",
			"The first paragraph that says something about what is below it."},
		{"a greeting is skipped", site.Markdown, "Hello, everyone!\n\nToday we look at rivers, where they come from and where they go to.", "Today we look at rivers, where they come from and where they go to."},
		{"a greeting alone is taken", site.Markdown, "Hello, everyone!", "Hello, everyone!"},
		{"badges before the title", site.Markdown, "[![a](b)](c) [![d](e)](f)\n\nA long notice about translations that stands before the title of the text.\n\n# Title\n\nThis is what the text is about, in as many words as it takes.",
			"This is what the text is about, in as many words as it takes."},
		{"more", site.Markdown, "One.\n\nTwo.\n\n<!-- more -->\n\nThree, which is longer than what is before the mark and yet is left out.", "One. Two."},
		{"more, indented", site.Markdown, "One.\n\n  <!--more-->\n\nThree, which is longer than what is before the mark and yet is left out.", "One."},
		{"code is skipped", site.Markdown, "```\ncode that is long enough to be a paragraph if it were taken for one\n```\n\n    and so is this, which is indented by four blanks\n\nText that follows the code, and says a little more than a greeting.",
			"Text that follows the code, and says a little more than a greeting."},
		{"a comment is skipped", site.Markdown, "<!-- a\n\ncomment -->\n\nText that follows the comment, and says a little more than a greeting.", "Text that follows the comment, and says a little more than a greeting."},
		{"lead-in", site.Markdown, "In this lesson, we'll cover these things:\n\n- a\n- b\n\nA paragraph that comes later and has more to say than the list has.",
			"A paragraph that comes later and has more to say than the list has."},
		{"footnotes and references", site.Markdown, "[a]: https://example.org\n\nA claim[^1] with [a reference][a] and [another][a] that is long enough to be taken.\n\n[^1]: note",
			"A claim with a reference and another that is long enough to be taken."},
		{"cut at a word", site.Markdown, long, strings.TrimSpace(long[:216]) + "…"},
		{"Chinese is cut earlier", site.Markdown, strings.Repeat("水", 300), strings.Repeat("水", 110) + "…"},
		{"Japanese lines are joined", site.Markdown, "これは最初の行です。\nこれは二番目の行です。\nそしてこれは三番目の行で、少し長くなります。", "これは最初の行です。これは二番目の行です。そしてこれは三番目の行で、少し長くなります。"},
		{"html", site.HTML, "<h2>Title</h2><p>Rivers &amp; lakes <b>carry</b> water,<br>and much more than only that, to the sea.</p><script>x()</script><p>More</p>",
			"Rivers & lakes carry water, and much more than only that, to the sea."},
		{"a whole document", site.HTML, "<!DOCTYPE html><html><head><title>A title that is long enough to be taken for the first paragraph of the text</title></head><body><p>Text.</p></body></html>",
			"Text."},
		{"tiptap", site.TipTap, `{"type":"doc","content":[{"type":"heading","content":[{"type":"text","text":"T"}]},{"type":"paragraph","content":[{"type":"text","text":"Rivers "},{"type":"text","marks":[{"type":"bold"}],"text":"carry"},{"type":"hardBreak"},{"type":"text","text":"water from the hills down to the sea, all year long."}]}]}`,
			"Rivers carry water from the hills down to the sea, all year long."},
		{"broken tiptap", site.TipTap, `{"type":`, ""},
	} {
		if got := summary(t, test.format, test.in, "").Excerpt; got != test.want {
			t.Errorf("%s: Excerpt = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestMinutes(t *testing.T) {
	for _, test := range []struct {
		name   string
		format site.Format
		in     string
		want   int
	}{
		{"nothing", site.Markdown, "", 0},
		{"no words", site.Markdown, "---\n\n* * *\n", 0},
		{"one word", site.Markdown, "Rivers", 1},
		{"200 words", site.Markdown, strings.Repeat("word ", 200), 1},
		{"201 words", site.Markdown, strings.Repeat("word ", 201), 2},
		{"code does not count", site.Markdown, "Text\n\n```\n" + strings.Repeat("word ", 2000) + "\n```\n\n    " + strings.Repeat("word ", 2000) + "\n\n`" + strings.Repeat("word ", 500) + "`", 1},
		{"link targets do not count", site.Markdown, strings.Repeat("[a](https://example.org/some/long/path?with=words) ", 150), 1},
		{"400 ideographs", site.Markdown, strings.Repeat("水", 400), 1},
		{"401 ideographs", site.Markdown, strings.Repeat("水", 401), 2},
		{"Hindi", site.Markdown, strings.Repeat("हिन्दी ", 401), 3},
		{"html", site.HTML, "<p>" + strings.Repeat("word ", 300) + "</p><pre>" + strings.Repeat("word ", 3000) + "</pre>", 2},
		{"a comment does not count", site.Markdown, "Text\n\n<!--\n" + strings.Repeat("word ", 500) + "\n-->\n", 1},
		{"code over several lines does not count", site.Markdown, "Text `" + strings.Repeat("word\n", 500) + "` text", 1},
		{"character references are no words", site.Markdown, strings.Repeat("&amp; &lt; ", 300), 0},
		{"alternative texts count", site.Markdown, strings.Repeat("![a b](c.png) ", 101), 2},
		{"a title that is dropped counts", site.Markdown, "# " + strings.Repeat("word ", 200) + "\n\nText", 2},
		{"words of cells, items and lines", site.Markdown, strings.Repeat("| a | b |\n", 1) + "| - | - |\n" + strings.Repeat("| c | d |\n", 60) + "\n" + strings.Repeat("- e\n", 40) + "\n" + strings.Repeat("f\n", 39), 2},
		{"parts of a word", site.Markdown, strings.Repeat("w*or*<b>d</b>s/and-more. ", 200), 1},
		{"an alert's label is a word", site.Markdown, "> [!NOTE]\n> " + strings.Repeat("word ", 199), 1},
		{"an alert's label is a word more", site.Markdown, "> [!NOTE]\n> " + strings.Repeat("word ", 200), 2},
	} {
		if got := summary(t, test.format, test.in, "").Minutes; got != test.want {
			t.Errorf("%s: Minutes = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestCutText(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"a b", 10, "a b"},
		{" a \n b ", 10, "a b"},
		{"one two three", 9, "one two…"},
		{"one, two", 5, "one…"},
		{"हिन्दीहिन्दी", 4, "हिन्दीहि…"[:len("हिन्दी")] + "…"},
	} {
		if got := markup.CutText(test.in, test.n); got != test.want {
			t.Errorf("CutText(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestExcerptHoldsNoScript(t *testing.T) {
	for _, text := range []string{
		"<b onclick=x>hi</b> <script>alert(1)</script> there", "hi <style>p{color:red}</style> there", "hi <script src=x>alert(1)",
	} {
		for _, f := range []site.Format{site.Markdown, site.HTML} {
			if got := summary(t, f, text, "").Excerpt; strings.Contains(got, "alert") || strings.Contains(got, "color") {
				t.Errorf("Excerpt(%s, %q) = %q", f, text, got)
			}
		}
	}
}

func TestExcerptKeepsWhatIsNoEmphasis(t *testing.T) {
	for text, want := range map[string]string{
		"Set y_{1} and __init__ in snake_case_name here.":                 "Set y_{1} and init in snake_case_name here.",
		"An *emphasised* and **strong** and ***both*** and ~~gone~~ word": "An emphasised and strong and both and gone word",
		"A * star, 2 ** 3, _private and __dunder, a~b":                    "A * star, 2 ** 3, _private and __dunder, a~b",
		"**「刻舟求剑」**是一个故事":                                                 "「刻舟求剑」是一个故事",
		"Call `a_b_` or [x_y_](u_v_) or <https://e.com/a_b_>":             "Call a_b_ or x_y_ or https://e.com/a_b_",
		"**bold *and italic* text** end":                                  "bold and italic text end",
		`\*not\* this`:                                                    "*not* this",
	} {
		if got := summary(t, site.Markdown, text, "").Excerpt; got != want {
			t.Errorf("Excerpt(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSummaryHeading(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"none", "Text", ""},
		{"of the first level", "## A\n\n# B *c*\n\n# D", "B c"},
		{"of another level", "Text\n\n### A {#b}\n\n## C", "A"},
		{"underlined", "A\nb\n===", "A b"},
		{"HTML", "<h1 align=center>A &amp; <b>b</b></h1>\n\n## C", "A & b"},
		{"in code", "```\n# A\n```\n\n    # B\n\n## C", "C"},
		{"a picture's", "# ![](a.png)\n\n# ![B](b.png)", "B"},
		{"in a quotation or a list", "> # A\n\n- # B\n\n<blockquote><h1>C</h1></blockquote>\n\n> [!NOTE]\n> # D\n\n### E", "E"},
	} {
		if got := summary(t, site.Markdown, test.in, "").Heading; got != test.want {
			t.Errorf("%s: heading of %q = %q, want %q", test.name, test.in, got, test.want)
		}
	}
}

// bodies are what the properties of summaries are tried on.
func bodies() []string {
	out := append([]string{
		"# Rivers\n\nRivers **carry** water[^1] from the hills `down` to [the sea](x.md), *all* year long &amp; more.\n\n[^1]: A note.",
		"> [!NOTE]\n> A note that is long enough to be taken for the first paragraph of all of the text.",
		"> [!TIP] Of mine\n> text\n\n- [ ] a\n- [x] b\n\n<b>raw</b>",
		"<p>One.</p><!-- more --><p>Two.</p>", "One.\n\n<!--more-->\n\nTwo <b>three</b>.", "One.\n\n<div>a<!-- MORE -->b</div>", "One <!--more--> two.",
		"<table><tr><td>a<!--more-->b</table>c", "<b><p>a<!--more-->b", "`<!--more-->` is how the excerpt ends, and this is text that stands behind it.",
		"Term\n: Text that tells what it is, in more words than a greeting would have.", "水\n水 水\n\n文。\n\n<b>水</b>\n水",
		"&lt;b&gt; &amp;amp; \"quoted\" text that is long enough to be taken as the excerpt of it all.",
		"<ul><li><p>a b c<li>d</ul><blockquote>quoted</blockquote><details><summary>s</summary>text in it</details>",
		strings.Repeat("long ", 100), strings.Repeat("Ein *langer* Text. ", 80) + "\n\n<!--more-->\n\nb",
	}, attacks...)
	for _, a := range attacks {
		out = append(out, "<h2>"+a+"</h2>\n\nText with "+a+" in it, which is long enough to be taken as the excerpt.\n\n<!--more-->\n\n"+a)
	}
	return out
}

// TestExcerptIsOfThePage: whatever a body holds, its page has every word of the excerpt, in this order.
func TestExcerptIsOfThePage(t *testing.T) {
	r := markup.New(markup.Config{})
	for _, text := range bodies() {
		for _, format := range []site.Format{site.Markdown, site.HTML, site.TipTap} {
			d, err := r.Render(t.Context(), markup.Input{Format: format, Body: site.Body{Text: []byte(text)}})
			if err == nil {
				checkSummary(t, d)
			}
		}
	}
	for text, want := range map[string]bool{"a": true, "a c": true, "b a": false, "ab…": true, "": true} {
		if got := saidBy(text, "a b c"); got != want {
			t.Errorf("saidBy(%q) = %v", text, got)
		}
	}
}

// checkSummary compares a summary with the page's text, as another parser has it.
func checkSummary(t *testing.T, d *markup.Doc) {
	t.Helper()
	e := d.Summary.Excerpt
	if page := pageText(t, d); !saidBy(e, page) {
		t.Errorf("the excerpt %q is not of the page: %q", e, page)
	}
	if !utf8.ValidString(e) || utf8.RuneCountInString(e) > 3*220+1 || strings.ContainsAny(e, "\n\t") || d.Summary.Minutes < 0 {
		t.Errorf("excerpt %q, %d minutes", e, d.Summary.Minutes)
	}
}

// saidBy reports whether the letters of an excerpt stand in a text in this order.
func saidBy(excerpt, text string) bool {
	rest := solid(text)
	for word := range strings.FieldsSeq(strings.TrimSuffix(excerpt, "…")) {
		var found bool
		if _, rest, found = strings.Cut(rest, word); !found {
			return false
		}
	}
	return true
}

// solid is text without white space.
func solid(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// pageText is the text of a Doc's HTML without the numbers of footnotes.
func pageText(t *testing.T, d *markup.Doc) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(flat(d)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for _, a := range n.Attr {
			if a.Key == "class" && a.Val == "footnote-ref" {
				return
			}
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return b.String()
}

// TestSummaryKnowsNoTitle: a summary is the same whatever title and language are, since it is made before they are known.
func TestSummaryKnowsNoTitle(t *testing.T) {
	for _, text := range bodies() {
		for _, format := range []site.Format{site.Markdown, site.HTML} {
			want := summary(t, format, text, "")
			for _, in := range []markup.Input{{Title: "Rivers", Lang: "de"}, {Title: want.Heading, Lang: "zh"}, {Title: "No heading", Lang: "hi"}} {
				in.Format, in.Body.Text = format, []byte(text)
				d, err := markup.New(markup.Config{}).Render(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, d.Summary); diff != "" {
					t.Errorf("%s %q as %q (%s): (-want +got)\n%s", format, text, in.Title, in.Lang, diff)
				}
			}
		}
	}
}

// TestRenderedOnce: a body is rendered once, by whoever asks first, unless a label or its first heading depends on what is asked.
func TestRenderedOnce(t *testing.T) {
	plain, titled, labelled := "Text.", "# Rivers\n\nText.", "> [!NOTE]\n> Text."
	for _, test := range []struct {
		name, text, title, lang string // as the body is summarized
		in                      markup.Input
		once                    bool
	}{
		{"another title", plain, "", "", markup.Input{Title: "Seas", Lang: "de"}, true},
		{"the title is in the text", titled, "", "", markup.Input{Title: "Rivers", Lang: "de"}, true},
		{"the title is repeated in the text", titled, "rivers", "", markup.Input{Title: "Rivers"}, true},
		{"the heading is another than the title", titled, "Seas", "", markup.Input{Title: "Lakes"}, true},
		{"the heading becomes the title", titled, "Seas", "", markup.Input{Title: "Rivers"}, false},
		{"the language of labels", labelled, "", "de", markup.Input{Title: "Rivers", Lang: "de-AT"}, true},
		{"another language of labels", labelled, "", "de", markup.Input{Title: "Rivers"}, false},
	} {
		m := memory{}
		r := markup.New(markup.Config{Memo: m})
		if _, err := r.Summarize(t.Context(), site.Markdown, test.text, test.title, test.lang); err != nil {
			t.Fatal(err)
		}
		test.in.Format, test.in.Key = site.Markdown, digest.String(test.text)
		if _, ok := r.Cached(test.in); ok != test.once {
			t.Errorf("%s: known %v, want %v", test.name, ok, test.once)
		}
		test.in.Body.Text = []byte(test.text)
		got, err := r.Render(t.Context(), test.in)
		if err != nil {
			t.Fatal(err)
		}
		if want := render(t, test.in); string(got.HTML) != string(want.HTML) {
			t.Errorf("%s: %s, want %s", test.name, got.HTML, want.HTML)
		}
		want := 2
		if test.once {
			want = 1
		}
		if _, ok := r.Cached(test.in); !ok || len(m) != want {
			t.Errorf("%s: %d results kept, want %d", test.name, len(m), want)
		}
	}
}

// TestSummaryOfWhatCannotBeRead: a body that takes too long has the summary of the plain text that its page shows, and nothing is
// kept of it. What is no document is an error.
func TestSummaryOfWhatCannotBeRead(t *testing.T) {
	m := memory{}
	r := markup.New(markup.Config{Memo: m, Time: 1})
	if s, err := r.Summarize(t.Context(), site.Markdown, "*Text*.", "", ""); err != nil || s != (site.Summary{Excerpt: "*Text*.", Minutes: 1}) || len(m) > 0 {
		t.Errorf("Summarize of a slow body = %+v, %v; %d results kept", s, err, len(m))
	}
	if s, err := markup.New(markup.Config{}).Summarize(t.Context(), site.TipTap, "{", "", ""); err == nil || s != (site.Summary{}) {
		t.Errorf("Summarize of what is no document = %+v, %v", s, err)
	}
}
