// Package cidr holds sets of addresses: prefixes from the settings, and files of prefixes that are reloaded when they
// change.
//
// A set is immutable and replaced as a whole, so look-ups need no lock. If a file cannot be read or contains a mistake,
// the set keeps the file's last correct content: half of a blocklist is not a blocklist.
package cidr

import (
	"bufio"
	"bytes"
	"errors"
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

// Contains reports whether a is in one of the prefixes. The caller must convert IPv4 in IPv6 to IPv4.
func (s *Set) Contains(a netip.Addr) bool { return s != nil && s.size > 0 && s.table.Contains(a) }

// Len returns the number of prefixes.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.size
}

// Parse parses an address or a prefix. It converts IPv4 in IPv6 to IPv4. Bits beyond a prefix's length are an error,
// because 192.0.2.7/24 may mean the address or the network.
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

// Mistakes holds the mistakes in a file of prefixes.
type Mistakes struct {
	First []string // the first ten, with their line numbers
	All   int
}

const mostMistakes = 10 // limit for the mistakes that are listed

func (m *Mistakes) add(line int, err error) {
	if m.All++; m.All <= mostMistakes {
		m.First = append(m.First, fmt.Sprintf("line %d: %v", line, err))
	}
}

// Error returns the first mistakes in one line, and the number of the others.
func (m *Mistakes) Error() string {
	text := strings.Join(m.First, "; ")
	if more := m.All - len(m.First); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// ParseFile parses one prefix or address a line. It ignores empty lines, and comments after # or ;. The error is a
// [*Mistakes] about all lines.
func ParseFile(data []byte) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var wrong Mistakes
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
			wrong.add(n, err)
			continue
		}
		prefixes = append(prefixes, p)
	}
	if lines.Err() != nil {
		wrong.add(n+1, errors.New("it has 64 KiB or more, and what follows was not read"))
	}
	if wrong.All > 0 {
		return nil, &wrong
	}
	return prefixes, nil
}

// clip limits what a file can put into an error.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
