package stencil_test

import (
	"fmt"
	"html/template"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"freshet/generator/stencil"
)

// A writer of templates keeps to what stencils know. It uses every construct of the package comment.
type templateWriter struct {
	r    *rand.Rand
	b    strings.Builder
	root scope    // of the template that is written: what $ has
	vars []string // texts in scope
	made int      // nodes
}

// A scope is what dot has: "data", "item" or "text".
type scope string

func (w *templateWriter) pick(from ...string) string { return from[w.r.IntN(len(from))] }

// template writes a set: three definitions for items, the last including the first ones, and the entry.
func (w *templateWriter) template() string {
	for i := range 3 {
		fmt.Fprintf(&w.b, `{{define "t%d"}}`, i)
		w.made, w.root = 0, "item"
		w.list("item", 2, i)
		w.b.WriteString("{{end}}")
	}
	w.made, w.root = 0, "data"
	w.list("data", 4, 3)
	return w.b.String()
}

// list writes nodes; templates below known may be included.
func (w *templateWriter) list(s scope, depth, known int) {
	vars := len(w.vars)
	for range 1 + w.r.IntN(4) {
		if w.made++; w.made > 60 {
			break
		}
		w.node(s, depth, known)
	}
	w.vars = w.vars[:vars]
}

func (w *templateWriter) node(s scope, depth, known int) {
	f := func(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }
	if depth == 0 {
		f("{{%s}}", w.text(s, 1))
		return
	}
	block := func(s scope) { w.list(s, depth-1, known) }
	otherwise := func(s scope) {
		if w.r.IntN(2) == 0 {
			f("{{else}}")
			block(s)
		}
		f("{{end}}")
	}
	kinds := 13
	if w.root == "item" {
		kinds = 11 // it has no lists
	}
	switch w.r.IntN(kinds) {
	case 0:
		f("%s", w.pick("<p>a &amp; b</p>", " \n ", "<br>é", "{{/* c */}}", "<!-- gone -->"))
	case 1:
		f("{{- %s -}}", w.text(s, 2))
	case 2:
		f(`<a href="{{%s}}" title='{{%s}}'>{{%s}}</a>`, w.text(s, 2), w.text(s, 2), w.text(s, 2))
	case 3:
		f(`<a href="/x/{{%s}}/?q={{%s}}#{{%s}}">x</a>`, w.text(s, 1), w.text(s, 1), w.text(s, 1))
	case 4:
		f("<b title=\"{{%s}}\">{{%s}}</b><textarea>{{%s}}</textarea>", w.number(s, 1), w.number(s, 2), w.text(s, 1))
	case 5:
		f("{{if %s}}", w.truth(s, 2))
		block(s)
		if w.r.IntN(3) == 0 {
			f("{{else if %s}}", w.truth(s, 1))
			block(s)
		}
		otherwise(s)
	case 6:
		f("{{with %s}}", w.text(s, 1))
		block("text")
		otherwise(s)
	case 7:
		f("{{with %s}}", w.item(s))
		block("item")
		otherwise(s)
	case 8:
		name := fmt.Sprintf("$v%d", len(w.vars))
		f("{{%s := %s}}", name, w.text(s, 2))
		w.vars = append(w.vars, name)
	case 9:
		if len(w.vars) > 0 {
			f("{{%s = %s}}", w.vars[w.r.IntN(len(w.vars))], w.text(s, 2))
		}
	case 10:
		if known > 0 {
			f(`{{template "t%d" %s}}`, w.r.IntN(known), w.item(s))
		}
	case 11:
		f("{{range %s}}", w.pick("$.Items", "$.None"))
		block("item")
		otherwise(s)
	case 12:
		name := fmt.Sprintf("$v%d", len(w.vars))
		f("{{range $i%d, %s := $.Words}}{{$i%[1]d}}", len(w.vars), name)
		w.vars = append(w.vars, name)
		block("text")
		w.vars = w.vars[:len(w.vars)-1]
		otherwise(s)
	}
}

var literals = []string{`"<q> & 'x'"`, "`a\\\"b`", `""`}

