package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/server/admin"
)

// TestLogCounts compares what freshet log says of two generations with what happened to the public tree, whose files are
// the site's pages.
func TestLogCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	freshet := func(args ...string) string {
		t.Helper()
		var out, stderr bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &stderr); code != exitDone {
			t.Fatalf("freshet %q exits %d\n%s", args, code, &stderr)
		}
		return out.String()
	}
	write := func(slug, tag, text string) {
		t.Helper()
		name := filepath.Join("content", "blog", slug+".md")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "---\ntitle: %s\ndate: 2025-03-01\ntags: [%s]\n---\n\n%s\n", slug, tag, text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	type counts struct{ changed, removed int }
	var want []counts
	before := map[string]string{}
	build := func() {
		t.Helper()
		freshet("build", "--url", "https://example.org", "--now", "2026-01-01T00:00:00Z", "--allow-shrink")
		after := readTree(t, "public")
		delete(after, "_headers") // no page
		var n counts
		for name, text := range after {
			if before[name] != text {
				n.changed++
			}
		}
		for name := range before {
			if _, is := after[name]; !is {
				n.removed++
			}
		}
		want, before = append(want, n), after
	}
	write("rivers", "water", "A river runs.")
	write("hills", "land", "A hill stands.")
	build()
	write("rivers", "water", "A river meanders.")
	build()
	if err := os.Remove(filepath.Join("content", "blog", "hills.md")); err != nil {
		t.Fatal(err)
	}
	build() // the post, its topic and the topic's feed go

	var log []admin.Generation
	if err := json.Unmarshal([]byte(freshet("log", "--json")), &log); err != nil || len(log) != 3 {
		t.Fatalf("%d generations, %v", len(log), err)
	}
	for i, c := range log[:2] {
		if got := (counts{c.Changed, c.Removed}); got != want[2-i] || got.changed == 0 {
			t.Errorf("generation %d: %+v, want what happened to the files: %+v", c.Generation, got, want[2-i])
		}
	}
	if first, second, third := log[2], log[1], log[0]; first.Pages == 0 || second.Pages != first.Pages ||
		third.Pages != second.Pages-third.Removed || third.Removed < 3 || first.Changed < first.Pages || first.Removed != 0 {
		t.Errorf("counts of three generations, newest first: %+v", log)
	}
	lines := strings.Split(strings.TrimSpace(freshet("log")), "\n")
	if len(lines) != 4 {
		t.Fatalf("freshet log prints %q", lines)
	}
	for i, c := range log {
		got := strings.Fields(lines[1+i])
		got[1] = ""
		if want := fmt.Sprint([]any{c.Generation, "", c.Pages, c.Changed, c.Removed, "build"}); fmt.Sprint(got) != want {
			t.Errorf("generation %d is printed as %q, want %s", c.Generation, got, want)
		}
	}
}
