package server

import (
	"strings"

	"freshet/internal/site"
)

// PurgeKey returns the key that an answer for e carries for itself, encoded in Cache-Tag and Surrogate-Key as
// [web.EncodeTag] does; empty where it carries none. Purging it takes away that answer and few others.
func PurgeKey(e *site.Entry) string {
	own := ""
	for _, k := range tagKeys(e) {
		if !strings.HasPrefix(k, "tag:") {
			own = k // the last is the narrowest: list:topic, then list:topic:go
		}
	}
	return own
}

// Lasting reports whether caches may keep the answer for e for ever, because its path contains the digest of its content.
func Lasting(e *site.Entry) bool { return e.Status == 200 && hashed(e.Path) }
