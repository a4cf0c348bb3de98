package mongodb

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/diag"
	"freshet/internal/site"
)

func (r *reader) authors() []site.Author {
	f := r.fields.get("authors", "author")
	var out []site.Author
	seen := map[string]bool{}
	r.eachAuthor(f.name, f.v, 0, func(a site.Author) {
		a.Name = clean(a.Name)
		if a.Name == "" || seen[a.Name] {
			return
		}
		seen[a.Name] = true
		if len(out) < site.MaxAuthors {
			a.Name = r.d.shared(a.Name)
			out = append(out, a)
		}
	})
	if len(seen) > site.MaxAuthors {
		r.warn(f.name, fmt.Sprintf("%d authors are more than the %d that a document may have: the first %d count", len(seen), site.MaxAuthors, site.MaxAuthors),
			"name those who wrote most of it, and the others in the text")
	}
	if img := r.fields.get("authorImage"); img.name != "" && len(out) == 1 && out[0].Image == "" {
		out[0].Image = r.picture("authorImage", "author", img.v).Src
	}
	return out
}

// eachAuthor finds the people that a field names.
func (r *reader) eachAuthor(name string, v bson.RawValue, depth int, add func(site.Author)) {
	s, ok := text(v)
	switch {
	case isNull(v) || depth > 2:
	case ok && isHexID(s):
		r.warn(name, fmt.Sprintf("%s is a reference (%s), not a name, so none is shown", name, s), refRemedy(name))
	case ok && depth == 0:
		for _, n := range site.SplitNames(s) {
			add(site.Author{Name: n})
		}
	case ok && (strings.Contains(s, "](") || strings.Contains(s, " and ") && !strings.Contains(s, ",")):
		for _, n := range site.SplitNames(s) {
			add(site.Author{Name: n})
		}
	case ok:
		add(site.Author{Name: site.BareName(s)})
	case v.Type == bson.TypeArray:
		for _, it := range items(v) {
			r.eachAuthor(name, it, depth+1, add)
		}
	case v.Type == bson.TypeEmbeddedDocument:
		f := object(v)
		a := site.Author{Name: site.BareName(f.str("name", "title", "display_name", "displayName"))}
		img := f.get("image", "avatar", "picture", "photo", "image_url")
		a.Image = r.picture(name+"."+img.name, "author", img.v).Src
		switch {
		case a.Name == "":
			r.warn(name, name+" is an object without a name", "write the name")
		case depth == 0:
			r.warn(name, fmt.Sprintf("%s is an object, of which the name %q is taken", name, diag.Clip(a.Name, 40)), "write the name")
		}
		add(a)
	case v.Type == bson.TypeObjectID:
		r.warn(name, name+" is a reference (an ObjectId), not a name, so none is shown", refRemedy(name))
	default:
		r.warn(name, fmt.Sprintf("%s is %s, not a name, so none is shown", name, typeNames[v.Type]), "write the name")
	}
}

// refRemedy says how a reference becomes a name.
func refRemedy(name string) string {
	return fmt.Sprintf("say in mongo.refs what it refers to: {%s: {collection: users, field: name}}", name)
}

// views reads the counter that orders pre-rendering.
func (r *reader) views() int64 {
	f := r.fields.get("views", "viewCount")
	if f.name == "" {
		return 0
	}
	n, ok := amount(f.v)
	switch {
	case !ok || n < 0:
		r.warn(f.name, fmt.Sprintf("%s %s is no count, so it is taken as 0", f.name, shown(f.v)), "store a number")
		return 0
	case !isNumber(f.v):
		r.warn(f.name, fmt.Sprintf("%s %s is taken as %.0f", f.name, shown(f.v), n), "store a number")
	}
	return int64(min(n, 1<<62))
}
