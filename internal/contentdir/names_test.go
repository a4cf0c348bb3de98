package contentdir_test

import (
	"slices"
	"testing"

	"freshet/internal/contentdir"
)

func TestNumbered(t *testing.T) {
	for _, tt := range []struct {
		name, rest string
		parts      []int // nil: the name has no number
	}{
		{"3-spatial", "spatial", []int{3}}, {"1.2-title", "title", []int{1, 2}}, {"lesson-04-rivers", "rivers", []int{4}},
		{"ch01-02-loops", "loops", []int{1, 2}}, {"ch01-00-start", "start", []int{1, 0}}, {"ch12-03-04-more", "more", []int{12, 3, 4}}, {"ch01_02_loops", "loops", []int{1, 2}},
		{"chapter-01-02-loops", "loops", []int{1, 2}}, {"01-02-loops", "loops", []int{1, 2}},
		{"10-20-rule", "20-rule", []int{10}}, {"week-4-10-tips", "10-tips", []int{4}}, {"ch01-2024-review", "2024-review", []int{1}}, {"ch01-10x-faster", "10x-faster", []int{1}},
		{"ch01-02", "02", []int{1}}, {"2024-01-02-news", "", nil}, {"3d-models", "", nil}, {"rivers", "", nil},
	} {
		parts, rest, ok := contentdir.Numbered(tt.name)
		if ok != (tt.parts != nil) || ok && (rest != tt.rest || !slices.Equal(parts, tt.parts)) {
			t.Errorf("%q is %v and %q (%v), want %v and %q", tt.name, parts, rest, ok, tt.parts, tt.rest)
		}
	}
}
