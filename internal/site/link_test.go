package site_test

import (
	"testing"

	"freshet/internal/site"
)

func TestNewLink(t *testing.T) {
	for _, tt := range []struct{ text, address, want string }{
		{"Here", "/courses/", "/courses/"},
		{"Here", " https://example.org/x?y=1 ", "https://example.org/x?y=1"},
		{"", "http://example.org", "http://example.org"},
		{"Here", "javascript:alert(1)", ""},
		{"Here", " JavaScript:alert(1)", ""},
		{"Here", "data:text/html,x", ""},
		{"Here", "//example.org/", ""},
		{"Here", `/\example.org/`, ""},
		{"Here", "courses/", ""},
		{"Here", "https:///x", ""},
		{"Here", "/a\x00b", ""},
		{"Here", "", ""},
	} {
		if got := site.NewLink(tt.text, tt.address); got.URL != tt.want || got.URL != "" && got.Text == "" {
			t.Errorf("NewLink(%q, %q) = %+v, want the address %q", tt.text, tt.address, got, tt.want)
		}
	}
}
