package server

import (
	"strconv"
	"strings"
)

// mostRanges is how many parts of a page a request may ask for. Who asks for more gets it whole: the heads of so many parts
// would make an answer many times as long as the page.
const mostRanges = 64

const rangeUnit = "bytes="

// isRange reports whether the lines of a Range header ask for bytes. Headers with other units are ignored (RFC 9110, 14.2).
func isRange(lines []string) bool {
	return len(lines) == 1 && len(lines[0]) > len(rangeUnit) && strings.EqualFold(lines[0][:len(rangeUnit)], rangeUnit)
}

// soundRange writes a Range header that asks for bytes as http.ServeContent reads it right, for a body of so many of them. It is
// empty where the header is to be ignored. http.ServeContent knows the unit in small letters alone, finds the last 0 bytes,
// which there are never, and refuses numbers that it cannot hold.
func soundRange(header string, size int64) string {
	var sound []string
	nothing := false
	for spec := range strings.SplitSeq(header[len(rangeUnit):], ",") {
		spec = strings.Trim(spec, " \t")
		first, last, ok := strings.Cut(spec, "-")
		switch {
		case spec == "": // lists may have empty elements
		case !ok || !isDigits(first) || !isDigits(last):
			return rangeUnit + spec // http.ServeContent refuses it
		case first == "" && last != "" && strings.Trim(last, "0") == "":
			nothing = true
		default:
			sound = append(sound, within(first)+"-"+within(last))
		}
	}
	switch {
	case len(sound) > mostRanges:
		return ""
	case len(sound) == 0 && nothing:
		return rangeUnit + strconv.FormatInt(max(size, 1), 10) + "-" // begins behind the end, so it is refused as well
	}
	return rangeUnit + strings.Join(sound, ",")
}

// within lowers a number that is too large for any file to the largest possible one. An empty number stays.
func within(digits string) string {
	const most = 18
	if stripped := strings.TrimLeft(digits, "0"); len(stripped) > most {
		return strings.Repeat("9", most)
	} else if digits != "" && stripped == "" {
		return "0"
	} else {
		return stripped
	}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
