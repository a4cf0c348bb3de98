package contentdir

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

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
