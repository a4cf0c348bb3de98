package contentdir_test

import (
	"strings"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/site"
)

// TestHostileText reads text made to be slow: openings that nothing closes. It takes for ever if anything is
// quadratic in them.
func TestHostileText(t *testing.T) {
	const size = 1 << 17
	for _, unit := range []string{
		"{{<", "{{< a >}}", "{{< /a >}}", "{{< a \"", "{{ a", "{{", "{%", "{% a %}", "{% raw %}", "{#", "{:", "{", "`", "` `` ", "``` ", "[", "](", "[a](", "![", "<!--", "<a ='", "<", "<code>",
		":::", ":::a\n", ":::\n", "> ", "- ", "1. ", "    ", "\t", "<pre>", "import a from 'b'\n", "export {\n", "<A {", "<A>", "*", "_", "&", "\\", "|", "a\n", "#", "=\n", "\n", "![](a){b=\"", "){",
	} {
		text := strings.Repeat(unit, size/len(unit))
		for _, name := range []string{"a.md", "a.mdx"} {
			contentdir.Translate(name, text, nil)
		}
		site.Excerpt(site.Markdown, text)
		site.Minutes(site.Markdown, text)
		site.PlainText(site.Markdown, text)
	}
}

// TestHostileFrontMatter reads front matter made to be deep or large.
func TestHostileFrontMatter(t *testing.T) {
	for _, dialect := range [][2]string{{"---\n", "\n---\n"}, {"+++\na = ", "\n+++\n"}, {"{\"a\": ", "}\n"}} {
		for _, unit := range []string{"[", "{", "- ", "? ", "a: ", "{a: ", "[{", "&a ", "!!str ", "\"", "a:\n", "- - ", "a.", "[[", ">\n ", "*a,", "#", "a: b\n"} {
			for _, size := range []int{8_000, 200_000} {
				data := dialect[0] + strings.Repeat(unit, size/len(unit)) + dialect[1]
				problems, _, _ := contentdir.ParseProblems("a.md", []byte(data))
				if len(problems) == 0 && size > 128<<10 && !strings.HasPrefix(data, "{") {
					t.Errorf("%q × %d gives no problem", unit, size/len(unit))
				}
			}
		}
	}
}
