package web

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// Proxies are the addresses whose word about clients is taken. The zero value and nil trust nobody.
type Proxies struct{ set bart.Lite }

// ParseProxies makes the set of what list names: prefixes (203.0.113.0/24), single addresses and names of sets: those
// of [ProxySets]. All mistakes are reported, joined.
func ParseProxies(list []string) (*Proxies, error) {
	p := new(Proxies)
	var errs []error
	for _, item := range list {
		item = strings.TrimSpace(item)
		if ranges, ok := proxySets[item]; ok {
			for _, r := range ranges {
				p.set.Insert(netip.MustParsePrefix(r))
			}
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			a, addrErr := netip.ParseAddr(item)
			if addrErr != nil {
				errs = append(errs, fmt.Errorf("%q is neither an address, nor a prefix such as 10.0.0.0/8, nor one of %s",
					item, strings.Join(ProxySets(), ", ")))
				continue
			}
			if a.Zone() != "" {
				errs = append(errs, fmt.Errorf("%q has a zone, which connections are not told apart by", item))
				continue
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		if prefix.Addr().Is4In6() {
			if prefix.Bits() < 96 {
				errs = append(errs, fmt.Errorf("%q is no IPv4 prefix: one within IPv6 has at least 96 bits", item))
				continue
			}
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		if prefix.Bits() == 0 {
			errs = append(errs, fmt.Errorf("%q trusts everybody: any client could claim any address", item))
			continue
		}
		p.set.Insert(prefix.Masked())
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return p, nil
}

// Trusts reports whether a is a trusted proxy.
func (p *Proxies) Trusts(a netip.Addr) bool {
	return p != nil && a.IsValid() && p.set.Contains(a.Unmap().WithZone(""))
}

// ProxySets are the names of the sets that [ParseProxies] knows, sorted.
func ProxySets() []string { return slices.Sorted(maps.Keys(proxySets)) }

// proxySets are addresses that CDNs publish, and those that everybody knows. A list may have grown since it was
// pinned: then the new addresses are counted as clients, which limits readers together but lets nobody lie.
var proxySets = map[string][]string{
	"loopback": {"127.0.0.0/8", "::1/128"},
	// RFC 1918, RFC 6598 (within providers and clouds), RFC 4193, link-local.
	"private": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"},
	// https://www.cloudflare.com/ips/, as of 2023-09-28, its last change.
	"cloudflare": {
		"103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "104.16.0.0/13", "104.24.0.0/14", "108.162.192.0/18",
		"131.0.72.0/22", "141.101.64.0/18", "162.158.0.0/15", "172.64.0.0/13", "173.245.48.0/20", "188.114.96.0/20",
		"190.93.240.0/20", "197.234.240.0/22", "198.41.128.0/17",
		"2400:cb00::/32", "2405:8100::/32", "2405:b500::/32", "2606:4700::/32", "2803:f800::/32", "2a06:98c0::/29",
		"2c0f:f248::/32",
	},
	// https://api.fastly.com/public-ip-list, as of 2023-06-06.
	"fastly": {
		"23.235.32.0/20", "43.249.72.0/22", "103.244.50.0/24", "103.245.222.0/23", "103.245.224.0/24", "104.156.80.0/20",
		"140.248.64.0/18", "140.248.128.0/17", "146.75.0.0/17", "151.101.0.0/16", "157.52.64.0/18", "167.82.0.0/17",
		"167.82.128.0/20", "167.82.160.0/20", "167.82.224.0/20", "172.111.64.0/18", "185.31.16.0/22", "199.27.72.0/21",
		"199.232.0.0/16", "2a04:4e40::/32", "2a04:4e42::/32",
	},
}
