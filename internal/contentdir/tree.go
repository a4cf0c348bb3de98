package contentdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
)

// A record is what is remembered of one file.
type record struct {
	path       string
	dir        *folder
	stat       stat
	trusted    bool
	bytes      digest.Sum // of a Markdown file whose stat is not trusted, as it was read; 0: unknown
	isMarkdown bool
	dated      bool // by front matter, address or name
	broken     bool
	text       textRank
	rev        site.Revision // of the document reported at its path; 0: none
	unit       string        // the document it is part of; "": none
	p          *parsed       // of a Markdown file, while it is needed
	asset      *assetInfo    // of any other
	notes      *notes        // what there is to say about it; nil: nothing
	rivals     digest.Sum    // the slug it takes from its name or address, for tree.rivals; 0: none
	lang       string        // BCP 47, of a Markdown file that says it itself
	day        int32         // of a post with rivals: when it was published, as yyyymmdd; 0: unknown
}

// notes are what is wrong with a file.
type notes struct {
	problems []diag.Problem
	uses     []shortcodes.Use
	skip     *site.Skip
}

func (r *record) name() fileName {
	n, _ := markdownName(path.Base(r.path))
	return n
}

// isText reports whether the file is its folder's own text. A dated index.md is a post of its own.
func (r *record) isText() bool {
	return r.text != noText && !(r.text == indexOwn && r.dated && r.dir.zone == freeZone && r.dir.parent != nil)
}

// unreadable makes a file that could not be read a broken one.
func (r *record) unreadable(err error) {
	reason := "the file cannot be read"
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		reason += ": " + e.Err.Error()
	}
	prob := &diag.Problem{Severity: diag.Error, Message: reason, Remedy: "check its permissions"}
	r.p = &parsed{}
	r.p.fail(prob)
	r.asset = &assetInfo{}
}

// A folder is a folder of the tree with sums over what is beneath it.
type folder struct {
	path   string
	parent *folder
	dirs   []*folder // by path
	files  []*record // by path
	named  []*record // Markdown files with the name of a folder's text
	zone   zone

	// Sums over Markdown files. Those of a named zone do not count as dated or undated above it.
	markdown int // all beneath
	dated    int // posts beneath
	undated  int // beneath, without texts of folders
	texts    int // texts of folders beneath
	special  int // files beneath in zones
	ownTexts int // texts right here
	numFiles int // undated numbered files right here
	numDirs  int // numbered folders right here with Markdown in them

	course bool // what is beneath makes one course, as far as sums tell
}

func (f *folder) base() string { return path.Base(f.path) }

func (f *folder) empty() bool { return len(f.dirs) == 0 && len(f.files) == 0 }

// isCourse tells whether undated files make the folder a course. The root and the folders of languages are courses
// only when their files or folders are numbered: a few pages there are pages.
func (f *folder) isCourse() bool {
	if f.zone != freeZone || f.special > 0 || f.dated > 0 {
		return false
	}
	if f.parent == nil || f.parent.parent == nil && languageOf(f.path) != "" {
		if f.numFiles >= 2 || f.numDirs >= 2 {
			return true
		}
		return slices.ContainsFunc(f.dirs, func(d *folder) bool { return containers[d.base()] && d.numFiles+d.numDirs >= 2 })
	}
	lessons := f.undated + f.texts - f.ownTexts
	return lessons >= 2 || lessons == 1 && f.numFiles+f.numDirs > 0
}

// A tree is the state between scans.
type tree struct {
	s            *Source
	root         *folder
	links        bool // there are symbolic links: what changed cannot be told from paths alone
	walkBad      []diag.Problem
	walkSkip     []site.Skip
	noted        map[string]*record        // files with problems or skips
	kinds        map[string]*kindSum       // dropped template syntax
	built        map[string][]diag.Problem // problems of units
	unitSkip     map[string]site.Skip
	langs        map[string]int           // Markdown files beneath each language's folder at the top
	translations map[digest.Sum][]*record // files whose path names a language, by what they have in common with their translations, each by path
	courses      map[string]site.Revision // of the courses reported, by unit, and of what is in more, by ID
	more         map[string][]string      // IDs of what a unit has beside its document
	rivals       map[digest.Sum][]*record // posts that take one slug from their names, by path
	missing      map[string]time.Time     // files that were not found, and are not known to be gone yet: since when
	waiting      map[string]time.Time     // files that were away a moment ago, and are to be named again for that
}

