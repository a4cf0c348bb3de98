package mongodb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/fields"
	"freshet/internal/site"
)

// hidingOf is what the fields of a document or a lesson say about whether readers may see it.
func hidingOf(list fieldList) fields.Verdict {
	var h fields.Hiding
	for i := range list {
		if list[i].as == "" || list[i].mapped {
			h.Read(string(list[i].key), hidingValue(list[i].v))
		}
	}
	return h.Verdict()
}

// hidingValue is a value as fields.Hiding reads it.
func hidingValue(v bson.RawValue) fields.Value {
	switch {
	case isNull(v):
		return fields.Value{}
	case v.Type == bson.TypeBoolean:
		return fields.Value{Kind: fields.Bool, Text: strconv.FormatBool(v.Value[0] != 0)}
	case isNumber(v):
		return fields.Value{Kind: fields.Number, Text: numberText(v)}
	case v.Type == bson.TypeDateTime, v.Type == bson.TypeTimestamp:
		if t, state, _ := readDate(v, nil); state != dateBad {
			return fields.Value{Kind: fields.Date, Time: t} // zero where the date is none
		}
	default:
		if b, ok := stringBytes(v); ok {
			return fields.Value{Kind: fields.Text, Text: valid(string(b))}
		}
	}
	return fields.Value{Kind: fields.Other}
}

// bool reads true and false in any spelling; ok is false when the field has none.
func (r *reader) bool(name string) (b, ok bool) { return truth(r.fields.get(name).v) }

func truth(v bson.RawValue) (b, ok bool) {
	s, ok := text(v)
	if !ok {
		return false, false
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// published is publishedAt, else createdAt, else the ObjectId's time. wanted says that a missing one is worth a word.
func (r *reader) published(draft, wanted bool) time.Time {
	f := r.fields.get("publishedAt", "published_at", "date")
	t, state, why := readDate(f.v, r.d.zone)
	name := cmp.Or(f.name, "publishedAt")
	switch state {
	case dateGood:
		return t
	case dateRepaired:
		r.warn(name, fmt.Sprintf("%s %s, read as %s", name, why, t.Format(time.RFC3339)), "store a date")
		return t
	case dateBad:
		if !draft {
			r.skip(name, fmt.Sprintf("%s %s", name, why), "store a date, or write it as 2006-01-02")
			return time.Time{}
		}
		r.warn(name, fmt.Sprintf("%s %s", name, why), "store a date, or write it as 2006-01-02")
	}
	stand, instead := time.Time{}, ""
	if c, state, _ := readDate(r.fields.get("createdAt", "created_at").v, r.d.zone); state == dateGood || state == dateRepaired {
		stand, instead = c, "createdAt stands in"
	} else if !r.born.IsZero() {
		stand, instead = r.born, "the time in its _id stands in"
	}
	if f.name == "" {
		why = "is not there"
	}
	if !draft && (wanted || f.name != "") {
		r.warn(name, fmt.Sprintf("%s %s: %s", name, why, cmp.Or(instead, "the document counts as the oldest")), "store the date of publication")
	}
	return stand
}

// date reads a date without which the document can be shown; zero when it cannot be read.
func (r *reader) date(names ...string) time.Time {
	f := r.fields.get(names...)
	t, state, why := readDate(f.v, r.d.zone)
	if f.name != "" && state != dateGood && state != dateMissing {
		r.warn(f.name, fmt.Sprintf("%s %s", f.name, why), "store a date")
	}
	return t
}

// expires is when the document goes away. One that cannot be read leaves the document out: it may be over.
func (r *reader) expires(draft bool) time.Time {
	f := r.fields.get("expiresAt")
	t, state, why := readDate(f.v, r.d.zone)
	switch {
	case state == dateBad && !draft:
		r.skip(f.name, fmt.Sprintf("expiresAt %s", why), "store a date, or remove it")
	case state == dateBad, state == dateRepaired:
		r.warn(f.name, fmt.Sprintf("expiresAt %s", why), "store a date")
	}
	return t
}

func (r *reader) lang() string {
	f := r.fields.get("lang", "language")
	if f.name == "" {
		return ""
	}
	s, _ := text(f.v)
	tag, ok := site.Language(s)
	if !ok {
		r.warn(f.name, fmt.Sprintf("%s is not a language", shown(f.v)), "write a code such as en or hi")
	}
	return r.d.shared(tag)
}

// list reads names from a list, of which each item is text or an object with a name, or from text with commas.
func (r *reader) list(v bson.RawValue) []string {
	var out []string
	add := func(s string) {
		if s = clean(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if v.Type == bson.TypeArray {
		for _, it := range items(v) {
			switch it.Type {
			case bson.TypeArray:
				for _, s := range r.flat(it) {
					add(s)
				}
			case bson.TypeEmbeddedDocument:
				add(object(it).str("name", "title", "label"))
			default:
				s, _ := text(it)
				add(s)
			}
		}
		return out
	}
	if s, ok := text(v); ok {
		for _, s := range strings.Split(s, ",") {
			add(s)
		}
	}
	return out
}
