package publictree

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/unicode/norm"

	"freshet/internal/digest"
	"freshet/internal/encoding"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// treeWorkers is the number of files that are compared or written at the same time.
const treeWorkers = 2

// A syncRun brings a tree up to one generation.
type syncRun struct {
	t       *Tree
	g       *pagestore.Generation
	olds    []*pagestore.Generation // what the tree may hold, file by file
	unsure  bool                    // files may hold anything
	writes  []write
	drops   map[string]drop    // files to remove, by name
	skipped map[site.Path]bool // pages that get no file
	foreign map[string]bool    // files that are in their place
	clashes []error
	count   atomic.Int64

	was          marker
	lost         bool // it is not known what freshet wrote
	makesForms   bool
	hadForms     bool // forms may be there
	reformAll    bool
	reforms      []write         // files that stay and whose forms are to be looked at
	noForm       map[string]bool // names that folders are to have
	foreignForms map[string]bool // forms that others' files are in the place of

	mu   sync.Mutex      // protects what follows while files are written
	dirs map[string]bool // folders known to be there
	tmp  int             // names used in the staging folder
}

// write is a file to be written.
type write struct {
	n    pagestore.File
	name string
	own  bool // the file that may be there is freshet's

	makes formSet // forms to write if they are smaller
	owns  formSet // forms that are freshet's if they are there
	made  int     // forms written
}

// drop is a file to be removed if it holds one of these objects.
type drop struct {
	objects []oldObject
	owns    formSet
}

type oldObject struct {
	g   *pagestore.Generation
	ref site.ObjectRef
}

func (s *syncRun) changed() int { return int(s.count.Load()) }

// refused returns, at the end of a Sync, the error for files that could not be written.
func (s *syncRun) refused() error {
	errs := s.clashes
	if len(s.foreign) > 0 {
		errs = append(errs, &ForeignError{Dir: s.t.dir, Files: slices.Sorted(maps.Keys(s.foreign))})
	}
	return errors.Join(errs...)
}

// plan determines the changes to make.
func (t *Tree) plan(ctx context.Context, g *pagestore.Generation, full bool) (*syncRun, error) {
	m := &t.marker
	s := &syncRun{t: t, g: g, unsure: m.Verify || m.Boot != t.boot, drops: map[string]drop{}, skipped: map[site.Path]bool{},
		foreign: map[string]bool{}, dirs: map[string]bool{".": true}, was: *m, makesForms: t.opt.Precompress, hadForms: m.Forms != "",
		reformAll: m.Forms != t.forms || m.Reform, noForm: map[string]bool{}, foreignForms: map[string]bool{}}
	lost := m.Lost
	for _, mk := range append([]mark{m.mark}, m.Targets...) {
		old, err := t.generation(mk)
		if err != nil {
			return s, err
		}
		if old == nil {
			lost = true
			continue
		}
		s.olds = append(s.olds, old)
	}
	if lost {
		// Which other files exist is not known. The oldest known generation is the best guess.
		history, err := t.store.History()
		if err != nil {
			return s, err
		}
		if len(history) > 0 {
			old, err := t.store.At(history[len(history)-1].Generation)
			if err != nil {
				return s, err
			}
			s.olds = append(s.olds, old)
		}
	}
	if home := pagestore.FileName("/"); slices.ContainsFunc(s.olds, func(old *pagestore.Generation) bool { return !old.File("/").IsZero() }) {
		if _, err := t.root.Lstat(home); err != nil && !slices.Contains(m.Skipped, "/") {
			s.unsure = true
		}
	}
	s.lost = lost
	s.clash()
	for _, p := range m.Skipped { // what was in its place may be gone
		if n := g.File(p); !n.IsZero() && !s.skipped[p] {
			s.want(n, s.own(p))
		}
	}
	if full || s.unsure || lost {
		if err := s.compare(ctx); err != nil {
			return s, err
		}
	} else {
		s.differ()
	}
	s.findDrops()
	s.planForms()
	if err := s.findForeign(ctx); err != nil {
		return s, err
	}
	return s, s.findForeignForms(ctx)
}

// clash finds pages whose file names are one name to the disk. The first by path gets the file.
func (s *syncRun) clash() {
	if !s.t.folds {
		return
	}
	first := map[string]site.Path{}
	for _, e := range s.g.Sorted() {
		if !pagestore.HasFile(e.Kind) {
			continue
		}
		name := fold(pagestore.FileName(e.Path))
		if a, ok := first[name]; ok {
			s.skipped[e.Path] = true
			s.clashes = append(s.clashes, &pagestore.CollisionError{A: a, B: e.Path})
			continue
		}
		first[name] = e.Path
	}
	for n := range s.g.Files() {
		for c := encoding.Gzip; c < encoding.Count; c++ {
			form := pagestore.FileName(n.Path()) + c.Ext()
			if _, ok := first[fold(form)]; ok {
				s.noForm[form] = true
			}
		}
	}
}

