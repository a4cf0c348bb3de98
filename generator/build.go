package generator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/generator/plan"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// A build is one attempt to make a generation.
type build struct {
	g     *Generator
	opt   Options
	now   time.Time
	all   bool // every page is planned
	gen   *pagestore.Generation
	batch *pagestore.Batch

	rendered, changedPages, puts atomic.Int64
	buffers                      sync.Pool
	differ                       func() ([]site.ID, error) // calls differing once
	origins                      map[site.ID]string        // document → who requested its change
	damaged                      map[site.Path]struct{}    // unreadable stored pages and assets, which this build makes again

	removals int // only finish uses it

	mu        sync.Mutex
	pages     []planned
	redirects map[site.Path]string         // redirects in pages → their targets
	shown     map[site.Path][]site.Path    // pages that show assets → these assets
	noted     map[site.Path][]diag.Problem // page → problems found while planning it
	gone      []site.Path                  // planned addresses without a page
	changed   []string                     // documents that changed while they were read
	broken    map[site.ID]string           // documents that cannot be rendered → the reason
	assets    map[site.Path]struct{}       // assets already handled in this build
	themeErr  map[string]diag.Problem      // by message
}

// planned holds what finish needs to know about a page.
type planned struct {
	path   site.Path
	doc    site.ID
	source digest.Sum
	kind   site.Kind
	fresh  bool // the address had no page before, or something else
	was    bool // the address had a page before; a file of static/ is not one
	wasDoc bool // that page belonged to a document
	moved  bool // the address did not show this document before
}

func (g *Generator) begin(opt Options, now time.Time, all bool) *build {
	b := &build{
		g: g, opt: opt, now: now, all: all, gen: g.cfg.Store.Current(), batch: g.cfg.Store.Begin(),
		redirects: map[site.Path]string{}, shown: map[site.Path][]site.Path{}, noted: map[site.Path][]diag.Problem{},
		broken: map[site.ID]string{}, assets: map[site.Path]struct{}{}, themeErr: map[string]diag.Problem{},
		damaged: map[site.Path]struct{}{},
	}
	for _, path := range g.cfg.Store.Distrusted() {
		b.damaged[path] = struct{}{}
	}
	b.differ = sync.OnceValues(b.differing)
	b.buffers.New = func() any { return new([]byte) }
	return b
}

// progressStep is the number of pages between two progress reports.
const progressStep = 100

// run plans the targets and renders the pages that have changed.
func (b *build) run(ctx context.Context, targets []plan.Target) error {
	b.pages = make([]planned, 0, len(targets))
	workers, ctx := errgroup.WithContext(ctx)
	var next, done atomic.Int64
	for range min(b.g.cfg.Workers, max(len(targets), 1)) {
		workers.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(targets) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := b.target(ctx, &targets[i]); err != nil {
					return err
				}
				if n := int(done.Add(1)); b.opt.Progress != nil && (n%progressStep == 0 || n == len(targets)) {
					b.opt.Progress(n, len(targets))
				}
			}
		})
	}
	if err := workers.Wait(); err != nil {
		return err
	}
	if len(b.themeErr) > 0 {
		e := &ThemeError{}
		for _, p := range b.themeErr {
			e.Problems = append(e.Problems, p)
		}
		diag.Sort(e.Problems)
		return e
	}
	return nil
}

