package diag_test

import (
	"strings"
	"testing"

	"freshet/internal/diag"
)

// TestPrintHostileText: what stands in documents does not reach a terminal as more than text, and stays under its mark.
func TestPrintHostileText(t *testing.T) {
	var b strings.Builder
	diag.Print(&b, []diag.Problem{{
		Severity: diag.Warning, File: "a\x1b[2J.md", Line: 1, Col: 6, Text: "ab\x1b]\u202eX\ty\n", Message: "unknown key \"\r\u009b31m\"",
	}})
	want := "warning: a?[2J.md:1:6: unknown key \"??31m\"\n    ab?]?X y\n         ^\n"
	if b.String() != want {
		t.Errorf("Print wrote %q, want %q", b.String(), want)
	}
}
