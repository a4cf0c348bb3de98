package extjson_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/extjson"
	"freshet/internal/testenv"
)

func TestParse(t *testing.T) {
	const oid = "66d300000000000000000001"
	for _, tt := range []struct{ name, in, canonical, relaxed string }{
		{"plain", `{"a":"x","b":true,"c":null,"d":[1,"y"],"e":{"f":1}}`,
			`{"a":"x","b":true,"c":null,"d":[{"$numberInt":"1"},"y"],"e":{"f":{"$numberInt":"1"}}}`, `{"a":"x","b":true,"c":null,"d":[1,"y"],"e":{"f":1}}`},
		{"numbers", `{"a":1,"b":5000000000,"c":1.5,"d":2.0,"e":-0,"f":1e3}`,
			`{"a":{"$numberInt":"1"},"b":{"$numberLong":"5000000000"},"c":{"$numberDouble":"1.5"},"d":{"$numberDouble":"2.0"},"e":{"$numberDouble":"-0.0"},"f":{"$numberDouble":"1000.0"}}`,
			`{"a":1,"b":5000000000,"c":1.5,"d":2.0,"e":-0.0,"f":1000.0}`},
		{"canonical numbers", `{"a":{"$numberInt":"1"},"b":{"$numberLong":"1"},"c":{"$numberDouble":"NaN"},"d":{"$numberDouble":"-Infinity"},"e":{"$numberDecimal":"1999.00"}}`,
			`{"a":{"$numberInt":"1"},"b":{"$numberLong":"1"},"c":{"$numberDouble":"NaN"},"d":{"$numberDouble":"-Infinity"},"e":{"$numberDecimal":"1999.00"}}`,
			`{"a":1,"b":1,"c":{"$numberDouble":"NaN"},"d":{"$numberDouble":"-Infinity"},"e":{"$numberDecimal":"1999.00"}}`},
		{"id", `{"_id":{"$oid":"66D300000000000000000001"}}`, `{"_id":{"$oid":"` + oid + `"}}`, `{"_id":{"$oid":"` + oid + `"}}`},
		{"dates", `{"a":{"$date":"2024-01-01T00:00:00Z"},"b":{"$date":{"$numberLong":"1704067200001"}},"c":{"$date":1704067200000},"d":{"$date":"2024-01-01T05:30:00.5+0530"},"e":{"$date":"0001-01-01T00:00:00Z"}}`,
			`{"a":{"$date":{"$numberLong":"1704067200000"}},"b":{"$date":{"$numberLong":"1704067200001"}},"c":{"$date":{"$numberLong":"1704067200000"}},"d":{"$date":{"$numberLong":"1704067200500"}},"e":{"$date":{"$numberLong":"-62135596800000"}}}`,
			`{"a":{"$date":"2024-01-01T00:00:00Z"},"b":{"$date":"2024-01-01T00:00:00.001Z"},"c":{"$date":"2024-01-01T00:00:00Z"},"d":{"$date":"2024-01-01T00:00:00.5Z"},"e":{"$date":{"$numberLong":"-62135596800000"}}}`},
		{"binary, old and new", `{"a":{"$binary":{"base64":"AQI=","subType":"0"}},"b":{"$binary":"AQI=","$type":"00"},"c":{"$uuid":"00010203-0405-0607-0809-0a0b0c0d0e0f"}}`,
			`{"a":{"$binary":{"base64":"AQI=","subType":"00"}},"b":{"$binary":{"base64":"AQI=","subType":"00"}},"c":{"$binary":{"base64":"AAECAwQFBgcICQoLDA0ODw==","subType":"04"}}}`,
			`{"a":{"$binary":{"base64":"AQI=","subType":"00"}},"b":{"$binary":{"base64":"AQI=","subType":"00"}},"c":{"$binary":{"base64":"AAECAwQFBgcICQoLDA0ODw==","subType":"04"}}}`},
		{"rare", `{"a":{"$regex":"x","$options":"i"},"b":{"$timestamp":{"t":1,"i":2}},"c":{"$minKey":1},"d":{"$undefined":true},"e":{"$code":"f()"}}`,
			`{"a":{"$regularExpression":{"pattern":"x","options":"i"}},"b":{"$timestamp":{"t":1,"i":2}},"c":{"$minKey":1},"d":{"$undefined":true},"e":{"$code":"f()"}}`,
			`{"a":{"$regularExpression":{"pattern":"x","options":"i"}},"b":{"$timestamp":{"t":1,"i":2}},"c":{"$minKey":1},"d":{"$undefined":true},"e":{"$code":"f()"}}`},
		{"not special", `{"a":{"$ref":"x","$id":{"$oid":"` + oid + `"}},"b":{"$set":{"c":1}}}`,
			`{"a":{"$ref":"x","$id":{"$oid":"` + oid + `"}},"b":{"$set":{"c":{"$numberInt":"1"}}}}`, `{"a":{"$ref":"x","$id":{"$oid":"` + oid + `"}},"b":{"$set":{"c":1}}}`},
		{"text", `{"a":"\u0000\u2028\"\\\n<é😀"}`, `{"a":"\u0000\u2028\"\\\n<é😀"}`, `{"a":"\u0000\u2028\"\\\n<é😀"}`},
		{"twice", `{"a":1,"b":2,"a":3}`, `{"b":{"$numberInt":"2"},"a":{"$numberInt":"3"}}`, `{"b":2,"a":3}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _, err := extjson.Parse([]byte(tt.in))
			if err != nil {
				t.Fatalf("Parse(%s): %v", tt.in, err)
			}
			if got := string(d.Append(nil, extjson.Canonical)); got != tt.canonical {
				t.Errorf("canonical (-want +got):\n%s", cmp.Diff(tt.canonical, got))
			}
			if got := string(d.Append(nil, extjson.Relaxed)); got != tt.relaxed {
				t.Errorf("relaxed (-want +got):\n%s", cmp.Diff(tt.relaxed, got))
			}
			for _, form := range []extjson.Form{extjson.Canonical, extjson.Exact} {
				text := d.Append(nil, form)
				again, _, err := extjson.Parse(text)
				if err != nil || !again.Equal(d) {
					t.Errorf("%s reads back as %s: %v", text, again.Append(nil, extjson.Canonical), err)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"a":1`, "the document is cut off"},
		{`{"a":{"b":{"$oid":"nothex"}}}`, `a.b: "nothex" is no ObjectId`},
		{`{"a":{"$date":"nope"}}`, `a: "nope" is no date`},
		{`{"a":{"$numberInt":"5000000000"}}`, `a: "5000000000" is no 32-bit number`},
		{`{"a":{"$numberDecimal":"x"}}`, `a: "x" is no decimal number`},
		{`{"a":{"$binary":{"base64":"!","subType":"00"}}}`, `a: {"base64": "!", "subType": "00"} is no binary data`},
		{`{"_id":ObjectId("x")}`, "ObjectId(…) is the syntax of the mongo shell, not Extended JSON"},
		{`{"a":1e999}`, "a: the number 1e999 is too large"},
		{`{"a":tru}`, "this is no JSON: invalid character '}' in literal true (expecting 'e')"},
		{`[1]`, "this is an array, not a document"},
		{strings.Repeat(`{"a":`, 300), "nested deeper than 200 levels"},
	} {
		_, _, err := extjson.Parse([]byte(tt.in))
		var syntax *extjson.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tt.want) || syntax.Remedy == "" {
			t.Errorf("Parse(%s): %v, want %q", clip(tt.in), err, tt.want)
		}
	}
}

