package main

import (
	"context"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"freshet/internal/contentdir"
	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/site"
	"freshet/internal/testenv"
	"freshet/internal/transfer"
)

// TestSourcesAgree imports real documents into a content tree and into MongoDB: the posts and courses that the two
// sources make of them are the same, but for their names.
func TestSourcesAgree(t *testing.T) {
	exports := filepath.Join(testenv.Corpus(t), "mongo-export")
	for _, files := range [][]string{{"blogs.ndjson", "courses.ndjson"}, {"blogs.tiptap.ndjson"}} {
		t.Run(files[0], func(t *testing.T) {
			content := filepath.Join(t.TempDir(), "content")
			uri, name := testenv.MongoDatabase(t)
			db, err := mongodb.Open(t.Context(), mongodb.Config{URI: mongodb.URI(uri), DB: name, ListTimeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			library, err := mongoPlace(db)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := library.close(); err != nil {
					t.Error(err)
				}
			})
			for _, name := range files {
				file := filepath.Join(exports, name)
				importReport(t, exitDone, file, "--content", content)
				if rep := importInto(t, library, file); rep.Added != rep.Read {
					t.Fatalf("%s: %+v", name, rep)
				}
				if rep := importInto(t, library, file); rep.Unchanged != rep.Read {
					t.Errorf("%s again: %+v", name, rep)
				}
				coll := transfer.Blogs
				if name == "courses.ndjson" {
					coll = transfer.Courses
				}
				out := filepath.Join(t.TempDir(), name)
				inv := &invocation{stdout: io.Discard, stderr: io.Discard}
				if _, _, err := inv.exportFile(t.Context(), library, coll, out, extjson.Canonical); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(documents(t, file), documents(t, out)); diff != "" {
					t.Errorf("%s as it comes out of MongoDB (-want +got):\n%.1500s", name, diff)
				}
			}
			fromFiles, err := contentdir.New(contentdir.Config{Dir: content})
			if err != nil {
				t.Fatal(err)
			}
			fromMongo, err := mongodb.NewSource(db)
			if err != nil {
				t.Fatal(err)
			}
			want, got := shownDocuments(t, fromFiles), shownDocuments(t, fromMongo)
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if diff := cmp.Diff(want[key], got[key], cmpopts.IgnoreTypes(site.BodyRef{}), cmpopts.EquateEmpty(), cmp.FilterPath(func(p cmp.Path) bool {
					switch p.Last().String() {
					case ".ID", ".Revision", ".Source":
						return true
					}
					return false
				}, cmp.Ignore())); diff != "" {
					t.Errorf("%s (-files +MongoDB):\n%.1500s", key, diff)
				}
			}
			t.Logf("%d documents", len(want))
			if len(want) != len(got) {
				t.Errorf("%d documents in files, %d in MongoDB", len(want), len(got))
			}
		})
	}
}

func importInto(t *testing.T, to *place, file string) *transfer.Report {
	t.Helper()
	im, err := transfer.NewImporter(transfer.Config{To: to})
	if err != nil {
		t.Fatal(err)
	}
	if err := importFile(t.Context(), im, file); err != nil {
		t.Fatal(err)
	}
	rep, err := im.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// shownDocuments are the posts and courses of a source by kind and slug.
func shownDocuments(t *testing.T, s interface {
	Scan(ctx context.Context, changed []string) (*site.Changes, error)
}) map[string]any {
	t.Helper()
	ch, err := s.Scan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, d := range ch.Put {
		switch d := d.(type) {
		case *site.Post:
			out["post "+string(d.Slug)] = d
		case *site.Course:
			out["course "+string(d.Slug)] = d
		}
	}
	for _, k := range ch.Skipped {
		t.Errorf("left out: %+v", k)
	}
	return out
}
