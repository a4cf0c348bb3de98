package web

import (
	"fmt"
	"net/netip"
	"strings"
)

// Loopback stands, among the hosts that a server answers for, for localhost and all loopback addresses.
const Loopback = "loopback"

// Hosts are the names that a server answers for. Ports do not matter.
type Hosts struct {
	exact    map[string]struct{}
	below    []string // ".example.com": all names that end so
	loopback bool
}

// ParseHosts reads names: example.com, *.example.com (any name below it, not itself), addresses, [Loopback].
func ParseHosts(names []string) (*Hosts, error) {
	h := &Hosts{exact: make(map[string]struct{})}
	for _, name := range names {
		if err := CheckHost(name); err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		switch below, wild := strings.CutPrefix(name, "*"); {
		case name == Loopback:
			h.loopback = true
		case wild:
			h.below = append(h.below, below)
		default:
			if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
				name = a.String()
			}
			h.exact[name] = struct{}{}
		}
	}
	return h, nil
}

// CheckHost tells what is wrong with a name for [ParseHosts]; nil: nothing.
func CheckHost(name string) error {
	bare := strings.TrimPrefix(name, "*.")
	if a, err := netip.ParseAddr(strings.Trim(bare, "[]")); err == nil && bare == name {
		if a.Zone() != "" {
			return fmt.Errorf("the host %q has a zone, which no request names", name)
		}
		return nil
	}
	switch {
	case bare == "" || len(bare) > 253:
		return fmt.Errorf("the host %q is no name", name)
	case strings.Contains(bare, "://") || strings.Contains(bare, "/"):
		return fmt.Errorf("the host %q is an address of a page: write its host alone", name)
	case strings.Contains(bare, ":"):
		return fmt.Errorf("the host %q has a port: ports do not matter, write the host alone", name)
	}
	for i := range len(bare) {
		if c := bare[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return fmt.Errorf("the host %q holds %q: write it as browsers send it, xn--… where it is not ASCII", name, bare[i:i+1])
		}
	}
	return nil
}

// Has reports whether host, a Host header, is one of them.
func (h *Hosts) Has(host string) bool {
	if _, ok := h.exact[host]; ok {
		return true
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		if !isDigits(host[i+1:]) {
			return false
		}
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, ok := h.exact[host]; ok {
		return true
	}
	if h.loopback && host == "localhost" {
		return true
	}
	literal := host
	if l := len(host); l > 2 && host[0] == '[' && host[l-1] == ']' {
		literal = host[1 : l-1]
	}
	if a, err := netip.ParseAddr(literal); err == nil {
		_, ok := h.exact[a.String()]
		return ok || h.loopback && a.IsLoopback()
	}
	for _, below := range h.below {
		if len(host) > len(below) && strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
