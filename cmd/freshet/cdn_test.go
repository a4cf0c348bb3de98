package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"freshet/generator"
	"freshet/internal/builder"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/testenv"
	"freshet/revalidator/cdn"
	"freshet/server"
)

// purgeBound is how long after a commit a reader may get an old page through a cache that purges. docs/formats/cdn.md
// states it.
const purgeBound = 2 * time.Second

// TestVarnish has a real Varnish, with the VCL of the documentation, in front of a real server, and purges it in
// every way that there is.
func TestVarnish(t *testing.T) {
	exe := testenv.Varnish(t)
	for _, s := range []cdn.Settings{
		{Kind: "varnish", Method: "xkey"},
		{Kind: "varnish", Method: "xkey", Soft: true},
		{Kind: "varnish", Method: "ban"},
		{Kind: "varnish", By: "urls"},
	} {
		t.Run(fmt.Sprintf("%s%s soft %v", s.Method, s.By, s.Soft), func(t *testing.T) {
			t.Parallel()
			origin := newOrigin(t, true)
			dir := t.TempDir()
			vcl := documented(t, "vcl")
			host, port, _ := strings.Cut(origin.address, ":")
			vcl = strings.Replace(vcl, `.host = "127.0.0.1"`, `.host = "`+host+`"`, 1)
			vcl = strings.Replace(vcl, `.port = "8080"`, `.port = "`+port+`"`, 1)
			if err := os.WriteFile(filepath.Join(dir, "freshet.vcl"), []byte(vcl), 0o644); err != nil {
				t.Fatal(err)
			}
			address := testenv.FreeAddress(t)
			testenv.Start(t, address, exe, "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", address, "-f", filepath.Join(dir, "freshet.vcl"),
				"-s", "malloc,16m", "-p", "http_resp_hdr_len=20k", "-p", "thread_pool_min=10", "-p", "thread_pools=1")
			s.URL = "http://" + address
			bound := purgeBound
			if s.Soft {
				bound += time.Second // the one reader who gets the old page while it is fetched anew, in each encoding
			}
			origin.behind(t, address, s, bound)
		})
	}
}

// TestNginx has a real nginx, with the configuration of the documentation, in front of a real server: with pages that
// are fetched anew when they change, and without.
func TestNginx(t *testing.T) {
	exe := testenv.Nginx(t)
	for _, refresh := range []bool{true, false} {
		t.Run(fmt.Sprintf("refresh %v", refresh), func(t *testing.T) {
			t.Parallel()
			origin := newOrigin(t, false)
			dir := t.TempDir()
			address := testenv.FreeAddress(t)
			const valid = 2 * time.Second
			bound := purgeBound
			if !refresh {
				bound = valid + 1500*time.Millisecond // whole seconds, and answers on their way
			}
			conf := "events {}\npid " + dir + "/pid;\nhttp {\naccess_log off;\n"
			for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				conf += kind + "_temp_path " + dir + "/" + kind + ";\n"
			}
			body := documented(t, "nginx")
			for old, now := range map[string]string{
				"127.0.0.1:8080": origin.address, "127.0.0.1:8081": address, "/var/cache/nginx/freshet": filepath.Join(dir, "cache"), "SECRET": "refresh-me",
			} {
				body = strings.ReplaceAll(body, old, now)
			}
			if !refresh {
				body = strings.ReplaceAll(body, " 60s;", " 2s;")
			}
			conf += body + "}\n"
			if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
				t.Fatal(err)
			}
			testenv.Start(t, address, exe, "-p", dir, "-e", filepath.Join(dir, "errors"), "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off; master_process off;")
			if !refresh {
				origin.behind(t, address, cdn.Settings{}, bound)
				return
			}
			origin.behind(t, address, cdn.Settings{Kind: "http", Method: "GET", URL: "http://" + address + "{path}", Rate: "100/s", Token: "env:REFRESH_TOKEN",
				Header: map[string]string{"Host": "{host}", "X-Freshet-Refresh": "{token}"}, Verify: "http://" + address}, bound)
		})
	}
}

// documented returns the only block of a language in docs/formats/cdn.md.
func documented(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "formats", "cdn.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "```"+language+"\n")
	block, _, ended := strings.Cut(after, "```")
	if !ok || !ended {
		t.Fatalf("docs/formats/cdn.md has no block of %s", language)
	}
	return block
}

