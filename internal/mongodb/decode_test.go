package mongodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/generator/markup"
	"freshet/internal/diag"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// summaries makes summaries as the pages' renderer does.
var summaries = markup.New(markup.Config{})

// The documents that fixtures change.
const (
	basePost = `{"_id": {"$oid": "66d100012d13157ef49d9a33"}, "title": "Rivers", "slug": "rivers",
		"content": "Rivers carry water from the hills down to the sea, all year long.", "status": "published",
		"publishedAt": {"$date": "2024-03-05T09:30:00Z"}, "createdAt": {"$date": "2024-03-01T00:00:00Z"}}`
	baseCourse = `{"_id": {"$oid": "66d2004eff7d9b708a7cb304"}, "title": "Rivers", "slug": "rivers", "shortDescription": "About rivers.",
		"fullDescription": "All about rivers.", "price": 1499, "originalPrice": 1999.5, "currency": "INR", "level": "Beginner", "duration": "12 weeks",
		"rating": 4.5, "instructor": {"name": "Asha Verma", "title": "Geographer", "image": ""}, "createdAt": {"$date": "2024-03-01T00:00:00Z"},
		"curriculum": [{"title": "Upper course", "lessons": [{"title": "Source", "slug": "source", "free": true, "content": "a"},
			{"title": "Falls", "slug": "falls", "content": "b"}]}]}`
)

// changed is a stored document made of another one.
func changed(t testing.TB, base string, set json.RawMessage, unset ...string) bson.Raw {
	t.Helper()
	var doc, more bson.D
	if err := bson.UnmarshalExtJSON([]byte(base), false, &doc); err != nil {
		t.Fatal(err)
	}
	if len(set) > 0 {
		if err := bson.UnmarshalExtJSON(set, false, &more); err != nil {
			t.Fatalf("%v in %s", err, set)
		}
	}
	for _, e := range more {
		i := slices.IndexFunc(doc, func(o bson.E) bool { return o.Key == e.Key })
		if i < 0 {
			doc = append(doc, e)
		} else {
			doc[i] = e
		}
	}
	doc = slices.DeleteFunc(doc, func(e bson.E) bool { return slices.Contains(unset, e.Key) })
	raw, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// summary is what fixtures can want of a decoded document.
func summary(d *decoder, raw bson.Raw, out decoded) map[string]any {
	s := map[string]any{"problems": []string{}, "skip": ""}
	for _, p := range out.problems {
		s["problems"] = append(s["problems"].([]string), p.Field)
	}
	if out.skip != nil {
		s["skip"], s["reason"] = out.skip.Field, out.skip.Reason
		return s
	}
	m := site.MetaOf(out.doc)
	coll, _, _ := strings.Cut(string(m.ID), ":")
	text, _, _ := d.body(coll, raw, "")
	s["id"], s["title"], s["slug"], s["excerpt"], s["lang"], s["draft"] = m.ID, m.Title, m.Slug, m.Excerpt, m.Lang, m.Draft
	s["tags"], s["aliases"] = append([]string{}, m.Tags...), append([]string{}, m.Aliases...)
	s["published"], s["modified"], s["expires"] = m.Published.Format(time.RFC3339), m.Modified.Format(time.RFC3339), m.Expires.Format(time.RFC3339)
	s["format"], s["minutes"], s["text"] = m.Body.Format, m.Minutes, string(text)
	s["cover"], s["alt"] = m.Cover.Src, m.Cover.Alt
	s["seo"] = []string{m.SEO.Title, m.SEO.Description, strings.Join(m.SEO.Keywords, ","), m.SEO.Canonical}
	named := func(name, image string) string {
		if image != "" {
			name += "=" + image
		}
		return name
	}
	switch doc := out.doc.(type) {
	case *site.Post:
		authors := []string{}
		for _, a := range doc.Authors {
			authors = append(authors, named(a.Name, a.Image))
		}
		s["authors"], s["views"] = authors, doc.Views
	case *site.Course:
		teachers, lessons := []string{}, []string{}
		for _, i := range doc.Instructors {
			teachers = append(teachers, named(i.Name, i.Image))
		}
		for _, m := range doc.Modules {
			for _, l := range m.Lessons {
				state := "closed"
				if l.Open {
					state = "open"
				}
				lessons = append(lessons, fmt.Sprintf("%s: %s %s %s %d", m.Title, l.Slug, state, l.Body.Format, l.Minutes))
			}
		}
		s["instructors"], s["lessons"] = teachers, lessons
		s["price"], s["original"], s["currency"], s["duration"], s["rating"] = doc.Price, doc.OriginalPrice, doc.Currency, doc.Duration, doc.Rating
	}
	return s
}

// TestDecode has a fixture for each rule: what of the usual document is different, and what comes of it.
func TestDecode(t *testing.T) {
	d := newDecoder("", "", summaries)
	for _, file := range []struct {
		name, base string
		decode     func(context.Context, bson.Raw) decoded
	}{{"posts.json", basePost, d.post}, {"courses.json", baseCourse, d.course}} {
		b, err := os.ReadFile(filepath.Join("testdata", file.name))
		if err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Name  string
			Set   json.RawMessage
			Unset []string
			Want  map[string]any
		}
		if err := json.Unmarshal(b, &rows); err != nil {
			t.Fatalf("%s: %v", file.name, err)
		}
		for _, row := range rows {
			raw := changed(t, file.base, row.Set, row.Unset...)
			out := file.decode(t.Context(), raw)
			checkDecoded(t, row.Name, out)
			got, want := map[string]any{}, row.Want
			if _, ok := want["skip"]; !ok {
				want["skip"] = ""
			}
			for key, v := range summary(d, raw, out) {
				if _, ok := want[key]; ok {
					got[key] = v
				}
			}
			// By way of JSON, so that types do not matter.
			b, _ := json.Marshal(got)
			got = nil
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s%+v", file.name, row.Name, diff, out.problems)
			}
		}
	}
}

