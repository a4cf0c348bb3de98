package contentdir_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/extjson"
	"freshet/internal/site"
	"freshet/internal/stored"
	"freshet/internal/storetest"
)

// TestStore holds a content tree to what all places of documents do.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Place {
		dir := filepath.Join(t.TempDir(), "content")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		keys := map[string]string{} // by path, of what was ever there
		look := func(t *testing.T) {
			t.Helper()
			for _, coll := range []string{stored.Blogs, stored.Courses} {
				err := openLibrary(t, dir).Each(t.Context(), coll, func(d extjson.Doc, where string, err error) error {
					if err != nil {
						return err
					}
					name, err := filepath.Rel(dir, where)
					if coll == stored.Courses {
						keys[path.Dir(name)] = storetest.KeyOf(coll, d)
					}
					keys[name] = storetest.KeyOf(coll, d)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		find := func(t *testing.T, key string) string {
			t.Helper()
			look(t)
			for name, k := range keys {
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil && k == key && path.Base(name) != "_index.md" {
					return name
				}
			}
			return ""
		}
		return &storetest.Place{
			Library: func(t *testing.T) storetest.Library { return openLibrary(t, dir) },
			Source: func(t *testing.T) storetest.Source {
				s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Remove: func(t *testing.T, key string) {
				if err := os.RemoveAll(filepath.Join(dir, find(t, key))); err != nil {
					t.Fatal(err)
				}
			},
			Name: find,
			Key: func(t *testing.T, id site.ID) string {
				name, _, _ := strings.Cut(string(id), "#")
				if keys[name] == "" {
					look(t)
				}
				if keys[name] == "" {
					t.Errorf("the ID %q is no document's", id)
				}
				return keys[name]
			},
		}
	})
}
