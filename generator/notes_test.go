package generator_test

import (
	"strings"
	"testing"

	"freshet/generator"
	"freshet/generator/plan"
	"freshet/internal/diag"
	"freshet/templates"
)

// TestBuiltinThemeHasNoNotes keeps the built-in theme fast.
func TestBuiltinThemeHasNoNotes(t *testing.T) {
	for _, p := range loadTheme(t, nil).Notes() {
		t.Error(p.Error())
	}
	for _, entry := range plan.Entries {
		if plan.EmptyView(entry) == nil {
			t.Errorf("%s: there is no empty view", entry)
		}
	}
}

// TestNotes tells of each line that makes entries slow, once, in every build, and builds all the same.
func TestNotes(t *testing.T) {
	theme, err := generator.LoadTheme(templates.FS, overlay(map[string]string{
		"partials/card.html": "<b>नदी</b> {{with dict \"a\" .Title}}{{.a}}{{end}}\n",
		"partials/toc.html":  "\n{{range .Headings}}{{if .ID}}{{break}}{{end}}{{end}}\n",
		"page.html":          "<!doctype html>\n<html lang=en><p title={{.Title}}>{{template \"partials/body.html\" .Body}}</html>\n",
	}), "own")
	if err != nil {
		t.Fatal(err)
	}
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "x"})
	b := newBench(t, benchOptions{source: s})
	b.SetTheme(theme)
	rep := b.build(t, generator.Options{})
	want := []string{
		"own/page.html:2:26: freshet renders the pages of page.html several times more slowly, because of a string in an attribute without quotes (",
		"own/partials/card.html:1:19: freshet renders the pages of home.html, list.html several times more slowly, because of function dict (",
		"own/partials/toc.html:2:32: freshet renders the pages of post.html several times more slowly, because of {{break}} (",
	}
	if len(rep.Problems) != len(want) {
		t.Fatalf("problems %v, want %d", rep.Problems, len(want))
	}
	for i, p := range rep.Problems {
		if p.Severity != diag.Note || !strings.HasPrefix(p.Error(), want[i]) || p.Text == "" || p.Remedy == "" {
			t.Errorf("problem %d is %+v, want a note that begins with %q, with its line and a remedy", i, p, want[i])
		}
	}
	has(t, b.page(t, "/blog/a/"), "<p>x</p>")
	has(t, b.page(t, "/blog/"), "<b>नदी</b> Title of a")
	if again := b.build(t, generator.Options{}); len(again.Problems) != len(want) {
		t.Errorf("the next build has problems %v, want the same", again.Problems)
	}
}
