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
