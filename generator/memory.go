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

// The site remembers pages that are no more: where they moved (301) or that they are gone (410). It is the one thing
// that a clean build cannot know, so it lives in the page log, bounded.
const (
	maxRemembered = 100_000
	rememberedFor = 365 * 24 * time.Hour
)

// memory is what the generator keeps of the current generation, so that a build needs no walk over it.
type memory struct {
	loaded    bool
	pages     int                        // entries with status 200 that are not assets
	docPages  int                        // of these, documents' own
	redirects map[site.Path]string       // every 301, for the redirects file
	to        map[string][]site.Path     // remembered 301s by where they lead
	lost      map[digest.Sum][]site.Path // remembered 410s by Source, and by the digest of Doc
	past      []past                     // remembered pages, oldest first
	retired   []past                     // assets that no page uses any more, oldest first
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

// lose notes the address of a page that is gone, for when its document or its content is back elsewhere.
func (m *memory) lose(e *site.Entry) {
	if e.Status != 410 {
		return
	}
	if len(m.lost) > 4*maxRemembered {
		clear(m.lost) // most are of addresses that were forgotten; the next start reads the others again
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

// ones is 1 for true.
func ones(is bool) int {
	if is {
		return 1
	}
	return 0
}

func isPage(e *site.Entry) bool {
	return e.Status == 200 && e.Kind != site.KindAsset && e.Kind != site.KindHidden
}

// departure is what one build takes away, and what it remembers of that.
type departure struct {
	b          *build
	puts       []site.Entry
	removes    []site.Path
	pagesDelta int
	docsDelta  int
	redirects  bool               // the redirects file must be written anew
	past       []past             // of the memory, after this build
	retired    []past             // likewise
	lost       []site.Path        // documents' pages that are gone
	targets    map[site.Path]bool // pages that others moved to

	planned  map[site.Path]struct{} // see isPlanned
	byDoc    map[site.ID]site.Path  // see movedTo
	bySource map[digest.Sum]site.Path
}

// isPlanned reports whether the build has something at path. A site's first build never asks.
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

// movedTo is the new address of the document that e was the page of, or of its content; empty: there is none.
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

// there reports whether the build leaves a page at path.
func (d *departure) there(path site.Path) bool {
	if d.isPlanned(path) {
		return true
	}
	e, ok := d.b.gen.Lookup(path)
	return ok && isPage(e) && e.Remembered.IsZero()
}

// decide puts into the batch what becomes of addresses that have no page any more, and returns how many pages go.
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

// remember keeps the address of a document's page: as a redirect when the document or its content has another
// address now, else as gone.
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
		owner = t.Doc.DocID() // a lesson's course
	}
	if !d.b.g.expired(owner, d.b.now) {
		d.lost = append(d.lost, e.Path)
	}
}

// redirect makes the address of a page that was, or is remembered, lead to another.
func (d *departure) redirect(e *site.Entry, to site.Path) {
	d.redirects = true
	if d.targets == nil {
		d.targets = map[site.Path]bool{}
	}
	d.targets[to] = true
	location := to.URL()
	// Chains are collapsed: what led here leads there at once.
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

// late lets addresses that were told to be gone lead to where their documents, or their content, turn up now.
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

// tooMuch refuses a build that would take away more pages of documents than is likely to be meant, and whose source did
// not say so: see Generator.guard. Documents that appear count against those that go.
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

// prune removes what is older than it need be from the next generation. It happens along with other changes, never by
// itself. The memory forgets it when that generation is committed: see apply.
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

// dropDamaged removes assets that no page uses any more and that cannot be read: nothing can make them again.
func (d *departure) dropDamaged() {
	for path := range d.b.damaged {
		if e, ok := d.b.gen.Lookup(path); ok && isAsset(path) && !e.Remembered.IsZero() && !d.isPlanned(path) && !slices.Contains(d.removes, path) {
			d.b.g.cfg.Logger.Warn("a picture that no page uses any more is damaged and goes", "path", path)
			d.remove(path)
		}
	}
}

// apply brings the memory up to the committed generation.
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

// literal is an address of which nothing is a placeholder or a star to those who read a _redirects file: Cloudflare and Netlify
// take :name for any segment, wherever it stands.
func literal(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return literalSigns.Replace(address)
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + literalSigns.Replace(rest[len(host):])
}

var literalSigns = strings.NewReplacer(":", "%3A", "*", "%2A")

// redirectsFile writes every permanent redirect for web servers and CDNs that read a _redirects file.
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
