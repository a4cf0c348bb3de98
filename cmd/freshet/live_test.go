package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"freshet/generator"
	"freshet/internal/builder"
	"freshet/internal/settings"
	"freshet/load/corpus"
	"freshet/revalidator"
)

// BenchmarkLive measures how long it takes from a change until the server answers with its bytes, at 10,000 posts: from a
// webhook to a post that was saved just before, and from saving alone. Files are watched in both, so the webhook's job may find
// its work done; what is measured then is its being journaled and answered. It reports the middle and the slowest
// hundredth; -benchtime 2000x makes 2,000 tries.
func BenchmarkLive(b *testing.B) {
	const posts = 10_000
	b.Chdir(b.TempDir())
	benchPosts(b, posts)
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
		tmp := benchFile(i) + "~"
		if err := os.WriteFile(tmp, benchText(i, word), 0o644); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(tmp, benchFile(i)); err != nil {
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

// BenchmarkBuild builds the corpus of the benchmark beside Hugo, cold and with its public tree: $FRESHET_BENCH_POSTS
// posts, else 10,000. With -cpuprofile it tells where the time of a build goes.
func BenchmarkBuild(b *testing.B) {
	posts := manyPosts()
	content := filepath.Join(b.TempDir(), "content")
	if err := corpus.Write(content, corpus.Size{Posts: posts, Courses: 200}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir := b.TempDir()
		w := openQuiet(b, "FRESHET_CONTENT="+content, "FRESHET_STATE="+filepath.Join(dir, "state"), "FRESHET_PUBLIC="+filepath.Join(dir, "public"))
		if _, err := w.Build(b.Context(), generator.Options{Now: time.Now()}); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*posts)*1e3, "ms/post")
}

// manyPosts is $FRESHET_BENCH_POSTS, else 10,000.
func manyPosts() int {
	if n, err := strconv.Atoi(os.Getenv("FRESHET_BENCH_POSTS")); err == nil && n > 0 {
		return n
	}
	return 10_000
}

// A quietSite is a builder with its settings. It logs nothing.
type quietSite struct {
	*builder.Builder
	eff *settings.Effective
}

// openQuiet opens the builder of the settings that the environment has. The caller closes it.
func openQuiet(b testing.TB, env ...string) *quietSite {
	b.Helper()
	eff, problems, err := settings.Load("", env, pflag.NewFlagSet("bench", pflag.ContinueOnError))
	if err != nil || len(problems) > 0 {
		b.Fatal(err, problems)
	}
	w, err := openBuilder(b.Context(), &eff.Settings, buildOptions{logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return &quietSite{w, eff}
}

// benchSite writes a content tree into a folder of its own, which becomes the working directory, and opens its builder.
func benchSite(b *testing.B, posts int) *quietSite {
	b.Helper()
	b.Chdir(b.TempDir())
	benchPosts(b, posts)
	w := openQuiet(b, "FRESHET_PUBLIC=")
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

// benchPosts writes posts about hills below the working directory.
func benchPosts(b testing.TB, n int) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(benchFile(0)), 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(benchFile(i), benchText(i, "hills"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

func benchFile(i int) string { return filepath.Join("content", "blog", fmt.Sprintf("post-%d.md", i)) }

func benchText(i int, word string) []byte {
	return fmt.Appendf(nil, "---\ntitle: Post %d\ndate: 2025-%02d-%02d\ntags: [t%d, u%d]\n---\n\nAbout %s.\n\n%s\n", i, 1+i%12, 1+i%28, i%100, i%37, word,
		strings.Repeat("Rivers carry what hills give them, and leave it where the land is flat.\n", 40))
}

// BenchmarkVerification compares every document of an unchanged site with its source, by content, in slices as the
// daemon does: $FRESHET_BENCH_POSTS posts, else 10,000. It reports the time of a round, its processor time for a
// document, the most memory that was in use and how much of it a round added, and what it rendered and wrote, which is to be nothing.
func BenchmarkVerification(b *testing.B) {
	posts := manyPosts()
	w := benchSite(b, posts)
	if _, err := w.Build(b.Context(), generator.Options{Now: time.Now()}); err != nil {
		b.Fatal(err)
	}
	processor := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	written := func() (bytes int64) {
		err := filepath.WalkDir(w.eff.State, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		return bytes
	}
	before, had, held := w.Store.Current().ID, written(), maxMemory(b)
	rendered, began := 0, processor()
	for b.Loop() {
		names, err := w.Source.Names(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for slice := range slices.Chunk(names, 500) {
			w.Source.Verify(slice)
			rep, err := w.Build(b.Context(), generator.Options{Now: time.Now(), Changed: slice})
			if err != nil {
				b.Fatal(err)
			}
			rendered += rep.Rendered
		}
	}
	b.ReportMetric(float64((processor()-began).Microseconds())/float64(b.N*posts), "cpu-µs/doc")
	b.ReportMetric(float64(maxMemory(b))/1e6, "max-MB")
	b.ReportMetric(float64(maxMemory(b)-held)/1e6, "added-MB")
	b.ReportMetric(float64(rendered), "rendered")
	b.ReportMetric(float64(w.Store.Current().ID-before), "generations")
	b.ReportMetric(float64(written()-had), "written-B")
}

// maxMemory is the most resident memory that the process has had, in bytes.
func maxMemory(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Maxrss << 10
}

// BenchmarkBurst saves 1,000 of 10,000 posts as fast as it can while the daemon watches, and reports how many pages were
// rendered for each that changed.
func BenchmarkBurst(b *testing.B) {
	w := benchSite(b, 10_000)
	daemon, _, err := openDaemon(w.eff, w.Builder, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- daemon.Run(ctx) }()
	settle := func() {
		offer := revalidator.Offer{Origin: revalidator.OriginCommand, Request: revalidator.Request{Everything: true}}
		job, _, err := daemon.Accept(ctx, offer)
		for errors.Is(err, revalidator.ErrStopped) { // it is starting
			time.Sleep(time.Millisecond)
			job, _, err = daemon.Accept(ctx, offer)
		}
		for err == nil && job.State != revalidator.Done {
			job, err = daemon.Look(ctx, job.ID, time.Minute)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	settle()
	var rendered, changed, generations int
	for n := 0; b.Loop(); n++ {
		before := w.Store.Current()
		for i := range 1000 {
			if err := os.WriteFile(benchFile(i*10), benchText(i*10, fmt.Sprintf("edition %d", n)), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		settle()
		for range w.Store.Current().Changes(before) {
			changed++
		}
		commits, err := w.Store.History()
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range commits {
			if c.Generation > before.ID {
				rendered += c.Rendered
				generations++
			}
		}
	}
	b.ReportMetric(float64(rendered)/float64(changed), "renders/page")
	b.ReportMetric(float64(generations)/float64(b.N), "generations")
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
