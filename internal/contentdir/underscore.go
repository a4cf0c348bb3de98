package contentdir

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
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
	defer func() {
		if recover() != nil { // the YAML library has panicked on malformed input before
			folders = nil
		}
	}()
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
		var config struct{ Collections any }
		if yaml.Unmarshal(data, &config) != nil {
			continue
		}
		switch c := config.Collections.(type) {
		case map[string]any:
			for name := range c {
				folders = append(folders, "_"+name)
			}
		case []any:
			for _, name := range c {
				if s, ok := name.(string); ok {
					folders = append(folders, "_"+s)
				}
			}
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}
