package revalidator_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/revalidator"
)

// TestPagesChanged lists the pages that a build added, changed and removed.
func TestPagesChanged(t *testing.T) {
	w, err := pagestore.OpenWriter(pagestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	commit := func(do func(b *pagestore.Batch, put func(path site.Path, status int, text string))) *pagestore.Generation {
		t.Helper()
		b := w.Begin()
		defer b.Abort()
		do(b, func(path site.Path, status int, text string) {
			e := site.Entry{Path: path, Kind: site.KindPage, Status: status, Type: "text/html; charset=utf-8"}
			switch status {
			case 200:
				if e.Object, err = b.Object([]byte(text)); err != nil {
					t.Fatal(err)
				}
			case 301:
				e.Kind, e.Type, e.Location = site.KindRedirect, "", text
			default:
				e.Kind, e.Type = site.KindRedirect, ""
			}
			b.Put(e, nil)
		})
		g, err := b.Commit(pagestore.CommitInfo{Cause: "test", Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	one := commit(func(_ *pagestore.Batch, put func(site.Path, int, string)) {
		put("/same/", 200, "same")
		put("/edited/", 200, "old")
		put("/deleted/", 200, "deleted")
		put("/forgotten/", 200, "forgotten")
		put("/moved/", 200, "moved")
		put("/back/", 410, "")
		put("/on/", 301, "/same/")
	})
	two := commit(func(b *pagestore.Batch, put func(site.Path, int, string)) {
		put("/same/", 200, "same")
		put("/edited/", 200, "new")
		put("/deleted/", 410, "")
		b.Remove("/forgotten/")
		put("/moved/", 301, "/new/")
		put("/new/", 200, "moved")
		put("/back/", 200, "back")
		put("/on/", 301, "/new/")
		put("/assets/style.css", 200, "body {}")
	})
	want := []revalidator.PageChange{
		{Path: "/back/", Outcome: "added"},
		{Path: "/deleted/", Outcome: "removed"},
		{Path: "/edited/", Outcome: "changed"},
		{Path: "/forgotten/", Outcome: "removed"},
		{Path: "/moved/", Outcome: "removed"},
		{Path: "/new/", Outcome: "added"},
		{Path: "/on/", Outcome: "changed"},
	}
	if diff := cmp.Diff(want, revalidator.PagesChanged(two.Changes(one))); diff != "" {
		t.Errorf("changed pages (-want +got):\n%s", diff)
	}
	if got := revalidator.PagesChanged(two.Changes(two)); len(got) > 0 {
		t.Errorf("of a generation that is the same: %v", got)
	}
	if got := revalidator.PagesChanged(one.Changes(nil)); len(got) != 7 || got[1].Outcome != "added" {
		t.Errorf("of a first generation: %v", got)
	}
}