// An origin is a site that is built from files and served, as freshet up does it.
type origin struct {
	*builder.Builder
	content string
	address string
	server  *httptest.Server
}

func newOrigin(t *testing.T, purged bool) *origin {
	t.Helper()
	dir := t.TempDir()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	eff, problems, err := settings.Load("", []string{
		"FRESHET_CONTENT=" + filepath.Join(dir, "content"), "FRESHET_STATE=" + filepath.Join(dir, "state"), "FRESHET_PUBLIC=",
		"FRESHET_TEMPLATES=" + filepath.Join(dir, "templates"), "FRESHET_SITE_URL=http://www.example.com",
	}, flags)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	o := &origin{content: filepath.Join(dir, "content")}
	for i := range 5 {
		o.post(t, i, 0)
	}
	if o.Builder, err = openBuilder(t.Context(), &eff.Settings, buildOptions{logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	o.rebuild(t)
	// As a server in another process, which follows the page log in its own time.
	reader, err := pagestore.OpenReader(pagestore.Config{Dir: eff.State})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reader.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	now := time.Now()
	srv, err := server.New(server.Config{
		Site: pages{reader}, Purged: func() bool { return purged }, Verified: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(lagging(srv.Handler()))
	t.Cleanup(o.server.Close)
	o.address = o.server.Listener.Addr().String()
	return o
}

// lag is how long some answers are on their way from the server to the cache.
const lag = 200 * time.Millisecond

// lagging holds every fifth answer back after it was made, as a slow connection does: the site may have changed
// meanwhile.
func lagging(h http.Handler) http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%5 != 0 {
			h.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		select {
		case <-r.Context().Done():
		case <-time.After(lag):
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()) // a cache that is gone
	})
}

func (o *origin) post(t *testing.T, i, edition int) {
	t.Helper()
	name := filepath.Join(o.content, "blog", fmt.Sprintf("post-%d.md", i))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("---\ntitle: Post %d in edition %d\npublishedAt: 2026-01-0%d\ntags: [Rivers]\n---\n\nThe text of edition %d.\n", i, edition, i+1, edition)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// remove removes a post, as if that were long ago: what has just gone may come back.
func (o *origin) remove(t *testing.T, n int) {
	t.Helper()
	folder, long := filepath.Join(o.content, "blog"), time.Now().Add(-time.Hour)
	if err := errors.Join(os.Remove(filepath.Join(folder, fmt.Sprintf("post-%d.md", n))), os.Chtimes(folder, long, long)); err != nil {
		t.Fatal(err)
	}
}

func (o *origin) rebuild(t *testing.T) {
	t.Helper()
	if _, err := o.Build(t.Context(), generator.Options{Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
}

// A sight is what a reader has seen.
type sight struct {
	at         time.Time
	path       string
	status     int
	generation uint64
	reader     int
}

// readerPace is the longest that a reader takes for one request and its pause on a machine that keeps up.
const readerPace = 5 * time.Millisecond

// behind publishes while readers ask the cache at an address without a pause, and checks when they last see an old
// page: not later than bound after the commit. On a machine that does not keep up, where a reader asks less often than
// every readerPace, it is not later than after as many requests as would have fitted into bound.
func (o *origin) behind(t *testing.T, address string, s cdn.Settings, bound time.Duration) {
	var follow func()
	var purger *cdn.Purger
	var log bytes.Buffer
	if s.Kind != "" {
		cdns, wrong := cdn.Parse([]cdn.Settings{s}, "http://www.example.com", func(string) string { return "refresh-me" })
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		var err error
		purger, err = cdn.Open(cdn.Config{CDNs: cdns, State: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- purger.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := purger.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Logf("log:\n%s", log.String())
			}
		}()
		p, err := newPurges(purger, o.Store)
		if err != nil {
			t.Fatal(err)
		}
		follow = func() {
			if err := p.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
	settled := func(when string) {
		t.Helper()
		if purger == nil {
			return
		}
		for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
			if st := purger.Stats().CDNs[0]; st.Pending == 0 {
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s: not verified: %+v", when, st)
			}
		}
	}
	settled("at the start")
	// Everything that a reader asks for, in what browsers say and in the plainest form.
	paths := []string{"/", "/blog/", "/topic/rivers/", "/feed.xml", "/sitemap.xml", "/blog/post-0/?utm_source=x"}
	for i := range 5 {
		paths = append(paths, fmt.Sprintf("/blog/post-%d/", i))
	}
	var mu sync.Mutex
	var sights []sight
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer func() { stop(); readers.Wait() }()
	var asked [2]atomic.Int64
	for reader, encodings := range []string{"gzip, deflate, br, zstd", "identity"} {
		readers.Go(func() {
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				v, err := look(ctx, client, address, paths[i%len(paths)], encodings)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Errorf("read %s: %v", paths[i%len(paths)], err)
					return
				}
				v.reader = reader
				asked[reader].Add(1)
				mu.Lock()
				sights = append(sights, v)
				mu.Unlock()
				time.Sleep(3 * time.Millisecond) // a pace, not a synchronisation
			}
		})
	}
	time.Sleep(300 * time.Millisecond) // the cache is warm
	var worst time.Duration
	for edition := 1; edition <= 3; edition++ {
		removed := edition == 2
		if removed {
			o.remove(t, 4)
		} else {
			o.post(t, 0, edition)
			o.post(t, 2, edition)
			if edition == 3 {
				o.post(t, 4, edition) // it returns
			}
		}
		before := o.Store.Current()
		o.rebuild(t)
		committed, begun := time.Now(), [2]int64{asked[0].Load(), asked[1].Load()}
		now := o.Store.Current()
		if now.ID == before.ID {
			t.Fatal("nothing was published")
		}
		if follow != nil {
			follow()
		}
		time.Sleep(bound + 700*time.Millisecond)
		for reader := range asked {
			for !t.Failed() && asked[reader].Load()-begun[reader] < int64((bound+700*time.Millisecond)/readerPace) {
				time.Sleep(readerPace)
			}
		}
		settled(fmt.Sprintf("edition %d", edition))
		mu.Lock()
		seen := sights
		sights = nil
		mu.Unlock()
		current, cached := 0, 0
		changed := map[string]bool{}
		for was, is := range now.Changes(before) {
			if is == nil {
				is = was
			}
			changed[string(is.Path)] = true
		}
		var asks [2]int // since the commit
		late := false
		for _, v := range seen {
			if v.at.After(committed) {
				asks[v.reader]++
			}
			path, _, _ := strings.Cut(v.path, "?")
			if !changed[path] {
				continue
			}
			if v.generation >= now.ID {
				current++
				continue
			}
			after := v.at.Sub(committed)
			worst = max(worst, after)
			if after > bound && asks[v.reader] > int(bound/readerPace) && !late {
				late = true
				t.Errorf("edition %d: %s of generation %d was given %v and %d requests after generation %d was committed, want at most %v",
					edition, v.path, v.generation, after, asks[v.reader], now.ID, bound)
			}
			if v.at.After(committed) {
				cached++
			}
		}
		if current == 0 || cached == 0 {
			t.Errorf("edition %d: %d old answers and %d new ones after the commit: this shows nothing", edition, cached, current)
		}
		for _, v := range seen {
			if v.status != 200 && v.status != 410 {
				t.Errorf("edition %d: %s is answered with %d", edition, v.path, v.status)
				break
			}
		}
		last := map[string]sight{}
		for _, v := range seen {
			last[v.path] = v
		}
		wantStatus := 200
		if removed {
			wantStatus = 410
		}
		if got := last["/blog/post-4/"].status; edition >= 2 && got != wantStatus {
			t.Errorf("edition %d: the post that was removed is answered with %d, want %d", edition, got, wantStatus)
		}
	}
	t.Logf("the oldest answer came %v after a commit", worst.Round(time.Millisecond))
	if purger != nil {
		if st := purger.Stats().CDNs[0]; st.Alarms != 0 || !purger.Trusted() {
			t.Errorf("Stats() = %+v", st)
		}
	}
}

// look asks the cache for a page.
func look(ctx context.Context, client *http.Client, address, path, encodings string) (sight, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return sight{}, err
	}
	req.Host = "www.example.com"
	req.Header.Set("Accept-Encoding", encodings)
	sent := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return sight{}, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	v := sight{at: sent, path: path, status: resp.StatusCode}
	if err == nil {
		v.generation, err = strconv.ParseUint(resp.Header.Get("X-Freshet-Generation"), 10, 64)
	}
	return v, err
}

// TestPurgedPages names what caches may have, and nothing else.
func TestPurgedPages(t *testing.T) {
	o := newOrigin(t, false)
	first := o.Store.Current()
	o.post(t, 2, 1)
	o.remove(t, 4)
	o.rebuild(t)
	keys := map[string]string{}
	for _, p := range cdn.Stale(o.Store.Current(), first, answers()) {
		keys[string(p.Path)] = p.Key
		if strings.HasPrefix(string(p.Path), "/assets/") || p.Path == "/404.html" || strings.HasPrefix(string(p.Path), "/_") {
			t.Errorf("%s is purged", p.Path)
		}
		e, ok := o.Store.Current().Lookup(p.Path)
		if !ok || (p.ETag != "") != (e.Status == 200) {
			t.Errorf("%+v for %+v", p, e)
		}
	}
	for path, key := range map[string]string{
		"/blog/post-2/": "blog:post-2", "/blog/post-4/": "blog:post-4", "/blog/": "list:blog", "/topic/rivers/": "list:topic:rivers",
		"/feed.xml": "list:feed", "/": "list:home", "/sitemap.xml": "list:sitemap",
	} {
		if got, ok := keys[path]; !ok || got != key {
			t.Errorf("%s is purged: %v, by %q; want by %q", path, ok, got, key)
		}
	}
	for _, path := range []string{"/search/", "/courses/", "/robots.txt"} {
		if _, ok := keys[path]; ok {
			t.Errorf("%s did not change and is purged", path)
		}
	}
}

// TestPurgesCatchUp purges what was committed while nobody purged, also when that is not known any more.
func TestPurgesCatchUp(t *testing.T) {
	o := newOrigin(t, false)
	var mu sync.Mutex
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			o.server.Config.Handler.ServeHTTP(w, r) // a cache that keeps nothing
			return
		}
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Header.Get("X-Ban"))
	}))
	t.Cleanup(api.Close)
	cdns, wrong := cdn.Parse([]cdn.Settings{{Kind: "varnish", Method: "ban", URL: api.URL}}, "http://www.example.com", os.Getenv)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	state := t.TempDir()
	session := func(change func(*purges)) []string {
		t.Helper()
		purger, err := cdn.Open(cdn.Config{CDNs: cdns, State: state, Settle: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer purger.Close()
		p, err := newPurges(purger, o.Store)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(p)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- purger.Run(ctx) }()
		for end := time.Now().Add(20 * time.Second); purger.Stats().CDNs[0].Pending > 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond) // until it is verified
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if st := purger.Stats(); st.CDNs[0].Pending > 0 || st.Generation != o.Store.Current().ID {
			t.Errorf("Stats() = %+v", st)
		}
		mu.Lock()
		defer mu.Unlock()
		out := asked
		asked = nil
		return out
	}
	everything := []string{"obj.status != 0"}
	if got := session(nil); !slices.Equal(got, everything) {
		t.Errorf("the first time %q was asked, want everything", got)
	}
	if got := session(nil); len(got) != 0 {
		t.Errorf("with nothing new %q was asked", got)
	}
	o.post(t, 2, 1)
	o.rebuild(t)
	if got := session(nil); len(got) == 0 || !strings.Contains(got[0], "blog:post-2") {
		t.Errorf("after a commit that nobody purged %q was asked", got)
	}
	got := session(func(p *purges) {
		o.post(t, 1, 1)
		o.rebuild(t)
		if err := p.Commit(); err != nil {
			t.Error(err)
		}
	})
	if len(got) == 0 || !strings.Contains(got[0], "blog:post-1") {
		t.Errorf("after a commit %q was asked", got)
	}
	if err := os.Remove(filepath.Join(state, "cdn-outbox")); err != nil {
		t.Fatal(err)
	}
	if got := session(nil); !slices.Equal(got, everything) {
		t.Errorf("without an outbox %q was asked, want everything", got)
	}
}
