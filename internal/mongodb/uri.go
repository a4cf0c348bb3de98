package mongodb

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
)

// A URI is a MongoDB connection string. It is a secret: however it is printed, only hosts and database are shown.
type URI string

// shownURI is what may be shown of a URI: names of hosts, ports and a database, nothing that can be a password.
var shownURI = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]{1,5})?(,[A-Za-z0-9._-]+(:[0-9]{1,5})?)*(/[A-Za-z0-9_-]*)?$`)

// hidden stands for a URI that is not understood well enough to tell which part of it is the secret.
const hidden = "mongodb://…"

// String is the URI without user, password and options.
func (u URI) String() string {
	if u == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(string(u), "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return hidden
	}
	_, rest = cutLast(rest, "@") // a password may hold one that its owner forgot to encode
	rest, _, _ = strings.Cut(rest, "?")
	if !shownURI.MatchString(rest) {
		return hidden
	}
	return scheme + "://" + rest
}

// Format prints String, whatever the verb.
func (u URI) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// LogValue is String.
func (u URI) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is String.
func (u URI) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// hosts is what the URI names, for messages.
func (u URI) hosts() string {
	_, rest, ok := strings.Cut(u.String(), "://")
	rest, _, _ = strings.Cut(rest, "/")
	if !ok || rest == "…" {
		return "the host of mongo.uri"
	}
	return rest
}

// taints reports whether a text holds any part of the URI that is or may be a secret.
func (u URI) taints(text string) bool {
	_, rest, _ := strings.Cut(string(u), "://")
	secret, rest := cutLast(rest, "@")
	rest, opts, _ := strings.Cut(rest, "?")
	if u.String() == hidden {
		secret += "@" + rest
	}
	parts := strings.FieldsFunc(secret, func(r rune) bool { return strings.ContainsRune(":@/?&=,", r) })
	for opt := range strings.SplitSeq(opts, "&") {
		key, value, _ := strings.Cut(strings.ToLower(opt), "=")
		if strings.Contains(key, "password") || strings.Contains(key, "properties") {
			parts = append(parts, strings.FieldsFunc(opt[len(opt)-len(value):], func(r rune) bool { return r == ':' || r == ',' })...)
		}
	}
	for _, part := range parts {
		plain, err := url.PathUnescape(part)
		if strings.Contains(text, part) || err == nil && plain != "" && strings.Contains(text, plain) {
			return true
		}
	}
	return false
}

// cutLast cuts a text at the last of its separators; without one all of it is after.
func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return "", s
}
