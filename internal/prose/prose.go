// Package prose finds the text of a document as sites store it, whatever form it has: Markdown, HTML, the JSON of
// TipTap, of EditorJS, of Portable Text, of Slate, Strapi, Lexical and others with nodes in "children", or a list of texts, in the fields where each may stand. What it finds is
// Markdown, HTML or TipTap's JSON, and says what was repaired; what it cannot show, it names. Equal documents have
// equal texts wherever they are kept.
package prose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/fields"
	"freshet/internal/site"
)

// Fields that hold one form only.
var (
	htmlFields = []string{"htmlContent", "contentHTML"}
	jsonFields = []string{"contentJSON"}
)

// Fields are the names of all that Find looks at besides the fields that it is told.
func Fields() []string { return slices.Concat(htmlFields, jsonFields) }

// A Text is a body as it was found. The zero Text is none.
type Text struct {
	Text   string
	Format site.Format
	Field  string // where it stood
	Note   string // what was repaired, as the end of a sentence that begins with the field; empty: nothing
	Remedy string
	Odd    string // what stands in a field before it, and was passed over
	Reason string // why there is none
}

// Missing is the reason of a document that says nothing at all.
const Missing = "there is no text"

// Found reports whether there is a text.
func (t *Text) Found() bool { return t.Text != "" }

// A Document gives the fields of a document. One that is null or blank is as if it were not there.
type Document interface {
	// String returns a field that is text.
	String(name string) (s string, ok bool)
	// Value returns any field. The error is one of reading it.
	Value(name string) (v extjson.Value, ok bool, err error)
}

// Find finds the body. names are the fields that may hold it in any form, before all those that hold one form. Text
// comes first, then HTML beside it, then an editor's JSON: sites with an editor keep the HTML that they show beside
// it, and an empty JSON document when the HTML was edited alone.
func Find(d Document, names ...string) Text {
	var odd Text
	var editors []string
	for _, name := range names {
		if s, ok := d.String(name); ok {
			if isJSON(s) {
				editors = append(editors, name)
			} else if t := plain(name, s); t.Found() {
				return t
			}
			continue
		}
		v, ok, err := d.Value(name)
		switch {
		case !ok:
		case err != nil:
			odd = Text{Field: name, Reason: "the text cannot be read: " + err.Error()}
		case v.Type == extjson.Object, v.Type == extjson.Array:
			editors = append(editors, name)
		default:
			odd = Text{Field: name, Reason: "the text is " + kindOf(v)}
		}
	}
	for _, name := range htmlFields {
		if s, ok := d.String(name); ok {
			if t := asHTML(name, s); t.Found() {
				t.Odd = odd.Reason
				return t
			}
		}
	}
	for _, name := range append(editors, jsonFields...) {
		v, ok, err := d.Value(name)
		if !ok || err != nil {
			continue
		}
		t := editor(name, v)
		if t.Found() {
			t.Odd = odd.Reason
			return t
		}
		if odd.Reason == "" {
			odd = t
		}
	}
	if odd.Reason == "" {
		odd = Text{Field: names[0], Reason: Missing}
	}
	odd.Text = ""
	return odd
}

