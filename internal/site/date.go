package site

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Date is what [ParseDate] makes of a date that somebody wrote.
type Date struct {
	// Time has the offset that was written, else the offset of the site's time zone at that time. Its day is the day
	// that readers are shown.
	Time time.Time
	// Unknown is the name of a time zone that was written and is not known. Time is then in the site's time zone.
	Unknown string
	// Ambiguous says that 3/4/2024 may be in March or in April. Time is then not set, and ok is false.
	Ambiguous bool
}

// maxDateBytes is more than the longest form has: "Thu Oct 24 2024 15:04:05 GMT+0530 (India Standard Time)".
const maxDateBytes = 100

// ParseDate reads a date as the tools read it that people write it for: ISO 8601 (calendar, week and ordinal dates, basic
// and extended), the timestamps of YAML 1.1, RFC 822 and its successors, and the forms that Ruby, Go and JavaScript print.
// Months have their English names. A bare number is YYYYMMDD, YYYYMMDDhhmmss, or seconds or milliseconds since 1970. Of
// dates with the year at their end, 25/12/2023 and 12/25/2023 are read and 3/4/2023 is ambiguous.
//
// local is the time zone of dates without one; nil is UTC.
func ParseDate(s string, local *time.Location) (d Date, ok bool) {
	if local == nil {
		local = time.UTC
	}
	if len(s) > maxDateBytes {
		return Date{}, false
	}
	// The two forms that nearly all dates have.
	if t, err := time.ParseInLocation(time.DateOnly, s, local); err == nil {
		return dateAt(t)
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return dateAt(t)
	}
	s = tidyDate(s)
	if s == "" {
		return Date{}, false
	}
	if t, ok := numericDate(s, local); ok {
		return dateAt(t)
	}
	w := written{local: local}
	switch {
	case w.iso(s):
	case w.yearLast(s):
		if w.ambiguous {
			return Date{Ambiguous: true}, false
		}
	default:
		w = written{local: local}
		if !w.words(s) {
			return Date{}, false
		}
	}
	t, ok := w.time()
	if !ok {
		return Date{}, false
	}
	d, ok = dateAt(t)
	d.Unknown = w.unknown
	return d, ok
}

// dateAt is a date whose offset is fixed, so that it does not matter how a zone is called.
func dateAt(t time.Time) (Date, bool) {
	if y := t.Year(); y < 1 || y > 9999 {
		return Date{}, false
	}
	_, offset := t.Zone()
	return Date{Time: t.In(Offset(offset))}, true
}

// In is an instant with the offset that a time zone has then. nil is UTC.
func In(t time.Time, zone *time.Location) time.Time {
	if zone == nil || t.IsZero() {
		return t.UTC()
	}
	_, offset := t.In(zone).Zone()
	return t.In(Offset(offset))
}

// offsets are the time zones of all quarters of an hour, so that a date costs no time zone of its own.
var offsets = func() (all [2*maxOffset/900 + 1]*time.Location) {
	for i := range all {
		all[i] = time.FixedZone("", i*900-maxOffset)
	}
	all[maxOffset/900] = time.UTC
	return all
}()

const maxOffset = 24 * 60 * 60 // seconds

// Offset is the time zone that is so many seconds east of UTC.
func Offset(seconds int) *time.Location {
	if seconds%900 == 0 && seconds >= -maxOffset && seconds <= maxOffset {
		return offsets[(seconds+maxOffset)/900]
	}
	return time.FixedZone("", seconds)
}

var (
	dateComment = regexp.MustCompile(`\([^()]*\)`)
	weekday     = regexp.MustCompile(`(?i)^(mon|tues?|wed(nes)?|thu(rs?)?|fri|sat(ur)?|sun)(day)?[.,]*$`)
)

