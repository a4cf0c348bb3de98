package site

import (
	"iter"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// SourceKey returns what all ways to name a file of the content tree have in common: the name in NFC and lower case,
// without the ending of Markdown or of a web page, and of a folder's own text the folder. "Blog/K.markdown",
// "blog/k.html", "blog/k/index.md" and "blog/k/" are all "blog/k". The content folder itself is ".".
func SourceKey(name string) string {
	name = strings.ToLower(norm.NFC.String(strings.Trim(path.Clean("/"+name), "/")))
	switch ext := path.Ext(name); ext {
	case ".md", ".markdown", ".mdx", ".mkd", ".html", ".htm":
		if stem := strings.TrimSuffix(name, ext); stem != "" && !strings.HasSuffix(stem, "/") {
			name = stem
		}
	}
	switch dir, base := path.Split(name); base {
	case "index", "_index", "readme":
		name = strings.TrimSuffix(dir, "/")
	}
	if name == "" {
		return "."
	}
	return name
}

// FileKey is the name of a file of the content tree as links find it: in NFC, which is how all but macOS write names.
func FileKey(name string) string { return norm.NFC.String(name) }

// nameOf is the last part of a SourceKey, by which references find a document wherever it lies.
func nameOf(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// FindAll yields the visible documents with that name, by ID.
func (s *Snapshot) FindAll(n Name) iter.Seq[Document] {
	return func(yield func(Document) bool) {
		for item := range s.names[n.Space].From(claim{path: Path(n.Name)}) {
			if string(item.path) != n.Name || !yield(item.doc) {
				return
			}
		}
	}
}
