package server_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"freshet/internal/site"
	"freshet/server"
)

func openFolder(t *testing.T, files map[string]string) (dir string, f *server.Folder) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	f, err := server.OpenFolder(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return dir, f
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestFolderStaysInside(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "secret.txt", "secret")
	dir, f := openFolder(t, map[string]string{"index.html": "home", "real/page.txt": "page"})
	for link, to := range map[string]string{
		"out.txt": filepath.Join(outside, "secret.txt"), "up.txt": "../secret.txt", "outdir": outside,
		"loop.txt": "loop.txt", "in.txt": "real/page.txt",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.txt"), 0o666); err != nil {
		t.Fatal(err)
	}
	h := newServer(t, server.Config{Site: f}).Handler()
	for target, want := range map[string]int{
		"/": 200, "/in.txt": 200, "/real/page.txt": 200,
		"/out.txt": 404, "/up.txt": 404, "/outdir/secret.txt": 404, "/outdir/": 404, "/loop.txt": 404, "/pipe.txt": 404,
		"/real/": 404, "/real": 404, "/index.html/x": 404, "/" + strings.Repeat("long", 200): 404,
	} {
		if res := get(h, target); res.Code != want {
			t.Errorf("GET %.40s = %d, want %d", target, res.Code, want)
		}
	}
}

// A file that is written again within one tick of the clock and with the same length is seen.
func TestFolderSeesQuickChanges(t *testing.T) {
	dir, f := openFolder(t, map[string]string{"a.txt": "one"})
	h := newServer(t, server.Config{Site: f}).Handler()
	at := time.Now()
	for _, text := range []string{"one", "two", "six"} {
		write(t, dir, "a.txt", text)
		if err := os.Chtimes(filepath.Join(dir, "a.txt"), at, at); err != nil {
			t.Fatal(err)
		}
		if got := get(h, "/a.txt").Body.String(); got != text {
			t.Errorf("GET = %q, want %q", got, text)
		}
	}
	// An old file is hashed once, and a change of it shows in its time.
	old := at.Add(-time.Hour)
	for i, text := range []string{"ten", "may", "fin"} {
		write(t, dir, "a.txt", text)
		when := old.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(filepath.Join(dir, "a.txt"), when, when); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if res := get(h, "/a.txt"); res.Body.String() != text || res.Header().Get("Last-Modified") != when.UTC().Format(http.TimeFormat) {
				t.Errorf("GET = %q of %s, want %q", res.Body, res.Header().Get("Last-Modified"), text)
			}
		}
	}
}

// TestFolderIsFollowed changes what was answered from memory, over a connection: files, and rules that take their places, are seen
// within a second or two.
func TestFolderIsFollowed(t *testing.T) {
	dir, f := openFolder(t, map[string]string{"a.txt": "one", "b.txt": "target", "c.txt": "gone soon"})
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	addr := listening(t, newServer(t, server.Config{Site: f}))
	ask := func(target string) string {
		res, err := http.Get("http://" + addr + target)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.StatusCode, " ", string(body))
	}
	await := func(target, want string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !strings.HasPrefix(ask(target), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("GET %s = %q, want %q", target, ask(target), want)
			}
		}
	}
	for range 3 {
		await("/a.txt", "200 one")
		await("/c.txt", "200 gone soon")
	}
	write(t, dir, "a.txt", "two")
	await("/a.txt", "200 two")
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), old.Add(time.Minute), old.Add(time.Minute)); err != nil { // old again, as after a restore
		t.Fatal(err)
	}
	await("/a.txt", "200 two")
	write(t, dir, "_redirects", "/a.txt /b.txt 200!\n/c.txt /b.txt 200\n")
	await("/a.txt", "200 target")
	if err := os.Remove(filepath.Join(dir, "c.txt")); err != nil {
		t.Fatal(err)
	}
	await("/c.txt", "200 target")
	if err := os.Remove(filepath.Join(dir, "_redirects")); err != nil {
		t.Fatal(err)
	}
	await("/a.txt", "200 two")
	await("/c.txt", "404")
}

// A file that changes between look-up and reading is never served under the other's entity tag.
func TestFolderObjectChanged(t *testing.T) {
	dir, f := openFolder(t, map[string]string{"a.txt": "one"})
	e, ok := f.Lookup("/a.txt")
	if !ok {
		t.Fatal("no /a.txt")
	}
	write(t, dir, "a.txt", "two")
	if b, err := f.Object(e.Object); err == nil {
		t.Errorf("Object = %q, want an error", b)
	}
	if err := os.Remove(filepath.Join(dir, "a.txt")); err != nil {
		t.Fatal(err)
	}
	if b, err := f.Object(e.Object); err == nil {
		t.Errorf("Object of a removed file = %q, want an error", b)
	}
}

