package mongodb

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/diag"
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

// readDate reads a date of any form. An instant has its day in zone, and so has a text without a zone of its own. why says
// what is odd about it.
func readDate(v bson.RawValue, zone *time.Location) (t time.Time, state dateState, why string) {
	switch v.Type {
	case bson.TypeDateTime:
		ms := int64(binary.LittleEndian.Uint64(v.Value))
		t, state = site.In(time.UnixMilli(ms), zone), dateGood
		if ms == 0 || t.UTC().Year() == 1 {
			return time.Time{}, dateMissing, "is a zero value"
		}
		if t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}, dateBad, "is no date of this era"
		}
		return t, state, ""
	case bson.TypeTimestamp:
		return site.In(time.Unix(int64(binary.LittleEndian.Uint32(v.Value[4:])), 0), zone), dateRepaired, "is a timestamp"
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
	d, ok := site.ParseDate(s, zone)
	t = d.Time
	switch {
	case d.Ambiguous:
		return time.Time{}, dateBad, fmt.Sprintf("%q leaves open which is the day and which the month", diag.Clip(s, 40))
	case !ok:
		return time.Time{}, dateBad, fmt.Sprintf("%q is not a date", diag.Clip(s, 40))
	case t.Year() == 1:
		return time.Time{}, dateMissing, "is a zero value"
	case d.Unknown != "":
		return t, dateRepaired, fmt.Sprintf("is text in the time zone %s, which is not known", diag.Clip(d.Unknown, 40))
	case isText:
		return t, dateRepaired, "is text"
	}
	return t, dateRepaired, "is a number"
}
