package mongodb

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/diag"
	"freshet/internal/prose"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

// corpusLines reads the documents of one file of the corpus.
func corpusLines(t *testing.T, name string) []bson.Raw {
	t.Helper()
	f, err := os.Open(filepath.Join(testenv.Corpus(t), "mongo-export", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []bson.Raw
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		out = append(out, fromExtJSON(t, sc.Bytes()))
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// fromExtJSON makes a stored document of Extended JSON. Where it has no _id it gets one, as a server gives it.
func fromExtJSON(t *testing.T, text []byte) bson.Raw {
	t.Helper()
	var doc bson.D
	if err := bson.UnmarshalExtJSON(text, false, &doc); err != nil {
		t.Fatalf("%v in %s", err, text[:min(len(text), 200)])
	}
	if !slices.ContainsFunc(doc, func(e bson.E) bool { return e.Key == "_id" }) {
		doc = append(bson.D{{Key: "_id", Value: bson.ObjectID{0x66, 0xd1, 1}}}, doc...)
	}
	raw, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCorpusIsClean: documents that are as they should be give no problem, and their text is told for what it is.
func TestCorpusIsClean(t *testing.T) {
	d := newDecoder("", "", summaries)
	for _, file := range []struct {
		name   string
		decode func(context.Context, bson.Raw) decoded
		format site.Format
	}{{"blogs.ndjson", d.post, site.Markdown}, {"blogs.tiptap.ndjson", d.post, site.HTML}, {"courses.ndjson", d.course, site.Markdown}} {
		lines := corpusLines(t, file.name)
		for i, raw := range lines {
			name := fmt.Sprintf("%s:%d", file.name, i+1)
			out := file.decode(t.Context(), raw)
			checkDecoded(t, name, out)
			if out.doc == nil || len(out.problems) > 0 {
				t.Errorf("%s: skip %+v, problems %+v", name, out.skip, out.problems)
				continue
			}
			m := site.MetaOf(out.doc)
			if m.Body.Format != file.format || m.Minutes == 0 || m.Excerpt == "" || m.Published.IsZero() || out.updated.IsZero() {
				t.Errorf("%s: format %s, %d minutes, excerpt %q, published %v, updated %v", name, m.Body.Format, m.Minutes, m.Excerpt, m.Published, out.updated)
			}
			checkBodies(t, d, name, raw, out.doc)
		}
		t.Logf("%s: %d documents", file.name, len(lines))
	}
}

// checkBodies reads each body of a document again.
func checkBodies(t *testing.T, d *decoder, name string, raw bson.Raw, doc site.Document) {
	t.Helper()
	refs := []site.BodyRef{site.MetaOf(doc).Body}
	if c, ok := doc.(*site.Course); ok {
		for _, m := range c.Modules {
			for _, l := range m.Lessons {
				refs = append(refs, l.Body)
			}
		}
	}
	coll, _, _ := strings.Cut(string(doc.DocID()), ":")
	for _, ref := range refs {
		if ref.IsZero() {
			continue
		}
		text, format, ok := d.body(coll, raw, ref.Part)
		b := stored{prose.Text{Text: string(text)}}
		if !ok || b.hash() != ref.Hash || len(text) != ref.Bytes || format != ref.Format {
			t.Errorf("%s: the body of %+v is another one: %d bytes, %s, %v", name, ref, len(text), format, ok)
		}
	}
}

// TestCanonicalAndRelaxed: both forms of Extended JSON are the same documents.
func TestCanonicalAndRelaxed(t *testing.T) {
	d := newDecoder("", "", summaries)
	relaxed := corpusLines(t, "blogs.ndjson")
	for i, raw := range corpusLines(t, "blogs.canonical.first40.ndjson") {
		compareDecoded(t, fmt.Sprintf("blogs.ndjson:%d", i+1), d.post(t.Context(), relaxed[i]), d.post(t.Context(), raw))
	}
	for i, raw := range corpusLines(t, "courses.ndjson") {
		b, err := bson.MarshalExtJSON(raw, false, false)
		if err != nil {
			t.Fatal(err)
		}
		compareDecoded(t, fmt.Sprintf("courses.ndjson:%d", i+1), d.course(t.Context(), fromExtJSON(t, b)), d.course(t.Context(), raw))
	}
}

func compareDecoded(t *testing.T, name string, want, got decoded) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(decoded{})); diff != "" {
		t.Errorf("%s (-relaxed +canonical):\n%s", name, diff)
	}
}

// TestDirty holds every line of the dirty documents to what is expected of it.
func TestDirty(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "mongo-export", "dirty.expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected []struct {
		File, Field, Action, What string
		Line                      int
	}
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	d := newDecoder("", "", summaries)
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	files := map[string][]bson.Raw{}
	out := map[string][]decoded{}
	all := &site.Changes{}
	for name, decode := range map[string]func(context.Context, bson.Raw) decoded{"dirty.ndjson": d.post, "dirty.courses.ndjson": d.course} {
		files[name] = corpusLines(t, name)
		for i, raw := range files[name] {
			o := decode(t.Context(), raw)
			place := fmt.Sprintf("%s:%d", name, i+1)
			checkDecoded(t, place, o)
			if o.doc != nil {
				all.Put = append(all.Put, o.doc)
				checkBodies(t, d, place, raw, o.doc)
			}
			out[name] = append(out[name], o)
		}
	}
	snap, _ := site.NewSnapshot(now, false).Apply(all, now)
	// Some that are to be left out, or repaired instead, are so in a way of their own.
	const (
		contested = "contested" // another document has the address
		hidden    = "hidden"    // a draft or not out yet
		repaired  = "repaired"
		shown     = "shown" // as it is
	)
	other := map[string]string{
		"dirty.ndjson:5": contested, "dirty.ndjson:7": contested, "dirty.ndjson:11": contested,
		"dirty.ndjson:12": repaired, "dirty.ndjson:16": repaired, "dirty.courses.ndjson:6": repaired,
		"dirty.ndjson:30": hidden, "dirty.ndjson:61": hidden, "dirty.ndjson:63": shown,
	}
	values := dirtyValues()
	for _, e := range expected {
		name := fmt.Sprintf("%s:%d", e.File, e.Line)
		o := out[e.File][e.Line-1]
		warned := slices.ContainsFunc(o.problems, func(p diag.Problem) bool { return fieldMatches(e.Field, p.Field) })
		visible := o.doc != nil && snap.Visible(o.doc.DocID()) != nil
		ok := false
		switch how := other[name]; {
		case how == contested:
			ok = o.doc != nil && !visible && snap.At(site.PathOf(o.doc)) != nil
		case how == hidden:
			ok = o.doc != nil && !visible && (warned || e.Line == 30)
		case how == shown:
			ok = visible && !warned
		case how == repaired:
			ok = visible && warned
		case e.Action == "skip":
			ok = o.skip != nil && fieldMatches(e.Field, o.skip.Field)
		case e.Action == "repair":
			ok = visible && warned
		case e.Action == "keep", e.Action == "inert":
			ok = visible && (!warned || e.Action == "inert" || e.File == "dirty.courses.ndjson" && e.Line == 7 || e.Line == 71)
		}
		if !ok {
			t.Errorf("%s: %s, field %s, action %s: document %v (visible %v), skip %+v, problems %+v", name, e.What, e.Field, e.Action, o.doc != nil, visible, o.skip, o.problems)
		}
		if want := values[name]; want != nil {
			got := map[string]any{}
			for key, v := range summary(d, files[e.File][e.Line-1], o) {
				if _, ok := want[key]; ok {
					got[key] = v
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, e.What, diff)
			}
		}
		delete(values, name)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		t.Errorf("%s is not among the lines expected", name)
	}
	// What no page may show is in no document.
	for _, o := range out["dirty.ndjson"] {
		if s := fmt.Sprintf("%+v", o.doc); strings.Contains(s, "never-publish-this") || strings.Contains(s, "5f1d7f3a9b1e8a0017c0ffee") {
			t.Errorf("a document holds what is not for readers: %s", s)
		}
	}
}

// fieldMatches compares the place of a problem with one that may hold "*", or be that of the whole.
func fieldMatches(want, got string) bool {
	w, g := strings.Split(want, "."), strings.Split(got, ".")
	if len(g) < len(w) {
		return false
	}
	for i := range w {
		if w[i] != "*" && w[i] != g[i] {
			return false
		}
	}
	return true
}

// dirtyValues are what repaired fields are to hold.
func dirtyValues() map[string]map[string]any {
	const day = "2023-07-22T04:26:40Z"
	return map[string]map[string]any{
		"dirty.ndjson:1":          {"slug": site.Slug("announcing-the-opentelemetry-community-manager")},
		"dirty.ndjson:6":          {"slug": site.Slug("release-notes")},
		"dirty.ndjson:8":          {"slug": site.Slug("my-first-post-a-tour")},
		"dirty.ndjson:10":         {"slug": site.Slug("caf\u00e9-notes")},
		"dirty.ndjson:12":         {"slug": site.Slug("etc-passwd"), "aliases": []string{}},
		"dirty.ndjson:16":         {"slug": site.Slug("2e-2e-2fsecret"), "aliases": []string{}},
		"dirty.ndjson:17":         {"slug": site.Slug("index-1")},
		"dirty.ndjson:19":         {"slug": site.Slug("padded-slug")},
		"dirty.ndjson:20":         {"slug": site.Slug("404-1")},
		"dirty.ndjson:21":         {"slug": site.Slug("bad-slug")},
		"dirty.ndjson:22":         {"published": "2023-03-05T09:30:00Z"},
		"dirty.ndjson:23":         {"published": day},
		"dirty.ndjson:24":         {"published": day},
		"dirty.ndjson:25":         {"published": "2023-03-05T00:00:00Z"},
		"dirty.ndjson:28":         {"published": day},
		"dirty.ndjson:29":         {"published": day},
		"dirty.ndjson:31":         {"published": "2022-10-09T14:10:51Z"},
		"dirty.ndjson:32":         {"published": "2024-08-29T23:11:28Z"},
		"dirty.ndjson:33":         {"published": "2024-10-14T22:00:05Z"},
		"dirty.ndjson:34":         {"format": site.HTML},
		"dirty.ndjson:35":         {"format": site.HTML},
		"dirty.ndjson:36":         {"format": site.TipTap},
		"dirty.ndjson:37":         {"format": site.TipTap},
		"dirty.ndjson:38":         {"format": site.HTML},
		"dirty.ndjson:39":         {"format": site.HTML},
		"dirty.ndjson:40":         {"format": site.Markdown},
		"dirty.ndjson:44":         {"skip": "content", "reason": "the text is binary data"},
		"dirty.ndjson:48":         {"format": site.Markdown},
		"dirty.ndjson:51":         {"format": site.TipTap},
		"dirty.ndjson:52":         {"tags": []string{"rust", "Cargo", "release"}},
		"dirty.ndjson:53":         {"tags": []string{}},
		"dirty.ndjson:54":         {"tags": []string{"Go", "2024", "web dev"}},
		"dirty.ndjson:55":         {"tags": []string{"C", "C++", "C#", "../up", "a/b"}},
		"dirty.ndjson:56":         {"views": int64(1234)},
		"dirty.ndjson:57":         {"views": int64(1234)},
		"dirty.ndjson:58":         {"views": int64(5000000000)},
		"dirty.ndjson:59":         {"views": int64(0)},
		"dirty.ndjson:60":         {"views": int64(12), "minutes": 3},
		"dirty.ndjson:61":         {"draft": true},
		"dirty.ndjson:62":         {"draft": false},
		"dirty.ndjson:63":         {"draft": false},
		"dirty.ndjson:72":         {"id": site.ID("blogs:post-2024-001")},
		"dirty.ndjson:74":         {"authors": []string{}},
		"dirty.ndjson:75":         {"authors": []string{"Asha Verma"}, "cover": "/uploads/x.png", "alt": "x"},
		"dirty.ndjson:77":         {"title": "2024"},
		"dirty.courses.ndjson:9":  {"price": 1999.0, "original": 2499.0},
		"dirty.courses.ndjson:10": {"price": 1999.0},
		"dirty.courses.ndjson:12": {"currency": ""},
		"dirty.courses.ndjson:13": {"rating": 5.0},
		"dirty.courses.ndjson:14": {"duration": "90 min"},
		"dirty.courses.ndjson:15": {"instructors": []string{"Asha Verma"}},
		"dirty.courses.ndjson:16": {"instructors": []string{}},
		"dirty.courses.ndjson:17": {"slug": site.Slug("same-slug")},
	}
}
