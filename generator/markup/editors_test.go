package markup_test

import (
	"strings"
	"testing"

	"freshet/generator/markup"
	"freshet/internal/site"
)

func TestEditors(t *testing.T) {
	const box, done = `<input type="checkbox" disabled="" aria-label="To do">`, `<input type="checkbox" disabled="" checked="" aria-label="Done">`
	for _, tt := range []struct {
		name, body, want string
		format           site.Format
	}{
		{"Google Docs", `<b style="font-weight:normal;" id="docs-internal-guid-1"><p><span style="font-weight:400">a</span> <span style="font-weight:700">b</span></p></b>`, "<p>a <strong>b</strong></p>", site.HTML},
		{"negated", `<p><strong style="font-weight: 400">a</strong> <i style="font-style:normal">b</i> <u style="text-decoration:none">c</u> <s style="text-decoration-line: none">d</s></p>`, "<p>a b c d</p>", site.HTML},
		{"not negated", `<p><b style="font-weight:600">a</b> <i style="color:black">b</i> <u style="text-decoration:underline">c</u></p>`, "<p><b>a</b> <i>b</i> <u>c</u></p>", site.HTML},
		{"negated with an id", `<p><b id="x" style="font-weight:normal">a</b></p>`, `<p><span id="x">a</span></p>`, site.HTML},
		{"Quill 2", `<ol><li data-list="bullet"><span class="ql-ui"></span>a</li><li data-list="ordered" class="ql-indent-1">b</li><li data-list="ordered" class="ql-indent-2">c</li><li data-list="bullet">d</li></ol>`,
			"<ul><li>a<ol><li>b<ol><li>c</li></ol></li></ol></li><li>d</li></ul>", site.HTML},
		{"Quill 1", `<ul><li>a</li><li class="ql-indent-1">b</li><li>c</li></ul><ol><li>d</li><li class="ql-indent-1 ql-align-right">e</li></ol>`,
			`<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d<ol><li class="align-right">e</li></ol></li></ol>`, site.HTML},
		{"Quill, kinds that follow each other", `<ol><li data-list="ordered">a</li><li data-list="bullet">b</li></ol>`, "<ol><li>a</li></ol><ul><li>b</li></ul>", site.HTML},
		{"Quill, deeper than its parent", `<ol><li data-list="bullet" class="ql-indent-4">a</li></ol>`, "<ul><li>a</li></ul>", site.HTML},
		{"Quill, tasks", `<ol><li data-list="checked">a</li><li data-list="unchecked">b</li></ol>`,
			`<ul class="tasks"><li class="task">` + done + ` a</li><li class="task">` + box + ` b</li></ul>`, site.HTML},
		{"Quill 1, tasks", `<ul data-checked="true"><li>a</li></ul><ul data-checked="false"><li>b</li></ul>`,
			`<ul class="tasks"><li class="task">` + done + ` a</li></ul><ul class="tasks"><li class="task">` + box + ` b</li></ul>`, site.HTML},
		{"Quill, code and alignment", `<div class="ql-code-block-container"><div class="ql-code-block" data-language="plain">a &lt; b</div><div class="ql-code-block">c</div></div><p class="ql-align-center">d</p>`,
			`<pre class="chroma" dir="ltr" tabindex="0"><code>a &lt; b` + "\nc\n" + `</code></pre><p class="align-center">d</p>`, site.HTML},
		{"Quill, formula", `<p>a <span class="ql-formula" data-value="e=mc^2"><span>garbage</span></span></p>`, "<p>a <code>e=mc^2</code></p>", site.HTML},
		{"TipTap, formulas", `{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"So "},{"type":"inlineMath","attrs":{"latex":"a < b"}}]},{"type":"blockMath","attrs":{"latex":"c"}}]}`,
			`<p>So <code>a &lt; b</code></p><pre class="chroma" dir="ltr" tabindex="0"><code>c</code></pre>`, site.TipTap},
		{"TipTap, columns", `{"type":"doc","content":[{"type":"table","content":[{"type":"tableRow","content":[{"type":"tableCell","attrs":{"colspan":2,"colwidth":[100,200]},"content":[{"type":"text","text":"a"}]},{"type":"tableCell","attrs":{"colwidth":[100]},"content":[{"type":"text","text":"b"}]}]}]}]}`,
			`<div class="table-wrap" tabindex="0"><table><colgroup><col width="25%"><col width="50%"><col width="25%"></colgroup><tbody><tr><td colspan="2">a</td><td>b</td></tr></tbody></table></div>`, site.TipTap},
		{"columns of stored HTML", `<table><colgroup><col style="width: 120px"><col width="40%"><col style="width:calc(1px)"></colgroup><tr><td>a</td></tr></table>`,
			`<div class="table-wrap" tabindex="0"><table><colgroup><col width="120"><col width="40%"><col></colgroup><tbody><tr><td>a</td></tr></tbody></table></div>`, site.HTML},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := markup.New(markup.Config{}).Render(t.Context(), source(tt.format, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := flat(d); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			again, err := markup.New(markup.Config{}).Render(t.Context(), source(site.HTML, flat(d)))
			if err != nil || flat(again) != flat(d) {
				t.Errorf("not the same when rendered again: %s", strings.TrimSpace(flat(again)))
			}
		})
	}
}
