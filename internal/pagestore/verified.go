package pagestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

const verifiedName = "verified"

// SetVerified notes beside the log that the site was compared with its source at t.
func (w *Writer) SetVerified(t time.Time) error {
	w.restore()
	return setVerified(w.dir, t)
}

func setVerified(dir string, t time.Time) error {
	name := filepath.Join(dir, verifiedName)
	err := os.WriteFile(name+tmpSuffix, []byte(t.UTC().Format(time.RFC3339Nano)+"\n"), 0o644)
	if err == nil {
		err = os.Rename(name+tmpSuffix, name)
	}
	if err != nil {
		return fmt.Errorf("note the verification: %w", err)
	}
	return nil
}

// A verifiedNote is what SetVerified noted last.
type verifiedNote struct {
	last atomic.Pointer[time.Time] // that was read; nil: none was
}

// Verified returns when the site was last compared with its source; the zero time if it never was. While the note of it cannot be
// read, what it said before holds.
func (r *Reader) Verified() time.Time { return r.verified.read(r.cfg) }

// Verified is [Reader.Verified] for the process that writes.
func (w *Writer) Verified() time.Time { return w.verified.read(w.cfg) }

func (n *verifiedNote) read(cfg Config) (t time.Time) {
	b, err := os.ReadFile(filepath.Join(cfg.Dir, verifiedName))
	switch {
	case err == nil:
		// What a crash of the machine tore is no time: the site counts as not verified.
		t, _ = time.Parse(time.RFC3339Nano, strings.TrimSpace(string(b)))
		n.last.Store(&t)
	case !errors.Is(err, fs.ErrNotExist):
		cfg.Logger.Warn("cannot tell whether the site is fresh", "error", err)
		if was := n.last.Load(); was != nil {
			t = *was
		}
	}
	return t
}
