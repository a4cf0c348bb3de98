package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// An IndexState says how an index of the server stands to the one that is wanted.
type IndexState string

// States of indexes.
const (
	IndexCreated     IndexState = "created"     // it was missing
	IndexSame        IndexState = "same"        // it was there
	IndexConflicting IndexState = "conflicting" // something else is in its place, or documents forbid it; nothing was changed
	IndexUnsupported IndexState = "unsupported" // the server has no indexes of the kind; nothing was changed
)

// An Index is one line of the report of Indexes.
type Index struct {
	Collection string     `json:"collection"`
	Keys       string     `json:"keys"` // as the shell writes them, with options
	State      IndexState `json:"state"`
	Name       string     `json:"name,omitempty"` // of the index that is there or in its place
	Message    string     `json:"message,omitempty"`
	Remedy     string     `json:"remedy,omitempty"`
}

// Text returns the index as lines for a terminal.
func (x *Index) Text() string {
	text := fmt.Sprintf("%-11s %s %s\n", x.State, x.Collection, x.Keys)
	for _, more := range []string{x.Message, x.Remedy} {
		if more != "" {
			text += fmt.Sprintf("%-11s %s\n", "", more)
		}
	}
	return text
}

// wantedIndex is an index that freshet's queries, or those of the site that shares the database, are served from.
type wantedIndex struct {
	coll   string
	name   string // as MongoDB would name it
	keys   bson.D
	unique bool // and sparse: documents without the field, which builds repair, do not count
}

// wantedIndexes are the seven of the site's scaling document, what changes are found by, and both for courses.
var wantedIndexes = []wantedIndex{
	{coll: "blogs", name: "slug_1", keys: bson.D{{Key: "slug", Value: 1}}, unique: true},
	{coll: "blogs", name: "status_1_publishedAt_-1", keys: bson.D{{Key: "status", Value: 1}, {Key: "publishedAt", Value: -1}}},
	{coll: "blogs", name: "tags_1_status_1", keys: bson.D{{Key: "tags", Value: 1}, {Key: "status", Value: 1}}},
	{coll: "blogs", name: "author_1_status_1", keys: bson.D{{Key: "author", Value: 1}, {Key: "status", Value: 1}}},
	{coll: "blogs", name: "views_-1_status_1", keys: bson.D{{Key: "views", Value: -1}, {Key: "status", Value: 1}}},
	{coll: "blogs", name: "createdAt_-1_status_1", keys: bson.D{{Key: "createdAt", Value: -1}, {Key: "status", Value: 1}}},
	{coll: "blogs", name: "title_text_excerpt_text", keys: bson.D{{Key: "title", Value: "text"}, {Key: "excerpt", Value: "text"}}},
	{coll: "blogs", name: "updatedAt_1__id_1", keys: bson.D{{Key: "updatedAt", Value: 1}, {Key: "_id", Value: 1}}},
	{coll: "courses", name: "slug_1", keys: bson.D{{Key: "slug", Value: 1}}, unique: true},
	{coll: "courses", name: "updatedAt_1__id_1", keys: bson.D{{Key: "updatedAt", Value: 1}, {Key: "_id", Value: 1}}},
}

func (w wantedIndex) isText() bool { return w.keys[0].Value == "text" }

// String is the index as the shell writes it.
func (w wantedIndex) String() string {
	s := keyString(w.keys)
	if w.unique {
		s += " unique sparse"
	}
	return s
}

