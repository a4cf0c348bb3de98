// Package storetest is the suite that every place of documents passes: what is put into its library comes out of its
// source as the same documents, bodies and files as from every other, and edits, deletions and mistakes show alike. What
// it holds them to is written down in testdata, so that each place is tested alone, in its own package. [Ledger] is the suite for
// what servers share.
package storetest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/digest"
	"freshet/internal/extjson"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

// A Library takes documents in.
type Library interface {
	Put(ctx context.Context, coll string, docs []extjson.Doc) (refused map[int]error, err error)
}

// A Source gives documents out.
type Source interface {
	Scan(ctx context.Context, changed []string) (*site.Changes, error)
	Body(ctx context.Context, ref site.BodyRef) (site.Body, error)
	Open(ctx context.Context, f *site.File) (io.ReadCloser, error)
}

// A Place is where an adapter keeps documents. A key is a collection and the hexadecimal form of an _id:
// "blogs:65a0c0ffee00000000000001".
type Place struct {
	Library func(t *testing.T) Library            // as a command opens it
	Source  func(t *testing.T) Source             // a new one, which has scanned nothing
	Remove  func(t *testing.T, key string)        // takes a document away, as somebody else would
	Name    func(t *testing.T, key string) string // by which Scan knows the document
	Key     func(t *testing.T, id site.ID) string // of the document that an ID names, which may be gone by now
}

//go:embed testdata/documents.ndjson
var documents []byte

//go:embed testdata/documents.want
var wanted []byte

// Documents are the documents of the suite by collection: one for each way in which sites store them, clean and awkward.
func Documents(t testing.TB) map[string][]extjson.Doc {
	t.Helper()
	out := map[string][]extjson.Doc{}
	for line := range bytes.Lines(documents) {
		d, _, err := extjson.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		coll, _ := d.Get("collection")
		doc, _ := d.Get("document")
		out[coll.Text] = append(out[coll.Text], doc.Doc)
	}
	return out
}

// KeyOf is the key of a document.
func KeyOf(coll string, d extjson.Doc) string {
	id, _ := d.Get("_id")
	return coll + ":" + id.Text
}

// Run runs the suite. open makes a new, empty place.
func Run(t *testing.T, open func(t *testing.T) *Place) {
	t.Run("documents", func(t *testing.T) { testDocuments(t, open(t)) })
	t.Run("changes", func(t *testing.T) { testChanges(t, open(t)) })
	t.Run("bodies", func(t *testing.T) { testBodies(t, open(t)) })
}

// put stores documents and returns the keys of those that the place does not take.
func (p *Place) put(t *testing.T, coll string, docs ...extjson.Doc) (refused map[string]bool) {
	t.Helper()
	refused = map[string]bool{}
	l := p.Library(t)
	for part := range slices.Chunk(docs, 50) {
		not, err := l.Put(t.Context(), coll, part)
		if err != nil {
			t.Fatal(err)
		}
		for i, why := range not {
			t.Logf("%s is not stored here: %v", KeyOf(coll, part[i]), why)
			refused[KeyOf(coll, part[i])] = true
		}
	}
	return refused
}

func scan(t *testing.T, s Source, changed []string) *site.Changes {
	t.Helper()
	ch, err := s.Scan(t.Context(), changed)
	if err != nil {
		t.Fatalf("Scan(%q): %v", changed, err)
	}
	return ch
}

