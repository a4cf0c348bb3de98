package guard_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/bots"
)

// TestAutoBan: 3 violations in an hour are a ban of 1 h, then 6 h, 24 h, 7 days; a violation is an episode, not one refusal.
func TestAutoBan(t *testing.T) {
	r := newRig(t, guard.Config{})
	episode := func() guard.Verdict {
		_, v := r.exhaust("203.0.113.7", "GET", "/api/search")
		for range 1000 {
			v = r.ask("203.0.113.7", "GET", "/api/search")
		}
		return v
	}
	for i, last := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 168 * time.Hour, 168 * time.Hour} {
		for n := 1; n <= 2; n++ {
			if v := episode(); v.Rule != guard.RuleLimit {
				t.Fatalf("ban %d: 1,001 refusals of violation %d: %s, want limit", i+1, n, said(v))
			}
			r.wait(2 * time.Minute)
		}
		_, v := r.exhaust("203.0.113.7", "GET", "/api/search")
		if v.Rule != guard.RuleBan || v.Action.Status() != 403 || v.RetryAfter != last {
			t.Fatalf("violation 3: %s for %s, want ban 403 for %s", said(v), v.RetryAfter, last)
		}
		if v := r.ask("203.0.113.7", "GET", "/api/blog"); v.Rule != guard.RuleBan {
			t.Errorf("another class of the API: %s, want ban", said(v))
		}
		if v := r.ask("203.0.113.7", "POST", "/contact/"); v.Rule != guard.RuleBan {
			t.Errorf("a write elsewhere: %s, want ban", said(v))
		}
		for _, path := range []string{"/blog/rivers/", "/feed.xml", "/livez"} {
			if v := r.ask("203.0.113.7", "GET", path); !v.Allowed() {
				t.Errorf("%s under a ban of scope api: %s, want it allowed", path, said(v))
			}
		}
		r.wait(last - time.Second)
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); v.Rule != guard.RuleBan {
			t.Errorf("a second before its end: %s, want ban", said(v))
		}
		r.wait(time.Second)
		if v := r.ask("203.0.113.7", "GET", "/api/courses"); !v.Allowed() {
			t.Errorf("at its end: %s", said(v))
		}
		r.wait(time.Hour)
	}
	// What led to bans is forgotten step by step, a week each.
	r.wait(2 * 168 * time.Hour)
	r.wait(time.Hour)
	for range 2 {
		episode()
		r.wait(2 * time.Minute)
	}
	if _, v := r.exhaust("203.0.113.7", "GET", "/api/search"); v.Reason == "" || v.RetryAfter != 168*time.Hour {
		t.Errorf("after two weeks: %s for %s, want the fourth step again", said(v), v.RetryAfter)
	}
}

// TestViolationsExpire: three violations make a ban only within an hour.
func TestViolationsExpire(t *testing.T) {
	r := newRig(t, guard.Config{})
	for range 10 {
		if _, v := r.exhaust("203.0.113.7", "GET", "/api/search"); v.Rule != guard.RuleLimit {
			t.Fatalf("%s, want limit", said(v))
		}
		r.wait(31 * time.Minute)
	}
}

// TestEpisode: an episode goes on for as long as refusals come within a window of each other, and each class has its own.
func TestEpisode(t *testing.T) {
	r := newRig(t, guard.Config{Ban: guard.BanConfig{Violations: 2}})
	r.exhaust("203.0.113.7", "GET", "/api/search")
	for range 40 { // half an hour of hammering is one violation
		for range 100 {
			if v := r.ask("203.0.113.7", "GET", "/api/search"); v.Rule == guard.RuleBan && v.Reason != "reputation" {
				t.Fatalf("banned for %s within one episode", v.Reason)
			}
		}
		r.wait(30 * time.Second)
		if len(r.Bans(r.now)) > 0 {
			break // for its reputation, after thousands of refusals: see TestReputation
		}
	}
	r = newRig(t, guard.Config{Ban: guard.BanConfig{Violations: 2}})
	r.exhaust("203.0.113.7", "GET", "/api/search")
	if _, v := r.exhaust("203.0.113.7", "GET", "/api/blog"); v.Rule != guard.RuleBan {
		t.Errorf("the second class: %s, want ban", said(v))
	}
}

