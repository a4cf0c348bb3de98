package contentdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/frontmatter"
	"freshet/internal/site"
)

// A Memo keeps the results of pure functions, so that a new process need not read what has not changed.
type Memo interface {
	Get(key digest.Sum) (value []byte, ok bool)
	Put(key digest.Sum, value []byte)
}

// A Summarizer makes what lists say of a body. It is whoever renders the pages: so an excerpt says what its page says, and no
// body is parsed twice.
type Summarizer interface {
	// Summarize returns the summary of a body. The title is empty if the document has none but the one in its text. The
	// document may turn out to have another title and another language.
	Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error)
	// Version changes whenever the same body may have another summary.
	Version() digest.Sum
}

// Config says what a Source reads. Dir and Summaries must be set.
type Config struct {
	Dir       string   // the tree; problems name files beneath it as it is written here
	Only      []string // names of files and folders at the top of the tree: the rest is not looked at, and the tree need not exist; nil: all of it
	Beside    []string // folders beside the tree whose files count as those of its static/; they need not exist
	Language  string   // the site's, BCP 47; documents in others are translations
	Summaries Summarizer
	Memo      Memo           // nil: nothing is kept between processes
	Zone      *time.Location // of dates without one; nil: UTC
	Logger    *slog.Logger   // nil: nothing is logged
}

// A Source reads one content tree. Its methods may be called by several goroutines; scans wait for each other.
type Source struct {
	dir       string
	only      []string
	beside    []string
	language  string
	summaries Summarizer
	memo      Memo
	log       *slog.Logger
	zone      *time.Location

	doubtMu sync.Mutex
	doubts  map[string]bool // files whose body was not as scanned

	mu      sync.Mutex
	tree    *tree             // what is known; nil before the first scan
	now     func() time.Time  // for telling whether a modification time can be trusted
	strings map[string]string // one copy of each repeated string: tags, authors, languages
	unsure  bool              // the next scan must look at everything: none has succeeded since something may have changed
	root    *os.Root          // while a scan runs

	writtenOnly bool     // stored documents need no summaries
	collections []string // folders of Jekyll's that _config.yml declares, sorted
}

// settled is how old a modification time must be to tell that a file has not changed since it was read: two writes
// within one tick of a coarse clock leave the same time.
const settled = 2 * time.Second

// maxAssetBytes is the largest file outside static/ that pages may refer to.
const maxAssetBytes = 100 << 20

