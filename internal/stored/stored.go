// Package stored writes documents of MongoDB as files and reads them back: every field and its type, in their order, and the text as
// people write it.
package stored

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"freshet/internal/extjson"
	"freshet/internal/fields"
	"freshet/internal/frontmatter"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// A document of MongoDB's is kept as one file: its fields as front matter, in their order and with their types, and
// the text that is shown as the body, letter for letter. A course has a folder for each module and a file for each
// lesson. What the files hold of their own has keys that no document's field can have: such a field gets a "$".
const (
	BodyKey   = "body"   // names the field that the body is, where it stood among the others
	FilesKey  = "files"  // names the list that the folders and files below are
	holesKey  = "holes"  // items of that list that are no documents, by their place
	AsTextKey = "asText" // true: an editor's document that was stored as text
)

// OwnKeys are the keys of the files' own.
var OwnKeys = map[string]bool{BodyKey: true, FilesKey: true, holesKey: true, AsTextKey: true, "format": true, "shortcodes": true, "origin": true, "<<": true, "": true}

// The names of the collections that a content tree keeps.
const (
	Blogs   = "blogs"
	Courses = "courses"
)

// A File is a file to be written.
type File struct {
	Name string
	Data []byte
}

// A shownBody is the field of a document that is shown.
type shownBody struct {
	field  string
	text   string
	format site.Format
	asText bool
}

// docText is a prose.Document: the fields of a document as they are.
type docText extjson.Doc

// String implements prose.Document.
func (d docText) String(name string) (string, bool) {
	v, ok, _ := d.Value(name) // there is none
	return v.Text, ok && v.Type == extjson.String
}

// Value implements prose.Document.
func (d docText) Value(name string) (extjson.Value, bool, error) {
	v, _ := extjson.Doc(d).Get(name)
	return v, !v.IsNull() && (v.Type != extjson.String || strings.TrimSpace(v.Text) != ""), nil
}

// shownIn finds the field of a document that is shown, where its file can have it as its body: text, or the document
// of an editor. Texts of other forms stay among the fields.
func shownIn(d extjson.Doc, post bool, names ...string) shownBody {
	t := prose.FindAmong(docText(d), keysOf(d), post, names...)
	if !t.Found() {
		return shownBody{}
	}
	v, _ := d.Get(t.Field)
	isText := v.Type == extjson.String
	switch {
	case isText && t.Format == site.TipTap:
		return shownBody{t.Field, v.Text, site.TipTap, true}
	case isText && !strings.HasPrefix(t.Note, "holds blocks"):
		return shownBody{t.Field, v.Text, t.Format, false}
	case v.Type == extjson.Object && t.Format == site.TipTap:
		return shownBody{t.Field, string(v.Append(nil, extjson.Exact)), site.TipTap, false}
	}
	return shownBody{}
}

// Showable reports whether a content tree can show the text of a document of a collection, as far as it has one.
func Showable(coll string, d extjson.Doc) bool {
	if coll == Courses {
		return true
	}
	t := prose.FindAmong(docText(d), keysOf(d), true, "content")
	return t.Found() || t.Reason == prose.Missing
}

// encodeFields writes a file: front matter, then the body.
func encodeFields(d extjson.Doc, body shownBody, list string, holes extjson.Doc, own ...string) []byte {
	b := []byte("---\n")
	for _, f := range d {
		switch {
		case body.field != "" && f.Key == body.field:
			b = fmt.Appendf(b, "%s: %s\n", BodyKey, frontmatter.PlainText(body.field))
		case list != "" && f.Key == list:
			b = fmt.Appendf(b, "%s: %s\n", FilesKey, list)
			if len(holes) > 0 {
				b = fmt.Appendf(b, "%s: %s\n", holesKey, holes.Append(nil, extjson.Exact))
			}
		default:
			key := f.Key
			if OwnKeys[key] || strings.HasPrefix(key, "$") {
				key = "$" + key
			}
			b = frontmatter.AppendField(b, key, f.Value)
		}
	}
	if body.format != "" && body.format != site.Markdown {
		b = fmt.Appendf(b, "format: %s\n", body.format)
	}
	if body.asText {
		b = fmt.Appendf(b, "%s: true\n", AsTextKey)
	}
	for _, line := range own {
		b = append(append(b, line...), '\n')
	}
	b = append(b, "---\n"...)
	return append(b, body.text...)
}

