package cidr_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"freshet/server/guard/cidr"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ text, want, err string }{
		{"203.0.113.7", "203.0.113.7/32", ""},
		{"203.0.113.0/24", "203.0.113.0/24", ""},
		{"2001:db8::/32", "2001:db8::/32", ""},
		{"2001:db8::1", "2001:db8::1/128", ""},
		{"::ffff:203.0.113.7", "203.0.113.7/32", ""},
		{"::ffff:203.0.113.0/120", "203.0.113.0/24", ""},
		{"::ffff:0.0.0.0/90", "", "at least 96"},
		{"203.0.113.7/24", "", "write 203.0.113.0/24"},
		{"203.0.113.0/33", "", "no prefix"},
		{"203.0.113", "", "neither"},
		{"203.0.113.007", "", "neither"},
		{"fe80::1%eth0", "", "zone"},
		{"", "", "neither"},
		{strings.Repeat("9", 1000) + "\xff", "", "…"},
	} {
		got, err := cidr.Parse(row.text)
		switch {
		case row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)):
			t.Errorf("Parse(%q) = %v, want an error with %q", row.text, err, row.err)
		case row.err == "" && (err != nil || got.String() != row.want):
			t.Errorf("Parse(%q) = %s, %v; want %s", row.text, got, err, row.want)
		}
	}
}

func TestParseFile(t *testing.T) {
	got, err := cidr.ParseFile([]byte("\ufeff# list\n203.0.113.0/24 ; spam\r\n\n  2001:db8::1#x\n"))
	if err != nil || len(got) != 2 || got[1].String() != "2001:db8::1/128" {
		t.Errorf("ParseFile = %v, %v", got, err)
	}
	for _, row := range []struct{ name, text, want string }{
		{"one", "203.0.113.0/24\nnonsense\n", `line 2: "nonsense" is neither an address nor a prefix`},
		{"several", "x # y\n\n203.0.113.7/24\n198.51.100.1\n10.0.0.0/33",
			`line 1: "x" is neither an address nor a prefix; line 3: "203.0.113.7/24" has bits set beyond its length: write 203.0.113.0/24; line 5: "10.0.0.0/33" is no prefix`},
		{"ten", strings.Repeat("x\n", 10), mistakes(10)},
		{"many", strings.Repeat("x\n", 12_345), mistakes(10) + "; and 12335 more"},
		{"a long line", "x\n" + strings.Repeat("y", 1<<17) + "\nz\n",
			`line 1: "x" is neither an address nor a prefix; line 2: it has 64 KiB or more, and what follows was not read`},
	} {
		got, err := cidr.ParseFile([]byte(row.text))
		if err == nil || err.Error() != row.want || got != nil {
			t.Errorf("%s: ParseFile = %v, %v; want %s", row.name, got, err, row.want)
		}
	}
}

// mistakes are those of n lines.
func mistakes(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`line %d: "x" is neither an address nor a prefix`, i+1))
	}
	return strings.Join(all, "; ")
}

func TestList(t *testing.T) {
	now := time.Now()
	file := filepath.Join(t.TempDir(), "deny.list")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := cidr.NewList([]string{"192.0.2.1", file})
	if err != nil {
		t.Fatal(err)
	}
	has := func(a string) bool { return l.Set().Contains(netip.MustParseAddr(a)) }
	if _, err := l.Reload(now); err == nil || !strings.Contains(err.Error(), file) || !has("192.0.2.1") {
		t.Errorf("a missing file: %v, want an error that names it, and the rest in force", err)
	}
	write("203.0.113.0/24\n")
	if changed, err := l.Reload(now); !changed || err != nil || !has("203.0.113.9") || !has("192.0.2.1") || l.Set().Len() != 2 {
		t.Errorf("Reload = %v, %v with %d prefixes", changed, err, l.Set().Len())
	}
	write("203.0.113.0/24\n198.51.100.0/24\n")
	if changed, err := l.Reload(now); !changed || err != nil || !has("198.51.100.9") {
		t.Errorf("Reload = %v, %v", changed, err)
	}
	// A change within the resolution of times is not missed, and what is settled is not read again.
	write("203.0.113.0/24\n198.51.101.0/24\n")
	if changed, err := l.Reload(now.Add(time.Minute)); !changed || err != nil || !has("198.51.101.9") {
		t.Errorf("Reload = %v, %v", changed, err)
	}
	if changed, err := l.Reload(now.Add(2 * time.Minute)); changed || err != nil {
		t.Errorf("Reload of nothing new = %v, %v", changed, err)
	}
	write("broken\n203.0.113.0/24\nmore\n")
	want := "read addresses from " + file + `: line 1: "broken" is neither an address nor a prefix; line 3: "more" is neither an address nor a prefix`
	if changed, err := l.Reload(now.Add(3 * time.Minute)); changed || err == nil || err.Error() != want || !has("198.51.101.9") {
		t.Errorf("Reload of a broken file = %v, %v; want an error and the list as it was", changed, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if changed, err := l.Reload(now.Add(4 * time.Minute)); changed || err == nil || !has("198.51.101.9") {
		t.Errorf("Reload of a file that is gone = %v, %v; want an error and the list as it was", changed, err)
	}
	if _, err := cidr.NewList([]string{"10.0.0.1/8", "300.1.1.1", "ok.txt"}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("NewList of two mistakes = %v", err)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("203.0.113.0/24 # x\n::ffff:1.2.3.0/120\n"))
	f.Add([]byte("\ufeff\r\n;"))
	f.Fuzz(func(t *testing.T, data []byte) {
		prefixes, err := cidr.ParseFile(data)
		if err != nil {
			return
		}
		set := cidr.NewSet(prefixes)
		for _, p := range prefixes {
			if p != p.Masked() || p.Addr().Is4In6() || !set.Contains(p.Addr()) {
				t.Errorf("prefix %s", p)
			}
		}
	})
}