// checkDecoded holds what is true of every decoded document.
func checkDecoded(t *testing.T, name string, out decoded) {
	t.Helper()
	if (out.doc == nil) == (out.skip == nil) {
		t.Errorf("%s: document %v and skip %v, want one of them", name, out.doc, out.skip)
	}
	for _, p := range out.problems {
		if p.ID == "" || p.Message == "" || p.Remedy == "" || strings.ContainsAny(p.Message, "\n\x00") {
			t.Errorf("%s: problem %+v", name, p)
		}
		if (p.Severity == diag.Error) != (out.skip != nil && p.Field == out.skip.Field && p.Message == out.skip.Reason) {
			t.Errorf("%s: problem %+v with skip %+v", name, p, out.skip)
		}
	}
	if out.doc != nil && (out.doc.DocID() == "" || out.doc.DocRevision() == 0 || site.MetaOf(out.doc).Slug == "" || site.MetaOf(out.doc).Title == "") {
		t.Errorf("%s: document %+v lacks what all have", name, out.doc)
	}
}

// TestRevision: a change of what is shown is another revision; one of a counter or of updatedAt is not.
func TestRevision(t *testing.T) {
	d := newDecoder("", "", summaries)
	full := `{"excerpt": "e", "tags": ["a"], "author": "A", "coverImage": {"url": "/a.png", "alt": "a"}, "metaTitle": "t", "lang": "en",
		"views": 1, "likes": 1, "updatedAt": {"$date": "2024-03-06T00:00:00Z"}}`
	post := func(set string) site.Revision {
		var doc bson.D
		if err := bson.Unmarshal(changed(t, basePost, json.RawMessage(full)), &doc); err != nil {
			t.Fatal(err)
		}
		base, _ := bson.MarshalExtJSON(doc, true, false)
		out := d.post(t.Context(), changed(t, string(base), json.RawMessage(set)))
		if out.doc == nil {
			t.Fatalf("%s: %+v", set, out.skip)
		}
		return out.doc.DocRevision()
	}
	course := func(set string) site.Revision {
		return d.course(t.Context(), changed(t, baseCourse, json.RawMessage(set))).doc.DocRevision()
	}
	lesson := func(s string) string {
		return `{"curriculum": [{"title": "Upper course", "lessons": [{"title": "Source", "slug": "source", "free": true, "content": "a"}, ` + s + `]}]}`
	}
	for _, test := range []struct {
		name   string
		rev    func(string) site.Revision
		same   []string
		others []string
	}{
		{"post", post,
			[]string{
				`{}`, `{"views": 2}`, `{"views": "many"}`, `{"viewCount": 5}`, `{"likes": 2}`, `{"shareCount": 2}`, `{"isCached": true}`, `{"__v": 9}`,
				`{"updatedAt": {"$date": "2025-03-06T00:00:00Z"}}`, `{"updatedAt": "never"}`, `{"readTime": "99 min read"}`, `{"readTime": -1}`, `{"unknown": {"a": [1]}}`,
				`{"createdAt": {"$date": "2020-01-01T00:00:00Z"}}`,
			},
			[]string{
				`{"title": "x"}`, `{"slug": "x"}`, `{"excerpt": "x"}`, `{"content": "x"}`, `{"content": "<p>x</p>"}`, `{"content": "Rivers carry water from the hills down to the sea, all year long"}`,
				`{"tags": ["a", "b"]}`, `{"author": "B"}`, `{"authorImage": "/x.png"}`, `{"coverImage": {"url": "/x.png", "alt": "a"}}`, `{"coverImage": {"url": "/a.png", "alt": "x"}}`,
				`{"metaTitle": "x"}`, `{"metaDescription": "x"}`, `{"metaKeywords": ["x"]}`, `{"canonicalUrl": "https://example.org/"}`, `{"seo": {"noindex": true}}`, `{"lang": "hi"}`,
				`{"status": "draft"}`, `{"publishedAt": {"$date": "2024-03-05T09:30:01Z"}}`, `{"modifiedAt": {"$date": "2024-04-05T00:00:00Z"}}`,
				`{"expiresAt": {"$date": "2034-04-05T00:00:00Z"}}`, `{"featured": true}`, `{"aliases": ["/x"]}`, `{"_id": "x"}`,
			}},
		{"course", course,
			[]string{
				`{}`, `{"studentsCount": 5}`, `{"studentsEnrolled": 5}`, `{"enrolledCount": 5}`, `{"reviews": 5}`, `{"shareCount": 5}`, `{"enrollClickCount": 5}`, `{"viewsCount": 5}`,
				`{"views": 5}`, `{"updatedAt": {"$date": "2025-03-06T00:00:00Z"}}`, `{"price": {"$numberDecimal": "1499.00"}}`,
			},
			[]string{
				`{"title": "x"}`, `{"shortDescription": "x"}`, `{"fullDescription": "x"}`, `{"price": 1}`, `{"originalPrice": 1}`, `{"discount": 10, "originalPrice": 0}`, `{"currency": "USD"}`,
				`{"level": "Advanced"}`, `{"duration": "1 week"}`, `{"rating": 1}`, `{"instructor": "B"}`, `{"features": ["x"]}`, `{"whatYouLearn": ["x"]}`, `{"requirements": ["x"]}`,
				`{"enrollRedirectUrl": "https://example.org/"}`, `{"weight": 3}`, `{"createdAt": {"$date": "2020-01-01T00:00:00Z"}}`, `{"curriculum": []}`,
				lesson(`{"title": "Falls", "slug": "falls", "content": "x"}`), lesson(`{"title": "x", "slug": "falls", "content": "b"}`), lesson(`{"title": "Falls", "slug": "x", "content": "b"}`),
				lesson(`{"title": "Falls", "slug": "falls", "content": "b", "free": true}`), lesson(`{"title": "Falls", "slug": "falls", "content": "b", "duration": "1m"}`),
			}},
	} {
		base := test.rev(`{}`)
		for _, set := range test.same {
			if got := test.rev(set); got != base {
				t.Errorf("%s with %s has another revision", test.name, set)
			}
		}
		seen := map[site.Revision]string{base: "{}"}
		for _, set := range test.others {
			got := test.rev(set)
			if other, ok := seen[got]; ok {
				t.Errorf("%s with %s has the revision of that with %s", test.name, set, other)
			}
			seen[got] = set
		}
	}
}

