package stencil_test

import (
	"bytes"
	"errors"
	"html/template"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"freshet/generator/plan"
	"freshet/generator/stencil"
	"freshet/templates"
)

var functions = template.FuncMap{
	"date":     func(t time.Time) string { return t.Format("2 January 2006") },
	"isodate":  func(t time.Time) string { return t.Format(time.RFC3339) },
	"join":     strings.Join,
	"initials": func(s string) string { return strings.ToUpper(s[:min(len(s), 1)]) },
	"dict":     func(...any) (map[string]any, error) { return nil, nil },
	"double":   func(n int) (int, error) { return 2 * n, nil },
	"refuse":   func(string) (string, error) { return "", errors.New("refused") },
}

type item struct {
	Name, URL string
	Next      *item
}

// Shout is a method with an argument.
func (i *item) Shout(mark string) string { return i.Name + mark }

type data struct {
	Text, URL, Empty string
	N, Zero          int
	Yes              bool
	Price            float64
	HTML             template.HTML
	JS               template.JS
	Items, None      []item
	First, Nil       *item
	When, Never      time.Time
	Words            []string
	Kind             kind
	Any              any
}

type kind string

func sample() data {
	items := []item{{Name: "a<b", URL: "/x?a=1&b=ü"}, {Name: "c'd+e", URL: "javascript:x()"}}
	return data{Text: `<b>"x" & 'y' + z` + "\x00\xff", URL: "https://e.x/%zz%20 ä?q=1+2&r=[3]#é'", N: -7, Yes: true, Price: 4.75,
		HTML: "<i>ok</i>", JS: `{"a":"<"}`, Items: items, First: &items[1], When: time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC),
		Words: []string{"p", "<q>"}, Kind: "k&k", Any: "any"}
}

// The rows are templates that a stencil must run as html/template does, to the byte or to an error.
var same = []struct{ name, text string }{
	{"text", `<p>{{.Text}}</p>`},
	{"attribute", `<p title="{{.Text}}" lang='{{.Kind}}'>{{.Kind}}</p>`},
	{"address", `<a href="{{.URL}}">{{.URL}}</a>`},
	{"addresses", `{{range .Items}}<a href="{{.URL}}">{{.Name}}</a>{{end}}`},
	{"part of an address", `<a href="/search?q={{.Text}}&r={{.URL}}">x</a>`},
	{"rest of an address", `<a href="/topic/{{.Text}}/">x</a>`},
	{"title", `<title>{{.Text}}</title>`},
	{"numbers", `{{.N}} {{.Zero}} <i title="{{.N}}">{{len .Items}} {{len .Text}}</i>`},
	{"safe", `{{.HTML}}<script type="application/ld+json">{{.JS}}</script>`},
	{"if", `{{if .Yes}}yes{{else}}no{{end}}{{if .Empty}}a{{else if .N}}b{{end}}{{if .Never}}struct{{end}}`},
	{"with", `{{with .First}}{{.Name}}{{else}}none{{end}}{{with .Nil}}x{{else}}{{.Text}}{{end}}{{with $x := .Text}}{{$x}}{{$.N}}{{end}}`},
	{"range", `{{range .Items}}{{.Name}},{{end}}{{range .None}}x{{else}}{{.Text}}{{end}}{{range $i, $x := .Items}}{{$i}}{{$x.Name}}{{end}}{{range $x := .Words}}{{$x}}{{end}}`},
	{"variables", `{{$a := .Text}}{{range .Items}}{{$a}}{{$a = .Name}}{{end}}{{$a}}{{$n := 3}}{{if true}}{{$n := 4}}{{$n}}{{end}}{{$n}}`},
	{"logic", `{{if and .Yes .Text}}1{{end}}{{if or .Empty .Zero}}2{{end}}{{if and .Text (ne .N 3)}}3{{end}}{{or .Empty "else"}}{{and .Text .Empty}}{{if not .Nil}}4{{end}}`},
	{"comparisons", `{{if eq .Text "x"}}1{{end}}{{if ne .N -7}}2{{end}}{{if lt .N 0}}3{{end}}{{if ge .N .Zero}}4{{end}}{{if eq .Yes true}}5{{end}}{{if gt (len .Words) 1}}6{{end}}`},
	{"functions", `{{date .When}} {{isodate .When | printf "%s!"}} {{join .Words ", "}} {{printf "%.1f %d" .Price .N}} {{double 4}} {{initials .Text}}`},
	{"methods", `{{if .Never.IsZero}}1{{end}}{{if not .When.IsZero}}2{{end}}{{.First.Shout "!"}}`},
	{"parts", `{{slice .Text 1 3}}{{slice .Text 2}}{{(index .Items 1).Name}}{{index .Words 0}}`},
	{"include", `{{define "x"}}<b>{{.Name}}{{with .Next}}{{template "x" .}}{{end}}</b>{{end}}{{range .Items}}{{template "x" .}}{{end}}`},
	{"include for two types", `{{define "x"}}{{.URL}}{{end}}{{template "x" .}}{{template "x" .First}}`},
	{"comment", `a{{/* c */}}b<!-- gone -->`},
	{"error: index", `{{index .Words 5}}`},
	{"error: slice", `{{slice .Text 5 2}}`},
	{"error: nil", `{{.Nil.Name}}`},
	{"error: function", `{{refuse .Text}}`},
}

