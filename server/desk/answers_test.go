package desk_test

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/server"
	"freshet/server/admin"
	"freshet/server/desk"
	"freshet/server/guard"
	"freshet/server/guard/limit"
)

var update = flag.Bool("update", false, "rewrite testdata")

var requestID = regexp.MustCompile(`"request_id":"[0-9a-v]+"`)

type noSite struct{}

func (noSite) Current() server.Generation { return nil }

// TestAnswers compares every answer of the operators' listener about a guard that has seen something, byte for byte.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := guard.New(guard.Config{Limits: guard.Limits{Search: limit.Rate{Requests: 1, Window: time.Minute}}})
		if err != nil {
			t.Fatal(err)
		}
		client := netip.MustParseAddr("203.0.113.7")
		for i := range 3 {
			g.Decide(&guard.Facts{
				Now: time.Now(), ID: fmt.Sprintf("id%d", i), Client: client, Method: "GET", Path: "/api/search", UserAgent: "curl/8",
			})
			time.Sleep(time.Second)
		}
		ready := time.Now().UTC()
		onDesk := &desk.Guard{Guard: g, Site: noSite{}}
		s, err := admin.New(admin.Config{
			Metrics: prometheus.NewRegistry(), Loopback: true, Bans: onDesk, Switches: onDesk, Witness: onDesk,
			Status: func() admin.Status {
				return admin.Status{Ready: true, Generation: 7, Verified: &ready, Refused: []site.Refusal{{By: "build", Reason: "builds fail", Since: ready}}}
			},
			Generations: func(limit int) ([]admin.Generation, error) {
				return desk.Generations([]pagestore.Commit{
					{Generation: 7, Epoch: 2, Time: ready, CommitInfo: pagestore.CommitInfo{Cause: "rollback", Documents: 1, Pages: 2, Rendered: 3, Changed: 4, Removed: 5, Pinned: true}},
					{Generation: 6, Epoch: 1, Time: ready},
				}, limit), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, row := range []struct{ method, target, body string }{
			{"GET", "/bans", ""},
			{"GET", "/audit", ""},
			{"POST", "/bans", `{"client":"203.0.113.7","for":"1h","reason":"scraping","by":"asha"}`},
			{"POST", "/bans", `{"client":"198.51.100.0/24","scope":"all","by":"asha"}`},
			{"GET", "/bans", ""},
			{"GET", "/switches", ""},
			{"PUT", "/switches/kill", `{"state":"api","for":"30m","reason":"moving","by":"asha"}`},
			{"PUT", "/switches/highTraffic", `{"state":"true","by":"asha"}`},
			{"GET", "/switches", ""},
			{"GET", "/explain?client=203.0.113.7&path=/api/search&user_agent=curl/8", ""},
			{"GET", "/explain?client=192.0.2.1&path=/&user_agent=curl/8", ""},
			{"GET", "/explain?client=192.0.2.1&path=/livez", ""},
			{"GET", "/refusals", ""},
			{"GET", "/refusals?limit=1", ""},
			{"GET", "/refusals/id1", ""},
			{"GET", "/refusals/none", ""},
			{"DELETE", "/bans/203.0.113.7?by=asha", ""},
			{"DELETE", "/bans/203.0.113.7?by=asha", ""},
			{"PUT", "/switches/kill", `{"state":"off","by":"asha"}`},
			{"GET", "/audit", ""},
			{"GET", "/", ""},
			{"GET", "/generations", ""},
			{"GET", "/generations?limit=1", ""},
		} {
			r := httptest.NewRequest(row.method, row.target, strings.NewReader(row.body))
			r.Host = "localhost"
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			fmt.Fprintf(&got, "%s %s %s\n%d %s", row.method, row.target, row.body, w.Code, requestID.ReplaceAll(w.Body.Bytes(), []byte(`"request_id":"…"`)))
			time.Sleep(time.Second)
		}
		const name = "testdata/answers.txt"
		if *update {
			if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}