func newTree(s *Source) *tree {
	return &tree{s: s, root: newFolder("", nil), noted: map[string]*record{}, kinds: map[string]*kindSum{}, built: map[string][]diag.Problem{},
		unitSkip: map[string]site.Skip{}, langs: map[string]int{}, translations: map[digest.Sum][]*record{}, courses: map[string]site.Revision{}, more: map[string][]string{}, rivals: map[digest.Sum][]*record{}, missing: map[string]time.Time{}, waiting: map[string]time.Time{}}
}

func newFolder(name string, parent *folder) *folder {
	f := &folder{path: name, parent: parent}
	if parent != nil {
		f.zone = parent.zone
		if f.zone == freeZone {
			f.zone = zoneOf(path.Base(name), parent.parent == nil)
		}
	}
	return f
}

// zoneRoot is the folder whose name made the zone.
func (f *folder) zoneRoot() *folder {
	for f.parent != nil && f.parent.zone != freeZone {
		f = f.parent
	}
	return f
}

// folder returns the folder at a path, making it if asked.
func (t *tree) folder(name string, add bool) *folder {
	f := t.root
	for at := 0; at < len(name); {
		end := strings.IndexByte(name[at:], '/')
		if end < 0 {
			end = len(name)
		} else {
			end += at
		}
		i, ok := slices.BinarySearchFunc(f.dirs, name[:end], func(d *folder, p string) int { return strings.Compare(d.path, p) })
		if !ok {
			if !add {
				return nil
			}
			f.dirs = slices.Insert(f.dirs, i, newFolder(strings.Clone(name[:end]), f))
		}
		f, at = f.dirs[i], end+1
	}
	return f
}

// record returns what is remembered of a file; nil: nothing.
func (t *tree) record(name string) *record {
	dir, _ := path.Split(name)
	f := t.folder(strings.TrimSuffix(dir, "/"), false)
	if f == nil {
		return nil
	}
	if i, ok := slices.BinarySearchFunc(f.files, name, recordPath); ok {
		return f.files[i]
	}
	return nil
}

// markdownFile reports whether a path is a Markdown document rather than a file to be published.
func (t *tree) markdownFile(name string) (textRank, bool) {
	n, ok := markdownName(path.Base(name))
	if !ok || strings.HasPrefix(name, "static/") || housekeeping[n.stem] {
		return noText, false
	}
	return n.text, true
}

// A scanState gathers what a scan has to look at again.
type scanState struct {
	units   map[string]bool
	touched map[*folder]bool // sums changed
	dirty   map[*record]bool // unit or content changed
	lost    map[string]bool  // paths of removed files that had documents
}

// scan brings the tree up to date with the disk and reports what differs.
func (t *tree) scan(ctx context.Context, changed []string, doubts map[string]bool) (*site.Changes, error) {
	named := map[string]bool{}
	for _, name := range changed {
		named[strings.Trim(path.Clean("/"+name), "/")] = !doubts[name] && t.waiting[name].IsZero()
	}
	if changed != nil {
		changed = slices.AppendSeq(slices.Clip(changed), maps.Keys(doubts))
	}
	there, gone, err := t.look(ctx, changed, doubts)
	if err != nil {
		return nil, err
	}
	gone, again := t.away(gone, named, there)
	now := t.s.now()
	maps.DeleteFunc(t.waiting, func(_ string, since time.Time) bool { return now.Sub(since) > 3*writing })
	for _, name := range again {
		t.waiting[name] = now
	}
	st := &scanState{units: map[string]bool{}, touched: map[*folder]bool{}, dirty: map[*record]bool{}, lost: map[string]bool{}}
	fresh, err := t.loadAll(ctx, there, doubts)
	if err != nil {
		return nil, err
	}
	for _, name := range gone {
		if r := t.record(name); r != nil {
			t.inherit(st, r)
			t.remove(st, r)
		}
	}
	for _, r := range fresh {
		if t.halfWritten(r) {
			again = append(again, r.path)
			continue
		}
		t.put(st, r)
	}
	t.reclass(st)
	t.assign(st)
	ch := t.build(ctx, st)
	ch.Again = again
	return ch, nil
}

