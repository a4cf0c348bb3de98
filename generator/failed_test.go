package generator_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"freshet/generator"
)

// withoutRoom calls do while no file can grow beyond the size of the bench's page log, as on a full disk.
func (b *bench) withoutRoom(t *testing.T, do func()) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(b.dir, "state", "log", "*.seg"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("page logs %v, %v", logs, err)
	}
	info, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	now := was
	now.Cur = uint64(info.Size())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Skipf("limit the size of files: %v", err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// everything is all that the current generation has, what it remembers included. Generation numbers are left out.
func (b *bench) everything() string {
	var out []string
	for e := range b.store.Current().All() {
		out = append(out, fmt.Sprint(e.Path, e.Kind, e.Status, e.Object.ID, e.Location, e.Remembered, e.Doc, e.Fingerprint))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestFailedCommitChangesNothing fails every commit of a random history once, while pages come, move, go and are
// forgotten. What the generator knows of the site is then as before, and the next try makes the same site as a history
// without failures.
func TestFailedCommitChangesNothing(t *testing.T) {
	failures := 0
	for seed := range uint64(3) {
		troubled, calm := newGarden(seed, 30), newGarden(seed, 30)
		a := newBench(t, benchOptions{source: troubled.source, noTree: true})
		b := newBench(t, benchOptions{source: calm.source, noTree: true})
		now := 0
		a.build(t, generator.Options{Now: day(now)})
		b.build(t, generator.Options{Now: day(now)})
		for step := range 12 {
			if step%4 == 3 {
				now += 200 // so that what is remembered is forgotten after some steps
			}
			edit := troubled.edit()
			if got := calm.edit(); got != edit {
				t.Fatalf("the histories differ: %s and %s", edit, got)
			}
			opt := generator.Options{Now: day(now), Changed: []string{}, AllowShrink: true}
			before := generator.Remembered(a.Generator)
			a.withoutRoom(t, func() {
				_, err := a.Build(t.Context(), opt)
				if err == nil {
					return // nothing changed
				}
				if !errors.Is(err, syscall.EFBIG) {
					t.Errorf("seed %d step %d, %s: Build gives %v, want %v", seed, step, edit, err, syscall.EFBIG)
				}
				failures++
				if got := generator.Remembered(a.Generator); got != before {
					t.Errorf("seed %d step %d, %s: a failed commit changes what the generator remembers:\n%s", seed, step, edit, firstDifference(before, got))
				}
			})
			a.build(t, opt)
			b.build(t, opt)
			if want, got := b.everything(), a.everything(); got != want {
				t.Errorf("seed %d step %d, %s: after a failed commit the site is another:\n%s", seed, step, edit, firstDifference(want, got))
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	if failures < 20 {
		t.Errorf("only %d commits failed: the test shows nothing", failures)
	}
}