func keyString(keys bson.D) string {
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		if s, ok := k.Value.(string); ok {
			parts = append(parts, fmt.Sprintf("%s: %q", k.Key, s))
		} else {
			parts = append(parts, fmt.Sprintf("%s: %v", k.Key, k.Value))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Indexes creates the indexes that are missing, and reports how each stands. Nothing that is there is changed. The
// error is one of asking the server; what stands in the way of an index is in its line.
func (db *DB) Indexes(ctx context.Context) ([]Index, error) {
	types, _, err := db.collections(ctx, db.name, blogs, courses)
	if err != nil {
		return nil, err
	}
	for _, coll := range []string{blogs, courses} {
		if types[coll] == "view" {
			return nil, db.isView(coll)
		}
	}
	there := map[string][]bson.Raw{}
	for _, coll := range []string{blogs, courses} {
		if there[coll], err = db.listIndexes(ctx, coll); err != nil {
			return nil, err
		}
	}
	report := make([]Index, 0, len(wantedIndexes))
	for _, w := range wantedIndexes {
		found := there[w.coll]
		w.coll = db.cfg.real(w.coll)
		line := Index{Collection: w.coll, Keys: w.String()}
		if !w.among(found, &line) {
			if err := db.createIndex(ctx, w, &line); err != nil {
				return nil, err
			}
		}
		report = append(report, line)
	}
	return report, nil
}

// listIndexes returns the indexes of a collection; none where there is no collection.
func (db *DB) listIndexes(ctx context.Context, coll string) ([]bson.Raw, error) {
	coll = db.cfg.real(coll)
	what := fmt.Sprintf("list the indexes of %s.%s", db.name, coll)
	var out []bson.Raw
	cur, err := db.cursor(ctx, list, what, db.name, bson.D{{Key: "listIndexes", Value: coll}, {Key: "maxTimeMS", Value: db.limit(list).Milliseconds()}})
	if hasCode(err, codeNamespaceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = db.drain(ctx, list, what, cur, func(raw bson.Raw) error {
		out = append(out, slices.Clone(raw))
		return nil
	})
	return out, err
}

// among looks for the index among those of its collection, or for one that is in its place, and says so in line.
func (w wantedIndex) among(there []bson.Raw, line *Index) bool {
	for _, raw := range there {
		keys, fields := keysOf(raw)
		same := keyString(keys) == keyString(w.keys)
		if w.isText() {
			same = fields != nil
		}
		if !same {
			continue
		}
		line.Name, _ = raw.Lookup("name").StringValueOK()
		line.State = IndexSame
		if w.isText() && !w.sameText(keys, fields) {
			line.State = IndexConflicting
			line.Message = fmt.Sprintf("the collection has another text index, %s over %s, and can have only one", line.Name, strings.Join(fields, ", "))
			line.Remedy = "drop it if nothing needs it, and run freshet indexes again: " + w.drop(line.Name)
			return true
		}
		if differs := w.differences(raw); len(differs) > 0 {
			line.State = IndexConflicting
			line.Message = fmt.Sprintf("the index %s has the same keys and other options: %s", line.Name, strings.Join(differs, ", "))
			line.Remedy = "keep it if that is meant; else drop it, and run freshet indexes again: " + w.drop(line.Name)
		}
		return true
	}
	return false
}

// drop is the shell's command that removes an index.
func (w wantedIndex) drop(name string) string {
	return fmt.Sprintf("db.%s.dropIndex(%q)", w.coll, name)
}

// keysOf returns the keys of an index, and of a text index the fields whose words it holds.
func keysOf(raw bson.Raw) (keys bson.D, text []string) {
	doc, _ := raw.Lookup("key").DocumentOK()
	elems, _ := doc.Elements()
	for _, e := range elems {
		if s, ok := e.Value().StringValueOK(); ok {
			keys = append(keys, bson.E{Key: e.Key(), Value: s})
			if s == "text" {
				text = []string{}
			}
		} else {
			n, _ := e.Value().AsInt64OK()
			keys = append(keys, bson.E{Key: e.Key(), Value: int(n)})
		}
	}
	if text != nil {
		weights, _ := raw.Lookup("weights").DocumentOK()
		fields, _ := weights.Elements()
		for _, f := range fields {
			text = append(text, f.Key())
		}
		slices.Sort(text)
	}
	return keys, text
}

// sameText reports whether a text index is over the same fields. The server stores its keys as _fts and _ftsx; others
// beside them would have to be in every query.
func (w wantedIndex) sameText(keys bson.D, fields []string) bool {
	var want []string
	for _, k := range w.keys {
		want = append(want, k.Key)
	}
	slices.Sort(want)
	plain := slices.ContainsFunc(keys, func(k bson.E) bool { return k.Key != "_fts" && k.Key != "_ftsx" && k.Value != "text" })
	return slices.Equal(want, fields) && !plain
}

// indifferent are the options of an index that change neither what it serves nor what it forbids.
var indifferent = map[string]string{
	"v": "", "key": "", "name": "", "ns": "", "background": "", "textIndexVersion": "", "weights": "",
	"default_language": `"english"`, "language_override": `"language"`, "unique": "", "sparse": "false", "hidden": "false",
}

// differences lists the options that are not those wanted.
func (w wantedIndex) differences(raw bson.Raw) []string {
	var out []string
	if unique, _ := raw.Lookup("unique").BooleanOK(); unique != w.unique {
		out = append(out, fmt.Sprintf("unique: %v", unique))
	}
	elems, _ := raw.Elements()
	for _, e := range elems {
		if w.unique && e.Key() == "sparse" {
			continue // queries by a value are served all the same
		}
		if usual, known := indifferent[e.Key()]; !known || usual != "" && e.Value().String() != usual {
			out = append(out, fmt.Sprintf("%s: %s", e.Key(), e.Value()))
		}
	}
	if w.isText() {
		weights, _ := raw.Lookup("weights").DocumentOK()
		fields, _ := weights.Elements()
		for _, f := range fields {
			if n, _ := f.Value().AsInt64OK(); n != 1 {
				out = append(out, fmt.Sprintf("weight of %s: %d", f.Key(), n))
			}
		}
	}
	return out
}

// createIndex creates an index. It changes line unless the server could not be asked.
func (db *DB) createIndex(ctx context.Context, w wantedIndex, line *Index) error {
	index := bson.D{{Key: "key", Value: w.keys}, {Key: "name", Value: w.name}}
	if w.unique {
		index = append(index, bson.E{Key: "unique", Value: true}, bson.E{Key: "sparse", Value: true})
	}
	cmd := bson.D{{Key: "createIndexes", Value: w.coll}, {Key: "indexes", Value: bson.A{index}}}
	err := db.run(ctx, building, fmt.Sprintf("create the index %s of %s.%s", w, db.name, w.coll), func(ctx context.Context) error {
		return db.client.Database(db.name).RunCommand(ctx, cmd).Err()
	})
	switch {
	case err == nil:
		line.State, line.Name = IndexCreated, w.name
	case hasCode(err, codeDuplicateKey):
		line.State = IndexConflicting
		field := w.keys[0].Key
		line.Message = fmt.Sprintf("documents share one value of %s", field)
		line.Remedy = "give each its own, and run freshet indexes again"
		shared, err := db.duplicates(ctx, w.coll, field)
		if err != nil {
			return err
		}
		if len(shared) > 0 {
			line.Message += ": " + strings.Join(shared, "; ")
		}
	case hasCode(err, codeIndexOptions, codeIndexKeySpecs):
		line.State = IndexConflicting
		line.Message = "another index has its name or its keys"
		line.Remedy = fmt.Sprintf("look at db.%s.getIndexes(), drop the other if nothing needs it, and run freshet indexes again", w.coll)
	case hasCode(err, codeCommandNotFound, codeCommandNotSupported, codeNotImplemented),
		w.isText() && hasCode(err, codeIndexNotFound, codeBadValue, codeCannotCreateIndex):
		line.State = IndexUnsupported
		line.Message = "this server has no such indexes"
		if w.isText() {
			line.Message = "this server has no text indexes: search does without"
		}
	case errors.Is(err, ErrUnavailable), hasCode(err, codeUnauthorized), hasCode(err, signIn...), ctx.Err() != nil:
		return err
	default:
		line.State = IndexConflicting
		line.Message = err.Error()
		line.Remedy = "freshet works without it, more slowly"
	}
	return nil
}
