package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/telemetry"
)

func record() *telemetry.Record {
	return &telemetry.Record{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC), Duration: 321 * time.Microsecond, ID: "k3v9q2m8x1c7b5n4z6l0",
		Method: "GET", Path: "/blog/rivers/", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		Status: 200, Bytes: 5512, Addr: netip.MustParseAddr("203.0.113.7"), Client: netip.MustParsePrefix("203.0.113.7/32"),
		Notes: []slog.Attr{slog.String("cache", "HIT"), slog.Uint64("generation", 7), slog.String("encoding", "br")},
	}
}

func TestAccessLog(t *testing.T) {
	refused := record()
	refused.Rule, refused.Status, refused.Notes = "limit:api", 429, []slog.Attr{slog.Bool("shadow", true), slog.Int("left", -1)}
	refused.Addr, refused.Client = netip.MustParseAddr("2001:db8::7"), netip.MustParsePrefix("2001:db8::/64")
	refused.Path, refused.UserAgent = "/a b\n\"c\"\\\xff\u2028é", ""
	bare := &telemetry.Record{Time: record().Time, Path: strings.Repeat("p", 600)}
	for _, row := range []struct {
		rec        *telemetry.Record
		json, text string
	}{
		{record(),
			`{"time":"2026-03-01T12:00:00.123456789Z","level":"INFO","msg":"request","part":"server","request_id":"k3v9q2m8x1c7b5n4z6l0","method":"GET","path":"/blog/rivers/","status":200,"bytes":5512,"duration_us":321,"addr":"203.0.113.7","client":"203.0.113.7","cache":"HIT","generation":7,"encoding":"br","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}`,
			`time=2026-03-01T12:00:00.123456789Z level=INFO msg=request part=server request_id=k3v9q2m8x1c7b5n4z6l0 method=GET path=/blog/rivers/ status=200 bytes=5512 duration_us=321 addr=203.0.113.7 client=203.0.113.7 cache=HIT generation=7 encoding=br user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"`},
		{refused,
			`{"time":"2026-03-01T12:00:00.123456789Z","level":"INFO","msg":"request","part":"server","request_id":"k3v9q2m8x1c7b5n4z6l0","method":"GET","path":"/a b\u000a\"c\"\\` + "\uFFFD" + `\u2028é","status":429,"bytes":5512,"duration_us":321,"addr":"2001:db8::7","client":"2001:db8::/64","rule":"limit:api","shadow":true,"left":-1}`,
			`time=2026-03-01T12:00:00.123456789Z level=INFO msg=request part=server request_id=k3v9q2m8x1c7b5n4z6l0 method=GET path="/a b\u000a\"c\"\\` + "\uFFFD" + `\u2028é" status=429 bytes=5512 duration_us=321 addr=2001:db8::7 client=2001:db8::/64 rule=limit:api shadow=true left=-1`},
		{bare,
			`{"time":"2026-03-01T12:00:00.123456789Z","level":"INFO","msg":"request","part":"server","request_id":"","method":"","path":"` + strings.Repeat("p", 512) + `…","status":0,"bytes":0,"duration_us":0}`,
			`time=2026-03-01T12:00:00.123456789Z level=INFO msg=request part=server request_id="" method="" path="` + strings.Repeat("p", 512) + `…" status=0 bytes=0 duration_us=0`},
	} {
		for text, want := range map[bool]string{false: row.json, true: row.text} {
			var out bytes.Buffer
			l := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out, Text: text})
			l.Log(row.rec)
			l.Flush()
			if got := out.String(); got != want+"\n" {
				t.Errorf("text %v:\n got %s want %s", text, got, want)
			}
		}
	}
}

// Whatever a client writes, a record is one line of sound JSON that says it.
func FuzzAccessLog(f *testing.F) {
	f.Add("/", "curl/8")
	f.Add("/\x00\x1f\x7f\u0085\u2028\xff\\\"", "\r\n{\"msg\":\"request\"}")
	f.Fuzz(func(t *testing.T, path, agent string) {
		if len(path) > 500 || len(agent) > 190 {
			return
		}
		r := record()
		r.Path, r.UserAgent = path, agent
		for _, text := range []bool{false, true} {
			var out bytes.Buffer
			l := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out, Text: text})
			l.Log(r)
			l.Flush()
			line, more := strings.CutSuffix(out.String(), "\n")
			if !more || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Fatalf("%q is not one line", out.String())
			}
			if text {
				continue
			}
			var got struct {
				Path  string `json:"path"`
				Agent string `json:"user_agent"`
			}
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if want := strings.ToValidUTF8(path, "\uFFFD"); len(got.Path) < len(want) || !strings.Contains(path, "\xff") && got.Path != string([]rune(path)) {
				t.Errorf("path %q came back as %q", path, got.Path)
			}
		}
	})
}

// What is logged is written within a second, and the rest when the log ends.
func TestAccessLogFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out locked
		l := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: &out})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.Run(ctx) })
		l.Log(record())
		if n := out.lines(); n != 0 {
			t.Errorf("%d lines at once: each record is written by itself", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := out.lines(); n != 1 {
			t.Errorf("%d lines after a second, want 1", n)
		}
		for range 1000 {
			l.Log(record())
		}
		synctest.Wait()
		if n := out.lines(); n < 2 {
			t.Error("64 KB of records wait for their time")
		}
		l.Log(record())
		cancel()
		wg.Wait()
		if n := out.lines(); n != 1002 {
			t.Errorf("%d lines at the end, want 1002", n)
		}
	})
}

type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *locked) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.buf.Bytes(), []byte("\n"))
}

// stuck is a log whose reader has stopped reading.
type stuck struct{ release chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.release
	return 0, errors.New("broken pipe")
}

// A log that is stuck loses records and counts them. It holds nobody up and memory stays bounded.
func TestStuckLog(t *testing.T) {
	s := stuck{make(chan struct{})}
	l := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: s})
	reg := prometheus.NewRegistry()
	l.Register(reg)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	for range 100_000 { // some 40 MB
		l.Log(record())
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n := families[0].GetMetric()[0].GetCounter().GetValue(); n < 50_000 || n > 99_000 {
		t.Errorf("%v of 100,000 records were dropped", n)
	}
	close(s.release)
	cancel()
	wg.Wait()
}

func TestDistinct(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	client := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	for _, n := range []int{0, 1, 10, 1000, 5000, 100_000} {
		d := telemetry.NewDistinct()
		for i := range n {
			for range 3 { // they come again
				d.Add(client(i), now.Add(time.Duration(i%50)*time.Second))
			}
		}
		got := d.Count(now.Add(50 * time.Second))
		if math.Abs(got-float64(n)) > 0.2*float64(n) { // six standard errors
			t.Errorf("Count of %d = %.0f", n, got)
		}
		if got := d.Count(now.Add(2 * time.Minute)); got != 0 {
			t.Errorf("Count of %d two minutes later = %.0f", n, got)
		}
	}
}

func TestRegistry(t *testing.T) {
	families, err := telemetry.NewRegistry().Gather()
	if err != nil || len(families) < 10 {
		t.Errorf("Gather = %d families, %v", len(families), err)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	l := telemetry.NewAccessLog(telemetry.AccessConfig{Writer: io.Discard})
	r := record()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		l.Log(r)
		if n++; n%200 == 0 {
			l.Flush()
		}
	}
}

func BenchmarkDistinct(b *testing.B) {
	d := telemetry.NewDistinct()
	now := time.Now()
	p := netip.MustParsePrefix("203.0.113.7/32")
	for b.Loop() {
		d.Add(p, now)
	}
}
