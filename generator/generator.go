// Package generator turns the documents of a site into pages. It takes a [site.Snapshot] from the source, plans the
// pages that the changes may have touched, renders those whose fingerprint changed, and commits them together as one
// generation. Then the public tree follows.
//
// A build makes one generation or none. An error before the commit changes nothing. After a crash behind the commit,
// the next build finishes the work. A document that cannot be read or rendered is left out and reported. If the source
// cannot be reached, the build fails: an error never counts as an absent document. Full and incremental builds use the
// same code and produce the same pages.
package generator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

// format is part of every page's fingerprint. It changes when the meaning of the views changes.
const format = 2

// A Source provides documents.
type Source interface {
	// Scan returns how the documents differ from those of the last Scan. The first Scan returns all of them. changed
	// names the documents that may have changed, in the source's own names; nil means that any may have.
	Scan(ctx context.Context, changed []string) (*site.Changes, error)
	// Body reads a body. It returns site.ErrChanged if the source has another body now, and site.ErrNotFound if it has
	// none.
	Body(ctx context.Context, ref site.BodyRef) (site.Body, error)
	// Open reads a file.
	Open(ctx context.Context, f *site.File) (io.ReadCloser, error)
}

// Config holds what a Generator needs. Source, Store, Theme and Markup are required.
type Config struct {
	Source     Source
	Store      *pagestore.Writer
	Tree       *publictree.Tree // nil: no public tree
	Theme      *Theme
	Markup     *markup.Renderer
	Site       plan.Site
	PerPage    int           // posts on a page of a list; 0: 12
	Workers    int           // 0: one for each processor
	Drafts     bool          // build drafts and scheduled documents too
	LiveReload bool          // pages reload themselves when they change
	MaxShrink  float64       // a build that removes more than this share of the documents' pages, and at least 10, is refused
	Policy     string        // Content-Security-Policy of pages, for web servers that read a _headers file
	Robots     string        // groups of rules for robots.txt, each followed by an empty line
	State      string        // folder for data that lets the next process continue; empty: each process starts from nothing
	Prerender  int           // posts in the first generation of a site, the most viewed ones; 0: all
	KeepAssets time.Duration // how long unused assets are still served; 0: 24 h
	Folder     string        // name of the content tree in messages; empty: messages use the source's file names
	Inputs     digest.Sum    // digest of everything else that builds depend on: program, settings, theme; 0: unknown, so that no later process skips its build
	Logger     *slog.Logger  // nil: no log
}

// A Generator builds one site. Only one build runs at a time.
type Generator struct {
	cfg     Config
	version digest.Sum

	mu       sync.Mutex
	snap     *site.Snapshot // the last scan
	built    *plan.Planner  // the last commit; nil: the next build plans every page
	planner  *plan.Planner
	skipped  []site.Skip                  // documents that the source skipped in its last scan
	problems []diag.Problem               // problems that the source found in its last scan
	broken   map[site.ID]string           // documents left out because they cannot be rendered → the reason
	noted    map[site.Path][]diag.Problem // page → problems found while planning it
	memory   memory
	usage    usage
	archive  archive
	pending  pending
	resumed  bool // the process has looked for a baseline
	known    bool // the documents of the newest generation are known

	shift    shift                   // changes since the newest generation
	moves    map[site.Path]site.Path // where texts that left in this build are now
	arrived  map[site.Path]recent    // texts that appeared recently
	departed map[site.Path]recent    // texts that left recently, and whose new place is unknown
	held     map[site.ID]held        // documents that are kept although the source lacks them
	refused  *ShrinkError            // why documents are held in this build; nil: none are
	unkept   bool                    // the newest generation has no baseline yet
	settled  *Report                 // report of the next build if it finds no change; nil: the last build failed or left work
	read     bool                    // the whole store was read once, so the store knows what is damaged
}

