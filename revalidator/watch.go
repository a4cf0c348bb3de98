package revalidator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A watcher queues changes of the content and theme folders. Where the system lets it watch no more folders, or a
// folder cannot be watched, it says so once and has everything looked at every so often.
type watcher struct {
	cfg   Config
	queue *queue
	fs    *fsnotify.Watcher
	poll  bool
}

func newWatcher(cfg Config, q *queue) (*watcher, error) {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &watcher{cfg: cfg, queue: q, fs: fw}
	for _, root := range []string{cfg.Content, cfg.Theme} {
		if root != "" {
			w.watch(root)
		}
	}
	return w, nil
}

// watch adds the folder and all below it. A root that does not exist yet is waited for in its parent.
func (w *watcher) watch(root string) {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if info, err := os.Stat(name); err != nil || !info.IsDir() {
				return nil
			}
			return w.fs.Add(name)
		}
		if !d.IsDir() {
			return nil
		}
		if name != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return w.fs.Add(name)
	})
	if err == nil {
		if _, err = os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			err = w.fs.Add(filepath.Dir(filepath.Clean(root)))
		}
	}
	if err != nil {
		w.fallBack(root, err)
	}
}

func (w *watcher) fallBack(root string, err error) {
	if w.poll {
		return
	}
	w.poll = true
	hint := ""
	if errors.Is(err, syscall.ENOSPC) {
		hint = "raise fs.inotify.max_user_watches"
	}
	w.cfg.Logger.Warn("cannot watch all folders, looking at everything instead", "folder", root, "error", err, "every", w.cfg.Poll, "hint", hint)
}

// run queues changes until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	defer func() { _ = w.fs.Close() }()
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
			w.queue.add(Change{Everything: true, Theme: w.cfg.Theme != "", Cause: "poll"})
		case err := <-w.fs.Errors:
			// An overflow loses events, so everything may have changed.
			w.cfg.Logger.Warn("file watch lost events, looking at everything", "error", err)
			w.queue.add(Change{Everything: true, Theme: w.cfg.Theme != "", Cause: "file watch"})
		case e := <-w.fs.Events:
			w.event(e)
		}
	}
}

func (w *watcher) event(e fsnotify.Event) {
	if e.Op == fsnotify.Chmod || passing(filepath.Base(e.Name)) {
		return
	}
	c := Change{Cause: "file watch"}
	if name, ok := below(w.cfg.Content, e.Name); ok {
		c.Documents = []string{name}
		c.Everything = name == "."
	} else if _, ok := below(w.cfg.Theme, e.Name); ok {
		c.Theme = true
	} else {
		return
	}
	if e.Has(fsnotify.Create) {
		if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
			w.watch(e.Name)
		}
	}
	if len(c.Documents) > 0 {
		c.Cause = "file watch: " + c.Documents[0]
	}
	w.queue.add(c)
}

// passing reports whether the name is one that editors use for moments only.
func passing(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || name == "4913"
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
