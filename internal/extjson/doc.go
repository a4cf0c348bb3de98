// Package extjson holds documents as MongoDB has them, field by field in order and each value with its type, and reads
// and writes them as Extended JSON, which is what mongoexport writes.
//
// Read are both forms of version 2, canonical and relaxed, and the legacy ones for dates, binary data and regular
// expressions. A [Reader] takes documents one a line, over several lines, or as an array; what is no document is
// reported with its line, and what follows is read all the same.
//
// What was read and is written again is the same document: relaxed Extended JSON alone does not tell a small 64-bit
// number from a 32-bit one, which the form [Exact] does.
package extjson

import (
	"slices"
	"time"
)

// A Type is the type of a value.
type Type uint8

const (
	Null Type = iota
	Bool
	Int32
	Int64
	Double
	Decimal
	String
	Date
	ObjectID
	Object // an embedded document
	Array
	Other // binary data, regular expressions, timestamps and all that is rare
)

// A Value is one value of a document. The zero Value is null.
type Value struct {
	Type  Type
	Text  string  // String; ObjectID: 24 hexadecimal digits in lower case; Decimal: its digits; Other: canonical Extended JSON
	Int   int64   // Int32, Int64; Bool: 0 or 1; Date: milliseconds since 1970
	Float float64 // Double
	Doc   Doc     // Object
	Items []Value // Array
}

// A Doc is a document: its fields in order. No name stands in it twice.
type Doc []Field

// A Field is a name and its value.
type Field struct {
	Key   string
	Value Value
}

// Get returns the value of a field; ok is false when there is none.
func (d Doc) Get(key string) (v Value, ok bool) {
	for i := range d {
		if d[i].Key == key {
			return d[i].Value, true
		}
	}
	return Value{}, false
}

// Set returns the document with a field of that name, where it was or else at the end.
func (d Doc) Set(key string, v Value) Doc {
	for i := range d {
		if d[i].Key == key {
			d = slices.Clone(d)
			d[i].Value = v
			return d
		}
	}
	return append(slices.Clip(d), Field{key, v})
}

// Text makes a string value.
func Text(s string) Value { return Value{Type: String, Text: s} }

// Truth makes a boolean value.
func Truth(b bool) Value {
	v := Value{Type: Bool}
	if b {
		v.Int = 1
	}
	return v
}

// Moment makes a date; MongoDB keeps milliseconds.
func Moment(t time.Time) Value { return Value{Type: Date, Int: t.UnixMilli()} }

// Embedded makes a value of a document.
func Embedded(d Doc) Value { return Value{Type: Object, Doc: d} }

// List makes an array.
func List(items ...Value) Value { return Value{Type: Array, Items: items} }

// Texts makes an array of strings.
func Texts(list []string) Value {
	v := Value{Type: Array, Items: make([]Value, 0, len(list))}
	for _, s := range list {
		v.Items = append(v.Items, Text(s))
	}
	return v
}

// Number makes a number: a 32-bit or 64-bit one where it is whole, else a double, as MongoDB's own shells store it.
func Number(f float64) Value {
	if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 {
		return Whole(n)
	}
	return Value{Type: Double, Float: f}
}

// Whole makes a whole number, of 32 bits where it fits.
func Whole(n int64) Value {
	if n == int64(int32(n)) {
		return Value{Type: Int32, Int: n}
	}
	return Value{Type: Int64, Int: n}
}

// IsNull reports a value that is null.
func (v Value) IsNull() bool { return v.Type == Null }

// Equal reports whether two documents are the same: fields, order, types and values.
func (d Doc) Equal(o Doc) bool {
	return len(d) == len(o) && string(d.Append(nil, Canonical)) == string(o.Append(nil, Canonical))
}
