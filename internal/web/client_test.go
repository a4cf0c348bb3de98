package web_test

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"freshet/internal/web"
)

func proxies(t testing.TB, list ...string) *web.Proxies {
	t.Helper()
	p, err := web.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClientAddr(t *testing.T) {
	trusted := proxies(t, "10.0.0.0/8", "2001:db8:ffff::/48", "cloudflare")
	for _, row := range []struct {
		name, peer     string
		xff, forwarded []string
		want           string
	}{
		{"direct", "203.0.113.7:4711", nil, nil, "203.0.113.7"},
		{"direct v6", "[2001:db8::7]:4711", nil, nil, "2001:db8::7"},
		{"direct mapped", "[::ffff:203.0.113.7]:4711", nil, nil, "203.0.113.7"},
		{"direct zone", "[fe80::1%eth0]:4711", nil, nil, "fe80::1"},
		{"unix socket", "@", nil, nil, "invalid IP"},
		{"untrusted peer", "203.0.113.7:1", []string{"198.51.100.1"}, []string{"for=198.51.100.1"}, "203.0.113.7"},
		{"one hop", "10.0.0.1:1", []string{"203.0.113.7"}, nil, "203.0.113.7"},
		{"no header", "10.0.0.1:1", nil, nil, "10.0.0.1"},
		{"spoofed left", "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.7"}, nil, "203.0.113.7"},
		{"spoofed as trusted", "10.0.0.1:1", []string{"10.9.9.9, 203.0.113.7"}, nil, "203.0.113.7"},
		{"chain", "10.0.0.1:1", []string{"203.0.113.7, 104.16.1.1, 10.0.0.2"}, nil, "203.0.113.7"},
		{"chain of lines", "10.0.0.1:1", []string{"203.0.113.7", "104.16.1.1", "10.0.0.2"}, nil, "203.0.113.7"},
		{"trusted all the way", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, nil, "10.0.0.3"},
		{"ports", "10.0.0.1:1", []string{"203.0.113.7:9, 10.0.0.2:80"}, nil, "203.0.113.7"},
		{"v6", "10.0.0.1:1", []string{"2001:db8::7"}, nil, "2001:db8::7"},
		{"v6 bracketed", "10.0.0.1:1", []string{"[2001:db8::7]"}, nil, "2001:db8::7"},
		{"v6 bracketed port", "10.0.0.1:1", []string{"[2001:db8::7]:443"}, nil, "2001:db8::7"},
		{"v6 zone", "10.0.0.1:1", []string{"fe80::7%eth0"}, nil, "fe80::7"},
		{"mapped is trusted", "[::ffff:10.0.0.1]:1", []string{"203.0.113.7, ::ffff:10.0.0.2"}, nil, "203.0.113.7"},
		{"spaces and tabs", "10.0.0.1:1", []string{"\t203.0.113.7 ,  10.0.0.2\t"}, nil, "203.0.113.7"},
		{"unknown", "10.0.0.1:1", []string{"203.0.113.7, unknown"}, nil, "10.0.0.1"},
		{"unknown behind a hop", "10.0.0.1:1", []string{"203.0.113.7, unknown, 10.0.0.2"}, nil, "10.0.0.2"},
		{"empty element", "10.0.0.1:1", []string{"203.0.113.7, , 10.0.0.2"}, nil, "203.0.113.7"},
		{"empty last element", "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.7,"}, nil, "203.0.113.7"},
		{"empty last elements", "10.0.0.1:1", []string{"203.0.113.7 ,, \t,"}, nil, "203.0.113.7"},
		{"empty last line", "10.0.0.1:1", []string{"203.0.113.7", "", " , "}, nil, "203.0.113.7"},
		{"nothing but commas", "10.0.0.1:1", []string{",,"}, nil, "10.0.0.1"},
		{"forwarded, empty elements", "10.0.0.1:1", nil, []string{"for=203.0.113.7, ,"}, "203.0.113.7"},
		{"empty line", "10.0.0.1:1", []string{""}, nil, "10.0.0.1"},
		{"leading zeros", "10.0.0.1:1", []string{"203.0.113.007"}, nil, "10.0.0.1"},
		{"bad port", "10.0.0.1:1", []string{"203.0.113.7:x"}, nil, "10.0.0.1"},
		{"brackets around v4", "10.0.0.1:1", []string{"[203.0.113.7]"}, nil, "10.0.0.1"},
		{"a name", "10.0.0.1:1", []string{"localhost"}, nil, "10.0.0.1"},
		{"too many hops", "10.0.0.1:1", []string{"203.0.113.7" + strings.Repeat(", 10.0.0.2", 40)}, nil, "10.0.0.2"},
		{"forwarded", "10.0.0.1:1", nil, []string{"for=203.0.113.7"}, "203.0.113.7"},
		{"forwarded is second", "10.0.0.1:1", []string{"203.0.113.7"}, []string{"for=1.1.1.1"}, "203.0.113.7"},
		{"forwarded chain", "10.0.0.1:1", nil, []string{"for=1.1.1.1;proto=http, for=203.0.113.7", "For=10.0.0.2;by=10.0.0.3"}, "203.0.113.7"},
		{"forwarded v6", "10.0.0.1:1", nil, []string{`proto=https;FOR="[2001:db8::7]:4711";by="_x"`}, "2001:db8::7"},
		{"forwarded secret port", "10.0.0.1:1", nil, []string{`for="203.0.113.7:_p"`}, "203.0.113.7"},
		{"forwarded secret", "10.0.0.1:1", nil, []string{"for=_hidden"}, "10.0.0.1"},
		{"forwarded without for", "10.0.0.1:1", nil, []string{"for=203.0.113.7, proto=https"}, "10.0.0.1"},
		{"forwarded twice", "10.0.0.1:1", nil, []string{"for=203.0.113.7;for=1.1.1.1"}, "10.0.0.1"},
		{"forwarded, open quote", "10.0.0.1:1", nil, []string{`for="1.1.1.1, for=203.0.113.7`}, "203.0.113.7"},
		{"forwarded, comma in quotes", "10.0.0.1:1", nil, []string{`for=203.0.113.7;host="a,for=1.1.1.1"`}, "203.0.113.7"},
	} {
		r := &http.Request{RemoteAddr: row.peer, Header: http.Header{}}
		if row.xff != nil {
			r.Header["X-Forwarded-For"] = row.xff
		}
		if row.forwarded != nil {
			r.Header["Forwarded"] = row.forwarded
		}
		if got := trusted.Client(r).Addr.String(); got != row.want {
			t.Errorf("%s: from %s, X-Forwarded-For %q, Forwarded %q: Client = %s, want %s", row.name, row.peer, row.xff, row.forwarded, got, row.want)
		}
		// Nothing is trusted by default.
		var nobody *web.Proxies
		peer := "invalid IP"
		if at, err := netip.ParseAddrPort(row.peer); err == nil {
			peer = at.Addr().Unmap().WithZone("").String()
		}
		if c := nobody.Client(r); c.Addr.String() != peer || c.Trusted {
			t.Errorf("%s: nobody is trusted, but Client = %v, want %s", row.name, c, peer)
		}
	}
}

