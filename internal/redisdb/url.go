package redisdb

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
)

// A URL is the address of a Redis: redis://user:password@host:port/0, rediss:// with TLS, unix:///path. It is a secret:
// however it is printed, only scheme, host, port and number of the database are shown.
type URL string

// shownURL matches the part of a URL after its scheme that may be shown: it cannot hold a password.
var shownURL = regexp.MustCompile(`^(([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[0-9]*)?|/[A-Za-z0-9/._-]+)$`)

// hidden stands for a URL that is not understood well enough to tell which part of it is the secret.
const hidden = "redis://…"

// schemes are those of Redis.
var schemes = []string{"redis", "rediss", "unix"}

// String is the URL without user, password and options.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	scheme, rest, _ := strings.Cut(string(u), "://")
	if i := strings.LastIndex(rest, "@"); i >= 0 { // a password may hold one that its owner forgot to encode
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	for _, s := range schemes {
		if s == scheme && shownURL.MatchString(rest) {
			return scheme + "://" + rest
		}
	}
	return hidden
}

// Format prints String, whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// LogValue is String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// host returns the server that the URL names, for messages.
func (u URL) host() string {
	_, rest, _ := strings.Cut(u.String(), "://")
	if rest == "…" {
		return "the host of redis.url"
	}
	if !strings.HasPrefix(rest, "/") {
		rest, _, _ = strings.Cut(rest, "/")
	}
	return rest
}

// taints reports whether a text holds any part of the URL that is or may be a secret.
func (u URL) taints(text string) bool {
	_, rest, _ := strings.Cut(string(u), "://")
	i := strings.LastIndex(rest, "@")
	if i < 0 {
		return u.String() == hidden
	}
	for part := range strings.SplitSeq(rest[:i], ":") {
		plain, err := url.PathUnescape(part)
		if part != "" && strings.Contains(text, part) || err == nil && plain != "" && strings.Contains(text, plain) {
			return true
		}
	}
	return false
}
