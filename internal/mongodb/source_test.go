package mongodb_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"freshet/internal/digest"
	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// A pixel is a picture held as data, as sites store covers.
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestScanOnServer follows documents through their lives on a real server.
func TestScanOnServer(t *testing.T) {
	db := onServer(t)
	s := newSource(t, db)
	var docs []bson.D
	for n := range 120 {
		docs = append(docs, postDoc(n, "text"))
	}
	docs = append(docs, bson.D{{Key: "_id", Value: "by-hand"}, {Key: "title", Value: 2024}, {Key: "content", Value: "text"}, {Key: "status", Value: "published"}},
		bson.D{{Key: "_id", Value: "no-title"}, {Key: "content", Value: ""}, {Key: "status", Value: "published"}})
	insert(t, db, "blogs", docs...)
	insert(t, db, "courses", courseDoc(1), courseDoc(2))

	ch := scan(t, s)
	if len(ch.Put) != 123 || len(ch.Drop) != 0 || len(ch.Skipped) != 1 || ch.Skipped[0].ID != "blogs:no-title" {
		t.Errorf("the first scan put %d, dropped %q, skipped %+v; want 123, none, and blogs:no-title", len(ch.Put), ch.Drop, ch.Skipped)
	}
	now := time.Now().UTC()
	for _, step := range []struct {
		name    string
		do      func()
		changed []string
		put     []site.ID
		drop    []site.ID
	}{
		{"nothing", func() {}, nil, nil, nil},
		{"counters and updatedAt", func() {
			update(t, db, "blogs", oid(1), bson.D{{Key: "views", Value: 5000}, {Key: "likes", Value: 3}, {Key: "updatedAt", Value: now}})
			update(t, db, "courses", oid(1), bson.D{{Key: "shareCount", Value: 5}, {Key: "updatedAt", Value: now}})
		}, nil, nil, nil},
		{"an edit, found by a scan of all", func() { update(t, db, "blogs", oid(2), bson.D{{Key: "title", Value: "Edited"}}) }, nil, []site.ID{postID(2)}, nil},
		{"an edit of a body, named by its id", func() { update(t, db, "blogs", oid(3), bson.D{{Key: "content", Value: "other text"}}) }, []string{string(postID(3))}, []site.ID{postID(3)}, nil},
		{"an edit of another than the one named", func() { update(t, db, "blogs", oid(4), bson.D{{Key: "title", Value: "Edited"}}) }, []string{string(postID(5))}, nil, nil},
		{"and it is found later", func() {}, []string{"blog:post-4"}, []site.ID{postID(4)}, nil},
		{"a new slug, named by the old one", func() { update(t, db, "blogs", oid(6), bson.D{{Key: "slug", Value: "moved"}}) }, []string{"blog:post-6"}, []site.ID{postID(6)}, nil},
		{"a new post, named by its slug", func() { insert(t, db, "blogs", postDoc(200, "new")) }, []string{"blog:post-200"}, []site.ID{postID(200)}, nil},
		{"a course, named by its slug", func() { update(t, db, "courses", oid(2), bson.D{{Key: "title", Value: "Edited"}}) }, []string{"course:course-2"},
			[]site.ID{site.ID("courses:" + oid(2).Hex())}, nil},
		{"a deletion, named by its slug", func() { remove(t, db, "blogs", oid(7)) }, []string{"blog:post-7"}, nil, []site.ID{postID(7)}},
		{"a deletion, found by a scan of all", func() { remove(t, db, "blogs", oid(8)) }, nil, nil, []site.ID{postID(8)}},
		{"one that was never there", func() {}, []string{"blogs:nobody", "blog:nobody"}, nil, nil},
		{"a document that can be shown no more", func() {
			update(t, db, "blogs", oid(9), bson.D{{Key: "title", Value: nil}, {Key: "content", Value: nil}})
		},
			[]string{string(postID(9))}, nil, []site.ID{postID(9)}},
		{"and again", func() {
			update(t, db, "blogs", oid(9), bson.D{{Key: "title", Value: "Back"}, {Key: "content", Value: "text"}})
		}, []string{string(postID(9))}, []site.ID{postID(9)}, nil},
		{"a cover held as data", func() {
			update(t, db, "blogs", oid(10), bson.D{{Key: "coverImage", Value: bson.D{{Key: "url", Value: pixel}, {Key: "alt", Value: "x"}}}})
		}, []string{string(postID(10))}, []site.ID{postID(10), postID(10) + "#picture/cover"}, nil},
		{"that is gone", func() { update(t, db, "blogs", oid(10), bson.D{{Key: "coverImage", Value: nil}}) }, nil, []site.ID{postID(10)}, []site.ID{postID(10) + "#picture/cover"}},
		{"the hero of the list", func() {
			insert(t, db, "pages", bson.D{{Key: "_id", Value: 1}, {Key: "slug", Value: "blog"}, {Key: "content", Value: bson.D{{Key: "hero", Value: bson.D{{Key: "title", Value: "<b>Notes</b>"}}}}}})
		}, []string{"pages:blog"}, []site.ID{"pages:blog"}, nil},
		{"the hero is gone", func() { remove(t, db, "pages", 1) }, nil, nil, []site.ID{"pages:blog"}},
		{"the banner", func() {
			insert(t, db, "pages", bson.D{{Key: "_id", Value: 2}, {Key: "slug", Value: "notification"}, {Key: "content", Value: bson.D{{Key: "enabled", Value: true},
				{Key: "message", Value: "<b>Read</b> this"}, {Key: "linkText", Value: "Here"}, {Key: "linkHref", Value: "javascript:alert(1)"}}}})
		}, []string{"pages:notification"}, []site.ID{"pages:notification"}, nil},
		{"the banner is switched off", func() {
			update(t, db, "pages", 2, bson.D{{Key: "content", Value: bson.D{{Key: "enabled", Value: "false"}, {Key: "message", Value: "Read this"}}}})
		}, nil, nil, []site.ID{"pages:notification"}},
		{"courses that are being worked on", func() {
			insert(t, db, "pages", bson.D{{Key: "_id", Value: 3}, {Key: "slug", Value: "courses"}, {Key: "content", Value: bson.D{{Key: "content", Value: bson.D{{Key: "developmentMode", Value: true}}}}}})
		}, nil, []site.ID{"pages:courses"}, nil},
		{"and are ready", func() { remove(t, db, "pages", 3) }, nil, nil, []site.ID{"pages:courses"}},
		{"a name of another kind", func() { update(t, db, "blogs", oid(11), bson.D{{Key: "title", Value: "Edited"}}) }, []string{"everything"}, []site.ID{postID(11)}, nil},
	} {
		step.do()
		put, drop := summary(scan(t, s, step.changed...))
		if diff := cmp.Diff([][]site.ID{step.put, step.drop}, [][]site.ID{put, drop}); diff != "" {
			t.Errorf("%s: put and dropped (-want +got):\n%s", step.name, diff)
		}
	}
	if ch := scan(t, s); len(ch.Skipped) != 1 {
		t.Errorf("skipped at the end: %+v, want the one that always was", ch.Skipped)
	}
	// A new source finds what the scans have led to.
	fresh := newSource(t, db)
	if ch := scan(t, fresh); len(ch.Put) != 122 {
		t.Errorf("a new source finds %d documents, want 122", len(ch.Put))
	}
}