// writing is how long a file that was whole may be empty or malformed: editors truncate first.
const writing = time.Second

// away tells files that are gone from those that may be away for a moment: editors and deployments move a file away before
// they put the new one in its place. Whoever names a file, or a folder that it was in, knows that it is gone (unless it was
// to be named again), and one of those that were found may be it; else what has just gone stays as it was, and is to be
// looked at again.
func (t *tree) away(missing []string, named map[string]bool, there []found) (gone, again []string) {
	if len(missing) == 0 {
		return nil, nil
	}
	now := t.s.now()
	inodes := map[uint64]bool{}
	for _, f := range there {
		inodes[f.stat.inode] = true
	}
	stirred := map[string]bool{} // folders: whether something has just come or gone there
	for _, name := range missing {
		since, known := t.missing[name]
		if !known {
			since = now
			t.missing[name] = now
		}
		if now.Sub(since) >= writing || t.s.ignores(name) || isNamed(name, named) || inodes[t.record(name).stat.inode] || !t.stirred(path.Dir(name), now, stirred) {
			gone = append(gone, name)
			delete(t.missing, name)
		} else {
			again = append(again, name)
		}
	}
	return gone, again
}

// isNamed reports whether a file, or a folder above it, is among names.
func isNamed(name string, names map[string]bool) bool {
	for ; name != "."; name = path.Dir(name) {
		if names[name] {
			return true
		}
	}
	return false
}

// stirred reports whether something has just come or gone in a folder, or in the nearest above it that is there.
func (t *tree) stirred(dir string, now time.Time, memory map[string]bool) bool {
	known, has := memory[dir]
	if has {
		return known
	}
	info, err := os.Stat(t.s.file(dir))
	switch {
	case err == nil:
		known = now.Sub(info.ModTime()).Abs() < writing
	case dir != ".":
		known = t.stirred(path.Dir(dir), now, memory)
	}
	memory[dir] = known
	return known
}

// halfWritten reports whether a file that was whole a moment ago is being written, by all that can be seen. What is known
// of it stays, and its old modification time makes every scan look at it again.
func (t *tree) halfWritten(r *record) bool {
	if r == nil || !r.isMarkdown || !r.broken && r.stat.size > 0 {
		return false
	}
	old := t.record(r.path)
	age := time.Duration(t.s.now().UnixNano() - r.stat.mtime)
	return old != nil && !old.broken && old.stat.size > 0 && age.Abs() < writing
}

// look lists what is to be read and what is gone.
func (t *tree) look(ctx context.Context, changed []string, doubts map[string]bool) (files []found, gone []string, err error) {
	dirs := []string{""}
	full := changed == nil || t.links
	var seen []found
	if !full {
		dirs = dirs[:0]
		for _, name := range changed {
			name = strings.Trim(path.Clean("/"+name), "/")
			if name == "" {
				full, dirs = true, []string{""}
				break
			}
			if t.hidden(name) {
				continue
			}
			fi, err := os.Lstat(t.s.file(name))
			switch {
			case err != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
				gone = append(gone, t.under(name)...)
				// A folder that has become a file, or is gone, takes what was in it along; a file in the way of the
				// path is found by its own name.
			case err != nil:
				return nil, nil, err
			case fi.IsDir():
				dirs = append(dirs, name)
			case fi.Mode().IsRegular() && !badName(path.Base(name)):
				if !skipped(path.Base(name), false) {
					seen = append(seen, found{name, statOf(fi)})
				}
				if t.folder(name, false) != nil {
					gone = append(gone, t.under(name)...)
				}
			default:
				full, dirs = true, []string{""} // a symbolic link
			}
			if full {
				break
			}
		}
	}
	if len(t.s.beside) > 0 && !full {
		dirs = append(dirs, staticFolder) // the folders beside the tree are not watched
	}
	if len(dirs) > 0 {
		w, err := t.s.walk(ctx, dirs...)
		if err != nil {
			return nil, nil, err
		}
		if w.links && !full {
			// What lies behind a link is known only from the whole.
			if w, err = t.s.walk(ctx, ""); err != nil {
				return nil, nil, err
			}
			full, dirs = true, []string{""}
		}
		if full {
			t.links, t.walkBad, t.walkSkip = w.links, w.problems, w.skips
			seen, gone = nil, nil
		} else {
			// Names that are not text are found by whole walks; a part adds its own.
			t.walkBad = append(slices.DeleteFunc(t.walkBad, func(p diag.Problem) bool {
				return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(p.File, t.s.shown(d)+"/") })
			}), w.problems...)
		}
		seen = append(seen, w.files...)
		present := make(map[string]bool, len(w.files))
		for _, f := range w.files {
			present[f.path] = true
		}
		for _, d := range dirs {
			for _, name := range t.under(d) {
				if !present[name] {
					gone = append(gone, name)
				}
			}
		}
	}
	slices.SortFunc(seen, func(a, b found) int { return strings.Compare(a.path, b.path) })
	seen = slices.CompactFunc(seen, func(a, b found) bool { return a.path == b.path })
	slices.Sort(gone)
	gone = slices.Compact(gone)
	files = seen[:0]
	for _, f := range seen {
		delete(t.missing, f.path)
		if r := t.record(f.path); r != nil && r.trusted && r.stat == f.stat && !doubts[f.path] {
			continue
		}
		files = append(files, f)
	}
	return files, gone, nil
}