// New returns a Source over a folder. It reads nothing yet.
func New(cfg Config) (*Source, error) {
	if cfg.Dir == "" {
		return nil, errors.New("contentdir: Config.Dir is missing")
	}
	if cfg.Summaries == nil {
		return nil, errors.New("contentdir: Config.Summaries is missing")
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	zone := cfg.Zone
	if zone == nil {
		zone = time.UTC
	}
	return &Source{
		dir: cfg.Dir, zone: zone, only: cfg.Only, beside: cfg.Beside, language: cmpOr(cfg.Language, "en"), summaries: cfg.Summaries, memo: cfg.Memo,
		log: log.With("part", "contentdir"), now: time.Now, strings: map[string]string{},
	}, nil
}

// Scan reports what is different from what was reported before; the first call reports every document. changed names
// the files and folders that may have changed, slash-separated and relative to the tree; nil means all. The documents
// after any number of scans are those of a first scan of the same files.
//
// A Markdown file that cannot be read or understood is left out, with a problem and a Skip, and stops no other; one that
// has become so, or empty, within the last second is named in Again and stays as it was. A
// folder that cannot be listed fails the scan, because what is in it is not known to be gone; then nothing is
// reported, and the next scan looks at everything.
func (s *Source) Scan(ctx context.Context, changed []string) (*site.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := s.now()
	if s.tree == nil {
		s.tree, s.unsure = newTree(s), true
	}
	if s.unsure {
		changed = nil
	}
	s.unsure = true // until this one has succeeded
	root, err := os.OpenRoot(s.dir)
	if s.only != nil && s.tree.root.empty() && errors.Is(err, fs.ErrNotExist) {
		return &site.Changes{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", s.dir, err)
	}
	defer root.Close()
	s.root = root
	if declared := readCollections(root); !slices.Equal(declared, s.collections) {
		s.collections, changed = declared, nil // which files are content is another question now
	}
	s.doubtMu.Lock()
	doubts := s.doubts
	s.doubts = nil
	s.doubtMu.Unlock()
	ch, err := s.tree.scan(ctx, changed, doubts)
	s.root = nil
	if err != nil {
		for name := range doubts {
			s.doubt(name)
		}
		return nil, fmt.Errorf("scan %s: %w", s.dir, err)
	}
	s.unsure = false
	s.log.Debug("scanned content", "put", len(ch.Put), "drop", len(ch.Drop), "problems", len(ch.Problems), "took", s.now().Sub(start))
	return ch, nil
}

// reads reports whether a file or folder belongs to what the source looks at.
func (s *Source) reads(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return (s.only == nil || slices.Contains(s.only, top)) && !s.ignores(name)
}

// Body reads a document's body again. The error is site.ErrChanged when it is not the one ref was made of, and
// site.ErrNotFound when the file is gone.
func (s *Source) Body(_ context.Context, ref site.BodyRef) (site.Body, error) {
	name := string(ref.Doc)
	if ref.Part != "" {
		name = ref.Part
	}
	f, err := s.open(name)
	if err != nil {
		err = absent(err)
		if ref.Part != "" && errors.Is(err, site.ErrNotFound) && s.has(string(ref.Doc)) {
			err = site.ErrChanged // the course is there, without this lesson
		}
		return site.Body{}, fmt.Errorf("read body of %s: %w", name, err)
	}
	defer f.Close()
	data, err := readAll(io.LimitReader(f, frontmatter.MaxBytes+1), make([]byte, 0, ref.Bytes+2048))
	if err != nil {
		return site.Body{}, fmt.Errorf("read body of %s: %w", name, err)
	}
	p, prob := frontmatter.Parse(data)
	if prob != nil {
		s.doubt(name)
		return site.Body{}, fmt.Errorf("read body of %s: %w", name, site.ErrChanged)
	}
	body, _ := bodyOf(name, &p, nil)
	if h := bodyHash(body); h != ref.Hash {
		s.doubt(name)
		return site.Body{}, fmt.Errorf("read body of %s: %w", name, site.ErrChanged)
	}
	return site.Body{Text: []byte(body), Line: p.BodyLine}, nil
}

// doubt makes the next scan read a file again whatever its times say.
func (s *Source) doubt(name string) {
	s.doubtMu.Lock()
	defer s.doubtMu.Unlock()
	if s.doubts == nil {
		s.doubts = map[string]bool{}
	}
	s.doubts[name] = true
}

func bodyHash(body string) digest.Sum {
	if strings.TrimSpace(body) == "" {
		return 0
	}
	return max(digest.String(body), 1) // 0 says that there is no body
}

// Open opens a file of the tree, or a picture that a document holds as data. The error is site.ErrNotFound when it is
// gone, and site.ErrChanged when the document holds another picture by now.
func (s *Source) Open(_ context.Context, f *site.File) (io.ReadCloser, error) {
	if doc := heldIn(f.ID); doc != "" {
		r, err := s.openHeld(doc, f)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", f.Name, err)
		}
		return r, nil
	}
	r, err := s.open(f.Name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, absent(err))
	}
	return r, nil
}

