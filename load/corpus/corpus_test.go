package corpus_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"freshet/load/corpus"
)

// TestPost checks that posts are what the benchmarks say they are, and always the same.
func TestPost(t *testing.T) {
	const n = 300
	blocks := map[string]int{}
	fence := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```\n")
	languages := map[string]bool{}
	date := regexp.MustCompile(`(?m)^date: (\S+)$`)
	before := ""
	for i := range n {
		f := corpus.Post(i, n)
		if again := corpus.Post(i, n); again.Name != f.Name || !bytes.Equal(again.Data, f.Data) {
			t.Fatalf("Post(%d, %d) is not the same twice", i, n)
		}
		text := string(f.Data)
		if m := date.FindStringSubmatch(text); m == nil || m[1] <= before || m[1] > "2025" {
			t.Errorf("Post(%d, %d) has the date %q, want one after %q and before 2025", i, n, m, before)
		} else {
			before = m[1]
		}
		if words := len(strings.Fields(fence.ReplaceAllString(text, ""))); words < 550 || words > 1500 {
			t.Errorf("Post(%d, %d) has %d words outside code, want 600 to 1,200 and their frame", i, n, words)
		}
		found := fence.FindAllStringSubmatch(text, -1)
		if len(found) != 2 {
			t.Errorf("Post(%d, %d) has %d code blocks, want 2", i, n, len(found))
		}
		for _, m := range found {
			languages[m[1]] = true
			if other, ok := blocks[m[2]]; ok {
				t.Errorf("posts %d and %d have a code block in common", other, i)
			}
			blocks[m[2]] = i
		}
		for _, part := range []string{"\n| --- |", "tags: [", "slug: " + corpus.Slug(i) + "\n", "\n## "} {
			if !strings.Contains(text, part) {
				t.Errorf("Post(%d, %d) has no %q", i, n, part)
			}
		}
	}
	if len(languages) < 10 {
		t.Errorf("posts have code in %d languages, want at least 10", len(languages))
	}
}

func TestCourse(t *testing.T) {
	files := corpus.Course(7)
	if got, want := len(files), (corpus.Size{Courses: 1}).Pages(); got != want {
		t.Fatalf("Course(7) has %d files, want %d", got, want)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "courses/course-007/") || !bytes.HasPrefix(f.Data, []byte("---\ntitle: ")) {
			t.Errorf("Course(7) has the file %s of %.40q", f.Name, f.Data)
		}
	}
}