// hidden reports whether a path passes through a folder that is not read.
func (t *tree) hidden(name string) bool {
	if !t.s.reads(name) {
		return true
	}
	for {
		dir, rest, ok := strings.Cut(name, "/")
		if !ok {
			return dir == "" || dir[0] == '.'
		}
		if skipped(dir, true) {
			return true
		}
		name = rest
	}
}

// under lists the known files at and beneath a path.
func (t *tree) under(name string) []string {
	var out []string
	if t.record(name) != nil {
		out = append(out, name)
	}
	var walk func(f *folder)
	walk = func(f *folder) {
		for _, r := range f.files {
			out = append(out, r.path)
		}
		for _, d := range f.dirs {
			walk(d)
		}
	}
	if f := t.folder(name, false); f != nil {
		walk(f)
	}
	return out
}

// workers is how many goroutines share a piece of work.
func workers(n int) int { return max(1, min(runtime.GOMAXPROCS(0), n/16+1)) }

// parallel calls f for each index below n.
func parallel(ctx context.Context, n int, f func(i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers(n) {
		g.Go(func() error {
			for {
				const batch = 16
				from := int(next.Add(batch)) - batch
				if from >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				for i := from; i < min(from+batch, n); i++ {
					if err := f(i); err != nil {
						return err
					}
				}
			}
		})
	}
	return g.Wait()
}

// loadAll reads files into new records.
func (t *tree) loadAll(ctx context.Context, files []found, doubts map[string]bool) ([]*record, error) {
	out := make([]*record, len(files))
	err := parallel(ctx, len(files), func(i int) error {
		r := &record{path: files[i].path}
		r.text, r.isMarkdown = t.markdownFile(r.path)
		if err := t.s.load(r, files[i].stat, doubts[r.path]); err != nil {
			if errors.Is(err, errVanished) {
				return nil
			}
			return err
		}
		r.facts()
		out[i] = r
		return nil
	})
	return out, err
}

// facts takes from a parse result what stays in memory.
func (r *record) facts() {
	if r.p == nil {
		if strings.HasPrefix(r.path, "static/") || r.stat.size <= maxAssetBytes {
			return
		}
		r.broken = true
		r.notes = &notes{problems: []diag.Problem{{Severity: diag.Warning, Message: fmt.Sprintf("the file has %d MB and is left out", r.stat.size>>20),
			Remedy: "put it into static/, or link to it elsewhere"}}}
		return
	}
	r.broken = r.p.broken
	r.dated, r.lang = r.p.dated, r.p.lang
	if !r.dated {
		_, _, r.dated = dateName(documentName(r.path))
	}
	if len(r.p.problems)+len(r.p.uses) > 0 || r.broken {
		r.notes = &notes{problems: r.p.problems, uses: r.p.uses}
	}
	if r.broken {
		r.notes.skip = &site.Skip{ID: site.ID(r.path), Field: r.p.badField, Reason: r.p.reason}
	}
}

// put adds a record or replaces the one at its path. A nil record is a file that vanished.
func (t *tree) put(st *scanState, r *record) {
	if r == nil {
		return
	}
	old := t.record(r.path)
	if old != nil {
		t.remove(st, old)
		r.rev = old.rev
		delete(st.lost, r.path)
	}
	dir, _ := path.Split(r.path)
	r.dir = t.folder(strings.TrimSuffix(dir, "/"), true)
	i, _ := slices.BinarySearchFunc(r.dir.files, r.path, recordPath)
	r.dir.files = slices.Insert(r.dir.files, i, r)
	if r.isMarkdown && r.text != noText {
		r.dir.named = append(r.dir.named, r)
	}
	t.note(r, true)
	t.rival(st, r)
	t.count(r, +1)
	t.translation(st, r, true)
	t.touch(st, r)
	if old == nil {
		t.inherit(st, r)
	} else if old.lang != r.lang {
		t.inherit(st, old)
		t.inherit(st, r)
	}
	st.dirty[r] = true
}

func recordPath(r *record, p string) int { return strings.Compare(r.path, p) }

// rival enters a post into those that ask for the same slug: a blog that has the same name in another year, or
// translations. Each of them looks different when one comes or goes.
func (t *tree) rival(st *scanState, r *record) {
	r.rivals = 0
	if !r.isMarkdown || r.broken || r.p == nil || r.p.stored || r.p.draft || r.p.to != "" || !r.dated && r.dir.zone != blogZone {
		return
	}
	name, _, date := plainName(r)
	if !r.p.published.IsZero() {
		date = r.p.published
	}
	r.day = 0
	if !date.IsZero() {
		r.day = int32(date.Year()*10000 + int(date.Month())*100 + date.Day())
	}
	r.rivals = max(digest.String(string((&builder{t: t}).meta(r, name).Slug)), 1)
	group := t.rivals[r.rivals]
	for _, o := range group {
		st.dirty[o] = true
	}
	i, _ := slices.BinarySearchFunc(group, r.path, recordPath)
	t.rivals[r.rivals] = slices.Insert(group, i, r)
}

// rivalsOf are the posts that ask for a post's address, it among them, the first of which has it: those in the site's
// language before translations, then by path.
func (t *tree) rivalsOf(r *record) []*record {
	if r.rivals == 0 || len(t.rivals[r.rivals]) < 2 {
		return nil
	}
	own := t.slugLang(r)
	var native, foreign []*record
	for _, o := range t.rivals[r.rivals] {
		switch {
		case t.slugLang(o) != own:
		case t.isForeign(t.lang(o)):
			foreign = append(foreign, o)
		default:
			native = append(native, o)
		}
	}
	return append(native, foreign...)
}

// rivalSuffix is what tells a post apart from those before it that ask for its address, and the first of them: its
// language where that is another than theirs, else its year, or its date where one of them is of that year. It is empty
// where the post is the first, or nothing tells it apart.
func (t *tree) rivalSuffix(r *record) (suffix string, first *record) {
	rivals := t.rivalsOf(r)
	if len(rivals) < 2 || rivals[0] == r {
		return "", nil
	}
	lang := t.lang(r)
	byLang := t.isForeign(lang)
	byDay := strconv.Itoa(int(r.day / 10000))
	if r.day == 0 {
		byDay = ""
	}
	for _, o := range rivals {
		if o == r {
			break
		}
		byLang = byLang && t.lang(o) != lang
		switch {
		case o.day == r.day:
			byDay = ""
		case byDay != "" && o.day/10000 == r.day/10000:
			byDay = fmt.Sprintf("%d-%02d-%02d", r.day/10000, r.day/100%100, r.day%100)
		}
	}
	if byLang {
		return strings.ToLower(lang), rivals[0]
	}
	return byDay, rivals[0]
}

func (t *tree) unrival(st *scanState, r *record) {
	if r.rivals == 0 {
		return
	}
	group := slices.DeleteFunc(t.rivals[r.rivals], func(o *record) bool { return o == r })
	for _, o := range group {
		st.dirty[o] = true
	}
	if t.rivals[r.rivals] = group; len(group) == 0 {
		delete(t.rivals, r.rivals)
	}
	r.rivals = 0
}

// note takes what there is to say about a file up, or drops it.
func (t *tree) note(r *record, add bool) {
	if r.notes == nil {
		return
	}
	if add && (len(r.notes.problems) > 0 || r.notes.skip != nil) {
		t.noted[r.path] = r
	} else {
		delete(t.noted, r.path)
	}
	for i := range r.notes.uses {
		u := &r.notes.uses[i]
		k := t.kinds[u.Kind]
		if k == nil {
			k = &kindSum{}
			t.kinds[u.Kind] = k
		}
		at, _ := slices.BinarySearchFunc(k.files, r.path, func(f kindUse, p string) int { return strings.Compare(f.path, p) })
		if add {
			k.count += u.Count
			k.files = slices.Insert(k.files, at, kindUse{r.path, u})
			continue
		}
		k.count -= u.Count
		if k.files = slices.Delete(k.files, at, at+1); len(k.files) == 0 {
			delete(t.kinds, u.Kind)
		}
	}
}

func (t *tree) remove(st *scanState, r *record) {
	if r == nil {
		return
	}
	t.unrival(st, r)
	t.translation(st, r, false)
	t.count(r, -1)
	t.touch(st, r)
	if i, ok := slices.BinarySearchFunc(r.dir.files, r.path, recordPath); ok {
		r.dir.files = slices.Delete(r.dir.files, i, i+1)
	}
	r.dir.named = slices.DeleteFunc(r.dir.named, func(o *record) bool { return o == r })
	t.note(r, false)
	delete(st.dirty, r)
	if r.unit != "" {
		st.units[r.unit] = true
	}
	if r.rev != 0 {
		st.lost[r.path] = true
		st.units[r.path] = true
	}
	for f := r.dir; f.parent != nil && len(f.files) == 0 && len(f.dirs) == 0; f = f.parent {
		f.parent.dirs = slices.DeleteFunc(f.parent.dirs, func(d *folder) bool { return d == f })
	}
}

// count adds a file to the sums of the folders above it, or takes it away.
func (t *tree) count(r *record, d int) {
	if !r.isMarkdown {
		return
	}
	_, isNumbered := numbered(r.name().stem)
	if text := r.isText(); text {
		r.dir.ownTexts += d
	} else if isNumbered && !r.dated {
		r.dir.numFiles += d
	}
	for f := r.dir; f != nil; f = f.parent {
		was := f.markdown > 0
		f.markdown += d
		if f.parent != nil && was != (f.markdown > 0) {
			if _, ok := numbered(f.base()); ok {
				f.parent.numDirs += d
			}
		}
		switch {
		case r.dir.zone != freeZone:
			if f.zone == freeZone {
				f.special += d
			}
		case r.isText():
			f.texts += d
		case r.dated:
			f.dated += d
		default:
			f.undated += d
		}
	}
	if first, _, _ := strings.Cut(r.path, "/"); languageOf(first) != "" {
		t.langs[first] += d
		if t.langs[first] == 0 {
			delete(t.langs, first)
		}
	}
}

// touch marks what may look different because a file came or went: the folders above it, its folder's other texts,
// README files above it in a blog, and the translations of its course.
func (t *tree) touch(st *scanState, r *record) {
	if !r.isMarkdown {
		return
	}
	for f := r.dir; f != nil; f = f.parent {
		st.touched[f] = true
		if f == r.dir || f.zone == blogZone || f.zone == draftZone {
			for _, o := range f.named {
				st.dirty[o] = true
			}
		}
	}
	t.touchCourses(st, r)
}

// touchCourses marks the courses that a file's course is a translation of, or they of it.
func (t *tree) touchCourses(st *scanState, r *record) {
	first, rest, _ := strings.Cut(r.path, "/")
	tagged := languageOf(first) != ""
	if !tagged {
		rest = r.path
	}
	mark := func(prefix string) {
		for at := range len(rest) {
			if rest[at] != '/' {
				continue
			}
			f := t.folder(prefix+rest[:at], false)
			if f == nil {
				return
			}
			if courseAbove(f) == f {
				st.units[f.path] = true
			}
		}
	}
	if tagged {
		mark("")
	}
	for l := range t.langs {
		mark(l + "/")
	}
}

// reclass finds folders that have become courses or ceased to be, and marks all that is in them.
func (t *tree) reclass(st *scanState) {
	var mark func(f *folder)
	mark = func(f *folder) {
		for _, r := range f.files {
			if r.isMarkdown {
				st.dirty[r] = true
			}
		}
		for _, d := range f.dirs {
			mark(d)
		}
	}
	for f := range st.touched {
		if now := f.isCourse(); now != f.course {
			f.course = now
			mark(f)
		}
	}
}

// courseAbove returns the folder of the course that a folder is part of: the topmost that makes one; nil: none.
func courseAbove(f *folder) *folder {
	var c, child *folder
	for ; f != nil; child, f = f, f.parent {
		switch {
		case f.zone == courseZone && f == f.zoneRoot():
			c = child
		case f.zone == freeZone && f.course:
			c = f
		}
	}
	return c
}

// unitOf names the document that a file is part of: a course's folder, else the file.
func (t *tree) unitOf(r *record) string {
	if r.isMarkdown {
		if c := courseAbove(r.dir); c != nil {
			return courseID(c)
		}
	}
	return r.path
}

func courseID(f *folder) string {
	if f.path == "" {
		return "."
	}
	return f.path
}

// assign finds the unit of each dirty file and marks the units to be built.
func (t *tree) assign(st *scanState) {
	for r := range st.dirty {
		unit := t.unitOf(r)
		if r.unit != "" {
			st.units[r.unit] = true
		}
		r.unit = unit
		st.units[unit] = true
	}
}

// build makes the documents of the marked units and reports those that differ from what the caller knows.
//
// Nothing in it fails: the tree has changed already, and what is not reported now would be lost.
func (t *tree) build(ctx context.Context, st *scanState) *site.Changes {
	ctx = context.WithoutCancel(ctx)
	units := slices.Sorted(maps.Keys(st.units))
	type result struct {
		doc      site.Document
		problems []diag.Problem
		skip     *site.Skip
		more     []site.Document
	}
	results := make([]result, len(units))
	_ = parallel(ctx, len(units), func(i int) error { // never fails
		t.ensure(units[i])
		b := builder{t: t}
		doc := b.unit(units[i])
		results[i] = result{doc, b.problems, b.skip, b.more}
		return nil
	})
	ch := &site.Changes{}
	for i, unit := range units {
		r := &results[i]
		delete(t.built, unit)
		delete(t.unitSkip, unit)
		if len(r.problems) > 0 {
			t.built[unit] = r.problems
		}
		if r.skip != nil {
			t.unitSkip[unit] = *r.skip
		}
		if r.doc != nil {
			t.share(r.doc)
		}
		t.report(ch, st, unit, r.doc)
		if r.doc == nil {
			r.more = nil
		}
		t.reportMore(ch, st, unit, r.more)
		switch d := r.doc.(type) { // what is left of the parse result is in the document
		case *site.Post:
			t.record(unit).p = nil
		case *site.Page:
			if !d.Section {
				t.record(unit).p = nil
			}
		}
	}
	t.problems(ch)
	return ch
}

// report compares a built unit with what the caller knows of it.
func (t *tree) report(ch *site.Changes, st *scanState, unit string, doc site.Document) {
	r := t.record(unit)
	known, wasCourse := t.courses[unit]
	if r != nil && r.rev != 0 {
		known = r.rev
	}
	switch {
	case doc != nil:
		rev := max(doc.DocRevision(), 1) // 0 says that there was no document
		if rev != known {
			ch.Put = append(ch.Put, doc)
		}
		if r != nil {
			r.rev = rev
			delete(t.courses, unit)
		} else {
			t.courses[unit] = rev
		}
	case wasCourse || st.lost[unit] || r != nil && r.rev != 0:
		ch.Drop = append(ch.Drop, site.ID(unit))
		delete(t.courses, unit)
		if r != nil {
			r.rev = 0
		}
	}
}

// reportMore does the same for what a unit has beside its document.
func (t *tree) reportMore(ch *site.Changes, st *scanState, unit string, more []site.Document) {
	var now []string
	for _, d := range more {
		now = append(now, string(d.DocID()))
		t.report(ch, st, string(d.DocID()), d)
	}
	for _, id := range t.more[unit] {
		if !slices.Contains(now, id) {
			t.report(ch, st, id, nil)
		}
	}
	if t.more[unit] = now; now == nil {
		delete(t.more, unit)
	}
}

// problems gathers what is wrong now, sorted.
func (t *tree) problems(ch *site.Changes) {
	ch.Problems = append(ch.Problems, t.walkBad...)
	ch.Skipped = append(ch.Skipped, t.walkSkip...)
	for name, r := range t.noted {
		for _, p := range r.notes.problems {
			p.File = t.s.shown(name)
			ch.Problems = append(ch.Problems, p)
		}
		if r.notes.skip != nil {
			ch.Skipped = append(ch.Skipped, *r.notes.skip)
		}
	}
	for _, ps := range t.built {
		ch.Problems = append(ch.Problems, ps...)
	}
	for _, s := range t.unitSkip {
		ch.Skipped = append(ch.Skipped, s)
	}
	for kind, k := range t.kinds {
		msg := kind + " was left out"
		switch {
		case len(k.files) > 1:
			msg += fmt.Sprintf(", %d times in %d files", k.count, len(k.files))
		case k.count > 1:
			msg += fmt.Sprintf(", %d times in this file", k.count)
		}
		first := k.files[0].use
		ch.Problems = append(ch.Problems, diag.Problem{Severity: diag.Warning, File: t.s.shown(k.files[0].path), Line: first.Line, Col: first.Col, Text: first.Text,
			Message: msg, Remedy: first.Remedy})
	}
	diag.Sort(ch.Problems)
	slices.SortFunc(ch.Skipped, func(a, b site.Skip) int { return strings.Compare(string(a.ID), string(b.ID)) })
}

// A kindSum is one kind of dropped syntax over all files.
type kindSum struct {
	count int
	files []kindUse // by path
}

type kindUse struct {
	path string
	use  *shortcodes.Use
}

// ensure reads the parse results that a unit needs and that are not in memory.
func (t *tree) ensure(unit string) {
	var members []*record
	if r := t.record(unit); r != nil {
		members = append(members, r)
	}
	if f := t.courseFolder(unit); f != nil {
		members = append(members, f.members()...)
	}
	for _, r := range members {
		if !r.isMarkdown || r.p != nil {
			continue
		}
		// The record keeps the stat it was classified by: should the file have changed, the next look finds that.
		again := &record{path: r.path, isMarkdown: true}
		if err := t.s.load(again, r.stat, false); err != nil {
			again.unreadable(err)
		}
		if r.p = again.p; again.stat != r.stat {
			r.trusted, r.bytes = false, 0
		}
	}
}

// courseFolder returns the folder of a course's unit; nil when the unit is a file or nothing.
func (t *tree) courseFolder(unit string) *folder {
	name := unit
	if unit == "." {
		name = ""
	}
	f := t.folder(name, false)
	if f == nil || f.markdown == 0 {
		return nil
	}
	if courseAbove(f) != f {
		return nil
	}
	return f
}

// members lists the Markdown files beneath a folder by path.
func (f *folder) members() []*record {
	var out []*record
	var walk func(f *folder)
	walk = func(f *folder) {
		for _, r := range f.files {
			if r.isMarkdown {
				out = append(out, r)
			}
		}
		for _, d := range f.dirs {
			walk(d)
		}
	}
	walk(f)
	slices.SortFunc(out, func(a, b *record) int { return strings.Compare(a.path, b.path) })
	return out
}

// share replaces strings that many documents have by one copy.
func (t *tree) share(d site.Document) {
	in := t.s.intern
	meta := func(m *site.Meta) {
		m.Lang = in(m.Lang)
		for i := range m.Tags {
			m.Tags[i] = in(m.Tags[i])
		}
	}
	switch d := d.(type) {
	case *site.Post:
		meta(&d.Meta)
		for i := range d.Authors {
			d.Authors[i].Name, d.Authors[i].Image = in(d.Authors[i].Name), in(d.Authors[i].Image)
		}
	case *site.Course:
		meta(&d.Meta)
		d.Currency, d.Level = in(d.Currency), in(d.Level)
	case *site.Page:
		meta(&d.Meta)
	}
}
