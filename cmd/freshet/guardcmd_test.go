package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/explain"
	"freshet/internal/redisdb"
	"freshet/internal/site"
	"freshet/internal/testenv"
	"freshet/revalidator"
	"freshet/server/admin"
	"freshet/server/desk"
	"freshet/server/guard"
	"freshet/server/guard/bans"
)

// hostile is what a stranger writes to an operator's terminal: its title, an empty screen, a row of his own, an 8-bit escape, and
// an order of writing that hides what follows.
const hostile = "x\x1b]0;pwned\x07\x1b[2J\nFORGED\r\v\f\t\u009b2J\u202e\u2028y\xff"

// moves finds what does something to a terminal other than to show a character or to end a line.
var moves = regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2028}]|(?m:^FORGED)`)

// TestHostileText: no command for people prints what others wrote as it is.
func TestHostileText(t *testing.T) {
	now := time.Now()
	list := []admin.Ban{{Client: netip.MustParsePrefix("203.0.113.7/32"), Scope: hostile, Until: now, Since: now, Reason: hostile, By: hostile}}
	decision := admin.Decision{ID: hostile, At: now, Client: hostile, Method: hostile, Path: hostile, Rule: hostile, Class: hostile, Status: 403, Bot: hostile, Reason: hostile}
	answers := map[string]any{
		"GET /bans": list, "POST /bans": list[0],
		"GET /switches":     []admin.Switch{{Name: hostile, State: hostile, Reason: hostile, By: hostile, Why: hostile}},
		"GET /refusals/4f2": decision,
		"GET /explain": admin.Explanation{
			Client: hostile, Class: hostile, Rule: hostile, Status: 403, Reason: hostile, Bot: hostile,
			Ban:    &admin.ClientBan{Prefix: list[0].Client, By: hostile, Reason: hostile},
			Quotas: []admin.ClassQuota{{Class: hostile}}, Refusals: []admin.Decision{decision, decision},
		},
		"DELETE /bans/203.0.113.7": map[string]string{"error": hostile},
	}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
		_ = json.NewEncoder(w).Encode(answers[r.Method+" "+r.URL.Path]) // who has gone needs no answer
	}))
	defer listener.Close()
	t.Chdir(t.TempDir())
	check := func(what, text string) {
		t.Helper()
		if at := moves.FindStringIndex(text); at != nil || !strings.Contains(text, "x?]0;pwned??[2J?FORGED") {
			t.Errorf("freshet %s prints %q", what, text)
		}
	}
	for _, args := range []string{"guard list", "guard ban 203.0.113.7", "guard switch", "guard explain 4f2", "guard explain 203.0.113.7", "guard unban 203.0.113.7"} {
		var stdout, stderr bytes.Buffer
		run(t.Context(), append(strings.Fields(args), "--admin", listener.Listener.Addr().String()), nil, &stdout, &stderr)
		check(args, stdout.String()+stderr.String())
	}
	var out bytes.Buffer
	write := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write((&explain.Page{
		Path: hostile, Status: 200, Type: hostile, Template: hostile, Documents: []explain.Document{{ID: hostile}, {ID: hostile}}, Keys: []string{hostile}, Cause: hostile, Event: hostile, File: hostile,
	}).Write(&out))
	write((&explain.Page{Path: hostile, Status: 301, Location: hostile}).Write(&out))
	check("explain", out.String())
	out.Reset()
	write((&explain.Reason{Document: hostile, Reason: hostile, Remedy: hostile}).Write(&out))
	write((&explain.Reason{Document: hostile}).Write(&out))
	write((&explain.Reason{Document: hostile, Pages: []site.Path{hostile}}).Write(&out))
	check("explain --why-not", out.String())
	out.Reset()
	write(desk.WriteGenerations(&out, []admin.Generation{{Cause: hostile}}))
	check("log", out.String())
	out.Reset()
	write((&revalidator.Job{State: revalidator.Done, Pages: []revalidator.PageChange{{Path: hostile}}}).Write(&out))
	check("revalidate", out.String())
	check("revalidate --wait", leftOut([]site.Skip{{ID: hostile}}).Error())
}

// TestNothingThere: what an operator names and is not there has a hint of its kind; a switch that is none is a misuse.
func TestNothingThere(t *testing.T) {
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"not there"}`)) // who has gone needs no answer
	}))
	defer desk.Close()
	t.Chdir(t.TempDir())
	for _, row := range []struct {
		args string
		code int
		hint string
	}{
		{"guard switch pages off", exitMisuse, "freshet guard switch shows the switches"},
		{"guard explain nosuchid", exitFailed, "its last 4,096 refusals"},
		{"guard unban 203.0.113.7", exitFailed, "freshet guard list shows the bans"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append(strings.Fields(row.args), "--admin", desk.Listener.Addr().String()), nil, &stdout, &stderr)
		if code != row.code || !strings.Contains(stderr.String(), row.hint) {
			t.Errorf("freshet %s exits %d with %q, want %d and the hint %q", row.args, code, stderr.String(), row.code, row.hint)
		}
	}
}

