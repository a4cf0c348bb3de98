package bans_test

import (
	"net/netip"
	"testing"
	"time"

	"freshet/server/guard/bans"
)

var epoch = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func newTable(t *testing.T, cfg bans.Config) *bans.Table {
	t.Helper()
	if cfg.Steps == nil {
		cfg.Steps = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour}
	}
	table, err := bans.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func prefix(n uint32) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

func TestSteps(t *testing.T) {
	table := newTable(t, bans.Config{Forget: 48 * time.Hour})
	p, now := prefix(1), epoch
	for i, row := range []struct {
		pause time.Duration // after the end of the last ban
		want  time.Duration
		step  int
	}{
		{0, time.Hour, 1},
		{0, 6 * time.Hour, 2},
		{47 * time.Hour, 24 * time.Hour, 3},
		{time.Minute, 24 * time.Hour, 4},
		{3 * 48 * time.Hour, 6 * time.Hour, 2}, // three steps are forgotten
		{10 * 48 * time.Hour, time.Hour, 1},
	} {
		now = now.Add(row.pause)
		b, fresh := table.Punish(p, bans.API, "x", now)
		if !fresh || b.Until.Sub(now) != row.want || b.Step != row.step {
			t.Errorf("ban %d: %s, step %d, fresh %v; want %s, step %d", i, b.Until.Sub(now), b.Step, fresh, row.want, row.step)
		}
		if again, fresh := table.Punish(p, bans.API, "x", now.Add(time.Minute)); fresh || again != b {
			t.Errorf("ban %d: banned again while banned", i)
		}
		now = b.Until
	}
}

func TestFind(t *testing.T) {
	table := newTable(t, bans.Config{})
	put := func(p string, scope bans.Scope, until time.Time) {
		t.Helper()
		if err := table.Put(bans.Ban{Prefix: netip.MustParsePrefix(p), Scope: scope, Since: epoch, Until: until, By: "asha"}, epoch); err != nil {
			t.Fatal(err)
		}
	}
	put("203.0.113.7/32", bans.API, epoch.Add(time.Minute))
	put("203.0.113.0/24", bans.API, epoch.Add(time.Hour))
	put("203.0.0.0/16", bans.All, epoch.Add(2*time.Hour))
	put("2001:db8::/64", bans.All, time.Time{})
	for _, row := range []struct {
		addr  string
		scope bans.Scope
		after time.Duration
		want  string
	}{
		{"203.0.113.7", bans.API, 0, "203.0.113.7/32"},
		{"203.0.113.7", bans.All, 0, "203.0.0.0/16"},
		{"203.0.113.7", bans.API, time.Minute, "203.0.113.0/24"},
		{"203.0.113.7", bans.API, time.Hour, "203.0.0.0/16"},
		{"203.0.113.7", bans.API, 2 * time.Hour, ""},
		{"203.1.0.1", bans.API, 0, ""},
		{"2001:db8::ffff", bans.All, 10000 * time.Hour, "2001:db8::/64"},
		{"2001:db8:0:1::", bans.API, 0, ""},
	} {
		got := ""
		if b := table.Find(netip.MustParseAddr(row.addr), row.scope, epoch.Add(row.after)); b != nil {
			got = b.Prefix.String()
		}
		if got != row.want {
			t.Errorf("Find(%s, %s, +%s) = %q, want %q", row.addr, row.scope, row.after, got, row.want)
		}
	}
	if !table.Lift(netip.MustParsePrefix("203.0.0.0/16")) || table.Lift(netip.MustParsePrefix("203.0.0.0/16")) {
		t.Error("Lift: want true, then false")
	}
	for _, b := range []bans.Ban{{}, {Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")},
		{Prefix: netip.PrefixFrom(netip.MustParseAddr("203.0.113.7"), 24)}, {Prefix: netip.MustParsePrefix("::ffff:1.2.3.4/128")}, {Prefix: prefix(1), Scope: 7}} {
		if err := table.Put(b, epoch); err == nil {
			t.Errorf("Put(%+v): no error", b)
		}
	}
}

// TestBounded: the table gives up the guard's bans that end first, never an operator's before them.
func TestBounded(t *testing.T) {
	table := newTable(t, bans.Config{Most: 100})
	hand := netip.MustParsePrefix("198.51.100.0/24")
	if err := table.Put(bans.Ban{Prefix: hand, Scope: bans.All, Since: epoch, Until: epoch.Add(time.Minute), By: "asha"}, epoch); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(10_000) {
		table.Punish(prefix(n), bans.API, "x", epoch.Add(time.Duration(n)*time.Millisecond))
		if table.Len() > 100 {
			t.Fatalf("%d bans", table.Len())
		}
		if table.Find(prefix(n).Addr(), bans.API, epoch.Add(time.Duration(n)*time.Millisecond)) == nil {
			t.Fatalf("the newest ban is not there")
		}
	}
	if table.Find(hand.Addr(), bans.All, epoch) == nil {
		t.Error("the operator's ban is gone")
	}
	table.Sweep(epoch.Add(365 * 24 * time.Hour))
	if table.Len() != 0 {
		t.Errorf("%d bans after a year", table.Len())
	}
}
