package mongodb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/site"
)

// documentID names a document by its collection and _id: "blogs:66d1…" for an ObjectId, "blogs:post-2024-001" for a
// string, in quotes where it could be taken for something else, and "blogs:={…}" with Extended JSON for all other
// types. No two of them are alike. '%' and '#' are percent-encoded, so that what follows a '#' can name a part.
func documentID(coll string, id bson.RawValue) site.ID {
	return site.ID(collEscapes.Replace(coll) + ":" + idEscapes.Replace(idText(id)))
}

func idText(id bson.RawValue) string {
	if id.Type == bson.TypeObjectID && len(id.Value) == 12 {
		return bson.ObjectID(id.Value).Hex()
	}
	if b, ok := stringBytes(id); ok && id.Type == bson.TypeString && utf8.Valid(b) {
		s := string(b)
		if plainID(s) {
			return s
		}
		var quoted bytes.Buffer
		e := json.NewEncoder(&quoted)
		e.SetEscapeHTML(false)
		_ = e.Encode(s) // a string is always written
		return strings.TrimSpace(quoted.String())
	}
	b, err := bson.MarshalExtJSON(bson.D{{Key: "_id", Value: id}}, true, false)
	if err != nil {
		return "="
	}
	return "=" + strings.TrimSuffix(strings.TrimPrefix(string(b), `{"_id":`), "}")
}

// plainID reports whether a string stands for itself: it is no ObjectId's hexadecimal form and begins like a word.
func plainID(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(r) && !unicode.IsDigit(r) || len(s) > 200 || strings.TrimSpace(s) != s {
		return false
	}
	if _, err := bson.ObjectIDFromHex(s); err == nil {
		return false
	}
	return !strings.ContainsFunc(s, unicode.IsControl)
}

// Within an ID '#' begins a part, and ':' ends the collection.
var (
	idEscapes   = strings.NewReplacer("%", "%25", "#", "%23")
	collEscapes = strings.NewReplacer("%", "%25", "#", "%23", ":", "%3A")
)

// ownerID is the document that an ID belongs to: those of lessons and of pictures held as data are their document's
// with a part behind a '#'.
func ownerID(id site.ID) site.ID {
	doc, _, _ := strings.Cut(string(id), "#")
	return site.ID(doc)
}

// parseDocumentID gives back the collection, and the filter that finds the document in it.
func parseDocumentID(id site.ID) (coll string, filter bson.D, err error) {
	head, tail, ok := strings.Cut(string(ownerID(id)), ":")
	if !ok || head == "" || tail == "" {
		return "", nil, fmt.Errorf("document id %q: not collection:_id", id)
	}
	if coll, err = url.PathUnescape(head); err == nil {
		tail, err = url.PathUnescape(tail)
	}
	if err != nil {
		return "", nil, fmt.Errorf("document id %q: %w", id, err)
	}
	var v any = tail
	switch {
	case tail[0] == '"':
		var s string
		if err := json.Unmarshal([]byte(tail), &s); err != nil {
			return "", nil, fmt.Errorf("document id %q: %w", id, err)
		}
		v = s
	case tail[0] == '=':
		var doc bson.D
		if err := bson.UnmarshalExtJSON([]byte(`{"_id":`+tail[1:]+`}`), true, &doc); err != nil || len(doc) != 1 {
			return "", nil, fmt.Errorf("document id %q: not Extended JSON", id)
		}
		v = doc[0].Value
	default:
		if oid, err := bson.ObjectIDFromHex(tail); err == nil {
			v = oid
		}
	}
	return coll, bson.D{{Key: "_id", Value: v}}, nil
}
