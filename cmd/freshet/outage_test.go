package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/internal/extjson"
	"freshet/internal/mongodb"
	"freshet/internal/testenv"
)

// TestOutage takes MongoDB away from a running site in every way, under readers and while it is told of changes: in the
// middle of a cursor, while it builds, while it verifies, and by hanging. Every known page is answered with 200 and the
// bytes of a committed generation, a second server sees each generation too, and when MongoDB is back the change that was
// made meanwhile is live within seconds, whether a reader asked, a webhook told or nothing did. (Next.js made a good page
// a 500 when it was invalidated in an outage, as Varnish did; kept pages old for 45 s after a hang; lost what it had
// accepted; and never told its second instance.)
func TestOutage(t *testing.T) {
	uri, name := testenv.MongoDatabase(t)
	proxy := newProxy(t, uri)
	for _, slug := range []string{"rivers", "lakes", "hills"} {
		storePost(t, uri, name, slug, "Version 0 of "+slug+".")
	}
	t.Chdir(t.TempDir())
	site := runSite(t, []string{"up", "--listen", "127.0.0.1:0", "--log", "error", "--public", ""},
		"MONGODB_URI="+proxy.uri, "MONGODB_DB="+name, "FRESHET_ISR_POLL=200ms", "FRESHET_ISR_REVALIDATE=4s",
		"FRESHET_MONGO_BLOG_TIMEOUT=500ms", "FRESHET_MONGO_LIST_TIMEOUT=500ms", "FRESHET_WEBHOOK_PROFILE=bearer", "FRESHET_WEBHOOK_SECRETS="+outageSecret)
	site.await(t, "/blog/hills/", "Version 0 of hills.", patience)
	second := runSite(t, []string{"serve", "--listen", "127.0.0.1:0", "--log", "error"}, "FRESHET_ADMIN=")
	second.await(t, "/blog/hills/", "Version 0 of hills.", patience)

	stop := make(chan struct{})
	var readers sync.WaitGroup
	var reads atomic.Int64
	defer readers.Wait()
	defer close(stop)
	for _, s := range []*runningSite{site, second} {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				path := []string{"/", "/blog/", "/blog/rivers/", "/blog/lakes/", "/blog/hills/", "/feed.xml"}[n%6]
				status, body, err := get(http.DefaultClient, s.address+path)
				if err != nil || status != 200 || !strings.Contains(body, "Version") && strings.HasPrefix(path, "/blog/r") {
					t.Errorf("GET %s in an outage: %d, %v", path, status, err)
				}
				reads.Add(1)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	for version, outage := range []struct {
		name string
		mode int32
		tell bool // a webhook tells of the change while MongoDB is away
	}{
		{"refused, and told by a webhook", proxyRefuse, true},
		{"cut in the middle of an answer", proxyCut, false},
		{"hanging, and told by a webhook", proxyHang, true},
		{"hanging", proxyHang, false},
	} {
		text := fmt.Sprintf("Version %d of rivers.", version+1)
		before := proxy.hits.Load()
		proxy.set(outage.mode)
		site.revalidate(t, "blog:lakes") // so that something is read while it is away
		storePost(t, uri, name, "rivers", text)
		if outage.tell {
			site.revalidate(t, "blog:rivers")
		}
		for end := time.Now().Add(patience); proxy.hits.Load() < before+6 && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
		if _, body, err := get(http.DefaultClient, site.address+"/blog/rivers/"); err != nil || strings.Contains(body, text) {
			t.Fatalf("%s: the page shows what could not be read (%v)", outage.name, err)
		}
		proxy.set(proxyPass)
		took := site.await(t, "/blog/rivers/", text, patience)
		second.await(t, "/blog/rivers/", text, patience)
		t.Logf("%s: live %v after MongoDB was back", outage.name, took.Round(time.Millisecond))
		if took > 5*time.Second {
			t.Errorf("%s: the change was live %v after MongoDB was back, want within 5 s", outage.name, took)
		}
	}
	t.Logf("%d pages read", reads.Load())
}

const outageSecret = "a-secret-for-the-test-of-outages"

// storePost stores a post as an editor does.
func storePost(t *testing.T, uri, name, slug, text string) {
	t.Helper()
	db, err := mongodb.Open(t.Context(), mongodb.Config{URI: mongodb.URI(uri), DB: name})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	library, err := mongodb.NewLibrary(db)
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf(`{"_id":%q,"title":%q,"slug":%q,"content":%q,"status":"published","publishedAt":{"$date":"2025-01-02T03:04:05Z"},"updatedAt":{"$date":%q}}`,
		slug, slug, slug, text, time.Now().UTC().Format(time.RFC3339Nano))
	item, err := extjson.NewReader(bufio.NewReader(strings.NewReader(line)), "test").Next()
	if err != nil || item.Doc == nil {
		t.Fatalf("%s: %v", line, err)
	}
	if refused, err := library.Put(t.Context(), "blogs", []extjson.Doc{item.Doc}); err != nil || len(refused) > 0 {
		t.Fatalf("store %s: %v, %v", slug, refused, err)
	}
}

// A runningSite is freshet serving in this process.
type runningSite struct {
	address string
	stderr  *lockedBuffer
}

// said waits until a text is in the log.
func (s *runningSite) said(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.stderr.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q was not logged:\n%s", text, s.stderr)
		}
	}
}

