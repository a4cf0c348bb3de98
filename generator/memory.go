package generator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// The site remembers the addresses of removed pages: their new address (301), or that they are gone (410). A clean
// build cannot know this, so the page log stores it, within limits.
const (
	maxRemembered = 100_000
	rememberedFor = 365 * 24 * time.Hour
)

// memory holds facts about the current generation, so that a build need not read all entries.
type memory struct {
	loaded    bool
	pages     int                        // entries with status 200, without assets
	docPages  int                        // pages that belong to documents
	redirects map[site.Path]string       // all 301s, for the redirects file
	to        map[string][]site.Path     // target → remembered 301s that lead there
	lost      map[digest.Sum][]site.Path // remembered 410s by Source, and by the digest of Doc
	past      []past                     // remembered addresses, oldest first
	retired   []past                     // assets that no page shows any more, oldest first
}

type past struct {
	path  site.Path
	since time.Time
}

func (m *memory) load(gen *pagestore.Generation) {
	*m = memory{loaded: true, redirects: map[site.Path]string{}, to: map[string][]site.Path{}, lost: map[digest.Sum][]site.Path{}}
	for e := range gen.All() {
		m.count(e, 1)
		if e.Status == 301 {
			m.redirects[e.Path] = e.Location
			if !e.Remembered.IsZero() {
				m.to[e.Location] = append(m.to[e.Location], e.Path)
			}
		}
		switch {
		case e.Remembered.IsZero():
		case isAsset(e.Path):
			m.retired = append(m.retired, past{e.Path, e.Remembered})
		default:
			m.past = append(m.past, past{e.Path, e.Remembered})
			m.lose(e)
		}
	}
	older := func(a, b past) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.path, b.path)) }
	slices.SortFunc(m.past, older)
	slices.SortFunc(m.retired, older)
}

// lose records the address of a removed page, so that it can redirect if its document or content returns elsewhere.
func (m *memory) lose(e *site.Entry) {
	if e.Status != 410 {
		return
	}
	if len(m.lost) > 4*maxRemembered {
		clear(m.lost) // Most of them are no longer remembered. The next start reads the rest again.
	}
	for _, key := range lostKeys(e.Doc, e.Source) {
		if !slices.Contains(m.lost[key], e.Path) {
			m.lost[key] = append(m.lost[key], e.Path)
		}
	}
}

func lostKeys(doc site.ID, source digest.Sum) []digest.Sum {
	keys := []digest.Sum{digest.String(string(doc))}
	if source != 0 {
		keys = append(keys, source)
	}
	return keys
}

func (m *memory) count(e *site.Entry, n int) {
	if isPage(e) {
		m.pages += n
		if e.Doc != "" {
			m.docPages += n
		}
	}
}

// ones returns 1 for true.
func ones(is bool) int {
	if is {
		return 1
	}
	return 0
}

func isPage(e *site.Entry) bool {
	return e.Status == 200 && e.Kind != site.KindAsset && e.Kind != site.KindHidden
}

// departure collects what one build removes, and what the site remembers of it.
type departure struct {
	b          *build
	puts       []site.Entry
	removes    []site.Path
	pagesDelta int
	docsDelta  int
	redirects  bool               // the redirects file must be written again
	past       []past             // memory.past after this build
	retired    []past             // memory.retired after this build
	lost       []site.Path        // pages of documents that are gone
	targets    map[site.Path]bool // pages that others moved to

	planned  map[site.Path]struct{} // see isPlanned
	byDoc    map[site.ID]site.Path  // see movedTo
	bySource map[digest.Sum]site.Path
}

// isPlanned reports whether the build has planned something at path. The first build of a site never calls it.
func (d *departure) isPlanned(path site.Path) bool {
	if d.planned == nil {
		d.planned = make(map[site.Path]struct{}, len(d.b.pages)+len(d.b.assets))
		for i := range d.b.pages {
			d.planned[d.b.pages[i].path] = struct{}{}
		}
		for a := range d.b.assets {
			d.planned[a] = struct{}{}
		}
	}
	_, ok := d.planned[path]
	return ok
}

