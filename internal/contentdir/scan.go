package contentdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/internal/diag"
	"freshet/internal/site"
)

// scan brings the tree up to date with the disk and reports what differs.
func (t *tree) scan(ctx context.Context, changed []string, doubts map[string]bool) (*site.Changes, error) {
	named := map[string]bool{}
	for _, name := range changed {
		named[strings.Trim(path.Clean("/"+name), "/")] = !doubts[name] && t.waiting[name].IsZero()
	}
	if changed != nil {
		changed = slices.AppendSeq(slices.Clip(changed), maps.Keys(doubts))
	}
	there, gone, err := t.look(ctx, changed, doubts)
	if err != nil {
		return nil, err
	}
	gone, again := t.away(gone, named, there)
	now := t.s.now()
	maps.DeleteFunc(t.waiting, func(_ string, since time.Time) bool { return now.Sub(since) > 3*writing })
	for _, name := range again {
		t.waiting[name] = now
	}
	st := &scanState{units: map[string]bool{}, touched: map[*folder]bool{}, dirty: map[*record]bool{}, lost: map[string]bool{}}
	fresh, err := t.loadAll(ctx, there, doubts)
	if err != nil {
		return nil, err
	}
	for _, name := range gone {
		if r := t.record(name); r != nil {
			t.inherit(st, r)
			t.remove(st, r)
		}
	}
	for _, r := range fresh {
		if t.halfWritten(r) {
			again = append(again, r.path)
			continue
		}
		t.put(st, r)
	}
	t.reclass(st)
	t.assign(st)
	ch := t.build(ctx, st)
	ch.Again = again
	return ch, nil
}

// writing is how long a file that was whole may be empty or malformed: editors truncate first.
const writing = time.Second

// away tells files that are gone from those that may be away for a moment: editors and deployments move a file away before
// they put the new one in its place. Whoever names a file, or a folder that it was in, knows that it is gone (unless it was
// to be named again), and one of those that were found may be it; else what has just gone stays as it was, and is to be
// looked at again.
func (t *tree) away(missing []string, named map[string]bool, there []found) (gone, again []string) {
	if len(missing) == 0 {
		return nil, nil
	}
	now := t.s.now()
	inodes := map[uint64]bool{}
	for _, f := range there {
		inodes[f.stat.inode] = true
	}
	stirred := map[string]bool{} // folders: whether something has just come or gone there
	for _, name := range missing {
		since, known := t.missing[name]
		if !known {
			since = now
			t.missing[name] = now
		}
		if now.Sub(since) >= writing || t.s.ignores(name) || isNamed(name, named) || inodes[t.record(name).stat.inode] || !t.stirred(path.Dir(name), now, stirred) {
			gone = append(gone, name)
			delete(t.missing, name)
		} else {
			again = append(again, name)
		}
	}
	return gone, again
}

// isNamed reports whether a file, or a folder above it, is among names.
func isNamed(name string, names map[string]bool) bool {
	for ; name != "."; name = path.Dir(name) {
		if names[name] {
			return true
		}
	}
	return false
}

// stirred reports whether something has just come or gone in a folder, or in the nearest above it that is there.
func (t *tree) stirred(dir string, now time.Time, memory map[string]bool) bool {
	known, has := memory[dir]
	if has {
		return known
	}
	info, err := os.Stat(t.s.file(dir))
	switch {
	case err == nil:
		known = now.Sub(info.ModTime()).Abs() < writing
	case dir != ".":
		known = t.stirred(path.Dir(dir), now, memory)
	}
	memory[dir] = known
	return known
}

// halfWritten reports whether a file that was whole a moment ago is being written, by all that can be seen. What is known
// of it stays, and its old modification time makes every scan look at it again.
func (t *tree) halfWritten(r *record) bool {
	if r == nil || !r.isMarkdown || !r.broken && r.stat.size > 0 {
		return false
	}
	old := t.record(r.path)
	age := time.Duration(t.s.now().UnixNano() - r.stat.mtime)
	return old != nil && !old.broken && old.stat.size > 0 && age.Abs() < writing
}