// target plans one address and, if necessary, renders its page.
func (b *build) target(ctx context.Context, t *plan.Target) error {
	pg, err := t.Plan(ctx)
	if err != nil {
		return b.failed(t.Path, err)
	}
	if pg == nil {
		b.mu.Lock()
		b.gone = append(b.gone, t.Path)
		b.mu.Unlock()
		return nil
	}
	if pg.Path == t.Path {
		pg.Path = t.Path // share one string, to save memory
	}
	old, had := b.gen.Lookup(pg.Path)
	fresh := !had || old.Status != pg.Status || !old.Remembered.IsZero()
	same := !fresh && old.Fingerprint == pg.Fingerprint && old.Type == pg.Type && old.Kind == pg.Kind &&
		old.Location == pg.Location && slices.Equal(old.Keys, pg.Keys)
	if !same || b.opt.Full || b.isDamaged(pg.Path) || slices.ContainsFunc(pg.Also, b.isDamaged) {
		if err := b.render(ctx, t, pg, old, same); err != nil {
			return b.failed(t.Path, err)
		}
	}
	var assets []site.Path
	for i := range pg.Assets {
		a := &pg.Assets[i]
		assets = append(assets, a.Path)
		if err := b.asset(ctx, a); err != nil {
			return b.failed(t.Path, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	was := had && old.Remembered.IsZero() && isPage(old)
	b.pages = append(b.pages, planned{path: pg.Path, kind: pg.Kind, doc: pg.Doc, source: pg.Source, fresh: fresh, was: was, wasDoc: was && old.Doc != "",
		moved: fresh || old.Doc != pg.Doc})
	for _, path := range pg.Also {
		b.pages = append(b.pages, planned{path: path, kind: site.KindHidden})
	}
	if pg.Kind == site.KindRedirect {
		b.redirects[pg.Path] = pg.Location
	}
	if len(assets) > 0 {
		b.shown[pg.Path] = assets
	}
	if len(pg.Problems) > 0 {
		b.noted[pg.Path] = pg.Problems
	}
	return nil
}

// failed handles errors by kind. Documents that changed are scanned again. Documents that cannot be rendered are left
// out. Template errors are collected. Any other error ends the build.
func (b *build) failed(path site.Path, err error) error {
	var broken *brokenError
	var theme *ThemeError
	var in *docError
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.As(err, &theme):
		for _, p := range theme.Problems {
			if len(b.themeErr) < 20 {
				key := fmt.Sprint(p.File, p.Line, p.Col, p.Message)
				if _, ok := b.themeErr[key]; !ok {
					p.Message += fmt.Sprintf(", making %s", path)
					b.themeErr[key] = p
				}
			}
		}
		return nil
	case errors.As(err, &in) && (errors.Is(err, site.ErrChanged) || errors.Is(err, site.ErrNotFound)):
		if _, is := b.g.held[in.id]; is {
			b.keep(path)
			return nil
		}
		b.changed = append(b.changed, in.source)
		return nil
	case errors.As(err, &in) && errors.As(err, &broken):
		b.broken[in.id] = broken.Error()
		return nil
	}
	return &pageError{path, err}
}

// keep leaves the page at an address unchanged. The caller holds the lock.
func (b *build) keep(path site.Path) {
	old, ok := b.gen.Lookup(path)
	if !ok || !old.Remembered.IsZero() {
		b.gone = append(b.gone, path)
		return
	}
	b.pages = append(b.pages, planned{path: path, kind: old.Kind, doc: old.Doc, source: old.Source})
	if old.Kind == site.KindRedirect {
		b.redirects[path] = old.Location
	}
	if assets := b.g.usage.of[path]; len(assets) > 0 {
		b.shown[path] = assets
		for _, a := range assets {
			b.assets[a] = struct{}{}
		}
	}
}

// A docError tells which document an error concerns.
type docError struct {
	id     site.ID
	source string // its name in Source.Scan
	err    error
}

func (e *docError) Error() string { return e.err.Error() }

func (e *docError) Unwrap() error { return e.err }

// render makes the bytes of a page and puts the page into the batch. same means that the fingerprint equals old's: then
// the page goes into the batch only if its bytes differ.
func (b *build) render(ctx context.Context, t *plan.Target, pg *plan.Page, old *site.Entry, same bool) error {
	e := pg.Entry
	var of site.ID
	e.Cause, of = b.cause(t, pg, old)
	e.Origin = b.origin(of)
	if e.Status != 200 {
		if !same {
			b.changedPages.Add(1)
			b.put(e, pg.Docs)
		}
		return nil
	}
	data := pg.Data
	switch {
	case pg.View != nil:
		buf := b.buffers.Get().(*[]byte)
		defer b.buffers.Put(buf)
		var err error
		if *buf, err = b.g.cfg.Theme.Append((*buf)[:0], pg.Template, pg.View); err != nil {
			return err
		}
		data = *buf
	case pg.File != nil:
		var err error
		if data, err = b.read(ctx, pg.File); err != nil {
			return err
		}
	}
	b.rendered.Add(1)
	ref, err := b.batch.Object(data)
	if err != nil {
		return err
	}
	e.Object = ref
	if old == nil || old.Status != 200 || old.Object.ID != ref.ID {
		b.changedPages.Add(1)
	} else if same && old.Object == ref && !slices.ContainsFunc(pg.Also, b.isDamaged) {
		return nil
	}
	b.put(e, pg.Docs)
	for _, path := range pg.Also {
		also := e
		also.Path, also.Kind = path, site.KindHidden
		b.put(also, pg.Docs)
	}
	return nil
}

// isDamaged reports whether the stored bytes at a path cannot be read.
func (b *build) isDamaged(path site.Path) bool {
	_, is := b.damaged[path]
	return is
}

func (b *build) put(e site.Entry, docs []site.DocRef) {
	b.puts.Add(1)
	if e.Origin == "" {
		e.Origin = b.origin(e.Doc)
	}
	b.batch.Put(e, docs)
}

// origin returns who requested the latest change of the document; if unknown, who requested this build.
func (b *build) origin(of site.ID) string {
	if o := b.origins[of]; o != "" {
		return o
	}
	return b.opt.Cause
}

// originsOf maps changed documents to who requested the change. by contains the requests, by the documents' names in
// the source.
func originsOf(by map[string]string, changes []site.Change) map[site.ID]string {
	out := map[site.ID]string{}
	if len(by) == 0 {
		return out
	}
	for _, c := range changes {
		for _, d := range []site.Document{c.New, c.Old} {
			if d == nil {
				continue
			}
			names := []string{string(d.DocID()), plan.KeyOf(d)}
			if m := site.MetaOf(d); m != nil {
				names = append(names, m.Source)
			}
			for _, name := range names {
				if o := by[name]; o != "" && out[d.DocID()] == "" {
					out[d.DocID()] = o
				}
			}
		}
	}
	return out
}

// cause returns why a page is rendered, and which document is the reason, for freshet explain.
func (b *build) cause(t *plan.Target, pg *plan.Page, old *site.Entry) (cause string, of site.ID) {
	switch {
	case !b.all:
		return t.Cause, t.Of
	case old == nil || !old.Remembered.IsZero():
		return "new page", pg.Doc
	case b.opt.Full && old.Fingerprint == pg.Fingerprint:
		return "full build", ""
	}
	if b.isDamaged(pg.Path) && old.Fingerprint == pg.Fingerprint {
		return mending, ""
	}
	const other = "template, setting or program changed"
	changed, err := b.differ()
	if err != nil {
		return "not known: " + err.Error(), ""
	}
	if len(changed) == 0 {
		return other, ""
	}
	docs, err := b.gen.Docs(old)
	if err != nil {
		return "not known: " + err.Error(), ""
	}
	for _, d := range slices.Concat(pg.Docs, docs) {
		if _, is := slices.BinarySearch(changed, d.ID); is {
			return "changed " + string(d.ID), d.ID
		}
	}
	cause = "changed " + string(changed[0])
	if more := len(changed) - 1; more > 0 {
		cause += fmt.Sprintf(" or one of %d more", more)
	}
	return cause + ", or " + other, ""
}

// mending is the cause of pages that are made again without a change.
const mending = "its stored bytes were damaged"

// mend adds the pages of documents whose stored bytes cannot be read to targets. It reports false if something else is
// damaged: then every page must be planned.
func (g *Generator) mend(p *plan.Planner, targets []plan.Target) ([]plan.Target, bool) {
	damaged := g.cfg.Store.Distrusted()
	if len(damaged) == 0 {
		return targets, true
	}
	planned := map[site.Path]bool{}
	for _, t := range targets {
		planned[t.Path] = true
	}
	gen := g.cfg.Store.Current()
	for _, path := range damaged {
		if e, ok := gen.Lookup(path); !ok || e.Kind != site.KindPage || e.Doc == "" {
			return nil, false
		}
		if !planned[path] {
			targets = append(targets, p.At(path, mending))
		}
	}
	return targets, true
}

// differing lists, sorted, the documents whose revision differs from the one in the newest generation.
func (b *build) differing() ([]site.ID, error) {
	same := map[site.ID]bool{}
	for e := range b.gen.All() {
		if !e.Remembered.IsZero() {
			continue
		}
		docs, err := b.gen.Docs(e)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			now := b.g.snap.Visible(d.ID)
			is := now != nil && now.DocRevision() == d.Revision
			if d.ID == e.Doc { // other pages may show an older revision
				same[d.ID] = is
			} else if is {
				if _, has := same[d.ID]; !has {
					same[d.ID] = true
				}
			}
		}
	}
	var out []site.ID
	for id, is := range same {
		if !is {
			out = append(out, id)
		}
	}
	for d := range b.g.snap.Docs() {
		if _, isFile := d.(*site.File); isFile {
			continue // most files are on no page
		}
		if _, has := same[d.DocID()]; !has && b.g.snap.Visible(d.DocID()) != nil {
			out = append(out, d.DocID())
		}
	}
	slices.Sort(out)
	return out, nil
}

// read returns a file's bytes. It fails if they differ from those that were scanned.
func (b *build) read(ctx context.Context, f *site.File) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, &docError{f.ID, f.Name, fmt.Errorf("read %s: %w", f.Name, err)}
	}
	r, err := b.g.cfg.Source.Open(ctx, f)
	if err != nil {
		return fail(err)
	}
	data, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fail(err)
	}
	if digest.Bytes(data) != f.Revision {
		return fail(site.ErrChanged)
	}
	return data, nil
}

