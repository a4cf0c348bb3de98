package publictree

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"freshet/internal/encoding"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// Forms are compressed copies beside a page's file: index.html.br, .gz and .zst. A form is removed before its file changes or
// is removed, and written after the file. So a web server that prefers forms never sends an older page than the file, wherever
// a Sync was stopped.

// unknownForms is the marker's version of forms when it is not known whether there are any.
const unknownForms = "unknown"

// formSet is a set of codings.
type formSet uint8

func (f formSet) has(c encoding.Coding) bool { return f&(1<<c) != 0 }

func (f *formSet) add(c encoding.Coding) { *f |= 1 << c }

func (f *formSet) remove(c encoding.Coding) { *f &^= 1 << c }

// forms are the compressed bodies by coding; nil: there is none.
type forms [encoding.Count][]byte

// hasForms reports whether an entry's file gets forms, those that are smaller than it. Files that only hosts read get
// none.
func hasForms(n pagestore.File) bool {
	return n.Object().Size >= encoding.LeastBytes && encoding.Compressible(n.Type()) && n.Path() != "/_redirects" && n.Path() != "/_headers"
}

// setForms determines which forms of a file are to be made, and which existing ones may be freshet's.
func (s *syncRun) setForms(w *write) {
	makes := s.makesForms && hasForms(w.n)
	owns := s.hadForms && (s.lost || s.hadFormsAt(w.n.Path()))
	if !makes && !owns {
		return
	}
	for c := encoding.Gzip; c < encoding.Count; c++ {
		name := w.name + c.Ext()
		if !s.g.File(pageOf(name)).IsZero() || len(path.Base(name)) > pagestore.MaxNameBytes {
			continue // the name is another page's
		}
		if owns && !s.wasForeign(name) && !slices.ContainsFunc(s.olds, func(old *pagestore.Generation) bool { return !old.File(pageOf(name)).IsZero() }) {
			w.owns.add(c)
		}
		if makes && !s.noForm[name] {
			w.makes.add(c)
			if s.t.opt.Adopt {
				w.owns.add(c)
			}
		}
	}
}

// pageOf returns the path, without a slash at its end, of the page whose file has a name.
func pageOf(name string) site.Path { return site.Path("/" + name) }

// pagesOf returns the paths of the pages whose file may have a name.
func pagesOf(name string) []site.Path {
	paths := []site.Path{pageOf(name)}
	if name == "index.html" || strings.HasSuffix(name, "/index.html") {
		paths = append(paths, site.Path("/"+strings.TrimSuffix(name, "index.html")))
	}
	return paths
}

// wasForeign reports whether a file that is not freshet's was in the place of a form.
func (s *syncRun) wasForeign(form string) bool { return slices.Contains(s.was.ForeignForms, form) }

// hadFormsAt reports whether the file at p may have forms that freshet wrote.
func (s *syncRun) hadFormsAt(p site.Path) bool {
	return s.hadForms && !slices.Contains(s.was.Skipped, p) && slices.ContainsFunc(s.olds, func(old *pagestore.Generation) bool {
		n := old.File(p)
		return !n.IsZero() && hasForms(n)
	})
}

// isOwnForm reports whether a file of that name, if there is one and it is no page's, is a form that freshet wrote.
func (s *syncRun) isOwnForm(name string) bool {
	if !s.hadForms || s.wasForeign(name) {
		return false
	}
	plain, c := encoding.Split(name)
	return c != encoding.Identity && slices.ContainsFunc(pagesOf(plain), s.hadFormsAt) &&
		!slices.ContainsFunc(s.olds, func(old *pagestore.Generation) bool { return !old.File(pageOf(name)).IsZero() })
}

// planForms plans the changes of forms from the planned changes of files.
func (s *syncRun) planForms() {
	if !s.makesForms && !s.hadForms {
		return
	}
	writes := map[string]bool{}
	beside := map[string]bool{} // files whose forms have a name that is taken or becomes free
	take := func(name string) {
		for ; name != "."; name = path.Dir(name) {
			if plain, c := encoding.Split(name); c != encoding.Identity {
				beside[plain] = true
			}
		}
	}
	for _, w := range s.writes {
		writes[w.name] = true
		for dir := path.Dir(w.name); dir != "."; dir = path.Dir(dir) {
			s.noForm[dir] = true
		}
	}
	for i := range s.writes {
		s.setForms(&s.writes[i])
	}
	for name, d := range s.drops {
		take(name)
		if slices.ContainsFunc(pagesOf(name), s.hadFormsAt) || s.lost && s.hadForms {
			for c := encoding.Gzip; c < encoding.Count; c++ {
				if form := name + c.Ext(); s.g.File(pageOf(form)).IsZero() && !s.wasForeign(form) {
					d.owns.add(c)
				}
			}
			s.drops[name] = d
		}
	}
	if s.reformAll {
		s.reforms = s.reforms[:0]
		for n := range s.g.Files() {
			p := n.Path()
			if !s.skipped[p] && !slices.Contains(s.was.Skipped, p) && !writes[pagestore.FileName(p)] {
				w := write{n: n, name: pagestore.FileName(p), own: true}
				s.setForms(&w)
				s.reforms = append(s.reforms, w)
			}
		}
	}
	for plain := range beside {
		for _, p := range pagesOf(plain) {
			if n := s.g.File(p); !n.IsZero() && !s.skipped[p] {
				w := write{n: n, name: plain}
				s.setForms(&w)
				s.reforms = append(s.reforms, w)
			}
		}
	}
	for _, form := range s.was.ForeignForms { // what was in its place may be gone
		plain, c := encoding.Split(form)
		for _, p := range pagesOf(plain) {
			if n := s.g.File(p); !n.IsZero() && !s.skipped[p] && !writes[plain] && !s.reformAll {
				w := write{n: n, name: plain}
				s.setForms(&w)
				w.makes &= 1 << c
				w.owns &= 1 << c
				s.reforms = append(s.reforms, w)
			}
		}
	}
}