// fold returns the form that two names share if a disk takes them for one.
func fold(name string) string {
	return norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFD.String(name))))
}

// own reports whether the file at p, if it exists, is freshet's.
func (s *syncRun) own(p site.Path) bool {
	if slices.Contains(s.t.marker.Skipped, p) {
		return s.t.opt.Adopt
	}
	return s.t.opt.Adopt || slices.ContainsFunc(s.olds, func(old *pagestore.Generation) bool { return !old.File(p).IsZero() })
}

// want plans a page's file to be written.
func (s *syncRun) want(n pagestore.File, own bool) {
	if err := pagestore.CheckPath(n.Path(), n.Kind()); err != nil {
		s.skipped[n.Path()] = true
		s.clashes = append(s.clashes, err)
		return
	}
	name := pagestore.FileName(n.Path())
	s.writes = append(s.writes, write{n: n, name: name, own: own || s.isOwnForm(name)})
}

// differ plans the files that differ between the generation and the one that the tree holds.
func (s *syncRun) differ() {
	seen := map[site.Path]bool{}
	for _, p := range s.t.marker.Skipped {
		seen[p] = true
	}
	for _, old := range s.olds {
		for was, is := range s.g.FileDiff(old) {
			if is.IsZero() || s.skipped[is.Path()] || seen[is.Path()] {
				continue
			}
			if !was.IsZero() && was.Object().ID == is.Object().ID && was.Object().Size == is.Object().Size {
				if hasForms(was) != hasForms(is) {
					w := write{n: is, name: pagestore.FileName(is.Path())}
					s.setForms(&w)
					s.reforms = append(s.reforms, w)
				}
				continue
			}
			if len(s.olds) > 1 {
				seen[is.Path()] = true
			}
			s.want(is, s.own(is.Path()))
		}
	}
}

// compare plans the files whose content is not what it should be. If it is not known what freshet wrote, every file with the
// name of a page counts as freshet's.
func (s *syncRun) compare(ctx context.Context) error {
	var pages []write
	for n := range s.g.Files() {
		if p := n.Path(); !s.skipped[p] && !slices.Contains(s.t.marker.Skipped, p) {
			pages = append(pages, write{n: n, name: pagestore.FileName(p), own: s.lost || s.own(p)})
		}
	}
	var mu sync.Mutex
	return inParallel(ctx, pages, func(part []write) error {
		var buf []byte
		for _, w := range part {
			if err := ctx.Err(); err != nil {
				return err
			}
			var same bool
			var err error
			same, buf, err = s.holds(w.name, s.g, w.n.Object(), buf)
			if err != nil {
				return err
			}
			formed := true
			if same && !s.reformAll {
				s.setForms(&w)
				if formed, err = s.formsHold(w, buf); err != nil {
					return err
				}
			}
			mu.Lock()
			switch {
			case !same:
				s.want(w.n, w.own)
			case !formed:
				s.reforms = append(s.reforms, w)
			}
			mu.Unlock()
		}
		return nil
	})
}

// holds reports whether a file's content is an object. buf is scratch memory.
func (s *syncRun) holds(name string, g *pagestore.Generation, ref site.ObjectRef, buf []byte) (bool, []byte, error) {
	f, err := s.t.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EIO) {
			return false, buf, err
		}
		return false, buf, nil // it is not there, or is something else
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, buf, err
	}
	if !info.Mode().IsRegular() || info.Size() != ref.Size {
		return false, buf, nil
	}
	n := int(ref.Size)
	buf = slices.Grow(buf[:0], n)[:n]
	if _, err := io.ReadFull(f, buf); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return false, buf, nil
		}
		return false, buf, err
	}
	if digest.Bytes(buf) == ref.ID {
		return true, buf, nil
	}
	want, err := g.Object(ref) // its ID may be another than its digest
	if err != nil {
		return false, buf, err
	}
	return string(want) == string(buf), buf, nil
}

// findDrops plans the removal of files whose page is gone.
func (s *syncRun) findDrops() {
	for _, old := range s.olds {
		for was, is := range s.g.FileDiff(old) {
			if was.IsZero() || !is.IsZero() || slices.Contains(s.t.marker.Skipped, was.Path()) {
				continue
			}
			name := pagestore.FileName(was.Path())
			if slices.ContainsFunc(pagesOf(name), func(p site.Path) bool { return !s.g.File(p).IsZero() }) {
				continue // another page has the file: "/a/" instead of "/a/index.html"
			}
			d := s.drops[name]
			d.objects = append(d.objects, oldObject{old, was.Object()})
			s.drops[name] = d
		}
	}
}

