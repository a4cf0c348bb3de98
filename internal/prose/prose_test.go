package prose_test

import (
	"strings"
	"testing"

	"freshet/internal/extjson"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// A document is fields as they are.
type document extjson.Doc

func (d document) String(name string) (string, bool) {
	v, ok, _ := d.Value(name)
	return v.Text, ok && v.Type == extjson.String
}

func (d document) Value(name string) (extjson.Value, bool, error) {
	v, ok := extjson.Doc(d).Get(name)
	return v, ok && !v.IsNull() && strings.TrimSpace(v.Text+"x") != "", nil
}

func TestFind(t *testing.T) {
	const doc = `{"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}`
	for _, tt := range []struct {
		name, doc    string
		field, text  string
		format       site.Format
		note, reason string // what they hold
	}{
		{name: "Markdown", doc: `{"content": "*Hello*"}`, field: "content", text: "*Hello*", format: site.Markdown},
		{name: "HTML", doc: `{"content": "<p>Hello</p>"}`, field: "content", text: "<p>Hello</p>", format: site.HTML},
		{name: "HTML beside an empty editor's document", doc: `{"content": {"type": "doc", "content": []}, "htmlContent": "<p>Hello</p>"}`, field: "htmlContent",
			text: "<p>Hello</p>", format: site.HTML},
		{name: "HTML beside a full one", doc: `{"content": ` + doc + `, "htmlContent": "<p>Hello</p>"}`, field: "htmlContent", text: "<p>Hello</p>", format: site.HTML},
		{name: "an editor's document", doc: `{"content": ` + doc + `}`, field: "content", text: strings.ReplaceAll(strings.ReplaceAll(doc, `": `, `":`), `, "`, `,"`),
			format: site.TipTap, note: "an object"},
		{name: "its nodes alone", doc: `{"content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hi"}]}]}`, field: "content",
			text: `{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"Hi"}]}]}`, format: site.TipTap, note: "a list"},
		{name: "under an old name", doc: `{"contentHTML": "<p>Hello</p>"}`, field: "contentHTML", text: "<p>Hello</p>", format: site.HTML},
		{name: "EditorJS", doc: `{"content": {"blocks": [{"type": "paragraph", "data": {"text": "Hello"}}, {"type": "poll", "data": {}}]}}`, field: "content",
			text: "<p>Hello</p>\n", format: site.HTML, note: `those of the kind "poll" left out`},
		{name: "Portable Text", doc: `{"content": [{"_type": "block", "children": [{"text": "Hello"}]}]}`, field: "content", text: "<p>Hello</p>\n", format: site.HTML,
			note: "Portable Text"},
		{name: "texts", doc: `{"content": ["one", "two"]}`, field: "content", text: "one\n\ntwo", format: site.Markdown, note: "a list of texts"},
		{name: "front matter", doc: `{"content": "---\ntitle: x\n---\n\nHello"}`, field: "content", text: "Hello", format: site.Markdown, note: "front matter"},
		{name: "a mark and ends of lines", doc: `{"content": "\ufeffone\r\ntwo"}`, field: "content", text: "one\ntwo", format: site.Markdown},
		{name: "nothing", doc: `{}`, field: "content", reason: prose.Missing},
		{name: "an unknown object", doc: `{"content": {"a": 1}}`, field: "content", reason: "no editor that freshet knows"},
		{name: "a number", doc: `{"content": 7}`, field: "content", reason: "a number"},
		{name: "binary data", doc: `{"content": {"$binary": {"base64": "aGk=", "subType": "00"}}}`, field: "content", reason: "binary data"},
	} {
		d, _, err := extjson.Parse([]byte(tt.doc))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := prose.Find(document(d), "content")
		if got.Field != tt.field || got.Text != tt.text || got.Format != tt.format || !strings.Contains(got.Note, tt.note) || !strings.Contains(got.Reason, tt.reason) ||
			got.Found() == (tt.reason != "") {
			t.Errorf("%s: Find = %+v, want %q in %s (%s), note %q, reason %q", tt.name, got, tt.text, tt.field, tt.format, tt.note, tt.reason)
		}
	}
}
