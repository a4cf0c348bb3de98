package contentdir_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/site"
)

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
		for i, code := range contentdir.CodeLines(in) {
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
		got, kinds := contentdir.Translate("a.md", test.in, map[string]string{"v": "1.10"})
		if got != test.want || strings.Join(kinds, ", ") != test.kinds {
			t.Errorf("%s: Translate(%q) =\n%q, %q, want\n%q, %q", test.name, test.in, got, kinds, test.want, test.kinds)
		}
	}
}

// TestRevision changes each field of a file that can appear on a page and expects another revision; other changes
// keep it.
func TestRevision(t *testing.T) {
	base := map[string]string{"title": "T", "date": "2024-01-02", "description": "D"}
	render := func(change map[string]string, body string) site.Document {
		dir := t.TempDir()
		var b strings.Builder
		b.WriteString("---\n")
		for _, k := range []string{"title", "date", "description"} {
			v, ok := change[k]
			if !ok {
				v = base[k]
			}
			fmt.Fprintf(&b, "%s: %s\n", k, v)
		}
		for k, v := range change {
			if base[k] == "" {
				fmt.Fprintf(&b, "%s: %s\n", k, v)
			}
		}
		b.WriteString("---\n" + body)
		write(t, dir, "blog/a.md", []byte(b.String()))
		ch := scan(t, newSource(t, dir, nil), nil)
		if len(ch.Put) != 1 {
			t.Fatalf("%v gives %v, %v", change, ch.Put, ch.Problems)
		}
		return ch.Put[0]
	}
	first := render(nil, "Text\n")
	for _, change := range []map[string]string{
		{"title": "U"}, {"date": "2024-01-03"}, {"description": "E"}, {"tags": "[a]"}, {"author": "Ann"}, {"cover": "a.png"}, {"draft": "true"}, {"lastmod": "2024-02-02"},
		{"expiryDate": "2030-01-01"}, {"aliases": "[/x]"}, {"slug": "b"}, {"lang": "hi"}, {"featured": "true"}, {"seo": "{title: X}"}, {"keywords": "[a]"},
		{"canonical": "https://example.org/"}, {"noindex": "true"},
	} {
		if d := render(change, "Text\n"); d.DocRevision() == first.DocRevision() {
			t.Errorf("the revision is the same with %v", change)
		}
	}
	if d := render(nil, "Text!\n"); d.DocRevision() == first.DocRevision() {
		t.Error("the revision is the same with another body")
	}
	for _, change := range []map[string]string{nil, {"views": "12"}, {"layout": "post"}, {"unheard_of_by_all": "x"}} {
		if d := render(change, "Text\n"); d.DocRevision() != first.DocRevision() {
			t.Errorf("the revision differs with %v", change)
		}
	}
	if v := render(map[string]string{"views": "12"}, "Text\n").(*site.Post).Views; v != 12 {
		t.Errorf("views = %d, want 12", v)
	}
	// All fields of a document are in its digest, but for those named here.
	for _, f := range reflect.VisibleFields(reflect.TypeFor[site.Post]()) {
		if !f.IsExported() {
			t.Errorf("Post.%s is not in the revision", f.Name)
		}
	}
}
