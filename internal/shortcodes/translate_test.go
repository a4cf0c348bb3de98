package shortcodes_test

import (
	"fmt"
	"strings"
	"testing"

	"freshet/internal/shortcodes"
)

// translate translates a body and lists the kinds left out.
func translate(name, body string, params map[string]string) (string, []string) {
	out, uses := shortcodes.Translate(body, shortcodes.Options{MDX: shortcodes.IsMDX(name, body), Line: 1,
		Param: func(k string) (string, bool) { v, ok := params[k]; return v, ok }})
	var kinds []string
	for _, u := range uses {
		kinds = append(kinds, fmt.Sprintf("%s ×%d at %d:%d", u.Kind, u.Count, u.Line, u.Col))
	}
	return out, kinds
}

// codeLines reports for each line of a body whether it is code.
func codeLines(body string) []bool {
	code := shortcodes.CodeBlocks(body)
	var out []bool
	at := 0
	for _, l := range strings.SplitAfter(body, "\n") {
		in := false
		for _, c := range code {
			in = in || at >= c.Start && at < c.End
		}
		out = append(out, in)
		at += len(l)
	}
	return out
}

func TestCodeLines(t *testing.T) {
	// Lines that hold x are code, the others are not.
	for _, in := range []string{
		"```x\nx\n```\na\n",
		"~~~x\n```x\n~~~\na\n",
		"````x\n```x\n````\na\n",
		"a\n    a\n",
		"a\n\n    x\n\n    x\na\n",
		"\tx\n",
		"- a\n\n  a\n\n      x\n",
		"- a\n\n    a\n",
		"1. a\n\n       x\n",
		"> ```x\n> x\na\n",
		">     x\n",
		"- ```x\n  x\na\n",
		"> - a\n>\n>       x\n",
		"<pre>x\n\nx\n</pre>x\na\n",
		"<!-- x\n\nx -->\na\n",
		"# a\n    x\n",
		"a\n===\n    x\n",
		"[^1]: a\n\n    a\n",
		"``` `a`\na\n",
		"a ``` a\n",
	} {
		lines := strings.Split(in, "\n")
		for i, code := range codeLines(in) {
			if strings.Trim(lines[i], " `~") != "" && code != strings.Contains(lines[i], "x") {
				t.Errorf("CodeLines(%q): line %d is %v", in, i+1, code)
			}
		}
	}
}

// TestTranslate has what the trees in testdata do not.
func TestTranslate(t *testing.T) {
	for _, test := range []struct{ name, in, want, kinds string }{
		{"plain", "a {b} c", "a {b} c", ""},
		{"TeX", "$x_{{ab}} + \\frac{{a}}{b}$", "$x_{{ab}} + \\frac{{a}}{b}$", ""},
		{"heading id", "# A {#id}", "# A {#id}", ""},
		{"Pandoc spans", "[commit]{#c} [b]{.x} [d]{e} [f](g) [h]", "<span id=\"c\">commit</span> b [d]{e} [f](g) [h]", ""},
		{"escaped braces", `\{{ x }}`, `\{{ x }}`, ""},
		{"unclosed", "a {{< b", "a {{< b", ""},
		{"closing tag alone", "a{{< /b >}}c", "ac", ""},
		{"lines keep their numbers", "a {{< x\ny\n>}} b\nc", "a \n\n b\nc", `Hugo shortcode "x" ×1 at 1:3`},
		{"nested tags of one name", "{{< zz >}}1{{< zz >}}2{{< /zz >}}3{{< /zz >}}", "123", `Hugo shortcode "zz" ×2 at 1:1`},
		{"mustaches", "{{{ raw }}} {{ x }}", " ", `template expression ×2 at 1:1`},
		{"GitHub Actions in code", "`${{ x }}`", "`${{ x }}`", ""},
		{"Go comment", "a{{/* x */}}b", "ab", ""},
		{"go actions", "{{ range .X }}a{{ end }} {{ .Site.Title }}", "a ", `Go template action ×3 at 1:1`},
		{"parameter", `{{< param "v" >}} {{ page.v }} {{ .Params.v }} {{% param none %}}`, "1.10 1.10 1.10 ", `Hugo parameter "none" ×1 at 1:48`},
		{"vimeo", "{{ vimeo(id=\"1\") }}", `<figure class="media"><oembed url="https://vimeo.com/1"></oembed></figure>`, ""},
		{"gist", "{{< gist ann 123 >}}", "[https://gist.github.com/ann/123](https://gist.github.com/ann/123)", ""},
		{"tweet", `{{< tweet user="ann" id="1" >}}`, "[https://x.com/ann/status/1](https://x.com/ann/status/1)", ""},
		{"alert inline", "{{% notice tip %}}Boil it.{{% /notice %}}", "> [!TIP]\n> Boil it.\n", ""},
		{"zola end", "{% detail(title=\"T\") %}a{% end %}", "a", `Zola shortcode "detail" ×1 at 1:1`},
		{"div in a list", "- a\n  ::: note\n  b\n  :::\n", "- a\n  > [!NOTE]\n  > b\n\n", ""},
		{"div attributes", "::: {.warning #x}\na\n:::\n", "> [!WARNING]\n> a\n\n", ""},
		{"colons in text", "a ::: b\n", "a ::: b\n", ""},
		{"script", "<script>\nif (a) {{ b }}\n</script>\n", "<script>\nif (a) {{ b }}\n</script>\n", ""},
		{"comment", "<!-- {{ x }} --> {{ y }}", "<!-- {{ x }} --> ", `template expression ×1 at 1:18`},
		{"code element", "<code>{{ x }}</code> {{ y }}", "<code>{{ x }}</code> ", `template expression ×1 at 1:22`},
		{"shortcode of code", "{{< highlight go >}}a := 1{{< /highlight >}}", "```go\na := 1\n```", ""},
		{"fence in a shortcode of code", "{% highlight md %}\n```\na\n```\n{% endhighlight %}", "````md\n```\na\n```\n````", ""},
		{"hostile lang", "{{< highlight \"a\\n# b\" >}}\nx\n{{< /highlight >}}", "```\nx\n```", ""},
		{"hostile caption", `{{< figure src="a\"><script>" caption="<b>x</b> [a](javascript:x)" >}}`,
			`<figure><img src="a&#34;&gt;&lt;script&gt;" alt="&lt;b&gt;x&lt;/b&gt; a"><figcaption>&lt;b&gt;x&lt;/b&gt; <a href="javascript:x">a</a></figcaption></figure>`, ""},
	} {
		got, kinds := translate("a.md", test.in, map[string]string{"v": "1.10"})
		if got != test.want || strings.Join(kinds, ", ") != test.kinds {
			t.Errorf("%s: Translate(%q) =\n%q, %q, want\n%q, %q", test.name, test.in, got, kinds, test.want, test.kinds)
		}
	}
}

