package cdn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/site"
	"freshet/revalidator/cdn"
)

const edgeURL = "http://edge.test"

// TestKinds purges at each kind over real connections: what changed is gone, what did not is kept.
func TestKinds(t *testing.T) {
	for name := range kinds("") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge()
			srv := httptest.NewServer(e)
			t.Cleanup(srv.Close)
			s := kinds(srv.URL)[name]
			b := start(t, cdn.Config{CDNs: parse(t, s), Settle: 10 * time.Millisecond})
			b.purge(1, e.publish(1, "/a/", "/b/", "/स/", "/robots.txt"))
			e.warm()
			b.await(10 * time.Second)
			first := len(e.asked())
			if a := e.asked()[0]; s.Kind != "http" && !a.all {
				t.Errorf("the first purge is %+v, want everything: what the CDN has was not known", a)
			}
			e.warm()
			paths := []string{"/a/", "/स/", "/robots.txt"}
			if name == "http keys" {
				paths = paths[:2]
			}
			b.purge(2, e.publish(2, paths...))
			if old := e.old(); len(old) != len(paths) {
				t.Fatalf("before purging %q are old", old)
			}
			b.await(10 * time.Second)
			if old := e.old(); len(old) > 0 {
				t.Errorf("still old: %q", old)
			}
			e.mu.Lock()
			kept := e.cache["/b/"].generation == 1
			e.mu.Unlock()
			if !kept {
				t.Errorf("a page that did not change was purged")
			}
			for _, a := range e.asked()[first:] {
				if a.token != secret {
					t.Errorf("a request without the token: %+v", a)
				}
				if a.soft != s.Soft {
					t.Errorf("soft is %v, want %v", a.soft, s.Soft)
				}
			}
			st := b.Stats().CDNs[0]
			if !st.Trusted || !b.Trusted() || st.Alarms != 0 || st.Verified < 3 || st.Refused != 0 {
				t.Errorf("Stats() = %+v", st)
			}
		})
	}
}

// TestFaults has each kind's purges fail in every way that passes. All of them arrive.
func TestFaults(t *testing.T) {
	faults := map[string]func(n int, _ *asked) fault{
		"dropped": func(n int, _ *asked) fault { return fault{drop: n%2 == 1} },
		"limited": func(n int, _ *asked) fault { return fault{status: []int{429, 0, 429}[n%3], after: "7"} },
		"failing": func(n int, _ *asked) fault { return fault{status: []int{503, 502, 0}[n%3]} },
		"late":    func(n int, _ *asked) fault { return fault{latency: time.Duration(5-n%5) * time.Second} }, // later ones overtake earlier ones
		"forgets": func(n int, _ *asked) fault { return fault{lie: n%2 == 1} },
		"too busy": func(n int, _ *asked) fault {
			return fault{status: []int{0, 429}[n%2], after: "Sat, 01 Jan 2000 00:01:00 GMT"}
		},
	}
	for kind, s := range kinds(edgeURL) {
		for name, f := range faults {
			t.Run(kind+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEdge()
					b := settled(t, e, cdn.Config{CDNs: parse(t, s), AlarmAfter: 10 * time.Minute}, "/a/", "/b/")
					e.warm()
					e.mu.Lock()
					e.fault = f
					e.mu.Unlock()
					for g := uint64(2); g < 6; g++ {
						b.purge(g, e.publish(g, "/a/", fmt.Sprintf("/%d/", g)))
						e.warm() // a reader who came while the old page was still there
						time.Sleep(3 * time.Second)
					}
					b.await(10 * time.Minute)
					if old := e.old(); len(old) > 0 {
						t.Errorf("still old: %q\n%s", old, b.log)
					}
					if s := b.Stats().CDNs[0]; s.Alarms != 0 || s.Pending != 0 {
						t.Errorf("Stats() = %+v", s)
					}
					b.stop()
				})
			})
		}
	}
}

