package contentdir_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"freshet/internal/contentdir"
	"freshet/internal/extjson"
	"freshet/internal/testenv"
)

func openLibrary(t *testing.T, dir string) *contentdir.Library {
	t.Helper()
	l, err := contentdir.OpenLibrary(t.Context(), contentdir.Config{Dir: dir, Summaries: summaries})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func parse(t *testing.T, s string) extjson.Doc {
	t.Helper()
	d, _, err := extjson.Parse([]byte(s))
	if err != nil {
		t.Fatalf("Parse(%s): %v", s, err)
	}
	return d
}

func put(t *testing.T, l *contentdir.Library, coll string, docs ...extjson.Doc) {
	t.Helper()
	if refused, err := l.Put(t.Context(), coll, docs); err != nil || len(refused) > 0 {
		t.Fatalf("Put: %v, %v", refused, err)
	}
}

// each lists a collection as lines of canonical Extended JSON.
func each(t *testing.T, l *contentdir.Library, coll string) []string {
	t.Helper()
	var out []string
	err := l.Each(t.Context(), coll, func(d extjson.Doc, where string, err error) error {
		if err != nil {
			return err
		}
		out = append(out, string(d.Append(nil, extjson.Canonical)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLibraryFiles shows the files that documents become, and reads the same documents back.
func TestLibraryFiles(t *testing.T) {
	for _, tt := range []struct{ name, coll, doc, want string }{
		{"post", "blogs", `{"_id":{"$oid":"66d300000000000000000001"},"title":"Rivers: a tour","slug":"rivers","content":"# Rivers\n\n{{< x >}}","tags":["water","New Year"],"status":"published","publishedAt":{"$date":"2024-01-02T03:04:05.006Z"},"views":{"$numberLong":"7"},"price":2.0,"seo":{"title":"R"},"__v":0}`,
			"-- blog/rivers.md --\n---\n_id: {\"$oid\": \"66d300000000000000000001\"}\ntitle: \"Rivers: a tour\"\nslug: rivers\nbody: content\ntags: [\"water\", \"New Year\"]\nstatus: published\npublishedAt: 2024-01-02T03:04:05.006Z\nviews: {\"$numberLong\": \"7\"}\nprice: 2.0\nseo: {\"title\": \"R\"}\n__v: 0\nshortcodes: off\norigin: mongodb\n---\n# Rivers\n\n{{< x >}}\n"},
		{"HTML", "blogs", `{"title":"H","slug":"h","content":"<p>a</p>"}`, "-- blog/h.md --\n---\ntitle: H\nslug: h\nbody: content\nformat: html\nshortcodes: off\norigin: mongodb\n---\n<p>a</p>\n"},
		{"HTML beside an editor's document", "blogs", `{"title":"H","slug":"h","content":{"type":"doc","content":[]},"htmlContent":"<p>a</p>"}`,
			"-- blog/h.md --\n---\ntitle: H\nslug: h\ncontent: {\"type\": \"doc\", \"content\": []}\nbody: htmlContent\nformat: html\nshortcodes: off\norigin: mongodb\n---\n<p>a</p>\n"},
		{"TipTap", "blogs", `{"title":"T","slug":"t","content":{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"a"}]}]}}`,
			"-- blog/t.md --\n---\ntitle: T\nslug: t\nbody: content\nformat: tiptap\nshortcodes: off\norigin: mongodb\n---\n{\"type\": \"doc\", \"content\": [{\"type\": \"paragraph\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}]}]}\n"},
		{"TipTap in text", "blogs", `{"title":"T","slug":"t","content":"{\"type\":\"doc\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}"}`,
			"-- blog/t.md --\n---\ntitle: T\nslug: t\nbody: content\nformat: tiptap\nasText: true\nshortcodes: off\norigin: mongodb\n---\n{\"type\":\"doc\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}\n"},
		{"own keys", "blogs", `{"title":"K","slug":"k","body":7,"format":1,"$x":null,"odd key: #":true,"":2,"<<":{"a":1}}`,
			"-- blog/k.md --\n---\ntitle: K\nslug: k\n\"$body\": 7\n\"$format\": 1\n\"$$x\": null\n\"odd key: #\": true\n\"$\": 2\n\"$<<\": {\"a\": 1}\nshortcodes: off\norigin: mongodb\n---\n"},
		{"text that is none", "blogs", `{"title":"2024-01-02","slug":"readme","content":null,"a":"true","b":"12","c":" x ","d":"x\ny","e":"off","f":"null","g":"\u0000","h":"2024-01-02T00:00:00Z","i":"yes"}`,
			"-- blog/readme-1.md --\n---\ntitle: \"2024-01-02\"\nslug: readme\ncontent: null\na: \"true\"\nb: \"12\"\nc: \" x \"\nd: \"x\\ny\"\ne: off\nf: \"null\"\ng: \"\\u0000\"\nh: \"2024-01-02T00:00:00Z\"\ni: \"yes\"\nshortcodes: off\norigin: mongodb\n---\n"},
		{"course", "courses", `{"title":"C","slug":"c","fullDescription":"About.","curriculum":[{"title":"One","lessons":[{"title":"L","slug":"l","content":"Text","free":true},{"title":"M"}]},null,{"moduleName":"Three","moduleId":"m3"}],"price":0}`,
			"-- courses/c/01-one/01-l.md --\n---\ntitle: L\nslug: l\nbody: content\nfree: true\nshortcodes: off\n---\nText\n-- courses/c/01-one/02-m.md --\n---\ntitle: M\nshortcodes: off\n---\n-- courses/c/01-one/_index.md --\n---\ntitle: One\nfiles: lessons\n---\n" +
				"-- courses/c/03-three/_index.md --\n---\nmoduleName: Three\nmoduleId: m3\n---\n-- courses/c/_index.md --\n---\ntitle: C\nslug: c\nbody: fullDescription\nfiles: curriculum\nholes: {\"1\": null}\nprice: 0\nshortcodes: off\norigin: mongodb\n---\nAbout.\n"},
		{"curriculum that is none", "courses", `{"title":"C","slug":"c","curriculum":"[{\"title\":\"x\"}]"}`,
			"-- courses/c/_index.md --\n---\ntitle: C\nslug: c\ncurriculum: \"[{\\\"title\\\":\\\"x\\\"}]\"\nshortcodes: off\norigin: mongodb\n---\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			doc := parse(t, tt.doc)
			put(t, openLibrary(t, dir), tt.coll, doc)
			if diff := cmp.Diff(tt.want, filesIn(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{string(doc.Append(nil, extjson.Canonical))}, each(t, openLibrary(t, dir), tt.coll)); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			ch := scan(t, newSource(t, dir, nil), nil)
			if len(ch.Skipped) > 0 || len(ch.Put) != 1 {
				t.Errorf("the tree has %d documents and leaves out %v", len(ch.Put), ch.Skipped)
			}
		})
	}
}

// filesIn is a folder as a txtar archive, in the order of paths.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var ar txtar.Archive
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		ar.Files = append(ar.Files, txtar.File{Name: filepath.ToSlash(rel), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(txtar.Format(&ar))
}

// TestLibraryPut stores documents again: in the place of themselves, and never in another's.
func TestLibraryPut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "blog/hand.md", []byte("---\ntitle: By hand\n---\nText.\n"))
	l := openLibrary(t, dir)
	put := func(coll, doc string) { t.Helper(); put(t, l, coll, parse(t, doc)) }
	put("blogs", `{"_id":1,"title":"A","slug":"a"}`)
	put("blogs", `{"_id":2,"title":"A too","slug":"A"}`) // another slug, of the same file name
	put("blogs", `{"_id":1,"title":"A again","slug":"renamed"}`)
	put("blogs", `{"title":"No id","slug":"hand"}`)
	put("blogs", `{"title":"No id again","slug":"hand"}`)
	put("courses", `{"_id":1,"title":"C","slug":"c","curriculum":[{"title":"One","lessons":[{"title":"L"},{"title":"M"}]},{"title":"Two","lessons":[{"title":"N"}]}]}`)
	put("courses", `{"_id":1,"title":"C","slug":"c","curriculum":[{"title":"One","lessons":[{"title":"M"}]}]}`)
	want := []string{"blog/a.md", "blog/a_2.md", "blog/hand.md", "blog/hand_2.md", "courses/c/01-one/01-m.md", "courses/c/01-one/_index.md", "courses/c/_index.md"}
	var got []string
	for _, f := range txtar.Parse([]byte(filesIn(t, dir))).Files {
		got = append(got, f.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, l := range []*contentdir.Library{l, openLibrary(t, dir)} {
		var found []string
		err := l.Find(t.Context(), "blogs", []extjson.Value{extjson.Whole(1), extjson.Whole(9)}, []string{"A", "hand", "by-hand", "renamed"},
			func(d extjson.Doc, where string, fixed bool) error {
				title, _ := d.Get("title")
				if fixed {
					title.Text += " (fixed)"
				}
				found = append(found, title.Text)
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"A again", "A too", "By hand (fixed)", "No id again"}, sorted(found)); diff != "" {
			t.Errorf("Find (-want +got):\n%s", diff)
		}
	}
	var large *contentdir.TooLargeError
	refused, err := l.Put(t.Context(), "blogs", []extjson.Doc{{{Key: "content", Value: extjson.Text(strings.Repeat("x", 6<<20))}}})
	if err != nil || !errors.As(refused[0], &large) {
		t.Errorf("Put of 6 MB: %v, %v", refused, err)
	}
}

func sorted(list []string) []string {
	out := append([]string(nil), list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// TestLibraryCorpus keeps every document of the exports of real sites and reads it back as it was given.
func TestLibraryCorpus(t *testing.T) {
	for name, coll := range map[string]string{
		"blogs.ndjson": "blogs", "blogs.canonical.first40.ndjson": "blogs", "blogs.jsonarray.first10.json": "blogs", "blogs.tiptap.ndjson": "blogs",
		"courses.ndjson": "courses", "dirty.ndjson": "blogs", "dirty.courses.ndjson": "courses",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openLibrary(t, dir)
			want := map[string]bool{}
			for _, doc := range testenv.CorpusDocuments(t, name) {
				want[string(doc.Append(nil, extjson.Canonical))] = true
				put(t, l, coll, doc)
			}
			got := each(t, openLibrary(t, dir), coll)
			for _, d := range got {
				if !want[d] {
					t.Errorf("not as it was given: %s", d[:min(len(d), 600)])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d documents of %d", len(got), len(want))
			}
		})
	}
}

func FuzzStored(f *testing.F) {
	for _, s := range []string{`{"title":"a","slug":"b","content":"c"}`, `{"_id":{"$oid":"66d300000000000000000001"},"a":{"$date":"2024-01-01T00:00:00Z"},"content":"---\nx: y\n---\n"}`,
		`{"title":"T","curriculum":[{"lessons":[{"title":"x","content":"\r\n"},1]},null]}`, `{"body":"x","$body":1,"content":{"type":"doc","content":[{"type":"text","text":"a"}]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc, _, err := extjson.Parse([]byte(s))
		if err != nil {
			return
		}
		for _, coll := range []string{"blogs", "courses"} {
			got, err := contentdir.StoreAndRead(coll, doc)
			if err != nil || !got.Equal(doc) {
				t.Errorf("%s: %s\nreads back as %s\n%v", coll, doc.Append(nil, extjson.Canonical), bytes.TrimSpace(got.Append(nil, extjson.Canonical)), err)
			}
		}
	})
}
