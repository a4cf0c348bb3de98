package mongodb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// Where the body of a post, a lesson and a course may stand.
var (
	postBody   = bodyFields{"content"}
	courseBody = bodyFields{"fullDescription", "content"}
)

// bodyFields are the fields that may hold a body in any form, first of all those of stored HTML and of editors.
type bodyFields []string

// Fields that hold one form only.
var (
	htmlFields = []string{"htmlContent", "contentHTML"}
	jsonFields = []string{"contentJSON"}
)

// A stored is a body as it was found.
type stored struct {
	text   string
	format site.Format
	field  string // where it stood
	note   string // what was repaired; empty: nothing
	remedy string
	odd    string // what stands in the field before it, and was passed over
	reason string // why there is none
}

func (s *stored) found() bool { return s.text != "" }

// hash is the digest of the body's text; 0 says that there is none.
func (s *stored) hash() digest.Sum {
	if s.text == "" {
		return 0
	}
	return max(digest.String(s.text), 1)
}

// ref refers to the body.
func (s *stored) ref(doc site.ID, part string) site.BodyRef {
	if !s.found() {
		return site.BodyRef{}
	}
	return site.BodyRef{Doc: doc, Part: part, Format: s.format, Hash: s.hash(), Bytes: len(s.text)}
}

// read finds the body among a document's fields. Text comes first, then HTML beside it, then an editor's JSON: sites
// with an editor keep the HTML that they show beside it, and an empty JSON document when the HTML was edited alone.
func (names bodyFields) read(f fields) stored {
	var odd stored
	var editors []field
	for _, name := range names {
		found := f.get(name)
		b, isText := stringBytes(found.v)
		switch {
		case found.name == "":
		case isText && !isJSON(b):
			if s := textBody(name, string(b)); s.found() {
				return s
			}
		case isText, found.v.Type == bson.TypeEmbeddedDocument, found.v.Type == bson.TypeArray:
			editors = append(editors, found)
		default:
			odd = stored{field: name, reason: fmt.Sprintf("the text is %s", typeNames[found.v.Type])}
		}
	}
	for _, name := range htmlFields {
		if b, ok := stringBytes(f.get(name).v); ok {
			if s := htmlBody(name, string(b)); s.found() {
				s.odd = odd.reason
				return s
			}
		}
	}
	for _, name := range jsonFields {
		if found := f.get(name); found.name != "" {
			editors = append(editors, found)
		}
	}
	for _, found := range editors {
		s := editorBody(found)
		if s.found() {
			s.odd = odd.reason
			return s
		}
		if odd.reason == "" {
			odd = s
		}
	}
	if odd.reason == "" {
		odd = stored{field: names[0], reason: "there is no text"}
	}
	odd.text = ""
	return odd
}

// normal is text without a byte order mark, with line feeds as ends of lines, and valid.
func normal(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	s = valid(s)
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return s
}

// textBody is Markdown or HTML, whichever the text looks like.
func textBody(name, s string) stored {
	s = normal(s)
	if site.LooksLikeHTML(s) {
		return htmlBody(name, s)
	}
	out := stored{text: s, format: site.Markdown, field: name}
	if rest, ok := cutFrontMatter(s); ok && strings.TrimSpace(rest) != "" {
		out.text = rest
		out.note, out.remedy = "begins with front matter, which is not shown", "keep its values in the document's own fields"
	}
	return out
}

func htmlBody(name, s string) stored {
	out := stored{text: normal(s), format: site.HTML, field: name}
	if site.IsWholeDocument(out.text) {
		out.note, out.remedy = "is a whole HTML document, of which the body is shown", "store what stands between <body> and </body>"
	}
	return out
}

// cutFrontMatter cuts a header off that begins and ends with a line --- or +++ and holds keys.
func cutFrontMatter(s string) (rest string, ok bool) {
	first, rest, ok := strings.Cut(s, "\n")
	mark := strings.TrimRight(first, " \t")
	sign := ":"
	switch {
	case !ok || mark != "---" && mark != "+++":
		return s, false
	case mark == "+++":
		sign = "="
	}
	keys := 0
	for range 200 {
		line, more, ok := strings.Cut(rest, "\n")
		rest = more
		trimmed := strings.TrimSpace(line)
		if trimmed == mark && line[0] == mark[0] {
			return strings.TrimLeft(rest, "\n"), keys > 0
		}
		key, _, isKey := strings.Cut(trimmed, sign)
		indented := line != "" && (line[0] == ' ' || line[0] == '\t' || line[0] == '-')
		switch {
		case !ok:
			return s, false
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == '[' || indented:
		case isKey && !strings.ContainsAny(strings.TrimSpace(key), " \t<*`"):
			keys++
		default:
			return s, false
		}
	}
	return s, false
}

// isJSON reports whether text is an object or a list of JSON, which no Markdown or HTML is.
func isJSON(b []byte) bool {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Valid(b)
}

// maxJSONDepth bounds JSON that is held as text; the database bounds what it stores itself at about 100.
const maxJSONDepth = 200

