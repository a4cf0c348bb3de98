package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"freshet/internal/diag"
	"freshet/internal/extjson"
)

// Exported says what an export wrote. Its JSON form is that of freshet export --json.
type Exported struct {
	Files    []ExportedFile `json:"files"`
	Problems []diag.Problem `json:"problems"`
}

// An ExportedFile is a file that an export wrote.
type ExportedFile struct {
	Collection string `json:"collection"`
	File       string `json:"file"`
	Documents  int    `json:"documents"`
}

// Write writes the files as text.
func (e *Exported) Write(w io.Writer) error {
	for _, f := range e.Files {
		if _, err := fmt.Fprintf(w, "%s: %s\n", f.File, diag.Count(f.Documents, "document")); err != nil {
			return err
		}
	}
	return nil
}

// Write writes every document of a collection, one a line, as mongoexport does. What cannot be read is left out and
// reported.
func Write(ctx context.Context, from Library, coll string, to io.Writer, form extjson.Form, progress func(n int)) (n int, problems []diag.Problem, err error) {
	w := bufio.NewWriterSize(to, 256<<10)
	var line []byte
	err = each(ctx, from, coll, &problems, func(d extjson.Doc, _ string) error {
		line = append(d.Append(line[:0], form), '\n')
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write the export of %s: %w", coll, err)
		}
		n++
		if progress != nil {
			progress(n)
		}
		return nil
	})
	if err == nil {
		err = w.Flush()
	}
	return n, problems, err
}

// WriteFile is [Write] to a file, which is whole afterwards or as it was before.
func WriteFile(ctx context.Context, from Library, coll, file string, form extjson.Form, progress func(n int)) (n int, problems []diag.Problem, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return 0, nil, fmt.Errorf("write %s: %w", file, err)
	}
	n, problems, err = Write(ctx, from, coll, tmp, form, progress)
	if err == nil {
		err = errors.Join(tmp.Chmod(0o644), tmp.Sync())
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the error that counts is the first
		return n, problems, fmt.Errorf("write %s: %w", file, err)
	}
	return n, problems, nil
}

// each calls do with every document of a collection that can be read.
func each(ctx context.Context, from Library, coll string, problems *[]diag.Problem, do func(d extjson.Doc, where string) error) error {
	return from.Each(ctx, coll, func(d extjson.Doc, where string, err error) error {
		if err != nil {
			*problems = append(*problems, unreadable(where, err))
			return nil
		}
		return do(d, where)
	})
}

func unreadable(where string, err error) diag.Problem {
	if p, ok := err.(*diag.Problem); ok {
		return *p
	}
	return diag.Problem{Severity: diag.Error, File: where, Message: "this document is left out: " + err.Error(), Remedy: "mend it and run the command again"}
}

// Copy adds every document of a collection of one library to an import into another.
func (im *Importer) Copy(ctx context.Context, from Library, coll string) error {
	var problems []diag.Problem
	err := each(ctx, from, coll, &problems, func(d extjson.Doc, where string) error {
		return im.Add(ctx, where, 0, coll, d)
	})
	im.Reject(problems...)
	return err
}
