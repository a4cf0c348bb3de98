package transfer

import (
	"path/filepath"
	"slices"
	"strings"

	"freshet/internal/extjson"
	"freshet/internal/fields"
)

// The collections of the content.
const (
	Blogs   = "blogs"
	Courses = "courses"
)

// CollectionOf tells a document's collection by its shape, else by the name of the file it is in; "" when neither
// tells.
func CollectionOf(d extjson.Doc, file string) string {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := d.Get(n); return ok })
	}
	var keys []string
	known := map[string]bool{} // freshet's own names of the fields
	lessons := false
	for _, f := range d {
		keys, known[f.Key] = append(keys, f.Key), true
		own, _ := fields.Meaning(f.Key, false)
		known[own] = known[own] || f.Key != "name" // many things have one
		lessons = lessons || own == "curriculum" && slices.ContainsFunc(f.Value.Items, hasLessons)
	}
	content, _ := d.Get("content")
	kind, _ := content.Doc.Get("type")
	isText := content.Type == extjson.String || content.Type == extjson.Array || kind.Type == extjson.String
	switch {
	case lessons, has("curriculum"), has("price") && has("level", "instructor", "shortDescription", "fullDescription", "duration"):
		return Courses
	case (known["title"] || known["slug"]) && (isText || has("htmlContent", "contentHTML", "readTime") || known["excerpt"] || known["publishedAt"]),
		known["title"] && len(fields.Synonyms("content", keys)) > 0 && (known["slug"] || known["tags"] || known["categories"] || known["author"]):
		return Blogs
	}
	return collectionOfFile(file)
}

// hasLessons reports whether a value is a module of a course.
func hasLessons(v extjson.Value) bool {
	var keys []string
	for _, f := range v.Doc {
		keys = append(keys, f.Key)
	}
	return fields.Lessons(keys) != ""
}

// collectionOfFile reads a collection from a file's name: "courses.ndjson", "dirty.courses.ndjson", "blogs-2024.json".
func collectionOfFile(file string) string {
	base := filepath.Base(file)
	words := strings.FieldsFunc(strings.ToLower(base), func(r rune) bool { return r == '.' || r == '-' || r == ' ' })
	for _, w := range words {
		switch w {
		case "courses", "course":
			return Courses
		case "blogs", "blog", "posts", "post", "articles", "article", "blogposts", "blogpost", "stories", "entries":
			return Blogs
		}
	}
	stem, ext, _ := strings.Cut(base, ".")
	if ext == "ndjson" || ext == "json" || ext == "jsonl" {
		return stem
	}
	return ""
}
