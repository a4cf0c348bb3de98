package guard_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/traffic"
)

// pour sends so many requests a second for so many seconds, spread evenly, from as many clients.
func (r *rig) pour(perSecond, secs int, path string) {
	f := r.facts("203.0.113.7", "GET", path)
	for range secs {
		for i := range perSecond {
			f.Now = r.now.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
			f.Client = addr(uint32(i))
			r.Decide(&f)
		}
		r.wait(time.Second)
	}
}

// TestHighTraffic is SEED.md's: above 500 requests a second, on average over five seconds.
func TestHighTraffic(t *testing.T) {
	r := newRig(t, guard.Config{})
	on := func() bool { on, _ := r.HighTraffic(r.now); return on }
	r.pour(500, 10, "/api/courses")
	if on() {
		t.Fatal("on at 500 a second")
	}
	r.wait(time.Minute)
	r.pour(625, 4, "/api/courses")
	if on() {
		t.Fatal("on at 2,500 in five seconds, which is 500 a second")
	}
	r.pour(1, 1, "/api/courses")
	if !on() {
		_, rate := r.HighTraffic(r.now)
		t.Fatalf("off at %v a second", rate)
	}
	r.pour(450, 90, "/api/courses")
	if !on() {
		t.Error("left at 450 a second, which is above 400")
	}
	r.pour(399, 60, "/api/courses")
	if !on() {
		t.Error("left before a minute below 400 a second")
	}
	r.pour(399, 6, "/api/courses")
	if on() {
		t.Error("still on after a minute below 400 a second")
	}
	if s := r.Stats(r.now); s.Entered != 1 {
		t.Errorf("Entered = %d, want 1", s.Entered)
	}

	// The site's normal peak is in built pages: they do not count, unless all do.
	r = newRig(t, guard.Config{})
	r.pour(1333, 10, "/blog/rivers/")
	if on() {
		t.Error("on for built pages")
	}
	r = newRig(t, guard.Config{HighTraffic: guard.TrafficConfig{CountAll: true}})
	r.pour(1333, 10, "/blog/rivers/")
	if !on() {
		t.Error("off for built pages that count")
	}
	r.wait(2 * time.Minute) // nobody comes
	if on() {
		t.Error("on after two minutes without anybody")
	}
}

// TestHighTrafficSteps: what high-traffic mode does, each with its own switch.
func TestHighTrafficSteps(t *testing.T) {
	type step struct {
		method, path string
		want         string
		stale        bool
	}
	for _, row := range []struct {
		name  string
		cfg   guard.TrafficConfig
		steps []step
	}{
		{"off", guard.TrafficConfig{}, []step{
			{"DELETE", "/api/blog/x", "none 0 blog", false}, {"PATCH", "/api/blog", "none 0 blog", false}, {"GET", "/api/blog", "none 0 blog", false},
		}},
		{"on", guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}}, []step{
			{"DELETE", "/api/blog/x", "deletes 503 blog", false},
			{"DELETE", "/api/courses", "deletes 503 api", false},
			{"PATCH", "/api/blog", "batches 503 blog", false},
			{"PUT", "/api/courses/", "batches 503 api", false},
			{"POST", "/api/blog/batch", "batches 503 blog", false},
			{"PUT", "/api/blog/x", "none 0 blog", false},
			{"POST", "/api/blog", "none 0 blog", false},
			{"POST", "/api/auth/login", "none 0 auth", false},
			{"POST", "/api/revalidate", "none 0 webhook", false},
			{"GET", "/api/blog", "none 0 blog", true},
			{"GET", "/blog/rivers/", "none 0 page", false},
		}},
		{"deletes allowed", guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}, AllowDeletes: true}, []step{
			{"DELETE", "/api/blog/x", "none 0 blog", false}, {"PATCH", "/api/blog", "batches 503 blog", false},
		}},
		{"batches allowed", guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}, AllowBatches: true}, []step{
			{"DELETE", "/api/blog/x", "deletes 503 blog", false}, {"PATCH", "/api/blog", "none 0 blog", false},
		}},
		{"nothing stale", guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}, NoStale: true}, []step{{"GET", "/api/blog", "none 0 blog", false}}},
	} {
		r := newRig(t, guard.Config{HighTraffic: row.cfg, Allow: []string{"192.0.2.1"}})
		for _, s := range row.steps {
			if v := r.ask("203.0.113.7", s.method, s.path); said(v) != s.want || v.Stale != s.stale {
				t.Errorf("%s: %s %s: %s, stale %v; want %s, %v", row.name, s.method, s.path, said(v), v.Stale, s.want, s.stale)
			}
		}
	}
	// It is the database that is protected, so the allow list does not help.
	r := newRig(t, guard.Config{HighTraffic: guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}}, Allow: []string{"192.0.2.1"}})
	if v := r.ask("192.0.2.1", "DELETE", "/api/blog/x"); v.Rule != guard.RuleDeletes || v.RetryAfter != time.Minute {
		t.Errorf("allow list: %s for %s, want deletes for a minute", said(v), v.RetryAfter)
	}
}