// movedTo returns the new address of e's document or content; empty: there is none.
func (d *departure) movedTo(e *site.Entry) site.Path {
	if to := d.b.g.moves[e.Path]; to != "" && d.there(to) {
		return to
	}
	if d.byDoc == nil {
		d.byDoc, d.bySource = map[site.ID]site.Path{}, map[digest.Sum]site.Path{}
		for i := range d.b.pages {
			if pg := &d.b.pages[i]; pg.moved && pg.doc != "" {
				d.byDoc[pg.doc] = pg.path
				if pg.source != 0 {
					d.bySource[pg.source] = pg.path
				}
			}
		}
	}
	to := d.byDoc[e.Doc]
	if to == "" && e.Source != 0 {
		to = d.bySource[e.Source]
	}
	return to
}

// there reports whether there is a page at path after the build.
func (d *departure) there(path site.Path) bool {
	if d.isPlanned(path) {
		return true
	}
	e, ok := d.b.gen.Lookup(path)
	return ok && isPage(e) && e.Remembered.IsZero()
}

// decide puts the fate of addresses without a page into the batch: removed, redirected or gone. It returns the number
// of removed pages.
func (d *departure) decide() (removed int, err error) {
	b, m := d.b, &d.b.g.memory
	for i := range b.pages {
		pg := &b.pages[i]
		if pg.kind == site.KindRedirect && m.redirects[pg.path] != b.redirects[pg.path] || pg.fresh && m.redirects[pg.path] != "" {
			d.redirects = true
		}
		is := pg.kind == site.KindPage || pg.kind == site.KindList || pg.kind == site.KindFeed
		d.pagesDelta += ones(is) - ones(pg.was)
		d.docsDelta += ones(is && pg.doc != "") - ones(pg.wasDoc)
	}

	var leaving []*site.Entry
	leave := func(e *site.Entry) {
		if e.Remembered.IsZero() && e.Path != redirectsPath && !d.isPlanned(e.Path) {
			leaving = append(leaving, e)
		}
	}
	if b.all {
		for e := range b.gen.All() {
			leave(e)
		}
	} else {
		for _, path := range slices.Concat(b.gone, b.g.usage.released(b)) {
			if e, ok := b.gen.Lookup(path); ok {
				leave(e)
			}
		}
	}
	slices.SortFunc(leaving, func(x, y *site.Entry) int { return cmp.Compare(x.Path, y.Path) })

	for _, e := range leaving {
		if isPage(e) {
			removed++
			d.pagesDelta--
			if e.Doc != "" {
				d.docsDelta--
			}
		}
		switch {
		case isAsset(e.Path):
			kept := *e
			kept.Kind, kept.Remembered, kept.Cause = site.KindHidden, b.now, "no page uses it any more"
			d.put(kept)
		case e.Doc == "" || e.Status != 200:
			if e.Status == 301 {
				d.redirects = true
			}
			d.remove(e.Path)
		default:
			d.remember(e)
		}
	}
	d.late()
	if err := d.tooMuch(); err != nil {
		return 0, err
	}
	d.prune()
	d.dropDamaged()
	return removed, nil
}

func (d *departure) put(e site.Entry) {
	d.puts = append(d.puts, e)
	d.b.put(e, nil)
}

func (d *departure) remove(path site.Path) {
	d.b.removals++
	d.removes = append(d.removes, path)
	d.b.batch.Remove(path)
}

