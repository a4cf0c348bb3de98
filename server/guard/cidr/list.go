package cidr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxFileBytes = 64 << 20
	// settled is the age at which a file's time can be trusted: a later change will then have another time.
	settled = 2 * time.Second
)

// A List is a set made from entries of the settings: prefixes, addresses, and names of files that contain them.
type List struct {
	set    atomic.Pointer[Set]
	inline []netip.Prefix

	mu    sync.Mutex // held while files are read
	files []*file
}

type file struct {
	path     string
	prefixes []netip.Prefix
	size     int64
	modified time.Time
	read     time.Time // time of the last reading; zero: not read yet
}

// NewList makes a list. It reads no file: see [List.Reload]. An entry is an address if it has a dot or colon and no
// letters except hexadecimal digits. Otherwise it is a file name.
func NewList(entries []string) (*List, error) {
	l := new(List)
	var errs []error
	for _, e := range entries {
		switch e = strings.TrimSpace(e); {
		case e == "":
		case !IsFile(e):
			p, err := Parse(e)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			l.inline = append(l.inline, p)
		default:
			l.files = append(l.files, &file{path: e})
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	l.set.Store(NewSet(l.inline))
	return l, nil
}

// IsFile distinguishes a file name from a mistyped address: a text of only these characters was meant as an address.
func IsFile(s string) bool {
	if !strings.ContainsAny(s, ".:") || s[0] == '/' || s[0] == '.' {
		return true
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c|0x20 && c|0x20 <= 'f', c == '.', c == ':', c == '/':
		default:
			return true
		}
	}
	return false
}

// Set returns the current set.
func (l *List) Set() *Set { return l.set.Load() }

// Reload reads changed files again, and reports whether the set changed. A file with an error keeps its last correct
// content; the error names it.
func (l *List) Reload(now time.Time) (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		again, err := f.reload(now)
		if err != nil {
			errs = append(errs, fmt.Errorf("read addresses from %s: %w", f.path, err))
		}
		changed = changed || again
	}
	if changed {
		all := append([]netip.Prefix(nil), l.inline...)
		for _, f := range l.files {
			all = append(all, f.prefixes...)
		}
		l.set.Store(NewSet(all))
	}
	return changed, errors.Join(errs...)
}

func (f *file) reload(now time.Time) (bool, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		f.read = time.Time{}
		return false, plain(err)
	}
	if !f.read.IsZero() && info.Size() == f.size && info.ModTime().Equal(f.modified) && f.read.Sub(f.modified) > settled {
		return false, nil
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("it is no file")
	}
	r, err := os.Open(f.path)
	if err != nil {
		return false, plain(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return false, plain(err)
	}
	if len(data) > maxFileBytes {
		return false, fmt.Errorf("it has more than %d bytes", maxFileBytes)
	}
	prefixes, err := ParseFile(data)
	if err != nil {
		f.read = time.Time{}
		return false, err
	}
	f.prefixes, f.size, f.modified, f.read = prefixes, info.Size(), info.ModTime(), now
	return true, nil
}

// plain removes the operation and the path from an error. The caller adds the path.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
