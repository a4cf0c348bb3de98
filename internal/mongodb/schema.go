package mongodb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/fields"
	"freshet/internal/site"
)

// A Ref says what is shown of the documents that a field refers to.
type Ref struct {
	Collection string `json:"collection"`
	Field      string `json:"field"` // dotted: profile.name
}

// checkSchema says what is wrong with the names of collections, fields and references.
func (c *Config) checkSchema() error {
	for coll, name := range c.Collections {
		switch {
		case coll != blogs && coll != courses:
			return &Error{Message: fmt.Sprintf("mongo.collections: %q is no collection of freshet's", coll), Remedy: "name blogs, courses or both, such as {blogs: posts}"}
		case name == "" || strings.ContainsAny(name, "$\x00") || strings.HasPrefix(name, "system."):
			return &Error{Message: fmt.Sprintf("mongo.collections: %q is no name for a collection", name), Remedy: "write it as the database has it"}
		case name == settings:
			return &Error{Message: "mongo.collections: pages is the collection of the settings documents", Remedy: "name the one that holds the documents"}
		}
	}
	if c.real(blogs) == c.real(courses) {
		return &Error{Message: fmt.Sprintf("mongo.collections: blogs and courses are both %s", c.real(blogs)), Remedy: "give each a collection of its own"}
	}
	for ours, theirs := range c.Fields {
		if !readable(ours) {
			return &Error{Message: fmt.Sprintf("mongo.fields: freshet has no field %q", ours), Remedy: "freshet's name stands first, then that in the database: {content: postText}; docs/formats/mongodb.md lists the fields"}
		}
		if !isPath(theirs) {
			return &Error{Message: fmt.Sprintf("mongo.fields: %q, for %s, is no name of a field", theirs, ours), Remedy: "write it as the database has it, with dots for fields within fields"}
		}
	}
	for field, ref := range c.Refs {
		if !isPath(field) || ref.Collection == "" || !isPath(ref.Field) {
			return &Error{Message: fmt.Sprintf("mongo.refs: %s needs a collection and a field", field), Remedy: "write it as {author: {collection: users, field: name}}"}
		}
	}
	switch c.NoStatus {
	case "", "draft", "published":
		return nil
	}
	return &Error{Message: fmt.Sprintf("mongo.noStatus cannot be %q", c.NoStatus), Remedy: "draft or published"}
}

func isPath(s string) bool {
	return s != "" && !strings.HasPrefix(s, "$") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..") && !strings.Contains(s, "\x00")
}

// within are the dotted names of fields within fields, by the names that stand for them.
var within = map[string]string{
	"author.name": "author", "author.image": "authorImage", "coverImage.url": "coverImage", "coverImage.src": "coverImage", "coverImage.alt": "coverImageAlt",
	"seo.title": "metaTitle", "seo.description": "metaDescription", "seo.keywords": "metaKeywords", "seo.canonical": "canonicalUrl",
	"instructor.name": "instructorName", "instructor.image": "instructorImage",
}

// readable reports whether decoding reads a field of that name.
func readable(ours string) bool {
	ours = cmp.Or(within[ours], ours)
	return ours != "_id" && (ownNames[ours] || fields.Hides(ours) || ours == "permalink")
}

// real is what the database calls a collection.
func (c *Config) real(coll string) string { return cmp.Or(c.Collections[coll], coll) }

// ours is the collection that goes by a name in the database.
func (c *Config) ours(name string) string {
	for _, coll := range []string{blogs, courses} {
		if c.real(coll) == name {
			return coll
		}
	}
	return name
}

// referred lists the collections that fields refer to.
func (c *Config) referred() []string {
	set := map[string]bool{}
	for _, ref := range c.Refs {
		set[ref.Collection] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// mapped adds the fields that the settings name, before all others.
func (d *decoder) mapped(list fieldList) fieldList {
	if d.cfg == nil || len(d.cfg.Fields) == 0 {
		return list
	}
	var front fieldList
	for _, ours := range slices.Sorted(maps.Keys(d.cfg.Fields)) {
		theirs := d.cfg.Fields[ours]
		if v := list.path(theirs); !isNull(v) {
			front = append(front, element{key: []byte(cmp.Or(within[ours], ours)), as: theirs, mapped: true, v: v})
		}
	}
	return append(front, list...)
}

// path is the value at a dotted name, the first that there is.
func (f fieldList) path(name string) bson.RawValue {
	for i := range f {
		if string(f[i].key) == name {
			return f[i].v
		}
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return bson.RawValue{}
	}
	for i := range f {
		if string(f[i].key) == head {
			return object(f[i].v).path(rest)
		}
	}
	return bson.RawValue{}
}

// maxReferred bounds how many referred documents are remembered of one scan.
const maxReferred = 500_000

// referredNames are what is shown of referred documents, as one scan has read it.
type referredNames struct {
	mu    sync.RWMutex
	names map[refKey]string // empty: there is no such document, or it has no such field
}

type refKey struct{ field, id string }

func (n *referredNames) get(k refKey) (name string, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	name, known = n.names[k]
	return name, known
}

func (n *referredNames) put(k refKey, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		n.names = map[refKey]string{}
	}
	n.names[k] = name
}

// forget drops all names, as each scan does before it reads anything.
func (n *referredNames) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names = nil
}

func (n *referredNames) len() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.names)
}

