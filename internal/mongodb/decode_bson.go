package mongodb

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Stored documents are walked by hand: one field of a wrong type must not lose the others, which decoding into a
// struct would do, and bytes that are no BSON at all must not stop the program, which the driver's accessors would.

// errMalformed says that bytes are no BSON document.
var errMalformed = errors.New("not a valid BSON document")

// eachElement calls yield with the elements of a document or an array until it returns false. Keys and values share
// the document's memory.
func eachElement(doc []byte, yield func(key []byte, v bson.RawValue) bool) error {
	n := lengthAt(doc)
	if n < 5 || n > len(doc) || doc[n-1] != 0 {
		return errMalformed
	}
	for rest := doc[4 : n-1]; len(rest) > 0; {
		t := bson.Type(rest[0])
		end := bytes.IndexByte(rest, 0)
		if end < 1 {
			return errMalformed
		}
		key, data := rest[1:end], rest[end+1:]
		size := valueSize(t, data)
		if size < 0 || size > len(data) {
			return errMalformed
		}
		if !yield(key, bson.RawValue{Type: t, Value: data[:size:size]}) {
			return nil
		}
		rest = data[size:]
	}
	return nil
}

// lengthAt is the length that stands at the beginning of b; -1 when there is none.
func lengthAt(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	return int(int32(binary.LittleEndian.Uint32(b))) // signed on the wire
}

// valueSize is how many bytes a value has; -1 when that cannot be.
func valueSize(t bson.Type, b []byte) int {
	switch t {
	case bson.TypeDouble, bson.TypeDateTime, bson.TypeInt64, bson.TypeTimestamp:
		return 8
	case bson.TypeInt32:
		return 4
	case bson.TypeDecimal128:
		return 16
	case bson.TypeObjectID:
		return 12
	case bson.TypeBoolean:
		return 1
	case bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
		return 0
	case bson.TypeString, bson.TypeJavaScript, bson.TypeSymbol:
		if n := lengthAt(b); n >= 1 && n <= len(b)-4 && b[4+n-1] == 0 {
			return 4 + n
		}
	case bson.TypeDBPointer:
		if n := lengthAt(b); n >= 1 && n <= len(b)-16 {
			return 4 + n + 12
		}
	case bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeCodeWithScope:
		if n := lengthAt(b); n >= 5 && n <= len(b) {
			return n
		}
	case bson.TypeBinary:
		if n := lengthAt(b); n >= 0 && n <= len(b)-5 {
			return 5 + n
		}
	case bson.TypeRegex:
		if i := bytes.IndexByte(b, 0); i >= 0 {
			if j := bytes.IndexByte(b[i+1:], 0); j >= 0 {
				return i + j + 2
			}
		}
	}
	return -1
}

// typeNames are the types as messages have them.
var typeNames = map[bson.Type]string{
	bson.TypeDouble: "a number", bson.TypeInt32: "a number", bson.TypeInt64: "a number", bson.TypeDecimal128: "a number",
	bson.TypeString: "text", bson.TypeSymbol: "text", bson.TypeEmbeddedDocument: "an object", bson.TypeArray: "a list",
	bson.TypeBinary: "binary data", bson.TypeUndefined: "undefined", bson.TypeObjectID: "a reference (an ObjectId)",
	bson.TypeDBPointer: "a reference", bson.TypeBoolean: "true or false", bson.TypeDateTime: "a date", bson.TypeNull: "null",
	bson.TypeRegex: "a regular expression", bson.TypeJavaScript: "code", bson.TypeCodeWithScope: "code", bson.TypeTimestamp: "a timestamp",
	bson.TypeMinKey: "MinKey", bson.TypeMaxKey: "MaxKey",
}

// isNull reports values that say no more than a missing field does.
func isNull(v bson.RawValue) bool {
	return v.Type == bson.TypeNull || v.Type == bson.TypeUndefined || v.Type == 0
}

// stringBytes is what a string holds, in the document's memory.
func stringBytes(v bson.RawValue) ([]byte, bool) {
	if v.Type != bson.TypeString && v.Type != bson.TypeSymbol {
		return nil, false
	}
	return v.Value[4 : len(v.Value)-1], true
}

