package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"freshet/internal/diag"
	"freshet/internal/extjson"
)

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
