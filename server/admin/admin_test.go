package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"freshet/internal/telemetry"
	"freshet/server/admin"
)

const token = "0123456789abcdef0123"

// A desk keeps bans and switches in memory.
type desk struct {
	bans     map[netip.Prefix]admin.Ban
	switches []admin.Switch
	broken   bool
	others   string // what Unban says of them
}

func newDesk() *desk {
	return &desk{bans: map[netip.Prefix]admin.Ban{}, switches: []admin.Switch{{Name: "kill:pages", State: "off", States: []string{"off", "on"}}}}
}

func (d *desk) Bans() (list []admin.Ban) {
	for _, b := range d.bans {
		list = append(list, b)
	}
	return list
}

func (d *desk) Ban(b admin.Ban) error {
	if d.broken {
		return errors.New("dial 10.0.0.1: refused")
	}
	d.bans[b.Client] = b
	return nil
}

func (d *desk) Unban(client netip.Prefix, _ string) admin.Lifted {
	_, ok := d.bans[client]
	delete(d.bans, client)
	return admin.Lifted{Client: client, Known: ok, Others: d.others}
}

func (d *desk) Switches() []admin.Switch { return d.switches }

func (d *desk) Turn(s admin.Switch) error {
	d.switches[0] = s
	return nil
}

func newServer(t *testing.T, cfg admin.Config) http.Handler {
	t.Helper()
	if cfg.Metrics == nil {
		cfg.Metrics = telemetry.NewRegistry()
	}
	s, err := admin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:9090"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		cfg  admin.Config
		want string
	}{
		{admin.Config{Loopback: true}, "Metrics"},
		{admin.Config{Metrics: telemetry.NewRegistry()}, "Token"},
	} {
		if _, err := admin.New(row.cfg); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("New = %v, want an error about %s", err, row.want)
		}
	}
}

func TestWhoIsLetIn(t *testing.T) {
	d := newDesk()
	withToken := newServer(t, admin.Config{Token: token, Bans: d, Switches: d})
	local := newServer(t, admin.Config{Loopback: true, Bans: d, Switches: d})
	for _, target := range []string{"/", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/bans", "/switches", "/nothing"} {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + token, "Bearer " + token[1:], "Bearer " + token + "x", token} {
			res := ask(withToken, "GET", target, "", "Authorization", auth)
			if res.Code != 401 || res.Header().Get("Www-Authenticate") == "" || strings.Contains(res.Body.String(), token) {
				t.Errorf("GET %s with Authorization %q: %d, want 401", target, auth, res.Code)
			}
		}
		want := 200
		if target == "/nothing" {
			want = 404
		}
		for _, host := range []string{"ops.example", "localhost"} {
			if res := ask(withToken, "GET", target, "", "Authorization", "bearer "+token, "Host", host); res.Code != want {
				t.Errorf("GET %s with the token: %d, want %d", target, res.Code, want)
			}
		}
		for host, ok := range map[string]bool{"localhost:9090": true, "127.0.0.1:9090": true, "[::1]:9090": true, "evil.example:9090": false, "": false} {
			res := ask(local, "GET", target, "", "Host", host)
			if got := res.Code == want; got != ok {
				t.Errorf("GET %s for host %q on loopback: %d", target, host, res.Code)
			}
			if res.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("GET %s: %v", target, res.Header())
			}
		}
	}
	// A page in an operator's browser can change nothing.
	if res := ask(local, "POST", "/bans", `{"client":"203.0.113.7"}`, "Sec-Fetch-Site", "cross-site"); res.Code != 403 || len(d.bans) != 0 {
		t.Errorf("a POST from another site: %d", res.Code)
	}
}