// has reports whether the tree has a file or a folder.
func (s *Source) has(name string) bool {
	f, err := s.open(name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// open opens a file of the tree; symbolic links that lead out of it are refused.
func (s *Source) open(name string) (*os.File, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return s.openIn(root, name)
}

// openIn opens a file of the tree in its open folder, which refuses links that name their targets in full: those that
// stay within the tree are followed.
func (s *Source) openIn(root *os.Root, name string) (*os.File, error) {
	if folder, rest := s.besideOf(name); folder != "" {
		beside, err := os.OpenRoot(folder)
		if err != nil {
			return nil, err
		}
		defer beside.Close()
		return beside.Open(filepath.FromSlash(rest))
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	real, err1 := filepath.EvalSymlinks(s.dir)
	target, err2 := filepath.EvalSymlinks(s.file(name))
	if err1 != nil || err2 != nil {
		return nil, err
	}
	rel, err3 := filepath.Rel(real, target)
	if err3 != nil || !filepath.IsLocal(rel) || rel == filepath.FromSlash(name) {
		return nil, err
	}
	return root.Open(rel)
}

func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return site.ErrNotFound
	}
	return err
}

// file is where a path of the tree lies on disk.
func (s *Source) file(name string) string {
	if folder, rest := s.besideOf(name); folder != "" {
		return filepath.Join(folder, filepath.FromSlash(rest))
	}
	return filepath.Join(s.dir, filepath.FromSlash(name))
}

// shown is a path of the tree as messages have it.
func (s *Source) shown(name string) string {
	if folder, rest := s.besideOf(name); folder != "" {
		return path.Join(filepath.ToSlash(folder), rest)
	}
	return path.Join(filepath.ToSlash(s.dir), name)
}

// A stat is what tells whether a file may have changed.
type stat struct {
	size  int64
	mtime int64 // ns
	inode uint64
}

func statOf(fi fs.FileInfo) stat {
	st := stat{size: fi.Size(), mtime: fi.ModTime().UnixNano()}
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		st.inode = sys.Ino
	}
	return st
}

// statAt stats a file of an open folder: half the work of doing so by its whole path.
func statAt(dir *os.File, base string) (stat, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil {
			return stat{size: st.Size, mtime: st.Mtim.Nano(), inode: st.Ino}, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return stat{}, err
		}
	}
}

// A found is a file that a walk came across.
type found struct {
	path string
	stat stat
}

// A walk lists files. Folders are listed in parallel; results are sorted at the end.
type walk struct {
	s    *Source
	g    *errgroup.Group
	ctx  context.Context
	real string // the tree's folder without symbolic links

	mu       sync.Mutex // protects what follows
	files    []found
	problems []diag.Problem
	skips    []site.Skip
	links    bool // there are symbolic links
}