// tidyDate drops what says nothing about a date: comments of RFC 822, days of the week, brackets around it, and more than
// one blank.
func tidyDate(s string) string {
	s = strings.NewReplacer("\u2212", "-", "\u2013", "-", "\u00a0", " ", "\u202f", " ").Replace(s)
	s = dateComment.ReplaceAllString(s, " ")
	s = strings.Trim(strings.TrimSpace(s), "<>[]")
	words := strings.Fields(s)
	kept := words[:0]
	for _, w := range words {
		if !weekday.MatchString(w) {
			kept = append(kept, w)
		}
	}
	return strings.TrimRight(strings.Join(kept, " "), ",. ")
}

var (
	wholeNumber = regexp.MustCompile(`^\d+$`)
	epoch       = regexp.MustCompile(`^(\d{9,10})\.(\d{1,9})$`)
)

// numericDate reads a date that is one number.
func numericDate(s string, local *time.Location) (time.Time, bool) {
	if m := epoch.FindStringSubmatch(s); m != nil {
		seconds, _ := strconv.ParseInt(m[1], 10, 64)
		return time.Unix(seconds, int64(nanos(m[2]))).UTC(), true
	}
	if !wholeNumber.MatchString(s) {
		return time.Time{}, false
	}
	for _, layout := range [...]string{"20060102", "20060102150405"} {
		if len(s) == len(layout) {
			t, err := time.ParseInLocation(layout, s, local)
			return t, err == nil
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
	case n >= 1e8 && n < 1e11:
		return time.Unix(n, 0).UTC(), true
	case n >= 1e11 && n < 1e13:
		return time.UnixMilli(n).UTC(), true
	}
	return time.Time{}, false
}

// nanos are the nanoseconds of the digits after a point.
func nanos(digits string) int {
	n, _ := strconv.Atoi((digits + "000000000")[:9])
	return n
}

// A written is a date in its parts, as they are found.
type written struct {
	local            *time.Location
	year, month, day int
	hour, min, sec   int
	nsec             int
	timed            bool           // there is a time of day
	zone             *time.Location // nil: none was written, or one that is not known
	unknown          string
	ambiguous        bool
}

// time puts the parts together. ok is false when there is no such day or time.
func (w *written) time() (t time.Time, ok bool) {
	day := time.Date(w.year, time.Month(w.month), w.day, 0, 0, 0, 0, time.UTC)
	if w.year < 1 || w.year > 9999 || w.month < 1 || w.month > 12 || day.Day() != w.day || day.Month() != time.Month(w.month) {
		return t, false
	}
	// 24:00 is the end of the day, and second 60 is a leap second.
	end := w.hour == 24 && w.min == 0 && w.sec == 0 && w.nsec == 0
	if w.hour > 23 && !end || w.min > 59 || w.sec > 60 {
		return t, false
	}
	zone := w.zone
	if zone == nil {
		zone = w.local
	}
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.min, w.sec, w.nsec, zone), true
}

var (
	isoDay     = regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})(?:([-/.])(\d{1,2}))?(?:[^\d]|$)`)
	isoBasic   = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})(?:[^\d]|$)`)
	isoWeek    = regexp.MustCompile(`^(\d{4})-?[Ww](\d{2})(?:-?([1-7]))?(?:[^\d]|$)`)
	isoOrdinal = regexp.MustCompile(`^(\d{4})-(\d{3})(?:[^\d]|$)`)
)

