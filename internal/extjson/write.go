package extjson

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Form is a way to write Extended JSON.
type Form uint8

const (
	// Relaxed is what mongoexport writes unless it is told otherwise: plain numbers, readable dates.
	Relaxed Form = iota
	// Canonical spells out every type.
	Canonical
	// Exact is relaxed where that reads back as the same type, else canonical. It is also YAML.
	Exact
)

// Append appends the document's Extended JSON to b.
func (d Doc) Append(b []byte, form Form) []byte {
	b = append(b, '{')
	for i, f := range d {
		if i > 0 {
			b = append(b, ',')
			if form == Exact {
				b = append(b, ' ')
			}
		}
		b = quote(b, f.Key)
		b = append(b, ':')
		if form == Exact {
			b = append(b, ' ')
		}
		b = f.Value.Append(b, form)
	}
	return append(b, '}')
}

// Append appends the value's Extended JSON to b.
func (v Value) Append(b []byte, form Form) []byte {
	switch v.Type {
	case Bool:
		return strconv.AppendBool(b, v.Int != 0)
	case Int32:
		if form == Canonical {
			return wrap(b, form, "$numberInt", strconv.FormatInt(v.Int, 10))
		}
		return strconv.AppendInt(b, v.Int, 10)
	case Int64:
		if form == Canonical || form == Exact && v.Int == int64(int32(v.Int)) {
			return wrap(b, form, "$numberLong", strconv.FormatInt(v.Int, 10))
		}
		return strconv.AppendInt(b, v.Int, 10)
	case Double:
		s := double(v.Float)
		if form == Canonical || math.IsNaN(v.Float) || math.IsInf(v.Float, 0) || form == Exact && strings.Contains(s, "E") {
			return wrap(b, form, "$numberDouble", s)
		}
		return append(b, s...)
	case Decimal:
		return wrap(b, form, "$numberDecimal", v.Text)
	case String:
		return quote(b, v.Text)
	case Date:
		if t := time.UnixMilli(v.Int).UTC(); form != Canonical && plainTime(t) {
			return wrap(b, form, "$date", t.Format(dateLayout))
		}
		b = append(b, `{"$date":`...)
		if form == Exact {
			b = append(b, ' ')
		}
		b = wrap(b, form, "$numberLong", strconv.FormatInt(v.Int, 10))
		return append(b, '}')
	case ObjectID:
		return wrap(b, form, "$oid", v.Text)
	case Object:
		return v.Doc.Append(b, form)
	case Array:
		b = append(b, '[')
		for i, it := range v.Items {
			if i > 0 {
				b = append(b, ',')
				if form == Exact {
					b = append(b, ' ')
				}
			}
			b = it.Append(b, form)
		}
		return append(b, ']')
	case Other:
		return append(b, v.Text...)
	}
	return append(b, "null"...)
}

// dateLayout is how relaxed Extended JSON writes dates, milliseconds only where there are some.
const dateLayout = "2006-01-02T15:04:05.999Z"

// plainTime reports whether relaxed Extended JSON writes a date as text.
func plainTime(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9999 }

func wrap(b []byte, form Form, key, text string) []byte {
	b = append(b, '{')
	b = quote(b, key)
	b = append(b, ':')
	if form == Exact {
		b = append(b, ' ')
	}
	b = quote(b, text)
	return append(b, '}')
}

// double spells a number so that it does not read as a whole one.
func double(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'G', -1, 64)
	if !strings.ContainsAny(s, ".E") {
		s += ".0"
	}
	return s
}

const hexDigits = "0123456789abcdef"

// quote writes a string of JSON that is one of YAML as well.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		var esc string
		switch {
		case r == '"':
			esc = `\"`
		case r == '\\':
			esc = `\\`
		case r == '\n':
			esc = `\n`
		case r == '\r':
			esc = `\r`
		case r == '\t':
			esc = `\t`
		case r == utf8.RuneError && n == 1:
			esc = "\ufffd"
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff':
			esc = `\u` + string([]byte{hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15]})
		default:
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		b = append(b, esc...)
		i += n
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