func (s *Source) walk(ctx context.Context, dirs ...string) (*walk, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	w := &walk{s: s, g: g, ctx: gctx}
	var err error
	if w.real, err = filepath.EvalSymlinks(s.dir); err != nil {
		return nil, err
	}
	for _, d := range dirs {
		err := w.dir(d, nil)
		if err == nil {
			err = w.besideFiles(d)
		}
		if err != nil {
			_ = g.Wait() // the first error is the one to report
			return nil, err
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(w.files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return w, nil
}

// dir lists a folder; links are the real folders that symbolic links on the way to it led to.
func (w *walk) dir(name string, links []string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	d, err := os.Open(w.s.file(cmpOr(name, ".")))
	if err != nil {
		if name != "" && errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	var files []found
	for _, e := range entries {
		base := e.Name()
		full := base
		if name != "" {
			full = name + "/" + base
		}
		if skipped(base, e.IsDir()) || !w.s.reads(full) {
			continue
		}
		if badName(base) {
			w.problem(strings.ToValidUTF8(full, "�"), "the name of this file is not text", "rename it", false)
			continue
		}
		switch {
		case e.IsDir():
			sub := func() error { return w.dir(full, links) }
			if !w.g.TryGo(sub) {
				if err := sub(); err != nil {
					return err
				}
			}
		case e.Type().IsRegular():
			st, err := statAt(d, base)
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				return &fs.PathError{Op: "stat", Path: full, Err: err}
			}
			files = append(files, found{full, st})
		case e.Type()&fs.ModeSymlink != 0:
			f, err := w.link(full, links)
			if err != nil {
				return err
			}
			files = append(files, f...)
		default:
			// A socket or a device is no content.
		}
	}
	w.mu.Lock()
	w.files = append(w.files, files...)
	w.mu.Unlock()
	return nil
}

// badName reports a file name that cannot stand in an address or a message.
func badName(base string) bool {
	return !utf8.ValidString(base) || strings.ContainsFunc(base, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// link follows a symbolic link that stays within the tree and does not lead back to where it is.
func (w *walk) link(full string, links []string) ([]found, error) {
	w.mu.Lock()
	w.links = true
	w.mu.Unlock()
	_, isMarkdown := markdownName(path.Base(full))
	target, err := filepath.EvalSymlinks(w.s.file(full))
	if err != nil {
		w.problem(full, "this symbolic link leads nowhere", "mend or remove it", isMarkdown)
		return nil, nil
	}
	rel, err := filepath.Rel(w.real, target)
	if err != nil || !filepath.IsLocal(rel) {
		w.problem(full, "this symbolic link leads out of the content tree", "copy the file into the tree", true)
		return nil, nil
	}
	for _, seg := range strings.Split(filepath.ToSlash(rel), "/") {
		if skipped(seg, true) && rel != "." && !versions(seg) {
			w.problem(full, "this symbolic link leads to a hidden file", "copy the file into the tree", isMarkdown)
			return nil, nil
		}
	}
	fi, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		if !fi.Mode().IsRegular() {
			return nil, nil
		}
		return []found{{full, statOf(fi)}}, nil
	}
	here, err := filepath.EvalSymlinks(w.s.file(path.Dir(full)))
	if err != nil {
		return nil, err
	}
	circle := len(links) == maxLinks
	for _, folder := range append(slices.Clip(links), here) {
		circle = circle || strings.HasPrefix(folder+string(filepath.Separator), target+string(filepath.Separator))
	}
	if circle {
		w.problem(full, "this symbolic link leads in a circle or to another one, and is not followed", "link to the folder itself", false)
		return nil, nil
	}
	return nil, w.dir(full, append(slices.Clip(links), here))
}

// maxLinks is how many folders that are symbolic links may be within each other.
const maxLinks = 3

// versions reports whether a hidden folder holds what links beside it show one version of: Kubernetes mounts a ConfigMap
// as links to ..data, which is a link to such a folder, and git-sync keeps checkouts in .worktrees.
func versions(base string) bool { return strings.HasPrefix(base, "..") || base == ".worktrees" }

func (w *walk) problem(name, message, remedy string, left bool) {
	p := diag.Problem{Severity: diag.Warning, File: w.s.shown(name), Message: message, Remedy: remedy}
	w.mu.Lock()
	defer w.mu.Unlock()
	if left {
		p.Severity = diag.Error
		w.skips = append(w.skips, site.Skip{ID: site.ID(name), Reason: message})
	}
	w.problems = append(w.problems, p)
}

// errVanished says that a file was there when its folder was listed, and is no more.
var errVanished = errors.New("vanished")

// memoKey names what was read of a file in a state.
func (s *Source) memoKey(name string, st stat) digest.Sum {
	h := digest.New()
	h.Uint64(parserVersion)
	h.Uint64(uint64(s.summaries.Version()))
	h.String(s.zone.String())
	h.String(name)
	h.Uint64(uint64(st.size))
	h.Uint64(uint64(st.mtime))
	h.Uint64(st.inode)
	return h.Sum()
}

// trusted reports whether an equal stat later will mean equal content.
func (s *Source) trusted(st stat) bool {
	age := s.now().UnixNano() - st.mtime
	return age >= int64(settled)
}

// load fills a record from the memo, unless that is in doubt, or from disk. st is what the walk saw.
func (s *Source) load(ctx context.Context, r *record, st stat, doubted bool) error {
	key := s.memoKey(r.path, st)
	if s.memo != nil && !doubted && s.trusted(st) {
		if b, ok := s.memo.Get(key); ok {
			if r.isMarkdown {
				if p, ok := decodeParsed(b); ok {
					r.stat, r.trusted, r.p = st, true, p
					return nil
				}
			} else if a, ok := decodeAsset(b); ok {
				r.stat, r.trusted, r.asset = st, true, &a
				return nil
			}
		}
	}
	for try := 0; ; try++ {
		trusted, err := s.read(ctx, r, &st)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
			return errVanished
		}
		if errors.Is(err, errMoving) && try < 3 {
			continue
		}
		if err != nil && !errors.Is(err, errMoving) {
			r.unreadable(err)
			r.stat, r.trusted = st, false
			return nil
		}
		r.stat, r.trusted = st, trusted && err == nil
		break
	}
	if !r.isMarkdown {
		if s.memo != nil && r.trusted {
			s.memo.Put(s.memoKey(r.path, st), r.asset.encode())
		}
		return nil
	}
	enc := r.p.encode()
	if s.memo != nil && r.trusted && !r.p.unrendered {
		s.memo.Put(s.memoKey(r.path, st), enc)
	}
	// Decoding gives one string that all others are parts of, instead of pieces that keep the whole file alive.
	r.p, _ = decodeParsed(enc)
	return nil
}

// errMoving says that a file changed while it was read.
var errMoving = errors.New("changed while it was read")

// read reads and parses a file and reports whether its modification time can be trusted.
func (s *Source) read(ctx context.Context, r *record, st *stat) (bool, error) {
	f, err := s.openIn(s.root, r.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return false, err
	}
	*st = statOf(before)
	trusted := s.trusted(*st)
	var data []byte
	var body string
	if r.isMarkdown {
		if st.size > frontmatter.MaxBytes {
			data = make([]byte, frontmatter.MaxBytes+1)
			_, err = io.ReadFull(f, data)
		} else {
			data = make([]byte, 0, st.size+512)
			data, err = readAll(f, data)
		}
		if err != nil {
			return false, err
		}
		r.p, body = parseFile(r.path, data, s.zone)
	} else {
		a, err := readAsset(f, r.path, st.size)
		if err != nil {
			return false, err
		}
		r.asset = &a
	}
	after, err := f.Stat()
	if err != nil {
		return false, err
	}
	if statOf(after) != *st {
		return false, errMoving
	}
	if !trusted && r.isMarkdown && len(data) <= frontmatter.MaxBytes {
		r.bytes = digest.Bytes(data)
	}
	if r.isMarkdown {
		s.summarize(ctx, r, body)
	}
	return trusted, nil
}

// summarize takes up what lists say of a file's body. Whoever builds the page of a body that cannot be rendered tells why.
func (s *Source) summarize(ctx context.Context, r *record, body string) {
	p := r.p
	if p.broken || p.hash == 0 || p.stored && s.writtenOnly {
		return
	}
	format := p.bodyFormat()
	sum, err := s.summaries.Summarize(ctx, format, body, p.title, s.likelyLanguage(r.path, p.lang))
	p.unrendered = err != nil
	if p.title == "" && format == site.Markdown {
		p.heading = sum.Heading
	}
	if p.excerpt == "" {
		p.intro = sum.Excerpt
	}
	p.minutes = sum.Minutes
}

func readAll(f io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, max(len(b), 4096))
		}
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// readAsset hashes a file in pieces, keeping its beginning for the picture's size.
func readAsset(f io.Reader, name string, size int64) (assetInfo, error) {
	const headBytes = 1 << 20
	head := make([]byte, min(size, headBytes))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return assetInfo{}, err
	}
	head = head[:n]
	sum, _, err := digest.Reader(io.MultiReader(bytes.NewReader(head), f))
	if err != nil {
		return assetInfo{}, err
	}
	return parseAsset(name, head, sum), nil
}

// intern returns one copy of a string that many documents share.
func (s *Source) intern(v string) string {
	if v == "" {
		return ""
	}
	if c, ok := s.strings[v]; ok {
		return c
	}
	if len(s.strings) < 100_000 {
		v = strings.Clone(v)
		s.strings[v] = v
	}
	return v
}