// text is an expression that is a string.
func (w *templateWriter) text(s scope, depth int) string {
	own := map[scope][]string{"data": {".Text", ".URL", ".Empty", "$.Text"}, "item": {".Name", ".URL"}, "text": {"."}}[s]
	own = append(own, w.vars...)
	own = append(own, literals...)
	if depth == 0 {
		return w.pick(own...)
	}
	a, b := func() string { return w.argument(w.text(s, depth-1)) }, func() string { return w.argument(w.number(s, depth-1)) }
	switch w.r.IntN(9) {
	case 0:
		return fmt.Sprintf("or %s %s", a(), a())
	case 1:
		return fmt.Sprintf("and %s %s", a(), a())
	case 2:
		return fmt.Sprintf("printf \"%%.9s-%%d%%.9q\" %s %s %s", a(), b(), a())
	case 3:
		return fmt.Sprintf("slice %s %d", a(), w.r.IntN(3)) // may fail
	case 4:
		return fmt.Sprintf("%s | printf \"%%.3s|%%.9v\" %s", w.text(s, depth-1), a())
	case 5:
		return fmt.Sprintf("initials %s", a())
	case 6:
		if s == "data" {
			return w.pick("join .Words .Text", "date .When", "isodate .Never", "index .Words 0", "(index .Items 1).Name", "$.First.Name", ".First.Shout .Text", "refuse .Text")
		}
	}
	return w.pick(own...)
}

// argument puts what is more than a word into parentheses.
func (w *templateWriter) argument(e string) string {
	if strings.Contains(e, " ") && !slices.Contains(literals, e) {
		return "(" + e + ")"
	}
	return e
}

// number is an expression that is an int.
func (w *templateWriter) number(s scope, depth int) string {
	if depth > 0 {
		switch w.r.IntN(3) {
		case 0:
			return "len " + w.argument(w.text(s, depth-1))
		case 1:
			return "double " + w.argument(w.number(s, depth-1))
		}
	}
	if s == "data" {
		return w.pick(".N", ".Zero", "7", "-3", "len .Items", "$.N")
	}
	return w.pick("7", "0", "-3")
}

// truth is an expression that is asked for its truth only.
func (w *templateWriter) truth(s scope, depth int) string {
	if depth == 0 {
		if s == "data" {
			return w.pick(".Yes", ".Text", ".N", ".Price", ".Items", ".None", ".First", ".Nil", ".When", ".Never.IsZero", "true", ".Kind")
		}
		return w.pick("true", "false", ".", w.text(s, 0))
	}
	t := func() string { return w.argument(w.truth(s, depth-1)) }
	n := func() string { return w.argument(w.number(s, depth-1)) }
	x := func() string { return w.argument(w.text(s, depth-1)) }
	order := w.pick("eq", "ne", "lt", "le", "gt", "ge")
	switch w.r.IntN(5) {
	case 0:
		return "not " + t()
	case 1:
		return w.pick("and ", "or ") + t() + " " + t()
	case 2:
		return order + " " + n() + " " + n()
	case 3:
		return order + " " + x() + " " + x()
	}
	return w.truth(s, depth-1)
}

// item is an expression that is a *item.
func (w *templateWriter) item(s scope) string {
	switch s {
	case "data":
		return w.pick(".First", ".Nil", "$.First")
	case "item":
		return ".Next"
	}
	if w.root == "item" {
		return "$.Next"
	}
	return "$.First"
}

// FuzzTemplates writes templates, compiles them, and runs them both ways on data that is full, empty and hostile.
func FuzzTemplates(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed, texts[seed%uint64(len(texts))])
	}
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		w := &templateWriter{r: rand.New(rand.NewPCG(seed, 2))}
		source := w.template()
		set, err := template.New("t").Funcs(functions).Parse(source)
		if err != nil {
			t.Fatalf("the written template is none: %v\n%s", err, source)
		}
		s, err := stencil.Compile(set, functions, &data{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, source)
		}
		full := sample()
		full.Items[0].Next = &item{Name: text, URL: text}
		full.First.Next = &full.Items[0]
		hostile := data{Text: text, URL: text, N: len(text), Kind: kind(text), Words: []string{text, ""}, Items: []item{{Name: text}, {URL: text}},
			First: &item{}, When: time.Unix(int64(seed), 0).UTC()}
		for _, d := range []data{full, {}, hostile} {
			if compare(t, s, set, &d); t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, source)
			}
		}
	})
}
