package settings_test

import (
	"slices"
	"testing"

	"freshet/internal/settings"
)

// TestHosts: the server answers for guard.hosts alone where they are set, else for this machine and the site.
func TestHosts(t *testing.T) {
	for _, row := range []struct {
		url   string
		hosts []string
		want  []string
	}{
		{"https://example.com/blog", nil, []string{"loopback", "example.com"}},
		{"https://example.com:8443", nil, []string{"loopback", "example.com"}},
		{"http://[::1]:8080", nil, []string{"loopback", "::1"}},
		{"", nil, []string{"loopback"}},
		{"https://example.com", []string{"example.org"}, []string{"example.org"}},
	} {
		var c settings.Settings
		c.Site.URL, c.Guard.Hosts = row.url, row.hosts
		if got := c.Hosts(); !slices.Equal(got, row.want) {
			t.Errorf("site.url %q, guard.hosts %q: %q, want %q", row.url, row.hosts, got, row.want)
		}
	}
}
