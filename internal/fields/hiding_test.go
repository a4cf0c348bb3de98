package fields_test

import (
	"strings"
	"testing"
	"time"

	"freshet/internal/fields"
)

func word(s string) fields.Value { return fields.Value{Kind: fields.Text, Text: s} }

func truth(b bool) fields.Value {
	if b {
		return fields.Value{Kind: fields.Bool, Text: "true"}
	}
	return fields.Value{Kind: fields.Bool, Text: "false"}
}

func number(s string) fields.Value { return fields.Value{Kind: fields.Number, Text: s} }

func date(s string) fields.Value {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return fields.Value{Kind: fields.Date, Time: t}
}

type said struct {
	name string
	v    fields.Value
}

// verdict is a Verdict in a word, and the field that hides.
func verdict(v fields.Verdict) string {
	switch {
	case v.Deleted:
		return "deleted by " + v.Field
	case v.Hidden:
		return "hidden by " + v.Field
	case len(v.Mistakes) > 0:
		return "mistake in " + v.Mistakes[0].Field
	case v.Published:
		return "published"
	}
	return "nothing"
}

func TestHiding(t *testing.T) {
	null := fields.Value{}
	for _, tt := range []struct {
		want string
		all  []said
	}{
		// Each way of hiding alone.
		{"hidden by draft", []said{{"draft", truth(true)}}},
		{"hidden by isDraft", []said{{"isDraft", word("yes")}}},
		{"hidden by published", []said{{"published", truth(false)}}},
		{"hidden by is_published", []said{{"is_published", number("0")}}},
		{"hidden by IsPublished", []said{{"IsPublished", word("No")}}},
		{"hidden by is-public", []said{{"is-public", truth(false)}}},
		{"hidden by visible", []said{{"visible", truth(false)}}},
		{"hidden by visibility", []said{{"visibility", word("Private")}}},
		{"hidden by visibility", []said{{"visibility", word("members_only")}}},
		{"hidden by visibility", []said{{"visibility", word("unlisted")}}},
		{"hidden by status", []said{{"status", word("In Review")}}},
		{"hidden by _status", []said{{"_status", word("draft")}}},
		{"hidden by state", []said{{"state", word("archived")}}},
		{"hidden by status", []said{{"status", truth(false)}}},
		{"hidden by private", []said{{"private", truth(true)}}},
		{"hidden by Hidden", []said{{"Hidden", word("on")}}},
		{"hidden by archived", []said{{"archived", number("1")}}},
		{"hidden by archived_at", []said{{"archived_at", number("1704067200000")}}},
		{"hidden by active", []said{{"active", truth(false)}}},
		{"hidden by approvalStatus", []said{{"approvalStatus", word("pending")}}},
		{"hidden by password", []said{{"password", word("hunter2")}}},
		{"deleted by isDeleted", []said{{"isDeleted", truth(true)}}},
		{"deleted by ISDELETED", []said{{"ISDELETED", word("1")}}},
		{"deleted by deleted", []said{{"deleted", date("2024-01-01")}}},
		{"deleted by deletedAt", []said{{"deletedAt", date("2024-01-01")}}},
		{"deleted by deleted_at", []said{{"deleted_at", word("1/2/2024")}}},
		{"deleted by deleted-at", []said{{"deleted-at", truth(true)}}},
		{"deleted by status", []said{{"status", word("Trash")}}},
		// What hides wins, wherever it stands.
		{"hidden by isPublished", []said{{"status", word("published")}, {"isPublished", truth(false)}}},
		{"hidden by isPublished", []said{{"isPublished", truth(false)}, {"status", word("published")}, {"publishedAt", date("2024-01-01")}}},
		{"hidden by status", []said{{"published", truth(true)}, {"status", word("draft")}}},
		{"deleted by draft", []said{{"draft", truth(true)}, {"isDeleted", truth(true)}}},
		{"hidden by draft", []said{{"draft", truth(true)}, {"visibility", word("friends of friends")}}},
		// What publishes where nothing hides.
		{"published", []said{{"status", word(" Published ")}}},
		{"published", []said{{"status", truth(true)}}},
		{"published", []said{{"_status", word("published")}}},
		{"published", []said{{"state", word("published")}, {"isDeleted", truth(false)}, {"deletedAt", null}}},
		{"published", []said{{"published", truth(true)}}},
		{"published", []said{{"published", date("2024-01-01")}}},
		{"published", []said{{"published", number("1704067200")}}},
		{"published", []said{{"is_published", number("1")}}},
		{"published", []said{{"draft", truth(false)}}},
		{"published", []said{{"visibility", word("public")}}},
		{"published", []said{{"published_at", date("2024-01-01")}}},
		// What says nothing.
		{"nothing", nil},
		{"nothing", []said{{"publishedAt", null}, {"createdAt", date("2024-01-01")}}},
		{"nothing", []said{{"isDeleted", truth(false)}, {"deletedAt", word("")}, {"archived", number("0")}, {"private", word("no")}}},
		{"nothing", []said{{"deletedAt", date("1970-01-01")}, {"deleted_at", word("0001-01-01T00:00:00Z")}, {"removedAt", word("0000-00-00 00:00:00")}, {"trashedAt", word("null")}}},
		{"nothing", []said{{"isActive", truth(true)}, {"approved", truth(true)}, {"approvalStatus", word("approved")}, {"password", word("")}}},
		{"nothing", []said{{"title", word("draft")}, {"category", word("private")}}},
		// What leaves it open.
		{"mistake in status", []said{{"status", word("evergreen")}}},
		{"mistake in status", []said{{"status", number("1")}}},
		{"mistake in status", []said{{"isPublished", truth(true)}, {"status", word("gepubliceerd")}}},
		{"mistake in state", []said{{"state", word("California")}}},
		{"mistake in isPublished", []said{{"isPublished", word("maybe")}}},
		{"mistake in isDeleted", []said{{"isDeleted", fields.Value{Kind: fields.Other}}}},
		{"mistake in deletedAt", []said{{"deletedAt", word("soon")}}},
		{"mistake in visibility", []said{{"visibility", word("friends of friends")}}},
	} {
		var h fields.Hiding
		for _, s := range tt.all {
			h.Read(s.name, s.v)
		}
		v := h.Verdict()
		if got := verdict(v); got != tt.want && !(v.Deleted && tt.want == "deleted by "+v.Field) {
			t.Errorf("%+v: %s, want %s", tt.all, got, tt.want)
		}
		if v.Hidden != (v.Why != "") || v.Hidden && !strings.HasPrefix(v.Why, v.Field+" is ") {
			t.Errorf("%+v: hidden %v because %q", tt.all, v.Hidden, v.Why)
		}
		for _, m := range v.Mistakes {
			if m.Field == "" || !strings.Contains(m.Message, m.Field) || m.Remedy == "" {
				t.Errorf("%+v: the mistake %+v does not name the field and a remedy", tt.all, m)
			}
		}
	}
}

// TestHidingOfAuthors: a name that means other things too counts in an author's file only where its value is known.
func TestHidingOfAuthors(t *testing.T) {
	for _, tt := range []struct {
		s    said
		want string
	}{
		{said{"state", word("California")}, "nothing"}, {said{"state", word("draft")}, "hidden by state"}, {said{"audience", word("beginners")}, "nothing"},
		{said{"visibility", word("beginners")}, "mistake in visibility"}, {said{"status", word("seedling")}, "mistake in status"},
	} {
		h := fields.Hiding{Authored: true}
		h.Read(tt.s.name, tt.s.v)
		if got := verdict(h.Verdict()); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.s, got, tt.want)
		}
	}
}
