package frontmatter

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/fields"
)

// Front matter is recognised where Hugo, Jekyll, Zola, Astro, Hexo or gray-matter would: between lines of ---, +++ or ;;;, as a
// JSON object, or as keys that end with a line of ---, with blank lines and comments before it. What then still looks like front
// matter is a mistake. It is never text: a document that says of itself that it is a draft must not be published for a fence
// of two hyphens.

// A fence is a line that front matter may begin with.
type fence struct {
	mark     string // "---", "-----", "+++", ";;;"
	language string // that is written behind it: yaml, json, toml; empty: the mark's own
	indented bool
}

var fenceLine = regexp.MustCompile(`^([ \t]*)(-{3,}|\+{3,}|;{3,})[ \t]*([A-Za-z]*)[ \t]*(#.*)?$`)

// fenceOf reads a fence.
func fenceOf(line []byte) (f fence, ok bool) {
	if t := bytes.TrimLeft(line, " \t"); len(t) < 3 || t[0] != '-' && t[0] != '+' && t[0] != ';' {
		return f, false
	}
	m := fenceLine.FindSubmatch(trimLine(line))
	if m == nil {
		return f, false
	}
	return fence{mark: string(m[2]), language: strings.ToLower(string(m[3])), indented: len(m[1]) > 0}, true
}

// otherLanguages are those that gray-matter and its like may read.
var otherLanguages = set("js", "javascript", "ts", "coffee", "coffeescript", "cson", "json5", "ini", "lua")

// dialect is the language of what follows the fence; plain: one that is not read.
func (f fence) dialect() Dialect {
	switch f.language {
	case "":
		return map[byte]Dialect{'-': YAML, '+': TOML, ';': JSON}[f.mark[0]]
	case "yaml", "yml":
		return YAML
	case "toml":
		return TOML
	case "json":
		return JSON
	}
	return None
}

// invisible are characters that editors leave at the beginning of files and at the end of lines.
const (
	invisible = " \t\r\n" + unseen
	unseen    = "\f\v\u00a0\ufeff\u200b\u200c\u200d\u2060"
)

func trimLine(line []byte) []byte { return bytes.TrimRight(line, invisible) }

// split cuts the front matter off. data is valid UTF-8 without a byte order mark.
func split(data []byte) (Parts, *diag.Problem) {
	p, prob := splitFront(data)
	if prob != nil {
		return Parts{}, prob
	}
	if p.Dialect != None && bytes.Contains(p.Front, []byte("shortcodes: off")) {
		return p, nil // its text is literal
	}
	if line, what := strayFront(p.Body, p.Dialect != None); what != "" {
		remedy := "put a line --- before it and one after it, at the beginning of the file; or a text before it, if it is none"
		if p.Dialect != None {
			remedy = "join the two; an example belongs into a code block"
		}
		return Parts{}, &diag.Problem{Severity: diag.Error, Line: p.BodyLine + line, Col: 1, Message: what, Remedy: remedy}
	}
	return p, nil
}

func splitFront(data []byte) (Parts, *diag.Problem) {
	none := Parts{Body: data, BodyLine: 1}
	at, commented := preamble(data, true)
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	first, rest := cutLine(data[at:])
	if f, ok := fenceOf(first); ok {
		p, found, prob := splitFence(f, rest, line)
		if found && (!commented || surelyFront(rest, None) > 0) {
			return p, prob
		}
		return none, nil
	}
	if commented {
		return none, nil
	}
	if data = data[at:]; len(data) > 0 && data[0] == '{' {
		after := bytes.TrimLeft(data[1:], " \t\r\n")
		if len(after) > 0 && (after[0] == '"' || after[0] == '}') {
			return splitJSON(data, line)
		}
		if surelyFront(after, JSON) > 0 {
			return none, &diag.Problem{Severity: diag.Error, Line: line, Col: 1, Message: "the front matter that begins with { is not valid JSON", Remedy: "put its keys in quotes"}
		}
	}
	// Hexo lets the first fence go.
	if n := surelyFront(data, None); n > 0 {
		if f, ok := fenceOf(data[n:][:lineLen(data[n:])]); ok && f.language == "" && f.mark[0] != '+' {
			closing := lineLen(data[n:])
			lines := bytes.Count(data[:n], []byte("\n"))
			return fencedParts(f, data[:n], line, data[n+closing:], line+lines+1), nil
		}
	}
	return none, nil
}

