package contentdir

import (
	"strings"
	"time"

	"freshet/internal/frontmatter"
	"freshet/internal/site"
)

// dateIn is the day and time of a clock in a time zone.
func dateIn(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return site.In(time.Date(year, month, day, hour, minute, second, t.Nanosecond(), zone), zone)
}

// date is the date that a value gives.
func dateOf(v *frontmatter.Value, zone *time.Location) (site.Date, bool) {
	if v.Kind != frontmatter.Moment {
		return site.ParseDate(v.Text, zone)
	}
	switch v.Clock {
	case frontmatter.OnWall:
		return site.Date{Time: dateIn(v.Time, zone)}, true
	case frontmatter.AtInstant:
		return site.Date{Time: site.In(v.Time, zone)}, true
	}
	_, offset := v.Time.Zone()
	return site.Date{Time: v.Time.In(site.Offset(offset))}, true
}

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
