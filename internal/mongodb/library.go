package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"freshet/internal/extjson"
)

// A Library keeps documents in the collections of the content's database, each as it was given. It is what import
// writes to and export reads from; builds read through a Source.
type Library struct{ db *DB }

// NewLibrary returns the library of a database.
func NewLibrary(db *DB) (*Library, error) {
	if db == nil {
		return nil, errors.New("mongodb: there is no DB")
	}
	return &Library{db}, nil
}

const (
	libraryBatch   = 100 // whole documents of a batch: each may have 16 MB
	maxStoredBytes = 16 << 20
)

// Find calls each with the documents of a collection that have one of the ids or one of the slugs, each once. where
// names it by its collection and _id. None is fixed.
func (l *Library) Find(ctx context.Context, coll string, ids []extjson.Value, slugs []string, each func(d extjson.Doc, where string, fixed bool) error) error {
	seen := map[string]bool{}
	give := func(raw bson.Raw) error {
		where := string(documentID(coll, raw.Lookup("_id")))
		if seen[where] {
			return nil
		}
		seen[where] = true
		d, err := fromBSON(raw)
		if err != nil {
			return fmt.Errorf("read %s: %w", where, err)
		}
		return each(d, where, false)
	}
	var filters []bson.D
	if len(ids) > 0 {
		list := bson.A{}
		for _, id := range ids {
			v, err := bsonValue(id)
			if err != nil {
				continue // what cannot be stored is not there
			}
			list = append(list, v)
		}
		filters = append(filters, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: list}}}})
	}
	if len(slugs) > 0 {
		filters = append(filters, bson.D{{Key: "slug", Value: bson.D{{Key: "$in", Value: slugs}}}})
	}
	for _, filter := range filters {
		q := query{db: l.db.name, coll: coll, class: list, filter: filter, batch: libraryBatch}
		if err := l.db.find(ctx, q, give); err != nil {
			return err
		}
	}
	return nil
}

// Put stores documents: each in the place of the one with its _id, else as a new one, with an _id that is made for it
// when it has none. refused says which MongoDB does not take, and why.
func (l *Library) Put(ctx context.Context, coll string, docs []extjson.Doc) (refused map[int]error, err error) {
	refused = map[int]error{}
	var models []mongo.WriteModel
	var at []int
	for i, d := range docs {
		if _, ok := d.Get("_id"); !ok {
			// Made here, so that a second try after an answer was lost stores no second document.
			d = append(extjson.Doc{{Key: "_id", Value: extjson.Value{Type: extjson.ObjectID, Text: bson.NewObjectID().Hex()}}}, d...)
		}
		raw, err := toBSON(d)
		if err == nil && len(raw) > maxStoredBytes {
			err = fmt.Errorf("the document has %d MB, and MongoDB stores %d", len(raw)>>20, maxStoredBytes>>20)
		}
		if err != nil {
			refused[i] = err
			continue
		}
		filter := bson.D{{Key: "_id", Value: raw.Lookup("_id")}}
		models = append(models, mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(raw).SetUpsert(true))
		at = append(at, i)
	}
	before := len(refused)
	cut, err := l.write(ctx, coll, models, at, refused)
	if !cut && (err != nil || len(refused) == before || len(models) == 1) {
		return refused, err
	}
	// Some servers end the connection at a document with something that they do not store, and some store none of those
	// behind one that they refuse. The others need not suffer.
	for _, i := range at {
		delete(refused, i)
	}
	for i := range models {
		if err := l.writeOne(ctx, coll, models[i:i+1], at[i:i+1], refused); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// writeOne stores one document of a batch that the server did not take whole. Where it ends it at the document
// twice and answers otherwise, the document is to blame, and the server is well.
func (l *Library) writeOne(ctx context.Context, coll string, model []mongo.WriteModel, at []int, refused map[int]error) error {
	what := fmt.Sprintf("store a document in %s.%s", l.db.name, coll)
	return l.db.run(ctx, aggregate, what, func(ctx context.Context) error {
		for try := 1; ; try++ {
			cut, err := l.bulk(ctx, coll, model, at, refused)
			if !cut {
				return err
			}
			if ping := retrying(ctx, func() error { return l.db.client.Ping(ctx, l.db.pref) }); ping != nil {
				return err
			}
			if try == 2 {
				refused[at[0]] = errors.New("the server ends the connection at this document: it may not store what is in it, such as Decimal128 or names with dots")
				return nil
			}
		}
	})
}

// write sends one command. cut reports that the server took it and ended the connection.
func (l *Library) write(ctx context.Context, coll string, models []mongo.WriteModel, at []int, refused map[int]error) (cut bool, err error) {
	if len(models) == 0 {
		return false, nil
	}
	what := fmt.Sprintf("store documents in %s.%s", l.db.name, l.db.cfg.real(coll))
	err = l.db.run(ctx, aggregate, what, func(ctx context.Context) error {
		cut, err = l.bulk(ctx, coll, models, at, refused)
		return err
	})
	return cut, err
}

// bulk is write within the gate.
func (l *Library) bulk(ctx context.Context, coll string, models []mongo.WriteModel, at []int, refused map[int]error) (cut bool, err error) {
	_, err = l.db.client.Database(l.db.name).Collection(l.db.cfg.real(coll)).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	cut = err != nil && mongo.IsNetworkError(err) && !mongo.IsTimeout(err)
	bulk, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || bulk.WriteConcernError != nil {
		return cut, err
	}
	for _, e := range bulk.WriteErrors {
		if e.Index < 0 || e.Index >= len(at) {
			return cut, err
		}
		refused[at[e.Index]] = l.explainWrite(e.WriteError)
	}
	return cut, nil
}

// explainWrite says why MongoDB does not store one document.
func (l *Library) explainWrite(e mongo.WriteError) error {
	if e.Code == codeDuplicateKey {
		return errors.New("a unique index has another document with a value of this one, most likely its slug")
	}
	if l.db.uri.taints(e.Message) {
		return fmt.Errorf("MongoDB does not store it (code %d)", e.Code)
	}
	return fmt.Errorf("MongoDB does not store it: %s (code %d)", e.Message, e.Code)
}

// Has reports whether there is a collection of that name.
func (l *Library) Has(ctx context.Context, coll string) (bool, error) {
	types, _, err := l.db.collections(ctx, l.db.name, coll)
	return len(types) > 0, err
}

// Each calls each with every document of a collection. One that cannot be read is given as an error of its own.
func (l *Library) Each(ctx context.Context, coll string, each func(d extjson.Doc, where string, err error) error) error {
	q := query{db: l.db.name, coll: coll, class: list, hint: idIndex, batch: libraryBatch, batches: true}
	return l.db.find(ctx, q, func(raw bson.Raw) error {
		where := string(documentID(coll, raw.Lookup("_id")))
		d, err := fromBSON(raw)
		if err != nil {
			err = fmt.Errorf("read %s: %w", where, err)
		}
		return each(d, where, err)
	})
}
