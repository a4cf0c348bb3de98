// Package explain says why a page is as it is ([Page]), and why a document has no page ([Reason]).
package explain

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// A Page says how a page came about. Its JSON form is that of freshet explain --json.
type Page struct {
	Path        site.Path  `json:"path"`
	Status      int        `json:"status"`
	Type        string     `json:"type,omitempty"`
	Bytes       int64      `json:"bytes,omitempty"`
	ETag        string     `json:"etag,omitempty"`
	Location    string     `json:"location,omitempty"`
	Remembered  *time.Time `json:"remembered,omitempty"` // when the page went away
	Template    string     `json:"template,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	Documents   []Document `json:"documents"`
	Keys        []string   `json:"keys"`
	Generation  uint64     `json:"generation"` // the generation that last changed it
	Changed     time.Time  `json:"changed"`
	Cause       string     `json:"cause"`
	Event       string     `json:"event,omitempty"` // what requested that: a command, the file watch, or a job with its event and the time of its acceptance
	File        string     `json:"file,omitempty"`  // in the public folder; empty: there is none
	Site        uint64     `json:"site"`            // the newest generation
	Pinned      bool       `json:"pinned"`
	Verified    *time.Time `json:"verified,omitempty"` // when the site was last compared with its source
	Fresh       bool       `json:"fresh"`
}

// A Document is a document that a page shows.
type Document struct {
	ID       site.ID `json:"id"`
	Revision string  `json:"revision"`
}

// Find returns the entry at a path. It tries the path with a slash behind it too, unless the path has an extension.
func Find(gen *pagestore.Generation, p site.Path) (*site.Entry, bool) {
	e, ok := gen.Lookup(p)
	if !ok && !strings.HasSuffix(string(p), "/") && path.Ext(string(p)) == "" {
		return gen.Lookup(p + "/")
	}
	return e, ok
}

// Nearest returns the path of the generation that was probably meant by p; empty: none is near.
func Nearest(gen *pagestore.Generation, p site.Path) site.Path {
	var paths []string
	for e := range gen.All() {
		paths = append(paths, string(e.Path))
	}
	slices.Sort(paths)
	return site.Path(diag.Nearest(string(p), paths))
}

// A Site is what NewPage needs to know of a site besides its generation.
type Site struct {
	Public     string        // folder of the public tree; empty: there is none
	Verified   time.Time     // when the site was last compared with its source; zero: never
	Revalidate time.Duration // for how long pages are fresh after that
}

// NewPage explains an entry of a generation.
func NewPage(s Site, gen *pagestore.Generation, e *site.Entry) (*Page, error) {
	docs, err := gen.Docs(e)
	if err != nil {
		return nil, fmt.Errorf("read what made %s: %w", e.Path, err)
	}
	origin, err := gen.Origin(e)
	if err != nil {
		return nil, fmt.Errorf("read who asked for %s: %w", e.Path, err)
	}
	x := &Page{
		Path: e.Path, Status: e.Status, Type: e.Type, Location: e.Location, Template: e.Template, Documents: []Document{},
		Keys: append([]string{}, e.Keys...), Generation: e.Generation, Changed: e.Changed.UTC(), Cause: e.Cause, Event: origin, Site: gen.ID, Pinned: gen.Pinned(),
	}
	if e.Status == 200 {
		x.Bytes, x.ETag, x.Fingerprint = e.Object.Size, `"`+e.Object.ID.String()+`"`, e.Fingerprint.String()
		if s.Public != "" && e.Kind != site.KindHidden {
			name := string(e.Path)
			if strings.HasSuffix(name, "/") {
				name += "index.html"
			}
			x.File = filepath.Join(s.Public, filepath.FromSlash(name))
		}
	}
	if !e.Remembered.IsZero() {
		since := e.Remembered.UTC()
		x.Remembered = &since
	}
	for _, d := range docs {
		x.Documents = append(x.Documents, Document{d.ID, d.Revision.String()})
	}
	if !s.Verified.IsZero() {
		x.Verified, x.Fresh = &s.Verified, !gen.Pinned() && time.Since(s.Verified) < s.Revalidate
	}
	return x, nil
}
