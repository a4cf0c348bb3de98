// Package digest makes content digests: 64-bit xxhash values that tell whether bytes or values are the same as
// before.
//
// xxhash is fast, not collision-proof. A digest decides what to do again, never what somebody may do: it is not
// used for signatures, tokens or passwords, and where one object would stand for another their bytes are compared.
package digest

import (
	"encoding/binary"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A Sum is a 64-bit digest.
type Sum uint64

// String is the sum in 16 hexadecimal digits, as it stands in file names and ETags.
func (s Sum) String() string {
	const hex = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = hex[s>>(60-4*i)&15]
	}
	return string(b[:])
}

// Parse reads what String wrote.
func Parse(s string) (Sum, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	return Sum(v), err
}

// Bytes returns the digest of b.
func Bytes(b []byte) Sum { return Sum(xxhash.Sum64(b)) }

// String returns the digest of s.
func String(s string) Sum { return Sum(xxhash.Sum64String(s)) }

// Reader returns the digest of all that r still holds, as Bytes would, and its length.
func Reader(r io.Reader) (Sum, int64, error) {
	x := xxhash.New()
	n, err := io.Copy(x, r)
	return Sum(x.Sum64()), n, err
}

// A Hash gathers values into one digest. Every value is written with its length, so that "ab","c" and "a","bc"
// differ.
type Hash struct {
	x   *xxhash.Digest
	buf [8]byte
}

// New returns an empty Hash.
func New() *Hash { return &Hash{x: xxhash.New()} }

// Sum returns the digest of all that was written.
func (h *Hash) Sum() Sum { return Sum(h.x.Sum64()) }

// Uint64 adds v.
func (h *Hash) Uint64(v uint64) {
	binary.LittleEndian.PutUint64(h.buf[:], v)
	_, _ = h.x.Write(h.buf[:]) // never fails
}

// String adds s and its length.
func (h *Hash) String(s string) {
	h.Uint64(uint64(len(s)))
	_, _ = h.x.WriteString(s) // never fails
}

// Bytes adds b and its length.
func (h *Hash) Bytes(b []byte) {
	h.Uint64(uint64(len(b)))
	_, _ = h.x.Write(b) // never fails
}

// A Digester knows its own digest; Value takes it instead of looking inside.
type Digester interface{ Digest() Sum }

// Value adds any value made of booleans, numbers, strings, times, slices, maps, structs (exported fields only),
// pointers and Digesters. Two values that differ in any of these have different digests, collisions apart. It
// panics on a type it cannot see through (func, chan): that is a mistake in the program.
func (h *Hash) Value(v any) { h.value(reflect.ValueOf(v)) }

var (
	digesterType = reflect.TypeFor[Digester]()
	timeType     = reflect.TypeFor[time.Time]()
	fieldsOf     sync.Map // reflect.Type → []int, the exported fields
)

func (h *Hash) value(v reflect.Value) {
	if !v.IsValid() {
		h.Uint64(0)
		return
	}
	t := v.Type()
	if t == timeType {
		var tm time.Time
		if v.CanAddr() {
			tm = *v.Addr().Interface().(*time.Time) // no copy on the heap
		} else {
			tm = v.Interface().(time.Time)
		}
		if tm.IsZero() {
			h.Uint64(0)
			return
		}
		_, offset := tm.Zone() // which the day depends on that a page shows
		h.Uint64(uint64(tm.UnixNano()))
		h.Uint64(uint64(offset))
		return
	}
	// Most types have no methods, which is told much faster than what they implement.
	if t.NumMethod() > 0 && t.Implements(digesterType) && (v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface || !v.IsNil()) {
		h.Uint64(uint64(v.Interface().(Digester).Digest()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			h.Uint64(1)
		} else {
			h.Uint64(0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		h.Uint64(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		h.Uint64(v.Uint())
	case reflect.Float32, reflect.Float64:
		h.Uint64(math.Float64bits(v.Float()))
	case reflect.String:
		h.String(v.String())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			h.Bytes(v.Bytes())
			return
		}
		h.Uint64(uint64(v.Len()))
		for i := range v.Len() {
			h.value(v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int {
			switch {
			case a.String() < b.String():
				return -1
			case a.String() > b.String():
				return 1
			}
			return 0
		})
		h.Uint64(uint64(len(keys)))
		for _, k := range keys {
			h.String(k.String())
			h.value(v.MapIndex(k))
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			h.Uint64(0)
			return
		}
		h.Uint64(1)
		h.value(v.Elem())
	case reflect.Struct:
		for _, i := range exported(t) {
			h.value(v.Field(i))
		}
	default:
		panic("digest: cannot see through " + t.String())
	}
}

func exported(t reflect.Type) []int {
	if f, ok := fieldsOf.Load(t); ok {
		return f.([]int)
	}
	var fields []int
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			fields = append(fields, i)
		}
	}
	fieldsOf.Store(t, fields)
	return fields
}
