package frontmatter

import (
	"fmt"
	"strings"
)

// For tests in the _test package.

// BothYAML reads a front matter with the reader of stored documents and with the library. ok is false when the first gave up.
func BothYAML(front string) (own, library string, ok bool) {
	p := Parts{Dialect: YAML, Front: []byte(front), FrontLine: 2}
	v, ok := p.storedYAML()
	if !ok {
		return "", "", false
	}
	w, prob := p.fullYAML()
	if prob != nil {
		return dump(v), prob.Error(), true
	}
	return dump(v), dump(w), true
}

// dump shows kinds, values and the places of the keys that are none of another's: those within a line of JSON are
// found by its own key.
func dump(v *Value) string { return dumpAt(v, 0) }

func dumpAt(v *Value, depth int) string {
	switch v.Kind {
	case List:
		var b strings.Builder
		for _, i := range v.Items {
			b.WriteString(dumpAt(i, depth+1) + ",")
		}
		return "[" + b.String() + "]"
	case Table:
		var b strings.Builder
		for _, f := range v.Fields {
			at := ""
			if depth == 0 {
				at = fmt.Sprintf("%d:%d ", f.Line, f.Col)
			}
			fmt.Fprintf(&b, "%s%q: %s\n", at, f.Key, dumpAt(f.Val, depth+1))
		}
		return "{" + b.String() + "}"
	}
	return fmt.Sprintf("%d(%q)", v.Kind, v.Text)
}
