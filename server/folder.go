package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// A Folder serves any static tree: the public folder of freshet or of another generator. A changed file is seen within a
// second, or at once if it had also changed in the seconds before. Hidden files are not served, except .well-known. Nothing
// outside the folder is served, wherever symbolic links lead. A file called _redirects holds redirects in the syntax of Netlify
// and Cloudflare.
//
// A Folder is one Generation that lasts for ever. It is as consistent as the file system.
type Folder struct {
	root *os.Root
	log  *slog.Logger

	flights singleflight.Group // hashing of large files

	mu        sync.Mutex // protects what follows
	files     map[string]*folderFile
	names     []string // by number; a file's number never changes, and only files that were there have one
	redirects *redirects
	looked    int64 // Unix time at which the file of redirects was
}

// A folderFile is what is known of a file.
type folderFile struct {
	number  int64
	info    fs.FileInfo // when it was hashed
	sum     digest.Sum
	size    int64 // bytes hashed
	settled bool  // it had not changed for a while then, so a later change shows in its time
}

// settledAfter is the age from which a file's time tells whether it has changed: a clock tick may hold two writes.
const settledAfter = 2 * time.Second

// OpenFolder opens the tree at dir. The logger may be nil; it is told about redirects that cannot be understood.
func OpenFolder(dir string, log *slog.Logger) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Folder{root: root, log: log.With("part", "server"), files: make(map[string]*folderFile)}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Current implements Site.
func (f *Folder) Current() Generation { return f }

// Number implements Generation.
func (f *Folder) Number() uint64 { return 0 }

// unreadable stands for a file that may exist but could not be examined. Reading it is an error: it is not known to be
// absent.
const unreadable = -1

// Lookup implements Generation.
func (f *Folder) Lookup(p site.Path) (*site.Entry, bool) {
	rules := f.rules()
	if r, ok := rules.match(string(p)); ok && r.force {
		return f.follow(p, r)
	}
	if e, ok := f.file(p); ok {
		return e, true
	}
	if r, ok := rules.match(string(p)); ok {
		return f.follow(p, r)
	}
	return nil, false
}

// follow makes the entry of a redirect rule.
func (f *Folder) follow(p site.Path, r matched) (*site.Entry, bool) {
	switch {
	case r.status == 200:
		return f.file(site.Path(strings.TrimSuffix(r.to, "index.html")))
	case r.status == 404:
		return nil, false
	case r.status == 410:
		return &site.Entry{Path: p, Kind: site.KindRedirect, Status: 410}, true
	}
	if to, _, _ := strings.Cut(r.to, "?"); trimSlash(to) == trimSlash(p.URL()) {
		return nil, false // it would go round for ever
	}
	return &site.Entry{Path: p, Kind: site.KindRedirect, Status: r.status, Location: r.to}, true
}

// file finds the file that is at p.
func (f *Folder) file(p site.Path) (*site.Entry, bool) {
	name, ok := fileName(string(p))
	if !ok {
		return nil, false
	}
	e := &site.Entry{Path: p, Kind: site.KindPage, Status: 200, Type: contentType(name)}
	known, err := f.same(name), error(nil)
	if known == nil {
		var info fs.FileInfo
		info, err = f.root.Stat(name)
		if err == nil && !info.Mode().IsRegular() {
			return nil, false
		}
		if err == nil {
			known, err = f.hash(name, info)
		}
	}
	switch {
	case err == nil:
		e.Object = site.ObjectRef{ID: known.sum, Offset: known.number, Size: known.size}
		if t := known.info.ModTime(); !t.After(time.Now()) { // HTTP has no times to come
			e.Changed = t.Truncate(time.Second)
		}
		return e, true
	case trulyMissing(err):
		f.forget(name)
		return nil, false
	default:
		f.log.Error("cannot look at file", "file", name, "error", err)
		e.Object.Offset = unreadable
		return e, true
	}
}

// same returns what is known of a file that has not changed; nil: it may have changed. This takes one system call; a look-up through
// os.Root takes one for each folder. It is safe: the same file was found inside the folder before, whatever way leads to it.
func (f *Folder) same(name string) *folderFile {
	f.mu.Lock()
	known := f.files[name]
	f.mu.Unlock()
	if known == nil || !known.settled {
		return nil
	}
	if info, err := os.Stat(filepath.Join(f.root.Name(), filepath.FromSlash(name))); err != nil || !unchanged(known.info, info) {
		return nil
	}
	return known
}

// fileName is the file for a path: index.html in folders. Hidden files, the files that configure a host, and other
// spellings of a folder's page have none.
func fileName(p string) (string, bool) {
	name := strings.TrimPrefix(p, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	} else if path.Base(name) == "index.html" {
		return "", false
	}
	if !fs.ValidPath(name) || name == "_redirects" || name == "_headers" {
		return "", false
	}
	for seg := range strings.SplitSeq(name, "/") {
		if seg[0] == '.' && seg != ".well-known" {
			return "", false
		}
	}
	return name, true
}

