package shortcodes

import (
	"regexp"
	"strings"
)

func isWord(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '_' }

// directiveName returns the length of the ":name" at i that a label or attributes follow; 0: it is text, such as
// 10:30, :smile: or std::vector[0].
func directiveName(s string, i int) int {
	if i+2 >= len(s) || !isLetter(s[i+1]) || i > 0 && (isWord(s[i-1]) || strings.IndexByte(":])}\\/", s[i-1]) >= 0) {
		return 0
	}
	j := i + 1
	for j < len(s) && j < i+40 && (isWord(s[j]) || s[j] == '-') {
		j++
	}
	if j < len(s) && (s[j] == '[' || s[j] == '{' && j+1 < len(s) && s[j+1] != '{' && s[j+1] != '%') {
		return j - i
	}
	return 0
}

// leaf is a directive that is a line of its own.
var leaf = regexp.MustCompile(`^::([A-Za-z][\w-]*)(?:\[([^\n]*)\])?(?:\{([^\n{}]*)\})?[ \t\r]*$`)

// pseudo are the names that follow two colons in style sheets.
const pseudo = " before after marker placeholder selection backdrop first-line first-letter cue part slotted file-selector-button "

// directive reads :name[text]{…} at i up to its text, ::name[text]{…} as a whole.
func (t *translator) directive(i int) (piece, bool) {
	src := t.src
	if strings.HasPrefix(src[i:], "::") && t.begins(i) {
		line, _, _ := strings.Cut(src[i:min(len(src), i+maxAttrBytes)], "\n")
		m := leaf.FindStringSubmatch(line)
		if m == nil || m[2] == "" && m[3] == "" && strings.Contains(pseudo, " "+m[1]+" ") {
			return piece{}, false
		}
		tok := piece{syntax: directive, start: i, end: i + len(line), name: m[1], raw: m[2], self: true, args: directiveArgs(m[3])}
		return tok, true
	}
	n := directiveName(src, i)
	if n == 0 {
		return piece{}, false
	}
	tok := piece{syntax: directive, start: i, name: src[i+1 : i+n]}
	if src[i+n] == '{' {
		attrs, ok := attributes(src, i+n)
		if !ok {
			return piece{}, false
		}
		tok.self, tok.end, tok.args = true, attrs.end, directiveArgs(src[i+n+1:attrs.end-1])
		return tok, true
	}
	closing := closingBracket(src, i+n)
	if closing < 0 {
		return piece{}, false
	}
	tok.end = i + n + 1
	end := closing + 1
	if end < len(src) && src[end] == '(' {
		return piece{}, false // a link after a colon
	}
	if end < len(src) && src[end] == '{' {
		if attrs, ok := attributes(src, end); ok {
			tok.args = directiveArgs(src[end+1 : attrs.end-1])
			end = attrs.end
		}
	}
	if t.labels == nil {
		t.labels = map[int]int{}
	}
	t.labels[closing] = end
	return tok, true
}

// closingBracket is where the bracket at i closes, in the same paragraph; -1: nowhere near.
func closingBracket(src string, i int) int {
	depth := 0
	for j := i; j < min(len(src), i+maxAttrBytes); j++ {
		switch src[j] {
		case '\\':
			j++
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return j
			}
		case '\n':
			if j+1 < len(src) && src[j+1] == '\n' {
				return -1
			}
		}
	}
	return -1
}

// directiveArgs reads attributes; {#x} is the argument id.
func directiveArgs(s string) []arg {
	var args []arg
	for _, a := range parseArgs(s, 0) {
		switch {
		case a.name == "" && strings.HasPrefix(a.val, "#"):
			args = append(args, arg{"id", a.val[1:]})
		case a.name == "" && strings.HasPrefix(a.val, "."):
			args = append(args, arg{"class", a.val[1:]})
		default:
			args = append(args, a)
		}
	}
	return args
}

var (
	// A placeholder of a table of contents that may stand in text.
	contentsInText = regexp.MustCompile(`(?i)^(?:\[\[\s*_?toc_?\s*(?:[\s:=][^\[\]\n]*)?\]\]|@\[\[?\s*_?toc_?\s*\]?\](?:\([^()\n]*\))?|\$\{\s*toc\s*\})`)
	// One that is a line of its own.
	contentsLine = regexp.MustCompile(`(?i)^(?:\[\s*:?_?toc_?\s*(?:[\s:=][^\[\]\n]*)?\]|\{\s*toc\s*\}|%toc%|\$toc\$|__toc__|<toc\s*/?>(?:\s*</toc>)?)[ \t\r]*$`)
	// The line below a list item in whose place kramdown puts one.
	contentsItem = regexp.MustCompile(`^[ >]*\{:[^}\n]*\btoc\b[^}\n]*\}`)
)

// contentsMark returns the length of the placeholder of a table of contents at i; 0: there is none.
func contentsMark(s string, i int) int {
	near := s[i:min(len(s), i+12)]
	if k := strings.IndexByte(near, 'o'); k < 0 && strings.IndexByte(near, 'O') < 0 {
		return 0
	}
	line, _, _ := strings.Cut(s[i:min(len(s), i+200)], "\n")
	if m := contentsInText.FindString(line); m != "" {
		return len(m)
	}
	return len(contentsLine.FindString(line))
}

// contents returns the end of the placeholder at i, if it is one where it stands; 0: it is none.
func (t *translator) contents(i int) int {
	n := contentsMark(t.src, i)
	if n == 0 {
		return 0
	}
	if contentsInText.MatchString(t.src[i : i+n]) {
		return i + n
	}
	if !t.begins(i) || !t.alone(i+n) || t.src[i] == '[' && strings.Contains(t.src, "\n"+strings.TrimSpace(t.src[i:i+n])+":") {
		return 0
	}
	return i + n
}

// contentsItem returns the end of the line of a list item at i that {:toc} follows; 0: it is another.
func (t *translator) contentsItem(i int) int {
	if !t.begins(i) || ListMarker(t.src[i:min(len(t.src), i+16)]) == 0 {
		return 0
	}
	line, rest, _ := strings.Cut(t.src[i:min(len(t.src), i+400)], "\n")
	if !contentsItem.MatchString(rest) {
		return 0
	}
	return i + len(line)
}
