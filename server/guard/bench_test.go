package guard_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
)

// browser is what a browser says of itself.
var browser = guard.Facts{
	Method: "GET", Path: "/blog/rivers-of-the-himalaya/", Built: true,
	UserAgent:      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	Accept:         "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
	AcceptLanguage: "hi-IN,hi;q=0.9,en-IN;q=0.8,en;q=0.7", AcceptEncoding: "gzip, deflate, br, zstd",
}

// addr is the n-th of many addresses.
func addr(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x0b000000+n*2654435761>>6) // spread over 11.0.0.0/6
	return netip.AddrFrom4(b)
}

func loaded(b testing.TB, prefixes int) *guard.Guard {
	b.Helper()
	g, err := guard.New(guard.Config{Limits: guard.Limits{API: limit.Rate{Requests: 1e6, Window: time.Second}, Page: limit.Rate{Requests: 1e6, Window: time.Second}}})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	r := rand.New(rand.NewPCG(1, 2))
	for range prefixes {
		a := netip.AddrFrom4([4]byte{byte(64 + r.IntN(64)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
		p, err := a.Prefix(16 + r.IntN(17))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.Ban(p, bans.All, now.Add(24*time.Hour), "bench", "", now); err != nil {
			b.Fatal(err)
		}
	}
	return g
}

// BenchmarkDecide is one decision with 10,000 banned prefixes, page and API limits on, for as many clients as it says.
func BenchmarkDecide(b *testing.B) {
	for _, path := range []string{"/blog/rivers-of-the-himalaya/", "/api/courses"} {
		for _, clients := range []int{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/clients=%d", map[bool]string{true: "api", false: "page"}[path[1] == 'a'], clients), func(b *testing.B) {
				g := loaded(b, 10_000)
				f := browser
				f.Path, f.Built = path, path[1] != 'a'
				addrs := make([]netip.Addr, clients)
				for i := range addrs {
					addrs[i] = addr(uint32(i))
				}
				r := rand.New(rand.NewPCG(3, 4))
				r.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
				f.Now = time.Now()
				for _, a := range addrs {
					f.Client = a
					g.Decide(&f)
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					f.Client = addrs[i]
					if i++; i == len(addrs) {
						i = 0
						f.Now = f.Now.Add(time.Second)
					}
					if v := g.Decide(&f); !v.Allowed() {
						b.Fatal(v)
					}
				}
			})
		}
	}
}

// BenchmarkRefuse is a refusal: the record of it included.
func BenchmarkRefuse(b *testing.B) {
	g, err := guard.New(guard.Config{})
	if err != nil {
		b.Fatal(err)
	}
	f := browser
	f.Path, f.Built, f.Client, f.ID, f.Now = "/api/search", false, addr(1), "0123456789abcdef", time.Now()
	b.ReportAllocs()
	for b.Loop() {
		g.Decide(&f)
	}
}

// BenchmarkParallel is decisions on all processors for different clients.
func BenchmarkParallel(b *testing.B) {
	g := loaded(b, 10_000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		f := browser
		f.Now = time.Now()
		for n := rand.Uint32N(1000); p.Next(); n++ {
			f.Client = addr(n % 1000)
			g.Decide(&f)
		}
	})
}

// BenchmarkBans is looking an address up among 10,000 prefixes.
func BenchmarkBans(b *testing.B) {
	g := loaded(b, 10_000)
	t, err := bans.New(bans.Config{Steps: []time.Duration{time.Hour}})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for _, ban := range g.Bans(now) {
		if err := t.Put(ban, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	n := uint32(0)
	for b.Loop() {
		t.Find(addr(n), bans.API, now)
		n++
	}
}

// BenchmarkMemory reports what a guard takes with a million clients.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g, err := guard.New(guard.Config{})
	if err != nil {
		b.Fatal(err)
	}
	f := browser
	f.Now = time.Now()
	for b.Loop() {
		for n := range uint32(1_000_000) {
			f.Client = addr(n)
			g.Decide(&f)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(g)
}