func TestBans(t *testing.T) {
	d := newDesk()
	h := newServer(t, admin.Config{Loopback: true, Bans: d})
	if res := ask(h, "GET", "/bans", ""); res.Body.String() != "[]\n" {
		t.Errorf("no bans: %s", res.Body)
	}
	for _, row := range []struct {
		body   string
		code   int
		client string
		stands time.Duration
	}{
		{`{"client":"203.0.113.7","for":"1h","reason":"scraping","by":"asha"}`, 201, "203.0.113.7/32", time.Hour},
		{`{"client":"203.0.113.7"}`, 201, "203.0.113.7/32", 24 * time.Hour},
		{`{"client":"2001:db8::7"}`, 201, "2001:db8::/64", 24 * time.Hour},
		{`{"client":"198.51.100.9/24"}`, 201, "198.51.100.0/24", 24 * time.Hour},
		{`{"client":"2001:db8::7/128"}`, 201, "2001:db8::/64", 24 * time.Hour},
		{`{"client":"2001:db8::7:0/112"}`, 201, "2001:db8::/64", 24 * time.Hour},
		{`{"client":"2001:db8:1:2::/48"}`, 201, "2001:db8:1::/48", 24 * time.Hour},
		{`{"client":"::ffff:198.51.100.0/120"}`, 201, "198.51.100.0/24", 24 * time.Hour},
		{`{"client":"::ffff:203.0.113.7"}`, 201, "203.0.113.7/32", 24 * time.Hour},
		{`{"client":"fe80::1%eth0"}`, 201, "fe80::/64", 24 * time.Hour},
		{`{"client":"::ffff:0.0.0.0/96"}`, 400, "", 0},
		{`{"client":"::ffff:0.0.0.0/90"}`, 400, "", 0},
		{`{"client":"203.0.113.7/32?x=1"}`, 400, "", 0},
		{`{"client":"203.0.113.7","scope":"all"}`, 201, "203.0.113.7/32", 24 * time.Hour},
		{`{"client":"203.0.113.7","scope":"pages"}`, 400, "", 0},
		{`{"client":"0.0.0.0/0"}`, 400, "", 0},
		{`{"client":"everybody"}`, 400, "", 0},
		{`{"client":"203.0.113.7","for":"-1h"}`, 400, "", 0},
		{`{"client":"203.0.113.7","for":"9000000h"}`, 400, "", 0},
		{`{"client":"203.0.113.7","for":3600}`, 400, "", 0},
		{`{"client":"203.0.113.7","until":"never"}`, 400, "", 0},
		{`{"client":"203.0.113.7","reason":"` + strings.Repeat("x", 300) + `"}`, 400, "", 0},
		{strings.Repeat(" ", 5<<10) + `{}`, 400, "", 0},
		{``, 400, "", 0},
	} {
		clear(d.bans)
		res := ask(h, "POST", "/bans", row.body)
		if res.Code != row.code {
			t.Errorf("POST %.60s: %d %s, want %d", row.body, res.Code, res.Body, row.code)
		}
		if row.client == "" {
			if len(d.bans) > 0 {
				t.Errorf("POST %.60s: banned %v", row.body, d.bans)
			}
			continue
		}
		b, ok := d.bans[netip.MustParsePrefix(row.client)]
		if !ok || b.Until.Sub(b.Since) != row.stands || b.By == "" || (b.Scope == "all") != strings.Contains(row.body, "all") {
			t.Errorf("POST %s: bans %+v", row.body, d.bans)
		}
		var told admin.Ban
		if err := json.Unmarshal(res.Body.Bytes(), &told); err != nil || told.Client.String() != row.client {
			t.Errorf("POST %s tells of a ban on %v, %v; want %s", row.body, told.Client, err, row.client)
		}
		var asked struct{ Client string }
		if err := json.Unmarshal([]byte(row.body), &asked); err != nil {
			t.Fatal(err)
		}
		address := url.PathEscape(asked.Client) // as it was named
		var lifted admin.Lifted
		res = ask(h, "DELETE", "/bans/"+address, "")
		if err := json.Unmarshal(res.Body.Bytes(), &lifted); err != nil || res.Code != 200 || lifted.Client.String() != row.client || !lifted.Known || len(d.bans) != 0 {
			t.Errorf("DELETE %s: %d %s, bans %v", address, res.Code, res.Body, d.bans)
		}
		if res := ask(h, "DELETE", "/bans/"+address, ""); res.Code != 404 {
			t.Errorf("DELETE %s again: %d, want 404", address, res.Code)
		}
	}
	// Where other servers are told, that there is no ban here is no error.
	for _, d.others = range []string{admin.TellOthers, admin.TellOthersLater} {
		d.bans[netip.MustParsePrefix("203.0.113.7/32")] = admin.Ban{}
		for _, known := range []bool{true, false} {
			want := admin.Lifted{Client: netip.MustParsePrefix("203.0.113.7/32"), Known: known, Others: d.others}
			status := map[bool]int{true: 200, false: 202}[known]
			var lifted admin.Lifted
			res := ask(h, "DELETE", "/bans/203.0.113.7", "")
			if err := json.Unmarshal(res.Body.Bytes(), &lifted); err != nil || res.Code != status || lifted != want {
				t.Errorf("DELETE of a ban that is known here %v: %d %s, want %d %+v", known, res.Code, res.Body, status, want)
			}
		}
		if res := ask(h, "DELETE", "/bans/nobody", ""); res.Code != 400 {
			t.Errorf("DELETE of nobody's ban: %d, want 400", res.Code)
		}
	}
	d.broken = true
	res := ask(h, "POST", "/bans", `{"client":"203.0.113.7"}`)
	if res.Code != 500 || strings.Contains(res.Body.String(), "10.0.0.1") {
		t.Errorf("a ban that cannot be kept: %d %s", res.Code, res.Body)
	}
}

