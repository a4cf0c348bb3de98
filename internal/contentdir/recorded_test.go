package contentdir_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"freshet/internal/testenv/recorded"
)

// TestParserVersionIsRaised fails when what is remembered of a file changes and the parser's number does not: documents
// read before would then be taken for what the file says.
func TestParserVersionIsRaised(t *testing.T) {
	var files []txtar.File
	archives, err := filepath.Glob("testdata/trees/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name != "want" {
				f.Name = strings.TrimSuffix(filepath.Base(name), ".txtar") + "/" + f.Name
				files = append(files, f)
			}
		}
	}
	bad, err := filepath.Glob("testdata/bad/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range bad {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, txtar.File{Name: "bad/" + filepath.Base(name), Data: data})
	}
	outputs := map[string]recorded.Output{}
	for _, f := range files {
		dir, memo := t.TempDir(), newMapMemo()
		set, name, _ := strings.Cut(f.Name, "/")
		write(t, dir, name, f.Data)
		scan(t, newSource(t, dir, memo), nil)
		var kept [][]byte
		for _, b := range memo.m {
			kept = append(kept, b)
		}
		slices.SortFunc(kept, bytes.Compare)
		outputs[set+": "+name] = recorded.Output{Input: f.Data, Bytes: bytes.Join(kept, []byte{'\n'})}
	}
	recorded.Check(t, "parser", recorded.Number{File: "internal/contentdir/encode.go", Name: "parserVersion"}, outputs)
}