// New returns a Generator. It opens the archive of earlier processes, and reads nothing else yet.
func New(cfg Config) (*Generator, error) {
	switch {
	case cfg.Source == nil:
		return nil, errors.New("generator: Source is missing")
	case cfg.Store == nil:
		return nil, errors.New("generator: Store is missing")
	case cfg.Theme == nil:
		return nil, errors.New("generator: Theme is missing")
	case cfg.Markup == nil:
		return nil, errors.New("generator: Markup is missing")
	}
	if cfg.PerPage <= 0 {
		cfg.PerPage = 12
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.KeepAssets <= 0 {
		cfg.KeepAssets = 24 * time.Hour
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Generator{cfg: cfg, broken: map[site.ID]string{}, noted: map[site.Path][]diag.Problem{},
		arrived: map[site.Path]recent{}, departed: map[site.Path]recent{}, held: map[site.ID]held{}}
	h := digest.New()
	h.Uint64(format)
	h.Uint64(uint64(cfg.Markup.Version()))
	g.version = h.Sum()
	g.planner = g.newPlanner()
	if cfg.State != "" {
		var err error
		if g.archive, err = openArchive(cfg.State); err != nil {
			cfg.Logger.Warn("nothing is left to the next process, it looks at every page", "error", err)
		}
	}
	return g, nil
}

func (g *Generator) newPlanner() *plan.Planner {
	return plan.New(plan.Config{
		Site: g.cfg.Site, PerPage: g.cfg.PerPage, Bodies: &bodies{g.cfg.Source, g.cfg.Markup}, Templates: g.cfg.Theme,
		Assets: g.cfg.Theme.Assets(), LiveReload: g.cfg.LiveReload, Version: g.version, Policy: g.cfg.Policy,
		Robots: g.cfg.Robots,
	})
}

// SetTheme sets the theme for the next builds. The next build plans every page.
func (g *Generator) SetTheme(t *Theme) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cfg.Theme, g.cfg.Inputs = t, 0
	g.planner, g.built = g.newPlanner(), nil
}

// Options describes one build.
type Options struct {
	Now         time.Time         // the time that decides what is published; required
	Changed     []string          // documents that may have changed, in the source's names; nil: any
	Full        bool              // render every page despite its fingerprint, and check every public file
	Compared    time.Time         // oldest time at which a document was compared with the source, including this build; zero: leave it as it was
	AllowShrink bool              // any number of pages may go away
	Rest        int               // also build this many deferred pages
	Cause       string            // for the log: "build", "file watch" …
	Origins     map[string]string // document's name in the source, for example blog:slug → who requested its change

	// Progress is called while pages are made, perhaps by several goroutines at once; nil: no calls.
	Progress func(done, total int)
}

// A Report describes what a build did. Its JSON is the output of freshet build --json.
type Report struct {
	Generation uint64             `json:"generation"`
	Committed  bool               `json:"committed"`           // false: nothing changed
	Documents  int                `json:"documents"`           // visible documents
	Languages  map[string]int     `json:"languages,omitempty"` // visible documents in other languages than the site's
	Pages      int                `json:"pages"`
	Rendered   int                `json:"rendered"`
	Changed    int                `json:"changed"` // pages whose bytes are new
	Removed    int                `json:"removed"`
	Left       int                `json:"left,omitempty"` // deferred pages that are not built yet
	Skipped    []site.Skip        `json:"skipped"`
	Problems   []diag.Problem     `json:"problems"`
	Phases     map[string]float64 `json:"phases"` // milliseconds
	Planned    bool               `json:"-"`      // every page was planned
	Again      []string           `json:"-"`      // documents that the source wants to read again after a second
	Refused    *ShrinkError       `json:"refused,omitempty"`
}

// A ShrinkError reports that a build would remove too many pages. These pages stay as they were.
type ShrinkError struct {
	Before int         `json:"before"`
	After  int         `json:"after"`
	Lost   []site.Path `json:"lost"` // the first lost pages
}

func (e *ShrinkError) Error() string {
	lost := e.Before - e.After
	text := fmt.Sprintf("%d of %d pages would go away: ", lost, e.Before)
	for i, p := range e.Lost {
		if i > 0 {
			text += ", "
		}
		text += string(p)
	}
	if more := lost - len(e.Lost); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// A pageError tells which page an error concerns.
type pageError struct {
	path site.Path
	err  error
}

func (e *pageError) Error() string { return fmt.Sprintf("make page %s: %v", e.path, e.err) }

func (e *pageError) Unwrap() error { return e.err }

// maxAttempts limits how often a build starts again because documents changed while it read them.
const maxAttempts = 5

// Build updates the site from its source. An error means that nothing has changed, with two exceptions, which also
// return a report. If the public tree cannot be written, the next build tries again. A *ShrinkError means that the
// build is complete, except that too many documents are missing: their pages stay until the documents return or a build
// may shrink the site.
func (g *Generator) Build(ctx context.Context, opt Options) (*Report, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = nil
	if opt.Changed == nil {
		opt.Compared = time.Now() // the real time, not the time that the site is built for
	}
	rep := &Report{Phases: map[string]float64{}, Skipped: []site.Skip{}, Problems: []diag.Problem{}}
	now := opt.Now.UTC()
	if g.snap == nil || now.Before(g.snap.Now()) {
		g.restart(now)
	}
	if opt.Full {
		g.built = nil
	}
	changed := opt.Changed
	verify := g.verify(ctx, opt)
	for attempt := 1; ; attempt++ {
		changes, err := g.scan(ctx, rep, changed, now)
		verify()
		if err != nil {
			g.built = nil
			return nil, err
		}
		if g.built == nil && !g.resumed && !opt.Full {
			changes = g.resume(now)
		}
		g.resumed = true
		changes = g.guard(ctx, opt, changes, now)
		if g.cfg.Store.Current().ID == 0 { // before the first pages exist, so that their first readers do not see them as stale
			if err := g.verified(opt); err != nil {
				return nil, err
			}
		}
		again, err := g.attempt(ctx, opt, rep, changes, now)
		if err != nil {
			g.built = nil
			return nil, err
		}
		if again == nil {
			break
		}
		g.built = nil
		if attempt == maxAttempts {
			return nil, fmt.Errorf("documents changed faster than they could be read, among them %s", again[0])
		}
		changed = again
	}
	g.report(rep)
	// Publish the commit even if the time of the comparison cannot be stored.
	err := errors.Join(g.verified(opt), g.publish(ctx, opt, rep))
	if rep.Refused = g.refused; err == nil && g.refused != nil {
		err = g.refused
	}
	if err == nil {
		g.settle(rep)
	}
	return rep, err
}

// verify starts to read the whole store, in the first whole build and in full builds, so that the build makes damaged
// pages again. The returned function waits for the end.
func (g *Generator) verify(ctx context.Context, opt Options) (wait func()) {
	if !opt.Full && (g.read || opt.Changed != nil) {
		return func() {}
	}
	done := make(chan error, 1)
	go func() { done <- g.cfg.Store.Verify(ctx) }()
	return sync.OnceFunc(func() {
		err := <-done
		if g.read = err == nil; err != nil && ctx.Err() == nil {
			g.cfg.Logger.Warn("what is stored cannot be verified", "error", err)
		}
	})
}

// verified stores when the site was compared with its source, if this build compares it.
func (g *Generator) verified(opt Options) error {
	if opt.Compared.IsZero() {
		return nil
	}
	return g.cfg.Store.SetVerified(opt.Compared)
}

// restart makes a new snapshot of the same documents, for a build at an earlier time.
func (g *Generator) restart(now time.Time) {
	all := &site.Changes{}
	if g.snap != nil {
		all.Put = slices.Collect(g.snap.Docs())
	}
	g.snap, _ = site.NewSnapshot(now, g.cfg.Drafts).Apply(all, now)
	g.built = nil
}

// scan updates the snapshot from the source.
func (g *Generator) scan(ctx context.Context, rep *Report, changed []string, now time.Time) ([]site.Change, error) {
	defer rep.time("scan")()
	ch, err := g.cfg.Source.Scan(ctx, changed)
	if err != nil {
		return nil, fmt.Errorf("read the documents: %w", err)
	}
	g.skipped, g.problems = ch.Skipped, ch.Problems
	rep.Again = append(rep.Again, ch.Again...)
	for _, d := range ch.Put {
		delete(g.broken, d.DocID())
		delete(g.held, d.DocID())
	}
	for _, id := range ch.Drop {
		delete(g.broken, id)
		delete(g.held, id)
	}
	snap, changes := g.snap.Apply(ch, now)
	g.snap = snap
	return changes, nil
}

func (r *Report) time(phase string) func() {
	start := time.Now()
	return func() { r.Phases[phase] += float64(time.Since(start).Microseconds()) / 1000 }
}

// attempt plans, renders and commits. If documents changed meanwhile, it returns their names, which must be scanned
// again.
func (g *Generator) attempt(ctx context.Context, opt Options, rep *Report, changes []site.Change, now time.Time) (again []string, err error) {
	defer rep.time("render")()
	for {
		p := g.planner.On(g.snap)
		var targets []plan.Target
		var left []site.Path
		all := true
		if g.built != nil {
			targets, all = p.Touched(g.built, changes)
		}
		if !all {
			var known bool
			if targets, known = g.mend(p, targets); !known {
				all = true
			}
		}
		if all {
			targets, left = g.leave(p.All(), opt)
		} else {
			targets = g.due(p, targets, opt.Rest)
		}
		b := g.begin(opt, now, all)
		b.origins = originsOf(opt.Origins, changes)
		err := b.run(ctx, targets)
		if all {
			targets = nil // from here on, nil means all
		}
		if err == nil {
			err = b.finish(ctx, p, targets, rep)
		}
		if err != nil || len(b.changed) > 0 || len(b.broken) > 0 {
			b.batch.Abort()
		}
		switch {
		case err != nil:
			return nil, err
		case len(b.changed) > 0:
			slices.Sort(b.changed)
			return slices.Compact(b.changed), nil
		case len(b.broken) == 0:
			g.built, g.unkept, rep.Planned = p, true, all
			g.rememberMoves(now)
			g.shift.reset()
			g.known = true
			if all {
				g.pending.set(left)
			} else {
				g.pending.made(targets)
			}
			rep.Left = g.pending.len()
			return nil, nil
		}
		// Leave out the documents that cannot be rendered, and plan again.
		drop := &site.Changes{}
		for id, broken := range b.broken {
			drop.Drop = append(drop.Drop, id)
			g.broken[id] = broken
		}
		snap, more := g.snap.Apply(drop, now)
		g.snap = snap
		changes = append(changes, more...)
		g.built = nil
	}
}

// publish updates the public tree to the generation.
func (g *Generator) publish(ctx context.Context, opt Options, rep *Report) error {
	if g.cfg.Tree == nil || rep.Left > 0 {
		return nil
	}
	defer rep.time("public")()
	gen := g.cfg.Store.Current()
	var err error
	if opt.Full {
		_, err = g.cfg.Tree.Verify(ctx, gen)
	} else {
		_, err = g.cfg.Tree.Sync(ctx, gen)
	}
	if _, damaged := errors.AsType[*pagestore.DamageError](err); damaged {
		g.read = false
		err = errors.Join(err, g.cfg.Store.Verify(ctx)) // the next build makes the damaged page again
	}
	if err != nil {
		return fmt.Errorf("write the public tree: %w", err)
	}
	return nil
}

// report adds the problems and skipped documents to the report.
func (g *Generator) report(rep *Report) {
	rep.Problems = append(rep.Problems, g.problems...)
	rep.Problems = append(rep.Problems, g.cfg.Theme.Notes()...)
	rep.Skipped = append(rep.Skipped, g.skipped...)
	for id, reason := range g.broken {
		rep.Skipped = append(rep.Skipped, site.Skip{ID: id, Field: "body", Reason: reason})
		rep.Problems = append(rep.Problems, diag.Problem{Severity: diag.Error, File: g.shown(string(id)), Field: "body", Message: reason,
			Remedy: "mend the document; until then it is left out"})
	}
	for c := range g.snap.Contests() {
		first := c.Docs[0]
		for _, d := range c.Docs[1:] {
			reason, field, remedy := fmt.Sprintf("%s already belongs to %s", c.Path, first.DocID()), "slug", "give one of them another slug"
			if _, is := d.(*site.File); is {
				field, remedy = "path", "give the file another name, or the document another address"
				if at := site.PathOf(first); at != c.Path {
					reason = fmt.Sprintf("%s is in the way of a page of %s", c.Path, first.DocID())
				}
			}
			rep.Skipped = append(rep.Skipped, site.Skip{ID: d.DocID(), Field: field, Reason: reason})
			rep.Problems = append(rep.Problems, diag.Problem{Severity: diag.Error, File: g.shown(sourceOf(d)), ID: string(d.DocID()), Field: field,
				Message: fmt.Sprintf("the address %s", reason), Remedy: remedy})
		}
	}
	for at, f := range g.planner.On(g.snap).InTheWay() {
		reason := fmt.Sprintf("the address %s is one that freshet makes itself", at)
		rep.Skipped = append(rep.Skipped, site.Skip{ID: f.ID, Field: "path", Reason: reason})
		rep.Problems = append(rep.Problems, diag.Problem{Severity: diag.Error, File: g.shown(f.Name), Message: reason, Remedy: "give the file another name; robots.txt, llms.txt and site.webmanifest may be replaced"})
	}
	for _, ps := range g.noted {
		for _, p := range ps {
			p.File = g.shown(p.File)
			rep.Problems = append(rep.Problems, p)
		}
	}
	diag.Sort(rep.Problems)
	rep.Problems = diag.Condense(rep.Problems, 10)
	slices.SortFunc(rep.Skipped, func(a, b site.Skip) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
}

// shown returns a document's file name as messages show it.
func (g *Generator) shown(source string) string {
	if source == "" || g.cfg.Folder == "" {
		return source
	}
	return path.Join(filepath.ToSlash(g.cfg.Folder), source)
}

func sourceOf(d site.Document) string {
	if m := site.MetaOf(d); m != nil && m.Source != "" {
		return m.Source
	}
	if f, ok := d.(*site.File); ok {
		return f.Name
	}
	return string(d.DocID())
}

// NextFlip returns when the next document appears or expires by its date; zero: never.
func (g *Generator) NextFlip() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.snap == nil {
		return time.Time{}
	}
	return g.snap.NextFlip()
}