// remember keeps the address of a document's page. If the document or its content has a new address, the old one
// redirects there. Otherwise it is gone.
func (d *departure) remember(e *site.Entry) {
	to := d.movedTo(e)
	if to != "" {
		d.redirect(e, to)
		return
	}
	d.put(site.Entry{
		Path: e.Path, Kind: site.KindRedirect, Status: 410, Doc: e.Doc, Source: e.Source, Remembered: d.b.now,
		Cause: "its document is gone or not published", Keys: e.Keys,
	})
	owner := e.Doc
	if t := d.b.g.shift.was[e.Path]; t != nil {
		owner = t.Doc.DocID() // the page is a lesson: its course owns it
	}
	if !d.b.g.expired(owner, d.b.now) {
		d.lost = append(d.lost, e.Path)
	}
}

// redirect makes the address of a removed page redirect to another.
func (d *departure) redirect(e *site.Entry, to site.Path) {
	d.redirects = true
	if d.targets == nil {
		d.targets = map[site.Path]bool{}
	}
	d.targets[to] = true
	location := to.URL()
	// Shorten chains: addresses that redirect to this one now redirect to the new one directly.
	for _, from := range d.b.g.memory.to[e.Path.URL()] {
		old, ok := d.b.gen.Lookup(from)
		if ok && !d.isPlanned(from) && !old.Remembered.IsZero() && old.Location == e.Path.URL() {
			moved := *old
			moved.Location, moved.Fingerprint = location, digest.String(location)
			d.put(moved)
		}
	}
	d.put(site.Entry{
		Path: e.Path, Kind: site.KindRedirect, Status: 301, Doc: e.Doc, Source: e.Source, Remembered: d.b.now,
		Cause: "its document moved", Keys: e.Keys, Location: location, Fingerprint: digest.String(location),
	})
}

