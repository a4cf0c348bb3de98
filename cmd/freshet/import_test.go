package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/extjson"
	"freshet/internal/testenv"
	"freshet/internal/transfer"
)

// freshet runs the program itself: with the race detector, large sites would take minutes.
func freshet(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), testenv.Freshet(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + cmd.Dir}, &out, &log
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// freshetOK runs a command that must exit 0.
func freshetOK(t *testing.T, args ...string) {
	t.Helper()
	if code, _, stderr := freshet(t, args...); code != exitDone {
		t.Fatalf("freshet %q exits %d:\n%s", args, code, stderr)
	}
}

// importReport runs an import and returns what it says in JSON.
func importReport(t *testing.T, want int, args ...string) transfer.Report {
	t.Helper()
	code, stdout, stderr := freshet(t, append([]string{"import", "--json"}, args...)...)
	if code != want {
		t.Fatalf("import %q exits %d, want %d:\n%s", args, code, want, stderr)
	}
	var rep transfer.Report
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil {
		t.Fatalf("import %q: %v\n%s", args, err, stdout)
	}
	return rep
}

// readDocuments reads the documents of a file as canonical Extended JSON, by _id or, where there is none, by slug.
func readDocuments(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for r := extjson.NewReader(f, file); ; {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil || it.Doc == nil {
			t.Fatalf("%s: %v %v", file, it.Problems, err)
		}
		key, ok := it.Doc.Get("_id")
		if !ok {
			key, _ = it.Doc.Get("slug")
		}
		out[string(key.Append(nil, extjson.Canonical))] = string(it.Doc.Append(nil, extjson.Canonical))
	}
}

// treeDigests is the digest of every file below a public folder, but for the mark that tells whose it is.
func treeDigests(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".freshet" {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		out[filepath.ToSlash(rel)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRoundTrip imports the exports of real sites, exports them and imports them again: the documents are equal, in
// either form of Extended JSON and as Markdown, and the sites built from them are the same, byte for byte.
func TestRoundTrip(t *testing.T) {
	exports := filepath.Join(testenv.Corpus(t), "mongo-export")
	for _, tt := range []struct {
		name  string
		files []string
		left  []string // _ids of documents that are refused: their slug is another's
	}{
		{name: "clean", files: []string{"blogs.ndjson", "courses.ndjson"}},
		{name: "tiptap", files: []string{"blogs.tiptap.ndjson"}},
		{name: "array", files: []string{"blogs.jsonarray.first10.json"}},
		{name: "dirty", files: []string{"dirty.ndjson", "dirty.courses.ndjson"}, left: []string{`{"$oid":"66d10005148c5747e1987328"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			content := filepath.Join(dir, "content")
			want := map[string]string{}
			exit := exitDone
			if len(tt.left) > 0 {
				exit = exitFailed
			}
			for i, name := range tt.files {
				file := filepath.Join(exports, name)
				docs := readDocuments(t, file)
				maps.Copy(want, docs)
				code := exitDone
				if i == 0 {
					code = exit
				}
				rep := importReport(t, code, file, "--content", content, "--uploads", filepath.Dir(exports))
				if rep.Read != len(docs) || rep.Added+rep.Refused != rep.Read || rep.Refused != map[int]int{exitFailed: len(tt.left)}[code] {
					t.Errorf("%s: %+v", name, rep)
				}
				if again := importReport(t, code, file, "--content", content); again.Unchanged != rep.Added || again.Added+again.Replaced > 0 {
					t.Errorf("%s again: %+v", name, again)
				}
			}
			for _, id := range tt.left {
				delete(want, id)
			}
			_, _ = buildTree(t, content, filepath.Join(dir, "first"))
			site := treeDigests(t, filepath.Join(dir, "first", "public"))
			forms := []string{"--canonical", "--as=markdown"}
			if len(want) < 100 { // relaxed, and enough of it
				forms = append(forms, "--as=ndjson")
			}
			for _, form := range forms {
				out := filepath.Join(dir, "out"+form)
				freshetOK(t, "export", out, form, "--content", content)
				again := out
				if form != "--as=markdown" {
					got := map[string]string{}
					for _, coll := range []string{"blogs", "courses"} {
						maps.Copy(got, readDocuments(t, filepath.Join(out, coll+".ndjson")))
					}
					// Relaxed Extended JSON does not tell a small 64-bit number from a 32-bit one.
					if form == "--canonical" {
						if diff := cmp.Diff(want, got); diff != "" {
							t.Fatalf("exported %s (-want +got):\n%.2000s", form, diff)
						}
					}
					again = filepath.Join(dir, "again"+form)
					freshetOK(t, "import", out, "--content", again, "--uploads", filepath.Join(content, "static"))
				}
				_, _ = buildTree(t, again, filepath.Join(dir, "site"+form))
				if diff := cmp.Diff(site, treeDigests(t, filepath.Join(dir, "site"+form, "public"))); diff != "" {
					t.Errorf("the site of %s (-want +got):\n%.2000s", form, diff)
				}
			}
			t.Logf("%d documents, %d files", len(want), len(site))
		})
	}
}

// TestForms imports the same documents in relaxed and in canonical Extended JSON and as an array: the sites are equal.
func TestForms(t *testing.T) {
	exports := filepath.Join(testenv.Corpus(t), "mongo-export")
	all, err := os.ReadFile(filepath.Join(exports, "blogs.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(all, []byte("\n"))
	build := func(t *testing.T, file string) map[string]string {
		t.Helper()
		dir := t.TempDir()
		importReport(t, exitDone, file, "--content", filepath.Join(dir, "content"))
		_, _ = buildTree(t, filepath.Join(dir, "content"), dir)
		return treeDigests(t, filepath.Join(dir, "public"))
	}
	for n, name := range map[int]string{40: "blogs.canonical.first40.ndjson", 10: "blogs.jsonarray.first10.json"} {
		first := filepath.Join(t.TempDir(), "blogs.ndjson")
		if err := os.WriteFile(first, bytes.Join(lines[:n], nil), 0o666); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(build(t, first), build(t, filepath.Join(exports, name))); diff != "" {
			t.Errorf("%s (-relaxed +it):\n%.2000s", name, diff)
		}
	}
}

// TestImportMalformed reads the file of lines that are none: each is named by its line, and the others are stored.
func TestImportMalformed(t *testing.T) {
	content := filepath.Join(t.TempDir(), "content")
	rep := importReport(t, exitFailed, filepath.Join(testenv.Corpus(t), "mongo-export", "malformed.ndjson"), "--content", content)
	var lines []int
	for _, p := range rep.Problems {
		if p.Severity == "error" {
			lines = append(lines, p.Line)
			if p.Remedy == "" || !strings.HasSuffix(p.File, "malformed.ndjson") {
				t.Errorf("problem without a file or remedy: %+v", p)
			}
		}
	}
	if want := []int{4, 5, 6, 10, 16, 17}; !slices.Equal(lines, want) || rep.Added != 7 || rep.Refused != len(want) {
		t.Errorf("refused lines %v, want %v; %+v", lines, want, rep)
	}
}
