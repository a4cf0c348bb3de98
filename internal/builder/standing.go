package builder

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"freshet/generator"
	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/documents"
)

var _ generator.Sealer = (*documents.Source)(nil)

// Standing returns the report of a build for the time now if everything is as the last process left it, so that a build would have
// nothing to do. It opens only what it needs to be certain. Nil: a build may have something to do.
func Standing(ctx context.Context, cfg Config, now time.Time) *generator.Report {
	if cfg.Documents.Mongo != nil {
		return nil
	}
	cfg.Documents.Summaries = markup.New(cfg.Markup)
	src, err := documents.Open(ctx, cfg.Documents)
	if err != nil {
		return nil // the build says why
	}
	defer src.Close()
	s := generator.Standing{
		State: cfg.Log.Dir, Public: cfg.Public, Source: src, Inputs: cfg.inputs(folderSum(cfg.Templates)),
		Kept: []string{cfg.renderedBodies(), cfg.readFiles()},
	}
	return s.Report(ctx, now)
}

// renderedBodies and readFiles are the files of the memos.
func (c *Config) renderedBodies() string { return filepath.Join(c.Log.Dir, "memo", "markup") }
func (c *Config) readFiles() string      { return filepath.Join(c.Log.Dir, "memo", "content") }

// inputs returns the digest of everything that a build depends on besides its documents: the program, the settings, and the theme,
// whose folder has the given digest. 0: it is not known.
func (c *Config) inputs(theme digest.Sum) digest.Sum {
	program, ok := programID()
	if !ok || theme == 0 || c.Settings == 0 {
		return 0
	}
	h := digest.New()
	h.Value(program)
	h.Uint64(uint64(c.Settings))
	info, err := os.Stat(c.Templates) // a file in its place is a mistake, and has the digest of an empty folder
	h.Value(err == nil && !info.IsDir())
	h.Uint64(uint64(theme))
	return max(h.Sum(), 1)
}

// A programFile tells one binary from another, also where both have the same version: that of a work tree says little.
type programFile struct {
	Build   string // what it was built of
	Size    int64
	Inode   uint64
	Written int64 // ns
	Changed int64 // ns: of the inode, which nobody can set back
}

// programID describes the file that this process runs.
func programID() (id programFile, ok bool) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &st); err != nil { // else the file may have been replaced meanwhile
		name, err := os.Executable()
		if err != nil || unix.Stat(name, &st) != nil {
			return id, false
		}
	}
	id = programFile{Size: st.Size, Inode: st.Ino, Written: st.Mtim.Nano(), Changed: st.Ctim.Nano()}
	if info, ok := debug.ReadBuildInfo(); ok {
		id.Build = info.String()
	}
	return id, true
}
