package server_test

import (
	"strings"
	"testing"

	"freshet/internal/site"
	"freshet/server"
)

func TestPurgeKey(t *testing.T) {
	for _, row := range []struct {
		kind site.Kind
		keys string
		want string
	}{
		{site.KindPage, "blog:rivers tag:go tag:water", "blog:rivers"},
		{site.KindPage, "course:go lesson:go/intro", "lesson:go/intro"},
		{site.KindPage, "", ""},
		{site.KindList, "list:blog", "list:blog"},
		{site.KindList, "list:topic list:topic:go", "list:topic:go"},
		{site.KindList, "blog:a blog:b", ""},
		{site.KindFeed, "list:feed", "list:feed"},
		{site.KindRedirect, "blog:old tag:go", "blog:old"},
	} {
		if got := server.PurgeKey(&site.Entry{Kind: row.kind, Keys: strings.Fields(row.keys)}); got != row.want {
			t.Errorf("PurgeKey(kind %d, %q) = %q, want %q", row.kind, row.keys, got, row.want)
		}
	}
}
