package cdn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/revalidator/cdn"
)

const (
	siteURL = "http://www.example.com"
	secret  = "s3cr3t-t0ken"
)

// A copy is what a page is in one generation.
type copyOf struct {
	generation uint64
	etag       string
	keys       []string
}

// edge is a CDN and the site behind it: readers get what it has, else what the site has. It takes the purges of every
// kind, at the addresses that the real ones have.
type edge struct {
	mu       sync.Mutex
	site     map[string]copyOf
	latest   uint64
	cache    map[string]copyOf
	requests []asked
	fault    func(n int, a *asked) fault // of the nth purge request, from 1; nil: none
	pages    func(path string) int       // status instead of a page; nil or 0: the page
	reads    int
}

// A fault is what goes wrong with a purge request.
type fault struct {
	status  int // instead of 200
	after   string
	drop    bool          // the connection ends without an answer
	lie     bool          // accepted, but nothing is purged
	latency time.Duration // until the purge takes effect
}

// asked is a purge request in one form for all kinds.
type asked struct {
	at    time.Time
	keys  []string
	paths []string
	all   bool
	soft  bool
	token string
	size  int // of its longest header
}

func (a *asked) names() int { return len(a.keys) + len(a.paths) }

func newEdge() *edge { return &edge{site: map[string]copyOf{}, cache: map[string]copyOf{}} }

// publish makes a generation and returns what it changes. A page that ends in "!" is removed.
func (e *edge) publish(generation uint64, paths ...string) []cdn.Page {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.latest = generation
	var pages []cdn.Page
	for _, p := range paths {
		c := copyOf{generation: generation, etag: fmt.Sprintf("%016x", generation)}
		key := ""
		if !strings.HasSuffix(p, ".txt") {
			key = "blog:" + strings.Trim(p, "/")
			c.keys = []string{web.EncodeTag(key), "tag:all"}
		}
		e.site[p] = c
		pages = append(pages, cdn.Page{Path: site.Path(p), Key: key, ETag: c.etag})
	}
	return pages
}

// warm has the CDN keep every page.
func (e *edge) warm() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, c := range e.site {
		c.generation = e.latest
		e.cache[p] = c
	}
}

