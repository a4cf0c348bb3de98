package site

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// dateLayouts are the spellings of dates that Hugo, Zola, Jekyll and Astro read, most frequent first. A date without
// a zone is UTC.
var dateLayouts = [...]string{
	"2006-01-02",
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 -07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04 -0700",
	"2006-01-02 15:04",
	"2006-01-02T15:04:05-0700",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05 MST",
	"2006-1-2 15:04:05 -0700",
	"2006-1-2 15:04:05",
	"2006-1-2 15:04",
	"2006-1-2",
	"2006/1/2 15:04:05",
	"2006/1/2 15:04",
	"2006/1/2",
	"2006.1.2",
	"Jan 2, 2006",
	"Jan 2 2006",
	"Jan. 2, 2006",
	"January 2, 2006",
	"January 2 2006",
	"2 Jan 2006",
	"2 Jan, 2006",
	"2 January 2006",
	"2 January, 2006",
	"02-Jan-2006",
	"Mon, 2 Jan 2006 15:04:05 -0700",
	"Mon, 2 Jan 2006 15:04:05 MST",
	"Mon, 2 Jan 2006",
	"Mon Jan 2 2006",
	"Mon, January 2, 2006",
	"Monday, January 2, 2006",
	"Monday, 2 January 2006",
	"Monday, 02-Jan-06 15:04:05 MST",
	time.ANSIC,
	time.UnixDate,
	time.RubyDate,
	"Mon Jan 2 2006 15:04:05 GMT-0700",
	"January 2, 2006 15:04",
	"January 2, 2006 3:04 PM",
	"Jan 2, 2006 15:04",
	"Jan 2, 2006 3:04 PM",
	"2 January 2006 15:04",
	"2 Jan 2006 15:04",
	"2006-01-02 3:04 PM",
	"2006-01-02 3:04:05 PM",
}

// ParseDate reads a date in any of the accepted spellings. A bare number is YYYYMMDD, Unix seconds or, when it is
// too large for those, milliseconds.
func ParseDate(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return time.Time{}, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case len(s) == 8:
			t, err := time.Parse("20060102", s)
			return t, err == nil
		case n >= 1e8 && n < 1e11:
			return time.Unix(n, 0).UTC(), true
		case n >= 1e11 && n < 1e14:
			return time.UnixMilli(n).UTC(), true
		}
		return time.Time{}, false
	}
	if i := strings.Index(s, " ("); i > 0 && strings.HasSuffix(s, ")") {
		s = s[:i] // JavaScript: … GMT+0530 (India Standard Time)
	}
	s = ordinal(strings.Join(strings.Fields(s), " "))
	s = strings.Replace(s, " UTC", " +0000", 1)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			if y := t.Year(); y < 1 || y > 9999 {
				return time.Time{}, false
			}
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// slashed is a date of numbers with the year at its end.
var slashed = regexp.MustCompile(`^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b(.{0,30})$`)

// ParseSlashDate reads 25/12/2023 and 12/25/2023, which databases hold and authors should not write. Where both numbers
// may be a month it is ambiguous, unless they are equal.
func ParseSlashDate(s string) (t time.Time, ok, ambiguous bool) {
	m := slashed.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false, false
	}
	day, month := m[1], m[2]
	a, _ := strconv.Atoi(day)
	b, _ := strconv.Atoi(month)
	if b > 12 {
		day, month = month, day
	} else if a <= 12 && a != b {
		return time.Time{}, false, true
	}
	t, ok = ParseDate(m[3] + "-" + month + "-" + day + strings.TrimRight(m[4], " "))
	return t, ok, false
}

// ordinal turns "24th October" into "24 October" and "Sept" into "Sep".
func ordinal(s string) string {
	if s[0] >= '0' && s[0] <= '9' && strings.Contains(s, "-") {
		return s
	}
	words := strings.Split(s, " ")
	for i, w := range words {
		core := strings.TrimRight(w, ",")
		if len(core) > 2 && core[0] >= '0' && core[0] <= '9' {
			switch strings.ToLower(core[len(core)-2:]) {
			case "st", "nd", "rd", "th":
				words[i] = core[:len(core)-2] + w[len(core):]
			}
		}
		if strings.HasPrefix(w, "Sept") && !strings.HasPrefix(w, "Septe") {
			words[i] = "Sep" + w[4:]
		}
	}
	return strings.Join(words, " ")
}
