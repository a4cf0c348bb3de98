package contentdir

import (
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/frontmatter"
	"freshet/internal/stored"
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

// StoreAndRead writes the first file of a document and reads it back; the lists that are files of their own are put
// back as they were.
func StoreAndRead(coll string, d extjson.Doc) (extjson.Doc, error) {
	data := stored.EncodePost(d)
	if coll == stored.Courses {
		data = stored.EncodeCourse(d, "c")[0].Data
	}
	file, err := stored.Decode(data, time.UTC)
	if err == nil && file.List != "" {
		v, _ := d.Get(file.List)
		file.Doc = file.Doc.Set(file.List, v)
	}
	return file.Doc, err
}

// Parse tells what of a file may be published.
func Parse(name string, data []byte) struct {
	Broken, Draft bool
	Body          string
} {
	p, _ := parseFile(name, data, time.UTC)
	body := ""
	if cut, prob := frontmatter.Parse(data); prob == nil {
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
