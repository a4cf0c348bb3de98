package contentdir_test

import (
	"fmt"
	"strings"
	"testing"

	"freshet/internal/site"
)

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestManyTagsAndAuthors: a document has a bounded number of each, and the warning names the field.
func TestManyTagsAndAuthors(t *testing.T) {
	for _, tt := range []struct{ name, front, field string }{
		{"tags", "tags: [" + numbered("t%d", 5000) + "]", "tags"},
		{"tags on a line", "tags: " + numbered("t%d", 5000), "tags"},
		{"categories", "categories: [" + numbered("c%d", 5000) + "]", "categories"},
		{"both", "tags: [" + numbered("t%d", 60) + "]\ncategories: [" + numbered("c%d", 60) + "]", "tags"},
		{"taxonomies", "taxonomies:\n  tags: [" + numbered("t%d", 5000) + "]", "taxonomies"},
		{"authors", "authors: [" + numbered("Ann %d", 2500) + "]", "authors"},
		{"authors on a line", "author: " + numbered("Ann Bell%d", 2500), "author"},
		{"authors with pictures", "authors:\n" + strings.ReplaceAll(numbered("- name: Ann %d\n", 2500), ", ", ""), "authors"},
		{"as many as may be", "tags: [" + numbered("t%d", site.MaxTags) + "]\nauthors: [" + numbered("Ann %d", site.MaxAuthors) + "]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "blog/a.md", []byte("---\ntitle: A\ndate: 2024-01-02\n"+tt.front+"\n---\nText.\n"))
			ch := scan(t, newSource(t, dir, nil), nil)
			post := ch.Put[0].(*site.Post)
			if len(post.Tags) > site.MaxTags || len(post.Authors) > site.MaxAuthors || len(post.Tags)+len(post.Authors) < site.MaxAuthors {
				t.Errorf("%d tags and %d authors", len(post.Tags), len(post.Authors))
			}
			if tt.field == "" {
				if len(ch.Problems) > 0 {
					t.Errorf("problems %v", ch.Problems)
				}
				return
			}
			if len(ch.Problems) != 1 || ch.Problems[0].Field != tt.field || ch.Problems[0].Line == 0 || !strings.Contains(ch.Problems[0].Message, "that a document may have") {
				t.Errorf("problems %v, want one about %s", ch.Problems, tt.field)
			}
		})
	}
}
