package site_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"freshet/internal/site"
)

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
		{"code is skipped", site.Markdown, "```\ncode that is long enough to be a paragraph if it were taken for one\n```\n\n    and so is this, which is indented by four blanks\n\nText that follows the code, and says a little more than a greeting.",
			"Text that follows the code, and says a little more than a greeting."},
		{"a comment is skipped", site.Markdown, "<!-- a\n\ncomment -->\n\nText that follows the comment, and says a little more than a greeting.", "Text that follows the comment, and says a little more than a greeting."},
		{"lead-in", site.Markdown, "In this lesson, we'll cover these things:\n\n- a\n- b\n\nA paragraph that comes later and has more to say than the list has.",
			"A paragraph that comes later and has more to say than the list has."},
		{"footnotes and references", site.Markdown, "[a]: https://example.org\n\nA claim[^1] with [a reference][a] and [another][] that is long enough to be taken.\n\n[^1]: note",
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
		if got := site.Excerpt(test.format, test.in); got != test.want {
			t.Errorf("%s: Excerpt = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPlainText(t *testing.T) {
	in := "# Title\n\nText *one*\ngoes on.\n\n- item [a](b)\n- item\n\n> quote\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n```go\ncode\n```\n\n<div>html</div>\n"
	want := "Title\nText one goes on.\nitem a\nitem\nquote\na b 1 2\nhtml"
	if got := site.PlainText(site.Markdown, in); got != want {
		t.Errorf("PlainText = %q, want %q", got, want)
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
	} {
		if got := site.Minutes(test.format, test.in); got != test.want {
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
		if got := site.CutText(test.in, test.n); got != test.want {
			t.Errorf("CutText(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "# a\n\nb", "<!--", "[a](b", "`a", "![a][b]", "> - 1. a", "```", "<p>a", "{\"type\":\"doc\"}", "&#x41;", "\\", "a\n===", "|a|\n|-|", "[[[[[", "<a b='", "***a**"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, format := range []site.Format{site.Markdown, site.HTML, site.TipTap} {
			e := site.Excerpt(format, s)
			if utf8.ValidString(s) && !utf8.ValidString(e) {
				t.Errorf("Excerpt(%q) = %q is not UTF-8", s, e)
			}
			if n := utf8.RuneCountInString(e); n > 3*site.ExcerptRunes+1 {
				t.Errorf("Excerpt(%q) has %d characters", s, n)
			}
			if strings.ContainsAny(e, "\n\t") {
				t.Errorf("Excerpt(%q) = %q has several lines", s, e)
			}
			site.PlainText(format, s)
			if site.Minutes(format, s) < 0 {
				t.Errorf("Minutes(%q) is negative", s)
			}
		}
	})
}

func TestExcerptHoldsNoScript(t *testing.T) {
	for _, text := range []string{
		"<b onclick=x>hi</b> <script>alert(1)</script> there", "hi <style>p{color:red}</style> there", "hi <script src=x>alert(1)",
	} {
		for _, f := range []site.Format{site.Markdown, site.HTML} {
			if got := site.Excerpt(f, text); strings.Contains(got, "alert") || strings.Contains(got, "color") {
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
		if got := site.PlainInline(text); got != want {
			t.Errorf("PlainInline(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCharacters(t *testing.T) {
	for s, want := range map[string]string{
		"Tom &amp; Jerry&#39;s": "Tom & Jerry's", "AT&T; R&D": "AT&T; R&D", "About `&amp;`": "About `&amp;`", "&amp;lt;": "&lt;", "plain": "plain", "caf&eacute;": "café",
	} {
		if got := site.Characters(s); got != want {
			t.Errorf("Characters(%q) = %q, want %q", s, got, want)
		}
	}
}