func TestSwitches(t *testing.T) {
	d := newDesk()
	h := newServer(t, admin.Config{Loopback: true, Switches: d})
	for _, row := range []struct {
		name, body string
		code       int
		state      string
		expires    bool
	}{
		{"kill:pages", `{"state":"on","for":"30m","by":"asha"}`, 200, "on", true},
		{"kill:pages", `{"state":"off"}`, 200, "off", false},
		{"kill:pages", `{"state":"maybe"}`, 400, "off", false},
		{"kill:pages", `{}`, 400, "off", false},
		{"kill:everything", `{"state":"on"}`, 404, "off", false},
	} {
		res := ask(h, "PUT", "/switches/"+row.name, row.body)
		got := d.switches[0]
		if res.Code == 404 && !strings.Contains(res.Body.String(), "kill:pages") {
			t.Errorf("PUT %s tells no name that there is: %s", row.name, res.Body)
		}
		if res.Code != row.code || got.State != row.state || (got.Until != nil) != row.expires {
			t.Errorf("PUT %s %s: %d, switch %+v", row.name, row.body, res.Code, got)
		}
	}
	var list []admin.Switch
	if err := json.Unmarshal(ask(h, "GET", "/switches", "").Body.Bytes(), &list); err != nil || len(list) != 1 {
		t.Errorf("GET /switches = %v, %v", list, err)
	}
}

func TestGenerations(t *testing.T) {
	h := newServer(t, admin.Config{
		Loopback: true, Generations: func(limit int) ([]admin.Generation, error) { return make([]admin.Generation, limit), nil }, Status: func() admin.Status { return admin.Status{Ready: true} },
	})
	for query, want := range map[string]int{"": 20, "?limit=3": 3} {
		var got []admin.Generation
		if err := json.Unmarshal(ask(h, "GET", "/generations"+query, "").Body.Bytes(), &got); err != nil || len(got) != want {
			t.Errorf("GET /generations%s lists %d, %v; want %d", query, len(got), err, want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=1001"} {
		if res := ask(h, "GET", "/generations"+query, ""); res.Code != 400 {
			t.Errorf("GET /generations%s = %d, want 400", query, res.Code)
		}
	}
	if got := ask(h, "GET", "/", "").Body.String(); !strings.Contains(got, `"ready": true`) || strings.Contains(got, "bans") {
		t.Errorf("GET / = %s", got)
	}
	for _, target := range []string{"/bans", "/switches"} {
		if res := ask(h, "GET", target, ""); res.Code != 404 {
			t.Errorf("GET %s, which is not there: %d", target, res.Code)
		}
	}
}

// A tale is a witness that was asked.
type tale struct{ asked admin.Question }

func (w *tale) Decisions(most int) []admin.Decision { return make([]admin.Decision, most) }

func (w *tale) Decision(id string) (admin.Decision, bool) {
	return admin.Decision{ID: id}, id == "known"
}

func (w *tale) Explain(q admin.Question) admin.Explanation {
	w.asked = q
	return admin.Explanation{Rule: "so"}
}

func (w *tale) Audit() []admin.Entry { return []admin.Entry{{Action: "ban"}} }

func TestWitness(t *testing.T) {
	w := new(tale)
	h := newServer(t, admin.Config{Loopback: true, Witness: w})
	for _, row := range []struct {
		target string
		code   int
		part   string
		times  int
	}{
		{"/refusals", 200, `"id"`, 20}, {"/refusals?limit=3", 200, `"id"`, 3}, {"/refusals?limit=0", 400, "", 0},
		{"/refusals/known", 200, `"id": "known"`, 1}, {"/refusals/other", 404, "", 0},
		{"/explain?client=203.0.113.7", 200, `"rule": "so"`, 1}, {"/explain", 400, "", 0}, {"/explain?client=x", 400, "", 0},
		{"/explain?client=203.0.113.7&path=blog", 400, "", 0},
		{"/explain?client=::ffff:203.0.113.7&method=POST&path=/api/blog&user_agent=curl/8", 200, `"rule": "so"`, 1},
		{"/audit", 200, `"action": "ban"`, 1},
	} {
		res := ask(h, "GET", row.target, "")
		if res.Code != row.code || row.part != "" && strings.Count(res.Body.String(), row.part) != row.times {
			t.Errorf("GET %s = %d %s, want %d with %d times %s", row.target, res.Code, res.Body, row.code, row.times, row.part)
		}
	}
	if want := (admin.Question{Client: netip.MustParseAddr("203.0.113.7"), Method: "POST", Path: "/api/blog", UserAgent: "curl/8"}); w.asked != want {
		t.Errorf("the witness was asked %+v, want %+v", w.asked, want)
	}
}

func TestRun(t *testing.T) {
	s, err := admin.New(admin.Config{Metrics: telemetry.NewRegistry(), Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx, ln) }()
	late, err := net.Dial("tcp", ln.Addr().String()) // it is accepted before the next one
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	res, err := http.Get(fmt.Sprintf("http://%s/metrics", ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	malformed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer malformed.Close()
	if _, err := io.WriteString(malformed, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(malformed), nil); err != nil || res.StatusCode != 400 {
		t.Errorf("a malformed request gets %v, %v, want 400", res, err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("GET /metrics = %d %.200s", res.StatusCode, body)
	}
	cancel()
	for err == nil { // until the listener is closed
		var c net.Conn
		if c, err = net.Dial("tcp", ln.Addr().String()); err == nil {
			c.Close()
		}
	}
	if _, err := io.WriteString(late, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(late), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("a connection from before the end gets %v, %v", res, err)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
}