func TestClientIsSecure(t *testing.T) {
	trusted := proxies(t, "10.0.0.0/8")
	for _, row := range []struct {
		peer             string
		tls              bool
		proto, forwarded string
		want             bool
	}{
		{"203.0.113.7:1", false, "https", "proto=https", false},
		{"203.0.113.7:1", true, "http", "", true},
		{"10.0.0.1:1", false, "https", "", true},
		{"10.0.0.1:1", false, "http, HTTPS", "", true},
		{"10.0.0.1:1", true, "http", "", false},
		{"10.0.0.1:1", false, "", "for=1.1.1.1;proto=https", true},
		{"10.0.0.1:1", false, "", "proto=https, for=1.1.1.1;proto=http", false},
		{"10.0.0.1:1", true, "", "for=1.1.1.1", true},
	} {
		r := &http.Request{RemoteAddr: row.peer, Header: http.Header{}}
		if row.proto != "" {
			r.Header.Set("X-Forwarded-Proto", row.proto)
		}
		if row.forwarded != "" {
			r.Header.Set("Forwarded", row.forwarded)
		}
		if row.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if got := trusted.Client(r).Secure; got != row.want {
			t.Errorf("%+v: Secure = %v", row, got)
		}
	}
}

func TestUndeclaredProxies(t *testing.T) {
	trusted := proxies(t, "10.0.0.1")
	for peer, want := range map[string]bool{
		"10.0.0.1:1": false, "10.0.0.2:1": true, "127.0.0.1:1": true, "[fd00::1]:1": true, "[fe80::1]:1": true, "203.0.113.7:1": false,
	} {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
		if got := trusted.Client(r).Undeclared; got != want {
			t.Errorf("%s: Undeclared = %v, want %v", peer, got, want)
		}
		r.Header = http.Header{}
		if trusted.Client(r).Undeclared {
			t.Errorf("%s names no client, but is Undeclared", peer)
		}
	}
}

