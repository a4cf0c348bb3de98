package mongodb

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/extjson"
)

// toBSON makes the bytes that MongoDB stores of a document: every field in its order and with its type.
func toBSON(d extjson.Doc) (bson.Raw, error) {
	out, err := bsonDoc(d)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(out)
}

func bsonDoc(d extjson.Doc) (bson.D, error) {
	out := make(bson.D, 0, len(d))
	for _, f := range d {
		v, err := bsonValue(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
		out = append(out, bson.E{Key: f.Key, Value: v})
	}
	return out, nil
}

func bsonValue(v extjson.Value) (any, error) {
	switch v.Type {
	case extjson.Null:
		return nil, nil
	case extjson.Bool:
		return v.Int != 0, nil
	case extjson.Int32:
		return int32(v.Int), nil
	case extjson.Int64:
		return v.Int, nil
	case extjson.Double:
		return v.Float, nil
	case extjson.Decimal:
		return bson.ParseDecimal128(v.Text)
	case extjson.String:
		return v.Text, nil
	case extjson.Date:
		return bson.DateTime(v.Int), nil
	case extjson.ObjectID:
		return bson.ObjectIDFromHex(v.Text)
	case extjson.Object:
		return bsonDoc(v.Doc)
	case extjson.Array:
		list := make(bson.A, 0, len(v.Items))
		for i, it := range v.Items {
			item, err := bsonValue(it)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", i, err)
			}
			list = append(list, item)
		}
		return list, nil
	}
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(`{"v":`+v.Text+`}`), true, &d); err != nil || len(d) != 1 {
		return nil, fmt.Errorf("%s cannot be stored", v.Text)
	}
	return d[0].Value, nil
}

// fromBSON reads a stored document. What it holds does not depend on raw's memory.
func fromBSON(raw bson.Raw) (extjson.Doc, error) {
	d := extjson.Doc{}
	var bad error
	err := eachElement(raw, func(key []byte, v bson.RawValue) bool {
		val, err := fromValue(v)
		if err != nil {
			bad = fmt.Errorf("%s: %w", key, err)
			return false
		}
		d = append(d, extjson.Field{Key: string(key), Value: val})
		return true
	})
	if bad != nil {
		err = bad
	}
	return d, err
}

func fromValue(v bson.RawValue) (extjson.Value, error) {
	switch v.Type {
	case bson.TypeNull:
		return extjson.Value{}, nil
	case bson.TypeBoolean:
		return extjson.Truth(v.Value[0] != 0), nil
	case bson.TypeInt32:
		return extjson.Value{Type: extjson.Int32, Int: int64(lengthAt(v.Value))}, nil
	case bson.TypeInt64:
		return extjson.Value{Type: extjson.Int64, Int: int64(binary.LittleEndian.Uint64(v.Value))}, nil
	case bson.TypeDouble:
		return extjson.Value{Type: extjson.Double, Float: math.Float64frombits(binary.LittleEndian.Uint64(v.Value))}, nil
	case bson.TypeDecimal128:
		return extjson.Value{Type: extjson.Decimal, Text: numberText(v)}, nil
	case bson.TypeString:
		b, _ := stringBytes(v)
		return extjson.Text(string(b)), nil
	case bson.TypeDateTime:
		return extjson.Value{Type: extjson.Date, Int: int64(binary.LittleEndian.Uint64(v.Value))}, nil
	case bson.TypeObjectID:
		return extjson.Value{Type: extjson.ObjectID, Text: bson.ObjectID(v.Value).Hex()}, nil
	case bson.TypeEmbeddedDocument:
		d, err := fromBSON(v.Value)
		return extjson.Embedded(d), err
	case bson.TypeArray:
		d, err := fromBSON(v.Value)
		// The keys of an array are its places; some programs have written others, and their order counts.
		slices.SortStableFunc(d, func(a, b extjson.Field) int {
			i, err1 := strconv.Atoi(a.Key)
			j, err2 := strconv.Atoi(b.Key)
			if err1 != nil || err2 != nil {
				return 0
			}
			return i - j
		})
		out := extjson.List()
		for _, f := range d {
			out.Items = append(out.Items, f.Value)
		}
		return out, err
	}
	b, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, true, false)
	if err != nil {
		return extjson.Value{}, err
	}
	d, _, err := extjson.Parse(b)
	if err != nil || len(d) != 1 {
		return extjson.Value{}, fmt.Errorf("a value of the type %s cannot be read: %w", v.Type, err)
	}
	return d[0].Value, nil
}
