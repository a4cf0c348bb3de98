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
//
// A folder is watched by its real name, and its events are those of all names that it is looked at by. Symbolic links
// on the way to a root, and within it, are watched too, each where it lies: one that leads elsewhere now may make a root
// another one.
type watcher struct {
	cfg     Config
	queue   *queue
	fs      *fsnotify.Watcher // nil: nothing can be watched
	roots   []string
	dirs    map[string][]string // watched folders, with the names that they are looked at by; none: for the links in it
	links   map[string][]string // links, and roots, by their real folder: whose roots they may change
	targets map[string][]string // files that links lead to, likewise with the names that they are looked at by
	poll    bool
	sweep   sweep

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
	w := &watcher{cfg: cfg, queue: q, dirs: map[string][]string{}, links: map[string][]string{}, targets: map[string][]string{}, gone: map[string]time.Time{}, due: time.NewTimer(time.Hour)}
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

// watchRoot watches a root with all below it, and what leads to it: a root may come later, or be replaced.
func (w *watcher) watchRoot(root string) {
	drop(w.links, func(r string) bool { return r == root })
	drop(w.targets, func(name string) bool { _, ok := below(root, name); return ok })
	w.forget(root)
	err := w.way(root, root)
	if err == nil {
		err = w.add(root, root)
	}
	if err != nil {
		w.fallBack(root, err)
	}
}

// way watches the links on the way to name, which is in the tree of root or root itself.
func (w *watcher) way(name, root string) error {
	links, real, err := resolve(name)
	if err != nil {
		return err
	}
	if name == root {
		dir, err := filepath.EvalSymlinks(filepath.Dir(root))
		if err == nil {
			dir, err = filepath.Abs(dir)
		}
		if err != nil {
			return err
		}
		links = append(links, filepath.Join(dir, filepath.Base(root)))
	} else if info, err := os.Stat(real); err == nil && !info.IsDir() && len(links) > 0 {
		addName(w.targets, real, name)
		if err := w.watch(filepath.Dir(real), ""); err != nil {
			return err
		}
	}
	for _, link := range links {
		addName(w.links, link, root)
		if err := w.watch(filepath.Dir(link), ""); err != nil {
			return err
		}
	}
	return nil
}

func addName(names map[string][]string, key, name string) {
	if !slices.Contains(names[key], name) {
		names[key] = append(names[key], name)
	}
}

// drop takes names away, and keys that have none left.
func drop(names map[string][]string, gone func(name string) bool) {
	for key, list := range names {
		if list = slices.DeleteFunc(list, gone); len(list) == 0 {
			delete(names, key)
		} else {
			names[key] = list
		}
	}
}

// watch watches a folder by its real name. name is what it is looked at by; empty: nothing.
func (w *watcher) watch(real, name string) error {
	if err := w.fs.Add(real); err != nil {
		return absentIsNil(err)
	}
	if _, known := w.dirs[real]; !known {
		w.dirs[real] = nil
	}
	if name != "" {
		addName(w.dirs, real, name)
	}
	return nil
}

// add watches a folder of a root's tree and all below it.
func (w *watcher) add(folder, root string) error {
	return walk(folder, nil, func(name string, folder, link bool) error {
		if link {
			if err := w.way(name, root); err != nil {
				return err
			}
		}
		if !folder {
			return nil
		}
		real, err := filepath.EvalSymlinks(name)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return absentIsNil(err)
		}
		return w.watch(real, name)
	})
}

// resolve follows a name to what it really is, and lists the links that it meets, each by its real folder. What is not
// there is itself.
func resolve(name string) (links []string, real string, err error) {
	name, err = filepath.Abs(name)
	if err != nil {
		return nil, "", err
	}
	const sep = string(filepath.Separator)
	real = sep
	rest := strings.Split(strings.Trim(name, sep), sep)
	for len(rest) > 0 {
		next := filepath.Join(real, rest[0]) // ".." too: real has no links
		rest = rest[1:]
		target, err := os.Readlink(next)
		if err != nil { // no link, or not there
			real = next
			continue
		}
		if links = append(links, next); len(links) > maxLinks {
			return links, next, nil // a circle, which who reads it finds
		}
		if filepath.IsAbs(target) {
			real = sep
		}
		rest = append(strings.Split(strings.Trim(target, sep), sep), rest...)
	}
	return links, real, nil
}

// maxLinks is how many links there may be on the way to one file.
const maxLinks = 40

// walk visits a folder and all below it, whatever links lead to, without what is passing. seen are the real folders on
// the way to it. An absent folder has nothing.
func walk(folder string, seen []string, visit func(name string, folder, link bool) error) error {
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
				if err := visit(name, false, true); err != nil {
					return err
				}
				return walk(name, seen, visit)
			}
			return visit(name, false, true)
		}
		return visit(name, d.IsDir(), false)
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
	for real, names := range w.dirs {
		left := slices.DeleteFunc(names, func(name string) bool { _, ok := below(folder, name); return ok })
		if w.dirs[real] = left; len(left) == 0 && !w.leads(real) {
			delete(w.dirs, real)
			_ = w.fs.Remove(real) // what is gone is watched no more
		}
	}
}

// leads reports whether a folder holds a link that is watched, or what one leads to.
func (w *watcher) leads(real string) bool {
	for _, names := range []map[string][]string{w.links, w.targets} {
		for name := range names {
			if filepath.Dir(name) == real {
				return true
			}
		}
	}
	return false
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
			w.told(e)
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

// told hears of a change by a real name, and takes it for one of all names that it is looked at by.
func (w *watcher) told(e fsnotify.Event) {
	e.Name = filepath.Clean(e.Name)
	if e.Op == fsnotify.Chmod {
		return
	}
	if roots := slices.Clone(w.links[e.Name]); len(roots) > 0 {
		c := Change{Cause: "file watch: what leads to " + roots[0] + " changed"}
		for _, root := range roots {
			w.watchRoot(root)
			c.Everything = c.Everything || root == w.cfg.Content
			c.Theme = c.Theme || root == w.cfg.Theme
		}
		w.queue.add(c)
		return
	}
	names := slices.Concat(w.dirs[e.Name], w.targets[e.Name])
	for _, dir := range w.dirs[filepath.Dir(e.Name)] {
		names = append(names, filepath.Join(dir, filepath.Base(e.Name)))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		w.event(fsnotify.Event{Name: name, Op: e.Op})
	}
}

func (w *watcher) event(e fsnotify.Event) {
	if passing(filepath.Base(e.Name)) && !slices.Contains(w.roots, e.Name) {
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
		root := w.cfg.Theme
		if isContent {
			root = w.cfg.Content
		}
		err := error(nil)
		if info, serr := os.Lstat(e.Name); serr == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = w.way(e.Name, root)
		}
		if info, serr := os.Stat(e.Name); serr == nil && info.IsDir() && err == nil {
			err = w.add(e.Name, root)
		}
		if err != nil {
			w.fallBack(e.Name, err)
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
