package generator

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"freshet/internal/diag"
)

// Write writes the report of a build that took so long as a few lines of text.
func (rep *Report) Write(w io.Writer, took time.Duration) error {
	var b bytes.Buffer
	if rep.Committed {
		fmt.Fprintf(&b, "generation %d: %s of %s: %d rendered, %d changed, %d removed\n",
			rep.Generation, diag.Count(rep.Pages, "page"), diag.Count(rep.Documents, "document"), rep.Rendered, rep.Changed, rep.Removed)
	} else {
		fmt.Fprintf(&b, "generation %d: %s of %s: nothing changed\n", rep.Generation, diag.Count(rep.Pages, "page"), diag.Count(rep.Documents, "document"))
	}
	var warnings, mistakes int
	for _, p := range rep.Problems {
		switch p.Severity {
		case diag.Error:
			mistakes++
		case diag.Warning:
			warnings++
		}
	}
	if warnings+mistakes > 0 {
		fmt.Fprintf(&b, "%s, %s\n", diag.Count(mistakes, "mistake"), diag.Count(warnings, "warning"))
	}
	writeLanguages(&b, rep.Languages)
	var phases []string
	for _, name := range slices.Sorted(maps.Keys(rep.Phases)) {
		phases = append(phases, fmt.Sprintf("%s %s", name, milliseconds(rep.Phases[name])))
	}
	fmt.Fprintf(&b, "%s: %s\n", milliseconds(float64(took.Microseconds())/1000), strings.Join(phases, ", "))
	_, err := w.Write(b.Bytes())
	return err
}

// writeLanguages writes how many documents are in other languages than the site.
func writeLanguages(w io.Writer, of map[string]int) {
	n := 0
	var each []string
	for _, lang := range slices.Sorted(maps.Keys(of)) {
		n += of[lang]
		each = append(each, fmt.Sprintf("%s %d", lang, of[lang]))
	}
	switch {
	case n == 1:
		fmt.Fprintf(w, "1 document is in another language than the site's: %s\n", strings.Join(each, ", "))
	case n > 1:
		fmt.Fprintf(w, "%d documents are in other languages than the site's: %s\n", n, strings.Join(each, ", "))
	}
}

func milliseconds(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}
