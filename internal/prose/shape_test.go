package prose

import (
	"strings"
	"testing"
)

func TestLooksLikeHTML(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     bool
	}{
		{"plain text", "Rivers carry water.", false},
		{"heading", "# Rivers", false},
		{"nothing", " \n", false},
		{"CKEditor", `<h2>Rivers</h2><p>They <strong>carry</strong> water.</p><figure class="image"><img src="a.png"></figure>`, true},
		{"lines of paragraphs", "<p>a</p>\n<p>b</p>\n\n<p>c</p>\n", true},
		{"a wrapped paragraph", "<p>\n  a\n  - b\n</p>", true},
		{"blank line in a paragraph", "<p>a\n\nb</p>", true},
		{"whole document", "<!DOCTYPE html><html><head><style>p{}</style></head><body>text\n\n# text</body></html>", true},
		{"html without doctype", "<html><body><p>a</p></body></html>", true},
		{"comment first", "<!-- written by hand -->\n<p>a</p>", true},
		{"article", "<article>\n<p>a</p>\n\ntext\n</article>", true},
		{"pre with Markdown in it", "<p>a</p><pre>\n\n# b\n\n- c</pre><p>d</p>", true},
		{"inline element first", "<b>Rivers</b> carry water.<br>They do.", false},
		{"picture first", "<img src=\"a.png\">\n\nText.", false},
		{"Markdown behind a block", "<div align=\"center\">\n  <img src=\"a.png\">\n</div>\n\n# Rivers\n\nText.", false},
		{"Markdown within a block", "<div align=\"center\">\n\n# Rivers\n\n[![a](b)](c)\n\n</div>\n", false},
		{"text behind a block", "<details><summary>a</summary>b</details>\n\nText.", false},
		{"heading right behind a block", "<p align=\"center\">a</p>\n# Rivers", false},
		{"text behind an element on its line", "<p>a</p> loose <p>b</p>", true},
		{"closing tag first", "</div><p>a</p>", false},
		{"unfinished tag", "<p>a</p><img src=\"", true},
		{"autolink", "<https://example.org>", false},
		{"less than", "<3 rivers", false},
	} {
		if got := looksLikeHTML(test.in); got != test.want {
			t.Errorf("%s: looksLikeHTML(%q) = %v, want %v", test.name, test.in, got, test.want)
		}
	}
}

func FuzzLooksLikeHTML(f *testing.F) {
	for _, s := range []string{"", "<p>a</p>", "<div>\n\n# a", "<!-- ", "<pre>\n\n# a", "<p a='", "<p><p/><", "<!doctype html>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := looksLikeHTML(s); got && !strings.Contains(s, "<") {
			t.Errorf("looksLikeHTML(%q) without a tag", s)
		}
	})
}
