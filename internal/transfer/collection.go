package transfer

import (
	"path/filepath"
	"strings"

	"freshet/internal/extjson"
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
		for _, n := range names {
			if _, ok := d.Get(n); ok {
				return true
			}
		}
		return false
	}
	content, _ := d.Get("content")
	kind, _ := content.Doc.Get("type")
	switch {
	case has("curriculum"), has("price") && has("level", "instructor", "shortDescription", "fullDescription", "duration"):
		return Courses
	case has("title", "slug") && (has("htmlContent", "contentHTML", "excerpt", "publishedAt", "readTime") || content.Type == extjson.String || content.Type == extjson.Array ||
		kind.Type == extjson.String):
		return Blogs
	}
	return collectionOfFile(file)
}

// collectionOfFile reads a collection from a file's name: "courses.ndjson", "dirty.courses.ndjson", "blogs-2024.json".
func collectionOfFile(file string) string {
	base := filepath.Base(file)
	words := strings.FieldsFunc(strings.ToLower(base), func(r rune) bool { return r == '.' || r == '-' || r == ' ' })
	for _, w := range words {
		switch w {
		case "courses", "course":
			return Courses
		case "blogs", "blog", "posts", "post":
			return Blogs
		}
	}
	stem, ext, _ := strings.Cut(base, ".")
	if ext == "ndjson" || ext == "json" || ext == "jsonl" {
		return stem
	}
	return ""
}
