package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/extjson"
	"freshet/internal/transfer"
)

// A shelf keeps documents in memory, under the rules that a database has: one document an _id.
type shelf struct {
	docs map[string][]extjson.Doc
	puts int
	most int // documents of the largest Put
	fail error
}

func (s *shelf) Find(_ context.Context, coll string, ids []extjson.Value, slugs []string, each func(extjson.Doc, string, bool) error) error {
	for _, d := range s.docs[coll] {
		id, _ := d.Get("_id")
		slug, _ := d.Get("slug")
		found := false
		for _, v := range ids {
			found = found || bytes.Equal(v.Append(nil, extjson.Canonical), id.Append(nil, extjson.Canonical))
		}
		for _, v := range slugs {
			found = found || slug.Text == v
		}
		fixed, _ := d.Get("fixed")
		if found {
			if err := each(d, "shelf", fixed.Int == 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Put(_ context.Context, coll string, docs []extjson.Doc) (map[int]error, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	s.puts++
	s.most = max(s.most, len(docs))
	refused := map[int]error{}
	for i, d := range docs {
		if bad, ok := d.Get("bad"); ok {
			refused[i] = errors.New(bad.Text)
			continue
		}
		key := "slug"
		if _, ok := d.Get("_id"); ok {
			key = "_id"
		}
		want, _ := d.Get(key)
		at := len(s.docs[coll])
		for j, o := range s.docs[coll] {
			if v, ok := o.Get(key); ok && bytes.Equal(v.Append(nil, extjson.Canonical), want.Append(nil, extjson.Canonical)) {
				at = j
			}
		}
		if at == len(s.docs[coll]) {
			s.docs[coll] = append(s.docs[coll], d)
		} else {
			s.docs[coll][at] = d
		}
	}
	return refused, nil
}

func (s *shelf) Each(_ context.Context, coll string, each func(extjson.Doc, string, error) error) error {
	for _, d := range s.docs[coll] {
		if err := each(d, "shelf", nil); err != nil {
			return err
		}
	}
	return nil
}

// run imports lines of Extended JSON and returns the report.
func run(t *testing.T, cfg transfer.Config, lines string) (*transfer.Report, error) {
	t.Helper()
	im, err := transfer.NewImporter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for r := extjson.NewReader(strings.NewReader(lines), "f.ndjson"); ; {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return im.Finish(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		im.Reject(it.Problems...)
		if it.Doc == nil {
			continue
		}
		if err := im.Add(t.Context(), "f.ndjson", it.Line, "", it.Doc); err != nil {
			return im.Report(), err
		}
	}
}

func TestImport(t *testing.T) {
	type counts struct{ Added, Replaced, Unchanged, Refused int }
	for _, tt := range []struct {
		name     string
		have     []string // documents of blogs
		lines    string
		want     counts
		problems []string // what they contain, in order
		after    []string // titles
	}{
		{name: "new", lines: `{"_id":1,"title":"A","slug":"a","content":""}`, want: counts{Added: 1}, after: []string{"A"}},
		{name: "same and changed", have: []string{`{"_id":1,"title":"A","slug":"a","content":""}`, `{"_id":2,"title":"B","slug":"b","content":""}`},
			lines: `{"_id":1,"title":"A","slug":"a","content":""}{"_id":2,"title":"B2","slug":"b","content":""}`, want: counts{Replaced: 1, Unchanged: 1}, after: []string{"A", "B2"}},
		{name: "slug of another", have: []string{`{"_id":{"$oid":"66d300000000000000000001"},"title":"A","slug":"a"}`},
			lines: `{"_id":{"$oid":"66d300000000000000000002"},"title":"B","slug":"a","content":""}`, want: counts{Refused: 1},
			problems: []string{`f.ndjson:1: the slug "a" is that of shelf, whose _id is 66d300000000000000000001; this one's is 66d300000000000000000002 (`}, after: []string{"A"}},
		{name: "slug of another in the same file", lines: "{\"_id\":1,\"title\":\"A\",\"slug\":\"a\",\"content\":\"\"}\n{\"_id\":2,\"title\":\"B\",\"slug\":\"a\",\"content\":\"\"}",
			want: counts{Added: 1, Refused: 1}, problems: []string{`f.ndjson:2: the slug "a" is that of f.ndjson:1, whose _id is {"$numberInt":"1"}; this one's is {"$numberInt":"2"} (`}, after: []string{"A"}},
		{name: "slug that became free", have: []string{`{"_id":1,"title":"A","slug":"a"}`},
			lines: `{"_id":1,"title":"A","slug":"b","content":""}{"_id":2,"title":"B","slug":"a","content":""}`, want: counts{Added: 1, Replaced: 1}, after: []string{"A", "B"}},
		{name: "no id: by slug, and the id stays", have: []string{`{"_id":1,"title":"A","slug":"a"}`}, lines: `{"title":"A2","slug":"a","content":""}`, want: counts{Replaced: 1}, after: []string{"A2"}},
		{name: "no id, again", have: []string{`{"_id":1,"title":"A","slug":"a","content":""}`}, lines: `{"title":"A","slug":"a","content":""}`, want: counts{Unchanged: 1}, after: []string{"A"}},
		{name: "no id, twice", lines: `{"title":"A","slug":"a","content":""}{"title":"B","slug":"a","content":""}`, want: counts{Added: 1, Refused: 1},
			problems: []string{`the slug "a" is that of f.ndjson:1, which has no _id; this one has none`}, after: []string{"A"}},
		{name: "written by an author", have: []string{`{"title":"A","slug":"a","fixed":true}`}, lines: `{"title":"B","slug":"a","content":""}{"_id":1,"title":"C","slug":"a","content":""}`,
			want: counts{Refused: 2}, problems: []string{"which has no _id", "which has no _id"}, after: []string{"A"}},
		{name: "two with the slug", have: []string{`{"_id":1,"title":"A","slug":"a"}`, `{"_id":2,"title":"B","slug":"a"}`}, lines: `{"title":"C","slug":"a","content":""}`,
			want: counts{Refused: 1}, problems: []string{"so it does not tell which this document is"}, after: []string{"A", "B"}},
		{name: "neither id nor slug", lines: `{"title":"A","slug":null,"content":""}`, want: counts{Refused: 1}, problems: []string{"neither an _id nor a slug"}},
		{name: "no slug is no conflict", lines: `{"_id":1,"title":"A","content":""}{"_id":2,"title":"B","slug":null,"content":""}{"_id":3,"title":"C","slug":"","content":""}`, want: counts{Added: 3}, after: []string{"A", "B", "C"}},
		{name: "id twice", lines: `{"_id":1,"title":"A","slug":"a","content":""}{"_id":1,"title":"B","slug":"b","content":""}`, want: counts{Added: 1, Refused: 1},
			problems: []string{"the document at f.ndjson:1 has the same _id"}, after: []string{"A"}},
		{name: "refused by the library", lines: `{"_id":1,"title":"A","slug":"a","content":"","bad":"too large"}{"_id":2,"title":"B","slug":"b","content":""}`,
			want: counts{Added: 1, Refused: 1}, problems: []string{"too large"}, after: []string{"B"}},
		{name: "no document", lines: "[1]\n{\"_id\":1,\"title\":\"A\",\"content\":\"\"}", want: counts{Added: 1, Refused: 1}, problems: []string{"f.ndjson:1: this is an array"}, after: []string{"A"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{docs: map[string][]extjson.Doc{}}
			for _, text := range tt.have {
				d, _, err := extjson.Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				s.docs["blogs"] = append(s.docs["blogs"], d)
			}
			before := len(s.docs["blogs"])
			check := func(rep *transfer.Report, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, counts{rep.Added, rep.Replaced, rep.Unchanged, rep.Refused}); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
				if len(rep.Problems) != len(tt.problems) {
					t.Fatalf("problems %v, want %q", rep.Problems, tt.problems)
				}
				for i, want := range tt.problems {
					if got := rep.Problems[i].Error(); !strings.Contains(got, want) {
						t.Errorf("problem %q, want %q", got, want)
					}
				}
			}
			if !strings.Contains(tt.lines, `"bad"`) {
				check(run(t, transfer.Config{To: s, DryRun: true}, tt.lines))
				if s.puts > 0 || len(s.docs["blogs"]) != before {
					t.Error("a dry run stored something")
				}
			}
			check(run(t, transfer.Config{To: s}, tt.lines))
			var titles []string
			for _, d := range s.docs["blogs"] {
				title, _ := d.Get("title")
				titles = append(titles, title.Text)
			}
			if diff := cmp.Diff(tt.after, titles); diff != "" {
				t.Errorf("afterwards (-want +got):\n%s", diff)
			}
			again, err := run(t, transfer.Config{To: s}, tt.lines)
			if err != nil || again.Added+again.Replaced > 0 {
				t.Errorf("the second time %+v: %v", again, err)
			}
		})
	}
}

// TestImportStopped stops an import half-way: the next one stores the rest.
func TestImportStopped(t *testing.T) {
	var lines strings.Builder
	for i := range 1000 {
		lines.Write(append(extjson.Doc{{Key: "_id", Value: extjson.Whole(int64(i))}, {Key: "title", Value: extjson.Text("x")}, {Key: "content", Value: extjson.Text("")}}.Append(nil, extjson.Canonical), '\n'))
	}
	s := &shelf{docs: map[string][]extjson.Doc{}}
	stop := errors.New("gone")
	cfg := transfer.Config{To: s, Progress: func(read int) {
		if read == 500 {
			s.fail = stop
		}
	}}
	if rep, err := run(t, cfg, lines.String()); !errors.Is(err, stop) || rep.Added == 0 || rep.Added != len(s.docs["blogs"]) {
		t.Fatalf("added %d of %d: %v", rep.Added, len(s.docs["blogs"]), err)
	}
	first := len(s.docs["blogs"])
	s.fail = nil
	rep, err := run(t, transfer.Config{To: s}, lines.String())
	if err != nil || rep.Unchanged != first || rep.Added != 1000-first || len(s.docs["blogs"]) != 1000 {
		t.Errorf("%+v: %v", rep, err)
	}
	if s.most >= 100 {
		t.Errorf("%d documents were stored at once, want fewer than 100", s.most)
	}
}

func TestCollectionOf(t *testing.T) {
	for _, tt := range []struct{ doc, file, want string }{
		{`{"title":"x","content":"y"}`, "courses.ndjson", "blogs"},
		{`{"title":"x","htmlContent":"y"}`, "x", "blogs"},
		{`{"title":"x","content":{"type":"doc","content":[]}}`, "x", "blogs"},
		{`{"title":"x","curriculum":null}`, "blogs.ndjson", "courses"},
		{`{"title":"x","price":1,"level":"y"}`, "x", "courses"},
		{`{"slug":"home","content":{"hero":{}}}`, "dump/pages.json", "pages"},
		{`{"slug":"home"}`, "dirty.courses.ndjson", "courses"},
		{`{"name":"x"}`, "blog_comments.json", "blog_comments"},
		{`{"name":"x"}`, "data.txt", ""},
	} {
		d, _, err := extjson.Parse([]byte(tt.doc))
		if err != nil {
			t.Fatal(err)
		}
		if got := transfer.CollectionOf(d, tt.file); got != tt.want {
			t.Errorf("CollectionOf(%s, %q) = %q, want %q", tt.doc, tt.file, got, tt.want)
		}
	}
}

func TestUploads(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "static")
	for name, text := range map[string]string{"a.png": "a", "sub/b c.png": "b", "uploads/d.png": "d", "moved/e.png": "e", "secret": "s"} {
		file := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	moved := "moved/e.png"
	climb := "../secret"
	m := map[string]*string{"/uploads/e.png": &moved, "/uploads/gone.png": nil, "/uploads/climb.png": &climb}
	line := `{"_id":1,"title":"x","slug":"x","content":"![](/uploads/a.png) <img src=\"/uploads/sub/b%20c.png\"> ![](/uploads/e.png) ![](/uploads/gone.png) ` +
		`![](/uploads/climb.png) ![](/uploads/../../secret) https://x.example/uploads/other.png ![](/uploads/none.png)","cover":{"url":"/uploads/d.png"}}`
	for i, want := range []int{4, 4, 0} {
		s := &shelf{docs: map[string][]extjson.Doc{}}
		rep, err := run(t, transfer.Config{To: s, DryRun: i == 0, Uploads: &transfer.Uploads{From: from, To: to, Map: m}}, line)
		if err != nil || rep.Copied != want || len(rep.Problems) != 4 {
			t.Errorf("run %d: %d copied, want %d; %v; %v", i, rep.Copied, want, rep.Problems, err)
		}
	}
	var got []string
	err := filepath.WalkDir(to, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(to, name)
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"uploads/a.png", "uploads/d.png", "uploads/e.png", "uploads/sub/b c.png"}, got); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
}
