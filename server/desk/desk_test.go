package desk_test

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"freshet/server/desk"
	"freshet/server/guard"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// TestHighTrafficTold: operators see whether high-traffic mode is on, and why, also when nobody has turned it.
func TestHighTrafficTold(t *testing.T) {
	high := traffic.Config{Enter: limit.Rate{Requests: 5, Window: time.Second}, Leave: limit.Rate{Requests: 4, Window: time.Second}, Hold: time.Minute}
	g, err := guard.New(guard.Config{HighTraffic: guard.TrafficConfig{Config: high}})
	if err != nil {
		t.Fatal(err)
	}
	resting := false
	d := &desk.Guard{Guard: g, Traffic: high, Resting: func() bool { return resting }}
	told := func(wantOn bool, want string) {
		t.Helper()
		all := d.Switches()
		if s := all[1]; s.Name != "highTraffic" || s.On != wantOn || !regexp.MustCompile(want).MatchString(s.Why) {
			t.Errorf("the switch is %+v, want on %v because of %q", s, wantOn, want)
		}
	}
	told(false, `^0 requests a second, it begins above 5/s$`)
	resting = true
	told(false, `breaker is open`)
	begun := time.Now()
	for second := range 6 {
		for range 100 {
			g.Decide(&guard.Facts{Now: begun.Add(time.Duration(second-5) * time.Second), Client: netip.MustParseAddr("203.0.113.7"), Method: "GET", Path: "/nowhere"})
		}
	}
	if err := g.SetTraffic(traffic.Override{Mode: traffic.Settings, By: "asha"}, time.Now()); err != nil { // judges at once
		t.Fatal(err)
	}
	told(true, `^[0-9]+ requests a second, more than 5/s$`)
	if err := g.SetTraffic(traffic.Override{Mode: traffic.Never, By: "asha"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	told(false, `^by hand$`)
	if err := g.Kill(guard.Kill{By: "asha"}, time.Now()); err != nil || !d.Switches()[0].On {
		t.Errorf("the kill switch is not on: %v", err)
	}
}