func TestUpdated(t *testing.T) {
	d := newDecoder("", "", summaries)
	for _, test := range []struct{ set, want string }{
		{`{"updatedAt": {"$date": "2025-03-06T00:00:00Z"}}`, "2025-03-06T00:00:00Z"}, {`{"updatedAt": "2025-03-06"}`, "2025-03-06T00:00:00Z"},
		{`{"updatedAt": "x"}`, "0001-01-01T00:00:00Z"}, {`{}`, "0001-01-01T00:00:00Z"},
	} {
		if got := d.post(t.Context(), changed(t, basePost, json.RawMessage(test.set))).updated.Format(time.RFC3339); got != test.want {
			t.Errorf("%s: updated %s, want %s", test.set, got, test.want)
		}
	}
}

// TestBodies: a body read later is what its reference was made of, for the document and for each lesson.
func TestBodies(t *testing.T) {
	d := newDecoder("articles", "classes", summaries)
	raw := changed(t, baseCourse, json.RawMessage(`{"curriculum": [
		{"title": "A", "lessons": [{"_id": {"$oid": "66d100012d13157ef49d9a33"}, "title": "B", "content": "one"}, {"lessonId": "l/2#", "title": "B", "content": "<p>two</p>"},
			{"title": "B", "content": "three"}, {"lessonId": "l/2#", "title": "C", "content": "four"}]}]}`))
	c := d.course(t.Context(), raw).doc.(*site.Course)
	refs := []site.BodyRef{c.Body}
	ids := []string{}
	for _, l := range c.Modules[0].Lessons {
		refs = append(refs, l.Body)
		ids = append(ids, string(l.ID))
		if string(l.ID) != l.Body.Part || ownerID(l.ID) != c.ID || l.Body.Doc != c.ID {
			t.Errorf("lesson %q has the body %+v", l.ID, l.Body)
		}
	}
	want := []string{"classes:66d2004eff7d9b708a7cb304#66d100012d13157ef49d9a33", `classes:66d2004eff7d9b708a7cb304#l%2F2%23`,
		"classes:66d2004eff7d9b708a7cb304#/b-3", "classes:66d2004eff7d9b708a7cb304#/c"}
	if !slices.Equal(ids, want) {
		t.Errorf("lessons %q, want %q", ids, want)
	}
	texts := []string{"All about rivers.", "one", "<p>two</p>", "three", "four"}
	for i, ref := range refs {
		text, format, ok := d.body("classes", raw, ref.Part)
		b := stored{prose.Text{Text: string(text)}}
		if !ok || string(text) != texts[i] || format != ref.Format || b.hash() != ref.Hash || len(text) != ref.Bytes {
			t.Errorf("body of %+v is %q (%s, %v), want %q", ref, text, format, ok, texts[i])
		}
	}
	if _, _, ok := d.body("classes", raw, "classes:66d2004eff7d9b708a7cb304#/none"); ok {
		t.Error("a lesson that is not there has a body")
	}
	// Moving lessons about renames none, and the projection of bodies is enough.
	moved := changed(t, string(mustExtJSON(t, raw)), nil)
	projected := project(t, moved, (&Config{}).projection())
	for i, ref := range refs {
		if text, _, _ := d.body("classes", projected, ref.Part); string(text) != texts[i] {
			t.Errorf("body of %+v from the projection is %q, want %q", ref, text, texts[i])
		}
	}
}

