package mongodb_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/testenv"
)

func parse(t testing.TB, s string) extjson.Doc {
	t.Helper()
	d, _, err := extjson.Parse([]byte(s))
	if err != nil {
		t.Fatalf("Parse(%s): %v", s, err)
	}
	return d
}

// TestBSON makes BSON of documents and reads it back, and holds it to what the driver itself makes of them.
func TestBSON(t *testing.T) {
	for _, s := range []string{
		`{"a":null,"b":true,"c":{"$numberInt":"-1"},"d":{"$numberLong":"1"},"e":{"$numberDouble":"2.0"},"f":{"$numberDecimal":"1999.00"},"g":"x\u0000é"}`,
		`{"_id":{"$oid":"66d300000000000000000001"},"a":{"$date":{"$numberLong":"-1"}},"b":{"c":[{"d":[]},{}]},"e":{"$numberDouble":"NaN"}}`,
		`{"a":{"$binary":{"base64":"AQI=","subType":"80"}},"b":{"$regularExpression":{"pattern":"x","options":"i"}},"c":{"$timestamp":{"t":1,"i":2}},"d":{"$minKey":1},"e":{"$maxKey":1},"f":{"$undefined":true},"g":{"$code":"f()"},"h":{"$symbol":"s"}}`,
		`{"a":{"$ref":"x","$id":{"$numberInt":"1"}},"odd key.":{"$x":{"$numberInt":"1"}}}`,
	} {
		checkBSON(t, parse(t, s))
	}
}

func checkBSON(t *testing.T, d extjson.Doc) {
	t.Helper()
	text := d.Append(nil, extjson.Canonical)
	raw, err := mongodb.ToBSON(d)
	if err != nil {
		t.Errorf("%.200s: %v", text, err)
		return
	}
	var byDriver bson.Raw
	if err := bson.UnmarshalExtJSON(text, true, &byDriver); err != nil || string(byDriver) != string(raw) {
		t.Errorf("%.200s: BSON is not the driver's: %v", text, err)
	}
	again, err := mongodb.FromBSON(raw)
	if err != nil || !again.Equal(d) {
		t.Errorf("%.200s reads back as %.200s: %v", text, again.Append(nil, extjson.Canonical), err)
	}
}

// TestBSONCorpus does the same with every document of the exports of real sites.
func TestBSONCorpus(t *testing.T) {
	for _, name := range []string{"blogs.ndjson", "blogs.tiptap.ndjson", "courses.ndjson", "dirty.ndjson", "dirty.courses.ndjson"} {
		for _, d := range testenv.CorpusDocuments(t, name) {
			checkBSON(t, d)
		}
	}
}

// TestLibraryOnServer stores documents in a real server, and stores them again.
func TestLibraryOnServer(t *testing.T) {
	db := onServer(t)
	l, err := mongodb.NewLibrary(db)
	if err != nil {
		t.Fatal(err)
	}
	put := func(want int, docs ...string) map[int]error {
		t.Helper()
		var list []extjson.Doc
		for _, s := range docs {
			list = append(list, parse(t, s))
		}
		refused, err := l.Put(t.Context(), "blogs", list)
		if err != nil || len(refused) != want {
			t.Fatalf("Put: %v, %v; want %d refused", refused, err, want)
		}
		return refused
	}
	put(0, `{"_id":1,"title":"A","slug":"a","views":{"$numberLong":"7"}}`, `{"_id":"two","title":"B","slug":"b"}`, `{"title":"No id","slug":"none"}`)
	put(0, `{"_id":1,"title":"A again","slug":"a2"}`)
	big := `{"_id":9,"title":"` + strings.Repeat("x", 17<<20) + `"}`
	if refused := put(1, `{"_id":3,"title":"C","slug":"c"}`, big); !strings.Contains(refused[1].Error(), "16") {
		t.Errorf("17 MB: %v", refused[1])
	}
	var found []string
	err = l.Find(t.Context(), "blogs", []extjson.Value{extjson.Whole(1), extjson.Text("two"), extjson.Whole(99)}, []string{"a2", "none", "absent"},
		func(d extjson.Doc, where string, fixed bool) error {
			title, _ := d.Get("title")
			found = append(found, title.Text)
			if fixed || where == "" {
				t.Errorf("%s is at %q, fixed %v", title.Text, where, fixed)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A again", "B", "No id"}, found); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	n := 0
	err = l.Each(t.Context(), "blogs", func(_ extjson.Doc, _ string, err error) error { n++; return err })
	if err != nil || n != 4 {
		t.Errorf("Each gives %d documents, want 4: %v", n, err)
	}
	err = l.Each(t.Context(), "nothing", func(extjson.Doc, string, error) error { t.Error("a document of no collection"); return nil })
	if err != nil {
		t.Errorf("Each of an absent collection: %v", err)
	}
}

// TestLibraryCorpusOnServer stores the exports of real sites and reads every document back as it was given.
func TestLibraryCorpusOnServer(t *testing.T) {
	db := onServer(t)
	l, err := mongodb.NewLibrary(db)
	if err != nil {
		t.Fatal(err)
	}
	for name, coll := range map[string]string{"blogs.ndjson": "blogs", "courses.ndjson": "courses", "dirty.ndjson": "dirty", "dirty.courses.ndjson": "dirtycourses", "blogs.tiptap.ndjson": "tiptap"} {
		docs := testenv.CorpusDocuments(t, name)
		want, left := map[string]bool{}, map[int]bool{}
		for i := 0; i < len(docs); i += 99 {
			batch := docs[i:min(i+99, len(docs))]
			refused, err := l.Put(t.Context(), coll, batch)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for j, why := range refused {
				// What a server does not store, it must refuse by itself.
				title, _ := batch[j].Get("title")
				t.Logf("%s: %q: %v", name, title.Text, why)
				left[i+j] = true
			}
		}
		if strings.HasPrefix(name, "dirty") && len(left) > 5 || !strings.HasPrefix(name, "dirty") && len(left) > 0 {
			t.Errorf("%s: %d documents were refused", name, len(left))
		}
		for i, d := range docs {
			if _, ok := d.Get("_id"); ok && !left[i] {
				want[string(d.Append(nil, extjson.Canonical))] = true
			}
		}
		n := 0
		err := l.Each(t.Context(), coll, func(d extjson.Doc, where string, err error) error {
			n++
			delete(want, string(d.Append(nil, extjson.Canonical)))
			return err
		})
		if err != nil || n != len(docs)-len(left) || len(want) > 0 {
			t.Errorf("%s: %d of %d documents, %d of them not as they were given: %v", name, n, len(docs), len(want), err)
		}
	}
}
