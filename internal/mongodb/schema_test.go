package mongodb_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/mongodb"
	"freshet/internal/site"
)

// TestSchemaOnServer reads a database that calls everything by other names and refers to documents of other collections.
func TestSchemaOnServer(t *testing.T) {
	db := onServer(t, func(cfg *mongodb.Config) {
		cfg.Collections = map[string]string{"blogs": "posts", "courses": "trainings"}
		cfg.Fields = map[string]string{"content": "data.long", "publishedAt": "shownFrom", "published": "flags.live"}
		cfg.Refs = map[string]mongodb.Ref{"author": {Collection: "users", Field: "profile.name"}, "tags": {Collection: "terms", Field: "label"}}
	})
	name := func(s string) bson.D {
		return bson.D{{Key: "_id", Value: oid(900)}, {Key: "profile", Value: bson.D{{Key: "name", Value: s}}}}
	}
	insert(t, db, "users", name("Asha Verma"))
	insert(t, db, "terms", bson.D{{Key: "_id", Value: oid(901)}, {Key: "label", Value: "Rivers"}}, bson.D{{Key: "_id", Value: oid(902)}, {Key: "label", Value: "Hills"}})
	at := time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC)
	doc := func(n int, author any, live bool) bson.D {
		return bson.D{{Key: "_id", Value: oid(n)}, {Key: "title", Value: "T"}, {Key: "slug", Value: "t" + string(rune('a'+n))}, {Key: "data", Value: bson.D{{Key: "long", Value: "Words of it."}}},
			{Key: "shownFrom", Value: at}, {Key: "flags", Value: bson.D{{Key: "live", Value: live}}}, {Key: "author", Value: author},
			{Key: "tags", Value: bson.A{oid(901), oid(902).Hex(), oid(999)}}}
	}
	insert(t, db, "posts", doc(1, oid(900), true), doc(2, oid(900).Hex(), true), doc(3, oid(998), true), doc(4, oid(900), false))
	insert(t, db, "blogs", postDoc(7, "of another program")) // which is not read
	insert(t, db, "trainings", courseDoc(1))
	s := newSource(t, db)
	ch := scan(t, s)
	type shown struct {
		Authors, Tags []string
		Draft         bool
	}
	got := map[site.ID]shown{}
	for _, d := range ch.Put {
		if p, ok := d.(*site.Post); ok {
			v := shown{Tags: p.Tags, Draft: p.Draft}
			for _, a := range p.Authors {
				v.Authors = append(v.Authors, a.Name)
			}
			got[p.ID] = v
			if !p.Published.Equal(at) {
				t.Errorf("%s is published %v, want %v", p.ID, p.Published, at)
			}
			if b, err := s.Body(t.Context(), p.Body); err != nil || string(b.Text) != "Words of it." {
				t.Errorf("the body of %s is %q, %v", p.ID, b.Text, err)
			}
		}
	}
	tags := []string{"Rivers", "Hills"}
	want := map[site.ID]shown{postID(1): {[]string{"Asha Verma"}, tags, false}, postID(2): {[]string{"Asha Verma"}, tags, false}, postID(3): {nil, tags, false},
		postID(4): {[]string{"Asha Verma"}, tags, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	missing := 0
	for _, p := range ch.Problems {
		if strings.Contains(p.Message, "no such document") {
			missing++
		}
	}
	if missing != 5 || len(ch.Put) != 5 {
		t.Errorf("%d warnings of missing documents and %d documents, want 5 and 5: %+v", missing, len(ch.Put), ch.Problems)
	}
	// A referred document that changes renders what refers to it, whatever form the reference has.
	update(t, db, "users", oid(900), bson.D{{Key: "profile.name", Value: "Asha V."}})
	put, _ := summary(scan(t, s, "users:"+oid(900).Hex()))
	if diff := cmp.Diff([]site.ID{postID(1), postID(2), postID(4)}, put); diff != "" {
		t.Errorf("after another name (-want +got):\n%s", diff)
	}
	if put, _ := summary(scan(t, s, "users:"+oid(900).Hex())); len(put) > 0 {
		t.Errorf("a user that did not change renders %q", put)
	}
	// Events of the database name its own collection.
	update(t, db, "posts", oid(1), bson.D{{Key: "title", Value: "Edited"}})
	if put, _ := summary(scan(t, s, "posts:"+oid(1).Hex())); len(put) != 1 || put[0] != postID(1) {
		t.Errorf("after an edit %q", put)
	}
}

func TestSchemaMistakes(t *testing.T) {
	for _, tt := range []struct {
		cfg  mongodb.Config
		want string
	}{
		{mongodb.Config{Collections: map[string]string{"posts": "blogs"}}, `"posts" is no collection of freshet's`},
		{mongodb.Config{Collections: map[string]string{"blogs": "courses"}}, "both courses"},
		{mongodb.Config{Collections: map[string]string{"blogs": "pages"}}, "settings documents"},
		{mongodb.Config{Fields: map[string]string{"postText": "content"}}, `freshet has no field "postText"`},
		{mongodb.Config{Fields: map[string]string{"content": "$where"}}, "no name of a field"},
		{mongodb.Config{Refs: map[string]mongodb.Ref{"author": {Collection: "users"}}}, "needs a collection and a field"},
		{mongodb.Config{NoStatus: "shown"}, "draft or published"},
	} {
		tt.cfg.URI = "mongodb://127.0.0.1/x"
		if err := tt.cfg.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%+v) = %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

// TestMostLeftOut: where most documents are left out for one reason, one line says so, with the setting that mends it.
func TestMostLeftOut(t *testing.T) {
	long := strings.Repeat("Rivers carry water down to the sea. ", 5)
	without := func(doc bson.D, keys ...string) bson.D {
		var out bson.D
		for _, e := range doc {
			if !slices.Contains(keys, e.Key) {
				out = append(out, e)
			}
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		change func(bson.D) bson.D
		cfg    func(*mongodb.Config)
		all    bool // the database has no other documents
		want   string
		lines  int // of problems with the field
		skips  int
	}{
		{"no status", func(d bson.D) bson.D { return without(d, "status", "publishedAt") }, nil, true, "error: *.blogs: 9 of 9 documents are left out: nothing in them says that they are published (if they are, set mongo.noStatus: published;", 1, 1},
		{"no status beside others", func(d bson.D) bson.D { return without(d, "status", "publishedAt") }, nil, false, "warning: *.blogs: 9 of 10 documents are left out", 1, 0},
		{"no status, and the setting", func(d bson.D) bson.D { return without(d, "status", "publishedAt") }, func(c *mongodb.Config) { c.NoStatus = "published" }, true, "", 0, 0},
		{"null date, and the setting", func(d bson.D) bson.D {
			return append(without(d, "status", "publishedAt"), bson.E{Key: "publishedAt", Value: nil})
		}, func(c *mongodb.Config) { c.NoStatus = "published" }, true, "error: *.blogs: 9 of 9", 1, 1},
		{"drafts that say so", func(d bson.D) bson.D { return append(without(d, "status"), bson.E{Key: "status", Value: "draft"}) }, nil, true, "", 0, 0},
		{"another text", func(d bson.D) bson.D { return append(without(d, "content"), bson.E{Key: "prosa", Value: long}) }, nil, true, "error: *.blogs: 9 of 9 documents are left out: there is no text in a field that freshet knows (name the field that holds it with mongo.fields: {content: prosa})", 1, 9},
		{"another text, and the setting", func(d bson.D) bson.D { return append(without(d, "content"), bson.E{Key: "prosa", Value: long}) }, func(c *mongodb.Config) { c.Fields = map[string]string{"content": "prosa"} }, true, "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := onServer(t, func(c *mongodb.Config) {
				if tt.cfg != nil {
					tt.cfg(c)
				}
			})
			for n := range 9 {
				insert(t, db, "blogs", tt.change(postDoc(n, "text")))
			}
			if !tt.all {
				insert(t, db, "blogs", postDoc(50, "text"))
			}
			ch := scan(t, newSource(t, db))
			var got []string
			for _, p := range ch.Problems {
				if p.Field == "status" || p.Field == "content" {
					got = append(got, string(p.Severity)+": "+strings.Replace(p.Error(), db.Name(), "*", 1))
				}
			}
			if len(got) != tt.lines || tt.lines > 0 && !strings.HasPrefix(got[0], tt.want) || len(ch.Skipped) != tt.skips {
				t.Errorf("%d skipped, problems %q, want %d, and %d that begin with %q", len(ch.Skipped), got, tt.skips, tt.lines, tt.want)
			}
		})
	}
}