func TestGroup(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "::ffff:203.0.113.7": "203.0.113.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		if got := web.Group(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("Group(%s) = %s, want %s", addr, got, want)
		}
	}
	if p := web.Group(netip.Addr{}); p.IsValid() {
		t.Errorf("Group of no address = %v", p)
	}
}

func TestParseProxies(t *testing.T) {
	for _, row := range []struct{ item, inside, outside, err string }{
		{"10.0.0.0/8", "10.255.0.1", "11.0.0.1", ""},
		{"10.1.2.3/8", "10.255.0.1", "11.0.0.1", ""},
		{"10.0.0.1", "10.0.0.1", "10.0.0.2", ""},
		{"::ffff:10.0.0.0/104", "10.1.1.1", "11.0.0.1", ""},
		{"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::", ""},
		{" loopback ", "127.9.9.9", "10.0.0.1", ""},
		{"private", "192.168.9.9", "192.169.0.1", ""},
		{"cloudflare", "2606:4700::1", "2606:4701::1", ""},
		{"fastly", "151.101.1.1", "151.102.1.1", ""},
		{"cloudfare", "", "", `"cloudfare"`},
		{"10.0.0.0/33", "", "", "10.0.0.0/33"},
		{"0.0.0.0/0", "", "", "everybody"},
		{"::/0", "", "", "everybody"},
		{"::ffff:0.0.0.0/90", "", "", "96"},
		{"fe80::1%eth0", "", "", "zone"},
		{"", "", "", `""`},
	} {
		p, err := web.ParseProxies([]string{"192.0.2.1", row.item})
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("ParseProxies(%q) = %v, want an error about %s", row.item, err, row.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParseProxies(%q) = %v", row.item, err)
			continue
		}
		if !p.Trusts(netip.MustParseAddr(row.inside)) || p.Trusts(netip.MustParseAddr(row.outside)) {
			t.Errorf("%q: trusts %s: %v, trusts %s: %v", row.item, row.inside, p.Trusts(netip.MustParseAddr(row.inside)),
				row.outside, p.Trusts(netip.MustParseAddr(row.outside)))
		}
	}
}

// Whatever a client writes into its headers, it is held to account by the address that the trusted proxy saw.
func FuzzClientCannotLie(f *testing.F) {
	for _, s := range []string{"", "1.1.1.1", `for="`, `"`, `for="1.1.1.1`, "for=1.1.1.1;", `\"`, ",", "[", "[::1", "unknown", "10.0.0.1, 10.0.0.2", `a="\`} {
		f.Add(s, s)
	}
	trusted := proxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, xff, forwarded string) {
		peer := netip.MustParseAddr("10.0.0.1")
		seen := netip.MustParseAddr("203.0.113.7")
		if got := trusted.Resolve(peer, []string{xff + ", 203.0.113.7"}, []string{forwarded}); got != seen {
			t.Errorf("X-Forwarded-For %q: client = %v, want %v", xff, got, seen)
		}
		if got := trusted.Resolve(peer, []string{xff, "203.0.113.7"}, []string{forwarded}); got != seen {
			t.Errorf("X-Forwarded-For %q on a line of its own: client = %v, want %v", xff, got, seen)
		}
		if got := trusted.Resolve(peer, nil, []string{forwarded + ", for=203.0.113.7;proto=https"}); got != seen {
			t.Errorf("Forwarded %q: client = %v, want %v", forwarded, got, seen)
		}
		_ = trusted.Resolve(peer, []string{xff}, nil)
		_ = trusted.Resolve(peer, nil, []string{forwarded})
	})
}

func BenchmarkClient(b *testing.B) {
	trusted := proxies(b, "10.0.0.0/8", "cloudflare")
	r := &http.Request{RemoteAddr: "10.0.0.1:4711", Header: http.Header{"X-Forwarded-For": {"203.0.113.7, 104.16.1.1"}}}
	b.ReportAllocs()
	for b.Loop() {
		trusted.Client(r)
	}
}