// findForeignForms removes the forms from the plan that have a foreign file in their place.
func (s *syncRun) findForeignForms(ctx context.Context) error {
	for reforms, all := range [][]write{s.writes, s.reforms} {
		for i := range all {
			w := &all[i]
			if w.makes&^w.owns == 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if missing, blocked, err := s.missing(path.Dir(w.name)); err != nil {
				return err
			} else if missing != "" || blocked != "" {
				continue
			}
			for c := encoding.Gzip; c < encoding.Count; c++ {
				if !(w.makes &^ w.owns).has(c) {
					continue
				}
				if _, going := s.drops[w.name+c.Ext()]; going {
					if reforms == 0 {
						w.makes.remove(c) // it is one of the reforms as well, which come after what goes
					}
					continue
				}
				switch free, err := s.isFreeForm(w, c); {
				case err != nil:
					return err
				case !free:
					w.makes.remove(c)
				}
			}
		}
	}
	slices.SortFunc(s.reforms, func(a, b write) int { return strings.Compare(a.name, b.name) })
	reforms := s.reforms[:0]
	for _, w := range s.reforms {
		if n := len(reforms); n > 0 && reforms[n-1].name == w.name {
			reforms[n-1].makes |= w.makes
			reforms[n-1].owns |= w.owns
		} else if w.makes|w.owns != 0 {
			reforms = append(reforms, w)
		}
	}
	s.reforms = reforms
	return nil
}

// isFreeForm reports whether a form may be written where freshet has written none. If a foreign file is in its place the form is
// refused, unless that file holds the page: then there is nothing to write.
func (s *syncRun) isFreeForm(w *write, c encoding.Coding) (bool, error) {
	name := w.name + c.Ext()
	info, err := s.t.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return true, nil // if it is still there then, no form is written
	}
	same, err := s.formHolds(name, c, []oldObject{{s.g, w.n.Object()}})
	if err == nil && !same {
		s.refuseForm(name)
	}
	return false, err
}

// refuseForm leaves a file without a form, because of a file that is not freshet's.
func (s *syncRun) refuseForm(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreignForms[name] = true
	s.foreign[name] = true
}

// readForm returns the bytes of a form; nil if it does not exist or is too large to be a form of its file.
func (s *syncRun) readForm(name string, size int64) ([]byte, error) {
	f, err := s.t.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EIO) {
			return nil, err
		}
		return nil, nil // it is not there, or is something else
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() >= size {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, size))
}

// formHolds reports whether a form decodes to one of these objects. It need not have the bytes that freshet would write now:
// other versions of freshet had other encoders.
func (s *syncRun) formHolds(name string, c encoding.Coding, objects []oldObject) (bool, error) {
	for _, o := range objects {
		form, err := s.readForm(name, o.ref.Size)
		if err != nil {
			return false, err
		}
		if form == nil {
			continue
		}
		body, err := o.g.Object(o.ref)
		if err != nil {
			return false, err
		}
		if encoding.Holds(c, form, body) {
			return true, nil
		}
	}
	return false, nil
}

// formsHold reports whether all forms that a file may have are there and hold body.
func (s *syncRun) formsHold(w write, body []byte) (bool, error) {
	for c := encoding.Gzip; c < encoding.Count; c++ {
		if !w.makes.has(c) {
			continue
		}
		form, err := s.readForm(w.name+c.Ext(), int64(len(body)))
		if err != nil || form == nil || !encoding.Holds(c, form, body) {
			return false, err
		}
	}
	return w.owns&^w.makes == 0, nil
}

// encode makes the forms of a file that are smaller than it.
func (s *syncRun) encode(w write, body []byte) (made forms, err error) {
	for c := encoding.Gzip; c < encoding.Count; c++ {
		if !w.makes.has(c) {
			continue
		}
		form, err := s.t.encoder.Encode(c, body)
		if err != nil {
			return made, err
		}
		if len(form) < len(body) {
			made[c] = form
		}
	}
	return made, nil
}