// A file too big for memory is streamed, in parts too.
func TestFolderStreams(t *testing.T) {
	_, f := openFolder(t, map[string]string{"film.mp4": strings.Repeat("0123456789", 1<<20)})
	addr := serve(t, server.Config{Site: f, CacheBytes: 1 << 20})
	res, err := exchange(addr, []string{"GET /film.mp4"}, "")
	if err != nil || res.code != 200 || len(res.body) != 10<<20 || res.header.Get("Content-Type") != "video/mp4" {
		t.Fatalf("GET = %v %v", res, err)
	}
	tag := res.header.Get("Etag")
	res, err = exchange(addr, []string{"GET /film.mp4", "Range: bytes=1000000-1000004", "If-Range: " + tag}, "")
	if err != nil || res.code != 206 || res.body != "01234" {
		t.Errorf("a range: %+v %v", res, err)
	}
	res, err = exchange(addr, []string{"GET /film.mp4", "If-None-Match: " + tag}, "")
	if err != nil || res.code != 304 || res.body != "" {
		t.Errorf("a condition: %+v %v", res, err)
	}
	res, err = exchange(addr, []string{"HEAD /film.mp4"}, "")
	if err != nil || res.code != 200 || res.header.Get("Content-Length") != "10485760" {
		t.Errorf("HEAD: %+v %v", res, err)
	}
}

func TestRedirects(t *testing.T) {
	for _, row := range []struct{ rules, path, want string }{
		{"/a /b", "/a", "301 /b"},
		{"/a /b", "/a/", "301 /b"},
		{"/a/ /b/", "/a", "301 /b/"},
		{"/a /b 302", "/a", "302 /b"},
		{"/a /b 308!", "/a", "308 /b"},
		{"/a /b\n/a /c", "/a", "301 /b"},
		{"/a/* /x\n/a/b /y", "/a/b", "301 /x"},
		{"/a/b /y\n/a/* /x", "/a/b", "301 /y"},
		{"/a/* /b/:splat", "/a/c/d", "301 /b/c/d"},
		{"/a/* /b/:splat", "/a/c/d/", "301 /b/c/d/"},
		{"/a/* /b/:splat", "/a", "301 /b/"},
		{"/* https://new.example/:splat", "/x/y", "301 https://new.example/x/y"},
		{"/* https://new.example:8080/:splat", "/x", "301 https://new.example:8080/x"},
		{"/a/:x/c /:x", "/a/b/c", "301 /b"},
		{"/a/:x/c /:x", "/a/b/d", ""},
		{"/a/:x/c /:x", "/a//c", ""},
		{"/a/:x /q?v=:x#:y", "/a/b c&d", "301 /q?v=b%20c&d#:y"},
		{"/a/* /b/:splat", "/a/x?y#z", "301 /b/x%3Fy%23z"},
		{"/caf%C3%A9 /b", "/café", "301 /b"},
		{"/café /b", "/café", "301 /b"},
		{"# /a /b", "/a", ""},
		{"/a /b # why", "/a", "301 /b"},
		{"/a /b#part", "/a", "301 /b#part"},
		{"/a 410", "/a", "410 "},
		{"/a /gone.html 410", "/a", "410 "},
		{"/a /b 404", "/a", ""},
		{"/a /b 418", "/a", ""},
		{"/a", "/a", ""},
		{"a /b", "/a", ""},
		{"/a b", "/a", ""},
		{"/a javascript:alert(1)", "/a", ""},
		{"/a https://x.example/ 200", "/a", ""},
		{"/a/* https://:splat/ 301", "/a/b", ""},
		{"/a/:h https://:h.example/", "/a/b", ""},
		{"/a id=:id /b/:id 301", "/a", ""},
		{"/a /b 301 Country=de", "/a", ""},
		{"/a*b /c", "/axb", ""},
		{"https://old.example/a /b", "/a", ""},
		{"/a/ /a", "/a", ""},
		{"/a/* /a/:splat/", "/a/b", ""},
		{"/a /other.txt 200", "/a", "200 "},
		{"/a/* /:splat 200", "/a/other.txt", "200 "},
		{"/a/* /:splat 200", "/a/.secret", ""},
		{"/other.txt /b", "/other.txt", "200 "},
		{"/other.txt /b 301!", "/other.txt", "301 /b"},
	} {
		_, f := openFolder(t, map[string]string{"_redirects": row.rules, "other.txt": "other", ".secret": "secret"})
		got := ""
		if e, ok := f.Lookup(site.Path(row.path)); ok {
			got = fmt.Sprintf("%d %s", e.Status, e.Location)
		}
		if got != row.want {
			t.Errorf("%q: %s = %q, want %q", row.rules, row.path, got, row.want)
		}
	}
}

func TestRedirectProblemsAreLogged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "_redirects", "/a /b\n\n/c /d 999\n")
	var out bytes.Buffer
	f, err := server.OpenFolder(dir, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		f.Lookup("/a")
	}
	if got := out.String(); strings.Count(got, "redirect left out") != 1 || !strings.Contains(got, "line=3") {
		t.Errorf("log = %q, want one line about line 3", got)
	}
}

func TestOpenFolderMissing(t *testing.T) {
	if _, err := server.OpenFolder(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("OpenFolder of nothing = nil")
	}
}
