package guard_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

var epoch = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// A rig is a guard and a clock.
type rig struct {
	*guard.Guard
	t   *testing.T
	now time.Time
}

func newRig(t *testing.T, cfg guard.Config) *rig {
	t.Helper()
	g, err := guard.NewAt(cfg, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{g, t, epoch}
}

func (r *rig) wait(d time.Duration) { r.now = r.now.Add(d) }

// ask decides a request of a browser.
func (r *rig) ask(client, method, path string, change ...func(*guard.Facts)) guard.Verdict {
	f := r.facts(client, method, path, change...)
	return r.Decide(&f)
}

func (r *rig) facts(client, method, path string, change ...func(*guard.Facts)) guard.Facts {
	f := browser
	f.Now, f.Client, f.Method, f.Path, f.Referer = r.now, netip.MustParseAddr(client), method, path, true
	f.Built = !strings.HasPrefix(path, "/api")
	for _, c := range change {
		c(&f)
	}
	return f
}

// exhaust asks until the guard refuses, and returns how many passed.
func (r *rig) exhaust(client, method, path string, change ...func(*guard.Facts)) (passed int, refused guard.Verdict) {
	r.t.Helper()
	for passed = range 100_000 {
		if refused = r.ask(client, method, path, change...); !refused.Allowed() {
			return passed, refused
		}
	}
	r.t.Fatalf("%s %s is never refused", method, path)
	return 0, refused
}

func said(v guard.Verdict) string {
	return fmt.Sprintf("%s %d %s", v.Rule, v.Action.Status(), v.Class)
}

// TestSeedLimits is SEED.md's table of limits, with its numbers.
func TestSeedLimits(t *testing.T) {
	for _, row := range []struct {
		name, method, path string
		limit              int
		window             time.Duration
		policy             string
	}{
		{"API endpoints", "GET", "/api/courses", 120, time.Minute, `"api";q=120;w=60`},
		{"auth endpoints", "POST", "/api/auth/login", 5, 15 * time.Minute, `"auth";q=5;w=900`},
		{"blog API", "GET", "/api/blog", 50, time.Minute, `"blog";q=50;w=60`},
		{"blog API, a post", "GET", "/api/blog/rivers", 50, time.Minute, `"blog";q=50;w=60`},
		{"search", "GET", "/api/search", 30, time.Minute, `"search";q=30;w=60`},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, guard.Config{})
			first := r.ask("203.0.113.7", row.method, row.path)
			if q := first.Quota; q.Limit != row.limit || q.Left != row.limit-1 {
				t.Errorf("first request: quota %+v, want %d of %d left", q, row.limit-1, row.limit)
			}
			passed, v := r.exhaust("203.0.113.7", row.method, row.path)
			if passed+1 != row.limit || v.Rule != guard.RuleLimit || v.Action.Status() != 429 {
				t.Errorf("%d passed, then %s; want %d, then limit 429", passed+1, said(v), row.limit)
			}
			back := row.window / time.Duration(row.limit)
			if row.limit == 5 {
				back = row.window // every attempt is remembered
			}
			if v.RetryAfter != back {
				t.Errorf("RetryAfter = %s, want %s", v.RetryAfter, back)
			}
			fields := map[string]string{}
			for _, f := range v.AppendFields(nil, r.now) {
				fields[f.Name] = f.Value
			}
			secs := int64((back + time.Second - 1) / time.Second)
			want := map[string]string{
				"Ratelimit-Policy": row.policy, "Ratelimit": fmt.Sprintf(`"%s";r=0;t=%d`, v.Class, secs),
				"X-Ratelimit-Limit": fmt.Sprint(row.limit), "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": fmt.Sprint(r.now.Unix() + secs),
			}
			if diff := cmp.Diff(want, fields); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if v := r.ask("203.0.113.8", row.method, row.path); !v.Allowed() {
				t.Errorf("another client: %s", said(v))
			}
			r.wait(back - time.Millisecond)
			if v := r.ask("203.0.113.7", row.method, row.path); v.Allowed() {
				t.Errorf("allowed %s before its time", time.Millisecond)
			}
			r.wait(time.Millisecond)
			if v := r.ask("203.0.113.7", row.method, row.path); !v.Allowed() {
				t.Errorf("after %s: %s", back, said(v))
			}
		})
	}
}