// testDocuments compares what comes out of a source with what is written down.
func testDocuments(t *testing.T, p *Place) {
	refused := map[string]bool{}
	for coll, docs := range Documents(t) {
		maps.Copy(refused, p.put(t, coll, docs...))
	}
	s := p.Source(t)
	got := p.shown(t, s, scan(t, s, nil))
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		var b strings.Builder
		for _, key := range slices.Sorted(maps.Keys(got)) {
			fmt.Fprintf(&b, "%s %s\n", key, got[key])
		}
		if err := os.WriteFile(filepath.Join(testenv.Root(t), "internal", "storetest", "testdata", "documents.want"), []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := map[string]string{}
	for line := range strings.Lines(string(wanted)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !refused[key] {
			want[key] = text
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if diff := cmp.Diff(indented(want[key]), indented(got[key])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	for key, text := range got {
		if want[key] == "" {
			t.Errorf("%s is not expected: %s", key, text)
		}
	}
}

func indented(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		return text
	}
	return b.String()
}

// shown is everything that was put or left out, by key, as JSON without the names that places differ in.
func (p *Place) shown(t *testing.T, s Source, ch *site.Changes) map[string]string {
	t.Helper()
	all := map[string]map[string]any{}
	of := func(id site.ID) map[string]any {
		key := p.Key(t, id)
		if all[key] == nil {
			all[key] = map[string]any{}
		}
		return all[key]
	}
	for _, d := range ch.Put {
		switch d := d.(type) {
		case *site.Post:
			of(d.ID)["post"] = p.document(t, s, d)
		case *site.Course:
			of(d.ID)["course"] = p.document(t, s, d)
		case *site.File:
			of(d.ID)[string(d.ID[strings.LastIndex(string(d.ID), "#")+1:])] = p.file(t, s, d)
		}
	}
	for _, skip := range ch.Skipped {
		of(skip.ID)["skipped"] = skip.Field
	}
	out := map[string]string{}
	for key, m := range all {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
		out[key] = heldName.ReplaceAllString(strings.TrimSpace(b.String()), "$2.$1.$3")
	}
	return out
}

// heldName is the address of a picture held as data: it tells the document, whose name places differ in.
var heldName = regexp.MustCompile(`/[a-z]+/[0-9a-f]{16}/([0-9a-f]{16})/(\w+)\.(\w+)`)

// document is a document with its bodies, without empty fields.
func (p *Place) document(t *testing.T, s Source, d site.Document) map[string]any {
	t.Helper()
	m := fieldsOf(t, d)
	body := func(m map[string]any, ref site.BodyRef) {
		delete(m, "Body")
		if ref.IsZero() {
			return
		}
		b, err := s.Body(t.Context(), ref)
		if err != nil {
			t.Errorf("Body(%+v): %v", ref, err)
		}
		if max(digest.Bytes(b.Text), 1) != ref.Hash || len(b.Text) != ref.Bytes {
			t.Errorf("Body(%+v) gives %d bytes with digest %v", ref, len(b.Text), digest.Bytes(b.Text))
		}
		m[string(ref.Format)] = string(b.Text)
	}
	body(m, site.MetaOf(d).Body)
	if c, ok := d.(*site.Course); ok && len(c.Modules) > 0 {
		var modules []any
		for _, module := range c.Modules {
			lessons := []any{}
			for _, l := range module.Lessons {
				lm := fieldsOf(t, l)
				body(lm, l.Body)
				lessons = append(lessons, lm)
			}
			modules = append(modules, map[string]any{"Title": module.Title, "Lessons": lessons})
		}
		m["Modules"] = modules
	}
	return m
}

// fieldsOf are the fields of a struct that are not empty and mean the same everywhere.
func fieldsOf(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ID", "Source", "Revision", "Modules"} {
		delete(m, name)
	}
	maps.DeleteFunc(m, func(_ string, v any) bool { return empty(v) })
	return m
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "" || v == "0001-01-01T00:00:00Z"
	case bool:
		return !v
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, in any) bool { return empty(in) })
		return len(v) == 0
	}
	return false
}

// file is a picture held as data.
func (p *Place) file(t *testing.T, s Source, f *site.File) string {
	t.Helper()
	r, err := s.Open(t.Context(), f)
	if err != nil {
		t.Errorf("Open(%s): %v", f.Name, err)
		return ""
	}
	defer r.Close()
	sum, n, err := digest.Reader(r)
	if err != nil || sum != f.Revision || n != f.Size {
		t.Errorf("Open(%s) gives %d bytes with digest %v, %v; want %d with %v", f.Name, n, sum, err, f.Size, f.Revision)
	}
	return fmt.Sprintf("%s, %d bytes, %d × %d", sum, n, f.Width, f.Height)
}

