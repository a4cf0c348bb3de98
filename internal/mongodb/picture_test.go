package mongodb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/datauri"
	"freshet/internal/digest"
	"freshet/internal/site"
)

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withPicture(t *testing.T, field, uri string) bson.Raw {
	t.Helper()
	set, err := json.Marshal(map[string]any{field: uri, "author": "Asha Verma"})
	if err != nil {
		t.Fatal(err)
	}
	return changed(t, basePost, set)
}

// TestPictures: a picture held as data becomes a file that the document names and whose bytes can be had again.
func TestPictures(t *testing.T) {
	d := newDecoder("", "", summaries)
	data := pngOf(t, 3, 2)
	std := base64.StdEncoding.EncodeToString(data)
	for _, test := range []struct{ name, field, uri string }{
		{"cover", "coverImage", "data:image/png;base64," + std},
		{"another type is said", "coverImage", "data:image/jpeg;base64," + std},
		{"blanks and lines", "coverImage", " DATA:image/png;charset=x;base64, " + std[:20] + "\r\n " + std[20:] + "\n"},
		{"no padding, the other alphabet", "coverImage", "data:;base64," + base64.RawURLEncoding.EncodeToString(data)},
		{"percent-encoded", "coverImage", "data:image/png;base64," + strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(std)},
		{"author", "authorImage", "data:image/png;base64," + std},
	} {
		raw := withPicture(t, test.field, test.uri)
		out := d.post(t.Context(), raw)
		if out.doc == nil || len(out.files) != 1 || len(out.problems) > 0 {
			t.Errorf("%s: %d files, skip %+v, problems %+v", test.name, len(out.files), out.skip, out.problems)
			continue
		}
		f, p := out.files[0], out.doc.(*site.Post)
		if f.Revision != digest.Bytes(data) || f.Size != int64(len(data)) || f.Width != 3 || f.Height != 2 || f.Public != "" || !strings.HasSuffix(f.Name, ".png") {
			t.Errorf("%s: file %+v", test.name, f)
		}
		if ownerID(f.ID) != p.ID {
			t.Errorf("%s: the file %q is not the document's", test.name, f.ID)
		}
		src := p.Cover.Src
		if test.field == "authorImage" {
			src = p.Authors[0].Image
		}
		if src != "/"+f.Name {
			t.Errorf("%s: the document names %q, the file is %q", test.name, src, f.Name)
		}
		if got, err := d.file(t.Context(), raw, f.Name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: file gives %d bytes, %v", test.name, len(got), err)
		}
		if _, err := d.file(t.Context(), withPicture(t, test.field, "/a.png"), f.Name); !errors.Is(err, site.ErrChanged) {
			t.Errorf("%s: file of a changed document: %v, want ErrChanged", test.name, err)
		}
	}
}

func TestPictureOfCourse(t *testing.T) {
	d := newDecoder("posts", "classes", summaries)
	uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(pngOf(t, 1, 1))
	other := "data:image/png;base64," + base64.StdEncoding.EncodeToString(pngOf(t, 2, 1))
	raw := changed(t, baseCourse, json.RawMessage(`{"coverImage": {"url": "`+uri+`"}, "instructors": [{"name": "Asha Verma", "image": "`+uri+`"},
		{"name": "Ben Roe", "image": "`+other+`"}, {"name": "Carl Poe", "image": "`+other+`"}]}`))
	out := d.course(t.Context(), raw)
	if len(out.files) != 3 {
		t.Fatalf("files %+v, want the cover and two instructors, of whom one is shown twice", out.files)
	}
	ids := map[site.ID]bool{}
	for _, f := range out.files {
		if ids[f.ID] {
			t.Errorf("two files are %q", f.ID)
		}
		ids[f.ID] = true
		if _, err := d.file(t.Context(), raw, f.Name); err != nil {
			t.Error(err)
		}
	}
}

func TestPicturesRefused(t *testing.T) {
	d := newDecoder("", "", summaries)
	large := append(pngOf(t, 1, 1), make([]byte, datauri.MaxBytes)...)
	for _, test := range []struct{ name, uri string }{
		{"a drawing that may hold a script", "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"},
		{"not base64", "data:image/png,abc"},
		{"broken base64", "data:image/png;base64,iVBORw0KGgo!!!!"},
		{"text", "data:text/html;base64,PHNjcmlwdD4="},
		{"nothing", "data:"},
		{"too large", "data:image/png;base64," + base64.StdEncoding.EncodeToString(large)},
	} {
		out := d.post(t.Context(), withPicture(t, "coverImage", test.uri))
		if out.doc == nil || len(out.files) != 0 || len(out.problems) != 1 || out.problems[0].Field != "coverImage" {
			t.Errorf("%s: %d files, skip %+v, problems %+v", test.name, len(out.files), out.skip, out.problems)
			continue
		}
		if src := site.MetaOf(out.doc).Cover.Src; src != "" {
			t.Errorf("%s: cover %.40q", test.name, src)
		}
		if len(out.problems[0].Message) > 200 {
			t.Errorf("%s: the message is %d bytes long", test.name, len(out.problems[0].Message))
		}
	}
}

// TestPictureRevision: another picture is another revision of its document too.
func TestPictureRevision(t *testing.T) {
	d := newDecoder("", "", summaries)
	seen := map[site.Revision]bool{}
	for w := 1; w < 4; w++ {
		seen[d.post(t.Context(), withPicture(t, "coverImage", "data:image/png;base64,"+base64.StdEncoding.EncodeToString(pngOf(t, w, 1)))).doc.DocRevision()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three pictures make %d revisions", len(seen))
	}
}
