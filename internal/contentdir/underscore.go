package contentdir

import (
	"io"
	"os"
	"slices"
	"strings"

	"freshet/internal/frontmatter"
)

// ownCollections are the folders with an underscore that are content wherever they are.
var ownCollections = set("_posts", "_drafts", "_episodes")

// ignores reports whether a file is Markdown in a folder that Jekyll and Astro ignore, as its name begins with an underscore. What
// else is in such a folder is published when a page refers to it, and what is in static/ always is.
func (s *Source) ignores(name string) bool {
	if _, ok := markdownName(name); !ok || !strings.Contains(name, "_") || strings.HasPrefix(name, "static/") {
		return false
	}
	for {
		dir, rest, ok := strings.Cut(name, "/")
		if !ok {
			return false
		}
		if dir != "" && dir[0] == '_' && !ownCollections[dir] && !slices.Contains(s.collections, dir) {
			return true
		}
		name = rest
	}
}

// maxConfigBytes bounds what is read of Jekyll's settings.
const maxConfigBytes = 1 << 20

// readCollections are the folders of the collections that Jekyll's settings in the tree declare. Settings that cannot be
// read declare none: they are another tool's.
func readCollections(root *os.Root) (folders []string) {
	for _, name := range [...]string{"_config.yml", "_config.yaml"} {
		f, err := root.Open(name)
		if err != nil {
			continue
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
		if err != nil {
			continue
		}
		front := frontmatter.Parts{Dialect: frontmatter.YAML, Front: data, FrontLine: 1}
		config, prob := front.Decode()
		if prob != nil {
			continue
		}
		collections := config.Get("collections")
		if collections == nil {
			continue
		}
		for _, f := range collections.Fields {
			folders = append(folders, "_"+f.Key)
		}
		for _, item := range collections.Items {
			if item.Kind == frontmatter.Text {
				folders = append(folders, "_"+item.Text)
			}
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}