// findForeign removes the pages from the plan that have a foreign file in their place. The marker then names them before
// anything is written. Otherwise, after a stop in the middle, such a file would be taken for freshet's.
func (s *syncRun) findForeign(ctx context.Context) error {
	var buf []byte
	writes := s.writes[:0]
	for _, w := range s.writes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !w.own {
			missing, blocked, err := s.missing(path.Dir(w.name))
			if err != nil {
				return err
			}
			if _, ours := s.drops[blocked]; blocked != "" && !ours && !s.isOwnForm(blocked) {
				s.refuse(w, blocked)
				continue
			}
			if missing == "" && blocked == "" {
				var free bool
				if free, buf, err = s.isFree(w, buf); err != nil {
					return err
				} else if !free {
					if !s.skipped[w.n.Path()] { // the file holds the page already
						s.reforms = append(s.reforms, w)
					}
					continue
				}
			}
		}
		writes = append(writes, w)
	}
	s.writes = writes
	return nil
}

// isFree reports whether a page's file may be written in a folder that exists. If a foreign file is in its place the page is
// refused, unless that file holds the page: then there is nothing to write. buf is scratch memory.
func (s *syncRun) isFree(w write, buf []byte) (bool, []byte, error) {
	info, err := s.t.root.Lstat(w.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, buf, nil
	case err != nil:
		return false, buf, err
	case info.IsDir():
		for name := range s.drops {
			if strings.HasPrefix(name, w.name+"/") {
				return true, buf, nil // the folder goes first
			}
		}
		s.refuse(w, w.name)
		return false, buf, nil
	case w.own:
		return true, buf, nil
	}
	same, buf, err := s.holds(w.name, s.g, w.n.Object(), buf)
	if err == nil && !same {
		s.refuse(w, w.name)
	}
	return false, buf, err
}

// run makes the planned changes. The marker is written before the first change and after the last one; it says what the tree may
// hold.
func (s *syncRun) run(ctx context.Context) error {
	was := s.was
	if len(s.writes) > 0 || len(s.drops) > 0 || len(s.reforms) > 0 {
		m := was
		m.Boot, m.Skipped = s.t.boot, slices.Sorted(maps.Keys(s.skipped))
		m.Verify = m.Verify || s.unsure // until it is done, whatever the boot
		if m.Reform = s.reformAll; m.Forms == "" {
			m.Forms = s.t.forms
		}
		m.ForeignForms = slices.Concat(was.ForeignForms, slices.Collect(maps.Keys(s.foreignForms)))
		slices.Sort(m.ForeignForms)
		m.ForeignForms = slices.Compact(m.ForeignForms)
		if m.Targets = append(slices.Clone(was.Targets), markOf(s.g)); len(m.Targets) > maxTargets {
			m.Targets, m.Lost = m.Targets[1:], true
		}
		if err := s.t.setMarker(m); err != nil {
			return err
		}
		if err := s.change(ctx); err != nil {
			return err
		}
	}
	now := marker{Site: was.Site, mark: markOf(s.g), Boot: s.t.boot, Skipped: slices.Sorted(maps.Keys(s.skipped)),
		Forms: s.t.forms, ForeignForms: slices.Sorted(maps.Keys(s.foreignForms))}
	if !now.equal(s.t.marker) {
		if err := s.t.setMarker(now); err != nil {
			return err
		}
	}
	return nil
}

func (m marker) equal(o marker) bool {
	return m.Site == o.Site && m.mark == o.mark && slices.Equal(m.Targets, o.Targets) && m.Boot == o.Boot && m.Verify == o.Verify &&
		m.Lost == o.Lost && slices.Equal(m.Skipped, o.Skipped) && m.Forms == o.Forms && m.Reform == o.Reform &&
		slices.Equal(m.ForeignForms, o.ForeignForms)
}