func clip(s string) string { return s[:min(len(s), 60)] }

// readAll lists what a file holds: documents by title or _id, and problems.
func readAll(t *testing.T, name, text string) string {
	t.Helper()
	var out strings.Builder
	for r := extjson.NewReader(strings.NewReader(text), name); ; {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if it.Doc != nil {
			fmt.Fprintf(&out, "%d: %s\n", it.Line, it.Doc.Append(nil, extjson.Relaxed))
		}
		for _, p := range it.Problems {
			fmt.Fprintf(&out, "%s: %s\n", p.Severity, p.Error())
		}
	}
}

func TestReader(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"lines", "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", "1: {\"a\":1}\n3: {\"a\":2}\n4: {\"a\":3}\n"},
		{"byte order mark", "\ufeff{\"a\":1}\n", "1: {\"a\":1}\n"},
		{"two on a line", `{"a":1}{"a":2}`, "1: {\"a\":1}\n1: {\"a\":2}\n"},
		{"pretty", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n{\"a\":2}\n", "1: {\"a\":{\"b\":1}}\n6: {\"a\":2}\n"},
		{"array on a line", `[{"a":1},{"a":2}]`, "1: {\"a\":1}\n1: {\"a\":2}\n"},
		{"pretty array", "[\n{\n\"a\":\n{\n\"b\":1}},\n{\"a\":2}\n]\n", "2: {\"a\":{\"b\":1}}\n6: {\"a\":2}\n"},
		{"empty array", "[]\n", ""},
		{"nothing", "", ""},
		{"stray in an array", "[{\"a\":1}, 2, \"x,y\", [3,4], {\"a\":5}]",
			"1: {\"a\":1}\nerror: f:1: this is no document (a document stands in braces: {\"title\": …})\n" +
				"error: f:1: this is text, not a document (a document stands in braces: {\"title\": …})\n" +
				"error: f:1: this is an array, not a document (a document stands in braces: {\"title\": …})\n1: {\"a\":5}\n"},
		{"cut off within text", "{\"a\":\"x\n{\"a\":2}\n", "error: f:1: the document that begins here is cut off (export it again)\n2: {\"a\":2}\n"},
		{"cut off between fields", "{\"a\":1,\n{\"a\":2}\n", "error: f:1: the document that begins here is cut off (export it again)\n2: {\"a\":2}\n"},
		{"cut off at the end", "{\"a\":1}\n{\"a\":", "1: {\"a\":1}\nerror: f:2: the document that begins here is cut off (export it again)\n"},
		{"braces in text", `{"a":"}{\"}"}`, "1: {\"a\":\"}{\\\"}\"}\n"},
		{"no export", "<html>\n", "error: f:1: this is no JSON (import reads what mongoexport writes)\n"},
		{"error in a later line", "{\n\"a\":1,\n\"b\": {\"$oid\":\"x\"}\n}\n", "error: f:3: b: \"x\" is no ObjectId (mongoexport writes it as it is read here)\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, readAll(t, "f", tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMalformedCorpus reads the file of lines that are no documents: each is reported, and all others are read.
func TestMalformedCorpus(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "mongo-export", "malformed.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, "m", string(b))
	for _, want := range []string{
		"\nerror: m:4: the document that begins here is cut off (", "\nerror: m:5: this is an array, not a document (", "\nerror: m:6: this is text, not a document (",
		"\nwarning: m:7: byte ", "\nwarning: m:9: the field \"title\" stands here twice, the last counts (",
		"\nerror: m:10: ObjectId(…) is the syntax of the mongo shell, not Extended JSON (", "\nerror: m:16: _id: \"nothex\" is no ObjectId (", "\nerror: m:17: the document that begins here is cut off (",
		"1: {\"_id\":{\"$oid\":\"66d300000000000000000001\"", "\n3: ", "\n7: ", "\n9: ", "\n11: {\"_id\":{\"$oid\":\"66d300000000000000000008\"",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n8: "); n != 2 {
		t.Errorf("%d documents on line 8, want 2", n)
	}
}

// TestCorpus holds every export of real documents to be read whole and written again as it was.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Corpus(t), "mongo-export", "*.*json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		if base == "uploads.json" || base == "malformed.ndjson" || base == "dirty.expect.json" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for r := extjson.NewReader(f, base); ; n++ {
			it, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || len(it.Problems) > 0 {
				t.Fatalf("%s:%d: %v %v", base, it.Line, err, it.Problems)
			}
			for _, form := range []extjson.Form{extjson.Relaxed, extjson.Canonical, extjson.Exact} {
				text := it.Doc.Append(nil, form)
				again, _, err := extjson.Parse(text)
				if err != nil || form != extjson.Relaxed && !again.Equal(it.Doc) || form == extjson.Relaxed && !bytes.Equal(again.Append(nil, form), text) {
					t.Errorf("%s:%d: form %d reads back differently: %v", base, it.Line, form, err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d documents", base, n)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n{\"a\":{\"$date\":\"2024-01-01T00:00:00Z\"}}", "[{},{}]", "\ufeff{", "{\"a\":{\"$oid\":\"x\"}}", "[1,{\"a\":\"\\u2028\\ud800\"}]", "{\"a\":1,\n{}", "x{\"a\":[]}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for r := extjson.NewReader(strings.NewReader(s), "f"); ; {
			it, err := r.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				return
			}
			if it.Doc == nil && len(it.Problems) == 0 {
				t.Errorf("%q: nothing, and no reason", s)
			}
			if it.Doc != nil {
				again, _, err := extjson.Parse(it.Doc.Append(nil, extjson.Exact))
				if err != nil || !again.Equal(it.Doc) {
					t.Errorf("%q: %s does not read back: %v", s, it.Doc.Append(nil, extjson.Exact), err)
				}
			}
		}
	})
}
