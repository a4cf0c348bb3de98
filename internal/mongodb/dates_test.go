package mongodb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/internal/site"
)

// TestDateZones decodes dates on a site in New York: an instant has its day there, a text the day that was written.
func TestDateZones(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder("", "", summaries)
	d.zone = zone
	for _, test := range []struct{ value, want, says string }{
		{`{"$date": "2024-01-05T02:00:00Z"}`, "2024-01-04T21:00:00-05:00", ""},
		{`{"$date": "2024-07-05T02:00:00Z"}`, "2024-07-04T22:00:00-04:00", ""},
		{`{"$timestamp": {"t": 1704420000, "i": 1}}`, "2024-01-04T21:00:00-05:00", "is a timestamp"},
		{`"2024-01-05"`, "2024-01-05T00:00:00-05:00", "is text"},
		{`"2024-01-05 10:00"`, "2024-01-05T10:00:00-05:00", "is text"},
		{`"2024-01-05T10:00:00+05:30"`, "2024-01-05T10:00:00+05:30", "is text"},
		{`"2024-01-05 10:00 EST"`, "2024-01-05T10:00:00-05:00", "is text, read as"},
		{`"2024-01-05 10:00:00 IST"`, "2024-01-05T10:00:00+05:30", "is text, read as"},
		{`"2024-01-05T10:00:00-07"`, "2024-01-05T10:00:00-07:00", "is text"},
		{`"2024-01-05 10:00 XQT"`, "2024-01-05T10:00:00-05:00", "time zone XQT, which is not known"},
		{`"13/01/2024"`, "2024-01-13T00:00:00-05:00", "is text"},
	} {
		raw := changed(t, basePost, []byte(fmt.Sprintf(`{"publishedAt": %s}`, test.value)))
		out := d.post(t.Context(), raw)
		if out.doc == nil {
			t.Errorf("%s: left out: %+v", test.value, out.skip)
			continue
		}
		if got := site.MetaOf(out.doc).Published.Format(time.RFC3339); got != test.want {
			t.Errorf("%s: published %s, want %s", test.value, got, test.want)
		}
		said := ""
		for _, p := range out.problems {
			if p.Field == "publishedAt" {
				said = p.Message
			}
		}
		if (said == "") != (test.says == "") || !strings.Contains(said, test.says) {
			t.Errorf("%s: says %q, want %q", test.value, said, test.says)
		}
	}
}
