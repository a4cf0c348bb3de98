package contentdir_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/site"
)

// TestDates reads dates of files on a site in New York: their instant, the day that was written, and what is said of them.
func TestDates(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, front string
		published   string // RFC 3339; empty: the document is left out
		modified    string
		problems    []string // severity, line and a part of the message
	}{
		{"blog/a.md", "---\ndate: 2024-01-05\n---\n", "2024-01-05T00:00:00-05:00", "", nil},
		{"blog/a.md", "---\ndate: 2024-07-05 10:00:00\nlastmod: 2024-08-01\n---\n", "2024-07-05T10:00:00-04:00", "2024-08-01T00:00:00-04:00", nil},
		{"blog/a.md", "---\ndate: 2024-01-02T00:15:00+05:30\n---\n", "2024-01-02T00:15:00+05:30", "", nil},
		{"blog/a.md", "---\ndate: 2024-01-02 00:15:00 UTC\n---\n", "2024-01-02T00:15:00Z", "", nil},
		{"blog/a.md", "---\ndate: \"Jan 5, 2024\"\n---\n", "2024-01-05T00:00:00-05:00", "", nil},
		{"blog/a.md", "---\ndate: 2001-12-14 21:59:43.10 -5\n---\n", "2001-12-14T21:59:43.1-05:00", "", nil},
		{"blog/a.md", "---\ndate: 1729782245\n---\n", "2024-10-24T15:04:05Z", "", nil},
		{"blog/a.md", "+++\ndate = 2024-01-05\n+++\n", "2024-01-05T00:00:00-05:00", "", nil},
		{"blog/a.md", "+++\ndate = 2024-07-05T10:00:00\n+++\n", "2024-07-05T10:00:00-04:00", "", nil},
		{"blog/a.md", "+++\ndate = 2024-07-05T10:00:00+09:00\nupdated = 2024-07-06 01:00:00Z\n+++\n", "2024-07-05T10:00:00+09:00", "2024-07-06T01:00:00Z", nil},
		{"blog/a.md", "+++\ndate = \"2024-07-05 10:00 CEST\"\n+++\n", "2024-07-05T10:00:00+02:00", "", nil},
		{"blog/a.md", "{\"date\": \"2024-07-05T24:00\"}\n", "2024-07-06T00:00:00-04:00", "", nil},
		{"blog/a.md", "---\ndate: {\"$date\": \"2024-01-05T02:00:00Z\"}\n---\n", "2024-01-05T02:00:00Z", "", nil},
		{"blog/a.md", "---\ndate: {\"$date\": {\"$numberLong\": \"1704420000000\"}}\n---\n", "2024-01-04T21:00:00-05:00", "", nil},
		{"blog/2024-01-05-a.md", "---\ntitle: A\n---\n", "2024-01-05T00:00:00-05:00", "", nil},
		{"a.md", "---\npath: /2024/01/05/a/\n---\n", "2024-01-05T00:00:00-05:00", "", nil},
		// A document of a database has its instants, whose day is the site's.
		{"blogs/a.md", "---\ntitle: A\nslug: a\nstatus: published\npublishedAt: 2024-01-05T02:00:00Z\nmodifiedAt: \"2024-01-06T02:00:00Z\"\norigin: mongodb\n---\n",
			"2024-01-04T21:00:00-05:00", "2024-01-06T02:00:00Z", nil},
		// Zones that nobody knows.
		{"blog/a.md", "---\ntitle: A\ndate: 2024-01-05 10:00 XQT\n---\n", "2024-01-05T10:00:00-05:00", "", []string{"warning 3 XQT"}},
		{"blog/a.md", "---\ndate: 2024-01-05\nupdated: Fri, 05 Jan 2024 10:00:00 LMT\n---\n", "2024-01-05T00:00:00-05:00", "2024-01-05T10:00:00-05:00", []string{"warning 3 LMT"}},
		// Dates that cannot be read.
		{"blog/2017-03-01-a.md", "---\ntitle: A\ndate: 2017-02-29 11:00:00\n---\n", "2017-03-01T00:00:00-05:00", "", []string{"warning 3 2017-02-29"}},
		{"blog/2017-03-01-a/index.md", "---\ntitle: A\ndate: soon\n---\n", "2017-03-01T00:00:00-05:00", "", []string{"warning 3 soon"}},
		{"blog/2017-03-01-a.fr.md", "---\ndate: soon\n---\n", "2017-03-01T00:00:00-05:00", "", []string{"warning 2 soon"}},
		{"blog/a.md", "---\ndate: soon\nurl: /2017/03/01/a/\n---\n", "2017-03-01T00:00:00-05:00", "", []string{"warning 2 soon"}},
		{"blog/a.md", "---\ndate: soon\ncreated: 2017-03-01\n---\n", "2017-03-01T00:00:00-05:00", "", []string{"warning 2 another field"}},
		{"blog/a.md", "---\ntitle: A\ndate: soon\n---\n", "", "", []string{"error 3 soon"}},
		{"blog/a.md", "---\ndate: 3/4/2024\n---\n", "", "", []string{"error 2 which is the day"}},
		{"blog/a.md", "---\ndate: 2024-01-05\nexpires: someday\n---\n", "", "", []string{"error 3 someday"}},
		{"blog/a.md", "---\ndate: 2024-01-05\nlastmod: unknown\n---\n", "2024-01-05T00:00:00-05:00", "", []string{"warning 3 unknown"}},
		{"blog/a.md", "---\ndate: 2024-01-05\nlastUpdated: false\n---\n", "2024-01-05T00:00:00-05:00", "", []string{"warning 3 false"}},
		{"blog/a.md", "---\ndate: 0001-01-01T00:00:00Z\ncreated: 2024-01-05\n---\n", "2024-01-05T00:00:00-05:00", "", nil},
	} {
		t.Run(test.name+" "+test.front, func(t *testing.T) {
			dir, memo := t.TempDir(), newMapMemo()
			write(t, dir, test.name, []byte(test.front+"Text.\n"))
			for _, process := range []string{"first", "with the memo"} {
				s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir, Memo: memo, Zone: zone})
				if err != nil {
					t.Fatal(err)
				}
				ch := scan(t, s, nil)
				var m site.Meta
				for _, d := range ch.Put {
					if p := site.MetaOf(d); p != nil {
						m = *p
					}
				}
				if got := shownDate(m.Published); got != test.published {
					t.Errorf("%s: published %s, want %s", process, got, test.published)
				}
				if got := shownDate(m.Modified); got != test.modified {
					t.Errorf("%s: modified %s, want %s", process, got, test.modified)
				}
				wantProblems(t, process, ch.Problems, test.problems)
			}
		})
	}
}

