package pagestore_test

import (
	"os"
	"path/filepath"
	"testing"

	"freshet/internal/pagestore/pagetest"
)

type pages = pagetest.Pages

var (
	now          = pagetest.Now
	put          = pagetest.Put
	commit       = pagetest.Commit
	after        = pagetest.After
	openWriter   = pagetest.OpenWriter
	openReader   = pagetest.OpenReader
	closeWriter  = pagetest.CloseWriter
	contents     = pagetest.Contents
	wantContents = pagetest.WantContents
)

func logSize(t testing.TB, dir string) int64 {
	t.Helper()
	info, err := os.Stat(logFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// logFile is the only segment of a log.
func logFile(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the log has files %q (%v), want one", files, err)
	}
	return files[0]
}
