package site_test

import (
	"slices"
	"testing"

	"freshet/internal/site"
)

func TestSplitNames(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"Ann Lee", []string{"Ann Lee"}},
		{"Ann Lee, Bob Roe", []string{"Ann Lee", "Bob Roe"}},
		{"Ann Lee, Bob Roe, and Carl Poe", []string{"Ann Lee", "Bob Roe", "Carl Poe"}},
		{"Ann Lee and Bob Roe", []string{"Ann Lee", "Bob Roe"}},
		{"The Docs and Tools Team", []string{"The Docs and Tools Team"}},
		{"[Ann Lee](https://example.org/(a)) (Acme)", []string{"Ann Lee"}},
		{"[Ann](https://a), Acme", []string{"Ann"}},
		{"[Ann](https://a) (Acme), Bob (Acme) and [Carl](https://c)", []string{"Ann", "Bob", "Carl"}},
		{"Ann Lee (Acme, Inc.)", []string{"Ann Lee"}},
		{"Acme, Inc.", []string{"Acme, Inc."}},
		{"Ann <ann@example.org>", []string{"Ann"}},
		{"आशा राव, 山田", []string{"आशा राव", "山田"}},
		{" , ", nil},
	} {
		if got := site.SplitNames(test.in); !slices.Equal(got, test.want) {
			t.Errorf("SplitNames(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}