// isNumber reports whether a value is of one of the numeric types.
func isNumber(v bson.RawValue) bool {
	return v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64 || v.Type == bson.TypeDouble || v.Type == bson.TypeDecimal128
}

// numberText spells a number as Markdown's front matter would have it: 2024, 19.5, 1999.00.
func numberText(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeInt32:
		return strconv.Itoa(lengthAt(v.Value))
	case bson.TypeInt64:
		return strconv.FormatInt(int64(binary.LittleEndian.Uint64(v.Value)), 10)
	case bson.TypeDouble:
		return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(v.Value)), 'f', -1, 64)
	case bson.TypeDecimal128:
		return bson.NewDecimal128(binary.LittleEndian.Uint64(v.Value[8:]), binary.LittleEndian.Uint64(v.Value)).String()
	}
	return ""
}

// text reads what can stand for a line of text: strings, numbers, true and false.
func text(v bson.RawValue) (string, bool) {
	if b, ok := stringBytes(v); ok {
		return valid(string(b)), true
	}
	switch {
	case isNumber(v):
		return numberText(v), true
	case v.Type == bson.TypeBoolean:
		return strconv.FormatBool(v.Value[0] != 0), true
	}
	return "", false
}

// valid is text with what is no UTF-8 replaced. Checking first costs half as much where there is nothing to replace.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// An element is a field of a document. Its key shares the document's memory.
type element struct {
	key []byte
	as  string // what the field is called in the document, where key is another name for it; empty: it is called key
	v   bson.RawValue

	mapped bool // the settings say that the field called as is key
}

// A fieldList is the elements of one document that are not null, in their order.
type fieldList []element

// fieldsOf reads a document's fields. Of fields with one name the first counts.
func fieldsOf(doc []byte) (fieldList, error) {
	f := make(fieldList, 0, min(4+len(doc)/128, 32)) // most small objects have few
	err := eachElement(doc, func(key []byte, v bson.RawValue) bool {
		if !isNull(v) {
			f = append(f, element{key: key, v: v})
		}
		return true
	})
	return f, err
}

// A field is a value with the name that it has in the document; the zero field was not found.
type field struct {
	name string
	v    bson.RawValue
}

// get finds the first of the names that is there and is not blank.
func (f fieldList) get(names ...string) field {
	for _, name := range names {
		for i := range f {
			if string(f[i].key) == name && !isBlank(f[i].v) {
				return field{cmp.Or(f[i].as, name), f[i].v}
			}
		}
	}
	return field{}
}

// keys are the names of the fields.
func (f fieldList) keys() []string {
	out := make([]string, len(f))
	for i := range f {
		out[i] = string(f[i].key)
	}
	return out
}

// id is the _id, which may be blank.
func (f fieldList) id() bson.RawValue {
	for i := range f {
		if string(f[i].key) == "_id" {
			return f[i].v
		}
	}
	return bson.RawValue{}
}

func isBlank(v bson.RawValue) bool {
	b, ok := stringBytes(v)
	return ok && len(bytes.TrimSpace(b)) == 0
}

// items are the values of an array; none when v is no array. What is malformed ends them.
func items(v bson.RawValue) []bson.RawValue {
	if v.Type != bson.TypeArray {
		return nil
	}
	var out []bson.RawValue
	_ = eachElement(v.Value, func(_ []byte, v bson.RawValue) bool { // what could be read is taken
		out = append(out, v)
		return true
	})
	return out
}

// object reads an embedded document; nil when v is none.
func object(v bson.RawValue) fieldList {
	if v.Type != bson.TypeEmbeddedDocument {
		return nil
	}
	f, _ := fieldsOf(v.Value) // what could be read is taken
	return f
}

// wellFormed reports whether all that is within a value can be read, and is nested no deeper than so much.
func wellFormed(v bson.RawValue, depth int) bool {
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
	case bson.TypeCodeWithScope, bson.TypeDBPointer:
		return false
	default:
		return true
	}
	ok := depth > 0
	err := eachElement(v.Value, func(_ []byte, inner bson.RawValue) bool {
		ok = ok && wellFormed(inner, depth-1)
		return ok
	})
	return ok && err == nil
}

// str is the text of the first of the fields that is there; "" when it is none.
func (f fieldList) str(names ...string) string {
	s, _ := text(f.get(names...).v)
	return s
}
