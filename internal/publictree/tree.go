package publictree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"freshet/internal/digest"
	"freshet/internal/encoding"
	"freshet/internal/pagestore"
	"freshet/internal/site"
)

// Options are the settings of a Tree.
type Options struct {
	// Adopt takes over a folder that freshet did not write. Files in the place of pages are overwritten; all others
	// stay.
	Adopt bool
	// Precompress keeps beside each file that shrinks its Brotli, gzip and Zstandard forms, named NAME.br, NAME.gz and
	// NAME.zst. A tree that has forms and is to have none loses those that freshet wrote.
	Precompress bool
	Logger      *slog.Logger // nil: silent

	// before is called before every step that changes the tree. An error stops the step. It is for tests.
	before func(step, name string) error
}

// Names that the tree keeps for itself.
const (
	markerName  = pagestore.Reserved
	stagingName = pagestore.Reserved + "-new"
	tmpSuffix   = ".tmp"
)

// A NotOwnError means that a folder is not empty and was not written for this site.
type NotOwnError struct {
	Dir   string
	Other bool // it was written by freshet from another page log
}

func (e *NotOwnError) Error() string {
	what := "is not empty and was not written by freshet"
	if e.Other {
		what = "was written by freshet from another state folder"
	}
	return fmt.Sprintf("%s %s; --adopt overwrites the files in it that have the name of a page, and keeps the others", e.Dir, what)
}

// A ForeignError names files of the public tree that freshet did not write and that are where a page's file is to
// be. They stay as they are; everything else of the tree is as it should be.
type ForeignError struct {
	Dir   string
	Files []string // slash-separated, sorted
}

func (e *ForeignError) Error() string {
	names := e.Files
	more := ""
	if len(names) > 3 {
		names, more = names[:3], fmt.Sprintf(" and %d more", len(names)-3)
	}
	return fmt.Sprintf("%s has files that freshet did not write where pages are to be, and keeps them: %s%s; "+
		"move them away, or let --adopt overwrite them", e.Dir, strings.Join(names, ", "), more)
}

// A Tree is the public tree: a folder that holds the newest generation as ordinary files. Its methods may be called
// from any goroutine.
type Tree struct {
	store *pagestore.Writer
	opt   Options
	dir   string
	boot  string // of this machine; empty: unknown
	forms string // version of the encoders; empty: there are to be no forms
	folds bool   // the disk takes names for one that differ in upper and lower case or in how accents are written

	encoder *encoding.Encoder // nil: there are to be no forms

	mu     sync.Mutex // held while the tree is changed
	root   *os.Root
	marker marker
}

// marker is the file that says what the tree holds.
type marker struct {
	Site string `json:"site"`
	mark
	Targets []mark      `json:"targets,omitempty"` // generations that were begun to be written since, oldest first
	Boot    string      `json:"boot,omitempty"`    // of the machine when it was written
	Verify  bool        `json:"verify,omitempty"`  // the files may hold anything: all are to be compared
	Lost    bool        `json:"lost,omitempty"`    // it is not known any more which files are freshet's
	Skipped []site.Path `json:"skipped,omitempty"` // pages that have no file because another is in its place

	Forms        string   `json:"forms,omitempty"`        // version of the encoders that forms were made with; empty: there are none
	Reform       bool     `json:"reform,omitempty"`       // forms are missing, or of other versions, or left over
	ForeignForms []string `json:"foreignForms,omitempty"` // names of forms that are not there because another file is
}

// mark names a generation. The time distinguishes it from one with the same number in a log that was restored from a copy.
type mark struct {
	Generation uint64    `json:"generation"`
	Committed  time.Time `json:"committed,omitzero"`
}

func markOf(g *pagestore.Generation) mark { return mark{g.ID, g.Commit.Time} }

// maxTargets bounds the number of generations that interrupted Syncs may have left the tree between.
const maxTargets = 8

// Open opens the public tree in dir, making the folder if it is not there. A folder that is not empty (a .gitignore
// apart) and not this site's own is a *[NotOwnError], unless it is to be adopted.
func Open(dir string, store *pagestore.Writer, opt Options) (*Tree, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.before == nil {
		opt.before = func(string, string) error { return nil }
	}
	t := &Tree{store: store, opt: opt, dir: dir, boot: bootID()}
	if opt.Precompress {
		var err error
		if t.encoder, err = encoding.New(treeWorkers); err != nil {
			return nil, fmt.Errorf("open public tree: %w", err)
		}
		t.forms = encoding.Version()
	}
	if err := t.open(); err != nil {
		if _, ok := errors.AsType[*NotOwnError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("open public tree: %w", err)
	}
	return t, nil
}

// open opens the folder, making it if it is not there, and reads its marker.
func (t *Tree) open() error {
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return err
	}
	t.root = root
	if err := t.load(); err != nil {
		_ = root.Close()
		return err
	}
	return nil
}

// reopen opens the folder again if the opened one was removed or replaced.
func (t *Tree) reopen() error {
	was, werr := t.root.Stat(".")
	if is, err := os.Stat(t.dir); werr == nil && err == nil && os.SameFile(was, is) {
		return nil
	}
	_ = t.root.Close()
	return t.open()
}

