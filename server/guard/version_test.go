package guard

import (
	"net/netip"
	"testing"
	"time"

	"freshet/internal/linelog"
	"freshet/internal/testenv/recorded"
	"freshet/server/guard/bans"
	"freshet/server/guard/traffic"
)

// TestMemoryVersionIsRaised fails when an event is written otherwise and the number of the guard's file is the same. A new
// field that is left out when it is empty needs no other number: readers of before ignore it.
func TestMemoryVersionIsRaised(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5000, time.UTC)
	prefix := netip.MustParsePrefix("2001:db8::/64")
	var scope bans.Scope
	var cover Cover
	var mode traffic.Mode
	outputs := map[string]recorded.Output{}
	for name, e := range map[string]*event{
		"ban":     banned(&bans.Ban{Prefix: prefix, Scope: scope, Since: at, Until: at.Add(time.Hour), Step: 2, Reason: "r & s", By: "b"}),
		"lift":    {At: momentOf(at), Lift: &prefix, By: "b"},
		"kill":    killed(&Kill{Cover: cover, Reason: "r", By: "b", Since: at, Until: at.Add(time.Hour)}),
		"reopen":  {At: momentOf(at), Reopen: true, By: "b"},
		"traffic": overridden(&traffic.Override{Mode: mode, Reason: "r", By: "b", Since: at}),
		"strike":  {Strike: &strike{Client: prefix, Class: "page", At: at}},
		"audit":   {Audit: &Entry{At: at, By: "b", Action: "ban", What: "w", Reason: "r"}},
	} {
		b, err := linelog.Append(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		outputs[name] = recorded.Output{Bytes: b}
	}
	b, err := linelog.Append(nil, memoryHead{"guard", 1})
	if err != nil {
		t.Fatal(err)
	}
	outputs["head"] = recorded.Output{Bytes: b}
	recorded.Check(t, "memory", recorded.Number{File: "server/guard/memory.go", Name: "memoryVersion"}, outputs)
}
