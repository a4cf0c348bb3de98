package contentdir

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// staticFolder is the folder at the top of the tree whose files are published at their own paths.
const staticFolder = "static"

// Folders beside a content tree whose files are published as they are, as Hugo has static/ beside content/, count as parts
// of static/. Where the tree has a file of the same path it is taken, then that of the first folder.

// besideOf returns the folder beside the tree that has a file, and its path there; "": none has, or the tree itself has it.
func (s *Source) besideOf(name string) (folder, rest string) {
	rest, ok := strings.CutPrefix(name, staticFolder+"/")
	if !ok || len(s.beside) == 0 {
		return "", ""
	}
	if _, err := os.Lstat(filepath.Join(s.dir, filepath.FromSlash(name))); err == nil {
		return "", ""
	}
	for _, b := range s.beside {
		if _, err := os.Lstat(filepath.Join(b, filepath.FromSlash(rest))); err == nil {
			return b, rest
		}
	}
	return "", ""
}

// besideFiles lists what the folders beside the tree have at and beneath a name of the tree. What cannot be listed fails the
// walk; links are not followed.
func (w *walk) besideFiles(under string) error {
	if under != "" && under != staticFolder && !strings.HasPrefix(under, staticFolder+"/") {
		return nil
	}
	for _, b := range w.s.beside {
		err := filepath.WalkDir(b, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				if file == b && os.IsNotExist(err) {
					return fs.SkipAll
				}
				return err
			}
			if err := w.ctx.Err(); err != nil {
				return err
			}
			rel, err := filepath.Rel(b, file)
			if err != nil || rel == "." {
				return err
			}
			name := path.Join(staticFolder, filepath.ToSlash(rel))
			switch {
			case badName(d.Name()) || skipped(d.Name(), d.IsDir()) || !w.s.reads(name):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir() || !d.Type().IsRegular() || under != "" && name != under && !strings.HasPrefix(name, under+"/"):
				return nil
			}
			if from, _ := w.s.besideOf(name); from != b {
				return nil // another comes first
			}
			info, err := d.Info()
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			w.mu.Lock()
			w.files = append(w.files, found{name, statOf(info)})
			w.mu.Unlock()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
