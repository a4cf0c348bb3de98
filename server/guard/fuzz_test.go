package guard_test

import (
	"bytes"
	"net/netip"
	"testing"

	"freshet/server/guard"
)

// FuzzRecall: no file breaks the guard.
func FuzzRecall(f *testing.F) {
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("8f4a3c21 {\"type\":\"guard\",\"version\":1}\n\nxx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := guard.NewAt(guard.Config{Clients: 64}, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if damaged, _ := g.Recall(data, epoch); damaged > bytes.Count(data, []byte{'\n'})+1 {
			t.Errorf("%d damaged lines in %q", damaged, data)
		}
	})
}

// FuzzDecide: no facts break the guard, and what it says is of the policy.
func FuzzDecide(f *testing.F) {
	f.Add("GET", "/", "curl/8", "*/*", []byte{203, 0, 113, 7}, uint8(0))
	f.Add("DELETE", "/api/blog/x", "", "", []byte(nil), uint8(255))
	g, err := guard.NewAt(guard.Config{Clients: 64, Shadow: []string{"limit.search"}}, epoch)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, agent, accept string, client []byte, flags uint8) {
		facts := guard.Facts{Now: epoch, Method: method, Path: path, UserAgent: agent, Accept: accept,
			Referer: flags&1 != 0, Partial: flags&2 != 0, Built: flags&4 != 0,
			SignedIn: flags&8 != 0, Undeclared: flags&16 != 0}
		if a, ok := addrFrom(client); ok {
			facts.Client = a
		}
		dry := g.Explain(facts)
		v := g.Decide(&facts)
		if v.Allowed() != (v.Action.Status() == 0) || v.Rule.String() == "unknown" || v.Class.String() == "unknown" {
			t.Errorf("verdict %+v", v)
		}
		if !v.Allowed() && (v.Message() == "" || v.Rule.Status() != v.Action.Status()) {
			t.Errorf("refusal %+v with the message %q", v, v.Message())
		}
		if v.Rule != guard.RuleBan && dry.Status != v.Action.Status() {
			t.Errorf("explained %s %d, decided %s %d", dry.Rule, dry.Status, v.Rule, v.Action.Status())
		}
		g.Answered(&facts, &v, 404)
	})
}

func addrFrom(b []byte) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}