func lineLen(b []byte) int {
	line, _ := cutLine(b)
	return len(line)
}

// splitFence cuts at the line that closes a fence. rest follows the fence, which is on a line. found is false where
// the fence is a rule, and what follows is text.
func splitFence(f fence, rest []byte, line int) (p Parts, found bool, prob *diag.Problem) {
	end, endLen, lines := closing(rest, f)
	second, _ := cutLine(rest)
	isRule := end < 0 || len(f.mark) > 3 || end > 0 && len(bytes.TrimSpace(second)) == 0
	upTo := end
	if end < 0 {
		upTo = max(bytes.Index(rest, []byte("\n\n")), bytes.Index(rest, []byte("\n\r\n")))
	}
	like := len(f.mark) == 3 && keyLike(rest) || surelyFront(rest, None) > 0 || anyKey(rest, upTo)
	if f.mark[0] == ';' {
		like = bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"`))
		isRule = true
	}
	if f.dialect() == None {
		if !like && (end < 0 || !otherLanguages[f.language]) {
			return p, false, nil // "--- and" is no fence
		}
		return p, true, &diag.Problem{Severity: diag.Error, Line: line, Col: 1, Message: fmt.Sprintf("front matter in the language %q is not read", f.language),
			Remedy: "write it as YAML, between lines of ---"}
	}
	if f.dialect() == YAML && isRule && !like {
		return p, false, nil
	}
	if f.mark[0] == ';' && !like || len(f.mark) > 3 && f.mark[0] == '+' && !like {
		return p, false, nil
	}
	if end < 0 {
		return p, true, &diag.Problem{Severity: diag.Error, Line: line, Col: 1,
			Message: fmt.Sprintf("the front matter that begins with %s has no end", f.mark),
			Remedy:  fmt.Sprintf("close it with a line %s", f.mark)}
	}
	return fencedParts(f, rest[:end], line+1, rest[end+endLen:], line+lines+2), true, nil
}

// fencedParts are the parts of a file whose front matter is known.
func fencedParts(f fence, front []byte, frontLine int, body []byte, bodyLine int) Parts {
	p := Parts{Dialect: f.dialect(), Front: front, FrontLine: frontLine, Body: body, BodyLine: bodyLine}
	if p.Dialect == JSON && !bytes.HasPrefix(bytes.TrimLeft(front, " \t\r\n"), []byte("{")) {
		p.Front = append(append([]byte{'{'}, front...), '}') // as Hexo has it
	}
	return p
}

// splitJSON cuts at the brace that closes the first one. data begins on a line.
func splitJSON(data []byte, line int) (Parts, *diag.Problem) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth > 0 {
				continue
			}
			rest := data[i+1:]
			end, after := cutLine(rest)
			n := bytes.Count(data[:i+1], []byte("\n"))
			if len(bytes.TrimSpace(end)) > 0 {
				after = rest
			} else {
				n++
			}
			return Parts{Dialect: JSON, Front: data[:i+1], FrontLine: line, Body: after, BodyLine: line + n}, nil
		}
	}
	return Parts{}, &diag.Problem{Severity: diag.Error, Line: line, Col: 1,
		Message: "the front matter that begins with { has no end", Remedy: "close it with }"}
}

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:]
	}
	return b, nil
}

