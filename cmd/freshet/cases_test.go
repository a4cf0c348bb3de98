package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"freshet/internal/testenv"
)

// TestCases builds small trees and documents of the kinds that real sites have, and holds each site against what is
// known to be right for it.
func TestCases(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds some fifty sites")
	}
	dir := testenv.Cases(t)
	exe := testenv.Freshet(t)
	files, err := filepath.Glob(filepath.Join(dir, "*", "case.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "python3", filepath.Join(dir, "run.py"), "-v", "--binary", exe, filepath.Dir(file)).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