// FindAmong finds the body as Find does. Where there is none in freshet's own fields, it looks into those of keys, the names
// of all fields, that hold the text at other sites; post says that a description is the text of a document without another.
func FindAmong(d Document, keys []string, post bool, names ...string) Text {
	own := Find(d, names...)
	if own.Found() {
		return own
	}
	for _, name := range fields.Texts(keys, post) {
		if t := Find(d, name); t.Found() {
			return t
		}
	}
	return own
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

// valid is text with what is no UTF-8 replaced. Checking first costs half as much where there is nothing to replace.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// plain is Markdown or HTML, whichever the text looks like.
func plain(name, s string) Text {
	s = normal(s)
	if looksLikeHTML(s) {
		return asHTML(name, s)
	}
	out := Text{Text: s, Format: site.Markdown, Field: name}
	if rest, ok := cutFrontMatter(s); ok && strings.TrimSpace(rest) != "" {
		out.Text = rest
		out.Note, out.Remedy = "begins with front matter, which is not shown", "keep its values in the document's own fields"
	}
	return out
}

func asHTML(name, s string) Text {
	out := Text{Text: normal(s), Format: site.HTML, Field: name}
	if isWholeDocument(out.Text) {
		out.Note, out.Remedy = "is a whole HTML document, of which the body is shown", "store what stands between <body> and </body>"
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

// textParts are where an object that is no editor's document holds its text: content.extended, content.rendered.
var textParts = []string{"html", "rendered", "extended", "markdown", "md", "raw", "body", "text", "value", "brief"}

// isJSON reports whether text is an object or a list of JSON, which no Markdown or HTML is.
func isJSON(s string) bool {
	s = trimJSON(s)
	return s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s))
}

func trimJSON(s string) string { return strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")) }

// maxDepth bounds JSON that is held as text; the database bounds what it stores itself at about 100.
const maxDepth = 200

// fromJSON makes a value of JSON text.
func fromJSON(s string) (extjson.Value, bool) {
	d, _, err := extjson.Parse(slices.Concat([]byte(`{"v":`), []byte(s), []byte("}")))
	if err != nil || len(d) != 1 {
		return extjson.Value{}, false
	}
	return d[0].Value, true
}

// editor is the body that an editor stored as an object, a list, or JSON in text.
func editor(name string, v extjson.Value) Text {
	out := Text{Field: name}
	src := ""
	if v.Type == extjson.String {
		src = trimJSON(v.Text)
		var ok bool
		if v, ok = fromJSON(src); !ok {
			out.Reason = "the text is JSON of no editor that freshet knows"
			return out
		}
	}
	if deeper(v, maxDepth) {
		out.Reason = "the text is nested too deep"
		return out
	}
	how := "an object"
	switch {
	case src != "":
		how = "JSON in text"
	case v.Type == extjson.Array:
		how = "a list"
	}
	blocks := func(of string, write func([]extjson.Value) (string, string), list []extjson.Value) Text {
		text, unknown := write(list)
		if text = normal(text); text == "" {
			out.Reason = fmt.Sprintf("the text is an empty document of %s", of)
			return out
		}
		out.Text, out.Format = text, site.HTML
		out.Note = fmt.Sprintf("holds blocks of %s (%s), which are shown as HTML", of, how)
		if unknown != "" {
			out.Note += fmt.Sprintf(", those of the kind %q left out", diag.Clip(unknown, 40))
		}
		out.Remedy = "store HTML, Markdown or the JSON of TipTap"
		return out
	}
	nodes := func(list []extjson.Value) Text {
		text, unknown := childrenBlocks(list)
		if strings.TrimSpace(text) == "" {
			out.Reason = "the text is an empty document"
			return out
		}
		out.Text, out.Format = normal(text), site.HTML
		out.Note = fmt.Sprintf("holds an editor's nodes (%s), which are shown as HTML", how)
		if unknown != "" {
			out.Note += fmt.Sprintf(", of the kind %q only their text", diag.Clip(unknown, 80))
		}
		out.Remedy = "store HTML, Markdown or the JSON of TipTap"
		return out
	}
	loose := func(what string) Text {
		text := looseText(v, 0)
		if out.Text = normal(text); out.Text == "" {
			out.Reason = "the text is " + what + " of no editor that freshet knows"
			return out
		}
		out.Format = site.HTML
		out.Note, out.Remedy = "is "+what+" of no editor that freshet knows, of which the texts are shown", "store HTML, Markdown or the JSON of TipTap"
		return out
	}
	tiptap := func(doc extjson.Doc) Text {
		if in := extjson.Embedded(doc); !isTipTap(in, 0) && looseText(in, 0) != "" {
			return loose("a document") // nodes of another editor that has a type for each too
		}
		if !showsAny(extjson.Embedded(doc), 0) {
			out.Reason = "the text is an empty document"
			return out
		}
		text := src
		if src == "" || v.Type == extjson.Array {
			text = string(doc.Append(nil, extjson.Relaxed))
		}
		out.Text, out.Format = normal(text), site.TipTap
		out.Note, out.Remedy = fmt.Sprintf("holds an editor's document (%s) without its HTML, which is shown by its nodes", how), "store the HTML beside it in htmlContent"
		return out
	}
	if v.Type == extjson.Object {
		list, _ := v.Doc.Get("blocks")
		_, draft := v.Doc.Get("entityMap")
		content, _ := v.Doc.Get("content")
		kind := str(v.Doc, "type")
		root, _ := v.Doc.Get("root")
		document, _ := v.Doc.Get("document")
		children, _ := v.Doc.Get("children")
		ops, _ := v.Doc.Get("ops")
		switch {
		case ops.Type == extjson.Array:
			return blocks("Quill", quillDelta, ops.Items)
		case root.Type == extjson.Object:
			return nodes([]extjson.Value{root})
		case children.Type == extjson.Array:
			return nodes([]extjson.Value{v})
		case document.Type == extjson.Array:
			return nodes(document.Items)
		case list.Type == extjson.Array && !draft:
			return blocks("EditorJS", editorJS, list.Items)
		case kind == "doc" || kind != "" && content.Type == extjson.Array:
			return tiptap(v.Doc)
		case len(v.Doc) == 0:
			out.Reason = "the text is an empty object"
			return out
		}
		for _, part := range textParts {
			if in := value(v.Doc, part); in.Type == extjson.String {
				if t := plain(name, in.Text); t.Found() {
					return t
				}
			}
		}
		return loose("an object")
	}
	var texts []string
	kinds := map[string]int{}
	for _, it := range v.Items {
		if it.Type == extjson.String {
			if s := normal(it.Text); s != "" {
				texts = append(texts, strings.Trim(s, "\n"))
			}
			kinds["text"]++
			continue
		}
		switch {
		case !value(it.Doc, "insert").IsNull():
			kinds["delta"]++
		case !value(it.Doc, "_type").IsNull():
			kinds["portable"]++
		case value(it.Doc, "children").Type == extjson.Array || hasText(it.Doc) && str(it.Doc, "type") == "":
			kinds["nodes"]++
		case !value(it.Doc, "type").IsNull() && !value(it.Doc, "data").IsNull():
			kinds["editorjs"]++
		case !value(it.Doc, "type").IsNull():
			kinds["tiptap"]++
		}
	}
	if kinds["nodes"] > 0 && kinds["nodes"]+kinds["tiptap"] == len(v.Items) {
		return nodes(v.Items)
	}
	switch len(v.Items) {
	case 0:
		out.Reason = "the text is an empty list"
	case kinds["text"]:
		if len(texts) == 0 {
			out.Reason = Missing
			return out
		}
		out = plain(name, strings.Join(texts, "\n\n"))
		out.Note, out.Remedy = "is a list of texts, which are shown one below the other", "store one text"
	case kinds["delta"]:
		return blocks("Quill", quillDelta, v.Items)
	case kinds["portable"]:
		return blocks("Portable Text", portableText, v.Items)
	case kinds["editorjs"]:
		return blocks("EditorJS", editorJS, v.Items)
	case kinds["tiptap"]:
		return tiptap(extjson.Doc{{Key: "type", Value: extjson.Text("doc")}, {Key: "content", Value: v}})
	default:
		return loose("a list of blocks")
	}
	return out
}

// isTipTap reports whether a node has what only TipTap's have: attributes, or text in its content.
func isTipTap(v extjson.Value, depth int) bool {
	if depth > 2*maxDepth || hasText(v.Doc) || value(v.Doc, "attrs").Type == extjson.Object {
		return true
	}
	content := value(v.Doc, "content")
	return slices.ContainsFunc(content.Items, func(it extjson.Value) bool { return isTipTap(it, depth+1) })
}

// showsAny reports whether an editor's document shows anything: text, or a node other than an empty paragraph.
func showsAny(v extjson.Value, depth int) bool {
	if depth > 2*maxDepth {
		return true
	}
	if v.Type == extjson.Array {
		return slices.ContainsFunc(v.Items, func(it extjson.Value) bool { return showsAny(it, depth+1) })
	}
	if v.Type != extjson.Object {
		return false
	}
	switch str(v.Doc, "type") {
	case "", "doc", "paragraph", "hardBreak", "hard_break", "text", "heading", "bulletList", "orderedList", "listItem", "blockquote":
		return !value(v.Doc, "text").IsNull() || showsAny(value(v.Doc, "content"), depth+1)
	}
	return true
}

// deeper reports whether a value is nested deeper than so much.
func deeper(v extjson.Value, depth int) bool {
	if v.Type != extjson.Object && v.Type != extjson.Array {
		return false
	}
	return depth == 0 || slices.ContainsFunc(v.Items, func(it extjson.Value) bool { return deeper(it, depth-1) }) ||
		slices.ContainsFunc(v.Doc, func(f extjson.Field) bool { return deeper(f.Value, depth-1) })
}

// value is a field that is not blank; null when there is none.
func value(d extjson.Doc, name string) extjson.Value {
	v, _ := d.Get(name)
	if v.Type == extjson.String && strings.TrimSpace(v.Text) == "" {
		return extjson.Value{}
	}
	return v
}

// str is the text of the first of the fields that has one.
func str(d extjson.Doc, names ...string) string {
	for _, name := range names {
		if v := value(d, name); !v.IsNull() {
			s, _ := lineOf(v)
			return s
		}
	}
	return ""
}

// lineOf reads what can stand for a line of text: strings, numbers, true and false.
func lineOf(v extjson.Value) (string, bool) {
	switch v.Type {
	case extjson.String:
		return valid(v.Text), true
	case extjson.Int32, extjson.Int64:
		return strconv.FormatInt(v.Int, 10), true
	case extjson.Double:
		return strconv.FormatFloat(v.Float, 'f', -1, 64), true
	case extjson.Decimal:
		return v.Text, true
	case extjson.Bool:
		return strconv.FormatBool(v.Int != 0), true
	}
	return "", false
}

// kindOf is a value's type as messages have it.
func kindOf(v extjson.Value) string {
	switch v.Type {
	case extjson.Int32, extjson.Int64, extjson.Double, extjson.Decimal:
		return "a number"
	case extjson.Bool:
		return "true or false"
	case extjson.Date:
		return "a date"
	case extjson.ObjectID:
		return "a reference (an ObjectId)"
	}
	if strings.HasPrefix(v.Text, `{"$binary"`) {
		return "binary data"
	}
	return "of a type that is no text"
}
