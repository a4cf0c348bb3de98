package revalidator_test

import (
	"slices"
	"testing"

	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/revalidator"
)

// TestResolve resolves documents, tags and paths for a site of files and for one of MongoDB. A request for a document that
// the site does not show means everything in a site of files only.
func TestResolve(t *testing.T) {
	w, err := pagestore.OpenWriter(pagestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	batch := w.Begin()
	for path, docs := range map[site.Path][]site.ID{"/blog/a/": {"a.md"}, "/blog/b/": {"b.md"}, "/topic/water/": {"", "a.md", "b.md"}, "/about/": {"about.md"}} {
		ref, err := batch.Object([]byte(path))
		if err != nil {
			t.Fatal(err)
		}
		var refs []site.DocRef
		for _, id := range docs {
			if id != "" {
				refs = append(refs, site.DocRef{ID: id, Revision: 1})
			}
		}
		batch.Put(site.Entry{Path: path, Kind: site.KindPage, Status: 200, Object: ref, Doc: docs[0]}, refs)
	}
	if _, err := batch.Commit(pagestore.CommitInfo{Cause: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		req        revalidator.Request
		files      []string
		everything bool // of the files
		mongo      []string
	}{
		{revalidator.Request{Docs: []revalidator.Doc{{Given: "blog:a"}}}, []string{"a.md"}, false, []string{"a.md", "blog:a"}},
		{revalidator.Request{Docs: []revalidator.Doc{{Coll: "Post", Slug: "a", ID: "7"}}}, []string{"a.md"}, false, []string{"a.md", "blog:a", "blogs:7"}},
		{revalidator.Request{Docs: []revalidator.Doc{{Coll: "post", ID: "7"}}}, nil, true, []string{"blogs:7"}},
		{revalidator.Request{Docs: []revalidator.Doc{{Coll: "post", Slug: "new", ID: "7"}}}, nil, true, []string{"blog:new", "blogs:7"}},
		{revalidator.Request{Docs: []revalidator.Doc{{Given: "blog/c.md"}}}, []string{"blog/c.md"}, false, []string{"blog/c.md"}},
		{revalidator.Request{Tags: []string{"Water"}}, []string{"a.md", "b.md"}, false, []string{"a.md", "b.md"}},
		{revalidator.Request{Paths: []string{"/about"}}, []string{"about.md"}, false, []string{"about.md"}},
	} {
		for _, inFiles := range []bool{true, false} {
			want, everything := test.mongo, false
			if inFiles {
				want, everything = test.files, test.everything
			}
			names, all := (&revalidator.Resolver{Current: func() revalidator.Pages { return w.Current() }, InFiles: inFiles}).Resolve(test.req)
			slices.Sort(names)
			if names = slices.Compact(names); !slices.Equal(names, want) || all != everything {
				t.Errorf("%+v, in files: %t: %q, everything: %t; want %q, %t", test.req, inFiles, names, all, want, everything)
			}
		}
	}
	r := &revalidator.Resolver{Current: func() revalidator.Pages { return w.Current() }, InFiles: true}
	for _, test := range []struct {
		req  revalidator.Request
		want []string
	}{
		{revalidator.Request{Docs: []revalidator.Doc{{Given: "blog:a"}}}, []string{"/blog/a/", "/topic/water/"}},
		{revalidator.Request{Everything: true}, []string{"/about/", "/blog/a/", "/blog/b/", "/topic/water/"}},
		{revalidator.Request{Docs: []revalidator.Doc{{Given: "blog/c.md"}}}, []string{}},
	} {
		if got, err := r.Plan(t.Context(), test.req); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("Plan(%+v) = %q, %v, want %q", test.req, got, err, test.want)
		}
	}
}