// TestHostileText reads text made to be slow: openings that nothing closes. It takes for ever if anything is
// quadratic in them.
func TestHostileText(t *testing.T) {
	const size = 1 << 15
	for _, unit := range []string{
		"{{<", "{{< a >}}", "{{< /a >}}", "{{< a \"", "{{ a", "{{", "{%", "{% a %}", "{% raw %}", "{#", "{:", "{", "`", "` `` ", "``` ", "[", "](", "[a](", "![", "<!--", "<a ='", "<", "<code>",
		":::", ":::a\n", ":::\n", "> ", "- ", "1. ", "    ", "\t", "<pre>", "import a from 'b'\n", "export {\n", "<A {", "<A>", "*", "_", "&", "\\", "|", "a\n", "#", "=\n", "\n", "![](a){b=\"", "){",
		"{{a `", "{{ `", "{% highlight %}", "{{< highlight >}}", "{% comment %}{% endcomment", "<div markdown=1>", "<div markdown=1></div>", ":a[", ":a[]{", ":a{", "[toc]", "[[toc", "@[toc](", "<a \"", "<div>\n",
		"<div>\n{{< note >}}\n", "|a|\n|-|\n", "{{< note >}}", "{::comment}", "{:/", "<div>{{ x", "](({{", "{% raw %}`", "{{/*", "endhighlight{% highlight %}", "{% raw %}{% endraw",
	} {
		text := strings.Repeat(unit, size/len(unit))
		for _, name := range []string{"a.md", "a.mdx"} {
			translate(name, text, nil)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for _, s := range []string{
		"{{< youtube abc >}}", "a {{% param x %}} b", "{{< tabs >}}\n{{< tab a >}}x{{< /tab >}}\n{{< /tabs >}}", "{% raw %}{{ x }}{% endraw %}", "{% if a %}b{% else %}c{% endif %}",
		"```\n{{ x }}\n```\n", "    {{ x }}\n", "`{{ x }}` {{ y }}", ":::: note\n::: tip\na\n:::\n::::\n", "{{</* x */>}}", "![](a.png){alt='b'}", "{{<a>}}{{<b>}}{{</a>}}{{</b>}}",
		"> ```\n> {{ x }}\n", "- a\n\n      {{ x }}\n", "import A from 'a'\n\n<A b={{c: 1}}>d</A> {e}\n", "<!-- {{ x }} -->", "{{{ x }}}", "{%", "{{", "{#", "{: .a}", "](@/a.md)", "~~~\n{{ x }}\n~~~\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<16 {
			return
		}
		for _, name := range []string{"a.md", "a.mdx"} {
			translate(name, s, nil)
		}
		// What stands in a fence stays, whatever is around it.
		const code = "\n\n```go\n{{ x }} {{< y >}} {% z %} ::: <A/>\n```\n\n"
		if strings.ContainsAny(s, "`~<{:>\t\\") || strings.Contains(s, "import") || strings.Contains(s, "export") {
			return
		}
		got, _ := translate("a.md", s+code, nil)
		if !strings.Contains(got, code[2:len(code)-1]) && !codeLines(s + "\n\nx\n")[strings.Count(s, "\n")+2] {
			t.Errorf("Translate(%q) changed the code: %q", s+code, got)
		}
	})
}