// TestRetryAfter asks no sooner than it is told to, and backs off by itself where it is not told.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["fastly by keys"]), AlarmAfter: time.Hour}, "/")
		before := len(e.asked())
		e.mu.Lock()
		e.fault = func(n int, _ *asked) fault {
			switch n - before {
			case 1:
				return fault{status: 429, after: "90"}
			case 2, 3, 4, 5, 6:
				return fault{status: 500}
			}
			return fault{}
		}
		e.mu.Unlock()
		b.purge(2, e.publish(2, "/a/"))
		b.await(time.Hour)
		a := e.asked()[before:]
		if len(a) != 7 {
			t.Fatalf("%d requests, want 7", len(a))
		}
		for i, least := range []time.Duration{90, 2, 3, 6, 12, 25} {
			if d := a[i+1].at.Sub(a[i].at); d < least*time.Second*4/5 || d > least*time.Second*3 {
				t.Errorf("request %d came %v after the one before, want about %v", i+1, d, least*time.Second)
			}
		}
		b.stop()
	})
}

// TestLie has a CDN accept purges and do nothing: that is an alarm, told once, shown until it is over.
func TestLie(t *testing.T) {
	for kind, s := range kinds(edgeURL) {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEdge()
				b := settled(t, e, cdn.Config{CDNs: parse(t, s)}, "/a/", "/b/")
				e.warm()
				e.mu.Lock()
				e.fault = func(int, *asked) fault { return fault{lie: true} }
				e.mu.Unlock()
				b.purge(2, e.publish(2, "/a/"))
				time.Sleep(90 * time.Second)
				if b.log.count("level=ERROR") != 0 {
					t.Errorf("an alarm before its time:\n%s", b.log)
				}
				time.Sleep(31 * time.Second)
				st := b.Stats().CDNs[0]
				if st.Alarmed != 1 || st.Alarms != 1 || !slices.Equal(st.Late, []site.Path{"/a/"}) || st.Problem == "" || st.Remedy == "" || st.Repeated < 2 {
					t.Errorf("after two minutes Stats() = %+v", st)
				}
				if b.Trusted() {
					t.Error("a CDN that does not purge is trusted")
				}
				b.purge(3, e.publish(3, "/b/"))
				time.Sleep(time.Hour)
				if n := b.log.count("level=ERROR"); n != 1 || b.log.count("remedy=") < 1 {
					t.Errorf("%d errors in the log, want one with a remedy:\n%s", n, b.log)
				}
				if n := len(e.asked()); n > 80 {
					t.Errorf("%d requests in an hour to a CDN that does not purge", n)
				}
				e.mu.Lock()
				e.fault = nil
				e.mu.Unlock()
				b.await(10 * time.Minute)
				if old := e.old(); len(old) > 0 || !b.Trusted() || b.log.count("newest pages again") != 1 {
					t.Errorf("after it purges again %q are old\n%s", old, b.log)
				}
				b.stop()
			})
		})
	}
}

// TestDenied is an alarm at once where somebody has to act.
func TestDenied(t *testing.T) {
	for _, status := range []int{401, 403, 404, 302, 400} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEdge()
				e.fault = func(int, *asked) fault { return fault{status: status} }
				b := start(t, cdn.Config{CDNs: parse(t, kinds(edgeURL)["cloudflare by keys"]), Transport: e})
				b.purge(1, e.publish(1, "/a/"))
				time.Sleep(2 * time.Second)
				if st := b.Stats().CDNs[0]; st.Alarmed != 1 || b.log.count("level=ERROR") != 1 || strings.Contains(st.Problem, secret) {
					t.Errorf("Stats() = %+v\n%s", st, b.log)
				}
				e.mu.Lock()
				e.fault = nil
				e.mu.Unlock()
				b.await(10 * time.Minute)
				b.stop()
			})
		})
	}
}

// TestReadBackBlocked is an alarm too: nobody knows what readers get.
func TestReadBackBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		e.pages = func(string) int { return 403 }
		b := start(t, cdn.Config{CDNs: parse(t, kinds(edgeURL)["varnish xkey"]), Transport: e})
		b.purge(1, e.publish(1, "/a/"))
		time.Sleep(3 * time.Minute)
		if st := b.Stats().CDNs[0]; st.Alarmed != 1 || !strings.Contains(st.Remedy, "guard.allow") || st.Requests != 1 {
			t.Errorf("Stats() = %+v", st)
		}
		b.stop()
	})
}

