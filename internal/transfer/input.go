package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"freshet/internal/extjson"
)

// ErrMarkdown says that an input is one Markdown file. It belongs to a tree, which says what the file is.
var ErrMarkdown = errors.New("one Markdown file is no input")

// An Input is what an import reads: files of mongoexport, or a content tree.
type Input struct {
	Files []string
	Tree  string // empty: there are Files
}

// IsExport reports whether a name is the name of a file that mongoexport writes.
func IsExport(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ndjson", ".json", ".jsonl":
		return true
	}
	return false
}

// FindInput finds the input at a path. A folder with files of mongoexport is not a content tree. Other tools keep .json
// files in content trees too: only those named for a collection count.
func FindInput(name string) (Input, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Input{}, err
	}
	if !info.IsDir() {
		if strings.HasSuffix(strings.ToLower(name), ".md") {
			return Input{}, ErrMarkdown
		}
		return Input{Files: []string{name}}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return Input{}, err
	}
	var in Input
	for _, e := range entries {
		if !e.IsDir() && IsExport(e.Name()) && (filepath.Ext(e.Name()) != ".json" || strings.HasPrefix(e.Name(), "blogs") || strings.HasPrefix(e.Name(), "courses")) {
			in.Files = append(in.Files, filepath.Join(name, e.Name()))
		}
	}
	slices.Sort(in.Files)
	if len(in.Files) == 0 {
		in.Tree = name
	}
	return in, nil
}

// AddFile adds every document of a file that mongoexport wrote.
func (im *Importer) AddFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	shown := filepath.ToSlash(name)
	r := extjson.NewReader(bufio.NewReader(f), shown)
	for {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		im.Reject(it.Problems...)
		if it.Doc == nil {
			continue
		}
		if err := im.Add(ctx, shown, it.Line, "", it.Doc); err != nil {
			return err
		}
	}
}
