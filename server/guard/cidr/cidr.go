// Package cidr holds sets of addresses: prefixes that are written in settings, and files of them that are followed while
// they change.
//
// A set is immutable and swapped whole, so look-ups need no lock. A file that cannot be read, or that holds a mistake, leaves
// the set as it was when the file was last right: half of a blocklist is not a blocklist.
package cidr

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// A Set is an immutable set of prefixes. Nil and the zero value are empty.
type Set struct {
	table bart.Lite
	size  int
}

// NewSet makes a set of prefixes.
func NewSet(prefixes []netip.Prefix) *Set {
	s := new(Set)
	for _, p := range prefixes {
		s.table.Insert(p)
	}
	s.size = s.table.Size()
	return s
}

// Contains reports whether a, which is no IPv4 address within IPv6, is in one of the prefixes.
func (s *Set) Contains(a netip.Addr) bool { return s != nil && s.size > 0 && s.table.Contains(a) }

// Len is the number of prefixes.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.size
}

// Parse reads an address or a prefix. IPv4 within IPv6 is IPv4; bits beyond the length of a prefix are errors, because
// whoever wrote 192.0.2.7/24 meant one or the other.
func Parse(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix", clip(text))
		}
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q has a zone, which means nothing on another machine", clip(text))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no prefix", clip(text))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q is no IPv4 prefix: one within IPv6 has at least 96 bits", clip(text))
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its length: write %s", clip(text), p.Masked())
	}
	return p, nil
}

// A LineError is a mistake in a file of prefixes.
type LineError struct {
	Line int
	Err  error
}

// Error is the line's number and the mistake.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the mistake.
func (e *LineError) Unwrap() error { return e.Err }

// ParseFile reads one prefix or address a line. Empty lines, and what follows # or ;, are comments. The first mistake is a
// [*LineError].
func ParseFile(data []byte) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	lines := bufio.NewScanner(bytes.NewReader(data))
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimPrefix(lines.Text(), "\ufeff")
		if i := strings.IndexAny(text, "#;"); i >= 0 {
			text = text[:i]
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := Parse(text)
		if err != nil {
			return nil, &LineError{n, err}
		}
		prefixes = append(prefixes, p)
	}
	if err := lines.Err(); err != nil {
		return nil, &LineError{n + 1, err}
	}
	return prefixes, nil
}

// clip bounds what a file can put into an error.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
