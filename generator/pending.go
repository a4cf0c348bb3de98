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

// A site that has never been whole may be shown before all of it is made: its first generation then lacks posts, which
// the builds after it make, those first that somebody asks for. Until it is whole it has no sitemap and no public tree,
// so that these never name a page that is not there; and a site that once had a sitemap is never left in parts again.

// sitemapPath tells a site that was whole.
const sitemapPath = "/sitemap.xml"

// maxAwaited bounds how many pages somebody may wait for at a time.
const maxAwaited = 1000

var errAwaited = errors.New("too many pages are waited for")

// pending is what is left to make.
type pending struct {
	mu      sync.Mutex                  // protects what follows; held for moments, not while a build runs
	paths   map[site.Path]struct{}      // nil: no build has looked yet
	order   []site.Path                 // the same, most viewed first
	awaited map[site.Path]chan struct{} // closed when the page is no more to be made
}

// Await waits for the page at a path if it is left to make, or may be, and puts it before the others. It reports whether
// it was; the error says that it is not there yet all the same.
func (g *Generator) Await(ctx context.Context, path site.Path) (left bool, err error) {
	p := &g.pending
	p.mu.Lock()
	gen := g.cfg.Store.Current()
	if _, left = p.paths[path]; !left && (p.paths != nil || Whole(gen) || gen.Pinned()) { // a pinned site is not built
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

// set replaces what is left to make.
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

// made takes out what a build has made, or found to have no page.
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

// release tells those who wait for what is no more to be made. The caller holds the lock.
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

// next returns what to make: all that somebody waits for, then n others.
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

// Whole reports whether a generation's site has once had all of its pages.
func Whole(gen *pagestore.Generation) bool {
	_, has := gen.Lookup(sitemapPath)
	return has
}

// leave takes out of the targets of a whole plan the posts that a first generation can do without.
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

// due adds to the targets of a change what is left to make: rest pages, and those that somebody waits for. The last of
// them bring the sitemap.
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
