package replay

import (
	"net/netip"

	"freshet/internal/web"
)

// Clients returns how [Simulate] finds the client of a request, from the other end of its connection and X-Forwarded-For. The
// declared proxies are trusted, and so is every private or loopback address: readers do not have one in a log, so one that
// passes on another address is a proxy that nobody has declared.
func Clients(declared []string) (func(peer netip.Addr, forwardedFor string) netip.Addr, error) {
	proxies, err := web.ParseProxies(append([]string{"private", "loopback"}, declared...))
	if err != nil {
		return nil, err
	}
	return func(peer netip.Addr, forwardedFor string) netip.Addr {
		if forwardedFor == "" || !proxies.Trusts(peer) {
			return peer
		}
		return proxies.Resolve(peer, []string{forwardedFor}, nil)
	}, nil
}
