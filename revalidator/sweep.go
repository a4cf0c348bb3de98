package revalidator

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// settled is the age at which a file's modification time can be trusted. Changes within one tick of the file system's
// clock leave the same time, and some clocks are coarse.
const settled = 2 * time.Second

// A sweep finds changed files by size and modification time, where the system reports no changes.
type sweep struct {
	files map[string]stamp // nil: look was never called
}

// A stamp identifies a file's version without its content.
type stamp struct {
	size, mtime int64
	inode       uint64
}

// look returns the files below the roots that may have changed since the last look: first the deleted ones, then the
// others. The first look returns all files.
func (s *sweep) look(roots []string) (changed []string, err error) {
	began := time.Now()
	files := make(map[string]stamp, len(s.files))
	for _, root := range roots {
		err := walk(root, nil, func(name string, folder, _ bool) error {
			if folder {
				return nil
			}
			info, err := os.Stat(name)
			if err != nil {
				return absentIsNil(err)
			}
			if !info.IsDir() {
				files[name] = stampOf(info)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for name := range s.files {
		if _, has := files[name]; !has {
			changed = append(changed, name)
		}
	}
	for name, now := range files {
		if was, has := s.files[name]; !has || now != was || began.Sub(time.Unix(0, now.mtime)) < settled {
			changed = append(changed, name)
		}
	}
	s.files = files
	return changed, nil
}

func stampOf(info fs.FileInfo) stamp {
	st := stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.inode = uint64(sys.Ino)
	}
	return st
}
