package revalidator

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"freshet/internal/site"
)

// Pages are the pages of one generation. A Resolver reads them; it does not import the page log.
type Pages interface {
	// Lookup returns the entry at a path, if there is one.
	Lookup(p site.Path) (*site.Entry, bool)
	// Docs returns the documents that an entry was made from.
	Docs(e *site.Entry) ([]site.DocRef, error)
	// All returns every entry, in any order.
	All() iter.Seq[*site.Entry]
}

// A Resolver finds the documents that a [Request] means, and the pages that show them. For example, the tag water means
// all documents that the list of water shows. It knows only what the newest generation shows: a request for anything else
// means a new document.
type Resolver struct {
	Current func() Pages // returns the newest generation
	InFiles bool         // documents are files of a content tree, named by their paths; false: they are in MongoDB

	plans sync.Mutex // one Plan at a time: each reads the whole generation
}

// Resolve returns the names of the documents to read again. Use it as Config.Resolve.
//
// A request may name a document that no page shows yet. MongoDB finds such a document by name or slug. A content tree
// finds it only by its file name. For any other name everything is true: any document may have changed.
func (r *Resolver) Resolve(req Request) (names []string, everything bool) {
	gen := r.Current()
	everything = req.Everything
	for _, d := range req.Docs {
		name := d.Name()
		own := documentAt(gen, site.PathNamed(name))
		switch {
		case own != "":
			names = append(names, string(own))
			if !r.InFiles {
				names = append(names, d.Names()...) // another document may have taken its slug
			}
		case !r.InFiles:
			names = append(names, d.Names()...)
		case strings.Contains(name, ":") || !plausibleFile(name):
			everything = true
		default:
			names = append(names, name)
		}
	}
	for _, tag := range req.Tags {
		list := site.TopicPath(site.TagSlug(tag))
		found := documentsOf(gen, list)
		everything = everything || len(found) == 0
		for n := 1; ; n++ {
			names = append(names, found...)
			page := site.Path(fmt.Sprintf("%spage/%d/", list, n))
			if _, has := gen.Lookup(page); !has {
				break
			}
			found = documentsOf(gen, page)
			everything = everything || len(found) == 0
		}
	}
	for _, address := range req.Paths {
		path, valid := site.PathIn(address)
		found := documentsOf(gen, path)
		if len(found) == 0 {
			found = documentsOf(gen, path+"/")
		}
		names = append(names, found...)
		everything = everything || !valid || len(found) == 0
	}
	return names, everything
}

// Plan returns the paths of the pages that show a document of the request. Use it as Config.Plan.
func (r *Resolver) Plan(ctx context.Context, req Request) ([]string, error) {
	r.plans.Lock()
	defer r.plans.Unlock()
	gen := r.Current()
	names, everything := r.Resolve(req)
	wanted := map[site.ID]bool{}
	for _, name := range names {
		wanted[site.ID(name)] = true
	}
	out := []string{}
	for e := range gen.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e.Status != 200 || e.Kind == site.KindAsset || !e.Remembered.IsZero() {
			continue
		}
		shows := everything || wanted[e.Doc]
		if !shows {
			docs, err := gen.Docs(e)
			if err != nil {
				return nil, fmt.Errorf("read what made %s: %w", e.Path, err)
			}
			shows = slices.ContainsFunc(docs, func(d site.DocRef) bool { return wanted[d.ID] })
		}
		if shows {
			out = append(out, string(e.Path))
		}
	}
	slices.Sort(out)
	return out, nil
}

// plausibleFile reports whether a name can be a file name in a content tree.
func plausibleFile(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 || part == ".." {
			return false
		}
	}
	return true
}

// documentAt returns the document whose own page is, or was, at a path; empty: there is none.
func documentAt(gen Pages, p site.Path) site.ID {
	if e, ok := gen.Lookup(p); ok && e.Doc != "" {
		return e.Doc
	}
	return ""
}

// documentsOf returns the documents that the page at a path shows. It returns none if they cannot be read: the page may
// then show any document.
func documentsOf(gen Pages, p site.Path) []string {
	e, ok := gen.Lookup(p)
	if !ok {
		return nil
	}
	docs, err := gen.Docs(e)
	if err != nil {
		return nil
	}
	var names []string
	if e.Doc != "" {
		names = append(names, string(e.Doc))
	}
	for _, d := range docs {
		if d.ID != e.Doc {
			names = append(names, string(d.ID))
		}
	}
	return names
}