// old lists the pages that readers would get in an older form.
func (e *edge) old() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for p, c := range e.cache {
		if c.etag != e.site[p].etag {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func (e *edge) asked() []asked {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.requests)
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.Header.Get("X-Refresh") == "" && !strings.HasPrefix(r.URL.Path, "/api/") {
		e.read(w, r)
		return
	}
	a, answer := e.parse(r)
	e.mu.Lock()
	e.requests = append(e.requests, *a)
	var f fault
	if e.fault != nil {
		f = e.fault(len(e.requests), a)
	}
	e.mu.Unlock()
	switch {
	case f.drop:
		panic(http.ErrAbortHandler)
	case f.status != 0:
		if f.after != "" {
			w.Header().Set("Retry-After", f.after)
		}
		w.WriteHeader(f.status)
		fmt.Fprintf(w, "refused %s", secret) // as an API that repeats what it was sent
		return
	case f.lie:
	case f.latency > 0:
		time.AfterFunc(f.latency, func() { e.forget(a) })
	default:
		e.forget(a)
	}
	if r.Header.Get("X-Refresh") != "" { // the page itself, here one that is gone
		w.Header().Set("X-Freshet-Generation", "1")
		w.WriteHeader(http.StatusGone)
	}
	_, _ = w.Write(answer)
}

// read answers a reader.
func (e *edge) read(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reads++
	if r.Host != "www.example.com" || r.Header.Get("Cache-Control") != "" {
		w.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	if e.pages != nil {
		if status := e.pages(r.URL.Path); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	c, ok := e.cache[r.URL.Path]
	if !ok {
		c = e.site[r.URL.Path]
		c.generation = e.latest
		e.cache[r.URL.Path] = c
	}
	if c.etag == "" {
		w.Header().Set("X-Freshet-Generation", fmt.Sprint(c.generation))
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Etag", `W/"`+c.etag+`-br"`)
	w.Header().Set("X-Freshet-Generation", fmt.Sprint(c.generation))
	fmt.Fprintln(w, c.etag)
}

// parse reads the request of any kind, and makes the answer that this kind gives.
func (e *edge) parse(r *http.Request) (*asked, []byte) {
	a := &asked{at: time.Now()}
	a.token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, vs := range r.Header {
		a.size = max(a.size, len(vs[0]))
	}
	body, _ := io.ReadAll(r.Body)
	switch {
	case strings.HasPrefix(r.URL.Path, "/client/v4/zones/z1/purge_cache"):
		var b struct {
			Tags, Files []string
			All         bool `json:"purge_everything"`
		}
		_ = json.Unmarshal(body, &b)
		a.keys, a.all = b.Tags, b.All
		for _, f := range b.Files {
			p, _ := url.PathUnescape(strings.TrimPrefix(f, siteURL))
			a.paths = append(a.paths, p)
		}
		return a, []byte(`{"success":true,"errors":[],"result":{"id":"z1"}}`)
	case strings.HasPrefix(r.URL.Path, "/service/s1/purge"):
		a.token, a.soft = r.Header.Get("Fastly-Key"), r.Header.Get("Fastly-Soft-Purge") == "1"
		a.all = strings.HasSuffix(r.URL.Path, "_all")
		var b struct {
			Keys []string `json:"surrogate_keys"`
		}
		_ = json.Unmarshal(body, &b)
		a.keys = b.Keys
		answer := map[string]string{"status": "ok"}
		for _, k := range b.Keys {
			answer[k] = "1-2-3"
		}
		text, _ := json.Marshal(answer)
		return a, text
	case strings.HasPrefix(r.URL.Path, "/purge/www.example.com/"):
		a.token, a.soft = r.Header.Get("Fastly-Key"), r.Header.Get("Fastly-Soft-Purge") == "1"
		a.paths = []string{strings.TrimPrefix(r.URL.Path, "/purge/www.example.com")}
		return a, []byte(`{"status":"ok","id":"1"}`)
	case r.Method == "PURGE" && r.Header.Get("Xkey-Purge") != "":
		a.keys = strings.Fields(r.Header.Get("Xkey-Purge"))
	case r.Method == "BAN":
		ban := r.Header.Get("X-Ban")
		if ban == "obj.status != 0" {
			a.all = true
			break
		}
		field, re, _ := strings.Cut(ban, " ~ ")
		list := re[strings.Index(re[5:], "(")+6 : strings.LastIndex(re[:strings.LastIndex(re, "(")], ")")]
		if field == "obj.http.x-url" {
			list = re[strings.Index(re, "^(")+2 : strings.LastIndex(re[:strings.LastIndex(re, "(")], ")")]
		}
		for name := range strings.SplitSeq(list, "|") {
			name = strings.ReplaceAll(name, `\`, "")
			if field == "obj.http.x-url" {
				a.paths = append(a.paths, name)
			} else {
				a.keys = append(a.keys, name)
			}
		}
	case r.URL.Path == "/api/tags":
		var b struct{ Tags []string }
		_ = json.Unmarshal(body, &b)
		a.keys, a.token = b.Tags, r.Header.Get("Accesskey")
	case r.URL.Path == "/api/all":
		a.all = true
	case r.Header.Get("X-Refresh") != "":
		a.paths, a.token = []string{r.URL.Path}, r.Header.Get("X-Refresh")
	}
	for i, p := range a.paths {
		if u, err := url.PathUnescape(p); err == nil {
			a.paths[i] = u
		}
	}
	return a, nil
}

func (e *edge) forget(a *asked) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.cache, func(p string, c copyOf) bool {
		return a.all || slices.Contains(a.paths, p) ||
			slices.ContainsFunc(c.keys, func(k string) bool { return slices.Contains(a.keys, k) })
	})
}

// RoundTrip answers without a socket.
func (e *edge) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("connection reset")
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	h := http.Header{}
	for name, v := range r.Header {
		h[http.CanonicalHeaderKey(name)] = v
	}
	r.Header = h
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// kinds are the settings of every kind, for an edge at the address.
func kinds(address string) map[string]cdn.Settings {
	return map[string]cdn.Settings{
		"cloudflare by keys": {Kind: "cloudflare", Zone: "z1", URL: address, Token: "env:TOKEN", Verify: address},
		"cloudflare by urls": {Kind: "cloudflare", Zone: "z1", URL: address, Token: "env:TOKEN", Verify: address, By: "urls", Plan: "pro"},
		"fastly by keys":     {Kind: "fastly", Service: "s1", URL: address, Token: "env:TOKEN", Verify: address},
		"fastly by urls":     {Kind: "fastly", Service: "s1", URL: address, Token: "env:TOKEN", Verify: address, By: "urls", Soft: true},
		"varnish xkey":       {Kind: "varnish", URL: address, Token: "env:TOKEN"},
		"varnish ban":        {Kind: "varnish", URL: address, Token: "env:TOKEN", Method: "ban"},
		"varnish urls":       {Kind: "varnish", URL: address, Token: "env:TOKEN", By: "urls"},
		"http keys": {Kind: "http", URL: address + "/api/tags", Everything: address + "/api/all", Body: `{"tags":{keys}}`, Token: "env:TOKEN",
			Header: map[string]string{"AccessKey": "{token}"}, Verify: address},
		"http refresh": {Kind: "http", Method: "GET", URL: address + "{path}", Token: "env:TOKEN", Rate: "100/s",
			Header: map[string]string{"X-Refresh": "{token}", "Host": "{host}"}, Verify: address},
	}
}

func parse(t testing.TB, list ...cdn.Settings) []cdn.CDN {
	t.Helper()
	cdns, wrong := cdn.Parse(list, siteURL, func(name string) string {
		if name == "TOKEN" {
			return secret
		}
		return ""
	})
	for _, e := range wrong {
		t.Errorf("Parse: %v", e)
	}
	if len(wrong) > 0 {
		t.FailNow()
	}
	return cdns
}

// told is what was logged.
type told struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *told) count(text string) int { return strings.Count(l.String(), text) }

// bench is a purger at work on an edge.
type bench struct {
	*cdn.Purger
	t    *testing.T
	log  *told
	stop func()
}

func start(t *testing.T, cfg cdn.Config) *bench {
	t.Helper()
	b := open(t, cfg)
	b.run()
	return b
}

// settled starts a purger in front of e, whose pages have been purged once.
func settled(t *testing.T, e *edge, cfg cdn.Config, paths ...string) *bench {
	t.Helper()
	cfg.Transport = e
	b := start(t, cfg)
	b.purge(1, e.publish(1, paths...))
	b.await(time.Minute)
	return b
}

func open(t *testing.T, cfg cdn.Config) *bench {
	t.Helper()
	b := &bench{t: t, log: &told{}}
	cfg.Logger = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if cfg.State == "" {
		cfg.State = t.TempDir()
	}
	p, err := cdn.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Purger = p
	b.stop = func() { _ = p.Close() }
	t.Cleanup(func() {
		b.stop()
		if s := b.log.String(); strings.Contains(s, secret) {
			t.Errorf("the log holds the token:\n%s", s)
		}
	})
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
		if err := b.Close(); err != nil {
			b.t.Errorf("Close: %v", err)
		}
	})
}

func (b *bench) purge(generation uint64, pages []cdn.Page) {
	b.t.Helper()
	if err := b.Purge(generation, pages); err != nil {
		b.t.Fatalf("Purge(%d): %v", generation, err)
	}
}

// await waits until the only CDN has all pages.
func (b *bench) await(limit time.Duration) {
	b.t.Helper()
	for end := time.Now().Add(limit); ; <-time.After(10 * time.Millisecond) {
		if s := b.Stats().CDNs[0]; s.Pending == 0 {
			return
		} else if time.Now().After(end) {
			b.t.Fatalf("not done in %v: %+v\n%s", limit, s, b.log)
		}
	}
}
