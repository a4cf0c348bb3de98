package diag_test

import (
	"fmt"
	"strings"
	"testing"

	"freshet/internal/diag"
)

func TestCondense(t *testing.T) {
	for _, tt := range []struct{ links, named, more int }{{0, 0, 0}, {10, 10, 0}, {11, 11, 0}, {12, 11, 1}, {300, 11, 289}} {
		ps := []diag.Problem{{Message: "other"}}
		for i := range tt.links {
			ps = append(ps, diag.Problem{Kind: "link", File: fmt.Sprintf("%03d.md", i), Message: fmt.Sprintf("link %d", i)})
		}
		got := diag.Condense(ps, 10)
		if len(got) != tt.named+1 {
			t.Errorf("%d links: %d problems, want %d", tt.links, len(got), tt.named+1)
		}
		if last := got[len(got)-1].Message; strings.Contains(last, "more") != (tt.more > 0) || tt.more > 0 && !strings.Contains(last, fmt.Sprintf("%d more", tt.more)) {
			t.Errorf("%d links: the last problem is %q, want %d more", tt.links, last, tt.more)
		}
	}
}
