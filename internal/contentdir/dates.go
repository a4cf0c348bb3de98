package contentdir

import (
	"strings"
	"time"
)

// dateName splits a leading date off a name: 2024-01-02-title, 2024_01_02 title. A name that is only a date keeps it.
func dateName(name string) (t time.Time, rest string, ok bool) {
	if len(name) < 10 {
		return time.Time{}, name, false
	}
	d := strings.ReplaceAll(name[:10], "_", "-")
	t, err := time.Parse("2006-01-02", d)
	if err != nil {
		return time.Time{}, name, false
	}
	rest = strings.TrimLeft(name[10:], "-_. ")
	if rest == name[10:] && rest != "" {
		return time.Time{}, name, false
	}
	if rest == "" {
		rest = name
	}
	return t, rest, true
}

// datePath finds a date that a path begins with: 2025/03/18/title.
func datePath(p string) (time.Time, bool) {
	p = strings.TrimPrefix(p, "/")
	for p != "" {
		if len(p) >= 11 && p[4] == '/' && p[7] == '/' && p[10] == '/' {
			if t, err := time.Parse("2006/01/02", p[:10]); err == nil {
				return t, true
			}
		}
		_, rest, ok := strings.Cut(p, "/")
		if !ok {
			break
		}
		p = rest
	}
	return time.Time{}, false
}
