package generator_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"freshet/generator"
)

// TestVerifiedStamp stamps the site when a build compares everything, or is told since when everything was, and otherwise not; a
// build of what has not changed renders nothing and commits nothing, stamp or no stamp.
func TestVerifiedStamp(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "text"})
	b := newBench(t, benchOptions{source: s})
	var last time.Time
	later := time.Now().Add(time.Hour)
	for _, step := range []struct {
		name    string
		opt     generator.Options
		stamped bool
	}{
		{"everything", generator.Options{}, true},
		{"a slice", generator.Options{Changed: []string{"a.md"}}, false},
		{"a slice of a round", generator.Options{Changed: []string{"a.md"}, Compared: later}, true},
		{"a slice of nothing", generator.Options{Changed: []string{}, Compared: later.Add(time.Second)}, true},
		{"a date", generator.Options{Changed: []string{}}, false},
	} {
		rep := b.build(t, step.opt)
		if step.name != "everything" && (rep.Committed || rep.Rendered > 0) {
			t.Errorf("%s: %+v, want nothing rendered", step.name, rep)
		}
		at := b.store.Verified()
		if at.After(last) != step.stamped || !step.opt.Compared.IsZero() && !at.Equal(step.opt.Compared) {
			t.Errorf("%s: the stamp is %v after %v, want it changed: %v", step.name, at, last, step.stamped)
		}
		last = at
	}
}

// TestVerifiedStampThatFails cannot write the stamp: what is committed is published all the same, and the error is told.
func TestVerifiedStampThatFails(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "text"})
	b := newBench(t, benchOptions{source: s})
	b.build(t, generator.Options{})
	s.put(newPost("a.md", "a", -1), map[string]string{"": "other text"})
	if err := errors.Join(os.Remove(filepath.Join(b.dir, "state", "verified")), os.Mkdir(filepath.Join(b.dir, "state", "verified"), 0o755)); err != nil {
		t.Fatal(err)
	}
	rep, err := b.Build(t.Context(), generator.Options{Now: day(0)})
	if err == nil || !strings.Contains(err.Error(), "note the verification") || rep == nil || !rep.Committed {
		t.Errorf("Build: %+v, %v; want a commit and what could not be noted", rep, err)
	}
	page, err := os.ReadFile(filepath.Join(b.public, "blog", "a", "index.html"))
	if err != nil || !bytes.Contains(page, []byte("other text")) {
		t.Errorf("the public folder has %q, %v", page, err)
	}
}
