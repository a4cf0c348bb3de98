package extjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"freshet/internal/diag"
)

// maxDepth is how deep a document may be nested; MongoDB itself stores about 100 levels.
const maxDepth = 200

// A SyntaxError says what is wrong with a document, and where.
type SyntaxError struct {
	Offset  int    // in bytes from its beginning
	Field   string // dotted name of the field; empty: unknown
	Message string
	Remedy  string
}

func (e *SyntaxError) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Parse reads one document. twice names the fields that stand in it more than once, of which the last counts. The
// error is a *SyntaxError.
func Parse(b []byte) (d Doc, twice []string, err error) {
	p := parser{d: json.NewDecoder(bytes.NewReader(b)), src: b}
	p.d.UseNumber()
	v, err := p.value("", 0)
	if err != nil {
		return nil, nil, p.explain(err)
	}
	if v.Type != Object {
		return nil, nil, &SyntaxError{Message: "this is " + v.Type.name() + ", not a document", Remedy: "a document stands in braces: {\"title\": …}"}
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, &SyntaxError{Offset: int(p.d.InputOffset()), Message: "something follows the document", Remedy: "write one document a line"}
	}
	return v.Doc, p.twice, nil
}

func (t Type) name() string {
	switch t {
	case Null:
		return "null"
	case Bool:
		return "true or false"
	case Int32, Int64, Double, Decimal:
		return "a number"
	case String:
		return "text"
	case Date:
		return "a date"
	case ObjectID:
		return "an ObjectId"
	case Object:
		return "an object"
	case Array:
		return "an array"
	}
	return "a special value"
}

type parser struct {
	d     *json.Decoder
	src   []byte
	twice []string
}

// explain makes a *SyntaxError of what the JSON decoder says.
func (p *parser) explain(err error) error {
	if e, ok := errors.AsType[*SyntaxError](err); ok {
		return e
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &SyntaxError{Offset: len(p.src), Message: "the document is cut off", Remedy: "export it again"}
	}
	out := &SyntaxError{Offset: int(p.d.InputOffset()), Message: "this is no JSON: " + err.Error(), Remedy: "mongoexport writes documents as they are read here"}
	// The decoder's own offset counts from somewhere in its buffer; what it could not read follows the last token.
	rest := bytes.TrimLeft(p.src[min(out.Offset, len(p.src)):], ":, \t\r\n")
	out.Offset = len(p.src) - len(rest)
	for _, name := range shellNames {
		if bytes.HasPrefix(rest, []byte(name)) {
			out.Message, out.Remedy = fmt.Sprintf("%s…) is the syntax of the mongo shell, not Extended JSON", name), "write it with mongoexport, or EJSON.stringify in the shell"
		}
	}
	return out
}

// shellNames are how the mongo shell writes types.
var shellNames = [...]string{"ObjectId(", "ISODate(", "NumberLong(", "NumberInt(", "NumberDecimal(", "Timestamp(", "BinData(", "UUID(", "new Date(", "DBRef(", "Long(", "Int32(", "Double(", "Decimal128("}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (p *parser) value(path string, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, &SyntaxError{Offset: int(p.d.InputOffset()), Field: path, Message: fmt.Sprintf("nested deeper than %d levels", maxDepth), Remedy: "MongoDB stores no more than about 100"}
	}
	tok, err := p.d.Token()
	if err != nil {
		return Value{}, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '[' {
			v := Value{Type: Array}
			for i := 0; p.d.More(); i++ {
				it, err := p.value(join(path, strconv.Itoa(i)), depth+1)
				if err != nil {
					return Value{}, err
				}
				v.Items = append(v.Items, it)
			}
			_, err := p.d.Token()
			return v, err
		}
		start := int(p.d.InputOffset())
		v := Value{Type: Object, Doc: Doc{}}
		var seen map[string]bool
		for p.d.More() {
			k, err := p.d.Token()
			if err != nil {
				return Value{}, err
			}
			key, _ := k.(string)
			it, err := p.value(join(path, key), depth+1)
			if err != nil {
				return Value{}, err
			}
			if len(v.Doc) == 16 {
				seen = make(map[string]bool, 64)
				for _, f := range v.Doc {
					seen[f.Key] = true
				}
			}
			known := seen[key]
			if seen == nil {
				_, known = v.Doc.Get(key)
			} else {
				seen[key] = true
			}
			if known {
				p.twice = append(p.twice, join(path, key))
				v.Doc = slices.DeleteFunc(v.Doc, func(f Field) bool { return f.Key == key })
			}
			v.Doc = append(v.Doc, Field{key, it})
		}
		if _, err := p.d.Token(); err != nil {
			return Value{}, err
		}
		out, err := Resolve(v.Doc)
		if err != nil {
			return Value{}, &SyntaxError{Offset: start, Field: path, Message: err.Error(), Remedy: "mongoexport writes it as it is read here"}
		}
		return out, nil
	case string:
		return Text(tok), nil
	case json.Number:
		v, err := parseNumber(tok.String())
		if err != nil {
			return Value{}, &SyntaxError{Offset: int(p.d.InputOffset()), Field: path, Message: err.Error(), Remedy: "write a number that a double can hold"}
		}
		return v, nil
	case bool:
		return Truth(tok), nil
	}
	return Value{}, nil
}

