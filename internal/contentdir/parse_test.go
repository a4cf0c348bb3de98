package contentdir_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"freshet/internal/site"
)

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