// closing finds the line that ends a front matter: where it begins, its length, and how many lines are before it.
func closing(b []byte, f fence) (pos, length, lines int) {
	for at := 0; at < len(b); {
		line, _ := cutLine(b[at:])
		s := line
		if f.indented {
			s = bytes.TrimLeft(s, " \t")
		}
		if len(s) >= 3 && (s[0] == f.mark[0] || s[0] == '.') {
			s := string(trimLine(s))
			if s == f.mark || f.mark == "---" && s == "..." {
				return at, len(line), lines
			}
		}
		at += len(line)
		lines++
	}
	return -1, 0, 0
}

// keyLike reports whether text begins like YAML front matter: with a key.
func keyLike(b []byte) bool {
	for range 20 {
		var line []byte
		line, b = cutLine(b)
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			if len(b) == 0 {
				return false
			}
			continue
		}
		key, _, ok := strings.Cut(s, ":")
		return ok && key != "" && !strings.ContainsAny(key, " \t[(<*`")
	}
	return false
}

// anyKey reports whether one of the lines before end is a key that surely is front matter's, however the others look.
func anyKey(b []byte, end int) bool {
	if end < 0 {
		return false
	}
	b = b[:min(end, 4<<10)]
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		if m := keyLine.FindSubmatch(line); m != nil && sureKeys[string(m[1])] {
			return true
		}
	}
	return false
}

// maxPreamble bounds what is looked at before a front matter.
const maxPreamble = 16 << 10

// comments are how authors of Markdown write notes to themselves, by how they begin and end.
var comments = [...][2]string{{"<!--", "-->"}, {"{/*", "*/}"}, {"{#", "#}"}, {"{% comment %}", "{% endcomment %}"}, {"[//]: #", "\n"}, {"# ", "\n"}, {"#!", "\n"}}

// preamble is the length of the blank lines and comments that text begins with, with lines of # among them where these count.
// commented says that there are comments.
func preamble(data []byte, headings bool) (n int, commented bool) {
	for {
		blank := data[n:][:len(data[n:])-len(bytes.TrimLeft(data[n:], invisible))]
		lines := bytes.LastIndexByte(blank, '\n') + 1 // the blanks before a word belong to its line
		n += lines + len(blank[lines:]) - len(bytes.TrimLeft(blank[lines:], unseen))
		rest := bytes.TrimLeft(data[n:], " \t")
		end := -1
		for _, c := range comments {
			if !bytes.HasPrefix(rest, []byte(c[0])) || c[0][0] == '#' && !headings {
				continue
			}
			i := bytes.Index(rest[len(c[0]):min(len(rest), maxPreamble)], []byte(c[1]))
			if i < 0 {
				break
			}
			i += len(c[0]) + len(c[1])
			if c[1] == "\n" {
				end = i
			} else if line, _ := cutLine(rest[i:]); len(trimLine(line)) == 0 {
				end = i + len(line)
			}
			break
		}
		if end < 0 || n > maxPreamble {
			return n, commented
		}
		n += len(data[n:]) - len(rest) + end
		commented = true
	}
}

// keyLine is a line that begins with a key as YAML, TOML, JSON, Pelican or Org mode have it.
var keyLine = regexp.MustCompile(`^(?:#\+|:|@)?["']?([A-Za-z][A-Za-z_-]*)["']?[ \t]*[:=](?:[ \t\r\n]|$)`)

// hidingLine is a line that hides a document: enough by itself.
var hidingLine = regexp.MustCompile(`(?i)^["']?(?:draft["']?[ \t]*[:=][ \t]*true|(?:is_?)?published["']?[ \t]*[:=][ \t]*false)\b`)

// sureKeys are keys of front matter that begin no sentence.
var sureKeys = set("title", "date", "draft", "published", "layout", "slug", "permalink", "pubDate", "pubdate", "publishDate", "publishdate", "publishedAt", "lastmod", "status",
	"tags", "categories", "aliases", "isDraft", "isPublished", "is_published", "visibility", "archived")

// tellingKeys make lines with capitals front matter: those of Pelican and MultiMarkdown have a title, or say whether they are shown.
var tellingKeys = set("title", "draft", "status", "published", "slug", "layout")

