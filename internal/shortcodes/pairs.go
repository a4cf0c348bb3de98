package shortcodes

import (
	"strings"
)

// maxDepth bounds the nesting of tags that is honoured.
const maxDepth = 40

func nest(toks []piece, match []int, from, to, depth int) []node {
	var nodes []node
	for i := from; i < to; i++ {
		if m := match[i]; m > 0 && depth < maxDepth {
			nodes = append(nodes, node{piece: toks[i], paired: true, inner: nest(toks, match, i+1, m-1, depth+1), closing: toks[m-1]})
			i = m - 1
			continue
		}
		nodes = append(nodes, node{piece: toks[i]})
	}
	return nodes
}

// closers are the names under which a closing tag may end this one.
func (t *piece) closers() []string {
	switch t.syntax {
	case fencedDiv:
		return []string{":::"}
	case statement:
		if t.call {
			return []string{"%end" + t.name, "%end"}
		}
		return []string{"%end" + t.name}
	case shortcode:
		return []string{"{" + strings.ToLower(t.name)}
	case element:
		return []string{"</" + t.name}
	case directive:
		return []string{":]"}
	}
	return []string{"<" + t.name}
}

// closer is the name under which a closing tag ends another.
func (t *piece) closer() string {
	switch t.syntax {
	case fencedDiv:
		return ":::"
	case statement:
		return "%" + t.name
	case shortcode:
		return "{" + strings.ToLower(t.name)
	case element:
		return "</" + t.name
	case directive:
		return ":]"
	}
	return "<" + t.name
}

func (t *piece) opens() bool {
	switch t.syntax {
	case shortcode, fencedDiv, component, element, directive:
		return !t.close && !t.self
	case statement:
		return !t.close && t.name != "else" && t.name != "elsif" && t.name != "when"
	}
	return false
}

func (t *piece) closes() bool {
	switch t.syntax {
	case shortcode, fencedDiv, component, element, directive:
		return t.close
	case statement:
		return strings.HasPrefix(t.name, "end")
	}
	return false
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
