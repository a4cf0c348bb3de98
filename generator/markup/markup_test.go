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
	"testing"

	"github.com/google/go-cmp/cmp"

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
	d, err := markup.New(markup.Config{}).Render(in)
	if err != nil {
		t.Fatalf("Render(%q): %v", in.Body.Text, err)
	}
	return d
}

func messages(d *markup.Doc) string {
	var m []string
	for _, p := range d.Problems {
		m = append(m, p.Message)
	}
	return strings.Join(m, "; ")
}

func TestRender(t *testing.T) {
	tests := []struct {
		name     string
		format   site.Format
		in       string
		title    string
		want     string
		problems string // of which the messages hold this
	}{
		// Markdown.
		{name: "paragraph", in: "a *b* **c** `d<` ~~e~~", want: `<p>a <em>b</em> <strong>c</strong> <code>d&lt;</code> <del>e</del></p>`},
		{name: "references and escapes", in: `&copy; &lt; \* \< &#x41; &nosuch; &#0; a & b`,
			want: "<p>© &lt; * &lt; A &amp;nosuch; \ufffd a &amp; b</p>"},
		{name: "hard and soft breaks", in: "a  \nb\nc\\\nd", want: "<p>a<br>\nb\nc<br>\nd</p>"},
		{name: "no blank between Japanese lines", in: "日本語の\n文章です", want: "<p>日本語の文章です</p>"},
		{name: "a blank between Hindi lines", in: "हिन्दी\nपाठ", want: "<p>हिन्दी\nपाठ</p>"},
		{name: "byte order mark, CRLF, NUL", in: "\ufeffa\r\nb\x00c", want: "<p>a\nbc</p>"},
		{name: "control characters", in: "a\x01b\u0085c\x7fd", want: "<p>abcd</p>"},
		{name: "addresses of all kinds",
			in: `[a](../x.md "T") [b](https://e.com/?a=1&b=2) [c](#d) [e](mailto:a@b.c) [f](//e.com/x) [g](<a b.md>) [h](tel:+1)`,
			want: `<p><a href="../x.md" title="T">a</a> <a href="https://e.com/?a=1&amp;b=2">b</a> <a href="#d">c</a> ` +
				`<a href="mailto:a@b.c">e</a> <a href="//e.com/x">f</a> <a href="a%20b.md">g</a> <a href="tel:+1">h</a></p>`},
		{name: "plain addresses", in: "https://e.com/x, www.e.com and a@b.cd <https://x.y>",
			want: `<p><a href="https://e.com/x">https://e.com/x</a>, <a href="http://www.e.com">www.e.com</a> and ` +
				`<a href="mailto:a@b.cd">a@b.cd</a> <a href="https://x.y">https://x.y</a></p>`},
		{name: "scheme refused", in: "[a](javascript:alert(1)) [b](JaVaScRiPt&#58;x) [c](java\\script:x) <vbscript:x> ![p](javascript:x)",
			want: `<p>a b <a href="./java%5Cscript:x">c</a> vbscript:x p</p>`, problems: `begins with "javascript:"`},
		{name: "picture", in: `![a *b* "c"](p.png "T")`, want: `<p><img src="p.png" alt="a b &#34;c&#34;" title="T" loading="lazy" decoding="async"></p>`},
		{name: "picture within a link", in: `[![a](p.png)](x.md)`,
			want: `<p><a href="x.md"><img src="p.png" alt="a" loading="lazy" decoding="async"></a></p>`},
		{name: "footnote within a link", in: "[a[^1]](x.md)\n\n[^1]: n", want: `<p><a href="x.md">a</a></p>` + "\n" +
			`<section class="footnotes" role="doc-endnotes" aria-label="Footnotes">` + "\n<ol>\n" + `<li id="fn:1">` + "\n" +
			`<p>n <a href="#fnref:1" class="footnote-backref" role="doc-backlink" aria-label="Back to reference 1">↩</a></p>` +
			"\n</li>\n</ol>\n</section>"},
		{name: "footnotes", in: "x[^a] y[^a]\n\n[^a]: n", want: `<p>x<sup id="fnref:1"><a href="#fn:1" class="footnote-ref" role="doc-noteref">1</a></sup> ` +
			`y<sup id="fnref:1-2"><a href="#fn:1" class="footnote-ref" role="doc-noteref">1</a></sup></p>` + "\n" +
			`<section class="footnotes" role="doc-endnotes" aria-label="Footnotes">` + "\n<ol>\n" + `<li id="fn:1">` + "\n" +
			`<p>n <a href="#fnref:1" class="footnote-backref" role="doc-backlink" aria-label="Back to reference 1">↩</a> ` +
			`<a href="#fnref:1-2" class="footnote-backref" role="doc-backlink" aria-label="Back to reference 1-2">↩</a></p>` +
			"\n</li>\n</ol>\n</section>"},
		{name: "alert", in: "> [!WARNING]\n> a *b*\n>\n> c", want: `<div class="alert alert-warning" role="note">` + "\n" +
			`<p class="alert-title">Warning</p>` + "\n<p>a <em>b</em></p>\n<p>c</p>\n</div>"},
		{name: "alert with a title", in: "> [!tip]- Do *this*\n> a", want: `<div class="alert alert-tip" role="note">` + "\n" +
			`<p class="alert-title">Do <em>this</em></p>` + "\n<p>a</p>\n</div>"},
		{name: "no alert", in: "> [!x] a", want: "<blockquote>\n<p>[!x] a</p>\n</blockquote>"},
		{name: "tasks", in: "- [x] a\n- [ ] b", want: `<ul class="tasks">` + "\n" +
			`<li class="task"><input type="checkbox" disabled="" checked="" aria-label="Done"> a</li>` + "\n" +
			`<li class="task"><input type="checkbox" disabled="" aria-label="To do"> b</li>` + "\n</ul>"},
		{name: "table", in: "|a|b|\n|:-|-:|\n|1|`x`|", want: `<div class="table-wrap" tabindex="0"><table>` + "\n<thead>\n<tr>\n" +
			`<th class="align-left">a</th>` + "\n" + `<th class="align-right">b</th>` + "\n</tr>\n</thead>\n<tbody>\n<tr>\n" +
			`<td class="align-left">1</td>` + "\n" + `<td class="align-right"><code>x</code></td>` + "\n</tr>\n</tbody>\n</table></div>"},
		{name: "code", in: "```go {hl_lines=[1]}\na < b\n```\n\n    c\n", want: `<pre class="chroma" dir="ltr" tabindex="0"><code class="language-go">a &lt; b` +
			"\n</code></pre>\n" + `<pre class="chroma" dir="ltr" tabindex="0"><code>c` + "\n</code></pre>"},
		{name: "definition list", in: "t\n: d", want: "<dl>\n<dt>t</dt>\n<dd>d</dd>\n</dl>"},
		{name: "ordered list", in: "3. a\n4. b", want: "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>"},
		{name: "comment", in: "a <!-- b --> c\n\n<!-- d -->\n\ne", want: "<p>a  c</p>\n<p>e</p>"},
		{name: "unclosed fence and tags", in: "<div><b>x\n\n```go\nfunc (", want: "<div><b>x\n" +
			`<pre class="chroma" dir="ltr" tabindex="0"><code class="language-go">func (` + "\n</code></pre>\n</b></div>"},
		{name: "template syntax stays", in: "{{ .Title }} {% x %} ${1}", want: "<p>{{ .Title }} {% x %} ${1}</p>"},
		{name: "heading with id and class", in: "## A {#b .align-center .nav}", want: `<h2 id="b" class="align-center">A</h2>`},
		{name: "empty heading", in: "##\n\na", want: "<p>a</p>"},
		{name: "heading that is a picture", in: "# ![](p.png)", want: `<p><img src="p.png" alt="" loading="lazy" decoding="async"></p>`},
		{name: "title dropped", title: "The  Title", in: "[![b](b.svg)](x)\n\n# The *title*\n\n## A\n\n### B\n\n## The Title",
			want: `<p><a href="x"><img src="b.svg" alt="b" loading="lazy" decoding="async"></a></p>` +
				"\n<h2 id=\"a\">A</h2>\n<h3 id=\"b\">B</h3>\n<h2 id=\"the-title\">The Title</h2>"},
		{name: "fragments of other tools", in: "## Foo & Bar\n\n[x](#foo-bar) [y](#Foo--Bar) [z](#none)",
			want: `<h2 id="foo--bar">Foo &amp; Bar</h2>` + "\n" + `<p><a href="#foo--bar">x</a> <a href="#foo--bar">y</a> <a href="#none">z</a></p>`},

		// Markdown with raw HTML.
		{name: "raw HTML", in: "a <kbd>K</kbd> H<sub>2</sub>O <abbr title=\"x\">y</abbr>\n\n<details><summary>s</summary>\n\n*t*\n\n</details>",
			want: "<p>a <kbd>K</kbd> H<sub>2</sub>O <abbr title=\"x\">y</abbr></p>\n<details><summary>s</summary>\n<p><em>t</em></p>\n</details>"},
		{name: "ruby", in: "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", want: "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby></p>"},
		{name: "direction and language", format: site.HTML, in: `<p dir="RTL" lang="ar">x</p><p dir="up" lang="?">y</p>`,
			want: `<p lang="ar" dir="rtl">x</p><p>y</p>`},
		{name: "scripts and handlers", in: "<script>alert(1)</script>\n\n<img src=x onerror=\"alert(2)\">\n\n<svg onload=alert(3)></svg>" +
			"<iframe srcdoc=\"<script>alert(4)</script>\"></iframe>\n\nok",
			want: `<img src="x" alt="" loading="lazy" decoding="async">` + "\n<p>ok</p>", problems: "a script in the body was dropped"},
		{name: "padded javascript", in: `<a href="  java&#10;script:alert(1)">d</a>`, want: "<p>d</p>", problems: `"java`},

		// Stored HTML.
		{name: "outer article", format: site.HTML, in: "<article><p>a</p></article>", want: "<p>a</p>"},
		{name: "whole document", format: site.HTML, in: "<!DOCTYPE html><html><head><title>x</title><style>body{display:none}</style></head><body><p>a</p></body></html>",
			want: "<p>a</p>"},
		{name: "CKEditor picture", format: site.HTML,
			in:   `<figure class="image image_resized image-style-side" style="width:48.2%;"><img style="aspect-ratio:1/1" src="a.png" width="640" height="480" srcset="b 2x"><figcaption>c</figcaption></figure>`,
			want: `<figure class="image float-right size-50"><img src="a.png" width="640" height="480" alt="" loading="lazy" decoding="async"><figcaption>c</figcaption></figure>`},
		{name: "CKEditor media", format: site.HTML,
			in: `<figure class="media"><oembed url="https://youtu.be/dQw4w9WgXcQ?t=1m5s"></oembed></figure>`,
			want: `<div class="embed"><iframe src="https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=65" title="YouTube video" ` +
				`loading="lazy" allow="fullscreen; picture-in-picture; encrypted-media" allowfullscreen="" ` +
				`referrerpolicy="strict-origin-when-cross-origin" ` +
				`sandbox="allow-scripts allow-same-origin allow-presentation allow-popups allow-popups-to-escape-sandbox"></iframe></div>`},
		{name: "media elsewhere", format: site.HTML, in: `<figure class="media"><oembed url="https://x.example/v/1"></oembed></figure>`,
			want: `<p><a href="https://x.example/v/1">https://x.example/v/1</a></p>`, problems: "x.example) became a link"},
		{name: "iframe elsewhere in text", format: site.HTML, in: `<p>a <iframe src="https://x.example/v" title="V"></iframe></p>`,
			want: `<p>a <a href="https://x.example/v">V</a></p>`, problems: "became a link"},
		{name: "video", format: site.HTML, in: `<video controls><source src="v.mp4"></video>`, want: `<p><a href="v.mp4">v.mp4</a></p>`, problems: "video"},
		{name: "CKEditor table", format: site.HTML,
			in: `<figure class="table" style="float:right"><table style="border:1px"><tbody><tr><td style="text-align:right" colspan="2">1</td></tr></tbody></table></figure>`,
			want: `<figure class="table float-right"><div class="table-wrap" tabindex="0"><table><tbody><tr><td colspan="2" class="align-right">1</td>` +
				`</tr></tbody></table></div></figure>`},
		{name: "CKEditor to-do list", format: site.HTML,
			in:   `<ul class="todo-list"><li><label class="todo-list__label"><input type="checkbox" disabled="disabled" checked="checked"><span class="todo-list__label__description">a</span></label></li></ul>`,
			want: `<ul class="tasks"><li class="task"><input type="checkbox" disabled="" checked="" aria-label="Done"> a</li></ul>`},
		{name: "TipTap task list", format: site.HTML,
			in:   `<ul data-type="taskList"><li data-checked="false"><label><input type="checkbox"><span></span></label><div><p>a</p></div></li></ul>`,
			want: `<ul class="tasks"><li class="task"><input type="checkbox" disabled="" aria-label="To do"> a</li></ul>`},
		{name: "marks and colours", format: site.HTML,
			in: `<p><mark data-color="#fde68a" style="background-color:#fde68a;color:inherit">a</mark><mark class="marker-green">b</mark>` +
				`<span style="color:rgb(200, 0, 0)">c</span><span style="color:#000">d</span><span style="font-weight:700">e</span></p>`,
			want: `<p><mark class="mark-yellow">a</mark><mark class="mark-green">b</mark><span class="text-red">c</span>d<strong>e</strong></p>`},
		{name: "alignment", format: site.HTML, in: `<p style="text-align: center !important">a</p><center>b</center><p align="right">c</p>`,
			want: `<p class="align-center">a</p><div class="align-center">b</div><p class="align-right">c</p>`},
		{name: "empty paragraphs", format: site.HTML, in: "<p>&nbsp;</p><p>a</p><p><br></p>", want: "<p>a</p>"},
		{name: "classes and ids", format: site.HTML, in: `<div class="fs-x site-header alert" id="fs-top">a</div><a name="b c"></a><p id="x">d</p><p id="x">e</p>`,
			want: `<div id="c-fs-top" class="alert">a</div><a id="bc"></a><p id="x">d</p><p id="x-1">e</p>`},
		{name: "link to the theme's id", format: site.HTML, in: `<a href="#fs-top">a</a><p id="fs-top">b</p>`, want: `<a href="#c-fs-top">a</a><p id="c-fs-top">b</p>`},
		{name: "new window", format: site.HTML, in: `<a href="https://e.com" target="_blank" rel="nofollow opener">a</a><a href="/x" target="top">b</a>`,
			want: `<a href="https://e.com" target="_blank" rel="nofollow noopener">a</a><a href="/x">b</a>`},
		{name: "code of another highlighter", format: site.HTML, in: `<div class="highlight"><pre class="z"><code class="hljs language-JS"><span class="k">let</span> a<br>b</code></pre></div>`,
			want: `<div><pre class="chroma" dir="ltr" tabindex="0"><code class="language-js">let a` + "\nb</code></pre></div>"},
		{name: "forms", format: site.HTML, in: `<form action="/x"><label>a</label><input name="q"><button>b</button><select><option>c</select>d</form>`,
			want: "ad", problems: "a button"},
		{name: "landmarks", format: site.HTML, in: "<header>a</header><main>b</main><nav>c</nav><aside>d</aside>", want: "<div>a</div><div>b</div><div>c</div><div>d</div>"},
		{name: "block in a paragraph", format: site.HTML, in: "<p>a<object><p>b</p></object>c</p>", want: "<p>ac</p>", problems: "object"},

		// Editor JSON.
		{name: "TipTap", format: site.TipTap, in: `{"type":"doc","content":[{"type":"heading","attrs":{"level":2,"textAlign":"right"},"content":[{"type":"text","text":"H"}]},` +
			`{"type":"paragraph","content":[{"type":"text","text":"a<"},{"type":"text","text":"b","marks":[{"type":"bold"},{"type":"link","attrs":{"href":"/x","target":"_blank"}}]},` +
			`{"type":"text","text":"c","marks":[{"type":"link","attrs":{"href":"/x","target":"_blank"}}]},{"type":"hardBreak"}]},{"type":"horizontalRule"}]}`,
			want: `<h2 id="h" class="align-right">H</h2><p>a&lt;<a href="/x" target="_blank" rel="noopener"><strong>b</strong>c</a><br></p><hr>`},
		{name: "TipTap blocks", format: site.TipTap, in: `{"type":"doc","content":[{"type":"codeBlock","attrs":{"language":"go"},"content":[{"type":"text","text":"a & b"}]},` +
			`{"type":"taskList","content":[{"type":"taskItem","attrs":{"checked":true},"content":[{"type":"paragraph","content":[{"type":"text","text":"t"}]}]}]},` +
			`{"type":"orderedList","attrs":{"start":3},"content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"l"}]}]}]},` +
			`{"type":"image","attrs":{"src":"p.png","alt":"A","title":null,"width":100}},{"type":"youtube","attrs":{"src":"https://www.youtube.com/watch?v=dQw4w9WgXcQ","start":7}},` +
			`{"type":"table","content":[{"type":"tableRow","content":[{"type":"tableHeader","attrs":{"colspan":2},"content":[{"type":"paragraph","content":[{"type":"text","text":"x"}]}]}]}]}]}`,
			want: `<pre class="chroma" dir="ltr" tabindex="0"><code class="language-go">a &amp; b</code></pre>` +
				`<ul class="tasks"><li class="task"><input type="checkbox" disabled="" checked="" aria-label="Done"> t</li></ul>` +
				`<ol start="3"><li><p>l</p></li></ol><img src="p.png" width="100" alt="A" loading="lazy" decoding="async">` +
				`<div class="embed"><iframe src="https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=7" title="YouTube video" loading="lazy" ` +
				`allow="fullscreen; picture-in-picture; encrypted-media" allowfullscreen="" referrerpolicy="strict-origin-when-cross-origin" ` +
				`sandbox="allow-scripts allow-same-origin allow-presentation allow-popups allow-popups-to-escape-sandbox"></iframe></div>` +
				`<div class="table-wrap" tabindex="0"><table><tbody><tr><th colspan="2"><p>x</p></th></tr></tbody></table></div>`},
		{name: "TipTap unknown node and mark", format: site.TipTap, in: `{"type":"doc","content":[{"type":"blob","content":[{"type":"paragraph","content":[{"type":"text","text":"a","marks":[{"type":"glow"}]}]}]}]}`,
			want: "<p>a</p>", problems: `unknown editor node "blob"`},
		{name: "TipTap empty", format: site.TipTap, in: `{"type":"doc","content":[]}`, want: ""},
		{name: "TipTap attack", format: site.TipTap, in: `{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"<script>alert(1)</script>"},` +
			`{"type":"text","text":"a","marks":[{"type":"link","attrs":{"href":"javascript:alert(1)"}}]}]},{"type":"image","attrs":{"src":"x\" onerror=\"alert(1)"}}]}`,
			want: `<p>&lt;script&gt;alert(1)&lt;/script&gt;a</p><img src="x%22%20onerror=%22alert(1)" alt="" loading="lazy" decoding="async">`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.format == "" {
				tt.format = site.Markdown
			}
			d := render(t, markup.Input{Format: tt.format, Title: tt.title, Body: site.Body{Text: []byte(tt.in), Line: 1}, File: "f.md"})
			got := flat(d)
			if got != tt.want {
				t.Errorf("Render(%q)\n got %s\nwant %s", tt.in, got, tt.want)
			}
			if m := messages(d); tt.problems != "" && !strings.Contains(m, tt.problems) {
				t.Errorf("Render(%q): problems %q, want one with %q", tt.in, m, tt.problems)
			}
			if again := flat(render(t, markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(got)}})); again != got {
				t.Errorf("rendered again\n got %s\nwant %s", again, got)
			}
			if tt.format == site.Markdown {
				in := markup.Input{Format: site.Markdown, Title: tt.title, Body: site.Body{Text: []byte(tt.in)}}
				full := markup.New(markup.Config{}).RenderSanitised(in)
				if f := flat(full); f != got {
					t.Errorf("through the sanitiser\n got %s\nwant %s", f, got)
				}
				if diff := cmp.Diff(d.Headings, full.Headings); diff != "" || d.Words != full.Words || d.Picture != full.Picture {
					t.Errorf("through the sanitiser: %d words, picture %q, want %d, %q; headings (-want +got):\n%s",
						full.Words, full.Picture, d.Words, d.Picture, diff)
				}
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
		{name: "ids are unique", in: "## A\n## A\n## A-1\n## A", want: []markup.Heading{{2, "a", "A"}, {2, "a-1", "A"}, {2, "a-1-1", "A-1"}, {2, "a-2", "A"}}},
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
	d := render(t, markup.Input{Format: site.Markdown, Body: site.Body{
		Text: []byte("Five words *are* here now\n\n![](https://e.com/a.png)\n\n日本\n\n```\nnot these\n```\n\n[x](a.md) [y](a.md#b) ![z](p.png)")}})
	want := []markup.Ref{{URL: "a.md"}, {URL: "a.md#b"}, {URL: "p.png", Picture: true}}
	if diff := cmp.Diff(want, d.Refs); diff != "" {
		t.Errorf("refs (-want +got):\n%s", diff)
	}
	if d.Words != 5+2+2 || d.Picture != "https://e.com/a.png" {
		t.Errorf("%d words, picture %q, want 9 and https://e.com/a.png", d.Words, d.Picture)
	}
}

func TestAppend(t *testing.T) {
	d := render(t, markup.Input{Format: site.HTML, Body: site.Body{
		Text: []byte(`<a href="x.md">l</a><img src="a.png" alt="A"><img src="a.png" width="100"><img src="b.png" height="10" width="20">`)}})
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
		"Markdown": {Format: site.Markdown, Body: site.Body{Text: []byte("![a](" + uri + ") ![b](" + uri + ")")}},
		"HTML":     {Format: site.HTML, Body: site.Body{Text: []byte(`<p><img alt="a" src="` + uri + `"> <img alt="b" src="` + uri + `" data-embedded="7"></p>`)}},
		"TipTap":   {Format: site.TipTap, Body: site.Body{Text: []byte(`{"type":"doc","content":[{"type":"image","attrs":{"alt":"a","src":"` + uri + `"}}]}`)}},
		"any type": {Format: site.Markdown, Body: site.Body{Text: []byte("![a](data:image/jpeg;base64," + data + ")")}},
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
		d := render(t, markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(`<img src="` + strings.ReplaceAll(src, "<", "&lt;") + `" alt="a">`)}})
		if got := flat(d); got != "a" || len(d.Embedded) != 0 || len(d.Problems) != 1 {
			t.Errorf("%s: %s with %d problems, want the text alone and one problem", src, got, len(d.Problems))
		}
	}
	forged := render(t, markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(`<img data-embedded="1" alt="a">`)}})
	if got := flat(forged); got != "a" {
		t.Errorf("a forged number: %s, want a", got)
	}
}