// parseNumber reads a plain number: whole ones are of 32 or 64 bits, those with a point or an exponent doubles.
func parseNumber(s string) (Value, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && s != "-0" {
		return Whole(n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Value{}, fmt.Errorf("the number %s is too large", diag.Clip(s, 60))
	}
	return Value{Type: Double, Float: f}, nil
}

// Resolve gives a document of Extended JSON the type that it stands for: {"$oid": …} is an ObjectId. Any other is an
// embedded document.
func Resolve(d Doc) (Value, error) {
	if len(d) == 0 || len(d[0].Key) < 2 || d[0].Key[0] != '$' || len(d) > 2 {
		return Embedded(d), nil
	}
	v := d[0].Value
	bad := func(what string) (Value, error) {
		return Value{}, fmt.Errorf("%s is no %s", diag.Clip(string(v.Append(nil, Exact)), 60), what)
	}
	if len(d) == 1 {
		switch d[0].Key {
		case "$oid":
			if id := strings.ToLower(v.Text); v.Type == String && len(id) == 24 && strings.Trim(id, hexDigits) == "" {
				return Value{Type: ObjectID, Text: id}, nil
			}
			return bad("ObjectId")
		case "$numberInt":
			if n, err := strconv.ParseInt(numeral(v), 10, 32); err == nil {
				return Value{Type: Int32, Int: n}, nil
			}
			return bad("32-bit number")
		case "$numberLong":
			if n, err := strconv.ParseInt(numeral(v), 10, 64); err == nil {
				return Value{Type: Int64, Int: n}, nil
			}
			return bad("64-bit number")
		case "$numberDouble":
			switch s := numeral(v); s {
			case "NaN":
				return Value{Type: Double, Float: math.NaN()}, nil
			case "Infinity":
				return Value{Type: Double, Float: math.Inf(1)}, nil
			case "-Infinity":
				return Value{Type: Double, Float: math.Inf(-1)}, nil
			default:
				if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
					return Value{Type: Double, Float: f}, nil
				}
			}
			return bad("number")
		case "$numberDecimal":
			if v.Type == String && decimal(v.Text) {
				return Value{Type: Decimal, Text: v.Text}, nil
			}
			return bad("decimal number")
		case "$date":
			if ms, ok := dateOf(v); ok {
				return Value{Type: Date, Int: ms}, nil
			}
			return bad("date")
		case "$symbol", "$code":
			if v.Type == String {
				return other(d)
			}
			return bad("text")
		case "$minKey", "$maxKey":
			return other(Doc{{d[0].Key, Whole(1)}})
		case "$undefined":
			return other(Doc{{d[0].Key, Truth(true)}})
		case "$uuid":
			hex := strings.ReplaceAll(v.Text, "-", "")
			b := make([]byte, 0, 16)
			for i := 0; i+1 < len(hex); i += 2 {
				n, err := strconv.ParseUint(hex[i:i+2], 16, 8)
				if err != nil {
					return bad("UUID")
				}
				b = append(b, byte(n))
			}
			if v.Type != String || len(b) != 16 || len(hex) != 32 {
				return bad("UUID")
			}
			return binary(base64.StdEncoding.EncodeToString(b), "04")
		}
	}
	second := d[len(d)-1]
	switch {
	case d[0].Key == "$binary" && len(d) == 1 && v.Type == Object:
		data, _ := v.Doc.Get("base64")
		sub, _ := v.Doc.Get("subType")
		if data.Type == String && sub.Type == String && len(v.Doc) == 2 && validBase64(data.Text) && validSubtype(sub.Text) {
			return binary(data.Text, sub.Text)
		}
		return bad("binary data")
	case d[0].Key == "$binary" && len(d) == 2 && second.Key == "$type":
		if v.Type == String && second.Value.Type == String && validBase64(v.Text) && validSubtype(second.Value.Text) {
			return binary(v.Text, second.Value.Text)
		}
		return bad("binary data")
	case d[0].Key == "$regularExpression" && len(d) == 1 && v.Type == Object:
		pattern, _ := v.Doc.Get("pattern")
		options, _ := v.Doc.Get("options")
		if pattern.Type == String && options.Type == String && len(v.Doc) == 2 {
			return other(d)
		}
		return bad("regular expression")
	case d[0].Key == "$regex" && len(d) == 2 && second.Key == "$options" && v.Type == String && second.Value.Type == String:
		return other(Doc{{"$regularExpression", Embedded(Doc{{"pattern", v}, {"options", second.Value}})}})
	case d[0].Key == "$timestamp" && len(d) == 1 && v.Type == Object:
		t, ok1 := v.Doc.Get("t")
		i, ok2 := v.Doc.Get("i")
		if whole := func(v Value) bool {
			return (v.Type == Int32 || v.Type == Int64) && v.Int >= 0 && v.Int <= math.MaxUint32
		}; ok1 && ok2 && len(v.Doc) == 2 && whole(t) && whole(i) {
			return Value{Type: Other, Text: fmt.Sprintf(`{"$timestamp":{"t":%d,"i":%d}}`, t.Int, i.Int)}, nil
		}
		return bad("timestamp")
	case d[0].Key == "$code" && len(d) == 2 && second.Key == "$scope" && v.Type == String && second.Value.Type == Object,
		d[0].Key == "$dbPointer" && len(d) == 1 && v.Type == Object:
		return other(d)
	}
	return Embedded(d), nil
}