// TestNeverBanned: who is refused, but not banned.
func TestNeverBanned(t *testing.T) {
	for _, row := range []struct {
		name, client string
		change       func(*guard.Facts)
	}{
		{"a proxy that nobody declared", "10.0.0.7", func(f *guard.Facts) { f.Undeclared = true }},
		{"loopback", "127.0.0.1", func(*guard.Facts) {}},
		{"signed in", "203.0.113.7", func(f *guard.Facts) { f.SignedIn = true }},
		{"a search engine at its published address", "66.249.66.1",
			func(f *guard.Facts) {
				f.UserAgent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
			}},
	} {
		r := newRig(t, guard.Config{})
		for range 10 {
			if _, v := r.exhaust(row.client, "GET", "/api/search", row.change); v.Rule != guard.RuleLimit {
				t.Fatalf("%s: %s, want limit", row.name, said(v))
			}
			r.wait(2 * time.Minute)
		}
	}
}

// TestCurlIsWelcome: programs that say what they are have the limits of everybody, and are banned for what they do alone.
func TestCurlIsWelcome(t *testing.T) {
	for _, ua := range []string{"curl/8.5.0", "Wget/1.21", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "kube-probe/1.31",
		"python-requests/2.32", "", "Mozilla/5.0 (compatible; SomeBot/1.0)"} {
		r := newRig(t, guard.Config{})
		program := func(f *guard.Facts) {
			f.UserAgent, f.Accept, f.AcceptLanguage, f.AcceptEncoding, f.Referer = ua, "", "", "", false
		}
		for range 500 {
			for _, path := range []string{"/", "/feed.xml", "/sitemap.xml", "/robots.txt", "/livez", "/api/health"} {
				if v := r.ask("203.0.113.7", "GET", path, program); !v.Allowed() {
					t.Fatalf("%q at %s: %s", ua, path, said(v))
				}
			}
		}
		if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/courses", program); passed != 120 {
			t.Errorf("%q: %d passed, want 120", ua, passed)
		}
	}
}

// TestReputation: misdeeds lower limits after an episode, and only then; they ban in the end; and they are forgotten.
func TestReputation(t *testing.T) {
	scan := func(r *rig) {
		for range 5 {
			for i := range 25 {
				f := r.facts("203.0.113.7", "GET", fmt.Sprintf("/wp-admin/%d.php", i))
				f.Built = false
				v := r.Decide(&f)
				r.Answered(&f, &v, 404)
			}
			r.wait(time.Minute)
		}
	}
	r := newRig(t, guard.Config{})
	scan(r)
	r.ask("203.0.113.7", "GET", guard.HoneypotPath+"x", func(f *guard.Facts) { f.Built = false })
	if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/courses"); passed != 120 {
		t.Errorf("without an episode: %d passed, want 120", passed)
	}
	r.wait(5 * time.Minute)
	if passed, v := r.exhaust("203.0.113.7", "GET", "/api/courses"); passed != 30 || v.Quota.Limit != 30 {
		t.Errorf("after an episode: %d of %d passed, want 30 of 30", passed, v.Quota.Limit)
	}
	e := r.Explain(r.facts("203.0.113.7", "GET", "/api/courses"))
	if e.Lowered != 4 || len(e.Violations) != 2 || e.Score < 60 {
		t.Errorf("Explain: %+v, want limits divided by 4 and two violations", e)
	}
	r.wait(24*time.Hour + time.Minute)
	if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/courses"); passed != 120 {
		t.Errorf("a day later: %d passed, want 120", passed)
	}

	r = newRig(t, guard.Config{})
	r.exhaust("203.0.113.7", "GET", "/api/courses")
	refused := 0
	for v := (guard.Verdict{}); v.Rule != guard.RuleBan && refused < 10_000; refused++ {
		v = r.ask("203.0.113.7", "GET", "/api/courses")
	}
	if refused < 1000 || refused == 10_000 {
		t.Errorf("banned for its reputation after %d refusals of one episode, want some thousands", refused)
	}

	r = newRig(t, guard.Config{})
	for i := range 100 {
		f := r.facts("203.0.113.9", "POST", "/api/auth/login")
		r.Decide(&f)
		if i < 5 {
			r.SignedIn(&f, "admin@example.com", false)
		}
	}
	if e := r.Explain(r.facts("203.0.113.9", "GET", "/")); e.Score < 40 || e.Lowered != 2 {
		t.Errorf("five refused sign-ins and an episode: score %v, limits divided by %d, want 2", e.Score, e.Lowered)
	}
}

// TestBotScore: who looks like a bot has lower limits after an episode, and not before.
func TestBotScore(t *testing.T) {
	r := newRig(t, guard.Config{})
	bot := func(f *guard.Facts) {
		f.UserAgent, f.Accept, f.AcceptLanguage, f.AcceptEncoding = "scrapy/2.11", "*/*", "", ""
	}
	if passed, v := r.exhaust("203.0.113.7", "GET", "/api/courses", bot); passed != 120 || v.Bot != bots.Bot {
		t.Errorf("%d passed as %s, want 120 as bot", passed, v.Bot)
	}
	r.wait(2 * time.Minute)
	if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/courses", bot); passed != 60 {
		t.Errorf("after an episode: %d passed, want 60", passed)
	}
	r.wait(2 * time.Minute)
	if passed, _ := r.exhaust("203.0.113.8", "GET", "/api/courses", bot); passed != 120 {
		t.Errorf("another client with the same look: %d passed, want 120", passed)
	}
}