// refIDs are the ids that a reference holds: one, or a list of them. Text counts where it is the form of an ObjectId.
func refIDs(v bson.RawValue) []bson.RawValue {
	switch {
	case v.Type == bson.TypeArray:
		var out []bson.RawValue
		for _, it := range items(v) {
			out = append(out, refIDs(it)...)
		}
		return out
	case v.Type == bson.TypeEmbeddedDocument: // DBRef
		return refIDs(object(v).get("$id").v)
	case v.Type == bson.TypeObjectID, v.Type == bson.TypeString && !isBlank(v), v.Type == bson.TypeInt32, v.Type == bson.TypeInt64, v.Type == bson.TypeBinary:
		return []bson.RawValue{v}
	}
	return nil
}

// refText is an id as referredNames knows it: text and ObjectId are one.
func refText(id bson.RawValue) string {
	if b, ok := stringBytes(id); ok && isHexID(string(b)) {
		return strings.ToLower(string(b))
	}
	return idText(id)
}

func isHexID(s string) bool {
	_, err := bson.ObjectIDFromHex(s)
	return err == nil
}

// refPath is where in a document a reference stands.
func (c *Config) refPath(field string) string { return cmp.Or(c.Fields[field], field) }

// resolve puts names in the place of references.
func (r *reader) resolve() {
	if r.d.cfg == nil || r.quiet {
		return
	}
	for _, field := range slices.Sorted(maps.Keys(r.d.cfg.Refs)) {
		path := r.d.cfg.refPath(field)
		v := r.fields.path(path)
		ids := refIDs(v)
		if len(ids) == 0 {
			continue
		}
		names := bson.A{}
		for _, id := range ids {
			switch name, known := r.d.referred.get(refKey{field, refText(id)}); {
			case known && name != "":
				names = append(names, name)
			case known:
				ref := r.d.cfg.Refs[field]
				r.warn(path, fmt.Sprintf("%s refers to %s, and %s has no such document with a field %s", path, refText(id), ref.Collection, ref.Field), "see whether it was deleted, and mongo.refs")
			}
		}
		_, b, err := bson.MarshalValue(names)
		if err != nil {
			continue // texts always marshal
		}
		key := cmp.Or(within[field], field)
		if own, _ := fields.Meaning(key, false); own != "" && !ownNames[key] {
			key = own
		}
		r.fields = append(fieldList{{key: []byte(key), as: path, v: bson.RawValue{Type: bson.TypeArray, Value: b}}}, r.fields...)
	}
}

// lookUp reads the documents that some documents refer to, as far as this scan has not read them.
func (s *Source) lookUp(ctx context.Context, raws []bson.Raw) error {
	cfg := &s.db.cfg
	if len(cfg.Refs) == 0 {
		return nil
	}
	for field, ref := range cfg.Refs {
		wanted := map[string]bson.RawValue{}
		for _, raw := range raws {
			list, err := fieldsOf(raw)
			if err != nil {
				continue // decoding says so
			}
			for _, id := range refIDs(list.path(cfg.refPath(field))) {
				if _, known := s.dec.referred.get(refKey{field, refText(id)}); !known {
					wanted[refText(id)] = id
				}
			}
		}
		if s.dec.referred.len()+len(wanted) > maxReferred {
			return &Error{Message: fmt.Sprintf("the documents refer to more than %d others (mongo.refs)", maxReferred), Remedy: "leave " + field + " out of mongo.refs"}
		}
		for part := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), batchSize) {
			var values bson.A
			for _, text := range part {
				values = append(values, bothForms(wanted[text])...)
				s.dec.referred.put(refKey{field, text}, "")
			}
			head, _, _ := strings.Cut(ref.Field, ".")
			q := query{db: s.db.name, coll: ref.Collection, class: list, filter: among("_id", values), projection: bson.D{{Key: head, Value: 1}}, batch: batchSize, batches: true}
			err := s.db.find(ctx, q, func(raw bson.Raw) error {
				list, err := fieldsOf(raw)
				if err != nil {
					return nil // as if it were not there
				}
				name, _ := text(list.path(ref.Field))
				s.dec.referred.put(refKey{field, refText(list.id())}, clean(strings.Clone(name)))
				return nil
			})
			if err != nil {
				return fmt.Errorf("read what %s refers to: %w", field, err)
			}
		}
	}
	return nil
}

// bothForms are the forms in which a database may hold an id: as it is, and an ObjectId as text or back.
func bothForms(id bson.RawValue) bson.A {
	out := bson.A{id}
	if b, ok := stringBytes(id); ok {
		if oid, err := bson.ObjectIDFromHex(string(b)); err == nil {
			out = append(out, oid)
		}
	} else if id.Type == bson.TypeObjectID {
		out = append(out, bson.ObjectID(id.Value).Hex())
	}
	return out
}

// referring finds the documents that refer to one which has changed.
func (r *reading) referring(ctx context.Context, id site.ID) error {
	cfg := &r.s.db.cfg
	of, filter, err := parseDocumentID(id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	_, value, err := bson.MarshalValue(filter[0].Value)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	t, _, _ := bson.MarshalValue(filter[0].Value)
	forms := bothForms(bson.RawValue{Type: t, Value: value})
	for field, ref := range cfg.Refs {
		if ref.Collection != of {
			continue
		}
		for _, coll := range []string{blogs, courses} {
			q := query{db: r.s.db.name, coll: coll, class: list, filter: among(cfg.refPath(field), forms), projection: bson.D{{Key: "_id", Value: 1}}, batch: censusBatch, batches: true}
			err := r.s.db.find(ctx, q, func(raw bson.Raw) error {
				r.ids[documentID(coll, raw.Lookup("_id"))] = true
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
