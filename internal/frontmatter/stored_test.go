package frontmatter_test

import (
	"testing"
	"unicode/utf8"

	"freshet/internal/frontmatter"
)

// FuzzStoredYAML holds the reader of stored documents to the library's: where it does not give up, they agree.
func FuzzStoredYAML(f *testing.F) {
	for _, s := range []string{
		"title: a b\ndate: 2024-01-02\ntags: [a, \"b c\", 'd']\ndraft: false\n", "a:\n  - x\n  - \"y\"\nb:\n- 1\n", "a: 007\nb: 1e3\nc: 0x1f\nd: 1_000\n", "a: yes\nb: ~\nc: null\nd:\n",
		"a: b # c\n#x\nb: 'it''s'\n", "a: [b, c: d]\n", "a: \"b\\n\"\n", "a: -\n", "a: b:c\n", "a: b\n  c\n", "a: हिन्दी\n", "a: [,]\nb: []\n", "a : b\n", "a: 2024-01-02T10:00:00Z\n", "t: *x\n", "a: \n\n- b\n",
		"a:  b  \nb: [ x ,y ]\n", "a: b\n...\n", "%a: b\n", "a: .inf\nb: .5\nc: +1\nd: 12:30:45\n", "0a: b\n", "a: 'b'c\n", "a: \"b\" c\n", "a: 1.10\n", "a: [1.10, 2]\n", "a: >-\n  x\n  y\nb: c\n", "a: |-\n  x\n  y\n", "a:b: c\n", "a:b:\n  - c\n", "a: >-\n  - x: y\n", "a: >-\nb: c\n",
		"a: {\"b\":1, \"c\": [-5, 2.50, null, true]}\n\"$d\": \"x\\ny\"\n\"e f\": []\n", "a: -5\nb: 5998.0\nc: 2014-10-30T12:29:14.487Z\n", "a: {\"$oid\": \"x\"}\n", "a: [\"b\", {}]\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // refused before it gets here
		}
		own, library, ok := frontmatter.BothYAML(s)
		if ok && own != library {
			t.Errorf("own reader:\n%s\nlibrary:\n%s", own, library)
		}
	})
}
