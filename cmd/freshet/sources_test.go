package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/storetest"
	"freshet/internal/testenv"
	"freshet/internal/transfer"
)

// TestSourcesAgree puts the same documents into a content tree and into MongoDB, real ones, awkward ones and those of
// the conformance suite: the sites built from both are equal, byte for byte.
func TestSourcesAgree(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string // of the corpus; none: the suite's documents
		// What a content tree does not show, by slug: a lesson is a file there, and a curriculum that is text has none.
		textOnly []string
	}{
		{name: "suite"},
		{name: "clean", files: []string{"blogs.ndjson", "courses.ndjson"}},
		{name: "tiptap", files: []string{"blogs.tiptap.ndjson"}},
		{name: "dirty", files: []string{"dirty.ndjson", "dirty.courses.ndjson"}, textOnly: []string{"d79-xr-spatial-design"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			uri, name := testenv.MongoDatabase(t)
			docs := storetest.Documents(t)
			if tt.files != nil {
				docs = map[string][]extjson.Doc{}
				for _, file := range tt.files {
					coll := transfer.Blogs
					if strings.Contains(file, "courses") {
						coll = transfer.Courses
					}
					docs[coll] = testenv.CorpusDocuments(t, file)
				}
			}
			for coll, list := range docs {
				docs[coll] = slices.DeleteFunc(list, func(d extjson.Doc) bool {
					slug, _ := d.Get("slug")
					return slices.Contains(tt.textOnly, slug.Text)
				})
			}
			dir := t.TempDir()
			content := filepath.Join(dir, "content")
			if err := os.Mkdir(content, 0o777); err != nil {
				t.Fatal(err)
			}
			database, err := openDatabase(t, uri, name)
			if err != nil {
				t.Fatal(err)
			}
			files, err := openContent(t.Context(), content, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, coll := range slices.Sorted(maps.Keys(docs)) {
				taken := importInto(t, database, coll, docs[coll])
				importInto(t, files, coll, taken)
				total += len(taken)
				// What comes out of the database is what went in.
				got := map[string]string{}
				err := database.Each(t.Context(), coll, func(d extjson.Doc, where string, err error) error {
					got[where] = string(d.Append(nil, extjson.Canonical))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]bool{}
				for _, d := range taken {
					if _, ok := d.Get("_id"); ok {
						want[string(d.Append(nil, extjson.Canonical))] = true
					}
				}
				for where, text := range got {
					if !want[text] && len(want) == len(taken) {
						t.Errorf("%s comes out as %.300s", where, text)
					}
				}
				if len(got) != len(taken) {
					t.Errorf("%d documents of %s come out of the database, %d went in", len(got), coll, len(taken))
				}
			}
			if tt.files == nil {
				for coll, list := range docs {
					if again := importReportOf(t, database, coll, list); again.Added+again.Replaced > 0 {
						t.Errorf("a second import of %s: %+v", coll, again)
					}
				}
			}
			fromFiles, fromMongo := buildFrom(t, dir, content, "", ""), buildFrom(t, dir, "", uri, name)
			if diff := cmp.Diff(fromFiles, fromMongo); diff != "" || len(fromFiles) < total/2 {
				t.Errorf("the sites of %d documents (-files +MongoDB):\n%.3000s", total, diff)
			}
			t.Logf("%d documents, %d files", total, len(fromFiles))
		})
	}
}

// openDatabase opens the library of a database. It is closed when the test ends.
func openDatabase(t *testing.T, uri, name string) (*place, error) {
	t.Helper()
	db, err := mongodb.Open(t.Context(), mongodb.Config{URI: mongodb.URI(uri), DB: name, ListTimeout: 20 * time.Second})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return mongoPlace(db)
}

// importInto imports documents and returns those that the place has taken.
func importInto(t *testing.T, to *place, coll string, docs []extjson.Doc) []extjson.Doc {
	t.Helper()
	rep := importReportOf(t, to, coll, docs)
	refused := map[int]bool{}
	for _, p := range rep.Problems {
		if p.Severity == diag.Error {
			t.Logf("%s is not stored in %s: %s", p.ID, to.name, p.Message)
			refused[p.Line] = true
		}
	}
	if rep.Added+len(refused) != len(docs) {
		t.Errorf("import of %d documents into %s: %d added, %d refused", len(docs), to.name, rep.Added, len(refused))
	}
	var taken []extjson.Doc
	for i, d := range docs {
		if !refused[i+1] {
			taken = append(taken, d)
		}
	}
	return taken
}

// importReportOf imports documents and returns what is said of it.
func importReportOf(t *testing.T, to *place, coll string, docs []extjson.Doc) *transfer.Report {
	t.Helper()
	im, err := transfer.NewImporter(transfer.Config{To: to, Collection: coll})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	for _, d := range docs {
		file.Write(append(d.Append(nil, extjson.Canonical), '\n'))
	}
	name := filepath.Join(t.TempDir(), coll+".ndjson")
	if err := os.WriteFile(name, file.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := im.AddFile(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	rep, err := im.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// buildFrom builds a site of a content tree, or of a database, and returns the digests of its files.
func buildFrom(t *testing.T, dir, content, uri, name string) map[string]string {
	t.Helper()
	from := "files"
	env := []string{}
	args := []string{"build", "--now", "2027-01-01", "--url", artefactURL, "--templates", filepath.Join(dir, "templates"), "--content", filepath.Join(dir, "none")}
	if uri != "" {
		from, env = "mongo", []string{"MONGODB_URI=" + uri, "MONGODB_DB=" + name, "FRESHET_MONGO_LIST_TIMEOUT=20s"}
	} else {
		args[len(args)-1] = content
	}
	args = append(args, "--public", filepath.Join(dir, from), "--state", filepath.Join(dir, "state-"+from))
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, env, &stdout, &stderr); code == exitMisuse {
		t.Fatalf("build from %s exits %d: %s", from, code, stderr.String())
	}
	return treeDigests(t, filepath.Join(dir, from))
}
