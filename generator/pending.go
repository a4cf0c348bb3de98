package generator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"freshet/generator/plan"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// A site that was never complete may be served before all pages are built. Its first generation then lacks posts, the
// deferred pages. Later builds make them, requested pages first. Until the site is complete it has no sitemap and no
// public tree, so that these never name a missing page. A site that once had a sitemap never defers pages again.

// sitemapPath exists only on sites that were complete.
const sitemapPath = "/sitemap.xml"

// maxAwaited limits the pages that readers wait for at a time.
const maxAwaited = 1000

var errAwaited = errors.New("too many pages are waited for")

// pending holds the deferred pages.
type pending struct {
	mu      sync.Mutex                  // protects the following fields; never held during a build
	paths   map[site.Path]struct{}      // nil: no build has decided yet
	order   []site.Path                 // the same paths, most viewed first
	awaited map[site.Path]chan struct{} // page → closed when the page is no longer deferred
}

// Await waits for the page at a path if it is deferred or may be, and moves it to the front. left reports whether it
// was deferred. An error means that it is not built yet.
func (g *Generator) Await(ctx context.Context, path site.Path) (left bool, err error) {
	p := &g.pending
	p.mu.Lock()
	gen := g.cfg.Store.Current()
	if _, left = p.paths[path]; !left && (p.paths != nil || Whole(gen) || gen.Pinned()) { // no build follows on a pinned site
		p.mu.Unlock()
		return false, nil
	}
	made := p.awaited[path]
	if made == nil {
		if len(p.awaited) >= maxAwaited {
			p.mu.Unlock()
			return true, errAwaited
		}
		if p.awaited == nil {
			p.awaited = map[site.Path]chan struct{}{}
		}
		made = make(chan struct{})
		p.awaited[path] = made
	}
	p.mu.Unlock()
	select {
	case <-made:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// set replaces the deferred pages.
func (p *pending) set(order []site.Path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = order
	p.paths = make(map[site.Path]struct{}, len(order))
	for _, path := range order {
		p.paths[path] = struct{}{}
	}
	p.release()
}

// made removes pages that a build has made, or for which it found no page.
func (p *pending) made(targets []plan.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.paths) == 0 {
		return
	}
	for _, t := range targets {
		delete(p.paths, t.Path)
	}
	p.order = slices.DeleteFunc(p.order, func(path site.Path) bool {
		_, left := p.paths[path]
		return !left
	})
	p.release()
}

// release wakes the callers that wait for pages which are no longer deferred. The caller holds the lock.
func (p *pending) release() {
	for path, made := range p.awaited {
		if _, left := p.paths[path]; !left {
			close(made)
			delete(p.awaited, path)
		}
	}
}

func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.paths)
}

// next returns the pages to build: all awaited ones, then n others.
func (p *pending) next(n int) []site.Path {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []site.Path
	for path := range p.awaited {
		out = append(out, path)
	}
	slices.Sort(out)
	for _, path := range p.order {
		if n <= 0 {
			break
		}
		if _, awaited := p.awaited[path]; !awaited {
			out = append(out, path)
			n--
		}
	}
	return out
}

// Whole reports whether the generation's site was complete at least once.
func Whole(gen *pagestore.Generation) bool {
	_, has := gen.Lookup(sitemapPath)
	return has
}

// leave removes from the targets of a whole plan the posts that the first generation defers.
func (g *Generator) leave(targets []plan.Target, opt Options) (now []plan.Target, left []site.Path) {
	gen := g.cfg.Store.Current()
	if g.cfg.Prerender <= 0 || opt.Full || Whole(gen) {
		return targets, nil
	}
	type post struct {
		path  site.Path
		views int64
	}
	var posts []post // newest first
	for d := range g.snap.Posts().All() {
		path := site.PathOf(d)
		if _, made := gen.Lookup(path); !made {
			posts = append(posts, post{path, d.Views})
		}
	}
	if len(posts) <= g.cfg.Prerender {
		return targets, nil
	}
	slices.SortStableFunc(posts, func(a, b post) int { return cmp.Compare(b.views, a.views) })
	later := map[site.Path]bool{}
	for _, p := range posts[g.cfg.Prerender:] {
		later[p.path] = true
		left = append(left, p.path)
	}
	return slices.DeleteFunc(targets, func(t plan.Target) bool { return later[t.Path] || inSitemap(t.Path) }), left
}

// due adds deferred pages to the targets of a change: rest of them, and those that readers wait for. The last ones come
// with the sitemap.
func (g *Generator) due(p *plan.Planner, targets []plan.Target, rest int) []plan.Target {
	if g.pending.len() == 0 {
		return targets
	}
	targets = slices.DeleteFunc(targets, func(t plan.Target) bool { return inSitemap(t.Path) })
	planned := map[site.Path]bool{}
	for _, t := range targets {
		planned[t.Path] = true
	}
	for _, path := range g.pending.next(rest) {
		if !planned[path] {
			planned[path] = true
			targets = append(targets, p.At(path, "left for later"))
		}
	}
	g.pending.mu.Lock()
	defer g.pending.mu.Unlock()
	for path := range g.pending.paths {
		if !planned[path] {
			return targets
		}
	}
	return append(targets, p.Sitemap()...)
}

func inSitemap(path site.Path) bool { return strings.HasPrefix(string(path), "/sitemap") }
