package contentdir_test

import (
	"strings"
	"testing"

	"freshet/internal/contentdir"
)

// TestHostileFrontMatter reads front matter made to be deep or large.
func TestHostileFrontMatter(t *testing.T) {
	for _, dialect := range [][2]string{{"---\n", "\n---\n"}, {"+++\na = ", "\n+++\n"}, {"{\"a\": ", "}\n"}} {
		for _, unit := range []string{"[", "{", "- ", "? ", "a: ", "{a: ", "[{", "&a ", "!!str ", "\"", "a:\n", "- - ", "a.", "[[", ">\n ", "*a,", "#", "a: b\n"} {
			for _, size := range []int{8_000, 200_000} {
				data := dialect[0] + strings.Repeat(unit, size/len(unit)) + dialect[1]
				problems, _, _ := contentdir.ParseProblems("a.md", []byte(data))
				if len(problems) == 0 && size > 128<<10 && !strings.HasPrefix(data, "{") {
					t.Errorf("%q × %d gives no problem", unit, size/len(unit))
				}
			}
		}
	}
}