// change writes and removes files.
func (s *syncRun) change(ctx context.Context) error {
	defer func() {
		if s.tmp > 0 && s.t.opt.before("clean", stagingName) == nil {
			_ = s.t.root.RemoveAll(stagingName) // else Open does it
		}
	}()
	if err := s.makeRoom(); err != nil {
		return err
	}
	slices.SortFunc(s.writes, func(a, b write) int {
		return cmp.Or(cmp.Compare(a.n.Kind(), b.n.Kind()), strings.Compare(a.name, b.name))
	})
	for rest := s.writes; len(rest) > 0; {
		kind, n := rest[0].n.Kind(), 1
		for n < len(rest) && rest[n].n.Kind() == kind {
			n++
		}
		if err := s.write(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	for _, name := range slices.Sorted(maps.Keys(s.drops)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.drop(name); err != nil {
			return err
		}
	}
	return s.reform(ctx)
}

// makeRoom removes files that are in the way: a file in the place of a folder, a folder in the place of a file, and, on a disk
// that folds names, a file whose name is the same as a new one's.
func (s *syncRun) makeRoom() error {
	if len(s.drops) == 0 && !s.hadForms {
		return nil
	}
	wanted := map[string]bool{}
	var early []string
	for _, w := range s.writes {
		wanted[w.name] = true
		if s.t.folds {
			wanted[fold(w.name)] = true
		}
		for dir := path.Dir(w.name); dir != "."; dir = path.Dir(dir) {
			if _, ok := s.drops[dir]; ok {
				early = append(early, dir)
			} else if s.isOwnForm(dir) {
				if _, err := s.removeForm(dir); err != nil {
					return err
				}
			}
		}
	}
	for name := range s.drops {
		if s.t.folds && wanted[fold(name)] {
			early = append(early, name)
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if wanted[dir] {
				early = append(early, name)
			}
		}
	}
	slices.Sort(early)
	for _, name := range slices.Compact(early) {
		if err := s.drop(name); err != nil {
			return err
		}
		delete(s.drops, name)
	}
	return nil
}

// drop removes a file and the folders that this leaves empty. It leaves a file that freshet did not write.
func (s *syncRun) drop(name string) error {
	d := s.drops[name]
	if err := s.dropForms(name, d.owns, d.objects); err != nil {
		return err
	}
	info, err := s.t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && d.owns != 0 {
		s.removeEmpty(path.Dir(name)) // of forms that were left
	}
	if err != nil || info.IsDir() {
		return nil // it is gone, or another page has a folder there
	}
	if !s.unsure && !s.isOurs(name) {
		s.t.opt.Logger.Warn("public tree: a file that has no page any more was changed by somebody else and stays", "file", name)
		return nil
	}
	if err := s.t.opt.before("remove", name); err != nil {
		return err
	}
	if err := s.t.root.Remove(name); err != nil {
		return err
	}
	s.count.Add(1)
	s.removeEmpty(path.Dir(name))
	return nil
}

// removeEmpty removes a folder if it is empty, and then its parents as far as they are empty.
func (s *syncRun) removeEmpty(dir string) {
	for ; dir != "." && s.t.root.Remove(dir) == nil; dir = path.Dir(dir) {
		delete(s.dirs, dir)
	}
}

// isOurs reports whether a file that is to be removed holds what freshet wrote. If it cannot be read, it reports false.
func (s *syncRun) isOurs(name string) bool {
	return slices.ContainsFunc(s.drops[name].objects, func(old oldObject) bool {
		same, _, err := s.holds(name, old.g, old.ref, nil)
		return same && err == nil
	})
}

// write writes the files of one kind, which are sorted by name. Files of folders that are not there yet are written
// into a staging folder that is then renamed as a whole, which spares a rename for each.
func (s *syncRun) write(ctx context.Context, phase []write) error {
	if len(phase) == 0 {
		return nil
	}
	var single []write
	type folder struct {
		name   string
		staged string
		files  []write
	}
	var folders []*folder
	for _, w := range phase {
		if n := len(folders); n > 0 && strings.HasPrefix(w.name, folders[n-1].name+"/") {
			folders[n-1].files = append(folders[n-1].files, w)
			continue
		}
		missing, blocked, err := s.missing(path.Dir(w.name))
		switch {
		case err != nil:
			return err
		case blocked != "":
			s.refuse(w, blocked)
		case missing == "":
			single = append(single, w)
		default:
			folders = append(folders, &folder{name: missing, files: []write{w}})
		}
	}
	if err := s.stage(); err != nil {
		return err
	}
	if err := inParallel(ctx, single, func(part []write) error {
		var buf []byte
		for _, w := range part {
			var err error
			if buf, err = s.replaceFile(ctx, w, buf); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	// All workers share the files of a large folder. Of many small folders each worker writes one at a time.
	if err := inParallel(ctx, folders, func(part []*folder) error {
		for _, f := range part {
			f.staged = s.temp()
			if err := s.fill(ctx, f.staged, f.name, f.files, len(folders) == 1); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, f := range folders {
		if err := s.t.opt.before("rename", f.name); err != nil {
			return err
		}
		if err := s.t.root.Rename(f.staged, f.name); err != nil {
			return err
		}
		s.dirs[f.name] = true
		for _, w := range f.files {
			s.count.Add(1 + int64(w.made))
		}
	}
	return nil
}

// inParallel splits all into a few parts, in order, and calls do for each at the same time.
func inParallel[T any](ctx context.Context, all []T, do func(part []T) error) error {
	if len(all) == 0 {
		return ctx.Err()
	}
	var group errgroup.Group
	for part := range slices.Chunk(all, (len(all)+treeWorkers-1)/treeWorkers) {
		group.Go(func() error { return do(part) })
	}
	return group.Wait()
}
