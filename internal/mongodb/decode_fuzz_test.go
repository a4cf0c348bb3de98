package mongodb

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/site"
)

// FuzzDecode: whatever bytes are taken for a document, they become a document or a skip, the same each time, and
// every body and file that the document names can be had.
func FuzzDecode(f *testing.F) {
	for name, base := range map[string]string{"posts.json": basePost, "courses.json": baseCourse} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		var rows []struct{ Set json.RawMessage }
		if err := json.Unmarshal(b, &rows); err != nil {
			f.Fatal(err)
		}
		for _, row := range rows {
			f.Add([]byte(changed(f, base, row.Set)))
		}
	}
	f.Add([]byte(changed(f, basePost, json.RawMessage(`{"coverImage": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}`))))
	f.Add([]byte{})
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Add([]byte("\xff\xff\xff\xff\x02_id\x00\xff\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := newDecoder("", "", summaries)
		for coll, decode := range map[string]func(context.Context, bson.Raw) decoded{"blogs": d.post, "courses": d.course} {
			out := decode(t.Context(), raw)
			checkDecoded(t, coll, out)
			compareDecoded(t, coll, out, decode(t.Context(), raw))
			if out.doc == nil {
				continue
			}
			checkBodies(t, d, coll, raw, out.doc)
			for _, file := range out.files {
				if b, err := d.file(t.Context(), raw, file.Name); err != nil || int64(len(b)) != file.Size {
					t.Errorf("file %+v: %d bytes, %v", file, len(b), err)
				}
			}
			if got, _, err := parseDocumentID(out.doc.DocID()); err != nil || got != coll {
				t.Errorf("id %q: %q, %v", out.doc.DocID(), got, err)
			}
			checkNames(t, out.doc)
		}
	})
}

// FuzzContent: content of any form, as text and as the JSON that the text is, becomes a body that can be had again.
func FuzzContent(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "posts.json"))
	if err != nil {
		f.Fatal(err)
	}
	var rows []struct {
		Set struct{ Content json.RawMessage }
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		f.Fatal(err)
	}
	for _, row := range rows {
		var text string
		if json.Unmarshal(row.Set.Content, &text) != nil {
			text = string(row.Set.Content)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := newDecoder("", "", summaries)
		values := []bson.RawValue{}
		typ, data, err := bson.MarshalValue(text)
		if err != nil {
			t.Skip()
		}
		values = append(values, bson.RawValue{Type: typ, Value: data})
		if v, ok := fromJSON([]byte(text)); ok {
			values = append(values, v)
		}
		for _, v := range values {
			raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "x"}, {Key: "title", Value: "t"}, {Key: "status", Value: "published"}, {Key: "content", Value: v}})
			if err != nil {
				t.Skip()
			}
			out := d.post(t.Context(), raw)
			checkDecoded(t, text, out)
			if out.doc != nil {
				checkBodies(t, d, text, raw, out.doc)
			}
		}
	})
}

// checkNames holds slugs to what addresses and file names may be.
func checkNames(t *testing.T, doc site.Document) {
	t.Helper()
	slugs := []site.Slug{site.MetaOf(doc).Slug}
	ids := map[site.ID]bool{}
	if c, ok := doc.(*site.Course); ok {
		if c.Price < 0 || c.Rating < 0 || c.Rating > 5 {
			t.Errorf("price %v, rating %v", c.Price, c.Rating)
		}
		seen := map[site.Slug]bool{}
		for _, m := range c.Modules {
			for _, l := range m.Lessons {
				if seen[l.Slug] || ids[l.ID] || !strings.HasPrefix(string(l.ID), string(c.ID)+"#") {
					t.Errorf("lesson %q at %q: not its own", l.ID, l.Slug)
				}
				seen[l.Slug], ids[l.ID] = true, true
				slugs = append(slugs, l.Slug)
			}
		}
	}
	for _, s := range slugs {
		if s == "" || site.MakeSlug(string(s)) != s {
			t.Errorf("slug %q", s)
		}
	}
}