// TestWorstWindow: a burst and what comes back while it lasts is never more than twice the limit within a window; for auth
// it is the limit itself.
func TestWorstWindow(t *testing.T) {
	for _, row := range []struct {
		method, path string
		window, step time.Duration
		most         int
	}{
		{"GET", "/api/courses", time.Minute, 100 * time.Millisecond, 240},
		{"POST", "/api/auth/login", 15 * time.Minute, 10 * time.Second, 5},
	} {
		r := newRig(t, guard.Config{Ban: guard.BanConfig{Violations: 8, Window: time.Minute}})
		var passed []time.Time
		for range int(4 * row.window / row.step) {
			for v := r.ask("203.0.113.7", row.method, row.path); v.Allowed(); v = r.ask("203.0.113.7", row.method, row.path) {
				passed = append(passed, r.now)
			}
			r.wait(row.step)
		}
		most := 0
		for i, from := range passed {
			n := 0
			for _, at := range passed[i:] {
				if at.Sub(from) < row.window {
					n++
				}
			}
			most = max(most, n)
		}
		if most > row.most {
			t.Errorf("%s: %d within a window, want at most %d", row.path, most, row.most)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, row := range []struct {
		method, path string
		want         guard.Class
	}{
		{"GET", "/", guard.Page},
		{"GET", "/blog/rivers/", guard.Page},
		{"GET", "/apiary/", guard.Page},
		{"GET", "/assets/main.0123.css", guard.Page},
		{"GET", "", guard.Page},
		{"GET", "/api", guard.API},
		{"GET", "/api/", guard.API},
		{"GET", "/api/blogs", guard.API},
		{"GET", "/api/courses/1", guard.API},
		{"GET", "/api/blog", guard.Blog},
		{"POST", "/api/blog/x/comments", guard.Blog},
		{"DELETE", "/api/blog/x", guard.Blog},
		{"GET", "/api/search", guard.Search},
		{"POST", "/api/auth/login", guard.Auth},
		{"POST", "/api/auth/signup", guard.Auth},
		{"POST", "/api/auth/logout", guard.API},
		{"GET", "/api/auth/session", guard.API},
		{"OPTIONS", "/api/auth/login", guard.API},
		{"BREW", "/api/auth/login", guard.Auth},
		{"POST", "/api/revalidate", guard.Webhook},
		{"GET", "/api/revalidate/0123", guard.Webhook},
		{"GET", "/api/monitoring/metrics", guard.Metrics},
		{"GET", "/api/health", guard.Health},
		{"GET", "/livez", guard.Health},
		{"GET", "/livez/", guard.Page},
		{"GET", "/api/feed", guard.Open},
		{"GET", "/feed.xml", guard.Open},
		{"GET", "/topic/water/feed.xml", guard.Open},
		{"GET", "/sitemap.xml", guard.Open},
		{"GET", "/robots.txt", guard.Open},
		{"GET", "/.well-known/security.txt", guard.Open},
	} {
		if got := guard.Classify(row.method, row.path); got != row.want {
			t.Errorf("Classify(%s %s) = %s, want %s", row.method, row.path, got, row.want)
		}
	}
}

// TestOrder: which rule speaks where several could.
func TestOrder(t *testing.T) {
	kill := func(r *rig) {
		if err := r.Kill(guard.Kill{Cover: guard.CoverAll, By: "test"}, r.now); err != nil {
			t.Fatal(err)
		}
	}
	ban := func(client string, scope bans.Scope) func(*rig) {
		return func(r *rig) {
			if _, err := r.Ban(netip.MustParsePrefix(client), scope, time.Time{}, "test", "because", r.now); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range []struct {
		name  string
		cfg   guard.Config
		setup []func(*rig)
		ask   string
		want  string
	}{
		{"health passes a kill and a ban", guard.Config{}, []func(*rig){kill, ban("203.0.113.7/32", bans.All)}, "GET /readyz", "health 0 health"},
		{"allow passes ban, block and kill", guard.Config{Allow: []string{"203.0.113.0/24"}, Block: []string{"203.0.113.7"}},
			[]func(*rig){kill, ban("203.0.113.7/32", bans.All)}, "GET /api/search", "allow 0 search"},
		{"ban before block", guard.Config{Block: []string{"203.0.113.7"}}, []func(*rig){ban("203.0.112.0/20", bans.API)}, "GET /api/search", "ban 403 search"},
		{"block before kill", guard.Config{Block: []string{"203.0.113.0/24"}}, []func(*rig){kill}, "GET /", "block 403 page"},
		{"block covers pages", guard.Config{Block: []string{"203.0.113.0/24"}}, nil, "GET /blog/", "block 403 page"},
		{"ban of scope api leaves pages", guard.Config{}, []func(*rig){ban("203.0.113.0/24", bans.API)}, "GET /blog/", "none 0 page"},
		{"ban of scope all does not", guard.Config{}, []func(*rig){ban("203.0.113.0/24", bans.All)}, "GET /blog/", "ban 403 page"},
		{"a shorter ban behind a narrower one", guard.Config{}, []func(*rig){ban("203.0.113.7/32", bans.API), ban("203.0.0.0/16", bans.All)}, "GET /blog/", "ban 403 page"},
		{"kill", guard.Config{}, []func(*rig){kill}, "GET /blog/", "kill-switch 503 page"},
	} {
		r := newRig(t, row.cfg)
		for _, s := range row.setup {
			s(r)
		}
		method, path, _ := strings.Cut(row.ask, " ")
		if v := r.ask("203.0.113.7", method, path); said(v) != row.want {
			t.Errorf("%s: %s, want %s", row.name, said(v), row.want)
		}
	}
}

func TestKillSwitch(t *testing.T) {
	for _, row := range []struct {
		cover     guard.Cover
		page, api bool // still open
	}{
		{guard.CoverAPI, true, false},
		{guard.CoverPages, false, true},
		{guard.CoverAll, false, false},
	} {
		r := newRig(t, guard.Config{Allow: []string{"192.0.2.1"}})
		if err := r.Kill(guard.Kill{Cover: row.cover, By: "asha", Reason: "scraped", Until: r.now.Add(10 * time.Minute)}, r.now); err != nil {
			t.Fatal(err)
		}
		page, api := r.ask("203.0.113.7", "GET", "/blog/"), r.ask("203.0.113.7", "GET", "/api/courses")
		if page.Allowed() != row.page || api.Allowed() != row.api {
			t.Errorf("%s: page %s, api %s", row.cover, said(page), said(api))
		}
		if !row.api && (api.RetryAfter != 10*time.Minute || api.Quota.Limit != 120) {
			t.Errorf("%s: RetryAfter %s, quota %+v; want 10m, of 120", row.cover, api.RetryAfter, api.Quota)
		}
		if v := r.ask("203.0.113.7", "POST", "/api/security/kill-switch", func(f *guard.Facts) { f.SignedIn = true }); !v.Allowed() {
			t.Errorf("%s: the way back: %s", row.cover, said(v))
		}
		if v := r.ask("192.0.2.1", "GET", "/api/courses"); !v.Allowed() {
			t.Errorf("%s: the allow list: %s", row.cover, said(v))
		}
		r.wait(10 * time.Minute)
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); !v.Allowed() || r.Killed(r.now) != nil {
			t.Errorf("%s: expired: %s", row.cover, said(v))
		}
	}
	r := newRig(t, guard.Config{})
	if err := r.Kill(guard.Kill{By: "asha"}, r.now); err != nil {
		t.Fatal(err)
	}
	if k := r.Killed(r.now); k == nil || k.Until.Sub(r.now) != time.Hour {
		t.Errorf("without an end: %+v, want an hour", k)
	}
	if !r.Reopen("binod", r.now) || r.Reopen("binod", r.now) {
		t.Error("Reopen: want true, then false")
	}
	if v := r.ask("203.0.113.7", "GET", "/api/courses"); !v.Allowed() {
		t.Errorf("reopened: %s", said(v))
	}
	audit := r.Audit()
	if len(audit) != 3 || audit[1].Action != "reopen" || audit[1].By != "binod" || audit[2].Action != "kill" || audit[2].By != "asha" {
		t.Errorf("Audit = %+v", audit)
	}
	for _, k := range []guard.Kill{{}, {By: "x", Until: epoch.Add(-time.Second)}, {By: "x", Until: epoch.Add(8 * 24 * time.Hour)}, {By: "x", Cover: 9}} {
		if err := r.Kill(k, r.now); err == nil {
			t.Errorf("Kill(%+v): no error", k)
		}
	}
}

func TestShadow(t *testing.T) {
	r := newRig(t, guard.Config{Shadow: []string{"limit.search", "block"}, Block: []string{"198.51.100.0/24"}})
	var last guard.Verdict
	for range 1000 {
		if last = r.ask("203.0.113.7", "GET", "/api/search"); !last.Allowed() {
			t.Fatalf("a watched limit refuses: %s", said(last))
		}
	}
	if last.Shadow != guard.RuleLimit {
		t.Errorf("Shadow = %s, want limit", last.Shadow)
	}
	if v := r.ask("198.51.100.1", "GET", "/"); !v.Allowed() || v.Shadow != guard.RuleBlockList {
		t.Errorf("a watched list: %s, shadow %s", said(v), v.Shadow)
	}
	if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/blog"); passed != 50 {
		t.Errorf("another limit: %d passed, want 50", passed)
	}
	if len(r.Bans(r.now)) != 0 {
		t.Error("a watched limit led to a ban")
	}
	r = newRig(t, guard.Config{Shadow: []string{"ban"}})
	for range 3 {
		r.exhaust("203.0.113.7", "GET", "/api/search")
		r.wait(2 * time.Minute)
	}
	if v := r.ask("203.0.113.7", "GET", "/api/search"); !v.Allowed() || v.Shadow != guard.RuleBan || len(r.Bans(r.now)) != 1 {
		t.Errorf("a watched ban: %s, shadow %s, %d bans", said(v), v.Shadow, len(r.Bans(r.now)))
	}
	for _, name := range []string{"limit.open", "limit.nothing", "health", "kill-switch", "typo"} {
		if _, err := guard.New(guard.Config{Shadow: []string{name}}); err == nil {
			t.Errorf("Shadow %q: no error", name)
		}
	}
}

// TestWebhooks: those that were taken do not count, so who signs is never limited; those that were not do.
func TestWebhooks(t *testing.T) {
	r := newRig(t, guard.Config{})
	deliver := func(status int) guard.Verdict {
		f := r.facts("203.0.113.7", "POST", "/api/revalidate")
		v := r.Decide(&f)
		if v.Allowed() {
			r.Answered(&f, &v, status)
		}
		return v
	}
	for i := range 2000 {
		if v := deliver(202); !v.Allowed() {
			t.Fatalf("signed webhook %d is refused: %s", i, said(v))
		}
	}
	for i := range 600 {
		if v := deliver(401); !v.Allowed() {
			t.Fatalf("unsigned webhook %d is refused: %s", i, said(v))
		}
	}
	if v := deliver(401); said(v) != "limit 429 webhook" || v.Name() != "limit.webhook" {
		t.Errorf("unsigned webhook 601: %s", said(v))
	}
}

// TestOneThousandLogins: of 1,000 attempts at once exactly 5 pass.
func TestOneThousandLogins(t *testing.T) {
	g, err := guard.New(guard.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var passed atomic.Int32
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range 1000 {
		done.Go(func() {
			start.Wait()
			f := browser
			f.Now, f.Client, f.Method, f.Path, f.Built = time.Now(), netip.MustParseAddr("203.0.113.7"), "POST", "/api/auth/login", false
			f.UserAgent = fmt.Sprint(browser.UserAgent, i%7)
			if v := g.Decide(&f); v.Allowed() {
				passed.Add(1)
			}
		})
	}
	start.Done()
	done.Wait()
	if n := passed.Load(); n != 5 {
		t.Errorf("%d of 1,000 passed, want 5", n)
	}
}

// TestConcurrentLimit: also a bucket lets through exactly its burst, whoever asks at the same time.
func TestConcurrentLimit(t *testing.T) {
	r := newRig(t, guard.Config{})
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Allowed() {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 120 {
		t.Errorf("%d passed, want 120", n)
	}
}

// TestMemoryIsFlat: a million addresses and a million hostile paths, user agents and ids leave nothing behind.
func TestMemoryIsFlat(t *testing.T) {
	g, err := guard.New(guard.Config{Limits: guard.Limits{Page: limit.Rate{Requests: 10, Window: time.Second}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	flood := func(from uint32) {
		f := browser
		for n := range uint32(floods) {
			f.Now = now.Add(time.Duration(n) * time.Microsecond)
			f.Client = addr(from + n)
			f.Built = false
			if n%16 == 0 { // building strings is most of this test
				f.ID = fmt.Sprintf("id-%d", n)
				f.UserAgent = fmt.Sprintf("agent %d %s", n, strings.Repeat("x", int(n%300)))
				f.Path = fmt.Sprintf("/%x/%s", n, strings.Repeat("%2e", int(n%100)))
			}
			if n%3 == 0 {
				f.Method, f.Path = "POST", "/api/auth/login"
			} else {
				f.Method = "GET"
			}
			if v := g.Decide(&f); v.Allowed() {
				g.Answered(&f, &v, 404)
				g.SignedIn(&f, f.ID, n%2 == 0)
			}
		}
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	flood(0)
	before := heap()
	flood(floods)
	after := heap()
	t.Logf("heap after %d addresses %.1f MiB, after as many others %.1f MiB", floods, before, after)
	if after > before+2 {
		t.Errorf("heap grew from %.1f to %.1f MiB", before, after)
	}
	if after > 48 {
		t.Errorf("heap is %.1f MiB, want at most 48", after)
	}
	s := g.Stats(now)
	if s.Clients > 1<<18 || s.Offenders > 1<<14 || s.KnownBans > 1<<16 || len(s.Decisions) > len(guard.Rules())*len(guard.Classes())*2 {
		t.Errorf("Stats beyond bounds: %+v", s)
	}
}

// TestFullTables: guards that are far too small stay right for whoever comes often.
func TestFullTables(t *testing.T) {
	r := newRig(t, guard.Config{Clients: 1})
	passed := 0
	for n := range 1000 {
		if n%4 == 0 {
			r.ask(addr(uint32(n)).String(), "GET", "/api/courses")
		}
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Allowed() {
			passed++
		}
	}
	if passed != 120 {
		t.Errorf("%d passed, want 120", passed)
	}
}

func TestExplainsRefusals(t *testing.T) {
	r := newRig(t, guard.Config{})
	_, v := r.exhaust("203.0.113.7", "GET", "/api/search", func(f *guard.Facts) { f.ID = "req-1" })
	if v.Allowed() {
		t.Fatal("never refused")
	}
	d, ok := r.Refusal("req-1")
	want := guard.Decision{ID: "req-1", At: r.now, Client: "203.0.113.7", Method: "GET", Path: "/api/search", Rule: "limit", Class: "search", Status: 429, Bot: "person"}
	if diff := cmp.Diff(want, d); !ok || diff != "" {
		t.Errorf("Refusal: %v (-want +got):\n%s", ok, diff)
	}
	if _, ok := r.Refusal("req-2"); ok {
		t.Error("Refusal of an id that never was: true")
	}
	before := r.Explain(r.facts("203.0.113.7", "GET", "/api/search"))
	after := r.Explain(r.facts("203.0.113.7", "GET", "/api/search"))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("explaining changes something:\n%s", diff)
	}
	if before.Rule != "limit" || before.Status != 429 || len(before.Violations) != 1 || len(before.Refusals) != 1 {
		t.Errorf("Explain = %+v", before)
	}
	for range 10_000 { // the ring is bounded
		r.ask("203.0.113.7", "GET", "/api/search", func(f *guard.Facts) {
			f.ID, f.Path = strings.Repeat("é", 100), "/api/search/"+strings.Repeat("x", 9999)
		})
	}
	if _, ok := r.Refusal("req-1"); ok {
		t.Error("the refusal is still there after 10,000 others")
	}
	if got := r.Refusals(100_000); len(got) > 4096 || len(got[0].Path) > 200 {
		t.Errorf("%d refusals with paths of %d bytes", len(got), len(got[0].Path))
	}
}

// TestOutOfOrder: requests that are judged at once carry their times in any order.
func TestOutOfOrder(t *testing.T) {
	r := newRig(t, guard.Config{})
	passed := 0
	for i := range 300 {
		late := time.Duration(i%7) * time.Millisecond
		v := r.ask("203.0.113.7", "GET", "/api/courses", func(f *guard.Facts) { f.Now = f.Now.Add(-late) })
		if v.Allowed() {
			passed++
		}
	}
	if passed != 120 {
		t.Errorf("%d passed, want 120", passed)
	}
}

// TestNoAllocations: judging allocates nothing, whatever the verdict.
func TestNoAllocations(t *testing.T) {
	r := newRig(t, guard.Config{Block: []string{"198.51.100.0/24"}})
	for _, row := range []struct{ client, method, path string }{
		{"203.0.113.7", "GET", "/blog/rivers/"}, {"203.0.113.7", "GET", "/api/search"}, {"203.0.113.7", "POST", "/api/auth/login"},
		{"198.51.100.1", "GET", "/"}, {"2001:db8::1", "GET", "/robots.txt"},
	} {
		f := r.facts(row.client, row.method, row.path)
		f.ID, f.Undeclared = "0123456789abcdef", true
		if n := testing.AllocsPerRun(500, func() { r.Decide(&f) }); n != 0 {
			t.Errorf("%s %s: %v allocations", row.method, row.path, n)
		}
	}
}

// TestConfig: every mistake is reported, all at once.
func TestConfig(t *testing.T) {
	_, err := guard.New(guard.Config{
		Allow: []string{"10.0.0.0/33"}, Block: []string{"10.0.0.1/8"},
		Limits:      guard.Limits{Auth: limit.Rate{Requests: 50, Window: time.Hour}, API: limit.Rate{Requests: 5}},
		Ban:         guard.BanConfig{Violations: 9, Window: time.Second, Steps: []time.Duration{0}},
		HighTraffic: guard.TrafficConfig{Config: traffic.Config{Enter: limit.Rate{Requests: 1, Window: time.Second}}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"allow: ", "block: ", "limits.auth", "limits.api", "ban.violations", "ban.window", "ban.steps", "highTraffic.leave"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error says nothing of %s:\n%v", part, err)
		}
	}
}

// TestDocument holds docs/operations.md to the policy. With UPDATE_POLICY=1 it writes it.
func TestDocument(t *testing.T) {
	const name, begin, end = "../../docs/operations.md", "<!-- the guard's policy: begin -->\n", "<!-- the guard's policy: end -->"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no section for the guard's policy", name)
	}
	want := "\n" + guard.Document() + "\n"
	if got == want {
		return
	}
	if os.Getenv("UPDATE_POLICY") != "1" {
		t.Fatalf("%s differs from the policy; run with UPDATE_POLICY=1 (-want +got):\n%s", name, cmp.Diff(want, got))
	}
	if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRobots(t *testing.T) {
	plain := guard.Robots(bots.Allow)
	if want := "User-agent: *\nDisallow: /api/\nDisallow: /fs-unlisted/\nAllow: /api/feed\n\n"; plain != want {
		t.Errorf("Robots(allow) = %q, want %q", plain, want)
	}
	if deny := guard.Robots(bots.Deny); !strings.HasPrefix(deny, plain) || !strings.Contains(deny, "User-agent: GPTBot\n") || !strings.HasSuffix(deny, "\nDisallow: /\n\n") {
		t.Errorf("Robots(deny) = %q", deny)
	}
	if pace := guard.Robots(bots.Pace); !strings.Contains(pace, "Crawl-delay: 10\nDisallow: /api/\n") {
		t.Errorf("Robots(pace) = %q", pace)
	}
}