// asset publishes a file that a page shows, once per build.
func (b *build) asset(ctx context.Context, a *plan.Asset) error {
	b.mu.Lock()
	_, done := b.assets[a.Path]
	b.assets[a.Path] = struct{}{}
	b.mu.Unlock()
	if done {
		return nil
	}
	if old, ok := b.gen.Lookup(a.Path); ok && old.Remembered.IsZero() && !b.opt.Full && !b.isDamaged(a.Path) {
		return nil
	}
	data := a.Data
	var docs []site.DocRef
	if a.File != nil {
		var err error
		if data, err = b.read(ctx, a.File); err != nil {
			return err
		}
		docs = []site.DocRef{{ID: a.File.ID, Revision: a.File.Revision}}
	}
	ref, err := b.batch.Object(data)
	if err != nil {
		return err
	}
	if old, ok := b.gen.Lookup(a.Path); ok && old.Remembered.IsZero() && old.Object == ref {
		return nil
	}
	b.put(site.Entry{
		Path: a.Path, Kind: site.KindAsset, Status: 200, Type: a.Type, Object: ref, Fingerprint: digest.Bytes(data),
		Cause: "shown on a page",
	}, docs)
	if !b.isDamaged(a.Path) {
		b.changedPages.Add(1)
	}
	return nil
}

