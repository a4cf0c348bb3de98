package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"freshet/generator"
	"freshet/internal/contentdir"
	"freshet/internal/digest"
)

var _ generator.Sealer = (*source)(nil)

// standing returns the report of a whole build that has nothing to do, if it is certain without opening a workshop that
// a build would have nothing to do; nil: it is not.
func standing(ctx context.Context, cfg *config, now time.Time, logger *slog.Logger) *generator.Report {
	if cfg.fromMongo() {
		return nil
	}
	src, err := openSource(ctx, cfg, nil, logger)
	if err != nil {
		return nil // the build says why
	}
	defer src.Close()
	s := generator.Standing{State: cfg.State, Public: cfg.Public, Source: src, Inputs: cfg.inputs(themeSum(cfg.Templates)),
		Kept: []string{cfg.renderedBodies(), cfg.readFiles()}}
	return s.Report(ctx, now)
}

// inputs is the digest of all that a build depends on besides its documents: this program, every setting, and the theme,
// whose folder has the given digest. 0: it cannot be told.
func (c *config) inputs(theme digest.Sum) digest.Sum {
	program, ok := programID()
	if !ok || theme == 0 {
		return 0
	}
	h := digest.New()
	h.Value(program)
	for _, s := range settings() {
		h.String(s.key)
		h.String(s.get(c))
	}
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

// Seal implements generator.Sealer.
func (s *source) Seal() (seal []byte, ok bool) {
	if s.mongo != nil {
		return nil, false
	}
	of, ok := s.files.Seal()
	if !ok {
		return nil, false
	}
	seal, err := json.Marshal(of)
	return seal, err == nil
}

// Unchanged implements generator.Sealer.
func (s *source) Unchanged(ctx context.Context, seal []byte) (now []byte, ok bool) {
	var was contentdir.Seal
	if s.mongo != nil || json.Unmarshal(seal, &was) != nil {
		return nil, false
	}
	is, ok, err := s.files.Unchanged(ctx, was)
	if err != nil || !ok {
		return nil, false
	}
	now, err = json.Marshal(is)
	return now, err == nil
}