// iso reads a date that begins with its year in four digits: calendar, week or ordinal.
func (w *written) iso(s string) bool {
	digits := 0 // length of the date
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	length := func(m []string) int {
		n := len(m[0])
		if n > 0 && n < len(s) || n == len(s) && !isDigit(s[n-1]) {
			n-- // the character after it
		}
		return n
	}
	if m := isoOrdinal.FindStringSubmatch(s); m != nil {
		day := time.Date(number(m[1]), 1, number(m[2]), 0, 0, 0, 0, time.UTC)
		if m[2] == "000" || day.Year() != number(m[1]) {
			return false
		}
		w.year, w.month, w.day, digits = day.Year(), int(day.Month()), day.Day(), length(m)
	} else if m := isoWeek.FindStringSubmatch(s); m != nil {
		day, ok := weekDay(number(m[1]), number(m[2]), max(1, number(m[3])))
		if !ok {
			return false
		}
		w.year, w.month, w.day, digits = day.Year(), int(day.Month()), day.Day(), length(m)
	} else if m := isoDay.FindStringSubmatch(s); m != nil {
		if m[4] == "" && m[2] != "-" || m[4] != "" && m[4] != m[2] {
			return false
		}
		w.year, w.month, w.day, digits = number(m[1]), number(m[3]), max(1, number(m[5])), length(m)
		if m[5] != "" {
			w.day = number(m[5])
		}
	} else if m := isoBasic.FindStringSubmatch(s); m != nil {
		w.year, w.month, w.day, digits = number(m[1]), number(m[2]), number(m[3]), length(m)
	} else {
		return false
	}
	return w.clock(s[digits:])
}

// weekDay is a day of a week as ISO 8601 counts them: week 1 has the year's first Thursday.
func weekDay(year, week, day int) (time.Time, bool) {
	first := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	t := monday.AddDate(0, 0, 7*(week-1)+day-1)
	y, wk := t.ISOWeek()
	return t, y == year && wk == week
}

var yearAtEnd = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4})(?:[^\d]|$)`)

// yearLast reads 25/12/2023 and 12/25/2023. Where both numbers may be a month and they differ it is ambiguous.
func (w *written) yearLast(s string) bool {
	m := yearAtEnd.FindStringSubmatch(s)
	if m == nil || m[2] != m[4] {
		return false
	}
	a, _ := strconv.Atoi(m[1])
	b, _ := strconv.Atoi(m[3])
	w.year, _ = strconv.Atoi(m[5])
	w.day, w.month = a, b
	if b > 12 {
		w.day, w.month = b, a
	}
	w.ambiguous = a <= 12 && b <= 12 && a != b
	return w.clock(s[len(m[1])+len(m[3])+6:])
}

var (
	clockTime = regexp.MustCompile(`^(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?(?:[.,](\d{1,9})\d*)?`)
	clockBare = regexp.MustCompile(`^(\d{2})(\d{2})(\d{2})?(?:[.,](\d{1,9})\d*)?`)
	halfOfDay = regexp.MustCompile(`(?i)^ ?([ap])\.?m\b\.?`)
)

// clock reads what follows a day: nothing, a time of day, a zone, or both.
func (w *written) clock(s string) bool {
	if s == "" {
		return true
	}
	rest := s
	strict := s[0] == 'T' || s[0] == 't' // which takes a time without minutes, and one without colons
	switch {
	case strict:
		rest = s[1:]
	case strings.HasPrefix(s, " ") || strings.HasPrefix(s, ", "):
		rest = strings.TrimLeft(s, ", ")
		if low := strings.ToLower(rest); strings.HasPrefix(low, "at ") {
			rest = rest[3:]
		}
	default:
		return w.takeZone(s)
	}
	if rest == "" || !isDigit(rest[0]) {
		return !strict && w.takeZone(rest)
	}
	rest, ok := w.takeTime(rest, strict)
	return ok && w.takeZone(rest)
}

// takeTime reads a time of day. bare allows one without minutes or without colons.
func (w *written) takeTime(s string, bare bool) (rest string, ok bool) {
	m := clockTime.FindStringSubmatch(s)
	if len(m[0]) < len(s) && isDigit(s[len(m[0])]) {
		if m = clockBare.FindStringSubmatch(s); !bare || m == nil {
			return "", false
		}
	}
	rest = s[len(m[0]):]
	half := halfOfDay.FindStringSubmatch(rest)
	if m[2] == "" && !bare && half == nil {
		return "", false
	}
	w.hour, _ = strconv.Atoi(m[1])
	w.min, _ = strconv.Atoi(m[2])
	w.sec, _ = strconv.Atoi(m[3])
	if m[4] != "" { // a fraction of the last part
		unit := time.Second
		switch {
		case m[2] == "":
			unit = time.Hour
		case m[3] == "":
			unit = time.Minute
		}
		part := time.Duration(nanos(m[4])) * (unit / time.Second)
		w.min += int(part / time.Minute)
		w.sec += int(part % time.Minute / time.Second)
		w.nsec = int(part % time.Second)
	}
	if half != nil {
		if w.hour < 1 || w.hour > 12 {
			return "", false
		}
		w.hour %= 12
		if strings.EqualFold(half[1], "p") {
			w.hour += 12
		}
		rest = rest[len(half[0]):]
	}
	w.timed = true
	return rest, true
}

var (
	zoneOffset = regexp.MustCompile(`^([+-])(\d{1,4})(?::(\d{2}))?(?::(\d{2}))?(?: |$)`)
	zoneWord   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9/_+-]{0,40}$`)
)

