package mongodb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/site"
)

// TestVerifyOnServer compares all documents by their names, a few at a time: bodies that were edited without a trace in
// updatedAt are found, and what has not changed is not reported.
func TestVerifyOnServer(t *testing.T) {
	t.Parallel()
	db := onServer(t)
	s := newSource(t, db)
	var docs []bson.D
	for n := range 120 {
		docs = append(docs, postDoc(n, "text"))
	}
	insert(t, db, "blogs", docs...)
	insert(t, db, "courses", courseDoc(1))
	scan(t, s)
	verify := func() (put, drop []site.ID) {
		t.Helper()
		names, err := s.Names(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(names, 50) {
			ch := scan(t, s, part...)
			p, d := summary(ch)
			put, drop = append(put, p...), append(drop, d...)
		}
		slices.Sort(put)
		slices.Sort(drop)
		return put, drop
	}
	if put, drop := verify(); len(put)+len(drop) > 0 {
		t.Errorf("nothing changed: put %q, dropped %q", put, drop)
	}
	course := site.ID("courses:" + oid(1).Hex())
	update(t, db, "blogs", oid(3), bson.D{{Key: "content", Value: "tex+"}})
	update(t, db, "blogs", oid(4), bson.D{{Key: "views", Value: 17}})
	update(t, db, "courses", oid(1), bson.D{{Key: "fullDescription", Value: "Shorter."}})
	remove(t, db, "blogs", oid(5))
	insert(t, db, "blogs", postDoc(300, "new"))
	put, drop := verify()
	if want := []site.ID{postID(3), postID(300), course}; !slices.Equal(put, want) || !slices.Equal(drop, []site.ID{postID(5)}) {
		t.Errorf("put %q, dropped %q; want %q and %q", put, drop, want, postID(5))
	}
	if put, drop := verify(); len(put)+len(drop) > 0 {
		t.Errorf("once more: put %q, dropped %q", put, drop)
	}
}

// TestNamesManyMissing has so many documents gone that the next scan of a few reads everything.
func TestNamesManyMissing(t *testing.T) {
	t.Parallel()
	r := newResponder(t)
	r.fill(0, 100)
	s := newSource(t, open(t, to(r, false)))
	scan(t, s)
	r.mu.Lock()
	r.docs["blogs"] = r.docs["blogs"][:60]
	r.mu.Unlock()
	names, err := s.Names(t.Context())
	if err != nil || len(names) != 101 {
		t.Fatalf("%d names, %v; want 100 documents and the settings", len(names), err)
	}
	if ch := scan(t, s, string(postID(1))); len(ch.Drop) != 40 {
		t.Errorf("dropped %d at once, want 40", len(ch.Drop))
	}
	r.set(func(name string, _ int) fault { return fault{cut: name == "find"} })
	if names, err := s.Names(t.Context()); err == nil {
		t.Errorf("names of a server that is away: %d", len(names))
	}
}

// TestCollectionGone asks for documents by their ids when their collection is gone: that is an error, for every name.
func TestCollectionGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(docs map[string][]bson.Raw)
		want string // of the error; empty: there is none
	}{
		{"one document", func(docs map[string][]bson.Raw) { docs["blogs"] = docs["blogs"][1:] }, ""},
		{"the last of its kind", func(docs map[string][]bson.Raw) { docs["courses"] = nil }, ""},
		{"all documents", func(docs map[string][]bson.Raw) { docs["blogs"], docs["courses"] = nil, nil }, "are empty"},
		{"the collection", func(docs map[string][]bson.Raw) { delete(docs, "blogs") }, "has no collection blogs"},
		{"both", func(docs map[string][]bson.Raw) { clear(docs) }, "has neither"},
	} {
		r := newResponder(t)
		r.fill(0, 5)
		r.docs["courses"] = []bson.Raw{raw(courseDoc(0))}
		s := newSource(t, open(t, to(r, false)))
		s.Must(func(string) bool { return true })
		scan(t, s)
		r.mu.Lock()
		test.do(r.docs)
		r.mu.Unlock()
		for _, name := range []string{string(postID(0)), "blog:post-0", fmt.Sprintf("courses:%s", oid(0).Hex())} {
			ch, err := s.Scan(t.Context(), []string{name})
			switch {
			case err == nil && test.want == "":
			case err == nil && len(ch.Drop) > 0:
				t.Errorf("%s is gone, Scan(%q): dropped %q, want an error", test.name, name, ch.Drop)
			case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s is gone, Scan(%q): error %v, want %q", test.name, name, err, test.want)
			}
		}
	}
}