// TestPathSpread: asking for more different paths than anybody reads makes a program that forgets some headers look like a
// bot; again it matters after an episode only.
func TestPathSpread(t *testing.T) {
	r := newRig(t, guard.Config{})
	forgetful := func(f *guard.Facts) { f.AcceptLanguage, f.AcceptEncoding, f.Accept = "", "", "" }
	crawl := func(client string) {
		for i := range 200 {
			r.ask(client, "GET", fmt.Sprintf("/blog/post-%d/", i), forgetful)
		}
	}
	for _, client := range []string{"203.0.113.6", "203.0.113.7"} {
		r.exhaust(client, "GET", "/api/search", forgetful)
	}
	r.wait(2 * time.Minute)
	if passed, _ := r.exhaust("203.0.113.6", "GET", "/api/courses", forgetful); passed != 120 {
		t.Errorf("after an episode, without wandering: %d passed, want 120", passed)
	}
	crawl("203.0.113.7")
	if passed, _ := r.exhaust("203.0.113.7", "GET", "/api/courses", forgetful); passed != 60 {
		t.Errorf("wandering: %d passed, want 60", passed)
	}
	crawl("203.0.113.8")
	if passed, _ := r.exhaust("203.0.113.8", "GET", "/api/courses", forgetful); passed != 120 {
		t.Errorf("wandering without an episode: %d passed, want 120", passed)
	}
	r.wait(time.Minute)
	if e := r.Explain(r.facts("203.0.113.8", "GET", "/blog/x/")); e.Status != 0 {
		t.Errorf("pages: %+v", e)
	}
}

// TestFormsOfAddresses: no form of an address gets around lists and bans.
func TestFormsOfAddresses(t *testing.T) {
	r := newRig(t, guard.Config{Block: []string{"203.0.113.0/24", "fe80::/10"}})
	for _, client := range []string{"203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.7%eth0", "fe80::1%eth0", "fe80::1"} {
		if v := r.ask(client, "GET", "/"); v.Rule != guard.RuleBlockList {
			t.Errorf("%s: %s, want block", client, said(v))
		}
	}
}

// TestNoAddress: what comes through a socket without addresses is one client for signing in, and none for the rest.
func TestNoAddress(t *testing.T) {
	r := newRig(t, guard.Config{Block: []string{"0.0.0.0/0", "::/0"}})
	for range 500 {
		f := r.facts("203.0.113.7", "GET", "/api/search")
		f.Client = netip.Addr{}
		if v := r.Decide(&f); !v.Allowed() {
			t.Fatal(said(v))
		}
	}
	passed := 0
	for range 20 {
		f := r.facts("203.0.113.7", "POST", "/api/auth/login")
		f.Client = netip.Addr{}
		if v := r.Decide(&f); v.Allowed() {
			passed++
		}
	}
	if passed != 5 || len(r.Bans(r.now)) != 0 {
		t.Errorf("%d attempts passed, %d bans; want 5 and none", passed, len(r.Bans(r.now)))
	}
}

func TestAICrawlers(t *testing.T) {
	gpt := func(f *guard.Facts) { f.UserAgent = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)" }
	for _, row := range []struct {
		stance bots.Stance
		passed int // of 50 pages at once
		want   string
	}{
		{bots.Allow, 50, "none 0 page"},
		{bots.Pace, 30, "ai-pace 429 page"},
		{bots.Deny, 0, "ai-crawler 403 page"},
	} {
		r := newRig(t, guard.Config{Bots: guard.BotConfig{AI: row.stance}})
		passed, last := 0, guard.Verdict{}
		for range 50 {
			if last = r.ask("203.0.113.7", "GET", "/blog/rivers/", gpt); last.Allowed() {
				passed++
			}
		}
		if passed != row.passed || said(last) != row.want {
			t.Errorf("%s: %d passed, then %s; want %d, then %s", row.stance, passed, said(last), row.passed, row.want)
		}
		if fields := last.AppendFields(nil, r.now); row.stance == bots.Pace && (len(fields) != 5 || fields[0].Value != `"ai";q=30;w=60` || fields[1].Value != `"ai";r=0;t=2`) {
			t.Errorf("%s: headers %v", row.stance, fields)
		}
		for _, path := range []string{"/robots.txt", "/feed.xml", "/sitemap.xml", "/livez"} {
			if v := r.ask("203.0.113.7", "GET", path, gpt); !v.Allowed() {
				t.Errorf("%s: %s: %s", row.stance, path, said(v))
			}
		}
		if v := r.ask("203.0.113.7", "GET", "/blog/rivers/"); !v.Allowed() {
			t.Errorf("%s: a browser at the same address: %s", row.stance, said(v))
		}
	}
}

