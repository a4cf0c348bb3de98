package prose_test

import (
	"strings"
	"testing"

	"freshet/internal/extjson"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// A held is a document whose field content holds JSON as text.
type held string

func (h held) String(name string) (string, bool) { return string(h), name == "content" }

func (h held) Value(name string) (extjson.Value, bool, error) {
	return extjson.Text(string(h)), name == "content", nil
}

func TestChildren(t *testing.T) {
	for _, tt := range []struct{ name, json, want, note string }{
		{"Slate", `[{"type":"paragraph","children":[{"text":"Only "},{"text":"this","bold":true}]}]`, "<p>Only <strong>this</strong></p>", ""},
		{"Slate without types", `[{"children":[{"text":"a"}]}]`, "<p>a</p>", ""},
		{"Slate's lists", `[{"type":"bulleted-list","children":[{"type":"list-item","children":[{"text":"a"}]},{"type":"check-list-item","checked":true,"children":[{"text":"b"}]}]}]`,
			`<ul><li>a</li><li data-checked="true">b</li></ul>`, ""},
		{"Strapi", `[{"type":"heading","level":3,"children":[{"type":"text","text":"H"}]},{"type":"list","format":"ordered","children":[` +
			`{"type":"list-item","children":[{"type":"text","text":"a"}]},{"type":"list","format":"unordered","children":[{"type":"list-item","children":[{"type":"text","text":"b"}]}]}]},` +
			`{"type":"quote","children":[{"type":"text","text":"q"}]},{"type":"code","language":"go","children":[{"type":"text","text":"x < y"}]},` +
			`{"type":"image","image":{"url":"/u/a.png","alternativeText":"A"},"children":[{"type":"text","text":""}]}]`,
			`<h3>H</h3><ol><li>a<ul><li>b</li></ul></li></ol><blockquote>q</blockquote><pre><code class="language-go">x &lt; y</code></pre><figure><img src="/u/a.png" alt="A"></figure>`, ""},
		{"Lexical", `{"root":{"type":"root","children":[{"type":"paragraph","format":"center","children":[{"type":"text","text":"a","format":3},{"type":"linebreak"},` +
			`{"type":"link","fields":{"url":"https://e.com/"},"children":[{"type":"text","text":"l","format":0}]}]},{"type":"heading","tag":"h4","children":[{"type":"text","text":"H"}]},` +
			`{"type":"list","listType":"number","tag":"ol","children":[{"type":"listitem","children":[{"type":"text","text":"a"}]},{"type":"listitem","children":[{"type":"list","listType":"bullet","tag":"ul","children":[{"type":"listitem","children":[{"type":"text","text":"b"}]}]}]}]}]}}`,
			`<p style="text-align:center"><strong><em>a</em></strong><br><a href="https://e.com/">l</a></p><h4>H</h4><ol><li>a<ul><li>b</li></ul></li></ol>`, ""},
		{"Plate", `[{"type":"h2","children":[{"text":"H"}]},{"type":"p","indent":1,"listStyleType":"disc","children":[{"text":"a"}]},{"type":"p","indent":2,"listStyleType":"decimal","children":[{"text":"b"}]},` +
			`{"type":"code_block","lang":"js","children":[{"type":"code_line","children":[{"text":"x"}]},{"type":"code_line","children":[{"text":"y"}]}]}]`,
			"<h2>H</h2><ul><li>a<ol><li>b</li></ol></li></ul><pre><code class=\"language-js\">xy</code></pre>", ""},
		{"Keystone", `{"document":[{"type":"layout","layout":[1,1],"children":[{"type":"layout-area","children":[{"type":"paragraph","children":[{"text":"a","code":true}]}]}]},{"type":"divider","children":[{"text":""}]},{"type":"paragraph","children":[{"text":"b"}]}]}`,
			"<p><code>a</code></p><hr><p>b</p>", ""},
		{"a kind nobody knows", `[{"type":"paragraph","children":[{"text":"a"}]},{"type":"banner","children":[{"text":"b"}]},{"type":"promo","data":{"title":"c"},"children":[]}]`,
			"<p>a</p><p>b</p><p>c</p>", `of the kind "banner\", \"promo" only their text`},
		{"a block with fields instead of children", `{"root":{"type":"root","children":[{"type":"paragraph","children":[{"type":"text","text":"a"}]},{"type":"block","fields":{"blockType":"cta","body":"b"}}]}}`,
			"<p>a</p><p>b</p>", `of the kind "block" only their text`},
		{"Notion's blocks", `[{"object":"block","type":"paragraph","paragraph":{"rich_text":[{"type":"text","plain_text":"a","text":{"content":"a"}}]}},{"type":"quote","quote":{"rich_text":[{"plain_text":"b","text":{"content":"b"}}]}}]`,
			"<p>a</p><p>b</p>", "no editor that freshet knows, of which the texts are shown"},
		{"Quill's operations", `{"ops":[{"insert":"Ti"},{"insert":"tle","attributes":{"italic":true}},{"insert":"\n","attributes":{"header":2}},{"insert":"a < b "},{"insert":"c","attributes":{"bold":true,"link":"https://e.com/"}},` +
			`{"insert":"\nx"},{"insert":"\n","attributes":{"list":"bullet"}},{"insert":"y"},{"insert":"\n","attributes":{"list":"bullet","indent":1}},{"insert":"code"},{"insert":"\n","attributes":{"code-block":true}},` +
			`{"insert":"q"},{"insert":"\n","attributes":{"blockquote":true}},{"insert":{"image":"/a.png"}},{"insert":"\n"}]}`,
			`<h2>Ti<em>tle</em></h2><p>a &lt; b <a href="https://e.com/"><strong>c</strong></a></p><ol><li data-list="bullet">x</li><li data-list="bullet" class="ql-indent-1">y</li></ol>` +
				`<pre>code</pre><blockquote><p>q</p></blockquote><p><img src="/a.png" alt=""></p>`, "blocks of Quill"},
		{"Quill's operations as a list", `[{"insert":"a\nb\n"}]`, "<p>a</p><p>b</p>", "blocks of Quill"},
		{"an editor nobody knows", `{"version":3,"sections":[{"paragraphs":[{"text":"a"}]},{"paragraphs":[{"text":"b"}]}]}`, "<p>a</p><p>b</p>", "of no editor that freshet knows, of which the texts are shown"},
		{"Draft.js", `{"blocks":[{"key":"1","text":"a","type":"unstyled"}],"entityMap":{}}`, "<p>a</p>", "the texts are shown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := prose.Find(held(tt.json), "content")
			if text := strings.ReplaceAll(got.Text, "\n", ""); text != tt.want || got.Format != site.HTML {
				t.Errorf("text %s\nwant %s (%s, %s)", text, tt.want, got.Format, got.Reason)
			}
			if !strings.Contains(got.Note, tt.note) {
				t.Errorf("note %q, want %q in it", got.Note, tt.note)
			}
		})
	}
	for _, empty := range []string{`[{"type":"paragraph","children":[]}]`, `{"root":{"children":[]}}`, `{"a":1}`} {
		if got := prose.Find(held(empty), "content"); got.Found() && strings.Contains(got.Text, "<p>a") {
			t.Errorf("%s has the text %q", empty, got.Text)
		}
	}
}