// finish decides which pages disappear, and commits. targets are the planned ones; nil if all were planned.
func (b *build) finish(ctx context.Context, p *plan.Planner, targets []plan.Target, rep *Report) error {
	if len(b.changed) > 0 || len(b.broken) > 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g := b.g
	memory, usage := &g.memory, &g.usage
	if !memory.loaded {
		memory.load(b.gen)
	}
	ch := &departure{b: b}
	removed, err := ch.decide()
	if err != nil {
		return err
	}
	if err := b.redirectsFile(ch); err != nil {
		return err
	}
	rep.Documents, rep.Rendered, rep.Changed, rep.Removed = p.Documents(), int(b.rendered.Load()), int(b.changedPages.Load()), removed
	rep.Pages, rep.Languages = b.pageCount(ch), p.Foreign()
	if b.puts.Load() == 0 && b.removals == 0 && b.gen.ID > 0 {
		b.batch.Abort()
		rep.Generation = b.gen.ID
	} else {
		cause := b.opt.Cause
		if cause == "" {
			cause = "build"
		}
		gen, err := b.batch.Commit(pagestore.CommitInfo{
			Cause: cause, Now: b.now, Pages: rep.Pages, Rendered: rep.Rendered, Changed: rep.Changed, Removed: rep.Removed,
			Documents: rep.Documents,
		})
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		rep.Generation, rep.Committed = gen.ID, true
	}
	ch.apply()
	usage.apply(b, targets)
	g.note(b, targets)
	return nil
}

// pageCount returns the number of addresses with a page after the build.
func (b *build) pageCount(d *departure) int { return b.g.memory.pages + d.pagesDelta }

// note stores the problems found while planning, so that every report contains all problems.
func (g *Generator) note(b *build, targets []plan.Target) {
	if b.all {
		clear(g.noted)
	}
	for _, t := range targets {
		delete(g.noted, t.Path)
	}
	maps.Copy(g.noted, b.noted)
}

// usage knows which pages show which assets, so that an asset goes away with the last page that shows it.
type usage struct {
	of   map[site.Path][]site.Path // by page
	refs map[site.Path]int         // by asset
}

func (u *usage) apply(b *build, targets []plan.Target) {
	if b.all || u.of == nil {
		u.of, u.refs = map[site.Path][]site.Path{}, map[site.Path]int{}
	}
	for _, t := range targets {
		for _, a := range u.of[t.Path] {
			if u.refs[a]--; u.refs[a] == 0 {
				delete(u.refs, a)
			}
		}
		delete(u.of, t.Path)
	}
	for path, assets := range b.shown {
		u.of[path] = assets
		for _, a := range assets {
			u.refs[a]++
		}
	}
}

// restore takes over the usage from another process.
func (u *usage) restore(of map[site.Path][]site.Path) {
	u.of, u.refs = of, map[site.Path]int{}
	if u.of == nil {
		u.of = map[site.Path][]site.Path{}
	}
	for _, assets := range u.of {
		for _, a := range assets {
			u.refs[a]++
		}
	}
}

// released returns the assets that no page shows any more after this build.
func (u *usage) released(b *build) []site.Path {
	if b.all {
		return nil // the build removes whatever is not planned
	}
	delta := map[site.Path]int{}
	drop := func(path site.Path) {
		for _, a := range u.of[path] {
			delta[a]--
		}
	}
	for _, path := range b.gone {
		drop(path)
	}
	for i := range b.pages {
		drop(b.pages[i].path)
	}
	for _, assets := range b.shown {
		for _, a := range assets {
			delta[a]++
		}
	}
	var out []site.Path
	for a, d := range delta {
		if d < 0 && u.refs[a]+d <= 0 {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

func isAsset(path site.Path) bool { return plan.HashedAsset(path) }
