package mongodb

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/site"
)

// A dateState says what came of reading a date.
type dateState uint8

const (
	dateMissing  dateState = iota // not there, or a zero value: null, 0, the year 1
	dateGood                      // a date
	dateRepaired                  // a date in another form: text, a number
	dateBad                       // something that is no date, or may be two
)

// readDate reads a date of any form. why says what is odd about it.
func readDate(v bson.RawValue) (t time.Time, state dateState, why string) {
	switch v.Type {
	case bson.TypeDateTime:
		ms := int64(binary.LittleEndian.Uint64(v.Value))
		t, state = time.UnixMilli(ms).UTC(), dateGood
		if ms == 0 || t.Year() == 1 {
			return time.Time{}, dateMissing, "is a zero value"
		}
		if t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}, dateBad, "is no date of this era"
		}
		return t, state, ""
	case bson.TypeTimestamp:
		return time.Unix(int64(binary.LittleEndian.Uint32(v.Value[4:])), 0).UTC(), dateRepaired, "is a timestamp"
	}
	b, isText := stringBytes(v)
	switch {
	case isNull(v), isBlank(v):
		return time.Time{}, dateMissing, "is empty"
	case !isText && !isNumber(v):
		return time.Time{}, dateBad, "is " + typeNames[v.Type]
	}
	s := string(b)
	if !isText {
		s, _, _ = strings.Cut(numberText(v), ".")
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil && n == 0 {
		return time.Time{}, dateMissing, "is a zero value"
	}
	t, ok := site.ParseDate(s)
	if !ok {
		var ambiguous bool
		if t, ok, ambiguous = slashDate(s); ambiguous {
			return time.Time{}, dateBad, fmt.Sprintf("%q leaves open which is the day and which the month", clip(s))
		}
	}
	switch {
	case !ok:
		return time.Time{}, dateBad, fmt.Sprintf("%q is not a date", clip(s))
	case t.Year() == 1:
		return time.Time{}, dateMissing, "is a zero value"
	case isText:
		return t, dateRepaired, "is text"
	}
	return t, dateRepaired, "is a number"
}

// slashed is a date of numbers with the year at its end.
var slashed = regexp.MustCompile(`^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b(.{0,30})$`)

// slashDate reads 25/12/2023 and 12/25/2023. Where both numbers may be a month it is ambiguous, unless they are equal.
func slashDate(s string) (t time.Time, ok, ambiguous bool) {
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
	t, ok = site.ParseDate(m[3] + "-" + month + "-" + day + strings.TrimRight(m[4], " "))
	return t, ok, false
}

// clip shortens what a message shows of a value.
func clip(s string) string {
	s = valid(s)
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
