package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/revalidator"
	"freshet/server"
	"freshet/templates"
)

// TestLongOutages takes the database away for half an hour at a time, on a fake clock: in the middle of a scan, of a build
// that has scanned already, and of verification, refusing or hanging. Editors write on and webhooks tell of it meanwhile.
// Every known page is answered at once, with 200 and the bytes of the last generation, and is said to be stale once it is;
// five seconds after the database is back what was written is live and fresh, and at the end the site is that of a clean
// build. (Next.js kept pages old for 45 s after a hang, and made a good page a 500 when it was invalidated meanwhile; with
// nginx a reader waited 30 s.)
func TestLongOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posts = 60
		db := &database{docs: map[site.ID]*site.Post{}, bodies: map[site.BodyRef]string{}, known: map[string]site.Revision{}}
		for i := range posts {
			db.write(i, 0)
		}
		s := newTimedSite(t, db)
		paths := []string{"/", "/blog/", "/feed.xml", "/sitemap.xml"}
		for i := range posts {
			paths = append(paths, fmt.Sprintf("/blog/post-%02d/", i))
		}
		time.Sleep(5 * time.Second)
		edition := 0
		for _, outage := range []struct {
			name  string
			where string // the call that finds the database away
			hangs bool
		}{
			{"in a scan", "scan", false}, {"in a scan, hanging", "scan", true}, {"in a build", "body", false}, {"in a build, hanging", "body", true},
			{"in verification", "census", false}, {"in verification, hanging", "census", true},
		} {
			edition++
			s.read(t, outage.name+", before", paths, "HIT", nil)
			db.failAt(outage.where, outage.hangs)
			if outage.where != "census" { // that comes by itself
				s.tell(t, db.write(1, edition))
			}
			for end := time.Now().Add(time.Hour); !db.away() && time.Now().Before(end); {
				time.Sleep(100 * time.Millisecond)
			}
			if !db.away() {
				t.Fatalf("%s: nothing asked for it", outage.name)
			}
			before, asked := s.read(t, outage.name+", at its beginning", paths, "", nil), db.asked()
			for n := range 6 * 30 {
				time.Sleep(10 * time.Second)
				if n%5 == 0 {
					name := db.write(2+n%50, edition)
					if n%2 == 0 {
						s.tell(t, name)
					}
				}
				cache := ""
				if n >= 6*revalidated/int(time.Minute) { // of the last verification
					cache = "STALE"
				}
				s.read(t, outage.name, paths, cache, before)
			}
			if n := db.asked() - asked; n < 100 || n > 900 { // a census and a scan each time
				t.Errorf("%s: the daemon asked %d times in half an hour, want once in some seconds", outage.name, n)
			}
			db.back()
			time.Sleep(5 * time.Second)
			after := s.read(t, outage.name+", over", paths, "HIT", nil)
			for i := range posts {
				path, want := fmt.Sprintf("/blog/post-%02d/", i), db.text(i)
				if !strings.Contains(after[path], want) {
					t.Errorf("%s: five seconds after it %s does not show %q", outage.name, path, want)
				}
			}
			if outage.where != "census" && !outage.hangs { // else verification may have been under way, which went on
				e, _ := s.store.Current().Lookup("/blog/post-01/")
				if origin, err := s.store.Current().Origin(e); err != nil || !strings.HasPrefix(origin, "webhook, job ") || !strings.Contains(origin, ", accepted ") {
					t.Errorf("%s: post-01 was asked for by %q (%v), want its webhook", outage.name, origin, err)
				}
			}
			if s.daemon.Status().Waiting > 0 || s.daemon.Status().Source != "" {
				t.Errorf("%s: five seconds after it %+v", outage.name, s.daemon.Status())
			}
		}
		clean := newTimedSite(t, db.copied())
		time.Sleep(5 * time.Second)
		got, want := s.pages(), clean.pages()
		if !maps.Equal(got, want) {
			t.Errorf("the site has %d pages other than a clean build, which has %d", len(got), len(want))
		}
	})
}