// TestBodyAndOpenOnServer reads bodies and files again, and after they changed.
func TestBodyAndOpenOnServer(t *testing.T) {
	db := onServer(t)
	s := newSource(t, db)
	cover := postDoc(2, "text")
	cover = append(cover, bson.E{Key: "coverImage", Value: pixel})
	insert(t, db, "blogs", postDoc(1, "the *text*"), cover)
	var ref site.BodyRef
	var file *site.File
	for _, d := range scan(t, s).Put {
		switch d := d.(type) {
		case *site.Post:
			if d.ID == postID(1) {
				ref = d.Body
			}
		case *site.File:
			file = d
		}
	}
	body, err := s.Body(t.Context(), ref)
	if err != nil || string(body.Text) != "the *text*" {
		t.Errorf("Body = %q, %v", body.Text, err)
	}
	if file == nil {
		t.Fatal("the cover held as data is no file")
	}
	r, err := s.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || digest.Bytes(data) != file.Revision || int64(len(data)) != file.Size {
		t.Errorf("Open gives %d bytes with digest %s and %v, want %d with %s", len(data), digest.Bytes(data), err, file.Size, file.Revision)
	}

	update(t, db, "blogs", oid(1), bson.D{{Key: "content", Value: "another"}})
	update(t, db, "blogs", oid(2), bson.D{{Key: "coverImage", Value: "/x.png"}})
	if _, err := s.Body(t.Context(), ref); !errors.Is(err, site.ErrChanged) {
		t.Errorf("Body of a changed document: %v, want ErrChanged", err)
	}
	if _, err := s.Open(t.Context(), file); !errors.Is(err, site.ErrChanged) {
		t.Errorf("Open of a changed file: %v, want ErrChanged", err)
	}
	if put, drop := summary(scan(t, s, file.Name)); !slices.Equal(put, []site.ID{postID(2)}) || !slices.Equal(drop, []site.ID{file.ID}) {
		t.Errorf("a scan of the file's name put %q and dropped %q, want its document and the file", put, drop)
	}
	remove(t, db, "blogs", oid(1))
	remove(t, db, "blogs", oid(2))
	if _, err := s.Body(t.Context(), ref); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("Body of a deleted document: %v, want ErrNotFound", err)
	}
	if _, err := s.Open(t.Context(), file); !errors.Is(err, site.ErrNotFound) {
		t.Errorf("Open of a deleted document's file: %v, want ErrNotFound", err)
	}
	if _, err := s.Scan(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("a scan of what has become empty: %v, want an error: it is more likely a mistake", err)
	}
}

