package revalidator

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A watcher queues changes of the content and theme folders. Where the system lets it watch no more folders, or a
// folder cannot be watched, it says so once and looks itself every so often.
type watcher struct {
	cfg   Config
	queue *queue
	fs    *fsnotify.Watcher // nil: nothing can be watched
	roots []string
	poll  bool
	sweep sweep

	// Documents that are not there. Editors put a file away before they write the new one, so each has a second to come
	// back. Those of which more and more go are told together, so that a build sees how much goes.
	gone  map[string]time.Time // until when a new document may be it, with another name; zero: none is
	since time.Time            // when the first of them went
	due   *time.Timer          // fires when they are really gone
}

// Times of documents that are gone.
const (
	renaming  = 100 * time.Millisecond // a new name comes so soon after the old one has gone
	vanishing = 10 * time.Second       // so long those that go are waited for to be all
)

func newWatcher(cfg Config, q *queue) *watcher {
	w := &watcher{cfg: cfg, queue: q, gone: map[string]time.Time{}, due: time.NewTimer(time.Hour)}
	for _, root := range []*string{&w.cfg.Content, &w.cfg.Theme} {
		if *root != "" {
			*root = filepath.Clean(*root)
			w.roots = append(w.roots, *root)
		}
	}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		w.fallBack(w.roots[0], err)
		return w
	}
	for _, root := range w.roots {
		w.watchRoot(root)
	}
	return w
}

// watchRoot watches a root with all below it, and the folder it is in: a root may come later, or be replaced.
func (w *watcher) watchRoot(root string) {
	err := w.fs.Add(filepath.Dir(root))
	if err == nil {
		err = w.add(root)
	}
	if err != nil {
		w.fallBack(root, err)
	}
}

// add watches a folder and all below it.
func (w *watcher) add(folder string) error {
	return walk(folder, nil, func(name string, folder bool) error {
		if !folder {
			return nil
		}
		return absentIsNil(w.fs.Add(name))
	})
}

// walk visits a folder and all below it, whatever links lead to, without what is passing. seen are the real folders on
// the way to it. An absent folder has nothing.
func walk(folder string, seen []string, visit func(name string, folder bool) error) error {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil || slices.Contains(seen, real) {
		return absentIsNil(err)
	}
	seen = append(seen, real)
	// The separator makes it follow a folder that is a symbolic link.
	return filepath.WalkDir(folder+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return absentIsNil(err)
		}
		name = filepath.Clean(name)
		switch {
		case name == folder:
		case passing(d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				return walk(name, seen, visit)
			}
			return visit(name, false)
		}
		return visit(name, d.IsDir())
	})
}

func absentIsNil(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// forget stops watching a folder that is not where it was, and all below it.
func (w *watcher) forget(folder string) {
	for _, name := range w.fs.WatchList() {
		if _, ok := below(folder, name); ok {
			_ = w.fs.Remove(name) // what is gone is watched no more
		}
	}
}

func (w *watcher) fallBack(root string, err error) {
	if w.poll {
		return
	}
	w.poll = true
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		hint = "raise fs.inotify.max_user_watches"
	case errors.Is(err, syscall.EMFILE):
		hint = "raise fs.inotify.max_user_instances"
	}
	w.cfg.Logger.Warn("cannot watch all folders, looking for changed files instead", "folder", root, "error", err, "every", w.cfg.Poll, "hint", hint)
}

// run queues changes until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	var events chan fsnotify.Event
	var lost chan error
	if w.fs != nil {
		defer func() { _ = w.fs.Close() }()
		events, lost = w.fs.Events, w.fs.Errors
	}
	defer w.due.Stop()
	var tick <-chan time.Time
	for {
		if w.poll && tick == nil {
			t := time.NewTicker(w.cfg.Poll)
			defer t.Stop()
			tick = t.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			w.look()
		case <-w.due.C:
			w.giveUp()
		case err := <-lost:
			// An overflow loses events, those of new folders among them, so everything may have changed.
			w.cfg.Logger.Warn("file watch lost events, looking at everything", "error", err)
			for _, root := range w.roots {
				w.watchRoot(root)
			}
			w.queue.add(Change{Everything: true, Theme: w.cfg.Theme != "", Cause: "file watch"})
		case e := <-events:
			w.event(e)
		}
	}
}

// look queues what has changed since it looked last.
func (w *watcher) look() {
	first := w.sweep.files == nil
	changed, err := w.sweep.look(w.roots)
	c := Change{Cause: "poll"}
	if first || err != nil { // the build says what cannot be read
		c.Everything, c.Theme = true, w.cfg.Theme != ""
	}
	for _, name := range changed {
		if name, ok := below(w.cfg.Content, name); ok {
			w.came(&c, name, true, true)
		}
		if _, ok := below(w.cfg.Theme, name); ok {
			c.Theme = true
		}
	}
	if !c.empty() {
		w.queue.add(c)
	}
}

func (w *watcher) event(e fsnotify.Event) {
	e.Name = filepath.Clean(e.Name)
	if e.Op == fsnotify.Chmod || passing(filepath.Base(e.Name)) && !slices.Contains(w.roots, e.Name) {
		return
	}
	c := Change{Cause: "file watch"}
	name, isContent := below(w.cfg.Content, e.Name)
	if isContent {
		c.Cause += ": " + name
		if c.Everything = name == "."; !c.Everything {
			w.came(&c, name, e.Has(fsnotify.Create), e.Has(fsnotify.Rename))
		}
	}
	_, c.Theme = below(w.cfg.Theme, e.Name)
	if !isContent && !c.Theme {
		return
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		w.forget(e.Name)
	}
	if slices.Contains(w.roots, e.Name) {
		w.watchRoot(e.Name)
	} else if e.Has(fsnotify.Create) {
		// Before the change is queued: what comes into the folder from now on is seen, what is in it is found by the build.
		if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
			if err := w.add(e.Name); err != nil {
				w.fallBack(e.Name, err)
			}
		}
	}
	if !c.empty() {
		w.queue.add(c)
	}
}

// came adds a document to a change, unless it is not there: that may be for a moment only. created says that it may be one
// that had another name, moved that it may have got one: both names belong together.
func (w *watcher) came(c *Change, name string, created, moved bool) {
	now := time.Now()
	if _, err := os.Lstat(filepath.Join(w.cfg.Content, filepath.FromSlash(name))); errors.Is(err, fs.ErrNotExist) {
		if len(w.gone) == 0 {
			w.since = now
		}
		w.gone[name] = time.Time{}
		if moved {
			w.gone[name] = now.Add(renaming)
		}
		w.due.Reset(max(min(again, w.since.Add(vanishing).Sub(now)), 0))
		return
	}
	delete(w.gone, name)
	c.Documents = append(c.Documents, name)
	if !created {
		return
	}
	for old, until := range w.gone {
		if now.Before(until) {
			delete(w.gone, old)
			c.Documents = append(c.Documents, old)
		}
	}
}

// giveUp queues what has not come back.
func (w *watcher) giveUp() {
	names := slices.Sorted(maps.Keys(w.gone))
	clear(w.gone)
	if len(names) > 0 {
		w.queue.add(Change{Documents: names, Cause: "file watch: " + names[0] + " is gone"})
	}
}

// passing reports whether the name is one that editors use for moments only, or is hidden.
func passing(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || name == "4913" ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") || strings.HasSuffix(name, "___jb_tmp___") || strings.HasSuffix(name, "___jb_old___")
}

// below is name relative to root, with slashes; "." for root itself.
func below(root, name string) (string, bool) {
	if root == "" {
		return "", false
	}
	rel, err := filepath.Rel(root, name)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}