// TestOtherState alarms where the CDN has pages of a state folder that is no more.
func TestOtherState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		e.publish(500, "/a/")
		e.warm()
		e.fault = func(int, *asked) fault { return fault{lie: true} }
		b := start(t, cdn.Config{CDNs: parse(t, kinds(edgeURL)["varnish xkey"]), Transport: e})
		b.purge(1, e.publish(1, "/a/"))
		time.Sleep(3 * time.Minute)
		if st := b.Stats().CDNs[0]; st.Alarmed != 1 || !strings.Contains(st.Problem, "another state folder") {
			t.Errorf("Stats() = %+v", st)
		}
		b.stop()
	})
}

// TestPoison has one page refused: the others are purged, and it is the alarm.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["fastly by keys"])}, "/a/", "/b/", "/c/")
		e.warm()
		e.mu.Lock()
		e.fault = func(_ int, a *asked) fault {
			if slices.Contains(a.keys, "blog:b") || slices.Contains(a.paths, "/b/") {
				return fault{status: 422}
			}
			return fault{}
		}
		e.mu.Unlock()
		b.purge(2, e.publish(2, "/a/", "/b/", "/c/"))
		time.Sleep(time.Minute)
		if old := e.old(); !slices.Equal(old, []string{"/b/"}) {
			t.Errorf("old are %q, want /b/ alone", old)
		}
		if st := b.Stats().CDNs[0]; !slices.Equal(st.Late, []site.Path{"/b/"}) || st.Pending != 1 {
			t.Errorf("Stats() = %+v", st)
		}
		b.stop()
	})
}

// TestLostKey has the CDN keep a page without its key: it is purged by its URL after that was in vain.
func TestLostKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["cloudflare by keys"])}, "/a/")
		e.mu.Lock()
		e.cache["/a/"] = copyOf{generation: 1, etag: "0000000000000001"}
		e.mu.Unlock()
		b.purge(2, e.publish(2, "/a/"))
		b.await(30 * time.Second)
		if old := e.old(); len(old) > 0 {
			t.Errorf("still old: %q", old)
		}
		b.stop()
	})
}

// TestLimits counts what is asked of each kind when 2,000 pages change.
func TestLimits(t *testing.T) {
	const n = 2000
	for _, row := range []struct {
		kind       string
		batch      int           // names in a request at most
		requests   int           // for all pages, at most
		burst      int           // in the first second, at most
		within     time.Duration // all are purged, at most
		everything bool
	}{
		{kind: "cloudflare by keys", batch: 100, requests: 21, burst: 25, within: time.Minute},
		{kind: "cloudflare by urls", batch: 100, requests: 20, burst: 12, within: time.Minute},
		{kind: "fastly by keys", batch: 256, requests: 8, burst: 8, within: time.Minute},
		{kind: "fastly by urls", batch: 1, requests: 1, burst: 1, within: time.Minute, everything: true},
		{kind: "varnish xkey", batch: 100, requests: 21, burst: 100, within: time.Minute},
		{kind: "varnish ban", batch: 100, requests: 21, burst: 100, within: time.Minute},
		{kind: "varnish urls", batch: 100, requests: 20, burst: 70, within: time.Minute},
		{kind: "http keys", batch: 100, requests: 21, burst: 15, within: time.Minute},
		{kind: "http refresh", batch: 1, requests: n, burst: 200, within: time.Minute},
	} {
		t.Run(row.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEdge()
				b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)[row.kind])}, "/x/")
				time.Sleep(time.Hour) // what the first has taken of the limits is there again
				before := len(e.asked())
				var paths []string
				for i := range n {
					paths = append(paths, fmt.Sprintf("/page-%d/", i))
				}
				e.publish(2, paths...)
				e.warm()
				pages := e.publish(3, paths...)
				for i := 0; i < n; i += 500 { // in several commits
					b.purge(3, pages[i:i+500])
				}
				b.await(row.within)
				got := e.asked()[before:]
				if len(got) > row.requests {
					t.Errorf("%d requests, want %d", len(got), row.requests)
				}
				first := 0
				for _, a := range got {
					if a.names() > row.batch+1 && !slices.Contains(a.keys, "overflow") || a.names() > row.batch && a.names() != len(a.keys) || len(a.keys) > row.batch {
						t.Errorf("a request names %d", a.names())
					}
					if a.size > 8000 {
						t.Errorf("a header has %d bytes", a.size)
					}
					if a.at.Sub(got[0].at) < time.Second {
						first++
					}
					if a.all != row.everything {
						t.Errorf("everything is purged: %v, want %v", a.all, row.everything)
					}
				}
				if first > row.burst {
					t.Errorf("%d requests in the first second, want %d", first, row.burst)
				}
				if old := e.old(); len(old) > 0 {
					t.Errorf("%d pages are old", len(old))
				}
				if e.reads > 200 {
					t.Errorf("%d pages were read back", e.reads)
				}
				b.stop()
			})
		})
	}
}