const revalidated = int(20 * time.Minute) // isr.revalidate

// A timedSite is a site with its daemon and server, over a database of its own.
type timedSite struct {
	store   *pagestore.Writer
	daemon  *revalidator.Revalidator
	handler http.Handler
}

func newTimedSite(t *testing.T, db *database) *timedSite {
	t.Helper()
	eff := &settings.Effective{}
	eff.State = t.TempDir()
	eff.ISR.Revalidate, eff.ISR.MaxStale = time.Duration(revalidated), 24*time.Hour
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &timedSite{}
	var err error
	s.store, err = pagestore.OpenWriter(pagestore.Config{Dir: eff.State})
	must(err)
	theme, err := generator.LoadTheme(templates.FS, nil, "")
	must(err)
	gen, err := generator.New(generator.Config{Source: db, Store: s.store, Theme: theme, Markup: markup.New(markup.Config{}), MaxShrink: 0.2,
		Site: plan.Site{Title: "Test", URL: "https://example.com"}, State: eff.State})
	must(err)
	s.daemon, err = revalidator.New(revalidator.Config{State: eff.State, Verify: eff.ISR.Revalidate, Feed: db, Census: db, NextFlip: gen.NextFlip,
		Build: func(ctx context.Context, c revalidator.Change) (revalidator.Result, error) {
			opt := generator.Options{Now: time.Now().UTC(), Changed: slices.Concat([]string{}, c.Documents, c.Verify), Compared: c.Compared, Cause: c.Cause, Origins: c.Origins}
			if c.Everything {
				opt.Changed = nil
			}
			rep, err := gen.Build(ctx, opt)
			if err != nil {
				return revalidator.Result{}, err
			}
			return revalidator.Result{Generation: rep.Generation}, nil
		}})
	must(err)
	srv, err := server.New(serverConfig(eff, pages{s.store}, nil, nil, nil))
	must(err)
	s.handler = srv.Handler()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.daemon.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, gen.Close(), s.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tell is a webhook about a document.
func (s *timedSite) tell(t *testing.T, name string) {
	t.Helper()
	_, _, err := s.daemon.Accept(t.Context(), revalidator.Offer{Origin: "webhook", Request: revalidator.Request{Docs: []revalidator.Doc{{Given: name}}}})
	if err != nil {
		t.Errorf("a webhook is not accepted: %v", err)
	}
}

// read reads every page: each is answered in no time, with 200, the X-Cache and bodies that are wanted.
func (s *timedSite) read(t *testing.T, when string, paths []string, cache string, want map[string]string) map[string]string {
	t.Helper()
	bodies := map[string]string{}
	for _, path := range paths {
		start, w := time.Now(), httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.com"+path, nil))
		if w.Code != 200 || cache != "" && w.Header().Get("X-Cache") != cache || time.Since(start) > 0 {
			t.Fatalf("%s: GET %s: %d, X-Cache %q (want %q) after %v", when, path, w.Code, w.Header().Get("X-Cache"), cache, time.Since(start))
		}
		if bodies[path] = w.Body.String(); want != nil && bodies[path] != want[path] {
			t.Fatalf("%s: GET %s shows what is not of the last generation", when, path)
		}
	}
	return bodies
}

// pages are all bytes of the site by path.
func (s *timedSite) pages() map[site.Path]digest.Sum {
	out := map[site.Path]digest.Sum{}
	for e := range s.store.Current().All() {
		if e.Status == 200 && e.Remembered.IsZero() {
			out[e.Path] = e.Object.ID
		}
	}
	return out
}

// A database is a source, its feed and its census, and can be away.
type database struct {
	mu     sync.Mutex // protects what follows
	docs   map[site.ID]*site.Post
	bodies map[site.BodyRef]string
	known  map[string]site.Revision // what Scan has reported
	edited []string                 // what the feed has not told yet
	trap   string                   // the next call of this name finds the database away
	hangs  bool
	gone   chan struct{} // not nil: it is away, until this is closed
	calls  int           // without the feed's own
}

var errAway = errors.New("the database is away")

// failAt makes the next call of a name find the database away, and all after it.
func (db *database) failAt(call string, hangs bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.trap, db.hangs = call, hangs
}

func (db *database) away() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.gone != nil
}

