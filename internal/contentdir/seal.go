package contentdir

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"

	"freshet/internal/digest"
)

// A Seal describes what scans have read, so that another process can tell that a first scan of its own would read the
// same. Times of files are trusted as everywhere in this package: a file that was too new for that is named in Fresh,
// and read again.
//
// For example: post.md is saved and built within a second. Its size and time say nothing yet, because another save in
// the same second may leave both as they are. Fresh has the digest of its bytes, which the next process compares.
type Seal struct {
	Files digest.Sum            `json:"files"` // of the paths, sizes, times and inodes of all files
	Fresh map[string]digest.Sum `json:"fresh"` // by path: of the bytes
}

// Seal describes the files as they were read by the scans up to now. ok is false where the next scan may find something
// else in the same files: the last one failed, a file could not be read, or one is being written.
func (s *Source) Seal() (seal Seal, ok bool) {
	s.doubtMu.Lock()
	doubted := len(s.doubts) > 0
	s.doubtMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tree
	if t == nil || s.unsure || doubted || len(t.missing)+len(t.waiting) > 0 {
		return Seal{}, false
	}
	seal.Fresh = map[string]digest.Sum{}
	var files []found
	ok = true
	t.root.each(func(r *record) {
		files = append(files, found{r.path, r.stat})
		if r.trusted {
			return
		}
		sum := r.bytes
		if !r.isMarkdown && r.asset != nil {
			sum = r.asset.sum
		}
		ok = ok && sum != 0
		seal.Fresh[r.path] = sum
	})
	if !ok {
		return Seal{}, false
	}
	slices.SortFunc(files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	seal.Files = s.filesSum(files, t.links, t.walkNotes())
	return seal, true
}

// each calls f for every file in a folder and beneath.
func (f *folder) each(visit func(*record)) {
	for _, r := range f.files {
		visit(r)
	}
	for _, d := range f.dirs {
		d.each(visit)
	}
}

// filesSum is the digest of all that a first scan depends on but the bytes of files: their list, and how they are read.
func (s *Source) filesSum(files []found, links bool, notes []string) digest.Sum {
	h := digest.New()
	h.Uint64(parserVersion)
	h.Uint64(uint64(s.summaries.Version()))
	h.String(s.zone.String())
	h.String(s.language)
	for _, list := range [][]string{s.only, s.beside, s.collections, notes} {
		h.Uint64(uint64(len(list)))
		for _, v := range list {
			h.String(v)
		}
	}
	h.Value(links)
	for i := range files {
		f := &files[i]
		h.String(f.path)
		h.Uint64(uint64(f.stat.size))
		h.Uint64(uint64(f.stat.mtime))
		h.Uint64(f.stat.inode)
	}
	return max(h.Sum(), 1)
}

// walkNotes are what the last walk said of files, as text, sorted.
func (t *tree) walkNotes() []string {
	return notesOf(&walk{problems: t.walkBad, skips: t.walkSkip})
}

func notesOf(w *walk) []string {
	var out []string
	for i := range w.problems {
		out = append(out, string(w.problems[i].Severity)+w.problems[i].Error())
	}
	for _, skip := range w.skips {
		out = append(out, string(skip.ID)+skip.Reason)
	}
	slices.Sort(out)
	return out
}

// Unchanged reports whether a first scan would read what seal describes. It is for a Source that has not scanned. now is
// the seal for the next process: it does without those files of Fresh that have become old enough to be trusted.
//
// An error is one of reading, which a scan would meet as well.
func (s *Source) Unchanged(ctx context.Context, seal Seal) (now Seal, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return Seal{}, false, err
	}
	defer root.Close()
	s.collections = readCollections(root)
	w, err := s.walk(ctx, "")
	if err != nil || s.filesSum(w.files, w.links, notesOf(w)) != seal.Files {
		return Seal{}, false, err
	}
	s.root = root
	defer func() { s.root = nil }()
	now = Seal{Files: seal.Files, Fresh: map[string]digest.Sum{}}
	var fresh []found
	for _, f := range w.files {
		if _, is := seal.Fresh[f.path]; is {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) != len(seal.Fresh) {
		return Seal{}, false, nil
	}
	var mu sync.Mutex // protects now
	err = parallel(ctx, len(fresh), func(i int) error {
		f := fresh[i]
		trusted := s.trusted(f.stat)
		sum, err := s.sumOf(f)
		if err == nil && sum != seal.Fresh[f.path] {
			err = errMoving
		}
		if err == nil && !trusted {
			mu.Lock()
			now.Fresh[f.path] = sum
			mu.Unlock()
		}
		return err
	})
	if errors.Is(err, errMoving) {
		return Seal{}, false, nil
	}
	return now, err == nil, err
}

// sumOf is the digest of a file's bytes. The error is errMoving when it is not the one any more that the walk has seen.
func (s *Source) sumOf(f found) (digest.Sum, error) {
	file, err := s.openIn(s.root, f.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return 0, err
	}
	sum, _, err := digest.Reader(file)
	if err != nil {
		return 0, err
	}
	after, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if statOf(before) != f.stat || statOf(after) != f.stat {
		return 0, errMoving
	}
	return sum, nil
}