// storedMarks end the front matter of every file that holds a document.
var storedMarks = []string{"shortcodes: off", "origin: " + frontmatter.OriginMongoDB}

// Decoded is what a file says as a document.
type Decoded struct {
	Doc    extjson.Doc
	List   string // the field that folders and files below make
	holes  extjson.Doc
	Stored bool
}

// Decode reads a file back. zone is that of dates without one.
func Decode(data []byte, zone *time.Location) (Decoded, error) {
	var out Decoded
	p, prob := frontmatter.Parse(data)
	if prob != nil {
		return out, prob
	}
	front, prob := p.Decode()
	if prob != nil {
		return out, prob
	}
	field, format, asText := "", site.Markdown, false
	for _, f := range front.Fields {
		switch f.Key {
		case "origin":
			out.Stored = f.Val.Text == frontmatter.OriginMongoDB
		case "shortcodes":
		case "format":
			format = site.Format(strings.ToLower(f.Val.Text))
		case AsTextKey:
			asText, _ = f.Val.Bool()
		case holesKey:
			v, err := Value(f.Val, zone)
			if err != nil {
				return out, fmt.Errorf("%s: %w", f.Key, err)
			}
			out.holes = v.Doc
		case BodyKey:
			field = f.Val.Text
			out.Doc = append(out.Doc, extjson.Field{Key: field})
		case FilesKey:
			out.List = f.Val.Text
			out.Doc = append(out.Doc, extjson.Field{Key: out.List, Value: extjson.List()})
		default:
			v, err := Value(f.Val, zone)
			if err != nil {
				return out, p.Problem(f.Line, f.Col, fmt.Sprintf("%s: %v", f.Key, err), "write it as mongoexport does")
			}
			out.Doc = append(out.Doc, extjson.Field{Key: strings.TrimPrefix(f.Key, "$"), Value: v})
		}
	}
	if field == "" && len(bytes.TrimSpace(p.Body)) > 0 {
		field = "content" // an author has written a text where there was none
		out.Doc = append(out.Doc, extjson.Field{Key: field})
	}
	if field != "" {
		v := extjson.Text(string(p.Body))
		if format == site.TipTap && !asText {
			doc, _, err := extjson.Parse(p.Body)
			if e, ok := errors.AsType[*extjson.SyntaxError](err); ok {
				prob := p.Problem(p.BodyLine, 1, "the body: "+e.Error(), "mend the JSON")
				prob.Line, prob.Text = p.BodyLine+bytes.Count(p.Body[:min(e.Offset, len(p.Body))], []byte("\n")), ""
				return out, prob
			}
			v = extjson.Embedded(doc)
		}
		out.Doc = out.Doc.Set(field, v)
	}
	return out, nil
}

// Value is the value of a document that a value of front matter stands for.
func Value(v *frontmatter.Value, zone *time.Location) (extjson.Value, error) {
	switch v.Kind {
	case frontmatter.Boolean:
		b, _ := v.Bool()
		return extjson.Truth(b), nil
	case frontmatter.Number:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return extjson.Whole(n), nil
		}
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return extjson.Value{Type: extjson.Double, Float: f}, nil
		}
		return extjson.Text(v.Text), nil
	case frontmatter.Text:
		if v.Plain && len(v.Text) >= 10 && v.Text[0] <= '9' {
			if frontmatter.SimpleTime(v.Text) || len(v.Text) == len(time.DateOnly) {
				if d, ok := site.ParseDate(v.Text, zone); ok {
					return extjson.Moment(d.Time), nil
				}
			}
		}
		return extjson.Text(v.Text), nil
	case frontmatter.Moment:
		d, _ := v.Date(zone)
		return extjson.Moment(d.Time), nil
	case frontmatter.List:
		out := extjson.List()
		for _, it := range v.Items {
			item, err := Value(it, zone)
			if err != nil {
				return out, err
			}
			out.Items = append(out.Items, item)
		}
		return out, nil
	case frontmatter.Table:
		d := extjson.Doc{}
		for _, f := range v.Fields {
			val, err := Value(f.Val, zone)
			if err != nil {
				return extjson.Value{}, err
			}
			d = append(d, extjson.Field{Key: f.Key, Value: val})
		}
		return extjson.Resolve(d)
	}
	return extjson.Value{}, nil
}

