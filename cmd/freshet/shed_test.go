package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShedding makes the process so busy that its goroutines wait, and then leaves it alone: over HTTP all that can wait is
// refused first, and comes back in the order of what it is worth. Pages, probes, webhooks and operators are answered throughout.
func TestShedding(t *testing.T) {
	t.Chdir(t.TempDir())
	const post = "---\ntitle: Rivers\ndate: 2025-03-01\n---\nA river runs downhill.\n"
	if err := errors.Join(os.MkdirAll("content/blog", 0o777), os.WriteFile("content/blog/rivers.md", []byte(post), 0o666)); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	operators := ln.Addr().String()
	ln.Close()
	// 10 ms, so that a dozen goroutines a processor, which take turns of 10 ms, are far beyond the last level's 50 ms.
	site := runSite(t, []string{"up", "--listen", "127.0.0.1:0", "--log", "error", "--public", "", "--admin", operators},
		"FRESHET_GUARD_SHED=10ms", "FRESHET_GUARD_LIMITS_AUTH=off")
	site.await(t, "/blog/rivers/", "A river runs downhill.", patience)
	level := func() string {
		_, body, err := get(http.DefaultClient, "http://"+operators+"/metrics")
		m := regexp.MustCompile(`(?m)^freshet_guard_shed_level (\d)$`).FindStringSubmatch(body)
		if err != nil || m == nil {
			t.Fatalf("there is no level of shedding in the metrics: %v", err)
		}
		return m[1]
	}

	var busy sync.WaitGroup
	var enough atomic.Bool
	for range 12 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for !enough.Load() {
			}
		})
	}
	rest := sync.OnceFunc(func() {
		enough.Store(true)
		busy.Wait()
	})
	defer rest()
	for end := time.Now().Add(patience); level() != "3"; {
		if time.Now().After(end) {
			t.Fatalf("the level is %s while the process is busy, want 3", level())
		}
	}
	rest()

	asks := []struct {
		ask  string
		from string // the level that refuses it; empty: none does
	}{
		{"POST /api/courses", "1"}, {"DELETE /api/blog/rivers", "1"}, {"GET /api/search?q=rivers", "2"}, {"POST /api/auth/login", "2"},
		{"GET /api/courses", "3"}, {"GET /api/blog", "3"}, {"GET /blog/rivers/", ""}, {"GET /feed.xml", ""}, {"GET /nowhere/", ""},
		{"GET /livez", ""}, {"GET /readyz", ""}, {"POST /api/revalidate", ""}, {"GET /api/monitoring/metrics", ""},
	}
	seen := map[string]bool{}
	for end := time.Now().Add(2 * patience); !seen["0"]; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the level is still %s, after %v", level(), seen)
		}
		at := level()
		if seen[at] {
			continue
		}
		var got []string
		for _, a := range asks {
			method, path, _ := strings.Cut(a.ask, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, site.address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if refused := res.StatusCode == http.StatusServiceUnavailable; refused != (a.from != "" && a.from <= at) {
				got = append(got, a.ask+": "+res.Status)
			} else if refused && (res.Header.Get("Retry-After") != "5" || res.Header.Get("Cache-Control") != "no-store") {
				got = append(got, a.ask+": Retry-After "+res.Header.Get("Retry-After")+", Cache-Control "+res.Header.Get("Cache-Control"))
			}
		}
		if level() != at {
			continue // it changed meanwhile: which one answered is not known
		}
		for _, wrong := range got {
			t.Errorf("at level %s, %s", at, wrong)
		}
		seen[at] = true
	}
	if len(seen) != 4 {
		t.Errorf("the levels were %v, want 0 to 3", seen)
	}
}
