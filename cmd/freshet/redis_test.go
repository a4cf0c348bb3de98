package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/internal/testenv"
)

// TestServersOnRedis: two and four processes of freshet that share one Redis keep to one limit, within the bound of
// docs/failures.md, and go on without it. Nothing that they print has its password.
func TestServersOnRedis(t *testing.T) {
	const password = "t0psecret-pa55word"
	redis := testenv.NewRedis(t, "--requirepass", password)
	exe := testenv.Freshet(t)
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "index.html"), []byte("<h1>Rivers</h1>"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			redis.Start()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			type process struct {
				url, operators string
				cmd            *exec.Cmd
				log            *lockedBuffer
			}
			var all []*process
			operators := regexp.MustCompile(`operators are answered.*address"?[=:]"?(127\.0\.0\.1:\d+)`)
			for range n {
				p := &process{log: &lockedBuffer{}}
				p.cmd = exec.CommandContext(ctx, exe, "serve", "--public", site, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
				p.cmd.Dir = t.TempDir()
				p.cmd.Env = []string{"REDIS_URL=redis://:" + password + "@" + redis.Addr(), "FRESHET_GUARD_TRUSTED_PROXIES=loopback",
					fmt.Sprintf("FRESHET_REDIS_PREFIX=test-%d:", n)}
				p.cmd.Stderr = p.log
				p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
				p.cmd.WaitDelay = 10 * time.Second
				out, err := p.cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := p.cmd.Start(); err != nil {
					t.Fatal(err)
				}
				line, err := bufio.NewReader(out).ReadString('\n')
				if err != nil {
					t.Fatalf("%v\n%s", err, p.log.String())
				}
				p.url = strings.TrimSpace(line)
				until(t, 10*time.Second, "operators are answered", func() bool {
					m := operators.FindStringSubmatch(p.log.String())
					if m != nil {
						p.operators = m[1]
					}
					return m != nil
				})
				all = append(all, p)
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
			defer client.CloseIdleConnections()
			ask := func(url, from string) (int, string) {
				req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
				if err != nil {
					t.Error(err)
					return 0, ""
				}
				req.Header.Set("X-Forwarded-For", from)
				req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
				req.Header.Set("Accept", "application/json")
				req.Header.Set("Accept-Language", "en")
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return 0, ""
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Error(err)
				}
				return res.StatusCode, string(body)
			}
			gauges := func(want string) bool {
				for _, p := range all {
					if _, body := ask("http://"+p.operators+"/metrics", ""); !strings.Contains(body, want) {
						return false
					}
				}
				return true
			}
			until(t, 15*time.Second, "all know of each other", func() bool { return gauges(fmt.Sprintf("\nfreshet_guard_servers %d\n", n)) })

			// One client asks all of them at once, as fast as it can.
			var passed, refused atomic.Int64
			var asking sync.WaitGroup
			begin := time.Now()
			for _, p := range all {
				asking.Go(func() {
					for time.Since(begin) < 2*time.Second {
						switch code, _ := ask(p.url+"api/courses", "203.0.113.7"); code {
						case 429, 403: // after three episodes it is banned
							refused.Add(1)
						default:
							passed.Add(1)
						}
					}
				})
			}
			asking.Wait()
			one := 120 + int64(time.Since(begin)/(500*time.Millisecond))
			bound := one + int64(n-1)*(120+2)
			t.Logf("%d processes, api 120/1m: %d passed and %d were refused, one server would let through %d, bound %d", n, passed.Load(), refused.Load(), one, bound)
			if passed.Load() > bound || passed.Load() < 120 || refused.Load() == 0 {
				t.Errorf("%d passed and %d were refused, want %d passed at most", passed.Load(), refused.Load(), bound)
			}

			redis.Kill()
			until(t, 10*time.Second, "all have noticed", func() bool { return gauges("\nfreshet_guard_shared 0\n") })
			for _, p := range all {
				if code, body := ask(p.url, "203.0.113.8"); code != 200 || body != "<h1>Rivers</h1>" {
					t.Errorf("a page while Redis is away: %d %q", code, body)
				}
			}
			redis.Start()
			back := until(t, 10*time.Second, "all share again", func() bool { return gauges("\nfreshet_guard_shared 1\n") })
			if t.Logf("all share again after %s", back); back > 2*time.Second { // the metrics have to be asked for too
				t.Errorf("in step %s after the return, want within a second", back)
			}
			stop()
			for _, p := range all {
				_ = p.cmd.Wait() // interrupted
				if text := p.log.String(); strings.Contains(text, password) || strings.Count(text, "are not shared") != 1 || strings.Count(text, "are shared with") != 2 {
					t.Errorf("the log shows the password, or does not tell once that Redis is gone, and that it is there:\n%s", text)
				}
			}
		})
	}
}

// until waits until something is so, and returns for how long it was not.
func until(t *testing.T, most time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !so() {
		if time.Since(begin) > most {
			t.Fatalf("not within %s: %s", most, what)
		}
		<-time.After(5 * time.Millisecond)
	}
	return time.Since(begin)
}