// bootID returns an id of the current boot of the machine. It is empty if the system has none.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // other systems have no such file
	return strings.TrimSpace(string(b))
}

// load reads the marker, or writes the first one.
func (t *Tree) load() error {
	own := t.store.SiteID()
	b, err := t.root.ReadFile(markerName)
	switch {
	case err == nil:
		if json.Unmarshal(b, &t.marker) != nil || t.marker.Site == "" {
			// Torn by a crash of the machine: the tree is somebody's who runs freshet here, and may hold anything.
			t.marker = marker{Site: own, Verify: true, Lost: true, Forms: unknownForms}
		}
	case errors.Is(err, fs.ErrNotExist):
		empty, err := t.isEmpty()
		if err != nil {
			return err
		}
		if !empty && !t.opt.Adopt {
			return &NotOwnError{Dir: t.dir}
		}
		if err := t.setMarker(marker{Site: own, Boot: t.boot, Verify: !empty}); err != nil {
			return err
		}
	default:
		return err
	}
	if t.marker.Site != own {
		if !t.opt.Adopt {
			return &NotOwnError{Dir: t.dir, Other: true}
		}
		if err := t.setMarker(marker{Site: own, Boot: t.boot, Verify: true, Forms: t.marker.Forms}); err != nil {
			return err
		}
	}
	if t.folds, err = t.foldsNames(); err != nil {
		return err
	}
	if _, err := t.root.Lstat(stagingName); err == nil {
		return t.root.RemoveAll(stagingName)
	}
	return nil
}

func (t *Tree) isEmpty() (bool, error) {
	d, err := t.root.Open(".")
	if err != nil {
		return false, err
	}
	defer d.Close()
	files, err := d.ReadDir(-1)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(files, func(f fs.DirEntry) bool {
		return f.Name() != ".gitignore" && !strings.HasPrefix(f.Name(), markerName)
	}), nil
}

// foldsNames finds out whether the disk ignores case: it looks for the marker under another name.
func (t *Tree) foldsNames() (bool, error) {
	a, err := t.root.Lstat(markerName)
	if err != nil {
		return false, err
	}
	b, err := t.root.Lstat(strings.ToUpper(markerName))
	return err == nil && os.SameFile(a, b), nil
}

// setMarker writes the marker.
func (t *Tree) setMarker(m marker) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := t.opt.before("marker", markerName); err != nil {
		return err
	}
	const tmp = markerName + tmpSuffix
	if err := t.root.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	if err := t.root.Rename(tmp, markerName); err != nil {
		return err
	}
	t.marker = m
	return nil
}

// Close closes the folder.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.root.Close()
}

// Sync brings the tree up to g and returns how many files it wrote and removed. It compares g with the generation that
// the tree holds; with every file after a crash of the machine, when that generation is not known any more, and when
// the home page is gone, as after an emptying of the folder by hand.
// Files change in the order of their kinds, removals come last, and each file is whole at any time. What is stopped
// or fails is finished by the next Sync, of this or a later generation. Files that freshet did not write are neither
// removed nor overwritten: if one is in a page's place everything else is done and the error is a *[ForeignError].
// Two pages that need the same file are a *[CollisionError], also after everything else is done.
//
// Compressed forms of a file are removed before it changes or goes, and written after it, so none is ever there of
// another page than the file's. They are made and removed for all files when [Options].Precompress is another than
// it was.
func (t *Tree) Sync(ctx context.Context, g *pagestore.Generation) (changedFiles int, err error) {
	return t.sync(ctx, g, false)
}

// Verify is Sync that compares every file with g and mends what is different.
func (t *Tree) Verify(ctx context.Context, g *pagestore.Generation) (changedFiles int, err error) {
	return t.sync(ctx, g, true)
}

func (t *Tree) sync(ctx context.Context, g *pagestore.Generation, full bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reopen(); err != nil {
		return 0, fmt.Errorf("open public tree: %w", err)
	}
	s, err := t.plan(ctx, g, full)
	if err == nil {
		err = s.run(ctx)
	}
	if err != nil {
		return s.changed(), fmt.Errorf("bring %s up to generation %d: %w", t.dir, g.ID, err)
	}
	return s.changed(), s.refused()
}

// Copy returns the bytes of an entry from its file in the public tree in dir, if the file holds exactly those bytes.
func Copy(dir string, e *site.Entry) ([]byte, bool) {
	if dir == "" || e.Status != 200 || !pagestore.HasFile(e.Kind) || pagestore.CheckPath(e.Path, e.Kind) != nil {
		return nil, false
	}
	f, err := os.OpenInRoot(dir, filepath.FromSlash(pagestore.FileName(e.Path)))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != e.Object.Size {
		return nil, false
	}
	b := make([]byte, e.Object.Size)
	if _, err := io.ReadFull(f, b); err != nil || digest.Bytes(b) != e.Object.ID {
		return nil, false
	}
	return b, true
}

// generation returns a generation that the marker names; nil if the log does not have it any more.
func (t *Tree) generation(m mark) (*pagestore.Generation, error) {
	g, err := t.store.At(m.Generation)
	if errors.Is(err, site.ErrNotFound) {
		return nil, nil
	}
	if err == nil && !g.Commit.Time.Equal(m.Committed) {
		return nil, nil
	}
	return g, err
}
