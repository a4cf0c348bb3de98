package pagestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// Verified returns what [Writer.SetVerified] noted last in a state folder; the zero time if nothing.
func Verified(dir string) (time.Time, error) {
	name := filepath.Join(dir, verifiedName)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the last verification: %w", err)
	}
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(b)))
	if err != nil {
		return time.Time{}, nil // torn by a crash of the machine: the site counts as not verified
	}
	return t, nil
}
