package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// saveBlog writes a post of the site in the working folder, by renaming, so that no build meets half of it.
func saveBlog(t *testing.T, slug, head, text string) {
	t.Helper()
	name := filepath.Join("content", "blog", slug+".md")
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755),
		os.WriteFile(name+"~", fmt.Appendf(nil, "---\ntitle: Title of %s\n%s\n---\n\n%s\n", slug, head, text), 0o644), os.Rename(name+"~", name)); err != nil {
		t.Fatal(err)
	}
}

// TestDatesOfFiles has a post expire and another be published while freshet up runs over a content folder. Each time, the
// post's own page and whatever lists it change, though nobody says so.
func TestDatesOfFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	saveBlog(t, "always", "date: 2025-01-02\ntags: [Water]", "It is there.")
	site := runSite(t, []string{"up", "--listen", "127.0.0.1:0", "--url", "https://example.org", "--log", "error"}, "FRESHET_ADMIN=")
	site.await(t, "/blog/always/", "It is there.", patience)
	time.Sleep(time.Second) // what the start looks at again is looked at

	expiry := time.Now().Add(3 * time.Second)
	date := expiry.Add(700 * time.Millisecond)
	saveBlog(t, "ends", "date: 2025-01-03\ntags: [Water]\nexpiresAt: "+expiry.UTC().Format(time.RFC3339Nano), "It ends.")
	saveBlog(t, "begins", "tags: [Water]\ndate: "+date.UTC().Format(time.RFC3339Nano), "It begins.")
	pages := []string{"/", "/blog/", "/feed.xml", "/sitemap.xml", "/topic/water/"}
	shows := func(slug, path string) bool {
		t.Helper()
		status, body, err := get(http.DefaultClient, site.address+path)
		if err != nil {
			t.Fatal(err)
		}
		if own := "/blog/" + slug + "/"; path != own {
			return status == http.StatusOK && strings.Contains(body, own)
		}
		return status == http.StatusOK
	}
	site.await(t, "/blog/ends/", "It ends.", patience)
	for _, path := range append(pages, "/blog/ends/") {
		if !shows("ends", path) && time.Now().Before(expiry) {
			t.Errorf("%s does not have the post before it expires", path)
		}
	}
	for _, path := range append(pages, "/blog/begins/") {
		if shows("begins", path) && time.Now().Before(date) {
			t.Errorf("%s has the post before its date", path)
		}
	}
	for _, tt := range []struct {
		slug  string
		at    time.Time
		there bool
	}{{"ends", expiry, false}, {"begins", date, true}} {
		var last time.Duration
		for _, path := range append(pages, "/blog/"+tt.slug+"/") {
			for shows(tt.slug, path) != tt.there {
				if time.Since(tt.at) > 5*time.Second {
					t.Fatalf("five seconds after its date the post %q is on %s: %v, want %v", tt.slug, path, !tt.there, tt.there)
				}
				time.Sleep(5 * time.Millisecond)
			}
			if took := time.Since(tt.at); took < 0 {
				t.Errorf("%s changed %v before the date of the post %q", path, -took, tt.slug)
			} else {
				last = max(last, took)
			}
		}
		t.Logf("%s: all pages right %v after its date", tt.slug, last.Round(time.Millisecond))
	}
}

// TestVerificationOfFiles edits a file so that nobody can tell but who reads it: by another name that it has, in a folder
// that nobody watches, with the same size and time as before. Verification finds it.
func TestVerificationOfFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	saveBlog(t, "rivers", "date: 2025-01-02", "A river runs.")
	saveBlog(t, "lakes", "date: 2025-01-03", "A lake lies.")
	name, elsewhere := filepath.Join("content", "blog", "rivers.md"), filepath.Join(t.TempDir(), "rivers.md")
	old := time.Now().Add(-time.Hour) // a time that can be trusted
	if err := errors.Join(os.Link(name, elsewhere), os.Chtimes(name, old, old)); err != nil {
		t.Fatal(err)
	}
	site := runSite(t, []string{"up", "--listen", "127.0.0.1:0", "--url", "https://example.org", "--log", "error"},
		"FRESHET_ADMIN=", "FRESHET_ISR_REVALIDATE=2s")
	site.await(t, "/blog/rivers/", "A river runs.", patience)
	time.Sleep(time.Second) // no build of the start is left
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), "runs", "ebbs", 1)
	if err := errors.Join(os.WriteFile(elsewhere, []byte(edited), 0o644), os.Chtimes(elsewhere, old, old)); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(name)
	if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		t.Fatalf("the edit shows in size or time: %v %v, before %v %v, %v", after.Size(), after.ModTime(), before.Size(), before.ModTime(), err)
	}
	took := site.await(t, "/blog/rivers/", "A river ebbs.", patience)
	t.Logf("found after %v, verification every 2 s", took.Round(time.Millisecond))
	if took > 7*time.Second {
		t.Errorf("the edit was found after %v, want it within 2 s", took)
	}
	site.await(t, "/feed.xml", "A river ebbs.", patience)
}
