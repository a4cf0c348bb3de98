package pagestore

import (
	"iter"
	"strings"

	"freshet/internal/site"
)

// Reserved begins the names that the public tree keeps for itself at its top.
const Reserved = ".freshet"

// A File is an entry that has a file in the public tree. The zero File is none.
type File struct{ node *node }

// IsZero reports whether f is none.
func (f File) IsZero() bool { return f.node == nil }

// Path returns the entry's path.
func (f File) Path() site.Path { return f.node.path() }

// Kind returns the entry's kind.
func (f File) Kind() site.Kind { return f.node.traits.Kind }

// Type returns the entry's media type.
func (f File) Type() string { return f.node.traits.Type }

// Object returns the object that the file holds.
func (f File) Object() site.ObjectRef { return f.node.object }

// fileOf returns the file of n; n may be nil.
func fileOf(n *node) File {
	if n == nil || !HasFile(n.traits.Kind) {
		return File{}
	}
	return File{n}
}

// File returns the file of the entry at p, if g has one.
func (g *Generation) File(p site.Path) File { return fileOf(g.find(p)) }

// Files returns all files, in the order of [Generation.All].
func (g *Generation) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		for n := range g.nodes() {
			if f := fileOf(n); !f.IsZero() && !yield(f) {
				return
			}
		}
	}
}

// FileDiff is [Generation.Diff] for files. It pairs the file that was at a path with the one that is there; one of the two may
// be zero. A pair may hold the same object.
func (g *Generation) FileDiff(old *Generation) iter.Seq2[File, File] {
	return func(yield func(was, is File) bool) {
		for a, b := range g.diff(old) {
			was, is := fileOf(a), fileOf(b)
			if (!was.IsZero() || !is.IsZero()) && !yield(was, is) {
				return
			}
		}
	}
}

// HasFile reports whether entries of a kind have a file in the public tree.
func HasFile(kind site.Kind) bool { return kind >= site.KindAsset && kind <= site.KindFeed }

// FileName returns the slash-separated name of the file of the entry at p in the public tree.
func FileName(p site.Path) string {
	name := strings.TrimPrefix(string(p), "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	return name
}