// TestGroups: IPv6 counts by /64, IPv4 within IPv6 as IPv4.
func TestGroups(t *testing.T) {
	r := newRig(t, guard.Config{})
	for i := range 120 {
		r.ask(fmt.Sprintf("2001:db8:1:2::%x", i+1), "GET", "/api/courses")
	}
	if v := r.ask("2001:db8:1:2:ffff::1", "GET", "/api/courses"); v.Rule != guard.RuleLimit {
		t.Errorf("the same /64: %s, want limit", said(v))
	}
	if v := r.ask("2001:db8:1:3::1", "GET", "/api/courses"); !v.Allowed() {
		t.Errorf("another /64: %s", said(v))
	}
	for _, text := range []string{"203.0.113.7", "::1", "::", "2001:db8::5", "0.0.0.0", "255.255.255.255"} {
		a := netip.MustParseAddr(text)
		k := guard.KeyOf(a)
		if k == (guard.ClientKey{}) || !k.Prefix().Contains(a) {
			t.Errorf("KeyOf(%s) = %s, which does not hold it", a, k.Prefix())
		}
	}
	if a, b := guard.KeyOf(netip.MustParseAddr("::ffff:203.0.113.7")), guard.KeyOf(netip.MustParseAddr("203.0.113.7")); a != b {
		t.Errorf("KeyOf of mapped %s, want %s", a, b)
	}
}

// TestFingerprint: programs of one network that look alike have ten times the limit together, once one of them was refused.
func TestFingerprint(t *testing.T) {
	program := func(f *guard.Facts) {
		f.UserAgent, f.Accept, f.AcceptLanguage, f.AcceptEncoding = "scrapy/2.11", "", "", ""
	}
	telephone := func(*guard.Facts) {}
	for _, row := range []struct {
		name         string
		look         func(*guard.Facts)
		method, path string
		each, passed int
		refused      bool // one of them, first
		want         string
	}{
		{"programs", program, "GET", "/api/search", 30, 300, true, "fingerprint 429 search"},
		{"programs that keep to their limits", program, "GET", "/api/search", 30, 3000, false, "none 0 search"},
		{"telephones of a carrier", telephone, "GET", "/api/search", 30, 3000, true, "none 0 search"},
		{"sign-in", telephone, "POST", "/api/auth/login", 5, 50, true, "fingerprint 429 auth"},
		{"sign-in of a school", telephone, "POST", "/api/auth/login", 5, 500, false, "none 0 auth"},
	} {
		r := newRig(t, guard.Config{})
		passed := 0
		var last guard.Verdict
		for host := range 100 {
			for range row.each {
				if last = r.ask(fmt.Sprintf("203.0.113.%d", host), row.method, row.path, row.look); last.Allowed() {
					passed++
				}
			}
			if row.refused && host == 0 {
				r.ask("203.0.113.0", row.method, row.path, row.look)
			}
		}
		if passed != row.passed || said(last) != row.want {
			t.Errorf("%s: %d passed, then %s; want %d, then %s", row.name, passed, said(last), row.passed, row.want)
		}
		if v := r.ask("203.0.113.200", row.method, row.path, func(f *guard.Facts) { f.UserAgent += " Edg/140" }); !v.Allowed() {
			t.Errorf("%s: another look: %s", row.name, said(v))
		}
		if v := r.ask("203.0.114.1", row.method, row.path, row.look); !v.Allowed() {
			t.Errorf("%s: another network: %s", row.name, said(v))
		}
		if n := len(r.Bans(r.now)); n != 0 {
			t.Errorf("%s: %d bans, want none for a look", row.name, n)
		}
		r.wait(61 * time.Minute)
		if v := r.ask("203.0.113.99", row.method, row.path, row.look); !v.Allowed() {
			t.Errorf("%s: an hour later: %s", row.name, said(v))
		}
	}
	r := newRig(t, guard.Config{})
	a, b := r.ask("203.0.113.1", "GET", "/"), r.ask("203.0.113.2", "GET", "/")
	r.wait(25 * time.Hour)
	if c := r.ask("203.0.113.1", "GET", "/"); a.Fingerprint != b.Fingerprint || a.Fingerprint == 0 || c.Fingerprint == a.Fingerprint {
		t.Errorf("fingerprints %x, %x, a day later %x; want two equal, and another", a.Fingerprint, b.Fingerprint, c.Fingerprint)
	}
}
