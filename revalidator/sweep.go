package revalidator

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// settled is how old a file's time must be to tell that the file is as it was: changes within one tick of a file
// system's clock have the same time, and some clocks are coarse.
const settled = 2 * time.Second

// A sweep finds what has changed in folders by the sizes and times of their files, where nobody tells of changes.
type sweep struct {
	files map[string]stamp // nil: nobody has looked yet
}

// A stamp is what a file looks like from outside.
type stamp struct {
	size, mtime int64
	inode       uint64
}

// look returns the files below the roots that went, came or may have changed since the last look, in this order; all of
// them the first time.
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
