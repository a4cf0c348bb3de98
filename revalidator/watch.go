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

// A watcher queues changes in the content and theme folders. If a folder cannot be watched, for example because the
// system's limit is reached, it logs this once and polls instead.
//
// A folder is watched by its real name (without symbolic links). One event is translated to all names by which a root
// reaches the folder. Symbolic links on the way to a root, and within it, are watched too, each in its own folder: when
// a link's target changes, a different tree may appear.
type watcher struct {
	cfg     Config
	queue   *queue
	fs      *fsnotify.Watcher // nil: the system offers no watching
	roots   []string
	dirs    map[string][]string // real name of a watched folder → its names below the roots; empty: watched only for the links in it
	links   map[string][]string // real name of a link or root → the roots that it affects
	targets map[string][]string // real name of a file that links lead to → its names below the roots
	poll    bool
	sweep   sweep

	// Documents that are missing. Some editors move a file away before they write the new one, so a missing file gets a
	// second to come back. While more files vanish, all are held back and then queued together, so that the build sees
	// how many are gone.
	gone  map[string]time.Time // until when a new document may be this one under another name; zero: it cannot be
	since time.Time            // when the first of them vanished
	due   *time.Timer          // fires when the missing documents count as deleted
}

// Delays for missing documents.
const (
	renaming  = 100 * time.Millisecond // the new name of a renamed file comes within this time
	vanishing = 10 * time.Second       // missing documents are held back this long at most
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

// watchRoot watches a root with everything below it, and the links on the way to it. The root may appear or be replaced
// later.
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

// way watches the links on the way to name, which is root or lies below it.
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

// drop deletes names, and the keys that have no names left.
func drop(names map[string][]string, gone func(name string) bool) {
	for key, list := range names {
		if list = slices.DeleteFunc(list, gone); len(list) == 0 {
			delete(names, key)
		} else {
			names[key] = list
		}
	}
}

// watch watches a folder by its real name. name is its name below a root; empty: it has none.
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

// add watches a folder below a root, and everything in it.
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

// resolve resolves all symbolic links in name. It also lists the links that it meets, each by its real folder. A
// missing file resolves to itself.
func resolve(name string) (links []string, real string, err error) {
	name, err = filepath.Abs(name)
	if err != nil {
		return nil, "", err
	}
	const sep = string(filepath.Separator)
	real = sep
	rest := strings.Split(strings.Trim(name, sep), sep)
	for len(rest) > 0 {
		next := filepath.Join(real, rest[0]) // correct for ".." too, because real contains no links
		rest = rest[1:]
		target, err := os.Readlink(next)
		if err != nil { // not a link, or missing
			real = next
			continue
		}
		if links = append(links, next); len(links) > maxLinks {
			return links, next, nil // a cycle; opening the file fails with a proper error
		}
		if filepath.IsAbs(target) {
			real = sep
		}
		rest = append(strings.Split(strings.Trim(target, sep), sep), rest...)
	}
	return links, real, nil
}

// maxLinks limits the links on the way to one file.
const maxLinks = 40

// walk visits a folder and everything below it. It follows links and skips the names that passing reports. seen holds
// the real folders on the way, against cycles. An absent folder is empty.
func walk(folder string, seen []string, visit func(name string, folder, link bool) error) error {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil || slices.Contains(seen, real) {
		return absentIsNil(err)
	}
	seen = append(seen, real)
	// The trailing separator makes WalkDir follow a folder that is a symbolic link.
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

// forget stops watching a folder that was moved or deleted, and everything below it.
func (w *watcher) forget(folder string) {
	for real, names := range w.dirs {
		left := slices.DeleteFunc(names, func(name string) bool { _, ok := below(folder, name); return ok })
		if w.dirs[real] = left; len(left) == 0 && !w.leads(real) {
			delete(w.dirs, real)
			_ = w.fs.Remove(real) // fails if the kernel already dropped the watch
		}
	}
}

// leads reports whether a folder holds a watched link, or a file that such a link leads to.
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
			// An overflow loses events, possibly those of new folders: everything may have changed.
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

// look polls: it queues what changed since the last look.
func (w *watcher) look() {
	first := w.sweep.files == nil
	changed, err := w.sweep.look(w.roots)
	c := Change{Cause: "poll"}
	if first || err != nil { // a build reports unreadable files
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

// told takes an event with a real name, and handles it for each name below the roots.
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
		// Watch the folder before the change is queued: the build finds what is already in it, and the watch reports
		// what comes later.
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

// came adds a document to a change. A missing document is held back, because an editor may be replacing it. created
// means that the file may be the new name of another document, moved that it may have got another name. A build gets
// both names of a renamed document together.
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

// giveUp queues the documents that did not come back.
func (w *watcher) giveUp() {
	names := slices.Sorted(maps.Keys(w.gone))
	clear(w.gone)
	if len(names) > 0 {
		w.queue.add(Change{Documents: names, Cause: "file watch: " + names[0] + " is gone"})
	}
}

// passing reports whether a file is hidden or a temporary file of an editor.
func passing(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || name == "4913" ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") || strings.HasSuffix(name, "___jb_tmp___") || strings.HasSuffix(name, "___jb_old___")
}

// below returns name relative to root, with slashes; "." is root itself.
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
