package generator_test

import (
	"path/filepath"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/pagestore"
)

// TestVerifiedStamp stamps the site when a build has compared everything, or ends a round that has, and otherwise not; a
// build of what has not changed renders nothing and commits nothing, stamp or no stamp.
func TestVerifiedStamp(t *testing.T) {
	s := newShelf()
	s.put(newPost("a.md", "a", -1), map[string]string{"": "text"})
	b := newBench(t, benchOptions{source: s})
	var last time.Time
	for _, step := range []struct {
		name    string
		opt     generator.Options
		stamped bool
	}{
		{"everything", generator.Options{}, true},
		{"a slice", generator.Options{Changed: []string{"a.md"}}, false},
		{"the last slice", generator.Options{Changed: []string{"a.md"}, Verified: true}, true},
		{"a last slice of nothing", generator.Options{Changed: []string{}, Verified: true}, true},
		{"a date", generator.Options{Changed: []string{}}, false},
	} {
		rep := b.build(t, step.opt)
		if step.name != "everything" && (rep.Committed || rep.Rendered > 0) {
			t.Errorf("%s: %+v, want nothing rendered", step.name, rep)
		}
		at, err := pagestore.Verified(filepath.Join(b.dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		if at.After(last) != step.stamped {
			t.Errorf("%s: the stamp is %v after %v, want it changed: %v", step.name, at, last, step.stamped)
		}
		last = at
	}
}
