package explain_test

import (
	"testing"
	"time"

	"freshet/internal/explain"
	"freshet/internal/site"
)

// TestWhyNot explains why documents are on no page.
func TestWhyNot(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	meta := func(slug site.Slug, change func(*site.Meta)) site.Meta {
		m := site.Meta{ID: site.ID("blog/" + slug + ".md"), Revision: 1, Slug: slug, Title: string(slug), Published: now.AddDate(0, -1, 0)}
		if change != nil {
			change(&m)
		}
		return m
	}
	body := site.BodyRef{Doc: "x", Hash: 1}
	changes := &site.Changes{
		Put: []site.Document{
			&site.Post{Meta: meta("shown", nil)},
			&site.Post{Meta: meta("draft", func(m *site.Meta) { m.Draft = true })},
			&site.Post{Meta: meta("hidden", func(m *site.Meta) { m.Draft, m.Hidden = true, "status is archived" })},
			&site.Post{Meta: meta("deleted", func(m *site.Meta) { m.Draft, m.Deleted, m.Hidden = true, true, "isDeleted is true" })},
			&site.Post{Meta: meta("expired", func(m *site.Meta) { m.Expires = now.Add(-time.Hour) })},
			&site.Post{Meta: meta("scheduled", func(m *site.Meta) { m.Published = now.Add(time.Hour) })},
			&site.Course{Meta: site.Meta{ID: "courses/c", Revision: 1, Slug: "c", Title: "c", Published: now}, Modules: []site.Module{{Lessons: []site.Lesson{
				{ID: "courses/c/open.md", Slug: "open", Open: true, Body: body}, {ID: "courses/c/closed.md", Slug: "closed", Body: body}, {ID: "courses/c/empty.md", Slug: "empty", Open: true},
			}}}},
		},
		Skipped: []site.Skip{{ID: "blog/broken.md", Field: "title", Reason: "it is missing"}},
	}
	snap, _ := site.NewSnapshot(now, false).Apply(changes, now)
	for _, test := range []struct{ name, reason, remedy string }{
		{"shown", "", ""},
		{"blog:shown", "", ""},
		{"draft", "it is a draft: nothing says that it is published", "write status: published, or build with --drafts"},
		{"blog/hidden.md", "it is a draft: status is archived", "publish it, or build with --drafts"},
		{"blog:deleted", "isDeleted is true", "take that back to publish it"},
		{"expired", "it expired at 2026-03-01T11:00:00Z", "move its expiry date, or remove it"},
		{"scheduled", "it is scheduled for 2026-03-01T13:00:00Z", "wait for its date, or build with --drafts"},
		{"broken", "title: it is missing", "mend it: freshet build says where and how"},
		{"courses/c/open.md", "", ""},
		{"courses/c/closed.md", "its text may not be shown", "the curriculum names it all the same; set free: true to show it"},
		{"courses/c/empty.md", "it has no text", "the curriculum names it all the same"},
	} {
		r := explain.WhyNot(snap, changes, test.name, now)
		if r == nil || r.Reason != test.reason || r.Remedy != test.remedy {
			t.Errorf("WhyNot(%q) = %+v, want the reason %q and the remedy %q", test.name, r, test.reason, test.remedy)
		}
	}
	if r := explain.WhyNot(snap, changes, "none", now); r != nil {
		t.Errorf("WhyNot of no document = %+v", r)
	}
}

func TestFileName(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, want := range map[string]string{
		"content/blog/a.md": "blog/a.md", "./content/a.md": "a.md", "blog/a.md": "blog/a.md", "content": "content", "a": "a", "blogs:65f0": "blogs:65f0",
	} {
		if got := explain.FileName("content", name); got != want {
			t.Errorf("FileName(%q) = %q, want %q", name, got, want)
		}
	}
}
