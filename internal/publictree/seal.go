package publictree

import (
	"encoding/json"
	"errors"
	"os"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
)

// A Seal describes a public tree that is up to date, so that another process can tell that it still is. It is a shortcut: if
// [Seal.Holds] is false, [Open] and [Tree.Sync] find out why. The zero Seal describes a site without a public tree.
type Seal struct {
	Marker digest.Sum `json:"marker,omitempty"` // of the tree's marker file; 0: there is no tree
	Home   bool       `json:"home,omitempty"`   // the tree has a file of the home page
}

// Seal describes the tree. ok is false if the tree is not wholly at g.
func (t *Tree) Seal(g *pagestore.Generation) (s Seal, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, err := t.root.ReadFile(markerName)
	if err != nil || !t.marker.equal(marker{Site: t.store.SiteID(), mark: markOf(g), Boot: t.boot, Forms: t.forms}) {
		return Seal{}, false
	}
	var written marker
	if json.Unmarshal(b, &written) != nil || !written.equal(t.marker) {
		return Seal{}, false
	}
	return Seal{Marker: max(digest.Bytes(b), 1), Home: !g.File("/").IsZero()}, true
}

// Holds reports whether the folder dir (empty: none) is the sealed tree, as far as [Tree.Sync] would look at it.
func (s Seal) Holds(dir string) bool {
	if dir == "" || s.Marker == 0 {
		return dir == "" && s.Marker == 0
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	b, err := root.ReadFile(markerName)
	if err != nil || max(digest.Bytes(b), 1) != s.Marker {
		return false
	}
	var m marker
	if json.Unmarshal(b, &m) != nil || m.Boot != bootID() {
		return false
	}
	if _, err := root.Lstat(stagingName); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	_, err = root.Lstat(pagestore.FileName("/"))
	return err == nil || !s.Home
}
