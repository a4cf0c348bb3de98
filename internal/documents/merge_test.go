package documents

import (
	"fmt"
	"strings"
	"testing"

	"freshet/internal/diag"
	"freshet/internal/site"
)

// TestMerge merges reports of files. Nothing is lost, and the latest report of a document wins.
func TestMerge(t *testing.T) {
	put := func(id site.ID, revision site.Revision) site.Document {
		return &site.File{ID: id, Revision: revision}
	}
	var held site.Changes
	for _, ch := range []*site.Changes{
		{Put: []site.Document{put("kept", 1), put("changed", 1), put("dropped", 1)}, Drop: []site.ID{"back", "gone"}, Problems: make([]diag.Problem, 3)},
		{},
		{Put: []site.Document{put("changed", 2), put("back", 1)}, Drop: []site.ID{"dropped"}, Problems: make([]diag.Problem, 1), Skipped: make([]site.Skip, 2)},
	} {
		merge(&held, ch)
	}
	var got []string
	for _, d := range held.Put {
		got = append(got, fmt.Sprintf("%s@%d", d.DocID(), d.DocRevision()))
	}
	for _, id := range held.Drop {
		got = append(got, "-"+string(id))
	}
	if text, want := strings.Join(got, " "), "back@1 changed@2 kept@1 -dropped -gone"; text != want {
		t.Errorf("merged into %q, want %q", text, want)
	}
	if len(held.Problems) != 1 || len(held.Skipped) != 2 {
		t.Errorf("%d problems and %d documents left out, want those of the last report", len(held.Problems), len(held.Skipped))
	}
}
