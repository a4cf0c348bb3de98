package documents

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// beside lists the folders beside a content tree whose files other tools publish unchanged: static/ (Hugo, Zola) and public/
// (Astro). If the tree is src/content, the folders beside src/ count too. It leaves out folders that overlap with the tree
// or with own, and a public/ that is a built site.
func beside(content string, own []string) []string {
	parent := filepath.Dir(filepath.Clean(content))
	parents := []string{parent}
	if filepath.Base(parent) == "src" {
		parents = append(parents, filepath.Dir(parent))
	}
	var out []string
	for _, p := range parents {
		for _, name := range [...]string{"static", "public"} {
			dir := filepath.Join(p, name)
			overlaps := slices.ContainsFunc(append([]string{content}, own...), func(o string) bool { return o != "" && overlap(o, dir) })
			if info, err := os.Stat(dir); overlaps || err != nil || !info.IsDir() || name == "public" && isBuilt(dir) {
				continue
			}
			out = append(out, dir)
		}
	}
	return out
}

// overlap reports whether two paths are one folder, or one lies in the other.
func overlap(a, b string) bool {
	real := func(p string) string {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		if target, err := filepath.EvalSymlinks(p); err == nil {
			p = target
		}
		return p + string(filepath.Separator)
	}
	a, b = real(a), real(b)
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// isBuilt reports whether a folder is a site that some tool has built.
func isBuilt(dir string) bool {
	for _, name := range [...]string{"index.html", ".freshet"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}