// TestTimeZoneIsNoMemo reads files again when the site's time zone is another.
func TestTimeZoneIsNoMemo(t *testing.T) {
	dir, memo := t.TempDir(), newMapMemo()
	write(t, dir, "blog/a.md", []byte("---\ndate: 2024-01-05\n---\nText.\n"))
	for _, hours := range []int{0, 9, -5} {
		zone := time.FixedZone(fmt.Sprint(hours), hours*3600)
		s, err := contentdir.New(contentdir.Config{Summaries: summaries, Dir: dir, Memo: memo, Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		m := site.MetaOf(scan(t, s, nil).Put[0])
		if want := time.Date(2024, 1, 5, 0, 0, 0, 0, zone); !m.Published.Equal(want) || m.Published.Day() != 5 {
			t.Errorf("published %v, want %v", m.Published, want)
		}
	}
}

func shownDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// wantProblems compares problems with "severity line part of the message".
func wantProblems(t *testing.T, what string, got []diag.Problem, want []string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		place := fmt.Sprintf("%s %d ", got[i].Severity, got[i].Line)
		part, found := strings.CutPrefix(want[i], place)
		ok = ok && found && strings.Contains(got[i].Message, part)
	}
	if !ok {
		t.Errorf("%s: problems %v, want %q", what, got, want)
	}
}