// stageForms writes forms under temporary names, which it returns.
func (s *syncRun) stageForms(w write, made forms) (staged [encoding.Count]string, err error) {
	for c, form := range made {
		if form == nil {
			continue
		}
		staged[c] = s.temp()
		if err := s.t.opt.before("write", w.name+encoding.Coding(c).Ext()); err != nil {
			return staged, err
		}
		if err := writeFile(s.t.root, staged[c], form); err != nil {
			return staged, err
		}
	}
	return staged, nil
}

// placeForms gives forms their names. gone says which were there before.
func (s *syncRun) placeForms(w write, staged [encoding.Count]string, gone formSet) error {
	for i, tmp := range staged {
		c := encoding.Coding(i)
		if tmp == "" {
			if gone.has(c) {
				s.count.Add(1)
			}
			continue
		}
		if err := s.placeForm(tmp, w.name+c.Ext()); err != nil {
			return err
		}
	}
	return nil
}

func (s *syncRun) placeForm(tmp, name string) error {
	if info, err := s.t.root.Lstat(name); err == nil && info.IsDir() {
		return nil // somebody's folder has the name
	}
	if err := s.t.opt.before("rename", name); err != nil {
		return err
	}
	if err := s.t.root.Rename(tmp, name); err != nil {
		return err
	}
	s.count.Add(1)
	return nil
}

// clearForms removes the forms of a file that is about to change.
func (s *syncRun) clearForms(w write) (gone formSet, err error) {
	for c := encoding.Gzip; c < encoding.Count; c++ {
		if !w.owns.has(c) {
			continue
		}
		removed, err := s.removeForm(w.name + c.Ext())
		if err != nil {
			return gone, err
		}
		if removed {
			gone.add(c)
		}
	}
	return gone, nil
}

// removeForm removes a form that may be there.
func (s *syncRun) removeForm(name string) (bool, error) {
	if info, err := s.t.root.Lstat(name); err != nil || info.IsDir() {
		return false, nil // it is gone, or a page has a folder there
	}
	if err := s.t.opt.before("remove", name); err != nil {
		return false, err
	}
	return true, s.t.root.Remove(name)
}

// dropForms removes the forms of a file that is to have none. It leaves files that freshet did not write.
func (s *syncRun) dropForms(name string, owns formSet, objects []oldObject) error {
	for c := encoding.Gzip; c < encoding.Count; c++ {
		if !owns.has(c) {
			continue
		}
		form := name + c.Ext()
		if info, err := s.t.root.Lstat(form); err != nil || info.IsDir() {
			continue
		}
		if !s.unsure {
			if ours, err := s.formHolds(form, c, objects); err != nil || !ours { // what cannot be read is not known to be
				s.t.opt.Logger.Warn("public tree: a compressed file that is not needed any more was changed by somebody else and stays", "file", form)
				continue
			}
		}
		removed, err := s.removeForm(form)
		if err != nil {
			return err
		}
		if removed {
			s.count.Add(1)
		}
	}
	return nil
}

// reform brings the forms of unchanged files up to date.
func (s *syncRun) reform(ctx context.Context) error {
	if len(s.reforms) == 0 {
		return nil
	}
	if err := s.stage(); err != nil {
		return err
	}
	return inParallel(ctx, s.reforms, func(part []write) error {
		for _, w := range part {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.reformFile(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *syncRun) reformFile(w write) error {
	if _, err := s.t.root.Lstat(w.name); err != nil {
		w.makes = 0 // somebody has removed the file: a form alone would be of nothing
	}
	var made forms
	if w.makes != 0 {
		body, err := s.g.Object(w.n.Object())
		if err != nil {
			return err
		}
		if made, err = s.encode(w, body); err != nil {
			return err
		}
	}
	rest := w.owns
	for i, form := range made {
		if form == nil {
			continue
		}
		c := encoding.Coding(i)
		name := w.name + c.Ext()
		rest.remove(c)
		is, err := s.readForm(name, w.n.Object().Size)
		if err != nil {
			return err
		}
		if is != nil && bytes.Equal(is, form) {
			continue
		}
		if !w.owns.has(c) {
			free, err := s.isFreeForm(&w, c)
			if err != nil {
				return err
			}
			if !free {
				continue // somebody has been quicker
			}
		}
		tmp := s.temp()
		if err := s.t.opt.before("write", name); err != nil {
			return err
		}
		if err := writeFile(s.t.root, tmp, form); err != nil {
			return err
		}
		if err := s.placeForm(tmp, name); err != nil {
			return err
		}
	}
	if rest == 0 {
		return nil
	}
	objects := []oldObject{{s.g, w.n.Object()}}
	for _, old := range s.olds {
		if n := old.File(w.n.Path()); !n.IsZero() && n.Object().ID != w.n.Object().ID {
			objects = append(objects, oldObject{old, n.Object()})
		}
	}
	return s.dropForms(w.name, rest, objects)
}
