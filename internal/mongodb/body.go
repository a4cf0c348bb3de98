package mongodb

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/extjson"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// Where the body of a post, a lesson and a course may stand.
var (
	postBody   = bodyFields{"content"}
	courseBody = bodyFields{"fullDescription", "content"}
)

// bodyFields are the fields that may hold a body in any form.
type bodyFields []string

// A stored is a body as it was found.
type stored struct{ prose.Text }

// read finds the body among a document's fields.
func (names bodyFields) read(f fieldList, post bool) stored {
	return stored{prose.FindAmong(f, f.keys(), post, names...)}
}

// hash is the digest of the body's text; 0 says that there is none.
func (s *stored) hash() digest.Sum {
	if !s.Found() {
		return 0
	}
	return max(digest.String(s.Text.Text), 1)
}

// ref refers to the body.
func (s *stored) ref(doc site.ID, part string) site.BodyRef {
	if !s.Found() {
		return site.BodyRef{}
	}
	return site.BodyRef{Doc: doc, Part: part, Format: s.Format, Hash: s.hash(), Bytes: len(s.Text.Text)}
}

// String implements prose.Document.
func (f fieldList) String(name string) (string, bool) {
	b, ok := stringBytes(f.get(name).v)
	return string(b), ok
}

// Value implements prose.Document.
func (f fieldList) Value(name string) (extjson.Value, bool, error) {
	found := f.get(name)
	if found.name == "" {
		return extjson.Value{}, false, nil
	}
	if !wellFormed(found.v, maxDepth) {
		return extjson.Value{}, true, errors.New("it is nested too deep, or damaged")
	}
	v, err := fromValue(found.v)
	return v, true, err
}

// maxDepth bounds what is held as JSON in text; the database bounds what it stores itself at about 100.
const maxDepth = 200

// fromJSON makes a value of JSON text.
func fromJSON(b []byte) (bson.RawValue, bool) {
	d, _, err := extjson.Parse(append(append([]byte(`{"v":`), b...), '}'))
	if err != nil || len(d) != 1 {
		return bson.RawValue{}, false
	}
	raw, err := toBSON(d)
	if err != nil {
		return bson.RawValue{}, false
	}
	v := raw.Lookup("v")
	return v, wellFormed(v, maxDepth)
}