func TestSame(t *testing.T) {
	for _, tt := range same {
		t.Run(tt.name, func(t *testing.T) {
			set := template.Must(template.New("t").Funcs(functions).Parse(tt.text))
			s, err := stencil.Compile(set, functions, data{})
			if err != nil {
				t.Fatalf("Compile(%q): %v", tt.text, err)
			}
			compare(t, s, set, sample())
			compare(t, s, set, data{})
		})
	}
}

// compare runs both ways and wants one outcome.
func compare(t *testing.T, s *stencil.Stencil, set *template.Template, data any) {
	t.Helper()
	var want bytes.Buffer
	wantErr := set.Execute(&want, data)
	got, err := s.Append([]byte("before "), data)
	switch {
	case (err != nil) != (wantErr != nil):
		t.Errorf("Append error %v, html/template's %v", err, wantErr)
	case err != nil:
		if string(got) != "before " {
			t.Errorf("after an error Append left %q", got)
		}
	case string(got) != "before "+want.String():
		t.Errorf("Append wrote\n%q, html/template\n%q", got[len("before "):], want.String())
	}
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct{ name, text, at string }{
		{"any", `{{.Any}}`, `.Any`},
		{"break", `{{range .Items}}{{break}}{{end}}`, `break`},
		{"include in an attribute", `{{define "x"}}{{.Text}}{{end}}<p title="{{template "x" .}}">`, `"x" .}}">`},
		{"unquoted", `<p title={{.Text}}>`, `.Text`},
		{"script", `<script>var x = {{.Text}}</script>`, `.Text`},
		{"style", `<p style="color: {{.Text}}">`, `.Text`},
		{"html in an attribute", `<p title="{{.HTML}}">`, `.HTML`},
		{"float", `{{.Price}}`, `.Price`},
		{"mixed", `{{or .Text .N}}`, `or`},
		{"with mixed", `{{with and .Text .N}}{{.}}{{end}}`, `and`},
		{"writes itself", `{{.When}}`, `.When`},
		{"map", `{{(dict "a" .).a}}`, `(dict`},
		{"no such field", `{{.Missing}}`, `.Missing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := template.Must(template.New("t").Funcs(functions).Parse("\n" + tt.text))
			_, err := stencil.Compile(set, functions, data{})
			e, ok := errors.AsType[*stencil.UnsupportedError](err)
			if !ok {
				t.Fatalf("Compile(%q) = %v, want an UnsupportedError", tt.text, err)
			}
			if wantCol := strings.Index(tt.text, tt.at) + 1; e.File != "t" || e.Line != 2 || e.Col != wantCol || e.What == "" {
				t.Errorf("Compile(%q) = %v, want a reason at line 2, column %d", tt.text, err, wantCol)
			}
		})
	}
}

func TestBadTemplate(t *testing.T) {
	set := template.Must(template.New("t").Parse(`<a href="{{if .Yes}}">{{end}}`))
	var escape *template.Error
	if _, err := stencil.Compile(set, nil, data{}); !errors.As(err, &escape) {
		t.Errorf("Compile of a template that cannot be escaped = %v, want html/template's error", err)
	}
}

func TestOtherData(t *testing.T) {
	s, err := stencil.Compile(template.Must(template.New("t").Parse(`{{.Text}}`)), nil, data{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(nil, &data{}); err == nil {
		t.Error("Append took a *data for a data")
	}
}

// views are the entries of the built-in theme and what they are given.
var views = map[string]any{
	"home.html": plan.Home{}, "list.html": plan.List{}, "post.html": plan.Post{}, "topics.html": plan.Topics{}, "courses.html": plan.Courses{},
	"course.html": plan.Course{}, "lesson.html": plan.Lesson{}, "page.html": plan.TextPage{}, "search.html": plan.Search{}, "404.html": plan.NotFound{},
}

func theme(t testing.TB, entry string) *template.Template {
	t.Helper()
	names, err := fs.Glob(templates.FS, "partials/*.html")
	if err != nil {
		t.Fatal(err)
	}
	set := template.New("").Funcs(functions)
	for _, name := range append(names, "layout.html", entry) {
		text, err := fs.ReadFile(templates.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		template.Must(set.New(name).Parse(string(text)))
	}
	return set.Lookup(entry)
}

// TestTheme fills the views of every entry of the built-in theme at random.
func TestTheme(t *testing.T) {
	for entry, view := range views {
		t.Run(entry, func(t *testing.T) {
			set := theme(t, entry)
			s, err := stencil.Compile(set, functions, view)
			if err != nil {
				t.Fatal(err)
			}
			pointer := reflect.New(reflect.TypeOf(view)).Interface()
			byPointer, err := stencil.Compile(set, functions, pointer)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(200) {
				v := reflect.New(reflect.TypeOf(view)).Elem()
				fill(rand.New(rand.NewPCG(seed, 1)), v)
				if layout := v.FieldByName("Layout"); layout.IsNil() {
					layout.Set(reflect.ValueOf(&plan.Layout{}))
				}
				compare(t, s, set, v.Interface())
				if compare(t, byPointer, set, v.Addr().Interface()); t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

var texts = []string{"", "", "x", "Rivers & <roads>", `"quoted" 'text'`, "a+b", "/blog/नदी/", "https://e.x/?a=1&b=2#c", "javascript:alert(1)",
	"http:x", "%41%zz", "النهر", "\x00\xff", "article", "style.css", "/courses/", "en-GB", "mailto:a@b"}

// fill sets everything it can reach at random.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Int:
		v.SetInt(int64(r.IntN(6)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(50)) / 10)
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"style.css": texts[r.IntN(len(texts))], "theme.js": "/t.js", "search.js": "/s.js", "dev.js": "/d.js"}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			if r.IntN(3) > 0 {
				v.Set(reflect.ValueOf(time.Unix(int64(r.IntN(2e9)), 0).UTC()))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range texts {
		f.Add(s)
	}
	set := template.Must(template.New("t").Parse(
		`<title>{{.Text}}</title><a href="{{.Text}}" title="{{.Text}}">{{.Text}}</a><a href="/{{.Text}}">x</a><a href="/?q={{.Text}}">x</a>`))
	s, err := stencil.Compile(set, nil, data{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) { compare(t, s, set, data{Text: text}) })
}

// BenchmarkPost is a post with a table of contents, tags and related posts, both ways.
func BenchmarkPost(b *testing.B) {
	set := theme(b, "post.html")
	v := reflect.New(reflect.TypeFor[plan.Post]()).Elem()
	fill(rand.New(rand.NewPCG(7, 7)), v)
	post := v.Interface().(plan.Post)
	post.Layout = &plan.Layout{Title: "Site", Nav: []plan.Link{{Text: "Blog", URL: "/blog/"}, {Text: "Courses", URL: "/courses/"}},
		Assets: map[string]string{"style.css": "/a", "theme.js": "/b"}}
	s, err := stencil.Compile(set, functions, post)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	b.Run("html-template", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out.Reset()
			if err := set.Execute(&out, post); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stencil", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			if dst, err = s.Append(dst[:0], post); err != nil {
				b.Fatal(err)
			}
		}
	})
}
