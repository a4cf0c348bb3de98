package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"freshet/internal/contentdir"
	"freshet/internal/mongodb"
	"freshet/internal/site"
	"freshet/internal/testenv"
	"freshet/internal/transfer"
)

// TestSourcesAgree imports real documents into a content tree and into MongoDB: the posts and courses that the two
// sources make of them are the same, but for their names.
func TestSourcesAgree(t *testing.T) {
	exports := filepath.Join(testenv.Corpus(t), "mongo-export")
	uri := testenv.Mongo(t)
	for _, files := range [][]string{{"blogs.ndjson", "courses.ndjson"}, {"blogs.tiptap.ndjson"}} {
		t.Run(files[0], func(t *testing.T) {
			content := filepath.Join(t.TempDir(), "content")
			db, err := mongodb.Open(t.Context(), mongodb.Config{URI: mongodb.URI(uri), DB: fmt.Sprintf("freshet_test_agree_%d", time.Now().UnixNano()), ListTimeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			library, err := mongodb.NewLibrary(db)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range files {
				file := filepath.Join(exports, name)
				importReport(t, exitDone, file, "--content", content)
				im, err := transfer.NewImporter(transfer.Config{To: library})
				if err != nil {
					t.Fatal(err)
				}
				if err := importFile(t.Context(), im, file); err != nil {
					t.Fatal(err)
				}
				if rep, err := im.Finish(t.Context()); err != nil || rep.Added != rep.Read {
					t.Fatalf("%+v: %v", rep, err)
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
