package contentdir

import (
	"fmt"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/extjson"
)

// For tests in the _test package.

// ParseProblems parses a file and returns its problems, and whether the memo's form of the result is the same.
func ParseProblems(name string, data []byte) (problems []diag.Problem, lines int, stable bool) {
	p, _ := parseFile(name, data, time.UTC)
	enc := p.encode()
	q, ok := decodeParsed(enc)
	stable = ok && string(q.encode()) == string(enc)
	return p.problems, strings.Count(string(data), "\n") + 1, stable
}

// BothYAML reads a front matter with the reader of stored documents and with the library. ok is false when the first gave up.
func BothYAML(front string) (own, library string, ok bool) {
	p := parts{dialect: yamlFront, front: []byte(front), frontLine: 2}
	v, ok := p.storedYAML()
	if !ok {
		return "", "", false
	}
	w, prob := p.fullYAML()
	if prob != nil {
		return v.dump(), prob.Error(), true
	}
	return v.dump(), w.dump(), true
}

// dump shows kinds, values and the places of the keys that are none of another's: those within a line of JSON are
// found by its own key.
func (v *value) dump() string { return v.dumpAt(0) }

func (v *value) dumpAt(depth int) string {
	switch v.kind {
	case list:
		var b strings.Builder
		for _, i := range v.items {
			b.WriteString(i.dumpAt(depth+1) + ",")
		}
		return "[" + b.String() + "]"
	case table:
		var b strings.Builder
		for _, f := range v.fields {
			at := ""
			if depth == 0 {
				at = fmt.Sprintf("%d:%d ", f.line, f.col)
			}
			fmt.Fprintf(&b, "%s%q: %s\n", at, f.key, f.val.dumpAt(depth+1))
		}
		return "{" + b.String() + "}"
	}
	return fmt.Sprintf("%d(%q)", v.kind, v.s)
}

// StoreAndRead writes the first file of a document and reads it back; the lists that are files of their own are put
// back as they were.
func StoreAndRead(coll string, d extjson.Doc) (extjson.Doc, error) {
	data := encodePost(d)
	if coll == Courses {
		data = encodeCourse(d, "c")[0].data
	}
	file, err := decodeFields(data, time.UTC)
	if err == nil && file.list != "" {
		v, _ := d.Get(file.list)
		file.doc = file.doc.Set(file.list, v)
	}
	return file.doc, err
}

// Parse tells what of a file may be published.
func Parse(name string, data []byte) struct {
	Broken, Draft bool
	Body          string
} {
	p, _ := parseFile(name, data, time.UTC)
	body := ""
	if cut, prob := prepare(data); prob == nil {
		body, _ = bodyOf(name, &cut, nil)
	}
	return struct {
		Broken, Draft bool
		Body          string
	}{p.broken, p.draft, body}
}

// Numbered splits a name into its number and the rest.
func Numbered(name string) (parts []int, rest string, ok bool) {
	n, ok := numbered(name)
	return n.parts, n.rest, ok
}

// SetNow gives a Source another clock.
func SetNow(s *Source, now func() time.Time) { s.now = now }
