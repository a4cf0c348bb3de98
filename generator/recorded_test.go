package generator_test

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
	"testing"
	"time"

	"freshet/generator"
	"freshet/generator/plan"
	"freshet/internal/site"
	"freshet/internal/testenv/recorded"
)

// escapes are templates in which html/template decides what comes out. Fingerprints know templates and views, and not
// html/template: when it writes another page for the same view, the number format must say so.
var escapes = []struct{ name, text string }{
	{"text", `{{.Title}} {{.Excerpt}} {{.Minutes}} {{.Body.HTML}}`},
	{"attribute", `<p title="{{.Title}}" lang='{{.Lang}}' class="{{.Minutes}}">x</p>`},
	{"unquoted attribute", `<p title={{.Title}}>x</p>`},
	{"html in an attribute", `<p title="{{.Body.HTML}}">x</p>`},
	{"addresses", `{{range .Authors}}<a href="{{.URL}}">{{.Text}}</a><img srcset="{{.URL}} 2x">{{end}}`},
	{"parts of addresses", `{{range .Authors}}<a href="/x/{{.URL}}/?q={{.Text}}#{{.URL}}">x</a>{{end}}`},
	{"script", `<script>var x = {{.Title}}, y = "{{.Title}}", z = {{.Authors}};</script><p onclick="f({{.Title}})">x</p>`},
	{"data in a script", `<script type="application/ld+json">{{.Head.JSONLD}}</script>`},
	{"style", `<p style="color: {{.Title}}">x</p><style>p { width: {{.Minutes}}px; background: url("{{.Title}}") }</style>`},
	{"title and textarea", `<textarea>{{.Title}}</textarea>`},
	{"functions", `{{date .Published}}|{{isodate .Published}}|{{join .Head.Keywords ", "}}|{{initials .Title}}|{{with dict "a" .Title}}{{.a}}{{end}}`},
	{"built-in functions", `{{print .Title 1 2}}|{{html .Title}}|{{js .Title}}|{{urlquery .Title}}|{{len .Title}}|{{slice .Title 1}}|{{printf "%q %v %.1f" .Title .Minutes 4.75}}`},
	{"logic", `{{if and .Title .Newer}}1{{else if or .Newer .Title}}2{{end}}{{range $i, $a := .Authors}}{{if eq $i 0}}{{continue}}{{end}}{{$a.Text}}{{else}}none{{end}}`},
	{"comments and space", "<!-- gone -->\n {{- .Title -}} \n{{/* gone */}}x"},
}

func hostileView(text string) *plan.Post {
	v := &plan.Post{
		Layout: &plan.Layout{Title: text, Lang: "en"}, Title: text, Excerpt: text, Lang: text, Minutes: -7, Published: day(0),
		Authors: []plan.Link{{Text: text, URL: text}, {Text: "b", URL: "/b/?a=1&b=ü"}}, Body: &plan.Body{HTML: template.HTML("<b>" + template.HTMLEscapeString(text) + "</b>")},
	}
	v.Head.Keywords = []string{text, "k"}
	v.Head.JSONLD = `{"a":"\u003c"}`
	return v
}

// TestFormatIsRaised fails when the same view and template make another page, or a document is kept in another form, and
// the generator's number is the same.
func TestFormatIsRaised(t *testing.T) {
	outputs := map[string]recorded.Output{}
	texts := []string{"", "Rivers & <roads>", `"quoted" 'text' + z`, "javascript:alert(1)", "https://e.x/%zz?q=1+2&r=[3]#é", "नदी النهر", "\x00\xff\u2028", "</script><!--"}
	for _, e := range escapes {
		page := "<!doctype html><html lang=\"en\"><title>{{.Title}}</title><body>" + e.text + "</body></html>"
		theme := loadTheme(t, map[string]string{"post.html": page})
		out := recorded.Output{Input: []byte(page + strings.Join(texts, "\n"))}
		for _, text := range texts {
			b, err := theme.Append(nil, "post.html", hostileView(text))
			if err != nil {
				b = append(b, "error"...)
			}
			out.Bytes = append(append(out.Bytes, b...), 0)
		}
		outputs["page: "+e.name] = out
	}
	for _, d := range []site.Document{&site.Post{}, &site.Course{}, &site.Page{}, &site.File{}} {
		n := 0
		fillAll(reflect.ValueOf(d).Elem(), &n)
		b, err := generator.Kept(t.TempDir(), d)
		if err != nil {
			t.Fatal(err)
		}
		outputs[fmt.Sprintf("document: %T", d)] = recorded.Output{Bytes: b}
	}
	recorded.Check(t, "format", recorded.Number{File: "generator/generator.go", Name: "format"}, outputs)
}

// fillAll gives every exported field a value of its own, so that a new or renamed one shows.
func fillAll(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n % 100))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 100))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 4)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(day(*n)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAll(v.Field(i), n)
			}
		}
	default:
		panic(fmt.Sprintf("a %v in a document: fillAll does not know it", v.Type()))
	}
}