// TestFreePlan stays within five requests a minute after 25.
func TestFreePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["cloudflare by keys"]), AlarmAfter: time.Hour}, "/")
		began := time.Now()
		for g := uint64(2); g < 1000; g++ { // an edit every three seconds for 50 minutes
			b.purge(g, e.publish(g, fmt.Sprintf("/%d/", g%50)))
			time.Sleep(3 * time.Second)
		}
		b.await(10 * time.Minute)
		minutes := time.Since(began).Minutes()
		if n := len(e.asked()); float64(n) > 25+5*minutes {
			t.Errorf("%d requests in %.0f minutes", n, minutes)
		}
		if old := e.old(); len(old) > 0 {
			t.Errorf("still old: %q", old)
		}
		b.stop()
	})
}

// TestEverything purges everything where more changes than is sensible to name, and says so.
func TestEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["cloudflare by keys"])}, "/")
		before := len(e.asked())
		var paths []string
		for i := range 3000 {
			paths = append(paths, fmt.Sprintf("/page-%d/", i))
		}
		e.publish(2, paths...)
		e.warm()
		b.purge(3, e.publish(3, paths...))
		b.purge(4, e.publish(4, "/page-7/")) // taken along
		b.await(time.Minute)
		if got := e.asked()[before:]; len(got) != 1 || !got[0].all {
			t.Errorf("asked %+v, want one purge of everything", got)
		}
		if b.log.count("3000 pages are more than is sensible") != 1 || b.Stats().CDNs[0].Everything != 2 {
			t.Errorf("it is not said:\n%s", b.log)
		}
		b.purge(5, e.publish(5, "/page-7/"))
		b.await(time.Minute)
		if a := e.asked(); a[len(a)-1].all {
			t.Error("the next purge is of everything too")
		}
		b.stop()
	})
}

// TestCoalesces merges what comes while a purge waits, and lets no answer about an older purge count for a newer one.
func TestCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["fastly by keys"])}, "/")
		before := len(e.asked())
		for g := uint64(2); g < 12; g++ {
			b.purge(g, e.publish(g, "/a/"))
			time.Sleep(10 * time.Millisecond)
		}
		b.await(time.Minute)
		if n := len(e.asked()) - before; n != 1 {
			t.Errorf("%d requests for ten edits within the settling time, want 1", n)
		}
		// An edit every 100 ms for ten seconds does not put the page off.
		before = len(e.asked())
		for g := uint64(12); g < 112; g++ {
			b.purge(g, e.publish(g, "/a/"))
			e.warm()
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(e.asked()) - before; n < 4 || n > 101 {
			t.Errorf("%d requests in ten seconds of edits", n)
		}
		b.await(time.Minute)
		if old := e.old(); len(old) > 0 {
			t.Errorf("still old: %q", old)
		}
		b.stop()
	})
}

