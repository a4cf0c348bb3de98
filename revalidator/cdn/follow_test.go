package cdn_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"freshet/internal/digest"
	"freshet/internal/site"
	"freshet/revalidator/cdn"
)

// A generation maps paths to "status text"; the text is the body's digest.
type generation struct {
	number  uint64
	answers map[site.Path]string
}

func (g *generation) Number() uint64 { return g.number }

func (g *generation) entry(p site.Path) *site.Entry {
	answer, ok := g.answers[p]
	if !ok {
		return nil
	}
	e := &site.Entry{Path: p}
	var body string
	if _, err := fmt.Sscan(answer, &e.Status, &body); err != nil {
		panic(err) // a mistake in the table
	}
	e.Object.ID = digest.Bytes([]byte(body))
	return e
}

func (g *generation) All() iter.Seq[*site.Entry] {
	return func(yield func(*site.Entry) bool) {
		for p := range g.answers {
			if !yield(g.entry(p)) {
				return
			}
		}
	}
}

func (g *generation) Changes(old *generation) iter.Seq2[*site.Entry, *site.Entry] {
	return func(yield func(was, is *site.Entry) bool) {
		if old == nil {
			old = &generation{}
		}
		for p, answer := range old.answers {
			if g.answers[p] != answer && !yield(old.entry(p), g.entry(p)) {
				return
			}
		}
		for p := range g.answers {
			if _, was := old.answers[p]; !was && !yield(nil, g.entry(p)) {
				return
			}
		}
	}
}

// TestStale lists the pages of which a cache may hold an older answer.
func TestStale(t *testing.T) {
	answers := cdn.Answers{
		Key: func(e *site.Entry) string {
			if rest, ok := strings.CutPrefix(string(e.Path), "/blog/"); ok {
				return "blog:" + strings.Trim(rest, "/")
			}
			return ""
		},
		Lasting: func(e *site.Entry) bool { return strings.HasPrefix(string(e.Path), "/assets/") },
	}
	old := &generation{1, map[site.Path]string{
		"/": "200 a", "/blog/a/": "200 a", "/blog/b/": "200 b", "/blog/c/": "410 -", "/same/": "200 same", "/404.html": "200 none",
		"/assets/1.css": "200 x", "/_redirects": "200 x",
	}}
	edited := &generation{2, map[site.Path]string{
		"/": "200 b", "/blog/a/": "410 -", "/blog/b/": "200 c", "/blog/c/": "410 -", "/same/": "200 same", "/404.html": "200 none",
		"/new/": "200 x", "/blog/new/": "200 x", "/assets/2.css": "200 x", "/_redirects": "200 y",
	}}
	otherFrame := &generation{3, map[site.Path]string{
		"/": "200 a", "/blog/a/": "200 a", "/blog/b/": "200 b", "/blog/c/": "410 -", "/same/": "200 same", "/404.html": "200 other",
		"/assets/1.css": "200 x", "/_redirects": "200 x",
	}}
	for _, test := range []struct {
		name   string
		g, old *generation
		want   []string
	}{
		{"nothing", old, old, nil},
		{"edits", edited, old, []string{"/ ", "/blog/a/ blog:a", "/blog/b/ blog:b", "/blog/new/ blog:new"}},
		{"the error page", otherFrame, old, []string{"/blog/c/ blog:c"}},
		{"everything", old, nil, []string{"/ ", "/blog/a/ blog:a", "/blog/b/ blog:b", "/blog/c/ blog:c", "/same/ "}},
	} {
		var got []string
		for _, p := range cdn.Stale(test.g, test.old, answers) {
			got = append(got, string(p.Path)+" "+p.Key)
			e := test.g.entry(p.Path)
			if has := p.ETag != ""; has != (e != nil && e.Status == 200) {
				t.Errorf("%s: %s has the ETag %q", test.name, p.Path, p.ETag)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: Stale lists %q, want %q", test.name, got, test.want)
		}
	}
}