// TestUnbanTold: who lifts a ban is told whether there was one, and whether other servers hear of it: at once, when Redis is
// back, or not at all.
func TestUnbanTold(t *testing.T) {
	redis := testenv.NewRedis(t)
	open := func(shares bool) (*guard.Guard, string) {
		var cfg guard.Config
		ctx, stop := context.WithCancel(context.Background())
		if shares {
			db, err := redisdb.New(redisdb.Config{URL: redisdb.URL(redis.URL())})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			cfg.Ledger = db.Ledger()
		}
		g, err := guard.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		s, err := admin.New(admin.Config{Metrics: prometheus.NewRegistry(), Loopback: true, Bans: &desk.Guard{Guard: g}})
		if err != nil {
			t.Fatal(err)
		}
		desk := httptest.NewServer(s.Handler())
		t.Cleanup(desk.Close)
		return g, desk.Listener.Addr().String()
	}
	a, atA := open(true)
	b, atB := open(true)
	alone, atAlone := open(false)
	t.Chdir(t.TempDir())
	unban := func(at string, exit int, want string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"guard", "unban", "203.0.113.7", "--admin", at}, args...), nil, &stdout, &stderr)
		if text := stdout.String() + stderr.String(); code != exit || !strings.Contains(text, want) {
			t.Errorf("guard unban ends with %d and says\n%s\nwant %d and %q", code, text, exit, want)
		}
	}
	ban := func(g *guard.Guard) {
		t.Helper()
		if _, err := g.Ban(netip.MustParsePrefix("203.0.113.7/32"), bans.All, time.Time{}, "asha", "", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now
	until(t, 10*time.Second, "both share", func() bool { return a.Stats(now()).Shared && b.Stats(now()).Shared })
	ban(a)
	// Whether or not it has heard of it yet, it tells.
	unban(atB, exitDone, "other servers are told to lift theirs\n")
	until(t, 10*time.Second, "it is lifted where it was made", func() bool { return len(a.Bans(now())) == 0 })
	unban(atA, exitDone, "there is no ban on 203.0.113.7 here; other servers are told to lift theirs\n")
	unban(atA, exitDone, `"known": false`, "--json")
	ban(a)
	unban(atA, exitDone, "203.0.113.7 is no longer banned; other servers are told to lift theirs\n")

	ban(a)
	until(t, 10*time.Second, "the other knows of it", func() bool { return len(b.Bans(now())) == 1 })
	redis.Kill()
	until(t, 10*time.Second, "it is noticed", func() bool { return !a.Stats(now()).Shared && !b.Stats(now()).Shared })
	unban(atB, exitDone, "203.0.113.7 is no longer banned; other servers are told to lift theirs when Redis is back\n")
	unban(atB, exitDone, "there is no ban on 203.0.113.7 here; other servers are told to lift theirs when Redis is back\n")
	redis.Start()
	until(t, 10*time.Second, "it is lifted where it was made", func() bool { return len(a.Bans(now())) == 0 })

	ban(alone)
	unban(atAlone, exitDone, "203.0.113.7 is no longer banned\n")
	unban(atAlone, exitFailed, "there is no ban on that client")
}