// takeZone reads a zone: an offset, a name, or an offset and then a name, of which the offset counts.
func (w *written) takeZone(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" {
		return true
	}
	if len(s) > 3 {
		switch strings.ToUpper(s[:3]) {
		case "UTC", "GMT": // GMT+0530
			if rest := strings.TrimLeft(s[3:], " "); rest != "" && (rest[0] == '+' || rest[0] == '-') {
				s = rest
			}
		}
	}
	if s[0] == '+' || s[0] == '-' {
		m := zoneOffset.FindStringSubmatch(s)
		if m == nil {
			return false
		}
		offset, ok := parseOffset(m[1], m[2], m[3], m[4])
		if name := s[len(m[0]):]; !ok || name != "" && !zoneWord.MatchString(name) {
			return false
		}
		w.zone = Offset(offset)
		return true
	}
	if !zoneWord.MatchString(s) {
		return false
	}
	w.name(s)
	return w.timed || w.unknown == ""
}

// parseOffset reads -5, -05, -300 (three hours, as Ruby has it), -0500, -05:00 and -05:00:00.
func parseOffset(sign, digits, minutes, rest string) (seconds int, ok bool) {
	if minutes == "" && len(digits) > 2 {
		digits, minutes = digits[:len(digits)-2], digits[len(digits)-2:]
	}
	h, _ := strconv.Atoi(digits)
	m, _ := strconv.Atoi(minutes)
	sec, _ := strconv.Atoi(rest)
	if len(digits) > 2 || h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	seconds = h*3600 + m*60 + sec
	if sign == "-" {
		seconds = -seconds
	}
	return seconds, true
}

// name looks a zone up by its name.
func (w *written) name(s string) {
	if minutes, ok := zoneNames[strings.ToUpper(s)]; ok {
		w.zone = Offset(minutes * 60)
		return
	}
	place := zonePlaces[strings.ToUpper(s)]
	if strings.Contains(s, "/") {
		place = s
	}
	if place != "" {
		if zone, err := time.LoadLocation(place); err == nil {
			w.zone = zone
			return
		}
	}
	w.unknown = s
}

// zoneNames are the abbreviations that are read, in minutes east of UTC. Of those that mean several zones the usual one is
// taken: IST is India's, CST and CDT are North America's, BST is British summer time, AST is the Atlantic's and GST the
// Gulf's. Those for which no meaning is usual (AMT, ECT, SST, WST) are not among them.
var zoneNames = map[string]int{
	"Z": 0, "UTC": 0, "UT": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MET": 60, "MEST": 120, "MEZ": 60, "MESZ": 120,
	"EET": 120, "EEST": 180, "MSK": 180, "MSD": 240, "TRT": 180, "IDT": 180, "SAST": 120, "CAT": 120, "WAT": 60, "EAT": 180,
	"GST": 240, "PKT": 300, "IST": 330, "NPT": 345, "WIB": 420, "ICT": 420, "WITA": 480, "WIT": 540, "HKT": 480, "SGT": 480, "MYT": 480, "PHT": 480, "PHST": 480, "AWST": 480,
	"JST": 540, "KST": 540, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
	"NST": -210, "NDT": -150, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
	"AKST": -540, "AKDT": -480, "HST": -600, "HAST": -600, "HADT": -540, "BRT": -180, "BRST": -120, "ART": -180, "CLT": -240, "CLST": -180, "COT": -300, "PET": -300,
}

