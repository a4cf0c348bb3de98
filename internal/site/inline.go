package site

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inline markup is looked for within bounds, so that text made to have much of it open takes no more than linear time.
const (
	maxCodeSpan = 16 << 10
	maxLink     = 4 << 10
	maxTag      = 4 << 10
	maxNested   = 32
)

// codeSpanEnd returns where a code span opened by n backticks ends, its closing backticks included; -1: nowhere.
func codeSpanEnd(s string, n int) int {
	s = s[:min(len(s), maxCodeSpan)]
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '`')
		if j < 0 {
			return -1
		}
		i += j
		m := runLen(s[i:], '`')
		i += m
		if m == n {
			return i
		}
	}
	return -1
}

// tagLen returns the length of the HTML tag or comment that s begins with; 0: none.
func tagLen(s string) int {
	if strings.HasPrefix(s, "<!--") {
		if i := strings.Index(s[:min(len(s), maxCodeSpan)], "-->"); i >= 0 {
			return i + 3
		}
		return 0
	}
	if len(s) < 3 || s[1] != '/' && s[1] != '!' && !isLetter(s[1]) || s[1] == '/' && !isLetter(s[2]) {
		return 0
	}
	s = s[:min(len(s), maxTag)]
	quote := byte(0)
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if s[i-1] == '=' {
				quote = c
			}
		case c == '>':
			return i + 1
		case c == '<':
			return 0
		}
	}
	return 0
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// targetLen returns the length of the link target "(…)" that s begins with; 0: none.
func targetLen(s string) int {
	s = s[:min(len(s), maxLink)]
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			if depth++; depth > maxNested {
				return 0
			}
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\n':
			if i+1 < len(s) && s[i+1] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// bracketEnd returns the length of the bracketed text that s begins with; 0: none.
func bracketEnd(s string) int {
	s = s[:min(len(s), maxLink)]
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '`':
			n := runLen(s[i:], '`')
			if j := codeSpanEnd(s[i+n:], n); j >= 0 {
				i += n + j - 1
			} else {
				i += n - 1
			}
		case '[':
			if depth++; depth > maxNested {
				return 0
			}
		case ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stripInline drops inline markup. Pictures vanish unless keepAlt, which leaves their alternative text.
func stripInline(s string, keepAlt bool) string {
	if !strings.ContainsAny(s, "\\`*_~[]<>&!{") {
		return s
	}
	var out strings.Builder
	strip(&out, s, keepAlt, 0)
	return out.String()
}

const maxInlineDepth = 20

func strip(out *strings.Builder, s string, keepAlt bool, depth int) {
	marks := emphasisMarks(s)
	for i := 0; i < len(s); {
		c := s[i]
		switch c {
		case '\\':
			if i+1 < len(s) && s[i+1] < utf8.RuneSelf && unicode.IsPunct(rune(s[i+1])) || i+1 < len(s) && strings.IndexByte("`$+<=>^|~", s[i+1]) >= 0 {
				out.WriteByte(s[i+1])
				i += 2
				continue
			}
		case '`':
			n := runLen(s[i:], '`')
			if j := codeSpanEnd(s[i+n:], n); j >= 0 {
				out.WriteString(strings.TrimSpace(s[i+n : i+j]))
				i += n + j
				continue
			}
			out.WriteString(s[i : i+n])
			i += n
			continue
		case '*', '_', '~':
			n := runLen(s[i:], c)
			out.WriteString(s[i : i+max(n-marks[i], 0)])
			i += n
			continue
		case '{':
			if i+1 < len(s) && (s[i+1] == '#' || s[i+1] == '.') {
				if k := strings.IndexByte(s[i:min(len(s), i+256)], '}'); k > 0 && !strings.ContainsAny(s[i:i+k], " \n") {
					i += k + 1
					continue
				}
			}
		case '!', '[':
			j, picture := i, c == '!'
			if picture {
				if j++; j >= len(s) || s[j] != '[' {
					break
				}
			}
			end := bracketEnd(s[j:])
			if end == 0 || depth > maxInlineDepth {
				break
			}
			inner := s[j+1 : j+end-1]
			next := j + end
			isLink := false
			if next < len(s) && s[next] == '(' {
				if n := targetLen(s[next:]); n > 0 {
					next += n
					isLink = true
					if next < len(s) && s[next] == '{' { // attributes of a picture
						if k := strings.IndexByte(s[next:min(len(s), next+1024)], '}'); k > 0 && picture {
							next += k + 1
						}
					}
				}
			} else if next < len(s) && s[next] == '[' {
				if n := bracketEnd(s[next:]); n > 0 {
					next += n
					isLink = true
				}
			}
			switch {
			case strings.HasPrefix(inner, "^") && !isLink && !strings.ContainsAny(inner, " \n"): // footnote
			case picture:
				if keepAlt {
					strip(out, inner, keepAlt, depth+1)
				}
			default:
				if !isLink && (len(inner) <= 1 || inner == "x") {
					out.WriteString(s[j:next])
				} else {
					strip(out, inner, keepAlt, depth+1)
				}
			}
			i = next
			continue
		case '<':
			if n := autolinkLen(s[i:]); n > 0 {
				out.WriteString(strings.TrimPrefix(s[i+1:i+n-1], "mailto:"))
				i += n
				continue
			}
			if n := tagLen(s[i:]); n > 0 {
				low := strings.ToLower(s[i:min(len(s), i+4)])
				if strings.HasPrefix(low, "<br") || strings.HasPrefix(low, "<p") || strings.HasPrefix(low, "</p") || strings.HasPrefix(low, "<li") {
					out.WriteByte(' ')
				}
				i += n
				if name := rawElement(s[i-n:]); name == "script" || name == "style" { // its text is none
					if k := indexEndTag(s[i:], name); k >= 0 {
						i += k
					} else {
						i = len(s)
					}
				}
				continue
			}
		case '&':
			if k := strings.IndexByte(s[i:min(len(s), i+32)], ';'); k > 1 {
				if u := html.UnescapeString(s[i : i+k+1]); u != s[i:i+k+1] {
					out.WriteString(u)
					i += k + 1
					continue
				}
			}
		}
		out.WriteByte(c)
		i++
	}
}

// emphasisMarks finds the runs of '*', '_' and '~' that are marks of emphasis: how many of each run are, by where it begins. It pairs
// them as Markdown does, so that an underscore that begins and ends nothing stays text.
func emphasisMarks(s string) map[int]int {
	if !strings.ContainsAny(s, "*_~") {
		return nil
	}
	const maxOpen = 64 // runs that wait for their end; older ones end nothing any more
	type run struct {
		at, left int
		char     byte
	}
	marks := map[int]int{}
	var open []run
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '\\':
			i += 2
			continue
		case '`', '<', ']':
			i += max(1, markupLen(s[i:]))
			continue
		case '*', '_', '~':
			n := runLen(s[i:], c)
			canOpen, canClose := flanking(s, i, n)
			left := n
			for k := len(open) - 1; canClose && left > 0 && k >= 0; k-- {
				o := &open[k]
				if o.char != c || c == '~' && o.left != left {
					continue
				}
				both := min(o.left, left)
				marks[o.at] += both
				marks[i] += both
				o.left -= both
				left -= both
				open = open[:k+1]
				if o.left == 0 {
					open = open[:k]
				}
			}
			if canOpen && left > 0 && !(c == '~' && n > 2) {
				if len(open) == maxOpen {
					open = open[1:]
				}
				open = append(open, run{i, left, c})
			}
			i += n
			continue
		}
		i++
	}
	return marks
}