func mustExtJSON(t *testing.T, raw bson.Raw) []byte {
	t.Helper()
	b, err := bson.MarshalExtJSON(raw, true, false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// project does what a server does with a projection of top-level fields.
func project(t *testing.T, raw bson.Raw, projection bson.D) bson.Raw {
	t.Helper()
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	doc = slices.DeleteFunc(doc, func(e bson.E) bool {
		return slices.ContainsFunc(projection, func(p bson.E) bool { return p.Key == e.Key })
	})
	out, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestProjections: what the projections leave in is all that decoding reads.
func TestProjections(t *testing.T) {
	d := newDecoder("", "", summaries)
	for _, file := range []struct {
		name, base string
		decode     func(context.Context, bson.Raw) decoded
	}{{"posts.json", basePost, d.post}, {"courses.json", baseCourse, d.course}} {
		b, err := os.ReadFile(filepath.Join("testdata", file.name))
		if err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Name  string
			Set   json.RawMessage
			Unset []string
		}
		if err := json.Unmarshal(b, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			raw := changed(t, file.base, row.Set, row.Unset...)
			compareDecoded(t, row.Name, file.decode(t.Context(), raw), file.decode(t.Context(), project(t, raw, (&Config{}).projection())))
		}
	}
}

// counting is a Summarizer that counts what it is asked for.
type counting struct{ asked int }

func (c *counting) Summarize(ctx context.Context, _ site.Format, text, _, _ string) (site.Summary, error) {
	c.asked++
	return site.Summary{Excerpt: text, Minutes: 1}, ctx.Err()
}

// TestSummariesAreAskedFor: only scans ask for summaries, once for each body, and a scan that ends early says so.
func TestSummariesAreAskedFor(t *testing.T) {
	c := &counting{}
	d := newDecoder("", "", c)
	course := changed(t, baseCourse, nil)
	out := d.course(t.Context(), course).doc.(*site.Course)
	if c.asked != 3 || out.Excerpt != "About rivers." || out.Modules[0].Lessons[0].Excerpt != "a" || out.Modules[0].Lessons[1].Excerpt != "" {
		t.Errorf("a course with 3 bodies: %d summaries, %+v", c.asked, out)
	}
	c.asked = 0
	if _, _, ok := d.body(courses, course, string(out.Modules[0].Lessons[0].ID)); !ok {
		t.Error("a lesson has no body")
	}
	if _, err := d.file(t.Context(), course, "courses/none"); !errors.Is(err, site.ErrChanged) {
		t.Errorf("file: %v", err)
	}
	if c.asked != 0 {
		t.Errorf("%d summaries for what shows none", c.asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Source{dec: d}).decode(ctx, courses, []bson.Raw{course}); !errors.Is(err, context.Canceled) {
		t.Errorf("decode after the end = %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	d := newDecoder("", "", &counting{})
	raw := changed(b, basePost, json.RawMessage(fmt.Sprintf(`{"tags": ["rivers", "hills"], "author": "Asha Verma", "coverImage": {"url": "/a.png", "alt": "a"}, "views": 5,
		"excerpt": "About rivers.", "metaTitle": "Rivers", "metaDescription": "About rivers.", "updatedAt": {"$date": "2024-03-06T00:00:00Z"}, "content": %q}`,
		strings.Repeat("Rivers *carry* water from the [hills](https://example.org) down to the sea, all year long.\n\n", 32))))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if out := d.post(b.Context(), raw); out.doc == nil {
			b.Fatal(out.skip)
		}
	}
}

func TestDocumentID(t *testing.T) {
	oid, _ := bson.ObjectIDFromHex("66d100012d13157ef49d9a33")
	seen := map[site.ID]any{}
	for _, test := range []struct {
		coll string
		id   any
		want site.ID
	}{
		{"blogs", oid, "blogs:66d100012d13157ef49d9a33"},
		{"blogs", "66d100012d13157ef49d9a33", `blogs:"66d100012d13157ef49d9a33"`},
		{"blogs", "66D100012D13157EF49D9A33", `blogs:"66D100012D13157EF49D9A33"`},
		{"blogs", "post-2024-001", "blogs:post-2024-001"},
		{"blogs", "नदी", "blogs:नदी"},
		{"blogs", "a:b c/d", "blogs:a:b c/d"},
		{"blogs", "a#b%23", "blogs:a%23b%2523"},
		{"blogs", "", `blogs:""`},
		{"blogs", `"q"`, `blogs:"\"q\""`},
		{"blogs", "=5", `blogs:"=5"`},
		{"blogs", "<a>\n", `blogs:"<a>\n"`},
		{"blogs", int32(5), `blogs:={"$numberInt":"5"}`},
		{"blogs", "5", "blogs:5"},
		{"blogs", int64(5), `blogs:={"$numberLong":"5"}`},
		{"blogs", 5.5, `blogs:={"$numberDouble":"5.5"}`},
		{"blogs", true, "blogs:=true"},
		{"blogs", bson.D{{Key: "a", Value: int32(1)}}, `blogs:={"a":{"$numberInt":"1"}}`},
		{"blogs", bson.Binary{Data: []byte{1, 2}}, `blogs:={"$binary":{"base64":"AQI=","subType":"00"}}`},
		{"my:blogs%", "x", "my%3Ablogs%25:x"},
	} {
		typ, data, err := bson.MarshalValue(test.id)
		if err != nil {
			t.Fatal(err)
		}
		got := documentID(test.coll, bson.RawValue{Type: typ, Value: data})
		if got != test.want {
			t.Errorf("documentID(%v) = %q, want %q", test.id, got, test.want)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%v and %v are both %q", other, test.id, got)
		}
		seen[got] = test.id
		coll, filter, err := parseDocumentID(got)
		if want := (bson.D{{Key: "_id", Value: test.id}}); err != nil || coll != test.coll || !reflect.DeepEqual(filter, want) {
			t.Errorf("parseDocumentID(%q) = %q, %#v, %v, want %q, %#v", got, coll, filter, err, test.coll, want)
		}
		if coll, _, err := parseDocumentID(got + "#/part"); err != nil || coll != test.coll || ownerID(got+"#/part") != got {
			t.Errorf("parseDocumentID(%q) = %q, %v", got+"#/part", coll, err)
		}
	}
	for _, id := range []site.ID{"", "blogs", "blogs:", ":x", "blogs:=", "blogs:={", `blogs:"a`, "blogs:%zz", `blogs:=1,"b":2`} {
		if _, _, err := parseDocumentID(id); err == nil {
			t.Errorf("parseDocumentID(%q) is no error", id)
		}
	}
}

func TestManyTagsAndAuthors(t *testing.T) {
	list := func(format string, n int) json.RawMessage {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(format, i))
		}
		b, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	d := newDecoder("", "", summaries)
	for _, field := range []string{"tags", "categories", "authors"} {
		out := d.post(t.Context(), changed(t, basePost, fmt.Appendf(nil, `{"%s": %s}`, field, list("Name %d", 5000))))
		post := out.doc.(*site.Post)
		if n := len(post.Tags) + len(post.Authors); n != site.MaxTags && n != site.MaxAuthors {
			t.Errorf("%s: %d tags and %d authors", field, len(post.Tags), len(post.Authors))
		}
		if len(out.problems) != 1 || !strings.Contains(out.problems[0].Message, "that a document may have") || out.problems[0].Field == "" {
			t.Errorf("%s: problems %v", field, out.problems)
		}
	}
}
