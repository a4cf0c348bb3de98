package generator_test

import (
	"testing"

	"freshet/generator"
)

// TestLiteral: no address in a _redirects file is a pattern to those who read it.
func TestLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"/plain/":       "/plain/",
		"/wiki/Foo:Bar": "/wiki/Foo%3ABar",
		"/:x/*":         "/%3Ax/%2A",

		"https://example.org:8080/a:b*": "https://example.org:8080/a%3Ab%2A",
		"/a%20b/%E0%A4%A8/?c=d#e":       "/a%20b/%E0%A4%A8/?c=d#e",
	} {
		if got := generator.Literal(in); got != want {
			t.Errorf("literal(%q) = %q, want %q", in, got, want)
		}
	}
}