func (db *database) back() {
	db.mu.Lock()
	defer db.mu.Unlock()
	close(db.gone)
	db.gone = nil
}

func (db *database) asked() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.calls
}

// ask is what every call does first.
func (db *database) ask(ctx context.Context, call string) error {
	db.mu.Lock()
	if call != "poll" {
		db.calls++
	}
	if db.trap == call {
		db.trap, db.gone = "", make(chan struct{})
	}
	gone, hangs := db.gone, db.hangs
	db.mu.Unlock()
	switch {
	case gone == nil:
		return nil
	case !hangs:
		return errAway
	}
	select {
	case <-gone: // what hung goes on
		return nil
	case <-time.After(3 * time.Second): // its time is over
		return errAway
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is what an editor does; it works always.
func (db *database) write(i, edition int) (name string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	name = fmt.Sprintf("post-%02d", i)
	text := fmt.Sprintf("Edition %d of %s.", edition, name)
	p := &site.Post{Meta: site.Meta{ID: site.ID(name), Slug: site.Slug(name), Title: fmt.Sprintf("Post %d", i), Published: time.Date(1999, 1, 1+i, 0, 0, 0, 0, time.UTC),
		Body: site.BodyRef{Doc: site.ID(name), Format: site.Markdown, Hash: digest.String(text), Bytes: len(text)}}}
	h := digest.New()
	h.Value(p)
	p.Revision = h.Sum()
	db.docs[p.ID], db.bodies[p.Body] = p, text
	db.edited = append(db.edited, name)
	return name
}

// text is what a post says.
func (db *database) text(i int) string {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.bodies[db.docs[site.ID(fmt.Sprintf("post-%02d", i))].Body]
}

// copied is the same database, of which nothing has been reported.
func (db *database) copied() *database {
	db.mu.Lock()
	defer db.mu.Unlock()
	return &database{docs: maps.Clone(db.docs), bodies: maps.Clone(db.bodies), known: map[string]site.Revision{}}
}

// Scan implements generator.Source.
func (db *database) Scan(ctx context.Context, changed []string) (*site.Changes, error) {
	if err := db.ask(ctx, "scan"); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if changed == nil {
		for id := range db.docs {
			changed = append(changed, string(id))
		}
	}
	ch := &site.Changes{}
	for _, name := range changed {
		if p := db.docs[site.ID(name)]; p != nil && db.known[name] != p.Revision {
			db.known[name] = p.Revision
			ch.Put = append(ch.Put, p)
		}
	}
	return ch, nil
}

// Body implements generator.Source.
func (db *database) Body(ctx context.Context, ref site.BodyRef) (site.Body, error) {
	if err := db.ask(ctx, "body"); err != nil {
		return site.Body{}, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	text, ok := db.bodies[ref]
	if !ok || db.docs[ref.Doc].Body != ref {
		return site.Body{}, site.ErrChanged
	}
	return site.Body{Text: []byte(text)}, nil
}

// Open implements generator.Source.
func (db *database) Open(context.Context, *site.File) (io.ReadCloser, error) {
	return nil, site.ErrNotFound
}

// Names implements revalidator.Census.
func (db *database) Names(ctx context.Context) ([]string, error) {
	if err := db.ask(ctx, "census"); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	var names []string
	for id := range db.docs {
		names = append(names, string(id))
	}
	return names, nil
}

// Watch implements revalidator.Feed, by polling.
func (db *database) Watch(ctx context.Context, _ string, report func([]string, bool, string) error) error {
	everything := false
	for {
		err := db.ask(ctx, "poll")
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			everything = true
		} else {
			db.mu.Lock()
			names := db.edited
			db.edited = nil
			db.mu.Unlock()
			if err := report(names, everything, "here"); err != nil {
				return err
			}
			everything = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
