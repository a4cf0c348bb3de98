package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// scan reads what may be many batches. The server is given the time of one batch for the whole cursor, as it counts the
// time of all its batches together. Where the server says that this is not enough, scan goes on in parts: each is a command
// of its own, in the order of _id, with the time of one batch. A part that takes too long is tried again with half as many
// documents. Only a single document that takes too long is an error.
func (db *DB) scan(ctx context.Context, q query, each func(bson.Raw) error) error {
	slow := slowScan{q.db, q.coll}
	var last bson.RawValue
	if _, known := db.slow.Load(slow); !known {
		err := db.findOnce(ctx, q, func(raw bson.Raw) error {
			if q.hint == idIndex { // in order: the parts begin behind what was read
				last = idOf(raw)
			}
			return each(raw)
		})
		if err == nil || ctx.Err() != nil || !tookTooLong(err) {
			return err
		}
		db.slow.Store(slow, struct{}{})
		db.log.Info("a collection takes longer to read than one batch may take, so it is read in parts from now on",
			"collection", q.db+"."+q.coll, "limit", db.limit(q.class), "setting", "mongo.listTimeout")
	}
	return db.scanParts(ctx, q, last, each)
}

// idIndex is the name of the index that every collection has.
const idIndex = "_id_"

// A slowScan names a collection that one cursor does not read in time.
type slowScan struct{ db, coll string }

// tookTooLong reports whether the server says that a read ran out of its time. One that says nothing has hung.
func tookTooLong(err error) bool { return hasCode(err, codeMaxTimeMSExpired, codeExceededTimeLimit) }

// idOf is a document's _id, valid after the document is not.
func idOf(raw bson.Raw) bson.RawValue {
	v := raw.Lookup("_id")
	return bson.RawValue{Type: v.Type, Value: slices.Clone(v.Value)}
}

// scanParts reads in the order of _id what comes behind last; all where that is zero.
func (db *DB) scanParts(ctx context.Context, q query, last bson.RawValue, each func(bson.Raw) error) error {
	filter, size := q.filter, max(q.batch, 1)
	q.sort, q.hint = true, ""
	for {
		part := q
		part.filter, part.limit, part.batch = behind(filter, last), size, size
		n := 0
		var refused error // by each
		err := db.findOnce(ctx, part, func(raw bson.Raw) error {
			n++
			last = idOf(raw)
			refused = each(raw)
			return refused
		})
		switch {
		case err != nil && refused == nil && ctx.Err() == nil && tookTooLong(err) && size > 1:
			size /= 2
			continue
		case err != nil:
			return err
		case n == size:
			continue
		case last.IsZero():
			return nil
		}
		// A comparison finds values of one kind only. What is of a later kind is asked for by its kind.
		later, err := db.firstOfLater(ctx, q, filter, last.Type, each)
		if err != nil || later.IsZero() {
			return err
		}
		last = later
	}
}

// firstOfLater reads the first document whose _id is of a kind that comes after kind in the order of _id, and returns that
// _id; zero: there is none.
func (db *DB) firstOfLater(ctx context.Context, q query, filter bson.D, kind bson.Type, each func(bson.Raw) error) (id bson.RawValue, err error) {
	later := laterKinds(kind)
	if len(later) == 0 {
		return id, nil
	}
	q.filter = append(slices.Clone(filter), bson.E{Key: "_id", Value: bson.D{{Key: "$type", Value: later}}})
	q.limit, q.batch = 1, 1
	err = db.findOnce(ctx, q, func(raw bson.Raw) error {
		id = idOf(raw)
		return each(raw)
	})
	return id, err
}

// behind is the filter for documents whose _id comes after last and is of its kind.
func behind(filter bson.D, last bson.RawValue) bson.D {
	if last.IsZero() {
		return filter
	}
	return append(slices.Clone(filter), bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}})
}

// kinds are the types that an _id can have, in MongoDB's order of comparison; those of one row compare with each other.
var kinds = [][]bson.Type{
	{bson.TypeMinKey}, {bson.TypeNull}, {bson.TypeDouble, bson.TypeInt32, bson.TypeInt64, bson.TypeDecimal128}, {bson.TypeString, bson.TypeSymbol},
	{bson.TypeEmbeddedDocument}, {bson.TypeBinary}, {bson.TypeObjectID}, {bson.TypeBoolean}, {bson.TypeDateTime}, {bson.TypeTimestamp}, {bson.TypeMaxKey},
}

// laterKinds are the numbers of the types that come after a type's row.
func laterKinds(kind bson.Type) bson.A {
	row := slices.IndexFunc(kinds, func(row []bson.Type) bool { return slices.Contains(row, kind) })
	var out bson.A
	for _, later := range kinds[row+1:] {
		for _, k := range later {
			out = append(out, int32(int8(k))) // MinKey is -1
		}
	}
	return out
}

// errEnough ends a read that has found what it looked for.
var errEnough = errors.New("enough")

// duplicates names some documents of a collection that share a value of a field.
func (db *DB) duplicates(ctx context.Context, coll, field string) ([]string, error) {
	const most = 5
	first := map[string]string{}
	seen := map[string]bool{} // ids, for a scan may meet a document twice
	var out []string
	q := query{db: db.name, coll: coll, class: list, projection: bson.D{{Key: "_id", Value: 1}, {Key: field, Value: 1}}, batch: censusBatch, batches: true}
	err := db.find(ctx, q, func(raw bson.Raw) error {
		value, id := raw.Lookup(field), raw.Lookup("_id").String()
		if value.IsZero() || seen[id] {
			return nil
		}
		seen[id] = true
		text := value.String()
		other, has := first[text]
		if !has {
			first[text] = id
			return nil
		}
		if out = append(out, fmt.Sprintf("%s is that of %s and %s", text, other, id)); len(out) == most {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, err
}
