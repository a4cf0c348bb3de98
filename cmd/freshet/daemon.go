package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"freshet/internal/mongodb"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/revalidator"
	"freshet/revalidator/webhook"
	"freshet/server"
)

var (
	_ revalidator.Feed   = (*mongodb.Feed)(nil)
	_ revalidator.Census = (*source)(nil)

	_ webhook.Desk = (*revalidator.Revalidator)(nil)
	_ webhook.Desk = (*revalidator.Control)(nil)
)

// openDaemon makes the revalidator of a workshop, with the purges at the CDNs that the settings name. Whoever opens it
// closes the purges, and runs both.
func openDaemon(eff *settings.Effective, w *workshop, dev *server.DevEvents, logger *slog.Logger) (*builds, *revalidator.Revalidator, error) {
	b := &builds{workshop: w, dev: dev, logger: logger, said: map[string]bool{}}
	var err error
	if b.purges, err = openPurges(eff, w.store, logger); err != nil {
		return nil, nil, err
	}
	daemon, err := newDaemon(eff, b)
	if err != nil {
		return nil, nil, errors.Join(err, b.purges.Close())
	}
	return b, daemon, nil
}

func newDaemon(eff *settings.Effective, b *builds) (*revalidator.Revalidator, error) {
	atlas := &atlas{store: b.workshop.store, inFiles: !eff.FromMongo()}
	cfg := revalidator.Config{
		Build:       b.build,
		Unavailable: unavailable,
		Why:         b.workshop.source.why,
		Refused:     b.obstacles.list,
		Resolve:     atlas.resolve,
		Plan:        atlas.plan,
		Await:       b.workshop.await,
		Mend:        b.workshop.store.Distrust,
		Purged:      b.purges.trusted,
		NextFlip:    b.workshop.gen.NextFlip,
		Content:     eff.Content,
		Theme:       eff.Templates,
		State:       eff.State,
		Control:     eff.State,
		Verify:      eff.ISR.Revalidate,
		Census:      b.workshop.source,
		Logger:      b.logger,
	}
	if source := b.workshop.source; source.mongo != nil {
		feed, err := mongodb.NewFeed(source.db, eff.ISR.Poll)
		if err != nil {
			return nil, err
		}
		cfg.Feed = feed
	}
	return revalidator.New(cfg)
}

// unavailable reports whether a build failed because something could not be asked or written, which is not the fault of
// what was to be built.
func unavailable(err error) bool {
	_, mongo := errors.AsType[*mongodb.Error](err)
	_, file := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return mongo || file || link || system
}

// maxListed is how many changed pages a build tells of.
const maxListed = 10_000

// pagesChanged lists what is different in a generation, but for what pages are made of.
func pagesChanged(was, is *pagestore.Generation) []revalidator.PageChange {
	var out []revalidator.PageChange
	for old, now := range is.Changes(was) {
		if len(out) == maxListed {
			break
		}
		there := func(e *site.Entry) bool { return e != nil && e.Status == 200 }
		c := revalidator.PageChange{Outcome: "changed"}
		switch {
		case now == nil:
			c.Path, c.Outcome = old.Path, "removed"
		case there(old) && !there(now):
			c.Path, c.Outcome = now.Path, "removed"
		case !there(old) && there(now):
			c.Path, c.Outcome = now.Path, "added"
		default:
			c.Path = now.Path
		}
		if !strings.HasPrefix(string(c.Path), "/assets/") {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b revalidator.PageChange) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return out
}

// An atlas finds the documents that names, tags and paths mean, and the pages that show them, in the newest generation.
type atlas struct {
	store   interface{ Current() *pagestore.Generation }
	inFiles bool // documents are named by files

	plans sync.Mutex // one plan at a time: each walks the whole generation
}

// resolve is what the revalidator calls before a build. What the site does not have yet may be any document of a content
// tree, where only its file's name would tell; MongoDB is asked for it by its slug.
func (a *atlas) resolve(req revalidator.Request) (names []string, everything bool) {
	gen := a.store.Current()
	everything = req.Everything
	for _, d := range req.Docs {
		name := d.Name()
		own := a.documentAt(gen, pathNamed(name))
		switch {
		case own != "":
			names = append(names, string(own))
			if !a.inFiles {
				names = append(names, d.Names()...) // another document may have taken its slug
			}
		case !a.inFiles:
			names = append(names, d.Names()...)
		case strings.Contains(name, ":") || !plausibleFile(name):
			everything = true
		default:
			names = append(names, name)
		}
	}
	for _, tag := range req.Tags {
		list := site.TopicPath(site.TagSlug(tag))
		found := a.documentsOf(gen, list)
		everything = everything || len(found) == 0
		for n := 1; ; n++ {
			names = append(names, found...)
			page := site.Path(fmt.Sprintf("%spage/%d/", list, n))
			if _, has := gen.Lookup(page); !has {
				break
			}
			found = a.documentsOf(gen, page)
			everything = everything || len(found) == 0
		}
	}
	for _, p := range req.Paths {
		path, err := pagePath(p)
		found := a.documentsOf(gen, path)
		if len(found) == 0 {
			found = a.documentsOf(gen, path+"/")
		}
		names = append(names, found...)
		everything = everything || err != nil || len(found) == 0
	}
	return names, everything
}

// pathNamed is where the page of blog:<slug>, course:<slug> or page:<path> is; empty: the name is of another kind.
func pathNamed(name string) site.Path {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "blog":
		return site.PostPath(site.Slug(rest))
	case "course":
		return site.CoursePath(site.Slug(rest))
	case "page":
		return site.Path("/" + strings.Trim(rest, "/") + "/")
	}
	return ""
}

// plausibleFile reports whether a name can be one in a content tree.
func plausibleFile(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 || part == ".." {
			return false
		}
	}
	return true
}

// documentAt is the document whose own page is, or was, at a path; empty: there is none.
func (a *atlas) documentAt(gen *pagestore.Generation, p site.Path) site.ID {
	if e, ok := gen.Lookup(p); ok && e.Doc != "" {
		return e.Doc
	}
	return ""
}

// documentsOf are the documents that the page at a path shows.
func (a *atlas) documentsOf(gen *pagestore.Generation, p site.Path) []string {
	e, ok := gen.Lookup(p)
	if !ok {
		return nil
	}
	docs, err := gen.Docs(e)
	if err != nil {
		return nil // then it may be any
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

// plan lists the pages that show a document that the request means.
func (a *atlas) plan(ctx context.Context, req revalidator.Request) ([]string, error) {
	a.plans.Lock()
	defer a.plans.Unlock()
	gen := a.store.Current()
	names, everything := a.resolve(req)
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
