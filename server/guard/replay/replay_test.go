package replay_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"freshet/server/guard"
	"freshet/server/guard/replay"
)

var epoch = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// A logbook writes lines of the combined format.
type logbook struct{ strings.Builder }

func (l *logbook) line(at time.Time, client, request string, status int, agent string) {
	fmt.Fprintf(l, "%s - - [%s] \"%s HTTP/1.1\" %d 1234 \"-\" \"%s\"\n", client, at.Format("02/Jan/2006:15:04:05 -0700"), request, status, agent)
}

func TestSimulate(t *testing.T) {
	var l logbook
	for m := range 60 {
		at := epoch.Add(time.Duration(m) * time.Minute)
		for i := range 10 {
			l.line(at, fmt.Sprintf("198.51.100.%d", i), "GET /blog/rivers/", 200, chrome) // readers
		}
		for range 5 {
			l.line(at, "192.0.2.50", "GET /api/health", 200, "UptimeRobot/2.0")
		}
		for i := range 100 { // one who searches all day
			if m%10 < 3 {
				l.line(at.Add(time.Duration(i)*100*time.Millisecond), "203.0.113.7", fmt.Sprintf("GET /api/search?q=%d", i), 200, "python-requests/2.32")
			}
		}
		if m == 5 { // a school behind one address
			for i := range 130 {
				l.line(at, "203.0.113.99", "GET /api/courses", 200, fmt.Sprint(chrome, " v", i%5))
			}
		}
		if m == 6 {
			for range 60 {
				l.line(at, "66.249.66.1", "GET /api/blog", 200, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
			}
		}
	}
	l.WriteString("nonsense\n\n" + strings.Repeat("x", 100_000) + "\n")
	l.line(epoch.Add(time.Hour), "198.51.100.1", "GET /", 200, chrome)
	rep, err := replay.Simulate(t.Context(), guard.Config{}, strings.NewReader(l.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Skipped != 2 || rep.Requests != rep.Lines-3 || !rep.From.Equal(epoch) || !rep.To.Equal(epoch.Add(time.Hour)) {
		t.Errorf("%d lines, %d requests, %d skipped, from %s to %s", rep.Lines, rep.Requests, rep.Skipped, rep.From, rep.To)
	}
	got := map[string]string{}
	for _, h := range rep.Clients {
		got[h.Client] = fmt.Sprint(h.Refused > 0, !h.Banned.IsZero(), h.Browsers, h.False)
	}
	want := map[string]string{
		"203.0.113.7":  "true true 0 []",
		"203.0.113.99": "true false 5 [5 different browsers: people share the address]",
		"66.249.66.1":  "true false 0 [a search engine, by its published addresses]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clients: refused, banned, browsers, false (-want +got):\n%s", diff)
	}
	if rep.Clients[0].Client != "203.0.113.7" || rep.Clients[0].By["limit.search"] == 0 || rep.Clients[0].By["ban"] == 0 {
		t.Errorf("the most refused: %+v", rep.Clients[0])
	}
	// The report is a function of log and policy.
	again, err := replay.Simulate(t.Context(), guard.Config{}, strings.NewReader(l.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rep, again, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".agents" || p.Last().String() == ".reads" }, cmp.Ignore())); diff != "" {
		t.Errorf("a second run differs:\n%s", diff)
	}
	lenient, err := replay.Simulate(t.Context(), guard.Config{Shadow: []string{"limit"}}, strings.NewReader(l.String()), nil)
	if err != nil || lenient.Refused != 0 || len(lenient.Counts) == 0 {
		t.Errorf("only watched: %d refused, %v", lenient.Refused, err)
	}
	if empty, err := replay.Simulate(t.Context(), guard.Config{}, strings.NewReader(""), nil); err != nil || empty.Requests != 0 {
		t.Errorf("empty log: %+v, %v", empty, err)
	}
}

func FuzzSimulate(f *testing.F) {
	var l logbook
	l.line(epoch, "203.0.113.7", "GET /blog/?q=%22", 200, chrome)
	f.Add(l.String())
	f.Add(`{"time":"2026-03-01T09:00:00Z","addr":"203.0.113.7","method":"GET","path":"/","status":200}` + "\n")
	f.Fuzz(func(t *testing.T, log string) {
		rep, err := replay.Simulate(t.Context(), guard.Config{Clients: 8}, strings.NewReader(log), nil)
		if err == nil && rep.Requests+rep.Skipped > rep.Lines {
			t.Errorf("%d requests and %d skipped in %d lines", rep.Requests, rep.Skipped, rep.Lines)
		}
	})
}

// BenchmarkSimulate is 10,000 lines of a log.
func BenchmarkSimulate(b *testing.B) {
	var l logbook
	for i := range 10_000 {
		l.line(epoch.Add(time.Duration(i)*10*time.Millisecond), fmt.Sprintf("198.51.%d.%d", i%100, i%250), "GET /api/blog?status=published", 200, chrome)
	}
	log := l.String()
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if _, err := replay.Simulate(b.Context(), guard.Config{}, strings.NewReader(log), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// lineAt is a request of an access log.
func lineAt(at time.Time, client string) string {
	return fmt.Sprintf("%s - - [%s] \"GET /api/search?q=1 HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n", client, at.Format("02/Jan/2006:15:04:05 -0700"))
}

// TestOrder checks that a log whose lines are in another order gives the report of the one in order, also compressed and in parts, and
// that one which is too far out of order is refused with the line.
func TestOrder(t *testing.T) {
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var lines []string
	for i := range 2000 {
		lines = append(lines, lineAt(begin.Add(time.Duration(i)*time.Second/4), fmt.Sprintf("203.0.113.%d", i%7)))
	}
	simulate := func(log []byte) *replay.Report {
		t.Helper()
		rep, err := replay.Simulate(t.Context(), guard.Config{}, bytes.NewReader(log), nil)
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	want := simulate([]byte(strings.Join(lines, "")))
	if want.Refused == 0 || want.Requests != len(lines) {
		t.Fatalf("%d of %d requests refused: nothing to compare", want.Refused, want.Requests)
	}
	// Lines of one second stay in their order: the log has no finer time.
	rotated := strings.Join(append(slices.Clone(lines[1000:]), lines[:1000]...), "")
	var late []string
	for i := 0; i < len(lines); i += 40 {
		late = append(late, lines[min(i+20, len(lines)):min(i+40, len(lines))]...)
		late = append(late, lines[i:i+20]...)
	}
	var pressed bytes.Buffer
	for _, part := range []string{strings.Join(lines[:1000], ""), strings.Join(lines[1000:], "")} { // as cat joins compressed files
		z := gzip.NewWriter(&pressed)
		_, _ = z.Write([]byte(part))
		_ = z.Close()
	}
	for name, log := range map[string][]byte{"newer file first": []byte(rotated), "written in blocks": []byte(strings.Join(late, "")), "compressed": pressed.Bytes()} {
		if diff := cmp.Diff(want, simulate(log), cmpopts.IgnoreUnexported(replay.Hit{})); diff != "" {
			t.Errorf("%s: the report differs (-in order +):\n%s", name, diff)
		}
	}
	if _, err := replay.Simulate(t.Context(), guard.Config{}, bytes.NewReader(pressed.Bytes()[:pressed.Len()-20]), nil); err == nil {
		t.Error("a compressed log that is cut off is read without an error")
	}

	var long strings.Builder
	for i := range 100_001 {
		long.WriteString(lineAt(begin.Add(time.Duration(i)*time.Second), "203.0.113.7"))
	}
	long.WriteString(lineAt(begin.Add(-time.Hour), "203.0.113.7"))
	_, err := replay.Simulate(t.Context(), guard.Config{}, strings.NewReader(long.String()), nil)
	if e, ok := errors.AsType[*replay.OrderError](err); !ok || e.Line != 100_002 {
		t.Errorf("a log that is too far out of order: %v, want its line 100002", err)
	}
}
