package site

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A number in text: "₹1,999", "2,499.00", "Rs. 49", "1999 INR".
var amountText = regexp.MustCompile(`^[^\d,.-]*\.?\s*(-?(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})(?:\.\d+)?)[^\d.,]*$`)

// ParseAmount reads a number in text that may have a currency beside it. "Free" is 0.
func ParseAmount(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "free") {
		return 0, true
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		m := amountText.FindStringSubmatch(s)
		if m == nil {
			return 0, false
		}
		n, err = strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	}
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// isoDuration is how ISO 8601 writes a length of time.
var isoDuration = regexp.MustCompile(`^P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})(?:\.\d+)?S)?)?$`)

// ShownDuration is a length of time as readers are shown it: "PT12M30S" becomes "12m 30s", all else stays as it is.
func ShownDuration(s string) string {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || len(s) <= 2 {
		return s
	}
	var parts []string
	for i, unit := range [...]string{"w", "d", "h", "m", "s"} {
		if n := strings.TrimLeft(m[i+1], "0"); n != "" {
			parts = append(parts, n+unit)
		}
	}
	return strings.Join(parts, " ")
}