// late redirects addresses that were gone and whose documents or content have returned elsewhere.
func (d *departure) late() {
	b := d.b
	gone := func(path site.Path) *site.Entry {
		if e, ok := b.gen.Lookup(path); ok && e.Status == 410 && b.now.Sub(e.Remembered) < rememberedFor && !d.isPlanned(path) {
			return e
		}
		return nil
	}
	to := map[site.Path]site.Path{}
	for path, target := range b.g.moves {
		if d.there(target) {
			to[path] = target
		}
	}
	for i := range b.pages {
		pg := &b.pages[i]
		if !pg.moved || pg.doc == "" {
			continue
		}
		for _, key := range lostKeys(pg.doc, pg.source) {
			for _, path := range b.g.memory.lost[key] {
				e := gone(path)
				if e == nil || e.Doc != pg.doc && (e.Source == 0 || e.Source != pg.source) {
					continue
				}
				if known := to[path]; known == "" || pg.path < known {
					to[path] = pg.path
				}
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(to)) {
		if e := gone(path); e != nil {
			d.redirect(e, to[path])
		}
	}
}

// tooMuch refuses a build that removes too many pages of documents without a report from the source: see
// Generator.guard. New documents offset removed ones.
func (d *departure) tooMuch() error {
	g := d.b.g
	gain := 0
	for i := range d.b.pages {
		if pg := &d.b.pages[i]; pg.fresh && pg.doc != "" && !d.targets[pg.path] {
			gain++
		}
	}
	lost, before := len(d.lost)-gain, g.memory.docPages
	if d.b.opt.AllowShrink || !g.tooMuch(lost, before) {
		return nil
	}
	return &ShrinkError{Before: before, After: before - lost, Lost: d.lost[:min(len(d.lost), 20)]}
}

// prune removes outdated entries from the next generation. It only runs when the build has other changes. apply updates
// the memory after the commit.
func (d *departure) prune() {
	b, m := d.b, &d.b.g.memory
	d.past, d.retired = m.past, m.retired
	if b.puts.Load() == 0 && b.removals == 0 {
		return
	}
	forget := func(list []past, keep func(i int, p past) bool) []past {
		i := 0
		for ; i < len(list) && !keep(i, list[i]); i++ {
			e, ok := b.gen.Lookup(list[i].path)
			if !ok || d.isPlanned(list[i].path) || !e.Remembered.Equal(list[i].since) {
				continue
			}
			if e.Status == 301 {
				d.redirects = true
			}
			d.remove(list[i].path)
		}
		return list[i:]
	}
	d.past = forget(m.past, func(i int, p past) bool {
		return b.now.Sub(p.since) < rememberedFor && len(m.past)-i <= maxRemembered
	})
	d.retired = forget(m.retired, func(_ int, p past) bool { return b.now.Sub(p.since) < b.g.cfg.KeepAssets })
}

// dropDamaged removes damaged assets that no page shows any more, because nothing can make them again.
func (d *departure) dropDamaged() {
	for path := range d.b.damaged {
		if e, ok := d.b.gen.Lookup(path); ok && isAsset(path) && !e.Remembered.IsZero() && !d.isPlanned(path) && !slices.Contains(d.removes, path) {
			d.b.g.cfg.Logger.Warn("a picture that no page uses any more is damaged and goes", "path", path)
			d.remove(path)
		}
	}
}

// apply updates the memory after the commit.
func (d *departure) apply() {
	m := &d.b.g.memory
	m.pages += d.pagesDelta
	m.docPages += d.docsDelta
	m.past, m.retired = d.past, d.retired
	for i := range d.b.pages {
		if pg := &d.b.pages[i]; pg.kind != site.KindRedirect {
			delete(m.redirects, pg.path)
		}
	}
	if len(m.redirects) == 0 {
		m.redirects = d.b.redirects
	} else {
		maps.Copy(m.redirects, d.b.redirects)
	}
	for _, path := range d.removes {
		delete(m.redirects, path)
	}
	for _, e := range d.puts {
		if isAsset(e.Path) {
			m.retired = append(m.retired, past{e.Path, e.Remembered})
			continue
		}
		m.past = append(m.past, past{e.Path, e.Remembered})
		if e.Status == 301 {
			m.redirects[e.Path] = e.Location
			m.to[e.Location] = append(m.to[e.Location], e.Path)
		}
		m.lose(&e)
	}
}

const redirectsPath site.Path = "/_redirects"

// literal escapes an address for a _redirects file, so that it contains no placeholder or star. Cloudflare and Netlify
// treat :name as a placeholder anywhere in an address.
func literal(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return literalSigns.Replace(address)
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + literalSigns.Replace(rest[len(host):])
}

var literalSigns = strings.NewReplacer(":", "%3A", "*", "%2A")

// redirectsFile writes all permanent redirects into a _redirects file, for web servers and CDNs that read it.
func (b *build) redirectsFile(d *departure) error {
	if _, ok := b.gen.Lookup(redirectsPath); ok && !d.redirects && !b.opt.Full && !b.isDamaged(redirectsPath) {
		return nil
	}
	all := maps.Clone(b.g.memory.redirects)
	for i := range b.pages {
		if pg := &b.pages[i]; pg.kind != site.KindRedirect {
			delete(all, pg.path)
		}
	}
	maps.Copy(all, b.redirects)
	for _, path := range d.removes {
		delete(all, path)
	}
	for _, e := range d.puts {
		if e.Status == 301 {
			all[e.Path] = e.Location
		}
	}
	all["/feed"], all["/api/feed"] = "/feed.xml", "/feed.xml"
	var data []byte
	for _, from := range slices.Sorted(maps.Keys(all)) {
		data = fmt.Appendf(data, "%s %s 301\n", literal(from.URL()), literal(all[from]))
	}
	if old, ok := b.gen.Lookup(redirectsPath); ok && old.Fingerprint == digest.Bytes(data) && !b.isDamaged(redirectsPath) {
		return nil
	}
	ref, err := b.batch.Object(data)
	if err != nil {
		return err
	}
	b.put(site.Entry{
		Path: redirectsPath, Kind: site.KindFeed, Status: 200, Type: "text/plain; charset=utf-8", Object: ref,
		Fingerprint: digest.Bytes(data), Cause: "redirects changed",
	}, nil)
	if _, ok := b.gen.Lookup(redirectsPath); !ok {
		d.pagesDelta++
	}
	return nil
}
