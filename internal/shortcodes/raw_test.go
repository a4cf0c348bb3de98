package shortcodes_test

import (
	"regexp"
	"strings"
	"testing"

	"freshet/internal/shortcodes"
)

// tags are well-formed pieces of template syntax of all kinds, and places what they may stand in; %s is the tag.
var (
	tags = []string{
		`{{< youtube abc >}}`, `{{% notice tip %}}Kept{{% /notice %}}`, `{{< figure src="a.png" caption="c" >}}`, `{{ page.title }}`, `{{ .Page.Title }}`, `{{- .Site.Title -}}`,
		`{% include x.html a="b" %}`, `{% if a %}Kept{% else %}b{% endif %}`, `{% for p in site.posts %}x{% endfor %}`, `{% link _posts/a.md %}`, `{% post_url 2024-01-02-a %}`,
		`{{ "/a" | relative_url }}`, `{% include {{ page.x }} %}`, `{{< a b="{{ c }}" >}}`, `{{/* comment */}}`, `{{% unknown %}}`, `{{ youtube(id="x") }}`, `{% note() %}Kept{% end %}`,
		"{{raw `<p>Kept</p>`}}", `[[ TOC ]]`, `{% toc %}`, `{: .class #id}`, `:abbr[Kept]{title="x"}`, `[[toc]]`, `[[_TOC_]]`, `${toc}`, `@[toc]`, `{{toc}}`, `{% comment %}gone{% endcomment %}`, `{{< ref "b.md" >}}`,
	}
	places = []string{
		"%s", "Text %s text.", "- item %s\n- b", "1. %s\n\n   more %s", "> quote %s", "| a | b |\n|---|---|\n| %s | c |", "## Heading %s", "<div>\n%s\n</div>", "<p>in %s HTML</p>",
		"<div markdown=\"1\">\n**b** %s\n</div>", "[text](%s)", "![alt %s](a.png)", "<a href=\"%s\">x</a>", "*em %s em*", "Line\n%s\nline", "<details>\n<summary>%s</summary>\n\nx %s\n\n</details>", "- a\n\n  %s\n\n  b",
	}
	codeSpan  = regexp.MustCompile("(`+)[^`].*?`+")
	rawSyntax = regexp.MustCompile(`\{\{[<%/\- .\w"]|\{%|%\}|\{:|\[\[?(?i:_?toc_?)\]|\$\{toc\}`)
)

// outsideCode is a Markdown text without its code.
func outsideCode(s string) string {
	var b strings.Builder
	at := 0
	for _, c := range shortcodes.CodeBlocks(s) {
		b.WriteString(s[at:c.Start])
		at = c.End
	}
	b.WriteString(s[at:])
	return codeSpan.ReplaceAllString(b.String(), "")
}

// TestNoRawSyntax puts every tag into every place.
func TestNoRawSyntax(t *testing.T) {
	for _, place := range places {
		for _, tag := range tags {
			body := "Before.\n\n" + strings.ReplaceAll(place, "%s", tag) + "\n\nAfter.\n"
			got, _ := translate("a.md", body, map[string]string{"title": "T"})
			if raw := rawSyntax.FindString(outsideCode(got)); raw != "" {
				t.Errorf("%q becomes %q, which shows %q", body, got, raw)
			}
			if !strings.Contains(got, "Before.") || !strings.Contains(got, "After.") {
				t.Errorf("%q becomes %q: text around it is lost", body, got)
			}
		}
	}
}

// FuzzNoRawSyntax writes texts of tags in places, one after the other.
func FuzzNoRawSyntax(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{7, 18, 9, 20, 5, 11})
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 24 {
			return
		}
		var b strings.Builder
		for i := 0; i+1 < len(choices); i += 2 {
			b.WriteString("Word.\n\n" + strings.ReplaceAll(places[int(choices[i])%len(places)], "%s", tags[int(choices[i+1])%len(tags)]) + "\n\n")
		}
		got, _ := translate("a.md", b.String(), map[string]string{"title": "T"})
		if raw := rawSyntax.FindString(outsideCode(got)); raw != "" {
			t.Errorf("%q becomes %q, which shows %q", b.String(), got, raw)
		}
	})
}