// trulyMissing reports whether an error means that there is nothing to serve. A name that leads outside the folder, and a
// file that the server may not read, are not to be served either.
func trulyMissing(err error) bool {
	for _, is := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL} {
		if errors.Is(err, is) {
			return true
		}
	}
	// os.Root has no name for this error.
	return strings.Contains(err.Error(), "path escapes from parent")
}

// hash returns what is known of a file, reading it if it may have changed.
func (f *Folder) hash(name string, info fs.FileInfo) (*folderFile, error) {
	f.mu.Lock()
	known := f.files[name]
	f.mu.Unlock()
	if known != nil && known.settled && unchanged(known.info, info) {
		return known, nil
	}
	if info.Size() <= largeBytes {
		return f.rehash(name)
	}
	// Without this, every request for a new large file would read all of it at the same time.
	got, err, _ := f.flights.Do(name, func() (any, error) { return f.rehash(name) })
	if err != nil {
		return nil, err
	}
	return got.(*folderFile), nil
}

// rehash reads a file and stores its digest and size.
func (f *Folder) rehash(name string) (*folderFile, error) {
	began := time.Now()
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	sum, size, err := digest.Reader(file)
	if err != nil {
		return nil, fmt.Errorf("hash %s: %w", name, err)
	}
	next := &folderFile{
		info: info, sum: sum, size: size, settled: began.Sub(info.ModTime()) > settledAfter && size == info.Size(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.files[name]; known != nil {
		next.number = known.number
	} else {
		next.number = int64(len(f.names))
		f.names = append(f.names, name)
	}
	f.files[name] = next
	return next, nil
}

// unchanged compares what was known of a file, nil if it was gone, with what is.
func unchanged(a, b fs.FileInfo) bool {
	return a != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// open opens a regular file, without waiting for the other end of a pipe.
func (f *Folder) open(name string) (*os.File, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// name finds the file that an object stands for.
func (f *Folder) name(ref site.ObjectRef) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ref.Offset < 0 || ref.Offset >= int64(len(f.names)) {
		return "", errors.New("the file could not be looked at")
	}
	return f.names[ref.Offset], nil
}

// Object implements Generation. The bytes are those that Lookup hashed, or the error is site.ErrChanged.
func (f *Folder) Object(ref site.ObjectRef) ([]byte, error) {
	name, err := f.name(ref)
	if err != nil {
		return nil, err
	}
	file, err := f.open(name)
	if err != nil {
		if trulyMissing(err) {
			return nil, fmt.Errorf("%s: %w", name, site.ErrChanged)
		}
		return nil, err
	}
	defer file.Close()
	var buf bytes.Buffer
	buf.Grow(int(ref.Size) + bytes.MinRead)
	if _, err := buf.ReadFrom(file); err != nil {
		return nil, err
	}
	if digest.Bytes(buf.Bytes()) != ref.ID {
		return nil, fmt.Errorf("%s: %w", name, site.ErrChanged)
	}
	return buf.Bytes(), nil
}

// Settled implements Changing.
func (f *Folder) Settled(e *site.Entry) bool {
	if r, ok := f.rules().match(string(e.Path)); ok && r.force {
		return false
	}
	name, ok := fileName(string(e.Path))
	if !ok {
		return false
	}
	known := f.same(name)
	return known != nil && known.sum == e.Object.ID
}

// Open implements Opener.
func (f *Folder) Open(ref site.ObjectRef) (io.ReadSeekCloser, error) {
	name, err := f.name(ref)
	if err != nil {
		return nil, err
	}
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	f.mu.Lock()
	known := f.files[name]
	f.mu.Unlock()
	if err == nil && (known.sum != ref.ID || !unchanged(known.info, info)) {
		err = fmt.Errorf("%s: %w", name, site.ErrChanged)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// rules returns the redirects as the file had them within the last second, or has them now if it was changed just before.
func (f *Folder) rules() *redirects {
	f.mu.Lock()
	defer f.mu.Unlock()
	second := time.Now().Unix()
	if second == f.looked && (f.redirects == nil || f.redirects.settled) {
		return f.redirects
	}
	f.looked = second
	info, err := f.root.Stat("_redirects")
	if err != nil {
		if trulyMissing(err) {
			f.redirects = nil
		}
		return f.redirects // the last that could be read
	}
	if f.redirects != nil && f.redirects.settled && unchanged(f.redirects.info, info) {
		return f.redirects
	}
	began := time.Now()
	text, err := f.root.ReadFile("_redirects")
	if err != nil {
		return f.redirects
	}
	if f.redirects != nil && bytes.Equal(f.redirects.text, text) {
		f.redirects.info, f.redirects.settled = info, began.Sub(info.ModTime()) > settledAfter
		return f.redirects
	}
	next, problems := parseRedirects(text)
	next.info, next.settled = info, began.Sub(info.ModTime()) > settledAfter
	for _, p := range problems {
		f.log.Warn("redirect left out", "line", p.line, "reason", p.reason)
	}
	f.redirects = next
	return next
}

// forget drops what is known of a file that is gone. The file keeps its number in case it comes back.
func (f *Folder) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.files[name]; known != nil {
		f.files[name] = &folderFile{number: known.number}
	}
}
