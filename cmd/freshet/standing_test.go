package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/pagestore"
	"freshet/internal/testenv"
)

// A built site is what a build command says and leaves.
type builtSite struct {
	report struct {
		Generation, Documents, Pages, Rendered int
		Committed                              bool
		Skipped, Problems                      []any
		Phases                                 map[string]float64
	}
	errors string
	exit   int
}

// stood reports whether the build ended before it opened anything.
func (b *builtSite) stood() bool {
	_, rendered := b.report.Phases["render"]
	return b.exit == exitDone && !rendered
}

// buildHere runs freshet build in the working folder.
func buildHere(t *testing.T, env []string, args ...string) *builtSite {
	t.Helper()
	var b builtSite
	var stdout, stderr bytes.Buffer
	b.exit = run(t.Context(), append([]string{"build", "--json"}, args...), env, &stdout, &stderr)
	b.errors = stderr.String()
	if err := json.Unmarshal(stdout.Bytes(), &b.report); err != nil && stdout.Len() > 0 {
		t.Fatalf("%v in %s", err, &stdout)
	}
	return &b
}

// writeHere writes files, given as name and text in turn.
func writeHere(t *testing.T, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		if err := errors.Join(os.MkdirAll(filepath.Dir(files[i]), 0o755), os.WriteFile(files[i], []byte(files[i+1]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// longAgo is a time of files that can be trusted.
var longAgo = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// standingSite writes a site in the working folder, of which all files but new.md are old, and builds it twice: the second
// build finds that it stands.
func standingSite(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	writeHere(t, "content/blog/rivers.md", "---\ntitle: Rivers\ndate: 2025-01-02\ntags: [Water]\n---\n\nA river runs. [Nowhere](/none/)\n",
		"content/blog/later.md", "---\ntitle: Later\ndate: 2026-07-01\n---\n\nIt begins.\n",
		"content/blog/ends.md", "---\ntitle: Ends\ndate: 2025-01-04\nexpiresAt: 2026-08-01\n---\n\nIt ends.\n",
		"content/pages/about.md", "# About\n\nText.\n", "content/static/note.txt", "A note.\n",
		"templates/404.html", `<!doctype html><html lang="en"><title>Lost</title><body>one</body></html>`, "templates/assets/own.css", "a{color:red}",
		"freshet.yaml", "site: {title: One}\n")
	for _, name := range []string{"blog/rivers.md", "blog/later.md", "blog/ends.md", "pages/about.md", "static/note.txt"} {
		if err := os.Chtimes(filepath.Join("content", name), longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	writeHere(t, "content/blog/new.md", "---\ntitle: New\ndate: 2025-01-03\n---\n\nIt is new.\n")
	first := buildHere(t, nil, "--now", "2026-06-01")
	if first.exit != exitDone || first.report.Rendered == 0 {
		t.Fatalf("the first build exits %d: %s", first.exit, first.errors)
	}
	second := buildHere(t, nil, "--now", "2026-06-02")
	if !second.stood() {
		t.Fatalf("the second build took %v, want it to find that the site stands", second.report.Phases)
	}
	if second.report.Generation != 1 || second.report.Committed || second.report.Pages != first.report.Pages || second.report.Documents != first.report.Documents {
		t.Fatalf("the second build says %+v, the first %+v", second.report, first.report)
	}
	if second.errors != first.errors {
		t.Fatalf("the second build warns %q, the first %q", second.errors, first.errors)
	}
}

// keepTime edits a file so that its size and times stay.
func keepTime(name, old, new string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(old) != len(new) || !bytes.Contains(b, []byte(old)) {
		return fmt.Errorf("%s: no %q that %q can take the place of", name, old, new)
	}
	return errors.Join(os.WriteFile(name, bytes.Replace(b, []byte(old), []byte(new), 1), 0o644), os.Chtimes(name, info.ModTime(), info.ModTime()))
}

// damage changes a byte of the page log, counted from its beginning or, below 0, from its end.
func damage(at int) error {
	names, err := filepath.Glob(".freshet/log/*.seg")
	if err != nil || len(names) != 1 {
		return fmt.Errorf("segments %q, %w", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		return err
	}
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x40
	return os.WriteFile(names[0], b, 0o644)
}

// TestStanding changes one thing after a build that found nothing to do. The next build sees it, and leaves the public
// folder that a build from nothing makes.
func TestStanding(t *testing.T) {
	shows := func(name, text string) func() error {
		return func() error {
			b, err := os.ReadFile(filepath.Join("public", filepath.FromSlash(name)))
			if err == nil && !strings.Contains(string(b), text) {
				err = fmt.Errorf("%s does not have %q", name, text)
			}
			return err
		}
	}
	lacks := func(name string) func() error {
		return func() error {
			if _, err := os.Stat(filepath.Join("public", filepath.FromSlash(name))); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s is there: %v", name, err)
			}
			return nil
		}
	}
	mended := func() error {
		names, err := filepath.Glob(".freshet/log/*.seg")
		if err != nil || len(names) != 1 {
			return fmt.Errorf("segments %q, %w", names, err)
		}
		w, err := pagestore.OpenWriter(pagestore.Config{Dir: ".freshet"})
		if err != nil {
			return err
		}
		if err := w.Verify(t.Context()); err != nil {
			return err
		}
		if bad := w.Distrusted(); len(bad) > 0 {
			return fmt.Errorf("damaged: %q", bad)
		}
		return w.Close()
	}
	nothing := func() error { return nil }
	for _, tt := range []struct {
		name   string
		change func() error
		env    []string
		args   []string // of the next build
		want   func() error
	}{
		{name: "post edited", change: func() error {
			return os.WriteFile("content/blog/rivers.md", []byte("---\ntitle: Rivers\ndate: 2025-01-02\ntags: [Water]\n---\n\nA river ebbs.\n"), 0o644)
		}, want: shows("blog/rivers/index.html", "ebbs")},
		{name: "new post edited, of the same size and time", change: func() error { return keepTime("content/blog/new.md", "is new", "is old") },
			want: shows("blog/new/index.html", "It is old.")},
		{name: "post added", change: func() error {
			return os.WriteFile("content/blog/more.md", []byte("---\ndate: 2025-01-05\n---\n\nMore.\n"), 0o644)
		}, want: shows("blog/more/index.html", "More.")},
		{name: "old post moved here", change: func() error {
			if err := os.WriteFile("content/blog/more.md", []byte("---\ndate: 2025-01-05\n---\n\nMore.\n"), 0o644); err != nil {
				return err
			}
			return os.Chtimes("content/blog/more.md", longAgo, longAgo)
		}, want: shows("blog/more/index.html", "More.")},
		{name: "post removed", change: func() error { return os.Remove("content/blog/rivers.md") }, want: lacks("blog/rivers/index.html")},
		{name: "static file edited", change: func() error { return os.WriteFile("content/static/note.txt", []byte("Another.\n"), 0o644) },
			want: shows("note.txt", "Another.")},
		{name: "static folder beside the content", change: func() error {
			return errors.Join(os.Mkdir("static", 0o755), os.WriteFile("static/beside.txt", []byte("Beside.\n"), 0o644))
		}, want: shows("beside.txt", "Beside.")},
		{name: "template edited, of the same size and time", change: func() error { return keepTime("templates/404.html", "one", "two") },
			want: shows("404.html", "<body>two</body>")},
		{name: "template added", change: func() error {
			return os.WriteFile("templates/search.html", []byte(`<!doctype html><html lang="en"><title>Search</title><body>Here.</body></html>`), 0o644)
		}, want: shows("search/index.html", "Here.")},
		{name: "template removed", change: func() error { return os.RemoveAll("templates") }, want: func() error {
			if shows("404.html", "<body>one</body>")() == nil {
				return errors.New("the page is still that of the template")
			}
			return nil
		}},
		{name: "asset of the theme edited", change: func() error { return keepTime("templates/assets/own.css", "red", "tan") }, want: nothing},
		{name: "setting in the file", change: func() error { return os.WriteFile("freshet.yaml", []byte("site: {title: Two}\n"), 0o644) },
			want: shows("index.html", "Two")},
		{name: "setting in the environment", change: nothing, env: []string{"FRESHET_SITE_TITLE=Three"}, want: shows("index.html", "Three")},
		{name: "setting by a flag", change: nothing, args: []string{"--url", "https://example.com"}, want: shows("sitemap.xml", "https://example.com/")},
		{name: "drafts", change: nothing, args: []string{"--drafts"}, want: shows("blog/later/index.html", "It begins.")},
		{name: "forms of files", change: nothing, env: []string{"FRESHET_BUILD_PRECOMPRESS=true"}, want: shows("sitemap.xml.gz", "")},
		{name: "another public folder", change: nothing, args: []string{"--public", "public2"}, want: func() error {
			_, err := os.Stat("public2/index.html")
			return err
		}},
		{name: "date passed", change: nothing, args: []string{"--now", "2026-07-01"}, want: shows("blog/later/index.html", "It begins.")},
		{name: "expiry passed", change: nothing, args: []string{"--now", "2026-08-01"}, want: lacks("blog/ends/index.html")},
		{name: "full", change: nothing, args: []string{"--full"}, want: nothing},
		{name: "full, and a page's file removed", change: func() error { return os.Remove("public/blog/rivers/index.html") }, args: []string{"--full"},
			want: shows("blog/rivers/index.html", "A river runs.")},
		{name: "home page removed", change: func() error { return os.Remove("public/index.html") }, want: shows("index.html", "Rivers")},
		{name: "public folder emptied", change: func() error { return os.RemoveAll("public") }, want: shows("blog/rivers/index.html", "A river runs.")},
		{name: "public folder of a stopped build", change: func() error { return os.Mkdir("public/.freshet-new", 0o755) }, want: lacks(".freshet-new")},
		{name: "page damaged", change: func() error { return damage(5000) }, want: mended},
		{name: "entry damaged", change: func() error { return damage(-3000) }, want: mended},
		{name: "commit damaged", change: func() error { return damage(-40) }, want: mended},
		{name: "header damaged", change: func() error { return damage(20) }, want: mended},
		{name: "something behind the log", change: func() error {
			names, err := filepath.Glob(".freshet/log/*.seg")
			if err != nil {
				return err
			}
			f, err := os.OpenFile(names[0], os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("torn")
			return errors.Join(err, f.Close())
		}, want: mended},
		{name: "no state", change: func() error { return os.RemoveAll(".freshet") }, args: []string{"--adopt"}, want: mended},
		{name: "no memory", change: func() error { return os.RemoveAll(".freshet/memo") }, want: func() error {
			_, err := os.Stat(".freshet/memo/markup")
			return err
		}},
		{name: "no baseline", change: func() error { return os.Remove(".freshet/baseline") }, want: func() error {
			_, err := os.Stat(".freshet/baseline")
			return err
		}},
		{name: "seal damaged", change: func() error { return keepTime(".freshet/seal", `"generation":1`, `"generation":7`) }, want: mended},
	} {
		t.Run(tt.name, func(t *testing.T) {
			standingSite(t)
			if err := tt.change(); err != nil {
				t.Fatal(err)
			}
			at := []string{"--now", "2026-06-03"}
			if len(tt.args) > 0 && tt.args[0] == "--now" {
				at = nil
			}
			args := append(at, tt.args...)
			next := buildHere(t, tt.env, args...)
			if next.stood() {
				t.Error("the build finds nothing to do")
			}
			if next.exit != exitDone && !strings.Contains(next.errors, "page log") {
				t.Errorf("the build exits %d: %s", next.exit, next.errors)
			}
			if err := tt.want(); err != nil {
				t.Error(err)
			}
			public, clean := "public", filepath.Join(t.TempDir(), "public")
			if len(tt.args) > 1 && tt.args[0] == "--public" {
				public, args = tt.args[1], at
			}
			from := buildHere(t, tt.env, append(args, "--state", filepath.Join(t.TempDir(), "state"), "--public", clean)...)
			if from.exit != exitDone || from.stood() {
				t.Fatalf("the build from nothing exits %d: %s", from.exit, from.errors)
			}
			if diff := cmp.Diff(readTree(t, clean), readTree(t, public)); diff != "" {
				t.Errorf("the site is not that of a build from nothing (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStandingThen has a site stand again after each change, and nobody's clock go back.
func TestStandingThen(t *testing.T) {
	standingSite(t)
	if err := os.Remove("content/blog/rivers.md"); err != nil {
		t.Fatal(err)
	}
	if b := buildHere(t, nil, "--now", "2026-06-03"); b.stood() || b.report.Generation != 2 {
		t.Fatalf("after a change the build says %+v", b.report)
	}
	log, err := pagestore.OpenReader(pagestore.Config{Dir: ".freshet"})
	if err != nil {
		t.Fatal(err)
	}
	verified := log.Verified()
	if b := buildHere(t, nil, "--now", "2026-06-04"); !b.stood() || b.report.Generation != 2 {
		t.Errorf("after that the build says %+v, want that the site stands", b.report)
	}
	if now := log.Verified(); !now.After(verified) {
		t.Errorf("a build that finds nothing to do compared the site at %v, the one before at %v", now, verified)
	}
	if b := buildHere(t, nil, "--now", "2026-06-02"); b.stood() {
		t.Error("a build for an earlier time finds nothing to do")
	}
	if b := buildHere(t, nil, "--now", "2026-06-30T23:59:59Z"); !b.stood() {
		t.Errorf("a build just before a date took %v, want it to find nothing to do", b.report.Phases)
	}
	w, err := pagestore.OpenWriter(pagestore.Config{Dir: ".freshet"})
	if err != nil {
		t.Fatal(err)
	}
	if b := buildHere(t, nil, "--now", "2026-06-30T23:59:59Z"); b.exit != exitFailed || !strings.Contains(b.errors, "another freshet") {
		t.Errorf("while another process writes, the build exits %d: %s", b.exit, b.errors)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStandingProblems has documents that a build warns of, or leaves out: a build that finds nothing to do says the same.
func TestStandingProblems(t *testing.T) {
	t.Chdir(t.TempDir())
	writeHere(t, "content/blog/broken.md", "---\ntitle: [\n---\n\nNobody can read it.\n",
		"content/blog/links.md", "---\ntitle: Links\ndate: 2025-01-02\npublishedat: 2025\n---\n\n[Nowhere](/none/) ![](none.png)\n",
		"content/blog/hindi.md", "---\ntitle: नदी\nlang: hi\ndate: 2025-01-02\n---\n\nपाठ\n",
		"content/blog/a.md", "---\nslug: same\n---\n\nText.\n", "content/blog/b.md", "---\nslug: same\n---\n\nText.\n")
	var first string
	for i := range 3 {
		var stdout, stderr bytes.Buffer
		exit := run(t.Context(), []string{"build", "--now", "2026-06-01"}, nil, &stdout, &stderr)
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		said := fmt.Sprint(exit, "\n", strings.Join(lines[1:len(lines)-1], "\n"), "\n", &stderr)
		if i == 0 {
			first = said
			continue
		}
		if diff := cmp.Diff(first, said); diff != "" {
			t.Errorf("build %d (-first +this):\n%s", i+1, diff)
		}
		if time := lines[len(lines)-1]; strings.Contains(time, "render") {
			t.Errorf("build %d says %q, want it to find nothing to do", i+1, time)
		}
	}
	if !strings.Contains(first, "left out because of mistakes") || !strings.Contains(first, "another language") || !strings.Contains(first, "none.png") {
		t.Errorf("the builds say %s", first)
	}
}

// TestStandingProgram builds with one binary after another: only the one that has built the site finds nothing to do.
func TestStandingProgram(t *testing.T) {
	exe, dir := testenv.Freshet(t), t.TempDir()
	other := exe + "2"
	b, err := os.ReadFile(exe)
	if err == nil {
		err = os.WriteFile(other, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "content/blog"), 0o755), os.WriteFile(filepath.Join(dir, "content/blog/a.md"), []byte("Text.\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		exe   string
		stood bool
	}{{exe, false}, {exe, true}, {other, false}, {other, true}, {exe, false}} {
		cmd := exec.CommandContext(t.Context(), tt.exe, "build")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if stood := !strings.Contains(string(out), "render "); stood != tt.stood {
			t.Errorf("build %d: it found nothing to do: %v, want %v\n%s", i+1, stood, tt.stood, out)
		}
	}
}