func other(d Doc) (Value, error) {
	b := []byte{'{'}
	for i, f := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, f.Key), ':')
		if f.Value.Type == Int32 { // $minKey: 1, where canonical numbers are not wanted
			b = strconv.AppendInt(b, f.Value.Int, 10)
		} else {
			b = f.Value.Append(b, Canonical)
		}
	}
	return Value{Type: Other, Text: string(append(b, '}'))}, nil
}

func binary(data, sub string) (Value, error) {
	if len(sub) == 1 {
		sub = "0" + sub
	}
	return other(Doc{{"$binary", Embedded(Doc{{"base64", Text(data)}, {"subType", Text(strings.ToLower(sub))}})}})
}

func validBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

func validSubtype(s string) bool {
	return (len(s) == 1 || len(s) == 2) && strings.Trim(strings.ToLower(s), hexDigits) == ""
}

// numeral is the text of a number that stands in quotes, as it should, or does not.
func numeral(v Value) string {
	switch v.Type {
	case String:
		return v.Text
	case Int32, Int64:
		return strconv.FormatInt(v.Int, 10)
	case Double:
		return double(v.Float)
	}
	return ""
}

// decimal reports whether text is a number that Decimal128 can hold.
func decimal(s string) bool {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "nan", "inf", "infinity":
		return true
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		err, f = nil, 0
	}
	return err == nil && !math.IsNaN(f) && len(s) < 60 && !strings.ContainsAny(s, "xXpP_")
}

// dateOf reads what $date holds: text, milliseconds in quotes as canonical Extended JSON has them, or the bare number
// of older versions.
func dateOf(v Value) (ms int64, ok bool) {
	switch v.Type {
	case Int32, Int64:
		return v.Int, true
	case Double:
		return int64(v.Float), v.Float == math.Trunc(v.Float) && math.Abs(v.Float) < 1<<53
	case String:
		for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04:05", time.DateOnly} {
			if t, err := time.Parse(layout, v.Text); err == nil {
				return t.UnixMilli(), true
			}
		}
	}
	return 0, false
}