func TestTrafficByHand(t *testing.T) {
	r := newRig(t, guard.Config{})
	del := func() bool { v := r.ask("203.0.113.7", "DELETE", "/api/blog/x"); return v.Allowed() }
	if err := r.SetTraffic(traffic.Override{Mode: traffic.On, By: "asha", Until: r.now.Add(10 * time.Minute)}, r.now); err != nil {
		t.Error(err)
	}
	if del() {
		t.Error("switched on: DELETE passes")
	}
	r.wait(10 * time.Minute)
	if !del() {
		t.Error("expired: DELETE is refused")
	}
	r = newRig(t, guard.Config{HighTraffic: guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}}})
	if err := r.SetTraffic(traffic.Override{Mode: traffic.Never, By: "asha"}, r.now); err != nil {
		t.Error(err)
	}
	if !del() {
		t.Error("switched off: DELETE is refused")
	}
	if err := r.SetTraffic(traffic.Override{Mode: traffic.Settings, By: "asha"}, r.now); err != nil || r.Traffic(r.now) != nil || del() {
		t.Errorf("given back to the settings, which say true: %v, %v; or DELETE passes", err, r.Traffic(r.now))
	}
	if err := r.SetTraffic(traffic.Override{Mode: traffic.Never}, r.now); err == nil {
		t.Error("nobody has set the mode, and there is no error")
	}
	r = newRig(t, guard.Config{})
	r.SetBreaker(true)
	if del() {
		t.Error("the breaker is open: DELETE passes")
	}
	if v := r.ask("203.0.113.7", "GET", "/api/blog"); !v.Stale {
		t.Error("the breaker is open: old data is not asked for")
	}
	r.SetBreaker(false)
	if !del() {
		t.Error("the breaker is closed: DELETE is refused")
	}
}

// TestBreakerFollowed: a guard that runs asks Config.Breaker at once, and then every second.
func TestBreakerFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Bool
		open.Store(true)
		g, err := guard.New(guard.Config{Breaker: open.Load})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Run(ctx) }()
		passes := func() bool {
			synctest.Wait()
			v := g.Decide(&guard.Facts{Now: time.Now(), Client: netip.MustParseAddr("203.0.113.7"), Method: "DELETE", Path: "/api/blog/x", SignedIn: true})
			return v.Allowed()
		}
		if passes() {
			t.Error("the breaker is open: DELETE passes")
		}
		open.Store(false)
		time.Sleep(time.Second)
		if !passes() {
			t.Error("the breaker is closed: DELETE is refused")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestFileFor: servers of one state folder have a file each, and a server that cannot find its file again has none.
func TestFileFor(t *testing.T) {
	for _, row := range []struct{ state, listen, want string }{
		{"s", ":8080", filepath.Join("s", "guard-8080")},
		{"s", "127.0.0.1:8080", filepath.Join("s", "guard-127.0.0.1-8080")},
		{"s", "[::1]:8080", filepath.Join("s", "guard-1-8080")},
		{"s", "[fe80::1%eth0]:8080", filepath.Join("s", "guard-fe80--1-eth0-8080")},
		{"s", ":0", ""}, {"s", "8080", ""}, {"", ":8080", ""},
	} {
		if got := guard.FileFor(row.state, row.listen); got != row.want {
			t.Errorf("FileFor(%q, %q) = %q, want %q", row.state, row.listen, got, row.want)
		}
	}
}

// TestAggressive: in high-traffic mode going on regardless counts every ten seconds, so three of them are a ban.
func TestAggressive(t *testing.T) {
	hammer := func(cfg guard.TrafficConfig) (banned time.Duration) {
		r := newRig(t, guard.Config{HighTraffic: cfg})
		for range 60 {
			for range 200 {
				if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Rule == guard.RuleBan {
					return r.now.Sub(epoch)
				}
			}
			r.wait(time.Second)
		}
		return 0
	}
	if at := hammer(guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}}); at != 20*time.Second {
		t.Errorf("banned after %s, want 20s", at)
	}
	if at := hammer(guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}, MildBans: true}); at != 0 && at < 25*time.Second {
		t.Errorf("mild bans: banned after %s", at)
	}
	// Who waits when told to is not aggressive.
	r := newRig(t, guard.Config{HighTraffic: guard.TrafficConfig{Config: traffic.Config{Mode: traffic.On}}})
	for range 600 {
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Rule == guard.RuleBan {
			t.Fatal("banned")
		} else if !v.Allowed() {
			r.wait(v.RetryAfter)
		}
	}
}

// TestShedding: writes go first, then search and sign-in, then reads of the API; never pages, probes and webhooks.
func TestShedding(t *testing.T) {
	r := newRig(t, guard.Config{})
	asks := []string{"POST /api/blog/x/comments", "GET /api/search", "POST /api/auth/login", "GET /api/blog", "GET /api/courses",
		"GET /blog/rivers/", "GET /feed.xml", "GET /livez", "POST /api/revalidate", "GET /api/monitoring/metrics"}
	for _, row := range []struct {
		waited time.Duration
		refuse int // of the asks, from the first on
	}{
		{49 * time.Millisecond, 0}, {50 * time.Millisecond, 1}, {100 * time.Millisecond, 3}, {250 * time.Millisecond, 5},
	} {
		r.Saturate(row.waited)
		for i, ask := range asks {
			r.wait(16 * time.Minute)
			method, path := cutAsk(ask)
			if v := r.ask("203.0.113.7", method, path); v.Allowed() != (i >= row.refuse) {
				t.Errorf("%s waited: %s: %s", row.waited, ask, said(v))
			} else if !v.Allowed() && (v.Rule != guard.RuleShed || v.Action.Status() != 503 || v.RetryAfter == 0) {
				t.Errorf("%s waited: %s: %s for %s, want shed 503", row.waited, ask, said(v), v.RetryAfter)
			}
		}
	}
	for i, want := range []int{3, 3, 3, 2, 2, 2, 2, 1} { // it comes back slowly
		r.Saturate(0)
		if got := r.Stats(r.now).ShedLevel; got != want {
			t.Errorf("level %d after %d calm samples, want %d", got, i+1, want)
		}
	}
}

func cutAsk(ask string) (method, path string) {
	for i := range len(ask) {
		if ask[i] == ' ' {
			return ask[:i], ask[i+1:]
		}
	}
	return ask, ""
}
