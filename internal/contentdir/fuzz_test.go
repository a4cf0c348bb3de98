package contentdir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/testenv/recorded"
)

func FuzzFrontMatter(f *testing.F) {
	for _, s := range []string{
		"", "---\n---\n", "---\ntitle: a\n---\nb", "+++\ntitle = \"a\"\n+++\n", "{\"title\": \"a\"}\nb", "---\n", "+++\n[a]\nb=1\n[a]\n+++\n",
		"---\na: &x [1, *x]\n---\n", "---\ntitle: 'a\n---\n", "---\n\ttitle: a\n---\n", "\ufeff---\r\ntitle: a\r\n---\r\n", "---\n<<: {a: 1}\n---\n",
		"---\ndate: 2024-99-99\n---\n", "---\n- a\n---\n", "---\na: !!str 1\nb: |\n  x\n   y\n---\n", "{\"a\": {\"b\": [1, {}]}}", "---\ntags: [a, b\n---\n",
		"---\nauthor: '[A](b) (C), D'\ndraft: maybe\nprice: x\n---\n{{< x >}}\n", "---\n? a\n: b\n---\n", "---\na: b: c\n---\n", "\xff\xfe", "---\na\xff: b\n---\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"a.md", "a.mdx"} {
			problems, lines, stable := contentdir.ParseProblems(name, data)
			if !stable {
				t.Errorf("the memo does not give %s back as it was", name)
			}
			for _, p := range problems {
				if p.Line < 0 || p.Line > lines || p.Col < 0 || p.Message == "" || p.Remedy == "" || strings.Contains(p.Message, "\n") {
					t.Errorf("problem %+v in a file of %d lines", p, lines)
				}
				if p.Severity == diag.Error && p.Line == 0 && len(data) < 5<<20 {
					t.Errorf("error without a place: %+v", p)
				}
			}
		}
	})
}

// FuzzSimpleYAML holds the fast reader of front matter to the full parser: where it does not give up, they agree.
func FuzzSimpleYAML(f *testing.F) {
	for _, s := range []string{
		"title: a b\ndate: 2024-01-02\ntags: [a, \"b c\", 'd']\ndraft: false\n", "a:\n  - x\n  - \"y\"\nb:\n- 1\n", "a: 007\nb: 1e3\nc: 0x1f\nd: 1_000\n", "a: yes\nb: ~\nc: null\nd:\n",
		"a: b # c\n#x\nb: 'it''s'\n", "a: [b, c: d]\n", "a: \"b\\n\"\n", "a: -\n", "a: b:c\n", "a: b\n  c\n", "a: हिन्दी\n", "a: [,]\nb: []\n", "a : b\n", "a: 2024-01-02T10:00:00Z\n", "t: *x\n", "a: \n\n- b\n",
		"a:  b  \nb: [ x ,y ]\n", "a: b\n...\n", "%a: b\n", "a: .inf\nb: .5\nc: +1\nd: 12:30:45\n", "0a: b\n", "a: 'b'c\n", "a: \"b\" c\n", "a: 1.10\n", "a: [1.10, 2]\n", "a: >-\n  x\n  y\nb: c\n", "a: |-\n  x\n  y\n", "a:b: c\n", "a:b:\n  - c\n", "a: >-\n  - x: y\n", "a: >-\nb: c\n",
		"a: {\"b\":1, \"c\": [-5, 2.50, null, true]}\n\"$d\": \"x\\ny\"\n\"e f\": []\n", "a: -5\nb: 5998.0\nc: 2014-10-30T12:29:14.487Z\n", "a: {\"$oid\": \"x\"}\n", "a: [\"b\", {}]\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // refused before it gets here
		}
		fast, full, ok := contentdir.BothYAML(s)
		if ok && fast != full {
			t.Errorf("fast reader:\n%s\nfull parser:\n%s", fast, full)
		}
	})
}

// TestBad reads files that are wrong, each with the message it must give.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		problems, _, _ := contentdir.ParseProblems(filepath.Base(file), data)
		var b strings.Builder
		for _, p := range problems {
			p.File = filepath.Base(file)
			diag.Print(&b, []diag.Problem{p})
		}
		wantFile := strings.TrimSuffix(file, ".md") + ".want"
		if recorded.Update() {
			if err := os.WriteFile(wantFile, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(wantFile)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s:\ngot:\n%s\nwant:\n%s", file, b.String(), want)
		}
	}
}