// A dot is a picture held as data.
const dot = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// anotherDot is another.
const anotherDot = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

// parse reads a document.
func parse(t *testing.T, text string) extjson.Doc {
	t.Helper()
	d, _, err := extjson.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

func post(t *testing.T, n int, title string) extjson.Doc {
	t.Helper()
	return parse(t, fmt.Sprintf(`{"_id": {"$oid": "65a0c0ffee0000000000%04d"}, "title": %q, "slug": "post-%d", "content": "Text of %d.", "author": "Asha",
		"tags": ["go"], "status": "published", "publishedAt": {"$date": "2024-01-%02dT00:00:00Z"}, "views": 1, "updatedAt": {"$date": "2024-02-01T00:00:00Z"}}`, n, title, n, n, n))
}

func course(t *testing.T, n int) extjson.Doc {
	t.Helper()
	return parse(t, fmt.Sprintf(`{"_id": {"$oid": "65a0c0ffee0000000000%04d"}, "title": "Course %d", "slug": "course-%d", "fullDescription": "About it.", "price": 0,
		"createdAt": {"$date": "2024-01-01T00:00:00Z"}, "curriculum": [{"title": "M", "lessons": [{"title": "One", "slug": "one", "content": "First."},
		{"title": "Two", "slug": "two", "content": "Second."}]}]}`, n, n, n))
}

func with(d extjson.Doc, key string, v extjson.Value) extjson.Doc { return d.Set(key, v) }

// testChanges follows documents through their lives with two sources, of which one is told what changed and the other
// looks for itself: both report the same, and what is asked for.
func testChanges(t *testing.T, p *Place) {
	const blogs, courses = "blogs", "courses"
	posts := map[int]extjson.Doc{}
	for n := 1; n <= 12; n++ {
		posts[n] = post(t, n, fmt.Sprintf("Post %d", n))
	}
	p.put(t, blogs, slices.Collect(maps.Values(posts))...)
	p.put(t, courses, course(t, 101), course(t, 102))
	told, looking := p.Source(t), p.Source(t)
	known := p.shown(t, told, scan(t, told, nil))
	if diff := cmp.Diff(known, p.shown(t, looking, scan(t, looking, nil))); diff != "" || len(known) != 14 {
		t.Fatalf("two sources find %d documents, and of these others (-first +second):\n%s", len(known), diff)
	}
	set := func(n int, key string, v extjson.Value) func() {
		return func() {
			posts[n] = with(posts[n], key, v)
			p.put(t, blogs, posts[n])
		}
	}
	key := func(n int) string {
		if n > 100 {
			return KeyOf(courses, course(t, n))
		}
		return KeyOf(blogs, post(t, n, ""))
	}
	none := extjson.Value{}
	for _, step := range []struct {
		name      string
		n         int // of the document
		do        func()
		put, drop string // documents and pictures, numbered
	}{
		{"counters", 1, func() {
			set(1, "views", extjson.Whole(5000))()
			set(1, "updatedAt", extjson.Text("2024-05-05T00:00:00Z"))()
		}, "", ""},
		{"nothing", 1, func() {}, "", ""},
		{"a title", 2, set(2, "title", extjson.Text("Edited")), "2", ""},
		{"a text", 3, set(3, "content", extjson.Text("Another text.")), "3", ""},
		{"a text of another form", 3, set(3, "content", extjson.Text("<p>Another text.</p>")), "3", ""},
		{"another slug", 4, set(4, "slug", extjson.Text("moved")), "4", ""},
		{"other tags", 5, set(5, "tags", extjson.Texts([]string{"go", "web"})), "5", ""},
		{"unpublished", 6, set(6, "status", extjson.Text("draft")), "6", ""},
		{"published again", 6, set(6, "status", extjson.Text("published")), "6", ""},
		{"a text taken away", 7, set(7, "content", none), "", "7"},
		{"still without a text", 7, set(7, "views", extjson.Whole(3)), "", ""},
		{"and given back", 7, set(7, "content", extjson.Text("Back.")), "7", ""},
		{"a date that is none", 8, set(8, "publishedAt", extjson.Text("soon")), "", "8"},
		{"a date that is one", 8, set(8, "publishedAt", extjson.Text("2024-03-03")), "8", ""},
		{"a cover held as data", 9, set(9, "coverImage", extjson.Text(dot)), "9 9#cover", ""},
		{"another cover held as data", 9, set(9, "coverImage", extjson.Text(anotherDot)), "9 9#cover", ""},
		{"a cover that is a file", 9, set(9, "coverImage", extjson.Text("/uploads/x.png")), "9", "9#cover"},
		{"a cover held as data again", 9, set(9, "coverImage", extjson.Text(dot)), "9 9#cover", ""},
		{"gone with its cover", 9, func() { p.Remove(t, key(9)) }, "", "9 9#cover"},
		{"gone", 10, func() { p.Remove(t, key(10)) }, "", "10"},
		{"new", 20, func() { p.put(t, blogs, post(t, 20, "New")) }, "20", ""},
		{"new under an old slug", 21, func() { p.put(t, blogs, with(post(t, 21, "New"), "slug", extjson.Text("post-10"))) }, "21", ""},
		{"a course", 101, func() { p.put(t, courses, with(course(t, 101), "title", extjson.Text("Edited"))) }, "101", ""},
		{"a lesson", 102, func() {
			p.put(t, courses, parse(t, strings.Replace(string(course(t, 102).Append(nil, extjson.Canonical)), "Second.", "Rewritten.", 1)))
		}, "102", ""},
		{"no lessons", 102, func() { p.put(t, courses, with(course(t, 102), "curriculum", none)) }, "102", ""},
		{"a course gone", 102, func() { p.Remove(t, key(102)) }, "", "102"},
	} {
		name := p.Name(t, key(step.n))
		step.do()
		if name == "" {
			name = p.Name(t, key(step.n)) // it is new
		}
		changes := map[string]*site.Changes{}
		for who, s := range map[string]Source{"told": told, "looking": looking} {
			names := []string{name}
			if who == "looking" {
				names = nil
			}
			ch := scan(t, s, names)
			for len(ch.Again) > 0 { // what may be half written is kept for a moment
				time.Sleep(50 * time.Millisecond)
				ch = scan(t, s, ch.Again)
			}
			changes[who] = ch
			put, drop := []string{}, []string{}
			for _, d := range ch.Put {
				put = append(put, p.short(t, d.DocID()))
			}
			for _, id := range ch.Drop {
				drop = append(drop, p.short(t, id))
			}
			slices.Sort(put)
			slices.Sort(drop)
			if diff := cmp.Diff([][]string{strings.Fields(step.put), strings.Fields(step.drop)}, [][]string{put, drop}); diff != "" {
				t.Errorf("%s, %s: put and dropped (-want +got):\n%s", step.name, who, diff)
			}
		}
		if diff := cmp.Diff(p.shown(t, told, changes["told"]), p.shown(t, looking, changes["looking"])); diff != "" {
			t.Errorf("%s (-told +looking):\n%s", step.name, diff)
		}
		apply(known, p.shown(t, looking, changes["looking"]), changes["looking"], func(id site.ID) string { return p.Key(t, id) })
	}
	fresh := p.Source(t)
	last := p.shown(t, fresh, scan(t, fresh, nil))
	for _, all := range []map[string]string{known, last} {
		for key, text := range all {
			all[key] = views.ReplaceAllString(text, "") // which change nothing
		}
	}
	if diff := cmp.Diff(last, known); diff != "" {
		t.Errorf("what a new source finds, and what the changes have led to (-new +led):\n%s", diff)
	}
}

var views = regexp.MustCompile(`"Views":\d+,`)

// apply makes known what a scan has found.
func apply(known, shown map[string]string, ch *site.Changes, keyOf func(site.ID) string) {
	for _, id := range ch.Drop {
		if !strings.Contains(string(id), "#") {
			delete(known, keyOf(id))
		}
	}
	for key, text := range shown {
		if text != `{"skipped":"content"}` || known[key] == "" {
			known[key] = text
		}
	}
	skipped := map[string]bool{}
	for _, s := range ch.Skipped {
		skipped[keyOf(s.ID)] = true
	}
	maps.DeleteFunc(known, func(key, text string) bool { return strings.HasPrefix(text, `{"skipped"`) && !skipped[key] })
}

// short is the number of a document or of a picture in it.
func (p *Place) short(t *testing.T, id site.ID) string {
	t.Helper()
	key := p.Key(t, id)
	out := strings.TrimLeft(key[strings.LastIndex(key, "ffee")+4:], "0")
	if _, picture, ok := strings.Cut(string(id), "#picture/"); ok {
		out += "#" + picture
	}
	return out
}

// testBodies reads bodies and pictures after their documents have changed, and after they are gone.
func testBodies(t *testing.T, p *Place) {
	p.put(t, "blogs", post(t, 1, "One"), with(post(t, 2, "Two"), "coverImage", extjson.Text(dot)), post(t, 3, "Three"))
	p.put(t, "courses", course(t, 101))
	s := p.Source(t)
	refs := map[string]site.BodyRef{}
	var picture *site.File
	for _, d := range scan(t, s, nil).Put {
		switch d := d.(type) {
		case *site.Post:
			refs[d.Title] = d.Body
		case *site.Course:
			refs["course"] = d.Body
			refs["lesson one"], refs["lesson two"] = d.Modules[0].Lessons[0].Body, d.Modules[0].Lessons[1].Body
		case *site.File:
			picture = d
		}
	}
	if picture == nil {
		t.Fatal("the cover held as data is no file")
	}
	check := func(when string, want map[string]error, pictureErr error) {
		t.Helper()
		for name, ref := range refs {
			if _, err := s.Body(t.Context(), ref); !errors.Is(err, want[name]) || err != nil && want[name] == nil {
				t.Errorf("%s: Body of %s: %v, want %v", when, name, err, want[name])
			}
		}
		r, err := s.Open(t.Context(), picture)
		if err == nil {
			r.Close()
		}
		if !errors.Is(err, pictureErr) || err != nil && pictureErr == nil {
			t.Errorf("%s: Open of a picture: %v, want %v", when, err, pictureErr)
		}
	}
	check("at first", nil, nil)
	p.put(t, "blogs", with(post(t, 1, "One"), "content", extjson.Text("Another.")), with(post(t, 2, "Two"), "coverImage", extjson.Text(anotherDot)),
		with(post(t, 3, "Another title"), "excerpt", extjson.Text("Another excerpt.")))
	p.put(t, "courses", parse(t, strings.Replace(string(course(t, 101).Append(nil, extjson.Canonical)), "First.", "Rewritten.", 1)))
	check("after edits", map[string]error{"One": site.ErrChanged, "lesson one": site.ErrChanged}, site.ErrChanged)
	p.put(t, "courses", with(course(t, 101), "curriculum", extjson.Value{}))
	check("without lessons", map[string]error{"One": site.ErrChanged, "lesson one": site.ErrChanged, "lesson two": site.ErrChanged}, site.ErrChanged)
	for _, d := range []extjson.Doc{post(t, 1, ""), post(t, 2, "")} {
		p.Remove(t, KeyOf("blogs", d))
	}
	p.Remove(t, KeyOf("courses", course(t, 101)))
	gone := site.ErrNotFound
	check("when gone", map[string]error{"One": gone, "Two": gone, "course": gone, "lesson one": gone, "lesson two": gone}, gone)
}
