package publictree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"freshet/internal/encoding"
)

// missing returns the topmost missing folder on the path to dir; empty if dir exists. blocked is a file in the place of a
// folder of that path.
func (s *syncRun) missing(dir string) (missing, blocked string, err error) {
	for end := 0; end < len(dir); end++ {
		if i := strings.IndexByte(dir[end:], '/'); i >= 0 {
			end += i
		} else {
			end = len(dir)
		}
		if s.dirs[dir[:end]] {
			continue
		}
		info, err := s.t.root.Stat(dir[:end])
		if err != nil {
			if link, lerr := s.t.root.Lstat(dir[:end]); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
				return "", dir[:end], nil // it leads out of the tree or nowhere
			}
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return dir[:end], "", nil
		case err != nil:
			return "", "", err
		case !info.IsDir():
			return "", dir[:end], nil
		}
		s.dirs[dir[:end]] = true
	}
	return "", "", nil
}

// stage makes the staging folder.
func (s *syncRun) stage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tmp > 0 {
		return nil
	}
	if err := s.t.root.Mkdir(stagingName, 0o755); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := s.t.root.RemoveAll(stagingName); err != nil { // left by a Sync that failed
			return err
		}
		if err := s.t.root.Mkdir(stagingName, 0o755); err != nil {
			return err
		}
	}
	s.tmp = 1
	return nil
}

// temp returns a name in the staging folder that is free.
func (s *syncRun) temp() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tmp++
	return stagingName + "/" + strconv.Itoa(s.tmp)
}

// refuse leaves a page without its file because a file that is not freshet's is in its place.
func (s *syncRun) refuse(w write, foreign string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped[w.n.Path()] = true
	s.foreign[foreign] = true
}

// replaceFile writes a file into a folder that exists.
func (s *syncRun) replaceFile(ctx context.Context, w write, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return buf, err
	}
	if !w.own || s.t.opt.Adopt {
		if free, buf, err := s.isFree(w, buf); err != nil || !free {
			return buf, err
		}
	}
	tmp := s.temp()
	body, err := s.g.ObjectInto(buf, w.n.Object())
	if err != nil {
		return buf, err
	}
	if err := s.t.opt.before("write", w.name); err != nil {
		return buf, err
	}
	if err := writeFile(s.t.root, tmp, body); err != nil {
		return buf, err
	}
	made, err := s.encode(w, body)
	if err != nil {
		return buf, err
	}
	staged, err := s.stageForms(w, made) // before anything changes: the disk may be full
	if err != nil {
		return buf, err
	}
	gone, err := s.clearForms(w)
	if err != nil {
		return buf, err
	}
	if err := s.t.opt.before("rename", w.name); err != nil {
		return buf, err
	}
	if err := s.t.root.Rename(tmp, w.name); err != nil {
		if info, lerr := s.t.root.Lstat(w.name); lerr != nil || !info.IsDir() {
			return buf, err
		}
		s.refuse(w, w.name)
		return buf, nil
	}
	s.count.Add(1)
	return scratch(body, buf), s.placeForms(w, staged, gone)
}

// scratch returns the larger of two buffers, for the next object. body begins behind the head of its record.
func scratch(body, buf []byte) []byte {
	if cap(buf) > cap(body) {
		return buf
	}
	return body
}

func writeFile(root *os.Root, name string, body []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(body); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// fill writes the files of the folder name into the folder staged.
func (s *syncRun) fill(ctx context.Context, staged, name string, files []write, parallel bool) error {
	if err := s.t.opt.before("folder", name); err != nil {
		return err
	}
	if err := s.t.root.Mkdir(staged, 0o755); err != nil {
		return err
	}
	root, err := s.t.root.OpenRoot(staged)
	if err != nil {
		return err
	}
	defer root.Close()
	do := func(part []write) error {
		made := "."
		var buf []byte
		for i, w := range part {
			if err := ctx.Err(); err != nil {
				return err
			}
			rel := w.name[len(name)+1:]
			if dir := path.Dir(rel); dir != made && dir != "." {
				if err := root.Mkdir(dir, 0o755); errors.Is(err, fs.ErrNotExist) {
					err = root.MkdirAll(dir, 0o755)
					if err != nil {
						return err
					}
				} else if err != nil && !errors.Is(err, fs.ErrExist) {
					return err
				}
				made = dir
			}
			body, err := s.g.ObjectInto(buf, w.n.Object())
			if err != nil {
				return err
			}
			buf = scratch(body, buf)
			if err := s.t.opt.before("write", w.name); err != nil {
				return err
			}
			if err := writeFile(root, rel, body); err != nil {
				return fmt.Errorf("write %s: %w", w.name, err)
			}
			made, err := s.encode(w, body)
			if err != nil {
				return err
			}
			for c, form := range made {
				if form == nil {
					continue
				}
				ext := encoding.Coding(c).Ext()
				if err := s.t.opt.before("write", w.name+ext); err != nil {
					return err
				}
				if err := writeFile(root, rel+ext, form); err != nil {
					return fmt.Errorf("write %s%s: %w", w.name, ext, err)
				}
				part[i].made++
			}
		}
		return nil
	}
	if parallel {
		return inParallel(ctx, files, do)
	}
	return do(files)
}