// zonePlaces are abbreviations that leave open whether it is summer.
var zonePlaces = map[string]string{"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}

var months = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// monthOf is the number of a month by its English name or the name's beginning; 0 is none.
func monthOf(s string) int {
	s = strings.ToLower(strings.TrimRight(s, "."))
	if len(s) < 3 {
		return 0
	}
	for i, m := range months {
		if s == m || s == m[:3] || s == "sept" && i == 8 {
			return i + 1
		}
	}
	return 0
}

var (
	joined  = regexp.MustCompile(`^[0-9A-Za-z]+([-/.])[0-9A-Za-z]+([-/.])[0-9A-Za-z]+$`)
	numeral = regexp.MustCompile(`(?i)^['’]?(\d{1,4})(st|nd|rd|th)?$`)
	fill    = regexp.MustCompile(`(?i)^(at|of|the|on|@)$`)
)

// words reads a date with the name of its month: day, month, year, time and zone are known by what they look like.
func (w *written) words(s string) bool {
	var words []string
	for _, f := range strings.Fields(strings.ReplaceAll(s, ",", " ")) {
		if m := joined.FindStringSubmatch(f); m != nil { // 02-Jan-2006
			if parts := strings.Split(f, m[1]); len(parts) == 3 && (monthOf(parts[0]) > 0 || monthOf(parts[1]) > 0) {
				words = append(words, parts...)
				continue
			}
		}
		if !fill.MatchString(f) {
			words = append(words, f)
		}
	}
	zone := ""
	for i := 0; i < len(words); i++ {
		f := words[i]
		m := numeral.FindStringSubmatch(f)
		switch {
		case w.month == 0 && monthOf(f) > 0:
			w.month = monthOf(f)
		case !w.timed && isDigit(f[0]) && (strings.Contains(f, ":") || clockHalf(f) || m != nil && len(m[1]) < 3 && i+1 < len(words) && clockHalf("1"+words[i+1])):
			if i+1 < len(words) && clockHalf("1"+words[i+1]) { // 3:04 PM
				f += words[i+1]
				i++
			}
			rest, ok := w.takeTime(f, false)
			if !ok {
				return false
			}
			zone += rest
		case m != nil && len(m[1]) == 4 && m[2] == "" && w.year == 0:
			w.year, _ = strconv.Atoi(m[1])
		case m != nil && len(m[1]) < 3 && w.day == 0 && isDigit(f[0]):
			if w.day, _ = strconv.Atoi(m[1]); w.day == 0 {
				return false
			}
		case m != nil && len(m[1]) == 2 && m[2] == "" && w.year == 0: // as RFC 2822 reads them
			w.year, _ = strconv.Atoi(m[1])
			w.year += 1900
			if w.year < 1950 {
				w.year += 100
			}
		case w.timed && m == nil:
			zone += " " + f
		default:
			return false
		}
	}
	if w.month == 0 || w.year == 0 {
		return false
	}
	w.day = max(w.day, 1)
	return w.takeZone(zone)
}

// clockHalf reports 3pm and 3:04a.m.
func clockHalf(s string) bool {
	m := clockTime.FindString(s)
	half := halfOfDay.FindString(s[len(m):])
	return m != "" && half != "" && len(m)+len(half) == len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// OnWall returns the moment at which the clocks of a zone show the day and time of t. The zero time stays.
func OnWall(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return In(time.Date(year, month, day, hour, minute, second, t.Nanosecond(), zone), zone)
}
