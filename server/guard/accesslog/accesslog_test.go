package accesslog_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"freshet/server/guard/accesslog"
)

func TestParse(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	client := netip.MustParseAddr("203.0.113.7")
	full := accesslog.Record{Time: at, Client: client, Method: "GET", Path: "/blog/x/", Status: 200, Referer: "https://example.com/", UserAgent: "curl/8.5.0"}
	plain := full
	plain.Referer, plain.UserAgent = "", ""
	with := func(r accesslog.Record, f func(*accesslog.Record)) accesslog.Record { f(&r); return r }
	for _, row := range []struct {
		name, line string
		want       accesslog.Record
	}{
		{"combined", `203.0.113.7 - - [01/Mar/2026:14:30:00 +0530] "GET /blog/x/?q=1 HTTP/1.1" 200 512 "https://example.com/" "curl/8.5.0"`, full},
		{"combined and more", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/x/ HTTP/2.0" 200 512 "https://example.com/" "curl/8.5.0" "198.51.100.1" rt=0.1`, with(full, func(r *accesslog.Record) { r.Forwarded = "198.51.100.1" })},
		{"common", `203.0.113.7 - asha [01/Mar/2026:09:00:00 +0000] "GET /blog/x/ HTTP/1.0" 200 -`, with(plain, func(r *accesslog.Record) { r.User = "asha" })},
		{"nothing of the client", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/x/ HTTP/1.0" 200 0 "-" "-"`, plain},
		{"quotes of Apache and nginx", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/x/ HTTP/1.0" 200 0 "-" "a \"b\" \x22c\x22 \\d"`,
			with(plain, func(r *accesslog.Record) { r.UserAgent = `a "b" "c" \d` })},
		{"percent", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/%e0%a4%97%2f%zz HTTP/1.0" 200 0`,
			with(plain, func(r *accesslog.Record) { r.Path = "/blog/%e0%a4%97%2f%zz" })},
		{"percent, sound", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/%e0%a4%97/ HTTP/1.0" 200 0`,
			with(plain, func(r *accesslog.Record) { r.Path = "/blog/ग/" })},
		{"absolute form", `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET http://example.com/blog/x/?a HTTP/1.1" 200 0`, plain},
		{"mapped address", `::ffff:203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET /blog/x/ HTTP/1.1" 200 0`, plain},
		{"freshet", `{"time":"2026-03-01T09:00:00Z","level":"INFO","msg":"request","request_id":"r1","method":"GET","path":"/blog/100%25/","status":200,"bytes":5,"addr":"203.0.113.7","client":"203.0.113.7","user_agent":"curl/8.5.0"}`,
			with(plain, func(r *accesslog.Record) { r.ID, r.Path, r.UserAgent = "r1", "/blog/100%25/", "curl/8.5.0" })},
		{"nginx", `{"time_iso8601":"2026-03-01T14:30:00+05:30","remote_addr":"203.0.113.7","request":"GET /blog/x/?a=b HTTP/1.1","status":"200","http_referer":"https://example.com/","http_user_agent":"curl/8.5.0"}`, full},
		{"Caddy", `{"level":"info","ts":1772355600.0,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1","client_ip":"203.0.113.7","method":"GET","uri":"/blog/x/?a","headers":{"User-Agent":["curl/8.5.0"],"Referer":["https://example.com/"]}},"status":200}`, full},
	} {
		got, err := accesslog.Parse(row.line)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if diff := cmp.Diff(row.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	for _, line := range []string{
		"", "nonsense", "{}", "{", `{"time":"x"}`, `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET / HTTP/1.0`,
		`nobody - - [01/Mar/2026:09:00:00 +0000] "GET / HTTP/1.0" 200 0`, `203.0.113.7 - - [yesterday] "GET / HTTP/1.0" 200 0`,
		`203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET / HTTP/1.0" ok 0`, `203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "GET / HTTP/1.0"`,
	} {
		if r, err := accesslog.Parse(line); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", line, r)
		}
	}
	for _, line := range []string{
		`{"time":"2026-03-01T09:00:00Z","level":"INFO","msg":"built"}`,
		`203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "\x16\x03\x01" 400 0`,
		`203.0.113.7 - - [01/Mar/2026:09:00:00 +0000] "OPTIONS * HTTP/1.1" 200 0`,
	} {
		if _, err := accesslog.Parse(line); !errors.Is(err, accesslog.ErrOther) {
			t.Errorf("Parse(%q) = %v, want ErrOther", line, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`203.0.113.7 - - [01/Mar/2026:14:30:00 +0530] "GET /blog/x/?q=1 HTTP/1.1" 200 512 "https://example.com/" "a \"b\" \x22"`)
	f.Add(`{"ts":1772355600.0,"request":{"remote_ip":"203.0.113.7","method":"GET","uri":"/","headers":{"User-Agent":["x"]}},"status":200}`)
	f.Add(`{"time":1e300,"addr":[],"status":-1}`)
	f.Fuzz(func(t *testing.T, line string) {
		r, err := accesslog.Parse(line)
		if err == nil && (!r.Client.IsValid() || r.Client.Is4In6() || r.Method == "" || r.Path == "" || r.Path[0] != '/' || r.Time.IsZero()) {
			t.Errorf("Parse(%q) = %+v", line, r)
		}
	})
}

// TestFormats checks the formats that servers are set up with: whom they name as the client, and whom the client's proxies do.
func TestFormats(t *testing.T) {
	const rest = `[01/Mar/2026:09:00:00 +0000] "GET /blog/rivers/?a=b HTTP/1.1" 200 5120 "https://a.example/" "Mozilla/5.0 (X11)"`
	for _, row := range []struct{ name, line, client, forwarded, user string }{
		{"combined", `203.0.113.7 - - ` + rest, "203.0.113.7", "", ""},
		{"main", `10.0.0.1 - - ` + rest + ` "203.0.113.7"`, "10.0.0.1", "203.0.113.7", ""},
		{"main, without", `203.0.113.7 - asha ` + rest + ` "-"`, "203.0.113.7", "", "asha"},
		{"main, several", `10.0.0.1 - - ` + rest + ` "1.1.1.1, 203.0.113.7, "`, "10.0.0.1", "1.1.1.1, 203.0.113.7, ", ""},
		{"main, IPv6", `::1 - - ` + rest + ` "2001:db8::7"`, "::1", "2001:db8::7", ""},
		{"main, nonsense", `10.0.0.1 - - ` + rest + ` "unknown"`, "10.0.0.1", "", ""},
		{"main, more behind it", `10.0.0.1 - - ` + rest + ` "203.0.113.7" 0.005 "gzip"`, "10.0.0.1", "203.0.113.7", ""},
		{"times before it", `10.0.0.1 - - ` + rest + ` rt=0.005 "freshet" "203.0.113.7"`, "10.0.0.1", "203.0.113.7", ""},
		{"vhost_combined", `rivers.example:443 203.0.113.7 - - ` + rest, "203.0.113.7", "", ""},
		{"vhost_combined, IPv6", `rivers.example:443 2001:db8::7 - asha ` + rest, "2001:db8::7", "", "asha"},
		{"vhost_combined of an address", `192.0.2.1:80 203.0.113.7 - - ` + rest, "203.0.113.7", "", ""},
		{"a host without a port", `rivers.example 203.0.113.7 - - ` + rest, "203.0.113.7", "", ""},
		{"vhost_combined with the proxy's client", `rivers.example:443 10.0.0.1 - - ` + rest + ` "203.0.113.7"`, "10.0.0.1", "203.0.113.7", ""},
		{"JSON", `{"time":"2026-03-01T09:00:00Z","remote_addr":"10.0.0.1","http_x_forwarded_for":"203.0.113.7","request":"GET /blog/rivers/ HTTP/1.1","status":200,"http_user_agent":"Mozilla/5.0 (X11)","http_referer":"https://a.example/"}`,
			"10.0.0.1", "203.0.113.7", ""},
		{"Caddy", `{"ts":1772355600,"msg":"handled request","request":{"remote_ip":"10.0.0.1","method":"GET","uri":"/blog/rivers/","headers":{"User-Agent":["Mozilla/5.0 (X11)"],"Referer":["https://a.example/"],"X-Forwarded-For":["203.0.113.7"]}},"status":200}`,
			"10.0.0.1", "203.0.113.7", ""},
	} {
		rec, err := accesslog.Parse(row.line)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if rec.Client.String() != row.client || rec.Forwarded != row.forwarded || rec.User != row.user || rec.Path != "/blog/rivers/" || rec.Status != 200 ||
			rec.UserAgent != "Mozilla/5.0 (X11)" || rec.Referer != "https://a.example/" || !rec.Time.Equal(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %+v", row.name, rec)
		}
	}
}
