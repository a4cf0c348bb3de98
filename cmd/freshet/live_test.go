package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkLive measures how long it takes from a change until the server answers with its bytes, at 10,000 posts: from a
// webhook's acceptance to a post that was saved before it, and from saving alone. It reports the middle and the slowest
// hundredth; -benchtime 2000x makes 2,000 tries.
func BenchmarkLive(b *testing.B) {
	const posts = 10_000
	b.Chdir(b.TempDir())
	text := func(i int, word string) []byte {
		return fmt.Appendf(nil, "---\ntitle: Post %d\ndate: 2025-%02d-%02d\ntags: [t%d, u%d]\n---\n\nAbout %s.\n\n%s\n", i, 1+i%12, 1+i%28, i%100, i%37, word,
			strings.Repeat("Rivers carry what hills give them, and leave it where the land is flat.\n", 40))
	}
	file := func(i int) string { return filepath.Join("content", "blog", fmt.Sprintf("post-%d.md", i)) }
	if err := os.MkdirAll(filepath.Join("content", "blog"), 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range posts {
		if err := os.WriteFile(file(i), text(i, "hills"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	const secret = "a-secret-for-the-benchmark"
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"up", "--listen", "127.0.0.1:0", "--log", "error"},
			[]string{"FRESHET_WEBHOOK_SECRETS=" + secret, "FRESHET_WEBHOOK_PROFILE=bearer"}, in, os.Stderr)
	}()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address = strings.TrimSpace(address)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	shows := func(i int, word string) bool {
		resp, err := client.Get(fmt.Sprintf("%sblog/post-%d/", address, i))
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		return strings.Contains(string(body), "About "+word+".")
	}
	for !shows(posts-1, "hills") {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	save := func(i int, word string) {
		tmp := file(i) + "~"
		if err := os.WriteFile(tmp, text(i, word), 0o644); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(tmp, file(i)); err != nil {
			b.Fatal(err)
		}
	}
	for _, by := range []string{"webhook", "save"} {
		b.Run(by, func(b *testing.B) {
			var took []time.Duration
			for n := range b.N {
				i, word := n*7919%posts, fmt.Sprintf("%s%d-%d", by, b.N, n)
				var began time.Time
				save(i, word)
				began = time.Now()
				if by == "webhook" {
					req, err := http.NewRequest(http.MethodPost, address+"api/revalidate", strings.NewReader(fmt.Sprintf(`{"docs":["blog:post-%d"]}`, i)))
					if err != nil {
						b.Fatal(err)
					}
					req.Header.Set("Authorization", "Bearer "+secret)
					resp, err := client.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusAccepted {
						b.Fatalf("webhook: %d", resp.StatusCode)
					}
				}
				for !shows(i, word) {
					time.Sleep(200 * time.Microsecond)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
	cancel()
	if code := <-done; code != exitDone {
		b.Errorf("freshet up exits %d", code)
	}
}