// fromJSON makes a value of JSON text.
func fromJSON(b []byte) (bson.RawValue, bool) {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	var doc bson.Raw
	if deepest > maxJSONDepth || !json.Valid(b) || bson.UnmarshalExtJSON(append(append([]byte(`{"v":`), b...), '}'), false, &doc) != nil {
		return bson.RawValue{}, false
	}
	f, err := fieldsOf(doc)
	if err != nil || len(f) != 1 {
		return bson.RawValue{}, false
	}
	return f[0].v, true
}

// editorBody is the body that an editor stored as an object, a list, or JSON in text.
func editorBody(found field) stored {
	out := stored{field: found.name}
	v := found.v
	src, isText := stringBytes(v)
	if isText {
		src = bytes.TrimSpace(bytes.TrimPrefix(src, []byte("\ufeff")))
		var ok bool
		if v, ok = fromJSON(src); !ok {
			out.reason = "the text is JSON of no editor that freshet knows"
			return out
		}
	}
	if !wellFormed(v, maxJSONDepth) {
		out.reason = "the text is nested too deep, or cannot be read"
		return out
	}
	how := "an object"
	switch {
	case isText:
		how = "JSON in text"
	case v.Type == bson.TypeArray:
		how = "a list"
	}
	html := func(name string, write func([]bson.RawValue) (string, string), blocks []bson.RawValue) stored {
		text, unknown := write(blocks)
		if text = normal(text); text == "" {
			out.reason = fmt.Sprintf("the text is an empty document of %s", name)
			return out
		}
		out.text, out.format = text, site.HTML
		out.note = fmt.Sprintf("holds blocks of %s (%s), which are shown as HTML", name, how)
		if unknown != "" {
			out.note += fmt.Sprintf(", those of the kind %q left out", clip(unknown))
		}
		out.remedy = "store HTML, Markdown or the JSON of TipTap"
		return out
	}
	tiptap := func(doc []byte) stored {
		if !hasContent(v, 0) {
			out.reason = "the text is an empty document"
			return out
		}
		if isText && v.Type == bson.TypeEmbeddedDocument {
			doc = src
		}
		out.text, out.format = normal(string(doc)), site.TipTap
		out.note, out.remedy = fmt.Sprintf("holds an editor's document (%s) without its HTML, which is shown by its nodes", how), "store the HTML beside it in htmlContent"
		return out
	}
	if v.Type == bson.TypeEmbeddedDocument {
		f := object(v)
		switch {
		case f.get("blocks").v.Type == bson.TypeArray && f.get("entityMap").name == "":
			return html("EditorJS", editorJS, items(f.get("blocks").v))
		case f.str("type") != "" && (f.str("type") == "doc" || f.get("content").v.Type == bson.TypeArray):
			b, err := bson.MarshalExtJSON(bson.Raw(v.Value), false, false)
			if err != nil {
				out.reason = "the text is an editor's document that cannot be read"
				return out
			}
			return tiptap(b)
		case len(f) == 0:
			out.reason = "the text is an empty object"
			return out
		}
		out.reason = "the text is an object of no editor that freshet knows"
		return out
	}
	list := items(v)
	var texts []string
	kinds := map[string]int{}
	for _, it := range list {
		if b, ok := stringBytes(it); ok {
			if s := normal(string(b)); s != "" {
				texts = append(texts, strings.Trim(s, "\n"))
			}
			kinds["text"]++
			continue
		}
		f := object(it)
		switch {
		case f.get("_type").name != "":
			kinds["portable"]++
		case f.get("type").name != "" && f.get("data").name != "":
			kinds["editorjs"]++
		case f.get("type").name != "":
			kinds["tiptap"]++
		}
	}
	switch {
	case len(list) == 0:
		out.reason = "the text is an empty list"
	case kinds["text"] == len(list):
		if len(texts) == 0 {
			out.reason = "there is no text"
			return out
		}
		out = textBody(found.name, strings.Join(texts, "\n\n"))
		out.note, out.remedy = "is a list of texts, which are shown one below the other", "store one text"
	case kinds["portable"] == len(list):
		return html("Portable Text", portableText, list)
	case kinds["editorjs"] == len(list):
		return html("EditorJS", editorJS, list)
	case kinds["tiptap"] == len(list):
		b, err := bson.MarshalExtJSON(bson.D{{Key: "type", Value: "doc"}, {Key: "content", Value: v}}, false, false)
		if err != nil {
			out.reason = "the text is an editor's document that cannot be read"
			return out
		}
		return tiptap(b)
	default:
		out.reason = "the text is a list of blocks of no editor that freshet knows"
	}
	return out
}

// hasContent reports whether an editor's document shows anything: text, or a node other than an empty paragraph.
func hasContent(v bson.RawValue, depth int) bool {
	if depth > 2*maxJSONDepth {
		return true
	}
	if v.Type == bson.TypeArray {
		for _, it := range items(v) {
			if hasContent(it, depth+1) {
				return true
			}
		}
		return false
	}
	if v.Type != bson.TypeEmbeddedDocument {
		return false
	}
	f := object(v)
	switch f.str("type") {
	case "", "doc", "paragraph", "hardBreak", "hard_break", "text", "heading", "bulletList", "orderedList", "listItem", "blockquote":
		return f.get("text").name != "" || hasContent(f.get("content").v, depth+1)
	}
	return true
}
