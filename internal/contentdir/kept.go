package contentdir

import (
	"bytes"
	"path"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/fields"
	"freshet/internal/frontmatter"
	"freshet/internal/prose"
	"freshet/internal/site"
	"freshet/internal/stored"
)

// A keptText is a file of a document of MongoDB's, as far as its text may stand in it: the body, and the fields that
// hold text in forms which no body has. It implements prose.Document.
type keptText struct {
	front *frontmatter.Value
	field string // that the body is
	body  string
}

// keepsText reports whether a file holds a document of MongoDB's, or a lesson of one: its text is found as there.
func keepsText(p *frontmatter.Parts) bool {
	return p.Dialect == frontmatter.YAML && bytes.Contains(p.Front, []byte("shortcodes: off\n"))
}

// String returns the body or a field, if it is text.
func (k *keptText) String(name string) (string, bool) {
	v, ok, err := k.Value(name)
	return v.Text, ok && err == nil && v.Type == extjson.String
}

// Value returns the body or a field.
func (k *keptText) Value(name string) (extjson.Value, bool, error) {
	var v extjson.Value
	switch format := k.front.Get("format"); {
	case name == k.field && format != nil && strings.EqualFold(format.Text, string(site.TipTap)) && !k.asText():
		doc, _, err := extjson.Parse([]byte(k.body))
		if err != nil {
			return extjson.Value{}, strings.TrimSpace(k.body) != "", err
		}
		v = extjson.Embedded(doc)
	case name == k.field:
		v = extjson.Text(k.body)
	default:
		f := k.front.Get(name)
		if f == nil || stored.OwnKeys[name] {
			f = k.front.Get("$" + name)
		}
		if f == nil {
			return extjson.Value{}, false, nil
		}
		var err error
		if v, err = stored.Value(f, time.UTC); err != nil {
			return v, true, err
		}
	}
	blank := v.IsNull() || v.Type == extjson.String && strings.TrimSpace(v.Text) == ""
	return v, !blank, nil
}

func (k *keptText) asText() bool {
	v := k.front.Get(stored.AsTextKey)
	if v == nil {
		return false
	}
	yes, _ := v.Bool()
	return yes
}

// keptBody finds the text of a file that holds a document of MongoDB's.
func keptBody(name string, p *frontmatter.Parts, front *frontmatter.Value) prose.Text {
	k := &keptText{front: front, body: string(p.Body)}
	if f := front.Get(stored.BodyKey); f != nil && f.Text != "" {
		k.field = f.Text
	} else if len(bytes.TrimSpace(p.Body)) > 0 {
		k.field = "content" // an author has written a text where there was none
	}
	names := []string{"content"}
	if path.Base(name) == "_index.md" {
		names = []string{"fullDescription", "content"}
	}
	keys := []string{k.field}
	for i := range front.Fields {
		if key := front.Fields[i].Key; key != stored.BodyKey {
			keys = append(keys, strings.TrimPrefix(key, "$"))
		}
	}
	if len(names) > 1 {
		names = append(names, fields.Synonyms("fullDescription", keys)...)
	}
	t := prose.FindAmong(k, keys, isPost(name, p), names...)
	if f := front.Get("format"); t.Field == k.field && t.Format == site.Markdown && f != nil && strings.EqualFold(f.Text, string(site.HTML)) {
		t.Format = site.HTML // whoever edits it says so
	}
	return t
}

// isPost reports whether a file that holds a document of MongoDB's, or a lesson of one, holds a post.
func isPost(name string, p *frontmatter.Parts) bool {
	return p.Stored() && collOf(name) == stored.Blogs
}

// keepText takes up what there is to say of the text of a file that holds a document of MongoDB's. One without a text
// is left out, unless it is a draft or a course, which is more than its text.
func (p *parsed) keepText(name string, t *prose.Text, line int) {
	note := func(sev diag.Severity, field, message, remedy string) {
		p.problems = append(p.problems, diag.Problem{Severity: sev, Line: line, Field: field, Message: message, Remedy: remedy})
	}
	if !t.Found() {
		draft := p.draft || !p.says
		switch {
		case !p.stored || collOf(name) != stored.Blogs:
			if t.Reason != prose.Missing {
				note(diag.Warning, t.Field, t.Reason, "write it in "+t.Field)
			}
		case draft:
			note(diag.Warning, t.Field, t.Reason, "write it before the document is published")
		default:
			note(diag.Error, t.Field, t.Reason, "write it, or make the document a draft")
			p.broken, p.reason, p.badField = true, t.Reason, t.Field
		}
		return
	}
	if t.Odd != "" {
		note(diag.Warning, "content", t.Odd+", so "+t.Field+" is shown", "remove what is no text")
	}
	if t.Note != "" {
		note(diag.Warning, t.Field, t.Field+" "+t.Note, t.Remedy)
	}
}

// warning is a problem whose place is the file.
func warning(field, message, remedy string) diag.Problem {
	return diag.Problem{Severity: diag.Warning, Field: field, Message: message, Remedy: remedy}
}
