package contentdir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
