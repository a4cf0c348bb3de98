// Package testenv finds what tests need from outside the module. What is absent makes a test skip and say why; under
// FRESHET_TEST_REQUIRE=1, as in continuous integration, it makes it fail.
package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// missing ends the test.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("FRESHET_TEST_REQUIRE") == "1" {
		t.Fatalf("FRESHET_TEST_REQUIRE=1, but %s", reason)
	}
	t.Skip(reason)
}

// Corpus returns the folder of real blogs and courses: $FRESHET_TEST_CORPUS, else ../shared/corpus beside the module.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FRESHET_TEST_CORPUS")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "blogs-hugo")); err != nil {
		missing(t, "there is no corpus of real content at %s: set FRESHET_TEST_CORPUS to its folder", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Chromium returns the browser's program: $FRESHET_TEST_CHROMIUM, else what is called chromium or google-chrome.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("FRESHET_TEST_CHROMIUM"), "chromium", "google-chrome"} {
		if name == "" {
			continue
		}
		if exe, err := exec.LookPath(name); err == nil {
			return exe
		}
	}
	missing(t, "there is no chromium: install Debian's package, or set FRESHET_TEST_CHROMIUM to a browser's program")
	return ""
}

// Root returns the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Freshet builds the program and returns the file. It is removed when the test ends. It is built without the race
// detector, which would make a process take longer to start than to build a small site.
func Freshet(t testing.TB) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "freshet")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", exe, "./cmd/freshet")
	cmd.Dir = Root(t)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CGO_ENABLED=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build freshet: %v\n%s", err, out)
	}
	return exe
}
