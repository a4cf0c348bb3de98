package pagestore

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"freshet/internal/site"
)

// MaxNameBytes bounds the name of a file or folder of the public tree: common disks hold no longer ones.
const MaxNameBytes = 255

const maxPathBytes = 2048

// A PathError means that no page may be at a path.
type PathError struct {
	Path   site.Path
	Reason string
}

func (e *PathError) Error() string { return fmt.Sprintf("path %q %s", string(e.Path), e.Reason) }

// A CollisionError means that two paths of one generation need the same file, or one needs as a file what the
// other needs as a folder.
type CollisionError struct{ A, B site.Path }

func (e *CollisionError) Error() string {
	return fmt.Sprintf("paths %q and %q cannot both be files of one tree", string(e.A), string(e.B))
}

// CheckPath returns nil if a generation may have an entry of that kind at p, else a *PathError. A path is absolute,
// valid UTF-8 of at most 2048 bytes, without control characters, backslashes, and segments "." and "..". Of a kind
// that has a file it also has no empty segment, none longer than 255 bytes, and none at its beginning that the
// tree uses itself.
func CheckPath(p site.Path, kind site.Kind) error {
	if reason := badPath(string(p), HasFile(kind)); reason != "" {
		return &PathError{Path: p, Reason: reason}
	}
	return nil
}

func badPath(p string, file bool) string {
	switch {
	case !strings.HasPrefix(p, "/"):
		return "does not begin with a slash"
	case len(p) > maxPathBytes:
		return "is too long"
	case !utf8.ValidString(p):
		return "is not UTF-8"
	}
	for i := range len(p) {
		if c := p[i]; c < ' ' || c == 0x7f || c == '\\' {
			return "has a control character or a backslash"
		}
	}
	rest := p[1:]
	for first := true; rest != "" || first; first = false {
		segment, after, more := strings.Cut(rest, "/")
		switch {
		case segment == "." || segment == "..":
			return "has a segment . or .."
		case !file:
		case segment == "" && more:
			return "has an empty segment"
		case len(segment) > MaxNameBytes:
			return "has a segment of more than 255 bytes"
		case first && strings.HasPrefix(segment, Reserved):
			return "begins with a name that freshet keeps for itself"
		}
		rest = after
	}
	return ""
}

// twin returns the other path with the same file; empty: there is none.
func twin(p site.Path) site.Path {
	if strings.HasSuffix(string(p), "/") {
		return p + "index.html"
	}
	if dir, ok := strings.CutSuffix(string(p), "/index.html"); ok {
		return site.Path(dir + "/")
	}
	return ""
}

// checkEntry returns why e may not be in a generation.
func checkEntry(e *site.Entry) error {
	if err := CheckPath(e.Path, e.Kind); err != nil {
		return err
	}
	switch {
	case e.Kind < site.KindAsset || e.Kind > site.KindHidden:
		return fmt.Errorf("entry %s has no kind", e.Path)
	case e.Status != 200 && e.Status != 301 && e.Status != 308 && e.Status != 410:
		return fmt.Errorf("entry %s has status %d, want 200, 301, 308 or 410", e.Path, e.Status)
	case HasFile(e.Kind) && e.Status != 200:
		return fmt.Errorf("entry %s has status %d and a kind that has a file", e.Path, e.Status)
	}
	return nil
}

// errNoObject refuses an entry whose object the log does not have.
var errNoObject = errors.New("its object is not in the page log")