// flanking reports whether a run of marks at s[i:i+n] can begin and end emphasis.
func flanking(s string, i, n int) (canOpen, canClose bool) {
	before, after := ' ', ' '
	if i > 0 {
		before, _ = utf8.DecodeLastRuneInString(s[:i])
	}
	if i+n < len(s) {
		after, _ = utf8.DecodeRuneInString(s[i+n:])
	}
	punct := func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
	narrow := func(r rune) bool { return punct(r) && !wide(r) }
	left := !unicode.IsSpace(after) && (!narrow(after) || unicode.IsSpace(before) || narrow(before) || wide(before))
	right := !unicode.IsSpace(before) && (!narrow(before) || unicode.IsSpace(after) || narrow(after) || wide(after))
	if s[i] == '_' {
		return left && (!right || punct(before)), right && (!left || punct(after))
	}
	return left, right
}

func autolinkLen(s string) int {
	if len(s) < 5 || !isLetter(s[1]) && (s[1] < '0' || s[1] > '9') {
		return 0
	}
	i := 1 + strings.IndexAny(s[1:min(len(s), 2048)], "<> \n")
	if i < 4 || s[i] != '>' {
		return 0
	}
	u := s[1:i]
	if strings.Contains(u, "://") || strings.HasPrefix(u, "mailto:") || strings.Contains(u, "@") && !strings.ContainsAny(u, "\"'=/") {
		return i + 1
	}
	return 0
}

func collapse(s string) string {
	s = strings.TrimSpace(s)
	if !strings.ContainsAny(s, "\n\t\r\u00a0\u200b") && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\u200b", "")), " ")
}