func TestErrors(t *testing.T) {
	for _, text := range []string{"{", `"x"`, "[1] 2", `{"blocks":[]}`, strings.Repeat("[", 20000)} {
		_, err := markup.New(markup.Config{}).Render(markup.Input{Format: site.TipTap, File: "posts/x", Body: site.Body{Text: []byte(text)}})
		p, ok := errors.AsType[*diag.Problem](err)
		if !ok || p.File != "posts/x" || p.Severity != diag.Error || p.Remedy == "" {
			t.Errorf("Render(%.20q) = %v, want an error that names the file and a remedy", text, err)
		}
	}
	if _, err := markup.New(markup.Config{}).Render(markup.Input{Format: "docx", File: "x"}); err == nil {
		t.Error("an unknown format is no error")
	}
}

func TestBounds(t *testing.T) {
	nested := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	json := `{"type":"doc","content":[` + nested(`{"type":"blockquote","content":[`, `{"type":"paragraph","content":[{"type":"text","text":"deep"}]}`, `]}`, 3000) + `]}`
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
		{"brackets", site.Markdown, strings.Repeat("[", 50000) + "deep", false},
		{"emphasis", site.Markdown, strings.Repeat("*a _b", 20000) + "deep", false},
		{"links", site.Markdown, strings.Repeat("[a](", 10000) + "deep", false},
		{"too many links", site.Markdown, strings.Repeat("[a](", 500000) + "deep", true},
		{"too much emphasis", site.Markdown, strings.Repeat("*a _b", 500000) + "deep", true},
		{"headings of one name", site.Markdown, strings.Repeat("# a\n", 50000) + "deep", false},
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
			if tt.plain && bytes.Contains(bytes.ReplaceAll(bytes.ReplaceAll(d.HTML, []byte("<p>"), nil), []byte("</p>"), nil), []byte("<")) {
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
	first, err := r.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != 1 || len(first.Problems) == 0 {
		t.Fatalf("%d entries in the memo, %d problems; want 1 and some", len(m), len(first.Problems))
	}
	second, err := r.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
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
	if _, ok := r.Cached(in); ok {
		t.Error("another language has the same rendering")
	}
	for k := range m {
		m[k] = m[k][:len(m[k])/2]
	}
	in.Lang = ""
	if _, ok := r.Cached(in); ok {
		t.Error("a damaged entry was used")
	}
	in.Body.Text = text
	if d, err := r.Render(in); err != nil || !bytes.Equal(d.HTML, first.HTML) {
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
		got := flat(render(t, markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(`<iframe src="` + strings.ReplaceAll(in, `"`, "&quot;") + `"></iframe>`)}}))
		if want == "" {
			if strings.Contains(got, "<iframe") {
				t.Errorf("%s was embedded: %s", in, got)
			}
		} else if !strings.Contains(got, `<iframe src="`+want+`"`) {
			t.Errorf("%s: %s, want a frame of %s", in, got, want)
		}
	}
}