// EncodePost writes a post.
func EncodePost(d extjson.Doc) []byte {
	return encodeFields(d, shownIn(d, true, "content"), "", nil, storedMarks...)
}

// EncodeCourse writes a course, its modules and its lessons into a folder.
func EncodeCourse(d extjson.Doc, dir string) []File {
	list := curriculumOf(d)
	curriculum, _ := d.Get(list)
	var holes extjson.Doc
	var out []File
	if list != "" {
		for i, m := range curriculum.Items {
			if !isObject(m) {
				holes = append(holes, extjson.Field{Key: strconv.Itoa(i), Value: m})
				continue
			}
			out = append(out, encodeModule(m.Doc, path.Join(dir, itemName(i, len(curriculum.Items), m.Doc, "module")))...)
		}
	}
	own := File{path.Join(dir, "_index.md"), encodeFields(d, shownIn(d, false, append([]string{"fullDescription", "content"}, fields.Synonyms("fullDescription", keysOf(d))...)...), list, holes, storedMarks...)}
	return append([]File{own}, out...)
}

// curriculumOf returns the name of the field that holds the modules of a course; "" where there is none that files can hold.
func curriculumOf(d extjson.Doc) string {
	for _, name := range append([]string{"curriculum"}, fields.Synonyms("curriculum", keysOf(d))...) {
		v, _ := d.Get(name)
		if v.Type != extjson.Array || !foldable(v.Items) || !slices.ContainsFunc(v.Items, isObject) {
			continue
		}
		if name == "curriculum" || slices.ContainsFunc(v.Items, func(m extjson.Value) bool { return isObject(m) && fields.Lessons(keysOf(m.Doc)) != "" }) {
			return name
		}
	}
	return ""
}

// keysOf are the names of a document's fields.
func keysOf(d extjson.Doc) []string {
	out := make([]string, len(d))
	for i := range d {
		out[i] = d[i].Key
	}
	return out
}

func encodeModule(m extjson.Doc, dir string) []File {
	list := fields.Lessons(keysOf(m))
	lessons, _ := m.Get(list)
	if lessons.Type != extjson.Array || !foldable(lessons.Items) || !slices.ContainsFunc(lessons.Items, isObject) {
		list = ""
	}
	var holes extjson.Doc
	var out []File
	if list != "" {
		for i, l := range lessons.Items {
			if !isObject(l) {
				holes = append(holes, extjson.Field{Key: strconv.Itoa(i), Value: l})
				continue
			}
			name := path.Join(dir, itemName(i, len(lessons.Items), l.Doc, "lesson")+".md")
			out = append(out, File{name, encodeFields(l.Doc, shownIn(l.Doc, false, "content"), "", nil, "shortcodes: off")})
		}
	}
	return append([]File{{path.Join(dir, "_index.md"), encodeFields(m, shownBody{}, list, holes)}}, out...)
}

func isObject(v extjson.Value) bool { return v.Type == extjson.Object }

// foldable reports whether the items of a list can be numbered files.
func foldable(items []extjson.Value) bool { return len(items) < 1000 }

// itemName names the file or folder of an item by its place and what it is called.
func itemName(i, n int, d extjson.Doc, otherwise string) string {
	width := max(2, len(strconv.Itoa(n)))
	return fmt.Sprintf("%0*d-%s", width, i+1, cmp.Or(SlugOf(d), otherwise))
}

// SlugOf is the slug that a document has or gets.
func SlugOf(d extjson.Doc) string {
	var names []string
	for _, key := range [...]string{"slug", "title", "moduleName", "name"} {
		switch v, _ := d.Get(key); v.Type {
		case extjson.String:
			names = append(names, v.Text)
		case extjson.Int32, extjson.Int64:
			names = append(names, strconv.FormatInt(v.Int, 10))
		}
	}
	return string(site.FirstSlug(names...))
}

// Fill puts the items of a list among its holes.
func (f *Decoded) Fill(items []extjson.Value) extjson.Doc {
	out := extjson.List()
	for i := 0; len(items) > 0 || i < len(out.Items)+len(f.holes); i++ {
		if hole, ok := f.holes.Get(strconv.Itoa(i)); ok {
			out.Items = append(out.Items, hole)
			continue
		}
		if len(items) == 0 {
			break
		}
		out.Items = append(out.Items, items[0])
		items = items[1:]
	}
	return f.Doc.Set(f.List, out)
}