// surelyFront is the length of the lines that text begins with, if they are front matter's: keys, and what belongs to them. One
// in small letters is enough, or two of which one tells; where text follows without a blank line, two in small letters. 0: they are not.
func surelyFront(b []byte, d Dialect) int {
	n, sure, known, telling := 0, 0, 0, false
	for n < len(b) && n < maxPreamble {
		line, _ := cutLine(b[n:])
		if _, ok := fenceOf(line); ok || len(trimLine(line)) == 0 || n > 0 && otherFence.Match(trimLine(line)) {
			break
		}
		if n == 0 && d == None && (line[0] == '\t' || bytes.HasPrefix(line, []byte("    "))) {
			return 0 // code
		}
		m := keyLine.FindSubmatch(bytes.TrimLeft(line, " \t"))
		switch {
		case m != nil && (line[0] != ' ' && line[0] != '\t' || d == JSON || n == 0):
			key := string(m[1])
			if sureKeys[key] {
				sure++
			}
			if hidingLine.Match(line) {
				sure++
			}
			if fields.Known(key) {
				known++
				telling = telling || tellingKeys[strings.ToLower(key)]
			}
		case n > 0 && (line[0] == ' ' || line[0] == '\t' || line[0] == '-' || line[0] == '#' || line[0] == '['):
		case n > 0 && d == JSON:
		case sure > 1: // the text, without a blank line before it
			return n
		default:
			return 0
		}
		n += len(line)
	}
	if sure > 0 || known > 1 && telling {
		return n
	}
	return 0
}

var (
	otherFence = regexp.MustCompile(`^[ \t]*(?:[-=_*+;:#.~\x{2013}\x{2014}][ \t]*){2,}[A-Za-z]*$`)
	codeFence  = regexp.MustCompile("^[ \t]*(?:```+|~~~+)[ \t]*([A-Za-z]*)")
)

// strayFront finds in a text what looks like front matter and was not read as such: where it is, in lines from the text's first,
// and what is wrong with it. after says that the text follows a front matter.
func strayFront(body []byte, after bool) (line int, what string) {
	at, _ := preamble(body, false)
	line = bytes.Count(body[:at], []byte("\n"))
	rest := body[at:]
	first, next := cutLine(rest)
	if after {
		if surelyFront(next, None) > 0 && closed(first, next) {
			return line, "a second front matter follows the first"
		}
		return 0, ""
	}
	const unfenced = "this looks like front matter, but does not stand between two lines of ---"
	if surelyFront(rest, None) > 0 {
		return line, unfenced
	}
	inCode := false
	for n := 0; len(rest) > 0 && n < 10; {
		first, rest = cutLine(rest)
		m := codeFence.FindSubmatch(first)
		switch {
		case m != nil && n == 0 && (len(m[1]) == 0 || isLanguage(m[1], "markdown", "md", "mdx", "yaml", "yml")):
			// The whole of a post that some program has wrapped into a code block.
			if second, third := cutLine(rest); surelyFront(third, None) > 0 {
				if _, ok := fenceOf(second); ok {
					return line, "the front matter stands in a code block"
				}
			}
			inCode = true
		case m != nil:
			inCode = !inCode
		case inCode:
		case otherFence.Match(trimLine(first)) && surelyFront(rest, None) > 0:
			if n == 0 || closed(first, rest) {
				return line, unfenced
			}
		}
		if len(trimLine(first)) > 0 {
			n++
		}
		line++
	}
	return 0, ""
}

// closed reports whether a line is a fence that another closes.
func closed(line, rest []byte) bool {
	f, ok := fenceOf(line)
	if !ok {
		return false
	}
	end, _, _ := closing(rest, f)
	return end >= 0
}

func isLanguage(name []byte, of ...string) bool {
	for _, l := range of {
		if strings.EqualFold(string(name), l) {
			return true
		}
	}
	return false
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
