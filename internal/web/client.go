package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// A Client is the sender of a request, as far as that can be known.
type Client struct {
	// Addr is the address to count and ban, without a zone; IPv4 within IPv6 is IPv4. It is not valid if the connection has no
	// address, such as a Unix socket.
	Addr netip.Addr
	// Trusted: the other end of the connection is a trusted proxy.
	Trusted bool
	// Secure: the client's own connection is encrypted, as seen by this server or by the trusted proxy in front of it.
	Secure bool
	// Undeclared: the other end is no trusted proxy, but it names a client and has a private address. It may be a proxy that
	// nobody has declared. Then a ban on Addr is a ban on all of its readers.
	Undeclared bool
}

// Key is the address whose requests are counted together: IPv4 alone, IPv6 by /64, which is what one customer gets.
func (c Client) Key() netip.Prefix { return Group(c.Addr) }

// Group returns the prefix that a counts with. That of no address is not valid.
func Group(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	switch {
	case a.Is4():
		return netip.PrefixFrom(a, 32)
	case a.IsValid():
		p, _ := a.Prefix(64) // cannot fail: an IPv6 address has 128 bits
		return p
	}
	return netip.Prefix{}
}

// Forwarding is what proxies tell of a client: the lines of X-Forwarded-For, Forwarded and X-Forwarded-Proto.
type Forwarding struct{ For, Forwarded, Proto []string }

// Client returns the sender of r. Headers count only if the connection comes from a trusted proxy.
func (p *Proxies) Client(r *http.Request) Client {
	var peer netip.Addr
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = at.Addr()
	}
	return p.ClientAt(peer, r.TLS != nil, Forwarding{r.Header["X-Forwarded-For"], r.Header["Forwarded"], r.Header["X-Forwarded-Proto"]})
}

// ClientAt is [Proxies.Client] for a request that has come from peer; secure: by TLS.
func (p *Proxies) ClientAt(peer netip.Addr, secure bool, f Forwarding) Client {
	c := Client{Addr: peer.Unmap().WithZone(""), Secure: secure}
	if !p.Trusts(c.Addr) {
		c.Undeclared = (f.For != nil || f.Forwarded != nil) && (c.Addr.IsPrivate() || c.Addr.IsLoopback() || c.Addr.IsLinkLocalUnicast())
		return c
	}
	c.Trusted = true
	c.Addr = p.Resolve(c.Addr, f.For, f.Forwarded)
	if len(f.Proto) > 0 {
		c.Secure = strings.EqualFold(lastItem(f.Proto), "https")
	} else if len(f.Forwarded) > 0 {
		element := ""
		for i := len(f.Forwarded) - 1; i >= 0 && element == ""; i-- {
			for rest := f.Forwarded[i]; rest != "" && element == ""; {
				element, rest = cutLast(rest, ',')
				element = strings.Trim(element, " \t")
			}
		}
		if proto, ok := parameter(element, "proto"); ok {
			c.Secure = strings.EqualFold(proto, "https")
		}
	}
	return c
}

// maxHops bounds how far back a chain of proxies is followed.
const maxHops = 32

// Resolve follows a chain of proxies from peer, which is trusted, towards the client: to the first address that is not
// trusted, or as far as it can be read. What lies beyond that was written by nobody we trust.
//
// The lines of X-Forwarded-For come from xff. Only where there are none are those of Forwarded (RFC 7239) read: nearly
// every proxy writes X-Forwarded-For and passes on what it does not know, so a Forwarded beside it is the client's
// own. A proxy that writes Forwarded alone must take X-Forwarded-For out.
func (p *Proxies) Resolve(peer netip.Addr, xff, forwarded []string) netip.Addr {
	lines, hop := xff, plainHop
	if len(lines) == 0 {
		lines, hop = forwarded, forwardedHop
	}
	at := peer
	for i, hops := len(lines)-1, 0; i >= 0; i-- {
		for rest, element := lines[i], ""; rest != ""; hops++ {
			element, rest = cutLast(rest, ',')
			if strings.Trim(element, " \t") == "" { // a list may have empty elements (RFC 9110, 5.6.1)
				hops--
				continue
			}
			next, ok := hop(element)
			if !ok || hops == maxHops {
				return at
			}
			at = next
			if !p.Trusts(at) {
				return at
			}
		}
	}
	return at
}

// plainHop reads an element of X-Forwarded-For.
func plainHop(element string) (netip.Addr, bool) { return parseNode(strings.Trim(element, " \t")) }

// forwardedHop reads who an element of Forwarded is for.
func forwardedHop(element string) (netip.Addr, bool) {
	node, ok := parameter(element, "for")
	if !ok {
		return netip.Addr{}, false
	}
	return parseNode(node)
}

// parameter finds the only parameter called name in an element of Forwarded.
func parameter(element, name string) (value string, ok bool) {
	for element != "" {
		var pair string
		pair, element = cutLast(element, ';')
		key, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(key, name) {
			continue
		}
		if ok {
			return "", false // twice: it means nothing
		}
		if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
			v = v[1 : len(v)-1]
		}
		value, ok = v, true
	}
	return value, ok
}

// parseNode reads an address, with or without a port, as proxies write them: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1], [2001:db8::1]:80, fe80::1%eth0. IPv4 within IPv6 is IPv4; zones mean something on another machine
// only. "unknown" and made-up names are no addresses.
func parseNode(s string) (netip.Addr, bool) {
	if strings.HasPrefix(s, "[") {
		inner, port, ok := strings.Cut(s[1:], "]")
		if !ok || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		s = inner
		if !strings.Contains(s, ":") {
			return netip.Addr{}, false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 && i == strings.LastIndexByte(s, ':') {
		if !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// isPort reports whether s is a colon and a port: a number or, as RFC 7239 allows, a made-up name.
func isPort(s string) bool {
	if len(s) < 2 || s[0] != ':' {
		return false
	}
	if s[1] == '_' {
		return true
	}
	if len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// lastItem returns the last element of a list without quotes, on several lines. Empty elements are none (RFC 9110, 5.6.1).
func lastItem(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if list := strings.TrimRight(lines[i], " \t,"); list != "" {
			return strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t")
		}
	}
	return ""
}

// cutLast cuts s around the last sep that stands in no quoted string. It reads from the end, where the nearest proxy
// wrote, so that a quote that a client left open changes nothing there.
func cutLast(s string, sep byte) (last, rest string) {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[i+1:], s[:i]
		}
	}
	return s, ""
}