func runSite(t *testing.T, args []string, env ...string) *runningSite {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	stderr := &lockedBuffer{}
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, env, in, stderr) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitDone {
			t.Errorf("freshet %q exits %d\n%s", args, code, stderr)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("freshet %q: %v", args, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &runningSite{strings.TrimSuffix(strings.TrimSpace(line), "/"), stderr}
}

// await waits until a page shows a text, and returns how long that took.
func (s *runningSite) await(t *testing.T, path, text string, atMost time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		status, body, err := get(http.DefaultClient, s.address+path)
		if err == nil && status == 200 && strings.Contains(body, text) {
			return time.Since(start)
		}
		if time.Since(start) > atMost {
			t.Fatalf("%s does not show %q: %d, %v", path, text, status, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// revalidate tells the site of a change by a webhook, which has to be accepted.
func (s *runningSite) revalidate(t *testing.T, doc string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address+"/api/revalidate", strings.NewReader(fmt.Sprintf(`{"docs":[%q]}`, doc)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+outageSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("webhook about %s: %d", doc, resp.StatusCode)
	}
}

// What a proxy does with connections.
const (
	proxyPass int32 = iota
	proxyRefuse
	proxyCut  // in the middle of an answer
	proxyHang // nothing comes through
)

// A proxy stands between freshet and MongoDB.
type proxy struct {
	uri    string
	target string
	mode   atomic.Int32
	hits   atomic.Int64 // connections and answers that were meddled with

	mu     sync.Mutex // protects conns
	conns  map[net.Conn]bool
	closed chan struct{}
}

func newProxy(t *testing.T, uri string) *proxy {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(u.Host, ",") // of several members one is enough
	if _, _, err := net.SplitHostPort(first); err != nil {
		first += ":27017"
	}
	p := &proxy{target: first, conns: map[net.Conn]bool{}, closed: make(chan struct{})}
	u.Host = ln.Addr().String()
	query := u.Query()
	query.Set("directConnection", "true")
	u.RawQuery = query.Encode()
	if u.Path == "" {
		u.Path = "/"
	}
	p.uri = u.String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		close(p.closed)
		ln.Close()
		p.set(proxyRefuse)
		serving.Wait()
	})
	return p
}

// set changes what becomes of connections. Those that are open are closed when they are refused from now on.
func (p *proxy) set(mode int32) {
	p.mode.Store(mode)
	if mode == proxyRefuse {
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			c.Close()
		}
	}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	if p.mode.Load() == proxyRefuse {
		p.hits.Add(1)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[c], p.conns[server] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		delete(p.conns, server)
	}()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, c, false) })
	p.copy(c, server, true)
	both.Wait()
}

// copy passes bytes on. What hangs does so until the mode is another, and is lost then, as on a connection that died.
func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		switch mode := p.mode.Load(); {
		case mode == proxyCut && answers:
			p.hits.Add(1)
			_, _ = to.Write(buf[:n/2]) // then the connection ends
			return
		case mode == proxyHang:
			p.hits.Add(1)
			for p.mode.Load() == proxyHang {
				select {
				case <-p.closed:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