// look lists what is to be read and what is gone.
func (t *tree) look(ctx context.Context, changed []string, doubts map[string]bool) (files []found, gone []string, err error) {
	dirs := []string{""}
	full := changed == nil || t.links
	var seen []found
	if !full {
		dirs = dirs[:0]
		for _, name := range changed {
			name = strings.Trim(path.Clean("/"+name), "/")
			if name == "" {
				full, dirs = true, []string{""}
				break
			}
			if t.hidden(name) {
				continue
			}
			fi, err := os.Lstat(t.s.file(name))
			switch {
			case err != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
				gone = append(gone, t.under(name)...)
				// A folder that has become a file, or is gone, takes what was in it along; a file in the way of the
				// path is found by its own name.
			case err != nil:
				return nil, nil, err
			case fi.IsDir():
				dirs = append(dirs, name)
			case fi.Mode().IsRegular() && !badName(path.Base(name)):
				if !skipped(path.Base(name), false) {
					seen = append(seen, found{name, statOf(fi)})
				}
				if t.folder(name, false) != nil {
					gone = append(gone, t.under(name)...)
				}
			default:
				full, dirs = true, []string{""} // a symbolic link
			}
			if full {
				break
			}
		}
	}
	if len(t.s.beside) > 0 && !full {
		dirs = append(dirs, staticFolder) // the folders beside the tree are not watched
	}
	if len(dirs) > 0 {
		w, err := t.s.walk(ctx, dirs...)
		if err != nil {
			return nil, nil, err
		}
		if w.links && !full {
			// What lies behind a link is known only from the whole.
			if w, err = t.s.walk(ctx, ""); err != nil {
				return nil, nil, err
			}
			full, dirs = true, []string{""}
		}
		if full {
			t.links, t.walkBad, t.walkSkip = w.links, w.problems, w.skips
			seen, gone = nil, nil
		} else {
			// Names that are not text are found by whole walks; a part adds its own.
			t.walkBad = append(slices.DeleteFunc(t.walkBad, func(p diag.Problem) bool {
				return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(p.File, t.s.shown(d)+"/") })
			}), w.problems...)
		}
		seen = append(seen, w.files...)
		present := make(map[string]bool, len(w.files))
		for _, f := range w.files {
			present[f.path] = true
		}
		for _, d := range dirs {
			for _, name := range t.under(d) {
				if !present[name] {
					gone = append(gone, name)
				}
			}
		}
	}
	slices.SortFunc(seen, func(a, b found) int { return strings.Compare(a.path, b.path) })
	seen = slices.CompactFunc(seen, func(a, b found) bool { return a.path == b.path })
	slices.Sort(gone)
	gone = slices.Compact(gone)
	files = seen[:0]
	for _, f := range seen {
		delete(t.missing, f.path)
		if r := t.record(f.path); r != nil && r.trusted && r.stat == f.stat && !doubts[f.path] {
			continue
		}
		files = append(files, f)
	}
	return files, gone, nil
}

// hidden reports whether a path passes through a folder that is not read.
func (t *tree) hidden(name string) bool {
	if !t.s.reads(name) {
		return true
	}
	for {
		dir, rest, ok := strings.Cut(name, "/")
		if !ok {
			return dir == "" || dir[0] == '.'
		}
		if skipped(dir, true) {
			return true
		}
		name = rest
	}
}

// under lists the known files at and beneath a path.
func (t *tree) under(name string) []string {
	var out []string
	if t.record(name) != nil {
		out = append(out, name)
	}
	var walk func(f *folder)
	walk = func(f *folder) {
		for _, r := range f.files {
			out = append(out, r.path)
		}
		for _, d := range f.dirs {
			walk(d)
		}
	}
	if f := t.folder(name, false); f != nil {
		walk(f)
	}
	return out
}

// workers is how many goroutines share a piece of work.
func workers(n int) int { return max(1, min(runtime.GOMAXPROCS(0), n/16+1)) }

// parallel calls f for each index below n.
func parallel(ctx context.Context, n int, f func(i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers(n) {
		g.Go(func() error {
			for {
				const batch = 16
				from := int(next.Add(batch)) - batch
				if from >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				for i := from; i < min(from+batch, n); i++ {
					if err := f(i); err != nil {
						return err
					}
				}
			}
		})
	}
	return g.Wait()
}

// loadAll reads files into new records.
func (t *tree) loadAll(ctx context.Context, files []found, doubts map[string]bool) ([]*record, error) {
	out := make([]*record, len(files))
	err := parallel(ctx, len(files), func(i int) error {
		r := &record{path: files[i].path}
		r.text, r.isMarkdown = t.markdownFile(r.path)
		if err := t.s.load(ctx, r, files[i].stat, doubts[r.path]); err != nil {
			if errors.Is(err, errVanished) {
				return nil
			}
			return err
		}
		r.facts()
		out[i] = r
		return nil
	})
	return out, err
}

// facts takes from a parse result what stays in memory.
func (r *record) facts() {
	if r.p == nil {
		if strings.HasPrefix(r.path, "static/") || r.stat.size <= maxAssetBytes {
			return
		}
		r.broken = true
		r.notes = &notes{problems: []diag.Problem{{Severity: diag.Warning, Message: fmt.Sprintf("the file has %d MB and is left out", r.stat.size>>20),
			Remedy: "put it into static/, or link to it elsewhere"}}}
		return
	}
	r.broken = r.p.broken
	r.dated, r.lang = r.p.dated, r.p.lang
	if !r.dated {
		_, _, r.dated = dateName(documentName(r.path))
	}
	if len(r.p.problems)+len(r.p.uses) > 0 || r.broken {
		r.notes = &notes{problems: r.p.problems, uses: r.p.uses}
	}
	if r.broken {
		r.notes.skip = &site.Skip{ID: site.ID(r.path), Field: r.p.badField, Reason: r.p.reason}
	}
}