// TestViewOnServer puts a view in the place of a collection.
func TestViewOnServer(t *testing.T) {
	db := onServer(t)
	insert(t, db, "posts", postDoc(1, "text"))
	err := db.Client().Database(db.Name()).CreateView(t.Context(), "blogs", "posts", mongo.Pipeline{})
	if code := (mongo.CommandError{}); errors.As(err, &code) && code.Code == 238 {
		t.Skip("this server has no views")
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := newSource(t, db).Scan(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "is a view, not a collection") {
		t.Errorf("Scan of a view: %v, want an error that says so", err)
	}
	if _, err := db.Indexes(t.Context()); err == nil || !strings.Contains(err.Error(), "is a view, not a collection") {
		t.Errorf("Indexes of a view: %v, want an error that says so", err)
	}
}

// TestIndexesOnServer makes the indexes, again, and with others in their place.
func TestIndexesOnServer(t *testing.T) {
	db := onServer(t)
	insert(t, db, "blogs", postDoc(1, "text"), postDoc(2, "text"))
	states := func(report []mongodb.Index) map[string]mongodb.IndexState {
		out := map[string]mongodb.IndexState{}
		for _, i := range report {
			out[i.Collection+" "+i.Keys] = i.State
		}
		return out
	}
	run := func() []mongodb.Index {
		t.Helper()
		report, err := db.Indexes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range report {
			if i.State == mongodb.IndexConflicting && (i.Message == "" || i.Remedy == "") {
				t.Errorf("%s %s is %s without message or remedy", i.Collection, i.Keys, i.State)
			}
		}
		return report
	}
	first := run()
	const text = `blogs {title: "text", excerpt: "text"}`
	hasText := states(first)[text] == mongodb.IndexCreated
	want := map[string]mongodb.IndexState{}
	for _, keys := range []string{"blogs {slug: 1} unique sparse", "blogs {status: 1, publishedAt: -1}", "blogs {tags: 1, status: 1}", "blogs {author: 1, status: 1}",
		"blogs {views: -1, status: 1}", "blogs {createdAt: -1, status: 1}", text, "blogs {updatedAt: 1, _id: 1}", "courses {slug: 1} unique sparse", "courses {updatedAt: 1, _id: 1}"} {
		want[keys] = mongodb.IndexCreated
	}
	if !hasText {
		want[text] = mongodb.IndexUnsupported
		t.Log("this server has no text indexes")
	}
	if diff := cmp.Diff(want, states(first)); diff != "" {
		t.Errorf("first run (-want +got):\n%s", diff)
	}
	for keys := range want {
		if want[keys] == mongodb.IndexCreated {
			want[keys] = mongodb.IndexSame
		}
	}
	if diff := cmp.Diff(want, states(run())); diff != "" {
		t.Errorf("second run (-want +got):\n%s", diff)
	}

	command := func(cmd bson.D) {
		t.Helper()
		if err := db.Client().Database(db.Name()).RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(name string, index bson.D) {
		t.Helper()
		command(bson.D{{Key: "dropIndexes", Value: "blogs"}, {Key: "index", Value: name}})
		if index != nil {
			command(bson.D{{Key: "createIndexes", Value: "blogs"}, {Key: "indexes", Value: bson.A{index}}})
		}
	}
	replace("slug_1", bson.D{{Key: "key", Value: bson.D{{Key: "slug", Value: 1}}}, {Key: "name", Value: "by_slug"}})
	want["blogs {slug: 1} unique sparse"] = mongodb.IndexConflicting
	if hasText {
		replace("title_text_excerpt_text", bson.D{{Key: "key", Value: bson.D{{Key: "title", Value: "text"}, {Key: "content", Value: "text"}}}, {Key: "name", Value: "old_text"}})
		want[text] = mongodb.IndexConflicting
	}
	if diff := cmp.Diff(want, states(run())); diff != "" {
		t.Errorf("with others in their place (-want +got):\n%s", diff)
	}
	replace("by_slug", nil)
	insert(t, db, "blogs", bson.D{{Key: "_id", Value: 1}, {Key: "slug", Value: "post-1"}})
	if diff := cmp.Diff(want, states(run())); diff != "" {
		t.Errorf("with two documents of one slug (-want +got):\n%s", diff)
	}
}