// TestRestart ends the process at every stage of a purge: the next one finishes it.
func TestRestart(t *testing.T) {
	for _, stage := range []string{"accepted", "asking", "asked", "read back", "torn", "alarmed"} {
		for kind, s := range kinds(edgeURL) {
			t.Run(stage+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := t.TempDir()
					e := newEdge()
					cfg := cdn.Config{CDNs: parse(t, s), Transport: e, State: dir}
					b := start(t, cfg)
					b.purge(1, e.publish(1, "/a/", "/b/"))
					b.await(time.Minute)
					e.warm()
					e.mu.Lock()
					switch stage {
					case "asking":
						e.fault = func(int, *asked) fault { return fault{status: 503} }
					case "asked", "alarmed":
						e.fault = func(int, *asked) fault { return fault{lie: true} }
					}
					e.mu.Unlock()
					b.purge(2, e.publish(2, "/a/"))
					switch stage {
					case "accepted", "torn":
					case "alarmed":
						time.Sleep(5 * time.Minute)
					default:
						time.Sleep(5 * time.Second)
					}
					b.stop()
					before := len(e.asked())
					if stage == "torn" {
						f, err := os.OpenFile(filepath.Join(dir, "cdn-outbox"), os.O_APPEND|os.O_WRONLY, 0)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := f.WriteString(`0badcafe {"purge":{"se`); err != nil {
							t.Fatal(err)
						}
						_ = f.Close()
					}
					e.mu.Lock()
					e.fault = nil
					e.mu.Unlock()
					b = start(t, cfg)
					if b.Accepted() != 2 {
						t.Errorf("Accepted() = %d, want 2", b.Accepted())
					}
					b.await(time.Minute)
					if old := e.old(); len(old) > 0 {
						t.Errorf("still old: %q\n%s", old, b.log)
					}
					if n := len(e.asked()) - before; (n == 0) != (stage == "read back") {
						t.Errorf("%d requests after the restart", n)
					}
					if slices.ContainsFunc(e.asked()[before:], func(a asked) bool { return a.all }) {
						t.Error("everything was purged")
					}
					if !b.Trusted() {
						t.Error("a CDN that did purge is not trusted")
					}
					b.stop()
				})
			})
		}
	}
}

// TestNewCDN purges everything at a CDN that was added, and forgets one that is gone.
func TestNewCDN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		e := newEdge()
		all := kinds(edgeURL)
		b := settled(t, e, cdn.Config{CDNs: parse(t, all["fastly by keys"]), State: dir}, "/a/")
		b.stop()
		other := newEdge()
		other.publish(1, "/a/")
		b = start(t, cdn.Config{CDNs: parse(t, all["varnish xkey"]), Transport: other, State: dir})
		b.purge(2, other.publish(2, "/b/"))
		b.await(time.Minute)
		if a := other.asked(); len(a) != 1 || !a[0].all {
			t.Errorf("asked %+v, want everything", a)
		}
		b.stop()
		b = open(t, cdn.Config{CDNs: parse(t, all["fastly by keys"]), Transport: e, State: dir})
		if b.Trusted() {
			t.Error("a CDN that was away is trusted as if it had not been")
		}
	})
}

// TestSeveral purges at two CDNs, of which one is down: the other does not wait for it.
func TestSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		all := kinds(edgeURL)
		down := all["fastly by keys"]
		down.URL = "http://down.test"
		b := start(t, cdn.Config{CDNs: parse(t, all["varnish xkey"], down), Transport: split{e}})
		b.purge(1, e.publish(1, "/a/"))
		time.Sleep(5 * time.Second)
		if st := b.Stats().CDNs; st[0].Pending != 0 || st[1].Pending != 1 {
			t.Errorf("Stats() = %+v", st)
		}
		b.stop()
	})
}

type split struct{ up http.RoundTripper }

func (s split) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "down.test" {
		return nil, errors.New("no route to host")
	}
	return s.up.RoundTrip(r)
}

// TestUnwritable purges what the outbox could not take, and does not call it accepted.
func TestUnwritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		b := settled(t, e, cdn.Config{CDNs: parse(t, kinds(edgeURL)["varnish xkey"])}, "/a/")
		e.warm()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Purge(2, e.publish(2, "/a/")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Purge = %v, want an error", err)
		}
		b.await(time.Minute)
		if old := e.old(); len(old) > 0 {
			t.Errorf("still old: %q", old)
		}
		b.stop()
	})
}

// BenchmarkPurge accepts a purge of 16 pages, what one edit changes: into the outbox, and synced.
func BenchmarkPurge(b *testing.B) {
	e := newEdge()
	p, err := cdn.Open(cdn.Config{CDNs: parse(b, kinds(edgeURL)["varnish xkey"]), State: b.TempDir(), Transport: e})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	var paths []string
	for i := range 16 {
		paths = append(paths, fmt.Sprintf("/page-%d/", i))
	}
	if err := p.Purge(1, e.publish(1, "/")); err != nil {
		b.Fatal(err)
	}
	for g := uint64(2); b.Loop(); g++ {
		if err := p.Purge(g, e.publish(g, paths...)); err != nil {
			b.Fatal(err)
		}
	}
}
