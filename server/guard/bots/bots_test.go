package bots_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/server/guard/bots"
)

func TestJudge(t *testing.T) {
	browser := func(ua string) bots.Headers {
		return bots.Headers{UserAgent: ua, Accept: "text/html,*/*;q=0.8", AcceptLanguage: "hi", AcceptEncoding: "gzip", Page: true}
	}
	bare := func(ua string) bots.Headers { return bots.Headers{UserAgent: ua} }
	asks := func(ua string) bots.Headers { return bots.Headers{UserAgent: ua, Accept: "*/*", Page: true} }
	const firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, row := range []struct {
		name  string
		h     bots.Headers
		kind  bots.Kind
		score int
	}{
		{"Firefox", browser(firefox), bots.Person, 0},
		{"a telephone whose maker ends in bot", browser("Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 30) AppleWebKit/537.36"), bots.Person, 0},
		{"JavaScript is no Java", browser(firefox + " javascript"), bots.Person, 0},
		{"a script of a page", bots.Headers{UserAgent: firefox, Accept: "*/*", AcceptLanguage: "en", AcceptEncoding: "gzip"}, bots.Person, 0},
		{"a form without Referer", bots.Headers{UserAgent: firefox, Accept: "*/*", AcceptLanguage: "en", AcceptEncoding: "gzip", Write: true}, bots.Person, 15},
		{"nothing at all", bare(""), bots.Bot, 65},
		{"curl", asks("curl/8.5.0"), bots.Tool, 70},
		{"wget", asks("Wget/1.21.4"), bots.Tool, 70},
		{"a monitor", asks("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"), bots.Tool, 70},
		{"a feed reader", asks("Feedly/1.0 (+http://www.feedly.com/fetcher.html)"), bots.Tool, 30},
		{"Prometheus", bare("Prometheus/3.0"), bots.Tool, 35},
		{"python", asks("python-requests/2.32"), bots.Bot, 70},
		{"Go", asks("Go-http-client/2.0"), bots.Bot, 70},
		{"Scrapy", asks("Scrapy/2.11 (+https://scrapy.org)"), bots.Bot, 70},
		{"headless Chrome", browser("Mozilla/5.0 HeadlessChrome/140.0"), bots.Person, 40},
		{"a browser's name alone", asks(firefox), bots.Person, 30},
		{"Googlebot", browser("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), bots.Crawler, 40},
		{"Bingbot", browser("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"), bots.Crawler, 40},
		{"GPTBot", browser("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"), bots.AI, 40},
		{"a person who asked an assistant", browser("Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)"), bots.Tool, 40},
		{"python in a log", bots.Headers{UserAgent: "python-requests/2.32", Partial: true}, bots.Bot, 50},
		{"Firefox in a log", bots.Headers{UserAgent: firefox, Partial: true, Page: true}, bots.Person, 0},
		{"a million letters", bots.Headers{UserAgent: strings.Repeat("bot", 1<<20)}, bots.Person, 35},
	} {
		if j := bots.Judge(row.h); j.Kind != row.kind || int(j.Score) != row.score {
			t.Errorf("%s: %s, %d; want %s, %d", row.name, j.Kind, j.Score, row.kind, row.score)
		}
	}
}

// A zone is a small DNS.
type zone struct {
	names map[string][]string
	addrs map[string][]string
	err   error
	asked atomic.Int32
}

func (z *zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	z.asked.Add(1)
	if z.err != nil {
		return nil, z.err
	}
	if names, ok := z.names[addr]; ok {
		return names, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
}

func (z *zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, a := range z.addrs[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	if all == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return all, nil
}

func crawler(t *testing.T, name string) uint8 {
	t.Helper()
	for i, c := range bots.Crawlers() {
		if c == name {
			return uint8(i)
		}
	}
	t.Fatalf("no crawler %s", name)
	return 0
}

func TestVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{
			names: map[string][]string{
				"203.0.113.1": {"crawl-203-0-113-1.googlebot.com."},
				"203.0.113.2": {"crawl.googlebot.com."},                                  // does not lead back
				"203.0.113.3": {"googlebot.com.evil.example.", "notgooglebot.com."},      // not below it
				"203.0.113.4": {"spider-1.yandex.com.", "x.example."},                    // another engine's
				"203.0.113.5": {"CRAWL-5.GoogleBot.COM"},                                 //
				"203.0.113.6": {"a.googlebot.com", "b.googlebot.com", "c.googlebot.com"}, // the last one confirms
			},
			addrs: map[string][]string{
				"crawl-203-0-113-1.googlebot.com": {"192.0.2.1", "203.0.113.1"}, "crawl.googlebot.com": {"66.249.66.1"},
				"crawl-5.googlebot.com": {"203.0.113.5"}, "spider-1.yandex.com": {"203.0.113.4"}, "c.googlebot.com": {"203.0.113.6"},
				"googlebot.com.evil.example": {"203.0.113.3"}, "notgooglebot.com": {"203.0.113.3"},
			},
		}
		v, err := bots.NewVerifier(z)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		google, yandex := crawler(t, "Googlebot"), crawler(t, "YandexBot")
		for _, row := range []struct {
			crawler uint8
			addr    string
			first   bots.Claim
			then    bots.Claim
		}{
			{google, "66.249.66.1", bots.Verified, bots.Verified}, // published
			{google, "2001:4860:4801:10::1", bots.Verified, bots.Verified},
			{google, "203.0.113.1", bots.Pending, bots.Verified},
			{google, "203.0.113.2", bots.Pending, bots.Impostor},
			{google, "203.0.113.3", bots.Pending, bots.Impostor},
			{google, "203.0.113.4", bots.Pending, bots.Impostor},
			{yandex, "203.0.113.4", bots.Pending, bots.Verified},
			{google, "203.0.113.5", bots.Pending, bots.Verified},
			{google, "203.0.113.6", bots.Pending, bots.Verified},
			{google, "203.0.113.99", bots.Pending, bots.Impostor}, // no name
			{google, "10.0.0.1", bots.Unverified, bots.Unverified},
			{google, "127.0.0.1", bots.Unverified, bots.Unverified},
			{200, "203.0.113.1", bots.Unverified, bots.Unverified},
		} {
			a := netip.MustParseAddr(row.addr)
			if got := v.Check(row.crawler, a, time.Now()); got != row.first {
				t.Errorf("%s: at first %d, want %d", row.addr, got, row.first)
			}
			synctest.Wait()
			if got := v.Check(row.crawler, a, time.Now()); got != row.then {
				t.Errorf("%s: then %d, want %d", row.addr, got, row.then)
			}
		}
		asked := z.asked.Load()
		for range 1000 {
			v.Check(google, netip.MustParseAddr("203.0.113.1"), time.Now())
		}
		synctest.Wait()
		if n := z.asked.Load(); n != asked {
			t.Errorf("%d more questions for what is known", n-asked)
		}
		// No answer is no proof of anything.
		z.err = &net.DNSError{Err: "server misbehaving", IsTemporary: true}
		a := netip.MustParseAddr("203.0.113.50")
		v.Check(google, a, time.Now())
		synctest.Wait()
		if got := v.Check(google, a, time.Now()); got != bots.Unverified {
			t.Errorf("DNS is away: %d, want unverified", got)
		}
		z.err = nil
		time.Sleep(6 * time.Minute)
		v.Check(google, a, time.Now())
		synctest.Wait()
		if got := v.Check(google, a, time.Now()); got != bots.Impostor {
			t.Errorf("DNS is back: %d, want impostor", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// Nobody answers any more: the queue fills, and nobody waits.
		for i := range 100_000 {
			v.Check(google, netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), time.Now())
		}
		if got := v.Check(google, netip.MustParseAddr("66.249.66.1"), time.Now()); got != bots.Verified {
			t.Errorf("a published address in a flood of claims: %d, want verified", got)
		}
	})
}

func FuzzJudge(f *testing.F) {
	f.Add("curl/8", "*/*", "en", "gzip", true, false)
	f.Add("", "", "", "", false, true)
	f.Fuzz(func(t *testing.T, ua, accept, lang, enc string, write, page bool) {
		j := bots.Judge(bots.Headers{UserAgent: ua, Accept: accept, AcceptLanguage: lang, AcceptEncoding: enc, Write: write, Page: page})
		if j.Kind.String() == "unknown" || j.Kind == bots.Bot && j.Score < bots.Threshold || int(j.Crawler) >= len(bots.Crawlers()) {
			t.Errorf("judgement %+v", j)
		}
	})
}
